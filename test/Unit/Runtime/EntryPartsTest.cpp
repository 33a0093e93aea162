// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Calls with few queries: keys in parts, of whose states each has memory of its own, and then merges that find all
// parts of their tile, stage by stage. Nothing is packed.
#include "FakeOrders.h"
#include "TestCall.h"
#include "workspace.h"

#include "attn/Runtime/pool.h"

#include <array>
#include <map>
#include <mutex>

namespace {

constexpr int64_t kFloats = 5;

std::mutex mutex;
std::map<std::array<int64_t, 5>, int> partsSeen;  // phase, batch, head, tile, part
std::map<std::array<int64_t, 4>, int> mergesSeen; // phase, batch, head, tile
bool wereInOrder;

template <int64_t phase>
void part(const attn_view *, const int64_t *, int64_t batch, int64_t head, int64_t tile, void *, int64_t number,
          float *states) {
  for (int64_t i = 0; i < kFloats; ++i)
    states[i] = static_cast<float>(number * kFloats + i);
  std::lock_guard lock(mutex);
  ++partsSeen[{phase, batch, head, tile, number}];
}

template <int64_t phase>
void merge(const attn_view *, const int64_t *, int64_t batch, int64_t head, int64_t tile, void *, int64_t parts,
           const float *states) {
  std::lock_guard lock(mutex);
  for (int64_t i = 0; i < parts * kFloats; ++i)
    wereInOrder &= states[i] == static_cast<float>(i);
  wereInOrder &= partsSeen.count({phase, batch, head, tile, parts - 1}) == 1;
  ++mergesSeen[{phase, batch, head, tile}];
}

void refuseTile(const attn_view *, const int64_t *, int64_t, int64_t, int64_t, void *) {
  ADD_FAILURE() << "a tile ran";
}
void refusePack(const attn_view *, const int64_t *, int64_t, int64_t, int64_t) { ADD_FAILURE() << "keys were packed"; }

/// The fake of four phases and three stages, whose version has parts.
class EntryParts : public testing::Test {
protected:
  EntryParts() {
    version = fake_orders.cpu->versions[0];
    version.packs = packs, version.tiles = tiles, version.parts = partFunctions, version.merges = mergeFunctions;
    version.part_floats = kFloats;
    code = *fake_orders.cpu;
    code.versions = &version;
    kernel = fake_orders;
    kernel.cpu = &code;
    partsSeen.clear(), mergesSeen.clear(), wereInOrder = true;
  }

  std::unique_ptr<TestCall> prepared(Sizes sizes, const attn_executor *executor = nullptr) {
    auto call = std::make_unique<TestCall>(kernel, sizes);
    call->addShared(std::vector<int32_t>(sizes.heads, 2));
    call->addIndex(3);
    call->call.executor = executor;
    call->prepare();
    return call;
  }

  static constexpr attn_pack_fn packs[] = {refusePack, refusePack, refusePack, refusePack, refusePack};
  static constexpr attn_tile_fn tiles[] = {refuseTile, refuseTile, refuseTile, refuseTile};
  static constexpr attn_part_fn partFunctions[] = {part<0>, part<1>, part<2>, part<3>};
  static constexpr attn_merge_fn mergeFunctions[] = {merge<0>, merge<1>, merge<2>, merge<3>};
  attn_version version;
  attn_cpu_code code;
  attn_kernel kernel;
};

TEST_F(EntryParts, EachPartRunsOnceAndBeforeItsMerge) {
  for (int32_t workers : {1, 3}) {
    std::unique_ptr<attn_pool, void (*)(attn_pool *)> pool(attn_pool_create(workers), attn_pool_destroy);
    for (int64_t length = 1; length <= ATTN_FEW_ROWS; ++length)
      for (int64_t kvLength : {0, 1, 512, 513, 2000}) {
        partsSeen.clear(), mergesSeen.clear();
        auto call = prepared({2, 6, 3, length, kvLength}, attn_pool_executor(pool.get()));
        ASSERT_EQ(call->run(), ATTN_OK);
        EXPECT_TRUE(wereInOrder);
        int64_t parts = std::max<int64_t>(1, (kvLength + ATTN_PART_KEYS - 1) / ATTN_PART_KEYS);
        EXPECT_EQ(partsSeen.size(), mergesSeen.size() * parts);
        EXPECT_GE(mergesSeen.size(), 4u * 2 * 6);
        for (auto &[item, count] : partsSeen)
          EXPECT_EQ(count, 1);
        for (auto &[item, count] : mergesSeen)
          EXPECT_EQ(count, 1);
      }
  }
}

TEST_F(EntryParts, ALongerCallTakesTiles) {
  version.packs = fake_orders.cpu->versions[0].packs, version.tiles = fake_orders.cpu->versions[0].tiles;
  auto call = prepared({1, 2, 1, ATTN_FEW_ROWS + 1, 600});
  ASSERT_EQ(call->run(), ATTN_OK);
  EXPECT_TRUE(partsSeen.empty());
  EXPECT_TRUE(mergesSeen.empty());
}

TEST_F(EntryParts, NothingIsPacked) {
  auto few = prepared({1, 2, 1, ATTN_FEW_ROWS, 5000});
  auto more = prepared({1, 2, 1, ATTN_FEW_ROWS + 1, 5000});
  size_t keys = 5000 * sizeof(float) * FAKE_HEAD_SIZE;
  EXPECT_LT(few->call.workspace_bytes + keys, more->call.workspace_bytes);
}

} // namespace
