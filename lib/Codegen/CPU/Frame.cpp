// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Memory, values and loops of emitted functions.

#include "Frame.h"
#include "Packing.h"
#include "TilePipeline.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

//===-- Functions -------------------------------------------------------------------------------------------------===//

func::FuncOp Frame::begin(ModuleOp module, StringRef name, TypeRange inputs) {
  b.setInsertionPointToEnd(module.getBody());
  auto function = func::FuncOp::create(b, name, b.getFunctionType(inputs, {}));
  function.setPrivate();
  if (!isa.features.empty())
    function->setAttr("target_features", LLVM::TargetFeaturesAttr::get(b.getContext(), isa.features));
  Block *entry = function.addEntryBlock();
  b.setInsertionPointToStart(entry);
  arguments = entry->getArguments();
  return function;
}

void Frame::end() { func::ReturnOp::create(b); }

//===-- Memory ----------------------------------------------------------------------------------------------------===//

static LLVM::LLVMStructType descriptorType(MLIRContext *context, int64_t rank) {
  Type pointer = LLVM::LLVMPointerType::get(context), i64 = IntegerType::get(context, 64);
  Type sizes = LLVM::LLVMArrayType::get(i64, rank);
  return LLVM::LLVMStructType::getLiteral(context, {pointer, pointer, i64, sizes, sizes});
}

static Value elementAddress(ImplicitLocOpBuilder &b, Value base, Type type, LLVM::GEPArg index) {
  return LLVM::GEPOp::create(b, LLVM::LLVMPointerType::get(b.getContext()), type, base, ArrayRef<LLVM::GEPArg>{index});
}

Value Frame::view(unsigned viewIndex, Type element, bool unitColumns) {
  LLVM::LLVMStructType type = descriptorType(b.getContext(), 4);
  Value descriptor = LLVM::LoadOp::create(b, type, elementAddress(b, views, type, viewIndex));
  SmallVector<int64_t> open(4, ShapedType::kDynamic), strides = open;
  if (unitColumns)
    strides.back() = 1;
  auto layoutAttr = StridedLayoutAttr::get(b.getContext(), ShapedType::kDynamic, strides);
  auto memref = MemRefType::get(open, element, layoutAttr);
  return UnrealizedConversionCastOp::create(b, memref, descriptor).getResult(0);
}

Value Frame::viewData(unsigned viewIndex) {
  LLVM::LLVMStructType type = descriptorType(b.getContext(), 4);
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  Value address = LLVM::GEPOp::create(b, pointer, type, views, ArrayRef<LLVM::GEPArg>{viewIndex, 1});
  return LLVM::LoadOp::create(b, pointer, address);
}

Value Frame::memrefAt(Value pointer, MemRefType type) {
  int64_t rank = type.getRank();
  Value descriptor = LLVM::PoisonOp::create(b, descriptorType(b.getContext(), rank));
  auto set = [&](Value value, ArrayRef<int64_t> position) {
    descriptor = LLVM::InsertValueOp::create(b, descriptor, value, position);
  };
  auto constant = [&](int64_t value) -> Value { return LLVM::ConstantOp::create(b, b.getI64Type(), value); };
  set(pointer, {0});
  set(pointer, {1});
  set(constant(0), {2});
  int64_t stride = 1;
  for (int64_t axis = rank - 1; axis >= 0; --axis) {
    int64_t size = type.isDynamicDim(axis) ? neverRank : type.getDimSize(axis);
    set(constant(size), {3, axis});
    set(constant(stride), {4, axis});
    stride *= size;
  }
  return UnrealizedConversionCastOp::create(b, type, descriptor).getResult(0);
}

/// Distances between the rows and keys of a tile, and what vectors and micro-tiles reach past them.
static int64_t distancesOfTile(const KernelLayout &layout, const Isa &isa) {
  return llvm::alignTo(layout.tile[0] + layout.tile[1] + isa.lanes * isa.vectors, KernelLayout::panelKeys);
}

/// The same of a micro-tile's rows.
static int64_t distancesOfRows(const KernelLayout &layout, const Isa &isa) {
  return layout.tile[1] + isa.rows + isa.lanes * (isa.vectors + 1);
}

/// The shape of a scratch array, and whether it holds floats, rows (index) or integers.
static std::pair<SmallVector<int64_t>, char> scratchShape(ScratchArray array, const KernelLayout &layout,
                                                          const Isa &isa) {
  int64_t rows = llvm::alignTo(layout.tile[0], layout.tile[2]), keys = layout.tile[1], groups = rows / layout.tile[2];
  Packing packing(layout, isa);
  char unit = packing.isPaired() ? 'i' : 'f';
  bool hasTiles = isa.products == Products::Tiles;
  switch (array) {
  case ScratchArray::Ring:
    return {{4}, 'x'};
  case ScratchArray::Query:
    return {{rows, layout.headSize}, 'f'};
  case ScratchArray::QueryUnits:
    return {{isa.takesQueryAsItIs() ? rows : 0, packing.units}, unit};
  case ScratchArray::Output:
    return {{rows, layout.valueStride()}, 'f'};
  case ScratchArray::Sum:
    return {{rows, isa.lanes}, 'f'};
  case ScratchArray::Maximum:
  case ScratchArray::Total:
  case ScratchArray::Lse:
    return {{rows + isa.lanes}, 'f'}; // read as vectors
  case ScratchArray::Scores:
    return {{isa.rows, keys + 16}, 'f'};
  case ScratchArray::Powers:
    return {{packing.isPaired() ? isa.rows : 0, keys / 2 + 16}, 'i'};
  case ScratchArray::Risen:
    return {{isa.rows, isa.lanes}, 'f'};
  case ScratchArray::Row:
    return {{rows}, 'x'};
  case ScratchArray::Owned:
  case ScratchArray::Lower:
  case ScratchArray::Upper:
  case ScratchArray::HoleLower:
  case ScratchArray::HoleUpper:
    return {{rows}, 'i'};
  case ScratchArray::GroupLower:
  case ScratchArray::GroupUpper:
    return {{groups}, 'i'};
  case ScratchArray::Tests:
    return {{rows, keys}, 'i'};
  case ScratchArray::KeyRows:
    return {{keys}, 'i'};
  case ScratchArray::KeyLower:
  case ScratchArray::KeyUpper:
    return {{layout.hasGrids() ? rows : 0}, 'i'};
  case ScratchArray::ColumnLower:
  case ScratchArray::ColumnUpper:
    return {{layout.hasGrids() ? rows : 0}, 'x'};
  case ScratchArray::KeyColumns:
    return {{layout.hasGrids() ? keys : 0}, 'x'};
  case ScratchArray::TileKeys:
    return {{layout.hasGrids() ? keys / KernelLayout::panelKeys : 0, packing.panelStride}, unit};
  case ScratchArray::TileValues:
    return {{layout.hasGrids() ? keys / packing.valueKeys : 0, packing.valueStride}, unit};
  case ScratchArray::RowTerms:
    return {{layout.terms.ofRow, rows}, 'f'};
  case ScratchArray::KeyTerms:
    return {{layout.terms.ofKey, keys}, 'f'};
  case ScratchArray::DistanceTerms:
    return {{layout.terms.ofDistance, distancesOfTile(layout, isa)}, 'f'};
  case ScratchArray::BandPanels:
    return {{layout.terms.bands * distancesOfTile(layout, isa) / KernelLayout::panelKeys, layout.panelStride()}, 'f'};
  case ScratchArray::Bands:
    return {{layout.terms.bands * isa.rows, distancesOfRows(layout, isa)}, 'f'};
  case ScratchArray::References:
    return {{hasTiles ? pipelineRows : 0}, 'f'};
  case ScratchArray::StepScores:
    return {{hasTiles ? 2 : 0, pipelineRows * pipelineStep + 16}, 'f'};
  case ScratchArray::StepPowers:
    return {{hasTiles ? 2 : 0, pipelineRows * pipelineStep / 2 + 16}, 'i'};
  case ScratchArray::StepSums:
    return {{hasTiles ? pipelineRows : 0, isa.lanes}, 'f'};
  }
  llvm_unreachable("all arrays are handled");
}

static int64_t scratchOffset(ScratchArray array, const KernelLayout &layout, const Isa &isa) {
  int64_t offset = 0;
  for (int before = 0; before < static_cast<int>(array); ++before) {
    auto [shape, kind] = scratchShape(static_cast<ScratchArray>(before), layout, isa);
    int64_t bytes = llvm::product_of(shape) * (kind == 'x' ? 8 : 4);
    offset += (bytes + 63) / 64 * 64;
  }
  return offset;
}

int64_t Frame::scratchBytes(const KernelLayout &layout, const Isa &isa) {
  return scratchOffset(static_cast<ScratchArray>(static_cast<int>(ScratchArray::StepSums) + 1), layout, isa);
}

Value Frame::scratchPointer(ScratchArray array) {
  int64_t offset = scratchOffset(array, layout, isa);
  return elementAddress(b, scratch, b.getI8Type(), static_cast<int32_t>(offset));
}

Value Frame::scratchAt(ScratchArray array, MemRefType type) { return memrefAt(scratchPointer(array), type); }

Value Frame::scratchArray(ScratchArray array) {
  auto [shape, kind] = scratchShape(array, layout, isa);
  Type element = kind == 'f' ? Type(b.getF32Type()) : kind == 'x' ? Type(b.getIndexType()) : b.getI32Type();
  return scratchAt(array, MemRefType::get(shape, element));
}

Value Frame::scratchHalves(ScratchArray array) {
  SmallVector<int64_t> shape = scratchShape(array, layout, isa).first;
  shape.back() *= 2;
  return scratchAt(array, MemRefType::get(shape, b.getI16Type()));
}

Value Frame::loadHead(Value memref, ValueRange indices, int64_t lanes, int64_t present) {
  auto type = VectorType::get({lanes}, elementOf(memref));
  if (present >= lanes)
    return vector::LoadOp::create(b, type, memref, indices);
  Value mask = vector::CreateMaskOp::create(b, type.clone(b.getI1Type()), ValueRange{index(present)});
  Value none = arith::ConstantOp::create(b, cast<TypedAttr>(b.getZeroAttr(type)));
  return vector::MaskedLoadOp::create(b, type, memref, indices, mask, none);
}

void Frame::copyRow(Value from, SmallVector<Value> fromIndices, Value to, SmallVector<Value> toIndices, int64_t columns,
                    llvm::function_ref<Value(Value)> change) {
  for (int64_t column = 0; column < columns; column += isa.lanes) {
    bool isTail = column + isa.lanes > columns;
    fromIndices.back() = toIndices.back() = index(isTail && column ? columns - isa.lanes : column);
    if (column || !isTail) {
      storeVector(change(loadVector(from, fromIndices)), to, toIndices);
      continue;
    }
    Type element = elementOf(from);
    Value mask = vector::CreateMaskOp::create(b, vectorType(b.getI1Type()), ValueRange{index(columns)});
    Value few = vector::MaskedLoadOp::create(b, vectorType(element), from, fromIndices, mask, zeros(element));
    Value changed = change(few);
    // Why one number is not stored through a mask: LLVM 22 then stores as many bytes as it had before it was truncated.
    if (columns == 1)
      store(vector::ExtractOp::create(b, changed, 0), to, toIndices);
    else
      vector::MaskedStoreOp::create(b, to, toIndices, mask, changed);
  }
}

//===-- Reads at computed places ----------------------------------------------------------------------------------===//

Frame::Places Frame::placesOf(unsigned viewIndex, Type element, ArrayRef<Value> indices) {
  auto strides =
      memref::ExtractStridedMetadataOp::create(b, view(viewIndex, element, /*unitColumns=*/false)).getStrides();
  Places places{memrefAt(viewData(viewIndex), MemRefType::get({ShapedType::kDynamic}, element)), index(0), Value(),
                strides.back()};
  for (auto [at, stride] : llvm::zip_equal(indices, strides)) {
    bool overLanes = mlir::isa<VectorType>(at.getType());
    Value part = arith::MulIOp::create(b, at, overLanes ? splat(b, stride, isa.lanes) : stride);
    Value &sum = overLanes ? places.lanes : places.offset;
    sum = sum ? add(sum, part) : part;
  }
  return places;
}

Value Frame::read(const Places &places) {
  if (!places.lanes)
    return load(places.memory, places.offset);
  Type element = elementOf(places.memory);
  Value all = splat(b, arith::ConstantOp::create(b, b.getBoolAttr(true)), isa.lanes);
  return vector::GatherOp::create(b, vectorType(element), places.memory, places.offset, places.lanes, all,
                                  zeros(element));
}

Value Frame::readColumn(Places places, Value column) {
  places.offset = add(places.offset, arith::MulIOp::create(b, column, places.columnStride));
  return read(places);
}

Value Frame::extent(unsigned viewIndex, unsigned axis) {
  return memref::DimOp::create(b, view(viewIndex, b.getI32Type(), /*unitColumns=*/false), axis);
}

//===-- Values ----------------------------------------------------------------------------------------------------===//

Value Frame::number(double value) { return arith::ConstantOp::create(b, b.getF32FloatAttr(value)); }

Value Frame::integers(int64_t value) {
  return splat(b, arith::ConstantOp::create(b, b.getI32IntegerAttr(value)), isa.lanes);
}

Value Frame::zeros(Type element) {
  return arith::ConstantOp::create(b, cast<TypedAttr>(b.getZeroAttr(vectorType(element))));
}

Value Frame::fma(Value x, Value y, Value z) {
  if (isa.hasFma && mlir::isa<VectorType>(x.getType()))
    return vector::FMAOp::create(b, x, y, z);
  return arith::AddFOp::create(b, arith::MulFOp::create(b, x, y), z);
}

Value Frame::maximum(Value x, Value y) {
  return select(arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, y), x, y);
}

Value Frame::lanesOf(Type element) {
  SmallVector<Attribute> lanes;
  for (int64_t lane = 0; lane < isa.lanes; ++lane)
    lanes.push_back(b.getIntegerAttr(element, lane));
  return arith::ConstantOp::create(b, DenseElementsAttr::get(vectorType(element), lanes));
}

// 2^x = 2^n * 2^f with n = round(x) and f in [-1/2, 1/2]; 2^f is a minimax polynomial of degree 5 (relative error
// 7e-8, Remez), and n is added to its exponent. Adding 1.5 * 2^23 rounds x and leaves n in the low bits.
Value Frame::exp2(Value x) {
  constexpr double coefficients[] = {0.00132764722, 0.00967554133, 0.0555071327, 0.240221197, 0.693146967, 1.00000007};
  Value shifted = arith::AddFOp::create(b, x, numbers(12582912.0));
  Value fraction = arith::SubFOp::create(b, x, arith::SubFOp::create(b, shifted, numbers(12582912.0)));
  Value power = numbers(coefficients[0]);
  for (double coefficient : llvm::drop_begin(coefficients))
    power = fma(power, fraction, numbers(coefficient));
  VectorType i32 = vectorType(b.getI32Type());
  Value exponent = arith::ShLIOp::create(b, arith::BitcastOp::create(b, i32, shifted), integers(23));
  Value bits = arith::AddIOp::create(b, arith::BitcastOp::create(b, i32, power), exponent);
  Value result = arith::BitcastOp::create(b, x.getType(), bits);
  Value underflows = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, numbers(-126));
  return select(underflows, numbers(0), result);
}

// Blocks of half the size change places across the diagonal, then those inside of them, down to single numbers.
void Frame::transpose(MutableArrayRef<Value> rows) {
  for (int64_t half = isa.lanes / 2; half >= 1; half /= 2) {
    SmallVector<int64_t> upper, lower;
    for (int64_t lane = 0; lane < isa.lanes; ++lane) {
      bool isRight = lane & half;
      upper.push_back(isRight ? isa.lanes + lane - half : lane);
      lower.push_back(isRight ? isa.lanes + lane : lane + half);
    }
    for (int64_t row = 0; row < isa.lanes; ++row) {
      if (row & half)
        continue;
      Value x = rows[row], y = rows[row + half];
      rows[row] = vector::ShuffleOp::create(b, x, y, upper);
      rows[row + half] = vector::ShuffleOp::create(b, x, y, lower);
    }
  }
}

Value Frame::sumOfEach(ArrayRef<Value> vectors) {
  return combineEach(vectors, [&](Value x, Value y) -> Value { return arith::AddFOp::create(b, x, y); });
}

// Of two vectors half a square apart, one vector keeps what lanes half a vector apart make: those of the first where
// the lane's bit is 0, those of the second where it is 1.
Value Frame::combineEach(ArrayRef<Value> vectors, llvm::function_ref<Value(Value, Value)> combine) {
  SmallVector<Value> results(vectors);
  for (int64_t half = isa.lanes / 2; half >= 1; half /= 2) {
    SmallVector<int64_t> own, other;
    for (int64_t lane = 0; lane < isa.lanes; ++lane) {
      own.push_back(lane & half ? isa.lanes + lane : lane);
      other.push_back(lane & half ? isa.lanes + lane - half : lane + half);
    }
    for (int64_t i = 0; i < half; ++i) {
      Value x = results[i], y = results[i + half];
      results[i] = combine(vector::ShuffleOp::create(b, x, y, own), vector::ShuffleOp::create(b, x, y, other));
    }
  }
  return results[0];
}

Value Frame::reduce(Value vector, llvm::function_ref<Value(Value, Value)> combine) {
  for (int64_t half = isa.lanes / 2; half >= 1; half /= 2) {
    SmallVector<int64_t> swapped(isa.lanes);
    for (int64_t lane = 0; lane < isa.lanes; ++lane)
      swapped[lane] = lane ^ half;
    vector = combine(vector, vector::ShuffleOp::create(b, vector, vector, swapped));
  }
  return vector::ExtractOp::create(b, vector, ArrayRef<int64_t>{0});
}

//===-- The call --------------------------------------------------------------------------------------------------===//

Value Frame::symbol(unsigned symbolIndex) {
  if (symbolIndex == Head)
    return head;
  if (symbolIndex >= FirstNamed && symbolIndex < FirstNamed + layout.symbols.size()) {
    const NamedSymbol &named = layout.symbols[symbolIndex - FirstNamed];
    if (named.kind == NamedSymbol::HeadEntry)
      return entryOfHead(named.source);
  }
  Value address = elementAddress(b, symbols, b.getI64Type(), symbolIndex);
  return toIndex(LLVM::LoadOp::create(b, b.getI64Type(), address));
}

Value Frame::numberSymbol(unsigned symbolIndex) {
  return LLVM::LoadOp::create(b, b.getF32Type(), elementAddress(b, symbols, b.getI64Type(), symbolIndex));
}

Value Frame::entryOf(unsigned viewIndex, Value column) {
  return toIndex(load(view(viewIndex, b.getI32Type()), {batch, index(0), index(0), column}));
}

Value Frame::entryOfHead(unsigned tensor) {
  Value entries = view(tensor, b.getI32Type(), /*unitColumns=*/false); // heads may share one
  return toIndex(load(entries, {batch, index(0), index(0), head}));
}

Value Frame::callNumber(Operation *op) {
  if (auto ofHead = dyn_cast<OfHeadOp>(op))
    return entryOfHead(layout.tensorOf(ofHead.getValues()));
  if (auto ofBatch = dyn_cast<OfBatchOp>(op))
    return entryOf(layout.tensorOf(ofBatch.getValues()), index(0));
  switch (cast<ExtentOp>(op).getKind()) {
  case ExtentKind::Queries:
    return add(symbol(QueryOffset), symbol(Length));
  case ExtentKind::Keys:
    return add(symbol(KeyOffset), symbol(KvLength));
  case ExtentKind::Heads:
    return symbol(Heads);
  }
  llvm_unreachable("all kinds are handled");
}

Value Frame::argument(Value outer) {
  if (!outer.getType().isIntOrIndexOrFloat())
    return outer;
  return writeArithmetic(b, outer, [&](Value leaf) {
    if (Operation *op = leaf.getDefiningOp())
      return callNumber(op);
    unsigned number = layout.symbolOf(leaf);
    return leaf.getType().isF32() ? numberSymbol(number) : symbol(number);
  });
}

Value Frame::evaluate(const Expr &expr, Value row) {
  return writeExpr(b, expr, row, [&](unsigned s) { return symbol(s); });
}

Value Frame::countOf(const OrderLayout &order) {
  return order.order.isComputed() ? evaluate(order.order.count(), index(0)) : symbol(order.countSymbol);
}

Value Frame::hasRow(const OrderLayout &order, Value rank) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, evaluate(order.order.rankHasRow(), rank), index(0));
}

Value Frame::rowOf(const OrderLayout &order, Value rank) {
  if (order.order.kind == OrderKind::Patches)
    return select(hasRow(order, rank), evaluate(order.order.rowOfRank(), rank), index(0));
  if (order.order.isComputed())
    return evaluate(order.order.rowOfRank(), rank);
  return order.rowsView < 0 ? rank : entryOf(order.rowsView, rank);
}

//===-- Loops -----------------------------------------------------------------------------------------------------===//

SmallVector<Value> Frame::loop(Value begin, Value end, int64_t step, ValueRange carried, Body body) {
  auto loopOp = scf::ForOp::create(b, begin, end, index(step), carried);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loopOp.getBody());
  SmallVector<Value> results = body(loopOp.getInductionVar(), loopOp.getRegionIterArgs());
  if (!carried.empty())
    scf::YieldOp::create(b, results);
  return llvm::to_vector_of<Value>(loopOp.getResults());
}

void Frame::loop(Value begin, Value end, int64_t step, llvm::function_ref<void(Value)> body) {
  loop(begin, end, step, ValueRange(), [&](Value iv, ValueRange) -> SmallVector<Value> {
    body(iv);
    return {};
  });
}

void Frame::when(Value condition, llvm::function_ref<void()> body, llvm::function_ref<void()> otherwise) {
  auto branch = scf::IfOp::create(b, condition, /*withElseRegion=*/static_cast<bool>(otherwise));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  body();
  if (otherwise) {
    b.setInsertionPointToStart(branch.elseBlock());
    otherwise();
  }
}
