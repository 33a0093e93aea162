// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A box with the values of a call put in: which key ranks each query row looks at, and the other way round.

#ifndef ATTN_LIB_PATTERN_BOUNDBOX_H
#define ATTN_LIB_PATTERN_BOUNDBOX_H

#include "attn/Pattern/BoundSet.h"
#include "attn/Pattern/Course.h"
#include "attn/Pattern/Walk.h"
#include "llvm/Support/MathExtras.h"
#include <limits>

namespace attn {

/// Inner ranks that one outer row looks at: [begin, end) without [holeBegin, holeEnd), which lies inside, away from
/// both ends. An empty interval or hole begins at `never`, so that it takes part in no minimum and makes no tile full.
struct Interval {
  static constexpr int64_t never = std::numeric_limits<int64_t>::max();
  int64_t begin = never, end = 0;
  int64_t holeBegin = never, holeEnd = 0;

  Interval() = default;
  Interval(int64_t first, int64_t last) {
    if (first < last)
      begin = first, end = last;
  }

  bool empty() const { return begin >= end; }
  bool hasHole() const { return holeBegin < holeEnd; }
  int64_t size() const { return empty() ? 0 : end - begin - (hasHole() ? holeEnd - holeBegin : 0); }
  bool contains(int64_t rank) const { return begin <= rank && rank < end && (rank < holeBegin || rank >= holeEnd); }
  bool meets(int64_t b, int64_t e) const {
    b = std::max(begin, b), e = std::min(end, e);
    return b < e && (b < holeBegin || e > holeEnd);
  }

  /// Leaves ranks out: at an end the interval becomes shorter.
  void leaveOut(int64_t first, int64_t last) {
    first = std::max(first, begin), last = std::min(last, end);
    if (empty() || first >= last)
      return;
    if (first > begin && last < end)
      holeBegin = first, holeEnd = last;
    else
      *this = first > begin ? Interval(begin, first) : Interval(last, end);
  }
};

/// The reductions of some intervals that decide about tiles.
struct Hull {
  int64_t begin = Interval::never, end = 0;         // some row may look here
  int64_t fullBegin = 0, fullEnd = Interval::never; // every row looks here, but for holes
  int64_t holeBegin = Interval::never, holeEnd = 0; // all holes are here
  void add(const Interval &interval) {
    begin = std::min(begin, interval.begin);
    end = std::max(end, interval.end);
    fullBegin = std::max(fullBegin, interval.begin);
    fullEnd = std::min(fullEnd, interval.end);
    holeBegin = std::min(holeBegin, interval.holeBegin);
    holeEnd = std::max(holeEnd, interval.holeEnd);
  }
  bool isFull(int64_t b, int64_t e) const { return fullBegin <= b && e <= fullEnd && (e <= holeBegin || b >= holeEnd); }
};

/// One box of one phase with the values of a call.
class BoundBox {
public:
  /// Of a box over listed blocks, `slot` says which entry of the list is meant.
  BoundBox(const Plan &plan, const Phase &phase, const Box &box, const CallValues &values, int64_t slot);

  /// Turns to a tile of queries. Of a box between columns, key ranks are those of the rectangle that the tile looks at,
  /// or of all rows from the first to the last, whichever are fewer. Anchored tiles are boxes of the rectangle, as wide
  /// as it is expected to be, and rows count that the phase does not write.
  void turnTo(int64_t queryBegin, int64_t queryEnd, const TileShape &shape) const;

  int64_t keyCount() const { return box.columns ? grid.size() : keys.size(); }
  int64_t keyRow(int64_t rank) const { return box.columns ? grid.row(rank) : keys.row(rank); }
  std::optional<KeyGrid> keyGrid() const { return box.columns ? std::optional<KeyGrid>(grid) : std::nullopt; }

  /// The key ranks that a query rank looks at, and the query ranks that look at a key rank.
  Interval keysOf(int64_t queryRank) const;
  Interval queriesOf(int64_t keyRank) const;

  /// How many of the key ranks [begin, end) are other boxes', where ranks are the order's own.
  int64_t leftOutIn(int64_t begin, int64_t end) const;

  /// How many keys of [begin, end) are in an interval of key ranks, and the box's.
  int64_t countOf(const Interval &interval, int64_t begin, int64_t end) const;

  /// How many keys a query rank of a box between columns looks at: those of whole rows of the grid, and of two parts.
  int64_t countOnGrid(int64_t queryRank) const;

  /// Whether pairs are looked at one by one.
  bool asksPairs() const { return test || box.columns; }

  /// Whether a pair inside the bounds passes the box's test and lies between its columns.
  bool passes(int64_t queryRank, int64_t keyRank) const { return passesRow(queryRank, keyRow(keyRank)); }

  /// The same for a key rank of the order, and bounds too.
  bool admits(int64_t queryRank, int64_t keyRank) const;

  /// Whether intervals seen from the key side say everything.
  bool exactByKey() const {
    return !asksPairs() && !box.blocks && (box.sameSegment || box.queryClass || queries.ascending());
  }

  const Box &box;
  const CallValues &values;
  BoundOrder queries, keys;
  int64_t slot;
  std::vector<bool> owned; // by query rank: the phase writes this row

private:
  mutable std::optional<BoundSet> test;              // remembers the query row that it was asked about last
  mutable KeyGrid grid = KeyGrid::whole(0, 0, 1, 1); // of the tile at hand
  int64_t span = 0;                                  // of columns, of the phase's boxes
  int64_t gridWidth = 1, gridShift = 0;              // of columns
  std::vector<int64_t> othersKeys;                   // rows that are other boxes'
  std::vector<bool> leftOut;                         // by key row: other boxes'; empty where there are none
  std::vector<int64_t> leftOutBefore;                // by key rank: how many of the ranks below are

  void findLeftOut(const Plan &plan);
  bool isLeftOut(int64_t key) const { return key >= 0 && !leftOut.empty() && leftOut[key]; }

  using Ranks = std::pair<int64_t, int64_t>;
  static constexpr Ranks noRanks{0, 0};

  /// Where a query row looks on a grid: at the key rows [begin, end), but for the hole, whose columns are
  /// [left, right).
  struct GridLook {
    int64_t begin, end, left, right, holeBegin, holeEnd;

    bool empty() const { return begin >= end || left >= right; }
  };
  mutable int64_t firstOfTile = 0; // query rank
  mutable std::vector<GridLook> looksOfTile;

  void rememberLooks(int64_t queryBegin, int64_t queryEnd) const;
  /// Those of the tile at hand are remembered.
  GridLook lookOf(int64_t queryRank) const;
  int64_t columnOf(int64_t key) const {
    return key + gridShift - llvm::divideFloorSigned(key + gridShift, gridWidth) * gridWidth;
  }
  bool looksAt(const GridLook &at, int64_t key) const;

  /// Whole rows of the rectangle; its columns are asked pair by pair.
  Interval gridInterval(int64_t queryRank) const;
  bool passesRow(int64_t queryRank, int64_t key) const;
  /// The ranks of the block in this slot of the list for the row's block; none where it stands in an earlier slot, too.
  Ranks blockRanks(int64_t row) const;
  int64_t numberOf(const Expr &expr) const { return expr.evaluate(0, values.symbols); }

  /// Where the rows of one side look.
  struct Look {
    Course lower, upper;
    std::optional<Course> holeLower, holeUpper;
    std::optional<Course> otherClass; // the class of the rows that they look at
  };
  mutable Look byQuery, byKey;
  mutable std::optional<Course> columnsLower, columnsUpper;

  Look lookFrom(Side side) const;
  /// The ranks that a row looks at, among some of an order in which rows rise.
  static Interval intervalOf(Look &look, const BoundOrder &order, const Ranks &range, int64_t row);
};

} // namespace attn

#endif // ATTN_LIB_PATTERN_BOUNDBOX_H
