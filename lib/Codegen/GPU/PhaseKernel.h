// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One version of one phase while it is being written, and the parts of a kernel that its two roles share: which rows an
// item is about, and which keys they look at.

#ifndef ATTN_LIB_CODEGEN_GPU_PHASEKERNEL_H
#define ATTN_LIB_CODEGEN_GPU_PHASEKERNEL_H

#include "OrderInBatch.h"

namespace attn::hopper {

/// What a block works on at a time: a query tile of one head of one batch. The frame knows head and batch.
struct Item {
  Value firstRank; // i32, in the phase's query order
  Value number; // i32: of the class, block or patch, where that order has such; ranks are those of the class or patch
};

/// The query rows of a consumer's thread: one of the first, one of the second eight of its warp's sixteen.
struct TwoRows {
  Value ranks[2], rows[2]; // i32
};

/// Key ranks [begin, end).
struct Ranks {
  Value begin, end;
};

/// What a query row looks at in one box; empty intervals and holes are [never, 0).
struct Interval {
  Value exists; // i1: there is such a row
  Ranks keys;
  std::optional<Ranks> hole; // that it leaves out, where the box has holes
};

/// The bounds of a box, as of a row or of what stands for it.
struct BoxBounds {
  Expr lower, upper;
  std::optional<std::pair<Expr, Expr>> hole;

  static BoxBounds of(BoxOp box, llvm::function_ref<Expr(const Expr &)> as = [](const Expr &bound) { return bound; });
};

/// Extremes of the intervals of a tile's rows: tiles of keys lie in [begin, end), and those in
/// [fullBegin, fullEnd) that meet no hole are full.
struct Hull {
  Value begin, end, fullBegin, fullEnd;
  std::optional<Ranks> holes; // these lie here
};

/// What a query row looks at on a grid: rows and columns [begin, end) of it.
struct GridLook {
  Ranks rows, columns;
};

/// The key tiles of a box, from the last to the first: tile t takes ranks [last - (t + 1) * keys, last - t * keys).
struct KeyTiles {
  Hull hull; // not of a grid
  Value last, count;
  int64_t keys; // of a tile
  llvm::SmallVector<GridLook> looks =
      {}; // of a grid: lane l of each warp knows what query ranks l, l + 32, ... look at
};

class PhaseKernel {
public:
  PhaseKernel(ImplicitLocOpBuilder &b, const KernelLayout &layout, PlanOp plan, PhaseOp op, unsigned number,
              const GpuShape &shape, GpuVersion version);

  Frame f;
  const KernelLayout &layout;
  const GpuShape &shape;
  mutable PlanOp plan; // a handle
  PhaseOp op;
  unsigned number;
  bool isTiled;

  // Set where the kernel begins.
  llvm::SmallVector<Value> maps; // pointers to tensor maps
  Value queryRing, keyRing, valueRing;

  llvm::SmallVector<BoxOp> boxes() { return llvm::to_vector(op.getBoxes().getOps<BoxOp>()); }
  unsigned queryOrder() const { return layout.phases[number].queries; }
  unsigned keyOrder(BoxOp box) const { return layout.orderIndex(box.getKeys(), Side::Keys); }
  const Order &queries() const { return layout.orders[queryOrder()].order; }
  const Order &keys(BoxOp box) const { return layout.orders[keyOrder(box)].order; }
  bool isByClass() const { return queries().kind == OrderKind::Classes; }
  /// Whether the keys of a box come part by part, and not all at once.
  static bool hasParts(BoxOp box) { return box.getBlockTableAttr() || box.getColumnWidthAttr(); }
  /// The tensor map of query, key, value or output that has rows of the order.
  Value mapOf(unsigned tensor, const OrderInBatch &order);
  /// Whether there is a score region that changes scores.
  bool hasScore() const;
  bool hasSink() { return !plan.getSink().empty(); }
  Type element() const { return layout.element; }

  /// Runs `body` for the items of this block, with slots carried from one to the next.
  void forEachItem(ValueRange carried, llvm::function_ref<llvm::SmallVector<Value>(const Item &, ValueRange)> body);

  OrderInBatch bindQueries(const Item &item);
  /// Runs `body` for what of a box's keys is run over at a time, with values carried from one to the next; for all
  /// threads of a warp.
  using PartBody =
      llvm::function_ref<llvm::SmallVector<Value>(const OrderInBatch &keys, const KeyTiles &tiles, ValueRange carried)>;
  llvm::SmallVector<Value> forEachPart(BoxOp box, const OrderInBatch &queries, const Item &item, ValueRange carried,
                                       PartBody body);
  /// How keys between columns are cut into boxes; without a place.
  GridPart boxOfGrid(BoxOp box);
  /// The key rows between a query row's bounds.
  Ranks keyRowsOf(BoxOp box, Value row);
  /// What a query rank looks at on the grid; the other lanes of the warp ask for theirs.
  GridLook lookOf(const KeyTiles &tiles, Value rank);
  /// Whether the producer leads: it notes of each stage which keys are there, and nobody else looks for them. It can,
  /// where all rows of a query tile look at the same keys.
  bool isLed();
  /// The key tiles of a part of which all rows look at these ranks, the last of which ends the first tile.
  KeyTiles tilesOf(const Ranks &keys);
  /// Whether no earlier phase owns the row.
  Value isOwned(Value row);
  /// Whether all rows of a tile look at the same keys of a box, those in the hull.
  bool isShared(BoxOp box);
  /// What query rank `rank` looks at. Rows of other phases are computed with the rest of their tile, and not written.
  Interval intervalOf(BoxOp box, const OrderInBatch &queries, const OrderInBatch &keys, Value rank);

private:
  Item itemOf(Value tile);
  std::pair<Value, Value> longItemsFirst(Value tiles);
  OrderInBatch bindKeys(BoxOp box, const Item &item);
  Value classOfKeys(const Expr &keyClass, Value queryClass);
  Value leadOf(const Expr &bound, const Item &item, Value keyClass);
  KeyTiles keyTilesOf(BoxOp box, const OrderInBatch &queries, const OrderInBatch &keys, const Item &item);
  llvm::SmallVector<Value> forEachListedBlock(BoxOp box, const OrderInBatch &queries, const Item &item,
                                              ValueRange carried, PartBody body);
  llvm::SmallVector<Value> forEachStrip(BoxOp box, const OrderInBatch &queries, const Item &item, ValueRange carried,
                                        PartBody body);
  /// The least rectangle of a grid that holds what the query rows look at.
  struct Rectangle {
    Value top, bottom, left, right;
    Value isCut; // i1: some query row's keys begin or end inside of a row; null where none can
    llvm::SmallVector<GridLook> looks;
  };
  Rectangle rectangleOf(BoxOp box, const OrderInBatch &queries, const GridPart &part);
  GridLook lookAt(BoxOp box, const GridPart &part, Value exists, Value row);
  Ranks gridRowsOf(BoxOp box, const GridPart &part, Value row);
  Ranks columnsOf(BoxOp box, const GridPart &part, Value row);
  bool mayCutRows(BoxOp box);
  Value cutsRow(BoxOp box, const GridPart &part, Value row);
  Hull closedHull(BoxOp box, const OrderInBatch &queries, const OrderInBatch &keys, const Item &item);
  Hull foldedHull(BoxOp box, const OrderInBatch &queries, const OrderInBatch &keys, const Item &item);
  bool hasClosedHull(BoxOp box);
  Hull sharedHull(BoxOp box, const OrderInBatch &queries, const OrderInBatch &keys, const Item &item);
  Interval intervalOf(const BoxBounds &bounds, const OrderInBatch &keys, Value rank, Value row, const Ranks &range);
  Ranks rangeOf(BoxOp box, const OrderInBatch &keys, Value rank);
  Ranks ranksOf(const Expr &lower, const Expr &upper, const OrderInBatch &keys, Value rank, Value row,
                const Ranks &range);
  void leaveOut(Ranks &keys, Ranks &hole);
  void leaveOut(Hull &hull, const Ranks &first, const Ranks &last);
};

void emitProducer(PhaseKernel &phase);
void emitConsumer(PhaseKernel &phase, Value warpgroup);

} // namespace attn::hopper

#endif // ATTN_LIB_CODEGEN_GPU_PHASEKERNEL_H
