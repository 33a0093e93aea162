// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Element types. Loops compute in f32; query, key, value and output are converted where they are read and written.
// 16-bit numbers lie in memory as whole numbers, and conversions are spelled out: LLVM would call a library for some of
// them, which an object must not need.
//
//   bf16 -> f32   the upper half of the bits
//   f32 -> bf16   rounded to nearest even by adding half a unit, less one where the last bit kept is 0
//   f16 <-> f32   one instruction where there is F16C; else by parts: normal numbers, small ones, infinity and NaN

#include "Frame.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

namespace {

/// Whole-number arithmetic on i32, one number or lanes of them.
class Bits {
public:
  explicit Bits(ImplicitLocOpBuilder &b) : b(b) {}

  Value constant(Value like, int64_t value) { return filled(like, b.getI32IntegerAttr(static_cast<int32_t>(value))); }
  Value number(Value like, double value) { return filled(like, b.getF32FloatAttr(static_cast<float>(value))); }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  Value add(Value x, int64_t y) { return add(x, constant(x, y)); }
  Value both(Value x, int64_t y) { return arith::AndIOp::create(b, x, constant(x, y)); }
  Value either(Value x, Value y) { return arith::OrIOp::create(b, x, y); }
  Value left(Value x, int64_t by) { return arith::ShLIOp::create(b, x, constant(x, by)); }
  Value right(Value x, int64_t by) { return arith::ShRUIOp::create(b, x, constant(x, by)); }
  /// Whether x < y, both of them at least 0.
  Value less(Value x, int64_t y) { return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, x, constant(x, y)); }
  Value toFloat(Value bits) { return arith::BitcastOp::create(b, shaped(bits, b.getF32Type()), bits); }
  Value ofFloat(Value number) { return arith::BitcastOp::create(b, shaped(number, b.getI32Type()), number); }
  Value wide(Value half) { return arith::ExtUIOp::create(b, shaped(half, b.getI32Type()), half); }
  Value half(Value wide) { return arith::TruncIOp::create(b, shaped(wide, b.getI16Type()), wide); }

  /// `element` in the shape of `like`.
  static Type shaped(Value like, Type element) {
    auto vector = dyn_cast<VectorType>(like.getType());
    return vector ? Type(vector.clone(element)) : element;
  }

private:
  Value filled(Value like, TypedAttr attr) {
    if (auto vector = dyn_cast<VectorType>(like.getType()))
      attr = DenseElementsAttr::get(vector.clone(attr.getType()), Attribute(attr));
    return arith::ConstantOp::create(b, attr);
  }

  ImplicitLocOpBuilder &b;
};

} // namespace

static Value widenBF16(Bits bits, Value stored) { return bits.toFloat(bits.left(bits.wide(stored), 16)); }

static Value narrowBF16(Frame &f, Bits bits, Value number) {
  Value whole = bits.ofFloat(number);
  Value rounded = bits.add(bits.add(whole, 0x7fff), bits.both(bits.right(whole, 16), 1));
  // Rounding could carry a NaN over into an infinity; its highest bit is kept instead, and made quiet.
  Value quiet = bits.either(whole, bits.constant(whole, 0x400000));
  Value isNumber = arith::CmpFOp::create(f.b, arith::CmpFPredicate::ORD, number, number);
  return bits.half(bits.right(f.select(isNumber, rounded, quiet), 16));
}

static Value widenF16(Frame &f, Bits bits, Value stored) {
  Value whole = bits.wide(stored);
  Value sign = bits.left(bits.both(whole, 0x8000), 16), magnitude = bits.both(whole, 0x7fff);
  constexpr int64_t smallestNormal = 0x400, infinity = 0x7c00, rebias = (127 - 15) << 23;
  Value normal = bits.add(bits.left(magnitude, 13), rebias);
  Value beyond = bits.add(normal, rebias); // the exponent of infinities and NaN has all bits set
  Value small = arith::MulFOp::create(
      f.b, arith::SIToFPOp::create(f.b, Bits::shaped(whole, f.b.getF32Type()), magnitude), bits.number(whole, 0x1p-24));
  Value result = f.select(bits.less(magnitude, infinity), normal, beyond);
  result = f.select(bits.less(magnitude, smallestNormal), bits.ofFloat(small), result);
  return bits.toFloat(bits.either(result, sign));
}

static Value narrowF16(Frame &f, Bits bits, Value number) {
  Value whole = bits.ofFloat(number);
  Value sign = bits.right(bits.both(whole, 0x80000000), 16), magnitude = bits.both(whole, 0x7fffffff);
  constexpr int64_t smallestNormal = (127 - 14) << 23, overflow = (127 + 16) << 23, infinity = 255 << 23;
  // Of normal numbers 13 bits are dropped; a carry into the exponent, up to infinity, is right.
  Value odd = bits.both(bits.right(magnitude, 13), 1);
  Value normal = bits.right(bits.add(bits.add(magnitude, 0xfff - ((127 - 15) << 23)), odd), 13);
  // The last bit of 0.5 weighs as much as that of the smallest f16: the sum is rounded there.
  Value sum = arith::AddFOp::create(f.b, bits.toFloat(magnitude), bits.number(whole, 0.5));
  Value small = bits.add(bits.ofFloat(sum), -(126 << 23));
  Value beyond =
      f.select(bits.less(magnitude, infinity + 1), bits.constant(whole, 0x7c00), bits.constant(whole, 0x7e00));
  Value result = f.select(bits.less(magnitude, overflow), normal, beyond);
  result = f.select(bits.less(magnitude, smallestNormal), small, result);
  return bits.half(bits.either(result, sign));
}

Type Frame::storage() { return layout.element.isF32() ? Type(b.getF32Type()) : b.getI16Type(); }

Value Frame::widen(Value stored) {
  if (layout.element.isF32())
    return stored;
  if (layout.element.isBF16())
    return widenBF16(Bits(b), stored);
  if (!isa.hasF16C)
    return widenF16(*this, Bits(b), stored);
  Value half = arith::BitcastOp::create(b, Bits::shaped(stored, b.getF16Type()), stored);
  return arith::ExtFOp::create(b, Bits::shaped(stored, b.getF32Type()), half);
}

Value Frame::narrow(Value number) {
  if (layout.element.isF32())
    return number;
  if (layout.element.isBF16())
    return narrowBF16(*this, Bits(b), number);
  if (!isa.hasF16C)
    return narrowF16(*this, Bits(b), number);
  Value half = arith::TruncFOp::create(b, Bits::shaped(number, b.getF16Type()), number);
  return arith::BitcastOp::create(b, Bits::shaped(number, b.getI16Type()), half);
}
