// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tells MLIR of the dialects, passes and pipelines.

#include "attn/Pipelines/Register.h"
#include "attn/Pipelines/Pipelines.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"

using namespace mlir;
using namespace attn;

void attn::registerDialects(DialectRegistry &registry) {
  registry.insert<AttnDialect, tile::AttnTileDialect, arith::ArithDialect, func::FuncDialect, gpu::GPUDialect,
                  LLVM::LLVMDialect, math::MathDialect, memref::MemRefDialect, NVVM::NVVMDialect, scf::SCFDialect,
                  vector::VectorDialect>();
  registerBuiltinDialectTranslation(registry);
  registerGPUDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerNVVMDialectTranslation(registry);
}

void attn::registerPasses() {
  registerAttnTransformsPasses();
  registerAttnCodegenPasses();
  PassPipelineRegistration<>("attn-lower-cpu", "Lower what attn-emit-cpu writes to the llvm dialect", buildLowerCPU);
  PassPipelineRegistration<>("attn-lower-gpu", "Lower what attn-emit-gpu writes to the llvm and nvvm dialects",
                             buildLowerGPU);
}
