// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Keys that tiles fetch: which orders these are, what memory they take, and which tiles an item has.
#include "ring.h"
#include "FakeOrders.h"
#include "TestCall.h"

namespace {

constexpr int64_t kGranule = 8, kSlotBytes = 640; // of the fake

struct TileOfHead {
  int64_t head, tile;
  bool operator==(const TileOfHead &other) const { return head == other.head && tile == other.tile; }
};

std::vector<std::vector<TileOfHead>> items; // of the last loop
std::vector<int64_t> tagsSeen;              // by its tiles

void tile(const attn_view *views, const int64_t *, int64_t, int64_t head, int64_t number, void *scratch) {
  items.back().push_back({head, number});
  const auto *ring = static_cast<const attn_key_ring *>(scratch);
  EXPECT_EQ(views[fake_orders.orders[ORDERS_KEYS].key_view].data, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(ring->keys) % 64, 0u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(ring->values) % 64, 0u);
  EXPECT_GE(static_cast<char *>(ring->values) - static_cast<char *>(ring->keys), ring->slots * kGranule);
  for (int64_t slot = 0; slot < ring->slots; ++slot)
    tagsSeen.push_back(ring->tags[slot]);
}

void packOthers(const attn_view *, const int64_t *, int64_t, int64_t, int64_t) {}
void refusePack(const attn_view *, const int64_t *, int64_t, int64_t, int64_t) { ADD_FAILURE() << "keys were packed"; }

/// Hands items to all workers in turn.
void recordItems(void *workers, int64_t count, void (*body)(void *argument, int64_t item, int32_t worker),
                 void *argument) {
  items.clear();
  for (int64_t item = 0; item < count; ++item) {
    items.emplace_back();
    body(argument, item, item % *static_cast<int32_t *>(workers));
  }
}

/// The fake of several orders, of whose keys one has a span; its only phase is over all queries.
class Ring : public testing::Test {
protected:
  Ring() {
    std::copy_n(fake_orders.orders, ORDERS_ORDER_COUNT, orders);
    orders[ORDERS_KEYS].span = span;
    phase.query_order = ORDERS_QUERIES, phase.tile_rows = ORDERS_TILE_ROWS;
    version = fake_orders.cpu->versions[0];
    version.packs = packs, version.tiles = &tileFunction, version.scratch_bytes = 100;
    code = *fake_orders.cpu;
    code.versions = &version;
    kernel = fake_orders;
    kernel.orders = orders, kernel.phases = &phase, kernel.phase_count = 1, kernel.cpu = &code;
    tagsSeen.clear();
  }

  std::unique_ptr<TestCall> prepared(Sizes sizes, int64_t keysOfRow, const attn_executor *executor = nullptr) {
    span[1] = keysOfRow;
    auto call = std::make_unique<TestCall>(kernel, sizes);
    call->addShared(std::vector<int32_t>(sizes.heads, 2));
    call->addIndex(3);
    call->call.executor = executor;
    call->prepare();
    EXPECT_EQ(attn_check_call(&kernel, &call->call, &problem), ATTN_OK);
    return call;
  }

  bool isFetched(int64_t kvLength, int64_t keysOfRow) {
    auto call = prepared({1, 2, 1, 64, kvLength}, keysOfRow);
    return attn_is_fetched(&problem, &version, &orders[ORDERS_KEYS]);
  }

  static constexpr attn_pack_fn packs[] = {refusePack, refusePack, refusePack, packOthers, packOthers};
  static constexpr attn_tile_fn tileFunction = tile;
  int32_t workers = 2;
  int64_t span[2] = {ATTN_CONSTANT, 0};
  attn_order orders[ORDERS_ORDER_COUNT];
  attn_phase phase = {};
  attn_version version;
  attn_cpu_code code;
  attn_kernel kernel;
  attn_problem problem;
};

TEST_F(Ring, HoldsKeysThatFewTilesLookAt) {
  EXPECT_TRUE(isFetched(1000, 0));
  EXPECT_TRUE(isFetched(1000, 500));
  EXPECT_FALSE(isFetched(1000, 501)); // most tiles look at most keys
  EXPECT_TRUE(isFetched(20000, 9500));
  EXPECT_FALSE(isFetched(20000, 10000)); // 768 KiB are not enough
  orders[ORDERS_KEYS].span = nullptr;
  EXPECT_FALSE(isFetched(1000, 0));
}

TEST_F(Ring, TakesMemoryForWhatATileLooksAt) {
  // 100 keys of a row and 4 rows are 13 granules; two more for the ends, and one behind them.
  prepared({1, 2, 1, 64, 1000}, 100);
  EXPECT_EQ(attn_ring_bytes(&problem, &version), 16 * 8 + 16 * kSlotBytes);
  prepared({1, 2, 1, 64, 5000}, 100);
  EXPECT_EQ(attn_ring_bytes(&problem, &version), 16 * 8 + 16 * kSlotBytes);
  prepared({1, 2, 1, 64, 1000}, 501);
  EXPECT_EQ(attn_ring_bytes(&problem, &version), 0);
}

TEST_F(Ring, IsEmptyWhereverACallBegins) {
  attn_executor executor = {&workers, workers, recordItems};
  auto call = prepared({1, 2, 1, 64, 1000}, 100, &executor);
  ASSERT_EQ(call->run(), ATTN_OK);
  EXPECT_EQ(tagsSeen.size(), 2u * 16 * 15); // of 2 heads, 16 tiles and 15 slots
  EXPECT_EQ(std::count(tagsSeen.begin(), tagsSeen.end(), -1), static_cast<int64_t>(tagsSeen.size()));
}

TEST_F(Ring, TilesOfAnItemFollowOneAnother) {
  attn_executor executor = {&workers, workers, recordItems};
  // 2 heads of 72 tiles are 144, of which an item has 4: there are to be 16 items a worker, or a few more.
  auto call = prepared({1, 2, 1, 72 * ORDERS_TILE_ROWS, 1000}, 100, &executor);
  ASSERT_EQ(call->run(), ATTN_OK);
  ASSERT_EQ(items.size(), 36u);
  EXPECT_EQ(items.front(), (std::vector<TileOfHead>{{0, 71}, {0, 70}, {0, 69}, {0, 68}}));
  EXPECT_EQ(items.back(), (std::vector<TileOfHead>{{1, 3}, {1, 2}, {1, 1}, {1, 0}}));
}

TEST_F(Ring, OneWorkerTakesTilesOneByOne) {
  workers = 1;
  attn_executor executor = {&workers, workers, recordItems};
  auto call = prepared({1, 2, 1, 72 * ORDERS_TILE_ROWS, 1000}, 100, &executor);
  ASSERT_EQ(call->run(), ATTN_OK);
  EXPECT_EQ(items.size(), 144u);
}

} // namespace
