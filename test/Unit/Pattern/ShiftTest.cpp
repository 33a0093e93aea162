// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "attn/Pattern/Shift.h"
#include <gtest/gtest.h>

using namespace attn;

namespace {

const Expr row = Expr::row(), period = Expr::symbol(0), left = Expr::symbol(1);

Expr startOf(const Expr &at, const Expr &of) { return of * Expr::floorDiv(at, of); }

/// Whether the bound is said to move; what is said is equal to it, at rows on both sides of 0.
bool moves(const Expr &bound, const Expr &of = period) {
  std::optional<MovingBound> moving = asMoving(bound, of);
  if (!moving)
    return false;
  EXPECT_FALSE(moving->shift.dependsOnRow() || moving->rest.dependsOnRow());
  Expr said = (moving->isInSteps ? startOf(row + moving->shift, of) : row) + moving->rest;
  for (int64_t rows = 1; rows <= 7; ++rows)
    for (int64_t i = -20; i <= 20; ++i)
      EXPECT_EQ(said.evaluate(i, {rows, 5}), bound.evaluate(i, {rows, 5}));
  return true;
}

TEST(Shift, BoundsThatMoveWithEachRow) {
  EXPECT_TRUE(moves(row));
  EXPECT_TRUE(moves(row - left * period + 3));
  EXPECT_FALSE(moves(row * 2));
  EXPECT_FALSE(moves(left));
  EXPECT_FALSE(moves(row + Expr::mod(row, period)));
}

TEST(Shift, BoundsThatMoveInSteps) {
  EXPECT_TRUE(moves(startOf(row + left, period)));
  EXPECT_TRUE(moves(startOf(row + left, period) + period - left + 2));
  EXPECT_TRUE(moves(startOf(row - 3, 6) + left, 6));
  EXPECT_TRUE(moves(startOf(row, left), left));
  EXPECT_TRUE(moves(period * (Expr::floorDiv(row + left, period) + 1)));
  EXPECT_TRUE(moves(period * (Expr::floorDiv(row, period) - left) + 3));
  EXPECT_FALSE(moves(period * (Expr::floorDiv(row, period) + row)));
  EXPECT_FALSE(moves(period * (Expr::floorDiv(row, period) * 2)));
  EXPECT_FALSE(moves(startOf(row, left)));
  EXPECT_FALSE(moves(startOf(row, 4), 2));
  EXPECT_FALSE(moves(startOf(row * 2, period)));
  EXPECT_FALSE(moves(startOf(row, period) * 2));
  EXPECT_FALSE(moves(startOf(row, period) + row));
  EXPECT_FALSE(moves(Expr::floorDiv(row, period)));
}

TEST(Shift, ClassesOfRows) {
  EXPECT_EQ(shiftOfClass(Expr::mod(row - left + 2, period), period), Expr(2) - left);
  EXPECT_EQ(shiftOfClass(Expr::mod(row, 8), 8), Expr(0));
  EXPECT_EQ(shiftOfClass(Expr::mod(row, 8), 4), std::nullopt);
  EXPECT_EQ(shiftOfClass(Expr::mod(row * 3, period), period), std::nullopt);
  EXPECT_EQ(shiftOfClass(left, period), std::nullopt);
}

} // namespace
