// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads the pattern region of attention into the planner's own form.

#ifndef ATTN_TRANSFORMS_PATTERNREADER_H
#define ATTN_TRANSFORMS_PATTERNREADER_H

#include "attn/IR/Attn.h"
#include "attn/Pattern/PairSet.h"

namespace attn {

/// What has to hold in a call: value >= least. The names are those of the message to a caller who breaks it.
struct Requirement {
  std::string name, leastName;
  Expr value, least;
};

/// A pattern and what its numbers stand for: symbol FirstNamed + s is symbols[s] (an index value, or lengths and
/// per-head numbers, of which the entry of the batch or the head is meant), table t is tables[t], region r is
/// regions[r].
struct PatternReading {
  PairSet pairs = PairSet::full();
  llvm::SmallVector<mlir::Value> symbols;
  llvm::SmallVector<mlir::Value> tables;
  llvm::SmallVector<WhereOp> regions;
  std::vector<Requirement> requirements;
  bool isOneSequence = false; // key and query lengths have to be equal
  /// Whether heads may differ in their pairs.
  bool dependsOnHead() const;
};

/// Reads what attn-specialize inlined. A bound that is no closed form of the function's arguments is an error.
mlir::FailureOr<PatternReading> readPattern(AttentionOp op);

/// The target of this name (cpu, sm_90a) with the tiles that suit this attention; nothing for another name.
std::optional<Target> findTarget(llvm::StringRef name, AttentionOp op);

/// Plans attention for a target; with it the reading that its numbers refer to.
mlir::FailureOr<std::pair<PatternReading, Plan>> planAttention(AttentionOp op, const Target &target);

} // namespace attn

#endif // ATTN_TRANSFORMS_PATTERNREADER_H
