// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The entry point, driven by fake kernels: what is right comes out right whatever the layout, offsets and workers, and
// what is wrong is refused before anything is written.
#include "TestCall.h"

#include "attn/Runtime/pool.h"
#include "processor.h"

#include <algorithm>
#include <set>
#include <string>
#include <thread>

namespace {

//===----------------------------------------------------------------------------------------------------------===//
// What is right
//===----------------------------------------------------------------------------------------------------------===//

Admits longformerPairs(std::vector<std::vector<int32_t>> tokens, int64_t left, int64_t right) {
  return [=](int64_t b, int64_t query, int64_t key) {
    const std::vector<int32_t> &mine = tokens[tokens.size() > 1 ? b : 0];
    auto isToken = [&](int64_t position) {
      return position >= 0 && std::find(mine.begin(), mine.end(), position) != mine.end();
    };
    return (query - left <= key && key <= query + right) || isToken(query) || isToken(key);
  };
}

Admits documentPairs(std::vector<std::vector<int32_t>> segments, std::vector<int32_t> lengths) {
  return [=](int64_t b, int64_t query, int64_t key) {
    const std::vector<int32_t> &ids = segments[segments.size() > 1 ? b : 0];
    return query >= 0 && key >= 0 && key < lengths[b] && ids[query] == ids[key];
  };
}

TEST(Entry, LongformerOfManySizes) {
  for (int64_t length : {1, 2, 7, 8, 9, 33, 64})
    for (int64_t kvLength : {1, 5, 16, 17, 64})
      for (int64_t window : {0, 3, 100}) {
        TestCall call(fake_longformer, {2, 4, 2, length, kvLength});
        call.addShared({0, int32_t(kvLength - 1), 0, -1});
        call.addIndex(window);
        call.addIndex(window / 2);
        call.runAndCheck(longformerPairs({{0, int32_t(kvLength - 1)}}, window, window / 2));
      }
}

TEST(Entry, TokensOfEachBatch) {
  TestCall call(fake_longformer, {3, 2, 1, 40, 40});
  call.addData({5, 5, 39, 0, -1, -1, -1, -1, -1}, {3, 3});
  call.addIndex(2);
  call.addIndex(2);
  call.runAndCheck(longformerPairs({{5, 39}, {0}, {}}, 2, 2));
}

TEST(Entry, DefaultsOfTokensAndScalars) {
  TestCall call(fake_longformer, {1, 1, 1, 600, 600});
  call.runAndCheck(longformerPairs({{0}}, 256, 256));
}

TEST(Entry, DefaultOfAnEarlierScalarStaysGiven) {
  TestCall call(fake_longformer, {1, 1, 1, 300, 300});
  call.addShared({});
  call.addIndex(1);
  call.runAndCheck(longformerPairs({{}}, 1, 256));
}

TEST(Entry, TensorOfRankZeroTakesItsDefault) {
  TestCall call(fake_longformer, {1, 1, 1, 600, 600});
  call.tensors.push_back(attn_tensor{});
  call.runAndCheck(longformerPairs({{0}}, 256, 256));
}

TEST(Entry, DefaultTokensPastTheEndAreAbsent) {
  TestCall call(fake_longformer, {1, 1, 1, 3, 0});
  call.runAndCheck(longformerPairs({{0}}, 256, 256));
}

TEST(Entry, ShardsAgreeWithTheWhole) {
  for (int64_t queryOffset : {-3, 0, 10, 50})
    for (int64_t keyOffset : {0, 8, 30}) {
      TestCall call(fake_longformer, {1, 2, 2, 20, 24});
      call.addShared({0, 9, 31, 1000});
      call.addIndex(4);
      call.addIndex(6);
      call.call.flags = ATTN_HAS_QUERY_OFFSET;
      call.call.query_offset = queryOffset;
      call.call.key_offset = keyOffset;
      call.runAndCheck(longformerPairs({{0, 9, 31, 1000}}, 4, 6));
    }
}

TEST(Entry, KeyOffsetMovesTheDefaultQueryOffset) {
  TestCall call(fake_longformer, {1, 1, 1, 4, 12});
  call.addShared({17});
  call.addIndex(1);
  call.addIndex(0);
  call.call.key_offset = 10;
  ASSERT_EQ(call.queryOffset(), 18);
  call.runAndCheck(longformerPairs({{17}}, 1, 0));
}

TEST(Entry, ScaleReplacesTheDefault) {
  TestCall call(fake_longformer, {1, 1, 1, 20, 20});
  call.call.flags = ATTN_HAS_SCALE;
  call.call.scale = 0.125;
  call.runAndCheck(longformerPairs({{0}}, 256, 256));
}

std::vector<int32_t> randomIds(int64_t count, int32_t least, int32_t most, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<int32_t> distribution(least, most);
  std::vector<int32_t> ids(count);
  std::generate(ids.begin(), ids.end(), [&] { return distribution(random); });
  return ids;
}

TEST(Entry, DocumentsShuffledAndSorted) {
  for (int64_t length : {1, 4, 5, 31})
    for (int64_t kvLength : {1, 8, 40})
      for (bool isSorted : {false, true}) {
        TestCall call(fake_document, {2, 2, 1, length, kvLength});
        std::vector<int32_t> ids = randomIds(40, -2, 3, length * 100 + kvLength);
        if (isSorted)
          std::sort(ids.begin(), ids.end());
        std::vector<int32_t> lengths = {int32_t(kvLength), int32_t(kvLength / 2)};
        call.addShared(ids);
        call.addData(lengths, {2});
        call.runAndCheck(documentPairs({ids}, lengths));
      }
}

TEST(Entry, DocumentsOfEachBatch) {
  TestCall call(fake_document, {3, 2, 2, 37, 37});
  std::vector<int32_t> ids[] = {randomIds(37, 0, 4, 1), randomIds(37, 0, 0, 2), randomIds(37, -1000000, 1000000, 3)};
  std::vector<int32_t> all;
  for (const std::vector<int32_t> &row : ids)
    all.insert(all.end(), row.begin(), row.end());
  call.addData(all, {3, 37});
  call.addData({37, 0, 20}, {3});
  call.runAndCheck(documentPairs({ids[0], ids[1], ids[2]}, {37, 0, 20}));
}

// Queries at positions below 0 belong to no segment: they admit no key, and are written all the same.
TEST(Entry, QueriesWithoutASegment) {
  TestCall call(fake_document, {2, 1, 1, 20, 8});
  call.addShared({1, 0, 0, 2, 1, 1, 2, 0});
  call.addData({8, 5}, {2});
  ASSERT_EQ(call.queryOffset(), -12);
  call.runAndCheck(documentPairs({{1, 0, 0, 2, 1, 1, 2, 0}}, {8, 5}));
}

TEST(Entry, KeysWithoutASegment) {
  TestCall call(fake_document, {1, 1, 1, 4, 8});
  call.addShared({1, 1, 2, 2, 2});
  call.addData({5}, {1});
  call.call.key_offset = -3;
  call.runAndCheck(documentPairs({{1, 1, 2, 2, 2}}, {5}));
}

// [batch, row, head, column], as many models hold their data.
TEST(Entry, HeadsInsideRows) {
  TestCall call(fake_longformer, {2, 4, 2, 21, 30});
  for (int32_t i = ATTN_QUERY; i <= ATTN_LSE; ++i) {
    attn_tensor &t = call.tensors[i];
    int64_t columns = i == ATTN_LSE ? 1 : t.shape[3];
    t.strides[0] = t.shape[1] * t.shape[2] * columns;
    t.strides[1] = columns;
    t.strides[2] = t.shape[1] * columns;
  }
  call.addShared({3});
  call.addIndex(5);
  call.addIndex(5);
  call.runAndCheck(longformerPairs({{3}}, 5, 5));
}

TEST(Entry, LseMayBeMissing) {
  TestCall withNull(fake_longformer, {1, 2, 1, 10, 10});
  withNull.tensors[ATTN_LSE] = attn_tensor{};
  withNull.runAndCheck(longformerPairs({{0}}, 256, 256));

  TestCall without(fake_longformer, {1, 2, 1, 10, 10});
  without.tensors.pop_back();
  without.runAndCheck(longformerPairs({{0}}, 256, 256));
}

TEST(Entry, NoKeys) {
  TestCall call(fake_longformer, {2, 2, 1, 9, 0});
  call.addShared({});
  call.runAndCheck([](int64_t, int64_t, int64_t) { return false; });
}

TEST(Entry, NothingToDo) {
  for (Sizes sizes : {Sizes{0, 2, 1, 9, 9}, Sizes{2, 2, 1, 0, 9}, Sizes{2, 2, 1, 0, 0}, Sizes{1, 0, 0, 9, 9}}) {
    TestCall call(fake_longformer, sizes);
    call.addShared({0, 7000});
    call.prepare();
    EXPECT_EQ(call.workspace.size(), 0u);
    call.call.workspace = nullptr;
    EXPECT_EQ(call.run(), ATTN_OK);
    EXPECT_TRUE(call.isOutputUntouched());
  }
}

//===----------------------------------------------------------------------------------------------------------===//
// What is handed to emitted functions
//===----------------------------------------------------------------------------------------------------------===//

std::vector<attn_view> seenViews;
std::vector<int64_t> seenSymbols;

void spyTile(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t head, int64_t tile, void *scratch) {
  EXPECT_EQ(reinterpret_cast<uintptr_t>(scratch) % 64, 0u);
  seenViews.assign(views, views + fake_longformer.view_count);
  seenSymbols.assign(symbols, symbols + fake_longformer.symbol_count);
}

const attn_tile_fn spyTiles[] = {spyTile, spyTile};

TEST(Entry, ViewsAndSymbols) {
  attn_version version = fake_longformer.cpu->versions[1];
  version.tiles = spyTiles;
  attn_cpu_code code = *fake_longformer.cpu;
  code.versions = &version;
  code.version_count = 1;
  attn_kernel spied = fake_longformer;
  spied.cpu = &code;

  TestCall call(spied, {2, 6, 3, 10, 13});
  call.addShared({12, 3, 3});
  call.addIndex(7);
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);

  float scale = 1 / std::sqrt(6.0);
  uint32_t bits;
  std::memcpy(&bits, &scale, sizeof(bits));
  EXPECT_EQ(seenSymbols, (std::vector<int64_t>{10, 13, 3, 0, 0, bits, 2, 6, 0, 7, 256, 10, 13, 2, 2}));

  auto expectView = [](const attn_view &view, std::vector<int64_t> shape, std::vector<int64_t> strides) {
    EXPECT_EQ(view.allocated, view.data);
    EXPECT_EQ(view.offset, 0);
    EXPECT_EQ(std::vector<int64_t>(view.shape, view.shape + 4), shape);
    EXPECT_EQ(std::vector<int64_t>(view.strides, view.strides + 4), strides);
  };
  expectView(seenViews[ATTN_QUERY], {2, 6, 10, 6}, {360, 60, 6, 1});
  expectView(seenViews[ATTN_LSE], {2, 6, 10, 1}, {60, 10, 1, 1});
  expectView(seenViews[LONGFORMER_GLOBAL], {2, 1, 1, 3}, {0, 0, 0, 1});
  EXPECT_EQ(seenViews[LONGFORMER_GLOBAL].data, call.data[0]->data());
  const int firstMade = LONGFORMER_TENSOR_COUNT;
  expectView(seenViews[firstMade + 0], {2, 3, 4, 40}, {480, 160, 40, 1}); // 13 keys are 16 packed, 4 panels
  expectView(seenViews[firstMade + 1], {2, 3, 16, 16}, {768, 256, 16, 1});
  expectView(seenViews[firstMade + 2], {2, 1, 1, 3}, {0, 0, 0, 1}); // three tokens at most
  expectView(seenViews[firstMade + 3], {2, 1, 1, 10}, {0, 0, 0, 1});
  expectView(seenViews[firstMade + 7], {2, 3, 8, 16}, {384, 128, 16, 1});
  for (int32_t i = firstMade; i < spied.view_count; ++i)
    EXPECT_EQ(reinterpret_cast<uintptr_t>(seenViews[i].data) % 64, 0u) << "view " << i;
}

TEST(Entry, GivenQueryOffsetIsTheTopLeftOne) {
  attn_version version = fake_longformer.cpu->versions[1];
  version.tiles = spyTiles;
  attn_cpu_code code = *fake_longformer.cpu;
  code.versions = &version;
  code.version_count = 1;
  attn_kernel spied = fake_longformer;
  spied.cpu = &code;
  TestCall call(spied, {1, 1, 1, 4, 9});
  call.call.flags = ATTN_HAS_QUERY_OFFSET;
  call.call.query_offset = 2;
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);
  EXPECT_EQ(seenSymbols[ATTN_SYMBOL_QUERY_OFFSET], 2);
  EXPECT_EQ(seenSymbols[ATTN_SYMBOL_TOP_LEFT_OFFSET], 2);
}

//===----------------------------------------------------------------------------------------------------------===//
// Workspace and workers
//===----------------------------------------------------------------------------------------------------------===//

/// Runs items backwards, each under the worker id that is next in turn.
void runBackwards(void *context, int64_t count, void (*body)(void *, int64_t, int32_t), void *argument) {
  for (int64_t item = count; item-- > 0;)
    body(argument, item, int32_t(item % *static_cast<int32_t *>(context)));
}

void fillCall(TestCall &call) {
  call.addShared({0, 17, 30});
  call.addIndex(3);
  call.addIndex(9);
}

TEST(Entry, WorkersDoNotChangeTheBits) {
  TestCall serial(fake_longformer, {2, 4, 2, 100, 120});
  fillCall(serial);
  serial.runAndCheck(longformerPairs({{0, 17, 30}}, 3, 9));
  for (int32_t workers : {1, 2, 3}) {
    attn_pool *pool = attn_pool_create(workers);
    attn_executor backwards = {&workers, workers, runBackwards};
    for (const attn_executor *executor : {attn_pool_executor(pool), const_cast<const attn_executor *>(&backwards)}) {
      TestCall call(fake_longformer, {2, 4, 2, 100, 120});
      fillCall(call);
      call.call.executor = executor;
      call.prepare();
      ASSERT_EQ(call.run(), ATTN_OK);
      EXPECT_EQ(std::memcmp(call.output.data(), serial.output.data(), call.output.size() * sizeof(float)), 0);
      EXPECT_EQ(std::memcmp(call.lse.data(), serial.lse.data(), call.lse.size() * sizeof(float)), 0);
    }
    attn_pool_destroy(pool);
  }
}

TEST(Entry, WorkspaceGrowsByTheWorkersScratch) {
  int32_t workers = 5;
  attn_executor executor = {&workers, workers, runBackwards};
  TestCall call(fake_longformer, {1, 1, 1, 10, 10});
  call.prepare();
  size_t serial = call.workspace.size();
  EXPECT_EQ(serial % 64, 0u);
  call.call.executor = &executor;
  EXPECT_EQ(attn_cpu_workspace_bytes(&fake_longformer, &call.call), serial + 4 * 128);
  EXPECT_EQ(call.run(), ATTN_ERROR_WORKSPACE);
  EXPECT_TRUE(call.isOutputUntouched() && call.workspace.isUntouched());
}

TEST(Entry, WorkspaceIsMeasuredBeforeThereIsData) {
  TestCall call(fake_document, {2, 2, 1, 30, 30});
  call.addShared(randomIds(30, 0, 3, 1));
  call.addData({30, 30}, {2});
  call.prepare();
  for (attn_tensor &tensor : call.tensors)
    tensor.data = nullptr;
  EXPECT_EQ(attn_cpu_workspace_bytes(&fake_document, &call.call), call.workspace.size());
}

TEST(Entry, AWrongCallNeedsNoWorkspace) {
  TestCall call(fake_longformer, {1, 1, 1, 10, 10});
  call.prepare();
  call.tensors[ATTN_KEY].rank = 3;
  EXPECT_EQ(attn_cpu_workspace_bytes(&fake_longformer, &call.call), 0u);
}

TEST(Entry, CallsFromManyThreads) {
  auto work = [](uint64_t seed) {
    for (int repeat = 0; repeat < 10; ++repeat) {
      TestCall call(fake_longformer, {1, 2, 1, 50, 60}, seed + repeat);
      fillCall(call);
      call.runAndCheck(longformerPairs({{0, 17, 30}}, 3, 9));
      std::vector<int32_t> ids = randomIds(60, 0, 5, seed);
      TestCall document(fake_document, {1, 2, 1, 50, 60}, seed + repeat);
      document.addShared(ids);
      document.addData({45}, {1});
      document.runAndCheck(documentPairs({ids}, {45}));
    }
  };
  std::vector<std::thread> threads;
  for (uint64_t seed : {100, 200, 300, 400})
    threads.emplace_back(work, seed);
  for (std::thread &thread : threads)
    thread.join();
}

//===----------------------------------------------------------------------------------------------------------===//
// Instruction sets
//===----------------------------------------------------------------------------------------------------------===//

TEST(Entry, IsaIsTheBestWithinTheLimit) {
  bool hasAvx2 = attn_processor_isas() >> ATTN_ISA_AVX2 & 1;
  attn_call call = ATTN_CALL_INIT;
  EXPECT_EQ(attn_cpu_isa(&fake_longformer, &call), hasAvx2 ? ATTN_ISA_AVX2 : ATTN_ISA_GENERIC);
  call.max_isa = ATTN_ISA_AMX;
  EXPECT_EQ(attn_cpu_isa(&fake_longformer, &call), hasAvx2 ? ATTN_ISA_AVX2 : ATTN_ISA_GENERIC);
  call.max_isa = ATTN_ISA_GENERIC;
  EXPECT_EQ(attn_cpu_isa(&fake_longformer, &call), ATTN_ISA_GENERIC);
  call.max_isa = -1;
  EXPECT_EQ(attn_cpu_isa(&fake_longformer, &call), 0);
  call.version = 0;
  EXPECT_EQ(attn_cpu_isa(&fake_longformer, &call), 0);
  EXPECT_EQ(attn_cpu_isa(&fake_longformer, nullptr), 0);
}

TEST(Entry, ProcessorSaysWhatTheCompilersDetectionSays) {
  __builtin_cpu_init();
  uint32_t isas = attn_processor_isas();
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  bool bf16 = avx512 && __builtin_cpu_supports("avx512bf16");
  EXPECT_EQ(isas >> ATTN_ISA_GENERIC & 1, 1u);
  EXPECT_EQ(isas >> ATTN_ISA_AVX2 & 1, avx2);
  EXPECT_EQ(isas >> ATTN_ISA_AVX512 & 1, avx512);
  EXPECT_EQ(isas >> ATTN_ISA_AVX512BF16 & 1, bf16);
}

//===----------------------------------------------------------------------------------------------------------===//
// What is wrong
//===----------------------------------------------------------------------------------------------------------===//

/// One mistake: `make` puts it into a call that was right and prepared.
struct Mistake {
  const char *name;
  int status;
  const attn_kernel *kernel;
  void (*make)(TestCall &);
};

attn_kernel_info oldInfo() {
  attn_kernel_info info = fake_longformer_info;
  info.version = 0;
  return info;
}
attn_kernel_info sameLengthInfo() {
  attn_kernel_info info = fake_longformer_info;
  info.same_length = 1;
  return info;
}
const attn_kernel_info oldLongformerInfo = oldInfo(), sameLengthLongformerInfo = sameLengthInfo();
const attn_version amxVersion = {ATTN_ISA_AMX, 2, 64, nullptr, nullptr, 16, 16, nullptr, nullptr, 0};

attn_kernel longformerWith(const attn_kernel_info &info) {
  attn_kernel kernel = fake_longformer;
  kernel.info = &info;
  return kernel;
}
attn_cpu_code amxOnly() {
  attn_cpu_code code = *fake_longformer.cpu;
  code.versions = &amxVersion;
  code.version_count = 1;
  return code;
}
attn_kernel longformerWith(const attn_cpu_code &code) {
  attn_kernel kernel = fake_longformer;
  kernel.cpu = &code;
  return kernel;
}
const attn_kernel oldLongformer = longformerWith(oldLongformerInfo);
const attn_kernel sameLengthLongformer = longformerWith(sameLengthLongformerInfo);
const attn_cpu_code amxCode = amxOnly();
const attn_kernel amxLongformer = longformerWith(amxCode);

constexpr int64_t kFar = int64_t(1) << 41;

const Mistake mistakes[] = {
    {"an older call", ATTN_ERROR_VERSION, &fake_longformer, [](TestCall &c) { c.call.version = 0; }},
    {"a shorter call", ATTN_ERROR_VERSION, &fake_longformer, [](TestCall &c) { c.call.size -= 8; }},
    {"an older kernel", ATTN_ERROR_VERSION, &oldLongformer, [](TestCall &) {}},
    {"no output", ATTN_ERROR_TENSOR_COUNT, &fake_longformer, [](TestCall &c) { c.call.tensor_count = 3; }},
    {"a negative tensor count", ATTN_ERROR_TENSOR_COUNT, &fake_longformer,
     [](TestCall &c) { c.call.tensor_count = -1; }},
    {"a tensor too many", ATTN_ERROR_TENSOR_COUNT, &fake_longformer, [](TestCall &c) { ++c.call.tensor_count; }},
    {"no lengths", ATTN_ERROR_TENSOR_COUNT, &fake_document, [](TestCall &c) { --c.call.tensor_count; }},
    {"segments of rank 0", ATTN_ERROR_TENSOR_COUNT, &fake_document,
     [](TestCall &c) { c.tensors[DOCUMENT_SEGMENTS].rank = 0; }},
    {"a scalar too many", ATTN_ERROR_SCALAR_COUNT, &fake_longformer, [](TestCall &c) { c.call.scalar_count = 3; }},
    {"a negative scalar count", ATTN_ERROR_SCALAR_COUNT, &fake_longformer,
     [](TestCall &c) { c.call.scalar_count = -1; }},
    {"no tensors", ATTN_ERROR_NULL_DATA, &fake_longformer, [](TestCall &c) { c.call.tensors = nullptr; }},
    {"no scalars", ATTN_ERROR_NULL_DATA, &fake_longformer, [](TestCall &c) { c.call.scalars = nullptr; }},
    {"no query data", ATTN_ERROR_NULL_DATA, &fake_longformer,
     [](TestCall &c) { c.tensors[ATTN_QUERY].data = nullptr; }},
    {"no token data", ATTN_ERROR_NULL_DATA, &fake_longformer,
     [](TestCall &c) { c.tensors[LONGFORMER_GLOBAL].data = nullptr; }},
    {"a query in bf16", ATTN_ERROR_ELEMENT, &fake_longformer,
     [](TestCall &c) { c.tensors[ATTN_QUERY].element = ATTN_BF16; }},
    {"an unknown element", ATTN_ERROR_ELEMENT, &fake_longformer, [](TestCall &c) { c.tensors[ATTN_KEY].element = 77; }},
    {"lse in f16", ATTN_ERROR_ELEMENT, &fake_longformer, [](TestCall &c) { c.tensors[ATTN_LSE].element = ATTN_F16; }},
    {"tokens in f32", ATTN_ERROR_ELEMENT, &fake_longformer,
     [](TestCall &c) { c.tensors[LONGFORMER_GLOBAL].element = ATTN_F32; }},
    {"a misaligned value", ATTN_ERROR_ALIGNMENT, &fake_longformer,
     [](TestCall &c) { c.tensors[ATTN_VALUE].data = static_cast<char *>(c.tensors[ATTN_VALUE].data) + 2; }},
    {"a query of rank 3", ATTN_ERROR_RANK, &fake_longformer, [](TestCall &c) { c.tensors[ATTN_QUERY].rank = 3; }},
    {"a query of rank 1000", ATTN_ERROR_RANK, &fake_longformer, [](TestCall &c) { c.tensors[ATTN_QUERY].rank = 1000; }},
    {"lse of rank 4", ATTN_ERROR_RANK, &fake_longformer, [](TestCall &c) { c.tensors[ATTN_LSE].rank = 4; }},
    {"tokens of rank 3", ATTN_ERROR_RANK, &fake_longformer, [](TestCall &c) { c.tensors[LONGFORMER_GLOBAL].rank = 3; }},
    {"lengths of rank 2", ATTN_ERROR_RANK, &fake_document, [](TestCall &c) { c.tensors[DOCUMENT_LENGTHS].rank = 2; }},
    {"a negative size", ATTN_ERROR_SHAPE, &fake_longformer, [](TestCall &c) { c.tensors[ATTN_KEY].shape[2] = -1; }},
    {"another batch", ATTN_ERROR_SHAPE, &fake_longformer, [](TestCall &c) { c.tensors[ATTN_KEY].shape[0] = 1; }},
    {"another output length", ATTN_ERROR_SHAPE, &fake_longformer,
     [](TestCall &c) { --c.tensors[ATTN_OUTPUT].shape[2]; }},
    {"another value length", ATTN_ERROR_SHAPE, &fake_longformer, [](TestCall &c) { --c.tensors[ATTN_VALUE].shape[2]; }},
    {"other lse heads", ATTN_ERROR_SHAPE, &fake_longformer, [](TestCall &c) { --c.tensors[ATTN_LSE].shape[1]; }},
    {"lengths of another batch", ATTN_ERROR_SHAPE, &fake_document,
     [](TestCall &c) { c.tensors[DOCUMENT_LENGTHS].shape[0] = 1; }},
    {"a size past 2^40", ATTN_ERROR_SHAPE, &fake_longformer,
     [](TestCall &c) { c.tensors[ATTN_QUERY].shape[2] = kFar; }},
    {"sizes whose product is past 2^64", ATTN_ERROR_SHAPE, &fake_longformer,
     [](TestCall &c) { c.tensors[ATTN_QUERY].shape[0] = c.tensors[ATTN_QUERY].shape[2] = int64_t(1) << 40; }},
    {"more rows than int32 holds", ATTN_ERROR_SHAPE, &fake_longformer,
     [](TestCall &c) {
       for (int32_t i : {ATTN_QUERY, ATTN_OUTPUT, ATTN_LSE})
         c.tensors[i].shape[2] = int64_t(1) << 31;
     }},
    {"a far key offset", ATTN_ERROR_SHAPE, &fake_longformer, [](TestCall &c) { c.call.key_offset = -kFar; }},
    {"a far query offset", ATTN_ERROR_SHAPE, &fake_longformer,
     [](TestCall &c) {
       c.call.flags = ATTN_HAS_QUERY_OFFSET;
       c.call.query_offset = INT64_MAX;
     }},
    {"columns apart", ATTN_ERROR_STRIDE, &fake_longformer, [](TestCall &c) { c.tensors[ATTN_OUTPUT].strides[3] = 2; }},
    {"tokens apart", ATTN_ERROR_STRIDE, &fake_longformer,
     [](TestCall &c) { c.tensors[LONGFORMER_GLOBAL].strides[0] = 2; }},
    {"another head size", ATTN_ERROR_HEAD_SIZE, &fake_longformer, [](TestCall &c) { --c.tensors[ATTN_KEY].shape[3]; }},
    {"another value head size", ATTN_ERROR_HEAD_SIZE, &fake_longformer,
     [](TestCall &c) { --c.tensors[ATTN_OUTPUT].shape[3]; }},
    {"3 key heads", ATTN_ERROR_HEADS, &fake_longformer, [](TestCall &c) { c.tensors[ATTN_KEY].shape[1] = 3; }},
    {"no key heads", ATTN_ERROR_HEADS, &fake_longformer, [](TestCall &c) { c.tensors[ATTN_KEY].shape[1] = 0; }},
    {"a negative window", ATTN_ERROR_SCALAR, &fake_longformer, [](TestCall &c) { c.scalars[1].index = -1; }},
    {"a window past 2^40", ATTN_ERROR_SCALAR, &fake_longformer, [](TestCall &c) { c.scalars[0].index = INT64_MAX; }},
    {"a token past the end", ATTN_ERROR_TOKEN, &fake_longformer, [](TestCall &c) { (*c.data[0])[1] = 30; }},
    {"a token below -1", ATTN_ERROR_TOKEN, &fake_longformer, [](TestCall &c) { (*c.data[0])[1] = -2; }},
    {"a token below -1 in a shard", ATTN_ERROR_TOKEN, &fake_longformer,
     [](TestCall &c) {
       c.call.key_offset = 100;
       (*c.data[0])[1] = INT32_MIN;
     }},
    {"an id too few", ATTN_ERROR_SEGMENTS, &fake_document,
     [](TestCall &c) { c.tensors[DOCUMENT_SEGMENTS].shape[0] = 29; }},
    {"keys past the ids", ATTN_ERROR_SEGMENTS, &fake_document, [](TestCall &c) { c.call.key_offset = 1; }},
    {"a negative length", ATTN_ERROR_LENGTH, &fake_document, [](TestCall &c) { (*c.data[1])[1] = -1; }},
    {"a length past the end", ATTN_ERROR_LENGTH, &fake_document, [](TestCall &c) { (*c.data[1])[1] = 31; }},
    {"no workspace", ATTN_ERROR_WORKSPACE, &fake_longformer, [](TestCall &c) { c.call.workspace = nullptr; }},
    {"a byte too few", ATTN_ERROR_WORKSPACE, &fake_longformer, [](TestCall &c) { --c.call.workspace_bytes; }},
    {"a misaligned workspace", ATTN_ERROR_WORKSPACE, &fake_longformer,
     [](TestCall &c) { c.call.workspace = static_cast<char *>(c.call.workspace) + 32; }},
    {"no version within max_isa", ATTN_ERROR_ISA, &fake_longformer, [](TestCall &c) { c.call.max_isa = -1; }},
    {"no version for the processor", ATTN_ERROR_ISA, &amxLongformer, [](TestCall &) {}},
    {"kv_length other than length", ATTN_ERROR_KV_LENGTH, &sameLengthLongformer, [](TestCall &) {}},
    {"a narrow grid", ATTN_ERROR_REQUIREMENT, &fake_medley, [](TestCall &c) { c.scalars[MEDLEY_WIDTH].index = 2; }},
    {"a low grid", ATTN_ERROR_REQUIREMENT, &fake_medley, [](TestCall &c) { c.scalars[MEDLEY_WIDTH].index = 15; }},
    {"a negative reach", ATTN_ERROR_PER_HEAD, &fake_medley, [](TestCall &c) { c.data[0]->back() = -1; }},
    {"a step of 0", ATTN_ERROR_PER_HEAD, &fake_medley, [](TestCall &c) { c.data[1]->front() = 0; }},
    {"a block past the end", ATTN_ERROR_BLOCKS, &fake_medley, [](TestCall &c) { c.data[2]->back() = 3; }},
    {"a block below -1", ATTN_ERROR_BLOCKS, &fake_medley, [](TestCall &c) { c.data[2]->front() = -2; }},
    {"a reach for each of 3 heads", ATTN_ERROR_SHAPE, &fake_medley,
     [](TestCall &c) { c.tensors[MEDLEY_REACH].shape[1] = 3; }},
    {"a reach for 3 batches", ATTN_ERROR_SHAPE, &fake_medley,
     [](TestCall &c) { c.tensors[MEDLEY_REACH].shape[0] = 3; }},
    {"blocks of 3 heads", ATTN_ERROR_SHAPE, &fake_medley, [](TestCall &c) { --c.tensors[MEDLEY_RANDOM].shape[0]; }},
    {"an open extent of 0", ATTN_ERROR_SHAPE, &fake_medley, [](TestCall &c) { c.tensors[MEDLEY_LABELS].shape[1] = 0; }},
    {"a shorter array", ATTN_ERROR_SHAPE, &fake_medley, [](TestCall &c) { --c.tensors[MEDLEY_SLOPES].shape[0]; }},
    {"a size of 1 for all heads", ATTN_ERROR_SHAPE, &fake_medley,
     [](TestCall &c) { c.tensors[MEDLEY_BIAS].shape[1] = 1; }},
    {"other keys", ATTN_ERROR_SHAPE, &fake_medley, [](TestCall &c) { --c.tensors[MEDLEY_BIAS].shape[3]; }},
    {"a reach of rank 3", ATTN_ERROR_RANK, &fake_medley, [](TestCall &c) { c.tensors[MEDLEY_REACH].rank = 3; }},
    {"blocks of rank 2", ATTN_ERROR_RANK, &fake_medley, [](TestCall &c) { c.tensors[MEDLEY_RANDOM].rank = 2; }},
    {"an array of rank 2", ATTN_ERROR_RANK, &fake_medley, [](TestCall &c) { c.tensors[MEDLEY_LABELS].rank = 2; }},
    {"an array in int32", ATTN_ERROR_ELEMENT, &fake_medley,
     [](TestCall &c) { c.tensors[MEDLEY_SLOPES].element = ATTN_I32; }},
    {"blocks in f32", ATTN_ERROR_ELEMENT, &fake_medley,
     [](TestCall &c) { c.tensors[MEDLEY_RANDOM].element = ATTN_F32; }},
    {"blocks apart", ATTN_ERROR_STRIDE, &fake_medley, [](TestCall &c) { c.tensors[MEDLEY_RANDOM].strides[2] = 2; }},
    {"heads apart", ATTN_ERROR_STRIDE, &fake_medley, [](TestCall &c) { c.tensors[MEDLEY_STEP].strides[0] = 2; }},
    {"a misaligned array", ATTN_ERROR_ALIGNMENT, &fake_medley,
     [](TestCall &c) { c.tensors[MEDLEY_SLOPES].data = static_cast<char *>(c.tensors[MEDLEY_SLOPES].data) + 2; }},
    {"an array without data", ATTN_ERROR_NULL_DATA, &fake_medley,
     [](TestCall &c) { c.tensors[MEDLEY_BIAS].data = nullptr; }},
    {"no array", ATTN_ERROR_TENSOR_COUNT, &fake_medley, [](TestCall &c) { --c.call.tensor_count; }},
};

TEST(Entry, RefusesEveryMistakeAndWritesNothing) {
  for (const Mistake &mistake : mistakes) {
    SCOPED_TRACE(mistake.name);
    TestCall call(*mistake.kernel, {2, 4, 2, 20, 30});
    if (mistake.kernel == &fake_medley) {
      fillMedley(call);
    } else if (mistake.kernel == &fake_document) {
      call.addShared(randomIds(30, 0, 3, 1));
      call.addData({30, 12}, {2});
    } else {
      fillCall(call);
      (*call.data[0])[2] = 29;
    }
    call.tensors.reserve(call.tensors.size() + 1);
    call.prepare();
    mistake.make(call);
    EXPECT_EQ(call.run(), mistake.status);
    EXPECT_TRUE(call.isOutputUntouched());
    EXPECT_TRUE(call.workspace.isUntouched());
  }
}

TEST(Entry, RefusesATokenOfALaterBatch) {
  TestCall call(fake_longformer, {2, 1, 1, 20, 20});
  call.addData({0, 1, 19, 20}, {2, 2});
  call.prepare();
  EXPECT_EQ(call.run(), ATTN_ERROR_TOKEN);
  EXPECT_TRUE(call.isOutputUntouched());
  call.call.key_offset = 1; // a shard: the token is another one's
  EXPECT_EQ(call.run(), ATTN_OK);
}

// Those of GPU kernels follow those of all kernels.
TEST(Entry, EveryStatusIsReached) {
  std::set<int> reached = {ATTN_OK};
  for (const Mistake &mistake : mistakes)
    reached.insert(mistake.status);
  EXPECT_EQ(reached.size(), size_t(ATTN_ERROR_DRIVER));
  EXPECT_EQ(*reached.rbegin(), ATTN_ERROR_DRIVER - 1);
  EXPECT_EQ(attn_cpu_run(&fake_longformer, nullptr), ATTN_ERROR_VERSION);
}

TEST(Entry, EveryStatusHasAMessage) {
  std::set<std::string> messages;
  for (int status = 0; status < ATTN_STATUS_COUNT; ++status) {
    std::string message = attn_error_string(status);
    EXPECT_NE(message, "unknown status") << status;
    EXPECT_TRUE(std::islower(message.front())) << message;
    EXPECT_NE(message.back(), '.') << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    messages.insert(message);
  }
  EXPECT_EQ(messages.size(), size_t(ATTN_STATUS_COUNT));
  EXPECT_STREQ(attn_error_string(ATTN_STATUS_COUNT), "unknown status");
  EXPECT_STREQ(attn_error_string(-1), "unknown status");
}

} // namespace
