// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packs keys and values of one order (Packing.h), so that the tiles read contiguous memory, whatever the strides, the
// order and the tails are: all of them before the first tile, or those of a tile once it asks for them (KeyRing.h).

#include "KeyRing.h"
#include "Parts.h"
#include "RowWalk.h"
#include "TilePipeline.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

namespace {

class PackEmitter {
public:
  PackEmitter(ImplicitLocOpBuilder &b, const Kernel &kernel, unsigned order)
      : f(b, kernel.layout, kernel.isa), kernel(kernel), order(kernel.layout.orders[order]), orderIndex(order),
        walk(f, this->order), packer(f) {}

  /// (views, symbols, batch, head, block)
  void emitBlock() {
    Type pointer = LLVM::LLVMPointerType::get(f.b.getContext()), index = f.b.getIndexType();
    begin("pack.", {pointer, pointer, index, index, index});
    packedKeys = f.view(order.keyView, packer.unitType()), packedValues = f.view(order.valueView, packer.unitType());
    place = {batch, head};
    Value first = f.mul(f.arguments[4], kernel.layout.packKeys());
    pack(first, f.add(first, kernel.layout.packKeys()));
    f.end();
  }

  /// (views, symbols, batch, head, begin, end, scratch): a tile's keys, from the first one that the worker lacks. Those
  /// of pipelines go round.
  void emitFetch() {
    Type pointer = LLVM::LLVMPointerType::get(f.b.getContext()), index = f.b.getIndexType();
    begin("fetch.", {pointer, pointer, index, index, index, index, pointer});
    f.scratch = f.arguments[6];
    KeyRing ring(f);
    Value tile = f.arguments[4], end = f.arguments[5], firstSlot = ring.slotOf(tile), tags = ring.tags();
    int64_t granule = kernel.layout.tile[3];
    Value wrap = isPipelined(kernel) ? ring.wrapOf(tile) : end;
    auto slotOf = [&](Value rank) {
      Value slot = f.add(firstSlot, arith::DivUIOp::create(f.b, f.sub(rank, tile), f.index(granule)));
      return isPipelined(kernel) ? f.select(f.less(rank, wrap), slot, f.sub(slot, ring.slots())) : slot;
    };
    Value missing = f.loop(tile, end, granule, end, [&](Value rank, ValueRange carried) -> SmallVector<Value> {
      Value slot = slotOf(rank), tag = tagOf(rank), held = f.load(tags, {slot});
      f.store(tag, tags, {slot});
      Value isHeld = arith::CmpIOp::create(f.b, arith::CmpIPredicate::eq, tag, held);
      return {f.select(isHeld, carried[0], f.least(rank, carried[0]))};
    })[0];
    auto packFrom = [&](Value begin, Value end) {
      auto rows = [&](Value from, int64_t size) {
        return f.memrefAt(from, MemRefType::get({ShapedType::kDynamic, size}, packer.unitType()));
      };
      Value slot = slotOf(begin);
      packedKeys = rows(ring.keysAt(slot, begin), packer.sizes.panelStride);
      packedValues = rows(ring.valuesAt(slot, begin), packer.sizes.valueStride);
      pack(begin, end);
    };
    if (!isPipelined(kernel)) {
      f.when(f.less(missing, end), [&] { packFrom(missing, end); });
      return f.end();
    }
    f.loop(f.index(0), f.index(2), 1, [&](Value round) {
      Value isFirst = f.less(round, f.index(1));
      Value begin = f.select(isFirst, missing, f.greatest(missing, wrap));
      Value stop = f.select(isFirst, f.least(end, wrap), end);
      f.when(f.less(begin, stop), [&] { packFrom(begin, stop); });
    });
    f.end();
  }

private:
  void begin(StringRef part, ArrayRef<Type> types) {
    f.begin(kernel.module, kernel.nameOf(part + Twine(orderIndex)), types);
    f.views = f.arguments[0], f.symbols = f.arguments[1];
    batch = f.arguments[2], head = f.arguments[3], keyHead = head;
    f.batch = batch;
    if (order.ofHead)
      f.head = head, keyHead = arith::DivUIOp::create(f.b, head, f.symbol(HeadsPerKvHeadSymbol));
  }

  /// A number that no other keys of the call have: of batch, head, order, and the place among the granules, of which
  /// there are fewer than 2^31.
  Value tagOf(Value rank) {
    Value number = f.add(arith::MulIOp::create(f.b, batch, f.symbol(Heads)), head);
    number = f.add(f.mul(number, static_cast<int64_t>(kernel.layout.orders.size())), orderIndex);
    return f.add(f.mul(number, int64_t(1) << 31), arith::DivUIOp::create(f.b, rank, f.index(kernel.layout.tile[3])));
  }

  /// Packs the ranks [begin, end), or up to where the order ends.
  void pack(Value begin, Value end) {
    Value count = f.countOf(order);
    end = f.least(end, f.alignUp(count, kernel.layout.tile[3]));
    Value present = f.least(end, f.greatest(begin, count));
    copyKeys(copyPanels(begin, present), present);
    copyValues(begin, present);
    clear(f.greatest(begin, present), end);
  }

  SmallVector<Value> batchAndKeyHead() { return {batch, keyHead}; }
  SmallVector<Value> placeOf(Value rank, int64_t ranks) {
    SmallVector<Value> at = place;
    at.push_back(arith::DivUIOp::create(f.b, rank, f.index(ranks)));
    return at;
  }
  SmallVector<Value> panelOf(Value rank) { return placeOf(rank, KernelLayout::panelKeys); }
  SmallVector<Value> valueRowOf(Value rank) { return placeOf(rank, packer.sizes.valueKeys); }
  Value laneOf(Value rank) { return arith::RemUIOp::create(f.b, rank, f.index(KernelLayout::panelKeys)); }

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
  SmallVector<Value> place; // of the head in packed memory: its first indices
};

} // namespace

void attn::cpu::emitPack(const Kernel &kernel, unsigned order) {
  ImplicitLocOpBuilder b(kernel.op().getLoc(), kernel.op().getContext());
  PackEmitter(b, kernel, order).emitBlock();
  if (kernel.layout.orders[order].span)
    PackEmitter(b, kernel, order).emitFetch();
}
