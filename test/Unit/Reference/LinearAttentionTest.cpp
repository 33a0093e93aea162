// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compares evaluate() of linear attention with its formula written out, pair by pair, and checks what the eager twin
// rounds and what the judge looks at.

#include "Kernel.h"
#include <cmath>

using namespace attn;
using namespace attn::reference;

namespace {

/// A kernel over (query, key, value, state, epsilon) whose feature map is x^2 + 1.
class LinearKernel {
public:
  explicit LinearKernel(const std::string &form, const std::string &feature = "")
      : context(mlir::MLIRContext::Threading::DISABLED),
        handler(&context, [this](mlir::Diagnostic &diagnostic) { errors += diagnostic.str() + "\n"; }) {
    context.loadDialect<AttnDialect, mlir::arith::ArithDialect, mlir::func::FuncDialect, mlir::math::MathDialect>();
    std::string source = R"(
!rows = tensor<?x?x?x?xf32>
!lse = tensor<?x?x?xf32>
func.func @kernel(%q: !rows, %k: !rows, %v: !rows, %before: !rows, %epsilon: f32) -> (!rows, !lse) {
  %o, %lse, %state = attn.linear_attention %q, %k, %v )" +
                         form + R"( epsilon(%epsilon) state(%before : !rows) feature (%x) {
    %one = arith.constant 1.0 : f32
    %square = arith.mulf %x, %x : f32
    %y = arith.addf %square, %one : f32
    )" + feature + R"(
    attn.yield %y : f32
  } : !rows, !rows, !rows -> !rows, !lse, !rows
  return %o, %lse : !rows, !lse
})";
    module = mlir::parseSourceString<mlir::ModuleOp>(source, &context);
    if (module)
      module->walk([this](LinearAttentionOp found) { op = found; });
    EXPECT_TRUE(op) << source << "\n" << errors;
  }

  LinearAttentionOp op;
  std::string errors;

private:
  mlir::MLIRContext context;
  mlir::ScopedDiagnosticHandler handler;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

double feature(double x) { return x * x + 1; }

Problem makeLinearProblem(int64_t length, int64_t kvLength, double epsilon = 0.5) {
  Problem problem = makeProblem(length, kvLength, {std::monostate(), epsilon});
  problem.batch = 2, problem.heads = 4, problem.kvHeads = 2, problem.headSize = 5, problem.valueHeadSize = 3;
  fillTensors(problem, 7);
  return problem;
}

/// A state whose entries are 1, 2, ... for every batch and key head, or one that they share.
Array countingState(const Problem &p, bool isShared) {
  Array state{{isShared ? 1 : p.batch, isShared ? 1 : p.kvHeads, p.headSize, p.valueHeadSize + 1}, {}};
  for (int64_t i = 0; i < state.shape[0] * state.shape[1] * p.headSize * (p.valueHeadSize + 1); ++i)
    state.entries.push_back(static_cast<float>(i + 1));
  return state;
}

double stateEntry(const Problem &p, int64_t b, int64_t keyHead, int64_t c, int64_t e) {
  const auto *state = std::get_if<Array>(&p.arguments[3]);
  if (!state)
    return 0;
  int64_t pair = state->shape[0] == 1 ? 0 : b * p.kvHeads + keyHead;
  return state->entries[(pair * p.headSize + c) * (p.valueHeadSize + 1) + e];
}

/// sum_j f(q_i).f(k_j) v_j and its normaliser as pairs, and what the state before adds.
void expectFormula(const LinearResult &result, const Problem &p, bool isCausal) {
  ASSERT_TRUE(result.complete);
  for (int64_t index = 0; index < p.batch * p.heads * p.length; ++index) {
    int64_t i = index % p.length, h = index / p.length % p.heads, b = index / p.length / p.heads;
    std::vector<double> sums(p.valueHeadSize + 1, 0.0);
    for (int64_t e = 0; e <= p.valueHeadSize; ++e) {
      for (int64_t c = 0; c < p.headSize; ++c)
        sums[e] += feature(p.queryRow(b, h, i)[c]) * stateEntry(p, b, p.keyHead(h), c, e);
      for (int64_t j = 0; j < p.kvLength; ++j) {
        double weight = 0;
        for (int64_t c = 0; c < p.headSize; ++c)
          weight += feature(p.queryRow(b, h, i)[c]) * feature(p.keyRow(b, h, j)[c]);
        if (!isCausal || p.keyOffset + j <= p.queryOffset + i)
          sums[e] += weight * (e < p.valueHeadSize ? p.valueRow(b, h, j)[e] : 1);
      }
    }
    double normaliser = sums[p.valueHeadSize] + std::get<double>(p.arguments[4]);
    EXPECT_NEAR(result.lse[index], std::log(normaliser), 1e-10);
    for (int64_t e = 0; e < p.valueHeadSize; ++e)
      EXPECT_NEAR(result.output[index * p.valueHeadSize + e], normaliser == 0 ? 0 : sums[e] / normaliser, 1e-10);
  }
}

double largestDifference(const std::vector<double> &exact, const std::vector<float> &given) {
  double largest = 0;
  for (auto [x, y] : llvm::zip_equal(exact, given))
    largest = std::max(largest, std::fabs(x - y) / (1 + std::fabs(x)));
  return largest;
}

} // namespace

TEST(LinearAttention, EveryFormIsItsFormula) {
  for (std::string form : {"full", "causal", "step"})
    for (auto [length, kvLength] : {std::pair<int64_t, int64_t>{1, 1}, {6, 6}, {3, 8}, {8, 3}}) {
      LinearKernel kernel(form);
      Problem problem = makeLinearProblem(length, kvLength);
      LinearResult result = evaluate(kernel.op, problem);
      expectFormula(result, problem, form != "full");
      EXPECT_LT(largestDifference(result.output, result.eagerOutput), 1e-5);
      EXPECT_LT(largestDifference(result.lse, result.eagerLse), 1e-5);
      EXPECT_LT(largestDifference(result.state, result.eagerState), 1e-5);
    }
}

TEST(LinearAttention, OffsetsSayWhichKeysARowSees) {
  LinearKernel kernel("causal");
  Problem problem = makeLinearProblem(4, 6);
  problem.queryOffset = 3, problem.keyOffset = 2;
  LinearResult result = evaluate(kernel.op, problem);
  expectFormula(result, problem, /*isCausal=*/true);
  EXPECT_EQ(result.admittedPairs, problem.batch * problem.heads * (2 + 3 + 4 + 5));
}

TEST(LinearAttention, StatesGoInAndComeOut) {
  for (bool isShared : {false, true}) {
    LinearKernel kernel("step");
    Problem problem = makeLinearProblem(3, 3);
    problem.arguments[3] = countingState(problem, isShared);
    LinearResult result = evaluate(kernel.op, problem);
    expectFormula(result, problem, /*isCausal=*/true);

    // The rest of a sequence from the state of its first part.
    Problem whole = makeLinearProblem(0, 3);
    whole.key = problem.key, whole.value = problem.value, whole.arguments = problem.arguments;
    EXPECT_EQ(evaluate(kernel.op, whole).state, result.state);
  }
}

TEST(LinearAttention, NormaliserOfZeroGivesZero) {
  LinearKernel kernel("full");
  Problem problem = makeLinearProblem(2, 0, /*epsilon=*/0);
  LinearResult result = evaluate(kernel.op, problem);
  for (double x : result.output)
    EXPECT_EQ(x, 0);
  for (double x : result.lse)
    EXPECT_EQ(x, -std::numeric_limits<double>::infinity());
}

TEST(LinearAttention, EagerTwinRoundsToTheElementType) {
  LinearKernel kernel("causal");
  Problem problem = makeLinearProblem(20, 20);
  problem.element = Element::BF16;
  fillTensors(problem, 7);
  LinearResult result = evaluate(kernel.op, problem);
  std::vector<float> rounded = result.eagerOutput;
  roundTo(Element::BF16, rounded);
  EXPECT_EQ(rounded, result.eagerOutput);
  EXPECT_GT(largestDifference(result.output, result.eagerOutput), 1e-3);
  EXPECT_LT(largestDifference(result.output, result.eagerOutput), 1e-1);
}

TEST(LinearAttention, JudgeLooksAtTheState) {
  LinearKernel kernel("causal");
  Problem problem = makeLinearProblem(5, 5);
  LinearResult result = evaluate(kernel.op, problem);
  std::vector<float> output(result.output.begin(), result.output.end()), lse(result.lse.begin(), result.lse.end());
  std::vector<float> state(result.state.begin(), result.state.end());
  EXPECT_TRUE(judge(result, problem, output, lse, state).ok);
  EXPECT_TRUE(judge(result, problem, output, lse, {}).ok);
  state.back() *= 1.001f;
  EXPECT_FALSE(judge(result, problem, output, lse, state).ok);
  EXPECT_GT(judge(result, problem, output, lse, state).errorRatio, 1);
  state.pop_back();
  EXPECT_FALSE(judge(result, problem, output, lse, state).ok);
  output.front() += 1;
  EXPECT_FALSE(judge(result, problem, output, lse, {}).ok);
}

TEST(LinearAttention, WhatCannotBeEvaluatedIsSaid) {
  LinearKernel kernel("causal");
  Problem problem = makeLinearProblem(2, 2);
  problem.arguments[3] = Array{{1, 1, 5, 3}, std::vector<float>(15)};
  EXPECT_FALSE(evaluate(kernel.op, problem).complete);
  EXPECT_EQ(kernel.errors, "state has 15 values that do not fit its shape\n");

  LinearKernel unknown("causal", "%bits = arith.bitcast %y : f32 to i32 %zeros = math.ctlz %bits : i32");
  EXPECT_TRUE(evaluate(unknown.op, makeLinearProblem(2, 2)).complete); // nobody uses it

  LinearKernel sizes("causal");
  Problem short_ = makeLinearProblem(2, 2);
  short_.value.pop_back();
  LinearResult result = evaluate(sizes.op, short_);
  EXPECT_FALSE(result.complete);
  EXPECT_FALSE(judge(result, short_, {}, {}, {}).ok);
}
