// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What of a box's keys is run over at a time: all of them, one block of those that a table lists, or one strip of the
// rectangle of a grid that a patch of queries looks at.

#include "PhaseKernel.h"

using namespace mlir;
using namespace attn;
using namespace attn::hopper;

SmallVector<Value> PhaseKernel::forEachPart(BoxOp box, const OrderInBatch &queries, const Item &item,
                                            ValueRange carried, PartBody body) {
  if (box.getBlockTable())
    return forEachListedBlock(box, queries, item, carried, body);
  if (box.getColumnWidthAttr())
    return forEachStrip(box, queries, item, carried, body);
  OrderInBatch keys = bindKeys(box, item);
  return body(keys, keyTilesOf(box, queries, keys, item), carried);
}

//===-- Blocks ----------------------------------------------------------------------------------------------------===//

/// Entries that are blocks, each once: what stands in the list before is an empty part.
SmallVector<Value> PhaseKernel::forEachListedBlock(BoxOp box, const OrderInBatch &queries, const Item &item,
                                                   ValueRange carried, PartBody body) {
  unsigned table = layout.tensorOf(plan.getTables()[*box.getBlockTable()]);
  Value list = f.toI64(item.number), zero = f.toI64(f.i32(0));
  Value exists = f.compare(CmpIPredicate::ult, list, f.viewExtent(table, 2));
  Value entries = f.select(exists, f.toI32(f.viewExtent(table, 3)), f.i32(0));
  Value first = f.entryOf(table, {f.batch, f.head, f.select(exists, list, zero)});
  auto entryAt = [&](Value slot) {
    return f.load32(f.viewAddress(table), f.add(first, f.mul(f.toI64(slot), f.viewStride(table, 3))));
  };
  // The first entries are read at once, one by each lane.
  Value lane = f.lane(), lanes = f.i32(32);
  Value ofLane = f.choose(f.less(lane, entries), [&] { return entryAt(lane); }, [&] { return f.i32(-1); });
  return f.loop(f.i32(0), entries, f.i32(1), carried, [&](Value slot, ValueRange inner) {
    Value early = f.ofLane(ofLane, slot), isEarly = f.less(slot, lanes);
    Value entry = f.choose(isEarly, [&] { return early; }, [&] { return entryAt(slot); });
    Value isBefore = f.both(f.less(lane, slot), f.compare(CmpIPredicate::eq, ofLane, entry));
    Value isBlock = f.compare(CmpIPredicate::sge, entry, f.i32(0));
    Value isNew = f.both(isBlock, f.negate(f.anyOfWarp(isBefore)));
    isNew = f.loop(lanes, slot, f.i32(1), isNew, [&](Value before, ValueRange differs) -> SmallVector<Value> {
      return {f.both(differs[0], f.compare(CmpIPredicate::ne, entryAt(before), entry))};
    })[0];
    Expr firstKey = Expr::row() * box.getBlockSizeAttr().getExpr() - Expr::symbol(KeyOffset);
    auto keyOf = [&](Value block) {
      Value key = f.clamp(f.evaluate(firstKey, block), f.index(0), f.symbol(KvLength));
      return f.select(isNew, f.toI32(key), f.i32(0));
    };
    OrderInBatch keys = bindKeys(box, item);
    keys.narrowTo(keyOf(f.toIndex(entry)), keyOf(f.add(f.toIndex(entry), 1)));
    return body(keys, keyTilesOf(box, queries, keys, item), inner);
  });
}

//===-- Grids -----------------------------------------------------------------------------------------------------===//

// A strip is as wide as a box, and that as wide as the rectangle is expected to be: there is one strip then, cut into
// boxes of as many rows as a tile of keys takes.

GridPart PhaseKernel::boxOfGrid(BoxOp box) {
  GridPart part;
  auto number = [&](const Expr &expr) { return f.evaluate(expr, f.index(0)); };
  part.width = f.clamp(number(box.getColumnWidthAttr().getExpr()), f.index(1), f.index(INT32_MAX));
  part.shift = number(box.getColumnShiftAttr().getExpr());
  part.columns = f.toI32(
      f.clamp(number(layout.phases[this->number].grid->span), f.index(1), f.least(part.width, f.index(shape.keys))));
  part.rows = f.divide(f.i32(shape.keys), part.columns);
  part.ranks = shape.keys;
  return part;
}

SmallVector<Value> PhaseKernel::forEachStrip(BoxOp box, const OrderInBatch &queries, const Item &item,
                                             ValueRange carried, PartBody body) {
  GridPart part = boxOfGrid(box);
  Rectangle keys = rectangleOf(box, queries, part);
  part.top = keys.top, part.isCut = keys.isCut;
  part.boxes = f.divide(f.add(f.sub(keys.bottom, keys.top), f.sub(part.rows, 1)), part.rows);
  return f.loop(keys.left, keys.right, part.columns, carried, [&](Value left, ValueRange inner) {
    part.left = left;
    OrderInBatch strip = bindKeys(box, item);
    strip.narrowTo(part);
    return body(strip, KeyTiles{Hull(), strip.count, part.boxes, shape.keys, keys.looks}, inner);
  });
}

Ranks PhaseKernel::keyRowsOf(BoxOp box, Value row) {
  return {f.greatest(f.evaluate(box.getLowerAttr().getExpr(), row), f.index(0)),
          f.least(f.evaluate(box.getUpperAttr().getExpr(), row), f.symbol(KvLength))};
}

/// Whether a bound is known to lie between two rows of the grid, or where the keys begin or end.
static bool isBetweenRows(const Expr &bound, const Order &gridRows) {
  constexpr unsigned queryRow = ~0u; // a symbol that no call has
  if (bound == Expr(0) || bound == Expr::symbol(KvLength))
    return true;
  const Expr::Term *term = bound.asTerm();
  if (term && (term->kind == Expr::TermKind::Min || term->kind == Expr::TermKind::Max))
    return llvm::all_of(term->operands, [&](const Expr &operand) { return isBetweenRows(operand, gridRows); });
  return gridRows.isSameInBlock(Expr::isPositive(Expr::row() - bound.at(Expr::symbol(queryRow)) + 1));
}

/// Where tensor maps are used, the keys are whole rows.
bool PhaseKernel::mayCutRows(BoxOp box) {
  const GridLayout &grid = *layout.phases[number].grid;
  Order gridRows = Order::blocks(Side::Keys, grid.width, grid.shift);
  return !isTiled || !isBetweenRows(box.getLower().getExpr(), gridRows) ||
         !isBetweenRows(box.getUpper().getExpr(), gridRows);
}

/// Whether the keys of a query row begin or end inside of a row of the grid.
Value PhaseKernel::cutsRow(BoxOp box, const GridPart &part, Value row) {
  auto [begin, end] = keyRowsOf(box, row);
  auto isInside = [&](Value key) {
    Value place = f.add(key, part.shift);
    return f.compare(CmpIPredicate::ne, f.mul(f.divideDown(place, part.width), part.width), place);
  };
  return f.either(isInside(begin), isInside(end));
}

/// The rows of the grid that hold them.
Ranks PhaseKernel::gridRowsOf(BoxOp box, const GridPart &part, Value row) {
  auto [begin, end] = keyRowsOf(box, row);
  Value isEmpty = f.compare(CmpIPredicate::sge, begin, end);
  auto rowOf = [&](Value key) { return f.toI32(f.divideDown(f.add(key, part.shift), part.width)); };
  Value last = f.add(rowOf(f.sub(end, 1)), 1);
  return {f.select(isEmpty, f.i32(neverRank), rowOf(begin)), f.select(isEmpty, f.i32(-neverRank), last)};
}

Ranks PhaseKernel::columnsOf(BoxOp box, const GridPart &part, Value row) {
  Value begin = f.greatest(f.evaluate(box.getColumnLowerAttr().getExpr(), row), f.index(0));
  Value end = f.least(f.evaluate(box.getColumnUpperAttr().getExpr(), row), part.width);
  return {f.toI32(begin), f.toI32(end)};
}

/// A row that looks at nothing widens no rectangle.
GridLook PhaseKernel::lookAt(BoxOp box, const GridPart &part, Value exists, Value row) {
  Ranks rows = gridRowsOf(box, part, row), columns = columnsOf(box, part, row);
  Value looks = f.both(exists, f.both(f.less(rows.begin, rows.end), f.less(columns.begin, columns.end)));
  auto orNothing = [&](const Ranks &ranks, int64_t end) {
    return Ranks{f.select(looks, ranks.begin, f.i32(neverRank)), f.select(looks, ranks.end, f.i32(end))};
  };
  return {orNothing(rows, -neverRank), orNothing(columns, 0)};
}

/// Each lane of a warp looks for as many rows, and all know the rectangle.
PhaseKernel::Rectangle PhaseKernel::rectangleOf(BoxOp box, const OrderInBatch &queries, const GridPart &part) {
  Rectangle all;
  for (int64_t first = 0; first < shape.rows; first += 32) {
    Value rank = f.add(f.lane(), first), exists = queries.hasRow(rank), row = queries.rowOf(rank);
    GridLook own = lookAt(box, part, exists, row);
    Value isCut = mayCutRows(box) ? f.both(exists, cutsRow(box, part, row)) : Value();
    all.top = first ? f.least(all.top, own.rows.begin) : own.rows.begin;
    all.bottom = first ? f.greatest(all.bottom, own.rows.end) : own.rows.end;
    all.left = first ? f.least(all.left, own.columns.begin) : own.columns.begin;
    all.right = first ? f.greatest(all.right, own.columns.end) : own.columns.end;
    all.isCut = isCut && first ? f.either(all.isCut, isCut) : isCut;
    all.looks.push_back(own);
  }
  all.top = f.leastOfWarp(all.top), all.bottom = f.greatestOfWarp(all.bottom);
  all.left = f.leastOfWarp(all.left), all.right = f.greatestOfWarp(all.right);
  if (all.isCut)
    all.isCut = f.anyOfWarp(all.isCut);
  return all;
}

GridLook PhaseKernel::lookOf(const KeyTiles &tiles, Value rank) {
  Value part = f.divide(rank, 32), lane = f.remainder(rank, 32);
  auto found = [&](llvm::function_ref<Value(const GridLook &)> field) {
    // The rows of a warp's threads lie in the same part.
    Value own = field(tiles.looks.front());
    for (auto [number, look] : llvm::enumerate(llvm::drop_begin(tiles.looks)))
      own = f.select(f.compare(CmpIPredicate::eq, part, f.i32(number + 1)), field(look), own);
    return f.ofLane(own, lane);
  };
  return {{found([](const GridLook &look) { return look.rows.begin; }),
           found([](const GridLook &look) { return look.rows.end; })},
          {found([](const GridLook &look) { return look.columns.begin; }),
           found([](const GridLook &look) { return look.columns.end; })}};
}
