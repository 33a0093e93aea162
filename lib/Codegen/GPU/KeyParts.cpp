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
  return f.loop(f.i32(0), entries, f.i32(1), carried, [&](Value slot, ValueRange inner) {
    Value entry = entryAt(slot), isBlock = f.compare(CmpIPredicate::sge, entry, f.i32(0));
    Value isNew =
        f.loop(f.i32(0), slot, f.i32(1), isBlock, [&](Value before, ValueRange differs) -> SmallVector<Value> {
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
    // Every row is compared with its bounds.
    Hull hull{f.i32(0), strip.count, strip.count, f.i32(0), std::nullopt};
    return body(strip, KeyTiles{hull, strip.count, part.boxes}, inner);
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
  if (bound.summands().size() == 1 && bound.constantSummand() == 0 && bound.summands()[0].factor == 1) {
    const Expr::Term &term = *bound.summands()[0].term;
    if (term.kind == Expr::TermKind::Min || term.kind == Expr::TermKind::Max)
      return llvm::all_of(term.operands, [&](const Expr &operand) { return isBetweenRows(operand, gridRows); });
  }
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

/// Those of whole rows of the strip.
Ranks PhaseKernel::ranksOfGrid(BoxOp box, const OrderInBatch &keys, Value row) {
  const GridPart &part = *keys.grid();
  Ranks rows = gridRowsOf(box, part, row);
  auto rankOf = [&](Value y) {
    Value down = f.sub(y, part.top);
    return f.add(f.mul(f.divide(down, part.rows), part.ranks), f.mul(f.remainder(down, part.rows), part.columns));
  };
  Value isEmpty = f.compare(CmpIPredicate::sge, rows.begin, rows.end);
  return {f.select(isEmpty, f.i32(neverRank), rankOf(rows.begin)), f.select(isEmpty, f.i32(0), rankOf(rows.end))};
}

Ranks PhaseKernel::columnsOf(BoxOp box, const GridPart &part, Value row) {
  Value begin = f.greatest(f.evaluate(box.getColumnLowerAttr().getExpr(), row), f.index(0));
  Value end = f.least(f.evaluate(box.getColumnUpperAttr().getExpr(), row), part.width);
  Value isEmpty = f.compare(CmpIPredicate::sge, begin, end);
  return {f.select(isEmpty, f.i32(neverRank), f.toI32(begin)), f.select(isEmpty, f.i32(0), f.toI32(end))};
}

/// The hull of what the rows of a tile look at; without rows and columns where they look at nothing.
PhaseKernel::Rectangle PhaseKernel::rectangleOf(BoxOp box, const OrderInBatch &queries, const GridPart &part) {
  bool mayCut = mayCutRows(box);
  SmallVector<Value> nothing{f.i32(neverRank), f.i32(-neverRank), f.i32(neverRank), f.i32(0)};
  if (mayCut)
    nothing.push_back(f.truth(false));
  SmallVector<Value> extremes =
      f.loop(f.i32(0), f.i32(shape.rows), f.i32(32), nothing, [&](Value first, ValueRange e) -> SmallVector<Value> {
        Value rank = f.add(first, f.lane());
        SmallVector<Value> own = f.choose(
            queries.hasRow(rank),
            [&] {
              Value row = queries.rowOf(rank);
              Ranks rows = gridRowsOf(box, part, row), columns = columnsOf(box, part, row);
              Value looks = f.both(f.less(rows.begin, rows.end), f.less(columns.begin, columns.end));
              SmallVector<Value> found{rows.begin, rows.end, columns.begin, columns.end};
              if (mayCut)
                found.push_back(cutsRow(box, part, row));
              for (auto [value, none] : llvm::zip(found, nothing))
                value = f.select(looks, value, none);
              return found;
            },
            [&] { return nothing; });
        SmallVector<Value> next{f.least(e[0], own[0]), f.greatest(e[1], own[1]), f.least(e[2], own[2]),
                                f.greatest(e[3], own[3])};
        if (mayCut)
          next.push_back(f.either(e[4], own[4]));
        return next;
      });
  Value top = f.leastOfWarp(extremes[0]), bottom = f.greatestOfWarp(extremes[1]);
  Value left = f.leastOfWarp(extremes[2]), right = f.greatestOfWarp(extremes[3]);
  return {top, bottom, left, right, mayCut ? f.anyOfWarp(extremes[4]) : Value()};
}
