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
      isTiled(version == GpuVersion::Tiled) {}

//===-- Items -----------------------------------------------------------------------------------------------------===//

// Items number (batch, head, tile), the tile fastest, so that blocks that run together read the same keys; or, tile by
// tile, (tile, batch, head). Where tiles differ, those with the most keys come first: a long item begun last would
// leave the others waiting.
void PhaseKernel::forEachItem(ValueRange carried,
                              llvm::function_ref<SmallVector<Value>(const Item &, ValueRange)> body) {
  Value block = NVVM::BlockIdXOp::create(f.b, f.b.getI32Type());
  if (!shape.loopsOverItems)
    return (void)body(itemOf(block), carried);
  Value items = f.mul(f.mul(f.size(ATTN_GPU_TILES), f.size(ATTN_GPU_HEADS)), f.size(ATTN_GPU_BATCH));
  Value blocks = NVVM::GridDimXOp::create(f.b, f.b.getI32Type());
  f.loop(block, items, blocks, carried, [&](Value number, ValueRange inner) { return body(itemOf(number), inner); });
}

Item PhaseKernel::itemOf(Value number) {
  Value tiles = f.size(ATTN_GPU_TILES), heads = f.size(ATTN_GPU_HEADS), kvHeads = f.size(ATTN_GPU_KV_HEADS);
  Value isTileMajor = f.negate(f.isZero(f.size(ATTN_GPU_TILE_MAJOR)));
  Value unit = f.select(isTileMajor, f.mul(f.size(ATTN_GPU_BATCH), heads), tiles);
  Value slow = f.divide(number, unit), fast = f.remainder(number, unit);
  Value headOfBatch = f.select(isTileMajor, fast, slow), tile = f.select(isTileMajor, slow, fast);
  if (shape.descending)
    tile = f.sub(f.sub(tiles, 1), tile);
  f.batch = f.divide(headOfBatch, heads), f.head = f.remainder(headOfBatch, heads);
  return {f.mul(tile, shape.rows), f.divide(f.head, f.divide(heads, kvHeads))};
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
  Value place = f.add(f.mul(f.batch, layout.orders.size()), order);
  Value at = arith::ExtUIOp::create(f.b, f.b.getI64Type(), f.add(f.mul(place, 2), 1));
  Value isIdentity = f.load32(f.word(layout.symbolCount() + ATTN_GPU_ORDERS), at);
  return {count, rows, f.negate(f.isZero(isIdentity))};
}

Value PhaseKernel::byOrder(const OrderInBatch &order, llvm::function_ref<Value()> identity,
                           llvm::function_ref<Value()> table) {
  if (!order.rows)
    return identity();
  if (!order.isIdentity)
    return table();
  return f.choose(
      order.isIdentity, [&] { return SmallVector<Value>{identity()}; }, [&] { return SmallVector<Value>{table()}; })[0];
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
  return f.choose(
      exists, [&] { return SmallVector<Value>{rowOf(order, rank)}; }, [&] { return SmallVector<Value>{otherwise}; })[0];
}

Value PhaseKernel::isOwned(Value row) {
  Value owned = f.truth(true);
  if (!op.getExceptAttr())
    return owned;
  for (Attribute order : op.getExceptAttr()) {
    const OrderLayout &other = layout.orders[layout.orderIndex(cast<OrderAttr>(order), Side::Queries)];
    Value at = arith::ExtUIOp::create(f.b, f.b.getI64Type(), f.divide(row, 32));
    Value flags = f.load32(f.tableOfBatch(other.flagsView), at);
    Value bit = f.both(arith::ShRUIOp::create(f.b, flags, f.remainder(row, 32)), f.i32(1));
    owned = f.both(owned, f.isZero(bit));
  }
  return owned;
}

//===-- Intervals -------------------------------------------------------------------------------------------------===//

Interval PhaseKernel::intervalOf(BoxOp box, const OrderInBatch &queries, const OrderInBatch &keys, Value rank) {
  auto none = [&](Value row) { return SmallVector<Value>{row, f.truth(false), f.i32(neverRank), f.i32(0)}; };
  SmallVector<Value> interval = f.choose(
      f.compare(CmpIPredicate::ult, rank, queries.count),
      [&] {
        Value row = rowOf(queries, rank);
        auto some = [&] {
          auto [begin, end] = ranksOf(box, keys, row, rank);
          Value looks = f.less(begin, end);
          return SmallVector<Value>{row, f.truth(true), f.select(looks, begin, f.i32(neverRank)),
                                    f.select(looks, end, f.i32(0))};
        };
        if (!op.getExceptAttr())
          return some();
        return f.choose(isOwned(row), some, [&] { return none(row); });
      },
      [&] { return none(f.i32(0)); });
  return {interval[0], interval[1], interval[2], interval[3]};
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

KeyTiles PhaseKernel::keyTilesOf(BoxOp box, const OrderInBatch &queries, const OrderInBatch &keys, const Item &item) {
  // A row that the phase does not own takes part in nothing; one without keys makes nothing full.
  SmallVector<Value> extremes{f.i32(neverRank), f.i32(0), f.i32(0), f.i32(neverRank)};
  Value first = f.add(item.firstRank, f.lane());
  extremes = f.loop(f.i32(0), f.i32(shape.rows), f.i32(32), extremes, [&](Value part, ValueRange e) {
    Interval interval = intervalOf(box, queries, keys, f.add(first, part));
    Value low = f.select(interval.isOwned, interval.begin, f.i32(0));
    Value high = f.select(interval.isOwned, interval.end, f.i32(neverRank));
    return SmallVector<Value>{f.least(e[0], interval.begin), f.greatest(e[1], interval.end), f.greatest(e[2], low),
                              f.least(e[3], high)};
  });
  Hull hull{f.leastOfWarp(extremes[0]), f.greatestOfWarp(extremes[1]), f.greatestOfWarp(extremes[2]),
            f.leastOfWarp(extremes[3])};
  // Also where hull is [never, 0).
  Value length = f.greatest(f.sub(hull.end, hull.begin), f.i32(0));
  Value count = f.ceilDivide(length, shape.keys);
  bool fromFirst = startsAtFirstKey(box.getSameSegment(), box.getLower().getExpr());
  Value last = fromFirst ? f.add(hull.begin, f.mul(count, shape.keys)) : hull.end;
  return {hull, last, count};
}

//===-- Shared memory ---------------------------------------------------------------------------------------------===//

Value PhaseKernel::stageOf(Value slot) { return tile::StageIndexOp::create(f.b, f.b.getI32Type(), slot); }

Value PhaseKernel::keyRowPointer(Value stage, Value place) {
  Type shared = LLVM::LLVMPointerType::get(f.b.getContext(), 3);
  Value at = f.add(f.mul(stage, shape.keys), place);
  Value base = tile::AddressOp::create(f.b, shared, f.b.getI32IntegerAttr(shape.keyRowsOffset));
  return LLVM::GEPOp::create(f.b, shared, f.b.getI32Type(), base, ArrayRef<LLVM::GEPArg>{at});
}
