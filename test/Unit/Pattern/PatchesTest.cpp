// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What bounds the columns of a grid is dense in patches of it: tiles of queries that are near each other along both
// axes.

#include "Planning.h"

using namespace attn;

namespace {

const Expr width = Expr::symbol(BlockSymbol);

/// One phase over patches of the grid, with that many boxes between columns of it, and no test.
void expectPatches(const Plan &plan, size_t boxes) {
  ASSERT_EQ(plan.phases.size(), 1u);
  const Phase &phase = plan.phases[0];
  const Order &queries = plan.orders[phase.queries];
  EXPECT_EQ(queries.kind, OrderKind::Patches);
  EXPECT_EQ(queries.modulus, width);
  EXPECT_EQ(queries.patchRows * queries.patchColumns, plan.tile.rows);
  ASSERT_EQ(phase.boxes.size(), boxes);
  for (const Box &box : phase.boxes) {
    ASSERT_TRUE(box.columns);
    EXPECT_EQ(box.columns->width, width);
  }
  EXPECT_EQ(countTests(plan), 0u);
  EXPECT_TRUE(plan.tested.empty());
}

void expectExactOnGrids(const Plan &plan, const PairSet &set, std::initializer_list<int64_t> widths) {
  for (int64_t value : widths)
    for (auto [length, kvLength, queryOffset, keyOffset] :
         {std::array{35, 35, 0, 0}, {30, 35, 5, 0}, {11, 40, 0, 0}, {20, 9, 3, 12}}) {
      CallValues values = callOf(length, kvLength, queryOffset, keyOffset);
      values.symbols[BlockSymbol] = value;
      expectExact(plan, set, values);
    }
}

} // namespace

TEST(Patches, ANeighborhoodIsOneBox) {
  std::vector<Coordinate> axes = Coordinate::grid({width});
  PairSet set = PairSet::intersect({PairSet::neighborhood(3, axes[0]), PairSet::neighborhood(3, axes[1])});
  Plan plan = planOf(set);
  expectPatches(plan, 1);
  expectExactOnGrids(plan, set, {3, 4, 7});
}

TEST(Patches, AFewColumnsOfAFewRowsStayTogether) {
  // Of all rows each column would be a class; of some rows a typical call shows that a patch multiplies less.
  PlanHints hints;
  hints.typical = callOf(1024, 1024, 0, 0);
  hints.typical->symbols[BlockSymbol] = 32;
  std::vector<Coordinate> axes = Coordinate::grid({width});
  PairSet columns = PairSet::window(Expr(2), Expr(1), 1, axes[1]);
  Plan ofAllRows = planPattern(columns, Target::cpu(), hints);
  EXPECT_EQ(ofAllRows.orders[ofAllRows.phases[0].queries], Order::classes(Side::Queries, width));
  PairSet set = PairSet::intersect({PairSet::window(Expr(1), Expr(1), 1, axes[0]), columns});
  Plan plan = planPattern(set, Target::cpu(), hints);
  expectPatches(plan, 1);
  expectExactOnGrids(plan, set, {1, 2, 5, 40});
}

TEST(Patches, CausalInRasterOrderIsABoxForEachAxisTwice) {
  // Rows of blocks above, blocks to the left, rows of the block above, and points to the left.
  std::vector<Coordinate> axes = Coordinate::grid({width});
  PairSet near = PairSet::intersect({PairSet::blockLocal(2, 2, 2, axes[0]), PairSet::blockLocal(3, 3, 3, axes[1])});
  PairSet set = PairSet::intersect({near, PairSet::causal(Coordinate::raster(axes, {Expr(2), Expr(3)}))});
  Plan plan = planOf(set);
  expectPatches(plan, 4);
  expectExactOnGrids(plan, set, {1, 3, 5, 6, 7});
}
