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
  f.loop(tile, end, KernelLayout::panelKeys, [&](Value rank) { copyPanel(f.sub(rank, tile)); });
  f.loop(tile, end, packer.sizes.valueKeys, [&](Value rank) { copyValues(f.sub(rank, tile)); });
}

SmallVector<Value> GridKeys::batchAndKeyHead() {
  return {f.batch, arith::DivUIOp::create(f.b, f.head, f.symbol(HeadsPerKvHeadSymbol))};
}

SmallVector<Value> GridKeys::rowsAt(Value at, int64_t count) {
  Value list = f.scratchArray(ScratchArray::KeyRows);
  SmallVector<Value> listed;
  for (int64_t key = 0; key < count; ++key)
    listed.push_back(f.toIndex(f.load(list, {f.add(at, key)})));
  return listed;
}

/// 16 keys from place `at` of the tile on.
void GridKeys::copyPanel(Value at) {
  Value panels = f.scratchArray(ScratchArray::TileKeys);
  Value panel = arith::DivUIOp::create(f.b, at, f.index(KernelLayout::panelKeys));
  SmallVector<Value> listed = rowsAt(at, KernelLayout::panelKeys);
  if (packer.copiesPanels())
    return packer.copyPanel(batchAndKeyHead(), listed, panels, panel);
  for (auto [lane, row] : llvm::enumerate(listed))
    packer.copyKey(batchAndKeyHead(), row, panels, panel, f.index(static_cast<int64_t>(lane)));
}

void GridKeys::copyValues(Value at) {
  int64_t keys = packer.sizes.valueKeys;
  packer.copyValues(batchAndKeyHead(), rowsAt(at, keys), f.scratchArray(ScratchArray::TileValues),
                    Value(arith::DivUIOp::create(f.b, at, f.index(keys))));
}

Value GridKeys::pointerBefore(ScratchArray array, Value ranks, int64_t stride) {
  Value start = memref::ExtractAlignedPointerAsIndexOp::create(f.b, f.scratchArray(array));
  Value shifted = arith::IndexCastOp::create(f.b, f.b.getI64Type(), f.sub(start, f.mul(ranks, stride)));
  return LLVM::IntToPtrOp::create(f.b, LLVM::LLVMPointerType::get(f.b.getContext()), shifted);
}

void GridKeys::pointTo(Value tile, GroupCall &call) {
  Value panel = arith::DivUIOp::create(f.b, tile, f.index(KernelLayout::panelKeys));
  Value valueRow = arith::DivUIOp::create(f.b, tile, f.index(packer.sizes.valueKeys));
  call.keys = pointerBefore(ScratchArray::TileKeys, panel, packer.sizes.panelStride * 4);
  call.values = pointerBefore(ScratchArray::TileValues, valueRow, packer.sizes.valueStride * 4);
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
