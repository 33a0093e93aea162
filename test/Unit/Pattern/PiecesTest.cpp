// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a set falls into pieces: where something else is left out, a box gets a bound, a hole, or a second box.

#include "Planning.h"

using namespace attn;

static const Expr i = Expr::row(), kvLength = Expr::symbol(KvLength),
                  shift = Expr::symbol(QueryOffset) - Expr::symbol(KeyOffset), block = Expr::symbol(BlockSymbol);

static PairSet everyEighthKey() { return PairSet::congruent(Dividend::Key, Expr(8), Expr(0), Expr(0)); }

/// Plans a set, and tries the plan on awkward calls.
static Plan exactPlanOf(const PairSet &set) {
  Plan plan = planOf(set);
  forEachCall([&](CallValues values) {
    values.symbols[BlockSymbol] = 5;
    if (!testing::Test::HasFatalFailure())
      expectExact(plan, set, values);
  });
  return plan;
}

//===-- Holes -----------------------------------------------------------------------------------------------------===//

TEST(Pieces, AHoleInConsecutiveRowsIsTwoBoxes) {
  expectPlain(exactPlanOf(PairSet::minus(windowOf(9, 9), windowOf(2, 3))), 2);
  // The block holds its row, so that what is left of the window is before it or behind it.
  expectPlain(exactPlanOf(PairSet::minus(windowOf(9, 9), PairSet::blockLocal(block))), 2);
}

TEST(Pieces, AHoleInAnOrderOfItsOwnStays) {
  const PairSet sets[] = {everyEighthKey(), PairSet::window(Expr(3), Expr(3), Expr(4))};
  for (const PairSet &set : sets) {
    Plan plan = exactPlanOf(PairSet::unite({windowOf(2, 3), set}));
    const Box &box = plan.phases.back().boxes.back();
    ASSERT_TRUE(box.hole);
    EXPECT_EQ(box.hole->lower, i + shift - 2);
    EXPECT_EQ(box.hole->upper, i + shift + 4);
    EXPECT_EQ(box.hole->queryLower, i - shift - 3);
    EXPECT_EQ(box.hole->queryUpper, i - shift + 3);
    EXPECT_EQ(countTests(plan), 0u);
  }
}

TEST(Pieces, OneHoleStaysAndOthersFallApart) {
  // Every eighth key outside of the block and, on either side of it, outside of the window.
  PairSet near = PairSet::unite({windowOf(2, 3), PairSet::blockLocal(block)});
  Plan plan = exactPlanOf(PairSet::minus(everyEighthKey(), near));
  ASSERT_EQ(plan.phases.size(), 1u);
  ASSERT_EQ(plan.phases[0].boxes.size(), 2u);
  for (const Box &box : plan.phases[0].boxes)
    EXPECT_TRUE(box.hole);
  EXPECT_EQ(countTests(plan), 0u);
}

TEST(Pieces, AHoleWithOneSideIsABound) {
  // Keys at or before the query are not past its window.
  Plan plan = exactPlanOf(PairSet::minus(PairSet::intersect({everyEighthKey(), PairSet::causal()}), windowOf(2, 0)));
  ASSERT_EQ(plan.phases[0].boxes.size(), 1u);
  const Box &box = plan.phases[0].boxes[0];
  EXPECT_FALSE(box.hole);
  EXPECT_EQ(box.bounds.upper, Expr::min({kvLength, i + shift - 2}));
}

TEST(Pieces, AHoleBesideTheBoxVanishes) {
  PairSet far = PairSet::window(Expr(20), Expr(-10));
  Plan plan = exactPlanOf(PairSet::minus(PairSet::intersect({far, everyEighthKey()}), windowOf(9, 9)));
  ASSERT_EQ(plan.phases[0].boxes.size(), 1u);
  EXPECT_FALSE(plan.phases[0].boxes[0].hole);
  EXPECT_EQ(plan.phases[0].boxes[0].bounds.upper, Expr::min({kvLength, i + shift - 9}));
}

TEST(Pieces, AHoleOverAllOfTheBoxLeavesNothing) {
  expectPlain(exactPlanOf(PairSet::minus(windowOf(2, 2), windowOf(5, 5))), 0);
  expectPlain(exactPlanOf(PairSet::minus(PairSet::intersect({windowOf(2, 2), everyEighthKey()}), windowOf(2, 2))), 0);
  expectPlain(exactPlanOf(PairSet::minus(windowOf(0, 0), PairSet::blockLocal(block))), 0);
}

TEST(Pieces, HalfSpacesOfOneKindUnite) {
  // Keys before the block, or before the row: whichever ends later.
  PairSet before = PairSet::minus(PairSet::causal(), windowOf(0, 0));
  PairSet beforeBlock = PairSet::minus(PairSet::causal(), PairSet::blockLocal(block));
  Plan plan = exactPlanOf(PairSet::unite({before, beforeBlock, PairSet::window(Expr(3), Expr(3), Expr(4))}));
  for (const Phase &phase : plan.phases)
    for (const Box &box : phase.boxes)
      EXPECT_FALSE(box.test);
}

//===-- Bounds ----------------------------------------------------------------------------------------------------===//

TEST(Pieces, ImpliedBoundsAreLeftOut) {
  // A block ends behind its row, and the block before it ends where it begins.
  Plan plan = exactPlanOf(PairSet::intersect({PairSet::causal(), PairSet::blockLocal(block)}));
  expectPlain(plan, 1);
  EXPECT_EQ(plan.phases[0].boxes[0].bounds.upper, Expr::min({kvLength, i + shift + 1}));
  PairSet previous = PairSet::minus(PairSet::blockLocal(block, block, Expr(0)), PairSet::blockLocal(block));
  plan = exactPlanOf(PairSet::intersect({previous, PairSet::causal()}));
  expectPlain(plan, 1);
  Expr begin = Expr::floorDiv(i + Expr::symbol(QueryOffset), block) * block - Expr::symbol(KeyOffset);
  EXPECT_EQ(plan.phases[0].boxes[0].bounds.lower, Expr::max({0, begin - block}));
  EXPECT_EQ(plan.phases[0].boxes[0].bounds.upper, Expr::min({kvLength, begin}));
}
