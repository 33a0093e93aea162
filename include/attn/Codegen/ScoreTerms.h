// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The terms of a score: attn.query_dot and the like, sorted by what they depend on. A term that is the same for many
// pairs is computed once for them, and a score region then reads it.

#ifndef ATTN_CODEGEN_SCORETERMS_H
#define ATTN_CODEGEN_SCORETERMS_H

#include "attn/IR/Attn.h"

namespace attn {

enum class TermKind : uint8_t {
  OfRow,      // of the query row alone: one number for each row
  OfKey,      // of the key row alone: one number for each key
  OfDistance, // of the difference of the two positions alone: one number for each distance
  Band,       // the query row times an array's row for the distance: rows x distances numbers, a matrix product
  OfPair      // anything else: computed pair by pair
};

class ScoreTerms {
public:
  /// Of a plan's score region, which may be empty.
  explicit ScoreTerms(mlir::Region &score);

  struct Term {
    mlir::Operation *op;
    TermKind kind;
    unsigned number; // among those of its kind
  };
  llvm::ArrayRef<Term> all() const { return terms; }
  /// The term of an op; null if it is none.
  const Term *find(mlir::Operation *op) const;
  unsigned count(TermKind kind) const {
    return llvm::count_if(terms, [=](const Term &term) { return term.kind == kind; });
  }

private:
  llvm::SmallVector<Term> terms;
};

} // namespace attn

#endif // ATTN_CODEGEN_SCORETERMS_H
