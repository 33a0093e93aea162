// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which key ranks the rows of a query tile look at in a box. Its bounds become, for each row, an interval of ranks, and
// where it has a hole, an interval inside of that. Their extremes say where key tiles begin and end and which of them
// are full.

#ifndef ATTN_LIB_CODEGEN_CPU_KEYINTERVALS_H
#define ATTN_LIB_CODEGEN_CPU_KEYINTERVALS_H

#include "TileRows.h"

namespace attn::cpu {

class KeyIntervals {
public:
  KeyIntervals(Frame &frame, TileRows &rows, unsigned queryOrder)
      : f(frame), layout(frame.layout), rows(rows), queryOrder(queryOrder) {}

  /// Says which box is meant, how many ranks its keys have, and, of a table of blocks, which of them a block holds.
  void bind(BoxOp box, unsigned keyOrder, Value keyCount, Ranks block);

  /// Writes each row's interval, and its hole; an empty one is [never, 0). Returns the extremes.
  Ranks write();
  /// Writes the extremes of each sub-tile's rows.
  void writeGroups();

  bool hasHole() { return box.getHoleLowerAttr() != nullptr; }
  /// Whether all rows look at all keys of [tile, end); after write().
  Value isFull(Value tile, Value end);
  /// Whether some row looks at some of them.
  Value someRowLooks(Value tile, Value end);
  /// For a vector of ranks from `key` on: whether row r looks at them.
  Value holds(Value r, Value key);

private:
  void leaveOut(Ranks &keys, Ranks &hole);
  Ranks rangeOf(Value r);
  Ranks ranksOf(ExprAttr lowerBound, ExprAttr upperBound, Value r, const Ranks &range);
  Value rankOf(Value row, const Ranks &range);
  Value searchRank(Value row, const Ranks &range);
  Value atLeast(Value x, Value y) { return mlir::arith::CmpIOp::create(f.b, mlir::arith::CmpIPredicate::sge, x, y); }
  Value either(Value x, Value y) { return mlir::arith::OrIOp::create(f.b, x, y); }
  Value bound(ScratchArray array, Value r) { return f.toIndex(f.load(f.scratchArray(array), {r})); }
  void storeBound(Value rank, ScratchArray array, Value r) { f.store(f.toInt32(rank), f.scratchArray(array), {r}); }

  Frame &f;
  const KernelLayout &layout;
  TileRows &rows;
  unsigned queryOrder, keyOrder = 0;
  BoxOp box;
  Ranks block;
  Value keyCount, keyClass;
  Ranks full;  // that all rows look at, their holes aside
  Ranks holes; // the hull of these
};

} // namespace attn::cpu

#endif // ATTN_LIB_CODEGEN_CPU_KEYINTERVALS_H
