// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Adds the passes of each stage.

#include "attn/Pipelines/Pipelines.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace attn;

void attn::buildSpecialize(OpPassManager &pm, const AttnSpecializeOptions &options) {
  pm.addPass(createAttnSpecialize(options));
}

void attn::buildPlan(OpPassManager &pm, const AttnPlanOptions &options) { pm.addPass(createAttnPlan(options)); }

/// Canonicalizing long blocks takes a third of the time if it begins at their ends, with the same result: emitters leave
/// nothing but what is unused, constant or unreachable.
static GreedyRewriteConfig bottomUp() {
  return GreedyRewriteConfig().setUseTopDownTraversal(false).setRegionSimplificationLevel(
      GreedySimplifyRegionLevel::Disabled);
}

void attn::buildEmitCPU(OpPassManager &pm, const AttnEmitCPUOptions &options) {
  pm.addPass(createAttnEmitCPU(options));
  pm.addPass(createCanonicalizerPass(bottomUp()));
  pm.addPass(createCSEPass());
  pm.addPass(createLoopInvariantCodeMotionPass());
}

/// What these leave unused or twice is left to LLVM, which looks for it in any case.
void attn::buildLowerCPU(OpPassManager &pm) {
  pm.addPass(attn::createAttnApproximateMath());
  pm.addPass(arith::createArithExpandOpsPass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createConvertMathToLibmPass());
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertIndexToLLVMPass());
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
}

void attn::buildEmitGPU(OpPassManager &pm) {
  pm.addPass(createAttnEmitGPU());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void attn::buildLowerGPU(OpPassManager &pm) {
  pm.addPass(attn::createAttnLowerTile());
  pm.addPass(attn::createAttnApproximateMathGPU());
  pm.addPass(createCSEPass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertIndexToLLVMPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createConvertNVVMToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
}
