// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arrays, copies and products of a block of linear attention.

#include "LinearBlock.h"
#include "LowerTile.h"
#include "attn/Codegen/RegionInliner.h"

using namespace mlir;
using namespace attn;
using namespace attn::hopper;

//===-- Shared memory ---------------------------------------------------------------------------------------------===//

/// So many sums stay in registers.
static constexpr int64_t mostColumns = 9 * LinearBlock::lanes;

SmallVector<ColumnTile> attn::hopper::tilesOf(const KernelLayout &layout) {
  SmallVector<ColumnTile> tiles;
  for (int64_t first = 0; first < layout.linear->stateColumns; first += mostColumns)
    tiles.push_back({first, std::min(mostColumns, layout.linear->stateColumns - first)});
  return tiles;
}

/// Rows and columns.
static std::array<int64_t, 2> shapeOf(LinearArray array, const KernelLayout &layout) {
  switch (array) {
  case LinearArray::Features:
    return {LinearBlock::chunk, LinearBlock::chunk};
  case LinearArray::Values:
    return {LinearBlock::chunk, tilesOf(layout).front().count};
  case LinearArray::Query:
    return {LinearBlock::chunk, layout.headSize};
  case LinearArray::Normaliser:
    return {1, LinearBlock::chunk};
  case LinearArray::End:
    break;
  }
  llvm_unreachable("all arrays are handled");
}

/// From row to row: odd, so that neither a row's nor a column's neighbours share a bank.
static int64_t strideOf(LinearArray array, const KernelLayout &layout) { return shapeOf(array, layout)[1] | 1; }

int64_t attn::hopper::offsetOf(LinearArray array, const KernelLayout &layout) {
  int64_t offset = 0;
  for (auto before = LinearArray::Features; before != array; before = static_cast<LinearArray>(int(before) + 1))
    offset += shapeOf(before, layout)[0] * strideOf(before, layout);
  return offset;
}

//===-- The kernel ------------------------------------------------------------------------------------------------===//

std::string LinearBlock::nameOf(const KernelLayout &layout, StringRef part) { return (layout.name + "_" + part).str(); }

LinearBlock::LinearBlock(ImplicitLocOpBuilder &b, LinearAttentionOp op, const KernelLayout &layout, StringRef part)
    : f(b, layout), op(op), layout(layout), linear(*layout.linear) {
  LLVM::LLVMFuncOp function = declareKernel(b, nameOf(layout, part), /*maps=*/0, Frame::wordCount(layout), threads,
                                            /*blocksPerSm=*/1);
  Block *entry = function.addEntryBlock(b);
  b.setInsertionPointToStart(entry);
  f.words = entry->getArgument(0);
  shared = LLVM::AddressOfOp::create(b, LLVM::LLVMPointerType::get(b.getContext(), 3), tile::sharedMemoryName);
  block = NVVM::BlockIdXOp::create(b, b.getI32Type()), thread = f.threadInBlock();
  firstRow = f.mul(f.divide(thread, lanes), rowsOfThread), firstColumn = f.remainder(thread, lanes);
  splits = f.toI32(f.linearWord(ATTN_GPU_SPLITS)), splitKeys = f.toI32(f.linearWord(ATTN_GPU_SPLIT_KEYS));
  lead = f.toI32(f.linearWord(ATTN_GPU_LEAD));
}

void LinearBlock::turnToPair(Value pair) {
  Value heads = f.size(ATTN_GPU_KV_HEADS);
  f.batch = f.divide(pair, heads), f.kvHead = f.remainder(pair, heads);
}

Value LinearBlock::stateOf(Value split) {
  Value pair = f.add(f.mul(f.toI64(f.batch), f.toI64(f.size(ATTN_GPU_KV_HEADS))), f.toI64(f.kvHead));
  Value number = f.add(f.mul(pair, f.toI64(f.add(splits, 1))), f.toI64(split));
  return f.pointer(f.linearWord(ATTN_GPU_STATES), f.b.getF32Type(),
                   f.mul(number, linear.stateRows * linear.stateColumns));
}

//===-- Memory ----------------------------------------------------------------------------------------------------===//

/// So many f32 behind a pointer.
static Value ahead(Frame &f, Value pointer, int64_t offset) {
  if (offset == 0)
    return pointer;
  return LLVM::GEPOp::create(f.b, pointer.getType(), f.b.getF32Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(offset)});
}

int64_t LinearBlock::strideOf(LinearArray array) const { return ::strideOf(array, layout); }

Value LinearBlock::at(LinearArray array, Value row, Value column) {
  return element(f.b.getF32Type(), ahead(f, shared, offsetOf(array, layout)),
                 f.add(f.mul(row, strideOf(array)), column));
}

Value LinearBlock::element(Type type, Value pointer, Value at) {
  return LLVM::GEPOp::create(f.b, pointer.getType(), type, pointer, ArrayRef<LLVM::GEPArg>{at});
}

Value LinearBlock::load(Value pointer, int64_t offset) {
  return LLVM::LoadOp::create(f.b, f.b.getF32Type(), ahead(f, pointer, offset));
}

void LinearBlock::store(Value number, Value pointer, int64_t offset) {
  LLVM::StoreOp::create(f.b, number, ahead(f, pointer, offset));
}

/// A number of query, key or value.
Value LinearBlock::loadNumber(unsigned tensor, Value head, Value row, Value column) {
  Type element = layout.element, f32 = f.b.getF32Type();
  Value pointer = this->element(element, f.rowPointer(tensor, head, row, element), column);
  Value number = LLVM::LoadOp::create(f.b, element, pointer);
  return element.isF32() ? number : arith::ExtFOp::create(f.b, f32, number).getResult();
}

Value LinearBlock::feature(Value number) {
  RegionInliner inliner{f.b, 1, [&](Value outer) { return f.argument(outer); },
                        [](Operation *, ValueRange) -> Value { llvm_unreachable("feature maps are arith and math"); }};
  return inliner.inlineRegion(op.getFeature(), number);
}

//===-- Copies ----------------------------------------------------------------------------------------------------===//

/// array[row, column] = entry(row, column), a warp for each row. Some rows at a time, and without branches: their loads
/// are then under way together.
void LinearBlock::copy(LinearArray array, int64_t columns, llvm::function_ref<Value(Value, Value)> entry) {
  constexpr int64_t warps = threads / 32, atATime = 4;
  f.loop(f.divide(thread, 32), f.i32(chunk), f.i32(warps * atATime), [&](Value first) {
    f.loop(f.lane(), f.i32(columns), f.i32(32), [&](Value column) {
      SmallVector<std::pair<Value, Value>> entries;
      for (int64_t i = 0; i < atATime; ++i) {
        Value row = f.add(first, i * warps);
        entries.push_back({row, entry(row, column)});
      }
      for (auto [row, number] : entries)
        store(number, at(array, row, column));
    });
  });
}

void LinearBlock::copyQuery(Value firstOfChunk) {
  Value last = f.sub(f.toI32(f.symbol(Length)), 1);
  copy(LinearArray::Query, layout.headSize, [&](Value slot, Value column) {
    return feature(loadNumber(QueryTensor, f.head, f.least(f.add(firstOfChunk, slot), last), column));
  });
}

Value LinearBlock::isKey(Value key) { return f.compare(CmpIPredicate::ult, key, f.toI32(f.symbol(KvLength))); }

/// The key's row, or that of another key; there is one.
Value LinearBlock::keyRow(Value key) { return f.clamp(key, f.i32(0), f.sub(f.toI32(f.symbol(KvLength)), 1)); }

void LinearBlock::copyFeatures(Value firstKey, Value first) {
  copy(LinearArray::Features, chunk, [&](Value slot, Value column) {
    Value key = f.add(firstKey, slot), at = f.add(first, column), end = f.i32(layout.headSize);
    Value number = loadNumber(KeyTensor, f.kvHead, keyRow(key), f.least(at, f.sub(end, 1)));
    return f.select(f.both(isKey(key), f.less(at, end)), feature(number), f.f32(0));
  });
}

void LinearBlock::copyValues(Value firstKey, ColumnTile tile) {
  copy(LinearArray::Values, tile.count, [&](Value slot, Value column) {
    Value key = f.add(firstKey, slot), at = f.add(column, tile.first), ones = f.i32(layout.valueHeadSize);
    Value number = loadNumber(ValueTensor, f.kvHead, keyRow(key), f.least(at, f.sub(ones, 1)));
    Value one = f.select(f.compare(CmpIPredicate::eq, at, ones), f.f32(1), f.f32(0));
    return f.select(isKey(key), f.select(f.less(at, ones), number, one), f.f32(0));
  });
}

void LinearBlock::copyState(Value state, Value first, ColumnTile tile) {
  copy(LinearArray::Values, tile.count, [&](Value slot, Value column) {
    Value row = f.least(f.add(first, slot), f.i32(linear.stateRows - 1));
    return load(element(f.b.getF32Type(), state, f.add(f.mul(row, linear.stateColumns), column)), tile.first);
  });
}

//===-- Products --------------------------------------------------------------------------------------------------===//

Factor LinearBlock::rowsOf(LinearArray array, Value firstStep) {
  return {at(array, firstRow, firstStep), 1, strideOf(array)};
}

Factor LinearBlock::columnsOf(LinearArray array) { return {at(array, f.i32(0), firstColumn), strideOf(array), lanes}; }

Sums LinearBlock::multiply(Value steps, ValueRange sums, Factor left, Factor right) {
  int64_t columns = sums.size() / rowsOfThread;
  return f.loop(f.i32(0), steps, f.i32(1), sums, [&](Value k, ValueRange carried) {
    Type f32 = f.b.getF32Type();
    Value leftAt = element(f32, left.first, f.mul(k, left.step));
    Value rightAt = element(f32, right.first, f.mul(k, right.step));
    Sums operands, result;
    for (int64_t n = 0; n < columns; ++n)
      operands.push_back(load(rightAt, n * right.next));
    for (int64_t m = 0; m < rowsOfThread; ++m) {
      Value x = load(leftAt, m * left.next);
      for (int64_t n = 0; n < columns; ++n)
        result.push_back(math::FmaOp::create(f.b, x, operands[n], carried[m * columns + n]));
    }
    return result;
  });
}

void LinearBlock::forEachPlace(ArrayRef<Value> sums, llvm::function_ref<void(int64_t, int64_t, Value)> body) {
  int64_t columns = sums.size() / rowsOfThread;
  for (auto [place, sum] : llvm::enumerate(sums))
    body(place / columns, place % columns * lanes, sum);
}
