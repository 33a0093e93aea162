// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products by AMX tiles, each 16 rows of 64 bytes, of kernels whose scores a region changes (TilePipeline.cpp has those
// of others). 16 query rows are one tile high; a panel's 16 units of 16 keys, and
// 16 units of 16 value columns, are right operands as they are packed (Packing.h). A pass over 32 keys takes
//
//   S    two sums over the columns                 tdpbf16ps S, Q, K
//   O    as many sums as there are columns / 16    tdpbf16ps O, P, V
//
// Tile products run beside vector instructions, if these do not wait for them. So what is done with the products of 32
// keys is written behind the products of the next 32, and P V of 32 keys before the powers of the next.
//
// Sums of O stay in tiles over all keys, up to five at a time: eight tiles less P, V, and one for the next V.

#include "ProductWriter.h"
#include "TileInstructions.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

namespace {

constexpr int64_t passKeys = 32, mostSums = 5;

class TileProducts : public ProductWriter {
public:
  TileProducts(Frame &frame, const GroupCall &call, Ranks keys) : ProductWriter(frame, call, keys), tiles(frame) {}

  SmallVector<Value> forEachProduct(Value row, ArrayRef<Value> carried, UseProducts use) override {
    writeScores(row, begin);
    return f.loop(begin, end, passKeys, carried, [&](Value key, ValueRange values) {
      SmallVector<Value> inner(values);
      Value next = f.add(key, passKeys);
      f.when(f.less(next, end), [&] { writeScores(row, next); });
      Value scores = f.scratchArray(ScratchArray::Scores);
      for (int64_t m = 0; m < tileRows; ++m)
        for (int64_t at = 0; at < passKeys; at += f.isa.lanes) {
          Value vectorKey = f.add(key, at);
          use(m, vectorKey, f.loadVector(scores, {f.index(m), f.sub(vectorKey, tile)}), inner);
        }
      return inner;
    });
  }

  SmallVector<Value> accumulate(Value row, ArrayRef<Value> carried, WritePowers write) override {
    int64_t columns = sizes.valueStride / tileRows, count = std::min(columns, mostSums);
    SmallVector<Value> first(carried);
    write(begin, first);
    first.append(loadSums(row, 0, count));
    SmallVector<Value> last = f.loop(f.add(begin, passKeys), end, passKeys, first, [&](Value key, ValueRange values) {
      SmallVector<Value> states(values.drop_back(count)), sums(values.take_back(count));
      addPass(f.sub(key, f.index(passKeys)), 0, sums);
      write(key, states);
      states.append(sums);
      return states;
    });
    SmallVector<Value> sums(ArrayRef(last).take_back(count));
    last.truncate(last.size() - count);
    addPass(f.sub(end, f.index(passKeys)), 0, sums);
    storeSums(row, 0, sums);
    for (int64_t column = count; column < columns; column += mostSums)
      accumulateRest(row, column, std::min(columns - column, mostSums));
    return last;
  }

private:
  /// Columns that have no place beside the powers.
  void accumulateRest(Value row, int64_t column, int64_t count) {
    SmallVector<Value> sums =
        f.loop(begin, end, passKeys, loadSums(row, column, count), [&](Value key, ValueRange values) {
          SmallVector<Value> inner(values);
          addPass(key, column, inner);
          return inner;
        });
    storeSums(row, column, sums);
  }

  /// S of 32 keys, [16 rows][32].
  void writeScores(Value row, Value key) {
    Value panel = arith::DivUIOp::create(f.b, key, f.index(KernelLayout::panelKeys));
    SmallVector<Value> sums{tiles.zero(), tiles.zero()};
    for (int64_t unit = 0; unit < sizes.units; unit += tileRows) {
      Value left = tiles.load(pointerTo(query, row, f.index(unit)), sizes.units * 4);
      for (auto [number, sum] : llvm::enumerate(sums)) {
        Value offset = f.index(unit * KernelLayout::panelKeys);
        Value right = tiles.load(pointerTo(keys, f.add(panel, number), offset), tileBytes);
        sum = tiles.multiply(left, right, sum);
      }
    }
    Value scores = f.scratchArray(ScratchArray::Scores);
    for (auto [number, sum] : llvm::enumerate(sums))
      tiles.store(sum, pointerTo(scores, f.index(0), f.add(f.sub(key, tile), number * tileRows)), strideOf(scores));
  }

  /// O += P V of 32 keys, for the columns of the sums.
  void addPass(Value key, int64_t column, MutableArrayRef<Value> sums) {
    Value two = f.index(2), unit = arith::DivUIOp::create(f.b, key, two);
    Value place = arith::DivUIOp::create(f.b, f.sub(key, tile), two);
    Value left = tiles.load(pointerTo(powers, f.index(0), place), strideOf(powers));
    for (auto [number, sum] : llvm::enumerate(sums)) {
      Value first = f.index((column + static_cast<int64_t>(number)) * tileRows);
      sum = tiles.multiply(left, tiles.load(pointerTo(values, unit, first), strideOf(values)), sum);
    }
  }

  SmallVector<Value> loadSums(Value row, int64_t column, int64_t count) {
    SmallVector<Value> sums;
    for (int64_t i = 0; i < count; ++i)
      sums.push_back(tiles.load(pointerTo(output, row, f.index((column + i) * tileRows)), strideOf(output)));
    return sums;
  }

  void storeSums(Value row, int64_t column, ArrayRef<Value> sums) {
    for (auto [i, sum] : llvm::enumerate(sums))
      tiles.store(sum, pointerTo(output, row, f.index((column + static_cast<int64_t>(i)) * tileRows)),
                  strideOf(output));
  }

  /// Bytes from row to row of an array of units or floats.
  static int64_t strideOf(Value memref) { return cast<MemRefType>(memref.getType()).getShape().back() * 4; }
  Value pointerTo(Value memref, Value row, Value column) {
    Value start = memref::ExtractAlignedPointerAsIndexOp::create(f.b, memref);
    Value offset = f.add(f.mul(row, strideOf(memref)), f.mul(column, 4));
    Value address = arith::IndexCastOp::create(f.b, f.b.getI64Type(), f.add(start, offset));
    return LLVM::IntToPtrOp::create(f.b, LLVM::LLVMPointerType::get(f.b.getContext()), address);
  }

  TileInstructions tiles;
};

} // namespace

std::unique_ptr<ProductWriter> attn::cpu::createTileProducts(Frame &frame, const GroupCall &call, Ranks keys) {
  return std::make_unique<TileProducts>(frame, call, keys);
}
