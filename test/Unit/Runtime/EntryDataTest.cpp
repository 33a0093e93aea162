// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Run-time data of every kind at the entry point: as which views kernels see them, what is made of them, and what is
// required of them.
#include "TestCall.h"

#include <utility>

namespace {

using Ints = std::vector<int64_t>;

/// What the kernel was handed for the last batch.
std::vector<attn_view> seenViews;
std::vector<int64_t> seenSymbols;

void spyTile(const attn_view *views, const int64_t *symbols, int64_t, int64_t, int64_t, void *) {
  seenViews.assign(views, views + fake_medley.view_count);
  seenSymbols.assign(symbols, symbols + fake_medley.symbol_count);
}

/// fake_medley that only looks.
class EntryData : public ::testing::Test {
protected:
  EntryData() : version(fake_medley.cpu->versions[0]), code(*fake_medley.cpu), kernel(fake_medley) {
    version.tiles = tiles;
    code.versions = &version;
    kernel.cpu = &code;
  }

  void run(TestCall &call) {
    call.prepare();
    ASSERT_EQ(call.run(), ATTN_OK);
  }

  static void expectView(int32_t index, const void *data, const Ints &shape, const Ints &strides) {
    const attn_view &view = seenViews[index];
    EXPECT_EQ(view.data, data) << "view " << index;
    EXPECT_EQ(Ints(view.shape, view.shape + 4), shape) << "view " << index;
    EXPECT_EQ(Ints(view.strides, view.strides + 4), strides) << "view " << index;
  }

  static std::vector<int32_t> seenOffsets(int64_t batch) {
    const attn_view &view = seenViews[MEDLEY_TENSOR_COUNT];
    const int32_t *row = static_cast<const int32_t *>(view.data) + batch * view.strides[0];
    return std::vector<int32_t>(row, row + view.shape[3]);
  }

  static constexpr attn_tile_fn tiles[] = {spyTile};
  attn_version version;
  attn_cpu_code code;
  attn_kernel kernel;
};

TEST_F(EntryData, Views) {
  TestCall call(kernel, {2, 4, 2, 20, 30});
  fillMedley(call);
  run(call);
  expectView(MEDLEY_REACH, call.data[0]->data(), {2, 1, 1, 4}, {4, 0, 0, 1});
  expectView(MEDLEY_STEP, call.data[1]->data(), {2, 1, 1, 4}, {0, 0, 0, 1});
  expectView(MEDLEY_RANDOM, call.data[2]->data(), {2, 4, 3, 2}, {0, 6, 2, 1});
  expectView(MEDLEY_BIAS, call.arrays[0]->data(), {2, 4, 20, 30}, {2400, 600, 30, 1});
  expectView(MEDLEY_LABELS, call.arrays[1]->data(), {1, 2, 5, 6}, {0, 30, 6, 1});
  expectView(MEDLEY_SLOPES, call.arrays[2]->data(), {1, 1, 1, 4}, {0, 0, 0, 1});
  EXPECT_EQ(seenSymbols[ATTN_SYMBOL_HEADS], 4);
  EXPECT_EQ(seenSymbols[ATTN_SYMBOL_HEAD], 0);
  EXPECT_EQ(seenSymbols[ATTN_FIXED_SYMBOLS + 2], 0); // the step of a head: emitted code reads it
}

TEST_F(EntryData, ADefaultOfOneValueIsEveryHeads) {
  TestCall call(kernel, {2, 4, 2, 20, 30});
  fillMedley(call);
  call.tensors[MEDLEY_REACH] = attn_tensor{};
  run(call);
  expectView(MEDLEY_REACH, fake_medley_info.tensors[MEDLEY_REACH].default_values, {2, 1, 1, 4}, {0, 0, 0, 0});
}

TEST_F(EntryData, ADefaultOfSeveralValuesIsForAsManyHeads) {
  const int32_t defaults[] = {7, 8};
  std::vector<attn_tensor_info> tensors(fake_medley_info.tensors, fake_medley_info.tensors + MEDLEY_TENSOR_COUNT);
  tensors[MEDLEY_REACH].default_count = 2, tensors[MEDLEY_REACH].default_values = defaults;
  attn_kernel_info info = fake_medley_info;
  info.tensors = tensors.data();
  kernel.info = &info;
  for (auto [heads, status] : {std::pair(2, ATTN_OK), {3, ATTN_ERROR_SHAPE}}) {
    TestCall call(kernel, {1, heads, 1, 20, 30});
    fillMedley(call);
    call.tensors[MEDLEY_REACH] = attn_tensor{};
    call.prepare();
    EXPECT_EQ(call.run(), status) << heads;
  }
  expectView(MEDLEY_REACH, defaults, {1, 1, 1, 2}, {0, 0, 0, 1});
}

TEST_F(EntryData, TablesOfEachBatch) {
  TestCall call(kernel, {2, 1, 1, 20, 30});
  fillMedley(call);
  call.addData(std::vector<int32_t>(2 * 1 * 7 * 2, 2), {2, 1, 7, 2});
  call.tensors[MEDLEY_RANDOM] = call.tensors.back();
  call.tensors.pop_back();
  run(call);
  expectView(MEDLEY_RANDOM, call.data.back()->data(), {2, 1, 7, 2}, {14, 14, 2, 1});
}

TEST_F(EntryData, ArraysLieAnyhow) {
  TestCall call(kernel, {2, 4, 2, 20, 30});
  fillMedley(call);
  attn_tensor &bias = call.tensors[MEDLEY_BIAS];
  std::copy_n(std::vector<int64_t>{0, 0, -30, 5}.begin(), 4, bias.strides);
  call.tensors[MEDLEY_SLOPES].strides[0] = 0;
  run(call);
  expectView(MEDLEY_BIAS, bias.data, {2, 4, 20, 30}, {0, 0, -30, 5});
  expectView(MEDLEY_SLOPES, call.arrays[2]->data(), {1, 1, 1, 4}, {0, 0, 0, 0});
}

TEST_F(EntryData, ArraysOfNoKeysNeedNoData) {
  TestCall call(kernel, {1, 2, 1, 20, 0});
  fillMedley(call);
  *call.data[1] = {1, 1};
  call.scalars[MEDLEY_WIDTH].index = 3;
  call.tensors[MEDLEY_BIAS].data = nullptr;
  call.prepare();
  EXPECT_EQ(call.run(), ATTN_ERROR_REQUIREMENT); // no row of the grid
  attn_kernel_info info = fake_medley_info;
  info.requirement_count = 1;
  kernel.info = &info;
  EXPECT_EQ(call.run(), ATTN_OK);
}

//===----------------------------------------------------------------------------------------------------------===//
// Offsets in segments
//===----------------------------------------------------------------------------------------------------------===//

TEST_F(EntryData, OffsetsOfEachBatch) {
  TestCall call(kernel, {2, 1, 1, 4, 6});
  fillMedley(call);
  call.scalars[MEDLEY_WIDTH].index = 3;
  call.addData({0, 0, 1, 1, 1, 2, 5, -9, 5, 5, -9, 7}, {2, 6});
  call.tensors[MEDLEY_IDS] = call.tensors.back();
  call.tensors.pop_back();
  run(call);
  EXPECT_EQ(seenOffsets(0), (std::vector<int32_t>{0, 1, 0, 1, 2, 0}));
  EXPECT_EQ(seenOffsets(1), (std::vector<int32_t>{0, 0, 1, 2, 1, 0}));
}

TEST_F(EntryData, BatchesShareOffsets) {
  TestCall call(kernel, {3, 1, 1, 4, 6});
  fillMedley(call);
  call.scalars[MEDLEY_WIDTH].index = 3;
  *call.data[3] = {4, 3, 4, 3, 3, 4};
  run(call);
  EXPECT_EQ(seenViews[MEDLEY_TENSOR_COUNT].strides[0], 0);
  EXPECT_EQ(seenOffsets(2), (std::vector<int32_t>{0, 0, 1, 1, 2, 2}));
}

//===----------------------------------------------------------------------------------------------------------===//
// Blocks and requirements
//===----------------------------------------------------------------------------------------------------------===//

TEST_F(EntryData, BlocksOfOtherShardsAreAbsent) {
  TestCall call(kernel, {1, 1, 1, 20, 30});
  fillMedley(call);
  (*call.data[2])[1] = 2;
  run(call);
  (*call.data[2])[1] = 3;
  EXPECT_EQ(call.run(), ATTN_ERROR_BLOCKS);
  call.scalars[MEDLEY_BLOCK].index = 9; // four blocks, the last of 3 positions
  EXPECT_EQ(call.run(), ATTN_OK);
  call.scalars[MEDLEY_BLOCK].index = 10;
  call.call.flags = ATTN_HAS_QUERY_OFFSET;
  EXPECT_EQ(call.run(), ATTN_OK);
}

TEST_F(EntryData, TheFirstRequirementThatIsBroken) {
  TestCall call(kernel, {2, 4, 2, 20, 30});
  fillMedley(call);
  *call.data[1] = {1, 1, 5, 9};
  call.prepare();
  int64_t numbers[2];
  EXPECT_EQ(call.run(), ATTN_ERROR_REQUIREMENT);
  ASSERT_EQ(attn_cpu_requirement(&kernel, &call.call, numbers), 1); // 3 rows of 10, and the third head's step
  EXPECT_EQ(numbers[0], 3);
  EXPECT_EQ(numbers[1], 5);
  call.scalars[MEDLEY_WIDTH].index = 2;
  ASSERT_EQ(attn_cpu_requirement(&kernel, &call.call, numbers), 0);
  EXPECT_EQ(numbers[0], 2);
  EXPECT_EQ(numbers[1], 3);
  call.scalars[MEDLEY_WIDTH].index = 3;
  EXPECT_EQ(attn_cpu_requirement(&kernel, &call.call, numbers), -1);
  EXPECT_EQ(call.run(), ATTN_OK);
}

TEST_F(EntryData, RequirementsHoldForEveryBatch) {
  TestCall call(kernel, {2, 2, 1, 20, 30});
  fillMedley(call);
  call.addData({1, 2, 3, 4}, {2, 2});
  call.tensors[MEDLEY_STEP] = call.tensors.back();
  call.tensors.pop_back();
  call.prepare();
  int64_t numbers[2];
  EXPECT_EQ(call.run(), ATTN_ERROR_REQUIREMENT);
  ASSERT_EQ(attn_cpu_requirement(&kernel, &call.call, numbers), 1);
  EXPECT_EQ(numbers[1], 4);
}

TEST_F(EntryData, NothingIsRequiredOfACallWithoutRowsOrThatIsWrong) {
  TestCall call(kernel, {2, 4, 2, 0, 30});
  fillMedley(call);
  call.scalars[MEDLEY_WIDTH].index = 1;
  call.prepare();
  int64_t numbers[2];
  EXPECT_EQ(attn_cpu_requirement(&kernel, &call.call, numbers), -1);
  EXPECT_EQ(call.run(), ATTN_OK);
  TestCall wrong(kernel, {2, 4, 2, 20, 30});
  fillMedley(wrong);
  wrong.scalars[MEDLEY_WIDTH].index = 1;
  wrong.tensors[MEDLEY_BIAS].rank = 3;
  wrong.prepare();
  EXPECT_EQ(attn_cpu_requirement(&kernel, &wrong.call, numbers), -1);
}

/// A requirement { program >= INT64_MAX }, which says the program's value.
int64_t valueOf(const std::vector<int64_t> &program) {
  const int64_t most[] = {ATTN_CONSTANT, INT64_MAX};
  const attn_requirement requirement = {program.data(), most};
  attn_kernel_info info = fake_medley_info;
  info.requirement_count = 1;
  attn_kernel kernel = fake_medley;
  kernel.info = &info;
  kernel.requirements = &requirement;
  TestCall call(kernel, {1, 2, 1, 20, 30});
  fillMedley(call);
  call.call.key_offset = 3;
  call.data[3]->resize(33);
  call.tensors[MEDLEY_IDS] = tensorOf(call.data[3]->data(), ATTN_I32, {33});
  call.prepare();
  int64_t numbers[2] = {INT64_MAX, 0};
  attn_cpu_requirement(&kernel, &call.call, numbers);
  return numbers[0];
}

constexpr int64_t C = ATTN_CONSTANT, S = ATTN_SYMBOL;

TEST(Program, Operations) {
  EXPECT_EQ(valueOf({C, -7}), -7);
  EXPECT_EQ(valueOf({ATTN_ADD, C, 2, C, 3}), 5);
  EXPECT_EQ(valueOf({ATTN_MULTIPLY, C, 2, C, -3}), -6);
  EXPECT_EQ(valueOf({ATTN_LEAST, C, 2, C, -3}), -3);
  EXPECT_EQ(valueOf({ATTN_GREATEST, C, 2, C, -3}), 2);
  EXPECT_EQ(valueOf({ATTN_ADD, ATTN_MULTIPLY, C, 2, C, 3, ATTN_ADD, C, 10, C, 20}), 36);
  for (int64_t a = -9; a <= 9; ++a)
    for (int64_t b = 1; b <= 4; ++b) {
      int64_t quotient = static_cast<int64_t>(std::floor(double(a) / double(b)));
      EXPECT_EQ(valueOf({ATTN_DIVIDE, C, a, C, b}), quotient) << a << " / " << b;
      EXPECT_EQ(valueOf({ATTN_REMAINDER, C, a, C, b}), a - quotient * b) << a << " mod " << b;
    }
}

TEST(Program, StaysInside64Bits) {
  constexpr int64_t least = INT64_MIN, most = INT64_MAX - 1;
  EXPECT_EQ(valueOf({ATTN_ADD, C, least, C, -1}), least);
  EXPECT_EQ(valueOf({ATTN_LEAST, C, most, ATTN_ADD, C, most, C, most}), most);
  EXPECT_EQ(valueOf({ATTN_LEAST, C, most, ATTN_MULTIPLY, C, least, C, least}), most);
  EXPECT_EQ(valueOf({ATTN_MULTIPLY, C, most, C, -9}), least);
  EXPECT_EQ(valueOf({ATTN_DIVIDE, C, 5, C, 0}), 5);
  EXPECT_EQ(valueOf({ATTN_DIVIDE, C, least, C, -1}), least);
  EXPECT_EQ(valueOf({ATTN_REMAINDER, C, 5, C, 0}), 0);
}

TEST(Program, Symbols) {
  EXPECT_EQ(valueOf({S, ATTN_SYMBOL_LENGTH}), 20);
  EXPECT_EQ(valueOf({S, ATTN_SYMBOL_KV_LENGTH}), 30);
  EXPECT_EQ(valueOf({S, ATTN_SYMBOL_QUERY_OFFSET}), 13);
  EXPECT_EQ(valueOf({S, ATTN_SYMBOL_KEY_OFFSET}), 3);
  EXPECT_EQ(valueOf({S, ATTN_SYMBOL_TOP_LEFT_OFFSET}), 0);
  EXPECT_EQ(valueOf({S, ATTN_SYMBOL_HEADS}), 2);
  EXPECT_EQ(valueOf({S, ATTN_SYMBOL_HEAD}), 0);
  EXPECT_EQ(valueOf({S, ATTN_FIXED_SYMBOLS + 1}), 10);
  EXPECT_EQ(valueOf({S, ATTN_FIXED_SYMBOLS + 2}), 1);
}

} // namespace
