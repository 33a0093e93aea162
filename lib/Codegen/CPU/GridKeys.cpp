// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Finds, copies and masks the keys of a rectangle.

#include "GridKeys.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

//===-- The rectangle ---------------------------------------------------------------------------------------------===//

GridKeys::Span GridKeys::keysOf(Value row) {
  Value begin = f.evaluate(box.getLowerAttr().getExpr(), row), end = f.evaluate(box.getUpperAttr().getExpr(), row);
  return {f.greatest(f.index(0), begin), f.least(f.symbol(KvLength), end)};
}

GridKeys::Span GridKeys::columnsOf(Value row) {
  Value begin = f.evaluate(box.getColumnLowerAttr().getExpr(), row),
        end = f.evaluate(box.getColumnUpperAttr().getExpr(), row);
  return {f.greatest(f.index(0), begin), f.least(width, end)};
}

void GridKeys::bind(Value valid, Value padded) {
  Value zero = f.index(0), never = f.index(neverRank);
  width = f.evaluate(box.getColumnWidthAttr().getExpr(), zero),
  shift = f.evaluate(box.getColumnShiftAttr().getExpr(), zero);
  Value queryRows = f.scratchArray(ScratchArray::Row), owned = f.scratchArray(ScratchArray::Owned);
  auto array = [&](ScratchArray which) { return f.scratchArray(which); };
  // Rows that look at nothing have no keys: from never to 0.
  SmallVector<Value> hull =
      f.loop(zero, valid, 1, {never, zero, width, zero}, [&](Value r, ValueRange carried) -> SmallVector<Value> {
        Value row = f.load(queryRows, {r});
        Span keys = keysOf(row), across = columnsOf(row);
        Value isOwned = arith::CmpIOp::create(f.b, arith::CmpIPredicate::ne, f.load(owned, {r}), f.toInt32(zero));
        Value looks = f.both(isOwned, f.both(isIn(keys), isIn(across)));
        keys = {f.select(looks, keys.begin, never), f.select(looks, keys.end, zero)};
        f.store(f.toInt32(keys.begin), array(ScratchArray::KeyLower), {r});
        f.store(f.toInt32(keys.end), array(ScratchArray::KeyUpper), {r});
        across.end = f.select(looks, across.end, zero);
        f.store(across.begin, array(ScratchArray::ColumnLower), {r});
        f.store(across.end, array(ScratchArray::ColumnUpper), {r});
        if (box.getHoleLowerAttr())
          storeHole(r, row);
        return {f.least(carried[0], keys.begin), f.greatest(carried[1], keys.end),
                f.select(looks, f.least(carried[2], across.begin), carried[2]), f.greatest(carried[3], across.end)};
      });
  Value last = hull[1], left = hull[2], isEmpty = atLeast(hull[0], last);
  Value begin = f.select(isEmpty, zero, hull[0]), length = f.select(isEmpty, zero, f.sub(last, begin));
  Value across = f.greatest(f.sub(hull[3], left), f.index(1)), top = floorDiv(f.add(begin, shift), width);
  Value down = f.add(f.sub(floorDiv(f.sub(f.add(f.add(begin, length), shift), f.index(1)), width), top), 1);
  isOneRow = f.less(floorDiv(length, across), down);
  Value corner = f.sub(f.add(arith::MulIOp::create(f.b, top, width), left), shift);
  first = f.select(isOneRow, begin, corner), step = f.select(isOneRow, length, width);
  rows = f.select(isOneRow, f.index(1), down), columns = f.select(isOneRow, length, across);
  count = arith::MulIOp::create(f.b, rows, columns);
  f.loop(zero, padded, 1, [&](Value r) {
    Span keys{f.toIndex(f.load(array(ScratchArray::KeyLower), {r})),
              f.toIndex(f.load(array(ScratchArray::KeyUpper), {r}))};
    Value looks = f.both(f.less(r, valid), isIn(keys));
    Span ranks = ranksOf(keys);
    f.store(f.toInt32(f.select(looks, ranks.begin, never)), array(ScratchArray::Lower), {r});
    f.store(f.toInt32(f.select(looks, ranks.end, zero)), array(ScratchArray::Upper), {r});
  });
}

void GridKeys::storeHole(Value r, Value row) {
  auto held = [&](Expr bound) {
    return f.toInt32(f.greatest(f.index(0), f.least(f.evaluate(bound, row), f.symbol(KvLength))));
  };
  f.store(held(box.getHoleLowerAttr().getExpr()), f.scratchArray(ScratchArray::HoleLower), {r});
  f.store(held(box.getHoleUpperAttr().getExpr()), f.scratchArray(ScratchArray::HoleUpper), {r});
}

/// Whole rows of the rectangle.
GridKeys::Span GridKeys::ranksOf(const Span &keys) {
  Value top = floorDiv(f.add(first, shift), width);
  auto rankOf = [&](Value key, int64_t rowsLater) -> Value {
    Value row = f.add(f.sub(floorDiv(f.add(key, shift), width), top), rowsLater);
    return arith::MulIOp::create(f.b, row, columns);
  };
  return {f.select(isOneRow, f.sub(keys.begin, first), rankOf(keys.begin, 0)),
          f.select(isOneRow, f.sub(keys.end, first), rankOf(f.sub(keys.end, f.index(1)), 1))};
}

//===-- Keys of a tile --------------------------------------------------------------------------------------------===//

// A rank without a key has row 0, so that something can be read, and column -1, which is in no span.
void GridKeys::fill(Value tile, Value end) {
  Value list = f.scratchArray(ScratchArray::KeyRows), places = f.scratchArray(ScratchArray::KeyColumns);
  Value zero = f.index(0), none = f.index(-1);
  f.loop(tile, end, 1, [&](Value rank) {
    Value down = arith::DivUIOp::create(f.b, rank, f.greatest(columns, f.index(1)));
    Value across = f.sub(rank, arith::MulIOp::create(f.b, down, columns));
    Value row = f.add(f.add(first, arith::MulIOp::create(f.b, down, step)), across);
    Value exists = f.both(f.less(rank, count), f.both(atLeast(row, zero), f.less(row, f.symbol(KvLength))));
    row = f.select(exists, row, zero);
    Value place = f.add(row, shift);
    Value column = f.sub(place, arith::MulIOp::create(f.b, floorDiv(place, width), width));
    Value at = f.sub(rank, tile);
    f.store(f.toInt32(row), list, {at});
    f.store(f.select(exists, column, none), places, {at});
  });
  f.loop(tile, end, KernelLayout::panelKeys, [&](Value rank) { copyPanel(f.sub(rank, tile), tile); });
  f.loop(tile, end, 1, [&](Value rank) {
    Value at = f.sub(rank, tile);
    copyValue(at, f.toIndex(f.load(list, {at})));
  });
}

/// 16 keys from place `at` of the tile on, by squares of lanes x lanes; the last columns may overlap those before.
void GridKeys::copyPanel(Value at, Value tile) {
  Value list = f.scratchArray(ScratchArray::KeyRows), panels = f.scratchArray(ScratchArray::TileKeys);
  Value keys = f.view(KeyTensor, f.storage());
  Value kvHead = arith::DivUIOp::create(f.b, f.head, f.symbol(HeadsPerKvHeadSymbol));
  Value panel = arith::DivUIOp::create(f.b, at, f.index(KernelLayout::panelKeys));
  int64_t lanes = f.isa.lanes, headSize = f.layout.headSize;
  SmallVector<Value> rowsOfPanel;
  for (int64_t key = 0; key < KernelLayout::panelKeys; ++key)
    rowsOfPanel.push_back(f.toIndex(f.load(list, {f.add(at, key)})));
  if (headSize < lanes) {
    for (auto [key, row] : llvm::enumerate(rowsOfPanel)) {
      Value rowOfKey = row, place = f.index(static_cast<int64_t>(key));
      f.loop(f.index(0), f.index(headSize), 1, [&](Value column) {
        Value target = f.add(f.mul(column, KernelLayout::panelKeys), place);
        f.store(f.widen(f.load(keys, {f.batch, kvHead, rowOfKey, column})), panels, {panel, target});
      });
    }
    return;
  }
  f.loop(f.index(0), f.index(headSize), lanes, [&](Value start) {
    Value column = f.least(start, f.index(headSize - lanes));
    for (int64_t lane = 0; lane < KernelLayout::panelKeys; lane += lanes) {
      SmallVector<Value> square;
      for (Value row : ArrayRef(rowsOfPanel).slice(lane, lanes))
        square.push_back(f.widen(f.loadVector(keys, {f.batch, kvHead, row, column})));
      f.transpose(square);
      for (auto [number, numbers] : llvm::enumerate(square))
        f.storeVector(numbers, panels, {panel, f.add(f.mul(f.add(column, number), KernelLayout::panelKeys), lane)});
    }
  });
}

void GridKeys::copyValue(Value at, Value row) {
  Value kvHead = arith::DivUIOp::create(f.b, f.head, f.symbol(HeadsPerKvHeadSymbol));
  Value values = f.view(ValueTensor, f.storage()), copies = f.scratchArray(ScratchArray::TileValues);
  f.copyRow(values, {f.batch, kvHead, row, Value()}, copies, {at, Value()}, f.layout.valueHeadSize,
            [&](Value v) { return f.widen(v); });
  f.loop(f.index(f.layout.valueHeadSize), f.index(f.layout.valueStride()), 1,
         [&](Value column) { f.store(f.number(0), copies, {at, column}); });
}

Value GridKeys::pointerBefore(ScratchArray array, Value ranks, int64_t stride) {
  Value start = memref::ExtractAlignedPointerAsIndexOp::create(f.b, f.scratchArray(array));
  Value shifted = arith::IndexCastOp::create(f.b, f.b.getI64Type(), f.sub(start, f.mul(ranks, stride)));
  return LLVM::IntToPtrOp::create(f.b, LLVM::LLVMPointerType::get(f.b.getContext()), shifted);
}

void GridKeys::pointTo(Value tile, GroupCall &call) {
  Value panel = arith::DivUIOp::create(f.b, tile, f.index(KernelLayout::panelKeys));
  call.keys = pointerBefore(ScratchArray::TileKeys, panel, f.layout.panelStride() * 4);
  call.values = pointerBefore(ScratchArray::TileValues, tile, f.layout.valueStride() * 4);
  call.keyRows = pointerBefore(ScratchArray::KeyRows, tile, 4);
  call.count = count;
}

//===-- Masks -----------------------------------------------------------------------------------------------------===//

Value GridKeys::admits(Value r, Value rank, Value tile) {
  using Predicate = arith::CmpIPredicate;
  Value at = f.sub(rank, tile);
  auto compare = [&](Predicate predicate, ScratchArray numbers, ScratchArray bounds) -> Value {
    Value bound = splat(f.b, f.load(f.scratchArray(bounds), {r}), f.isa.lanes);
    return arith::CmpIOp::create(f.b, predicate, f.loadVector(f.scratchArray(numbers), {at}), bound);
  };
  Value isInside = f.both(compare(Predicate::sge, ScratchArray::KeyRows, ScratchArray::KeyLower),
                          compare(Predicate::slt, ScratchArray::KeyRows, ScratchArray::KeyUpper));
  if (box.getHoleLowerAttr()) {
    Value isBefore = compare(Predicate::slt, ScratchArray::KeyRows, ScratchArray::HoleLower);
    Value isAfter = compare(Predicate::sge, ScratchArray::KeyRows, ScratchArray::HoleUpper);
    isInside = f.both(isInside, arith::OrIOp::create(f.b, isBefore, isAfter));
  }
  Value isBetween = f.both(compare(Predicate::sge, ScratchArray::KeyColumns, ScratchArray::ColumnLower),
                           compare(Predicate::slt, ScratchArray::KeyColumns, ScratchArray::ColumnUpper));
  return f.both(isInside, isBetween);
}
