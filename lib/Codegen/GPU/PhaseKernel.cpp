// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which rows an item is about, and which keys they look at.

#include "PhaseKernel.h"
#include "../../Runtime/gpu.h"

using namespace mlir;
using namespace attn;
using namespace attn::hopper;

PhaseKernel::PhaseKernel(ImplicitLocOpBuilder &b, const KernelLayout &layout, PlanOp plan, PhaseOp op, unsigned number,
                         const GpuShape &shape, GpuVersion version)
    : f(b, layout), layout(layout), shape(shape), plan(plan), op(op), number(number),
      isTiled(version != GpuVersion::Strided) {}

bool PhaseKernel::hasScore() const {
  Region &score = plan.getScore();
  return !score.empty() && score.front().getTerminator()->getOperand(0) != score.getArgument(0);
}

//===-- Items -----------------------------------------------------------------------------------------------------===//

// Items follow each other head by head, the tile fastest, so that blocks that run together read the same keys; or tile
// by tile, where the tiles of many keys shall come first: a long item begun last would leave the others waiting.
void PhaseKernel::forEachItem(ValueRange carried,
                              llvm::function_ref<SmallVector<Value>(const Item &, ValueRange)> body) {
  Value x = NVVM::BlockIdXOp::create(f.b, f.b.getI32Type()), tiles = f.size(ATTN_GPU_TILES);
  if (!shape.persistent) {
    Value y = NVVM::BlockIdYOp::create(f.b, f.b.getI32Type()), z = NVVM::BlockIdZOp::create(f.b, f.b.getI32Type());
    Value isTileMajor = f.negate(f.isZero(f.size(ATTN_GPU_TILE_MAJOR)));
    Value tile = f.select(isTileMajor, z, x);
    f.turnTo(f.add(f.select(isTileMajor, y, z), f.size(ATTN_GPU_FIRST_BATCH)), f.select(isTileMajor, x, y));
    if (shape.descending)
      tile = f.sub(f.sub(tiles, 1), tile);
    return (void)body({f.mul(tile, shape.rows)}, carried);
  }
  Value heads = f.size(ATTN_GPU_HEADS), items = f.mul(f.mul(tiles, heads), f.size(ATTN_GPU_BATCH));
  Value blocks = NVVM::GridDimXOp::create(f.b, f.b.getI32Type());
  f.loop(x, items, blocks, carried, [&](Value number, ValueRange inner) {
    Value headOfBatch = f.divide(number, tiles);
    f.turnTo(f.divide(headOfBatch, heads), f.remainder(headOfBatch, heads));
    return body({f.mul(f.remainder(number, tiles), shape.rows)}, inner);
  });
}

//===-- Orders ----------------------------------------------------------------------------------------------------===//

OrderInBatch PhaseKernel::bind(unsigned order) {
  const OrderLayout &orderLayout = layout.orders[order];
  Value count = f.toI32(f.symbol(orderLayout.countSymbol));
  if (!hasTable(order))
    return {count, Value(), Value()};
  Value rows = f.tableOfBatch(orderLayout.rowsView);
  if (orderLayout.kind == OrderKindAttrValue::Listed)
    return {count, rows, Value()};
  return {count, rows, f.negate(f.isZero(f.orderState(order, /*isIdentity*/ 1)))};
}

Value PhaseKernel::byOrder(const OrderInBatch &order, llvm::function_ref<Value()> identity,
                           llvm::function_ref<Value()> table) {
  if (!order.rows)
    return identity();
  if (!order.isIdentity)
    return table();
  return f.choose(order.isIdentity, identity, table);
}

Value PhaseKernel::rowOf(const OrderInBatch &order, Value rank) {
  return byOrder(
      order, [&] { return rank; },
      [&] { return f.load32(order.rows, arith::ExtUIOp::create(f.b, f.b.getI64Type(), rank)); });
}

Value PhaseKernel::rowOr(const OrderInBatch &order, Value rank, Value otherwise) {
  Value exists = f.compare(CmpIPredicate::ult, rank, order.count);
  if (!order.rows)
    return f.select(exists, rank, otherwise);
  return f.choose(exists, [&] { return rowOf(order, rank); }, [&] { return otherwise; });
}

Value PhaseKernel::isOwned(Value row) {
  Value owned = f.truth(true);
  if (!op.getExceptAttr())
    return owned;
  for (Attribute order : op.getExceptAttr()) {
    const OrderLayout &other = layout.orders[layout.orderIndex(cast<OrderAttr>(order), Side::Queries)];
    owned = f.both(owned, f.negate(f.hasFlag(other.flagsView, row)));
  }
  return owned;
}

//===-- Intervals -------------------------------------------------------------------------------------------------===//

Interval PhaseKernel::intervalOf(BoxOp box, const OrderInBatch &queries, const OrderInBatch &keys, Value rank) {
  Value exists = f.compare(CmpIPredicate::ult, rank, queries.count);
  SmallVector<Value> interval = f.choose(
      exists,
      [&] {
        auto [begin, end] = ranksOf(box, keys, rowOf(queries, rank), rank);
        Value looks = f.less(begin, end);
        return SmallVector<Value>{f.select(looks, begin, f.i32(neverRank)), f.select(looks, end, f.i32(0))};
      },
      [&] { return SmallVector<Value>{f.i32(neverRank), f.i32(0)}; });
  return {exists, interval[0], interval[1]};
}

std::pair<Value, Value> PhaseKernel::ranksOf(BoxOp box, const OrderInBatch &keys, Value row, Value rank) {
  Value begin = f.i32(0), end = keys.count;
  if (box.getSameSegment()) {
    const MatchLayout &match = *layout.matchOf(queryOrder());
    Value at = arith::ExtUIOp::create(f.b, f.b.getI64Type(), rank);
    begin = f.load32(f.tableOfBatch(match.beginView), at), end = f.load32(f.tableOfBatch(match.endView), at);
  }
  Expr low = box.getLower().getExpr(), high = box.getUpper().getExpr();
  Value rangeBegin = begin, rangeEnd = end;
  if (low != Expr(0))
    begin = rankOf(keys, f.evaluate(low, row), rangeBegin, rangeEnd);
  if (high != Expr::symbol(KvLength))
    end = rankOf(keys, f.evaluate(high, row), rangeBegin, rangeEnd);
  return {begin, end};
}

/// The first rank in [begin, end) whose row is at least `row` (index).
Value PhaseKernel::rankOf(const OrderInBatch &order, Value row, Value begin, Value end) {
  auto clamped = [&] { return f.toI32(f.clamp(row, f.toIndex(begin), f.toIndex(end))); };
  auto search = [&] {
    Type i32 = f.b.getI32Type();
    auto loop = scf::WhileOp::create(
        f.b, TypeRange{i32, i32}, ValueRange{begin, end},
        [&](OpBuilder &, Location, ValueRange range) {
          scf::ConditionOp::create(f.b, f.less(range[0], range[1]), range);
        },
        [&](OpBuilder &, Location, ValueRange range) {
          Value middle = f.divide(f.add(range[0], range[1]), 2);
          Value at = arith::ExtUIOp::create(f.b, f.b.getI64Type(), middle);
          Value before = f.less(f.toIndex(f.load32(order.rows, at)), row);
          scf::YieldOp::create(
              f.b, ValueRange{f.select(before, f.add(middle, 1), range[0]), f.select(before, range[1], middle)});
        });
    f.b.setInsertionPointAfter(loop);
    return Value(loop.getResult(0));
  };
  return byOrder(order, clamped, search);
}

/// Where rows and bounds rise, the first and the last row say all.
Hull PhaseKernel::closedHull(BoxOp box, const OrderInBatch &queries, const OrderInBatch &keys, const Item &item) {
  Value lastRank = f.sub(f.least(f.add(item.firstRank, shape.rows), queries.count), 1);
  auto [begin, fullEnd] = ranksOf(box, keys, item.firstRank, item.firstRank);
  auto [fullBegin, end] = ranksOf(box, keys, lastRank, lastRank);
  return {begin, end, fullBegin, fullEnd};
}

/// A row without keys makes nothing full.
Hull PhaseKernel::foldedHull(BoxOp box, const OrderInBatch &queries, const OrderInBatch &keys, const Item &item) {
  SmallVector<Value> extremes{f.i32(neverRank), f.i32(0), f.i32(0), f.i32(neverRank)};
  Value first = f.add(item.firstRank, f.lane());
  extremes = f.loop(f.i32(0), f.i32(shape.rows), f.i32(32), extremes, [&](Value part, ValueRange e) {
    Interval interval = intervalOf(box, queries, keys, f.add(first, part));
    Value low = f.select(interval.exists, interval.begin, f.i32(0));
    Value high = f.select(interval.exists, interval.end, f.i32(neverRank));
    return SmallVector<Value>{f.least(e[0], interval.begin), f.greatest(e[1], interval.end), f.greatest(e[2], low),
                              f.least(e[3], high)};
  });
  return {f.leastOfWarp(extremes[0]), f.greatestOfWarp(extremes[1]), f.greatestOfWarp(extremes[2]),
          f.leastOfWarp(extremes[3])};
}

KeyTiles PhaseKernel::keyTilesOf(BoxOp box, const OrderInBatch &queries, const OrderInBatch &keys, const Item &item) {
  bool rises = !queries.rows && !keys.rows && box.getLower().getExpr().rise(1) && box.getUpper().getExpr().rise(1);
  Hull hull = rises ? closedHull(box, queries, keys, item) : foldedHull(box, queries, keys, item);
  // Also where the hull is empty: [never, 0), or any other.
  Value length = f.greatest(f.sub(hull.end, hull.begin), f.i32(0));
  Value count = f.ceilDivide(length, shape.keys);
  bool fromFirst = startsAtFirstKey(box.getSameSegment(), box.getLower().getExpr());
  Value last = fromFirst ? f.add(hull.begin, f.mul(count, shape.keys)) : hull.end;
  return {hull, last, count};
}
