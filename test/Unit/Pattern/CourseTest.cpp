// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "attn/Pattern/Course.h"
#include <gtest/gtest.h>

using namespace attn;

namespace {

const Expr row = Expr::row(), period = Expr::symbol(0), left = Expr::symbol(1), most = Expr::symbol(2);
const std::vector<int64_t> symbols = {64, 5, INT64_MAX};

/// The lines of an expression over some rows, asked one after the other; every row has its value.
int64_t linesOf(const Expr &expr, int64_t begin, int64_t end, int64_t step = 1) {
  Course course(expr, symbols);
  for (int64_t i = begin; i < end; i += step)
    if (course.at(i) != expr.evaluate(i, symbols)) {
      ADD_FAILURE() << "row " << i << ": " << course.at(i) << ", not " << expr.evaluate(i, symbols);
      break;
    }
  return course.lines();
}

TEST(Course, BoundsThatMoveWithTheRowsAreOneLine) {
  EXPECT_EQ(linesOf(left * 2 + 1, -100, 100), 1);
  EXPECT_EQ(linesOf(row * 3 - left, -100, 100), 1);
  EXPECT_EQ(linesOf(Expr::floorDiv(row * 128 + 3, period), -100, 100), 1);
  EXPECT_EQ(linesOf(Expr::mod(row * -64, period), -100, 100), 1);
  EXPECT_EQ(linesOf((row - left) * period, -100, 100), 1);
}

TEST(Course, ExtremaAreALineUpToEachCrossing) {
  EXPECT_EQ(linesOf(Expr::max({0, row - left}), 0, 1000), 2);
  EXPECT_EQ(linesOf(Expr::min({Expr::max({0, row - left}), 500}), 0, 1000), 3);
  EXPECT_EQ(linesOf(Expr::max({left * 2 - row, row * 2, 8}), -50, 50), 3);
}

// What a block or a line of a grid says of 2^20 rows takes a step for each block or line of it.
TEST(Course, BoundsThatMoveInStepsAreALineForEachStep) {
  const int64_t rows = 1 << 20;
  Expr block = Expr::floorDiv(row + left, period);
  EXPECT_EQ(linesOf(block * period, 0, rows), rows / 64 + 1);
  EXPECT_EQ(linesOf(Expr::mod(row, period), 0, rows), rows / 64);
  EXPECT_EQ(linesOf(Expr::min({Expr(rows), Expr::max({0, block - 1}) * period}), 0, rows), rows / 64 + 1);
}

TEST(Course, RowsNeedNotRise) {
  Course course(Expr::mod(row, period) + Expr::max({0, row}), symbols);
  for (int64_t i : {100, 3, -70, -1, 63, 64, 63, 1000, -1000})
    EXPECT_EQ(course.at(i), (Expr::mod(row, period) + Expr::max({0, row})).evaluate(i, symbols));
}

TEST(Course, FallingDividendsAreRoundedDown) {
  for (int64_t factor : {-1, -3, -7, -64, 2, 5, 63, 65}) {
    linesOf(Expr::floorDiv(row * factor + 11, period), -300, 300);
    linesOf(Expr::mod(row * factor - 11, period), -300, 300);
    linesOf(Expr::max({Expr::mod(row * factor, period), Expr::floorDiv(row, left)}), -300, 300);
  }
}

TEST(Course, NumbersStayAtTheEndsOf64Bits) {
  EXPECT_EQ(linesOf(row - most, -5, 5), 10);
  EXPECT_EQ(linesOf(row + most, -5, 5), 10);
  EXPECT_EQ(linesOf((row + most) * period - left, -5, 5), 10);
  EXPECT_EQ(linesOf(row * row, -5, 5), 10);
}

} // namespace
