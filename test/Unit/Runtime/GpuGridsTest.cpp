// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Phases over patches of a grid and over blocks, on a driver without a GPU: tensor maps of points, and how many tiles
// there are.
#include "TestGpuPhases.h"

namespace {

enum { WIDTH = ATTN_FIXED_SYMBOLS, SPAN, BLOCK };
enum { PATCHES, BLOCKS, KEYS };

const int64_t width[] = {ATTN_SYMBOL, WIDTH};
const int64_t span[] = {ATTN_SYMBOL, SPAN};
const int64_t block[] = {ATTN_SYMBOL, BLOCK};
const int64_t shift[] = {ATTN_SYMBOL, ATTN_SYMBOL_KEY_OFFSET};
/// Blocks of 500 rows and more are passed over.
const int64_t blocksRun[] = {ATTN_ADD, ATTN_CONSTANT, 500, ATTN_MULTIPLY, ATTN_CONSTANT, -1, ATTN_SYMBOL, BLOCK};
/// Six patches.
const int64_t points[] = {ATTN_CONSTANT, 6 * 64};

attn_order orderOf(attn_order_kind kind, attn_side side, int32_t number) {
  attn_order order = ::orderOf(kind, side, number, /*namedCount=*/3);
  order.modulus = kind == ATTN_ORDER_BLOCKS ? block : nullptr;
  order.count = kind == ATTN_ORDER_PATCHES ? points : nullptr;
  return order;
}

const attn_order orders[] = {orderOf(ATTN_ORDER_PATCHES, ATTN_QUERIES, PATCHES),
                             orderOf(ATTN_ORDER_BLOCKS, ATTN_QUERIES, BLOCKS),
                             orderOf(ATTN_ORDER_ALL, ATTN_KEYS, KEYS)};
const attn_phase phases[] = {{PATCHES, 0, 0, 0, nullptr}, {BLOCKS, 0, 0, 0, blocksRun}};
const attn_symbol symbols[] = {{ATTN_SYMBOL_INDEX, 0}, {ATTN_SYMBOL_INDEX, 1}, {ATTN_SYMBOL_INDEX, 2}};

const attn_gpu_grid grid = {width, shift, span, 8};
const attn_gpu_phase gpuPhases[] = {
    {{"grid_tiled", 256, 90000, 64, 96, 64, 0}, {"grid_strided", 256, 90000, 64, 96, 64, 0}, {}, 0, nullptr, &grid},
    {{"blocks_tiled", 256, 90000, 64, 96, 64, 0},
     {"blocks_strided", 256, 90000, 64, 96, 64, 0},
     {},
     0,
     nullptr,
     nullptr}};
const attn_gpu_code code = {"a cubin", "some PTX", gpuPhases, nullptr};

const attn_scalar_info scalars[] = {{"width", 0, 1, {8}}, {"span", 0, 0, {8}}, {"block", 0, 1, {64}}};

const attn_kernel_info info = infoOf(scalars);
const attn_kernel kernel = kernelOf(info, symbols, orders, phases, code);

class GpuGrids : public GpuPhases {
protected:
  struct Scalars {
    int64_t width = 20, span = 14, block = 64;
  };
  void run(Sizes sizes, Scalars numbers, int64_t keyOffset = 0, size_t launches = std::size(phases)) {
    GpuPhases::run(kernel, sizes, {numbers.width, numbers.span, numbers.block}, keyOffset, launches);
  }

  const PhaseLaunch &patches() { return phaseLaunches[0]; }
  const PhaseLaunch &blocks() { return phaseLaunches[1]; }
};

TEST_F(GpuGrids, RowsArePointsOfAGrid) {
  run({2, 4, 2, 300, 340}, {});
  EXPECT_EQ(patches().function, "grid_tiled");
  ASSERT_EQ(patches().maps.size(), 4u);
  EXPECT_EQ(extentsOf(patches().maps[ATTN_QUERY]), (Numbers{6, 20, 15, 4, 2}));
  EXPECT_EQ(stridesOf(patches().maps[ATTN_QUERY]), (Numbers{16, 20 * 16, 300 * 16, 4 * 300 * 16}));
  EXPECT_EQ(extentsOf(patches().maps[ATTN_KEY]), (Numbers{6, 20, 17, 2, 2}));
  EXPECT_EQ(extentsOf(patches().maps[ATTN_VALUE]), (Numbers{8, 20, 17, 2, 2}));
  EXPECT_EQ(extentsOf(patches().maps[ATTN_OUTPUT]), (Numbers{8, 20, 15, 4, 2}));
  for (int map : {ATTN_QUERY, ATTN_OUTPUT})
    EXPECT_EQ(boxOf(patches().maps[map]), (Numbers{64, 8, 8, 1, 1}));
  for (int map : {ATTN_KEY, ATTN_VALUE})
    EXPECT_EQ(boxOf(patches().maps[map]), (Numbers{64, 14, 6, 1, 1}));
  EXPECT_EQ(word(patches(), kernel, ATTN_GPU_TILES), 6);
  expectTilesOfPart(patches(), kernel, 3);
}

struct BoxOfKeys {
  int64_t width, span;
  uint64_t columns, rows;
};

TEST_F(GpuGrids, BoxesAreNoWiderThanTheGridAndATile) {
  for (auto [width, span, columns, rows] :
       {BoxOfKeys{20, 200, 20, 4}, {20, 0, 1, 96}, {150, 120, 96, 1}, {100, 50, 50, 1}, {1, 9, 1, 96}}) {
    SCOPED_TRACE(span);
    run({1, 1, 1, 300, 300}, {width, span, 64});
    EXPECT_EQ(patches().function, "grid_tiled");
    EXPECT_EQ(boxOf(patches().maps[ATTN_VALUE]), (Numbers{64, columns, rows, 1, 1}));
  }
}

struct CutRow {
  const char *what;
  int64_t length, kvLength, width, keyOffset;
};

TEST_F(GpuGrids, RowsThatAreCutTakeTheStridedVersion) {
  for (const CutRow &cut : {CutRow{"the last query is inside of a row", 310, 300, 20, 0},
                            {"the last key is inside of a row", 300, 310, 20, 0},
                            {"the first key is inside of a row", 300, 300, 20, 7},
                            {"the grid is wider than the sequence is long", 300, 300, 1000, 0}}) {
    SCOPED_TRACE(cut.what);
    run({2, 4, 2, cut.length, cut.kvLength}, {cut.width, 14, 64}, cut.keyOffset);
    EXPECT_EQ(patches().function, "grid_strided");
    EXPECT_EQ(blocks().function, "blocks_tiled");
  }
  run({2, 4, 2, 300, 300}, {}, /*keyOffset=*/40);
  EXPECT_EQ(patches().function, "grid_tiled");
}

struct BlockTiles {
  int64_t length, block, tiles, ofBlock;
};

TEST_F(GpuGrids, TilesEndWhereBlocksDo) {
  for (auto [length, block, tiles, ofBlock] : {BlockTiles{300, 64, 5, 1},
                                               {300, 40, 8, 1},
                                               {300, 100, 6, 2},
                                               {300, 1, 300, 1},
                                               {300, 300, 5, 5},
                                               {300, 499, 5, 5}}) {
    SCOPED_TRACE(block);
    run({2, 4, 2, length, length}, {20, 14, block});
    EXPECT_EQ(word(blocks(), kernel, ATTN_GPU_TILES), tiles);
    EXPECT_EQ(blocks().blocks, uint64_t(2 * 4 * tiles));
    expectTilesOfPart(blocks(), kernel, ofBlock);
  }
}

TEST_F(GpuGrids, PhasesOfOtherCallsArePassedOver) {
  for (int64_t block : {int64_t(500), int64_t(1) << 40}) {
    run({2, 4, 2, 300, 300}, {20, 14, block}, /*keyOffset=*/0, /*launches=*/1);
    EXPECT_EQ(patches().function, "grid_tiled");
  }
}

} // namespace
