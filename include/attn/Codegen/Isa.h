// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The instruction sets that CPU kernels are written for, and what each of them can hold in registers.

#ifndef ATTN_CODEGEN_ISA_H
#define ATTN_CODEGEN_ISA_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <string>

namespace attn {

class KernelLayout;

/// How q.k and p.v are made.
enum class Products {
  Floats,      // fused multiply-adds of f32, whatever the element is
  Pairs,       // dot products of two bf16 in each lane, summed up in f32 (AVX512-BF16)
  Tiles,       // products of bf16 matrices of 16 rows, summed up in f32 (AMX)
  Rows,        // as Floats, with keys and values that are not packed: for calls with few queries
  RowsOfPairs, // as Pairs, the same
};

struct Isa {
  llvm::StringRef name;
  int number;      // attn_isa
  int64_t lanes;   // floats in a vector
  int64_t rows;    // query rows of a micro-tile
  int64_t vectors; // vectors of keys, or of value columns, of a micro-tile
  Products products;
  bool hasFma;
  bool hasF16C;                             // conversions of f16
  llvm::ArrayRef<llvm::StringRef> features; // of LLVM's x86-64 target

  /// Whether a lane takes two numbers of 16 bits at a time.
  bool takesPairs() const {
    return products == Products::Pairs || products == Products::Tiles || products == Products::RowsOfPairs;
  }
  /// Whether keys and values are read where they lie in the call's tensors.
  bool readsRows() const { return products == Products::Rows || products == Products::RowsOfPairs; }

  /// Whether products take query rows as they are, and the scale is multiplied in behind: pairs have no room for it,
  /// and of one row it takes less.
  bool takesQueryAsItIs() const { return takesPairs() || readsRows(); }

  /// All of them, best first.
  static llvm::ArrayRef<Isa> all();
  /// Those that a kernel has versions for, best first: of these names, or all if there are none. Where an instruction
  /// set has nothing for the kernel's element that the next one has not, the next one takes its place.
  static llvm::SmallVector<const Isa *> versionsOf(const KernelLayout &layout, llvm::ArrayRef<std::string> names);
  /// What takes its place in calls with few queries.
  const Isa &forFewQueries() const;
  /// By name; null if there is none.
  static const Isa *find(llvm::StringRef name);
  /// The best that this machine runs, at or below `limit` (an attn_isa; 0: no limit).
  static const Isa &bestOfHost(int limit);
};

} // namespace attn

#endif // ATTN_CODEGEN_ISA_H
