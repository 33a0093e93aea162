// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One query tile of one phase: load the rows, run over the boxes, write the rows that the phase owns.
//
// A box's bounds become, for each row, an interval of key ranks. Their extremes say where key tiles begin and end and
// which of them are full; a tile in which no row looks at any key is skipped. This is Walk.cpp, step by step.

#include "RegionOps.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

namespace {

class TileEmitter {
public:
  TileEmitter(ImplicitLocOpBuilder &b, const Kernel &kernel, GroupEmitter &groups, unsigned phaseIndex, PhaseOp phase)
      : f(b, kernel.layout, kernel.isa), kernel(kernel), layout(kernel.layout), ops(f, kernel.op()), groups(groups),
        phaseIndex(phaseIndex), phase(phase), queryOrder(layout.phases[phaseIndex].queries) {}

  void emit() {
    Type pointer = LLVM::LLVMPointerType::get(f.b.getContext()), index = f.b.getIndexType();
    f.begin(kernel.module, kernel.nameOf("tile." + Twine(phaseIndex)),
            {pointer, pointer, index, index, index, pointer});
    f.views = f.arguments[0], f.symbols = f.arguments[1], f.scratch = f.arguments[5];
    f.batch = f.arguments[2], f.head = f.arguments[3];
    first = f.mul(f.arguments[4], layout.tile[0]);
    Value count = f.symbol(layout.orders[queryOrder].countSymbol);
    f.when(f.less(first, count), [&] {
      valid = f.least(f.index(layout.tile[0]), f.sub(count, first));
      padded = f.alignUp(valid, layout.tile[2]);
      mapScratch();
      loadRows();
      for (BoxOp box : phase.getBoxes().getOps<BoxOp>())
        emitBox(box);
      storeRows();
    });
    f.end();
  }

private:
  void mapScratch() {
    rows = f.scratchArray(ScratchArray::Row), owned = f.scratchArray(ScratchArray::Owned);
    lower = f.scratchArray(ScratchArray::Lower), upper = f.scratchArray(ScratchArray::Upper);
    groupLower = f.scratchArray(ScratchArray::GroupLower), groupUpper = f.scratchArray(ScratchArray::GroupUpper);
    output = f.scratchArray(ScratchArray::Output);
    sum = f.scratchArray(ScratchArray::Sum), maximum = f.scratchArray(ScratchArray::Maximum);
  }

  //===-- Rows --------------------------------------------------------------------------------------------------===//

  /// Q times the scale, an empty state, and which rows these are.
  void loadRows() {
    Value query = f.view(QueryTensor, f.storage()), loaded = f.scratchArray(ScratchArray::Query);
    Value factor = ops.scale();
    if (!kernel.changesScores())
      factor = arith::MulFOp::create(f.b, factor, f.number(log2e));
    factor = splat(f.b, factor, f.isa.lanes);
    f.loop(f.index(0), valid, 1, [&](Value r) {
      Value rank = f.add(first, r);
      int view = layout.orders[queryOrder].rowsView;
      Value row = view < 0 ? rank : f.entryOf(view, rank);
      f.store(row, rows, {r});
      f.store(isOwned(row), owned, {r});
      f.copyRow(query, {f.batch, f.head, row, Value()}, loaded, {r, Value()}, layout.headSize,
                [&](Value v) -> Value { return arith::MulFOp::create(f.b, f.widen(v), factor); });
    });
    f.loop(valid, padded, 1, [&](Value r) {
      f.store(f.index(0), rows, {r});
      f.loop(f.index(0), f.index(layout.headSize), 1, [&](Value c) { f.store(f.number(0), loaded, {r, c}); });
    });
    f.loop(f.index(0), padded, 1, [&](Value r) {
      beginState(r);
      f.loop(f.index(0), f.index(layout.valueStride()), f.isa.lanes,
             [&](Value c) { f.storeVector(f.numbers(0), output, {r, c}); });
    });
    emitRowTerms(f, kernel, ScoreTerms(kernel.op().getScore()), valid);
  }

  /// An empty state, or that of the sink: a key of this score, whose value is 0. A sink of -inf is none.
  void beginState(Value r) {
    Value none = f.number(-std::numeric_limits<double>::infinity()), highest = none;
    f.storeVector(f.numbers(0), sum, {r, f.index(0)});
    if (!kernel.op().getSink().empty()) {
      highest = arith::MulFOp::create(f.b, sinkOf(r), f.number(log2e));
      Value isNone = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OEQ, highest, none);
      f.store(f.select(isNone, f.number(0), f.number(1)), sum, {r, f.index(0)});
    }
    f.store(highest, maximum, {r});
  }

  Value sinkOf(Value r) {
    PairPlace place;
    place.row = r, place.queryRow = f.load(rows, {r}), place.query = f.scratchArray(ScratchArray::Query);
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

  /// 1 unless an earlier phase owns the row.
  Value isOwned(Value row) {
    Value none = arith::ConstantOp::create(f.b, f.b.getI32IntegerAttr(1));
    if (!phase.getExceptAttr())
      return none;
    Value is = none;
    for (Attribute order : phase.getExceptAttr()) {
      const OrderLayout &other = layout.orders[layout.orderIndex(cast<OrderAttr>(order), Side::Queries)];
      Value flag = f.toInt32(f.entryOf(other.flagsView, row));
      is = arith::SubIOp::create(f.b, is, arith::MinSIOp::create(f.b, is, flag));
    }
    return is;
  }

  Value isOne(Value flag) {
    Value zero = arith::ConstantOp::create(f.b, f.b.getI32IntegerAttr(0));
    return arith::CmpIOp::create(f.b, arith::CmpIPredicate::ne, flag, zero);
  }

  //===-- Boxes -------------------------------------------------------------------------------------------------===//

  struct Hull {
    Value begin, end, fullBegin, fullEnd;
  };

  void emitBox(BoxOp box) {
    keyOrder = layout.orderIndex(box.getKeys(), Side::Keys);
    keyCount = f.symbol(layout.orders[keyOrder].countSymbol);
    Hull hull = emitIntervals(box);
    emitGroups();
    call = groupCall();
    Value begin = f.alignDown(hull.begin, layout.tile[3]), end = f.alignUp(hull.end, layout.tile[3]);
    f.loop(begin, end, layout.tile[1], [&](Value tile) {
      Value tileEnd = f.least(f.add(tile, layout.tile[1]), end);
      if (!box.getTest().empty()) {
        f.when(emitTests(box, tile, tileEnd), [&] { emitTile(Mask::Tests, tile, tileEnd); });
        return;
      }
      auto atLeast = [&](Value x, Value y) -> Value {
        return arith::CmpIOp::create(f.b, arith::CmpIPredicate::sge, x, y);
      };
      Value full = f.both(atLeast(tile, hull.fullBegin), atLeast(hull.fullEnd, tileEnd));
      f.when(
          full, [&] { emitTile(Mask::None, tile, tileEnd); },
          [&] { f.when(someRowLooks(tile, tileEnd), [&] { emitTile(Mask::Bounds, tile, tileEnd); }); });
    });
  }

  /// Writes each row's interval of key ranks; an empty one is [never, 0).
  Hull emitIntervals(BoxOp box) {
    Value never = f.index(neverRank), zero = f.index(0);
    SmallVector<Value> start{never, zero, zero, never};
    SmallVector<Value> hull = f.loop(zero, valid, 1, start, [&](Value r, ValueRange carried) -> SmallVector<Value> {
      auto [begin, end] = interval(box, r);
      Value owns = isOne(f.load(owned, {r}));
      Value some = f.both(owns, f.less(begin, end));
      begin = f.select(some, begin, never), end = f.select(some, end, zero);
      f.store(f.toInt32(begin), lower, {r});
      f.store(f.toInt32(end), upper, {r});
      // A row that the phase does not own takes part in nothing.
      return {f.least(carried[0], begin), f.greatest(carried[1], end),
              f.greatest(carried[2], f.select(owns, begin, zero)), f.least(carried[3], f.select(owns, end, never))};
    });
    f.loop(valid, padded, 1, [&](Value r) {
      f.store(f.toInt32(never), lower, {r});
      f.store(f.toInt32(zero), upper, {r});
    });
    return {hull[0], hull[1], hull[2], hull[3]};
  }

  /// The key ranks that row r of the tile looks at, by bounds alone.
  std::pair<Value, Value> interval(BoxOp box, Value r) {
    Value row = f.load(rows, {r}), begin = f.index(0), end = keyCount;
    if (box.getSameSegment()) {
      const MatchLayout &match = *layout.matchOf(queryOrder);
      begin = f.entryOf(match.beginView, f.add(first, r)), end = f.entryOf(match.endView, f.add(first, r));
    }
    Expr low = box.getLower().getExpr(), high = box.getUpper().getExpr();
    Value rangeBegin = begin, rangeEnd = end;
    if (low != Expr(0))
      begin = rankOf(f.evaluate(low, row), rangeBegin, rangeEnd);
    if (high != Expr::symbol(KvLength))
      end = rankOf(f.evaluate(high, row), rangeBegin, rangeEnd);
    return {begin, end};
  }

  /// The first rank in [begin, end) whose row is at least `row`.
  Value rankOf(Value row, Value begin, Value end) {
    int view = layout.orders[keyOrder].rowsView;
    if (view < 0)
      return f.greatest(begin, f.least(row, end));
    Type index = f.b.getIndexType();
    auto search = scf::WhileOp::create(
        f.b, TypeRange{index, index}, ValueRange{begin, end},
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

  /// The extremes of each sub-tile's rows.
  void emitGroups() {
    f.loop(f.index(0), padded, layout.tile[2], [&](Value r) {
      Value low = f.load(lower, {r}), high = f.load(upper, {r});
      for (int64_t m = 1; m < layout.tile[2]; ++m) {
        low = f.least(low, f.load(lower, {f.add(r, m)}));
        high = f.greatest(high, f.load(upper, {f.add(r, m)}));
      }
      Value group = arith::DivUIOp::create(f.b, r, f.index(layout.tile[2]));
      f.store(low, groupLower, {group});
      f.store(high, groupUpper, {group});
    });
  }

  GroupCall groupCall() {
    const OrderLayout &order = layout.orders[keyOrder];
    Value perKvHead = f.symbol(HeadsPerKvHeadSymbol);
    Value kvHead = arith::DivUIOp::create(f.b, f.head, perKvHead);
    auto row = [&](int view, Type element, ValueRange at) {
      Value memref = f.view(view, element);
      Value address = memref::ExtractStridedMetadataOp::create(f.b, memref).getOffset();
      auto strides = memref::ExtractStridedMetadataOp::create(f.b, memref).getStrides();
      for (auto [stride, i] : llvm::zip(strides, at))
        address = f.add(address, arith::MulIOp::create(f.b, stride, i));
      Value offset = arith::IndexCastOp::create(f.b, f.b.getI64Type(), address);
      return LLVM::GEPOp::create(f.b, LLVM::LLVMPointerType::get(f.b.getContext()), element, f.viewData(view),
                                 ArrayRef<LLVM::GEPArg>{offset})
          .getResult();
    };
    GroupCall result;
    result.views = f.views, result.symbols = f.symbols, result.scratch = f.scratch, result.first = first;
    result.keys = row(order.keyView, f.b.getF32Type(), {f.batch, kvHead});
    result.values = row(order.valueView, f.b.getF32Type(), {f.batch, kvHead});
    result.keyRows = order.rowsView < 0
                         ? LLVM::ZeroOp::create(f.b, LLVM::LLVMPointerType::get(f.b.getContext())).getResult()
                         : row(order.rowsView, f.b.getI32Type(), {f.batch});
    result.batch = f.batch, result.head = f.head, result.count = keyCount;
    return result;
  }

  Value someRowLooks(Value tile, Value tileEnd) {
    Value no = arith::ConstantOp::create(f.b, f.b.getBoolAttr(false));
    return f.loop(f.index(0), valid, 1, no, [&](Value r, ValueRange carried) -> SmallVector<Value> {
      Value begin = f.toIndex(f.load(lower, {r})), end = f.toIndex(f.load(upper, {r}));
      Value looks = f.less(f.greatest(begin, tile), f.least(end, tileEnd));
      return {arith::OrIOp::create(f.b, carried[0], looks)};
    })[0];
  }

  /// The sub-tiles that have something in this tile.
  void emitTile(Mask mask, Value tile, Value tileEnd) {
    ListedRows listed{layout.orders[queryOrder].rowsView >= 0, layout.orders[keyOrder].rowsView >= 0};
    GroupCall whole = call;
    whole.tile = whole.begin = tile, whole.end = tileEnd, whole.group = f.index(0);
    groups.prepareTerms(f, listed, whole);
    f.loop(f.index(0), arith::DivUIOp::create(f.b, padded, f.index(layout.tile[2])), 1, [&](Value group) {
      Value low = f.alignDown(f.toIndex(f.load(groupLower, {group})), layout.tile[3]);
      Value high = f.alignUp(f.toIndex(f.load(groupUpper, {group})), layout.tile[3]);
      GroupCall arguments = call;
      arguments.tile = tile, arguments.group = group;
      arguments.begin = f.greatest(tile, low), arguments.end = f.least(tileEnd, high);
      f.when(f.less(arguments.begin, arguments.end), [&] { groups.call(f, mask, listed, arguments); });
    });
  }

  //===-- Residual tests ----------------------------------------------------------------------------------------===//

  /// Asks every pair of the tile, keeps the answers, and returns whether there is a yes. What the test computes of keys
  /// alone, it computes once for all rows.
  Value emitTests(BoxOp box, Value tile, Value tileEnd) {
    Value answers = f.scratchArray(ScratchArray::Tests);
    bool listed = layout.orders[keyOrder].rowsView >= 0;
    Value no = f.integers(0);
    Value some = f.loop(tile, tileEnd, f.isa.lanes, no, [&](Value key, ValueRange outer) -> SmallVector<Value> {
      RegionInliner inliner(
          f.b, f.isa.lanes, [&](Value captured) { return f.argument(captured); },
          [&](Operation *op, ValueRange operands) { return ops.write(op, operands); });
      Value keyRows = keyRowsAt(f, listed ? call.keyRows : Value(), key, keyCount);
      inliner.inlineKnown(box.getTest(), {f.batch, f.head, Value(), keyRows});
      return f.loop(f.index(0), padded, 1, outer, [&](Value r, ValueRange inner) -> SmallVector<Value> {
        Value says = inliner.inlineRegion(box.getTest(), {f.batch, f.head, f.load(rows, {r}), keyRows});
        says = f.both(insideBounds(r, key), splat(f.b, says, f.isa.lanes));
        Value answer = arith::ExtUIOp::create(f.b, f.vectorType(f.b.getI32Type()), says);
        f.storeVector(answer, answers, {r, f.sub(key, tile)});
        return {arith::OrIOp::create(f.b, inner[0], answer)};
      });
    })[0];
    Value all = f.reduce(some, [&](Value x, Value y) -> Value { return arith::OrIOp::create(f.b, x, y); });
    return isOne(all);
  }

  Value insideBounds(Value r, Value key) {
    Value ranks = arith::AddIOp::create(f.b, splat(f.b, f.toInt32(key), f.isa.lanes), f.lanesOf(f.b.getI32Type()));
    auto compare = [&](arith::CmpIPredicate predicate, Value bounds) -> Value {
      return arith::CmpIOp::create(f.b, predicate, ranks, splat(f.b, f.load(bounds, {r}), f.isa.lanes));
    };
    return f.both(compare(arith::CmpIPredicate::sge, lower), compare(arith::CmpIPredicate::slt, upper));
  }

  //===-- Output ------------------------------------------------------------------------------------------------===//

  void storeRows() {
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
    f.loop(f.index(0), valid, 1,
           [&](Value r) { f.when(isOne(f.load(owned, {r})), [&] { storeRow(r, f.load(total, {r}), out); }); });
    Value isWanted = LLVM::ICmpOp::create(f.b, LLVM::ICmpPredicate::ne, f.viewData(LseTensor),
                                          LLVM::ZeroOp::create(f.b, LLVM::LLVMPointerType::get(f.b.getContext())));
    f.when(isWanted, [&] {
      Value target = f.view(LseTensor, f.b.getF32Type(), /*unitColumns=*/false);
      f.loop(f.index(0), valid, 1, [&](Value r) {
        f.when(isOne(f.load(owned, {r})),
               [&] { f.store(f.load(lse, {r}), target, {f.batch, f.head, f.load(rows, {r}), f.index(0)}); });
      });
    });
  }

  /// output = O / l, and 0 where no key was admitted.
  void storeRow(Value r, Value total, Value out) {
    Value none = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OEQ, total, f.number(0));
    Value inverse = f.select(none, f.number(0), arith::DivFOp::create(f.b, f.number(1), total));
    inverse = splat(f.b, inverse, f.isa.lanes);
    f.copyRow(output, {r, Value()}, out, {f.batch, f.head, f.load(rows, {r}), Value()}, layout.valueHeadSize,
              [&](Value v) -> Value { return f.narrow(arith::MulFOp::create(f.b, v, inverse)); });
  }

  Frame f;
  const Kernel &kernel;
  const KernelLayout &layout;
  RegionOps ops;
  GroupEmitter &groups;
  unsigned phaseIndex;
  PhaseOp phase;
  unsigned queryOrder, keyOrder = 0;
  GroupCall call;
  Value first, valid, padded, keyCount;
  Value rows, owned, lower, upper, groupLower, groupUpper, output, sum, maximum;
};

} // namespace

void attn::cpu::emitTile(const Kernel &kernel, GroupEmitter &groups, unsigned phaseIndex, PhaseOp phase) {
  ImplicitLocOpBuilder b(kernel.op().getLoc(), kernel.op().getContext());
  TileEmitter(b, kernel, groups, phaseIndex, phase).emit();
}
