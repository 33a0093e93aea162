// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows of ranks and ranks of rows.

#include "OrderInBatch.h"

using namespace mlir;
using namespace attn;
using namespace attn::hopper;

/// An expression of the call alone.
static Value evaluate(Frame &f, const Expr &expr) { return f.evaluate(expr, f.index(0)); }

/// A symbol of the call, i32.
static Value number(Frame &f, unsigned symbol) { return f.toI32(f.symbol(symbol)); }

//===-- Binding ---------------------------------------------------------------------------------------------------===//

OrderInBatch::OrderInBatch(Frame &f, unsigned index, Value number, bool isReadInRuns)
    : frame(&f), order(&f.layout.orders[index].order), isReadInRuns(isReadInRuns) {
  begin = f.i32(0);
  if (order->kind == OrderKind::Classes)
    bindClass(*f.layout.orders[index].classes, number);
  else if (order->kind == OrderKind::Blocks)
    bindBlock(number);
  else if (order->kind == OrderKind::Patches)
    bindPatch(number);
  else if (isReadInRuns)
    bindRuns();
  else if (order->isComputed())
    count = f.toI32(evaluate(f, order->count()));
  else
    bindTable(index);
}

Value OrderInBatch::rowCount() const { return evaluate(*frame, rowsOf(order->side)); }

void OrderInBatch::bindTable(unsigned index) {
  const OrderLayout &layout = frame->layout.orders[index];
  count = frame->toI32(frame->symbol(layout.countSymbol));
  if (!order->isTabled())
    return;
  table = frame->tableOfBatch(layout.rowsView);
  if (order->kind == OrderKind::SegmentSorted)
    isIdentity = frame->negate(frame->isZero(frame->orderState(index, /*isIdentity*/ 1)));
}

void OrderInBatch::bindClass(const ClassSizes &classes, Value number) {
  Frame &f = *frame;
  Value shortest = ::number(f, classes.shortest);
  stride = ::number(f, classes.count);
  isLong = f.less(number, f.symbol(classes.longer));
  count = f.select(isLong, f.add(shortest, 1), f.select(f.less(number, f.symbol(classes.count)), shortest, f.i32(0)));
  first = f.toI32(f.least(number, rowCount()));
}

void OrderInBatch::bindBlock(Value number) {
  Frame &f = *frame;
  Expr firstRow = order->firstRowOfBlock(Expr::row());
  narrowTo(f.toI32(f.evaluate(firstRow, number)), f.toI32(f.evaluate(firstRow, f.add(number, 1))));
}

void OrderInBatch::bindPatch(Value number) {
  Frame &f = *frame;
  auto [row, column] = f.partOf(f.toI32(number));
  narrowTo(GridPart{evaluate(f, order->modulus), f.index(0), f.mul(row, order->patchRows),
                    f.mul(column, order->patchColumns), f.i32(order->patchRows), f.i32(order->patchColumns),
                    order->patchRows * order->patchColumns});
}

void OrderInBatch::narrowTo(const GridPart &part) {
  Frame &f = *frame;
  gridPart = part;
  count = part.boxes ? f.mul(part.boxes, part.ranks) : f.i32(part.ranks);
}

void OrderInBatch::bindRuns() {
  Frame &f = *frame;
  Value rows = rowCount();
  first = f.toI32(f.least(evaluate(f, Expr::mod(order->from - order->shift, order->modulus)), rows));
  stride = f.toI32(f.clamp(evaluate(f, order->modulus), f.index(1), f.index(INT32_MAX)));
  width = f.toI32(evaluate(f, order->below - order->from));
  count = rankInRuns(rows);
}

//===-- Rows of ranks ---------------------------------------------------------------------------------------------===//

Value OrderInBatch::byLayout(llvm::function_ref<Value()> mapped, llvm::function_ref<Value()> scattered) const {
  if (isScattered())
    return scattered();
  return isIdentity ? frame->choose(isIdentity, mapped, scattered) : mapped();
}

std::pair<Value, Value> OrderInBatch::placeInMap(Value rank) const {
  if (gridPart) {
    auto [y, x] = pointOf(rank);
    Frame &f = *frame;
    // Where there is a map, rows of the grid begin where rows of the side do.
    Value firstRow = f.toI32(f.divideDown(gridPart->shift, gridPart->width));
    return {x, f.sub(y, firstRow)};
  }
  if (isReadInRuns)
    return {frame->i32(0), frame->divide(rank, width)};
  return {rank, order->kind == OrderKind::Classes ? first : Value()};
}

Value OrderInBatch::rowsOfCopy() const {
  return gridPart && gridPart->boxes ? frame->mul(gridPart->rows, gridPart->columns) : Value();
}

/// Maps end with the side; what they know of classes and grids ends there, too.
Value OrderInBatch::holdsTile(Value firstRank) const {
  if (order->kind != OrderKind::Blocks)
    return Value();
  Frame &f = *frame;
  return f.negate(f.less(count, f.least(f.add(firstRank, 64), f.toI32(rowCount()))));
}

/// Row and column of a rank on the grid; some column of the next row for ranks behind a box's last point.
std::pair<Value, Value> OrderInBatch::pointOf(Value rank) const {
  Frame &f = *frame;
  const GridPart &part = *gridPart;
  Value inBox = part.boxes ? f.remainder(rank, part.ranks) : rank;
  Value y = f.add(part.top, f.divide(inBox, part.columns)), x = f.add(part.left, f.remainder(inBox, part.columns));
  if (part.boxes)
    y = f.add(y, f.mul(f.divide(rank, part.ranks), part.rows));
  return {y, x};
}

Value OrderInBatch::hasRow(Value rank) const {
  Frame &f = *frame;
  Value isRank = f.compare(CmpIPredicate::ult, rank, count);
  if (!gridPart)
    return isRank;
  const GridPart &part = *gridPart;
  auto [y, x] = pointOf(rank);
  Value isPoint = f.less(part.boxes ? f.remainder(rank, part.ranks) : rank, f.mul(part.rows, part.columns));
  Value row = f.sub(f.add(f.mul(f.toIndex(y), part.width), f.toIndex(x)), part.shift);
  Value isInside =
      f.both(f.compare(CmpIPredicate::ult, f.toIndex(x), part.width), f.compare(CmpIPredicate::ult, row, rowCount()));
  return f.both(f.both(isRank, isPoint), isInside);
}

Value OrderInBatch::rowOf(Value rank) const {
  Frame &f = *frame;
  if (gridPart) {
    auto [y, x] = pointOf(rank);
    return f.toI32(f.sub(f.add(f.mul(f.toIndex(y), gridPart->width), f.toIndex(x)), gridPart->shift));
  }
  auto fromTable = [&] { return f.load32(table, arith::ExtUIOp::create(f.b, f.b.getI64Type(), rank)); };
  switch (order->kind) {
  case OrderKind::All:
  case OrderKind::Blocks:
    return rank;
  case OrderKind::Classes:
    return f.add(first, f.mul(rank, stride));
  case OrderKind::Remainders:
    if (isReadInRuns)
      return f.add(f.add(first, f.mul(f.divide(rank, width), stride)), f.remainder(rank, width));
    return f.toI32(f.evaluate(order->rowOfRank(), rank));
  case OrderKind::Listed:
    return fromTable();
  case OrderKind::SegmentSorted:
    return f.choose(isIdentity, [&] { return rank; }, fromTable);
  case OrderKind::Patches:
    break;
  }
  llvm_unreachable("patches are parts of a grid");
}

Value OrderInBatch::rowOr(Value rank, Value otherwise) const {
  Value exists = hasRow(rank);
  if (!order->isTabled())
    return frame->select(exists, rowOf(rank), otherwise);
  return frame->choose(exists, [&] { return rowOf(rank); }, [&] { return otherwise; });
}

Value OrderInBatch::someRowOf(Value rank) const {
  Frame &f = *frame;
  if (gridPart)
    return f.clamp(rowOf(rank), f.i32(0), f.sub(f.toI32(rowCount()), 1));
  if (order->kind == OrderKind::All || order->kind == OrderKind::Classes)
    return rowOf(rank);
  Value inside = f.clamp(rank, f.i32(0), f.sub(count, 1));
  if (!isIdentity)
    return rowOf(inside);
  Value row = f.load32(table, arith::ExtUIOp::create(f.b, f.b.getI64Type(), inside));
  return f.select(isIdentity, rank, row);
}

//===-- Ranks of rows ---------------------------------------------------------------------------------------------===//

Value OrderInBatch::leadOf(const Expr &bound) const {
  const auto *found = llvm::find_if(leads, [&](const auto &lead) { return lead.first == bound; });
  return found == leads.end() ? Value() : found->second;
}

Value OrderInBatch::rankOf(Value row, Value begin, Value end) const {
  Frame &f = *frame;
  if (stride)
    return f.clamp(rankInRuns(row), begin, end);
  auto clamped = [&](Value rank) { return f.toI32(f.clamp(rank, f.toIndex(begin), f.toIndex(end))); };
  if (order->isComputed())
    return clamped(f.evaluate(order->rankOfRow(), row));
  auto identity = [&] { return clamped(row); };
  auto found = [&] { return searchRank(row, begin, end); };
  if (!order->isTabled())
    return identity();
  return isIdentity ? f.choose(isIdentity, identity, found) : found();
}

/// What is whole before the row, and what the last run has before it. A class is in runs of one row.
Value OrderInBatch::rankInRuns(Value row) const {
  Frame &f = *frame;
  Value inside = f.toI32(f.greatest(f.least(row, rowCount()), f.toIndex(first)));
  Value after = f.sub(inside, first);
  if (!width)
    return f.divide(f.add(after, f.sub(stride, 1)), stride);
  return f.add(f.mul(f.divide(after, stride), width), f.least(f.remainder(after, stride), width));
}

Value OrderInBatch::searchRank(Value row, Value begin, Value end) const {
  Frame &f = *frame;
  Type i32 = f.b.getI32Type();
  auto loop = scf::WhileOp::create(
      f.b, TypeRange{i32, i32}, ValueRange{begin, end},
      [&](OpBuilder &, Location, ValueRange range) {
        scf::ConditionOp::create(f.b, f.less(range[0], range[1]), range);
      },
      [&](OpBuilder &, Location, ValueRange range) {
        Value middle = f.divide(f.add(range[0], range[1]), 2);
        Value at = arith::ExtUIOp::create(f.b, f.b.getI64Type(), middle);
        Value before = f.less(f.toIndex(f.load32(table, at)), row);
        scf::YieldOp::create(
            f.b, ValueRange{f.select(before, f.add(middle, 1), range[0]), f.select(before, range[1], middle)});
      });
  f.b.setInsertionPointAfter(loop);
  return loop.getResult(0);
}
