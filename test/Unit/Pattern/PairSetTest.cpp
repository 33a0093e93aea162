// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Atoms against their definitions, adjoints against a search, and the laws of sets.

#include "RandomPatterns.h"
#include "gtest/gtest.h"

using namespace attn;
using Kind = PairSet::Kind;

/// A call of these lengths and offsets without run-time data.
static CallValues callOf(int64_t length, int64_t kvLength, int64_t queryOffset, int64_t keyOffset) {
  CallValues values;
  values.symbols.assign(SymbolCount, 0);
  values.symbols[Length] = length, values.symbols[KvLength] = kvLength;
  values.symbols[QueryOffset] = queryOffset, values.symbols[KeyOffset] = keyOffset;
  values.tables.resize(TableCount);
  return values;
}

using Law = std::function<bool(int64_t p, int64_t k)>;

/// Compares a set with a law on positions.
static void expectLaw(const PairSet &set, const CallValues &values, const Law &law) {
  for (int64_t i = 0; i < values.length(); ++i)
    for (int64_t j = 0; j < values.kvLength(); ++j) {
      int64_t p = i + values.offset(Side::Queries), k = j + values.offset(Side::Keys);
      ASSERT_EQ(set.contains(values, i, j), law(p, k))
          << "query position " << p << ", key position " << k << ", " << textOf(values);
    }
}

/// Lengths and offsets that are awkward: nothing, one row, more keys than queries and the reverse, positions below 0.
static void forEachCall(const std::function<void(CallValues)> &body) {
  const int64_t sizes[][2] = {{0, 5}, {5, 0}, {1, 1}, {13, 13}, {7, 20}, {20, 7}};
  for (auto [length, kvLength] : sizes)
    for (int64_t keyOffset : {-9, 0, 4})
      for (int64_t queryOffset : {-11, -1, 0, 3, 16})
        body(callOf(length, kvLength, queryOffset, keyOffset));
}

/// Whether two sets admit the same pairs of a call.
static bool agree(const PairSet &a, const PairSet &b, const CallValues &values) {
  for (int64_t i = 0; i < values.length(); ++i)
    for (int64_t j = 0; j < values.kvLength(); ++j)
      if (a.contains(values, i, j) != b.contains(values, i, j))
        return false;
  return true;
}

//===-- Atoms -----------------------------------------------------------------------------------------------------===//

TEST(PairSet, Window) {
  const int64_t far = 1000;
  for (int64_t left : {int64_t(0), int64_t(1), int64_t(5), far})
    for (int64_t right : {int64_t(0), int64_t(2), far})
      forEachCall([&](CallValues values) {
        expectLaw(PairSet::window(Expr(left), Expr(right)), values,
                  [=](int64_t p, int64_t k) { return p - left <= k && k <= p + right; });
        expectLaw(PairSet::window(Expr(left), std::nullopt), values,
                  [=](int64_t p, int64_t k) { return p - left <= k; });
        expectLaw(PairSet::window(std::nullopt, Expr(right)), values,
                  [=](int64_t p, int64_t k) { return k <= p + right; });
        values.symbols[LeftSymbol] = left;
        expectLaw(PairSet::window(Expr::symbol(LeftSymbol), Expr(right)), values,
                  [=](int64_t p, int64_t k) { return p - left <= k && k <= p + right; });
      });
  EXPECT_EQ(PairSet::window(std::nullopt, std::nullopt), PairSet::full());
}

TEST(PairSet, Causal) {
  forEachCall([](CallValues values) {
    expectLaw(PairSet::causal(), values, [](int64_t p, int64_t k) { return k <= p; });
    int64_t shift = values.offset(Side::Queries); // top left counts query positions from 0 where no offset is given
    expectLaw(PairSet::causal(true), values, [=](int64_t p, int64_t k) { return k <= p - shift; });
    values.symbols[TopLeftOffset] = values.symbols[QueryOffset];
    expectLaw(PairSet::causal(true), values, [](int64_t p, int64_t k) { return k <= p; });
  });
}

TEST(PairSet, BlockLocal) {
  auto block = [](int64_t position, int64_t size) {
    int64_t number = 0;
    while (position >= (number + 1) * size)
      ++number;
    while (position < number * size)
      --number;
    return number;
  };
  for (int64_t size : {1, 2, 5, 13, 64})
    forEachCall([&](CallValues values) {
      Law law = [&](int64_t p, int64_t k) { return block(p, size) == block(k, size); };
      expectLaw(PairSet::blockLocal(Expr(size)), values, law);
      values.symbols[BlockSymbol] = size;
      expectLaw(PairSet::blockLocal(Expr::symbol(BlockSymbol)), values, law);
    });
}

TEST(PairSet, Padded) {
  for (int64_t length : {0, 1, 6, 100})
    forEachCall([&](CallValues values) {
      values.symbols[PaddingSymbol] = length;
      expectLaw(PairSet::padded(Expr::symbol(PaddingSymbol)), values, [=](int64_t, int64_t k) { return k < length; });
    });
}

TEST(PairSet, Listed) {
  std::vector<int32_t> tokens{3, -1, 0, 17, 3, -1};
  auto isListed = [](int64_t position) { return position == 0 || position == 3 || position == 17; };
  forEachCall([&](CallValues values) {
    values.tables[1] = tokens;
    expectLaw(PairSet::listed(Side::Queries, 1), values, [&](int64_t p, int64_t) { return isListed(p); });
    expectLaw(PairSet::listed(Side::Keys, 1), values, [&](int64_t, int64_t k) { return isListed(k); });
    expectLaw(PairSet::listed(Side::Keys, 0), values, [](int64_t, int64_t) { return false; });
  });
}

TEST(PairSet, SameSegment) {
  std::vector<int32_t> ids{4, 4, -1, 2, 4, -1, 2, 2};
  forEachCall([&](CallValues values) {
    values.tables[2] = ids;
    expectLaw(PairSet::sameSegment(2), values,
              [&](int64_t p, int64_t k) { return p >= 0 && p < 8 && k >= 0 && k < 8 && ids[p] == ids[k]; });
  });
}

TEST(PairSet, Where) {
  forEachCall([](CallValues values) {
    values.where = [](unsigned region, int64_t p, int64_t k) { return (p + 2 * k + region) % 3 == 0; };
    expectLaw(PairSet::where(5), values, [](int64_t p, int64_t k) { return (p + 2 * k + 5) % 3 == 0; });
  });
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
        EXPECT_TRUE(inner == Kind::Listed || inner == Kind::SameSegment || inner == Kind::Where);
      }
      if (set.kind() == Kind::Union || set.kind() == Kind::Intersect)
        for (const PairSet &member : set.members()) {
          EXPECT_NE(member.kind(), set.kind()) << "ATTN_FUZZ_SEED=" << seed;
          check(member);
        }
    };
    check(randomTree(dice, 4).build().complement());
  }
}

TEST(PairSetLaws, SimplificationKeepsEveryPair) {
  for (uint64_t seed = firstFuzzSeed(), end = seed + fuzzCount() / 10; seed < end; ++seed) {
    Dice dice(seed);
    Tree tree = randomTree(dice, dice.in(0, 5));
    CallValues values = randomCall(dice);
    SCOPED_TRACE("ATTN_FUZZ_SEED=" + std::to_string(seed) + " " + tree.text());
    expectLaw(tree.build(), values, [&](int64_t p, int64_t k) { return tree.admits(values, p, k); });
    ASSERT_FALSE(testing::Test::HasFailure());
  }
}

TEST(PairSetLaws, SetsFormABooleanAlgebra) {
  for (uint64_t seed = firstFuzzSeed(), end = seed + fuzzCount() / 20; seed < end; ++seed) {
    Dice dice(seed);
    PairSet a = randomTree(dice, 2).build(), b = randomTree(dice, 2).build(), c = randomTree(dice, 1).build();
    CallValues values = randomCall(dice);
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
