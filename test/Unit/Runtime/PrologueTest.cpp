// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Orders and matches against brute force on random run-time data.
#include "prologue.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

namespace {

using Ints = std::vector<int32_t>;

constexpr int32_t kGuard = -77;

/// A table of `size` entries and one more, which has to stay.
struct Table {
  explicit Table(int64_t size) : entries(size + 1, kGuard) {}
  ~Table() { EXPECT_EQ(entries.back(), kGuard); }
  int32_t *data() { return entries.data(); }
  Ints first(int64_t count) const { return Ints(entries.begin(), entries.begin() + count); }
  Ints entries;
};

class Prologue : public ::testing::Test {
protected:
  int64_t uniform(int64_t least, int64_t most) { return std::uniform_int_distribution<int64_t>(least, most)(random); }

  Ints uniformInts(int64_t count, int32_t least, int32_t most) {
    Ints values(count);
    std::generate(values.begin(), values.end(), [&] { return int32_t(uniform(least, most)); });
    return values;
  }

  std::mt19937_64 random{42};
};

//===----------------------------------------------------------------------------------------------------------===//
// Listed orders
//===----------------------------------------------------------------------------------------------------------===//

Ints listByHand(const Ints &tokens, attn_rows side) {
  Ints rows;
  for (int64_t row = 0; row < side.count; ++row)
    if (side.offset + row >= 0 && std::count(tokens.begin(), tokens.end(), side.offset + row))
      rows.push_back(int32_t(row));
  return rows;
}

void expectListed(const Ints &tokens, attn_rows side) {
  Table rows(std::min<int64_t>(side.count, tokens.size())), flags(side.count);
  int64_t count = attn_order_listed(tokens.data(), tokens.size(), side, rows.data(), flags.data());
  Ints expected = listByHand(tokens, side), expectedFlags(side.count, 0);
  for (int32_t row : expected)
    expectedFlags[row] = 1;
  EXPECT_EQ(rows.first(count), expected);
  EXPECT_EQ(flags.first(side.count), expectedFlags);
}

TEST_F(Prologue, ListsTokens) {
  expectListed({}, {0, 5});
  expectListed({0}, {0, 0});
  expectListed({4, 0, 4, -1, 2}, {0, 5});
  expectListed({4, 0, 4, -1, 2}, {3, 5});
  expectListed({-1, 0, 1}, {-2, 4}); // padding is no token, even where position -1 has a row
  expectListed({INT32_MAX, INT32_MIN, 3}, {int64_t(1) << 40, 5});
  expectListed({INT32_MAX, INT32_MIN, 3}, {-(int64_t(1) << 40), 5});
  for (int n = 0; n < 2000; ++n)
    expectListed(uniformInts(uniform(0, 12), -1, 20), {uniform(-5, 12), uniform(0, 20)});
}

//===----------------------------------------------------------------------------------------------------------===//
// Sorted orders
//===----------------------------------------------------------------------------------------------------------===//

struct Sorted {
  Ints rows, flags;
  int64_t count;
};

bool hasId(const Ints &ids, int64_t position) { return position >= 0 && position < int64_t(ids.size()); }

Sorted sortByHand(const Ints &ids, attn_rows side) {
  Sorted sorted = {{}, Ints(side.count, 0), 0};
  Ints without;
  for (int64_t row = 0; row < side.count; ++row) {
    sorted.flags[row] = hasId(ids, side.offset + row);
    (sorted.flags[row] ? sorted.rows : without).push_back(int32_t(row));
  }
  sorted.count = sorted.rows.size();
  std::sort(sorted.rows.begin(), sorted.rows.end(), [&](int32_t a, int32_t b) {
    return std::pair(ids[side.offset + a], a) < std::pair(ids[side.offset + b], b);
  });
  sorted.rows.insert(sorted.rows.end(), without.begin(), without.end());
  return sorted;
}

Sorted sortByPrologue(const Ints &ids, attn_rows side) {
  Table rows(side.count), flags(side.count), scratch(side.count);
  int64_t count = attn_order_sorted({ids.data(), int64_t(ids.size())}, side, rows.data(), flags.data(), scratch.data());
  return {rows.first(side.count), flags.first(side.count), count};
}

void expectSorted(const Ints &ids, attn_rows side) {
  Sorted expected = sortByHand(ids, side), sorted = sortByPrologue(ids, side);
  EXPECT_EQ(sorted.count, expected.count);
  EXPECT_EQ(sorted.rows, expected.rows);
  EXPECT_EQ(sorted.flags, expected.flags);
}

TEST_F(Prologue, SortsSegments) {
  expectSorted({}, {0, 0});
  expectSorted({}, {0, 3});
  expectSorted({5, 5, 1, 1, 5, 1, 9, 9}, {2, 6});
  expectSorted({INT32_MAX, INT32_MIN, 0, -1, 1, INT32_MIN, INT32_MAX}, {0, 7});
  expectSorted({1, 2, 3}, {int64_t(1) << 40, 4});
  expectSorted({1, 2, 3}, {-(int64_t(1) << 40), 4});
  for (int n = 0; n < 2000; ++n) {
    bool isWide = uniform(0, 1);
    Ints ids = uniformInts(uniform(0, 40), isWide ? INT32_MIN : -2, isWide ? INT32_MAX : 3);
    if (uniform(0, 3) == 0)
      std::sort(ids.begin(), ids.end());
    expectSorted(ids, {uniform(-10, 30), uniform(0, 40)});
  }
}

TEST_F(Prologue, SortsManyRows) {
  Ints ids = uniformInts(100000, INT32_MIN, INT32_MAX);
  expectSorted(ids, {0, 100000});
  std::sort(ids.begin(), ids.end());
  expectSorted(ids, {0, 100000});
  std::reverse(ids.begin(), ids.end());
  expectSorted(ids, {0, 100000});
}

//===----------------------------------------------------------------------------------------------------------===//
// Matches
//===----------------------------------------------------------------------------------------------------------===//

/// Each query's range has to hold the keys of its segment and no other, and ranges of no key have to be empty.
void expectMatch(const Ints &ids, attn_rows querySide, attn_rows keySide) {
  attn_segments segments = {ids.data(), int64_t(ids.size())};
  Sorted queries = sortByPrologue(ids, querySide), keys = sortByPrologue(ids, keySide);
  Table begin(querySide.count), end(querySide.count);
  attn_match_segments(segments, {queries.rows.data(), querySide.count, querySide.offset},
                      {keys.rows.data(), keys.count, keySide.offset}, begin.data(), end.data());
  for (int64_t rank = 0; rank < querySide.count; ++rank) {
    int64_t query = querySide.offset + queries.rows[rank];
    ASSERT_TRUE(0 <= begin.entries[rank] && begin.entries[rank] <= end.entries[rank] &&
                end.entries[rank] <= keys.count);
    for (int64_t key = 0; key < keys.count; ++key) {
      bool isSame = hasId(ids, query) && ids[query] == ids[keySide.offset + keys.rows[key]];
      ASSERT_EQ(begin.entries[rank] <= key && key < end.entries[rank], isSame) << "rank " << rank << " key " << key;
    }
  }
}

TEST_F(Prologue, MatchesSegments) {
  expectMatch({5, 5, 1, 1, 5, 1, 9, 9}, {0, 8}, {2, 6});
  expectMatch({1, 2, 3}, {-4, 3}, {0, 3});
  expectMatch({1, 2, 3}, {0, 3}, {0, 0});
  for (int n = 0; n < 2000; ++n)
    expectMatch(uniformInts(uniform(0, 30), -2, uniform(-2, 6)), {uniform(-6, 20), uniform(0, 24)},
                {uniform(-6, 20), uniform(0, 24)});
}

//===----------------------------------------------------------------------------------------------------------===//
// Offsets in segments
//===----------------------------------------------------------------------------------------------------------===//

void expectOffsets(const Ints &ids) {
  Table offsets(ids.size()), scratch(ids.size());
  attn_segment_offsets({ids.data(), int64_t(ids.size())}, offsets.data(), scratch.data());
  for (size_t position = 0; position < ids.size(); ++position)
    ASSERT_EQ(offsets.entries[position], std::count(ids.begin(), ids.begin() + position, ids[position])) << position;
}

TEST_F(Prologue, CountsOffsets) {
  expectOffsets({});
  expectOffsets({7});
  expectOffsets({5, 5, 1, 1, 5, 1, 9, 9});
  expectOffsets({INT32_MAX, INT32_MIN, INT32_MAX, -1, INT32_MIN});
  for (int n = 0; n < 2000; ++n) {
    Ints ids = uniformInts(uniform(0, 40), n % 2 ? -2 : INT32_MIN, n % 2 ? 3 : INT32_MAX);
    if (uniform(0, 3) == 0)
      std::sort(ids.begin(), ids.end());
    expectOffsets(ids);
  }
}

} // namespace
