// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes a pure region (score, test) at a place where some of its arguments are vectors: one lane for each key. Values
// that do not depend on such an argument stay scalars and are computed once.

#ifndef ATTN_CODEGEN_REGIONINLINER_H
#define ATTN_CODEGEN_REGIONINLINER_H

#include "attn/IR/Attn.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include <functional>

namespace attn {

/// `value` as a vector of `lanes`; vectors are returned as they are.
mlir::Value splat(mlir::ImplicitLocOpBuilder &builder, mlir::Value value, int64_t lanes);

/// Writes an expression at a row, a scalar or a vector of index.
mlir::Value writeExpr(mlir::ImplicitLocOpBuilder &builder, const Expr &expr, mlir::Value row,
                      llvm::function_ref<mlir::Value(unsigned)> symbol);

/// Writes what a kernel's function computes from its arguments, again and here: `argument` says what each of them is.
mlir::Value writeArithmetic(mlir::ImplicitLocOpBuilder &builder, mlir::Value value,
                            llvm::function_ref<mlir::Value(mlir::Value)> argument);

struct RegionInliner {
  mlir::ImplicitLocOpBuilder &builder;
  int64_t lanes;
  /// The value of something that is defined outside of the region: an argument of the kernel.
  std::function<mlir::Value(mlir::Value)> outer;
  /// The value of one of attn's own ops, given its operands.
  std::function<mlir::Value(mlir::Operation *, mlir::ValueRange)> attnOp;

  /// Returns what the region yields.
  mlir::Value inlineRegion(mlir::Region &region, mlir::ValueRange arguments);
};

} // namespace attn

#endif // ATTN_CODEGEN_REGIONINLINER_H
