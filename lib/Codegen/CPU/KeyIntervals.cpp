// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Turns the bounds of a box into intervals of key ranks.

#include "KeyIntervals.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

void KeyIntervals::bind(BoxOp newBox, unsigned newKeyOrder, Value newKeyCount, Ranks newBlock) {
  box = newBox, keyOrder = newKeyOrder, keyCount = newKeyCount, block = newBlock;
}

//===-- Each row's ------------------------------------------------------------------------------------------------===//

Ranks KeyIntervals::write() {
  Value never = f.index(neverRank), zero = f.index(0);
  SmallVector<Value> start{never, zero, zero, never};
  if (hasHole())
    start.append({never, zero});
  SmallVector<Value> hull = f.loop(zero, rows.valid, 1, start, [&](Value r, ValueRange carried) -> SmallVector<Value> {
    Ranks range = rangeOf(r), keys = ranksOf(box.getLowerAttr(), box.getUpperAttr(), r, range), hole;
    if (hasHole()) {
      hole = ranksOf(box.getHoleLowerAttr(), box.getHoleUpperAttr(), r, range);
      leaveOut(keys, hole);
    }
    auto [begin, end] = keys;
    Value owns = rows.isOwned(r);
    Value some = f.both(owns, f.less(begin, end));
    begin = f.select(some, begin, never), end = f.select(some, end, zero);
    storeBound(begin, ScratchArray::Lower, r);
    storeBound(end, ScratchArray::Upper, r);
    // A row that the phase does not own takes part in nothing.
    SmallVector<Value> next{f.least(carried[0], begin), f.greatest(carried[1], end),
                            f.greatest(carried[2], f.select(owns, begin, zero)),
                            f.least(carried[3], f.select(owns, end, never))};
    if (hasHole()) {
      storeBound(hole.begin, ScratchArray::HoleLower, r);
      storeBound(hole.end, ScratchArray::HoleUpper, r);
      next.append({f.least(carried[4], hole.begin), f.greatest(carried[5], hole.end)});
    }
    return next;
  });
  // Rows that fill up the last sub-tile do what the last row does: they ask for no keys and no masks of their own.
  SmallVector<ScratchArray> bounds{ScratchArray::Lower, ScratchArray::Upper};
  if (hasHole())
    bounds.append({ScratchArray::HoleLower, ScratchArray::HoleUpper});
  f.loop(rows.valid, rows.padded, 1, [&](Value r) {
    for (ScratchArray array : bounds)
      storeBound(bound(array, f.sub(rows.valid, f.index(1))), array, r);
  });
  full = {hull[2], hull[3]};
  if (hasHole())
    holes = {hull[4], hull[5]};
  return {hull[0], hull[1]};
}

/// Takes a hole out of the ranks: at an end they become fewer, and only what lies inside of them stays a hole.
void KeyIntervals::leaveOut(Ranks &keys, Ranks &hole) {
  Value meets = f.less(hole.begin, hole.end);
  Value atBegin = f.both(meets, atLeast(keys.begin, hole.begin)), atEnd = f.both(meets, atLeast(hole.end, keys.end));
  keys.begin = f.select(atBegin, f.greatest(keys.begin, hole.end), keys.begin);
  keys.end = f.select(atEnd, f.least(keys.end, hole.begin), keys.end);
  Value isGone = either(either(atBegin, atEnd), atLeast(hole.begin, hole.end));
  hole.begin = f.select(isGone, f.index(neverRank), hole.begin), hole.end = f.select(isGone, f.index(0), hole.end);
}

/// The ranks among which row r of the tile looks at some, and in which rows rise.
Ranks KeyIntervals::rangeOf(Value r) {
  if (box.getSameSegment()) {
    const MatchLayout &match = *layout.matchOf(queryOrder);
    Value rank = f.add(rows.first, r);
    return {f.entryOf(match.beginView, rank), f.entryOf(match.endView, rank)};
  }
  if (box.getBlockTable())
    return block;
  if (!box.getKeyClassAttr())
    return {f.index(0), keyCount};
  keyClass = f.evaluate(box.getKeyClassAttr().getExpr(), rows.rowAt(r));
  Expr firstRank = layout.orders[keyOrder].order.firstRankOfClass(Expr::row());
  return {f.evaluate(firstRank, keyClass), f.least(f.evaluate(firstRank, f.add(keyClass, 1)), keyCount)};
}

/// Those of rows between two bounds.
Ranks KeyIntervals::ranksOf(ExprAttr lowerBound, ExprAttr upperBound, Value r, const Ranks &range) {
  Expr low = lowerBound.getExpr(), high = upperBound.getExpr();
  Value row = rows.rowAt(r);
  Ranks ranks = range;
  if (low != Expr(0))
    ranks.begin = rankOf(f.evaluate(low, row), range);
  if (high != Expr::symbol(KvLength))
    ranks.end = rankOf(f.evaluate(high, row), range);
  return ranks;
}

/// The first rank in a range whose row is at least `row`.
Value KeyIntervals::rankOf(Value row, const Ranks &range) {
  auto clamped = [&](Value rank) { return f.greatest(range.begin, f.least(rank, range.end)); };
  const OrderLayout &keys = layout.orders[keyOrder];
  switch (keys.order.kind) {
  case OrderKind::All:
    return clamped(row);
  case OrderKind::Classes: {
    Value modulus = f.evaluate(keys.order.modulus, f.index(0));
    Value steps = arith::CeilDivSIOp::create(f.b, f.sub(row, keyClass), modulus);
    return clamped(f.add(range.begin, steps));
  }
  case OrderKind::Remainders:
    return clamped(f.evaluate(keys.order.rankOfRow(), row));
  default:
    return searchRank(row, range);
  }
}

Value KeyIntervals::searchRank(Value row, const Ranks &range) {
  int view = layout.orders[keyOrder].rowsView;
  Type index = f.b.getIndexType();
  auto search = scf::WhileOp::create(
      f.b, TypeRange{index, index}, ValueRange{range.begin, range.end},
      [&](OpBuilder &, Location, ValueRange range) {
        scf::ConditionOp::create(f.b, f.less(range[0], range[1]), range);
      },
      [&](OpBuilder &, Location, ValueRange range) {
        Value middle = arith::DivUIOp::create(f.b, f.add(range[0], range[1]), f.index(2));
        Value before = f.less(f.entryOf(view, middle), row);
        Value low = f.select(before, f.add(middle, 1), range[0]), high = f.select(before, range[1], middle);
        scf::YieldOp::create(f.b, ValueRange{low, high});
      });
  f.b.setInsertionPointAfter(search);
  return search.getResult(0);
}

//===-- Tiles and sub-tiles ---------------------------------------------------------------------------------------===//

void KeyIntervals::writeGroups() {
  f.loop(f.index(0), rows.padded, layout.tile[2], [&](Value r) {
    Value lower = f.scratchArray(ScratchArray::Lower), upper = f.scratchArray(ScratchArray::Upper);
    Value low = f.load(lower, {r}), high = f.load(upper, {r});
    for (int64_t m = 1; m < layout.tile[2]; ++m) {
      low = f.least(low, f.load(lower, {f.add(r, m)}));
      high = f.greatest(high, f.load(upper, {f.add(r, m)}));
    }
    Value group = arith::DivUIOp::create(f.b, r, f.index(layout.tile[2]));
    f.store(low, f.scratchArray(ScratchArray::GroupLower), {group});
    f.store(high, f.scratchArray(ScratchArray::GroupUpper), {group});
  });
}

Value KeyIntervals::isFull(Value tile, Value end) {
  Value isInside = f.both(atLeast(tile, full.begin), atLeast(full.end, end));
  return hasHole() ? f.both(isInside, either(atLeast(holes.begin, end), atLeast(tile, holes.end))) : isInside;
}

Value KeyIntervals::someRowLooks(Value tile, Value tileEnd) {
  Value no = arith::ConstantOp::create(f.b, f.b.getBoolAttr(false));
  return f.loop(f.index(0), rows.valid, 1, no, [&](Value r, ValueRange carried) -> SmallVector<Value> {
    Value begin = f.greatest(bound(ScratchArray::Lower, r), tile);
    Value end = f.least(bound(ScratchArray::Upper, r), tileEnd);
    Value looks = f.less(begin, end);
    if (hasHole()) {
      Value isBefore = f.less(begin, bound(ScratchArray::HoleLower, r));
      Value isAfter = f.less(bound(ScratchArray::HoleUpper, r), end);
      looks = f.both(looks, either(isBefore, isAfter));
    }
    return {either(carried[0], looks)};
  })[0];
}

Value KeyIntervals::holds(Value r, Value key) {
  using Predicate = arith::CmpIPredicate;
  Value ranks = arith::AddIOp::create(f.b, splat(f.b, f.toInt32(key), f.isa.lanes), f.lanesOf(f.b.getI32Type()));
  auto compare = [&](Predicate predicate, ScratchArray bounds) -> Value {
    Value limit = splat(f.b, f.load(f.scratchArray(bounds), {r}), f.isa.lanes);
    return arith::CmpIOp::create(f.b, predicate, ranks, limit);
  };
  Value inside = f.both(compare(Predicate::sge, ScratchArray::Lower), compare(Predicate::slt, ScratchArray::Upper));
  if (!hasHole())
    return inside;
  return f.both(inside, either(compare(Predicate::slt, ScratchArray::HoleLower),
                               compare(Predicate::sge, ScratchArray::HoleUpper)));
}
