// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A plan says in which order a pattern's pairs are multiplied. It is data: the planner makes it, `attn.plan` spells it,
// both emitters and the walks (Walk.h) read it.
//
// A *phase* is one loop nest. It takes query rows in one order (Order.h), in tiles. For each query tile it runs over
// its *boxes*. A box takes key rows in one order; of those, query row i looks at
//
//     { j : lower(i) <= j < upper(i) }     and, seen from the key side,     { i : queryLower(j) <= i < queryUpper(j) }
//
// where all four bounds are in rows, not in ranks and not in tiles: origins are free. In an order by classes they hold
// inside one class of keys, which the query's class decides. A box may have a *hole*, rows of the same form that are
// left out: where a period crosses what another box has taken already. A tile is *full* when every pair of it is in the
// box, *boundary* when some are, and *empty* tiles are not visited. For heads for which a condition does not hold, the
// upper bounds are 0. A box may leave listed keys to another one: its tiles are asked whether they hold one of them,
// and only those that do are masked. Where rows alone cannot say it, the box carries a residual test, asked pair by
// pair. The boxes of all phases are disjoint, so no pair counts twice.
//
// Rows that several phases share. A phase writes all rows of its query order but those of the orders in `except`, which
// are other phases' alone. One that *continues* starts each row from what the phases before it have written: running
// maximum lse, running sum 1, accumulator output. So nothing has to be merged, and the last phase leaves the result.
//
// Orders that depend on the call. Which order multiplies least may depend on what a parameter is: blocks of 100 rows
// want tiles that end where blocks do, blocks of 5 do not. Then there is a phase for each order, of which a call runs
// one, by a closed form of its symbols.
//
// What later work needs of this form: orders of more axes are further OrderKinds, with the same bounds over rows; the
// backward pass reads queryLower and queryUpper, which are kept from the start; sorted buckets are the SegmentSorted
// order with several rounds.

#ifndef ATTN_PATTERN_PLAN_H
#define ATTN_PATTERN_PLAN_H

#include "attn/Pattern/Order.h"

namespace attn {

/// Key rows for each query row, and query rows for each key row: two ways to say one set.
struct Bounds {
  Expr lower, upper;
  Expr queryLower, queryUpper;
};

/// Keys in the blocks that a table of blocks lists for the query's block; both have `size` positions.
struct ListedBlocks {
  unsigned table;
  Expr size;
};

/// Keys in some columns of a grid: lower(i) <= (j + shift) mod width < upper(i).
struct Columns {
  Expr width, shift;
  Expr lower, upper;

  /// The most columns that queries of so many columns one after the other look at, or the width where that is not
  /// known.
  Expr span(int64_t queryColumns) const;
};

struct Box {
  unsigned keys = 0;        // index into Plan::orders
  bool sameSegment = false; // only key ranks of the query's segment; both orders are sorted by the same table
  /// Of boxes whose two orders are classes of one modulus: the key row's class for a query row, and the other way
  /// round; the modulus where there is none. They depend on the row's own class alone.
  std::optional<Expr> keyClass, queryClass;
  /// Of boxes of a query order in such blocks: one list serves a whole tile of queries.
  std::optional<ListedBlocks> blocks;
  /// Of boxes of a query order in patches of a grid as wide: the keys that a patch of queries looks at are a rectangle
  /// of the grid, and its ranks count them row by row.
  std::optional<Columns> columns;
  Bounds bounds;
  std::optional<Bounds> hole;
  llvm::SmallVector<unsigned, 1> except; // key rows of these listed orders are other boxes'
  std::optional<PairSet> test;           // asked for every pair of every tile; absent where the bounds say all
};

struct Phase {
  unsigned queries = 0;                  // index into Plan::orders
  llvm::SmallVector<unsigned, 2> except; // rows of these orders belong to an earlier phase
  bool continues = false;                // from what earlier phases have written
  /// Calls in which this is positive run the phase, others pass it over; all run it where there is none. It is over
  /// symbols that are known before any data is read. Of phases that hold the same pairs in different orders, one runs.
  std::optional<Expr> when;
  std::vector<Box> boxes;
};

/// How large tiles are. A sub-tile is the unit that is multiplied or skipped inside a tile: group rows by granule keys.
struct TileShape {
  int64_t rows = 64;
  int64_t keys = 64;
  int64_t groupRows = 8; // divides rows
  int64_t granule = 32;  // divides keys; key tiles start at its multiples
  /// Key tiles start at the first key that the query tile looks at, or, where that moves with the rows, end at the last
  /// one: wherever it is, so that windows need no more tiles than their width. They are multiplied whole. Listed keys
  /// are few: their tiles are as narrow as a sub-tile.
  bool anchored = false;

  /// Keys of a tile over such an order.
  int64_t keysOf(const Order &order) const { return anchored && order.kind == OrderKind::Listed ? granule : keys; }
};

struct Plan {
  std::vector<Order> orders; // [0] is all query rows, [1] all key rows
  std::vector<Phase> phases;
  TileShape tile;
  std::optional<TileShape> compact; // used instead where there are at most compactKeys keys
  int64_t compactKeys = 0;
  std::optional<TileShape> few; // used instead where one of its tiles has all query rows
  /// The phase that a phase continues in the end; itself if it continues none.
  unsigned startOf(unsigned phase) const {
    while (phases[phase].continues)
      --phase;
    return phase;
  }
  /// Whether a call runs a phase.
  static bool runs(const Phase &phase, const CallValues &values) {
    return !phase.when || phase.when->evaluate(0, values.symbols) > 0;
  }
  /// The pairs of a box, of those whose key is in its order.
  PairSet pairsOf(const Box &box) const;
  /// The tiles for a call.
  const TileShape &tileFor(const CallValues &values) const {
    if (few && values.length() <= few->rows)
      return *few;
    return compact && values.kvLength() <= compactKeys ? *compact : tile;
  }
  /// Clauses that no order or bound captures and that are therefore tested pair by pair, in words.
  std::vector<std::string> tested;
};

/// A tile, and how long a pair takes in it, compared with others.
struct LocalTile {
  TileShape shape;
  double pairTime = 1;
};

/// What a target offers to the planner.
struct Target {
  std::string name;
  TileShape tile; // where the keys of a row may be many
  /// Where every row looks at keys around it, in its segment, in its class, or in a list: of these tiles the one by
  /// which a typical call takes least time, or the first. If there are none, as `tile`.
  std::vector<LocalTile> locals;
  int64_t compactKeys = 0; // up to so many keys the first of `locals` serves all patterns
  // The cost model, fitted to measurements by bench/calibrate.py: a phase takes as long as its products and its rows
  // (of queries, however few keys they look at), or as its bytes.
  double flopsPerSecond;
  double gridPairTime; // of a pair between columns of a grid, compared with others: it is masked for its own row
  double secondsPerRow;
  double bytesPerSecond;
  unsigned maxBoxes = 8;  // of a phase
  unsigned maxPhases = 4; // that share rows
  /// Whether what a call brings in memory may decide about classes: a number of the head or of the batch.
  bool readsModuli = true;

  /// What rows consist of.
  enum class Element { F32, F16, BF16 };
  static Target cpu(Element element = Element::F32);
  /// An H200. Its tiles depend on how much shared memory and how many registers a row takes, also in a score region.
  static Target sm90a(int64_t headSize, int64_t valueHeadSize, bool hasScore);
  /// The same for f32.
  static Target sm90aF32(int64_t headSize, int64_t valueHeadSize);
  /// By name: cpu or sm_90a; nothing for another.
  static std::optional<Target> find(llvm::StringRef name, int64_t headSize, int64_t valueHeadSize, bool hasScore,
                                    Element element = Element::BF16);
};

/// What the planner may know besides the pattern.
struct PlanHints {
  /// Which symbols stand for numbers that a call brings in memory; none if it is null.
  std::function<bool(unsigned symbol)> isData;
  /// A call by which tiles are chosen.
  std::optional<CallValues> typical;
};

/// Finds orders, boxes and owners for a pattern.
Plan planPattern(const PairSet &pattern, const Target &target, const PlanHints &hints = {});

/// Whether the key tiles of a box with this lower bound start at the first key, rather than end at the last (see
/// TileShape::anchored): the first key is the same for all rows of a tile.
inline bool startsAtFirstKey(bool sameSegment, const Expr &lower) { return !sameSegment && !lower.dependsOnRow(); }

} // namespace attn

#endif // ATTN_PATTERN_PLAN_H
