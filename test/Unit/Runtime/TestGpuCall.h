// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A call of a GPU kernel on a driver without a GPU: the prologue runs on the host, and launches of phases are written
// down.
#ifndef ATTN_TEST_UNIT_RUNTIME_TESTGPUCALL_H
#define ATTN_TEST_UNIT_RUNTIME_TESTGPUCALL_H

#include "FakeDriver.h"
#include "TestCall.h"
#include "device/prologue.h"
#include "gpu.h"

#include <string>

/// The kernel of a CPU's fake with other code and elements of 16 bits.
inline attn_kernel_info gpuInfo(const attn_kernel_info &cpu) {
  attn_kernel_info info = cpu;
  info.element = ATTN_BF16;
  info.target = "sm_90a";
  return info;
}
inline attn_kernel gpuKernel(const attn_kernel &cpu, const attn_kernel_info &info, const attn_gpu_code &code) {
  attn_kernel kernel = cpu;
  kernel.info = &info;
  kernel.cpu = nullptr;
  kernel.gpu = &code;
  return kernel;
}

/// Copy of a launch of a phase.
struct PhaseLaunch {
  std::string function;
  std::vector<unsigned> grid;
  unsigned blocks = 0, threads = 0, sharedBytes = 0;
  void *stream = nullptr;
  bool overlaps = false;
  std::vector<fake_map> maps = {};
  std::vector<int64_t> words = {};
};

inline std::vector<PhaseLaunch> phaseLaunches;
inline std::vector<std::string> launchOrder;
inline int64_t wordCount;
inline const attn_kernel *kernelAtHand;

inline int mapCountOf(int phase) {
  if (kernelAtHand->orders[kernelAtHand->phases[phase].query_order].kind == ATTN_ORDER_CLASSES)
    return 8;
  return kernelAtHand->gpu->phases[phase].runs ? 6 : 4;
}
/// How many tensor maps a function takes; those of linear attention take none.
inline int mapCountOf(const std::string &function) {
  for (int i = 0; !kernelAtHand->linear && i < kernelAtHand->phase_count; ++i) {
    const attn_gpu_phase &phase = kernelAtHand->gpu->phases[i];
    for (const attn_gpu_function *version : {&phase.tiled, &phase.strided, &phase.compact})
      if (version->name && version->name == function)
        return mapCountOf(i);
  }
  return 0;
}

/// Does what the GPU would: runs the prologue, and writes down the phases.
inline void runOnHost(const fake_launch *launch) {
  std::string function = launch->function;
  launchOrder.push_back(function);
  if (function == ATTN_PROLOGUE_RUN_JOBS) {
    EXPECT_FALSE(launch->overlaps);
    EXPECT_EQ(launch->block[0], unsigned(ATTN_PROLOGUE_THREADS));
    EXPECT_EQ(launch->shared_bytes, unsigned(ATTN_PROLOGUE_SHARED_BYTES));
    const auto *all = static_cast<const attn_jobs *>(launch->parameters[0]);
    for (unsigned job = 0; job < launch->grid[1]; ++job)
      for (unsigned b = 0; b < launch->grid[0]; ++b)
        attn_run_job(&all->jobs[job], all->status, b, all->batch);
  } else if (function == ATTN_PROLOGUE_MATCH) {
    EXPECT_FALSE(launch->overlaps);
    const auto *job = static_cast<const attn_match_job *>(launch->parameters[0]);
    for (int64_t block = 0; block < launch->grid[0]; ++block)
      for (int64_t t = 0; t < launch->block[0]; ++t) {
        int64_t rank = block % job->blocks_per_batch * launch->block[0] + t;
        if (rank < job->query_count)
          attn_match_rank(job, block / job->blocks_per_batch, rank);
      }
  } else {
    PhaseLaunch phase = {function, {launch->grid, launch->grid + 3}};
    phase.blocks = launch->grid[0] * launch->grid[1] * launch->grid[2];
    phase.threads = launch->block[0];
    phase.sharedBytes = launch->shared_bytes;
    phase.stream = launch->stream;
    phase.overlaps = launch->overlaps;
    phase.maps.resize(mapCountOf(function));
    for (size_t i = 0; i < phase.maps.size(); ++i)
      std::memcpy(&phase.maps[i], launch->parameters[i], sizeof(fake_map));
    const auto *words = static_cast<const int64_t *>(launch->parameters[phase.maps.size()]);
    phase.words.assign(words, words + wordCount);
    phaseLaunches.push_back(phase);
  }
}

/// A call with rows of 8 elements, of which a head has fewer: what a tensor map can hold.
class GpuCall {
public:
  GpuCall(const attn_kernel &kernel, Sizes sizes, int64_t rowStride = 8) : kernel(kernel) {
    auto [batch, heads, kvHeads, length, kvLength] = sizes;
    int64_t dk = FAKE_HEAD_SIZE, dv = FAKE_VALUE_HEAD_SIZE;
    tensors = {rowsOf(0, {batch, heads, length, dk}, rowStride), rowsOf(1, {batch, kvHeads, kvLength, dk}, rowStride),
               rowsOf(2, {batch, kvHeads, kvLength, dv}, rowStride), rowsOf(3, {batch, heads, length, dv}, rowStride),
               tensorOf(memory[4], ATTN_F32, {batch, heads, length})};
    wordCount = kernel.symbol_count + ATTN_GPU_WORDS + ATTN_GPU_VIEW_WORDS * kernel.view_count +
                (kernel.linear ? ATTN_GPU_LINEAR_WORDS : 0);
    kernelAtHand = &kernel;
  }
  GpuCall(const GpuCall &) = delete;
  ~GpuCall() { unload(); }

  void unload() {
    if (call.handle)
      EXPECT_EQ(attn_gpu_unload(&kernel, call.handle), ATTN_OK);
    call.handle = nullptr;
  }

  void addData(std::vector<int32_t> values, const std::vector<int64_t> &shape) {
    data.push_back(std::make_unique<std::vector<int32_t>>(std::move(values)));
    tensors.push_back(tensorOf(data.back()->data(), ATTN_I32, shape));
  }

  void addArray(const std::vector<int64_t> &shape) { tensors.push_back(tensorOf(memory[0], ATTN_F32, shape)); }

  void prepare() {
    call.tensors = tensors.data();
    call.tensor_count = int32_t(tensors.size());
    call.scalars = scalars.data();
    call.scalar_count = int32_t(scalars.size());
    call.stream = this;
    workspace = GuardedMemory(attn_gpu_workspace_bytes(&kernel, &call));
    call.workspace = workspace.data();
    call.workspace_bytes = workspace.size();
    if (!call.handle)
      ASSERT_EQ(attn_gpu_load(&kernel, &call.handle, 0), ATTN_OK);
  }

  int run() {
    phaseLaunches.clear();
    launchOrder.clear();
    int status = attn_gpu_run(&kernel, &call);
    EXPECT_TRUE(workspace.isIntact());
    return status;
  }

  int32_t raisedStatus() {
    int32_t status;
    std::memcpy(&status, workspace.data(), sizeof(status));
    return status;
  }

  const attn_kernel &kernel;
  std::vector<attn_tensor> tensors;
  std::vector<attn_scalar> scalars;
  std::vector<std::unique_ptr<std::vector<int32_t>>> data;
  attn_call call = ATTN_CALL_INIT;
  GuardedMemory workspace{0};

private:
  static attn_tensor rowsOf(int64_t index, const std::vector<int64_t> &shape, int64_t rowStride) {
    attn_tensor tensor = tensorOf(memory[index], ATTN_BF16, shape);
    tensor.strides[2] = rowStride;
    tensor.strides[1] = shape[2] * rowStride;
    tensor.strides[0] = shape[1] * shape[2] * rowStride;
    return tensor;
  }

  // Nothing reads these; they only have to be apart.
  alignas(64) static inline uint16_t memory[5][64];
};

class GpuEntry : public ::testing::Test {
protected:
  void SetUp() override {
    driver = fake_driver_reset();
    driver->on_launch = runOnHost;
  }
  void TearDown() override {
    EXPECT_EQ(driver->pushed, 0);
    EXPECT_EQ(driver->contexts, 0);
    EXPECT_EQ(driver->modules, 0);
    EXPECT_EQ(driver->allocations, 0);
  }

  fake_driver *driver;
};

inline int64_t word(const PhaseLaunch &launch, const attn_kernel &kernel, int index) {
  return launch.words[kernel.symbol_count + index];
}

/// Tiles of each part of a launch, and that its factor says which part a tile is in, or the one before.
inline void expectTilesOfPart(const PhaseLaunch &launch, const attn_kernel &kernel, int64_t tiles) {
  EXPECT_EQ(word(launch, kernel, ATTN_GPU_TILES_OF_PART), tiles);
  uint64_t factor = uint64_t(word(launch, kernel, ATTN_GPU_PART_FACTOR));
  EXPECT_LE(factor, UINT32_MAX);
  for (uint64_t part : {0, 1, 2, 1000, (1 << 30) / int(tiles)})
    for (uint64_t tile : {part * uint64_t(tiles), (part + 1) * uint64_t(tiles) - 1}) {
      uint64_t found = tile * factor >> 32;
      EXPECT_TRUE(found == part || found + 1 == part) << "tile " << tile << ": " << found << ", not " << part;
    }
}
/// A view's address and strides, and its extents.
inline std::vector<int64_t> view(const PhaseLaunch &launch, const attn_kernel &kernel, int index) {
  auto begin = launch.words.begin() + kernel.symbol_count + ATTN_GPU_WORDS + ATTN_GPU_VIEW_WORDS * index;
  return {begin, begin + ATTN_GPU_VIEW_SHAPE};
}
inline std::vector<int64_t> extentsOf(const PhaseLaunch &launch, const attn_kernel &kernel, int index) {
  auto begin = launch.words.begin() + kernel.symbol_count + ATTN_GPU_WORDS + ATTN_GPU_VIEW_WORDS * index;
  return {begin + ATTN_GPU_VIEW_SHAPE, begin + ATTN_GPU_VIEW_WORDS};
}
inline int64_t addressOf(const void *data) { return int64_t(reinterpret_cast<intptr_t>(data)); }

inline const int32_t *tableOf(const PhaseLaunch &launch, const attn_kernel &kernel, int32_t index, int64_t b) {
  std::vector<int64_t> words = view(launch, kernel, index);
  return reinterpret_cast<const int32_t *>(words[0]) + b * words[1];
}
inline attn_gpu_order orderOf(const PhaseLaunch &launch, const attn_kernel &kernel, int32_t index, int64_t b) {
  const auto *orders = reinterpret_cast<const attn_gpu_order *>(word(launch, kernel, ATTN_GPU_ORDERS));
  return orders[b * kernel.order_count + index];
}

#endif // ATTN_TEST_UNIT_RUNTIME_TESTGPUCALL_H
