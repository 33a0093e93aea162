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
#include "RowWalk.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

namespace {

class PackEmitter {
public:
  PackEmitter(ImplicitLocOpBuilder &b, const Kernel &kernel, unsigned order)
      : f(b, kernel.layout, kernel.isa), kernel(kernel), order(kernel.layout.orders[order]), orderIndex(order),
        walk(f, this->order) {}

  void emit() {
    const KernelLayout &layout = kernel.layout;
    Type pointer = LLVM::LLVMPointerType::get(f.b.getContext()), index = f.b.getIndexType();
    f.begin(kernel.module, kernel.nameOf("pack." + Twine(orderIndex)), {pointer, pointer, index, index, index});
    f.views = f.arguments[0], f.symbols = f.arguments[1];
    batch = f.arguments[2], head = f.arguments[3], keyHead = head;
    f.batch = batch;
    if (order.ofHead)
      f.head = head, keyHead = arith::DivUIOp::create(f.b, head, f.symbol(HeadsPerKvHeadSymbol));
    Type f32 = f.b.getF32Type();
    keys = f.view(KeyTensor, f.storage()), values = f.view(ValueTensor, f.storage());
    packedKeys = f.view(order.keyView, f32), packedValues = f.view(order.valueView, f32);
    count = f.countOf(order);
    Value begin = f.mul(f.arguments[4], layout.packKeys());
    Value end = f.least(f.add(begin, layout.packKeys()), f.alignUp(count, layout.tile[3]));
    Value present = f.least(end, f.greatest(begin, count));
    Value rest = copyPanels(begin, present);
    walk.forEach(rest, present, [&](Value rank, Value row) { copyKey(rank, row); });
    walk.forEach(begin, present, [&](Value rank, Value row) { copyValue(rank, row); });
    f.loop(f.greatest(begin, present), end, 1, [&](Value rank) { clearKey(rank); });
    f.end();
  }

private:
  /// Calls `body(column, place)` for the columns of a key and their places in the packed keys.
  void forEachColumn(Value rank, llvm::function_ref<void(Value, ValueRange)> body) {
    Value keysOfPanel = f.index(KernelLayout::panelKeys);
    Value panel = arith::DivUIOp::create(f.b, rank, keysOfPanel), lane = arith::RemUIOp::create(f.b, rank, keysOfPanel);
    f.loop(f.index(0), f.index(kernel.layout.headSize), 1, [&](Value column) {
      body(column, {batch, head, panel, f.add(f.mul(column, KernelLayout::panelKeys), lane)});
    });
  }

  /// Copies the panels of [begin, end) that are whole; returns where the rest begins.
  Value copyPanels(Value begin, Value end) {
    if (kernel.layout.headSize < f.isa.lanes)
      return begin;
    Value whole = f.greatest(begin, f.alignDown(end, KernelLayout::panelKeys));
    f.loop(begin, whole, KernelLayout::panelKeys, walk.placeOf(begin), [&](Value rank, ValueRange place) {
      RowWalk::Place next(place);
      SmallVector<Value> rows;
      for (int64_t key = 0; key < KernelLayout::panelKeys; ++key) {
        rows.push_back(walk.rowOf(next));
        next = walk.next(next);
      }
      copyPanel(arith::DivUIOp::create(f.b, rank, f.index(KernelLayout::panelKeys)), rows);
      return next;
    });
    return whole;
  }

  /// Copies keys by squares of lanes x lanes; the last columns may overlap those before.
  void copyPanel(Value panel, ArrayRef<Value> rows) {
    int64_t lanes = f.isa.lanes, headSize = kernel.layout.headSize;
    f.loop(f.index(0), f.index(headSize), lanes, [&](Value start) {
      Value column = f.least(start, f.index(headSize - lanes));
      for (int64_t lane = 0; lane < KernelLayout::panelKeys; lane += lanes) {
        SmallVector<Value> square;
        for (Value row : rows.slice(lane, lanes))
          square.push_back(f.widen(f.loadVector(keys, {batch, keyHead, row, column})));
        f.transpose(square);
        for (auto [number, numbers] : llvm::enumerate(square)) {
          Value place = f.add(f.mul(f.add(column, number), KernelLayout::panelKeys), lane);
          f.storeVector(numbers, packedKeys, {batch, head, panel, place});
        }
      }
    });
  }

  void copyKey(Value rank, Value row) {
    forEachColumn(rank, [&](Value column, ValueRange place) {
      f.store(f.widen(f.load(keys, {batch, keyHead, row, column})), packedKeys, place);
    });
  }

  void copyValue(Value rank, Value row) {
    f.copyRow(values, {batch, keyHead, row, Value()}, packedValues, {batch, head, rank, Value()},
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
  RowWalk walk;
  Value batch, head; // of the packed keys: query heads where they differ in the order
  Value keyHead, keys, values, packedKeys, packedValues, count;
};

} // namespace

void attn::cpu::emitPack(const Kernel &kernel, unsigned order) {
  ImplicitLocOpBuilder b(kernel.op().getLoc(), kernel.op().getContext());
  PackEmitter(b, kernel, order).emit();
}
