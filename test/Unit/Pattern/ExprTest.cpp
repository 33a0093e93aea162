// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Expressions: what is simplified, that simplified expressions keep their value, and how they print.

#include "attn/Pattern/Expr.h"
#include "../Fuzz.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"
#include <algorithm>
#include <functional>

using namespace attn;

const Expr i = Expr::row(), a = Expr::symbol(0), b = Expr::symbol(1);

static std::string print(const Expr &expr) {
  std::string text;
  llvm::raw_string_ostream os(text);
  expr.print(os, "i", {"a", "b", "c"});
  return text;
}

static int64_t valueOf(const Expr &expr, int64_t row = 0) { return expr.evaluate(row, {100, 7, 3}); }

//===-- Simplification --------------------------------------------------------------------------------------------===//

TEST(Expr, SumsMerge) {
  EXPECT_EQ(i + a, a + i);
  EXPECT_EQ(i + a - i, a);
  EXPECT_EQ((i + 3) + (a - 3), i + a);
  EXPECT_EQ(i + i, i * 2);
  EXPECT_EQ((i + a) * 2 - i * 2, a * 2);
  EXPECT_EQ(-(i - a), a - i);
  EXPECT_EQ((i * a) + (a * i), i * a * 2);
  EXPECT_NE(i + a, i - a);
  EXPECT_NE(i + 1, i);
}

TEST(Expr, ConstantsAreFound) {
  EXPECT_EQ(Expr(3).asConstant(), 3);
  EXPECT_EQ((Expr(3) * 4 - 5).asConstant(), 7);
  EXPECT_EQ((i + a + 5 - a - i).asConstant(), 5);
  EXPECT_EQ((i * 0).asConstant(), 0);
  EXPECT_EQ((Expr::min({a, b}) + 2 - Expr::min({b, a})).asConstant(), 2);
  EXPECT_EQ((Expr::floorDiv(i + a, b) - Expr::floorDiv(a + i, b)).asConstant(), 0);
  EXPECT_FALSE(i.asConstant());
  EXPECT_FALSE((a - b).asConstant());
}

TEST(Expr, KnowsWhetherItDependsOnTheRow) {
  EXPECT_TRUE(i.dependsOnRow());
  EXPECT_TRUE(Expr::max({a, Expr::floorDiv(i, b)}).dependsOnRow());
  EXPECT_TRUE((a * i).dependsOnRow());
  EXPECT_FALSE((i + a - i).dependsOnRow());
  EXPECT_FALSE(Expr::mod(a, b).dependsOnRow());
  EXPECT_FALSE(Expr(1).dependsOnRow());
}

TEST(Expr, KnowsItsSymbols) {
  auto isB = [](unsigned symbol) { return symbol == 1; };
  EXPECT_TRUE((i + Expr::max({a, Expr::mod(i, b * 2)})).anySymbol(isB));
  EXPECT_TRUE((a * b).anySymbol(isB));
  EXPECT_FALSE((a * i + b - b).anySymbol(isB));
}

TEST(Expr, RisesByAsMuchAsTheRow) {
  EXPECT_EQ(Expr(7).rise(63), 0);
  EXPECT_EQ((a * b).rise(63), 0);
  EXPECT_EQ((i + a - 5).rise(63), 63);
  EXPECT_EQ((i * 2 + a).rise(63), 126);
  EXPECT_EQ(Expr::max({0, i - a}).rise(63), 63);
  EXPECT_EQ(Expr::min({i * 3, i + a, b}).rise(10), 30);
  EXPECT_EQ((Expr::min({a, i}) + Expr::max({b, i})).rise(10), 20);
}

TEST(Expr, RiseIsUnknownWhereRowsAreDivided) {
  EXPECT_FALSE((a * Expr::floorDiv(i, a)).rise(63));
  EXPECT_FALSE(Expr::max({0, Expr::mod(i, b)}).rise(63));
  EXPECT_FALSE((i * a).rise(63));
  EXPECT_FALSE((a - i).rise(63));
  EXPECT_EQ(Expr::floorDiv(a, b).rise(63), 0);
}

TEST(Expr, WhatNeverFalls) {
  EXPECT_TRUE((a - b).neverFalls());
  EXPECT_TRUE((i * 3 - a).neverFalls());
  EXPECT_TRUE(Expr::min({a, Expr::max({0, i - b})}).neverFalls());
  EXPECT_TRUE((Expr::floorDiv(i + a, b) * 2 + Expr::mod(a, b)).neverFalls());
  EXPECT_TRUE((a * Expr::floorDiv(i - b, a)).neverFalls());
  EXPECT_TRUE((a * (Expr::floorDiv(i, a) + b)).neverFalls());
  EXPECT_FALSE((a - i).neverFalls());
  EXPECT_FALSE((a * i).neverFalls());
  EXPECT_FALSE(Expr::mod(i, b).neverFalls());
  EXPECT_FALSE(Expr::floorDiv(a, Expr::max({1, i})).neverFalls());
  EXPECT_FALSE((a * (Expr::floorDiv(i, a) - i)).neverFalls());
  EXPECT_FALSE((b * Expr::floorDiv(i, a)).neverFalls());
}

TEST(Expr, MultiplesAreDivided) {
  EXPECT_EQ(Expr::floorDiv(i * 6 + 4, 2), i * 3 + 2);
  EXPECT_EQ(Expr::floorDiv(a * (i + 1), a), i + 1);
  EXPECT_NE(Expr::floorDiv(i * 6 + 3, 2), i * 3 + 1);
  EXPECT_EQ(Expr::floorDiv(i * 6 + 3, 2).evaluate(-1, {}), -2);
}

TEST(Expr, AnotherRowIsPutIn) {
  EXPECT_EQ((i * 2 + a).at(i + 3), i * 2 + a + 6);
  EXPECT_EQ(Expr::max({0, Expr::mod(i - b, 4)}).at(b), Expr(0));
  EXPECT_EQ(Expr::floorDiv(i, 4).at(9), Expr(2));
  EXPECT_EQ((i * Expr::floorDiv(i, b)).at(a), a * Expr::floorDiv(a, b));
  EXPECT_EQ((a * b).at(7), a * b);
}

//===-- What is known of any value --------------------------------------------------------------------------------===//

TEST(Expr, NumbersApartAreOrdered) {
  EXPECT_TRUE(i.isAtMost(i));
  EXPECT_TRUE((i + a - 1).isAtMost(i + a));
  EXPECT_FALSE((i + a + 1).isAtMost(i + a));
  EXPECT_FALSE(i.isAtMost(a));
  EXPECT_FALSE(Expr(0).isAtMost(a));
}

TEST(Expr, QuotientsAreEstimated) {
  // x - m < floor(x / m) * m <= x, for a symbol and for a number.
  for (const Expr &m : {a, Expr(8)}) {
    Expr floor = Expr::floorDiv(i + b, m) * m;
    EXPECT_TRUE(floor.isAtMost(i + b));
    EXPECT_FALSE(floor.isAtMost(i + b - 1));
    EXPECT_TRUE((i + b + 1).isAtMost(floor + m));
    EXPECT_FALSE((i + b + 2).isAtMost(floor + m));
    EXPECT_FALSE(floor.isAtMost(i));
  }
  // Not of another number, and not of a part of it.
  EXPECT_FALSE((Expr::floorDiv(i, a) * b).isAtMost(i));
  EXPECT_FALSE((Expr::floorDiv(i, 8) * 7).isAtMost(i));
  EXPECT_TRUE((Expr::floorDiv(i, 8) * 16).isAtMost(i * 2));
  EXPECT_TRUE((i * -2).isAtMost(Expr::floorDiv(i, 8) * -16));
}

TEST(Expr, RemaindersAreEstimated) {
  EXPECT_TRUE(Expr(0).isAtMost(Expr::mod(i, a)));
  EXPECT_TRUE(Expr::mod(i, a).isAtMost(a - 1));
  EXPECT_FALSE(Expr::mod(i, a).isAtMost(a - 2));
  EXPECT_TRUE((Expr::mod(i, a) - a + 1).isAtMost(Expr::mod(b, a)));
  EXPECT_FALSE((Expr::mod(i, a) - a + 2).isAtMost(Expr::mod(b, a)));
}

TEST(Expr, ExtremaAreComparedByTheirOperands) {
  EXPECT_TRUE(Expr::min({a, i}).isAtMost(i));
  EXPECT_TRUE(i.isAtMost(Expr::max({i - 1, a, i + 2})));
  EXPECT_TRUE((Expr::max({i, a}) - 1).isAtMost(Expr::max({i, a})));
  EXPECT_TRUE(Expr::max({i - 1, Expr::floorDiv(i, 3) * 3}).isAtMost(i));
  EXPECT_TRUE((i + 1).isAtMost(Expr::min({i + 2, Expr::floorDiv(i, 3) * 3 + 3})));
  EXPECT_FALSE(Expr::max({i, a}).isAtMost(i));
  EXPECT_FALSE(i.isAtMost(Expr::min({i, a})));
}

//===-- Division --------------------------------------------------------------------------------------------------===//

TEST(Expr, DivisionRoundsDown) {
  for (int64_t divisor = 1; divisor <= 5; ++divisor)
    for (int64_t dividend = -11; dividend <= 11; ++dividend) {
      int64_t quotient = 0;
      while (quotient * divisor > dividend)
        --quotient;
      while ((quotient + 1) * divisor <= dividend)
        ++quotient;
      EXPECT_EQ(Expr::floorDiv(dividend, divisor).asConstant(), quotient) << dividend << " / " << divisor;
      EXPECT_EQ(Expr::mod(dividend, divisor).asConstant(), dividend - quotient * divisor);
      EXPECT_EQ(valueOf(Expr::floorDiv(i, divisor), dividend), quotient);
      EXPECT_EQ(valueOf(Expr::mod(i, divisor), dividend), dividend - quotient * divisor);
    }
}

TEST(Expr, DivisionByOneVanishes) {
  EXPECT_EQ(Expr::floorDiv(i + a, 1), i + a);
  EXPECT_EQ(Expr::mod(i + a, 1), Expr(0));
}

TEST(Expr, DivisionByZeroStays) {
  // A literal that no verifier lets through must not stop the compiler.
  EXPECT_FALSE(Expr::floorDiv(7, 0).asConstant());
  EXPECT_FALSE(Expr::mod(7, 0).asConstant());
}

TEST(Expr, ExtremaFold) {
  EXPECT_EQ(Expr::min({3, 5}), Expr(3));
  EXPECT_EQ(Expr::max({3, 5}), Expr(5));
  EXPECT_EQ(Expr::min({i + 2, i - 1}), i - 1);
  EXPECT_EQ(Expr::max({i + 2, i - 1, i}), i + 2);
  EXPECT_EQ(Expr::max({a}), a);
  EXPECT_EQ(Expr::min({a, b}), Expr::min({b, a}));
  EXPECT_EQ(Expr::min({a, a, b}), Expr::min({a, b}));
  EXPECT_EQ(Expr::min({Expr::min({a, b}), i}), Expr::min({a, Expr::min({b, i})}));
  EXPECT_EQ(Expr::max({Expr::max({a, i}), a + 1}), Expr::max({a + 1, i}));
  EXPECT_NE(Expr::min({a, b}), Expr::max({a, b}));
  EXPECT_NE(Expr::min({Expr::max({a, b}), i}), Expr::min({a, b, i}));
}

TEST(Expr, EqualExpressionsHashAlike) {
  EXPECT_EQ(hash_value(i + a + 3), hash_value(a + 3 + i));
  EXPECT_EQ(hash_value(Expr::max({a, Expr::floorDiv(i, b)})), hash_value(Expr::max({Expr::floorDiv(i, b), a})));
  EXPECT_NE(hash_value(i), hash_value(a));
  EXPECT_NE(hash_value(i), hash_value(i + 1));
}

//===-- Printing --------------------------------------------------------------------------------------------------===//

TEST(Expr, Prints) {
  EXPECT_EQ(print(0), "0");
  EXPECT_EQ(print(-3), "-3");
  EXPECT_EQ(print(i), "i");
  EXPECT_EQ(print(a - i - 1), "-i + a - 1");
  EXPECT_EQ(print(i * 2 - b * 3 + 4), "2 * i - 3 * b + 4");
  EXPECT_EQ(print(Expr::max({i + a - b, 0})), "max(0, i + a - b)");
  EXPECT_EQ(print(Expr::floorDiv(i + a, b) * b), "(b) * (floordiv(i + a, b))");
  EXPECT_EQ(print(Expr::mod(i, a) + Expr::min({i, a, b})), "mod(i, a) + min(i, a, b)");
}

//===-- Against plain C++ -----------------------------------------------------------------------------------------===//

using Plain = std::function<int64_t(int64_t row, const std::vector<int64_t> &symbols)>;
namespace {
struct Pair {
  Expr expr;
  Plain plain;
};
} // namespace

/// A quotient rounded towards minus infinity, by trial.
static int64_t floorOf(int64_t x, int64_t y) {
  int64_t quotient = x / y;
  return quotient * y > x ? quotient - 1 : quotient;
}

static Pair randomExpr(Dice &dice, int64_t depth);

/// At least 1: `max(1, x)`, or a literal.
static Pair randomDivisor(Dice &dice, int64_t depth) {
  if (dice.chance(50)) {
    int64_t literal = dice.in(1, 9);
    return {literal, [=](int64_t, const auto &) { return literal; }};
  }
  Pair x = randomExpr(dice, depth - 1);
  return {Expr::max({1, x.expr}), [=](int64_t row, const auto &s) { return std::max<int64_t>(1, x.plain(row, s)); }};
}

static Pair randomLeaf(Dice &dice) {
  if (dice.chance(30))
    return {i, [](int64_t row, const auto &) { return row; }};
  if (dice.chance(50)) {
    unsigned symbol = dice.in(0, 2);
    return {Expr::symbol(symbol), [=](int64_t, const auto &s) { return s[symbol]; }};
  }
  int64_t literal = dice.in(-6, 6);
  return {literal, [=](int64_t, const auto &) { return literal; }};
}

static Pair randomExtremum(Dice &dice, int64_t depth) {
  bool isMin = dice.chance(50);
  std::vector<Expr> exprs;
  std::vector<Plain> plains;
  for (int64_t count = dice.in(1, 3); count > 0; --count) {
    Pair operand = randomExpr(dice, depth - 1);
    exprs.push_back(operand.expr), plains.push_back(operand.plain);
  }
  return {isMin ? Expr::min(exprs) : Expr::max(exprs), [=](int64_t row, const auto &s) {
            int64_t value = plains[0](row, s);
            for (const Plain &plain : plains)
              value = isMin ? std::min(value, plain(row, s)) : std::max(value, plain(row, s));
            return value;
          }};
}

static Pair randomExpr(Dice &dice, int64_t depth) {
  if (depth == 0)
    return randomLeaf(dice);
  int64_t kind = dice.in(0, 5);
  if (kind == 5)
    return randomExtremum(dice, depth);
  Pair x = randomExpr(dice, depth - 1), y = kind >= 3 ? randomDivisor(dice, depth) : randomExpr(dice, depth - 1);
  Plain f = x.plain, g = y.plain;
  switch (kind) {
  case 0:
    return {x.expr + y.expr, [=](int64_t row, const auto &s) { return f(row, s) + g(row, s); }};
  case 1:
    return {x.expr - y.expr, [=](int64_t row, const auto &s) { return f(row, s) - g(row, s); }};
  case 2:
    return {x.expr * y.expr, [=](int64_t row, const auto &s) { return f(row, s) * g(row, s); }};
  case 3:
    return {Expr::floorDiv(x.expr, y.expr), [=](int64_t row, const auto &s) { return floorOf(f(row, s), g(row, s)); }};
  default:
    return {Expr::mod(x.expr, y.expr), [=](int64_t row, const auto &s) {
              int64_t dividend = f(row, s), divisor = g(row, s);
              return dividend - floorOf(dividend, divisor) * divisor;
            }};
  }
}

/// Summands of which something is known whatever the row and the symbols are: quotients times their divisor,
/// remainders.
static Pair randomSummand(Dice &dice) {
  Pair x = randomExpr(dice, dice.in(0, 1)), m = randomDivisor(dice, 1);
  Plain f = x.plain, g = m.plain;
  switch (dice.in(0, 3)) {
  case 0:
    return {Expr::mod(x.expr, m.expr),
            [=](int64_t row, const auto &s) { return f(row, s) - floorOf(f(row, s), g(row, s)) * g(row, s); }};
  case 1:
    return {Expr::floorDiv(x.expr, m.expr) * m.expr,
            [=](int64_t row, const auto &s) { return floorOf(f(row, s), g(row, s)) * g(row, s); }};
  case 2:
    return m;
  default:
    return x;
  }
}

/// Two sums that share summands, so that one is often known to be at most the other.
static std::pair<Pair, Pair> randomSums(Dice &dice) {
  Pair sums[2] = {randomLeaf(dice), {0, [](int64_t, const auto &) { return 0; }}};
  sums[1] = sums[0];
  auto add = [](Pair &sum, const Pair &summand, int64_t factor) {
    Plain f = sum.plain, g = summand.plain;
    sum = {sum.expr + summand.expr * factor,
           [=](int64_t row, const auto &s) { return f(row, s) + factor * g(row, s); }};
  };
  for (int64_t count = dice.in(1, 3); count > 0; --count)
    add(sums[dice.in(0, 1)], randomSummand(dice), dice.pick<int64_t>({1, 1, 1, 2, -1}));
  if (dice.chance(30)) {
    Pair &sum = sums[dice.in(0, 1)], other = randomSummand(dice);
    Plain f = sum.plain, g = other.plain;
    bool isMin = dice.chance(50);
    sum = {isMin ? Expr::min({sum.expr, other.expr}) : Expr::max({sum.expr, other.expr}),
           [=](int64_t row, const auto &s) {
             return isMin ? std::min(f(row, s), g(row, s)) : std::max(f(row, s), g(row, s));
           }};
  }
  return {sums[0], sums[1]};
}

TEST(ExprFuzz, IsAtMostWhatItSays) {
  uint64_t known = 0;
  for (uint64_t seed = firstFuzzSeed(), end = seed + fuzzCount() / 4; seed < end; ++seed) {
    Dice dice(seed);
    auto [x, y] = randomSums(dice);
    if (!x.expr.isAtMost(y.expr))
      continue;
    known += x.expr != y.expr;
    for (int64_t sample = 0; sample < 12; ++sample) {
      std::vector<int64_t> symbols{dice.in(-20, 20), dice.in(-20, 20), dice.in(1, 20)};
      int64_t row = dice.in(-9, 20);
      ASSERT_LE(x.plain(row, symbols), y.plain(row, symbols))
          << print(x.expr) << " against " << print(y.expr) << " at i=" << row << " a=" << symbols[0]
          << " b=" << symbols[1] << " c=" << symbols[2] << "; ATTN_FUZZ_SEED=" << seed;
    }
  }
  EXPECT_GT(known, fuzzCount() / 40);
}

TEST(ExprFuzz, AnotherRowIsPutIn) {
  for (uint64_t seed = firstFuzzSeed(), end = seed + fuzzCount() / 10; seed < end; ++seed) {
    Dice dice(seed);
    Pair outer = randomExpr(dice, dice.in(1, 3)), inner = randomExpr(dice, dice.in(0, 2));
    std::vector<int64_t> symbols{dice.in(-20, 20), dice.in(-20, 20), dice.in(1, 20)};
    for (int64_t row = -9; row <= 9; row += 3)
      ASSERT_EQ(outer.expr.at(inner.expr).evaluate(row, symbols), outer.plain(inner.plain(row, symbols), symbols))
          << print(outer.expr) << " at " << print(inner.expr) << " at i=" << row << "; ATTN_FUZZ_SEED=" << seed;
  }
}

TEST(Expr, NumbersStayAtTheEndsOf64Bits) {
  const Expr most(INT64_MAX), least(INT64_MIN), i = Expr::row();
  EXPECT_EQ((most + Expr(1)).asConstant(), INT64_MAX);
  EXPECT_EQ((least - Expr(1)).asConstant(), INT64_MIN);
  EXPECT_EQ((-least).asConstant(), INT64_MAX);
  EXPECT_EQ((most * most).asConstant(), INT64_MAX);
  EXPECT_EQ((most * Expr(-2)).asConstant(), INT64_MIN);
  EXPECT_EQ((i * most + most).evaluate(2, {}), INT64_MAX);
  EXPECT_EQ((i * i).evaluate(int64_t(1) << 40, {}), INT64_MAX);
  EXPECT_EQ(print(i + least), "i - 9223372036854775808");
}

TEST(ExprFuzz, KeepsItsValue) {
  for (uint64_t seed = firstFuzzSeed(), end = seed + fuzzCount() / 4; seed < end; ++seed) {
    Dice dice(seed);
    Pair pair = randomExpr(dice, dice.in(1, 4));
    std::vector<int64_t> symbols{dice.in(-20, 20), dice.in(-20, 20), dice.in(1, 20)};
    for (int64_t row = -9; row <= 9; row += 3)
      ASSERT_EQ(pair.expr.evaluate(row, symbols), pair.plain(row, symbols))
          << print(pair.expr) << " at i=" << row << " a=" << symbols[0] << " b=" << symbols[1] << " c=" << symbols[2]
          << "; ATTN_FUZZ_SEED=" << seed;
    if (auto constant = pair.expr.asConstant()) {
      ASSERT_EQ(*constant, pair.plain(5, symbols)) << "ATTN_FUZZ_SEED=" << seed;
    }
  }
}

TEST(ExprFuzz, RisesByNoMoreThanItSays) {
  uint64_t known = 0;
  for (uint64_t seed = firstFuzzSeed(), end = seed + fuzzCount() / 4; seed < end; ++seed) {
    Dice dice(seed);
    Pair pair = randomExpr(dice, dice.in(1, 4));
    std::vector<int64_t> symbols{dice.in(-20, 20), dice.in(-20, 20), dice.in(1, 20)};
    int64_t rows = dice.in(0, 9);
    std::optional<int64_t> rise = pair.expr.rise(rows);
    known += rise.has_value();
    for (int64_t row = -9; rise && row <= 9; row += 3)
      ASSERT_LE(pair.plain(row + rows, symbols) - pair.plain(row, symbols), *rise)
          << print(pair.expr) << " from i=" << row << " on by " << rows << "; ATTN_FUZZ_SEED=" << seed;
  }
  EXPECT_GT(known, fuzzCount() / 20);
}

TEST(ExprFuzz, NeverFallsWhereItSaysSo) {
  uint64_t known = 0;
  for (uint64_t seed = firstFuzzSeed(), end = seed + fuzzCount() / 4; seed < end; ++seed) {
    Dice dice(seed);
    Pair pair = randomExpr(dice, dice.in(1, 4));
    std::vector<int64_t> symbols{dice.in(-20, 20), dice.in(-20, 20), dice.in(1, 20)};
    bool neverFalls = pair.expr.neverFalls();
    known += neverFalls;
    for (int64_t row = -9; neverFalls && row <= 9; ++row)
      ASSERT_LE(pair.plain(row, symbols), pair.plain(row + 1, symbols))
          << print(pair.expr) << " after i=" << row << "; ATTN_FUZZ_SEED=" << seed;
  }
  EXPECT_GT(known, fuzzCount() / 20);
}

TEST(ExprFuzz, ObeysTheLawsOfSums) {
  for (uint64_t seed = firstFuzzSeed(), end = seed + fuzzCount() / 10; seed < end; ++seed) {
    Dice dice(seed);
    Expr x = randomExpr(dice, 2).expr, y = randomExpr(dice, 2).expr, z = randomExpr(dice, 2).expr;
    ASSERT_EQ((x + y) + z, z + (y + x)) << "ATTN_FUZZ_SEED=" << seed;
    ASSERT_EQ(x + y - y, x) << "ATTN_FUZZ_SEED=" << seed;
    ASSERT_EQ(x * y, y * x) << "ATTN_FUZZ_SEED=" << seed;
    ASSERT_EQ(Expr::min({x, y}), Expr::min({y, x})) << "ATTN_FUZZ_SEED=" << seed;
    ASSERT_EQ(hash_value((x + y) + z), hash_value(z + (y + x))) << "ATTN_FUZZ_SEED=" << seed;
    ASSERT_EQ(x == y, print(x) == print(y)) << print(x) << " and " << print(y) << "; ATTN_FUZZ_SEED=" << seed;
  }
}
