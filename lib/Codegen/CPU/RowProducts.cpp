// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of one query row with keys and values as they lie in the call's tensors, for calls with so few queries that
// packing would cost more than it saves: every key and value is read once, and that is what such a call waits for.
//
//   S    for as many keys as there are lanes, sums over columns; a transposed sum makes one vector of them
//   O    sums over keys, columns side by side, keys by turns into two sums: one waits less for the other

#include "ProductWriter.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

namespace {

class RowProducts : public ProductWriter {
public:
  RowProducts(Frame &frame, const GroupCall &call, Ranks keys, bool areKeysListed)
      : ProductWriter(frame, call, keys), count(call.count) {
    if (areKeysListed)
      keyRows = f.memrefAt(call.keyRows, MemRefType::get({ShapedType::kDynamic}, f.b.getI32Type()));
    kvHead = arith::DivUIOp::create(f.b, f.head, f.symbol(HeadsPerKvHeadSymbol));
    keyTensor = f.view(KeyTensor, f.storage()), valueTensor = f.view(ValueTensor, f.storage());
  }

  SmallVector<Value> forEachProduct(Value row, ArrayRef<Value> carried, UseProducts use) override {
    auto multiply = [&](bool isLast) {
      return [&, isLast](Value key, ValueRange values) {
        SmallVector<Value> inner(values), sums;
        for (int64_t lane = 0; lane < f.isa.lanes; ++lane)
          sums.push_back(product(row, rowOf(f.add(key, lane), isLast)));
        if (!isLast)
          prefetch(keyTensor, key, f.isa.lanes, f.layout.headSize);
        use(0, key, f.sumOfEach(sums), inner);
        return inner;
      };
    };
    Value whole = f.greatest(begin, f.alignDown(f.least(end, count), f.isa.lanes));
    SmallVector<Value> states = f.loop(begin, whole, f.isa.lanes, carried, multiply(/*isLast=*/false));
    return f.loop(whole, end, f.isa.lanes, states, multiply(/*isLast=*/true));
  }

  SmallVector<Value> accumulate(Value row, ArrayRef<Value> carried, WritePowers write) override {
    SmallVector<Value> states = writePowers(carried, write);
    int64_t vectors = llvm::divideCeil(f.layout.valueHeadSize, columnsOfVector());
    int64_t most = (f.isa.lanes >= 16 ? 8 : 4) / sizes.unitColumns;
    Value present = f.least(end, count);
    f.loop(begin, present, keysOfSum, [&](Value key) {
      Value last = f.least(f.add(key, keysOfSum), present);
      for (int64_t first = 0; first < vectors; first += most)
        accumulate(row, first, std::min(vectors, first + most), {key, last});
    });
    return states;
  }

private:
  /// The key row of a rank; where ranks are rounded up, that of the last one for those past it.
  Value rowOf(Value rank, bool isRoundedUp = false) {
    Value present = isRoundedUp ? f.least(rank, f.sub(count, f.index(1))) : rank;
    return keyRows ? f.toIndex(f.load(keyRows, present)) : present;
  }

  /// A sum of many terms one after the other is less exact than a sum of sums.
  static constexpr int64_t keysOfSum = 128;

  /// How far ahead rows are asked for.
  static constexpr int64_t rowsAhead = 32;

  int64_t columnsOfVector() const { return f.isa.lanes * sizes.unitColumns; }

  /// Columns of a row from `vector` times those of a vector on; those past the last are zeros.
  Value loadColumns(Value tensor, Value row, int64_t vector, int64_t columns) {
    int64_t first = vector * columnsOfVector();
    return f.loadHead(tensor, {f.batch, kvHead, row, f.index(first)}, columnsOfVector(), columns - first);
  }

  Value unitsOf(Value columns) {
    if (!sizes.isPaired())
      return f.widen(columns);
    return vector::BitCastOp::create(f.b, f.vectorType(f.b.getI32Type()), columns);
  }

  /// Asks for rows that the same product reads a little later, for as many keys as it reads now.
  void prefetch(Value tensor, Value key, int64_t keys, int64_t columns) {
    int64_t columnsOfLine = 64 / (f.storage().getIntOrFloatBitWidth() / 8);
    Value first = f.least(f.add(key, rowsAhead), f.sub(count, f.index(keys)));
    for (int64_t k = 0; k < keys; ++k)
      for (int64_t column = 0; column < columns; column += columnsOfLine)
        memref::PrefetchOp::create(f.b, tensor, ValueRange{f.batch, kvHead, rowOf(f.add(first, k)), f.index(column)},
                                   /*isWrite=*/false, /*localityHint=*/3, /*isDataCache=*/true);
  }

  /// Partial sums of q.k, lane by lane.
  Value product(Value row, Value keyRow) {
    Value sum = f.numbers(0);
    for (int64_t vector = 0; vector * columnsOfVector() < f.layout.headSize; ++vector) {
      int64_t first = vector * f.isa.lanes;
      Value q = f.loadHead(query, {row, f.index(first)}, f.isa.lanes, sizes.units - first);
      sum = multiplyAdd(f, q, unitsOf(loadColumns(keyTensor, keyRow, vector, f.layout.headSize)), sum);
    }
    return sum;
  }

  /// Units of values, [keys of a unit x columns of a vector] as one vector for each unit of them: side by side where a
  /// unit is one key; else the columns of two keys interleaved, quarter by quarter, as one instruction does it.
  /// A key behind the last one, in the last unit, has the value 0.
  SmallVector<Value> valueUnits(Value key, int64_t vector, bool isLast) {
    SmallVector<Value> rows;
    for (int64_t k = 0; k < sizes.valueKeys; ++k) {
      Value rank = f.add(key, k);
      rows.push_back(loadColumns(valueTensor, rowOf(rank, isLast), vector, f.layout.valueHeadSize));
      if (isLast && k > 0) {
        Value none = arith::ConstantOp::create(f.b, f.b.getZeroAttr(rows[k].getType()));
        rows[k] = f.select(f.less(rank, count), rows[k], none);
      }
    }
    if (!sizes.isPaired())
      return {f.widen(rows[0])};
    SmallVector<Value> units;
    for (int64_t half = 0; half < 2; ++half) {
      SmallVector<int64_t> places;
      for (int64_t i = 0; i < f.isa.lanes; ++i)
        llvm::append_range(places, ArrayRef<int64_t>{columnOfUnit(half, i), columnOfUnit(half, i) + 2 * f.isa.lanes});
      units.push_back(unitsOf(vector::ShuffleOp::create(f.b, rows[0], rows[1], places)));
    }
    return units;
  }

  /// Which column of a vector of them unit i of a half holds: four of eight, then the next four.
  static int64_t columnOfUnit(int64_t half, int64_t i) { return i / 4 * 8 + half * 4 + i % 4; }

  /// Two vectors of sums, for both halves of each eight columns, in the order of the columns.
  std::array<Value, 2> inOrder(Value low, Value high) {
    std::array<SmallVector<int64_t>, 2> places;
    for (auto [number, half] : llvm::enumerate(places))
      for (int64_t column = number * f.isa.lanes; column < static_cast<int64_t>(number + 1) * f.isa.lanes; ++column)
        half.push_back(column / 8 * 4 + column % 4 + (column % 8 / 4) * f.isa.lanes);
    return {vector::ShuffleOp::create(f.b, low, high, places[0]), vector::ShuffleOp::create(f.b, low, high, places[1])};
  }

  /// Adds P V of a unit of keys to the sums of vectors of columns from `first` on.
  void addUnit(Value key, int64_t first, MutableArrayRef<Value> sums, bool isLast) {
    Value place = arith::DivUIOp::create(f.b, f.sub(key, tile), f.index(sizes.valueKeys));
    Value p = splat(f.b, f.load(powers, {f.index(0), place}), f.isa.lanes);
    for (size_t at = 0; at < sums.size(); at += sizes.unitColumns)
      for (auto [part, units] : llvm::enumerate(valueUnits(key, first + at / sizes.unitColumns, isLast)))
        sums[at + part] = multiplyAdd(f, p, units, sums[at + part]);
  }

  /// O[row, vectors of columns from `first` to `last`] += P V of some keys. Only keys that there are take part: 0 times
  /// the value of another would be no 0 where that is infinite.
  void accumulate(Value row, int64_t first, int64_t last, Ranks keys) {
    int64_t vectors = (last - first) * sizes.unitColumns, step = 4 * sizes.valueKeys;
    Value whole = f.alignDown(keys.end, step);
    SmallVector<Value> sums(2 * vectors, f.numbers(0));
    sums = f.loop(keys.begin, whole, step, sums, [&](Value key, ValueRange carried) {
      SmallVector<Value> inner(carried);
      for (int64_t u = 0; u < 4; ++u) {
        Value at = f.add(key, u * sizes.valueKeys);
        addUnit(at, first, MutableArrayRef(inner).slice(u % 2 * vectors, vectors), /*isLast=*/false);
      }
      if (first == 0)
        prefetch(valueTensor, key, step, f.layout.valueHeadSize);
      return inner;
    });
    for (int64_t i = 0; i < vectors; ++i)
      sums[i] = arith::AddFOp::create(f.b, sums[i], sums[vectors + i]);
    sums.truncate(vectors);
    sums = f.loop(whole, keys.end, sizes.valueKeys, sums, [&](Value key, ValueRange carried) {
      SmallVector<Value> inner(carried);
      addUnit(key, first, inner, /*isLast=*/true);
      return inner;
    });
    for (int64_t i = 0; sizes.isPaired() && i < vectors; i += 2) {
      auto [low, high] = inOrder(sums[i], sums[i + 1]);
      sums[i] = low, sums[i + 1] = high;
    }
    for (int64_t i = 0; i < vectors; ++i)
      addToOutput(row, (first * sizes.unitColumns + i) * f.isa.lanes, sums[i]);
  }

  void addToOutput(Value row, int64_t column, Value sum) {
    if (column >= sizes.valueStride)
      return;
    SmallVector<Value> at{row, f.index(column)};
    f.storeVector(arith::AddFOp::create(f.b, f.loadVector(output, at), sum), output, at);
  }

  Value count, keyRows, kvHead;
  Value keyTensor, valueTensor;
};

} // namespace

std::unique_ptr<ProductWriter> attn::cpu::createRowProducts(Frame &frame, const GroupCall &call, Ranks keys,
                                                            bool areKeysListed) {
  return std::make_unique<RowProducts>(frame, call, keys, areKeysListed);
}
