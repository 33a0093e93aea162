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

BoundOrder::BoundOrder(const Order &order, const CallValues &values) : count(values.rows(order.side)) {
  if (order.kind == OrderKind::Blocks)
    blockSize = order.modulus.evaluate(0, values.symbols), blockShift = order.shift.evaluate(0, values.symbols);
  if (order.isIdentity())
    return;
  if (order.isComputed())
    fillComputed(order, values);
  else if (order.kind == OrderKind::Listed)
    fillListed(order, values);
  else
    fillSorted(order, values);
  count = rows.size();
}

void BoundOrder::fillComputed(const Order &order, const CallValues &values) {
  auto number = [&](const Expr &expr) { return expr.evaluate(0, values.symbols); };
  modulus = number(order.modulus);
  if (order.kind == OrderKind::Patches)
    return fillPatches(order);
  isByClass = order.kind == OrderKind::Classes;
  if (isByClass) {
    for (int64_t first = 0; first < std::min(modulus, count); ++first)
      for (int64_t row = first; row < count; row += modulus)
        rows.push_back(row);
    isAscending = llvm::is_sorted(rows);
    return;
  }
  int64_t remainder = number(order.shift) - llvm::divideFloorSigned(number(order.shift), modulus) * modulus,
          from = number(order.from), below = number(order.below);
  for (int64_t row = 0; row < count; ++row) {
    if (from <= remainder && remainder < below)
      rows.push_back(row);
    remainder = remainder + 1 == modulus ? 0 : remainder + 1;
  }
}

void BoundOrder::fillPatches(const Order &order) {
  int64_t all = count, across = std::min(modulus, all);
  isAscending = false;
  for (int64_t top = 0; top * modulus < all; top += order.patchRows)
    for (int64_t left = 0; left < across; left += order.patchColumns)
      for (int64_t point = 0; point < order.patchRows * order.patchColumns; ++point) {
        int64_t column = left + point % order.patchColumns;
        int64_t row = (top + point / order.patchColumns) * modulus + column;
        rows.push_back(column < modulus && row < all ? row : -1);
      }
}

void BoundOrder::fillListed(const Order &order, const CallValues &values) {
  int64_t offset = values.offset(order.side);
  for (int32_t token : values.tables[order.table])
    if (token >= 0 && token >= offset && token - offset < count)
      rows.push_back(token - offset);
  llvm::sort(rows);
  rows.erase(llvm::unique(rows), rows.end());
}

void BoundOrder::fillSorted(const Order &order, const CallValues &values) {
  const std::vector<int32_t> &table = values.tables[order.table];
  int64_t offset = values.offset(order.side), positions = table.size();
  auto hasId = [&](int64_t row) { return row + offset >= 0 && row + offset < positions; };
  for (int64_t row = 0; row < count; ++row)
    if (hasId(row))
      rows.push_back(row);
  llvm::stable_sort(rows, [&](int64_t a, int64_t b) { return table[a + offset] < table[b + offset]; });
  for (int64_t row : rows)
    ids.push_back(table[row + offset]);
  for (int64_t row = 0; row < count && order.side == Side::Queries; ++row)
    if (!hasId(row))
      rows.push_back(row);
  isAscending = llvm::is_sorted(rows);
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

std::pair<int64_t, int64_t> BoundOrder::classRanks(int64_t number) const {
  int64_t least = count / modulus, longer = count % modulus;
  auto firstOf = [&](int64_t n) { return std::min(count, n * least + std::min(n, longer)); };
  return {firstOf(number), firstOf(number + 1)};
}

std::vector<std::pair<int64_t, int64_t>> BoundOrder::classes() const {
  std::vector<std::pair<int64_t, int64_t>> all;
  for (int64_t begin = 0; begin < count; begin = all.back().second)
    all.push_back(isByClass ? classRanks(all.size()) : std::make_pair(begin, count));
  return all;
}

std::vector<std::pair<int64_t, int64_t>> BoundOrder::blocks() const {
  std::vector<std::pair<int64_t, int64_t>> all;
  for (int64_t begin = 0; begin < count; begin = all.back().second) {
    int64_t end = count;
    if (blockSize)
      end = (llvm::divideFloorSigned(begin + blockShift, blockSize) + 1) * blockSize - blockShift;
    all.emplace_back(begin, std::min(end, count));
  }
  return all;
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
  BoundBox(const Plan &plan, const Phase &phase, const Box &box, const CallValues &values, int64_t slot)
      : box(box), values(values), queries(plan.orders[phase.queries], values), keys(plan.orders[box.keys], values),
        slot(slot) {
    for (int64_t rank = 0; rank < queries.size(); ++rank)
      owned.push_back(queries.row(rank) >= 0);
    for (unsigned order : phase.except) {
      BoundOrder others(plan.orders[order], values);
      for (int64_t rank = 0; rank < queries.size(); ++rank)
        if (owned[rank] && others.containsRow(queries.row(rank)))
          owned[rank] = false;
    }
    if (box.test)
      test.emplace(*box.test, values);
    for (const Box &other : phase.boxes)
      if (other.columns)
        span = std::max(span, valueAt(other.columns->span(plan.orders[phase.queries].patchColumns), 0));
  }

  /// Turns to a tile of queries. Of a box between columns, key ranks are those of the rectangle that the tile looks at,
  /// or of all rows from the first to the last, whichever are fewer. Anchored tiles are boxes of the rectangle, as wide
  /// as it is expected to be, and rows count that the phase does not write.
  void turnTo(int64_t queryBegin, int64_t queryEnd, const TileShape &shape) const {
    if (!box.columns)
      return;
    int64_t width = valueAt(box.columns->width, 0), shift = valueAt(box.columns->shift, 0);
    int64_t first = Interval::never, last = 0, left = width, right = 0;
    for (int64_t rank = queryBegin; rank < queryEnd; ++rank) {
      if (queries.row(rank) < 0 || (!owned[rank] && !shape.anchored))
        continue;
      auto [begin, end] = gridRows(queries.row(rank));
      auto [columnBegin, columnEnd] = gridColumns(queries.row(rank));
      if (begin >= end || columnBegin >= columnEnd)
        continue;
      first = std::min(first, begin), last = std::max(last, end);
      left = std::min(left, columnBegin), right = std::max(right, columnEnd);
    }
    grid = KeyGrid::whole(0, 0, 1, 1);
    if (first >= last)
      return;
    int64_t top = llvm::divideFloorSigned(first + shift, width);
    int64_t rows = llvm::divideFloorSigned(last + shift - 1, width) + 1 - top;
    int64_t corner = top * width + left - shift, boxColumns = std::clamp<int64_t>(span, 1, std::min(width, shape.keys));
    if (shape.anchored)
      grid = {corner, rows, right - left, width, shape.keys / boxColumns, boxColumns, shape.keys};
    else if (rows <= (last - first) / (right - left))
      grid = KeyGrid::whole(corner, rows, right - left, width);
    else
      grid = KeyGrid::whole(first, 1, last - first, last - first);
  }

  int64_t keyCount() const { return box.columns ? grid.size() : keys.size(); }
  int64_t keyRow(int64_t rank) const { return box.columns ? grid.row(rank) : keys.row(rank); }
  std::optional<KeyGrid> keyGrid() const { return box.columns ? std::optional<KeyGrid>(grid) : std::nullopt; }

  Interval keysOf(int64_t queryRank) const {
    int64_t row = queries.row(queryRank);
    if (row < 0)
      return Interval();
    if (box.columns)
      return gridInterval(row);
    std::pair<int64_t, int64_t> range{0, keys.size()};
    if (box.sameSegment)
      range = keys.segmentRanks(queries.segment(queryRank));
    else if (box.keyClass)
      range = keys.classRanks(valueAt(*box.keyClass, row));
    else if (box.blocks)
      range = blockRanks(row);
    auto ranks = [&](const Bounds &bounds) { return ranksOf(keys, range, bounds.lower, bounds.upper, row); };
    return interval(ranks(box.bounds), box.hole ? ranks(*box.hole) : noRanks);
  }

  Interval queriesOf(int64_t keyRank) const {
    int64_t row = keys.row(keyRank);
    if (box.columns)
      return {0, queries.size()};
    std::pair<int64_t, int64_t> range{0, queries.size()};
    if (box.sameSegment)
      range = queries.segmentRanks(keys.segment(keyRank));
    else if (box.queryClass)
      range = queries.classRanks(valueAt(*box.queryClass, row));
    else if (!queries.ascending() || box.blocks)
      return {0, queries.size()};
    auto ranks = [&](const Bounds &bounds) {
      return ranksOf(queries, range, bounds.queryLower, bounds.queryUpper, row);
    };
    return interval(ranks(box.bounds), box.hole ? ranks(*box.hole) : noRanks);
  }

  /// Whether pairs are looked at one by one.
  bool asksPairs() const { return test || box.columns; }

  /// Whether a pair inside the bounds passes the box's test and lies between its columns.
  bool passes(int64_t queryRank, int64_t keyRank) const { return passesRow(queryRank, keyRow(keyRank)); }

  /// The same for a key rank of the order, and bounds too.
  bool admits(int64_t queryRank, int64_t keyRank) const {
    bool isInside = box.columns ? queries.row(queryRank) >= 0 : keysOf(queryRank).contains(keyRank);
    return isInside && passesRow(queryRank, keys.row(keyRank));
  }

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

  using Ranks = std::pair<int64_t, int64_t>;
  static constexpr Ranks noRanks{0, 0};

  /// The key rows inside the bounds, and the columns, for a query row.
  Ranks gridRows(int64_t row) const {
    return {std::max<int64_t>(0, valueAt(box.bounds.lower, row)),
            std::min(values.kvLength(), valueAt(box.bounds.upper, row))};
  }
  Ranks gridColumns(int64_t row) const {
    int64_t width = valueAt(box.columns->width, 0);
    return {std::max<int64_t>(0, valueAt(box.columns->lower, row)), std::min(width, valueAt(box.columns->upper, row))};
  }
  /// Whole rows of the rectangle; its columns are asked pair by pair.
  Interval gridInterval(int64_t row) const {
    auto [begin, end] = gridRows(row);
    auto [left, right] = gridColumns(row);
    if (begin >= end || left >= right)
      return Interval();
    if (grid.boxRows != grid.rows || grid.boxColumns != grid.columns) // ranks rise box by box, not row by row
      return Interval(0, grid.size());
    auto rowOfGrid = [&](int64_t key) {
      return llvm::divideFloorSigned(key + valueAt(box.columns->shift, 0), grid.width) -
             llvm::divideFloorSigned(grid.first + valueAt(box.columns->shift, 0), grid.width);
    };
    if (grid.rows == 1)
      return Interval(std::max<int64_t>(0, begin - grid.first), std::min(grid.columns, end - grid.first));
    return Interval(rowOfGrid(begin) * grid.columns, (rowOfGrid(end - 1) + 1) * grid.columns);
  }
  bool passesRow(int64_t queryRank, int64_t key) const {
    int64_t row = queries.row(queryRank);
    if (box.columns) {
      int64_t width = valueAt(box.columns->width, 0), place = key + valueAt(box.columns->shift, 0);
      int64_t column = place - llvm::divideFloorSigned(place, width) * width;
      auto [begin, end] = gridRows(row);
      auto [left, right] = gridColumns(row);
      bool isLeftOut = box.hole && key >= valueAt(box.hole->lower, row) && key < valueAt(box.hole->upper, row);
      if (key < begin || key >= end || column < left || column >= right || isLeftOut)
        return false;
    }
    if (!test)
      return true;
    test->moveTo(row);
    return test->contains(key);
  }
  /// The ranks of the block in this slot of the list for the row's block; none where it stands in an earlier slot, too.
  Ranks blockRanks(int64_t row) const {
    const std::vector<int32_t> &table = values.tables[box.blocks->table];
    int64_t columns = values.tableColumns[box.blocks->table], size = valueAt(box.blocks->size, 0);
    int64_t blockRow = llvm::divideFloorSigned(row + values.offset(Side::Queries), size);
    if (blockRow < 0 || (blockRow + 1) * columns > static_cast<int64_t>(table.size()))
      return noRanks;
    llvm::ArrayRef<int32_t> list = llvm::ArrayRef(table).slice(blockRow * columns, columns);
    int64_t entry = list[slot], begin = entry * size - values.offset(Side::Keys);
    if (entry < 0 || llvm::is_contained(list.take_front(slot), entry))
      return noRanks;
    return {keys.rankOf(begin, 0, keys.size()), keys.rankOf(begin + size, 0, keys.size())};
  }
  int64_t valueAt(const Expr &expr, int64_t row) const { return expr.evaluate(row, values.symbols); }
  /// The ranks of rows between two bounds, among some in which rows rise.
  Ranks ranksOf(const BoundOrder &order, const Ranks &range, const Expr &lower, const Expr &upper, int64_t row) const {
    return {order.rankOf(valueAt(lower, row), range.first, range.second),
            order.rankOf(valueAt(upper, row), range.first, range.second)};
  }
  static Interval interval(const Ranks &ranks, const Ranks &hole) {
    Interval result(ranks.first, ranks.second);
    result.leaveOut(hole.first, hole.second);
    return result;
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
    forEachAnchoredTile(hull, shape.keys, startsAtFirstKey(box.sameSegment, box.bounds.lower), tile);
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
  bound.turnTo(begin, end, shape);
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
    if (!bound.asksPairs())
      return true;
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
  for (auto [number, phase] : llvm::enumerate(plan.phases))
    for (auto [boxNumber, box] : llvm::enumerate(phase.boxes))
      for (int64_t slot = 0; slot < slotsOf(box, values); ++slot)
        visit(BoundBox(plan, phase, box, values, slot), number, boxNumber);
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
      forEachKeyTile(hull, shape, bound.box, [&](int64_t keyBegin, int64_t keyEnd) {
        bool full = !bound.asksPairs() && hull.isFull(keyBegin, keyEnd);
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
    } else if (!bound.asksPairs() && !bound.box.hole && hull.fullBegin < hull.fullEnd) {
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
      return interval.size();
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
    TileCounter counter(bound, shape);
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
