// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Plans for the CPU, and what tests say of them.

#ifndef ATTN_TEST_UNIT_PATTERN_PLANNING_H
#define ATTN_TEST_UNIT_PATTERN_PLANNING_H

#include "Laws.h"
#include "attn/Pattern/Walk.h"

namespace attn {

inline Plan planOf(const PairSet &set) { return planPattern(set, Target::cpu()); }

inline PairSet windowOf(int64_t left, int64_t right) { return PairSet::window(Expr(left), Expr(right)); }

inline PairSet globalOf(unsigned table) {
  return PairSet::unite({PairSet::listed(Side::Queries, table), PairSet::listed(Side::Keys, table)});
}

inline size_t countTests(const Plan &plan) {
  size_t count = 0;
  for (const Phase &phase : plan.phases)
    for (const Box &box : phase.boxes)
      count += box.test.has_value();
  return count;
}

/// A plan of one phase over all query rows, whose boxes take all key rows, have no hole and test nothing.
inline void expectPlain(const Plan &plan, size_t boxes) {
  ASSERT_EQ(plan.phases.size(), 1u);
  EXPECT_EQ(plan.orders[plan.phases[0].queries], Order::all(Side::Queries));
  EXPECT_TRUE(plan.phases[0].except.empty());
  EXPECT_EQ(plan.phases[0].boxes.size(), boxes);
  for (const Box &box : plan.phases[0].boxes) {
    EXPECT_EQ(plan.orders[box.keys], Order::all(Side::Keys));
    EXPECT_FALSE(box.sameSegment);
    EXPECT_FALSE(box.hole);
  }
  EXPECT_EQ(countTests(plan), 0u);
  EXPECT_TRUE(plan.tested.empty());
}

/// How many boxes of the phases that write a query row hold this pair.
inline int boxesWith(const Plan &plan, const CallValues &values, int64_t i, int64_t j) {
  auto hasRow = [&](unsigned order, int64_t row) { return BoundOrder(plan.orders[order], values).containsRow(row); };
  int count = 0;
  for (const Phase &phase : plan.phases) {
    auto isOthers = [&](unsigned order) { return hasRow(order, i); };
    if (!Plan::runs(phase, values) || !hasRow(phase.queries, i) || llvm::any_of(phase.except, isOthers))
      continue;
    for (const Box &box : phase.boxes)
      count += hasRow(box.keys, j) && plan.pairsOf(box).contains(values, i, j);
  }
  return count;
}

/// Every admitted pair is in one box and no other pair is in any; classes say the same by query row and by key row.
inline void expectExact(const Plan &plan, const PairSet &set, const CallValues &values) {
  for (int64_t i = 0; i < values.length(); ++i)
    for (int64_t j = 0; j < values.kvLength(); ++j) {
      ASSERT_EQ(boxesWith(plan, values, i, j), set.contains(values, i, j))
          << "query row " << i << ", key row " << j << ", " << textOf(values);
      for (const Phase &phase : plan.phases)
        for (const Box &box : phase.boxes) {
          if (!box.keyClass)
            continue;
          int64_t modulus = plan.orders[box.keys].modulus.evaluate(0, values.symbols);
          ASSERT_EQ(box.keyClass->evaluate(i, values.symbols) == j % modulus,
                    box.queryClass->evaluate(j, values.symbols) == i % modulus)
              << "query row " << i << ", key row " << j << ", " << textOf(values);
        }
    }
}

} // namespace attn

#endif // ATTN_TEST_UNIT_PATTERN_PLANNING_H
