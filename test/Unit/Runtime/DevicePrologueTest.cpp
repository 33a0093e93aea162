// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The prologue of the GPU, its blocks run on the host thread by thread, against the prologue of the CPU.
#include "device/prologue.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <random>
#include <vector>

namespace {

using Ints = std::vector<int32_t>;

constexpr int32_t kGuard = -77;

class DevicePrologue : public ::testing::Test {
protected:
  int64_t uniform(int64_t least, int64_t most) { return std::uniform_int_distribution<int64_t>(least, most)(random); }

  Ints uniformInts(int64_t count, int32_t least, int32_t most) {
    Ints values(count);
    std::generate(values.begin(), values.end(), [&] { return int32_t(uniform(least, most)); });
    return values;
  }

  attn_rows side(int64_t mostRows) { return {uniform(-mostRows / 4, mostRows), uniform(0, mostRows)}; }

  std::mt19937_64 random{42};
};

/// An order for each of some batches, with guards behind every table. Values of no size are those of all batches.
struct Order {
  Order(int32_t kind, const Ints &values, int64_t batches, bool isShared, attn_rows side)
      : batches(batches), rowCount(side.count), wordCount((side.count + 31) / 32), orders(batches, {kGuard, kGuard}),
        rows(batches * side.count + 1, kGuard), flags(batches * wordCount + 1, kGuard),
        scratch(batches * side.count + 1, kGuard) {
    int64_t size = int64_t(values.size()) / (isShared ? 1 : batches);
    isShared |= size == 0;
    job.kind = kind;
    job.order_stride = 1;
    job.order = orders.data();
    job.values = {values.data(), size, isShared ? 0 : size};
    job.most = INT32_MAX;
    job.side = side;
    job.counts_all = 1;
    job.rows = {rows.data(), isShared ? 0 : side.count};
    job.flags = {flags.data(), isShared ? 0 : wordCount};
    job.scratch = {scratch.data(), isShared ? 0 : side.count};
  }

  int32_t build() {
    int32_t status = ATTN_OK;
    for (int64_t b = 0; b < batches; ++b)
      attn_run_job(&job, &status, b, batches);
    EXPECT_EQ(rows.back(), kGuard);
    EXPECT_EQ(flags.back(), kGuard);
    EXPECT_EQ(scratch.back(), kGuard);
    return status;
  }

  /// The rows of all ranks of a batch, and the flag of each row.
  Ints rowsOf(int64_t b) const {
    Ints all(orders[b].count);
    for (int32_t rank = 0; rank < orders[b].count; ++rank)
      all[rank] = orders[b].is_identity ? rank : job.rows.data[b * job.rows.stride + rank];
    return all;
  }
  Ints flagsOf(int64_t b) const {
    Ints all(rowCount);
    for (int64_t row = 0; row < rowCount; ++row)
      all[row] = job.flags.data[b * job.flags.stride + row / 32] >> row % 32 & 1;
    return all;
  }

  int64_t batches, rowCount, wordCount;
  std::vector<attn_gpu_order> orders;
  Ints rows, flags, scratch;
  attn_job job = {};
};

//===----------------------------------------------------------------------------------------------------------===//
// Listed orders
//===----------------------------------------------------------------------------------------------------------===//

void expectListed(const Ints &tokens, int64_t batches, bool isShared, attn_rows side) {
  Order order(ATTN_JOB_LIST, tokens, batches, isShared, side);
  order.build();
  for (int64_t b = 0; b < batches; ++b) {
    Ints rows(side.count + 1), flags(side.count + 1);
    const int32_t *mine = order.job.values.data + b * order.job.values.stride;
    rows.resize(attn_order_listed(mine, order.job.values.size, side, rows.data(), flags.data()));
    EXPECT_EQ(order.rowsOf(b), rows);
    flags.pop_back();
    EXPECT_EQ(order.flagsOf(b), flags);
    EXPECT_EQ(order.orders[b].is_identity, 0);
  }
}

TEST_F(DevicePrologue, ListsTokens) {
  expectListed({}, 1, true, {0, 5});
  expectListed({0}, 2, true, {0, 0});
  expectListed({4, 0, 4, -1, 2}, 3, true, {0, 5});
  expectListed({4, 0, 4, -1, 2, 5}, 2, false, {3, 5});
  expectListed({-1, 0, 1}, 1, true, {-2, 4});
  expectListed({INT32_MAX, INT32_MIN, 3}, 1, true, {int64_t(1) << 40, 5});
  expectListed({INT32_MAX, INT32_MIN, 3}, 1, true, {-(int64_t(1) << 40), 5});
  for (int n = 0; n < 200; ++n)
    expectListed(uniformInts(3 * uniform(0, 50), -1, 300), 3, n % 2, side(200));
  expectListed(uniformInts(5000, -1, 100000), 1, true, {17, 100000});
}

TEST_F(DevicePrologue, RaisesTheStatusForTokensOutOfRange) {
  for (auto [token, status] : {std::pair(-1, ATTN_OK), {9, ATTN_OK}, {10, ATTN_ERROR_TOKEN}, {-2, ATTN_ERROR_TOKEN}}) {
    Ints tokens = {0, token};
    Order order(ATTN_JOB_LIST, tokens, 1, true, {0, 10});
    order.job.most = 9;
    EXPECT_EQ(order.build(), status) << token;
  }
}

TEST_F(DevicePrologue, RaisesTheStatusForValuesOutOfRange) {
  for (auto [value, status] : {std::pair(2, ATTN_OK), {9, ATTN_OK}, {10, ATTN_ERROR_LENGTH}, {1, ATTN_ERROR_LENGTH}}) {
    Ints values = {3, value};
    attn_job job = {};
    job.kind = ATTN_JOB_CHECK;
    job.values = {values.data(), 1, 1};
    job.least = 2, job.most = 9;
    job.reason = ATTN_ERROR_LENGTH;
    job.lines[0] = job.lines[1] = 1;
    int32_t raised = ATTN_OK;
    attn_run_job(&job, &raised, 0, 2);
    EXPECT_EQ(raised, ATTN_OK);
    attn_run_job(&job, &raised, 1, 2);
    EXPECT_EQ(raised, status) << value;
  }
}

// Three matrices of 2 x 4 lines of 5 values each, with other memory between lines.
TEST_F(DevicePrologue, ChecksEveryValueOfEveryLineAndNoOther) {
  const int64_t size = 5, strides[] = {50, 7}, batchStride = 110;
  Ints values(3 * batchStride, kGuard);
  auto visit = [&](auto &&each) {
    for (int64_t b = 0; b < 3; ++b)
      for (int64_t line = 0; line < 2 * 4; ++line)
        for (int64_t i = 0; i < size; ++i)
          each(b, values[b * batchStride + line / 4 * strides[0] + line % 4 * strides[1] + i]);
  };
  visit([](int64_t, int32_t &value) { value = 0; });
  attn_job job = {};
  job.kind = ATTN_JOB_CHECK;
  job.values = {values.data(), size, batchStride};
  job.reason = ATTN_ERROR_BLOCKS;
  job.lines[0] = 2, job.lines[1] = 4;
  std::copy_n(strides, 2, job.line_strides);
  auto raisedBy = [&](int64_t b) {
    int32_t raised = ATTN_OK;
    attn_run_job(&job, &raised, b, 3);
    return raised;
  };
  visit([&](int64_t b, int32_t &value) {
    EXPECT_EQ(raisedBy(b), ATTN_OK);
    value = 1;
    EXPECT_EQ(raisedBy(b), ATTN_ERROR_BLOCKS);
    value = 0;
  });
  job.lines[1] = 0;
  EXPECT_EQ(raisedBy(0), ATTN_OK);
}

//===----------------------------------------------------------------------------------------------------------===//
// Sorted orders
//===----------------------------------------------------------------------------------------------------------===//

struct Sorted {
  Ints rows, flags;
  int64_t count;
};

Sorted sortOnHost(const int32_t *ids, int64_t count, attn_rows side) {
  Sorted sorted = {Ints(side.count), Ints(side.count), 0};
  Ints scratch(side.count);
  sorted.count = attn_order_sorted({ids, count}, side, sorted.rows.data(), sorted.flags.data(), scratch.data());
  return sorted;
}

void expectSorted(const Ints &ids, int64_t batches, bool isShared, attn_rows side) {
  Order order(ATTN_JOB_SORT, ids, batches, isShared, side);
  EXPECT_EQ(order.build(), ATTN_OK);
  for (int64_t b = 0; b < batches; ++b) {
    Sorted expected = sortOnHost(order.job.values.data + b * order.job.values.stride, order.job.values.size, side);
    EXPECT_EQ(order.rowsOf(b), expected.rows);
    EXPECT_EQ(order.flagsOf(b), expected.flags);
  }
  // The same for keys, whose rows without an id do not count, and which nobody asks flags of.
  order.job.counts_all = 0;
  order.job.flags = {};
  order.build();
  for (int64_t b = 0; b < batches; ++b) {
    Sorted expected = sortOnHost(order.job.values.data + b * order.job.values.stride, order.job.values.size, side);
    EXPECT_EQ(order.orders[b].count, expected.count);
  }
}

TEST_F(DevicePrologue, SortsSegments) {
  expectSorted({}, 1, true, {0, 0});
  expectSorted({}, 2, true, {0, 3});
  expectSorted({5, 5, 1, 1, 5, 1, 9, 9}, 1, true, {2, 6});
  expectSorted({INT32_MAX, INT32_MIN, 0, -1, 1, INT32_MIN, INT32_MAX}, 1, true, {0, 7});
  expectSorted({1, 2, 3}, 1, true, {int64_t(1) << 40, 4});
  expectSorted({1, 2, 3}, 1, true, {-(int64_t(1) << 40), 4});
  expectSorted({1, 2, 3, 3}, 1, true, {-2, 9});
  for (int n = 0; n < 200; ++n) {
    bool isWide = uniform(0, 1);
    Ints ids = uniformInts(2 * uniform(0, 100), isWide ? INT32_MIN : -2, isWide ? INT32_MAX : 3);
    if (uniform(0, 3) == 0)
      std::sort(ids.begin(), ids.end());
    expectSorted(ids, 2, n % 2, side(100));
  }
}

TEST_F(DevicePrologue, SortsManyRows) {
  for (int32_t most : {1, 100, 30000, INT32_MAX}) {
    Ints ids = uniformInts(50001, -most, most);
    expectSorted(ids, 1, true, {0, 50001});
  }
}

TEST_F(DevicePrologue, PackedDocumentsNeedNoTable) {
  Ints ids = uniformInts(3000, -4, 4);
  std::sort(ids.begin(), ids.end());
  for (attn_rows side : {attn_rows{0, 3000}, {1000, 3000}, {2999, 5}, {4000, 5}, {-5, 5}}) {
    Order order(ATTN_JOB_SORT, ids, 1, true, side);
    order.build();
    EXPECT_EQ(order.orders[0].is_identity, 1) << side.offset;
    EXPECT_EQ(order.rows, Ints(side.count + 1, kGuard)) << side.offset;
  }
  Order before(ATTN_JOB_SORT, ids, 1, true, {-1, 3000});
  before.build();
  EXPECT_EQ(before.orders[0].is_identity, 0);
}

//===----------------------------------------------------------------------------------------------------------===//
// Matches
//===----------------------------------------------------------------------------------------------------------===//

void expectMatch(const Ints &ids, int64_t batches, attn_rows querySide, attn_rows keySide) {
  Order queries(ATTN_JOB_SORT, ids, batches, false, querySide), keys(ATTN_JOB_SORT, ids, batches, false, keySide);
  keys.job.counts_all = 0;
  queries.build();
  keys.build();
  Ints begin(batches * querySide.count, kGuard), end(begin);
  attn_match_job job = {queries.job.values,
                        {queries.orders.data(), queries.job.rows, querySide.offset},
                        {keys.orders.data(), keys.job.rows, keySide.offset},
                        querySide.count,
                        {begin.data(), queries.job.rows.stride},
                        {end.data(), queries.job.rows.stride},
                        1,
                        1};
  for (int64_t b = 0; b < batches; ++b) {
    const int32_t *mine = job.ids.data + b * job.ids.stride;
    attn_segments segments = {mine, job.ids.size};
    Sorted q = sortOnHost(mine, job.ids.size, querySide), k = sortOnHost(mine, job.ids.size, keySide);
    Ints expectedBegin(querySide.count), expectedEnd(querySide.count);
    attn_match_segments(segments, {q.rows.data(), querySide.count, querySide.offset},
                        {k.rows.data(), k.count, keySide.offset}, expectedBegin.data(), expectedEnd.data());
    for (int64_t rank = 0; rank < querySide.count; ++rank) {
      attn_match_rank(&job, b, rank);
      ASSERT_EQ(begin[b * job.begin.stride + rank], expectedBegin[rank]) << "batch " << b << " rank " << rank;
      ASSERT_EQ(end[b * job.end.stride + rank], expectedEnd[rank]) << "batch " << b << " rank " << rank;
    }
  }
}

TEST_F(DevicePrologue, MatchesSegments) {
  expectMatch({5, 5, 1, 1, 5, 1, 9, 9}, 1, {0, 8}, {2, 6});
  expectMatch({1, 2, 3}, 1, {-4, 3}, {0, 3});
  expectMatch({1, 2, 3}, 1, {0, 3}, {0, 0});
  expectMatch({INT32_MAX, INT32_MIN, INT32_MAX}, 1, {0, 3}, {0, 3});
  for (int n = 0; n < 200; ++n) {
    Ints ids = uniformInts(2 * uniform(0, 60), -2, uniform(-2, 6));
    if (uniform(0, 2) == 0)
      std::sort(ids.begin(), ids.end());
    expectMatch(ids, 2, side(60), side(60));
  }
}

//===----------------------------------------------------------------------------------------------------------===//
// Offsets in segments
//===----------------------------------------------------------------------------------------------------------===//

void expectOffsets(const Ints &ids, int64_t batches, bool isShared) {
  const int64_t count = int64_t(ids.size()) / (isShared ? 1 : batches);
  Order order(ATTN_JOB_OFFSETS, ids, batches, isShared, {0, count});
  EXPECT_EQ(order.build(), ATTN_OK);
  for (int64_t b = 0; b < (isShared ? 1 : batches); ++b) {
    Ints expected(count), scratch(count);
    attn_segment_offsets({ids.data() + b * count, count}, expected.data(), scratch.data());
    EXPECT_EQ(Ints(&order.scratch[b * count], &order.scratch[b * count] + count), expected);
  }
}

TEST_F(DevicePrologue, CountsOffsets) {
  expectOffsets({}, 2, true);
  expectOffsets({5, 5, 1, 1, 5, 1, 9, 9}, 1, true);
  expectOffsets({INT32_MAX, INT32_MIN, INT32_MAX, -1, INT32_MIN, INT32_MAX}, 2, false);
  for (int n = 0; n < 200; ++n) {
    Ints ids = uniformInts(2 * uniform(0, 100), n % 3 ? -2 : INT32_MIN, n % 3 ? 3 : INT32_MAX);
    if (uniform(0, 3) == 0)
      std::sort(ids.begin(), ids.end());
    expectOffsets(ids, 2, n % 2);
  }
  expectOffsets(uniformInts(50001, -100, 100), 1, true);
}

} // namespace
