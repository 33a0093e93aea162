// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// AttnPlugin.so: the dialects and passes for an mlir-opt that somebody else built.
//
//   mlir-opt --load-dialect-plugin=AttnPlugin.so --load-pass-plugin=AttnPlugin.so
//            --pass-pipeline='builtin.module(attn-specialize,attn-plan)' longformer.mlir

#include "attn/Pipelines/Register.h"
#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"

extern "C" mlir::DialectPluginLibraryInfo mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "attn", ATTN_VERSION,
          [](mlir::DialectRegistry *registry) { attn::registerDialects(*registry); }};
}

extern "C" mlir::PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "attn", ATTN_VERSION, attn::registerPasses};
}
