// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What all kinds of products share: where the operands are, and P between the two products.

#include "ProductWriter.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

ProductWriter::ProductWriter(Frame &frame, const GroupCall &call, Ranks ranks)
    : f(frame), sizes(frame.layout, frame.isa), tile(call.tile), begin(ranks.begin), end(ranks.end) {
  Type unit = sizes.unitType(f.b.getContext());
  keys = f.memrefAt(call.keys, MemRefType::get({ShapedType::kDynamic, sizes.panelStride}, unit));
  values = f.memrefAt(call.values, MemRefType::get({ShapedType::kDynamic, sizes.valueStride}, unit));
  query = f.scratchArray(isScaled() ? ScratchArray::Query : ScratchArray::QueryUnits);
  powers = f.scratchArray(sizes.isPaired() ? ScratchArray::Powers : ScratchArray::Scores);
  output = f.scratchArray(ScratchArray::Output);
}

// The instruction puts its second operand into the lower half of the vector.
Value attn::cpu::roundToUnits(Frame &f, Value first, Value second) {
  auto halves = VectorType::get({2 * f.isa.lanes}, f.b.getBF16Type());
  auto rounded = LLVM::CallIntrinsicOp::create(f.b, halves, f.b.getStringAttr("llvm.x86.avx512bf16.cvtne2ps2bf16.512"),
                                               ValueRange{second, first});
  return LLVM::BitcastOp::create(f.b, f.vectorType(f.b.getI32Type()), rounded.getResults());
}

SmallVector<Value> ProductWriter::writePowers(ArrayRef<Value> carried, WritePowers write) {
  return f.loop(begin, end, powerVectors() * f.isa.lanes, carried, [&](Value key, ValueRange values) {
    SmallVector<Value> inner(values);
    write(key, inner);
    return inner;
  });
}

void ProductWriter::storePowers(int64_t m, Value at, ArrayRef<Value> vectors) {
  if (!sizes.isPaired())
    return f.storeVector(vectors[0], powers, {f.index(m), at});
  Value units = roundToUnits(f, vectors[0], vectors[1]);
  f.storeVector(units, powers, {f.index(m), arith::DivUIOp::create(f.b, at, f.index(2))});
}

std::unique_ptr<ProductWriter> ProductWriter::create(Frame &frame, const GroupCall &call, Ranks keys,
                                                     bool areKeysListed) {
  if (frame.isa.readsRows())
    return createRowProducts(frame, call, keys, areKeysListed);
  if (frame.isa.products == Products::Tiles)
    return createTileProducts(frame, call, keys);
  return createVectorProducts(frame, call, keys);
}
