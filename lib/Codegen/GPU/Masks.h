// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which pairs of a tile are admitted: what a warpgroup knows of its rows' bounds in a box, and -inf for the rest.

#ifndef ATTN_LIB_CODEGEN_GPU_MASKS_H
#define ATTN_LIB_CODEGEN_GPU_MASKS_H

#include "PhaseKernel.h"

namespace attn::hopper {

/// On a grid, where the keys of a tile are a box of points: what rows look at as places of a tile.
struct GridMask {
  Value columns;    // bits: whether a place's column is one of the row's
  Value begin, end; // row<i32>: the first place of the strip in the row's first grid row, and behind its last
};

/// What a warpgroup knows of a box of one item.
struct BoundBox {
  mutable BoxOp op; // a handle
  bool isTested;    // pair by pair
  bool lowerMoves;  // tiles other than tile 0 may lie across lower bounds
  bool upperMoves;  // or across upper bounds
  OrderInBatch keys;
  KeyTiles tiles;
  Value begin, end;         // row<i32>: the rows' intervals; null on a grid
  Value holeBegin, holeEnd; // the same of their holes; null where the box has none. Of a grid, in rows
  std::optional<GridMask> grid;
};

/// Whether a bound has to be looked at: never, where a tile lies across it, or for all tiles of a loop.
enum class Need { No, Maybe, Yes };
struct Needs {
  Need upper = Need::No, lower = Need::No, hole = Need::No;
};

class Masks {
public:
  explicit Masks(PhaseKernel &phase);

  void turnTo(const TwoRows &itsRows) { own = itsRows; }
  BoundBox bind(BoxOp box, const OrderInBatch &queries, const OrderInBatch &keys, const KeyTiles &tiles);
  /// What the tiles of a box may need, wherever they are.
  static Needs needsOf(const BoundBox &box);
  /// The scores of the tile that begins at rank `first`, -inf where a pair is not admitted.
  Value apply(const BoundBox &box, Value scores, Value first, Needs needs);

  /// -inf in the columns before `begin`, the same for all rows.
  Value keepFrom(Value scores, Value begin);

private:
  bool upperMoves(BoxOp box);
  void bindIntervals(BoundBox &box, const OrderInBatch &queries);
  void bindGrid(BoundBox &box);
  GridMask gridMaskOf(const BoundBox &box);
  Value keepPlaces(const BoundBox &box, Value s, Value first);
  Value keepKeys(const BoundBox &box, Value s, Value first, Value begins, Value ends, bool isInside);
  Value applyWhere(Need need, llvm::function_ref<Value()> condition, Value s, llvm::function_ref<Value()> mask);
  Value asColumns(Value ranks, Value first);
  Value keep(Value s, Value first, Value bounds, CmpIPredicate predicate);
  Value leaveOut(Value s, Value first, Value begin, Value end);
  Value isOthers(const BoundBox &box, Value rank);
  Value leaveOutOthers(const BoundBox &box, Value s, Value first);

  PhaseKernel &p;
  Frame &f;
  TwoRows own;
};

} // namespace attn::hopper

#endif // ATTN_LIB_CODEGEN_GPU_MASKS_H
