// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lets right, slightly wrong and wrong outputs be judged.

#include "Kernel.h"
#include <cmath>

using namespace attn;
using namespace attn::reference;

static constexpr float infinity = std::numeric_limits<float>::infinity();

namespace {
/// A causal problem whose first rows admit no key, its result, and a perfect answer: the exact result, rounded once.
class Judge : public testing::TestWithParam<Element> {
protected:
  Judge() : kernel("%p = attn.causal attn.yield %p"), problem(makeProblem(12, 9)) {
    problem.element = GetParam();
    problem.heads = problem.kvHeads = 2;
    problem.headSize = problem.valueHeadSize = 16;
    problem.scale = 0.25;
    fillTensors(problem, 5);
    expected = evaluate(kernel.op, problem);
    output.assign(expected.output.begin(), expected.output.end());
    lse.assign(expected.lse.begin(), expected.lse.end());
    roundTo(problem.element, output);
  }

  Verdict verdict() const { return judge(expected, problem, output, lse); }

  /// What the rule allows, computed from its words.
  double outputBound() const {
    double k = problem.element == Element::F32 ? 10 : 1.1;
    double ulpAtOne = problem.element == Element::F32 ? 0x1p-23 : problem.element == Element::F16 ? 0x1p-10 : 0x1p-7;
    double eagerError = 0, largest = 0;
    for (size_t index = 0; index < output.size(); ++index) {
      eagerError = std::max(eagerError, std::fabs(expected.eagerOutput[index] - expected.output[index]));
      largest = std::max(largest, std::fabs(expected.output[index]));
    }
    return k * eagerError + 2 * ulpAtOne * std::exp2(std::floor(std::log2(largest)));
  }

  Kernel kernel;
  Problem problem;
  Result expected;
  std::vector<float> output, lse;
};
} // namespace

TEST_P(Judge, TheRoundedResultPasses) {
  EXPECT_TRUE(verdict().ok);
  EXPECT_LT(verdict().errorRatio, 0.6);
  EXPECT_LT(verdict().lseErrorRatio, 0.3);
}

TEST_P(Judge, EagerPasses) {
  output = expected.eagerOutput;
  lse = expected.eagerLse;
  EXPECT_TRUE(verdict().ok);
}

TEST_P(Judge, ErrorsAreMeasuredAgainstTheBound) {
  for (double times : {0.25, 0.9, 1.1, 3.0}) {
    size_t index = 100;
    output[index] = static_cast<float>(expected.output[index] + times * outputBound());
    EXPECT_NEAR(verdict().errorRatio, times, times * 0.1);
    EXPECT_NEAR(verdict().maxError, times * outputBound(), times * outputBound() * 0.1);
    EXPECT_EQ(verdict().ok, times < 1);
  }
}

TEST_P(Judge, NaNFails) {
  output[7] = std::nanf("");
  EXPECT_FALSE(verdict().ok);
  EXPECT_EQ(verdict().errorRatio, infinity);
}

TEST_P(Judge, NaNInLseFails) {
  lse[5] = std::nanf("");
  EXPECT_FALSE(verdict().ok);
  EXPECT_EQ(verdict().lseErrorRatio, infinity);
}

TEST_P(Judge, AnInfiniteOutputFails) {
  output.back() = infinity;
  EXPECT_FALSE(verdict().ok);
}

/// Rows 0 to 2 admit no key.
TEST_P(Judge, MinusInfinityHasToStandInItsPlaces) {
  ASSERT_EQ(expected.lse[2], -infinity);
  ASSERT_NE(expected.lse[3], -infinity);
  for (auto [row, wrong] : {std::pair(2, 0.0f), {2, infinity}, {2, -1e30f}, {3, -infinity}}) {
    float right = lse[row];
    lse[row] = wrong;
    EXPECT_FALSE(verdict().ok);
    EXPECT_EQ(verdict().lseErrorRatio, infinity);
    lse[row] = right;
  }
  EXPECT_TRUE(verdict().ok);
}

TEST_P(Judge, AWrongLseFailsAlone) {
  lse[10] += 0.1f;
  EXPECT_FALSE(verdict().ok);
  EXPECT_GT(verdict().lseErrorRatio, 1);
  EXPECT_EQ(verdict().errorRatio, verdict().lseErrorRatio);
  EXPECT_LT(verdict().maxError, outputBound());
}

TEST_P(Judge, MissingRowsFail) {
  output.pop_back();
  EXPECT_FALSE(verdict().ok);
}

TEST_P(Judge, AnIncompleteReferenceFails) {
  expected.complete = false;
  EXPECT_FALSE(verdict().ok);
}

/// What is not finite in the exact result has to come out the same way.
TEST_P(Judge, ExpectedNaN) {
  expected.output[20] = std::nan("");
  EXPECT_FALSE(verdict().ok);
  output[20] = std::nanf("");
  EXPECT_TRUE(verdict().ok);
}

/// An f16 score of eager attention may overflow where a kernel's does not; that must not widen the bound.
TEST_P(Judge, NonFiniteEagerValuesDoNotCount) {
  expected.eagerOutput[4] = std::nanf("");
  expected.eagerLse[6] = infinity;
  EXPECT_TRUE(verdict().ok);
  lse[10] += 1;
  EXPECT_FALSE(verdict().ok);
}

INSTANTIATE_TEST_SUITE_P(Elements, Judge, testing::Values(Element::F32, Element::BF16, Element::F16), [](auto info) {
  return info.param == Element::F32 ? "F32" : info.param == Element::BF16 ? "BF16" : "F16";
});

TEST(JudgeOfNothing, Passes) {
  Problem problem;
  EXPECT_TRUE(judge(Result(), problem, {}, {}).ok);
}
