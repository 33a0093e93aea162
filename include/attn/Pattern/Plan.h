// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A plan says in which order a pattern's pairs are multiplied. It is data: the planner makes it, `attn.plan` spells it,
// both emitters and the walks (Walk.h) read it.
//
// A *phase* is one loop nest. It takes query rows in one order, in tiles, and owns them: it alone writes their output.
// For each query tile it runs over its *boxes*. A box takes key rows in one order; of those, query row i looks at
//
//     { j : lower(i) <= j < upper(i) }     and, seen from the key side,     { i : queryLower(j) <= i < queryUpper(j) }
//
// where all four bounds are in rows, not in tiles: origins are free. A tile is *full* when every pair of it is in the
// box, *boundary* when some are, and *empty* tiles are not visited. For heads for which a condition does not hold, the
// upper bounds are 0. Where rows alone cannot say it, the box carries a residual test, asked pair by pair. The boxes of
// a phase are disjoint, so no pair counts twice.
//
// What later work needs of this form: orders of more axes are further OrderKinds (strided views, grids), with the same
// bounds over rows; carried state and partial results are further fields of a phase (who starts from whose state), not
// of a box; the backward pass reads queryLower and queryUpper, which are kept from the start; sorted buckets are the
// SegmentSorted order with several rounds.

#ifndef ATTN_PATTERN_PLAN_H
#define ATTN_PATTERN_PLAN_H

#include "attn/Pattern/PairSet.h"

namespace attn {

enum class OrderKind : uint8_t {
  All,          // rows 0, 1, 2, ...
  Listed,       // the rows of a table's tokens, ascending, without duplicates
  SegmentSorted // rows by (segment id, row); queries without an id come last, keys without one are left out
};

/// A renumbering of the rows of one side: rank r stands for some row. `table` is the run-time data it is made of.
struct Order {
  OrderKind kind = OrderKind::All;
  Side side = Side::Queries;
  unsigned table = 0;

  bool operator==(const Order &other) const {
    return kind == other.kind && side == other.side && (kind == OrderKind::All || table == other.table);
  }
};

struct Box {
  unsigned keys = 0;        // index into Plan::orders
  bool sameSegment = false; // only key ranks of the query's segment; both orders are sorted by the same table
  Expr lower, upper;
  Expr queryLower, queryUpper;
  std::optional<PairSet> test; // asked for every pair of every tile; absent where the bounds say all
};

struct Phase {
  unsigned queries = 0;                  // index into Plan::orders
  llvm::SmallVector<unsigned, 2> except; // rows of these orders belong to an earlier phase
  std::vector<Box> boxes;
};

/// How large tiles are. A sub-tile is the unit that is multiplied or skipped inside a tile: group rows by granule keys.
struct TileShape {
  int64_t rows = 64;
  int64_t keys = 64;
  int64_t groupRows = 8; // divides rows
  int64_t granule = 32;  // divides keys; key tiles start at its multiples
  /// Key tiles start at the first key that the query tile looks at, or, where that moves with the rows, end at the last
  /// one: wherever it is, so that windows need no more tiles than their width. They are multiplied whole.
  bool anchored = false;
};

struct Plan {
  std::vector<Order> orders; // [0] is all query rows, [1] all key rows
  std::vector<Phase> phases;
  TileShape tile;
  std::optional<TileShape> compact; // used instead where there are at most compactKeys keys
  int64_t compactKeys = 0;
  /// The tiles for a call.
  const TileShape &tileFor(const CallValues &values) const {
    return compact && values.kvLength() <= compactKeys ? *compact : tile;
  }
  /// Clauses that no order or bound captures and that are therefore tested pair by pair, in words.
  std::vector<std::string> tested;
};

/// What a target offers to the planner.
struct Target {
  std::string name;
  TileShape tile; // where the keys of a row may be many
  std::optional<TileShape>
      local;               // where every row looks at keys around it, in its segment, or in a list; else as `tile`
  int64_t compactKeys = 0; // up to so many keys `local` serves all patterns
  double flopsPerSecond;
  double bytesPerSecond;
  unsigned maxBoxes = 8;

  static Target cpu();
  /// An H200. Its tiles depend on how much shared memory and how many registers a row takes, also in a score region.
  static Target sm90a(int64_t headSize, int64_t valueHeadSize, bool hasScore);
  /// The same for elements of 4 bytes.
  static Target sm90aF32(int64_t headSize, int64_t valueHeadSize);
  /// By name: cpu or sm_90a; nothing for another.
  static std::optional<Target> find(llvm::StringRef name, int64_t headSize, int64_t valueHeadSize, bool hasScore,
                                    int64_t elementBytes = 2);
};

/// Finds orders, boxes and owners for a pattern.
Plan planPattern(const PairSet &pattern, const Target &target);

/// Whether the key tiles of a box with this lower bound start at the first key, rather than end at the last (see
/// TileShape::anchored): the first key is the same for all rows.
inline bool startsAtFirstKey(bool sameSegment, const Expr &lower) { return !sameSegment && !lower.dependsOnRow(); }

} // namespace attn

#endif // ATTN_PATTERN_PLAN_H
