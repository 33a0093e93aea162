// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowers products of f32 tiles. wgmma would cut their elements to the 10 bits of tf32, so the threads multiply and add
// by themselves, each in its places of the accumulator: of rows r and r + 8, two neighbouring columns in every eight.
//
//   S = Q K^T   16 bytes of the two query rows, and of one key after the other: 8 additions for each key
//   O += P V    two columns of a value row, for every eight columns: 4 additions. The row's four threads hold the
//               weights of different keys, and hand them round
//
// Rows that are eight apart are swizzled alike and lie 1024 bytes apart, so that a thread computes few addresses.

#include "LowerTile.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace attn::tile;

/// Bytes from a row to that eight rows on, and from a row to the next.
static constexpr int64_t bytesOfEightRows = 1024, bytesOfRow = 128;

/// `bytes` on from a pointer.
static Value advance(Code &code, Value pointer, int64_t bytes) {
  return LLVM::GEPOp::create(code.b, code.loc, pointer.getType(), code.b.getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(bytes)});
}

/// `count` neighbouring f32 of shared memory.
static Registers load(Code &code, Value pointer, int64_t bytes, int64_t count) {
  auto type = VectorType::get(count, code.b.getF32Type());
  Value from = advance(code, pointer, bytes);
  Value all = LLVM::LoadOp::create(code.b, code.loc, type, from, /*alignment=*/4 * count);
  Registers elements;
  for (int64_t i = 0; i < count; ++i)
    elements.push_back(LLVM::ExtractElementOp::create(code.b, code.loc, all, code.i32(i)));
  return elements;
}

static void addProduct(Code &code, Value &sum, Value x, Value y) {
  sum = math::FmaOp::create(code.b, code.loc, x, y, sum);
}

/// Runs `body` with 0 to count - 1 and with registers that it changes; what they are in the end.
static Registers loop(Code &code, int64_t count, ValueRange start, llvm::function_ref<void(Value, Registers &)> body) {
  auto op = scf::ForOp::create(code.b, code.loc, code.i32(0), code.i32(count), code.i32(1), start);
  OpBuilder::InsertionGuard guard(code.b);
  code.b.setInsertionPointToStart(op.getBody());
  Registers carried(op.getRegionIterArgs());
  body(op.getInductionVar(), carried);
  scf::YieldOp::create(code.b, code.loc, carried);
  return Registers(op.getResults());
}

Registers attn::tile::multiplyF32(MultiplyOp op, Operands<MultiplyOp> in, Code &code) {
  SharedType query = op.getQuery().getType(), key = op.getKey().getType();
  Value queryRow = code.firstRow(), keyRow = code.firstColumn();
  Value zero = arith::ConstantOp::create(code.b, code.loc, code.b.getF32FloatAttr(0));
  Registers start(key.getRows() / 2, zero);
  return loop(code, op.getDepth() / query.chunkColumns(), start, [&](Value chunk, Registers &product) {
    Value queries = code.pointer(code.chunkAddress(query, in.getQuery().front(), queryRow, chunk));
    Registers q[2];
    for (int64_t h : {0, 1})
      q[h] = load(code, queries, h * bytesOfEightRows, 4);
    for (int64_t e : {0, 1}) {
      Value keys = code.pointer(code.chunkAddress(key, in.getKey().front(), code.add(keyRow, e), chunk));
      for (int64_t j = 0; j < key.getRows() / 8; ++j) {
        Registers k = load(code, keys, j * bytesOfEightRows, 4);
        for (int64_t x = 0; x < 4; ++x)
          for (int64_t h : {0, 1})
            addProduct(code, product[4 * j + 2 * h + e], q[h][x], k[x]);
      }
    }
  });
}

/// The weights of eight keys at a time, which are the first four registers: they go round with every step.
Registers attn::tile::accumulateF32(AccumulateOp op, Operands<AccumulateOp> in, Code &code) {
  SharedType value = op.getValue().getType();
  int64_t columns = op.getAccumulator().getType().getColumns(), places = columns / 2;
  Value column = code.firstColumn(), ofPair = code.shiftRight(column, 2);
  Value inChunk = code.mul(code.andBits(column, 2), value.elementBytes());
  Registers start(in.getAccumulator());
  llvm::append_range(start, in.getWeights());
  Registers end = loop(code, value.getRows() / 8, start, [&](Value step, Registers &carried) {
    Value rows = code.add(code.add(in.getValue().front(), inChunk), code.mul(step, bytesOfEightRows));
    for (int64_t row = 0; row < 8; ++row) {
      Value weights[2];
      for (int64_t h : {0, 1})
        weights[h] = code.ofRow(carried[places + 2 * h + row % 2], row / 2);
      // Two chunks hold eight columns. Of their number's bits only the lowest differs between threads.
      Value first = code.pointer(code.add(rows, code.mul(code.xorBits(ofPair, row % 2), 16)));
      for (int64_t j = 0; j < columns / 8; ++j) {
        int64_t panel = j / 4 * value.panelRows() * bytesOfRow, chunk = (j % 4 * 2) ^ (row & 6);
        Registers v = load(code, first, panel + row * bytesOfRow + chunk * 16, 2);
        for (int64_t h : {0, 1})
          for (int64_t e : {0, 1})
            addProduct(code, carried[4 * j + 2 * h + e], weights[h], v[e]);
      }
    }
    std::rotate(carried.begin() + places, carried.begin() + places + 4, carried.end());
  });
  end.truncate(places);
  return end;
}

void attn::tile::writeF32(WriteOp op, Operands<WriteOp> in, Code &code) {
  SharedType tile = op.getTile().getType();
  auto pair = VectorType::get(2, code.b.getF32Type());
  Value row = code.firstRow(), column = code.firstColumn();
  Value inChunk = code.mul(code.andBits(column, 2), tile.elementBytes());
  for (size_t j = 0; j < in.getValue().size() / 4; ++j) {
    Value chunk = code.add(code.shiftRight(column, 2), 2 * j);
    Value to = code.pointer(code.add(code.chunkAddress(tile, in.getTile().front(), row, chunk), inChunk));
    for (int64_t h : {0, 1}) {
      Value both = LLVM::PoisonOp::create(code.b, code.loc, pair);
      for (int64_t e : {0, 1})
        both = LLVM::InsertElementOp::create(code.b, code.loc, both, in.getValue()[4 * j + 2 * h + e], code.i32(e));
      LLVM::StoreOp::create(code.b, code.loc, both, advance(code, to, h * bytesOfEightRows), /*alignment=*/8);
    }
  }
}
