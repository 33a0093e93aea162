// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Walks over ranks of an order.

#include "RowWalk.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

// Of Classes a place is the row and its class, of Remainders the row and how many of its period come before it; else it
// is the rank.

bool RowWalk::isStepped() const {
  return order.order.kind == OrderKind::Classes || order.order.kind == OrderKind::Remainders;
}

RowWalk::Place RowWalk::placeOf(Value rank) {
  if (!isStepped())
    return {rank};
  Value row = f.rowOf(order, rank);
  if (order.order.kind == OrderKind::Classes)
    return {row, f.evaluate(Expr::mod(Expr::row(), order.order.modulus), row)};
  Expr remainder = Expr::mod(Expr::row() + order.order.shift, order.order.modulus);
  return {row, f.evaluate(remainder - order.order.from, row)};
}

RowWalk::Place RowWalk::next(ValueRange place) {
  if (!isStepped())
    return {f.add(place[0], 1)};
  Value row = place[0], number = place[1], following = f.add(number, 1), none = f.index(0);
  Value modulus = f.evaluate(order.order.modulus, none);
  if (order.order.kind == OrderKind::Classes) {
    Value isInside = f.less(row, f.sub(f.evaluate(rowsOf(order.order.side), none), modulus));
    return {f.select(isInside, f.add(row, modulus), following), f.select(isInside, number, following)};
  }
  Value width = f.evaluate(order.order.below - order.order.from, none), isInside = f.less(following, width);
  return {f.add(f.select(isInside, row, f.sub(f.add(row, modulus), width)), 1), f.select(isInside, following, none)};
}

Value RowWalk::rowOf(ValueRange place) { return isStepped() ? place[0] : f.rowOf(order, place[0]); }

void RowWalk::forEach(Value begin, Value end, llvm::function_ref<void(Value, Value)> body) {
  f.loop(begin, end, 1, placeOf(begin), [&](Value rank, ValueRange place) -> SmallVector<Value> {
    body(rank, rowOf(place));
    return next(place);
  });
}
