// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loads and stores the rows of a query tile.

#include "TileRows.h"
#include "../../Runtime/kernel.h"
#include "RowWalk.h"
#include "TilePipeline.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

TileRows::TileRows(Frame &frame, const Kernel &kernel, unsigned queryOrder, PhaseOp phase)
    : f(frame), kernel(kernel), layout(kernel.layout), packing(kernel.layout, kernel.isa), ops(frame, kernel.op()),
      queryOrder(queryOrder), phase(phase) {}

//===-- Rows ------------------------------------------------------------------------------------------------------===//

Value TileRows::bind(Value tile) {
  bindScratch();
  const Order &order = layout.orders[queryOrder].order;
  Value end;
  if (order.kind != OrderKind::Blocks) {
    first = f.mul(tile, layout.tile[0]);
    end = f.countOf(layout.orders[queryOrder]);
  } else {
    Value zero = f.index(0);
    Value longest = f.least(f.evaluate(order.modulus, zero), f.symbol(Length));
    Value tilesOfBlock = arith::CeilDivSIOp::create(f.b, longest, f.index(layout.tile[0]));
    Value block = f.add(f.evaluate(order.firstBlock(), zero), arith::DivUIOp::create(f.b, tile, tilesOfBlock));
    Value inBlock = f.mul(arith::RemUIOp::create(f.b, tile, tilesOfBlock), layout.tile[0]);
    Expr firstRow = order.firstRowOfBlock(Expr::row());
    first = f.add(f.evaluate(firstRow, block), inBlock);
    end = f.evaluate(firstRow, f.add(block, 1));
  }
  valid = f.least(f.index(layout.tile[0]), f.sub(end, first));
  padded = f.alignUp(f.greatest(valid, f.index(0)), layout.tile[2]);
  return end;
}

void TileRows::bindScratch() {
  rows = f.scratchArray(ScratchArray::Row), owned = f.scratchArray(ScratchArray::Owned);
  output = f.scratchArray(ScratchArray::Output);
  sum = f.scratchArray(ScratchArray::Sum), maximum = f.scratchArray(ScratchArray::Maximum);
}

void TileRows::load() {
  Value query = f.view(QueryTensor, f.storage()), loaded = f.scratchArray(ScratchArray::Query);
  Value factor = ops.scale();
  if (!kernel.changesScores())
    factor = arith::MulFOp::create(f.b, factor, f.number(log2e));
  factor = splat(f.b, factor, f.isa.lanes);
  // Pipelines multiply rows as they are, but a sink may look at the numbers.
  bool readsNumbers = !isPipelined(kernel) || !kernel.op().getSink().empty();
  RowWalk(f, layout.orders[queryOrder]).forEach(first, f.add(first, valid), [&](Value rank, Value row) {
    Value r = f.sub(rank, first);
    f.store(row, rows, {r});
    f.store(ownership(row, rank), owned, {r});
    if (readsNumbers)
      f.copyRow(query, {f.batch, f.head, row, Value()}, loaded, {r, Value()}, layout.headSize,
                [&](Value v) -> Value { return arith::MulFOp::create(f.b, f.widen(v), factor); });
    if (f.isa.takesQueryAsItIs())
      copyUnits(query, row, r);
  });
  f.loop(valid, padded, 1, [&](Value r) {
    f.store(f.index(0), rows, {r});
    if (readsNumbers)
      f.loop(f.index(0), f.index(layout.headSize), 1, [&](Value c) { f.store(f.number(0), loaded, {r, c}); });
    if (f.isa.takesQueryAsItIs())
      clearUnits(r, 0);
  });
}

/// A query row as it is.
void TileRows::copyUnits(Value query, Value row, Value r) {
  Value units =
      packing.isPaired() ? f.scratchHalves(ScratchArray::QueryUnits) : f.scratchArray(ScratchArray::QueryUnits);
  f.copyRow(query, {f.batch, f.head, row, Value()}, units, {r, Value()}, layout.headSize,
            [&](Value v) { return packing.isPaired() ? v : f.widen(v); });
  clearUnits(r, layout.headSize);
}

void TileRows::clearUnits(Value r, int64_t firstColumn) {
  Value units =
      packing.isPaired() ? f.scratchHalves(ScratchArray::QueryUnits) : f.scratchArray(ScratchArray::QueryUnits);
  Value zero = arith::ConstantOp::create(f.b, f.b.getZeroAttr(Frame::elementOf(units)));
  f.loop(f.index(firstColumn), f.index(packing.unitColumns * packing.units), 1,
         [&](Value column) { f.store(zero, units, {r, column}); });
}

/// 1 unless an earlier phase owns the row, or the rank stands for none.
Value TileRows::ownership(Value row, Value rank) {
  const OrderLayout &queries = layout.orders[queryOrder];
  Value is = arith::ConstantOp::create(f.b, f.b.getI32IntegerAttr(1));
  if (queries.order.kind == OrderKind::Patches)
    is = arith::ExtUIOp::create(f.b, f.b.getI32Type(), f.hasRow(queries, rank));
  if (!phase.getExceptAttr())
    return is;
  for (Attribute order : phase.getExceptAttr()) {
    const OrderLayout &other = layout.orders[layout.orderIndex(cast<OrderAttr>(order), Side::Queries)];
    Value flag =
        f.toInt32(other.order.isComputed() ? f.evaluate(other.order.holdsRow(), row) : f.entryOf(other.flagsView, row));
    is = arith::SubIOp::create(f.b, is, arith::MinSIOp::create(f.b, is, flag));
  }
  return is;
}

Value TileRows::isOne(Value flag) {
  Value zero = arith::ConstantOp::create(f.b, f.b.getI32IntegerAttr(0));
  return arith::CmpIOp::create(f.b, arith::CmpIPredicate::ne, flag, zero);
}

//===-- States ----------------------------------------------------------------------------------------------------===//

void TileRows::beginStates() {
  if (phase.getContinues())
    continueStates();
  else
    f.loop(f.index(0), padded, 1, [&](Value r) { beginState(r); });
}

void TileRows::clearOutput(Value r) {
  f.loop(f.index(0), f.index(layout.valueStride()), f.isa.lanes,
         [&](Value c) { f.storeVector(f.numbers(0), output, {r, c}); });
}

void TileRows::beginEmpty(Value r) {
  clearOutput(r);
  f.storeVector(f.numbers(0), sum, {r, f.index(0)});
  f.store(none(), maximum, {r});
}

/// An empty state, or that of the sink: a key of this score, whose value is 0. A sink of -inf is none.
void TileRows::beginState(Value r) {
  beginEmpty(r);
  if (kernel.op().getSink().empty())
    return;
  Value highest = arith::MulFOp::create(f.b, sinkOf(r), f.number(log2e));
  Value isNone = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OEQ, highest, none());
  f.store(f.select(isNone, f.number(0), f.number(1)), sum, {r, f.index(0)});
  f.store(highest, maximum, {r});
}

/// The states that earlier phases have left. Rows that this phase does not write may hold anything, and have none.
void TileRows::continueStates() {
  Value lse = f.view(LseTensor, f.b.getF32Type(), /*unitColumns=*/false), written = f.view(OutputTensor, f.storage());
  f.loop(f.index(0), valid, 1,
         [&](Value r) { f.when(isOwned(r), [&] { continueState(r, lse, written); }, [&] { beginEmpty(r); }); });
  f.loop(valid, padded, 1, [&](Value r) { beginEmpty(r); });
}

/// m = lse, l = 1, O = output
void TileRows::continueState(Value r, Value lse, Value written) {
  Value row = rowAt(r), before = f.load(lse, {f.batch, f.head, row, f.index(0)});
  f.store(arith::MulFOp::create(f.b, before, f.number(log2e)), maximum, {r});
  Value isNone = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OEQ, before, none());
  f.storeVector(f.numbers(0), sum, {r, f.index(0)});
  f.store(f.select(isNone, f.number(0), f.number(1)), sum, {r, f.index(0)});
  if (layout.valueStride() > layout.valueHeadSize)
    clearOutput(r);
  f.copyRow(written, {f.batch, f.head, row, Value()}, output, {r, Value()}, layout.valueHeadSize,
            [&](Value v) { return f.widen(v); });
}

Value TileRows::sinkOf(Value r) {
  PairPlace place;
  place.row = r, place.queryRow = rowAt(r), place.query = f.scratchArray(ScratchArray::Query);
  auto writeOp = [&](Operation *op, ValueRange operands) -> Value {
    Value result = ops.write(op, operands, place);
    // Without a score region, log2(e) is in Q.
    if (isa<QueryDotOp>(op) && !kernel.changesScores())
      result = arith::MulFOp::create(f.b, result, f.number(1 / log2e));
    return result;
  };
  RegionInliner inliner(f.b, f.isa.lanes, [&](Value outer) { return f.argument(outer); }, writeOp);
  Value position = f.add(place.queryRow, f.symbol(QueryOffset));
  return inliner.inlineRegion(kernel.op().getSink(), {f.batch, f.head, position});
}

//===-- Parts -----------------------------------------------------------------------------------------------------===//

int64_t attn::cpu::partSize(const KernelLayout &layout) {
  return ATTN_FEW_ROWS * (layout.valueStride() + KernelLayout::panelKeys);
}

/// [parts][rows][value stride, m, l, and nothing]
Value TileRows::partsAt(Value pointer) {
  int64_t columns = partSize(layout) / ATTN_FEW_ROWS;
  return f.memrefAt(pointer, MemRefType::get({ShapedType::kDynamic, ATTN_FEW_ROWS, columns}, f.b.getF32Type()));
}

void TileRows::beginPart() {
  f.loop(f.index(0), padded, 1, [&](Value r) { beginEmpty(r); });
}

void TileRows::storePart(Value pointer) {
  Value parts = partsAt(pointer), zero = f.index(0);
  f.loop(zero, valid, 1, [&](Value r) {
    f.loop(zero, f.index(layout.valueStride()), f.isa.lanes,
           [&](Value c) { f.storeVector(f.loadVector(output, {r, c}), parts, {zero, r, c}); });
    f.store(f.load(maximum, {r}), parts, {zero, r, f.index(layout.valueStride())});
    Value sums = f.loadVector(sum, {r, zero});
    Value total = f.reduce(sums, [&](Value x, Value y) -> Value { return arith::AddFOp::create(f.b, x, y); });
    f.store(total, parts, {zero, r, f.index(layout.valueStride() + 1)});
  });
}

void TileRows::addParts(Value pointer, Value count) {
  Value parts = partsAt(pointer);
  f.loop(f.index(0), valid, 1,
         [&](Value r) { f.loop(f.index(0), count, 1, [&](Value part) { addPart(parts, part, r); }); });
}

void TileRows::addPart(Value parts, Value part, Value r) {
  Value m = f.load(maximum, {r}), other = f.load(parts, {part, r, f.index(layout.valueStride())});
  Value highest = f.maximum(m, other);
  // Of two that are equal none is scaled: -inf beside -inf.
  auto factorOf = [&](Value from) -> Value {
    Value same = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OEQ, from, highest);
    Value power = f.exp2(splat(f.b, arith::SubFOp::create(f.b, from, highest), f.isa.lanes));
    return f.select(same, f.numbers(1), power);
  };
  Value factor = factorOf(m), otherFactor = factorOf(other);
  f.store(highest, maximum, {r});
  auto add = [&](Value memref, Value column, Value added) {
    Value scaled = arith::MulFOp::create(f.b, f.loadVector(memref, {r, column}), factor);
    f.storeVector(f.fma(added, otherFactor, scaled), memref, {r, column});
  };
  Value isFirst = arith::CmpIOp::create(f.b, arith::CmpIPredicate::eq, f.lanesOf(f.b.getI32Type()), f.integers(0));
  Value total = splat(f.b, f.load(parts, {part, r, f.index(layout.valueStride() + 1)}), f.isa.lanes);
  add(sum, f.index(0), f.select(isFirst, total, f.numbers(0)));
  f.loop(f.index(0), f.index(layout.valueStride()), f.isa.lanes,
         [&](Value c) { add(output, c, f.loadVector(parts, {part, r, c})); });
}

//===-- Output ----------------------------------------------------------------------------------------------------===//

void TileRows::store() {
  Value total = f.scratchArray(ScratchArray::Total), lse = f.scratchArray(ScratchArray::Lse);
  f.loop(f.index(0), padded, 1, [&](Value r) {
    Value sums = f.loadVector(sum, {r, f.index(0)});
    f.store(f.reduce(sums, [&](Value x, Value y) -> Value { return arith::AddFOp::create(f.b, x, y); }), total, {r});
  });
  // lse = m ln(2) + ln(l); ln(0) = -inf.
  f.loop(f.index(0), padded, f.isa.lanes, [&](Value r) {
    Value logarithm = math::LogOp::create(f.b, f.loadVector(total, {r}));
    f.storeVector(f.fma(f.loadVector(maximum, {r}), f.numbers(0.6931471805599453), logarithm), lse, {r});
  });
  Value out = f.view(OutputTensor, f.storage());
  f.loop(f.index(0), valid, 1, [&](Value r) { f.when(isOwned(r), [&] { storeRow(r, f.load(total, {r}), out); }); });
  Value isWanted = LLVM::ICmpOp::create(f.b, LLVM::ICmpPredicate::ne, f.viewData(LseTensor),
                                        LLVM::ZeroOp::create(f.b, LLVM::LLVMPointerType::get(f.b.getContext())));
  f.when(isWanted, [&] {
    Value target = f.view(LseTensor, f.b.getF32Type(), /*unitColumns=*/false);
    f.loop(f.index(0), valid, 1, [&](Value r) {
      f.when(isOwned(r), [&] { f.store(f.load(lse, {r}), target, {f.batch, f.head, rowAt(r), f.index(0)}); });
    });
  });
}

/// output = O / l, and 0 where no key was admitted.
void TileRows::storeRow(Value r, Value total, Value out) {
  Value isNone = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OEQ, total, f.number(0));
  Value inverse = f.select(isNone, f.number(0), arith::DivFOp::create(f.b, f.number(1), total));
  inverse = splat(f.b, inverse, f.isa.lanes);
  f.copyRow(output, {r, Value()}, out, {f.batch, f.head, rowAt(r), Value()}, layout.valueHeadSize,
            [&](Value v) -> Value { return f.narrow(arith::MulFOp::create(f.b, v, inverse)); });
}
