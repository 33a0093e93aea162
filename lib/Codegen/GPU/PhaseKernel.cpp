// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which rows an item is about, and which keys they look at.

#include "PhaseKernel.h"
#include "../../Runtime/gpu.h"
#include "attn/Pattern/Shift.h"

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
    if (queries().kind == OrderKind::Blocks && boxes().size() > 1) {
      auto [tile, headOfLaunch] = longItemsFirst(tiles);
      Value heads = f.size(ATTN_GPU_HEADS);
      f.turnTo(f.add(f.divide(headOfLaunch, heads), f.size(ATTN_GPU_FIRST_BATCH)), f.remainder(headOfLaunch, heads));
      return (void)body(itemOf(tile), carried);
    }
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

/// Where rows look at several blocks of keys, those of the first and of the last block often look at all. So these
/// items of all heads come first, then the others head by head. Returns the tile, and the head among those of the
/// launch.
std::pair<Value, Value> PhaseKernel::longItemsFirst(Value tiles) {
  Type i32 = f.b.getI32Type();
  Value x = NVVM::BlockIdXOp::create(f.b, i32), y = NVVM::BlockIdYOp::create(f.b, i32),
        z = NVVM::BlockIdZOp::create(f.b, i32);
  Value width = NVVM::GridDimXOp::create(f.b, i32), height = NVVM::GridDimYOp::create(f.b, i32);
  Value items = f.mul(f.mul(width, height), NVVM::GridDimZOp::create(f.b, i32));
  Value number = f.add(x, f.mul(width, f.add(y, f.mul(height, z))));
  Value ofBlock = f.size(ATTN_GPU_TILES_OF_PART), atEnds = f.least(f.mul(ofBlock, 2), tiles);
  Value longItems = f.mul(atEnds, f.divide(items, tiles)), isLong = f.less(number, longItems);
  Value place = f.select(isLong, number, f.sub(number, longItems));
  Value tilesOfHead = f.select(isLong, atEnds, f.greatest(f.sub(tiles, atEnds), f.i32(1)));
  Value ofHead = f.remainder(place, tilesOfHead);
  Value atEnd = f.select(f.less(ofHead, ofBlock), ofHead, f.add(f.sub(tiles, atEnds), ofHead));
  return {f.select(isLong, atEnd, f.add(ofHead, ofBlock)), f.divide(place, tilesOfHead)};
}

/// Tiles go part by part: those of one class look at the same keys.
Item PhaseKernel::itemOf(Value tile) {
  switch (queries().kind) {
  case OrderKind::Classes: {
    auto [number, place] = f.partOf(tile);
    return {f.mul(place, shape.rows), number};
  }
  case OrderKind::Blocks: {
    auto [part, place] = f.partOf(tile);
    Value number = f.add(f.toI32(f.evaluate(layout.known(queries().firstBlock()), f.index(0))), part);
    Value begin = f.toI32(f.evaluate(queries().firstRowOfBlock(Expr::row()), number));
    return {f.add(begin, f.mul(place, shape.rows)), number};
  }
  case OrderKind::Patches:
    return {f.i32(0), tile};
  default:
    return {f.mul(tile, shape.rows), Value()};
  }
}

//===-- Orders ----------------------------------------------------------------------------------------------------===//

OrderInBatch PhaseKernel::bindQueries(const Item &item) {
  return OrderInBatch(f, queryOrder(), item.number ? f.toIndex(item.number) : Value());
}

/// The class of a row's keys depends on the row's own class alone, whose first row stands for all.
OrderInBatch PhaseKernel::bindKeys(BoxOp box, const Item &item) {
  ExprAttr keyClass = box.getKeyClassAttr();
  unsigned order = keyOrder(box);
  bool isReadInRuns = isTiled && layout.isReadInRuns(box) && layout.phases[number].runs == static_cast<int>(order);
  if (!keyClass)
    return OrderInBatch(f, order, Value(), isReadInRuns);
  Value ofKeys = classOfKeys(keyClass.getExpr(), item.number);
  OrderInBatch bound(f, order, ofKeys);
  for (ExprAttr side : {box.getLowerAttr(), box.getUpperAttr(), box.getHoleLowerAttr(), box.getHoleUpperAttr()})
    if (Value lead = side ? leadOf(side.getExpr(), item, ofKeys) : Value())
      bound.setLead(side.getExpr(), lead);
  return bound;
}

/// How far the rank of a bound is ahead of the query's rank, where that is the same for the whole class: the bound
/// moves with the class's rows. As ranks are kept among those of the keys, max(0, x) and min(kv_length, x) are as good
/// as x.
Value PhaseKernel::leadOf(const Expr &bound, const Item &item, Value keyClass) {
  const Expr::Term *extremum = bound.asTerm();
  bool isLeast = extremum && extremum->kind == Expr::TermKind::Min;
  if (isLeast || (extremum && extremum->kind == Expr::TermKind::Max)) {
    Value lead;
    for (const Expr &operand : extremum->operands) {
      if (operand == (isLeast ? Expr::symbol(KvLength) : Expr(0)))
        continue;
      Value own = leadOf(operand, item, keyClass);
      if (!own)
        return Value();
      lead = !lead ? own : isLeast ? f.least(lead, own) : f.greatest(lead, own);
    }
    return lead;
  }
  const Expr &period = queries().modulus;
  std::optional<MovingBound> moving = asMoving(bound, period);
  if (!moving)
    return Value();
  auto number = [&](const Expr &expr) { return f.evaluate(layout.known(expr), f.index(0)); };
  auto isCounted = [&](Value condition) { return f.select(condition, f.index(1), f.index(0)); };
  Value ofQueries = f.toIndex(item.number), periodRows = number(period),
        lead = number(Expr::floorDiv(moving->rest, period));
  Value left = f.sub(number(Expr::mod(moving->rest, period)), keyClass);
  if (moving->isInSteps) {
    Value place = f.add(ofQueries, number(Expr::mod(moving->shift, period)));
    lead = f.add(lead,
                 f.add(number(Expr::floorDiv(moving->shift, period)), isCounted(f.negate(f.less(place, periodRows)))));
  } else {
    left = f.add(left, ofQueries);
  }
  lead = f.add(lead, f.add(isCounted(f.less(f.index(0), left)), isCounted(f.less(periodRows, left))));
  return f.toI32(f.clamp(lead, f.index(-INT32_MAX), f.index(INT32_MAX)));
}

/// The class that the keys of a query class are in.
Value PhaseKernel::classOfKeys(const Expr &keyClass, Value queryClass) {
  const Expr &period = queries().modulus;
  std::optional<Expr> shift = shiftOfClass(keyClass, period);
  if (!shift)
    return f.evaluate(keyClass, queryClass);
  Value periodRows = f.evaluate(period, f.index(0));
  Value sum = f.add(f.toIndex(queryClass), f.evaluate(layout.known(Expr::mod(*shift, period)), f.index(0)));
  return f.select(f.less(sum, periodRows), sum, f.sub(sum, periodRows));
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
  Value exists = queries.hasRow(rank);
  bool hasHole = static_cast<bool>(box.getHoleLowerAttr());
  auto written = f.choose(
      exists,
      [&] {
        Value row = queries.rowOf(rank);
        Interval own = intervalOf(BoxBounds::of(box), keys, rank, row, rangeOf(box, keys, rank));
        SmallVector<Value> values{own.keys.begin, own.keys.end};
        if (own.hole)
          values.append({own.hole->begin, own.hole->end});
        return values;
      },
      [&] {
        SmallVector<Value> values{f.i32(neverRank), f.i32(0)};
        if (hasHole)
          values.append({f.i32(neverRank), f.i32(0)});
        return values;
      });
  Interval interval{exists, {written[0], written[1]}, std::nullopt};
  if (hasHole)
    interval.hole = {written[2], written[3]};
  return interval;
}

BoxBounds BoxBounds::of(BoxOp box, llvm::function_ref<Expr(const Expr &)> as) {
  BoxBounds bounds{as(box.getLower().getExpr()), as(box.getUpper().getExpr()), std::nullopt};
  if (box.getHoleLowerAttr())
    bounds.hole = {as(box.getHoleLowerAttr().getExpr()), as(box.getHoleUpperAttr().getExpr())};
  return bounds;
}

/// What a row that exists looks at; ranks are among those of `range`.
Interval PhaseKernel::intervalOf(const BoxBounds &bounds, const OrderInBatch &keys, Value rank, Value row,
                                 const Ranks &range) {
  auto orEmpty = [&](const Ranks &ranks) {
    Value some = f.less(ranks.begin, ranks.end);
    return Ranks{f.select(some, ranks.begin, f.i32(neverRank)), f.select(some, ranks.end, f.i32(0))};
  };
  Ranks looks = ranksOf(bounds.lower, bounds.upper, keys, rank, row, range);
  if (!bounds.hole)
    return {f.truth(true), orEmpty(looks), std::nullopt};
  Ranks hole = ranksOf(bounds.hole->first, bounds.hole->second, keys, rank, row, range);
  leaveOut(looks, hole);
  return {f.truth(true), orEmpty(looks), orEmpty(hole)};
}

/// The ranks among which the rows rise that query rank `rank` may look at.
Ranks PhaseKernel::rangeOf(BoxOp box, const OrderInBatch &keys, Value rank) {
  if (!box.getSameSegment())
    return {keys.begin, keys.count};
  const MatchLayout &match = *layout.matchOf(queryOrder());
  Value at = arith::ExtUIOp::create(f.b, f.b.getI64Type(), rank);
  return {f.load32(f.tableOfBatch(match.beginView), at), f.load32(f.tableOfBatch(match.endView), at)};
}

/// Those of rows between two bounds of query row `row`, whose rank is `rank`.
Ranks PhaseKernel::ranksOf(const Expr &lower, const Expr &upper, const OrderInBatch &keys, Value rank, Value row,
                           const Ranks &range) {
  auto rankOf = [&](const Expr &bound) {
    if (Value lead = keys.leadOf(bound))
      return f.greatest(f.add(rank, f.least(lead, f.sub(range.end, rank))), range.begin);
    return keys.rankOf(f.evaluate(bound, row), range.begin, range.end);
  };
  Ranks ranks = range;
  if (lower != Expr(0))
    ranks.begin = rankOf(lower);
  if (upper != Expr::symbol(KvLength))
    ranks.end = rankOf(upper);
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

bool PhaseKernel::isShared(BoxOp box) {
  const Order &order = queries();
  auto isSame = [&](ExprAttr bound) { return !bound || order.isSameInBlock(bound.getExpr()); };
  return order.kind == OrderKind::Blocks && isSame(box.getLowerAttr()) && isSame(box.getUpperAttr()) &&
         isSame(box.getHoleLowerAttr()) && isSame(box.getHoleUpperAttr());
}

bool PhaseKernel::isLed() {
  return !shape.rollsScores && llvm::all_of(boxes(), [&](BoxOp box) {
    return isShared(box) && !box.getSameSegment() && box.getTest().empty() && !box.getExceptAttr() &&
           keys(box).kind == OrderKind::All;
  });
}

KeyTiles PhaseKernel::tilesOf(const Ranks &keys) {
  Value count = f.ceilDivide(f.greatest(f.sub(keys.end, keys.begin), f.i32(0)), shape.keys);
  return {{keys.begin, keys.end, keys.begin, keys.end, std::nullopt}, keys.end, count, shape.keys};
}

/// Of a tile inside a block, which may end before the tile begins.
Hull PhaseKernel::sharedHull(BoxOp box, const OrderInBatch &queries, const OrderInBatch &keys, const Item &item) {
  BoxBounds bounds = BoxBounds::of(box, [&](const Expr &bound) { return this->queries().ofBlock(bound); });
  Interval all = intervalOf(bounds, keys, item.firstRank, item.number, rangeOf(box, keys, item.firstRank));
  Value end = f.select(queries.hasRow(item.firstRank), all.keys.end, f.i32(0));
  return {all.keys.begin, end, all.keys.begin, end, all.hole};
}

/// Where rows and bounds rise, the first and the last row say all. What rises in steps takes divisions, but in classes,
/// where it leads: elsewhere the lanes do them side by side, which takes fewer registers.
bool PhaseKernel::hasClosedHull(BoxOp box) {
  auto rises = [&](ExprAttr bound) {
    return !bound || bound.getExpr().rise(1) || (isByClass() && bound.getExpr().neverFalls());
  };
  return !queries().isTabled() && !keys(box).isTabled() && rises(box.getLowerAttr()) && rises(box.getUpperAttr()) &&
         rises(box.getHoleLowerAttr()) && rises(box.getHoleUpperAttr());
}

Hull PhaseKernel::closedHull(BoxOp box, const OrderInBatch &queries, const OrderInBatch &keys, const Item &item) {
  Value lastRank = f.sub(f.least(f.add(item.firstRank, shape.rows), queries.count), 1);
  Value firstRow = queries.rowOf(item.firstRank), lastRow = queries.rowOf(lastRank);
  auto ofTile = [&](const Expr &lower, const Expr &upper) {
    auto at = [&](Value rank, Value row) { return ranksOf(lower, upper, keys, rank, row, rangeOf(box, keys, rank)); };
    return std::pair(at(item.firstRank, firstRow), at(lastRank, lastRow));
  };
  BoxBounds bounds = BoxBounds::of(box);
  auto [first, last] = ofTile(bounds.lower, bounds.upper);
  Hull hull{first.begin, last.end, last.begin, first.end, std::nullopt};
  if (bounds.hole) {
    auto [firstHole, lastHole] = ofTile(bounds.hole->first, bounds.hole->second);
    leaveOut(hull, firstHole, lastHole);
  }
  // A class or a block may end before its last tile begins.
  if (item.number)
    hull.end = f.select(f.less(item.firstRank, queries.count), hull.end, hull.begin);
  return hull;
}

/// Of rows from a first to a last, whose bounds rise. At an end, a hole makes a row's ranks fewer: the hull's, where it
/// does so for all rows; those that all rows look at, where it may for one.
void PhaseKernel::leaveOut(Hull &hull, const Ranks &first, const Ranks &last) {
  auto atMost = [&](Value x, Value y) { return f.negate(f.less(y, x)); };
  Value lastBegin = hull.fullBegin, firstEnd = hull.fullEnd;
  hull.fullBegin = f.select(f.less(lastBegin, first.begin), lastBegin, f.greatest(lastBegin, last.end));
  hull.fullEnd = f.select(f.less(last.end, firstEnd), firstEnd, f.least(firstEnd, first.begin));
  hull.begin = f.select(atMost(last.begin, hull.begin), f.greatest(hull.begin, first.end), hull.begin);
  hull.end = f.select(atMost(hull.end, first.end), f.least(hull.end, last.begin), hull.end);
  hull.holes = {first.begin, last.end};
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
  Hull hull = isShared(box)        ? sharedHull(box, queries, keys, item)
              : hasClosedHull(box) ? closedHull(box, queries, keys, item)
                                   : foldedHull(box, queries, keys, item);
  // Also where the hull is empty: [never, 0), or any other.
  Value length = f.greatest(f.sub(hull.end, hull.begin), f.i32(0));
  int64_t keysOfTile = this->keys(box).kind == OrderKind::Listed ? shape.listedKeys : shape.keys;
  Value count = f.ceilDivide(length, keysOfTile);
  bool fromFirst = startsAtFirstKey(box.getSameSegment(), box.getLower().getExpr());
  Value last = fromFirst ? f.add(hull.begin, f.mul(count, keysOfTile)) : hull.end;
  return {hull, last, count, keysOfTile};
}
