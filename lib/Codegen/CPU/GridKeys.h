// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The keys of a box between columns of a grid (Plan.h): those that a tile of queries looks at are a rectangle, whose
// ranks count it row by row, or all rows from the first to the last where these are fewer. They are copied into the
// worker's scratch memory tile by tile: what one tile of queries looks at, no other does.

#ifndef ATTN_LIB_CODEGEN_CPU_GRIDKEYS_H
#define ATTN_LIB_CODEGEN_CPU_GRIDKEYS_H

#include "Packing.h"
#include "Parts.h"

namespace attn::cpu {

class GridKeys {
public:
  GridKeys(Frame &f, BoxOp box) : f(f), box(box), packer(f) {}

  /// Finds the rectangle of a tile's rows and writes each row's interval of ranks, which its columns narrow further.
  void bind(Value valid, Value padded);
  /// How many ranks there are.
  Value count;

  /// Copies the keys of ranks [tile, end), at most a tile's, and writes down their rows and columns.
  void fill(Value tile, Value end);
  /// Makes a call of group functions find the keys of the tile.
  void pointTo(Value tile, GroupCall &call);
  /// For a vector of ranks from `rank` on: whether row r of the tile looks at them.
  Value admits(Value r, Value rank, Value tile);

private:
  struct Span {
    Value begin, end;
  };
  Span keysOf(Value row);
  Span columnsOf(Value row);
  Value atLeast(Value x, Value y) { return mlir::arith::CmpIOp::create(f.b, mlir::arith::CmpIPredicate::sge, x, y); }
  Value isIn(const Span &span) { return f.less(span.begin, span.end); }
  Value floorDiv(Value x, Value y) { return mlir::arith::FloorDivSIOp::create(f.b, x, y); }
  /// A pointer `ranks` entries of `stride` bytes before that of a scratch array.
  Value pointerBefore(ScratchArray array, Value ranks, int64_t stride);
  Span ranksOf(const Span &keys);
  void storeHole(Value r, Value row);
  llvm::SmallVector<Value> batchAndKeyHead();
  /// The key rows of places of the tile.
  llvm::SmallVector<Value> rowsAt(Value at, int64_t count);
  void copyPanel(Value at);
  void copyValues(Value at);

  Frame &f;
  mutable BoxOp box; // a handle
  Packer packer;
  Value width, shift;                         // of the grid
  Value first, rows, columns, step, isOneRow; // of the rectangle; `step` rows lie between two of its rows
};

} // namespace attn::cpu

#endif // ATTN_LIB_CODEGEN_CPU_GRIDKEYS_H
