// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What callers of a kernel may rely on: bits that depend on the data alone, any strides and base pointers, an lse that
// may be left out, one kernel for all lengths, and calls that are refused before anything is written.

#include "TestKernel.h"
#include "gtest/gtest.h"
#include <cmath>
#include <cstring>
#include <map>
#include <thread>

using namespace attn;

const char *const longformer = R"(
attn.pattern @longformer(%global: !attn.tokens = [0, 33], %left: index = 20, %right: index = 10) {
  %near = attn.window left(%left) right(%right)
  %hub = attn.global %global
  %pairs = attn.union %near, %hub
  attn.yield %pairs
})";
const char *const document = R"(
attn.pattern @document(%segments: !attn.segments) {
  %own = attn.segments %segments
  attn.yield %own
})";
const char *const strided = R"(
attn.pattern @strided() {
  %local = attn.window left(11) right(0)
  %column = attn.congruent (query - key) mod(12)
  %pairs = attn.union %local, %column
  attn.yield %pairs
})";
const char *const causal = R"(
attn.pattern @causal() {
  %past = attn.causal
  attn.yield %past
})";

static CallShape shapeOf(int64_t length, int64_t kvLength, Layout layout = Layout::HeadsFirst) {
  CallShape shape;
  shape.batch = 2, shape.heads = 4, shape.kvHeads = 2;
  shape.length = length, shape.kvLength = kvLength, shape.layout = layout;
  return shape;
}

static bool areSameBits(const std::vector<float> &a, const std::vector<float> &b) {
  return a.size() == b.size() && (a.empty() || !std::memcmp(a.data(), b.data(), a.size() * sizeof(float)));
}

static void expectRight(TestCall &call) {
  ASSERT_EQ(call.run(), ATTN_OK) << call.text();
  EXPECT_EQ(call.memoryFault(), "") << call.text();
  reference::Verdict verdict = call.judge();
  EXPECT_TRUE(verdict.ok) << "error ratio " << verdict.errorRatio << ", " << call.text();
}

/// One kernel of each pattern for all tests of this file.
static const TestKernel &kernelOf(const char *text) {
  static std::map<const char *, std::unique_ptr<TestKernel>> kernels;
  std::unique_ptr<TestKernel> &kernel = kernels[text];
  if (!kernel)
    kernel = std::make_unique<TestKernel>(text, TestKernel::optionsFor(16, 24));
  EXPECT_EQ(kernel->error, "");
  return *kernel;
}

//===-- Bits ------------------------------------------------------------------------------------------------------===//

TEST(Call, BitsDoNotDependOnThreads) {
  for (const char *text : {longformer, document, strided, causal}) {
    TestCall alone(kernelOf(text), shapeOf(300, 300), 5);
    ASSERT_EQ(alone.run(1), ATTN_OK);
    for (int32_t threads : {1, 2, 3}) {
      TestCall call(kernelOf(text), shapeOf(300, 300), 5);
      ASSERT_EQ(call.run(threads), ATTN_OK);
      EXPECT_TRUE(areSameBits(call.output(), alone.output())) << threads << " threads";
      EXPECT_TRUE(areSameBits(call.lse(), alone.lse())) << threads << " threads";
    }
  }
}

TEST(Call, BitsDoNotDependOnWhatWasThereBefore) {
  for (const char *text : {longformer, strided}) {
    TestCall call(kernelOf(text), shapeOf(150, 150), 6);
    ASSERT_EQ(call.run(), ATTN_OK);
    std::vector<float> output = call.output(), lse = call.lse();
    ASSERT_EQ(call.run(), ATTN_OK); // outputs hold the result now, the workspace is a fresh one
    EXPECT_TRUE(areSameBits(call.output(), output));
    EXPECT_TRUE(areSameBits(call.lse(), lse));
  }
}

TEST(Call, BitsDoNotDependOnTheLayout) {
  for (const char *text : {longformer, document, strided}) {
    TestCall plain(kernelOf(text), shapeOf(100, 100), 8);
    expectRight(plain);
    for (Layout layout : {Layout::RowsFirst, Layout::Gaps}) {
      TestCall call(kernelOf(text), shapeOf(100, 100, layout), 8);
      ASSERT_EQ(call.run(), ATTN_OK);
      EXPECT_EQ(call.memoryFault(), "");
      EXPECT_TRUE(areSameBits(call.output(), plain.output()));
      EXPECT_TRUE(areSameBits(call.lse(), plain.lse()));
    }
  }
}

//===-- Strides and pointers --------------------------------------------------------------------------------------===//

TEST(Call, StridesPastFourGigabytes) {
  CallShape shape = shapeOf(20, 20);
  TestCall near(kernelOf(longformer), shape, 9), far(kernelOf(longformer), shape, 9);
  // Address space only: a batch is 2^31 + 2^20 numbers away from the next, 8 GB.
  const int64_t batch = (int64_t(1) << 31) + (int64_t(1) << 20);
  far.setTensor(ATTN_QUERY, GuardedTensor({2, 4, 20, 16}, {batch, 320, 16, 1}));
  far.setTensor(ATTN_KEY, GuardedTensor({2, 2, 20, 16}, {batch, 320, 16, 1}));
  far.setTensor(ATTN_VALUE, GuardedTensor({2, 2, 20, 24}, {batch, 480, 24, 1}));
  far.setTensor(ATTN_OUTPUT, GuardedTensor({2, 4, 20, 24}, {batch, 480, 24, 1}));
  far.setTensor(ATTN_LSE, GuardedTensor({2, 4, 20}, {batch, 20, 1}));
  ASSERT_EQ(near.run(), ATTN_OK);
  ASSERT_EQ(far.run(), ATTN_OK);
  EXPECT_TRUE(areSameBits(near.output(), far.output()));
  EXPECT_TRUE(areSameBits(near.lse(), far.lse()));
}

TEST(Call, AnyMultipleOfFourIsAnAddress) {
  CallShape shape = shapeOf(40, 40);
  TestCall plain(kernelOf(longformer), shape, 10);
  ASSERT_EQ(plain.run(), ATTN_OK);
  // Tensors end at a page, so their length moves their start: an unused number behind the last head moves it by 4.
  for (int64_t odd : {1, 3, 7, 15}) {
    TestCall call(kernelOf(longformer), shape, 10);
    call.setTensor(ATTN_QUERY, GuardedTensor({2, 4, 40, 16}, {2560 + odd, 640, 16, 1}));
    call.setTensor(ATTN_KEY, GuardedTensor({2, 2, 40, 16}, {1280 + odd, 640, 16, 1}));
    call.setTensor(ATTN_VALUE, GuardedTensor({2, 2, 40, 24}, {1920 + odd, 960, 24, 1}));
    call.setTensor(ATTN_OUTPUT, GuardedTensor({2, 4, 40, 24}, {3840 + odd, 960, 24, 1}));
    call.setTensor(ATTN_LSE, GuardedTensor({2, 4, 40}, {160 + odd, 40, 1}));
    ASSERT_EQ(call.run(), ATTN_OK);
    EXPECT_EQ(call.memoryFault(), "");
    EXPECT_TRUE(areSameBits(call.output(), plain.output()));
    EXPECT_TRUE(areSameBits(call.lse(), plain.lse()));
  }
}

TEST(Call, LseMayBeLeftOut) {
  // Phases that go on from others find it in the workspace.
  for (const char *text : {longformer, strided}) {
    TestCall with(kernelOf(text), shapeOf(70, 70), 11), without(kernelOf(text), shapeOf(70, 70), 11);
    without.leaveOutLse();
    ASSERT_EQ(with.run(), ATTN_OK);
    ASSERT_EQ(without.run(), ATTN_OK);
    EXPECT_EQ(without.memoryFault(), "");
    EXPECT_TRUE(areSameBits(with.output(), without.output()));
    for (float number : without.lse())
      ASSERT_TRUE(std::isnan(number));
  }
}

//===-- One kernel ------------------------------------------------------------------------------------------------===//

TEST(Call, OneKernelServesAllLengths) {
  for (const char *text : {longformer, document, strided, causal})
    for (auto [length, kvLength] :
         {std::pair<int64_t, int64_t>{8, 8}, {9, 33}, {31, 64}, {64, 64}, {65, 65}, {100, 7}, {129, 127}, {257, 300}}) {
      TestCall call(kernelOf(text), shapeOf(length, kvLength), length);
      expectRight(call);
    }
}

TEST(Call, NoRowsIsNoError) {
  for (auto [length, kvLength] : {std::pair<int64_t, int64_t>{0, 5}, {0, 0}}) {
    TestCall call(kernelOf(longformer), shapeOf(length, kvLength), 12);
    EXPECT_EQ(call.run(), ATTN_OK);
    EXPECT_EQ(call.memoryFault(), "");
  }
}

TEST(Call, RowsWithoutKeysAreZero) {
  TestCall call(kernelOf(causal), shapeOf(20, 0), 13);
  expectRight(call);
  for (float number : call.output())
    ASSERT_EQ(number, 0);
  for (float number : call.lse())
    ASSERT_EQ(number, -INFINITY);
}

/// Compiles and runs one of several kernels; the bits of output and lse, or nothing, with what was wrong in `fault`.
static std::vector<float> bitsOfKernel(size_t number, std::string &fault) {
  const char *texts[] = {longformer, document, causal};
  const char *elements[] = {"f32", "bf16", "f16"};
  CompileOptions options = TestKernel::optionsFor(16, 24);
  std::vector<std::string> isas = TestKernel::isasOfHost();
  options.element = elements[number / 3 % 3], options.isas = {isas[number % isas.size()]};
  TestKernel kernel(texts[number % 3], options);
  if (fault = kernel.error; !fault.empty())
    return {};
  TestCall call(kernel, shapeOf(90, 90), number);
  if (int status = call.run(); status != ATTN_OK)
    fault = attn_error_string(status);
  std::vector<float> bits = call.output();
  llvm::append_range(bits, call.lse());
  return bits;
}

/// Calls `work(t)` in eight threads at once; it returns what was wrong.
static void expectOfThreads(llvm::function_ref<std::string(size_t thread)> work) {
  std::vector<std::string> faults(8);
  std::vector<std::thread> threads;
  threads.reserve(faults.size());
  for (size_t t = 0; t < faults.size(); ++t)
    threads.emplace_back([&, t] { faults[t] = work(t); });
  for (std::thread &thread : threads)
    thread.join();
  for (const std::string &fault : faults)
    EXPECT_EQ(fault, "");
}

TEST(Call, ThreadsMayCompileAtATime) {
  std::vector<std::vector<float>> expected(8);
  for (size_t t = 0; t < expected.size(); ++t) {
    std::string fault;
    expected[t] = bitsOfKernel(t, fault);
    ASSERT_EQ(fault, "");
  }
  expectOfThreads([&](size_t t) {
    std::string fault;
    std::vector<float> bits = bitsOfKernel(t, fault);
    return fault.empty() && !areSameBits(bits, expected[t]) ? "other bits" : fault;
  });
}

TEST(Call, ThreadsMayCallAtATime) {
  const TestKernel &kernel = kernelOf(longformer);
  TestCall expected(kernel, shapeOf(90, 90), 14);
  ASSERT_EQ(expected.run(), ATTN_OK);
  std::vector<float> output = expected.output(), lse = expected.lse();
  expectOfThreads([&](size_t t) -> std::string {
    for (int repeat = 0; repeat < 20; ++repeat) {
      TestCall call(kernel, shapeOf(90, 90), 14);
      if (int status = call.run(static_cast<int32_t>(t % 3 + 1)); status != ATTN_OK)
        return attn_error_string(status);
      if (!areSameBits(call.output(), output) || !areSameBits(call.lse(), lse))
        return "other bits";
    }
    return "";
  });
}

//===-- Refusals --------------------------------------------------------------------------------------------------===//

TEST(Call, SmallWorkspaceIsRefused) {
  for (const char *text : {longformer, document, causal})
    for (int32_t threads : {1, 3}) {
      TestCall call(kernelOf(text), shapeOf(70, 70), 15);
      EXPECT_EQ(call.run(threads, /*missing=*/1), ATTN_ERROR_WORKSPACE);
      EXPECT_TRUE(call.areOutputsUntouched());
      EXPECT_EQ(call.memoryFault(), "");
    }
}

TEST(Call, WrongArgumentsAreRefused) {
  TestCall negative(kernelOf(longformer), shapeOf(70, 70), 16);
  negative.setIndex("left", -1);
  EXPECT_EQ(negative.run(), ATTN_ERROR_SCALAR);
  EXPECT_TRUE(negative.areOutputsUntouched());
  TestCall outside(kernelOf(longformer), shapeOf(70, 70), 16);
  outside.setData("global", {{0, 70}});
  EXPECT_EQ(outside.run(), ATTN_ERROR_TOKEN);
  EXPECT_TRUE(outside.areOutputsUntouched());
  TestCall few(kernelOf(document), shapeOf(70, 70), 16);
  few.setData("segments", {std::vector<int32_t>(69, 0)});
  EXPECT_EQ(few.run(), ATTN_ERROR_SEGMENTS);
  EXPECT_TRUE(few.areOutputsUntouched());
}
