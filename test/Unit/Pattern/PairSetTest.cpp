// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Adjoints against a search, and the laws of sets.

#include "Laws.h"
#include "RandomPatterns.h"
#include "gtest/gtest.h"

using namespace attn;
using Kind = PairSet::Kind;

/// Whether two sets admit the same pairs of a call.
static bool agree(const PairSet &a, const PairSet &b, const CallValues &values) {
  for (int64_t i = 0; i < values.length(); ++i)
    for (int64_t j = 0; j < values.kvLength(); ++j)
      if (a.contains(values, i, j) != b.contains(values, i, j))
        return false;
  return true;
}

//===-- Adjoints --------------------------------------------------------------------------------------------------===//

/// The first row in [0, n) with f(row) > j, or n.
static int64_t firstAbove(const Expr &f, int64_t j, int64_t n, const CallValues &values) {
  int64_t row = 0;
  while (row < n && f.evaluate(row, values.symbols) <= j)
    ++row;
  return row;
}

static void expectAdjoint(const HalfSpace &half, const CallValues &values) {
  for (int64_t i = 0; i + 1 < values.length(); ++i)
    ASSERT_LE(half.byQuery.evaluate(i, values.symbols), half.byQuery.evaluate(i + 1, values.symbols))
        << "a bound falls at row " << i << ", " << textOf(values);
  for (int64_t j = 0; j < values.kvLength(); ++j) {
    int64_t adjoint = std::clamp<int64_t>(half.byKey.evaluate(j, values.symbols), 0, values.length());
    ASSERT_EQ(adjoint, firstAbove(half.byQuery, j, values.length(), values))
        << "key row " << j << ", " << textOf(values);
  }
}

/// Compares the adjoints of an atom's half-spaces with a search, for lengths up to 40 and offsets on both sides of 0.
static void expectAdjoints(const PairSet &set, std::initializer_list<int64_t> parameters = {0}) {
  for (int64_t parameter : parameters)
    for (int64_t length : {1, 2, 7, 40})
      for (int64_t kvLength : {1, 11, 40})
        for (int64_t keyOffset = -8; keyOffset <= 8; keyOffset += 2)
          for (int64_t queryOffset = -45; queryOffset <= 45; ++queryOffset) {
            CallValues values = callOf(length, kvLength, queryOffset, keyOffset);
            for (unsigned symbol = FirstNamed; symbol < SymbolCount; ++symbol)
              values.symbols[symbol] = parameter;
            values.symbols[TopLeftOffset] = queryOffset % 3 ? queryOffset : 0;
            set.forEachLeaf([&](const PairSet &leaf) { expectAdjoint(leaf.half(), values); });
          }
}

TEST(PairSetAdjoint, Window) {
  expectAdjoints(PairSet::window(Expr::symbol(LeftSymbol), Expr::symbol(RightSymbol)), {0, 3, 60});
  expectAdjoints(PairSet::window(Expr(4), Expr(0)));
}

TEST(PairSetAdjoint, Causal) {
  expectAdjoints(PairSet::causal());
  expectAdjoints(PairSet::causal(true));
}

TEST(PairSetAdjoint, BlockLocal) {
  expectAdjoints(PairSet::blockLocal(Expr::symbol(BlockSymbol)), {1, 2, 5, 16, 64});
  expectAdjoints(PairSet::blockLocal(Expr(7)));
}

TEST(PairSetAdjoint, Padded) { expectAdjoints(PairSet::padded(Expr::symbol(PaddingSymbol)), {0, 1, 9, 50}); }

TEST(PairSetAdjoint, BlockLocalWithMargins) {
  expectAdjoints(PairSet::blockLocal(Expr::symbol(BlockSymbol), 5, 2), {1, 2, 5, 16});
}

TEST(PairSetAdjoint, Range) {
  for (Side side : {Side::Queries, Side::Keys})
    expectAdjoints(PairSet::range(side, Expr::symbol(LeftSymbol), Expr(9)), {-3, 0, 5, 50});
}

TEST(PairSetAdjoint, OutermostAxisOfAGrid) {
  Coordinate rows = Coordinate::grid({Expr::symbol(BlockSymbol)})[0];
  expectAdjoints(PairSet::window(Expr(1), Expr(2), 1, rows), {1, 3, 8});
  expectAdjoints(PairSet::blockLocal(3, 1, 2, rows), {1, 3, 8});
  expectAdjoints(PairSet::neighborhood(3, rows), {1, 3, 8});
}

TEST(PairSetAdjoint, ComplementKeepsTheBounds) {
  PairSet::blockLocal(Expr(3)).forEachLeaf([](const PairSet &leaf) {
    const HalfSpace &half = leaf.half();
    PairSet complement = leaf.complement();
    const HalfSpace &other = complement.half();
    EXPECT_NE(half.lower, other.lower);
    EXPECT_EQ(half.byQuery, other.byQuery);
    EXPECT_EQ(half.byKey, other.byKey);
  });
}

//===-- Laws ------------------------------------------------------------------------------------------------------===//

TEST(PairSetLaws, NeutralAndAbsorbingMembers) {
  PairSet w = PairSet::window(Expr(3), Expr(4)), s = PairSet::sameSegment(2), full = PairSet::full(),
          empty = PairSet::empty();
  EXPECT_EQ(PairSet::unite({w, empty}), w);
  EXPECT_EQ(PairSet::unite({w, full}), full);
  EXPECT_EQ(PairSet::intersect({w, full}), w);
  EXPECT_EQ(PairSet::intersect({w, empty}), empty);
  EXPECT_EQ(PairSet::unite({}), empty);
  EXPECT_EQ(PairSet::intersect({}), full);
  EXPECT_EQ(PairSet::unite({s, s}), s);
  EXPECT_EQ(PairSet::unite({s, s.complement()}), full);
  EXPECT_EQ(PairSet::intersect({w, s, s.complement()}), empty);
  EXPECT_EQ(PairSet::intersect({PairSet::causal(), PairSet::causal().complement()}), empty);
  EXPECT_EQ(PairSet::minus(full, s), s.complement());
}

TEST(PairSetLaws, NestedMembersAreFlattened) {
  PairSet a = PairSet::sameSegment(2), b = PairSet::where(0), c = PairSet::listed(Side::Keys, 0);
  EXPECT_EQ(PairSet::unite({a, PairSet::unite({b, c})}).members().size(), 3u);
  EXPECT_EQ(PairSet::intersect({PairSet::intersect({a, b}), c}).members().size(), 3u);
  EXPECT_EQ(PairSet::unite({a, PairSet::intersect({b, c})}).members().size(), 2u);
}

TEST(PairSetLaws, ComplementsStandAtTheLeaves) {
  for (uint64_t seed = firstFuzzSeed(); seed < firstFuzzSeed() + 500; ++seed) {
    Dice dice(seed);
    std::function<void(const PairSet &)> check = [&](const PairSet &set) {
      if (set.kind() == Kind::Not) {
        Kind inner = set.members().front().kind();
        EXPECT_TRUE(inner == Kind::Listed || inner == Kind::SameSegment || inner == Kind::Where ||
                    inner == Kind::Relation || inner == Kind::BlockTable);
      }
      if (set.kind() == Kind::Union || set.kind() == Kind::Intersect)
        for (const PairSet &member : set.members()) {
          EXPECT_NE(member.kind(), set.kind()) << "ATTN_FUZZ_SEED=" << seed;
          check(member);
        }
    };
    check(randomTree(dice, 4, Atoms::All).build().complement());
  }
}

TEST(PairSetLaws, SimplificationKeepsEveryPair) {
  for (uint64_t seed = firstFuzzSeed(), end = seed + fuzzCount() / 10; seed < end; ++seed) {
    Dice dice(seed);
    Tree tree = randomTree(dice, dice.in(0, 5), Atoms::All);
    CallValues values = randomCall(dice);
    bindOffsets(tree.build(), values);
    SCOPED_TRACE("ATTN_FUZZ_SEED=" + std::to_string(seed) + " " + tree.text());
    expectLaw(tree.build(), values, [&](int64_t p, int64_t k) { return tree.admits(values, p, k); });
    ASSERT_FALSE(testing::Test::HasFailure());
  }
}

TEST(PairSetLaws, SetsFormABooleanAlgebra) {
  for (uint64_t seed = firstFuzzSeed(), end = seed + fuzzCount() / 20; seed < end; ++seed) {
    Dice dice(seed);
    PairSet a = randomTree(dice, 2, Atoms::All).build(), b = randomTree(dice, 2, Atoms::All).build(),
            c = randomTree(dice, 1, Atoms::All).build();
    CallValues values = randomCall(dice);
    bindOffsets(PairSet::unite({a, b, c}), values);
    auto unite = [](const PairSet &x, const PairSet &y) { return PairSet::unite({x, y}); };
    auto intersect = [](const PairSet &x, const PairSet &y) { return PairSet::intersect({x, y}); };
    SCOPED_TRACE("ATTN_FUZZ_SEED=" + std::to_string(seed));
    ASSERT_TRUE(agree(a.complement().complement(), a, values));
    ASSERT_TRUE(agree(unite(a, b).complement(), intersect(a.complement(), b.complement()), values));
    ASSERT_TRUE(agree(intersect(a, unite(b, c)), unite(intersect(a, b), intersect(a, c)), values));
    ASSERT_TRUE(agree(unite(a, intersect(b, c)), intersect(unite(a, b), unite(a, c)), values));
    ASSERT_TRUE(agree(unite(a, intersect(a, b)), a, values));
    ASSERT_TRUE(agree(unite(PairSet::minus(a, b), intersect(a, b)), a, values));
    ASSERT_TRUE(agree(PairSet::minus(a, a), PairSet::empty(), values));
    ASSERT_TRUE(agree(unite(a, a.complement()), PairSet::full(), values));
  }
}

TEST(PairSetLaws, RewritingLeaves) {
  PairSet rows = PairSet::listed(Side::Queries, 0), near = PairSet::window(Expr(2), Expr(2));
  PairSet set = PairSet::minus(PairSet::unite({near, rows}), PairSet::sameSegment(2));
  EXPECT_EQ(set.rewriteLeaves([](const PairSet &) { return std::nullopt; }), set);
  auto replaceRows = [&](const PairSet &by) {
    return set.rewriteLeaves([&](const PairSet &leaf) -> std::optional<PairSet> {
      return leaf == rows ? std::optional<PairSet>(by) : std::nullopt;
    });
  };
  EXPECT_EQ(replaceRows(PairSet::full()), PairSet::sameSegment(2).complement());
  EXPECT_EQ(replaceRows(PairSet::empty()), PairSet::minus(near, PairSet::sameSegment(2)));
}
