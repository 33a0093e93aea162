// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products by vectors: a unit of one operand is broadcast to all lanes and multiplied with a vector of units of the
// other, which are keys side by side in S and columns side by side in O. Sums stay in registers.

#include "ProductWriter.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

Value attn::cpu::multiplyAdd(Frame &f, Value x, Value y, Value sum) {
  if (cast<VectorType>(x.getType()).getElementType().isF32())
    return f.fma(x, y, sum);
  auto halves = VectorType::get({2 * f.isa.lanes}, f.b.getBF16Type());
  auto pairs = [&](Value units) -> Value { return LLVM::BitcastOp::create(f.b, halves, units); };
  auto dot = LLVM::CallIntrinsicOp::create(f.b, sum.getType(), f.b.getStringAttr("llvm.x86.avx512bf16.dpbf16ps.512"),
                                           ValueRange{sum, pairs(x), pairs(y)});
  return dot.getResults();
}

/// Steps of four, and what is left one by one.
static SmallVector<Value> unrolled(Frame &f, int64_t count, SmallVector<Value> carried,
                                   llvm::function_ref<SmallVector<Value>(Value, SmallVector<Value>)> step) {
  int64_t whole = count / 4 * 4;
  if (whole)
    carried = f.loop(f.index(0), f.index(whole), 4, carried, [&](Value iv, ValueRange values) {
      SmallVector<Value> inner(values);
      for (int64_t u = 0; u < 4; ++u)
        inner = step(f.add(iv, u), inner);
      return inner;
    });
  for (int64_t rest = whole; rest < count; ++rest)
    carried = step(f.index(rest), carried);
  return carried;
}

SmallVector<Value> attn::cpu::writeVectorProducts(Frame &f, const VectorOperands &operands, Value row, Value key,
                                                  int64_t vectors) {
  SmallVector<Value> panels, lanes;
  for (int64_t n = 0; n < vectors; ++n) {
    Value at = f.add(key, n * f.isa.lanes), size = f.index(KernelLayout::panelKeys);
    panels.push_back(f.add(arith::DivUIOp::create(f.b, at, size), operands.firstPanel));
    lanes.push_back(arith::RemUIOp::create(f.b, at, size));
  }
  auto multiply = [&](Value unit, SmallVector<Value> sums) {
    SmallVector<Value> right;
    for (int64_t n = 0; n < vectors; ++n) {
      Value offset = f.add(f.mul(unit, KernelLayout::panelKeys), lanes[n]);
      right.push_back(f.loadVector(operands.packed, {panels[n], offset}));
    }
    for (int64_t m = 0; m < f.isa.rows; ++m) {
      Value x = splat(f.b, f.load(operands.query, {f.add(row, m), unit}), f.isa.lanes);
      for (int64_t n = 0; n < vectors; ++n) {
        Value &sum = sums[m * vectors + n];
        sum = multiplyAdd(f, x, right[n], sum);
      }
    }
    return sums;
  };
  SmallVector<Value> zeros(f.isa.rows * vectors, f.numbers(0));
  return unrolled(f, operands.units, zeros, multiply);
}

void attn::cpu::forEachVector(Frame &f, Value key, ArrayRef<Value> products,
                              llvm::function_ref<void(int64_t, Value, Value)> use) {
  int64_t vectors = products.size() / f.isa.rows;
  for (int64_t m = 0; m < f.isa.rows; ++m)
    for (int64_t n = 0; n < vectors; ++n)
      use(m, f.add(key, n * f.isa.lanes), products[m * vectors + n]);
}

SmallVector<Value> attn::cpu::forEachMicroTile(Frame &f, Ranks keys, ValueRange carried, MicroTileBody body) {
  auto loop = [&](Value begin, Value end, int64_t vectors, ValueRange carried) {
    return f.loop(begin, end, vectors * f.isa.lanes, carried,
                  [&](Value key, ValueRange values) { return body(key, vectors, values); });
  };
  int64_t microKeys = f.isa.vectors * f.isa.lanes, granule = f.layout.tile[3];
  if (granule % microKeys == 0)
    return loop(keys.begin, keys.end, f.isa.vectors, carried);
  Value whole = f.add(keys.begin, f.alignDown(f.sub(keys.end, keys.begin), microKeys));
  SmallVector<Value> states = loop(keys.begin, whole, f.isa.vectors, carried);
  return loop(whole, keys.end, granule / f.isa.lanes, states);
}

namespace {

class VectorProducts : public ProductWriter {
public:
  VectorProducts(Frame &frame, const GroupCall &call, Ranks keys) : ProductWriter(frame, call, keys) {}

  SmallVector<Value> forEachProduct(Value row, ArrayRef<Value> carried, UseProducts use) override {
    return forEachMicroTile(f, {begin, end}, carried, [&](Value key, int64_t vectors, ValueRange values) {
      SmallVector<Value> inner(values);
      SmallVector<Value> products =
          writeVectorProducts(f, {query, keys, /*firstPanel=*/0, sizes.units}, row, key, vectors);
      forEachVector(f, key, products, [&](int64_t m, Value at, Value product) { use(m, at, product, inner); });
      return inner;
    });
  }

  SmallVector<Value> accumulate(Value row, ArrayRef<Value> carried, WritePowers write) override {
    SmallVector<Value> states = writePowers(carried, write);
    int64_t chunk = f.isa.vectors * f.isa.lanes, columns = sizes.valueStride;
    int64_t whole = columns / chunk * chunk;
    f.loop(f.index(0), f.index(whole), chunk, [&](Value column) { accumulate(row, column, f.isa.vectors); });
    if (whole < columns)
      accumulate(row, f.index(whole), (columns - whole) / f.isa.lanes);
    return states;
  }

private:
  /// O[rows, `vectors` vectors from `column`] += P V.
  void accumulate(Value row, Value column, int64_t vectors) {
    auto place = [&](int64_t m, int64_t n) {
      return SmallVector<Value>{f.add(row, m), f.add(column, n * f.isa.lanes)};
    };
    SmallVector<Value> sums;
    for (int64_t m = 0; m < f.isa.rows; ++m)
      for (int64_t n = 0; n < vectors; ++n)
        sums.push_back(f.loadVector(output, place(m, n)));
    Value keysOfUnit = f.index(sizes.valueKeys);
    auto multiply = [&](Value key, SmallVector<Value> carried) {
      Value unit = arith::DivUIOp::create(f.b, key, keysOfUnit);
      Value power = arith::DivUIOp::create(f.b, f.sub(key, tile), keysOfUnit);
      SmallVector<Value> right;
      for (int64_t n = 0; n < vectors; ++n)
        right.push_back(f.loadVector(values, {unit, f.add(column, n * f.isa.lanes)}));
      for (int64_t m = 0; m < f.isa.rows; ++m) {
        Value p = splat(f.b, f.load(powers, {f.index(m), power}), f.isa.lanes);
        for (int64_t n = 0; n < vectors; ++n)
          carried[m * vectors + n] = multiplyAdd(f, p, right[n], carried[m * vectors + n]);
      }
      return carried;
    };
    int64_t steps = 4;
    sums = f.loop(begin, end, steps * sizes.valueKeys, sums, [&](Value key, ValueRange carried) {
      SmallVector<Value> inner(carried);
      for (int64_t u = 0; u < steps; ++u)
        inner = multiply(f.add(key, u * sizes.valueKeys), inner);
      return inner;
    });
    for (int64_t m = 0; m < f.isa.rows; ++m)
      for (int64_t n = 0; n < vectors; ++n)
        f.storeVector(sums[m * vectors + n], output, place(m, n));
  }
};

} // namespace

std::unique_ptr<ProductWriter> attn::cpu::createVectorProducts(Frame &frame, const GroupCall &call, Ranks keys) {
  return std::make_unique<VectorProducts>(frame, call, keys);
}
