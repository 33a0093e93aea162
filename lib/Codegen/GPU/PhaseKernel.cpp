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
    return (void)body(itemOf(tile), carried);
  }
  Value heads = f.size(ATTN_GPU_HEADS), items = f.mul(f.mul(tiles, heads), f.size(ATTN_GPU_BATCH));
  Value blocks = NVVM::GridDimXOp::create(f.b, f.b.getI32Type());
  f.loop(x, items, blocks, carried, [&](Value number, ValueRange inner) {
    Value headOfBatch = f.divide(number, tiles);
    f.turnTo(f.divide(headOfBatch, heads), f.remainder(headOfBatch, heads));
    return body(itemOf(f.remainder(number, tiles)), inner);
  });
}

/// Tiles go class by class: those of one class look at the same keys. All have as many as the longest.
Item PhaseKernel::itemOf(Value tile) {
  if (!isByClass())
    return {f.mul(tile, shape.rows), Value()};
  Value tilesOfClass = f.ceilDivide(OrderInBatch::longestClass(f, queries()), shape.rows);
  return {f.mul(f.remainder(tile, tilesOfClass), shape.rows), f.divide(tile, tilesOfClass)};
}

//===-- Orders ----------------------------------------------------------------------------------------------------===//

OrderInBatch PhaseKernel::bindQueries(const Item &item) {
  return OrderInBatch(f, queryOrder(), item.classNumber ? f.toIndex(item.classNumber) : Value());
}

/// The class of a row's keys depends on the row's own class alone, whose first row stands for all.
OrderInBatch PhaseKernel::bindKeys(BoxOp box, const Item &item) {
  ExprAttr keyClass = box.getKeyClassAttr();
  unsigned order = keyOrder(box);
  bool isReadInRuns = isTiled && layout.isReadInRuns(box) && layout.phases[number].runs == static_cast<int>(order);
  return OrderInBatch(f, order, keyClass ? f.evaluate(keyClass.getExpr(), item.classNumber) : Value(), isReadInRuns);
}

Value PhaseKernel::mapOf(unsigned tensor, const OrderInBatch &order) {
  if (order.isInRuns())
    return maps[ATTN_GPU_MAPS + (tensor == ValueTensor)];
  if (!order.isLong)
    return maps[tensor];
  return LLVM::SelectOp::create(f.b, order.isLong, maps[tensor], maps[ATTN_GPU_MAPS + tensor]);
}

Value PhaseKernel::isOwned(Value row) {
  Value owned = f.truth(true);
  if (!op.getExceptAttr())
    return owned;
  for (Attribute order : op.getExceptAttr())
    owned = f.both(owned, f.negate(f.holdsRow(layout.orderIndex(cast<OrderAttr>(order), Side::Queries), row)));
  return owned;
}

//===-- Intervals -------------------------------------------------------------------------------------------------===//

Interval PhaseKernel::intervalOf(BoxOp box, const OrderInBatch &queries, const OrderInBatch &keys, Value rank) {
  Interval interval;
  interval.exists = f.compare(CmpIPredicate::ult, rank, queries.count);
  auto empty = [&] { return SmallVector<Value>{f.i32(neverRank), f.i32(0)}; };
  auto orEmpty = [&](const Ranks &ranks) {
    Value some = f.less(ranks.begin, ranks.end);
    return SmallVector<Value>{f.select(some, ranks.begin, f.i32(neverRank)), f.select(some, ranks.end, f.i32(0))};
  };
  bool hasHole = box.getHoleLowerAttr() != nullptr;
  auto written = f.choose(
      interval.exists,
      [&] {
        Value row = queries.rowOf(rank);
        Ranks range = rangeOf(box, keys, rank);
        Ranks looks = ranksOf(box.getLowerAttr(), box.getUpperAttr(), keys, row, range);
        if (!hasHole)
          return orEmpty(looks);
        Ranks hole = ranksOf(box.getHoleLowerAttr(), box.getHoleUpperAttr(), keys, row, range);
        leaveOut(looks, hole);
        return llvm::to_vector(llvm::concat<Value>(orEmpty(looks), orEmpty(hole)));
      },
      [&] { return hasHole ? llvm::to_vector(llvm::concat<Value>(empty(), empty())) : empty(); });
  interval.keys = {written[0], written[1]};
  if (hasHole)
    interval.hole = {written[2], written[3]};
  return interval;
}

/// The ranks among which the rows rise that query rank `rank` may look at.
Ranks PhaseKernel::rangeOf(BoxOp box, const OrderInBatch &keys, Value rank) {
  if (!box.getSameSegment())
    return {f.i32(0), keys.count};
  const MatchLayout &match = *layout.matchOf(queryOrder());
  Value at = arith::ExtUIOp::create(f.b, f.b.getI64Type(), rank);
  return {f.load32(f.tableOfBatch(match.beginView), at), f.load32(f.tableOfBatch(match.endView), at)};
}

/// Those of rows between two bounds.
Ranks PhaseKernel::ranksOf(ExprAttr lower, ExprAttr upper, const OrderInBatch &keys, Value row, const Ranks &range) {
  Ranks ranks = range;
  if (lower.getExpr() != Expr(0))
    ranks.begin = keys.rankOf(f.evaluate(lower.getExpr(), row), range.begin, range.end);
  if (upper.getExpr() != Expr::symbol(KvLength))
    ranks.end = keys.rankOf(f.evaluate(upper.getExpr(), row), range.begin, range.end);
  return ranks;
}

/// At an end, a hole makes the ranks fewer; only one that lies inside of them stays a hole.
void PhaseKernel::leaveOut(Ranks &keys, Ranks &hole) {
  auto atMost = [&](Value x, Value y) { return f.negate(f.less(y, x)); };
  Value meets = f.less(hole.begin, hole.end);
  Value isFirst = f.both(meets, atMost(hole.begin, keys.begin)), isLast = f.both(meets, atMost(keys.end, hole.end));
  keys.begin = f.select(isFirst, f.greatest(keys.begin, hole.end), keys.begin);
  keys.end = f.select(isLast, f.least(keys.end, hole.begin), keys.end);
  hole.end = f.select(f.either(isFirst, isLast), hole.begin, hole.end);
}

//===-- Hulls -----------------------------------------------------------------------------------------------------===//

/// Where rows and bounds rise, the first and the last row say all.
bool PhaseKernel::hasClosedHull(BoxOp box) {
  return !queries().isTabled() && !keys(box).isTabled() && !box.getHoleLowerAttr() &&
         box.getLower().getExpr().rise(1) && box.getUpper().getExpr().rise(1);
}

Hull PhaseKernel::closedHull(BoxOp box, const OrderInBatch &queries, const OrderInBatch &keys, const Item &item) {
  auto ranksAt = [&](Value rank) {
    Value row = queries.rowOf(rank);
    return ranksOf(box.getLowerAttr(), box.getUpperAttr(), keys, row, rangeOf(box, keys, rank));
  };
  Value lastRank = f.sub(f.least(f.add(item.firstRank, shape.rows), queries.count), 1);
  Ranks first = ranksAt(item.firstRank), last = ranksAt(lastRank);
  // A class may end before its last tile begins.
  Value end = isByClass() ? f.select(f.less(item.firstRank, queries.count), last.end, first.begin) : last.end;
  return {first.begin, end, last.begin, first.end, std::nullopt};
}

/// A row without keys makes nothing full.
Hull PhaseKernel::foldedHull(BoxOp box, const OrderInBatch &queries, const OrderInBatch &keys, const Item &item) {
  SmallVector<Value> extremes{f.i32(neverRank), f.i32(0), f.i32(0), f.i32(neverRank)};
  if (box.getHoleLowerAttr())
    extremes.append({f.i32(neverRank), f.i32(0)});
  Value first = f.add(item.firstRank, f.lane());
  extremes = f.loop(f.i32(0), f.i32(shape.rows), f.i32(32), extremes, [&](Value part, ValueRange e) {
    Interval interval = intervalOf(box, queries, keys, f.add(first, part));
    Value low = f.select(interval.exists, interval.keys.begin, f.i32(0));
    Value high = f.select(interval.exists, interval.keys.end, f.i32(neverRank));
    SmallVector<Value> next{f.least(e[0], interval.keys.begin), f.greatest(e[1], interval.keys.end),
                            f.greatest(e[2], low), f.least(e[3], high)};
    if (interval.hole)
      next.append({f.least(e[4], interval.hole->begin), f.greatest(e[5], interval.hole->end)});
    return next;
  });
  Hull hull{f.leastOfWarp(extremes[0]), f.greatestOfWarp(extremes[1]), f.greatestOfWarp(extremes[2]),
            f.leastOfWarp(extremes[3]), std::nullopt};
  if (box.getHoleLowerAttr())
    hull.holes = {f.leastOfWarp(extremes[4]), f.greatestOfWarp(extremes[5])};
  return hull;
}

KeyTiles PhaseKernel::keyTilesOf(BoxOp box, const OrderInBatch &queries, const OrderInBatch &keys, const Item &item) {
  Hull hull = hasClosedHull(box) ? closedHull(box, queries, keys, item) : foldedHull(box, queries, keys, item);
  // Also where the hull is empty: [never, 0), or any other.
  Value length = f.greatest(f.sub(hull.end, hull.begin), f.i32(0));
  Value count = f.ceilDivide(length, shape.keys);
  bool fromFirst = startsAtFirstKey(box.getSameSegment(), box.getLower().getExpr());
  Value last = fromFirst ? f.add(hull.begin, f.mul(count, shape.keys)) : hull.end;
  return {hull, last, count};
}
