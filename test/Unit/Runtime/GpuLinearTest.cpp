// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The host part of linear attention on a driver without a GPU: how keys are split, and what is launched.
#include "FakeLinear.h"
#include "TestGpuCall.h"

namespace {

// A block takes all rows of a state, or 100 of its 128 entries.
const attn_gpu_linear launches = {
    {"absorb", 128, 1000, 64, 0, 0, 0}, {"sum", 96, 0, 100, 0, 0, 0}, {"rows", 160, 2000, 64, 0, 0, 0}};
const attn_gpu_code code = {nullptr, "some PTX", nullptr, &launches};
const attn_kernel_info info = gpuInfo(*fake_linear[ATTN_LINEAR_FULL].info);
const attn_kernel kernels[] = {gpuKernel(fake_linear[ATTN_LINEAR_FULL], info, code),
                               gpuKernel(fake_linear[ATTN_LINEAR_CAUSAL], info, code),
                               gpuKernel(fake_linear[ATTN_LINEAR_STEP], info, code)};
const attn_kernel &full = kernels[ATTN_LINEAR_FULL], &causal = kernels[ATTN_LINEAR_CAUSAL];

using GpuLinear = GpuEntry;

/// Room for a state of 2 batches and 2 key heads.
float stateMemory[2 * 2 * FAKE_HEAD_SIZE * (FAKE_VALUE_HEAD_SIZE + 1)];

void giveState(GpuCall &call, int tensor, int64_t batch, int64_t kvHeads) {
  call.tensors.resize(LINEAR_TENSOR_COUNT);
  call.tensors[tensor] = tensorOf(stateMemory, ATTN_F32, {batch, kvHeads, FAKE_HEAD_SIZE, FAKE_VALUE_HEAD_SIZE + 1});
}

int64_t linearWord(const PhaseLaunch &launch, attn_gpu_linear_word word) {
  return launch.words[launch.words.size() - ATTN_GPU_LINEAR_WORDS + word];
}

TEST_F(GpuLinear, ThreeLaunchesFollowEachOther) {
  GpuCall call(causal, {2, 4, 2, 130, 300});
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);
  EXPECT_EQ(launchOrder, (std::vector<std::string>{"absorb", "sum", "rows"}));
  // The last row stands beside key 299, so chunks of keys begin at key 170 - 3 * 64.
  const std::vector<std::vector<unsigned>> grids = {{2 * 2 * 6, 1, 1}, {2 * 2 * 2, 1, 1}, {2 * 4 * 3, 1, 1}};
  const unsigned threads[] = {128, 96, 160}, sharedBytes[] = {1000, 0, 2000};
  for (int i = 0; i < 3; ++i) {
    const PhaseLaunch &launch = phaseLaunches[i];
    EXPECT_EQ(launch.grid, grids[i]);
    EXPECT_EQ(launch.threads, threads[i]);
    EXPECT_EQ(launch.sharedBytes, sharedBytes[i]);
    EXPECT_EQ(launch.stream, &call);
    EXPECT_FALSE(launch.overlaps); // it reads what the one before has written
    EXPECT_EQ(linearWord(launch, ATTN_GPU_SPLITS), 6);
    EXPECT_EQ(linearWord(launch, ATTN_GPU_SPLIT_KEYS), 64);
    EXPECT_EQ(linearWord(launch, ATTN_GPU_LEAD), 22);
  }
}

TEST_F(GpuLinear, TheStatesFollowTheStatus) {
  GpuCall call(causal, {2, 4, 2, 130, 300});
  call.prepare();
  EXPECT_EQ(call.workspace.size(), 64u + 2 * 2 * (6 + 1) * 8 * 16 * sizeof(float));
  ASSERT_EQ(call.run(), ATTN_OK);
  EXPECT_EQ(linearWord(phaseLaunches[0], ATTN_GPU_STATES), addressOf(call.workspace.data() + 64));
  EXPECT_EQ(word(phaseLaunches[0], causal, ATTN_GPU_STATUS), addressOf(call.workspace.data()));
  EXPECT_EQ(call.raisedStatus(), ATTN_OK);
  --call.call.workspace_bytes;
  EXPECT_EQ(call.run(), ATTN_ERROR_WORKSPACE);
}

/// What a row is given, as gpu.h says it, against what it sees.
TEST_F(GpuLinear, EveryRowIsGivenTheKeysThatItSees) {
  for (const attn_kernel *kernel : {&causal, &kernels[ATTN_LINEAR_STEP]})
    for (int64_t kvLength : {1, 63, 64, 65, 200})
      for (int64_t shift : {-1000, -130, -64, -63, -1, 0, 1, 5, 63, 64, 65, 190, 1000}) {
        const int64_t length = 150, chunk = ATTN_LINEAR_CHUNK;
        GpuCall call(*kernel, {1, 1, 1, length, kvLength});
        call.call.flags = ATTN_HAS_QUERY_OFFSET;
        call.call.query_offset = shift + 7;
        call.call.key_offset = 7;
        call.prepare();
        ASSERT_EQ(call.run(), ATTN_OK);
        int64_t splits = linearWord(phaseLaunches[0], ATTN_GPU_SPLITS);
        int64_t keys = linearWord(phaseLaunches[0], ATTN_GPU_SPLIT_KEYS);
        int64_t lead = linearWord(phaseLaunches[0], ATTN_GPU_LEAD);
        ASSERT_GE(lead, 0);
        ASSERT_LT(lead, chunk);
        ASSERT_EQ((shift + lead) % chunk, 0);
        ASSERT_GE(splits * keys - lead, kvLength);
        ASSERT_LT((splits - 1) * keys - lead, kvLength); // none is empty
        for (int64_t row = 0; row < length; ++row) {
          int64_t firstRow = row / chunk * chunk;
          int64_t own = std::clamp(firstRow + shift + lead, -chunk, splits * keys) - lead;
          int64_t given = std::clamp<int64_t>(own + (row - firstRow) + 1, 0, kvLength);
          ASSERT_EQ(given, std::clamp<int64_t>(row + shift + 1, 0, kvLength)) << row << " " << shift;
        }
      }
}

TEST_F(GpuLinear, TheFullFormHasFewSplits) {
  for (auto [kvLength, splits, keys] :
       {std::tuple(1, 1, 256), {256, 1, 256}, {257, 2, 256}, {65536, 256, 256}, {65537, 205, 320}}) {
    GpuCall call(full, {1, 1, 1, 5, kvLength});
    call.prepare();
    ASSERT_EQ(call.run(), ATTN_OK);
    EXPECT_EQ(linearWord(phaseLaunches[0], ATTN_GPU_SPLITS), splits);
    EXPECT_EQ(linearWord(phaseLaunches[0], ATTN_GPU_SPLIT_KEYS), keys);
    EXPECT_EQ(linearWord(phaseLaunches[0], ATTN_GPU_LEAD), 0);
  }
}

TEST_F(GpuLinear, SplitsGrowWithTheHead) {
  attn_kernel_info wideInfo = info;
  wideInfo.head_size = 65;
  attn_kernel wide = causal;
  wide.info = &wideInfo;
  GpuCall call(wide, {1, 1, 1, 5, 5});
  for (int tensor : {ATTN_QUERY, ATTN_KEY})
    call.tensors[tensor].shape[3] = 65;
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);
  EXPECT_EQ(linearWord(phaseLaunches[0], ATTN_GPU_SPLIT_KEYS), 128);
}

TEST_F(GpuLinear, StatesAreTheCallers) {
  GpuCall call(causal, {2, 2, 2, 10, 10});
  giveState(call, LINEAR_STATE_OUT, 2, 2);
  std::swap(call.tensors[LINEAR_STATE_OUT].strides[2], call.tensors[LINEAR_STATE_OUT].strides[3]);
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);
  EXPECT_EQ(view(phaseLaunches[1], causal, LINEAR_STATE_IN)[ATTN_GPU_VIEW_ADDRESS], 0);
  EXPECT_EQ(view(phaseLaunches[1], causal, LINEAR_STATE_OUT),
            (std::vector<int64_t>{addressOf(stateMemory), 108, 54, 1, 9}));
  driver->foreign = stateMemory;
  driver->foreign_type = 0;
  EXPECT_EQ(call.run(), ATTN_ERROR_MEMORY);
  EXPECT_TRUE(launchOrder.empty());
}

TEST_F(GpuLinear, NoKeysLeaveTheStateThatWasGiven) {
  GpuCall call(causal, {1, 1, 1, 10, 0});
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);
  EXPECT_EQ(launchOrder, (std::vector<std::string>{"sum", "rows"}));
  EXPECT_EQ(linearWord(phaseLaunches[0], ATTN_GPU_SPLITS), 0);
}

TEST_F(GpuLinear, NoRowsMayStillWantAState) {
  GpuCall call(causal, {1, 1, 1, 0, 10});
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);
  EXPECT_TRUE(launchOrder.empty());
  EXPECT_EQ(call.workspace.size(), 0u);
  giveState(call, LINEAR_STATE_OUT, 1, 1);
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);
  EXPECT_EQ(launchOrder, (std::vector<std::string>{"absorb", "sum"}));
}

TEST_F(GpuLinear, BlocksThatNoGridHolds) {
  const int64_t many = 1 << 16;
  const Sizes tooLarge[] = {{many, many, 1, 1, 1}, {many, many / 2, many / 2, 0, 1}, {many, 1, 1, 1, int64_t(1) << 22}};
  for (const Sizes &sizes : tooLarge) {
    GpuCall call(causal, sizes);
    giveState(call, LINEAR_STATE_OUT, sizes.batch, sizes.kvHeads);
    call.call.workspace = reinterpret_cast<void *>(uintptr_t(1) << 20); // nobody looks
    call.call.tensors = call.tensors.data();
    call.call.tensor_count = int32_t(call.tensors.size());
    call.call.workspace_bytes = SIZE_MAX;
    ASSERT_EQ(attn_gpu_load(&causal, &call.call.handle, 0), ATTN_OK);
    EXPECT_EQ(attn_gpu_run(&causal, &call.call), ATTN_ERROR_SHAPE);
    EXPECT_EQ(driver->launches + driver->fills, 0);
  }
}

TEST_F(GpuLinear, WhatTheDriverRefuses) {
  GpuCall call(causal, {1, 1, 1, 10, 10});
  call.prepare();
  for (const char *function : {"cuMemsetD32Async", "cuLaunchKernelEx"}) {
    driver->failing = function;
    EXPECT_EQ(call.run(), ATTN_ERROR_LAUNCH) << function;
  }
  void *handle;
  driver->failing = "cuModuleGetFunction";
  EXPECT_EQ(attn_gpu_load(&causal, &handle, 0), ATTN_ERROR_LAUNCH);
  driver->failing = nullptr;
}

} // namespace
