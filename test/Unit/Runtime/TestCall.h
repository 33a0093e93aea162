// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A call of one of the fake kernels on random data, with guard bytes around its workspace, and the naive attention in
// double precision that decides whether the outcome is right.
#ifndef ATTN_TEST_UNIT_RUNTIME_TESTCALL_H
#define ATTN_TEST_UNIT_RUNTIME_TESTCALL_H

#include "FakeKernels.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

/// Contiguous, as in NumPy.
inline attn_tensor tensorOf(void *data, int32_t element, const std::vector<int64_t> &shape) {
  attn_tensor tensor = {data, element, static_cast<int32_t>(shape.size()), {}, {}};
  int64_t stride = 1;
  for (size_t axis = shape.size(); axis-- > 0; stride *= shape[axis]) {
    tensor.shape[axis] = shape[axis];
    tensor.strides[axis] = stride;
  }
  return tensor;
}

/// Memory at a 64-byte boundary between two guards; anything written outside of it is found by `isIntact`.
class GuardedMemory {
public:
  static constexpr size_t kGuard = 256;
  static constexpr unsigned char kByte = 0xab;

  explicit GuardedMemory(size_t bytes)
      : bytes(bytes), all(static_cast<unsigned char *>(std::aligned_alloc(64, roundUp(bytes) + 2 * kGuard))) {
    std::memset(all.get(), kByte, roundUp(bytes) + 2 * kGuard);
  }

  unsigned char *data() { return all.get() + kGuard; }
  size_t size() const { return bytes; }
  bool isIntact() const { return holdsOnlyGuards(0, kGuard) && holdsOnlyGuards(kGuard + bytes, kGuard); }
  bool isUntouched() const { return holdsOnlyGuards(0, bytes + 2 * kGuard); }

private:
  static size_t roundUp(size_t bytes) { return (bytes + 63) / 64 * 64; }

  bool holdsOnlyGuards(size_t begin, size_t count) const {
    for (size_t i = begin; i < begin + count; ++i)
      if (all.get()[i] != kByte)
        return false;
    return true;
  }

  struct Free {
    void operator()(unsigned char *memory) const { std::free(memory); }
  };
  size_t bytes;
  std::unique_ptr<unsigned char, Free> all;
};

struct Sizes {
  int64_t batch = 1, heads = 1, kvHeads = 1, length = 1, kvLength = 1;
};

/// Whether the query at position `query` may look at the key at position `key`, in batch `batch`.
using Admits = std::function<bool(int64_t batch, int64_t query, int64_t key)>;

class TestCall {
public:
  explicit TestCall(const attn_kernel &kernel, Sizes sizes, uint64_t seed = 1)
      : kernel(kernel), sizes(sizes), workspace(0) {
    const int64_t dk = FAKE_HEAD_SIZE, dv = FAKE_VALUE_HEAD_SIZE;
    std::mt19937_64 random(seed);
    auto [batch, heads, kvHeads, length, kvLength] = sizes;
    query = normal(batch * heads * length * dk, random);
    key = normal(batch * kvHeads * kvLength * dk, random);
    value = normal(batch * kvHeads * kvLength * dv, random);
    output.assign(batch * heads * length * dv, kPoison);
    lse.assign(batch * heads * length, kPoison);
    tensors = {tensorOf(query.data(), ATTN_F32, {batch, heads, length, dk}),
               tensorOf(key.data(), ATTN_F32, {batch, kvHeads, kvLength, dk}),
               tensorOf(value.data(), ATTN_F32, {batch, kvHeads, kvLength, dv}),
               tensorOf(output.data(), ATTN_F32, {batch, heads, length, dv}),
               tensorOf(lse.data(), ATTN_F32, {batch, heads, length})};
  }

  TestCall(const TestCall &) = delete;

  /// Adds run-time data of this shape.
  void addData(std::vector<int32_t> values, const std::vector<int64_t> &shape) {
    data.push_back(std::make_unique<std::vector<int32_t>>(std::move(values)));
    tensors.push_back(tensorOf(data.back()->data(), ATTN_I32, shape));
  }

  /// Adds run-time data of shape [size], shared by all batches.
  void addShared(const std::vector<int32_t> &values) { addData(values, {static_cast<int64_t>(values.size())}); }

  /// Adds an array of numbers 0, 1, 2, ...
  void addArray(const std::vector<int64_t> &shape) {
    int64_t count = 1;
    for (int64_t extent : shape)
      count *= extent;
    arrays.push_back(std::make_unique<std::vector<float>>(count));
    std::iota(arrays.back()->begin(), arrays.back()->end(), 0.0f);
    tensors.push_back(tensorOf(arrays.back()->data(), ATTN_F32, shape));
  }

  void addIndex(int64_t index) { scalars.push_back(attn_scalar{index}); }

  /// Points the call at everything that was added, and at a workspace of exactly the size it asks for.
  void prepare() {
    call.tensors = tensors.data();
    call.tensor_count = static_cast<int32_t>(tensors.size());
    call.scalars = scalars.data();
    call.scalar_count = static_cast<int32_t>(scalars.size());
    workspace = GuardedMemory(attn_cpu_workspace_bytes(&kernel, &call));
    call.workspace = workspace.data();
    call.workspace_bytes = workspace.size();
  }

  int run() {
    int status = attn_cpu_run(&kernel, &call);
    EXPECT_TRUE(workspace.isIntact());
    return status;
  }

  /// Prepares, runs and compares with the naive attention over the pairs that `admits` lets through.
  void runAndCheck(const Admits &admits) {
    prepare();
    ASSERT_EQ(run(), ATTN_OK);
    check(admits);
  }

  void check(const Admits &admits) const {
    for (int64_t b = 0; b < sizes.batch; ++b)
      for (int64_t h = 0; h < sizes.heads; ++h)
        for (int64_t i = 0; i < sizes.length; ++i)
          checkRow(admits, b, h, i);
  }

  bool isOutputUntouched() const {
    auto isPoison = [](float x) { return x == kPoison; };
    return std::all_of(output.begin(), output.end(), isPoison) && std::all_of(lse.begin(), lse.end(), isPoison);
  }

  int64_t queryOffset() const {
    return call.flags & ATTN_HAS_QUERY_OFFSET ? call.query_offset : call.key_offset + sizes.kvLength - sizes.length;
  }

  static constexpr float kPoison = 12345.0f;

  const attn_kernel &kernel;
  Sizes sizes;
  std::vector<float> query, key, value, output, lse;
  std::vector<std::unique_ptr<std::vector<int32_t>>> data;
  std::vector<std::unique_ptr<std::vector<float>>> arrays;
  std::vector<attn_tensor> tensors;
  std::vector<attn_scalar> scalars;
  attn_call call = ATTN_CALL_INIT;
  GuardedMemory workspace;

private:
  static std::vector<float> normal(int64_t count, std::mt19937_64 &random) {
    std::normal_distribution<float> distribution;
    std::vector<float> values(count);
    for (float &value : values)
      value = distribution(random);
    return values;
  }

  const float *at(int32_t tensor, int64_t b, int64_t h, int64_t i) const {
    const attn_tensor &t = tensors[tensor];
    return static_cast<const float *>(t.data) + b * t.strides[0] + h * t.strides[1] + i * t.strides[2];
  }

  // O = sum over admitted j of softmax(scale q k_j) v_j, LSE = log of the sum of exp.
  void checkRow(const Admits &admits, int64_t b, int64_t h, int64_t i) const {
    int64_t kvHead = h / (sizes.heads / sizes.kvHeads);
    double scale = call.flags & ATTN_HAS_SCALE ? call.scale : 1 / std::sqrt(double(FAKE_HEAD_SIZE));
    double sum = 0, accumulator[FAKE_VALUE_HEAD_SIZE] = {};
    for (int64_t j = 0; j < sizes.kvLength; ++j) {
      if (!admits(b, queryOffset() + i, call.key_offset + j))
        continue;
      double score = 0;
      for (int c = 0; c < FAKE_HEAD_SIZE; ++c)
        score += double(at(ATTN_QUERY, b, h, i)[c]) * at(ATTN_KEY, b, kvHead, j)[c];
      double weight = std::exp(scale * score);
      sum += weight;
      for (int c = 0; c < FAKE_VALUE_HEAD_SIZE; ++c)
        accumulator[c] += weight * at(ATTN_VALUE, b, kvHead, j)[c];
    }
    for (int c = 0; c < FAKE_VALUE_HEAD_SIZE; ++c)
      ASSERT_NEAR(at(ATTN_OUTPUT, b, h, i)[c], sum > 0 ? accumulator[c] / sum : 0, 1e-5)
          << "batch " << b << " head " << h << " row " << i << " column " << c;
    if (tensors.size() <= ATTN_LSE || !tensors[ATTN_LSE].data)
      return;
    if (sum > 0)
      ASSERT_NEAR(*at(ATTN_LSE, b, h, i), std::log(sum), 1e-5) << "batch " << b << " head " << h << " row " << i;
    else
      ASSERT_EQ(*at(ATTN_LSE, b, h, i), -INFINITY);
  }
};

/// The right arguments of fake_medley: steps 1, 2, 3, 1, ..., two blocks for each of three query blocks, one segment,
/// any arrays. Blocks are of 10 positions and the grid is 10 wide.
inline void fillMedley(TestCall &call) {
  auto [batch, heads, kvHeads, length, kvLength] = call.sizes;
  std::vector<int32_t> steps(heads), blocks(heads * 3 * 2, -1), ids(std::max(length, kvLength));
  for (int64_t h = 0; h < heads; ++h)
    steps[h] = 1 + static_cast<int32_t>(h % 3);
  call.addData(std::vector<int32_t>(batch * heads, 1), {batch, heads});
  call.addShared(steps);
  call.addData(blocks, {heads, 3, 2});
  call.addShared(ids);
  call.addArray({batch, heads, length, kvLength});
  call.addArray({kvHeads, 5, FAKE_HEAD_SIZE});
  call.addArray({4});
  call.addIndex(10);
  call.addIndex(10);
}

#endif // ATTN_TEST_UNIT_RUNTIME_TESTCALL_H
