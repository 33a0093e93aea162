// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One version of one phase while it is being written, and the parts of a kernel that its two roles share: which rows an
// item is about, and which keys they look at.

#ifndef ATTN_LIB_CODEGEN_GPU_PHASEKERNEL_H
#define ATTN_LIB_CODEGEN_GPU_PHASEKERNEL_H

#include "Frame.h"

namespace attn::hopper {

/// What a block works on at a time: a query tile of one head of one batch. The frame knows head and batch.
struct Item {
  Value firstRank; // i32, in the phase's query order
};

/// An order with the values of one batch.
struct OrderInBatch {
  Value count;      // i32
  Value rows;       // address of the table, i64; null: rank r is row r
  Value isIdentity; // i1: so it is in spite of the table; null: it never is
};

/// What a query row looks at in one box: key ranks [begin, end).
struct Interval {
  Value exists; // i1: there is such a row
  Value begin, end;
};

/// Extremes of the intervals of a tile's rows: tiles of keys lie in [begin, end), and those in
/// [fullBegin, fullEnd) are full.
struct Hull {
  Value begin, end, fullBegin, fullEnd;
};

/// The key tiles of a box, from the last to the first: tile t takes ranks [last - (t + 1) * keys, last - t * keys).
struct KeyTiles {
  Hull hull;
  Value last, count;
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
  Value queryMap, keyMap, valueMap, outputMap; // pointers to tensor maps
  Value queryRing, keyRing, valueRing;

  llvm::SmallVector<BoxOp> boxes() { return llvm::to_vector(op.getBoxes().getOps<BoxOp>()); }
  unsigned queryOrder() const { return layout.phases[number].queries; }
  unsigned keyOrder(BoxOp box) const { return layout.orderIndex(box.getKeys(), Side::Keys); }
  bool hasTable(unsigned order) const { return layout.orders[order].rowsView >= 0; }
  /// Whether the box's keys may be rows that no tensor map names one after the other.
  bool hasTable(BoxOp box) const { return hasTable(keyOrder(box)); }
  bool isListed(BoxOp box) const { return layout.orders[keyOrder(box)].kind == OrderKindAttrValue::Listed; }
  /// Whether there is a score region that changes scores.
  bool hasScore() const;
  bool hasSink() { return !plan.getSink().empty(); }
  Type element() const { return layout.element; }

  /// Runs `body` for the items of this block, with slots carried from one to the next.
  void forEachItem(ValueRange carried, llvm::function_ref<llvm::SmallVector<Value>(const Item &, ValueRange)> body);

  OrderInBatch bind(unsigned order);
  /// Writes what is right where ranks are rows, and where a table says which rows they are.
  Value byOrder(const OrderInBatch &order, llvm::function_ref<Value()> identity, llvm::function_ref<Value()> table);
  /// The row of a rank in [0, count).
  Value rowOf(const OrderInBatch &order, Value rank);
  /// The row of a rank, or `otherwise` where there is none.
  Value rowOr(const OrderInBatch &order, Value rank, Value otherwise);
  /// Whether no earlier phase owns the row.
  Value isOwned(Value row);
  /// What query rank `rank` looks at. Rows of other phases are computed with the rest of their tile, and not written.
  Interval intervalOf(BoxOp box, const OrderInBatch &queries, const OrderInBatch &keys, Value rank);
  /// The key tiles of an item; for all threads of a warp.
  KeyTiles keyTilesOf(BoxOp box, const OrderInBatch &queries, const OrderInBatch &keys, const Item &item);

private:
  Hull closedHull(BoxOp box, const OrderInBatch &queries, const OrderInBatch &keys, const Item &item);
  Hull foldedHull(BoxOp box, const OrderInBatch &queries, const OrderInBatch &keys, const Item &item);
  Value rankOf(const OrderInBatch &order, Value row, Value begin, Value end);
  std::pair<Value, Value> ranksOf(BoxOp box, const OrderInBatch &keys, Value row, Value rank);
};

void emitProducer(PhaseKernel &phase);
void emitConsumer(PhaseKernel &phase, Value warpgroup);

} // namespace attn::hopper

#endif // ATTN_LIB_CODEGEN_GPU_PHASEKERNEL_H
