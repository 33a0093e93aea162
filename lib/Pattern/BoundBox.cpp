// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bounds of a call's boxes.

#include "BoundBox.h"
#include "llvm/ADT/STLExtras.h"

using namespace attn;

BoundBox::BoundBox(const Plan &plan, const Phase &phase, const Box &box, const CallValues &values, int64_t slot)
    : box(box), values(values), queries(plan.orders[phase.queries], values), keys(plan.orders[box.keys], values),
      slot(slot), byQuery(lookFrom(Side::Queries)), byKey(lookFrom(Side::Keys)) {
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
  if (!box.except.empty())
    findLeftOut(plan);
  if (box.columns) {
    gridWidth = numberOf(box.columns->width), gridShift = numberOf(box.columns->shift);
    columnsLower.emplace(box.columns->lower, values.symbols), columnsUpper.emplace(box.columns->upper, values.symbols);
  }
  for (const Box &other : phase.boxes)
    if (other.columns)
      span = std::max(span, numberOf(other.columns->span(plan.orders[phase.queries].patchColumns)));
}

BoundBox::Look BoundBox::lookFrom(Side side) const {
  bool isQueries = side == Side::Queries;
  auto course = [&](const Expr &expr) { return Course(expr, values.symbols); };
  auto lower = [&](const Bounds &bounds) { return course(isQueries ? bounds.lower : bounds.queryLower); };
  auto upper = [&](const Bounds &bounds) { return course(isQueries ? bounds.upper : bounds.queryUpper); };
  Look look{lower(box.bounds), upper(box.bounds), {}, {}, {}};
  if (box.hole)
    look.holeLower = lower(*box.hole), look.holeUpper = upper(*box.hole);
  if (const std::optional<Expr> &other = isQueries ? box.keyClass : box.queryClass)
    look.otherClass = course(*other);
  return look;
}

Interval BoundBox::intervalOf(Look &look, const BoundOrder &order, const Ranks &range, int64_t row) {
  auto rank = [&](Course &bound) { return order.rankOf(bound.at(row), range.first, range.second); };
  Interval result(rank(look.lower), rank(look.upper));
  if (look.holeLower)
    result.leaveOut(rank(*look.holeLower), rank(*look.holeUpper));
  return result;
}

void BoundBox::turnTo(int64_t queryBegin, int64_t queryEnd, const TileShape &shape) const {
  if (!box.columns)
    return;
  int64_t width = gridWidth, shift = gridShift;
  rememberLooks(queryBegin, queryEnd);
  int64_t first = Interval::never, last = 0, left = width, right = 0;
  for (int64_t rank = queryBegin; rank < queryEnd; ++rank) {
    GridLook look = lookOf(rank);
    if (look.empty() || (!owned[rank] && !shape.anchored))
      continue;
    first = std::min(first, look.begin), last = std::max(last, look.end);
    left = std::min(left, look.left), right = std::max(right, look.right);
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

Interval BoundBox::keysOf(int64_t queryRank) const {
  int64_t row = queries.row(queryRank);
  if (row < 0)
    return Interval();
  if (box.columns)
    return gridInterval(queryRank);
  std::pair<int64_t, int64_t> range{0, keys.size()};
  if (box.sameSegment)
    range = keys.segmentRanks(queries.segment(queryRank));
  else if (box.keyClass)
    range = keys.classRanks(byQuery.otherClass->at(row));
  else if (box.blocks)
    range = blockRanks(row);
  return intervalOf(byQuery, keys, range, row);
}

Interval BoundBox::queriesOf(int64_t keyRank) const {
  int64_t row = keys.row(keyRank);
  if (isLeftOut(row))
    return Interval();
  if (box.columns)
    return {0, queries.size()};
  std::pair<int64_t, int64_t> range{0, queries.size()};
  if (box.sameSegment)
    range = queries.segmentRanks(keys.segment(keyRank));
  else if (box.queryClass)
    range = queries.classRanks(byKey.otherClass->at(row));
  else if (!queries.ascending() || box.blocks)
    return {0, queries.size()};
  return intervalOf(byKey, queries, range, row);
}

int64_t BoundBox::leftOutIn(int64_t begin, int64_t end) const {
  auto before = [&](int64_t rank) { return leftOutBefore[std::clamp<int64_t>(rank, 0, keys.size())]; };
  return leftOutBefore.empty() || begin >= end ? 0 : before(end) - before(begin);
}

int64_t BoundBox::countOf(const Interval &interval, int64_t begin, int64_t end) const {
  begin = std::max(begin, interval.begin), end = std::min(end, interval.end);
  if (begin >= end)
    return 0;
  int64_t holeBegin = std::clamp(interval.holeBegin, begin, end), holeEnd = std::clamp(interval.holeEnd, begin, end);
  int64_t inHole = holeBegin < holeEnd ? holeEnd - holeBegin - leftOutIn(holeBegin, holeEnd) : 0;
  return end - begin - leftOutIn(begin, end) - inHole;
}

int64_t BoundBox::countOnGrid(int64_t queryRank) const {
  GridLook at = lookOf(queryRank);
  if (at.empty())
    return 0;
  auto below = [&](int64_t key) {
    int64_t across = at.right - at.left;
    return llvm::divideFloorSigned(key + gridShift, gridWidth) * across +
           std::clamp<int64_t>(columnOf(key) - at.left, 0, across);
  };
  int64_t count = below(at.end) - below(at.begin) - (below(at.holeEnd) - below(at.holeBegin));
  for (int64_t key : othersKeys)
    count -= looksAt(at, key);
  return count;
}

bool BoundBox::admits(int64_t queryRank, int64_t keyRank) const {
  bool isInside = box.columns ? queries.row(queryRank) >= 0 : keysOf(queryRank).contains(keyRank);
  return isInside && passesRow(queryRank, keys.row(keyRank));
}

void BoundBox::findLeftOut(const Plan &plan) {
  leftOut.resize(values.kvLength());
  for (unsigned order : box.except) {
    BoundOrder listed(plan.orders[order], values);
    for (int64_t rank = 0; rank < listed.size(); ++rank)
      leftOut[listed.row(rank)] = true;
  }
  for (int64_t row = 0; row < values.kvLength(); ++row)
    if (leftOut[row])
      othersKeys.push_back(row);
  leftOutBefore.push_back(0);
  for (int64_t rank = 0; rank < keys.size(); ++rank)
    leftOutBefore.push_back(leftOutBefore.back() + leftOut[keys.row(rank)]);
}

void BoundBox::rememberLooks(int64_t queryBegin, int64_t queryEnd) const {
  std::vector<GridLook> looks;
  for (int64_t rank = queryBegin; rank < queryEnd; ++rank)
    looks.push_back(lookOf(rank));
  firstOfTile = queryBegin, looksOfTile = std::move(looks);
}

BoundBox::GridLook BoundBox::lookOf(int64_t queryRank) const {
  if (firstOfTile <= queryRank && queryRank - firstOfTile < static_cast<int64_t>(looksOfTile.size()))
    return looksOfTile[queryRank - firstOfTile];
  int64_t row = queries.row(queryRank);
  GridLook at{};
  if (row < 0)
    return at;
  auto holeAt = [&](Course &bound) { return std::clamp(bound.at(row), at.begin, at.end); };
  at.begin = std::max<int64_t>(0, byQuery.lower.at(row));
  at.end = std::max(at.begin, std::min(values.kvLength(), byQuery.upper.at(row)));
  at.left = std::max<int64_t>(0, columnsLower->at(row));
  at.right = std::min(gridWidth, columnsUpper->at(row));
  at.holeBegin = box.hole ? holeAt(*byQuery.holeLower) : at.end;
  at.holeEnd = box.hole ? std::max(at.holeBegin, holeAt(*byQuery.holeUpper)) : at.end;
  return at;
}

bool BoundBox::looksAt(const GridLook &at, int64_t key) const {
  bool isInHole = at.holeBegin <= key && key < at.holeEnd;
  return at.begin <= key && key < at.end && !isInHole && at.left <= columnOf(key) && columnOf(key) < at.right;
}

Interval BoundBox::gridInterval(int64_t queryRank) const {
  GridLook look = lookOf(queryRank);
  if (look.empty())
    return Interval();
  if (grid.boxRows != grid.rows || grid.boxColumns != grid.columns) // ranks rise box by box, not row by row
    return Interval(0, grid.size());
  auto rowOfGrid = [&](int64_t key) {
    return llvm::divideFloorSigned(key + gridShift, grid.width) -
           llvm::divideFloorSigned(grid.first + gridShift, grid.width);
  };
  if (grid.rows == 1)
    return Interval(std::max<int64_t>(0, look.begin - grid.first), std::min(grid.columns, look.end - grid.first));
  return Interval(rowOfGrid(look.begin) * grid.columns, (rowOfGrid(look.end - 1) + 1) * grid.columns);
}

bool BoundBox::passesRow(int64_t queryRank, int64_t key) const {
  int64_t row = queries.row(queryRank);
  if (isLeftOut(key))
    return false;
  if (box.columns && !looksAt(lookOf(queryRank), key))
    return false;
  if (!test)
    return true;
  test->moveTo(row);
  return test->contains(key);
}

BoundBox::Ranks BoundBox::blockRanks(int64_t row) const {
  const std::vector<int32_t> &table = values.tables[box.blocks->table];
  int64_t columns = values.tableColumns[box.blocks->table], size = numberOf(box.blocks->size);
  int64_t blockRow = llvm::divideFloorSigned(row + values.offset(Side::Queries), size);
  if (blockRow < 0 || (blockRow + 1) * columns > static_cast<int64_t>(table.size()))
    return noRanks;
  llvm::ArrayRef<int32_t> list = llvm::ArrayRef(table).slice(blockRow * columns, columns);
  int64_t entry = list[slot], begin = entry * size - values.offset(Side::Keys);
  if (entry < 0 || llvm::is_contained(list.take_front(slot), entry))
    return noRanks;
  return {keys.rankOf(begin, 0, keys.size()), keys.rankOf(begin + size, 0, keys.size())};
}
