// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Names of element types and instruction sets, and 16-bit numbers.
#include "common/Element.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace attn_tools {

const char *nameOfElement(int32_t element) {
  switch (element) {
  case ATTN_F32:
    return "f32";
  case ATTN_BF16:
    return "bf16";
  case ATTN_F16:
    return "f16";
  default:
    return "i32";
  }
}

NpyType npyTypeOf(int32_t element) {
  switch (element) {
  case ATTN_F32:
    return NpyType::F32;
  case ATTN_BF16:
    return NpyType::U16;
  case ATTN_F16:
    return NpyType::F16;
  default:
    return NpyType::I32;
  }
}

static constexpr const char *isaNames[] = {"none", "generic", "avx2", "avx512", "avx512bf16", "avx512fp16", "amx"};

const char *nameOfIsa(int32_t isa) {
  if (isa == ATTN_ISA_SM_90A)
    return "sm_90a";
  return isa >= 0 && isa <= ATTN_ISA_AMX ? isaNames[isa] : "none";
}

Result<int32_t> parseIsa(const std::string &name) {
  for (int32_t isa = ATTN_ISA_GENERIC; isa <= ATTN_ISA_AMX; ++isa)
    if (name == isaNames[isa])
      return isa;
  return Failure{"unknown instruction set '" + name + "'; use amx, avx512fp16, avx512bf16, avx512, avx2 or generic"};
}

uint16_t roundToBf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  if (std::isnan(value))
    return static_cast<uint16_t>(bits >> 16 | 0x40); // quiet, and never an infinity
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// A half has 10 bits of fraction and exponents from -14; below, its last bit is worth 2^-24.
uint16_t roundToF16(float value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0, infinity = 0x7c00;
  float magnitude = std::fabs(value);
  if (std::isnan(value))
    return sign | infinity | 0x200;
  if (magnitude >= 65520) // halfway between the largest half and the next power of two
    return sign | infinity;
  int exponent = magnitude < 0x1p-14f ? -14 : std::ilogb(magnitude);
  int steps = static_cast<int>(std::nearbyint(std::ldexp(magnitude, 10 - exponent))); // of 2^(exponent - 10)
  // From 1024 steps on the number is normal: adding carries the leading bit into the exponent field.
  return static_cast<uint16_t>(sign + ((exponent + 14) << 10) + steps);
}

float widenBf16(uint16_t bits) {
  uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof(value));
  return value;
}

float widenF16(uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  float magnitude = exponent == 31  ? (fraction ? NAN : INFINITY)
                    : exponent == 0 ? std::ldexp(float(fraction), -24)
                                    : std::ldexp(float(1024 + fraction), exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

void storeElement(void *data, int32_t element, int64_t index, float value) {
  if (element == ATTN_F32)
    static_cast<float *>(data)[index] = value;
  else
    static_cast<uint16_t *>(data)[index] = element == ATTN_BF16 ? roundToBf16(value) : roundToF16(value);
}

std::vector<float> floatsOf(const attn_tensor &tensor) {
  const int64_t count = countElements({tensor.shape, tensor.shape + tensor.rank});
  if (tensor.element == ATTN_F32) {
    const float *data = static_cast<const float *>(tensor.data);
    return std::vector<float>(data, data + count);
  }
  const uint16_t *data = static_cast<const uint16_t *>(tensor.data);
  std::vector<float> floats(count);
  std::transform(data, data + count, floats.begin(), tensor.element == ATTN_BF16 ? widenBf16 : widenF16);
  return floats;
}

} // namespace attn_tools
