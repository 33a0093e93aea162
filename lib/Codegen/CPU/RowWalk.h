// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Walks over ranks of an order that follow one another. What closed forms say of a rank takes divisions; behind a rank
// whose row is known, the next one's is an addition away:
//
//     order         the next row
//     Classes       row + modulus; the first of the next class where that is past the end
//     Remainders    row + 1; the first of the next period where this one has no more

#ifndef ATTN_LIB_CODEGEN_CPU_ROWWALK_H
#define ATTN_LIB_CODEGEN_CPU_ROWWALK_H

#include "Frame.h"

namespace attn::cpu {

class RowWalk {
public:
  RowWalk(Frame &f, const OrderLayout &order) : f(f), order(order) {}

  /// What a walk knows where it stands, and carries through a loop.
  using Place = llvm::SmallVector<Value, 2>;
  Place placeOf(Value rank);
  Place next(ValueRange place);
  /// The row of a place. A table is read here and not by next(), so a walk may stop right behind the end of it.
  Value rowOf(ValueRange place);

  /// Calls `body(rank, row)` for the ranks of [begin, end).
  void forEach(Value begin, Value end, llvm::function_ref<void(Value, Value)> body);

private:
  /// Whether a row leads to the next one; else places are ranks.
  bool isStepped() const;

  Frame &f;
  const OrderLayout &order;
};

} // namespace attn::cpu

#endif // ATTN_LIB_CODEGEN_CPU_ROWWALK_H
