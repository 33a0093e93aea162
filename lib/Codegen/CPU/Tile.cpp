// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One query tile of one phase: load the rows, run over the boxes, write the rows that the phase owns.
//
// A box's bounds become, for each row, an interval of key ranks. Their extremes say where key tiles begin and end and
// which of them are full; a tile in which no row looks at any key is skipped. This is Walk.cpp, step by step.

#include "GridKeys.h"
#include "RegionOps.h"
#include "RowWalk.h"

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
    Value count = beginTile(f.arguments[4]);
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
  /// Sets the first rank of a tile, and returns the rank that it ends at.
  Value beginTile(Value tile) {
    const Order &order = layout.orders[queryOrder].order;
    if (order.kind != OrderKind::Blocks) {
      first = f.mul(tile, layout.tile[0]);
      return f.countOf(layout.orders[queryOrder]);
    }
    Value zero = f.index(0);
    Value tilesOfBlock = arith::CeilDivSIOp::create(f.b, f.evaluate(order.modulus, zero), f.index(layout.tile[0]));
    Value block = f.add(f.evaluate(order.firstBlock(), zero), arith::DivUIOp::create(f.b, tile, tilesOfBlock));
    Value inBlock = f.mul(arith::RemUIOp::create(f.b, tile, tilesOfBlock), layout.tile[0]);
    Expr firstRow = order.firstRowOfBlock(Expr::row());
    first = f.add(f.evaluate(firstRow, block), inBlock);
    return f.evaluate(firstRow, f.add(block, 1));
  }

  void mapScratch() {
    rows = f.scratchArray(ScratchArray::Row), owned = f.scratchArray(ScratchArray::Owned);
    lower = f.scratchArray(ScratchArray::Lower), upper = f.scratchArray(ScratchArray::Upper);
    holeLower = f.scratchArray(ScratchArray::HoleLower), holeUpper = f.scratchArray(ScratchArray::HoleUpper);
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
    RowWalk(f, layout.orders[queryOrder]).forEach(first, f.add(first, valid), [&](Value rank, Value row) {
      Value r = f.sub(rank, first);
      f.store(row, rows, {r});
      f.store(isOwned(row, rank), owned, {r});
      f.copyRow(query, {f.batch, f.head, row, Value()}, loaded, {r, Value()}, layout.headSize,
                [&](Value v) -> Value { return arith::MulFOp::create(f.b, f.widen(v), factor); });
    });
    f.loop(valid, padded, 1, [&](Value r) {
      f.store(f.index(0), rows, {r});
      f.loop(f.index(0), f.index(layout.headSize), 1, [&](Value c) { f.store(f.number(0), loaded, {r, c}); });
    });
    if (phase.getContinues())
      continueStates();
    else
      f.loop(f.index(0), padded, 1, [&](Value r) { beginState(r); });
    emitRowTerms(f, kernel, ScoreTerms(kernel.op().getScore()), valid);
  }

  void clearOutput(Value r) {
    f.loop(f.index(0), f.index(layout.valueStride()), f.isa.lanes,
           [&](Value c) { f.storeVector(f.numbers(0), output, {r, c}); });
  }

  void beginEmpty(Value r) {
    clearOutput(r);
    f.storeVector(f.numbers(0), sum, {r, f.index(0)});
    f.store(f.number(-std::numeric_limits<double>::infinity()), maximum, {r});
  }

  /// An empty state, or that of the sink: a key of this score, whose value is 0. A sink of -inf is none.
  void beginState(Value r) {
    beginEmpty(r);
    if (kernel.op().getSink().empty())
      return;
    Value highest = arith::MulFOp::create(f.b, sinkOf(r), f.number(log2e));
    Value none = f.number(-std::numeric_limits<double>::infinity());
    Value isNone = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OEQ, highest, none);
    f.store(f.select(isNone, f.number(0), f.number(1)), sum, {r, f.index(0)});
    f.store(highest, maximum, {r});
  }

  /// The states that earlier phases have left. Rows that this phase does not write may hold anything, and have none.
  void continueStates() {
    Value lse = f.view(LseTensor, f.b.getF32Type(), /*unitColumns=*/false), written = f.view(OutputTensor, f.storage());
    f.loop(f.index(0), valid, 1, [&](Value r) {
      f.when(isOne(f.load(owned, {r})), [&] { continueState(r, lse, written); }, [&] { beginEmpty(r); });
    });
    f.loop(valid, padded, 1, [&](Value r) { beginEmpty(r); });
  }

  /// m = lse, l = 1, O = output
  void continueState(Value r, Value lse, Value written) {
    Value none = f.number(-std::numeric_limits<double>::infinity());
    Value row = f.load(rows, {r}), before = f.load(lse, {f.batch, f.head, row, f.index(0)});
    f.store(arith::MulFOp::create(f.b, before, f.number(log2e)), maximum, {r});
    Value isNone = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OEQ, before, none);
    f.storeVector(f.numbers(0), sum, {r, f.index(0)});
    f.store(f.select(isNone, f.number(0), f.number(1)), sum, {r, f.index(0)});
    if (layout.valueStride() > layout.valueHeadSize)
      clearOutput(r);
    f.copyRow(written, {f.batch, f.head, row, Value()}, output, {r, Value()}, layout.valueHeadSize,
              [&](Value v) { return f.widen(v); });
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

  /// 1 unless an earlier phase owns the row, or the rank stands for none.
  Value isOwned(Value row, Value rank) {
    const OrderLayout &queries = layout.orders[queryOrder];
    Value is = arith::ConstantOp::create(f.b, f.b.getI32IntegerAttr(1));
    if (queries.order.kind == OrderKind::Patches)
      is = arith::ExtUIOp::create(f.b, f.b.getI32Type(), f.hasRow(queries, rank));
    if (!phase.getExceptAttr())
      return is;
    for (Attribute order : phase.getExceptAttr()) {
      const OrderLayout &other = layout.orders[layout.orderIndex(cast<OrderAttr>(order), Side::Queries)];
      Value flag = f.toInt32(other.order.isComputed() ? f.evaluate(other.order.holdsRow(), row)
                                                      : f.entryOf(other.flagsView, row));
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
    Value holeBegin, holeEnd; // null where the box has no hole
  };

  void emitBox(BoxOp box) {
    keyOrder = layout.orderIndex(box.getKeys(), Side::Keys);
    keyCount = f.countOf(layout.orders[keyOrder]);
    hasHole = box.getHoleLowerAttr() != nullptr;
    grid.reset();
    if (box.getColumnWidthAttr())
      emitGrid(box);
    else if (box.getBlockTable())
      forEachListedBlock(box, [&] { emitKeys(box); });
    else
      emitKeys(box);
  }

  /// Pairs are looked at one by one: a rectangle holds keys that a row does not look at.
  void emitGrid(BoxOp box) {
    grid.emplace(f, box);
    grid->bind(valid, padded);
    emitGroups();
    keyCount = grid->count;
    call = groupCall();
    Value end = f.alignUp(keyCount, layout.tile[3]);
    f.loop(f.index(0), end, layout.tile[1], [&](Value tile) {
      Value tileEnd = f.least(f.add(tile, layout.tile[1]), end);
      grid->fill(tile, tileEnd);
      grid->pointTo(tile, call);
      f.when(emitTests(box, tile, tileEnd), [&] { emitTile(Mask::Tests, tile, tileEnd); });
    });
  }

  /// Runs over the entries of the list for the tile's block: those that are blocks, each once.
  void forEachListedBlock(BoxOp box, llvm::function_ref<void()> body) {
    unsigned table = layout.tensorOf(kernel.op().getTables()[*box.getBlockTable()]);
    Expr size = box.getBlockSizeAttr().getExpr();
    Value row = f.evaluate(Expr::floorDiv(Expr::row() + Expr::symbol(QueryOffset), size), first);
    Value hasList = f.both(atLeast(row, f.index(0)), f.less(row, f.extent(table, 2)));
    f.when(hasList, [&] {
      Frame::Places list = f.placesOf(table, f.b.getI32Type(), {f.batch, f.head, row, f.index(0)});
      f.loop(f.index(0), f.extent(table, 3), 1, [&](Value slot) {
        Value entry = f.toIndex(f.readColumn(list, slot));
        Value isFirst = f.loop(f.index(0), slot, 1, atLeast(entry, f.index(0)),
                               [&](Value before, ValueRange carried) -> SmallVector<Value> {
                                 Value differs = arith::CmpIOp::create(f.b, arith::CmpIPredicate::ne, entry,
                                                                       f.toIndex(f.readColumn(list, before)));
                                 return {f.both(carried[0], differs)};
                               })[0];
        f.when(isFirst, [&] {
          Expr firstKey = Expr::row() * size - Expr::symbol(KeyOffset);
          auto keyOf = [&](Value block) {
            return f.greatest(f.index(0), f.least(f.evaluate(firstKey, block), keyCount));
          };
          block = {keyOf(entry), keyOf(f.add(entry, 1))};
          body();
        });
      });
    });
  }

  void emitKeys(BoxOp box) {
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
      f.when(
          isFull(hull, tile, tileEnd), [&] { emitTile(Mask::None, tile, tileEnd); },
          [&] {
            f.when(someRowLooks(tile, tileEnd), [&] { emitTile(hasHole ? Mask::Holes : Mask::Bounds, tile, tileEnd); });
          });
    });
  }

  Value atLeast(Value x, Value y) { return arith::CmpIOp::create(f.b, arith::CmpIPredicate::sge, x, y); }

  Value isFull(const Hull &hull, Value tile, Value tileEnd) {
    Value full = f.both(atLeast(tile, hull.fullBegin), atLeast(hull.fullEnd, tileEnd));
    if (!hasHole)
      return full;
    Value isBeside = arith::OrIOp::create(f.b, atLeast(hull.holeBegin, tileEnd), atLeast(tile, hull.holeEnd));
    return f.both(full, isBeside);
  }

  /// Writes each row's interval of key ranks, and its hole; an empty one is [never, 0).
  Hull emitIntervals(BoxOp box) {
    Value never = f.index(neverRank), zero = f.index(0);
    SmallVector<Value> start{never, zero, zero, never};
    if (hasHole)
      start.append({never, zero});
    SmallVector<Value> hull = f.loop(zero, valid, 1, start, [&](Value r, ValueRange carried) -> SmallVector<Value> {
      Ranks range = rangeOf(box, r), keys = ranksOf(box.getLowerAttr(), box.getUpperAttr(), r, range), hole;
      if (hasHole) {
        hole = ranksOf(box.getHoleLowerAttr(), box.getHoleUpperAttr(), r, range);
        leaveOut(keys, hole);
      }
      auto [begin, end] = keys;
      Value owns = isOne(f.load(owned, {r}));
      Value some = f.both(owns, f.less(begin, end));
      begin = f.select(some, begin, never), end = f.select(some, end, zero);
      f.store(f.toInt32(begin), lower, {r});
      f.store(f.toInt32(end), upper, {r});
      // A row that the phase does not own takes part in nothing.
      SmallVector<Value> next{f.least(carried[0], begin), f.greatest(carried[1], end),
                              f.greatest(carried[2], f.select(owns, begin, zero)),
                              f.least(carried[3], f.select(owns, end, never))};
      if (hasHole) {
        f.store(f.toInt32(hole.begin), holeLower, {r});
        f.store(f.toInt32(hole.end), holeUpper, {r});
        next.append({f.least(carried[4], hole.begin), f.greatest(carried[5], hole.end)});
      }
      return next;
    });
    f.loop(valid, padded, 1, [&](Value r) {
      f.store(f.toInt32(never), lower, {r});
      f.store(f.toInt32(zero), upper, {r});
    });
    Hull result{hull[0], hull[1], hull[2], hull[3], Value(), Value()};
    if (hasHole)
      result.holeBegin = hull[4], result.holeEnd = hull[5];
    return result;
  }

  /// Key ranks [begin, end).
  struct Ranks {
    Value begin, end;
  };

  /// Takes a hole out of the ranks: at an end they become fewer, and only what lies inside of them stays a hole.
  void leaveOut(Ranks &keys, Ranks &hole) {
    Value meets = f.less(hole.begin, hole.end);
    Value atBegin = f.both(meets, atLeast(keys.begin, hole.begin)), atEnd = f.both(meets, atLeast(hole.end, keys.end));
    keys.begin = f.select(atBegin, f.greatest(keys.begin, hole.end), keys.begin);
    keys.end = f.select(atEnd, f.least(keys.end, hole.begin), keys.end);
    Value isGone = arith::OrIOp::create(f.b, arith::OrIOp::create(f.b, atBegin, atEnd), atLeast(hole.begin, hole.end));
    hole.begin = f.select(isGone, f.index(neverRank), hole.begin), hole.end = f.select(isGone, f.index(0), hole.end);
  }

  /// The ranks among which row r of the tile looks at some, and in which rows rise.
  Ranks rangeOf(BoxOp box, Value r) {
    if (box.getSameSegment()) {
      const MatchLayout &match = *layout.matchOf(queryOrder);
      return {f.entryOf(match.beginView, f.add(first, r)), f.entryOf(match.endView, f.add(first, r))};
    }
    if (box.getBlockTable())
      return block;
    if (!box.getKeyClassAttr())
      return {f.index(0), keyCount};
    keyClass = f.evaluate(box.getKeyClassAttr().getExpr(), f.load(rows, {r}));
    Expr firstRank = layout.orders[keyOrder].order.firstRankOfClass(Expr::row());
    return {f.evaluate(firstRank, keyClass), f.least(f.evaluate(firstRank, f.add(keyClass, 1)), keyCount)};
  }

  /// Those of rows between two bounds.
  Ranks ranksOf(ExprAttr lowerBound, ExprAttr upperBound, Value r, const Ranks &range) {
    Expr low = lowerBound.getExpr(), high = upperBound.getExpr();
    Value row = f.load(rows, {r});
    Ranks ranks = range;
    if (low != Expr(0))
      ranks.begin = rankOf(f.evaluate(low, row), range);
    if (high != Expr::symbol(KvLength))
      ranks.end = rankOf(f.evaluate(high, row), range);
    return ranks;
  }

  /// The first rank in a range whose row is at least `row`.
  Value rankOf(Value row, const Ranks &range) {
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

  Value searchRank(Value row, const Ranks &range) {
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
    Value kvHead = arith::DivUIOp::create(f.b, f.head, f.symbol(HeadsPerKvHeadSymbol));
    Value packedHead = order.ofHead ? f.head : kvHead;
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
    result.keys = row(order.keyView, f.b.getF32Type(), {f.batch, packedHead});
    result.values = row(order.valueView, f.b.getF32Type(), {f.batch, packedHead});
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
      begin = f.greatest(begin, tile), end = f.least(end, tileEnd);
      Value looks = f.less(begin, end);
      if (hasHole) {
        Value isBefore = f.less(begin, f.toIndex(f.load(holeLower, {r})));
        Value isAfter = f.less(f.toIndex(f.load(holeUpper, {r})), end);
        looks = f.both(looks, arith::OrIOp::create(f.b, isBefore, isAfter));
      }
      return {arith::OrIOp::create(f.b, carried[0], looks)};
    })[0];
  }

  /// The sub-tiles that have something in this tile.
  void emitTile(Mask mask, Value tile, Value tileEnd) {
    ListedRows listed{!isIdentity(queryOrder), areKeysListed()};
    if (kernel.changesScores() && mask != Mask::Tests)
      listKeyRows(tile, tileEnd);
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

  bool areKeysListed() const { return grid || !isIdentity(keyOrder); }
  bool isIdentity(unsigned order) const { return layout.orders[order].order.isIdentity(); }

  /// Writes down the key rows of a tile where closed forms say them, so that regions find them as those of a table.
  void listKeyRows(Value tile, Value tileEnd) {
    const OrderLayout &keys = layout.orders[keyOrder];
    if (!keys.order.isComputed())
      return;
    Value list = f.scratchArray(ScratchArray::KeyRows);
    RowWalk(f, keys).forEach(tile, f.least(tileEnd, keyCount),
                             [&](Value rank, Value row) { f.store(f.toInt32(row), list, {f.sub(rank, tile)}); });
    Value start = memref::ExtractAlignedPointerAsIndexOp::create(f.b, list);
    Value shifted = arith::IndexCastOp::create(f.b, f.b.getI64Type(), f.sub(start, f.mul(tile, 4)));
    call.keyRows = LLVM::IntToPtrOp::create(f.b, LLVM::LLVMPointerType::get(f.b.getContext()), shifted);
  }

  //===-- Residual tests ----------------------------------------------------------------------------------------===//

  /// Asks every pair of the tile, keeps the answers, and returns whether there is a yes. What the test computes of keys
  /// alone, it computes once for all rows.
  Value emitTests(BoxOp box, Value tile, Value tileEnd) {
    Value answers = f.scratchArray(ScratchArray::Tests);
    bool listed = areKeysListed();
    listKeyRows(tile, tileEnd);
    Value no = f.integers(0);
    Value some = f.loop(tile, tileEnd, f.isa.lanes, no, [&](Value key, ValueRange outer) -> SmallVector<Value> {
      RegionInliner inliner(
          f.b, f.isa.lanes, [&](Value captured) { return f.argument(captured); },
          [&](Operation *op, ValueRange operands) { return ops.write(op, operands); });
      Value keyRows = keyRowsAt(f, listed ? call.keyRows : Value(), key, keyCount);
      bool hasTest = !box.getTest().empty();
      if (hasTest)
        inliner.inlineKnown(box.getTest(), {f.batch, f.head, Value(), keyRows});
      return f.loop(f.index(0), padded, 1, outer, [&](Value r, ValueRange inner) -> SmallVector<Value> {
        Value says = grid ? grid->admits(r, key, tile) : insideBounds(r, key);
        if (hasTest) {
          Value passes = inliner.inlineRegion(box.getTest(), {f.batch, f.head, f.load(rows, {r}), keyRows});
          says = f.both(says, splat(f.b, passes, f.isa.lanes));
        }
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
    Value inside = f.both(compare(arith::CmpIPredicate::sge, lower), compare(arith::CmpIPredicate::slt, upper));
    if (!hasHole)
      return inside;
    Value beside = arith::OrIOp::create(f.b, compare(arith::CmpIPredicate::slt, holeLower),
                                        compare(arith::CmpIPredicate::sge, holeUpper));
    return f.both(inside, beside);
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
  bool hasHole = false;
  Ranks block;                  // that the list at hand names
  std::optional<GridKeys> grid; // of the box at hand, if it lies between columns
  Value first, valid, padded, keyCount, keyClass;
  Value rows, owned, lower, upper, holeLower, holeUpper, groupLower, groupUpper, output, sum, maximum;
};

} // namespace

void attn::cpu::emitTile(const Kernel &kernel, GroupEmitter &groups, unsigned phaseIndex, PhaseOp phase) {
  ImplicitLocOpBuilder b(kernel.op().getLoc(), kernel.op().getContext());
  TileEmitter(b, kernel, groups, phaseIndex, phase).emit();
}
