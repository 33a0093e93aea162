// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs through a plan with the values of one call, without computing anything: which tiles are visited, by which phase,
// and how many pairs are admitted and multiplied. It follows the very bounds that the emitters lower.

#ifndef ATTN_PATTERN_WALK_H
#define ATTN_PATTERN_WALK_H

#include "attn/Pattern/Plan.h"
#include <algorithm>

namespace attn {

/// An order with the values of one batch and head put in: rank r stands for row(r).
class BoundOrder {
public:
  BoundOrder(const Order &order, const CallValues &values);

  int64_t size() const { return count; }
  /// -1 for a rank of a patch that lies beyond the grid's edge.
  int64_t row(int64_t rank) const { return rows.empty() ? rank : rows[rank]; }
  bool containsRow(int64_t row) const;
  /// The id of a rank; only for orders that are sorted by segment. The last queries may have none.
  std::optional<int32_t> segment(int64_t rank) const;
  /// The ranks [first, second) of a segment; none without an id.
  std::pair<int64_t, int64_t> segmentRanks(std::optional<int32_t> id) const;
  /// The ranks of a class, and the class of the modulus has none.
  std::pair<int64_t, int64_t> classRanks(int64_t number) const;
  /// The ranks of each class that has some; other orders count as one class.
  std::vector<std::pair<int64_t, int64_t>> classes() const;
  bool isInClasses() const { return isByClass; }
  /// The ranks of each block, in which tiles lie; other orders count as one block.
  std::vector<std::pair<int64_t, int64_t>> blocks() const;
  /// The first rank in [begin, end) whose row is at least `row`; rows rise inside that range.
  int64_t rankOf(int64_t row, int64_t begin, int64_t end) const;
  /// Whether rows rise with ranks over the whole order.
  bool ascending() const { return isAscending; }

private:
  void fillComputed(const Order &order, const CallValues &values);
  void fillPatches(const Order &order);
  void fillListed(const Order &order, const CallValues &values);
  void fillSorted(const Order &order, const CallValues &values);

  std::vector<int64_t> rows; // empty: rank = row
  std::vector<int32_t> ids;
  int64_t count = 0, modulus = 1;
  int64_t blockSize = 0, blockShift = 0; // of an order in blocks
  bool isAscending = true, isByClass = false;
};

/// A rectangle of the keys' grid, cut into boxes, of which those below each other come one after the other. Ranks count
/// a box row by row, and those of each box begin at a multiple of `boxRanks`; some may stand for no key.
struct KeyGrid {
  int64_t first; // the row of rank 0
  int64_t rows, columns;
  int64_t width; // rows from one of its rows to the next
  int64_t boxRows, boxColumns, boxRanks;

  /// One box.
  static KeyGrid whole(int64_t first, int64_t rows, int64_t columns, int64_t width) {
    return {first, rows, columns, width, std::max<int64_t>(rows, 1), columns, std::max<int64_t>(rows * columns, 1)};
  }

  int64_t size() const { return boxesDown() * ((columns + boxColumns - 1) / boxColumns) * boxRanks; }
  /// -1 for a rank that stands for no point of the rectangle.
  int64_t row(int64_t rank) const {
    int64_t box = rank / boxRanks, inBox = rank % boxRanks;
    int64_t y = box % boxesDown() * boxRows + inBox / boxColumns,
            x = box / boxesDown() * boxColumns + inBox % boxColumns;
    return inBox < boxRows * boxColumns && y < rows && x < columns ? first + y * width + x : -1;
  }

private:
  int64_t boxesDown() const { return (rows + boxRows - 1) / boxRows; }
};

/// One visited tile, in ranks of the phase's query order and the box's key order.
struct Visit {
  unsigned phase, box;
  int64_t queryBegin, queryEnd;
  int64_t keyBegin, keyEnd;
  bool full;
  int64_t slot;                // of a box over listed blocks: the entry of the list
  std::optional<KeyGrid> grid; // of a box between columns, seen from the query side: what key ranks are
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
/// Of each box at least every `sample`-th query tile is counted; more than 1 makes an estimate.
std::vector<PairCounts> countPairs(const Plan &plan, const CallValues &values, int64_t testLimit = int64_t(1) << 25,
                                   int64_t sample = 1);

} // namespace attn

#endif // ATTN_PATTERN_WALK_H
