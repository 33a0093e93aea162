// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The bounds of rows, and the pairs that they leave. Where keys follow each other, a row's are an interval of ranks. On
// a grid they are some rows of a strip by some of its columns, both intervals: columns are the same in each row of the
// strip, so a bit for each place of a tile is found once, and those of the rows of a tile by shifts.

#include "Masks.h"
#include "RegionOps.h"

using namespace mlir;
using namespace attn;
using namespace attn::hopper;

Masks::Masks(PhaseKernel &phase) : p(phase), f(phase.f) {}

//===-- Bounds ----------------------------------------------------------------------------------------------------===//

BoundBox Masks::bind(BoxOp op, const OrderInBatch &queries, const OrderInBatch &keys, const KeyTiles &tiles) {
  BoundBox box;
  box.op = op, box.isTested = !op.getTest().empty();
  // A hole at the first keys makes rows begin behind them.
  box.lowerMoves = op.getHoleLowerAttr() || !startsAtFirstKey(op.getSameSegment(), op.getLower().getExpr());
  box.upperMoves = upperMoves(op);
  box.keys = keys, box.tiles = tiles;
  if (keys.grid())
    bindGrid(box);
  else
    bindIntervals(box, queries);
  return box;
}

/// Whether other tiles than tile 0 may lie across upper bounds. Where rows follow each other and tile 0 ends at the
/// highest bound, it holds all that lie within its width; where tiles start at the first key, it may hold a single
/// key. From rank to rank, bounds in ranks rise in an order by classes as those in rows do elsewhere.
bool Masks::upperMoves(BoxOp box) {
  std::optional<int64_t> rise = box.getUpper().getExpr().rise(p.shape.rows - 1);
  bool mayLeap = p.queries().isTabled() || p.queries().kind == OrderKind::Remainders;
  bool leaps = mayLeap && box.getUpper().getExpr().dependsOnRow();
  if (box.getSameSegment() || p.keys(box).isTabled() || leaps || !rise)
    return true;
  bool fromFirst = startsAtFirstKey(box.getSameSegment(), box.getLower().getExpr());
  return *rise > (fromFirst ? 0 : p.shape.keys);
}

void Masks::bindIntervals(BoundBox &box, const OrderInBatch &queries) {
  const Hull &hull = box.tiles.hull;
  Interval shared{Value(), {hull.begin, hull.end}, hull.holes}, intervals[] = {shared, shared};
  if (!p.isShared(box.op))
    for (unsigned half : {0, 1})
      intervals[half] = p.intervalOf(box.op, queries, box.keys, own.ranks[half]);
  box.begin = f.pack([&](unsigned half) { return intervals[half].keys.begin; });
  box.end = f.pack([&](unsigned half) { return intervals[half].keys.end; });
  if (!intervals[0].hole)
    return;
  box.holeBegin = f.pack([&](unsigned half) { return intervals[half].hole->begin; });
  box.holeEnd = f.pack([&](unsigned half) { return intervals[half].hole->end; });
}

void Masks::bindGrid(BoundBox &box) {
  box.grid = gridMaskOf(box);
  if (!box.op.getHoleLowerAttr())
    return;
  auto holeBound = [&](ExprAttr bound) {
    return f.pack([&](unsigned half) {
      return f.toI32(f.clamp(f.evaluate(bound.getExpr(), own.rows[half]), f.index(0), f.symbol(KvLength)));
    });
  };
  box.holeBegin = holeBound(box.op.getHoleLowerAttr()), box.holeEnd = holeBound(box.op.getHoleUpperAttr());
}

/// A row that looks at nothing has no columns, and whatever rows.
GridMask Masks::gridMaskOf(const BoundBox &box) {
  const GridPart &part = *box.keys.grid();
  GridLook looks[] = {p.lookOf(box.tiles, own.ranks[0]), p.lookOf(box.tiles, own.ranks[1])};
  GridMask mask;
  auto placeOfRow = [&](Value y) { return f.mul(f.sub(y, part.top), part.columns); };
  mask.begin = f.pack([&](unsigned half) { return placeOfRow(looks[half].rows.begin); });
  mask.end = f.pack([&](unsigned half) { return placeOfRow(looks[half].rows.end); });
  Value none = f.i32(0), points = f.mul(part.rows, part.columns);
  Value noPlaces =
      f.between(p.shape.keys, f.pack([&](unsigned) { return none; }), f.pack([&](unsigned) { return none; }));
  mask.columns = f.loop(none, points, part.columns, noPlaces, [&](Value row, ValueRange before) -> SmallVector<Value> {
    Value begin = f.pack(
        [&](unsigned half) { return f.add(row, f.greatest(f.sub(looks[half].columns.begin, part.left), none)); });
    Value end = f.pack(
        [&](unsigned half) { return f.add(row, f.least(f.sub(looks[half].columns.end, part.left), part.columns)); });
    return {tile::CombineOp::create(f.b, tile::CombineKind::Or, before[0], f.between(p.shape.keys, begin, end))};
  })[0];
  return mask;
}

//===-- Tiles -----------------------------------------------------------------------------------------------------===//

Needs Masks::needsOf(const BoundBox &box) {
  if (box.grid)
    return {};
  return {Need::Maybe, box.lowerMoves ? Need::Maybe : Need::No, box.holeBegin ? Need::Maybe : Need::No};
}

Value Masks::apply(const BoundBox &box, Value s, Value first, Needs needs) {
  if (box.op.getExceptAttr())
    s = leaveOutOthers(box, s, first);
  if (box.grid)
    return keepPlaces(box, s, first);
  const Hull &hull = box.tiles.hull;
  Value last = f.add(first, box.tiles.keys);
  s = applyWhere(
      needs.upper, [&] { return f.less(hull.fullEnd, last); }, s,
      [&] { return keep(s, first, box.end, CmpIPredicate::slt); });
  s = applyWhere(
      needs.lower, [&] { return f.less(first, hull.fullBegin); }, s,
      [&] { return keep(s, first, box.begin, CmpIPredicate::sge); });
  return applyWhere(
      needs.hole, [&] { return f.both(f.less(first, hull.holes->end), f.less(hull.holes->begin, last)); }, s,
      [&] { return leaveOut(s, first, box.holeBegin, box.holeEnd); });
}

Value Masks::applyWhere(Need need, llvm::function_ref<Value()> condition, Value s, llvm::function_ref<Value()> mask) {
  if (need != Need::Maybe)
    return need == Need::Yes ? mask() : s;
  return f.choose(condition(), mask, [&] { return s; });
}

/// Ranks of rows as columns that count from the thread's first one.
Value Masks::asColumns(Value ranks, Value first) {
  Value start = f.add(first, tile::FirstColumnOp::create(f.b, f.b.getI32Type()));
  return f.map(ranks.getType(), ranks, [&](ValueRange row) { return f.sub(row[0], start); });
}

/// Keeps the columns that compare so with the rows' bounds.
Value Masks::keep(Value s, Value first, Value bounds, CmpIPredicate predicate) {
  return f.map(s.getType(), {s, asColumns(bounds, first)}, [&](ValueRange place) -> Value {
    return f.select(f.compare(predicate, place[2], place[1]), place[0], f.f32(-INFINITY));
  });
}

/// Keeps those outside of the rows' holes.
Value Masks::leaveOut(Value s, Value first, Value begin, Value end) {
  return f.map(s.getType(), {s, asColumns(begin, first), asColumns(end, first)}, [&](ValueRange place) -> Value {
    Value isBeside = f.either(f.less(place[3], place[1]), f.compare(CmpIPredicate::sge, place[3], place[2]));
    return f.select(isBeside, place[0], f.f32(-INFINITY));
  });
}

/// Whether the key of a rank is another box's.
Value Masks::isOthers(const BoundBox &box, Value rank) {
  Value key = f.toIndex(box.keys.someRowOf(rank)), some;
  for (auto order : box.op.getExceptAttr().getAsRange<OrderAttr>()) {
    Value isListed = isMember(f, order, Side::Keys, key);
    some = some ? f.either(some, isListed) : isListed;
  }
  return some;
}

/// Few tiles hold such a key: the warp looks for one first, each lane at some of the keys.
Value Masks::leaveOutOthers(const BoundBox &box, Value s, Value first) {
  Value some = f.truth(false);
  for (int64_t key = 0; key < box.tiles.keys; key += 32)
    some = f.either(some, isOthers(box, f.add(first, f.add(f.lane(), key))));
  Value start = f.add(first, tile::FirstColumnOp::create(f.b, f.b.getI32Type()));
  return f.choose(
      f.anyOfWarp(some),
      [&] {
        return f.map(s.getType(), {s}, [&](ValueRange place) -> Value {
          return f.select(isOthers(box, f.add(start, place[1])), f.f32(-INFINITY), place[0]);
        });
      },
      [&] { return s; });
}

Value Masks::keepFrom(Value s, Value begin) {
  return f.choose(
      f.less(f.i32(0), begin),
      [&] { return keep(s, f.i32(0), f.pack([&](unsigned) { return begin; }), CmpIPredicate::sge); },
      [&] { return s; });
}

//===-- Tiles of a grid -------------------------------------------------------------------------------------------===//

/// Keeps the places in the rows' rows and columns. Bounds inside of a grid's row, and holes, are asked key by key.
Value Masks::keepPlaces(const BoundBox &box, Value s, Value first) {
  const GridPart &part = *box.keys.grid();
  Value before = f.mul(f.divide(first, part.ranks), f.mul(part.rows, part.columns));
  auto inBox = [&](Value places) {
    return f.map(places.getType(), places, [&](ValueRange row) { return f.sub(row[0], before); });
  };
  Value inRows = f.between(p.shape.keys, inBox(box.grid->begin), inBox(box.grid->end));
  Value kept = tile::CombineOp::create(f.b, tile::CombineKind::And, box.grid->columns, inRows);
  s = f.map(s.getType(), {s, kept},
            [&](ValueRange place) -> Value { return f.select(place[1], place[0], f.f32(-INFINITY)); });
  s = applyWhere(
      part.isCut ? Need::Maybe : Need::No, [&] { return part.isCut; }, s,
      [&] {
        Ranks keys[] = {p.keyRowsOf(box.op, f.toIndex(own.rows[0])), p.keyRowsOf(box.op, f.toIndex(own.rows[1]))};
        Value begins = f.pack([&](unsigned half) { return f.toI32(keys[half].begin); });
        Value ends = f.pack([&](unsigned half) { return f.toI32(keys[half].end); });
        return keepKeys(box, s, first, begins, ends, /*isInside=*/true);
      });
  return box.holeBegin ? keepKeys(box, s, first, box.holeBegin, box.holeEnd, /*isInside=*/false) : s;
}

/// Keeps keys whose row lies between two bounds, or beside these.
Value Masks::keepKeys(const BoundBox &box, Value s, Value first, Value begins, Value ends, bool isInside) {
  return f.map(s.getType(), {s, begins, ends}, [&](ValueRange place) -> Value {
    Value rank = f.add(first, f.add(tile::FirstColumnOp::create(f.b, f.b.getI32Type()), place[3]));
    Value key = box.keys.rowOf(rank);
    Value isBetween = f.both(f.compare(CmpIPredicate::sge, key, place[1]), f.less(key, place[2]));
    Value isKept = isInside ? isBetween : f.negate(isBetween);
    return f.select(isKept, place[0], f.f32(-INFINITY));
  });
}
