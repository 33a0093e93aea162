// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Phases over computed orders on a driver without a GPU: tensor maps of classes and of runs, tiles that span no
// classes, and stages that wait for each other.
#include "TestGpuPhases.h"

namespace {

//===----------------------------------------------------------------------------------------------------------===//
// A kernel of two stages
//===----------------------------------------------------------------------------------------------------------===//

enum { STRIDE = ATTN_FIXED_SYMBOLS, SUMMARY };
enum { ALL_QUERIES, ALL_KEYS, SOME_KEYS, QUERY_CLASSES, KEY_CLASSES, SOME_QUERIES };

const int64_t stride[] = {ATTN_SYMBOL, STRIDE};
const int64_t summary[] = {ATTN_SYMBOL, SUMMARY};
/// The last `summary` of every `stride` positions: key_offset + row.
const int64_t firstOfRun[] = {
    ATTN_REMAINDER, ATTN_ADD,    ATTN_SYMBOL, STRIDE,      ATTN_MULTIPLY,          ATTN_CONSTANT, -1,
    ATTN_ADD,       ATTN_SYMBOL, SUMMARY,     ATTN_SYMBOL, ATTN_SYMBOL_KEY_OFFSET, ATTN_SYMBOL,   STRIDE};
const int64_t everySecond[] = {ATTN_DIVIDE,   ATTN_ADD, ATTN_SYMBOL,   ATTN_SYMBOL_LENGTH,
                               ATTN_CONSTANT, 1,        ATTN_CONSTANT, 2};

attn_order orderOf(attn_order_kind kind, attn_side side, int32_t number) {
  attn_order order = ::orderOf(kind, side, number, /*namedCount=*/3);
  order.modulus = kind == ATTN_ORDER_CLASSES ? stride : nullptr;
  order.count = kind == ATTN_ORDER_REMAINDERS && side == ATTN_QUERIES ? everySecond : nullptr;
  return order;
}

const attn_order orders[] = {
    orderOf(ATTN_ORDER_ALL, ATTN_QUERIES, ALL_QUERIES),   orderOf(ATTN_ORDER_ALL, ATTN_KEYS, ALL_KEYS),
    orderOf(ATTN_ORDER_REMAINDERS, ATTN_KEYS, SOME_KEYS), orderOf(ATTN_ORDER_CLASSES, ATTN_QUERIES, QUERY_CLASSES),
    orderOf(ATTN_ORDER_CLASSES, ATTN_KEYS, KEY_CLASSES),  orderOf(ATTN_ORDER_REMAINDERS, ATTN_QUERIES, SOME_QUERIES)};
const attn_phase phases[] = {
    {SOME_QUERIES, 0, 0, 0, nullptr}, {ALL_QUERIES, 0, 0, 0, nullptr}, {QUERY_CLASSES, 0, 1, 0, nullptr}};
const attn_symbol symbols[] = {{ATTN_SYMBOL_INDEX, 0}, {ATTN_SYMBOL_INDEX, 1}, {ATTN_SYMBOL_FORMULA, 0}};
const int64_t rowsOfClass[] = {ATTN_DIVIDE, ATTN_SYMBOL, ATTN_SYMBOL_LENGTH, ATTN_SYMBOL, STRIDE};
const int64_t *const formulas[] = {rowsOfClass};

const attn_gpu_runs runs = {stride, firstOfRun, summary};
const attn_gpu_phase gpuPhases[] = {
    {{"some_tiled", 256, 90000, 64, 96, 64, 0}, {"some_strided", 256, 90000, 64, 96, 64, 0}, {}, 0, nullptr, nullptr},
    {{"all_tiled", 256, 90000, 64, 96, 64, 0}, {"all_strided", 256, 90000, 64, 96, 64, 0}, {}, 0, &runs, nullptr},
    {{"classes_tiled", 256, 90000, 64, 96, 64, 0},
     {"classes_strided", 256, 90000, 64, 96, 64, 0},
     {},
     0,
     nullptr,
     nullptr}};
const attn_gpu_code code = {"a cubin", "some PTX", gpuPhases, nullptr};

const attn_scalar_info scalars[] = {{"stride", 0, 1, {8}}, {"summary", 0, 0, {2}}};

const attn_kernel_info info = infoOf(scalars);
const attn_kernel kernel = [] {
  attn_kernel made = kernelOf(info, symbols, orders, phases, code);
  made.formulas = formulas;
  return made;
}();

class GpuOrders : public GpuPhases {
protected:
  /// Runs a call with these numbers; the last launch is that of the classes.
  void run(Sizes sizes, int64_t stride, int64_t summary = 2, int64_t keyOffset = 0, int64_t rowStride = 8) {
    GpuPhases::run(kernel, sizes, {stride, summary}, keyOffset, std::size(phases), rowStride);
  }

  const PhaseLaunch &all() { return phaseLaunches[1]; }
  const PhaseLaunch &classes() { return phaseLaunches[2]; }

  uint64_t addressOfKeys(int64_t row) { return uint64_t(addressOf(call->tensors[ATTN_KEY].data)) + row * 16; }
};

//===----------------------------------------------------------------------------------------------------------===//
// Stages
//===----------------------------------------------------------------------------------------------------------===//

TEST_F(GpuOrders, AStageWaitsForTheOneBefore) {
  run({2, 4, 2, 300, 300}, 8);
  EXPECT_EQ(launchOrder, (std::vector<std::string>{"some_tiled", "all_tiled", "classes_tiled"}));
  EXPECT_FALSE(phaseLaunches[0].overlaps);
  EXPECT_TRUE(phaseLaunches[1].overlaps);
  EXPECT_FALSE(phaseLaunches[2].overlaps);
}

TEST_F(GpuOrders, StagesFindAnLseInTheWorkspaceWhereTheCallHasNone) {
  run({2, 4, 2, 300, 300}, 8);
  EXPECT_EQ(call->workspace.size(), 0u);
  EXPECT_EQ(view(classes(), kernel, ATTN_LSE)[0], addressOf(call->tensors[ATTN_LSE].data));
  call->tensors[ATTN_LSE].data = nullptr;
  call->prepare();
  EXPECT_EQ(call->workspace.size(), size_t(64 + 2 * 4 * 300 * 4)); // behind the status
  ASSERT_EQ(call->run(), ATTN_OK);
  EXPECT_EQ(call->raisedStatus(), ATTN_OK);
  std::vector<int64_t> expected = {addressOf(call->workspace.data()) + 64, 4 * 300, 300, 1, 1};
  for (const PhaseLaunch &launch : phaseLaunches)
    EXPECT_EQ(view(launch, kernel, ATTN_LSE), expected);
}

//===----------------------------------------------------------------------------------------------------------===//
// Classes
//===----------------------------------------------------------------------------------------------------------===//

TEST_F(GpuOrders, FormulasAreComputedOnce) {
  run({2, 4, 2, 300, 103}, 7);
  EXPECT_EQ(classes().words[ATTN_FIXED_SYMBOLS + 2], 42);
}

// 300 = 6 * 43 + 42, and 103 = 5 * 15 + 2 * 14.
TEST_F(GpuOrders, ClassesOfTwoLengthsHaveTwoMaps) {
  run({2, 4, 2, 300, 103}, 7);
  ASSERT_EQ(classes().maps.size(), 8u);
  const fake_map &longQuery = classes().maps[ATTN_QUERY], &query = classes().maps[4 + ATTN_QUERY];
  EXPECT_EQ(extentsOf(longQuery), (Numbers{6, 43, 6, 4, 2}));
  EXPECT_EQ(extentsOf(query), (Numbers{6, 42, 7, 4, 2}));
  EXPECT_EQ(stridesOf(query), (Numbers{7 * 16, 16, 300 * 16, 4 * 300 * 16}));
  EXPECT_EQ(stridesOf(longQuery), stridesOf(query));
  EXPECT_EQ(boxOf(query), (Numbers{64, 64, 1, 1, 1}));
  EXPECT_EQ(extentsOf(classes().maps[ATTN_KEY]), (Numbers{6, 15, 5, 2, 2}));
  EXPECT_EQ(extentsOf(classes().maps[4 + ATTN_VALUE]), (Numbers{8, 14, 7, 2, 2}));
  EXPECT_EQ(boxOf(classes().maps[4 + ATTN_VALUE]), (Numbers{64, 96, 1, 1, 1}));
  EXPECT_EQ(extentsOf(classes().maps[ATTN_OUTPUT]), (Numbers{8, 43, 6, 4, 2}));
  for (int map = 0; map < 8; ++map)
    EXPECT_EQ(classes().maps[map].address, uint64_t(addressOf(call->tensors[map % 4].data)));
}

TEST_F(GpuOrders, ClassesOfOneLengthHaveTheSameMapsTwice) {
  run({1, 2, 2, 96, 96}, 8);
  for (int map = 0; map < 4; ++map) {
    EXPECT_EQ(extentsOf(classes().maps[map])[1], 12u);
    EXPECT_EQ(extentsOf(classes().maps[map])[2], 8u);
    EXPECT_EQ(std::memcmp(&classes().maps[map], &classes().maps[4 + map], sizeof(fake_map)), 0);
  }
}

TEST_F(GpuOrders, MoreClassesThanRows) {
  run({1, 2, 2, 5, 9}, 1000);
  EXPECT_EQ(extentsOf(classes().maps[ATTN_QUERY]), (Numbers{6, 1, 5, 2, 1}));
  EXPECT_EQ(extentsOf(classes().maps[ATTN_KEY]), (Numbers{6, 1, 9, 2, 1}));
  EXPECT_EQ(classes().function, "classes_tiled"); // no class takes a step
  EXPECT_EQ(word(classes(), kernel, ATTN_GPU_TILES), 5);
  run({1, 2, 2, 5, 9}, int64_t(1) << 40);
  EXPECT_EQ(classes().function, "classes_tiled");
  EXPECT_EQ(word(classes(), kernel, ATTN_GPU_TILES), 5);
}

struct Tiles {
  int64_t length, stride, tiles, ofClass;
};

TEST_F(GpuOrders, NoTileSpansClasses) {
  for (auto [length, stride, tiles, ofClass] : {Tiles{300, 1, 5, 5},
                                                {300, 2, 6, 3},
                                                {300, 4, 8, 2},
                                                {300, 5, 5, 1},
                                                {300, 7, 7, 1},
                                                {64 * 8, 8, 8, 1},
                                                {64 * 8 + 1, 8, 16, 2},
                                                {3, 2, 2, 1}}) {
    SCOPED_TRACE(stride);
    run({2, 4, 2, length, 10}, stride);
    EXPECT_EQ(word(classes(), kernel, ATTN_GPU_TILES), tiles);
    EXPECT_EQ(classes().blocks, uint64_t(2 * 4 * tiles));
    expectTilesOfPart(classes(), kernel, ofClass);
  }
}

/// A step from row to row of a class that no map can hold.
TEST_F(GpuOrders, ClassesFarApartTakeTheStridedVersion) {
  for (int64_t apart : {int64_t(1) << 37, int64_t(1) << 60}) {
    run({1, 1, 1, 20, 20}, 8);
    EXPECT_EQ(classes().function, "classes_tiled");
    call->tensors[ATTN_QUERY].strides[2] = apart;
    ASSERT_EQ(call->run(), ATTN_OK);
    EXPECT_EQ(phaseLaunches[2].function, "classes_strided");
    EXPECT_EQ(phaseLaunches[2].maps.size(), 8u);
  }
}

TEST_F(GpuOrders, UnalignedRowsTakeTheStridedVersion) {
  run({1, 1, 1, 20, 20}, 8, 2, 0, 9);
  EXPECT_EQ(all().function, "all_strided");
  EXPECT_EQ(classes().function, "classes_strided");
}

//===----------------------------------------------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------------------------------------------===//

TEST_F(GpuOrders, MapsOfRunsBeginWithTheFirst) {
  run({2, 4, 2, 300, 304}, 16, 4);
  ASSERT_EQ(all().maps.size(), 6u);
  EXPECT_EQ(extentsOf(all().maps[ATTN_KEY]), (Numbers{6, 304, 2, 2}));
  EXPECT_EQ(extentsOf(all().maps[4]), (Numbers{6, 4, 19, 2, 2}));
  EXPECT_EQ(stridesOf(all().maps[4]), (Numbers{16, 16 * 16, 304 * 16, 2 * 304 * 16}));
  EXPECT_EQ(boxOf(all().maps[4]), (Numbers{64, 4, 24, 1, 1}));
  EXPECT_EQ(all().maps[4].address, addressOfKeys(12));
  EXPECT_EQ(extentsOf(all().maps[5]), (Numbers{8, 4, 19, 2, 2}));
}

TEST_F(GpuOrders, RunsBeginWhereTheOffsetSays) {
  run({2, 4, 2, 300, 304}, 16, 4, /*keyOffset=*/10); // the run at position 12 begins at row 2
  EXPECT_EQ(all().maps[4].address, addressOfKeys(2));
  EXPECT_EQ(extentsOf(all().maps[4])[2], 19u);
}

TEST_F(GpuOrders, NoRunBeginsBeforeTheLastKey) {
  run({2, 4, 2, 300, 12}, 16, 4);
  EXPECT_EQ(all().function, "all_tiled");
  EXPECT_EQ(all().maps[4].address, addressOfKeys(0));
  EXPECT_EQ(extentsOf(all().maps[4])[2], 1u);
}

struct CutRun {
  const char *what;
  int64_t kvLength, stride, summary, keyOffset;
};

TEST_F(GpuOrders, RunsThatAreCutTakeTheStridedVersion) {
  for (const CutRun &cut : {CutRun{"the last key is inside of a run", 303, 16, 4, 0},
                            {"the first key is inside of a run", 304, 16, 4, 13},
                            {"a tile ends inside of a run", 304, 16, 5, 0},
                            {"no run has a row", 304, 16, 0, 0}}) {
    SCOPED_TRACE(cut.what);
    run({2, 4, 2, 300, cut.kvLength}, cut.stride, cut.summary, cut.keyOffset);
    EXPECT_EQ(all().function, "all_strided");
    EXPECT_EQ(classes().function, "classes_tiled");
  }
}

//===----------------------------------------------------------------------------------------------------------===//
// Rows of remainders, and words
//===----------------------------------------------------------------------------------------------------------===//

TEST_F(GpuOrders, TilesOfSomeQueries) {
  run({1, 2, 1, 259, 10}, 8);
  EXPECT_EQ(word(phaseLaunches[0], kernel, ATTN_GPU_TILES), 3); // 130 of 259 rows
  EXPECT_EQ(phaseLaunches[0].maps.size(), 4u);
}

TEST_F(GpuOrders, MoreMapsLeaveFewerWords) {
  for (auto [views, status] : {std::pair(39, ATTN_OK), {40, ATTN_ERROR_LAUNCH}}) {
    attn_kernel large = kernel;
    large.view_count = views;
    void *handle = nullptr;
    EXPECT_EQ(attn_gpu_load(&large, &handle, 0), status) << views;
    if (handle)
      attn_gpu_unload(&large, handle);
  }
}

} // namespace
