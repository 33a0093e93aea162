// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Walks a plan. Both directions are one loop: the rows of an outer tile have intervals of inner ranks, and inner tiles
// run over the hull of those intervals.

#include "attn/Pattern/Walk.h"
#include "attn/Pattern/BoundSet.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <limits>

using namespace attn;

//===-- Orders ----------------------------------------------------------------------------------------------------===//

BoundOrder::BoundOrder(const Order &order, const CallValues &values) {
  int64_t total = values.rows(order.side), offset = values.offset(order.side);
  if (order.kind == OrderKind::All) {
    count = total;
    return;
  }
  const std::vector<int32_t> &table = values.tables[order.table];
  if (order.kind == OrderKind::Listed) {
    for (int32_t token : table)
      if (token >= 0 && token >= offset && token - offset < total)
        rows.push_back(token - offset);
    llvm::sort(rows);
    rows.erase(llvm::unique(rows), rows.end());
  } else {
    int64_t positions = table.size();
    auto hasId = [&](int64_t row) { return row + offset >= 0 && row + offset < positions; };
    for (int64_t row = 0; row < total; ++row)
      if (hasId(row))
        rows.push_back(row);
    llvm::stable_sort(rows, [&](int64_t a, int64_t b) { return table[a + offset] < table[b + offset]; });
    for (int64_t row : rows)
      ids.push_back(table[row + offset]);
    for (int64_t row = 0; row < total && order.side == Side::Queries; ++row)
      if (!hasId(row))
        rows.push_back(row);
    isAscending = llvm::is_sorted(rows);
  }
  count = rows.size();
}

std::optional<int32_t> BoundOrder::segment(int64_t rank) const {
  return rank < static_cast<int64_t>(ids.size()) ? std::optional<int32_t>(ids[rank]) : std::nullopt;
}

std::pair<int64_t, int64_t> BoundOrder::segmentRanks(std::optional<int32_t> id) const {
  if (!id)
    return {0, 0};
  auto range = std::equal_range(ids.begin(), ids.end(), *id);
  return {range.first - ids.begin(), range.second - ids.begin()};
}

int64_t BoundOrder::rankOf(int64_t row, int64_t begin, int64_t end) const {
  if (rows.empty())
    return std::clamp(row, begin, std::max(begin, end));
  return std::lower_bound(rows.begin() + begin, rows.begin() + end, row) - rows.begin();
}

bool BoundOrder::containsRow(int64_t row) const {
  if (rows.empty())
    return row >= 0 && row < count;
  return isAscending ? llvm::binary_search(rows, row) : llvm::is_contained(rows, row);
}

//===-- Intervals -------------------------------------------------------------------------------------------------===//

namespace {

/// Inner ranks that one outer row looks at. An empty interval begins at `never`, so that it takes part in no minimum
/// and makes no tile full.
struct Interval {
  static constexpr int64_t never = std::numeric_limits<int64_t>::max();
  int64_t begin = never, end = 0;

  bool empty() const { return begin >= end; }
  bool meets(int64_t b, int64_t e) const { return std::max(begin, b) < std::min(end, e); }
};

/// The reductions of some intervals that decide about tiles.
struct Hull {
  int64_t begin = Interval::never, end = 0;         // some row may look here
  int64_t fullBegin = 0, fullEnd = Interval::never; // every row looks here
  void add(const Interval &interval) {
    begin = std::min(begin, interval.begin);
    end = std::max(end, interval.end);
    fullBegin = std::max(fullBegin, interval.begin);
    fullEnd = std::min(fullEnd, interval.end);
  }
};

/// One box of one phase with the values of a call.
class BoundBox {
public:
  BoundBox(const Plan &plan, const Phase &phase, const Box &box, const CallValues &values)
      : box(box), values(values), queries(plan.orders[phase.queries], values), keys(plan.orders[box.keys], values) {
    owned.resize(queries.size(), true);
    for (unsigned order : phase.except) {
      BoundOrder others(plan.orders[order], values);
      for (int64_t rank = 0; rank < queries.size(); ++rank)
        if (others.containsRow(queries.row(rank)))
          owned[rank] = false;
    }
    if (box.test)
      test.emplace(*box.test, values);
  }

  Interval keysOf(int64_t queryRank) const {
    int64_t row = queries.row(queryRank);
    std::pair<int64_t, int64_t> range{0, keys.size()};
    if (box.sameSegment)
      range = keys.segmentRanks(queries.segment(queryRank));
    return interval(keys, range, box.lower.evaluate(row, values.symbols), box.upper.evaluate(row, values.symbols));
  }

  Interval queriesOf(int64_t keyRank) const {
    int64_t row = keys.row(keyRank);
    std::pair<int64_t, int64_t> range{0, queries.size()};
    if (box.sameSegment)
      range = queries.segmentRanks(keys.segment(keyRank));
    else if (!queries.ascending())
      return {0, queries.size()};
    return interval(queries, range, box.queryLower.evaluate(row, values.symbols),
                    box.queryUpper.evaluate(row, values.symbols));
  }

  /// Whether the box's test, if there is one, says so.
  bool passes(int64_t queryRank, int64_t keyRank) const {
    if (!test)
      return true;
    test->moveTo(queries.row(queryRank));
    return test->contains(keys.row(keyRank));
  }

  bool admits(int64_t queryRank, int64_t keyRank) const {
    return keysOf(queryRank).meets(keyRank, keyRank + 1) && passes(queryRank, keyRank);
  }

  /// Whether intervals seen from the key side say everything.
  bool exactByKey() const { return !box.test && (box.sameSegment || queries.ascending()); }

  const Box &box;
  const CallValues &values;
  BoundOrder queries, keys;
  std::vector<bool> owned; // by query rank: the phase writes this row

private:
  mutable std::optional<BoundSet> test; // remembers the query row that it was asked about last

  static Interval interval(const BoundOrder &order, std::pair<int64_t, int64_t> range, int64_t lower, int64_t upper) {
    Interval result{order.rankOf(lower, range.first, range.second), order.rankOf(upper, range.first, range.second)};
    return result.empty() ? Interval() : result;
  }
};

int64_t alignDown(int64_t value, int64_t unit) { return value / unit * unit; }
int64_t alignUp(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

/// Calls `tile(begin, end)` for the key tiles of the hull, which may reach beyond the keys on either side.
void forEachAnchoredTile(const Hull &hull, int64_t tileSize, bool fromFirst,
                         llvm::function_ref<void(int64_t, int64_t)> tile) {
  int64_t overhang = fromFirst ? 0 : alignUp(hull.end - hull.begin, tileSize) - (hull.end - hull.begin);
  for (int64_t begin = hull.begin - overhang; begin < hull.end; begin += tileSize)
    tile(begin, begin + tileSize);
}

/// Calls `tile(begin, end)` for the tiles of the hull; both are multiples of the granule.
void forEachTile(const Hull &hull, int64_t tileSize, int64_t granule, llvm::function_ref<void(int64_t, int64_t)> tile) {
  if (hull.begin >= hull.end)
    return;
  int64_t last = alignUp(hull.end, granule);
  for (int64_t begin = alignDown(hull.begin, granule); begin < last; begin += tileSize)
    tile(begin, std::min(begin + tileSize, last));
}

void forEachKeyTile(const Hull &hull, const TileShape &shape, const Box &box,
                    llvm::function_ref<void(int64_t, int64_t)> tile) {
  if (shape.anchored && hull.begin < hull.end)
    forEachAnchoredTile(hull, shape.keys, startsAtFirstKey(box.sameSegment, box.lower), tile);
  else
    forEachTile(hull, shape.keys, shape.granule, tile);
}

/// The intervals of the owned rows of a query tile. Anchored tiles are laid out for all of its rows.
std::vector<Interval> tileIntervals(const BoundBox &bound, int64_t begin, int64_t end, const TileShape &shape,
                                    Hull &hull) {
  std::vector<Interval> intervals;
  for (int64_t rank = begin; rank < end; ++rank) {
    intervals.push_back(bound.owned[rank] ? bound.keysOf(rank) : Interval());
    if (bound.owned[rank] || shape.anchored)
      hull.add(bound.keysOf(rank));
  }
  return intervals;
}

/// Whether some owned row of the tile looks at some key of it.
bool isVisited(const BoundBox &bound, llvm::ArrayRef<Interval> intervals, int64_t queryBegin, int64_t keyBegin,
               int64_t keyEnd) {
  for (auto [offset, interval] : llvm::enumerate(intervals)) {
    if (!interval.meets(keyBegin, keyEnd))
      continue;
    if (!bound.box.test)
      return true;
    int64_t query = queryBegin + offset;
    for (int64_t key = std::max(keyBegin, interval.begin); key < std::min(keyEnd, interval.end); ++key)
      if (bound.passes(query, key))
        return true;
  }
  return false;
}

} // namespace

//===-- Walks -----------------------------------------------------------------------------------------------------===//

namespace {

using BoxFn = llvm::function_ref<void(const BoundBox &bound, unsigned phase, unsigned box)>;

void forEachBox(const Plan &plan, const CallValues &values, BoxFn visit) {
  for (unsigned phase = 0; phase < plan.phases.size(); ++phase)
    for (unsigned box = 0; box < plan.phases[phase].boxes.size(); ++box)
      visit(BoundBox(plan, plan.phases[phase], plan.phases[phase].boxes[box], values), phase, box);
}

/// Whether some owned query row of a tile looks at some key of it, seen from the key side.
bool isVisitedByKey(const BoundBox &bound, llvm::ArrayRef<Interval> intervals, int64_t keyBegin, int64_t queryBegin,
                    int64_t queryEnd) {
  for (int64_t query = queryBegin; query < queryEnd; ++query) {
    if (!bound.owned[query])
      continue;
    for (int64_t offset = 0; offset < static_cast<int64_t>(intervals.size()); ++offset)
      if (intervals[offset].meets(query, query + 1) && (bound.exactByKey() || bound.admits(query, keyBegin + offset)))
        return true;
  }
  return false;
}

} // namespace

void attn::walkByQuery(const Plan &plan, const CallValues &values, VisitFn visit) {
  const TileShape &shape = plan.tileFor(values);
  forEachBox(plan, values, [&](const BoundBox &bound, unsigned phase, unsigned box) {
    for (int64_t begin = 0; begin < bound.queries.size(); begin += shape.rows) {
      int64_t end = std::min(begin + shape.rows, bound.queries.size());
      Hull hull;
      std::vector<Interval> intervals = tileIntervals(bound, begin, end, shape, hull);
      forEachKeyTile(hull, shape, bound.box, [&](int64_t keyBegin, int64_t keyEnd) {
        bool full = !bound.box.test && keyBegin >= hull.fullBegin && keyEnd <= hull.fullEnd;
        if (full || shape.anchored || isVisited(bound, intervals, begin, keyBegin, keyEnd))
          visit({phase, box, begin, end, std::max<int64_t>(0, keyBegin), std::min(keyEnd, bound.keys.size()), full});
      });
    }
  });
}

void attn::walkByKey(const Plan &plan, const CallValues &values, VisitFn visit) {
  const TileShape &shape = plan.tileFor(values);
  forEachBox(plan, values, [&](const BoundBox &bound, unsigned phase, unsigned box) {
    for (int64_t begin = 0; begin < bound.keys.size(); begin += shape.keys) {
      int64_t end = std::min(begin + shape.keys, bound.keys.size());
      Hull hull;
      std::vector<Interval> intervals;
      for (int64_t rank = begin; rank < end; ++rank) {
        intervals.push_back(bound.queriesOf(rank));
        hull.add(intervals.back());
      }
      forEachTile(hull, shape.rows, shape.groupRows, [&](int64_t queryBegin, int64_t queryEnd) {
        queryEnd = std::min(queryEnd, bound.queries.size());
        if (!isVisitedByKey(bound, intervals, begin, queryBegin, queryEnd))
          return;
        bool full = bound.exactByKey() && queryBegin >= hull.fullBegin && queryEnd <= hull.fullEnd;
        visit({phase, box, queryBegin, queryEnd, begin, end, full});
      });
    }
  });
}

//===-- Counts ----------------------------------------------------------------------------------------------------===//

PairCounts &PairCounts::operator+=(const PairCounts &other) {
  admitted += other.admitted;
  computed += other.computed;
  estimated |= other.estimated;
  return *this;
}

namespace {

/// Counts the query tiles of one box.
class TileCounter {
public:
  TileCounter(const BoundBox &bound, const TileShape &tile) : bound(bound), tile(tile) {}

  PairCounts count(int64_t begin, int64_t end) {
    PairCounts counts;
    Hull hull;
    std::vector<Interval> intervals = tileIntervals(bound, begin, end, tile, hull);
    for (auto [offset, interval] : llvm::enumerate(intervals))
      counts.admitted += admitted(begin + offset, interval);
    std::vector<Hull> groups((intervals.size() + tile.groupRows - 1) / tile.groupRows);
    for (auto [offset, interval] : llvm::enumerate(intervals))
      if (bound.owned[begin + offset])
        groups[offset / tile.groupRows].add(interval);
    // Where all rows share a key there is no gap, and the tiles need not be walked one by one.
    if (tile.anchored) {
      counts.computed = tile.rows * alignUp(std::max<int64_t>(0, hull.end - hull.begin), tile.keys);
    } else if (!bound.box.test && hull.fullBegin < hull.fullEnd) {
      counts.computed = multiplied(groups, 0, Interval::never);
    } else {
      forEachTile(hull, tile.keys, tile.granule, [&](int64_t keyBegin, int64_t keyEnd) {
        if (isVisited(bound, intervals, begin, keyBegin, keyEnd))
          counts.computed += multiplied(groups, keyBegin, keyEnd);
      });
    }
    return counts;
  }

private:
  int64_t admitted(int64_t query, const Interval &interval) const {
    if (interval.empty())
      return 0;
    if (!bound.box.test)
      return interval.end - interval.begin;
    int64_t count = 0;
    for (int64_t key = interval.begin; key < interval.end; ++key)
      count += bound.passes(query, key);
    return count;
  }

  /// The sub-tiles of the keys [begin, end), padding included.
  int64_t multiplied(llvm::ArrayRef<Hull> groups, int64_t begin, int64_t end) const {
    int64_t pairs = 0;
    for (const Hull &group : groups) {
      if (group.begin >= group.end)
        continue;
      int64_t first = std::max(begin, alignDown(group.begin, tile.granule));
      int64_t last = std::min(end, alignUp(group.end, tile.granule));
      pairs += tile.groupRows * std::max<int64_t>(0, last - first);
    }
    return pairs;
  }

  const BoundBox &bound;
  const TileShape &tile;
};

} // namespace

/// Every how many query tiles of a box one is counted: 1, unless its test would be asked about more pairs than the
/// limit, which a few tiles tell.
static int64_t samplingStep(const BoundBox &bound, int64_t tiles, int64_t tileRows, int64_t testLimit) {
  constexpr int64_t mostProbes = 64;
  if (!bound.box.test || tiles == 0)
    return 1;
  int64_t probes = std::min(tiles, mostProbes), pairs = 0;
  for (int64_t probe = 0; probe < probes; ++probe) {
    int64_t begin = (2 * probe + 1) * tiles / (2 * probes) * tileRows;
    for (int64_t rank = begin; rank < std::min(begin + tileRows, bound.queries.size()); ++rank)
      if (Interval keys = bound.keysOf(rank); !keys.empty())
        pairs += keys.end - keys.begin;
  }
  return std::clamp<int64_t>(pairs / probes * tiles / testLimit, 1, tiles);
}

/// Which of `step` tiles the sample takes: the middle one first, then as multiples of the golden ratio fall, so that no
/// period of the pattern goes unseen.
static int64_t sampledTile(uint64_t sample, int64_t step) {
  constexpr uint64_t golden = 0x9E3779B97F4A7C15, half = uint64_t(1) << 63;
  return static_cast<int64_t>((golden * sample + half) >> 32) * step >> 32;
}

std::vector<PairCounts> attn::countPairs(const Plan &plan, const CallValues &values, int64_t testLimit) {
  const TileShape &shape = plan.tileFor(values);
  std::vector<PairCounts> counts(plan.phases.size());
  for (auto [phase, total] : llvm::zip_equal(plan.phases, counts))
    for (const Box &box : phase.boxes) {
      BoundBox bound(plan, phase, box, values);
      TileCounter counter(bound, shape);
      int64_t tiles = (bound.queries.size() + shape.rows - 1) / shape.rows;
      int64_t step = samplingStep(bound, tiles, shape.rows, testLimit);
      PairCounts boxCounts;
      int64_t sampled = 0;
      for (int64_t first = 0; first < tiles; first += step) {
        int64_t begin = (first + sampledTile(sampled, step)) * shape.rows;
        if (begin >= bound.queries.size())
          break;
        ++sampled;
        boxCounts += counter.count(begin, std::min(begin + shape.rows, bound.queries.size()));
      }
      if (step > 1) {
        double scale = static_cast<double>(tiles) / std::max<int64_t>(1, sampled);
        boxCounts = {static_cast<int64_t>(boxCounts.admitted * scale), static_cast<int64_t>(boxCounts.computed * scale),
                     true};
      }
      total += boxCounts;
    }
  return counts;
}
