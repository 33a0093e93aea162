// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs through a plan with the values of one call, without computing anything: which tiles are visited, by which phase,
// and how many pairs are admitted and multiplied. It follows the very bounds that the emitters lower.

#ifndef ATTN_PATTERN_WALK_H
#define ATTN_PATTERN_WALK_H

#include "attn/Pattern/Plan.h"

namespace attn {

/// An order with the values of one batch put in: rank r stands for row(r).
class BoundOrder {
public:
  BoundOrder(const Order &order, const CallValues &values);

  int64_t size() const { return count; }
  int64_t row(int64_t rank) const { return rows.empty() ? rank : rows[rank]; }
  bool containsRow(int64_t row) const;
  /// The id of a rank; only for orders that are sorted by segment. The last queries may have none.
  std::optional<int32_t> segment(int64_t rank) const;
  /// The ranks [first, second) of a segment; none without an id.
  std::pair<int64_t, int64_t> segmentRanks(std::optional<int32_t> id) const;
  /// The first rank in [begin, end) whose row is at least `row`; rows rise inside that range.
  int64_t rankOf(int64_t row, int64_t begin, int64_t end) const;
  /// Whether rows rise with ranks over the whole order.
  bool ascending() const { return isAscending; }

private:
  std::vector<int64_t> rows; // empty: rank = row
  std::vector<int32_t> ids;
  int64_t count = 0;
  bool isAscending = true;
};

/// One visited tile, in ranks of the phase's query order and the box's key order.
struct Visit {
  unsigned phase, box;
  int64_t queryBegin, queryEnd;
  int64_t keyBegin, keyEnd;
  bool full;
};

using VisitFn = llvm::function_ref<void(const Visit &)>;

/// Visits tiles query tile by query tile, as the forward pass does.
void walkByQuery(const Plan &plan, const CallValues &values, VisitFn visit);
/// Visits tiles key tile by key tile, as a backward pass does.
void walkByKey(const Plan &plan, const CallValues &values, VisitFn visit);

/// Pairs of one batch and head.
struct PairCounts {
  int64_t admitted = 0;
  int64_t computed = 0; // multiplied, padding included: sub-tiles of the visited tiles
  bool estimated = false;

  PairCounts &operator+=(const PairCounts &other);
};

/// Counts each phase. Residual tests are asked pair by pair up to `testLimit` pairs, and sampled by query tile beyond.
std::vector<PairCounts> countPairs(const Plan &plan, const CallValues &values, int64_t testLimit = int64_t(1) << 25);

} // namespace attn

#endif // ATTN_PATTERN_WALK_H
