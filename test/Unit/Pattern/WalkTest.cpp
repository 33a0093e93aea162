// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Walks whose tiles and counts are known: anchored tiles, rows without a segment, and calls too large to be counted.

#include "attn/Pattern/Walk.h"
#include "PatternTree.h"
#include "attn/Pattern/BoundSet.h"
#include "llvm/ADT/STLExtras.h"
#include "gtest/gtest.h"

using namespace attn;

/// The key ranks that the tiles of the only box take, first tile first, with three query rows a tile and four
/// keys, of listed ones two.
static std::vector<std::pair<int64_t, int64_t>> anchoredTiles(const PairSet &set, int64_t length,
                                                              std::vector<int32_t> listed = {}) {
  CallValues values;
  values.tables = {std::move(listed)};
  values.symbols.assign(SymbolCount, 0);
  values.symbols[Length] = values.symbols[KvLength] = length;
  Target target = Target::cpu();
  target.tile = {3, 4, 3, 2, /*anchored=*/true};
  std::vector<std::pair<int64_t, int64_t>> tiles;
  walkByQuery(planPattern(set, target), values,
              [&](const Visit &visit) { tiles.emplace_back(visit.keyBegin, visit.keyEnd); });
  return tiles;
}

TEST(Walk, AnchoredTilesStartAtTheFirstKeyOrEndAtTheLast) {
  using Tiles = std::vector<std::pair<int64_t, int64_t>>;
  // Where every row looks at key 0, tiles start there.
  EXPECT_EQ(anchoredTiles(PairSet::causal(), 6), (Tiles{{0, 4}, {0, 4}, {4, 6}}));
  // Rows 0 to 2 look at keys 0 to 2, rows 3 to 5 at keys 2 to 5, rows 6 to 8 at keys 5 to 8: a tile for each.
  EXPECT_EQ(anchoredTiles(PairSet::window(Expr(1), Expr(0)), 9), (Tiles{{0, 3}, {2, 6}, {5, 9}}));
}

TEST(Walk, AnchoredTilesOfListedKeysAreNarrow) {
  using Tiles = std::vector<std::pair<int64_t, int64_t>>;
  EXPECT_EQ(anchoredTiles(PairSet::listed(Side::Keys, 0), 5, {0, 2, 3}), (Tiles{{0, 2}, {2, 3}, {0, 2}, {2, 3}}));
}

TEST(Walk, QueriesWithoutASegmentStillSeeGlobalKeys) {
  // Sorted by segment, the query rows at positions -2 and -1 come last: they look at no segment, but at the listed key.
  CallValues values;
  values.symbols.assign(SymbolCount, 0);
  values.symbols[Length] = 6, values.symbols[KvLength] = 4, values.symbols[QueryOffset] = -2;
  values.tables = {{3}, {}, {1, 0, 1, 0}, {}};
  Plan plan = planPattern(PairSet::unite({PairSet::sameSegment(2), PairSet::listed(Side::Keys, 0)}), Target::cpu());
  BoundOrder order(plan.orders[plan.phases[0].queries], values);
  ASSERT_EQ(order.size(), 6);
  for (auto [rank, row] : llvm::enumerate(std::vector<int64_t>{3, 5, 2, 4, 0, 1}))
    EXPECT_EQ(order.row(rank), row);
  EXPECT_FALSE(order.segment(4));
  EXPECT_EQ(order.segment(0), 0);
  PairCounts counts = countPairs(plan, values)[0];
  EXPECT_EQ(counts.admitted, 4 * 2 + 2 + 2); // segments; key 3 for segment 1; key 3 for no segment
}

TEST(Walk, CountsOfManyRowsAreSampled) {
  // 500 taps to each side, four rows apart, which a region picks; rows near an end have fewer.
  PairSet taps = PairSet::intersect({PairSet::window(Expr(2000), Expr(2000)), PairSet::where(0)});
  Plan plan = planPattern(taps, Target::cpu());
  CallValues values;
  values.where = [](unsigned, int64_t query, int64_t key) { return (query - key) % 4 == 0; };
  values.symbols.assign(SymbolCount, 0);
  values.symbols[Length] = values.symbols[KvLength] = 100000;
  PairCounts counts = countPairs(plan, values, /*testLimit=*/1 << 24)[0];
  EXPECT_TRUE(counts.estimated);
  EXPECT_NEAR(counts.admitted, 100000 * 1001 - 4 * 500 * 501, 1000 * 1001);
  EXPECT_GE(counts.computed, counts.admitted);
  // However few tests are allowed, one tile is counted.
  counts = countPairs(plan, values, /*testLimit=*/1)[0];
  EXPECT_TRUE(counts.estimated);
  EXPECT_NEAR(counts.admitted, 100000 * 1001, 1000 * 1001);
}
