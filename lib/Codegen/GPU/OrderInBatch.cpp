// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows of ranks and ranks of rows.

#include "OrderInBatch.h"

using namespace mlir;
using namespace attn;
using namespace attn::hopper;

/// An expression of the call alone.
static Value evaluate(Frame &f, const Expr &expr) { return f.evaluate(expr, f.index(0)); }

/// How many classes there are, i32: at least one, and no more than either side has rows, where more change nothing.
static Value classCount(Frame &f, const Order &order) {
  Value most = f.greatest(f.greatest(f.symbol(Length), f.symbol(KvLength)), f.index(1));
  return f.toI32(f.clamp(evaluate(f, order.modulus), f.index(1), most));
}

Value OrderInBatch::longestClass(Frame &f, const Order &order) {
  Value classes = classCount(f, order), rows = f.toI32(evaluate(f, rowsOf(order.side)));
  return f.divide(f.add(rows, f.sub(classes, 1)), classes);
}

//===-- Binding ---------------------------------------------------------------------------------------------------===//

OrderInBatch::OrderInBatch(Frame &f, unsigned index, Value number, bool isReadInRuns)
    : frame(&f), order(&f.layout.orders[index].order), isReadInRuns(isReadInRuns) {
  if (order->kind == OrderKind::Classes)
    bindClass(number);
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

void OrderInBatch::bindClass(Value number) {
  Frame &f = *frame;
  Value rows = rowCount();
  stride = classCount(f, *order);
  first = f.toI32(f.least(number, rows));
  Value rowsAfter = f.sub(f.toI32(rows), first);
  count = f.select(f.less(number, f.toIndex(stride)), f.divide(f.add(rowsAfter, f.sub(stride, 1)), stride), f.i32(0));
  isLong = f.less(first, f.remainder(f.toI32(rows), stride));
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
  if (isReadInRuns)
    return {frame->i32(0), frame->divide(rank, width)};
  return {rank, order->kind == OrderKind::Classes ? first : Value()};
}

Value OrderInBatch::rowOf(Value rank) const {
  Frame &f = *frame;
  auto fromTable = [&] { return f.load32(table, arith::ExtUIOp::create(f.b, f.b.getI64Type(), rank)); };
  switch (order->kind) {
  case OrderKind::All:
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
  default:
    llvm_unreachable("an order that is planned for other targets");
  }
}

Value OrderInBatch::rowOr(Value rank, Value otherwise) const {
  Value exists = frame->compare(CmpIPredicate::ult, rank, count);
  if (!order->isTabled())
    return frame->select(exists, rowOf(rank), otherwise);
  return frame->choose(exists, [&] { return rowOf(rank); }, [&] { return otherwise; });
}

Value OrderInBatch::someRowOf(Value rank) const {
  Frame &f = *frame;
  if (order->kind == OrderKind::All || order->kind == OrderKind::Classes)
    return rowOf(rank);
  Value inside = f.clamp(rank, f.i32(0), f.sub(count, 1));
  if (!isIdentity)
    return rowOf(inside);
  Value row = f.load32(table, arith::ExtUIOp::create(f.b, f.b.getI64Type(), inside));
  return f.select(isIdentity, rank, row);
}

//===-- Ranks of rows ---------------------------------------------------------------------------------------------===//

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
