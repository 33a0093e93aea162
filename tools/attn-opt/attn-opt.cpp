// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mlir-opt with the attn dialect, its passes and its pipelines.

#include "attn/Pipelines/Register.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  mlir::registerAllPasses();
  attn::registerDialects(registry);
  attn::registerPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "attn-mlir modular optimizer driver\n", registry));
}
