// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels of linear attention on a GPU: absorb, sum and rows. lib/Runtime/gpu.h says how they follow each other and
// which part of the work a block takes.

#ifndef ATTN_LIB_CODEGEN_GPU_LINEAR_H
#define ATTN_LIB_CODEGEN_GPU_LINEAR_H

#include "Frame.h"
#include "attn/Codegen/GpuKernel.h"

namespace attn::hopper {

/// Writes NAME_absorb, NAME_sum and NAME_rows where the builder stands, in a gpu.module. Returns how many that are.
unsigned emitLinear(ImplicitLocOpBuilder &b, LinearAttentionOp op, const KernelLayout &layout);

/// How they are launched.
GpuLinearInfo describeLinear(const KernelLayout &layout);

} // namespace attn::hopper

#endif // ATTN_LIB_CODEGEN_GPU_LINEAR_H
