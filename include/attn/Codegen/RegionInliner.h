// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes a pure region (score, test) at a place where some of its arguments are vectors: one lane for each key. Values
// that do not depend on such an argument stay scalars and are computed once.

#ifndef ATTN_CODEGEN_REGIONINLINER_H
#define ATTN_CODEGEN_REGIONINLINER_H

#include "attn/IR/Attn.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include <functional>

namespace attn {

/// `value` as a vector of `lanes`; vectors are returned as they are.
mlir::Value splat(mlir::ImplicitLocOpBuilder &builder, mlir::Value value, int64_t lanes);

/// Writes an expression at a row, a scalar or a vector of index.
mlir::Value writeExpr(mlir::ImplicitLocOpBuilder &builder, const Expr &expr, mlir::Value row,
                      llvm::function_ref<mlir::Value(unsigned)> symbol);

/// Writes what a kernel's function computes from its arguments, again and here: `leaf` says what an argument is, and
/// what one of attn's own ops (attn.of_head and the like) gives.
mlir::Value writeArithmetic(mlir::ImplicitLocOpBuilder &builder, mlir::Value value,
                            llvm::function_ref<mlir::Value(mlir::Value)> leaf);

/// Of a value in a score, sink or test region: the side whose position at hand it is, if it is that and nothing else.
/// attn.load and the dots take such an index for the row.
std::optional<Side> sideOfPosition(mlir::Value value);

class RegionInliner {
public:
  /// `outer` gives the value of something that is defined outside of the region: an argument of the kernel; `attnOp`
  /// that of one of attn's own ops, given its operands, or null for what inlineKnown() has to leave for later.
  RegionInliner(mlir::ImplicitLocOpBuilder &builder, int64_t lanes, std::function<mlir::Value(mlir::Value)> outer,
                std::function<mlir::Value(mlir::Operation *, mlir::ValueRange)> attnOp)
      : builder(builder), lanes(lanes), outer(std::move(outer)), attnOp(std::move(attnOp)) {}

  /// Says that an argument counts up from `first`, lane by lane; it is null among the arguments then. Sums and
  /// distances of it stay numbers, and become vectors when they become floats: `first` + lane, rounded twice past 2^24.
  void countUp(mlir::Value argument, mlir::Value first) { progressions[argument] = {first, 1}; }
  /// Returns what the region yields. Copies of an inliner go on from what inlineKnown() wrote.
  mlir::Value inlineRegion(mlir::Region &region, mlir::ValueRange arguments);
  /// Writes what depends on no other arguments than those that are not null. inlineRegion(), further inside with all
  /// arguments, uses it and writes the rest.
  void inlineKnown(mlir::Region &region, mlir::ValueRange arguments);
  /// What inlineKnown() wrote for a value of the region; null if that was nothing.
  mlir::Value known(mlir::Value value) const { return mapping.lookupOrNull(value); }

private:
  /// first, first + step, first + 2 step, ... in the lanes.
  struct Progression {
    mlir::Value first;
    int64_t step;
  };

  bool isWritten(mlir::Value value) const { return mapping.contains(value) || progressions.contains(value); }
  void inlineOp(mlir::Operation &op);
  mlir::Value valueOf(mlir::Value value);
  std::optional<Progression> progressionOf(mlir::Operation &op);
  mlir::Value lanesOf(const Progression &progression, mlir::Type type);

  mlir::ImplicitLocOpBuilder &builder;
  int64_t lanes;
  std::function<mlir::Value(mlir::Value)> outer;
  std::function<mlir::Value(mlir::Operation *, mlir::ValueRange)> attnOp;
  mlir::IRMapping mapping;
  llvm::DenseMap<mlir::Value, Progression> progressions;
};

} // namespace attn

#endif // ATTN_CODEGEN_REGIONINLINER_H
