// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Walks a plan. Both directions are one loop: the rows of an outer tile have intervals of inner ranks, and inner tiles
// run over the hull of those intervals.

#include "BoundBox.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>

using namespace attn;

//===-- Tiles -----------------------------------------------------------------------------------------------------===//

namespace {

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

void forEachKeyTile(const Hull &hull, const TileShape &shape, const Plan &plan, const Box &box,
                    llvm::function_ref<void(int64_t, int64_t)> tile) {
  if (shape.anchored && hull.begin < hull.end)
    forEachAnchoredTile(hull, shape.keysOf(plan.orders[box.keys]), startsAtFirstKey(box.sameSegment, box.bounds.lower),
                        tile);
  else
    forEachTile(hull, shape.keys, shape.granule, tile);
}

/// The query tiles. None spans blocks, and those of a GPU do not span classes either: they are views of one.
std::vector<std::pair<int64_t, int64_t>> queryTiles(const BoundOrder &queries, const TileShape &shape) {
  std::vector<std::pair<int64_t, int64_t>> tiles;
  auto cut = [&](int64_t begin, int64_t end) {
    for (; begin < end; begin += shape.rows)
      tiles.emplace_back(begin, std::min(begin + shape.rows, end));
  };
  for (auto [begin, end] : shape.anchored &&queries.isInClasses() ? queries.classes() : queries.blocks())
    cut(begin, end);
  return tiles;
}

/// The intervals of the owned rows of a query tile. Anchored tiles are laid out for all of its rows.
std::vector<Interval> tileIntervals(const BoundBox &bound, int64_t begin, int64_t end, const TileShape &shape,
                                    Hull &hull) {
  std::vector<Interval> intervals;
  intervals.reserve(end - begin);
  bound.turnTo(begin, end, shape);
  for (int64_t rank = begin; rank < end; ++rank) {
    bool isOwned = bound.owned[rank], isLaidOut = isOwned || shape.anchored;
    Interval interval = isLaidOut ? bound.keysOf(rank) : Interval();
    intervals.push_back(isOwned ? interval : Interval());
    if (isLaidOut)
      hull.add(interval);
  }
  return intervals;
}

/// Whether some owned row of the tile looks at some key of it.
bool isVisited(const BoundBox &bound, llvm::ArrayRef<Interval> intervals, int64_t queryBegin, int64_t keyBegin,
               int64_t keyEnd) {
  for (auto [offset, interval] : llvm::enumerate(intervals)) {
    if (!interval.meets(keyBegin, keyEnd))
      continue;
    if (!bound.asksPairs() && bound.countOf(interval, keyBegin, keyEnd) > 0)
      return true;
    if (!bound.asksPairs())
      continue;
    int64_t query = queryBegin + offset;
    for (int64_t key = std::max(keyBegin, interval.begin); key < std::min(keyEnd, interval.end); ++key)
      if (interval.contains(key) && bound.passes(query, key))
        return true;
  }
  return false;
}

} // namespace

//===-- Walks -----------------------------------------------------------------------------------------------------===//

namespace {

/// How many entries a list of blocks has; other boxes count as one.
int64_t slotsOf(const Box &box, const CallValues &values) {
  return box.blocks ? values.tableColumns[box.blocks->table] : 1;
}

using BoxFn = llvm::function_ref<void(const BoundBox &bound, unsigned phase, unsigned box)>;

void forEachBox(const Plan &plan, const CallValues &values, BoxFn visit) {
  for (auto [number, phase] : llvm::enumerate(plan.phases)) {
    if (!Plan::runs(phase, values))
      continue;
    for (auto [boxNumber, box] : llvm::enumerate(phase.boxes))
      for (int64_t slot = 0; slot < slotsOf(box, values); ++slot)
        visit(BoundBox(plan, phase, box, values, slot), number, boxNumber);
  }
}

/// Whether some owned query row of a tile looks at some key of it, seen from the key side.
bool isVisitedByKey(const BoundBox &bound, llvm::ArrayRef<Interval> intervals, int64_t keyBegin, int64_t queryBegin,
                    int64_t queryEnd) {
  for (int64_t query = queryBegin; query < queryEnd; ++query) {
    if (!bound.owned[query])
      continue;
    for (int64_t offset = 0; offset < static_cast<int64_t>(intervals.size()); ++offset)
      if (intervals[offset].contains(query) && (bound.exactByKey() || bound.admits(query, keyBegin + offset)))
        return true;
  }
  return false;
}

} // namespace

void attn::walkByQuery(const Plan &plan, const CallValues &values, VisitFn visit) {
  const TileShape &shape = plan.tileFor(values);
  forEachBox(plan, values, [&](const BoundBox &bound, unsigned phase, unsigned box) {
    for (auto [begin, end] : queryTiles(bound.queries, shape)) {
      int64_t first = begin, last = end;
      Hull hull;
      std::vector<Interval> intervals = tileIntervals(bound, first, last, shape, hull);
      forEachKeyTile(hull, shape, plan, bound.box, [&](int64_t keyBegin, int64_t keyEnd) {
        bool full = !bound.asksPairs() && hull.isFull(keyBegin, keyEnd) && bound.leftOutIn(keyBegin, keyEnd) == 0;
        if (full || shape.anchored || isVisited(bound, intervals, first, keyBegin, keyEnd))
          visit({phase, box, first, last, std::max<int64_t>(0, keyBegin), std::min(keyEnd, bound.keyCount()), full,
                 bound.slot, bound.keyGrid()});
      });
    }
  });
}

void attn::walkByKey(const Plan &plan, const CallValues &values, VisitFn visit) {
  const TileShape &shape = plan.tileFor(values);
  forEachBox(plan, values, [&](const BoundBox &bound, unsigned phase, unsigned box) {
    int64_t keys = shape.keysOf(plan.orders[bound.box.keys]);
    for (int64_t begin = 0; begin < bound.keys.size(); begin += keys) {
      int64_t end = std::min(begin + keys, bound.keys.size());
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
        bool full = bound.exactByKey() && hull.isFull(queryBegin, queryEnd);
        visit({phase, box, queryBegin, queryEnd, begin, end, full, bound.slot, std::nullopt});
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
  TileCounter(const Plan &plan, const BoundBox &bound, const TileShape &tile)
      : bound(bound), tile(tile), tileKeys(tile.keysOf(plan.orders[bound.box.keys])) {}

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
      counts.computed = tile.rows * alignUp(std::max<int64_t>(0, hull.end - hull.begin), tileKeys);
    } else if (!bound.asksPairs() && !bound.box.hole && bound.box.except.empty() && hull.fullBegin < hull.fullEnd) {
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
    if (!bound.asksPairs())
      return bound.countOf(interval, interval.begin, interval.end);
    if (!bound.box.test)
      return bound.countOnGrid(query);
    int64_t count = 0;
    for (int64_t key = interval.begin; key < interval.end; ++key)
      count += interval.contains(key) && bound.passes(query, key);
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
  int64_t tileKeys;
};

} // namespace

/// Every how many query tiles of a box one is counted: 1, unless its test would be asked about more pairs than the
/// limit, which a few tiles tell.
static int64_t samplingStep(const BoundBox &bound, llvm::ArrayRef<std::pair<int64_t, int64_t>> tiles,
                            int64_t testLimit) {
  constexpr int64_t mostProbes = 64;
  int64_t count = tiles.size(), probes = std::min(count, mostProbes), pairs = 0;
  if (!bound.box.test || tiles.empty())
    return 1;
  for (int64_t probe = 0; probe < probes; ++probe) {
    auto [begin, end] = tiles[(2 * probe + 1) * count / (2 * probes)];
    for (int64_t rank = begin; rank < end; ++rank)
      pairs += bound.keysOf(rank).size();
  }
  return std::clamp<int64_t>(pairs / probes * count / testLimit, 1, count);
}

/// Which of `step` tiles the sample takes: the middle one first, then as multiples of the golden ratio fall, so that no
/// period of the pattern goes unseen.
static int64_t sampledTile(uint64_t sample, int64_t step) {
  constexpr uint64_t golden = 0x9E3779B97F4A7C15, half = uint64_t(1) << 63;
  return static_cast<int64_t>((golden * sample + half) >> 32) * step >> 32;
}

std::vector<PairCounts> attn::countPairs(const Plan &plan, const CallValues &values, int64_t testLimit,
                                         int64_t sample) {
  const TileShape &shape = plan.tileFor(values);
  std::vector<PairCounts> counts(plan.phases.size());
  forEachBox(plan, values, [&](const BoundBox &bound, unsigned phase, unsigned) {
    TileCounter counter(plan, bound, shape);
    auto tiles = queryTiles(bound.queries, shape);
    size_t step = std::max(sample, samplingStep(bound, tiles, testLimit)), sampled = 0;
    PairCounts boxCounts;
    for (size_t first = 0; first < tiles.size(); first += step, ++sampled)
      if (size_t chosen = first + sampledTile(sampled, step); chosen < tiles.size())
        boxCounts += counter.count(tiles[chosen].first, tiles[chosen].second);
      else
        break;
    if (step > 1) {
      double scale = static_cast<double>(tiles.size()) / std::max<size_t>(1, sampled);
      boxCounts = {static_cast<int64_t>(boxCounts.admitted * scale), static_cast<int64_t>(boxCounts.computed * scale),
                   true};
    }
    counts[phase] += boxCounts;
  });
  return counts;
}
