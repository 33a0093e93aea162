// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which orders, owners and boxes the planner finds for patterns that people write, and when it gives up and tests.

#include "attn/Pattern/Plan.h"
#include "RandomPatterns.h"
#include "gtest/gtest.h"

using namespace attn;

const Expr i = Expr::row(), length = Expr::symbol(Length), kvLength = Expr::symbol(KvLength),
           shift = Expr::symbol(QueryOffset) - Expr::symbol(KeyOffset);
const Order queryRows{OrderKind::All, Side::Queries, 0}, keyRows{OrderKind::All, Side::Keys, 0};

static Plan planOf(const PairSet &set) { return planPattern(set, Target::cpu()); }

static PairSet windowOf(int64_t left, int64_t right) { return PairSet::window(Expr(left), Expr(right)); }

static PairSet globalOf(unsigned table) {
  return PairSet::unite({PairSet::listed(Side::Queries, table), PairSet::listed(Side::Keys, table)});
}

static size_t countTests(const Plan &plan) {
  size_t count = 0;
  for (const Phase &phase : plan.phases)
    for (const Box &box : phase.boxes)
      count += box.test.has_value();
  return count;
}

/// A plan of one phase over all query rows, whose boxes take all key rows and test nothing.
static void expectPlain(const Plan &plan, size_t boxes) {
  ASSERT_EQ(plan.phases.size(), 1u);
  EXPECT_EQ(plan.orders[plan.phases[0].queries], queryRows);
  EXPECT_TRUE(plan.phases[0].except.empty());
  EXPECT_EQ(plan.phases[0].boxes.size(), boxes);
  for (const Box &box : plan.phases[0].boxes) {
    EXPECT_EQ(plan.orders[box.keys], keyRows);
    EXPECT_FALSE(box.sameSegment);
  }
  EXPECT_EQ(countTests(plan), 0u);
  EXPECT_TRUE(plan.tested.empty());
}

/// A union of `count` windows no two of which are known to be disjoint.
static PairSet unionOfWindows(unsigned count) {
  std::vector<PairSet> sets;
  sets.reserve(count);
  for (unsigned w = 0; w < count; ++w)
    sets.push_back(PairSet::window(Expr::symbol(FirstNamed + 2 * w), Expr::symbol(FirstNamed + 2 * w + 1)));
  return PairSet::unite(sets);
}

TEST(Plan, Full) {
  Plan plan = planOf(PairSet::full());
  expectPlain(plan, 1);
  const Box &box = plan.phases[0].boxes[0];
  EXPECT_EQ(box.lower, Expr(0));
  EXPECT_EQ(box.upper, kvLength);
  EXPECT_EQ(box.queryLower, Expr(0));
  EXPECT_EQ(box.queryUpper, length);
}

TEST(Plan, EmptyOwnsItsRows) {
  expectPlain(planOf(PairSet::empty()), 0);
  expectPlain(planOf(PairSet::minus(PairSet::causal(), PairSet::causal())), 0);
}

TEST(Plan, Causal) {
  Plan plan = planOf(PairSet::causal());
  expectPlain(plan, 1);
  const Box &box = plan.phases[0].boxes[0];
  EXPECT_EQ(box.lower, Expr(0));
  EXPECT_EQ(box.upper, Expr::min({kvLength, i + shift + 1}));
  EXPECT_EQ(box.queryLower, Expr::max({0, i - shift}));
  EXPECT_EQ(box.queryUpper, length);
}

TEST(Plan, SlidingWindow) {
  Plan plan = planOf(windowOf(256, 128));
  expectPlain(plan, 1);
  const Box &box = plan.phases[0].boxes[0];
  EXPECT_EQ(box.lower, Expr::max({0, i + shift - 256}));
  EXPECT_EQ(box.upper, Expr::min({kvLength, i + shift + 129}));
  EXPECT_EQ(box.queryLower, Expr::max({0, i - shift - 128}));
  EXPECT_EQ(box.queryUpper, Expr::min({length, i - shift + 257}));
}

TEST(Plan, BlockLocalAndPadded) {
  expectPlain(planOf(PairSet::blockLocal(Expr(256))), 1);
  expectPlain(planOf(PairSet::padded(Expr::symbol(PaddingSymbol))), 1);
  expectPlain(planOf(PairSet::intersect(
                  {PairSet::blockLocal(Expr(64)), PairSet::causal(), PairSet::padded(Expr::symbol(PaddingSymbol))})),
              1);
}

TEST(Plan, LongformerHasTwoPhasesAndTestsNothing) {
  Plan plan = planOf(PairSet::unite({windowOf(256, 256), globalOf(0)}));
  EXPECT_EQ(countTests(plan), 0u);
  EXPECT_TRUE(plan.tested.empty());
  ASSERT_EQ(plan.phases.size(), 2u);
  // The global rows come first, own themselves, and look at every key.
  const Phase &hubs = plan.phases[0], &others = plan.phases[1];
  EXPECT_EQ(plan.orders[hubs.queries], (Order{OrderKind::Listed, Side::Queries, 0}));
  EXPECT_TRUE(hubs.except.empty());
  ASSERT_EQ(hubs.boxes.size(), 1u);
  EXPECT_EQ(plan.orders[hubs.boxes[0].keys], keyRows);
  EXPECT_EQ(hubs.boxes[0].upper, kvLength);
  // The others look at their window, and at the global keys on both sides of it.
  EXPECT_EQ(plan.orders[others.queries], queryRows);
  EXPECT_EQ(others.except, (llvm::SmallVector<unsigned, 2>{hubs.queries}));
  ASSERT_EQ(others.boxes.size(), 3u);
  EXPECT_EQ(plan.orders[others.boxes[0].keys], keyRows);
  for (unsigned side : {1, 2})
    EXPECT_EQ(plan.orders[others.boxes[side].keys], (Order{OrderKind::Listed, Side::Keys, 0}));
}

TEST(Plan, TwoListsOfRowsGetPhases) {
  Plan plan = planOf(PairSet::unite({windowOf(1, 1), globalOf(0), globalOf(1)}));
  ASSERT_EQ(plan.phases.size(), 3u);
  EXPECT_EQ(plan.phases[1].except.size(), 1u);
  EXPECT_EQ(plan.phases[2].except.size(), 2u);
  EXPECT_EQ(plan.orders[plan.phases[2].queries], queryRows);
  // A key that both lists have must not count twice.
  EXPECT_EQ(plan.tested, std::vector<std::string>{"outside of columns of attn.global"});
}

TEST(Plan, ThirdListOfRowsIsTested) {
  auto rowsOf = [](unsigned table) { return PairSet::listed(Side::Queries, table); };
  Plan plan = planOf(PairSet::unite({rowsOf(0), rowsOf(1), rowsOf(2)}));
  ASSERT_EQ(plan.phases.size(), 3u);
  EXPECT_EQ(plan.tested, std::vector<std::string>{"rows of attn.global"});
}

TEST(Plan, UnionOfWindowsTestsNothing) {
  // A, then what B has on either side of A, and so on.
  expectPlain(planOf(PairSet::unite({windowOf(2, 2), PairSet::window(Expr(9), Expr::symbol(RightSymbol))})), 3);
  expectPlain(planOf(unionOfWindows(3)), 7);
  expectPlain(planOf(PairSet::minus(windowOf(20, 20), windowOf(4, 3))), 2);
}

TEST(Plan, NestedWindowsMerge) {
  expectPlain(planOf(PairSet::intersect({windowOf(9, 2), windowOf(3, 7)})), 1);
  Plan plan = planOf(PairSet::intersect({windowOf(9, 2), windowOf(3, 7)}));
  EXPECT_EQ(plan.phases[0].boxes[0].lower, Expr::max({0, i + shift - 3}));
  EXPECT_EQ(plan.phases[0].boxes[0].upper, Expr::min({kvLength, i + shift + 3}));
}

TEST(Plan, DisjointHalfSpacesVanish) {
  PairSet future = PairSet::causal().complement();
  expectPlain(planOf(PairSet::intersect({future, windowOf(5, 0)})), 0);
}

TEST(Plan, DocumentIsSorted) {
  for (const PairSet &set :
       {PairSet::sameSegment(2), PairSet::intersect({PairSet::causal(), PairSet::sameSegment(2)})}) {
    Plan plan = planOf(set);
    ASSERT_EQ(plan.phases.size(), 1u);
    EXPECT_EQ(plan.orders[plan.phases[0].queries], (Order{OrderKind::SegmentSorted, Side::Queries, 2}));
    ASSERT_EQ(plan.phases[0].boxes.size(), 1u);
    const Box &box = plan.phases[0].boxes[0];
    EXPECT_EQ(plan.orders[box.keys], (Order{OrderKind::SegmentSorted, Side::Keys, 2}));
    EXPECT_TRUE(box.sameSegment);
    EXPECT_FALSE(box.test);
    EXPECT_TRUE(plan.tested.empty());
  }
}

TEST(Plan, SegmentsThatDoNotHoldEverywhereAreTested) {
  Plan plan = planOf(PairSet::unite({windowOf(3, 3), PairSet::sameSegment(2)}));
  ASSERT_EQ(plan.phases.size(), 1u);
  EXPECT_EQ(plan.orders[plan.phases[0].queries], queryRows);
  EXPECT_EQ(plan.tested, std::vector<std::string>{"attn.segments"});
}

TEST(Plan, DocumentWithGlobalColumnsStaysSorted) {
  Plan plan = planOf(PairSet::unite({PairSet::sameSegment(2), PairSet::listed(Side::Keys, 0)}));
  ASSERT_EQ(plan.phases.size(), 1u);
  EXPECT_EQ(plan.orders[plan.phases[0].queries], (Order{OrderKind::SegmentSorted, Side::Queries, 2}));
  ASSERT_EQ(plan.phases[0].boxes.size(), 2u);
  EXPECT_EQ(plan.tested, std::vector<std::string>{"outside of attn.segments"});
}

TEST(Plan, WhereIsTestedInsideTheBounds) {
  Plan plan = planOf(PairSet::intersect({PairSet::where(0), windowOf(8, 8)}));
  ASSERT_EQ(plan.phases.size(), 1u);
  ASSERT_EQ(plan.phases[0].boxes.size(), 1u);
  const Box &box = plan.phases[0].boxes[0];
  ASSERT_TRUE(box.test);
  EXPECT_EQ(*box.test, PairSet::where(0));
  EXPECT_EQ(box.lower, Expr::max({0, i + shift - 8}));
  EXPECT_EQ(plan.tested, std::vector<std::string>{"attn.where"});
}

TEST(Plan, TooManyBoxesBecomeOneThatIsTested) {
  PairSet set = unionOfWindows(6);
  Plan plan = planOf(set);
  ASSERT_EQ(plan.phases.size(), 1u);
  ASSERT_EQ(plan.phases[0].boxes.size(), 1u);
  const Box &box = plan.phases[0].boxes[0];
  ASSERT_TRUE(box.test);
  EXPECT_EQ(*box.test, set);
  EXPECT_EQ(box.lower, Expr(0));
  EXPECT_EQ(box.upper, kvLength);
  EXPECT_EQ(plan.tested, std::vector<std::string>{"a phase of more than 8 boxes: one box, every pair tested"});
}

TEST(Plan, TargetSaysHowManyBoxesAreTooMany) {
  PairSet set = unionOfWindows(2);
  size_t boxes = planOf(set).phases[0].boxes.size();
  ASSERT_GT(boxes, 1u);
  Target target = Target::cpu();
  target.maxBoxes = boxes;
  expectPlain(planPattern(set, target), boxes);
  target.maxBoxes = boxes - 1;
  EXPECT_EQ(countTests(planPattern(set, target)), 1u);
}

TEST(Plan, TakesTheTargetsTiles) {
  Target target = Target::cpu();
  target.tile = {48, 96, 6, 12};
  Plan plan = planPattern(PairSet::causal(), target);
  EXPECT_EQ(plan.tile.rows, 48);
  EXPECT_EQ(plan.tile.keys, 96);
  EXPECT_EQ(plan.tile.groupRows, 6);
  EXPECT_EQ(plan.tile.granule, 12);
}

//===-- Targets ---------------------------------------------------------------------------------------------------===//

TEST(Target, IsFoundByName) {
  std::optional<Target> cpu = Target::find("cpu", 64, 64, false), gpu = Target::find("sm_90a", 64, 64, false);
  ASSERT_TRUE(cpu && gpu);
  EXPECT_EQ(cpu->name, "cpu");
  EXPECT_FALSE(cpu->tile.anchored);
  EXPECT_FALSE(cpu->local);
  EXPECT_EQ(gpu->name, "sm_90a");
  for (const char *unknown : {"", "gpu", "sm_80", "SM_90A"})
    EXPECT_FALSE(Target::find(unknown, 64, 64, false)) << unknown;
}

/// What wgmma and the warpgroups take: whole tiles of 64 rows and up to 256 keys, by 16.
static void expectTileOfGpu(const TileShape &tile) {
  EXPECT_TRUE(tile.anchored);
  EXPECT_EQ(tile.rows % 64, 0);
  EXPECT_EQ(tile.keys % 16, 0);
  EXPECT_LE(tile.keys, 256);
  EXPECT_EQ(tile.groupRows, tile.rows);
  EXPECT_EQ(tile.granule, tile.keys);
}

TEST(Target, TilesOfAGpuFitWhatItMultiplies) {
  for (int64_t headSize = 16; headSize <= 256; headSize += 16)
    for (bool hasScore : {false, true}) {
      Target target = Target::sm90a(headSize, 64, hasScore);
      expectTileOfGpu(target.tile);
      ASSERT_TRUE(target.local);
      expectTileOfGpu(*target.local);
      EXPECT_LT(target.local->rows, target.tile.rows);
      // Wider rows and a score region leave less room.
      Target wider = Target::sm90a(headSize, 256, true);
      EXPECT_LE(wider.tile.rows * wider.tile.keys, target.tile.rows * target.tile.keys);
    }
}

/// Whether an sm_90a plan takes the tiles for few keys a row.
static bool isLocal(const PairSet &set) {
  Target target = Target::sm90a(64, 64, false);
  return planPattern(set, target).tile.rows == target.local->rows;
}

TEST(Target, CallsOfFewKeysTakeLocalTiles) {
  Target target = Target::sm90a(64, 64, false);
  target.compactKeys = 100;
  Plan plan = planPattern(PairSet::causal(), target);
  ASSERT_TRUE(plan.compact);
  CallValues values;
  values.symbols.assign(SymbolCount, 0);
  for (auto [keys, rows] : {std::pair(0, target.local->rows), {100, target.local->rows}, {101, target.tile.rows}}) {
    values.symbols[KvLength] = keys;
    EXPECT_EQ(plan.tileFor(values).rows, rows) << keys;
  }
  EXPECT_FALSE(planPattern(windowOf(8, 8), target).compact); // takes them anyway
  target.compactKeys = 0;
  EXPECT_FALSE(planPattern(PairSet::causal(), target).compact);
}

TEST(Target, LocalTilesAreForFewKeysARow) {
  EXPECT_TRUE(isLocal(windowOf(256, 256)));
  EXPECT_TRUE(isLocal(PairSet::intersect({PairSet::causal(), PairSet::blockLocal(Expr(64))})));
  EXPECT_TRUE(isLocal(PairSet::sameSegment(2)));
  EXPECT_TRUE(isLocal(PairSet::unite({windowOf(256, 256), globalOf(0)})));
  EXPECT_FALSE(isLocal(PairSet::full()));
  EXPECT_FALSE(isLocal(PairSet::causal()));
  EXPECT_FALSE(isLocal(PairSet::padded(Expr::symbol(PaddingSymbol))));
  EXPECT_FALSE(isLocal(PairSet::unite({PairSet::causal(), globalOf(0)})));
  EXPECT_FALSE(isLocal(PairSet::where(0)));
}
