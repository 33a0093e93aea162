// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A call goes through a folder and comes out as it was; outputs are judged by what the folder says, in every element
// type.
#include "common/Expectation.h"
#include "common/Element.h"

#include "gtest/gtest.h"

#include <cmath>
#include <filesystem>
#include <limits>
#include <unistd.h>

using namespace attn_tools;

namespace {

enum { kTokens = ATTN_LSE + 1, kLengths, kReach, kRandom, kBias, kTensors };
enum { kLeft, kCap, kScalars };
constexpr int32_t kHeadSize = 6, kValueHeadSize = 5;

const int32_t firstToken = 0;
attn_tensor_info required(const char *name, int32_t role) { return {name, role, 0, {}, 0, 0, -1, nullptr}; }
attn_tensor_info arrayOf(const char *name, std::vector<int64_t> extents) {
  attn_tensor_info info = required(name, ATTN_ARRAY);
  info.rank = static_cast<int32_t>(extents.size());
  std::copy(extents.begin(), extents.end(), info.extents);
  return info;
}
const attn_tensor_info tensorInfos[] = {required("query", ATTN_QUERY),
                                        required("key", ATTN_KEY),
                                        required("value", ATTN_VALUE),
                                        required("output", ATTN_OUTPUT),
                                        required("lse", ATTN_LSE),
                                        {"tokens", ATTN_TOKENS, 0, {}, 0, 0, 1, &firstToken},
                                        required("lengths", ATTN_LENGTHS),
                                        required("reach", ATTN_PER_HEAD),
                                        {"random", ATTN_BLOCKS, 0, {}, 0, 4, -1, nullptr},
                                        arrayOf("bias", {ATTN_EXTENT_BATCH, ATTN_EXTENT_HEADS, ATTN_EXTENT_KEYS})};
const attn_scalar_info scalarInfos[] = {{"left", 0, 0, {256}}, {"cap", 1, 0, {0}}};

attn_kernel_info makeInfo(int32_t element) {
  attn_kernel_info info = {};
  info.version = ATTN_ABI_VERSION;
  info.element = element;
  info.head_size = kHeadSize, info.value_head_size = kValueHeadSize;
  info.tensor_count = kTensors, info.scalar_count = kScalars;
  info.name = "kernel", info.target = "cpu";
  info.tensors = tensorInfos, info.scalars = scalarInfos;
  return info;
}

class Expectation : public testing::TestWithParam<int32_t> {
protected:
  Expectation() : info(makeInfo(GetParam())) {
    folder = testing::TempDir() + "expectation-" + std::to_string(getpid());
    flags.batch = 2;
    flags.heads = 4;
    flags.kvHeads = 2;
    flags.length = 7;
    flags.kvLength = 9;
    flags.keyOffset = -3;
  }
  ~Expectation() override { std::filesystem::remove_all(folder); }

  CallArguments create(const CallFlags &flags) {
    Result<CallArguments> arguments = CallArguments::create(info, flags);
    EXPECT_TRUE(arguments) << arguments.message();
    return std::move(*arguments);
  }

  /// Writes the call of `flags` and takes it back, with the expected outputs in it.
  CallArguments goThrough() {
    CallArguments written = create(flags);
    attn::reference::Expected expected;
    for (int64_t i = 0; i < 2 * 4 * 7 * kValueHeadSize; ++i)
      expected.output.push_back(std::sin(i));
    for (int64_t i = 0; i < 2 * 4 * 7; ++i)
      expected.lse.push_back(i == 3 ? -std::numeric_limits<double>::infinity() : std::cos(i));
    expected.eagerOutput.assign(expected.output.begin(), expected.output.end());
    expected.eagerLse.assign(expected.lse.begin(), expected.lse.end());
    Outcome outcome = writeExpectation(folder, written, expected);
    EXPECT_TRUE(outcome) << outcome.message();
    CallFlags taken;
    outcome = takeInputs(folder, info, taken);
    EXPECT_TRUE(outcome) << outcome.message();
    CallArguments read = create(taken);
    for (size_t i = 0; i < expected.output.size(); ++i)
      storeElement(read.tensors[ATTN_OUTPUT].data, info.element, i, static_cast<float>(expected.output[i]));
    for (size_t i = 0; i < expected.lse.size(); ++i)
      storeElement(read.tensors[ATTN_LSE].data, ATTN_F32, i, static_cast<float>(expected.lse[i]));
    return read;
  }

  Verdict judge(const CallArguments &arguments) {
    Result<Verdict> verdict = judgeOutputs(folder, arguments);
    EXPECT_TRUE(verdict) << verdict.message();
    return *verdict;
  }

  attn_kernel_info info;
  std::string folder;
  CallFlags flags;
};

} // namespace

TEST_P(Expectation, ACallComesOutAsItWas) {
  flags.queryOffset = 4;
  flags.arguments = {"tokens=5,-1", "left=3", "cap=0.1", "reach=7"};
  CallArguments written = create(flags), read = goThrough();
  for (int32_t i : {ATTN_QUERY, ATTN_KEY, ATTN_VALUE})
    EXPECT_EQ(floatsOf(read.tensors[i]), floatsOf(written.tensors[i]));
  for (int32_t i : {int32_t(kTokens), int32_t(kLengths), int32_t(kReach)})
    EXPECT_EQ(read.valuesOf(i, 1), written.valuesOf(i, 1));
  EXPECT_EQ(read.blocksOf(kRandom).values, written.blocksOf(kRandom).values);
  EXPECT_EQ(read.arrayOf(kBias).values, written.arrayOf(kBias).values);
  EXPECT_EQ(read.scalars[kLeft].index, 3);
  EXPECT_EQ(read.scalars[kCap].number, 0.1);
  EXPECT_EQ(read.givenQueryOffset, std::optional<int64_t>(4));
  EXPECT_EQ(read.keyOffset, -3);
  EXPECT_EQ(read.kvHeads, 2);

  // A second call in the same folder leaves nothing of the first.
  flags.queryOffset.reset();
  flags.arguments.clear();
  read = goThrough();
  EXPECT_FALSE(read.givenQueryOffset);
  EXPECT_EQ(read.tensors[kTokens].rank, 0);
  EXPECT_EQ(read.scalars[kLeft].index, 256);
}

TEST_P(Expectation, SharedAxesStayShared) {
  const std::string path = folder + "-bias.npy";
  const float bias[] = {1, 2, 3, 4};
  ASSERT_TRUE(writeNpy(path, NpyType::F32, {1, 4, 1}, bias));
  flags.arguments = {"bias=" + path};
  CallArguments read = goThrough();
  std::filesystem::remove(path);
  const attn_tensor &tensor = read.tensors[kBias];
  EXPECT_EQ(std::vector<int64_t>(tensor.shape, tensor.shape + 3), (std::vector<int64_t>{2, 4, 9}));
  EXPECT_EQ(std::vector<int64_t>(tensor.strides, tensor.strides + 3), (std::vector<int64_t>{0, 1, 0}));
}

TEST_P(Expectation, RightOutputsPass) {
  Verdict verdict = judge(goThrough());
  EXPECT_TRUE(verdict.ok);
  EXPECT_LT(verdict.errorRatio, 1);
  EXPECT_EQ(describe(verdict).substr(0, 13), "right: error ");
}

TEST_P(Expectation, TamperedOutputsFail) {
  CallArguments arguments = goThrough();
  const double ulpAtOne = info.element == ATTN_F32 ? 0x1p-23 : info.element == ATTN_F16 ? 0x1p-10 : 0x1p-7;
  storeElement(arguments.tensors[ATTN_OUTPUT].data, info.element, 0, static_cast<float>(4 * ulpAtOne));
  EXPECT_FALSE(judge(arguments).ok);
  EXPECT_EQ(describe(judge(arguments)).substr(0, 13), "WRONG: error ");

  arguments = goThrough();
  static_cast<float *>(arguments.tensors[ATTN_LSE].data)[3] = -1e30f;
  EXPECT_FALSE(judge(arguments).ok);
}

TEST_P(Expectation, FoldersThatDoNotFit) {
  CallFlags taken;
  EXPECT_EQ(takeInputs(folder, info, taken).message(),
            "'" + folder + "' holds no call; write one with attn-run --expect");
  CallArguments arguments = goThrough();
  flags.length = 8;
  const std::string path = folder + "/expected.npy";
  EXPECT_EQ(judgeOutputs(folder, create(flags)).message(),
            "'" + path + "' holds <f8 of shape [2, 4, 7, 5], the call needs <f8 of shape [2, 4, 8, 5]; " +
                "write the folder again");
  attn_kernel_info other = makeInfo(info.element == ATTN_F32 ? ATTN_BF16 : ATTN_F32);
  ASSERT_TRUE(takeInputs(folder, other, taken));
  EXPECT_NE(CallArguments::create(other, taken).message().find("write the folder with attn-run --expect --element="),
            std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Elements, Expectation, testing::Values(ATTN_F32, ATTN_BF16, ATTN_F16),
                         [](auto info) { return std::string(nameOfElement(info.param)); });
