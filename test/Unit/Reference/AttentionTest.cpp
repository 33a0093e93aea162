// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compares evaluate() with attention written out naively, and checks what the eager twin rounds.

#include "Kernel.h"
#include <cmath>

using namespace attn;
using namespace attn::reference;

static constexpr double infinity = std::numeric_limits<double>::infinity();

/// The score of a pair as a test defines it: from scale * q.k, head and positions; -inf where it is not admitted.
using Score = std::function<double(double score, int64_t h, int64_t query, int64_t key)>;

namespace {
struct NaiveRow {
  std::vector<double> output;
  double lse;
};
} // namespace

/// Softmax over all keys of row (b, h, i), in the plainest form.
static NaiveRow naiveRow(const Problem &p, const Score &score, int64_t b, int64_t h, int64_t i) {
  int64_t keyHead = b * p.kvHeads + h * p.kvHeads / p.heads;
  NaiveRow row{std::vector<double>(p.valueHeadSize, 0.0), 0};
  double sum = 0;
  for (int64_t j = 0; j < p.kvLength; ++j) {
    double dot = 0;
    for (int64_t c = 0; c < p.headSize; ++c)
      dot += double(p.query[((b * p.heads + h) * p.length + i) * p.headSize + c]) *
             p.key[(keyHead * p.kvLength + j) * p.headSize + c];
    double weight = std::exp(score(p.scale * dot, h, p.queryOffset + i, p.keyOffset + j));
    sum += weight;
    for (int64_t c = 0; c < p.valueHeadSize; ++c)
      row.output[c] += weight * p.value[(keyHead * p.kvLength + j) * p.valueHeadSize + c];
  }
  for (double &x : row.output)
    x = sum == 0 ? 0 : x / sum;
  row.lse = std::log(sum);
  return row;
}

static void expectNaive(const Result &result, const Problem &p, const Score &score) {
  ASSERT_TRUE(result.complete);
  ASSERT_EQ(result.output.size(), size_t(p.batch * p.heads * p.length * p.valueHeadSize));
  ASSERT_EQ(result.lse.size(), size_t(p.batch * p.heads * p.length));
  for (int64_t index = 0; index < p.batch * p.heads * p.length; ++index) {
    NaiveRow row = naiveRow(p, score, index / p.length / p.heads, index / p.length % p.heads, index % p.length);
    if (row.lse == -infinity)
      EXPECT_EQ(result.lse[index], -infinity);
    else
      EXPECT_NEAR(result.lse[index], row.lse, 1e-12);
    for (int64_t c = 0; c < p.valueHeadSize; ++c)
      EXPECT_NEAR(result.output[index * p.valueHeadSize + c], row.output[c], 1e-12);
  }
}

static double maxDifference(const std::vector<double> &exact, const std::vector<float> &rounded) {
  double difference = 0;
  for (size_t index = 0; index < exact.size(); ++index)
    if (std::isfinite(exact[index]))
      difference = std::max(difference, std::fabs(exact[index] - rounded[index]));
  return difference;
}

static Problem smallProblem(int64_t length, int64_t kvLength, std::vector<Argument> parameters = {}) {
  Problem problem = makeProblem(length, kvLength, std::move(parameters));
  problem.batch = 2;
  problem.heads = 4;
  problem.kvHeads = 2;
  problem.headSize = 19; // neither a multiple of the lanes nor below them
  problem.valueHeadSize = 3;
  problem.scale = 0.25;
  fillTensors(problem, 1);
  return problem;
}

TEST(Evaluate, Dense) {
  Kernel kernel("%p = attn.full attn.yield %p");
  for (auto [length, kvLength] : {std::pair(1, 1), {5, 13}, {13, 5}, {3, 0}, {0, 3}}) {
    Problem problem = smallProblem(length, kvLength);
    Result result = evaluate(kernel.op, problem);
    expectNaive(result, problem, [](double score, auto...) { return score; });
    EXPECT_EQ(result.admittedPairs, 2 * 4 * length * kvLength);
  }
}

/// More query rows than keys: the first rows stand before all keys.
TEST(Evaluate, RowsWithoutKeysAreZero) {
  Kernel kernel("%p = attn.causal attn.yield %p");
  Problem problem = smallProblem(8, 5);
  Result result = evaluate(kernel.op, problem);
  expectNaive(result, problem,
              [](double score, auto, auto query, auto key) { return key <= query ? score : -infinity; });
  EXPECT_EQ(result.admittedPairs, 2 * 4 * (1 + 2 + 3 + 4 + 5));
  EXPECT_EQ(result.lse[2], -infinity);
  EXPECT_EQ(result.eagerLse[2], -infinity);
  EXPECT_EQ(result.output[2 * 3], 0);
  EXPECT_EQ(result.eagerOutput[2 * 3], 0);
}

TEST(Evaluate, ScoreSeesPositionsAndParameters) {
  Kernel kernel("%p = attn.window left(6) right(6) attn.yield %p", R"(
      %distance = arith.subi %j, %i : index
      %times = arith.addi %h, %b : index
      %product = arith.muli %distance, %times : index
      %whole = arith.index_cast %product : index to i64
      %real = arith.sitofp %whole : i64 to f32
      %bias = arith.mulf %real, %slope : f32
      %sum = arith.addf %s, %bias : f32
      attn.yield %sum : f32)",
                ", %slope: f32");
  Problem problem = smallProblem(9, 11, {0.1}); // an f32 holds float(0.1)
  problem.batch = 1;
  fillTensors(problem, 2);
  problem.queryOffset = 4;
  problem.keyOffset = -3;
  expectNaive(evaluate(kernel.op, problem), problem, [](double score, int64_t h, int64_t query, int64_t key) {
    return std::abs(query - key) <= 6 ? score + double(0.1f) * double((key - query) * h) : -infinity;
  });
}

/// A score of -inf is what a pair that is not admitted has; a row of them is a row without keys.
TEST(Evaluate, ScoresOfMinusInfinityMask) {
  Kernel kernel("%p = attn.full attn.yield %p", R"(
      %past = arith.cmpi sle, %j, %i : index
      %masked = arith.constant 0xFF800000 : f32
      %score = arith.select %past, %s, %masked : f32
      attn.yield %score : f32)");
  Problem problem = smallProblem(8, 5);
  Result result = evaluate(kernel.op, problem);
  expectNaive(result, problem,
              [](double score, auto, auto query, auto key) { return key <= query ? score : -infinity; });
  EXPECT_EQ(result.eagerLse[0], -infinity);
  EXPECT_EQ(result.eagerOutput[0], 0);
}

/// Not even its value counts.
TEST(Evaluate, AScoreOfMinusInfinityHidesTheValue) {
  Kernel kernel("%p = attn.full attn.yield %p", R"(
      %past = arith.cmpi sle, %j, %i : index
      %masked = arith.constant 0xFF800000 : f32
      %score = arith.select %past, %s, %masked : f32
      attn.yield %score : f32)");
  Problem problem = smallProblem(1, 3);
  problem.queryOffset = 1;
  for (int64_t key = 2; key < static_cast<int64_t>(problem.value.size()) / 3; key += 3)
    problem.value[key * 3] = std::numeric_limits<float>::quiet_NaN(); // of key row 2
  Result result = evaluate(kernel.op, problem);
  EXPECT_TRUE(llvm::all_of(result.output, [](double x) { return std::isfinite(x); }));
  EXPECT_TRUE(llvm::all_of(result.eagerOutput, [](float x) { return std::isfinite(x); }));
}

/// A sink is one more key, whose value is 0: all outputs shrink by its share, and the lse grows.
TEST(Evaluate, SinkTakesItsShare) {
  Kernel kernel("%p = attn.causal attn.yield %p", "", ", %logits: !attn.array<[heads]>", "", R"(
      %logit = attn.load %logits[%h] : !attn.array<[heads]>
      %row = arith.index_cast %i : index to i32
      %real = arith.sitofp %row : i32 to f32
      %sink = arith.addf %logit, %real : f32
      attn.yield %sink : f32)"),
      plain("%p = attn.causal attn.yield %p");
  std::vector<float> logits = {0.5, -2, 30, -static_cast<float>(infinity)};
  Problem problem = smallProblem(8, 5, {Array{{4}, logits}}); // query positions -3 ... 4
  Result result = evaluate(kernel.op, problem), without = evaluate(plain.op, problem);
  for (int64_t row = 0; row < 2 * 4 * 8; ++row) {
    double sink = logits[row / 8 % 4] + static_cast<double>(row % 8 - 3);
    double sum = std::exp(without.lse[row]) + std::exp(sink);
    double share = sum == 0 ? 0 : std::exp(without.lse[row]) / sum;
    EXPECT_TRUE(result.lse[row] == std::log(sum) || std::fabs(result.lse[row] - std::log(sum)) < 1e-12) << row;
    EXPECT_TRUE(result.eagerLse[row] == result.lse[row] || std::fabs(result.eagerLse[row] - result.lse[row]) < 1e-5);
    for (int64_t c = 0; c < 3; ++c) {
      EXPECT_NEAR(result.output[row * 3 + c], share * without.output[row * 3 + c], 1e-12);
      EXPECT_NEAR(result.eagerOutput[row * 3 + c], result.output[row * 3 + c], 1e-5);
    }
  }
  EXPECT_EQ(result.lse[0], 0.5 - 3); // no key
  EXPECT_EQ(result.output[0], 0);
  EXPECT_EQ(result.lse[3 * 8], -infinity); // nor a sink
}

/// A sink far above all scores would overflow if the maximum were taken over the keys alone.
TEST(Evaluate, LargeSinksDoNotOverflow) {
  Kernel kernel("%p = attn.full attn.yield %p", "", "", "", "%c = arith.constant 2000.0 : f32 attn.yield %c : f32");
  Result result = evaluate(kernel.op, smallProblem(1, 2));
  EXPECT_EQ(result.lse[0], 2000);
  EXPECT_EQ(result.output[0], 0);
  EXPECT_EQ(result.eagerLse[0], 2000);
}

/// 0 * NaN and inf - inf are NaN, but only in rows that admit the key.
TEST(Evaluate, NonFiniteValuesStayInTheirRows) {
  Kernel kernel("%p = attn.causal attn.yield %p");
  Problem problem = smallProblem(4, 4);
  problem.value[2 * problem.valueHeadSize] = std::numeric_limits<float>::quiet_NaN(); // of key row 2
  problem.key[3 * problem.headSize] = std::numeric_limits<float>::infinity();         // of key row 3
  problem.query[3 * problem.headSize] = 1; // so that query row 3 scores +inf there
  Result result = evaluate(kernel.op, problem);
  for (int64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(std::isnan(result.output[i * 3]), i >= 2);
    EXPECT_EQ(std::isnan(result.eagerOutput[i * 3]), i >= 2);
    EXPECT_EQ(std::isnan(result.output[i * 3 + 1]), i == 3);
    EXPECT_EQ(std::isnan(result.lse[i]), i == 3);
  }
}

/// A score above all others by 2000 would overflow without subtracting the maximum.
TEST(Evaluate, LargeScoresDoNotOverflow) {
  Kernel kernel("%p = attn.full attn.yield %p");
  Problem problem = smallProblem(2, 3);
  problem.scale = 1e4;
  Result result = evaluate(kernel.op, problem);
  for (double x : result.output)
    EXPECT_TRUE(std::isfinite(x));
  for (double x : result.lse)
    EXPECT_TRUE(std::isfinite(x));
}

TEST(Evaluate, EagerErrsByItsElementType) {
  Kernel kernel("%p = attn.causal attn.yield %p");
  std::pair<Element, double> bounds[] = {{Element::F32, 1e-6}, {Element::F16, 4e-3}, {Element::BF16, 3e-2}};
  for (auto [element, bound] : bounds) {
    Problem problem = smallProblem(40, 40);
    problem.element = element;
    problem.headSize = problem.valueHeadSize = 32;
    fillTensors(problem, 3);
    Result result = evaluate(kernel.op, problem);
    double error = maxDifference(result.output, result.eagerOutput);
    EXPECT_LT(error, bound);
    EXPECT_GT(error, bound / 100);
    EXPECT_LT(maxDifference(result.lse, result.eagerLse), bound);
    std::vector<float> rounded = result.eagerOutput;
    roundTo(element, rounded);
    EXPECT_EQ(rounded, result.eagerOutput);
  }
}

/// One query and head size 1, so that each step can be followed by hand.
static Problem tinyProblem(std::vector<float> keys, std::vector<float> values) {
  Problem problem = makeProblem(1, keys.size());
  problem.headSize = problem.valueHeadSize = 1;
  problem.element = Element::BF16;
  problem.query = {1};
  problem.key = std::move(keys);
  problem.value = std::move(values);
  problem.scale = 1;
  return problem;
}

TEST(Evaluate, EagerRoundsScoresAfterEveryStep) {
  Kernel kernel("%p = attn.full attn.yield %p");
  Problem problem = tinyProblem({1.0078125f}, {3});
  problem.query = {1.0078125f}; // 1 + 2^-7; the product is 1 + 2^-6 + 2^-14, rounded 1 + 2^-6 = 1.015625
  problem.scale = 1.0038;       // 1.0194844, rounded 1.015625; times the unrounded product it would be 1.0234375
  Result result = evaluate(kernel.op, problem);
  EXPECT_EQ(result.eagerLse[0], 1.015625f);
  EXPECT_DOUBLE_EQ(result.lse[0], 1.0038 * 1.0078125 * 1.0078125);
  EXPECT_EQ(result.eagerOutput[0], 3);
}

TEST(Evaluate, EagerRoundsScoresAfterTheRegion) {
  Kernel kernel("%p = attn.full attn.yield %p", "%t = arith.constant 0.00390625 : f32 "
                                                "%r = arith.addf %s, %t : f32 attn.yield %r : f32");
  EXPECT_EQ(evaluate(kernel.op, tinyProblem({1}, {3})).eagerLse[0], 1); // 1 + 2^-8, halfway
}

/// Scores 0 and 1 give the weights 0.2689 and 0.7311, or 69 / 256 and 187 / 256 in bf16.
TEST(Evaluate, EagerRoundsWeights) {
  Kernel kernel("%p = attn.full attn.yield %p");
  Result result = evaluate(kernel.op, tinyProblem({0, 1}, {1, -0.3671875f}));
  EXPECT_NEAR(result.eagerOutput[0], 0.26953125 - 0.73046875 * 0.3671875, 1e-5);
  EXPECT_NEAR(result.output[0], 0.26894142 - 0.73105858 * 0.3671875, 1e-8);
}

/// The sink's 1 + 2^-8 is halfway between two scores of bf16.
TEST(Evaluate, EagerRoundsTheSink) {
  Kernel kernel("%p = attn.empty attn.yield %p", "", "", "",
                "%c = arith.constant 1.00390625 : f32 attn.yield %c : f32");
  Result result = evaluate(kernel.op, tinyProblem({1}, {3}));
  EXPECT_EQ(result.eagerLse[0], 1);
  EXPECT_EQ(result.lse[0], 1.00390625);
}

/// The scale is a value of the function, which may differ by head.
TEST(Evaluate, ScaleOfTheOp) {
  Kernel kernel("%p = attn.full attn.yield %p", "", ", %x: !attn.per_head", R"(
      %n = attn.of_head %x
      %whole = arith.index_cast %n : index to i32
      %scale = arith.sitofp %whole : i32 to f32)",
                "", "%scale");
  Problem problem = smallProblem(3, 3, {Table{{1, 2, 3, 4}}});
  expectNaive(evaluate(kernel.op, problem), problem,
              [&](double score, int64_t h, auto, auto) { return score / problem.scale * double(h + 1); });
}

/// Transformer-XL's four terms, in the order of the paper.
TEST(Evaluate, TermsOfTheScore) {
  std::string parameters = ", %u: !attn.array<[heads, head_size]>, %w: !attn.array<[heads, head_size]>, "
                           "%relative: !attn.array<[?, head_size]>";
  Kernel kernel("%p = attn.causal attn.yield %p", R"(
      %distance = arith.subi %i, %j : index
      %content = attn.key_dot %u[%h] : !attn.array<[heads, head_size]>
      %position = attn.query_dot %relative[%distance] clamped : !attn.array<[?, head_size]>
      %prior = attn.row_dot %w[%h], %relative[%distance] clamped
          : !attn.array<[heads, head_size]>, !attn.array<[?, head_size]>
      %by_content = arith.addf %s, %content : f32
      %by_position = arith.addf %by_content, %position : f32
      %all = arith.addf %by_position, %prior : f32
      attn.yield %all : f32)",
                parameters);
  Problem problem = smallProblem(4, 7);
  auto array = [&](std::vector<int64_t> shape, unsigned seed) {
    Problem source = makeProblem(shape[0], 0);
    source.headSize = shape[1];
    fillTensors(source, seed);
    return Array{std::move(shape), std::move(source.query)};
  };
  Array u = array({4, 19}, 2), v = array({4, 19}, 3), relative = array({5, 19}, 4);
  problem.arguments.insert(problem.arguments.end(), {u, v, relative});
  Result result = evaluate(kernel.op, problem);
  auto dot = [&](const float *a, const float *b) {
    double sum = 0;
    for (int64_t c = 0; c < 19; ++c)
      sum += double(a[c]) * b[c];
    return sum;
  };
  for (int64_t i = 0; i < 4; ++i) { // of batch 1, head 3
    double sum = 0;
    for (int64_t j = 0; j <= i + 3; ++j) {
      const float *q = problem.queryRow(1, 3, i), *k = problem.keyRow(1, 3, j);
      const float *r = relative.entries.data() + std::min<int64_t>(i + 3 - j, 4) * 19;
      const float *ofU = u.entries.data() + 3 * 19, *ofV = v.entries.data() + 3 * 19;
      sum += std::exp(problem.scale * (dot(q, k) + dot(ofU, k) + dot(q, r) + dot(ofV, r)));
    }
    EXPECT_NEAR(result.lse[(1 * 4 + 3) * 4 + i], std::log(sum), 1e-12);
  }
  EXPECT_LT(maxDifference(result.lse, result.eagerLse), 1e-4);
}

/// -inf and NaN in one row: NaN is no row without keys.
TEST(Evaluate, NaNIsTheMaximum) {
  Kernel kernel("%p = attn.full attn.yield %p");
  float infinite = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::vector<float> &keys : {std::vector{-infinite, nan}, {nan, -infinite}}) {
    Result result = evaluate(kernel.op, tinyProblem(keys, {1, 2}));
    EXPECT_TRUE(std::isnan(result.lse[0]));
    EXPECT_TRUE(std::isnan(result.output[0]));
    EXPECT_TRUE(std::isnan(result.eagerLse[0]));
  }
}

TEST(Evaluate, UnknownOpsAreReported) {
  Kernel score("%p = attn.full attn.yield %p", R"(
      %whole = arith.fptosi %s : f32 to i32
      %high = math.cttz %whole : i32
      %real = arith.sitofp %high : i32 to f32
      attn.yield %real : f32)");
  Problem problem = smallProblem(2, 2);
  Result result = evaluate(score.op, problem);
  EXPECT_FALSE(result.complete);
  EXPECT_TRUE(std::isnan(result.output[0]));
  EXPECT_NE(score.errors.find("the reference does not know 'math.cttz'"), std::string::npos);
}

TEST(Evaluate, TensorsHaveToFitTheirShapes) {
  Kernel kernel("%p = attn.full attn.yield %p");
  Problem problem = smallProblem(2, 2);
  problem.value.pop_back();
  EXPECT_FALSE(evaluate(kernel.op, problem).complete);
  EXPECT_EQ(kernel.errors, "value has 23 values; its shape needs 24\n");
}

static float rounded(Element element, float value) {
  roundTo(element, value);
  return value;
}

TEST(RoundTo, NearestEven) {
  float infinite = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(rounded(Element::F32, 0.1f), 0.1f);
  EXPECT_EQ(rounded(Element::BF16, 1 + 0x1p-8f), 1.0f);
  EXPECT_EQ(rounded(Element::BF16, 1 + 3 * 0x1p-8f), 1 + 0x1p-6f);
  EXPECT_EQ(rounded(Element::BF16, -(1 + 0x1.2p-8f)), -(1 + 0x1p-7f));
  EXPECT_EQ(rounded(Element::BF16, 3.4e38f), infinite);
  EXPECT_EQ(rounded(Element::BF16, -infinite), -infinite);
  EXPECT_TRUE(std::isnan(rounded(Element::BF16, nan)));
  EXPECT_EQ(rounded(Element::F16, 1 + 0x1p-11f), 1.0f);
  EXPECT_EQ(rounded(Element::F16, 1 + 3 * 0x1p-11f), 1 + 0x1p-9f);
  EXPECT_EQ(rounded(Element::F16, 65519.0f), 65504.0f);
  EXPECT_EQ(rounded(Element::F16, -65520.0f), -infinite);
  EXPECT_EQ(rounded(Element::F16, infinite), infinite);
  EXPECT_EQ(rounded(Element::F16, 0x1p-25f), 0.0f); // half a step, to even
  EXPECT_EQ(rounded(Element::F16, 0x1.8p-24f), 0x1p-23f);
  EXPECT_EQ(rounded(Element::F16, -0x1.4p-23f), -0x1p-23f);
  EXPECT_EQ(rounded(Element::F16, 0x1.ffcp-15f), 0x1p-14f); // nine bits of fraction there
  EXPECT_TRUE(std::signbit(rounded(Element::F16, -0.0f)));
  EXPECT_TRUE(std::isnan(rounded(Element::F16, nan)));
}
