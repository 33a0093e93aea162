// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The producer warpgroup: brings query tiles and key and value tiles into shared memory, in the very order in which the
// consumers take them.
//
// Rows that follow each other, also with a stride, come through tensor maps: one thread starts the copy and goes on.
// Other rows (listed tokens, remainders, unsorted segments, strides that no tensor map takes) are copied by the
// threads, 16 bytes at a time. Such a copy is begun before the one before it is waited for, and published after a
// fence: products read shared memory through another path than threads do.

#include "../../Runtime/gpu.h"
#include "PhaseKernel.h"

using namespace mlir;
using namespace attn;
using namespace attn::hopper;

namespace {

/// Barrier of the producer's four warps; consumers use those from 1 on.
constexpr int64_t producerBarrier = 15;

class Producer {
public:
  explicit Producer(PhaseKernel &phase) : p(phase), f(phase.f), shape(phase.shape) {}

  void emit() {
    SmallVector<Value> slots{start(), start()};
    p.forEachItem(slots, [&](const Item &item, ValueRange carried) -> SmallVector<Value> {
      OrderInBatch queries = p.bindQueries(item);
      loadQueries(item, queries, carried[0]);
      Value slot = carried[1];
      for (BoxOp box : p.boxes())
        slot = loadBox(box, item, queries, slot);
      if (p.isLed())
        slot = noteEnd(slot);
      return {tile::AdvanceOp::create(f.b, carried[0], shape.queryStages), slot};
    });
  }

private:
  Value start() { return tile::StartOp::create(f.b); }

  /// Where rows of a tile come from.
  struct Source {
    const OrderInBatch &order;
    unsigned tensor;
    Value head; // of the tensor
    int64_t columns;
  };
  Source keySource(const OrderInBatch &order) { return {order, KeyTensor, f.kvHead, p.layout.headSize}; }
  Source valueSource(const OrderInBatch &order) { return {order, ValueTensor, f.kvHead, p.layout.valueHeadSize}; }

  //===-- Queries -----------------------------------------------------------------------------------------------===//

  void loadQueries(const Item &item, const OrderInBatch &queries, Value slot) {
    Source source{queries, QueryTensor, f.head, p.layout.headSize};
    bySource(
        queries,
        [&] {
          fill(p.queryRing, slot, source, item.firstRank);
          return slot;
        },
        [&] {
          tile::AcquireOp::create(f.b, p.queryRing, slot);
          copy(p.queryRing, slot, source, item.firstRank, shape.rows);
          publish(p.queryRing, slot, 0);
          return slot;
        });
  }

  //===-- Keys and values ---------------------------------------------------------------------------------------===//

  Value loadBox(BoxOp box, const Item &item, const OrderInBatch &queries, Value slot) {
    auto loadPart = [&](const OrderInBatch &keys, const KeyTiles &tiles, ValueRange carried) -> SmallVector<Value> {
      return {p.isLed() ? leadTiles(keys, tiles.hull, carried[0]) : loadTiles(keys, tiles, carried[0])};
    };
    return p.forEachPart(box, queries, item, slot, loadPart)[0];
  }

  Value loadTiles(const OrderInBatch &keys, const KeyTiles &tiles, Value slot) {
    return bySource(keys, [&] { return fillTiles(keys, tiles, slot); }, [&] { return copyTiles(keys, tiles, slot); });
  }

  /// What all rows look at: all of the hull, or what lies before and behind a hole.
  Value leadTiles(const OrderInBatch &keys, const Hull &hull, Value slot) {
    if (!hull.holes)
      return loadTiles(keys, p.tilesOf({hull.begin, hull.end}), slot);
    Value hasHole = f.less(hull.holes->begin, hull.holes->end);
    return f.loop(f.i32(0), f.select(hasHole, f.i32(2), f.i32(1)), f.i32(1), slot,
                  [&](Value side, ValueRange carried) -> SmallVector<Value> {
                    Value isBefore = f.isZero(side);
                    Value begin = f.select(isBefore, hull.begin, hull.holes->end);
                    Value end = f.select(f.both(isBefore, hasHole), hull.holes->begin, hull.end);
                    return {loadTiles(keys, p.tilesOf({begin, end}), carried[0])};
                  })[0];
  }

  /// A lead's note of a tile: its first rank, and the first column that counts.
  void note(const KeyTiles &tiles, Value first, Value slot) {
    if (p.isLed())
      tile::NoteOp::create(f.b, p.keyRing, slot, first, f.greatest(f.sub(tiles.hull.begin, first), f.i32(0)));
  }

  /// In place of a tile: no column counts, there are no more.
  Value noteEnd(Value slot) {
    asOneThreadOf(p.keyRing, slot, [&] {
      tile::NoteOp::create(f.b, p.keyRing, slot, f.i32(0), f.i32(shape.keys));
      tile::PublishOp::create(f.b, p.keyRing, slot);
    });
    asOneThreadOf(p.valueRing, slot, [&] { tile::PublishOp::create(f.b, p.valueRing, slot); });
    return advance(slot);
  }

  Value firstRank(const KeyTiles &tiles, Value t) { return f.sub(tiles.last, f.mul(f.add(t, 1), tiles.keys)); }

  Value fillTiles(const OrderInBatch &keys, const KeyTiles &tiles, Value slot) {
    return f.loop(f.i32(0), tiles.count, f.i32(1), slot, [&](Value t, ValueRange carried) -> SmallVector<Value> {
      Value first = firstRank(tiles, t);
      fill(p.keyRing, carried[0], keySource(keys), first, [&] { note(tiles, first, carried[0]); });
      fill(p.valueRing, carried[0], valueSource(keys), first);
      return {advance(carried[0])};
    })[0];
  }

  Value copyTiles(const OrderInBatch &keys, const KeyTiles &tiles, Value slot) {
    Value before = slot; // whose values are on their way
    SmallVector<Value> slots =
        f.loop(f.i32(0), tiles.count, f.i32(1), {slot, before}, [&](Value t, ValueRange carried) -> SmallVector<Value> {
          Value first = firstRank(tiles, t), now = carried[0];
          tile::AcquireOp::create(f.b, p.keyRing, now);
          copy(p.keyRing, now, keySource(keys), first, tiles.keys);
          f.when(f.less(f.i32(0), t), [&] { publish(p.valueRing, carried[1], 1); });
          tile::AcquireOp::create(f.b, p.valueRing, now);
          copy(p.valueRing, now, valueSource(keys), first, tiles.keys);
          asOneThread([&] { note(tiles, first, now); });
          publish(p.keyRing, now, 1);
          return {advance(now), now};
        });
    f.when(f.less(f.i32(0), tiles.count), [&] { publish(p.valueRing, slots[1], 0); });
    return slots[0];
  }

  Value advance(Value slot) { return tile::AdvanceOp::create(f.b, slot, shape.stages); }

  //===-- Through tensor maps -----------------------------------------------------------------------------------===//

  /// Writes `fills` where tensor maps can be used, `copies` elsewhere; both return the next slot.
  Value bySource(const OrderInBatch &order, llvm::function_ref<Value()> fills, llvm::function_ref<Value()> copies) {
    return p.isTiled ? order.byLayout(fills, copies) : copies();
  }

  /// One thread fills the stage, after it has done what is to be done before.
  void fill(Value ring, Value slot, const Source &source, Value firstRank, llvm::function_ref<void()> before = [] {}) {
    asOneThreadOf(ring, slot, [&] {
      before();
      auto [row, part] = source.order.placeInMap(firstRank);
      tile::FillOp::create(f.b, ring, slot, p.mapOf(source.tensor, source.order), row, part, source.head, f.batch,
                           source.order.rowsOfCopy());
    });
  }

  /// With a stage that is empty. Where four warps produce, those that copy nothing must not fall behind: an empty
  /// barrier knows two rounds apart, not three.
  void asOneThreadOf(Value ring, Value slot, llvm::function_ref<void()> body) {
    tile::AcquireOp::create(f.b, ring, slot);
    if (shape.copiesRows)
      f.meet(f.i32(producerBarrier), 128);
    asOneThread(body);
  }

  void asOneThread(llvm::function_ref<void()> body) { f.when(f.isZero(f.threadInBlock()), body); }

  //===-- Row by row --------------------------------------------------------------------------------------------===//

  /// What the threads have copied to a stage becomes readable; `underway` later copies may still be.
  void publish(Value ring, Value slot, int64_t underway) {
    if (p.isTiled)
      NVVM::CpAsyncWaitGroupOp::create(f.b, f.b.getI32IntegerAttr(underway));
    f.fenceAsync();
    f.meet(f.i32(producerBarrier), 128);
    asOneThread([&] { tile::PublishOp::create(f.b, ring, slot); });
  }

  /// Begins to copy the first `rows` of a stage's tile, 16 bytes a thread; ranks without a row and columns past the
  /// last become zeros.
  void copy(Value ring, Value slot, const Source &source, Value firstRank, int64_t rows) {
    auto tileType = cast<tile::RingType>(ring.getType()).getTile();
    Value tileOfStage = tile::StageOp::create(f.b, ring, slot);
    int64_t width = tileType.chunkColumns(), chunks = tileType.getColumns() / width;
    f.loop(f.threadInGroup(), f.i32(rows * chunks), f.i32(128), [&](Value i) {
      Value r = f.divide(i, chunks), chunk = f.remainder(i, chunks);
      Value row = source.order.rowOr(f.add(firstRank, r), f.i32(-1));
      Value target = tile::ChunkOp::create(f.b, LLVM::LLVMPointerType::get(f.b.getContext(), 3), tileOfStage, r, chunk);
      Value left = f.greatest(f.sub(f.i32(source.columns), f.mul(chunk, width)), f.i32(0));
      Value columns = f.select(f.less(row, f.i32(0)), f.i32(0), f.least(left, f.i32(width)));
      // Where nothing is read, the address is that of the tensor's first row.
      Value place = f.select(f.isZero(columns), f.i32(0), f.mul(chunk, width));
      Value from = rowAddress(source, f.select(f.isZero(columns), f.i32(0), row), place);
      if (p.isTiled)
        NVVM::CpAsyncOp::create(f.b, target, from, f.b.getI32IntegerAttr(16),
                                NVVM::LoadCacheModifierKindAttr::get(f.b.getContext(), NVVM::LoadCacheModifierKind::CG),
                                f.mul(columns, tileType.elementBytes()));
      else
        copyElements(tileType, from, target, columns);
    });
    if (p.isTiled)
      NVVM::CpAsyncCommitGroupOp::create(f.b);
  }

  Value rowAddress(const Source &source, Value row, Value column) {
    Value start = f.rowPointer(source.tensor, source.head, row, p.element());
    return LLVM::GEPOp::create(f.b, start.getType(), p.element(), start, ArrayRef<LLVM::GEPArg>{column});
  }

  /// A chunk, of which the first `columns` are read: those beyond stand for the last, and become zeros.
  void copyElements(tile::SharedType tile, Value from, Value to, Value columns) {
    Type bits = f.b.getIntegerType(8 * tile.elementBytes());
    Value zero = LLVM::ZeroOp::create(f.b, bits);
    Value chunk = LLVM::ZeroOp::create(f.b, VectorType::get(tile.chunkColumns(), bits));
    Value last = f.greatest(f.sub(columns, 1), f.i32(0));
    for (int64_t e = 0; e < tile.chunkColumns(); ++e) {
      Value at = LLVM::GEPOp::create(f.b, from.getType(), bits, from, ArrayRef<LLVM::GEPArg>{f.least(f.i32(e), last)});
      Value element = f.select(f.less(f.i32(e), columns), LLVM::LoadOp::create(f.b, bits, at), zero);
      chunk = LLVM::InsertElementOp::create(f.b, chunk, element, f.i32(e));
    }
    LLVM::StoreOp::create(f.b, chunk, to, /*alignment=*/16);
  }

  PhaseKernel &p;
  Frame &f;
  const GpuShape &shape;
};

} // namespace

void attn::hopper::emitProducer(PhaseKernel &phase) { Producer(phase).emit(); }
