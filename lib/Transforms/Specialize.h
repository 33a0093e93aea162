// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What attn-specialize does to linear attention, and what both kinds of attention share.

#ifndef ATTN_LIB_TRANSFORMS_SPECIALIZE_H
#define ATTN_LIB_TRANSFORMS_SPECIALIZE_H

#include "attn/IR/Attn.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace attn {

/// A tensor's type with the element type in place of !attn.element, and `columns` where their number is open.
mlir::RankedTensorType specializedType(mlir::Value tensor, mlir::Type element, int64_t columns);

/// Makes the three functions of every attn.linear, in whose place they stand.
void makeLinearKernels(mlir::ModuleOp module);

/// Sets element type and head sizes of the function's linear attention; returns how many there are.
mlir::FailureOr<unsigned> specializeLinearAttention(mlir::func::FuncOp function, mlir::Type element, int64_t headSize,
                                                    int64_t valueHeadSize);

} // namespace attn

#endif // ATTN_LIB_TRANSFORMS_SPECIALIZE_H
