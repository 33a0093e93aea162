// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One query tile of one phase: load the rows (TileRows.h), run over the boxes, write the rows that the phase owns.
//
// In each box, the intervals of the rows (KeyIntervals.h) say which key tiles there are; one in which no row looks at
// any key is skipped. This is Walk.cpp, step by step.

#include "../../Runtime/kernel.h"
#include "GridKeys.h"
#include "KeyIntervals.h"
#include "KeyRing.h"
#include "RowWalk.h"
#include "TilePipeline.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

namespace {

class TileEmitter {
public:
  TileEmitter(ImplicitLocOpBuilder &b, const Kernel &kernel, GroupEmitter &groups, unsigned phaseIndex, PhaseOp phase)
      : f(b, kernel.layout, kernel.isa), kernel(kernel), layout(kernel.layout), ops(f, kernel.op()), groups(groups),
        phaseIndex(phaseIndex), phase(phase), queryOrder(layout.phases[phaseIndex].queries),
        rows(f, kernel, queryOrder, phase), intervals(f, rows, queryOrder) {}

  void emit() {
    emitFunction("tile.", {}, [&](ValueRange) {
      rows.load();
      rows.beginStates();
      emitBoxes();
      rows.store();
    });
  }

  /// Part p of the keys are those of ranks [p * ATTN_PART_KEYS, ...).
  void emitPart() {
    emitFunction("part.", {f.b.getIndexType(), pointerType()}, [&](ValueRange more) {
      part.begin = f.mul(more[0], ATTN_PART_KEYS), part.end = f.add(part.begin, ATTN_PART_KEYS);
      rows.load();
      rows.beginPart();
      emitBoxes();
      rows.storePart(more[1]);
    });
  }

  void emitMerge() {
    emitFunction("merge.", {f.b.getIndexType(), pointerType()}, [&](ValueRange more) {
      rows.load();
      rows.beginStates();
      rows.addParts(more[1], more[0]);
      rows.store();
    });
  }

private:
  Type pointerType() { return LLVM::LLVMPointerType::get(f.b.getContext()); }

  /// A function about one tile, if there is such: (views, symbols, batch, head, tile, scratch, more).
  void emitFunction(StringRef part, ArrayRef<Type> more, llvm::function_ref<void(ValueRange)> body) {
    Type pointer = pointerType(), index = f.b.getIndexType();
    SmallVector<Type> types{pointer, pointer, index, index, index, pointer};
    types.append(more.begin(), more.end());
    f.begin(kernel.module, kernel.nameOf(part + Twine(phaseIndex)), types);
    f.views = f.arguments[0], f.symbols = f.arguments[1], f.scratch = f.arguments[5];
    f.batch = f.arguments[2], f.head = f.arguments[3];
    Value end = rows.bind(f.arguments[4]);
    f.when(f.less(rows.first, end), [&] { body(f.arguments.drop_front(6)); });
    f.end();
  }

  void emitBoxes() {
    emitRowTerms(f, kernel, ScoreTerms(kernel.op().getScore()), rows.valid);
    for (BoxOp box : phase.getBoxes().getOps<BoxOp>())
      emitBox(box);
  }

  //===-- Boxes -------------------------------------------------------------------------------------------------===//

  void emitBox(BoxOp box) {
    keyOrder = layout.orderIndex(box.getKeys(), Side::Keys);
    keyCount = f.countOf(layout.orders[keyOrder]);
    grid.reset();
    if (box.getColumnWidthAttr())
      emitGrid(box);
    else if (box.getBlockTable())
      forEachListedBlock(box, [&](Ranks block) { emitKeys(box, block); });
    else
      emitKeys(box, {});
  }

  /// Pairs are looked at one by one: a rectangle holds keys that a row does not look at.
  void emitGrid(BoxOp box) {
    grid.emplace(f, box);
    grid->bind(rows.valid, rows.padded);
    if (!isPipelined(kernel))
      intervals.writeGroups();
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
  void forEachListedBlock(BoxOp box, llvm::function_ref<void(Ranks)> body) {
    unsigned table = layout.tensorOf(kernel.op().getTables()[*box.getBlockTable()]);
    Expr size = box.getBlockSizeAttr().getExpr();
    Value row = f.evaluate(Expr::floorDiv(Expr::row() + Expr::symbol(QueryOffset), size), rows.first);
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
          body({keyOf(entry), keyOf(f.add(entry, 1))});
        });
      });
    });
  }

  void emitKeys(BoxOp box, Ranks block) {
    intervals.bind(box, keyOrder, keyCount, block);
    Ranks hull = intervals.write();
    if (!isPipelined(kernel))
      intervals.writeGroups();
    call = groupCall();
    Value begin = f.alignDown(hull.begin, layout.tile[3]), end = f.alignUp(hull.end, layout.tile[3]);
    if (part.begin)
      begin = f.greatest(begin, part.begin), end = f.least(end, part.end);
    Mask masked = intervals.hasHole() ? Mask::Holes : Mask::Bounds;
    Value keys = tileKeys(), count = arith::CeilDivSIOp::create(f.b, f.sub(end, begin), keys);
    f.loop(f.index(0), count, 1, [&](Value number) {
      Value tile = f.add(begin, arith::MulIOp::create(f.b, number, keys)), tileEnd = f.least(f.add(tile, keys), end);
      auto emitTested = [&] { f.when(emitTests(box, tile, tileEnd), [&] { emitTile(Mask::Tests, tile, tileEnd); }); };
      auto emitBounded = [&] {
        auto emitMasked = [&] {
          f.when(intervals.someRowLooks(tile, tileEnd), [&] { emitTile(masked, tile, tileEnd); });
        };
        // A pipeline finds out by itself which of its steps need masks for bounds.
        if (isPipelined(kernel) && !intervals.hasHole())
          return emitMasked();
        Mask whole = isPipelined(kernel) ? Mask::Bounds : Mask::None;
        f.when(intervals.isFull(tile, tileEnd), [&] { emitTile(whole, tile, tileEnd); }, emitMasked);
      };
      if (!box.getTest().empty())
        emitTested();
      else if (box.getExceptAttr())
        f.when(holdsOthersKeys(box, tile, tileEnd), emitTested, emitBounded);
      else
        emitBounded();
    });
  }

  /// Keys of a tile: of a ring no more than lie side by side there, or, where they go round, than it holds.
  Value tileKeys() {
    Value keys = f.index(layout.tile[1]);
    const OrderLayout &order = layout.orders[keyOrder];
    bool goesRound = isPipelined(kernel);
    if (f.isa.readsRows() || !order.span || (!goesRound && layout.tile[1] <= layout.packKeys()))
      return keys;
    Value most = goesRound ? KeyRing(f).ranks() : f.index(layout.packKeys());
    return f.select(KeyRing::serves(f, order), f.least(most, keys), keys);
  }

  /// Which lanes' keys are other boxes'.
  Value areOthers(BoxOp box, Value keyRows) {
    Value others;
    for (auto order : box.getExceptAttr().getAsRange<OrderAttr>()) {
      Value isListed = ops.isMember(order, Side::Keys, keyRows);
      others = others ? Value(arith::OrIOp::create(f.b, others, isListed)) : isListed;
    }
    return others;
  }

  Value holdsOthersKeys(BoxOp box, Value tile, Value tileEnd) {
    listKeyRows(tile, tileEnd);
    Value keyTable = areKeysListed() ? call.keyRows : Value();
    Value none = f.zeros(f.b.getI1Type());
    Value some = f.loop(tile, tileEnd, f.isa.lanes, none, [&](Value key, ValueRange found) -> SmallVector<Value> {
      return {arith::OrIOp::create(f.b, found[0], areOthers(box, keyRowsAt(f, keyTable, key, keyCount)))};
    })[0];
    return f.reduce(some, [&](Value x, Value y) -> Value { return arith::OrIOp::create(f.b, x, y); });
  }

  Value atLeast(Value x, Value y) { return arith::CmpIOp::create(f.b, arith::CmpIPredicate::sge, x, y); }

  /// The head that keys are packed for.
  Value packedHead() {
    if (layout.orders[keyOrder].ofHead)
      return f.head;
    return arith::DivUIOp::create(f.b, f.head, f.symbol(HeadsPerKvHeadSymbol));
  }

  GroupCall groupCall() {
    const OrderLayout &order = layout.orders[keyOrder];
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
    result.views = f.views, result.symbols = f.symbols, result.scratch = f.scratch, result.first = rows.first;
    Type unit = Packing(layout, f.isa).unitType(f.b.getContext());
    result.keyRows = order.rowsView < 0 ? LLVM::ZeroOp::create(f.b, pointerType()).getResult()
                                        : row(order.rowsView, f.b.getI32Type(), {f.batch});
    result.batch = f.batch, result.head = f.head, result.count = keyCount;
    result.wrap = f.index(neverRank);
    if (f.isa.readsRows() || order.keyView < 0) {
      result.keys = result.values = LLVM::ZeroOp::create(f.b, pointerType());
      return result;
    }
    result.keys = row(order.keyView, unit, {f.batch, packedHead()});
    result.values = row(order.valueView, unit, {f.batch, packedHead()});
    return result;
  }

  /// All of the rows against the keys of a tile.
  void emitTile(Mask mask, Value tile, Value tileEnd) {
    ListedRows listed{!isIdentity(queryOrder), areKeysListed()};
    bool asksForRows = kernel.changesScores() || f.isa.readsRows();
    if (asksForRows && mask != Mask::Tests)
      listKeyRows(tile, tileEnd);
    call.tile = tile, call.end = tileEnd;
    call.groups = arith::DivUIOp::create(f.b, rows.padded, f.index(layout.tile[2]));
    GroupCall now = fetched(tile, tileEnd);
    groups.prepareTerms(f, listed, now);
    groups.call(f, mask, listed, now);
  }

  /// The call, with the tile's keys in the worker's ring where the order has no memory of its own.
  GroupCall fetched(Value tile, Value tileEnd) {
    GroupCall now = call;
    const OrderLayout &order = layout.orders[keyOrder];
    if (grid || !order.span || f.isa.readsRows())
      return now;
    Value isFetched = KeyRing::serves(f, order);
    f.when(isFetched, [&] {
      func::CallOp::create(f.b, kernel.nameOf("fetch." + Twine(keyOrder)), TypeRange(),
                           ValueRange{f.views, f.symbols, f.batch, packedHead(), tile, tileEnd, f.scratch});
    });
    KeyRing ring(f);
    Value slot = ring.slotOf(tile);
    now.keys = f.select(isFetched, ring.keysAt(slot, tile), call.keys);
    now.values = f.select(isFetched, ring.valuesAt(slot, tile), call.values);
    if (isPipelined(kernel))
      now.wrap = f.select(isFetched, ring.wrapOf(tile), call.wrap);
    return now;
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
    Value no = f.integers(0), yes = arith::ConstantOp::create(f.b, f.b.getBoolAttr(true));
    Value some = f.loop(tile, tileEnd, f.isa.lanes, no, [&](Value key, ValueRange outer) -> SmallVector<Value> {
      RegionInliner inliner(
          f.b, f.isa.lanes, [&](Value captured) { return f.argument(captured); },
          [&](Operation *op, ValueRange operands) { return ops.write(op, operands); });
      Value keyRows = keyRowsAt(f, listed ? call.keyRows : Value(), key, keyCount);
      Value others = box.getExceptAttr() ? areOthers(box, keyRows) : Value();
      bool hasTest = !box.getTest().empty();
      if (hasTest)
        inliner.inlineKnown(box.getTest(), {f.batch, f.head, Value(), keyRows});
      return f.loop(f.index(0), rows.padded, 1, outer, [&](Value r, ValueRange inner) -> SmallVector<Value> {
        Value says = grid ? grid->admits(r, key, tile) : intervals.holds(r, key);
        if (hasTest) {
          Value passes = inliner.inlineRegion(box.getTest(), {f.batch, f.head, rows.rowAt(r), keyRows});
          says = f.both(says, splat(f.b, passes, f.isa.lanes));
        }
        if (others)
          says = f.both(says, arith::XOrIOp::create(f.b, others, splat(f.b, yes, f.isa.lanes)));
        Value answer = arith::ExtUIOp::create(f.b, f.vectorType(f.b.getI32Type()), says);
        f.storeVector(answer, answers, {r, f.sub(key, tile)});
        return {arith::OrIOp::create(f.b, inner[0], answer)};
      });
    })[0];
    Value all = f.reduce(some, [&](Value x, Value y) -> Value { return arith::OrIOp::create(f.b, x, y); });
    Value none = arith::ConstantOp::create(f.b, f.b.getI32IntegerAttr(0));
    return arith::CmpIOp::create(f.b, arith::CmpIPredicate::ne, all, none);
  }

  Frame f;
  const Kernel &kernel;
  const KernelLayout &layout;
  RegionOps ops;
  GroupEmitter &groups;
  unsigned phaseIndex;
  PhaseOp phase;
  unsigned queryOrder, keyOrder = 0;
  TileRows rows;
  KeyIntervals intervals;
  GroupCall call;
  Ranks part;                   // of the keys, if only these are meant
  std::optional<GridKeys> grid; // of the box at hand, if it lies between columns
  Value keyCount;
};

} // namespace

void attn::cpu::emitTile(const Kernel &kernel, GroupEmitter &groups, unsigned phaseIndex, PhaseOp phase) {
  ImplicitLocOpBuilder b(kernel.op().getLoc(), kernel.op().getContext());
  TileEmitter(b, kernel, groups, phaseIndex, phase).emit();
}

void attn::cpu::emitPart(const Kernel &kernel, GroupEmitter &groups, unsigned phaseIndex, PhaseOp phase) {
  ImplicitLocOpBuilder b(kernel.op().getLoc(), kernel.op().getContext());
  TileEmitter(b, kernel, groups, phaseIndex, phase).emitPart();
}

void attn::cpu::emitMerge(const Kernel &kernel, unsigned phaseIndex, PhaseOp phase) {
  ImplicitLocOpBuilder b(kernel.op().getLoc(), kernel.op().getContext());
  GroupEmitter groups(kernel);
  TileEmitter(b, kernel, groups, phaseIndex, phase).emitMerge();
}

KernelLayout attn::cpu::layoutFor(const KernelLayout &layout, const Isa &isa) {
  KernelLayout own = layout;
  own.tile[2] = std::max(own.tile[2], isa.rows);
  if (isa.products != Products::Tiles)
    return own;
  own.tile[2] = pipelineRows;
  bool isTested = llvm::any_of(layout.phases, [](const PhaseLayout &phase) { return phase.isTested; });
  if (!isTested && !layout.hasGrids() && !layout.scoreOps)
    own.tile[1] = pipelineKeys;
  return own;
}

KernelLayout attn::cpu::layoutForFewQueries(const KernelLayout &layout) {
  KernelLayout few = layout;
  const TileShape tile = *layout.tileForFewQueries();
  few.tile = {tile.rows, tile.keys, tile.groupRows, tile.granule};
  return few;
}
