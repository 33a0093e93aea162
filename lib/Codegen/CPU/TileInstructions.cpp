// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes AMX's instructions as LLVM's intrinsics, whose tiles are values; LLVM gives them registers.

#include "TileInstructions.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

Type TileInstructions::tileType() { return LLVM::LLVMX86AMXType::get(f.b.getContext()); }

Value TileInstructions::halfWord(int64_t value) {
  return arith::ConstantOp::create(f.b, f.b.getI16IntegerAttr(static_cast<int16_t>(value)));
}

Value TileInstructions::word(int64_t value) { return arith::ConstantOp::create(f.b, f.b.getI64IntegerAttr(value)); }

Value TileInstructions::intrinsic(StringRef name, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(f.b, tileType(), f.b.getStringAttr(name), operands).getResults();
}

Value TileInstructions::zero() {
  return intrinsic("llvm.x86.tilezero.internal", {halfWord(tileRows), halfWord(tileBytes)});
}

Value TileInstructions::load(Value pointer, int64_t stride) {
  return intrinsic("llvm.x86.tileloadd64.internal", {halfWord(tileRows), halfWord(tileBytes), pointer, word(stride)});
}

Value TileInstructions::loadStream(Value pointer, int64_t stride) {
  return intrinsic("llvm.x86.tileloaddt164.internal", {halfWord(tileRows), halfWord(tileBytes), pointer, word(stride)});
}

void TileInstructions::store(Value tile, Value pointer, int64_t stride) {
  LLVM::CallIntrinsicOp::create(f.b, f.b.getStringAttr("llvm.x86.tilestored64.internal"),
                                ValueRange{halfWord(tileRows), halfWord(tileBytes), pointer, word(stride), tile});
}

Value TileInstructions::multiply(Value left, Value right, Value sum) {
  return intrinsic("llvm.x86.tdpbf16ps.internal",
                   {halfWord(tileRows), halfWord(tileBytes), halfWord(tileBytes), sum, left, right});
}
