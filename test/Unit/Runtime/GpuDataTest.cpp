// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Run-time data of every kind in GPU calls: the words by which kernels find them, what the prologue makes and checks of
// them, and what the host requires without looking at them.
#include "TestGpuCall.h"

#include <utility>

namespace {

const attn_gpu_phase phases[] = {{{"medley_tiled", 384, 200000, 128, 128, 64, 1}, {}, {}, 0, nullptr, nullptr}};
const attn_gpu_code code = {"a cubin", "some PTX", phases, nullptr};
const attn_kernel_info info = gpuInfo(fake_medley_info);
const attn_kernel medley = gpuKernel(fake_medley, info, code);

/// Two blocks for each of three query blocks of 10; one segment.
void fill(GpuCall &call, int64_t batch, int64_t heads, int64_t kvHeads, int64_t length, int64_t kvLength) {
  call.addData(std::vector<int32_t>(batch * heads, 1), {batch, heads});
  call.addData(std::vector<int32_t>(heads, 1), {heads});
  call.addData(std::vector<int32_t>(heads * 3 * 2, -1), {heads, 3, 2});
  call.addData(std::vector<int32_t>(kvLength), {kvLength});
  call.addArray({batch, heads, length, kvLength});
  call.addArray({kvHeads, 5, FAKE_HEAD_SIZE});
  call.addArray({4});
  call.scalars = {attn_scalar{10}, attn_scalar{10}};
}

class GpuData : public GpuEntry {
protected:
  GpuData() : call(medley, {2, 4, 2, 20, 30}) { fill(call, 2, 4, 2, 20, 30); }

  void TearDown() override {
    call.unload();
    GpuEntry::TearDown();
  }

  const PhaseLaunch &run() {
    EXPECT_EQ(call.run(), ATTN_OK);
    return phaseLaunches.at(0);
  }

  void expectView(const PhaseLaunch &launch, int32_t tensor, const std::vector<int64_t> &extents,
                  const std::vector<int64_t> &strides) {
    std::vector<int64_t> expected = {addressOf(call.tensors[tensor].data)};
    expected.insert(expected.end(), strides.begin(), strides.end());
    EXPECT_EQ(view(launch, medley, tensor), expected) << "tensor " << tensor;
    EXPECT_EQ(extentsOf(launch, medley, tensor), extents) << "tensor " << tensor;
  }

  GpuCall call;
};

TEST_F(GpuData, Views) {
  call.prepare();
  const PhaseLaunch &launch = run();
  EXPECT_EQ(launchOrder, (std::vector<std::string>{ATTN_PROLOGUE_RUN_JOBS, "medley_tiled"}));
  expectView(launch, MEDLEY_REACH, {2, 1, 1, 4}, {4, 0, 0, 1});
  expectView(launch, MEDLEY_STEP, {2, 1, 1, 4}, {0, 0, 0, 1});
  expectView(launch, MEDLEY_RANDOM, {2, 4, 3, 2}, {0, 6, 2, 1});
  expectView(launch, MEDLEY_IDS, {2, 1, 1, 30}, {0, 0, 0, 1});
  expectView(launch, MEDLEY_BIAS, {2, 4, 20, 30}, {2400, 600, 30, 1});
  expectView(launch, MEDLEY_LABELS, {1, 2, 5, 6}, {0, 30, 6, 1});
  expectView(launch, MEDLEY_SLOPES, {1, 1, 1, 4}, {0, 0, 0, 1});
  EXPECT_EQ(launch.words[ATTN_SYMBOL_HEADS], 4);
  EXPECT_EQ(launch.words[ATTN_FIXED_SYMBOLS + 2], 0); // the step of a head: the kernel reads it
}

TEST_F(GpuData, ADefaultOfOneValueIsEveryHeads) {
  call.tensors[MEDLEY_REACH] = attn_tensor{};
  call.prepare();
  const PhaseLaunch &launch = run();
  std::vector<int64_t> words = view(launch, medley, MEDLEY_REACH);
  EXPECT_EQ(*reinterpret_cast<const int32_t *>(words[0]), 2); // in the GPU's memory
  EXPECT_EQ(std::vector<int64_t>(words.begin() + 1, words.end()), (std::vector<int64_t>{0, 0, 0, 0}));
  EXPECT_EQ(extentsOf(launch, medley, MEDLEY_REACH), (std::vector<int64_t>{2, 1, 1, 4}));
}

TEST_F(GpuData, ArraysLieAnyhow) {
  std::copy_n(std::vector<int64_t>{0, 0, 7, 5}.begin(), 4, call.tensors[MEDLEY_BIAS].strides);
  call.prepare();
  expectView(run(), MEDLEY_BIAS, {2, 4, 20, 30}, {0, 0, 7, 5});
}

TEST_F(GpuData, OffsetsInSegments) {
  *call.data[3] = std::vector<int32_t>(30, 3);
  (*call.data[3])[2] = -5, (*call.data[3])[29] = -5;
  call.tensors[MEDLEY_IDS].data = call.data[3]->data();
  call.prepare();
  const int32_t *offsets = tableOf(run(), medley, MEDLEY_TENSOR_COUNT, 0);
  EXPECT_EQ(std::vector<int32_t>(offsets, offsets + 5), (std::vector<int32_t>{0, 1, 0, 2, 3}));
  EXPECT_EQ(offsets[29], 1);
  EXPECT_EQ(view(phaseLaunches[0], medley, MEDLEY_TENSOR_COUNT)[1], 0); // all batches share them
}

struct Fault {
  const char *name;
  int status;
  void (*make)(GpuCall &call);
};

TEST_F(GpuData, ValuesOutOfRangeRaiseTheStatus) {
  const Fault faults[] = {
      {"nothing", ATTN_OK, [](GpuCall &) {}},
      {"a reach of -1", ATTN_ERROR_PER_HEAD, [](GpuCall &c) { c.data[0]->back() = -1; }},
      {"a step of 0", ATTN_ERROR_PER_HEAD, [](GpuCall &c) { c.data[1]->front() = 0; }},
      {"the last block", ATTN_OK, [](GpuCall &c) { c.data[2]->back() = 2; }},
      {"a block past the end", ATTN_ERROR_BLOCKS, [](GpuCall &c) { c.data[2]->back() = 3; }},
      {"a block below -1", ATTN_ERROR_BLOCKS, [](GpuCall &c) { (*c.data[2])[9] = -2; }},
      {"a block of another shard", ATTN_OK,
       [](GpuCall &c) {
         c.data[2]->back() = 3;
         c.call.flags = ATTN_HAS_QUERY_OFFSET;
       }},
  };
  for (const Fault &fault : faults) {
    SCOPED_TRACE(fault.name);
    GpuCall call(medley, {2, 4, 2, 20, 30});
    fill(call, 2, 4, 2, 20, 30);
    fault.make(call);
    call.prepare();
    ASSERT_EQ(call.run(), ATTN_OK);
    EXPECT_EQ(call.raisedStatus(), fault.status);
  }
}

TEST_F(GpuData, TablesOfEachBatchAndHeadAreChecked) {
  call.addData(std::vector<int32_t>(2 * 4 * 2 * 3, 0), {2, 4, 2, 3});
  call.tensors[MEDLEY_RANDOM] = call.tensors.back();
  call.tensors.pop_back();
  call.prepare();
  for (int32_t &entry : *call.data.back()) {
    entry = 3;
    run();
    EXPECT_EQ(call.raisedStatus(), ATTN_ERROR_BLOCKS) << &entry - call.data.back()->data();
    entry = 0;
  }
  run();
  EXPECT_EQ(call.raisedStatus(), ATTN_OK);
}

// The rows of the grid have to be as many as a head's step, which the host does not read.
TEST_F(GpuData, TheHostRequiresWhatItKnows) {
  *call.data[1] = {9, 9, 9, 9};
  call.prepare();
  int64_t numbers[2];
  EXPECT_EQ(attn_gpu_requirement(&medley, &call.call, numbers), -1);
  EXPECT_EQ(call.run(), ATTN_OK);
  call.scalars[MEDLEY_WIDTH].index = 2;
  driver->launches = 0;
  EXPECT_EQ(call.run(), ATTN_ERROR_REQUIREMENT);
  EXPECT_EQ(driver->launches, 0);
  ASSERT_EQ(attn_gpu_requirement(&medley, &call.call, numbers), 0);
  EXPECT_EQ(numbers[0], 2);
  EXPECT_EQ(numbers[1], 3);
}

// A table may be read with blocks of several sizes.
TEST_F(GpuData, TheSmallestBlocksSayWhichIsTheLast) {
  const int64_t five[] = {ATTN_CONSTANT, 5}, ten[] = {ATTN_CONSTANT, 10};
  const attn_block_table tables[] = {{MEDLEY_RANDOM, 0, ten}, {MEDLEY_RANDOM, 0, five}};
  attn_kernel kernel = medley;
  kernel.block_tables = tables;
  kernel.block_table_count = 2;
  for (auto [block, status] : {std::pair(5, ATTN_OK), {6, ATTN_ERROR_BLOCKS}}) {
    GpuCall call(kernel, {2, 4, 2, 20, 30});
    fill(call, 2, 4, 2, 20, 30);
    call.data[2]->front() = block;
    call.prepare();
    ASSERT_EQ(call.run(), ATTN_OK);
    EXPECT_EQ(call.raisedStatus(), status) << block;
  }
}

// The size of a block may be a head's, which the host does not read.
TEST_F(GpuData, BlocksOfAnUnknownSizeHaveNoLast) {
  const int64_t program[] = {ATTN_SYMBOL, ATTN_FIXED_SYMBOLS + 2};
  const attn_block_table table = {MEDLEY_RANDOM, 0, program};
  attn_kernel kernel = medley;
  kernel.block_tables = &table;
  for (auto [block, status] : {std::pair(1000, ATTN_OK), {-2, ATTN_ERROR_BLOCKS}}) {
    GpuCall call(kernel, {2, 4, 2, 20, 30});
    fill(call, 2, 4, 2, 20, 30);
    call.data[2]->front() = block;
    call.prepare();
    ASSERT_EQ(call.run(), ATTN_OK);
    EXPECT_EQ(call.raisedStatus(), status) << block;
  }
}

// Besides offsets, two tensors of numbers for heads and one of blocks are checked.
TEST_F(GpuData, RefusesMoreJobsThanALaunchHolds) {
  for (auto [count, status] : {std::pair(ATTN_MAX_JOBS - 3, ATTN_OK), {ATTN_MAX_JOBS - 2, ATTN_ERROR_LAUNCH}}) {
    std::vector<attn_offsets> offsets(count, fake_medley.offsets[0]);
    attn_kernel kernel = medley;
    kernel.offsets = offsets.data();
    kernel.offsets_count = count;
    void *handle = nullptr;
    EXPECT_EQ(attn_gpu_load(&kernel, &handle, 0), status) << count;
    if (status == ATTN_OK)
      attn_gpu_unload(&kernel, handle);
  }
}

} // namespace
