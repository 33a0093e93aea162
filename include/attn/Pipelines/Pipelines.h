// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The stages of the compiler, in order. Nothing else adds passes.
//
//   specialize   patterns, attn.linear     ==> typed functions of attn ops; no pattern value crosses a function
//   plan         attn.attention            ==> attn.plan: phases, orders, boxes; attn.linear_attention stays
//   emit-cpu     attn.plan                 ==> pack and tile functions of scf, memref, vector, arith and math, one set
//                attn.linear_attention         for each instruction set; of linear attention keys, absorb and rows
//   lower-cpu    scf, memref, vector, ...  ==> the llvm dialect only
//   emit-gpu     attn.plan                 ==> gpu.module of llvm.func of attn_tile, scf, arith, math, llvm and nvvm;
//                attn.linear_attention         of linear attention absorb, sum and rows, without attn_tile
//   lower-gpu    attn_tile, scf, math, ... ==> gpu.module that holds the llvm and nvvm dialects only

#ifndef ATTN_PIPELINES_PIPELINES_H
#define ATTN_PIPELINES_PIPELINES_H

#include "attn/Codegen/Passes.h"
#include "attn/Transforms/Passes.h"

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace attn {

void buildSpecialize(mlir::OpPassManager &pm, const AttnSpecializeOptions &options);
void buildPlan(mlir::OpPassManager &pm, const AttnPlanOptions &options);
void buildEmitCPU(mlir::OpPassManager &pm, const AttnEmitCPUOptions &options);
void buildLowerCPU(mlir::OpPassManager &pm);
void buildEmitGPU(mlir::OpPassManager &pm);
void buildLowerGPU(mlir::OpPassManager &pm);

} // namespace attn

#endif // ATTN_PIPELINES_PIPELINES_H
