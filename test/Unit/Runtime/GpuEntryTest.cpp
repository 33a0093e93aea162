// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The host part of GPU calls on a driver without a GPU: what is launched with what, and that nothing is where the call
// or the machine is wrong.
#include "TestGpuCall.h"

#include <set>

namespace {

//===----------------------------------------------------------------------------------------------------------===//
// GPU kernels with the arguments of the fake CPU kernels
//===----------------------------------------------------------------------------------------------------------===//

const attn_gpu_function nearTiled = {"near_tiled", 384, 200000, 128, 96, 64, 1};
const attn_gpu_function nearStrided = {"near_strided", 128, 30000, 64, 64, 64, 0};
const attn_gpu_function nearCompact = {"near_compact", 256, 60000, 64, 80, 64, 0};
const attn_gpu_phase hubPhase = {
    {"hub_tiled", 256, 100000, 64, 128, 64, 0}, {"hub_strided", 128, 30000, 64, 64, 64, 0}, {}, 0, nullptr, nullptr};
const attn_gpu_phase longformerPhases[] = {{nearTiled, nearStrided, {}, 0, nullptr, nullptr}, hubPhase};
const attn_gpu_phase compactPhases[] = {{nearTiled, nearStrided, nearCompact, 7, nullptr, nullptr}, hubPhase};
const attn_gpu_phase documentPhases[] = {
    {{"document_tiled", 384, 200000, 128, 128, 64, 1}, {}, {}, 0, nullptr, nullptr}};
const attn_gpu_code longformerCode = {"a cubin", "some PTX", longformerPhases, nullptr};
const attn_gpu_code compactCode = {"a cubin", "some PTX", compactPhases, nullptr};
const attn_gpu_code documentCode = {nullptr, "other PTX", documentPhases, nullptr};

const attn_kernel_info longformerInfo = gpuInfo(fake_longformer_info), documentInfo = gpuInfo(fake_document_info);

const attn_kernel longformer = gpuKernel(fake_longformer, longformerInfo, longformerCode);
const attn_kernel compactLongformer = gpuKernel(fake_longformer, longformerInfo, compactCode);
const attn_kernel document = gpuKernel(fake_document, documentInfo, documentCode);

//===----------------------------------------------------------------------------------------------------------===//
// Loading
//===----------------------------------------------------------------------------------------------------------===//

TEST_F(GpuEntry, LoadsTheCubin) {
  void *handle = nullptr;
  ASSERT_EQ(attn_gpu_load(&longformer, &handle, 0), ATTN_OK);
  EXPECT_EQ(driver->image, longformerCode.cubin);
  EXPECT_EQ(driver->contexts, 1);
  EXPECT_EQ(driver->modules, 1);
  EXPECT_EQ(driver->allocations, 1); // the default tokens
  EXPECT_EQ(attn_gpu_unload(&document, handle), ATTN_ERROR_HANDLE);
  EXPECT_EQ(attn_gpu_unload(&longformer, handle), ATTN_OK);
  EXPECT_EQ(attn_gpu_unload(&longformer, nullptr), ATTN_ERROR_HANDLE);
}

TEST_F(GpuEntry, LoadsThePtxWithoutACubin) {
  void *handle = nullptr;
  ASSERT_EQ(attn_gpu_load(&document, &handle, 0), ATTN_OK);
  EXPECT_EQ(driver->image, documentCode.ptx);
  EXPECT_EQ(driver->allocations, 0);
  attn_gpu_unload(&document, handle);
}

TEST_F(GpuEntry, LoadsThePtxWhereTheCubinIsRefused) {
  void *handle = nullptr;
  driver->refused_image = longformerCode.cubin;
  ASSERT_EQ(attn_gpu_load(&longformer, &handle, 0), ATTN_OK);
  EXPECT_EQ(driver->image, longformerCode.ptx);
  attn_gpu_unload(&longformer, handle);
}

TEST_F(GpuEntry, LoadsThePtxWhereItIsForced) {
  void *handle = nullptr;
  setenv("ATTN_GPU_FORCE_PTX", "1", 1);
  int status = attn_gpu_load(&longformer, &handle, 0);
  unsetenv("ATTN_GPU_FORCE_PTX");
  ASSERT_EQ(status, ATTN_OK);
  EXPECT_EQ(driver->image, longformerCode.ptx);
  attn_gpu_unload(&longformer, handle);
}

struct LoadMistake {
  const char *name;
  int status;
  void (*make)(fake_driver &driver);
};

const LoadMistake loadMistakes[] = {
    {"an old driver", ATTN_ERROR_DRIVER, [](fake_driver &d) { d.version = 11080; }},
    {"a driver that does not say its version", ATTN_ERROR_DRIVER,
     [](fake_driver &d) { d.failing = "cuDriverGetVersion"; }},
    {"a driver that does not start", ATTN_ERROR_DRIVER, [](fake_driver &d) { d.failing = "cuInit", d.error = 999; }},
    {"no GPU", ATTN_ERROR_DEVICE, [](fake_driver &d) { d.failing = "cuInit", d.error = 100; }},
    {"no such GPU", ATTN_ERROR_DEVICE, [](fake_driver &d) { d.device_count = 0; }},
    {"an A100", ATTN_ERROR_ARCHITECTURE, [](fake_driver &d) { d.major = 8; }},
    {"a B200", ATTN_ERROR_ARCHITECTURE, [](fake_driver &d) { d.major = 10; }},
    {"another 9.x", ATTN_ERROR_ARCHITECTURE, [](fake_driver &d) { d.minor = 1; }},
    {"no attributes", ATTN_ERROR_ARCHITECTURE, [](fake_driver &d) { d.failing = "cuDeviceGetAttribute"; }},
    {"no context", ATTN_ERROR_LAUNCH, [](fake_driver &d) { d.failing = "cuDevicePrimaryCtxRetain"; }},
    {"no way into the context", ATTN_ERROR_LAUNCH, [](fake_driver &d) { d.failing = "cuCtxPushCurrent_v2"; }},
    {"no module", ATTN_ERROR_LAUNCH, [](fake_driver &d) { d.failing = "cuModuleLoadDataEx"; }},
    {"no function", ATTN_ERROR_LAUNCH, [](fake_driver &d) { d.failing = "cuModuleGetFunction"; }},
    {"no shared memory", ATTN_ERROR_LAUNCH, [](fake_driver &d) { d.failing = "cuFuncSetAttribute"; }},
    {"no occupancy", ATTN_ERROR_LAUNCH,
     [](fake_driver &d) { d.failing = "cuOccupancyMaxActiveBlocksPerMultiprocessor"; }},
    {"a block too large", ATTN_ERROR_LAUNCH, [](fake_driver &d) { d.blocks_per_multiprocessor = 0; }},
    {"no memory", ATTN_ERROR_LAUNCH, [](fake_driver &d) { d.failing = "cuMemAlloc_v2"; }},
    {"no copy", ATTN_ERROR_LAUNCH, [](fake_driver &d) { d.failing = "cuMemcpyHtoD_v2"; }},
};

TEST_F(GpuEntry, RefusesToLoadAndHoldsNothing) {
  for (const LoadMistake &mistake : loadMistakes) {
    SCOPED_TRACE(mistake.name);
    driver = fake_driver_reset();
    mistake.make(*driver);
    void *handle = driver;
    EXPECT_EQ(attn_gpu_load(&longformer, &handle, 0), mistake.status);
    EXPECT_EQ(handle, nullptr);
    TearDown();
  }
  driver = fake_driver_reset();
  void *handle = driver;
  EXPECT_EQ(attn_gpu_load(&longformer, &handle, -1), ATTN_ERROR_DEVICE);
  EXPECT_EQ(attn_gpu_load(&longformer, &handle, 7), ATTN_ERROR_DEVICE);
  EXPECT_EQ(attn_gpu_load(&longformer, nullptr, 0), ATTN_ERROR_HANDLE);
}

TEST_F(GpuEntry, RefusesAKernelThatNoLaunchCanHold) {
  attn_kernel large = longformer;
  large.view_count = 200;
  void *handle = nullptr;
  EXPECT_EQ(attn_gpu_load(&large, &handle, 0), ATTN_ERROR_LAUNCH);
  GpuCall call(longformer, {1, 1, 1, 4, 4});
  call.prepare();
  EXPECT_EQ(attn_gpu_workspace_bytes(&large, &call.call), 0u);
}

//===----------------------------------------------------------------------------------------------------------===//
// Phases
//===----------------------------------------------------------------------------------------------------------===//

void fillLongformer(GpuCall &call) {
  call.addData({0, 17, 30}, {3});
  call.scalars = {attn_scalar{3}, attn_scalar{9}};
}

TEST_F(GpuEntry, LaunchesListedPhasesFirst) {
  GpuCall call(longformer, {2, 4, 2, 300, 40});
  fillLongformer(call);
  call.call.key_offset = 1;
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);
  EXPECT_EQ(launchOrder, (std::vector<std::string>{ATTN_PROLOGUE_RUN_JOBS, "hub_tiled", "near_tiled"}));
  const PhaseLaunch &hub = phaseLaunches[0], &near = phaseLaunches[1];
  EXPECT_EQ(hub.blocks, 2u * 4 * 1); // three tokens are one tile
  EXPECT_EQ(hub.threads, 256u);
  EXPECT_EQ(hub.sharedBytes, 100000u);
  EXPECT_EQ(word(hub, longformer, ATTN_GPU_TILES), 1);
  EXPECT_EQ(near.blocks, 2u * 4 * 3); // 300 rows are three tiles
  EXPECT_EQ(word(near, longformer, ATTN_GPU_TILES), 3);
  EXPECT_EQ(hub.stream, &call);
  EXPECT_EQ(near.stream, &call);
  EXPECT_EQ(driver->fills, 1);
}

TEST_F(GpuEntry, PersistentBlocksAreNoMoreThanRunAtATime) {
  driver->multiprocessors = 10;
  driver->blocks_per_multiprocessor = 2;
  GpuCall call(longformer, {2, 4, 2, 400, 40});
  fillLongformer(call);
  call.call.flags = ATTN_HAS_QUERY_OFFSET;
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);
  EXPECT_EQ(phaseLaunches[1].blocks, 20u); // of 32 items
  EXPECT_EQ(phaseLaunches[0].blocks, 8u);
}

TEST_F(GpuEntry, FewKeysTakeTheCompactVersion) {
  for (auto [keys, function] : {std::pair(7, "near_compact"), {8, "near_tiled"}}) {
    GpuCall call(compactLongformer, {2, 4, 2, 70, keys});
    call.prepare();
    ASSERT_EQ(call.run(), ATTN_OK);
    EXPECT_EQ(phaseLaunches[0].function, "hub_tiled"); // has no compact version
    EXPECT_EQ(phaseLaunches[1].function, function);
  }
  GpuCall call(compactLongformer, {2, 4, 2, 70, 7});
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);
  const PhaseLaunch &compact = phaseLaunches[1];
  EXPECT_EQ(compact.blocks, 2u * 4 * 2);
  EXPECT_EQ(compact.threads, 256u);
  EXPECT_EQ(compact.sharedBytes, 60000u);
  EXPECT_EQ(word(compact, compactLongformer, ATTN_GPU_TILES), 2);
  EXPECT_EQ(compact.maps[0].box[1], 64u);
  EXPECT_EQ(compact.maps[1].box[1], 80u);
}

TEST_F(GpuEntry, FewKeysOfOddStridesTakeTheStridedVersion) {
  GpuCall call(compactLongformer, {2, 4, 2, 70, 7}, 9);
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);
  EXPECT_EQ(phaseLaunches[1].function, "near_strided");
}

// 40 keys of 28 bytes for each of 2 x 2 heads.
TEST_F(GpuEntry, TilesGoHeadByHeadWhereKeysOverflowTheCache) {
  for (auto [cacheBytes, isTileMajor] : {std::pair(40 * 28 * 4, 1), {40 * 28 * 4 - 1, 0}, {0, 0}}) {
    driver->cache_bytes = cacheBytes;
    GpuCall call(longformer, {2, 4, 2, 40, 40});
    call.prepare();
    ASSERT_EQ(call.run(), ATTN_OK);
    EXPECT_EQ(word(phaseLaunches[0], longformer, ATTN_GPU_TILE_MAJOR), isTileMajor) << cacheBytes;
  }
}

TEST_F(GpuEntry, PhasesAfterTheFirstThatIsLaunchedOverlapIt) {
  GpuCall call(longformer, {2, 4, 2, 300, 40});
  fillLongformer(call);
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);
  EXPECT_FALSE(phaseLaunches[0].overlaps); // waits for the prologue
  EXPECT_TRUE(phaseLaunches[1].overlaps);
  ASSERT_EQ(call.run(), ATTN_OK);
  EXPECT_FALSE(phaseLaunches[0].overlaps); // of the call before either

  GpuCall noToken(longformer, {2, 4, 2, 300, 40});
  noToken.addData({}, {0});
  noToken.prepare();
  ASSERT_EQ(noToken.run(), ATTN_OK);
  EXPECT_EQ(launchOrder, (std::vector<std::string>{ATTN_PROLOGUE_RUN_JOBS, "near_tiled"}));
  EXPECT_FALSE(phaseLaunches[0].overlaps);
}

// The strided version, which is not persistent: 300 rows are five tiles.
TEST_F(GpuEntry, GridsGoByTileWhereKeysFitTheCache) {
  using Grid = std::vector<unsigned>;
  for (auto [cacheBytes, grid] : {std::pair(0, Grid{5, 4, 3}), {1 << 20, Grid{4, 3, 5}}}) {
    driver->cache_bytes = cacheBytes;
    GpuCall call(longformer, {3, 4, 2, 300, 40}, 9);
    call.prepare();
    ASSERT_EQ(call.run(), ATTN_OK);
    EXPECT_EQ(phaseLaunches[1].function, "near_strided");
    EXPECT_EQ(phaseLaunches[1].grid, grid);
    EXPECT_EQ(word(phaseLaunches[1], longformer, ATTN_GPU_TILE_MAJOR), cacheBytes != 0);
  }
}

TEST_F(GpuEntry, GridsGoByHeadWhereTilesAreTooManyForZ) {
  for (auto [tiles, grid] : {std::pair(65535, std::vector<unsigned>{1, 1, 65535}), {65536, {65536, 1, 1}}}) {
    GpuCall call(longformer, {1, 1, 1, int64_t(tiles) * 64, 1}, 9);
    call.prepare();
    ASSERT_EQ(call.run(), ATTN_OK);
    EXPECT_EQ(phaseLaunches[1].grid, grid);
  }
}

TEST_F(GpuEntry, ManyBatchesTakeSeveralLaunches) {
  for (auto [cacheBytes, first, second] :
       {std::tuple(0, std::vector<unsigned>{2, 2, 65535}, std::vector<unsigned>{2, 2, 10}),
        {1 << 30, {2, 65535, 2}, {2, 10, 2}}}) {
    driver->cache_bytes = cacheBytes;
    GpuCall call(longformer, {65545, 2, 1, 100, 3}, 9);
    call.addData({}, {0});
    call.prepare();
    ASSERT_EQ(call.run(), ATTN_OK);
    ASSERT_EQ(phaseLaunches.size(), 2u);
    EXPECT_EQ(phaseLaunches[0].grid, first);
    EXPECT_EQ(phaseLaunches[1].grid, second);
    EXPECT_EQ(word(phaseLaunches[0], longformer, ATTN_GPU_FIRST_BATCH), 0);
    EXPECT_EQ(word(phaseLaunches[1], longformer, ATTN_GPU_FIRST_BATCH), 65535);
  }
}

TEST_F(GpuEntry, PersistentBlocksTakeManyBatchesInOneLaunch) {
  GpuCall call(longformer, {65545, 2, 1, 100, 3});
  call.addData({}, {0});
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);
  ASSERT_EQ(phaseLaunches.size(), 1u);
  EXPECT_EQ(phaseLaunches[0].grid, (std::vector<unsigned>{132, 1, 1}));
  EXPECT_EQ(word(phaseLaunches[0], longformer, ATTN_GPU_FIRST_BATCH), 0);
}

TEST_F(GpuEntry, AGridHasNoMoreHeads) {
  for (auto [heads, status] : {std::pair(65535, ATTN_OK), {65536, ATTN_ERROR_SHAPE}}) {
    GpuCall call(longformer, {1, heads, 1, 5, 5});
    call.prepare();
    EXPECT_EQ(call.run(), status) << heads;
    EXPECT_EQ(launchOrder.empty(), status != ATTN_OK);
  }
}

TEST_F(GpuEntry, WordsHoldTheCall) {
  GpuCall call(longformer, {2, 6, 3, 10, 13});
  call.addData({12, 3, 3}, {3});
  call.scalars = {attn_scalar{7}};
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);
  const PhaseLaunch &near = phaseLaunches[1];
  float scale = 1 / std::sqrt(6.0);
  uint32_t bits;
  std::memcpy(&bits, &scale, sizeof(bits));
  std::vector<int64_t> symbols(near.words.begin(), near.words.begin() + longformer.symbol_count);
  EXPECT_EQ(symbols, (std::vector<int64_t>{10, 13, 3, 0, 0, bits, 2, 6, 0, 7, 256, 10, 13, 0, 0}));
  EXPECT_EQ(word(near, longformer, ATTN_GPU_BATCH), 2);
  EXPECT_EQ(word(near, longformer, ATTN_GPU_HEADS), 6);
  EXPECT_EQ(word(near, longformer, ATTN_GPU_KV_HEADS), 3);
  EXPECT_EQ(word(near, longformer, ATTN_GPU_STATUS), addressOf(call.workspace.data()));
  const attn_tensor *t = call.tensors.data();
  EXPECT_EQ(view(near, longformer, ATTN_QUERY), (std::vector<int64_t>{addressOf(t[ATTN_QUERY].data), 480, 80, 8, 1}));
  EXPECT_EQ(view(near, longformer, ATTN_LSE), (std::vector<int64_t>{addressOf(t[ATTN_LSE].data), 60, 10, 1, 1}));
  EXPECT_EQ(view(near, longformer, LONGFORMER_GLOBAL),
            (std::vector<int64_t>{addressOf(call.data[0]->data()), 0, 0, 0, 1}));
  EXPECT_EQ(extentsOf(near, longformer, LONGFORMER_GLOBAL), (std::vector<int64_t>{2, 1, 1, 3}));
  const int firstMade = LONGFORMER_TENSOR_COUNT;
  EXPECT_EQ(view(near, longformer, firstMade), (std::vector<int64_t>{0, 0, 0, 0, 0})); // packed keys
}

TEST_F(GpuEntry, QueryHeadsFindTheirKeyHeads) {
  for (int64_t keyHeads : {1, 2, 3, 7, 12})
    for (int64_t shared : {1, 2, 3, 5, 13}) {
      GpuCall call(longformer, {1, keyHeads * shared, keyHeads, 10, 10});
      call.addData({}, {0});
      call.prepare();
      ASSERT_EQ(call.run(), ATTN_OK);
      for (int64_t h = 0; h < keyHeads * shared; ++h)
        EXPECT_EQ(h * word(phaseLaunches.back(), longformer, ATTN_GPU_KV_HEAD_FACTOR) >> 32, h / shared);
    }
}

TEST_F(GpuEntry, WordsOfTheDefaults) {
  GpuCall call(longformer, {2, 2, 2, 10, 10});
  call.tensors.pop_back(); // no lse
  call.call.flags = ATTN_HAS_SCALE;
  for (double scale : {0.0, -0.0, 1e-40, -2.5}) {
    call.call.scale = scale;
    call.prepare();
    ASSERT_EQ(call.run(), ATTN_OK);
    const PhaseLaunch &near = phaseLaunches.back();
    auto expected = static_cast<float>(scale);
    uint32_t bits = uint32_t(near.words[ATTN_SYMBOL_SCALE]);
    EXPECT_EQ(std::memcmp(&bits, &expected, sizeof(bits)), 0) << scale;
    EXPECT_EQ(view(near, longformer, ATTN_LSE)[ATTN_GPU_VIEW_ADDRESS], 0);
    std::vector<int64_t> global = view(near, longformer, LONGFORMER_GLOBAL);
    EXPECT_EQ(*reinterpret_cast<const int32_t *>(global[0]), 0); // the default token, in the GPU's memory
    EXPECT_NE(global[0], addressOf(longformerInfo.tensors[LONGFORMER_GLOBAL].default_values));
  }
}

TEST_F(GpuEntry, MapsHoldTheTensors) {
  GpuCall call(longformer, {2, 6, 3, 10, 13});
  call.addData({}, {0});
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);
  ASSERT_EQ(phaseLaunches.size(), 1u); // no token, no tile of the hub
  auto expectMap = [&](int tensor, std::vector<uint64_t> extents, std::vector<uint64_t> strides, uint32_t rows) {
    const fake_map &map = phaseLaunches[0].maps[tensor];
    EXPECT_EQ(map.address, uint64_t(addressOf(call.tensors[tensor].data)));
    EXPECT_EQ(std::vector<uint64_t>(map.extents, map.extents + 4), extents);
    EXPECT_EQ(std::vector<uint64_t>(map.strides, map.strides + 3), strides);
    EXPECT_EQ(std::vector<uint32_t>(map.box, map.box + 4), (std::vector<uint32_t>{64, rows, 1, 1}));
    EXPECT_EQ(map.element, 9);
    EXPECT_EQ(map.swizzle, 3);
    EXPECT_EQ(map.promotion, 3);
    EXPECT_EQ(map.fill, 0);
  };
  expectMap(ATTN_QUERY, {6, 10, 6, 2}, {16, 160, 960}, 128);
  expectMap(ATTN_KEY, {6, 13, 3, 2}, {16, 208, 624}, 96);
  expectMap(ATTN_VALUE, {8, 13, 3, 2}, {16, 208, 624}, 96);
  expectMap(ATTN_OUTPUT, {8, 10, 6, 2}, {16, 160, 960}, 64);
}

/// Rows that are 12 elements apart: in 16 bits no tensor map takes them.
TEST_F(GpuEntry, MapsOfF32HaveElementsOfFourBytes) {
  attn_kernel_info info = *longformer.info;
  info.element = ATTN_F32;
  attn_kernel kernel = longformer;
  kernel.info = &info;
  GpuCall call(kernel, {2, 6, 3, 10, 13}, 12);
  for (int tensor : {ATTN_QUERY, ATTN_KEY, ATTN_VALUE, ATTN_OUTPUT})
    call.tensors[tensor].element = ATTN_F32;
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);
  EXPECT_EQ(phaseLaunches.back().function, "near_tiled");
  const fake_map &map = phaseLaunches.back().maps[ATTN_KEY];
  EXPECT_EQ(map.element, 7);
  EXPECT_EQ(std::vector<uint64_t>(map.strides, map.strides + 3), (std::vector<uint64_t>{48, 624, 1872}));
  EXPECT_EQ(std::vector<uint32_t>(map.box, map.box + 4), (std::vector<uint32_t>{32, 96, 1, 1}));
}

TEST_F(GpuEntry, AxesOfOneEntryMayHaveAnyStride) {
  GpuCall call(longformer, {1, 1, 1, 1, 5});
  for (int axis : {0, 1, 2})
    call.tensors[ATTN_QUERY].strides[axis] = -7;
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);
  EXPECT_EQ(phaseLaunches.back().function, "near_tiled");
  EXPECT_EQ(phaseLaunches.back().maps[ATTN_QUERY].strides[2], 16u);
}

TEST_F(GpuEntry, NoKeys) {
  GpuCall call(longformer, {1, 2, 1, 9, 0});
  call.addData({}, {0});
  call.tensors[ATTN_KEY].data = call.tensors[ATTN_VALUE].data = nullptr;
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);
  EXPECT_EQ(phaseLaunches[0].function, "near_tiled");
  EXPECT_EQ(phaseLaunches[0].maps[ATTN_KEY].address, uint64_t(addressOf(call.tensors[ATTN_QUERY].data)));
  EXPECT_EQ(phaseLaunches[0].maps[ATTN_KEY].extents[1], 1u);
}

TEST_F(GpuEntry, NothingToDo) {
  for (Sizes sizes : {Sizes{0, 2, 1, 9, 9}, Sizes{2, 2, 1, 0, 9}, Sizes{1, 0, 0, 9, 9}}) {
    GpuCall call(longformer, sizes);
    call.prepare();
    EXPECT_EQ(call.workspace.size(), 0u);
    EXPECT_EQ(call.run(), ATTN_OK);
    EXPECT_EQ(driver->launches + driver->fills, 0);
  }
}

TEST_F(GpuEntry, IsaIsTheArchitecture) {
  attn_call call = ATTN_CALL_INIT;
  call.max_isa = ATTN_ISA_AVX2;
  EXPECT_EQ(attn_gpu_isa(&longformer, &call), ATTN_ISA_SM_90A);
  call.version = 1;
  EXPECT_EQ(attn_gpu_isa(&longformer, &call), 0);
  EXPECT_EQ(attn_gpu_isa(&longformer, nullptr), 0);
}

/// What no tensor map can hold.
const std::pair<const char *, void (*)(GpuCall &)> unaligned[] = {
    {"rows of 14 bytes", [](GpuCall &c) { c.tensors[ATTN_QUERY].strides[2] = 7; }},
    {"rows one upon the other", [](GpuCall &c) { c.tensors[ATTN_KEY].strides[2] = 0; }},
    {"rows backwards", [](GpuCall &c) { c.tensors[ATTN_KEY].strides[2] = -8; }},
    {"heads apart by 4 bytes", [](GpuCall &c) { c.tensors[ATTN_VALUE].strides[1] += 2; }},
    {"batches far apart", [](GpuCall &c) { c.tensors[ATTN_OUTPUT].strides[0] = int64_t(1) << 39; }},
    {"batches very far apart", [](GpuCall &c) { c.tensors[ATTN_OUTPUT].strides[0] = INT64_MAX - 7; }},
    {"an odd base", [](GpuCall &c) { c.tensors[ATTN_OUTPUT].data = static_cast<char *>(c.tensors[3].data) + 2; }},
};

TEST_F(GpuEntry, UnalignedStridesTakeTheStridedVersion) {
  for (auto [name, make] : unaligned) {
    SCOPED_TRACE(name);
    GpuCall call(longformer, {2, 4, 2, 300, 40});
    make(call);
    call.prepare();
    ASSERT_EQ(call.run(), ATTN_OK);
    ASSERT_EQ(phaseLaunches.size(), 2u);
    EXPECT_EQ(phaseLaunches[1].function, "near_strided");
    EXPECT_EQ(phaseLaunches[1].blocks, 2u * 4 * 5); // 300 rows are five tiles of 64
    EXPECT_EQ(word(phaseLaunches[1], longformer, ATTN_GPU_TILES), 5);
    fake_map none = {};
    EXPECT_EQ(std::memcmp(&phaseLaunches[1].maps[ATTN_QUERY], &none, sizeof(none)), 0);
  }
}

TEST_F(GpuEntry, AMapThatTheDriverRefusesTakesTheStridedVersion) {
  driver->failing = "cuTensorMapEncodeTiled";
  GpuCall call(longformer, {2, 4, 2, 300, 40});
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);
  EXPECT_EQ(phaseLaunches[1].function, "near_strided");
}

//===----------------------------------------------------------------------------------------------------------===//
// Prologue
//===----------------------------------------------------------------------------------------------------------===//

TEST_F(GpuEntry, ListsTheTokensOfEachBatch) {
  GpuCall call(longformer, {3, 2, 1, 40, 40});
  call.addData({5, 5, 39, 0, -1, -1, -1, -1, -1}, {3, 3});
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);
  EXPECT_EQ(call.raisedStatus(), ATTN_OK);
  const PhaseLaunch &near = phaseLaunches[1];
  const int hubQueries = 2, rows = longformer.orders[hubQueries].rows_view, flags = rows + 1;
  EXPECT_EQ(orderOf(near, longformer, hubQueries, 0).count, 2);
  EXPECT_EQ(orderOf(near, longformer, hubQueries, 1).count, 1);
  EXPECT_EQ(orderOf(near, longformer, hubQueries, 2).count, 0);
  EXPECT_EQ(tableOf(near, longformer, rows, 0)[0], 5);
  EXPECT_EQ(tableOf(near, longformer, rows, 0)[1], 39);
  EXPECT_EQ(tableOf(near, longformer, flags, 0)[0], 1 << 5);
  EXPECT_EQ(tableOf(near, longformer, flags, 0)[1], 1 << 7);
  EXPECT_EQ(tableOf(near, longformer, flags, 1)[0], 1);
}

TEST_F(GpuEntry, TokensOutOfRangeRaiseTheStatus) {
  GpuCall call(longformer, {1, 1, 1, 40, 40});
  call.addData({5, 40}, {2});
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);
  EXPECT_EQ(call.raisedStatus(), ATTN_ERROR_TOKEN);
  EXPECT_EQ(orderOf(phaseLaunches[0], longformer, 2, 0).count, 1);
  call.call.key_offset = 1; // a shard: the token is another one's
  ASSERT_EQ(call.run(), ATTN_OK);
  EXPECT_EQ(call.raisedStatus(), ATTN_OK);
}

TEST_F(GpuEntry, SortsAndMatchesTheSegmentsOfEachBatch) {
  const int64_t batch = 2, length = 300;
  std::vector<int32_t> ids(batch * length);
  for (int64_t i = 0; i < batch * length; ++i)
    ids[i] = i < length ? int32_t(i / 50) : int32_t(i * 7 % 5); // the first are sorted
  GpuCall call(document, {batch, 2, 1, length, length});
  call.addData(ids, {batch, length});
  call.addData({300, 0}, {batch});
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);
  EXPECT_EQ(call.raisedStatus(), ATTN_OK);
  EXPECT_EQ(launchOrder, (std::vector<std::string>{ATTN_PROLOGUE_RUN_JOBS, ATTN_PROLOGUE_MATCH, "document_tiled"}));
  const PhaseLaunch &launch = phaseLaunches[0];
  const attn_match &match = document.matches[0];
  for (int64_t b = 0; b < batch; ++b) {
    attn_gpu_order queries = orderOf(launch, document, 0, b), keys = orderOf(launch, document, 1, b);
    EXPECT_EQ(queries.is_identity, b == 0);
    EXPECT_EQ(keys.is_identity, b == 0);
    ASSERT_EQ(queries.count, length);
    ASSERT_EQ(keys.count, length);
    auto rowOf = [&](int32_t order, bool isIdentity, int32_t rank) {
      return isIdentity ? rank : tableOf(launch, document, document.orders[order].rows_view, b)[rank];
    };
    for (int32_t rank = 0; rank < length; ++rank) {
      int32_t id = ids[b * length + rowOf(0, queries.is_identity, rank)];
      int32_t begin = tableOf(launch, document, match.begin_view, b)[rank];
      int32_t end = tableOf(launch, document, match.end_view, b)[rank];
      ASSERT_EQ(end - begin, std::count(&ids[b * length], &ids[b * length] + length, id));
      for (int32_t key = begin; key < end; ++key)
        ASSERT_EQ(ids[b * length + rowOf(1, keys.is_identity, key)], id);
    }
  }
}

TEST_F(GpuEntry, LengthsOutOfRangeRaiseTheStatus) {
  for (auto [length, status] : {std::pair(40, ATTN_OK), {41, ATTN_ERROR_LENGTH}, {-1, ATTN_ERROR_LENGTH}}) {
    GpuCall call(document, {2, 1, 1, 40, 40});
    call.addData(std::vector<int32_t>(40), {40});
    call.addData({3, length}, {2});
    call.prepare();
    ASSERT_EQ(call.run(), ATTN_OK);
    EXPECT_EQ(call.raisedStatus(), status) << length;
  }
}

TEST_F(GpuEntry, TheStatusIsClearedWithoutJobsToo) {
  attn_kernel unused = longformer; // nothing is made of its tokens
  unused.order_count = 2;
  unused.phase_count = 1;
  GpuCall call(unused, {2, 2, 1, 40, 40});
  call.prepare();
  ASSERT_NE(call.raisedStatus(), ATTN_OK);
  ASSERT_EQ(call.run(), ATTN_OK);
  EXPECT_EQ(launchOrder, (std::vector<std::string>{"near_tiled"}));
  EXPECT_EQ(driver->fills, 1);
  EXPECT_EQ(call.raisedStatus(), ATTN_OK);
}

TEST_F(GpuEntry, AKernelWithoutRunTimeDataNeedsNoWorkspace) {
  attn_kernel_info info = longformerInfo;
  info.tensor_count = ATTN_LSE + 1;
  attn_kernel plain = longformer;
  plain.info = &info;
  plain.order_count = 2;
  plain.phase_count = 1;
  GpuCall call(plain, {2, 2, 1, 40, 40});
  call.prepare();
  EXPECT_EQ(call.workspace.size(), 0u);
  call.call.workspace = nullptr;
  ASSERT_EQ(call.run(), ATTN_OK);
  EXPECT_EQ(launchOrder, (std::vector<std::string>{"near_tiled"}));
  EXPECT_EQ(driver->fills, 0);
  EXPECT_EQ(word(phaseLaunches[0], plain, ATTN_GPU_STATUS), 0);
  EXPECT_EQ(word(phaseLaunches[0], plain, ATTN_GPU_ORDERS), 0);
}

//===----------------------------------------------------------------------------------------------------------===//
// What is wrong
//===----------------------------------------------------------------------------------------------------------===//

/// Of the document kernel.
void *otherHandle;

/// One mistake: `make` puts it into a call that was right and prepared.
struct Mistake {
  const char *name;
  int status;
  void (*make)(GpuCall &call, fake_driver &driver);
};

const Mistake mistakes[] = {
    {"an older call", ATTN_ERROR_VERSION, [](GpuCall &c, fake_driver &) { c.call.version = 1; }},
    {"a query in f16", ATTN_ERROR_ELEMENT, [](GpuCall &c, fake_driver &) { c.tensors[ATTN_QUERY].element = ATTN_F16; }},
    {"a misaligned query", ATTN_ERROR_ALIGNMENT,
     [](GpuCall &c, fake_driver &) { c.tensors[ATTN_QUERY].data = static_cast<char *>(c.tensors[0].data) + 1; }},
    {"misaligned tokens", ATTN_ERROR_ALIGNMENT,
     [](GpuCall &c, fake_driver &) { c.tensors[5].data = static_cast<char *>(c.tensors[5].data) + 2; }},
    {"columns apart", ATTN_ERROR_STRIDE, [](GpuCall &c, fake_driver &) { c.tensors[ATTN_OUTPUT].strides[3] = 2; }},
    {"a negative window", ATTN_ERROR_SCALAR, [](GpuCall &c, fake_driver &) { c.scalars[0].index = -1; }},
    {"no handle", ATTN_ERROR_HANDLE, [](GpuCall &c, fake_driver &) { c.call.handle = nullptr; }},
    {"another kernel's handle", ATTN_ERROR_HANDLE, [](GpuCall &c, fake_driver &) { c.call.handle = otherHandle; }},
    {"no workspace", ATTN_ERROR_WORKSPACE, [](GpuCall &c, fake_driver &) { c.call.workspace = nullptr; }},
    {"a byte too few", ATTN_ERROR_WORKSPACE, [](GpuCall &c, fake_driver &) { --c.call.workspace_bytes; }},
    {"a misaligned workspace", ATTN_ERROR_WORKSPACE,
     [](GpuCall &c, fake_driver &) { c.call.workspace = static_cast<char *>(c.call.workspace) + 32; }},
    {"a value in the host's memory", ATTN_ERROR_MEMORY,
     [](GpuCall &c, fake_driver &d) { d.foreign = c.tensors[ATTN_VALUE].data; }},
    {"an lse in pinned memory", ATTN_ERROR_MEMORY,
     [](GpuCall &c, fake_driver &d) { d.foreign = c.tensors[ATTN_LSE].data, d.foreign_type = 1; }},
    {"tokens on another GPU", ATTN_ERROR_MEMORY,
     [](GpuCall &c, fake_driver &d) { d.foreign = c.tensors[5].data, d.foreign_type = 2, d.foreign_device = 1; }},
    {"a workspace in the host's memory", ATTN_ERROR_MEMORY,
     [](GpuCall &c, fake_driver &d) { d.foreign = c.call.workspace; }},
    {"pointers that the driver cannot ask for", ATTN_ERROR_MEMORY,
     [](GpuCall &, fake_driver &d) { d.failing = "cuPointerGetAttributes"; }},
    {"more items than a grid has blocks", ATTN_ERROR_SHAPE,
     [](GpuCall &c, fake_driver &) {
       for (int32_t i : {ATTN_QUERY, ATTN_OUTPUT, ATTN_LSE})
         c.tensors[i].shape[1] = int64_t(1) << 31;
     }},
    {"a context that is gone", ATTN_ERROR_LAUNCH, [](GpuCall &, fake_driver &d) { d.failing = "cuCtxPushCurrent_v2"; }},
    {"a status that cannot be cleared", ATTN_ERROR_LAUNCH,
     [](GpuCall &, fake_driver &d) { d.failing = "cuMemsetD32Async"; }},
    {"a launch that the driver refuses", ATTN_ERROR_LAUNCH,
     [](GpuCall &, fake_driver &d) { d.failing = "cuLaunchKernelEx"; }},
};

TEST_F(GpuEntry, RefusesEveryMistakeAndLaunchesNothing) {
  std::set<int> reached;
  for (const LoadMistake &mistake : loadMistakes)
    reached.insert(mistake.status);
  for (const Mistake &mistake : mistakes) {
    SCOPED_TRACE(mistake.name);
    SetUp();
    ASSERT_EQ(attn_gpu_load(&document, &otherHandle, 0), ATTN_OK);
    GpuCall call(longformer, {2, 4, 2, 40, 40});
    fillLongformer(call);
    call.prepare();
    void *handle = call.call.handle;
    mistake.make(call, *driver);
    driver->launches = driver->fills = 0;
    EXPECT_EQ(call.run(), mistake.status);
    EXPECT_EQ(driver->launches, 0);
    EXPECT_TRUE(mistake.status == ATTN_ERROR_LAUNCH || call.workspace.isUntouched());
    EXPECT_EQ(driver->pushed, 0);
    reached.insert(mistake.status);
    driver->failing = nullptr;
    call.call.handle = handle;
    attn_gpu_unload(&document, otherHandle);
  }
  for (int status = ATTN_ERROR_DRIVER; status < ATTN_STATUS_COUNT; ++status)
    EXPECT_TRUE(reached.count(status)) << attn_error_string(status);
}

TEST_F(GpuEntry, WithoutAStridedVersionStridesAreChecked) {
  for (auto [name, make] : unaligned) {
    SCOPED_TRACE(name);
    GpuCall call(document, {2, 4, 2, 40, 40});
    call.addData(std::vector<int32_t>(40), {40});
    call.addData({3, 40}, {2});
    make(call);
    call.prepare();
    driver->launches = 0;
    EXPECT_EQ(call.run(), ATTN_ERROR_STRIDE);
    EXPECT_EQ(driver->launches + driver->fills, 0);
  }
}

} // namespace
