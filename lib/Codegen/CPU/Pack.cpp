// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Copies keys and values of one order into panels of f32, so that the tiles read contiguous memory, whatever the
// strides, the order and the tails are.
//
//   K: [panels][head size][16 keys], a panel a little apart from the next, so that they do not alias in the cache
//   V: [keys][value stride]
//
// Keys past the order's count, up to the granule, and columns past the head size are zeros: what a tile reads there
// never reaches an output, and is no NaN either.

#include "Parts.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

namespace {

class PackEmitter {
public:
  PackEmitter(ImplicitLocOpBuilder &b, const Kernel &kernel, unsigned order)
      : f(b, kernel.layout, kernel.isa), kernel(kernel), order(kernel.layout.orders[order]), orderIndex(order) {}

  void emit() {
    const KernelLayout &layout = kernel.layout;
    Type pointer = LLVM::LLVMPointerType::get(f.b.getContext()), index = f.b.getIndexType();
    f.begin(kernel.module, kernel.nameOf("pack." + Twine(orderIndex)), {pointer, pointer, index, index, index});
    f.views = f.arguments[0], f.symbols = f.arguments[1];
    batch = f.arguments[2], head = f.arguments[3];
    Type f32 = f.b.getF32Type();
    keys = f.view(KeyTensor, f.storage()), values = f.view(ValueTensor, f.storage());
    packedKeys = f.view(order.keyView, f32), packedValues = f.view(order.valueView, f32);
    count = f.symbol(order.countSymbol);
    Value begin = f.mul(f.arguments[4], layout.packKeys());
    Value end = f.least(f.add(begin, layout.packKeys()), f.alignUp(count, layout.tile[3]));
    Value present = f.least(end, f.greatest(begin, count));
    f.loop(begin, present, 1, [&](Value rank) { copyKey(rank); });
    f.loop(f.greatest(begin, present), end, 1, [&](Value rank) { clearKey(rank); });
    f.end();
  }

private:
  Value row(Value rank) {
    if (order.rowsView < 0)
      return rank;
    Value table = f.view(order.rowsView, f.b.getI32Type());
    return f.toIndex(f.load(table, {batch, f.index(0), f.index(0), rank}));
  }

  /// Calls `body(column, place)` for the columns of a key and their places in the packed keys.
  void forEachColumn(Value rank, llvm::function_ref<void(Value, ValueRange)> body) {
    Value keysOfPanel = f.index(KernelLayout::panelKeys);
    Value panel = arith::DivUIOp::create(f.b, rank, keysOfPanel), lane = arith::RemUIOp::create(f.b, rank, keysOfPanel);
    f.loop(f.index(0), f.index(kernel.layout.headSize), 1, [&](Value column) {
      body(column, {batch, head, panel, f.add(f.mul(column, KernelLayout::panelKeys), lane)});
    });
  }

  void copyKey(Value rank) {
    Value from = row(rank);
    forEachColumn(rank, [&](Value column, ValueRange place) {
      f.store(f.widen(f.load(keys, {batch, head, from, column})), packedKeys, place);
    });
    f.copyRow(values, {batch, head, from, Value()}, packedValues, {batch, head, rank, Value()},
              kernel.layout.valueHeadSize, [&](Value v) { return f.widen(v); });
    clearColumns(rank, kernel.layout.valueHeadSize);
  }

  void clearKey(Value rank) {
    forEachColumn(rank, [&](Value, ValueRange place) { f.store(f.number(0), packedKeys, place); });
    clearColumns(rank, 0);
  }

  void clearColumns(Value rank, int64_t from) {
    f.loop(f.index(from), f.index(kernel.layout.valueStride()), 1,
           [&](Value column) { f.store(f.number(0), packedValues, {batch, head, rank, column}); });
  }

  Frame f;
  const Kernel &kernel;
  const OrderLayout &order;
  unsigned orderIndex;
  Value batch, head, keys, values, packedKeys, packedValues, count;
};

} // namespace

void attn::cpu::emitPack(const Kernel &kernel, unsigned order) {
  ImplicitLocOpBuilder b(kernel.op().getLoc(), kernel.op().getContext());
  PackEmitter(b, kernel, order).emit();
}
