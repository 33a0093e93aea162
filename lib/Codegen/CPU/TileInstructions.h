// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// AMX's instructions on tiles of 16 rows of 64 bytes. A tile lies in memory row by row, `stride` bytes apart.

#ifndef ATTN_LIB_CODEGEN_CPU_TILEINSTRUCTIONS_H
#define ATTN_LIB_CODEGEN_CPU_TILEINSTRUCTIONS_H

#include "Frame.h"

namespace attn::cpu {

inline constexpr int64_t tileRows = 16, tileBytes = 64;

class TileInstructions {
public:
  explicit TileInstructions(Frame &frame) : f(frame) {}

  Value zero();
  Value load(Value pointer, int64_t stride);
  /// The same of memory that is not read again soon: it leaves the first-level cache to what is.
  Value loadStream(Value pointer, int64_t stride);
  void store(Value tile, Value pointer, int64_t stride);
  /// sum + left right, of pairs of bf16.
  Value multiply(Value left, Value right, Value sum);

private:
  mlir::Type tileType();
  Value halfWord(int64_t value);
  Value word(int64_t value);
  Value intrinsic(llvm::StringRef name, ValueRange operands);

  Frame &f;
};

} // namespace attn::cpu

#endif // ATTN_LIB_CODEGEN_CPU_TILEINSTRUCTIONS_H
