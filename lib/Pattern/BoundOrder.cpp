// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Orders with the values of a call put in.

#include "attn/Pattern/Walk.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>

using namespace attn;

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
  bool isInOneClass = isByClass && begin < end && rows[end - 1] - rows[begin] == (end - 1 - begin) * modulus;
  if (isInOneClass)
    return begin + llvm::divideCeilSigned(std::clamp(row, rows[begin], rows[end - 1] + 1) - rows[begin], modulus);
  return std::lower_bound(rows.begin() + begin, rows.begin() + end, row) - rows.begin();
}

bool BoundOrder::containsRow(int64_t row) const {
  if (rows.empty())
    return row >= 0 && row < count;
  return isAscending ? llvm::binary_search(rows, row) : llvm::is_contained(rows, row);
}
