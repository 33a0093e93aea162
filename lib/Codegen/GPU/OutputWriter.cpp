// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Stores the output tile by tile, or row by row where a tile holds other rows.

#include "OutputWriter.h"

using namespace mlir;
using namespace attn;
using namespace attn::hopper;

void OutputWriter::writeLse(const OrderInBatch &queries, const TwoRows &own, Value lse) {
  Type f32 = f.b.getF32Type();
  auto halves = tile::UnpackOp::create(f.b, f32, f32, lse);
  Value wanted = arith::CmpIOp::create(f.b, CmpIPredicate::ne, f.viewAddress(LseTensor),
                                       arith::ConstantOp::create(f.b, f.b.getI64IntegerAttr(0)));
  f.when(f.both(wanted, f.isFirstOfRow()), [&] {
    for (int h : {0, 1})
      f.when(queries.hasRow(own.ranks[h]), [&] {
        f.when(p.isOwned(own.rows[h]), [&] {
          LLVM::StoreOp::create(f.b, h ? halves.getSecond() : halves.getFirst(),
                                f.rowPointer(LseTensor, f.head, own.rows[h], f32));
        });
      });
  });
}

void OutputWriter::writeTile(const Item &item, const OrderInBatch &queries, Value output) {
  auto type = tile::SharedType::get(f.b.getContext(), shape.rows, shape.valueColumns, p.element(), 0);
  Value whole = tile::SharedOp::create(f.b, type, f.b.getI32IntegerAttr(shape.outputOffset));
  Value part = tile::SubtileOp::create(f.b, type.subtile(), whole, warpgroup);
  // The tile may still be read: by the copy of the item before, or as query by another warp.
  if (shape.persistent || shape.outputOverQuery())
    awaitStored();
  tile::WriteOp::create(f.b, output, part);
  f.fenceAsync();
  meetGroup();
  storeTile(item, queries, part);
}

// Barriers 1 .. consumers are the warpgroups' turns to multiply, those behind them let one warpgroup's threads meet.
void OutputWriter::meetGroup() { f.meet(f.add(warpgroup, 1 + shape.consumers()), 128); }

void OutputWriter::awaitStored() {
  f.when(isFirstThread(),
         [&] { NVVM::CpAsyncBulkWaitGroupOp::create(f.b, f.b.getI32IntegerAttr(0), f.b.getUnitAttr()); });
  meetGroup();
}

/// Through the tensor map, which drops rows past the last; row by row where not every row is this phase's, or where
/// rows do not follow each other.
void OutputWriter::storeTile(const Item &item, const OrderInBatch &queries, Value part) {
  Value firstRank = f.add(item.firstRank, f.mul(warpgroup, 64));
  auto store = [&] {
    f.when(isFirstThread(), [&] {
      auto [row, number] = queries.placeInMap(firstRank);
      tile::StoreOp::create(f.b, part, p.mapOf(OutputTensor, queries), row, number, f.head, f.batch);
      NVVM::CpAsyncBulkCommitGroupOp::create(f.b);
    });
    return SmallVector<Value>();
  };
  auto storeByRow = [&] {
    storeRows(queries, firstRank, part);
    return SmallVector<Value>();
  };
  Value asTile = queries.isIdentity;
  auto require = [&](Value condition) { asTile = asTile ? f.both(asTile, condition) : condition; };
  if (Value isWhole = queries.holdsTile(firstRank))
    require(isWhole);
  if (p.op.getExceptAttr())
    require(f.negate(f.anyOfWarp(someRowIsForeign(queries, firstRank))));
  if (!p.isTiled || queries.isScattered())
    storeByRow();
  else if (asTile)
    f.choose(asTile, store, storeByRow);
  else
    store();
}

/// Whether one of the two rows of 64 that this lane looks at belongs to another phase.
Value OutputWriter::someRowIsForeign(const OrderInBatch &queries, Value firstRank) {
  Value some = f.truth(false);
  for (int64_t half : {0, 32}) {
    Value rank = f.add(f.add(firstRank, f.lane()), half);
    Value foreign = f.choose(
        queries.hasRow(rank), [&] { return f.negate(p.isOwned(queries.rowOf(rank))); }, [&] { return f.truth(false); });
    some = arith::OrIOp::create(f.b, some, foreign);
  }
  return some;
}

void OutputWriter::storeRows(const OrderInBatch &queries, Value firstRank, Value part) {
  int64_t width = cast<tile::SharedType>(part.getType()).chunkColumns();
  int64_t chunks = (p.layout.valueHeadSize + width - 1) / width;
  Type shared = LLVM::LLVMPointerType::get(f.b.getContext(), 3);
  f.loop(f.threadInGroup(), f.i32(64 * chunks), f.i32(128), [&](Value i) {
    Value r = f.divide(i, chunks), chunk = f.remainder(i, chunks), rank = f.add(firstRank, r);
    f.when(queries.hasRow(rank), [&] {
      Value row = queries.rowOf(rank);
      f.when(p.isOwned(row), [&] {
        Value from = tile::ChunkOp::create(f.b, shared, part, r, chunk);
        Value to = f.rowPointer(OutputTensor, f.head, row, p.element());
        to = LLVM::GEPOp::create(f.b, to.getType(), p.element(), to, ArrayRef<LLVM::GEPArg>{f.mul(chunk, width)});
        storeChunk(from, to, f.sub(f.i32(p.layout.valueHeadSize), f.mul(chunk, width)), width);
      });
    });
  });
}

/// A chunk of `width` elements, or as many as there are columns.
void OutputWriter::storeChunk(Value from, Value to, Value columns, int64_t width) {
  Type bits = f.b.getIntegerType(128 / width);
  Value elements = LLVM::LoadOp::create(f.b, VectorType::get(width, bits), from, /*alignment=*/16);
  auto one = [&](int64_t e) {
    Value at = LLVM::GEPOp::create(f.b, to.getType(), bits, to, ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(e)});
    LLVM::StoreOp::create(f.b, LLVM::ExtractElementOp::create(f.b, elements, f.i32(e)), at);
  };
  auto all = [&] {
    if (p.isTiled)
      LLVM::StoreOp::create(f.b, elements, to, /*alignment=*/16);
    else
      for (int64_t e = 0; e < width; ++e)
        one(e);
    return SmallVector<Value>();
  };
  if (p.layout.valueHeadSize % width == 0)
    return (void)all();
  f.choose(f.compare(CmpIPredicate::sge, columns, f.i32(width)), all, [&] {
    for (int64_t e = 0; e < p.layout.valueHeadSize % width; ++e)
      one(e);
    return SmallVector<Value>();
  });
}
