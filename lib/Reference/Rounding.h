// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rounds floats to what an element type can hold: to nearest, halves to even.

#ifndef ATTN_LIB_REFERENCE_ROUNDING_H
#define ATTN_LIB_REFERENCE_ROUNDING_H

#include "attn/Reference/Judge.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/ErrorHandling.h"
#include <cmath>
#include <cstdint>
#include <limits>

namespace attn::reference {

/// Drops the last `dropped` bits of the fraction. A carry moves on into the exponent, and so to infinity in the end.
inline float roundFraction(float value, unsigned dropped) {
  if (std::isnan(value))
    return value;
  uint32_t bits = llvm::bit_cast<uint32_t>(value);
  uint32_t half = 1u << (dropped - 1), isOdd = (bits >> dropped) & 1;
  return llvm::bit_cast<float>(((bits + half - 1 + isOdd) >> dropped) << dropped);
}

/// bf16 is f32 with 7 bits of fraction.
inline float roundToBF16(float value) { return roundFraction(value, 16); }

/// f16 has 10 bits of fraction, the fixed step 2^-24 below 2^-14, and infinity above 65504.
inline float roundToF16(float value) {
  if (std::fabs(value) < 0x1p-14f) // floats in [0.5, 1) stand 2^-24 apart
    return std::copysign((std::fabs(value) + 0.5f) - 0.5f, value);
  float rounded = roundFraction(value, 13);
  if (std::fabs(rounded) > 65504.0f)
    return std::copysign(std::numeric_limits<float>::infinity(), value);
  return rounded;
}

inline float rounded(Element element, float value) {
  switch (element) {
  case Element::F32:
    return value;
  case Element::BF16:
    return roundToBF16(value);
  case Element::F16:
    return roundToF16(value);
  }
  llvm_unreachable("all element types are listed");
}

} // namespace attn::reference

#endif // ATTN_LIB_REFERENCE_ROUNDING_H
