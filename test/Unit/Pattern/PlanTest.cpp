// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which orders, owners and boxes the planner finds for patterns that people write, and when it gives up and tests.

#include "Planning.h"

using namespace attn;

const Expr i = Expr::row(), length = Expr::symbol(Length), kvLength = Expr::symbol(KvLength),
           shift = Expr::symbol(QueryOffset) - Expr::symbol(KeyOffset);
const Order queryRows = Order::all(Side::Queries), keyRows = Order::all(Side::Keys);

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
  EXPECT_EQ(box.bounds.lower, Expr(0));
  EXPECT_EQ(box.bounds.upper, kvLength);
  EXPECT_EQ(box.bounds.queryLower, Expr(0));
  EXPECT_EQ(box.bounds.queryUpper, length);
}

TEST(Plan, EmptyOwnsItsRows) {
  expectPlain(planOf(PairSet::empty()), 0);
  expectPlain(planOf(PairSet::minus(PairSet::causal(), PairSet::causal())), 0);
}

TEST(Plan, Causal) {
  Plan plan = planOf(PairSet::causal());
  expectPlain(plan, 1);
  const Box &box = plan.phases[0].boxes[0];
  EXPECT_EQ(box.bounds.lower, Expr(0));
  EXPECT_EQ(box.bounds.upper, Expr::min({kvLength, i + shift + 1}));
  EXPECT_EQ(box.bounds.queryLower, Expr::max({0, i - shift}));
  EXPECT_EQ(box.bounds.queryUpper, length);
}

TEST(Plan, SlidingWindow) {
  Plan plan = planOf(windowOf(256, 128));
  expectPlain(plan, 1);
  const Box &box = plan.phases[0].boxes[0];
  EXPECT_EQ(box.bounds.lower, Expr::max({0, i + shift - 256}));
  EXPECT_EQ(box.bounds.upper, Expr::min({kvLength, i + shift + 129}));
  EXPECT_EQ(box.bounds.queryLower, Expr::max({0, i - shift - 128}));
  EXPECT_EQ(box.bounds.queryUpper, Expr::min({length, i - shift + 257}));
}

TEST(Plan, RowsOfBlocksAreTakenInBlocksWhereThatMultipliesLess) {
  const Expr size = Expr::symbol(BlockSymbol);
  PairSet set = PairSet::blockLocal(size);
  Target gpu = Target::sm90a(64, 64, /*hasScore=*/false);
  Plan plan = planPattern(set, gpu);
  ASSERT_EQ(plan.phases.size(), 2u);
  EXPECT_EQ(plan.orders[plan.phases[0].queries], queryRows);
  EXPECT_EQ(plan.orders[plan.phases[1].queries], Order::blocks(Side::Queries, size, Expr::symbol(QueryOffset)));
  CallValues values = callOf(130, 130, 0, 0);
  // Tiles of 64 rows and 96 keys; where both orders multiply as much, rows come as they are.
  for (auto [rows, areInBlocks] : {std::pair{1, false},
                                   {5, false},
                                   {48, true},
                                   {64, true},
                                   {65, false},
                                   {100, true},
                                   {128, true},
                                   {200, false},
                                   {1000, true}}) {
    values.symbols[BlockSymbol] = rows;
    SCOPED_TRACE(rows);
    EXPECT_NE(Plan::runs(plan.phases[0], values), Plan::runs(plan.phases[1], values));
    EXPECT_EQ(Plan::runs(plan.phases[1], values), areInBlocks);
    expectExact(plan, set, values);
  }
  // On a CPU sub-tiles of a few rows end near to where blocks do, and a size that is known leaves nothing to choose.
  expectPlain(planOf(set), 1);
  plan = planPattern(PairSet::blockLocal(Expr(100)), gpu);
  ASSERT_EQ(plan.phases.size(), 1u);
  EXPECT_EQ(plan.orders[plan.phases[0].queries].kind, OrderKind::Blocks);
  EXPECT_FALSE(plan.phases[0].when);
  expectPlain(planPattern(PairSet::blockLocal(Expr(5)), gpu), 1);
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
  EXPECT_EQ(plan.orders[hubs.queries], Order::listed(Side::Queries, 0));
  EXPECT_TRUE(hubs.except.empty());
  ASSERT_EQ(hubs.boxes.size(), 1u);
  EXPECT_EQ(plan.orders[hubs.boxes[0].keys], keyRows);
  EXPECT_EQ(hubs.boxes[0].bounds.upper, kvLength);
  // The others look at their window, and at the global keys outside of it.
  EXPECT_EQ(plan.orders[others.queries], queryRows);
  EXPECT_EQ(others.except, (llvm::SmallVector<unsigned, 2>{hubs.queries}));
  ASSERT_EQ(others.boxes.size(), 2u);
  EXPECT_EQ(plan.orders[others.boxes[0].keys], keyRows);
  EXPECT_FALSE(others.boxes[0].hole);
  EXPECT_EQ(plan.orders[others.boxes[1].keys], Order::listed(Side::Keys, 0));
  ASSERT_TRUE(others.boxes[1].hole);
  EXPECT_EQ(others.boxes[1].bounds.lower, Expr(0));
  EXPECT_EQ(others.boxes[1].bounds.upper, kvLength);
  EXPECT_EQ(others.boxes[1].hole->lower, i + shift - 256);
  EXPECT_EQ(others.boxes[1].hole->upper, i + shift + 257);
  EXPECT_EQ(others.boxes[1].hole->queryLower, i - shift - 256);
  EXPECT_EQ(others.boxes[1].hole->queryUpper, i - shift + 257);
}

TEST(Plan, TwoListsOfRowsGetPhases) {
  Plan plan = planOf(PairSet::unite({windowOf(1, 1), globalOf(0), globalOf(1)}));
  ASSERT_EQ(plan.phases.size(), 3u);
  EXPECT_EQ(plan.phases[1].except.size(), 1u);
  EXPECT_EQ(plan.phases[2].except.size(), 2u);
  EXPECT_EQ(plan.orders[plan.phases[2].queries], queryRows);
  // A key that both lists have must not count twice: one box leaves it to the other.
  EXPECT_TRUE(plan.tested.empty());
  llvm::ArrayRef<Box> boxes = plan.phases[2].boxes;
  EXPECT_EQ(llvm::count_if(boxes, [](const Box &box) { return box.except.size() == 1; }), 1);
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
  EXPECT_EQ(plan.phases[0].boxes[0].bounds.lower, Expr::max({0, i + shift - 3}));
  EXPECT_EQ(plan.phases[0].boxes[0].bounds.upper, Expr::min({kvLength, i + shift + 3}));
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
    EXPECT_EQ(plan.orders[plan.phases[0].queries], Order::segmentSorted(Side::Queries, 2));
    ASSERT_EQ(plan.phases[0].boxes.size(), 1u);
    const Box &box = plan.phases[0].boxes[0];
    EXPECT_EQ(plan.orders[box.keys], Order::segmentSorted(Side::Keys, 2));
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
  EXPECT_EQ(plan.orders[plan.phases[0].queries], Order::segmentSorted(Side::Queries, 2));
  ASSERT_EQ(plan.phases[0].boxes.size(), 2u);
  EXPECT_EQ(plan.tested, std::vector<std::string>{"outside of attn.segments"});
}

//===-- Conditions and relations ----------------------------------------------------------------------------------===//

static const Expr head = Expr::symbol(Head);

static PairSet evenHeads() { return PairSet::congruent(Dividend::Head, 2, 0, 0); }

TEST(Plan, ConditionsEmptyTheBox) {
  Plan plan = planOf(PairSet::intersect({PairSet::causal(), PairSet::condition(head, Expr(2), {})}));
  expectPlain(plan, 1);
  const Box &box = plan.phases[0].boxes[0];
  Expr holds = Expr::min({1, Expr::max({0, head - 1})});
  EXPECT_EQ(box.bounds.lower, Expr(0));
  EXPECT_EQ(box.bounds.upper, Expr::min({kvLength, kvLength * holds, i + shift + 1}));
  EXPECT_EQ(box.bounds.queryLower, Expr::max({0, i - shift}));
  EXPECT_EQ(box.bounds.queryUpper, Expr::min({length, length * holds}));
}

TEST(Plan, HeadsOfDifferentStructureHaveABoxEach) {
  // Whichever way they are written, nothing is tested: a head's pairs are in one of the boxes.
  PairSet near = windowOf(8, 0), own = PairSet::blockLocal(Expr(64)), even = evenHeads(), odd = even.complement();
  expectPlain(planOf(PairSet::unite({PairSet::intersect({even, near}), PairSet::intersect({odd, own})})), 2);
  expectPlain(planOf(PairSet::unite({PairSet::intersect({near, even}), PairSet::intersect({own, odd})})), 2);
  expectPlain(planOf(PairSet::unite({PairSet::intersect({even, near}), PairSet::minus(own, even)})), 2);
}

TEST(Plan, ConditionsThatExcludeEachOtherLeaveNothing) {
  auto heads = [](int64_t from, int64_t below) { return PairSet::condition(head, Expr(from), Expr(below)); };
  expectPlain(planOf(PairSet::intersect({evenHeads(), windowOf(3, 3), evenHeads().complement()})), 0);
  expectPlain(planOf(PairSet::intersect({heads(0, 2), heads(2, 4)})), 0);
  expectPlain(planOf(PairSet::minus(heads(1, 2), heads(0, 4))), 0);
  // The first two heads, the next two, and all others: three boxes, of one condition each.
  Plan plan = planOf(PairSet::unite({PairSet::intersect({heads(0, 2), windowOf(1, 1)}),
                                     PairSet::intersect({heads(2, 4), windowOf(9, 9)}),
                                     PairSet::intersect({PairSet::condition(head, Expr(4), {}), PairSet::causal()})}));
  expectPlain(plan, 3);
}

TEST(Plan, AFlagOfTheHeadIsNoTest) {
  PairSet flagged = PairSet::condition(Expr::symbol(FlagSymbol), Expr(0), Expr(1)).complement();
  Plan plan = planOf(PairSet::intersect({flagged, windowOf(2, 2)}));
  expectPlain(plan, 1);
  CallValues values;
  values.symbols.assign(SymbolCount, 0);
  values.symbols[Length] = values.symbols[KvLength] = 10;
  for (int64_t flag : {-1, 0, 1, 5}) {
    values.symbols[FlagSymbol] = flag;
    EXPECT_EQ(plan.phases[0].boxes[0].bounds.upper.evaluate(4, values.symbols), flag == 0 ? 0 : 7) << flag;
  }
}

TEST(Plan, RangesOfBothSidesAreBoxes) {
  // ETC and Star: the first rows see all, the first keys are seen by all, and the window is cut free of both.
  auto both = [](std::optional<Expr> from, std::optional<Expr> below) {
    return PairSet::unite({PairSet::range(Side::Queries, from, below), PairSet::range(Side::Keys, from, below)});
  };
  expectPlain(planOf(PairSet::unite({windowOf(84, 84), both({}, Expr(16))})), 3);
  // BigBird's blocks, without and with its table, whose blocks of queries are an order.
  Expr block = Expr::symbol(BlockSymbol);
  PairSet near = PairSet::blockLocal(block, block, block), last = both(Expr::symbol(PaddingSymbol), {});
  expectPlain(planOf(PairSet::unite({near, both({}, block), last})), 5);
  Plan plan = planOf(PairSet::unite({near, both({}, block), last, PairSet::blockTable(FirstBlockTable, block)}));
  EXPECT_EQ(plan.orders[plan.phases[0].queries].kind, OrderKind::Blocks);
  EXPECT_EQ(plan.phases[0].boxes.size(), 6u);
  EXPECT_EQ(countTests(plan), 0u);
}

TEST(Plan, OuterAxesAreBounds) {
  Coordinate rows = Coordinate::grid({Expr::symbol(BlockSymbol)})[0];
  expectPlain(planOf(PairSet::window(Expr(0), Expr(0), 1, rows)), 1);
  expectPlain(planOf(PairSet::blockLocal(Expr(16), Expr(4), Expr(4), rows)), 1);
  expectPlain(planOf(PairSet::neighborhood(Expr(13), rows)), 1);
}

TEST(Plan, PlacesInSegmentsAreTested) {
  Plan plan = planOf(
      PairSet::intersect({PairSet::sameSegment(2), PairSet::window(Expr(2), Expr(2), 1, Coordinate::offset(2))}));
  ASSERT_EQ(plan.phases[0].boxes.size(), 1u);
  EXPECT_TRUE(plan.phases[0].boxes[0].sameSegment);
  EXPECT_EQ(plan.tested, std::vector<std::string>{"a place in a segment"});
}

TEST(Plan, WhereIsTestedInsideTheBounds) {
  Plan plan = planOf(PairSet::intersect({PairSet::where(0), windowOf(8, 8)}));
  ASSERT_EQ(plan.phases.size(), 1u);
  ASSERT_EQ(plan.phases[0].boxes.size(), 1u);
  const Box &box = plan.phases[0].boxes[0];
  ASSERT_TRUE(box.test);
  EXPECT_EQ(*box.test, PairSet::where(0));
  EXPECT_EQ(box.bounds.lower, Expr::max({0, i + shift - 8}));
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
  EXPECT_EQ(box.bounds.lower, Expr(0));
  EXPECT_EQ(box.bounds.upper, kvLength);
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
  EXPECT_TRUE(cpu->locals.empty());
  EXPECT_EQ(gpu->name, "sm_90a");
  for (const char *unknown : {"", "gpu", "sm_80", "SM_90A"})
    EXPECT_FALSE(Target::find(unknown, 64, 64, false)) << unknown;
}

TEST(Target, PairsOfNumbersTakeTwoPanelsOfKeys) {
  using Element = Target::Element;
  EXPECT_EQ(Target::cpu(Element::F32).tile.granule, 16);
  EXPECT_EQ(Target::cpu(Element::F16).tile.granule, 16);
  EXPECT_EQ(Target::cpu(Element::BF16).tile.granule, 32);
}

/// What wgmma and the warpgroups take: whole tiles of 64 rows and up to 256 keys, by 16.
static void expectTileOfGpu(const TileShape &tile) {
  EXPECT_TRUE(tile.anchored);
  EXPECT_EQ(tile.rows % 64, 0);
  EXPECT_EQ(tile.keys % 16, 0);
  EXPECT_LE(tile.keys, 256);
  EXPECT_EQ(tile.groupRows, tile.rows);
  EXPECT_EQ(tile.granule % 16, 0);
  EXPECT_EQ(tile.keys % tile.granule, 0);
  EXPECT_LE(tile.granule, 32);
}

TEST(Target, TilesOfAGpuFitWhatItMultiplies) {
  for (int64_t headSize = 16; headSize <= 256; headSize += 16)
    for (bool hasScore : {false, true}) {
      Target target = Target::sm90a(headSize, 64, hasScore);
      expectTileOfGpu(target.tile);
      ASSERT_FALSE(target.locals.empty());
      for (const LocalTile &local : target.locals) {
        expectTileOfGpu(local.shape);
        EXPECT_LT(local.shape.rows, target.tile.rows);
      }
      // Wider rows and a score region leave less room.
      Target wider = Target::sm90a(headSize, 256, true);
      EXPECT_LE(wider.tile.rows * wider.tile.keys, target.tile.rows * target.tile.keys);
    }
}

TEST(Target, TilesOfF32AreSmall) {
  for (int64_t headSize : {1, 64, 65, 256}) {
    std::optional<Target> target = Target::find("sm_90a", headSize, 64, false, Target::Element::F32);
    ASSERT_TRUE(target);
    expectTileOfGpu(target->tile);
    TileShape of16Bits = Target::sm90a(headSize, 64, false).tile;
    EXPECT_LT(target->tile.rows * target->tile.keys, of16Bits.rows * of16Bits.keys);
    EXPECT_TRUE(target->locals.empty());
  }
}

/// Whether an sm_90a plan takes the tiles for few keys a row.
static bool isLocal(const PairSet &set) {
  Target target = Target::sm90a(64, 64, false);
  return planPattern(set, target).tile.rows == target.locals.front().shape.rows;
}

TEST(Target, CallsOfFewKeysTakeLocalTiles) {
  Target target = Target::sm90a(64, 64, false);
  target.compactKeys = 100;
  Plan plan = planPattern(PairSet::causal(), target);
  ASSERT_TRUE(plan.compact);
  CallValues values;
  values.symbols.assign(SymbolCount, 0);
  int64_t few = target.locals.front().shape.rows;
  for (auto [keys, rows] : {std::pair(0, few), {100, few}, {101, target.tile.rows}}) {
    values.symbols[KvLength] = keys;
    EXPECT_EQ(plan.tileFor(values).rows, rows) << keys;
  }
  EXPECT_FALSE(planPattern(windowOf(8, 8), target).compact); // takes them anyway
  target.compactKeys = 0;
  EXPECT_FALSE(planPattern(PairSet::causal(), target).compact);
}

TEST(Plan, CallsOfFewQueriesTakeTilesThatHaveThemAll) {
  Plan plan = planPattern(PairSet::causal(), Target::cpu());
  CallValues values;
  values.symbols.assign(SymbolCount, 0);
  values.symbols[Length] = 4;
  EXPECT_EQ(plan.tileFor(values).groupRows, plan.tile.groupRows);
  plan.few = TileShape{4, 1024, 1, 32};
  EXPECT_EQ(plan.tileFor(values).groupRows, 1);
  values.symbols[Length] = 5;
  EXPECT_EQ(plan.tileFor(values).groupRows, plan.tile.groupRows);
}

TEST(Target, ATypicalCallChoosesAmongLocalTiles) {
  // A row of 16 keys: tiles of 100 keys are mostly padding, unless a pair takes that much less time in them.
  PairSet set = windowOf(15, 0);
  Target target = Target::sm90a(64, 64, false);
  target.locals = {{{64, 100, 64, 100, true}, 1}, {{64, 80, 64, 80, true}, 1}};
  EXPECT_EQ(planPattern(set, target).tile.keys, 100);
  PlanHints hints{{}, callOf(4096, 4096, 0, 0)};
  EXPECT_EQ(planPattern(set, target, hints).tile.keys, 80);
  target.locals[1].pairTime = 1.3;
  EXPECT_EQ(planPattern(set, target, hints).tile.keys, 100);
  // What is tested takes its time elsewhere, and where a row looks at many keys there is no choice.
  target.locals[1].pairTime = 1;
  EXPECT_EQ(planPattern(PairSet::intersect({set, PairSet::where(0)}), target, hints).tile.keys, 100);
  EXPECT_EQ(planPattern(PairSet::causal(), target, hints).tile.keys, target.tile.keys);
}

TEST(Target, LocalTilesAreForFewKeysARow) {
  EXPECT_TRUE(isLocal(windowOf(256, 256)));
  EXPECT_TRUE(isLocal(PairSet::intersect({PairSet::causal(), PairSet::blockLocal(Expr(64))})));
  EXPECT_TRUE(isLocal(PairSet::sameSegment(2)));
  EXPECT_TRUE(isLocal(PairSet::unite({windowOf(256, 256), globalOf(0)})));
  EXPECT_TRUE(isLocal(PairSet::unite({PairSet::blockTable(1, Expr(64)), PairSet::range(Side::Keys, {}, Expr(64))})));
  EXPECT_TRUE(isLocal(PairSet::congruent(Dividend::Difference, Expr(100), Expr(0), Expr(0))));
  EXPECT_FALSE(isLocal(PairSet::full()));
  EXPECT_FALSE(isLocal(PairSet::causal()));
  EXPECT_FALSE(isLocal(PairSet::padded(Expr::symbol(PaddingSymbol))));
  EXPECT_FALSE(isLocal(PairSet::unite({PairSet::causal(), globalOf(0)})));
  EXPECT_FALSE(isLocal(PairSet::where(0)));
}
