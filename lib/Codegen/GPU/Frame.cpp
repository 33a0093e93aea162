// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Values, loops and memory of a GPU kernel.

#include "Frame.h"
#include "../../Runtime/gpu.h"
#include "attn/Codegen/RegionInliner.h"

using namespace mlir;
using namespace attn;
using namespace attn::hopper;

//===-- Functions -------------------------------------------------------------------------------------------------===//

static void passByValue(LLVM::LLVMFuncOp function, unsigned argument, Type type, int64_t alignment) {
  OpBuilder b(function.getContext());
  function.setArgAttr(argument, LLVM::LLVMDialect::getByValAttrName(), TypeAttr::get(type));
  function.setArgAttr(argument, LLVM::LLVMDialect::getAlignAttrName(), b.getI64IntegerAttr(alignment));
  function.setArgAttr(argument, NVVM::NVVMDialect::getGridConstantAttrName(), b.getUnitAttr());
}

LLVM::LLVMFuncOp attn::hopper::declareKernel(ImplicitLocOpBuilder &b, StringRef name, unsigned maps, unsigned words,
                                             int64_t threads, int64_t blocksPerSm) {
  constexpr int64_t mapBytes = 128;
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  auto type =
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()), SmallVector<Type>(maps + 1, pointer));
  auto function = LLVM::LLVMFuncOp::create(b, name, type);
  for (unsigned map = 0; map < maps; ++map)
    passByValue(function, map, LLVM::LLVMArrayType::get(b.getI8Type(), mapBytes), 64);
  passByValue(function, maps, LLVM::LLVMArrayType::get(b.getI64Type(), words), 8);
  function->setAttr("gpu.kernel", b.getUnitAttr());
  function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(), b.getUnitAttr());
  function->setAttr(NVVM::NVVMDialect::getReqntidAttrName(),
                    b.getDenseI32ArrayAttr({static_cast<int32_t>(threads), 1, 1}));
  function->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(), b.getI32IntegerAttr(blocksPerSm));
  return function;
}

//===-- Whole numbers ---------------------------------------------------------------------------------------------===//

Value Frame::i32(int64_t value) { return arith::ConstantOp::create(b, b.getI32IntegerAttr(value)); }
Value Frame::index(int64_t value) { return arith::ConstantIndexOp::create(b, value); }
Value Frame::constantLike(Value like, int64_t value) {
  return arith::ConstantOp::create(b, b.getIntegerAttr(like.getType(), value));
}
Value Frame::add(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
Value Frame::sub(Value x, Value y) { return arith::SubIOp::create(b, x, y); }
Value Frame::mul(Value x, Value y) { return arith::MulIOp::create(b, x, y); }
Value Frame::divide(Value x, Value y) { return arith::DivUIOp::create(b, x, y); }
Value Frame::remainder(Value x, Value y) { return arith::RemUIOp::create(b, x, y); }
Value Frame::divideDown(Value x, Value y) { return arith::FloorDivSIOp::create(b, x, y); }
Value Frame::least(Value x, Value y) { return arith::MinSIOp::create(b, x, y); }
Value Frame::greatest(Value x, Value y) { return arith::MaxSIOp::create(b, x, y); }
Value Frame::compare(CmpIPredicate predicate, Value x, Value y) { return arith::CmpIOp::create(b, predicate, x, y); }
Value Frame::both(Value x, Value y) { return arith::AndIOp::create(b, x, y); }
Value Frame::either(Value x, Value y) { return arith::OrIOp::create(b, x, y); }
Value Frame::negate(Value condition) { return arith::XOrIOp::create(b, condition, truth(true)); }
Value Frame::truth(bool value) { return arith::ConstantOp::create(b, b.getBoolAttr(value)); }
Value Frame::select(Value condition, Value x, Value y) { return arith::SelectOp::create(b, condition, x, y); }
Value Frame::toIndex(Value x) {
  return x.getType().isIndex() ? x : arith::IndexCastOp::create(b, b.getIndexType(), x).getResult();
}
Value Frame::toI32(Value x) {
  if (x.getType().isIndex())
    return arith::IndexCastOp::create(b, b.getI32Type(), x);
  return x.getType().isInteger(64) ? arith::TruncIOp::create(b, b.getI32Type(), x).getResult() : x;
}
Value Frame::toI64(Value x) {
  if (x.getType().isIndex())
    return arith::IndexCastOp::create(b, b.getI64Type(), x);
  return x.getType().isInteger(64) ? x : arith::ExtSIOp::create(b, b.getI64Type(), x).getResult();
}

Value Frame::f32(double value) { return arith::ConstantOp::create(b, b.getF32FloatAttr(value)); }

//===-- Threads ---------------------------------------------------------------------------------------------------===//

Value Frame::threadInBlock() { return NVVM::ThreadIdXOp::create(b, b.getI32Type()); }

void Frame::fenceAsync() {
  NVVM::FenceProxyOp::create(b, NVVM::ProxyKind::async_shared,
                             NVVM::SharedSpaceAttr::get(b.getContext(), NVVM::SharedSpace::shared_cta));
}

void Frame::meet(Value id, int64_t threads) {
  NVVM::BarrierOp::create(b, TypeRange{}, id, i32(threads), NVVM::BarrierReductionAttr(), Value());
}

void Frame::arrive(Value id, int64_t threads) { NVVM::BarrierArriveOp::create(b, id, i32(threads)); }

static Value reduceWarp(Frame &f, Value x, NVVM::ReduxKind kind) {
  return NVVM::ReduxOp::create(f.b, x.getType(), x, kind, f.i32(-1));
}
Value Frame::leastOfWarp(Value x) { return reduceWarp(*this, x, NVVM::ReduxKind::MIN); }
Value Frame::greatestOfWarp(Value x) { return reduceWarp(*this, x, NVVM::ReduxKind::MAX); }
Value Frame::anyOfWarp(Value condition) {
  return NVVM::VoteSyncOp::create(b, b.getI1Type(), i32(-1), condition, NVVM::VoteSyncKind::any);
}

Value Frame::ofLane(Value x, Value from) {
  return NVVM::ShflOp::create(b, x.getType(), i32(-1), x, from, i32(31), NVVM::ShflKind::idx, UnitAttr());
}

//===-- Words -----------------------------------------------------------------------------------------------------===//

/// Of those that stand behind all views.
static unsigned firstLinearWord(const KernelLayout &layout) {
  return layout.symbolCount() + ATTN_GPU_WORDS + ATTN_GPU_VIEW_WORDS * layout.viewCount;
}

unsigned Frame::wordCount(const KernelLayout &layout) {
  return firstLinearWord(layout) + (layout.linear ? ATTN_GPU_LINEAR_WORDS : 0);
}

unsigned Frame::viewWord(unsigned view, unsigned field) const {
  return layout.symbolCount() + ATTN_GPU_WORDS + ATTN_GPU_VIEW_WORDS * view + field;
}

static Value wordPointer(Frame &f, unsigned number) {
  return LLVM::GEPOp::create(f.b, f.words.getType(), f.b.getI64Type(), f.words,
                             ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(number)});
}

Value Frame::word(unsigned number) { return LLVM::LoadOp::create(b, b.getI64Type(), wordPointer(*this, number)); }

Value Frame::size(unsigned gpuWord) { return toI32(word(layout.symbolCount() + gpuWord)); }

/// Divides by a product, which is right or one short: the first keys wait for it.
std::pair<Value, Value> Frame::partOf(Value tile) {
  Value ofPart = size(ATTN_GPU_TILES_OF_PART);
  Value part = arith::MulUIExtendedOp::create(b, tile, size(ATTN_GPU_PART_FACTOR)).getHigh();
  Value place = sub(tile, mul(part, ofPart)), isShort = negate(compare(arith::CmpIPredicate::ult, place, ofPart));
  return {select(isShort, add(part, 1), part), select(isShort, sub(place, ofPart), place)};
}

Value Frame::linearWord(unsigned number) { return word(firstLinearWord(layout) + number); }

Value Frame::viewAddress(unsigned view) { return word(viewWord(view, ATTN_GPU_VIEW_ADDRESS)); }

Value Frame::viewStride(unsigned view, unsigned axis) { return word(viewWord(view, ATTN_GPU_VIEW_STRIDES + axis)); }

Value Frame::viewExtent(unsigned view, unsigned axis) { return word(viewWord(view, ATTN_GPU_VIEW_SHAPE + axis)); }

Value Frame::orderState(unsigned order, unsigned field) {
  Value place = add(mul(batch, layout.orders.size()), order);
  Value at = arith::ExtUIOp::create(b, b.getI64Type(), add(mul(place, 2), field));
  return load32(word(layout.symbolCount() + ATTN_GPU_ORDERS), at);
}

Value Frame::holdsRow(unsigned order, Value row) {
  const OrderLayout &which = layout.orders[order];
  if (which.order.isComputed())
    return negate(isZero(evaluate(which.order.holdsRow(), row)));
  Value bits = load32(tableOfBatch(which.flagsView), arith::ExtUIOp::create(b, b.getI64Type(), divide(row, 32)));
  return negate(isZero(both(arith::ShRUIOp::create(b, bits, remainder(row, 32)), i32(1))));
}

/// A division takes longer, and the first keys wait for it; but it takes fewer registers, of which threads that
/// multiply by themselves have none to spare.
Value Frame::keyHeadOf(Value queryHead) {
  if (layout.linear || layout.element.isF32())
    return divide(queryHead, toI32(symbol(HeadsPerKvHeadSymbol)));
  Value product = mul(toI64(queryHead), word(layout.symbolCount() + ATTN_GPU_KV_HEAD_FACTOR));
  return toI32(arith::ShRUIOp::create(b, product, constantLike(product, 32)).getResult());
}

void Frame::turnTo(Value itemBatch, Value itemHead) {
  batch = itemBatch, head = itemHead;
  kvHead = keyHeadOf(head);
  for (auto [i, named] : llvm::enumerate(layout.symbols))
    if (named.kind == NamedSymbol::HeadEntry)
      headEntries[FirstNamed + i] = headEntry(named.source);
}

Value Frame::symbol(unsigned number) {
  unsigned firstCount = FirstNamed + layout.symbols.size();
  if (number >= firstCount) {
    const OrderLayout &order = layout.orders[number - firstCount];
    if (order.rowsView < 0)
      return symbol(order.order.side == Side::Queries ? Length : KvLength);
    return toIndex(orderState(number - firstCount, /*count*/ 0));
  }
  if (number == Head)
    return toIndex(head);
  if (number >= FirstNamed) {
    const NamedSymbol &named = layout.symbols[number - FirstNamed];
    if (named.kind == NamedSymbol::Entry)
      return batchEntry(named.source);
    if (named.kind == NamedSymbol::HeadEntry)
      return headEntries.lookup(number);
  }
  return toIndex(word(number));
}

Value Frame::batchEntry(unsigned tensor) {
  Value zero = arith::ConstantOp::create(b, b.getI64IntegerAttr(0));
  return toIndex(load32(tableOfBatch(tensor), zero));
}

Value Frame::headEntry(unsigned tensor) {
  Value entry = toIndex(load32(tableOfBatch(tensor), mul(toI64(head), viewStride(tensor, 3))));
  std::optional<int64_t> minimum = layout.tensors[tensor].minimum;
  return minimum ? greatest(entry, index(*minimum)) : entry;
}

Value Frame::callNumber(Operation *op) {
  if (auto ofHead = dyn_cast<OfHeadOp>(op))
    return headEntry(layout.tensorOf(ofHead.getValues()));
  if (auto ofBatch = dyn_cast<OfBatchOp>(op))
    return batchEntry(layout.tensorOf(ofBatch.getValues()));
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

Value Frame::numberSymbol(unsigned number) {
  return LLVM::LoadOp::create(b, b.getF32Type(), wordPointer(*this, number));
}

Value Frame::argument(Value outer) {
  return writeArithmetic(b, outer, [&](Value leaf) {
    if (Operation *op = leaf.getDefiningOp())
      return callNumber(op);
    unsigned number = layout.symbolOf(leaf);
    return leaf.getType().isF32() ? numberSymbol(number) : symbol(number);
  });
}

Value Frame::evaluate(const Expr &expr, Value row) {
  return writeExpr(b, expr, toIndex(row), [&](unsigned s) { return symbol(s); });
}

Value Frame::pointer(Value address, Type element, Value at) {
  Type global = LLVM::LLVMPointerType::get(b.getContext(), 1);
  Value base = LLVM::IntToPtrOp::create(b, global, address);
  return LLVM::GEPOp::create(b, global, element, base, ArrayRef<LLVM::GEPArg>{at});
}

Value Frame::load(Type element, Value address, Value at, bool isConstant) {
  return LLVM::LoadOp::create(b, element, pointer(address, element, at), /*alignment=*/0, /*isVolatile=*/false,
                              /*isNonTemporal=*/false, /*isInvariant=*/isConstant);
}

Value Frame::tableOfBatch(unsigned view) {
  Value wideBatch = arith::ExtUIOp::create(b, b.getI64Type(), batch);
  return add(viewAddress(view), mul(mul(wideBatch, viewStride(view, 0)), 4));
}

Value Frame::entryOf(unsigned view, ValueRange indices) {
  Value entry = arith::ConstantOp::create(b, b.getI64IntegerAttr(0));
  for (auto [axis, index] : llvm::enumerate(indices))
    entry = add(entry, mul(toI64(index), viewStride(view, axis)));
  return entry;
}

Value Frame::rowPointer(unsigned view, Value headOfTensor, Value row, Type element) {
  return pointer(viewAddress(view), element, entryOf(view, {batch, headOfTensor, row}));
}

//===-- Control ---------------------------------------------------------------------------------------------------===//

SmallVector<Value> Frame::loop(Value begin, Value end, Value step, ValueRange carried, Body body) {
  auto op = scf::ForOp::create(b, begin, end, step, carried);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(op.getBody());
  SmallVector<Value> results = body(op.getInductionVar(), op.getRegionIterArgs());
  if (!carried.empty())
    scf::YieldOp::create(b, results);
  return llvm::to_vector_of<Value>(op.getResults());
}

void Frame::loop(Value begin, Value end, Value step, llvm::function_ref<void(Value)> body) {
  loop(begin, end, step, ValueRange(), [&](Value i, ValueRange) -> SmallVector<Value> {
    body(i);
    return {};
  });
}

SmallVector<Value> Frame::choose(Value condition, Values yes, Values no) {
  // The types of the results are known only after the first branch has been written.
  Block yesBlock, noBlock;
  auto write = [&](Block &block, Values values) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&block);
    SmallVector<Value> results = values();
    scf::YieldOp::create(b, results);
    return llvm::map_to_vector(results, [](Value v) { return v.getType(); });
  };
  SmallVector<Type> types = write(yesBlock, yes);
  write(noBlock, no);
  auto op = scf::IfOp::create(b, types, condition, /*addThenBlock=*/true, /*addElseBlock=*/true);
  op.thenBlock()->getOperations().splice(op.thenBlock()->begin(), yesBlock.getOperations());
  op.elseBlock()->getOperations().splice(op.elseBlock()->begin(), noBlock.getOperations());
  return llvm::to_vector_of<Value>(op.getResults());
}

Value Frame::choose(Value condition, llvm::function_ref<Value()> yes, llvm::function_ref<Value()> no) {
  return choose(condition, [&] { return SmallVector<Value>{yes()}; }, [&] { return SmallVector<Value>{no()}; })[0];
}

void Frame::when(Value condition, llvm::function_ref<void()> body) {
  auto op = scf::IfOp::create(b, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(op.thenBlock());
  body();
}

//===-- Tiles -----------------------------------------------------------------------------------------------------===//

Type Frame::rowOf(Type element) { return tile::RowType::get(b.getContext(), element); }

/// Writes a region over places: an argument for each operand, and the column where `hasColumn`.
static void writePlaces(ImplicitLocOpBuilder &b, Region &region, ValueRange operands, bool hasColumn,
                        llvm::function_ref<Value(ValueRange)> body) {
  SmallVector<Type> types;
  for (Value operand : operands) {
    if (auto row = dyn_cast<tile::RowType>(operand.getType()))
      types.push_back(row.getElement());
    else
      types.push_back(isa<tile::BitsType>(operand.getType()) ? Type(b.getI1Type()) : b.getF32Type());
  }
  if (hasColumn)
    types.push_back(b.getI32Type());
  OpBuilder::InsertionGuard guard(b);
  Block *block = b.createBlock(&region, {}, types, SmallVector<Location>(types.size(), b.getLoc()));
  Value result = body(block->getArguments());
  tile::YieldOp::create(b, result);
}

Value Frame::map(Type result, ValueRange operands, llvm::function_ref<Value(ValueRange)> body, bool isRolled) {
  auto op = tile::MapOp::create(b, result, operands, isRolled);
  bool hasColumn =
      !isa<tile::RowType>(result) || llvm::any_of(operands, [](Value v) { return !isa<tile::RowType>(v.getType()); });
  writePlaces(b, op.getBody(), operands, hasColumn, body);
  return op.getResult();
}

Value Frame::ask(int64_t columns, ValueRange operands, llvm::function_ref<Value(ValueRange)> body) {
  auto op = tile::AskOp::create(b, tile::BitsType::get(b.getContext(), columns), operands);
  writePlaces(b, op.getBody(), operands, /*hasColumn=*/true, body);
  return op.getResult();
}

Value Frame::between(int64_t columns, Value begin, Value end) {
  return tile::BetweenOp::create(b, tile::BitsType::get(b.getContext(), columns), begin, end);
}

Value Frame::pack(llvm::function_ref<Value(unsigned)> ofRow) {
  Value first = ofRow(0), second = ofRow(1);
  return tile::PackOp::create(b, rowOf(first.getType()), first, second);
}
