// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Element types and instruction sets of attn.h by the names that command lines and JSON use, and float32 to the 16-bit
// types and back.
#ifndef ATTN_TOOLS_COMMON_ELEMENT_H
#define ATTN_TOOLS_COMMON_ELEMENT_H

#include "attn/Runtime/attn.h"
#include "common/Npy.h"

namespace attn_tools {

/// "f32", "bf16" or "f16" of an attn_element.
const char *nameOfElement(int32_t element);

/// The .npy type that holds an attn_element; bf16 is held as <u2.
NpyType npyTypeOf(int32_t element);

/// "generic" to "amx" or "sm_90a" of an attn_isa; "none" of 0.
const char *nameOfIsa(int32_t isa);

/// The attn_isa of that name, of those that may be asked for.
Result<int32_t> parseIsa(const std::string &name);

/// To nearest, ties to even; what is too large becomes infinite.
uint16_t roundToBf16(float value);
uint16_t roundToF16(float value);

/// Exact: every 16-bit number is a float.
float widenBf16(uint16_t bits);
float widenF16(uint16_t bits);

/// Writes `value` as element `index` of `data`.
void storeElement(void *data, int32_t element, int64_t index, float value);

/// The elements of a tensor in C order.
std::vector<float> floatsOf(const attn_tensor &tensor);

} // namespace attn_tools

#endif // ATTN_TOOLS_COMMON_ELEMENT_H
