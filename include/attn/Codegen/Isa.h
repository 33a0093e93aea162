// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The instruction sets that CPU kernels are written for, and what each of them can hold in registers.

#ifndef ATTN_CODEGEN_ISA_H
#define ATTN_CODEGEN_ISA_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>

namespace attn {

struct Isa {
  llvm::StringRef name;
  int number;      // attn_isa
  int64_t lanes;   // floats in a vector
  int64_t rows;    // query rows of a micro-tile; divides the rows of a sub-tile
  int64_t vectors; // vectors of keys, or of value columns, of a micro-tile
  bool hasFma;
  bool hasF16C;                             // conversions of f16
  llvm::ArrayRef<llvm::StringRef> features; // of LLVM's x86-64 target

  /// All of them, best first.
  static llvm::ArrayRef<Isa> all();
  /// By name; null if there is none.
  static const Isa *find(llvm::StringRef name);
  /// The best that this machine runs, at or below `limit` (an attn_isa; 0: no limit).
  static const Isa &bestOfHost(int limit);
};

} // namespace attn

#endif // ATTN_CODEGEN_ISA_H
