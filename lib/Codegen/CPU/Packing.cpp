// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes packed keys and values.

#include "Packing.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

static int64_t unitsOf(const KernelLayout &layout, const Isa &isa) {
  switch (isa.products) {
  case Products::Floats:
  case Products::Rows:
    return layout.headSize;
  case Products::Pairs:
    return llvm::divideCeil(layout.headSize, 2);
  case Products::Tiles:
  case Products::RowsOfPairs:
    return llvm::alignTo(llvm::divideCeil(layout.headSize, 2), 16);
  }
  llvm_unreachable("all kinds are handled");
}

Packing::Packing(const KernelLayout &layout, const Isa &isa)
    : unitColumns(isa.takesPairs() ? 2 : 1), units(unitsOf(layout, isa)),
      panelStride((units + 1) * KernelLayout::panelKeys), valueKeys(unitColumns), valueStride(layout.valueStride()) {}

Type Packing::unitType(MLIRContext *context) const {
  return isPaired() ? Type(IntegerType::get(context, 32)) : Float32Type::get(context);
}

//===-- Keys ------------------------------------------------------------------------------------------------------===//

void Packer::copyPanel(ValueRange batchAndHead, ArrayRef<Value> rows, Value memory, ValueRange panel) {
  sizes.isPaired() ? copyPairs(batchAndHead, rows, memory, panel) : copyFloats(batchAndHead, rows, memory, panel);
}

/// The last columns may overlap those before.
void Packer::copyFloats(ValueRange batchAndHead, ArrayRef<Value> rows, Value memory, ValueRange panel) {
  int64_t lanes = f.isa.lanes, headSize = f.layout.headSize;
  f.loop(f.index(0), f.index(headSize), lanes, [&](Value start) {
    Value column = f.least(start, f.index(headSize - lanes));
    for (int64_t lane = 0; lane < KernelLayout::panelKeys; lane += lanes)
      copySquare(batchAndHead, rows.slice(lane, lanes), column, lanes, memory, panel, lane);
  });
}

/// What is left behind whole squares is filled up with zeros.
void Packer::copyPairs(ValueRange batchAndHead, ArrayRef<Value> rows, Value memory, ValueRange panel) {
  int64_t columns = 2 * f.isa.lanes, whole = f.layout.headSize / columns * columns;
  f.loop(f.index(0), f.index(whole), columns,
         [&](Value column) { copySquare(batchAndHead, rows, column, columns, memory, panel, 0); });
  if (whole < f.layout.headSize)
    copySquare(batchAndHead, rows, f.index(whole), f.layout.headSize - whole, memory, panel, 0);
}

void Packer::copySquare(ValueRange batchAndHead, ArrayRef<Value> rows, Value column, int64_t columns, Value memory,
                        ValueRange panel, int64_t lane) {
  Value keys = f.view(KeyTensor, f.storage());
  SmallVector<Value> square = llvm::map_to_vector(rows, [&](Value row) -> Value {
    Indices at = join(join(batchAndHead, row), column);
    if (!sizes.isPaired())
      return f.widen(f.loadVector(keys, at));
    Value halves = f.loadHead(keys, at, 2 * f.isa.lanes, columns);
    return vector::BitCastOp::create(f.b, f.vectorType(f.b.getI32Type()), halves);
  });
  f.transpose(square);
  Value first = sizes.isPaired() ? Value(arith::DivUIOp::create(f.b, column, f.index(2))) : column;
  bool isLast = sizes.isPaired() && columns < 2 * f.isa.lanes;
  int64_t count = isLast ? sizes.units % f.isa.lanes : f.isa.lanes;
  for (int64_t unit = 0; unit < (count ? count : f.isa.lanes); ++unit)
    f.storeVector(square[unit], memory, join(panel, placeOf(f.add(first, unit), f.index(lane))));
}

/// Unit `unit` of a row, all of whose columns exist.
Value Packer::unitOf(Value view, ValueRange batchAndHead, Value row, Value unit) {
  Indices at = join(batchAndHead, row);
  if (!sizes.isPaired())
    return f.widen(f.load(view, join(at, unit)));
  Value column = f.mul(unit, 2);
  auto half = [&](int64_t number) -> Value {
    return arith::ExtUIOp::create(f.b, f.b.getI32Type(), f.load(view, join(at, f.add(column, number))));
  };
  Value shift = arith::ConstantOp::create(f.b, f.b.getI32IntegerAttr(16));
  return arith::OrIOp::create(f.b, half(0), arith::ShLIOp::create(f.b, half(1), shift));
}

void Packer::copyKey(ValueRange batchAndHead, Value row, Value memory, ValueRange panel, Value lane) {
  Value keys = f.view(KeyTensor, f.storage());
  int64_t whole = f.layout.headSize / sizes.unitColumns;
  f.loop(f.index(0), f.index(whole), 1,
         [&](Value unit) { f.store(unitOf(keys, batchAndHead, row, unit), memory, join(panel, placeOf(unit, lane))); });
  for (int64_t unit = whole; unit < sizes.units; ++unit) {
    Value rest = arith::ConstantOp::create(f.b, f.b.getI32IntegerAttr(0));
    if (unit * sizes.unitColumns < f.layout.headSize)
      rest = arith::ExtUIOp::create(f.b, f.b.getI32Type(),
                                    f.load(keys, join(join(batchAndHead, row), f.index(unit * sizes.unitColumns))));
    f.store(rest, memory, join(panel, placeOf(f.index(unit), lane)));
  }
}

void Packer::clearKey(Value memory, ValueRange panel, Value lane) {
  Value zero = arith::ConstantOp::create(f.b, f.b.getZeroAttr(unitType()));
  f.loop(f.index(0), f.index(sizes.units), 1,
         [&](Value unit) { f.store(zero, memory, join(panel, placeOf(unit, lane))); });
}

Value Packer::keyColumn(Value memory, Value key, Value column) {
  Value size = f.index(KernelLayout::panelKeys);
  Value panel = arith::DivUIOp::create(f.b, key, size), lane = arith::RemUIOp::create(f.b, key, size);
  if (!sizes.isPaired())
    return f.loadVector(memory, {panel, placeOf(column, lane)});
  Value two = f.index(2), unit = arith::DivUIOp::create(f.b, column, two);
  Value pairs = f.loadVector(memory, {panel, placeOf(unit, lane)});
  // A bf16 is the upper half of a float: the second of a pair lies there already.
  Value isSecond =
      arith::CmpIOp::create(f.b, arith::CmpIPredicate::eq, arith::RemUIOp::create(f.b, column, two), f.index(1));
  Value first = arith::ShLIOp::create(f.b, pairs, f.integers(16));
  Value second = arith::AndIOp::create(f.b, pairs, f.integers(static_cast<int32_t>(0xffff0000)));
  return arith::BitcastOp::create(f.b, f.vectorType(f.b.getF32Type()), f.select(isSecond, second, first));
}

//===-- Values ----------------------------------------------------------------------------------------------------===//

void Packer::copyValues(ValueRange batchAndHead, ArrayRef<Value> rows, Value memory, ValueRange row) {
  Value values = f.view(ValueTensor, f.storage());
  int64_t columns = f.layout.valueHeadSize;
  if (!sizes.isPaired()) {
    f.copyRow(values, join(join(batchAndHead, rows[0]), Value()), memory, join(row, Value()), columns,
              [&](Value v) { return f.widen(v); });
    clearValues(memory, row, columns);
    return;
  }
  Type units = f.vectorType(f.b.getI32Type());
  auto copyUnits = [&](Value column, int64_t present) {
    Value all = f.integers(0);
    for (auto [number, keyRow] : llvm::enumerate(rows)) {
      if (!keyRow)
        continue;
      Value halves = f.loadHead(values, join(join(batchAndHead, keyRow), column), f.isa.lanes, present);
      Value half = arith::ExtUIOp::create(f.b, units, halves);
      Value shifted = arith::ShLIOp::create(f.b, half, f.integers(16 * static_cast<int64_t>(number)));
      all = arith::OrIOp::create(f.b, all, shifted);
    }
    f.storeVector(all, memory, join(row, column));
  };
  int64_t whole = columns / f.isa.lanes * f.isa.lanes;
  f.loop(f.index(0), f.index(whole), f.isa.lanes, [&](Value column) { copyUnits(column, f.isa.lanes); });
  if (whole < columns)
    copyUnits(f.index(whole), columns - whole);
}

void Packer::clearValues(Value memory, ValueRange row, int64_t firstColumn) {
  Value zero = arith::ConstantOp::create(f.b, f.b.getZeroAttr(unitType()));
  f.loop(f.index(firstColumn), f.index(sizes.valueStride), 1,
         [&](Value column) { f.store(zero, memory, join(row, column)); });
}
