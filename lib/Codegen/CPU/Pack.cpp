// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packs keys and values of one order (Packing.h), so that the tiles read contiguous memory, whatever the strides, the
// order and the tails are.

#include "Packing.h"
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
        walk(f, this->order), packer(f) {}

  void emit() {
    const KernelLayout &layout = kernel.layout;
    Type pointer = LLVM::LLVMPointerType::get(f.b.getContext()), index = f.b.getIndexType();
    f.begin(kernel.module, kernel.nameOf("pack." + Twine(orderIndex)), {pointer, pointer, index, index, index});
    f.views = f.arguments[0], f.symbols = f.arguments[1];
    batch = f.arguments[2], head = f.arguments[3], keyHead = head;
    f.batch = batch;
    if (order.ofHead)
      f.head = head, keyHead = arith::DivUIOp::create(f.b, head, f.symbol(HeadsPerKvHeadSymbol));
    packedKeys = f.view(order.keyView, packer.unitType()), packedValues = f.view(order.valueView, packer.unitType());
    Value count = f.countOf(order);
    Value begin = f.mul(f.arguments[4], layout.packKeys());
    Value end = f.least(f.add(begin, layout.packKeys()), f.alignUp(count, layout.tile[3]));
    Value present = f.least(end, f.greatest(begin, count));
    copyKeys(copyPanels(begin, present), present);
    copyValues(begin, present);
    clear(f.greatest(begin, present), end);
    f.end();
  }

private:
  SmallVector<Value> batchAndKeyHead() { return {batch, keyHead}; }
  SmallVector<Value> panelOf(Value rank) {
    return {batch, head, arith::DivUIOp::create(f.b, rank, f.index(KernelLayout::panelKeys))};
  }
  Value laneOf(Value rank) { return arith::RemUIOp::create(f.b, rank, f.index(KernelLayout::panelKeys)); }
  SmallVector<Value> valueRowOf(Value rank) {
    return {batch, head, arith::DivUIOp::create(f.b, rank, f.index(packer.sizes.valueKeys))};
  }

  /// Copies the panels of [begin, end) that are whole; returns where the rest begins.
  Value copyPanels(Value begin, Value end) {
    if (!packer.copiesPanels())
      return begin;
    Value whole = f.greatest(begin, f.alignDown(end, KernelLayout::panelKeys));
    f.loop(begin, whole, KernelLayout::panelKeys, walk.placeOf(begin), [&](Value rank, ValueRange place) {
      RowWalk::Place next(place);
      SmallVector<Value> rows;
      for (int64_t key = 0; key < KernelLayout::panelKeys; ++key) {
        rows.push_back(walk.rowOf(next));
        next = walk.next(next);
      }
      packer.copyPanel(batchAndKeyHead(), rows, packedKeys, panelOf(rank));
      return next;
    });
    return whole;
  }

  void copyKeys(Value begin, Value end) {
    walk.forEach(begin, end, [&](Value rank, Value row) {
      packer.copyKey(batchAndKeyHead(), row, packedKeys, panelOf(rank), laneOf(rank));
    });
  }

  /// Copies the values of [begin, end); begin starts a unit.
  void copyValues(Value begin, Value end) {
    int64_t keys = packer.sizes.valueKeys;
    Value whole = f.alignDown(end, keys);
    SmallVector<Value> last = f.loop(begin, whole, keys, walk.placeOf(begin), [&](Value rank, ValueRange place) {
      RowWalk::Place next(place);
      SmallVector<Value> rows;
      for (int64_t key = 0; key < keys; ++key) {
        rows.push_back(walk.rowOf(next));
        next = walk.next(next);
      }
      packer.copyValues(batchAndKeyHead(), rows, packedValues, valueRowOf(rank));
      return next;
    });
    if (keys > 1)
      f.when(f.less(f.greatest(begin, whole), end), [&] {
        packer.copyValues(batchAndKeyHead(), {walk.rowOf(last), Value()}, packedValues, valueRowOf(whole));
      });
  }

  /// Clears what lies behind the keys, up to the granule.
  void clear(Value begin, Value end) {
    f.loop(begin, end, 1, [&](Value rank) { packer.clearKey(packedKeys, panelOf(rank), laneOf(rank)); });
    int64_t keys = packer.sizes.valueKeys;
    f.loop(f.alignUp(begin, keys), end, keys, [&](Value rank) { packer.clearValues(packedValues, valueRowOf(rank)); });
  }

  Frame f;
  const Kernel &kernel;
  const OrderLayout &order;
  unsigned orderIndex;
  RowWalk walk;
  Packer packer;
  Value batch, head; // of the packed keys: query heads where they differ in the order
  Value keyHead, packedKeys, packedValues;
};

} // namespace

void attn::cpu::emitPack(const Kernel &kernel, unsigned order) {
  ImplicitLocOpBuilder b(kernel.op().getLoc(), kernel.op().getContext());
  PackEmitter(b, kernel, order).emit();
}
