// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The walk of linear attention over keys and rows, driven by kernels that are written by hand: every row sees the keys
// that its form and position say, once each, and states go in and come out.
#include "FakeLinear.h"
#include "TestCall.h"

#include "attn/Runtime/pool.h"

namespace {

constexpr int64_t kColumns = FAKE_VALUE_HEAD_SIZE + 1;

double feature(float x) { return std::fabs(x) + 0.25; }

class LinearCall : public TestCall {
public:
  LinearCall(attn_linear_form form, Sizes sizes) : TestCall(fake_linear[form], sizes), form(form) {
    tensors.resize(LINEAR_TENSOR_COUNT);
  }

  std::vector<int64_t> stateShape() const { return {sizes.batch, sizes.kvHeads, FAKE_HEAD_SIZE, kColumns}; }
  int64_t stateSize() const { return sizes.batch * sizes.kvHeads * FAKE_HEAD_SIZE * kColumns; }
  void giveState(const std::vector<float> &values) {
    before = values;
    tensors[LINEAR_STATE_IN] = tensorOf(before.data(), ATTN_F32, stateShape());
  }
  void takeState() {
    after.assign(stateSize(), kPoison);
    tensors[LINEAR_STATE_OUT] = tensorOf(after.data(), ATTN_F32, stateShape());
  }

  void runAndCheck() {
    prepare();
    ASSERT_EQ(run(), ATTN_OK);
    for (int64_t b = 0; b < sizes.batch; ++b)
      for (int64_t h = 0; h < sizes.heads; ++h)
        for (int64_t i = 0; i < sizes.length; ++i)
          checkRow(b, h, i);
    for (int64_t place = 0; place < static_cast<int64_t>(after.size()); ++place)
      ASSERT_NEAR(
          after[place],
          entry(place / kColumns / FAKE_HEAD_SIZE, place / kColumns % FAKE_HEAD_SIZE, place % kColumns, sizes.kvLength),
          1e-4 * (1 + std::fabs(after[place])));
  }

  std::vector<float> before, after;

private:
  /// Entry (c, e) of the state of one batch and key head after so many keys.
  double entry(int64_t pair, int64_t c, int64_t e, int64_t keys) const {
    double sum = before.empty() ? 0 : before[(pair * FAKE_HEAD_SIZE + c) * kColumns + e];
    for (int64_t j = 0; j < keys; ++j) {
      int64_t row = pair * sizes.kvLength + j;
      double value = e < FAKE_VALUE_HEAD_SIZE ? this->value[row * FAKE_VALUE_HEAD_SIZE + e] : 1;
      sum += feature(key[row * FAKE_HEAD_SIZE + c]) * value;
    }
    return sum;
  }

  void checkRow(int64_t b, int64_t h, int64_t i) const {
    int64_t pair = b * sizes.kvHeads + h / (sizes.heads / sizes.kvHeads);
    int64_t row = (b * sizes.heads + h) * sizes.length + i;
    int64_t seen = i + queryOffset() - call.key_offset + 1;
    int64_t keys = form == ATTN_LINEAR_FULL ? sizes.kvLength : std::clamp<int64_t>(seen, 0, sizes.kvLength);
    double sums[kColumns] = {};
    for (int64_t c = 0; c < FAKE_HEAD_SIZE; ++c)
      for (int64_t e = 0; e < kColumns; ++e)
        sums[e] += feature(query[row * FAKE_HEAD_SIZE + c]) * entry(pair, c, e, keys);
    double normaliser = sums[FAKE_VALUE_HEAD_SIZE] + 1e-6f;
    ASSERT_NEAR(lse[row], std::log(normaliser), 1e-5) << "batch " << b << " head " << h << " row " << i;
    for (int64_t e = 0; e < FAKE_VALUE_HEAD_SIZE; ++e)
      ASSERT_NEAR(output[row * FAKE_VALUE_HEAD_SIZE + e], sums[e] / normaliser, 1e-4)
          << "batch " << b << " head " << h << " row " << i;
  }

  attn_linear_form form;
};

const attn_linear_form kForms[] = {ATTN_LINEAR_FULL, ATTN_LINEAR_CAUSAL, ATTN_LINEAR_STEP};

std::vector<float> someNumbers(int64_t count) {
  std::vector<float> numbers(count);
  for (int64_t i = 0; i < count; ++i)
    numbers[i] = 1 + 0.5f * static_cast<float>(i % 7);
  return numbers;
}

TEST(Linear, EveryFormOfManySizes) {
  for (attn_linear_form form : kForms)
    for (int64_t length : {0, 1, 2, 63, 64, 65, 130})
      for (int64_t kvLength : {0, 1, 64, 65, 130}) {
        LinearCall call(form, {2, 4, 2, length, kvLength});
        call.takeState();
        call.runAndCheck();
      }
}

TEST(Linear, PositionsSayWhatARowSees) {
  for (attn_linear_form form : kForms)
    for (int64_t offset : {-200, -3, 0, 5, 64, 70, 300}) {
      LinearCall call(form, {1, 1, 1, 70, 100});
      call.call.flags = ATTN_HAS_QUERY_OFFSET;
      call.call.query_offset = offset + 9;
      call.call.key_offset = 9;
      call.takeState();
      call.runAndCheck();
    }
}

TEST(Linear, StatesGoInAndComeOut) {
  for (attn_linear_form form : kForms) {
    LinearCall call(form, {2, 2, 2, 70, 70});
    call.giveState(someNumbers(call.stateSize()));
    call.takeState();
    call.runAndCheck();
  }
}

TEST(Linear, StatesMayHaveAnyStridesAndShareMemory) {
  LinearCall call(ATTN_LINEAR_STEP, {1, 2, 2, 3, 3});
  call.giveState(someNumbers(call.stateSize()));
  call.takeState();
  call.runAndCheck();

  // The same state transposed, in and out of one place.
  std::vector<float> transposed(call.stateSize());
  attn_tensor state = tensorOf(transposed.data(), ATTN_F32, call.stateShape());
  state.strides[2] = 1, state.strides[3] = FAKE_HEAD_SIZE;
  auto at = [](int64_t place) {
    int64_t pair = place / kColumns / FAKE_HEAD_SIZE, c = place / kColumns % FAKE_HEAD_SIZE, e = place % kColumns;
    return pair * FAKE_HEAD_SIZE * kColumns + e * FAKE_HEAD_SIZE + c;
  };
  for (int64_t place = 0; place < call.stateSize(); ++place)
    transposed[at(place)] = call.before[place];
  call.tensors[LINEAR_STATE_IN] = call.tensors[LINEAR_STATE_OUT] = state;
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);
  for (int64_t place = 0; place < call.stateSize(); ++place)
    EXPECT_EQ(transposed[at(place)], call.after[place]);
}

TEST(Linear, ManyKeysAreSplitAndAddedUp) {
  for (int64_t kvLength : {8191, 8192, 12289}) {
    LinearCall call(ATTN_LINEAR_FULL, {1, 2, 1, 2, kvLength});
    call.giveState(someNumbers(call.stateSize()));
    call.takeState();
    call.runAndCheck();
  }
}

TEST(Linear, BitsDoNotDependOnWorkers) {
  for (attn_linear_form form : kForms) {
    std::vector<float> expected;
    for (int workers : {1, 2, 5}) {
      LinearCall call(form, {3, 4, 2, 150, 9000});
      std::unique_ptr<attn_pool, decltype(&attn_pool_destroy)> pool(attn_pool_create(workers), attn_pool_destroy);
      call.call.executor = attn_pool_executor(pool.get());
      call.prepare();
      ASSERT_EQ(call.run(), ATTN_OK);
      if (expected.empty())
        expected = call.output;
      EXPECT_EQ(call.output, expected);
    }
  }
}

TEST(Linear, WrongStatesAreRefused) {
  auto statusOf = [](const std::function<void(LinearCall &)> &spoil) {
    LinearCall call(ATTN_LINEAR_CAUSAL, {2, 2, 1, 4, 4});
    call.giveState(someNumbers(call.stateSize()));
    call.takeState();
    call.prepare();
    spoil(call);
    int status = call.run();
    EXPECT_TRUE(call.isOutputUntouched());
    return status;
  };
  for (int tensor : {LINEAR_STATE_IN, LINEAR_STATE_OUT}) {
    for (int axis = 0; axis < 4; ++axis)
      EXPECT_EQ(statusOf([=](LinearCall &call) { ++call.tensors[tensor].shape[axis]; }), ATTN_ERROR_SHAPE);
    EXPECT_EQ(statusOf([=](LinearCall &call) { call.tensors[tensor].rank = 3; }), ATTN_ERROR_RANK);
    EXPECT_EQ(statusOf([=](LinearCall &call) { call.tensors[tensor].element = ATTN_BF16; }), ATTN_ERROR_ELEMENT);
    EXPECT_EQ(statusOf([=](LinearCall &call) { call.tensors[tensor].data = nullptr; }), ATTN_ERROR_NULL_DATA);
  }
  EXPECT_EQ(statusOf([](LinearCall &call) { --call.call.workspace_bytes; }), ATTN_ERROR_WORKSPACE);
}

} // namespace
