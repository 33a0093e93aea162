// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Numbers for heads, blocks and arrays as arguments: given, drawn, shared, and refused.
#include "common/Draw.h"
#include "common/Element.h"

#include "TestArguments.h"

#include <algorithm>
#include <cstdlib>

using namespace attn_tools;

namespace {

/// Two batches of four heads over 40 positions in blocks of 4, which are 10.
CallFlags medleyFlags(std::vector<std::string> arguments) {
  CallFlags flags = flagsOf(std::move(arguments));
  flags.batch = 2;
  flags.heads = 4;
  flags.kvHeads = 2;
  flags.length = 40;
  return flags;
}

TEST(CallData, DrawsNumbersForHeadsAndArrays) {
  Result<CallArguments> a = CallArguments::create(fake_medley_info, medleyFlags({}));
  ASSERT_TRUE(a) << a.message();
  EXPECT_EQ(a->tensors[MEDLEY_REACH].rank, 0);
  EXPECT_EQ(a->valuesOf(MEDLEY_REACH, 1), (std::vector<int32_t>{2, 2, 2, 2}));
  std::vector<int32_t> steps = a->valuesOf(MEDLEY_STEP, 0);
  EXPECT_EQ(steps.size(), 4u);
  EXPECT_TRUE(std::all_of(steps.begin(), steps.end(), [](int32_t x) { return 1 <= x && x <= 64; }));
  EXPECT_EQ(a->valuesOf(MEDLEY_STEP, 1), steps);
  EXPECT_EQ(shapeOf(a->tensors[MEDLEY_BIAS]), (std::vector<int64_t>{2, 4, 40, 40}));
  EXPECT_EQ(shapeOf(a->tensors[MEDLEY_LABELS]), (std::vector<int64_t>{2, 64, FAKE_HEAD_SIZE}));
  EXPECT_EQ(shapeOf(a->tensors[MEDLEY_SLOPES]), (std::vector<int64_t>{4}));
  std::vector<float> bias = floatsOf(a->tensors[MEDLEY_BIAS]);
  double squares = 0;
  for (float value : bias)
    squares += value * value;
  EXPECT_NEAR(squares / bias.size(), 1, 0.1);
}

TEST(CallData, DrawsTheBlocksThatBigBirdDoesNotAdmit) {
  for (int64_t count = 1; count < 12; ++count)
    for (uint64_t seed = 0; seed < 20; ++seed) {
      Random random(seed, 0);
      std::vector<int32_t> blocks = drawBlocks(random, 2, count, count);
      ASSERT_EQ(int64_t(blocks.size()), 2 * count * kDrawnBlocks);
      for (int64_t i = 0; i < 2 * count; ++i) {
        const int64_t row = i % count;
        std::vector<int32_t> drawn(&blocks[i * kDrawnBlocks], &blocks[i * kDrawnBlocks] + kDrawnBlocks);
        std::vector<int32_t> candidates;
        for (int64_t block = 1; row > 0 && row < count - 1 && block < count - 1; ++block)
          if (std::abs(block - row) > 1)
            candidates.push_back(int32_t(block));
        std::sort(drawn.begin(), drawn.end());
        drawn.erase(drawn.begin(), std::find_if(drawn.begin(), drawn.end(), [](int32_t x) { return x != -1; }));
        EXPECT_EQ(drawn.size(), std::min<size_t>(candidates.size(), 3));
        EXPECT_TRUE(std::includes(candidates.begin(), candidates.end(), drawn.begin(), drawn.end()));
        EXPECT_EQ(std::adjacent_find(drawn.begin(), drawn.end()), drawn.end());
      }
    }
}

TEST(CallData, DrawsBlocksOfTheArgumentsSize) {
  for (auto [argument, rows] : {std::pair("block=4", 10), {"block=7", 6}, {"block=0", 40}}) {
    Result<CallArguments> a = CallArguments::create(fake_medley_info, medleyFlags({argument}));
    ASSERT_TRUE(a) << a.message();
    EXPECT_EQ(shapeOf(a->tensors[MEDLEY_RANDOM]), (std::vector<int64_t>{4, rows, kDrawnBlocks}));
  }
  EXPECT_EQ(messageOf(fake_medley_info, medleyFlags({"step=1"})), "");

  std::vector<attn_tensor_info> tensors(fake_medley_info.tensors, fake_medley_info.tensors + MEDLEY_TENSOR_COUNT);
  attn_kernel_info info = fake_medley_info;
  info.tensors = tensors.data();
  tensors[MEDLEY_RANDOM].block = 20;
  Result<CallArguments> a = CallArguments::create(info, medleyFlags({}));
  ASSERT_TRUE(a) << a.message();
  EXPECT_EQ(shapeOf(a->tensors[MEDLEY_RANDOM]), (std::vector<int64_t>{4, 2, kDrawnBlocks}));
  tensors[MEDLEY_RANDOM].block = 0;
  EXPECT_EQ(messageOf(info, medleyFlags({})),
            "cannot draw random: the size of its blocks is no argument and no number; give it with --arg");
}

TEST(CallData, DrawsNoMoreThanMemoryHolds) {
  CallFlags flags = medleyFlags({});
  flags.dataOnly = true;
  flags.length = 1 << 20;
  EXPECT_EQ(messageOf(fake_medley_info, flags),
            "cannot draw bias of shape [2, 4, 1048576, 1048576]; give it with --arg or use smaller sizes");
}

TEST_F(Files, NumbersForHeads) {
  const int32_t steps[] = {1, 2, 3, 4, 5, 4, 3, 2}, three = 3;
  auto stepsOf = [](const std::string &text, int64_t batch) {
    Result<CallArguments> a = CallArguments::create(fake_medley_info, medleyFlags({"step=" + text}));
    EXPECT_TRUE(a) << a.message();
    return a->valuesOf(MEDLEY_STEP, batch);
  };
  EXPECT_EQ(stepsOf("1,2,4,3", 1), (std::vector<int32_t>{1, 2, 4, 3}));
  EXPECT_EQ(stepsOf("3", 0), (std::vector<int32_t>{3, 3, 3, 3}));
  EXPECT_EQ(stepsOf(write(NpyType::I32, {1}, &three), 0), (std::vector<int32_t>{3, 3, 3, 3}));
  EXPECT_EQ(stepsOf(write(NpyType::I32, {2, 4}, steps), 1), (std::vector<int32_t>{5, 4, 3, 2}));
}

TEST_F(Files, TablesOfBlocks) {
  std::vector<int32_t> table(2 * 4 * 10 * 1, 9);
  std::string path = write(NpyType::I32, {2, 4, 10, 1}, table.data());
  Result<CallArguments> a = CallArguments::create(fake_medley_info, medleyFlags({"step=1", "random=" + path}));
  ASSERT_TRUE(a) << a.message();
  EXPECT_EQ(a->blocksOf(MEDLEY_RANDOM).shape, (std::vector<int64_t>{2, 4, 10, 1}));
  EXPECT_EQ(a->blocksOf(MEDLEY_RANDOM).values, table);
  EXPECT_EQ(messageOf(fake_medley_info, medleyFlags({"step=1", "random=" + path})), "");
}

TEST_F(Files, AxesOfAnArrayMayBeShared) {
  const double bias[] = {0.5, 1.5, 2.5, 3.5};
  std::string path = write(NpyType::F64, {1, 4, 1, 1}, bias);
  CallFlags flags = medleyFlags({"step=1", "slopes=1,-2.5,3,4e2", "bias=" + path});
  Result<CallArguments> a = CallArguments::create(fake_medley_info, flags);
  ASSERT_TRUE(a) << a.message();
  const attn_tensor &tensor = a->tensors[MEDLEY_BIAS];
  EXPECT_EQ(shapeOf(tensor), (std::vector<int64_t>{2, 4, 40, 40}));
  EXPECT_EQ(std::vector<int64_t>(tensor.strides, tensor.strides + 4), (std::vector<int64_t>{0, 1, 0, 0}));
  EXPECT_EQ(a->arrayOf(MEDLEY_BIAS).shape, (std::vector<int64_t>{1, 4, 1, 1}));
  EXPECT_EQ(a->arrayOf(MEDLEY_BIAS).values, (std::vector<float>{0.5, 1.5, 2.5, 3.5}));
  EXPECT_EQ(a->arrayOf(MEDLEY_SLOPES).values, (std::vector<float>{1, -2.5, 3, 400}));
  EXPECT_EQ(messageOf(fake_medley_info, flags), "");
}

TEST_F(Files, RefusesRunTimeDataThatDoNotFit) {
  auto expect = [](std::vector<std::string> arguments, const std::string &message) {
    EXPECT_EQ(messageOf(fake_medley_info, medleyFlags(std::move(arguments))), message);
  };
  const int32_t numbers[16] = {};
  expect({"step=1,2"}, "argument 'step' has 2 numbers for 4 heads; give one for each head");
  expect({"step=" + write(NpyType::I32, {3, 4}, numbers)},
         "argument 'step' has 3 rows for a batch of 2; give one for each batch");
  expect({"step=" + write(NpyType::I32, {1, 2, 2}, numbers)},
         "'" + paths.back() + "' has shape [1, 2, 2]; give [heads] or [batch, heads]");
  expect({"step=1,2,0,4"}, "value 0 of argument 'step' is too small; it is at least 1");
  expect({"step=1,2,3,8"}, "rows of the grid are 5; they have to be at least 8, the step of every head");
  expect({"step=1", "width=2"}, "columns of the grid are 2; they have to be at least 3, columns of the window");
  expect({"step=1", "random=1,2"},
         "argument 'random' has shape [2]; give [heads, query blocks, size] or [batch, heads, query blocks, size]");
  expect({"step=1", "random=" + write(NpyType::I32, {3, 2, 1}, numbers)},
         "argument 'random' has 3 tables for 4 heads; give one for each head");
  expect({"step=1", "random=" + write(NpyType::I32, {1, 4, 2, 1}, numbers)},
         "argument 'random' has 1 rows for a batch of 2; give one for each batch");
  const int32_t far[4] = {0, 9, 10, 0}, low[4] = {0, -1, -2, 0};
  expect({"step=1", "random=" + write(NpyType::I32, {4, 1, 1}, far)},
         "value 10 of argument 'random' is no block of this sequence; blocks lie in [0, 10), -1 pads");
  expect({"step=1", "random=" + write(NpyType::I32, {4, 1, 1}, low)},
         "value -2 of argument 'random' is no block of this sequence; blocks lie in [0, 10), -1 pads");
  expect({"slopes=1,2,x,4"}, "a value of argument 'slopes' is 'x'; give a number");
  expect({"slopes=1"}, "argument 'slopes' has shape [1]; give [4]");
  expect({"bias=1"}, "argument 'bias' has shape [1]; give [batch = 2, heads = 4, length = 40, kv length = 40]");
  expect({"labels=" + write(NpyType::F32, {2, 0, FAKE_HEAD_SIZE})},
         "'" + paths.back() + "' has shape [2, 0, 6]; give [kv heads = 2, any, head size = 6]");
  expect({"labels=" + write(NpyType::I32, {2, 1, FAKE_HEAD_SIZE}, numbers)},
         "'" + paths.back() + "' holds <i4, argument 'labels' is an array of numbers; save it as <f4");
}

/// In a shard, blocks of other shards are absent.
TEST_F(Files, ShardsTakeBlocksOfOthers) {
  const int32_t far[4] = {0, 9, 10, 0};
  CallFlags flags = medleyFlags({"step=1", "random=" + write(NpyType::I32, {4, 1, 1}, far)});
  flags.queryOffset = 0;
  EXPECT_EQ(messageOf(fake_medley_info, flags), "");
}

} // namespace
