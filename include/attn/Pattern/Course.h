// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An expression with the symbols of a call put in, for those who ask about many rows one after the other. Over long
// runs of rows it is a straight line: a bound that moves with the rows is one from edge to edge, one that moves in
// steps is one for each step. So rows of a run cost an addition each, however deep the expression is.

#ifndef ATTN_PATTERN_COURSE_H
#define ATTN_PATTERN_COURSE_H

#include "attn/Pattern/Expr.h"

namespace attn {

class Course {
public:
  /// The symbols have to outlive it.
  Course(const Expr &expr, llvm::ArrayRef<int64_t> symbols) : expr(expr), symbols(symbols) {}

  /// What Expr::evaluate says.
  int64_t at(int64_t row) {
    if (row < begin || row >= end)
      turnTo(row);
    return value + slope * (row - begin);
  }

  /// How many lines were computed so far.
  int64_t lines() const { return count; }

private:
  void turnTo(int64_t row);

  Expr expr;
  llvm::ArrayRef<int64_t> symbols;
  int64_t begin = 0, end = 0, value = 0, slope = 0; // the line at hand: value at `begin`, for the rows [begin, end)
  int64_t count = 0;
};

} // namespace attn

#endif // ATTN_PATTERN_COURSE_H
