// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bounds that move with the rows of a class. Rows of a class lie a period apart, and so do keys: a bound that is a
// period higher a period of rows further on is one rank further with each rank. What is left to compute depends on the
// class alone, and most of it on the call alone.

#ifndef ATTN_PATTERN_SHIFT_H
#define ATTN_PATTERN_SHIFT_H

#include "attn/Pattern/Expr.h"

namespace attn {

/// row + rest or, in steps, period * floor((row + shift) / period) + rest.
struct MovingBound {
  bool isInSteps;
  Expr shift, rest; // without the row
};

/// Nothing for other expressions.
std::optional<MovingBound> asMoving(const Expr &bound, const Expr &period);

/// What mod(row + shift, period) adds to the row; nothing for other expressions.
std::optional<Expr> shiftOfClass(const Expr &classOfRow, const Expr &period);

} // namespace attn

#endif // ATTN_PATTERN_SHIFT_H
