// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What comes back with a period is dense in an order of its own: classes where the query's remainder decides about the
// key's, remainders where one side is picked alone. Nothing is tested then, but where two periods meet.

#include "Planning.h"

using namespace attn;

static const Expr i = Expr::row(), kvLength = Expr::symbol(KvLength), queryOffset = Expr::symbol(QueryOffset),
                  keyOffset = Expr::symbol(KeyOffset), shift = queryOffset - keyOffset,
                  stride = Expr::symbol(BlockSymbol);
static const std::vector<std::string> aRemainder{"a remainder, or an axis of a grid"};

static PairSet differenceOf(const Expr &modulus, const Expr &first, const Expr &last) {
  return PairSet::congruent(Dividend::Difference, modulus, first, last);
}

/// Plans a set, and tries the plan on awkward calls with several values of the stride.
static Plan exactPlanOf(const PairSet &set, const Target &target = Target::cpu()) {
  Plan plan = planPattern(set, target);
  forEachCall([&](CallValues values) {
    for (int64_t value : {1, 2, 5, 13, 50}) {
      values.symbols[BlockSymbol] = value;
      if (!testing::Test::HasFatalFailure())
        expectExact(plan, set, values);
    }
  });
  return plan;
}

/// One phase over the classes of a modulus, with that many boxes over the same classes of keys, and no test.
static void expectClasses(const Plan &plan, const Expr &modulus, size_t boxes) {
  ASSERT_EQ(plan.phases.size(), 1u);
  const Phase &phase = plan.phases[0];
  EXPECT_EQ(plan.orders[phase.queries], Order::classes(Side::Queries, modulus));
  EXPECT_FALSE(phase.continues);
  ASSERT_EQ(phase.boxes.size(), boxes);
  for (const Box &box : phase.boxes) {
    EXPECT_EQ(plan.orders[box.keys], Order::classes(Side::Keys, modulus));
    EXPECT_TRUE(box.keyClass && box.queryClass);
  }
  EXPECT_EQ(countTests(plan), 0u);
  EXPECT_TRUE(plan.tested.empty());
}

//===-- Classes ---------------------------------------------------------------------------------------------------===//

TEST(Periods, ADilatedWindowIsAWindowInEachClass) {
  for (const Expr &dilation : {stride, Expr(4)}) {
    Plan plan = exactPlanOf(PairSet::window(Expr(3), Expr(2), dilation));
    expectClasses(plan, dilation, 1);
    const Box &box = plan.phases[0].boxes[0];
    EXPECT_EQ(box.bounds.lower, Expr::max({0, i + shift - dilation * 3}));
    EXPECT_EQ(box.bounds.upper, Expr::min({kvLength, i + shift + dilation * 2 + 1}));
    EXPECT_EQ(*box.keyClass, Expr::mod(i + shift, dilation));
    EXPECT_EQ(*box.queryClass, Expr::mod(i - shift, dilation));
    EXPECT_FALSE(box.hole);
  }
}

TEST(Periods, ADilationOfOneIsAWindow) { expectPlain(exactPlanOf(PairSet::window(Expr(3), Expr(2), Expr(1))), 1); }

TEST(Periods, OneRemainderOfTheDifferenceShiftsTheClass) {
  Plan plan = exactPlanOf(differenceOf(Expr(8), Expr(3), Expr(3)));
  expectClasses(plan, 8, 1);
  EXPECT_EQ(*plan.phases[0].boxes[0].keyClass, Expr::mod(i + shift - 3, 8));
  EXPECT_EQ(*plan.phases[0].boxes[0].queryClass, Expr::mod(i - shift + 3, 8));
}

TEST(Periods, FewRemaindersOfTheDifferenceAreABoxEach) {
  Plan plan = exactPlanOf(differenceOf(Expr(5), Expr(1), Expr(2)));
  ASSERT_EQ(plan.phases.size(), 1u);
  EXPECT_EQ(plan.orders[plan.phases[0].queries], Order::classes(Side::Queries, 5));
  EXPECT_EQ(countTests(plan), 0u);
}

TEST(Periods, AColumnOfAGridIsAClass) {
  Coordinate column = Coordinate::grid({stride})[1];
  expectClasses(exactPlanOf(PairSet::window(Expr(0), Expr(0), 1, column)), stride, 1);
}

TEST(Periods, ColumnsNearbyAreABoxEach) {
  std::vector<Coordinate> grid = Coordinate::grid({stride});
  // Three columns of three rows. Beside the grid there is no column: that box is empty.
  Plan plan = exactPlanOf(PairSet::intersect(
      {PairSet::window(Expr(1), Expr(1), 1, grid[1]), PairSet::window(Expr(1), Expr(1), 1, grid[0])}));
  expectClasses(plan, stride, 3);
  CallValues values = callOf(12, 12, 0, 0);
  values.symbols[BlockSymbol] = 4;
  const Box &left = plan.phases[0].boxes[0];
  for (int64_t row = 0; row < 12; ++row)
    EXPECT_EQ(left.keyClass->evaluate(row, values.symbols), row % 4 == 0 ? 4 : row % 4 - 1) << row;
}

TEST(Periods, ManyColumnsAreNoClasses) {
  Plan plan = exactPlanOf(PairSet::window(Expr(4), Expr(4), 1, Coordinate::grid({stride})[1]));
  ASSERT_EQ(plan.phases.size(), 1u);
  EXPECT_EQ(plan.orders[plan.phases[0].queries].kind, OrderKind::Patches);
  EXPECT_EQ(countTests(plan), 0u);
}

/// Columns of a grid `stride` wide, between expressions of the query's column.
static Columns columnsFrom(const Expr &lower, const Expr &upper) { return {stride, keyOffset, lower, upper}; }

TEST(Periods, APatchLooksAtSoManyColumnsMore) {
  Expr column = Expr::mod(i + queryOffset, stride), size = Expr::symbol(PaddingSymbol);
  Expr begin = Expr::min({Expr::max({0, column - 3}), stride - size});
  EXPECT_EQ(columnsFrom(begin, begin + size).span(8), Expr::min({stride, size + 7}));
  EXPECT_EQ(columnsFrom(column - 2, column + 3).span(4), Expr::min({stride, 8}));
  EXPECT_EQ(columnsFrom(kvLength, kvLength + 5).span(8), Expr::min({stride, 5}));
  // Columns whose number moves, or that come back.
  EXPECT_EQ(columnsFrom(0, column + 1).span(8), stride);
  EXPECT_EQ(columnsFrom(-column, Expr(5) - column).span(8), stride);
  EXPECT_EQ(columnsFrom(Expr::mod(i, 5), Expr::mod(i, 5) + 2).span(8), stride);
}

TEST(Periods, ASecondModulusIsTestedInTheClasses) {
  Plan plan = exactPlanOf(
      PairSet::intersect({differenceOf(stride, Expr(0), Expr(0)), differenceOf(Expr(3), Expr(0), Expr(0))}));
  ASSERT_EQ(plan.phases.size(), 1u);
  EXPECT_EQ(plan.orders[plan.phases[0].queries], Order::classes(Side::Queries, stride));
  ASSERT_EQ(plan.phases[0].boxes.size(), 1u);
  EXPECT_EQ(*plan.phases[0].boxes[0].test, differenceOf(Expr(3), Expr(0), Expr(0)));
  EXPECT_EQ(plan.tested, aRemainder);
}

TEST(Periods, SegmentsAreTestedInTheClasses) {
  Plan plan = planOf(PairSet::intersect({PairSet::sameSegment(2), differenceOf(stride, Expr(0), Expr(0))}));
  ASSERT_EQ(plan.phases.size(), 1u);
  EXPECT_EQ(plan.orders[plan.phases[0].queries], Order::classes(Side::Queries, stride));
  EXPECT_EQ(plan.tested, std::vector<std::string>{"attn.segments"});
}

//===-- Stages ----------------------------------------------------------------------------------------------------===//

TEST(Periods, AWindowAndAColumnAreTwoPhasesOfTheSameRows) {
  // Sparse Transformer, strided: the last rows in their order, and the column behind them in classes.
  PairSet set = PairSet::unite({PairSet::window(stride - 1, Expr(0)),
                                PairSet::intersect({differenceOf(stride, Expr(0), Expr(0)), PairSet::causal()})});
  Plan plan = exactPlanOf(set);
  ASSERT_EQ(plan.phases.size(), 2u);
  EXPECT_EQ(plan.orders[plan.phases[0].queries], Order::all(Side::Queries));
  EXPECT_FALSE(plan.phases[0].continues);
  EXPECT_EQ(plan.orders[plan.phases[1].queries], Order::classes(Side::Queries, stride));
  EXPECT_TRUE(plan.phases[1].continues);
  EXPECT_EQ(plan.startOf(1), 0u);
  // What the window holds on the right is past the column's end: a bound, and no hole.
  EXPECT_FALSE(plan.phases[1].boxes[0].hole);
  EXPECT_EQ(countTests(plan), 0u);
}

/// Dilated windows of different dilations: that many moduli.
static PairSet dilatedWindows(int64_t count) {
  std::vector<PairSet> sets;
  for (int64_t dilation = 2; dilation < 2 + count; ++dilation)
    sets.push_back(PairSet::window(Expr(2), Expr(0), Expr(dilation)));
  return PairSet::unite(sets);
}

TEST(Periods, EachModulusIsAPhase) {
  Plan plan = exactPlanOf(dilatedWindows(3));
  ASSERT_EQ(plan.phases.size(), 3u);
  for (unsigned phase = 0; phase < 3; ++phase) {
    EXPECT_EQ(plan.orders[plan.phases[phase].queries], Order::classes(Side::Queries, 2 + phase));
    EXPECT_EQ(plan.phases[phase].continues, phase > 0);
    EXPECT_EQ(plan.startOf(phase), 0u);
  }
  // A pair that an earlier dilation has taken must not count twice.
  EXPECT_FALSE(plan.phases[0].boxes[0].test);
  EXPECT_EQ(plan.tested, std::vector<std::string>{"outside of " + aRemainder[0]});
}

TEST(Periods, TooManyPhasesBecomeOneThatIsTested) {
  PairSet set = dilatedWindows(3);
  Target target = Target::cpu();
  target.maxPhases = 3;
  EXPECT_EQ(planPattern(set, target).phases.size(), 3u);
  target.maxPhases = 2;
  Plan plan = exactPlanOf(set, target);
  ASSERT_EQ(plan.phases.size(), 1u);
  EXPECT_EQ(plan.orders[plan.phases[0].queries], Order::all(Side::Queries));
  ASSERT_EQ(plan.phases[0].boxes.size(), 1u);
  EXPECT_EQ(*plan.phases[0].boxes[0].test, set);
}

TEST(Periods, OwnersOfRowsBeginEachStage) {
  // Global rows own themselves; the others are begun in their order and gone on with in classes.
  Plan plan = planOf(PairSet::unite({PairSet::window(Expr(8), Expr(0), Expr(4)), globalOf(0)}));
  ASSERT_EQ(plan.phases.size(), 3u);
  EXPECT_EQ(plan.orders[plan.phases[0].queries], Order::listed(Side::Queries, 0));
  EXPECT_FALSE(plan.phases[1].continues);
  EXPECT_TRUE(plan.phases[2].continues);
  EXPECT_EQ(plan.phases[2].except, plan.phases[1].except);
  EXPECT_EQ(plan.startOf(2), 1u);
  EXPECT_EQ(plan.startOf(0), 0u);
}

//===-- Moduli that a call brings in memory -----------------------------------------------------------------------===//

TEST(Periods, TargetsMayNotReadModuli) {
  PlanHints hints;
  hints.isData = [](unsigned symbol) { return symbol == FlagSymbol; };
  Target reads = Target::cpu(), readsNot = Target::cpu();
  readsNot.readsModuli = false;
  for (const Expr &ofHead : {Expr::symbol(FlagSymbol), Expr::symbol(Head) + 1}) {
    PairSet set = PairSet::window(Expr(2), Expr(0), ofHead);
    expectClasses(planPattern(set, reads, hints), ofHead, 1);
    Plan plan = planPattern(set, readsNot, hints);
    EXPECT_EQ(plan.orders[plan.phases[0].queries], Order::all(Side::Queries));
    EXPECT_EQ(plan.tested, aRemainder);
  }
  // A number of the call's own is no such.
  expectClasses(planPattern(PairSet::window(Expr(2), Expr(0), stride), readsNot, hints), stride, 1);
}

//===-- Remainders of one side ------------------------------------------------------------------------------------===//

TEST(Periods, KeysOfSomeRemaindersAreAnOrder) {
  Plan plan =
      exactPlanOf(PairSet::intersect({PairSet::congruent(Dividend::Key, stride, Expr(1), Expr(2)), PairSet::causal()}));
  ASSERT_EQ(plan.phases.size(), 1u);
  ASSERT_EQ(plan.phases[0].boxes.size(), 1u);
  const Box &box = plan.phases[0].boxes[0];
  EXPECT_EQ(plan.orders[box.keys], Order::remainders(Side::Keys, stride, keyOffset, 1, Expr::min({3, stride})));
  EXPECT_EQ(box.bounds.upper, Expr::min({kvLength, i + shift + 1}));
  EXPECT_TRUE(plan.tested.empty());
}

TEST(Periods, RemaindersThatACallBringsAreCut) {
  // Below 0 and past the modulus there is none.
  Expr first = Expr::symbol(LeftSymbol), last = Expr::symbol(RightSymbol);
  for (Dividend dividend : {Dividend::Key, Dividend::Query}) {
    PairSet some = PairSet::congruent(dividend, Expr(4), first, last);
    Plan plan = planOf(some);
    EXPECT_TRUE(plan.tested.empty());
    for (int64_t from : {-3, 0, 2, 5})
      for (int64_t to : {-1, 0, 1, 3, 9}) {
        CallValues values = callOf(13, 11, 2, -5);
        values.symbols[LeftSymbol] = from, values.symbols[RightSymbol] = to;
        expectExact(plan, some, values);
      }
  }
}

TEST(Periods, KeysOutsideOfSomeRemaindersAreTwoOrders) {
  PairSet some = PairSet::congruent(Dividend::Key, stride, Expr(1), Expr(2));
  Plan plan = exactPlanOf(some.complement());
  ASSERT_EQ(plan.phases[0].boxes.size(), 2u);
  EXPECT_EQ(plan.orders[plan.phases[0].boxes[0].keys],
            Order::remainders(Side::Keys, stride, keyOffset, 0, Expr::min({1, stride})));
  EXPECT_EQ(plan.orders[plan.phases[0].boxes[1].keys], Order::remainders(Side::Keys, stride, keyOffset, 3, stride));
  EXPECT_TRUE(plan.tested.empty());
}

TEST(Periods, RemaindersThatImplyEachOtherAreOneOrder) {
  auto keys = [](int64_t first, int64_t last) {
    return PairSet::congruent(Dividend::Key, Expr(8), Expr(first), Expr(last));
  };
  Plan plan = exactPlanOf(PairSet::intersect({keys(2, 5), keys(3, 4)}));
  ASSERT_EQ(plan.phases[0].boxes.size(), 1u);
  EXPECT_EQ(plan.orders[plan.phases[0].boxes[0].keys], Order::remainders(Side::Keys, 8, keyOffset, 3, 5));
  EXPECT_TRUE(plan.tested.empty());
  expectPlain(exactPlanOf(PairSet::intersect({keys(0, 2), keys(3, 7)})), 0);
  // The second of two that overlap is what the first leaves.
  plan = exactPlanOf(PairSet::unite({keys(2, 5), keys(4, 7)}));
  ASSERT_EQ(plan.phases[0].boxes.size(), 2u);
  EXPECT_EQ(plan.orders[plan.phases[0].boxes[1].keys], Order::remainders(Side::Keys, 8, keyOffset, 6, 8));
  EXPECT_TRUE(plan.tested.empty());
}

TEST(Periods, QueriesOfSomeRemaindersOwnTheirRows) {
  PairSet some = PairSet::congruent(Dividend::Query, stride, Expr(1), Expr(2));
  Plan plan = exactPlanOf(PairSet::unite({windowOf(3, 0), some}));
  ASSERT_EQ(plan.phases.size(), 2u);
  Order order = Order::remainders(Side::Queries, stride, queryOffset, 1, Expr::min({3, stride}));
  EXPECT_EQ(plan.orders[plan.phases[0].queries], order);
  EXPECT_EQ(plan.phases[0].boxes[0].bounds.upper, kvLength);
  EXPECT_EQ(plan.orders[plan.phases[1].queries], Order::all(Side::Queries));
  EXPECT_EQ(plan.phases[1].except, (llvm::SmallVector<unsigned, 2>{plan.phases[0].queries}));
  EXPECT_FALSE(plan.phases[1].continues);
  EXPECT_EQ(countTests(plan), 0u);
}

TEST(Periods, OtherQueriesOfSomeRemaindersLookElsewhere) {
  // What holds outside of some rows is their complement, not a second set of rows.
  PairSet some = PairSet::congruent(Dividend::Query, Expr(3), Expr(1), Expr(1));
  Plan plan =
      exactPlanOf(PairSet::unite({PairSet::intersect({some, windowOf(9, 0)}), PairSet::minus(windowOf(1, 1), some)}));
  ASSERT_EQ(plan.phases.size(), 2u);
  EXPECT_EQ(plan.phases[0].boxes[0].bounds.lower, Expr::max({0, i + shift - 9}));
  EXPECT_EQ(plan.phases[1].boxes[0].bounds.lower, Expr::max({0, i + shift - 1}));
  EXPECT_EQ(countTests(plan), 0u);
}

TEST(Periods, RowsWithAPhaseOfTheirOwnStayInTheirOrder) {
  // Rows that are picked are few: they are put into no classes, and their dilation is tested.
  PairSet some = PairSet::congruent(Dividend::Query, Expr(3), Expr(0), Expr(0));
  Plan plan = exactPlanOf(PairSet::intersect({some, PairSet::window(Expr(3), Expr(0), Expr(4))}));
  ASSERT_EQ(plan.phases.size(), 2u);
  EXPECT_EQ(plan.orders[plan.phases[0].boxes[0].keys], Order::all(Side::Keys));
  EXPECT_EQ(plan.tested, aRemainder);
}
