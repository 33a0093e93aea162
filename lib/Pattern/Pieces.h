// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Takes a set apart into disjoint pieces, each of which can become a box: A or B becomes A, and B without A.

#ifndef ATTN_LIB_PATTERN_PIECES_H
#define ATTN_LIB_PATTERN_PIECES_H

#include "attn/Pattern/PairSet.h"

namespace attn {

/// Leaves that all have to hold. The hole, if there is one, is a union of two half-spaces, {j < f(i)} and {j >= g(i)},
/// of which one has to.
struct Piece {
  std::vector<PairSet> leaves;
  std::optional<PairSet> hole;

  /// Adds a leaf, unless it says nothing new; false if nothing is left of the piece.
  bool add(const PairSet &leaf);
};

/// What becomes of a relation that admits a few columns of a grid: a piece for each, which is a class, or one piece.
enum class FewColumns : uint8_t { AsClasses, Together };

/// Nothing if the set falls into more than `limit` pieces.
std::optional<std::vector<Piece>> takeApart(const PairSet &set, unsigned limit, FewColumns few = FewColumns::AsClasses);

/// Whether a leaf holds for a head and batch, or does not, whatever the pair is.
bool isCondition(const PairSet &leaf);

} // namespace attn

#endif // ATTN_LIB_PATTERN_PIECES_H
