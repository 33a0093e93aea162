// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Evaluates the ops that read the call: sizes, per-head numbers, arrays and products of rows.

#include "Kernel.h"
#include "attn/Reference/RegionProgram.h"
#include <cmath>

using namespace attn;
using namespace attn::reference;

/// Two batches, four query heads, two key heads, offsets; every tensor entry tells its place apart.
static Problem smallProblem(std::vector<Argument> parameters = {}) {
  Problem problem = makeProblem(3, 5, std::move(parameters));
  problem.batch = 2;
  problem.heads = 4;
  problem.kvHeads = 2;
  problem.headSize = 2;
  problem.valueHeadSize = 1;
  problem.queryOffset = 10;
  problem.keyOffset = -2;
  problem.scale = 0.5;
  fillTensors(problem, 7);
  return problem;
}

/// The value of a score region whose body ends in %r, at a score of 2 and these batch, head, and rows.
static double evaluateScore(Kernel &kernel, const Problem &problem, int64_t b, int64_t h, int64_t i, int64_t j,
                            bool isEager = false) {
  double positions[] = {double(problem.queryOffset + i), double(problem.keyOffset + j)};
  return RegionProgram(kernel.op.getScore(), problem, isEager)
      .run({2, double(b), double(h), positions[0], positions[1]});
}

/// 0, 1, 2, ... in this shape.
static Array counting(std::vector<int64_t> shape) {
  int64_t size = 1;
  for (int64_t extent : shape)
    size *= extent;
  Array array{std::move(shape), {}};
  for (int64_t entry = 0; entry < size; ++entry)
    array.entries.push_back(static_cast<float>(entry));
  return array;
}

/// Converts %n to %r.
static const std::string toReal = " %whole = arith.index_cast %n : index to i64 %r = arith.sitofp %whole : i64 to f32";

TEST(CallOps, Extents) {
  Problem problem = smallProblem();
  for (auto [kind, expected] : {std::pair("queries", 13), {"keys", 3}, {"heads", 4}}) {
    Kernel kernel("%p = attn.full attn.yield %p",
                  std::string("%n = attn.extent ") + kind + toReal + " attn.yield %r : f32");
    EXPECT_EQ(evaluateScore(kernel, problem, 0, 0, 0, 0), expected);
  }
}

TEST(CallOps, PerHeadAndPerBatchNumbers) {
  Kernel ofHead("%p = attn.full attn.yield %p", "%n = attn.of_head %x" + toReal + " attn.yield %r : f32",
                ", %x: !attn.per_head"),
      ofBatch("%p = attn.full attn.yield %p", "%n = attn.of_batch %x" + toReal + " attn.yield %r : f32",
              ", %x: !attn.lengths");
  EXPECT_EQ(evaluateScore(ofHead, smallProblem({Table{{1, 2, 3, 4}, {5, 6, 7, 8}}}), 1, 2, 0, 0), 7);
  EXPECT_EQ(evaluateScore(ofHead, smallProblem({Table{{1, 2, 3, 4}}}), 1, 2, 0, 0), 3);
  EXPECT_EQ(evaluateScore(ofBatch, smallProblem({Table{{20}, {30}}}), 1, 2, 0, 0), 30);
}

TEST(CallOps, NumbersOutsideOfTheRegion) {
  Kernel kernel("%p = attn.full attn.yield %p", toReal + " attn.yield %r : f32", ", %x: !attn.per_head",
                "%n = attn.of_head %x");
  EXPECT_EQ(evaluateScore(kernel, smallProblem({Table{{1, 2, 3, 4}}}), 0, 3, 0, 0), 4);
}

TEST(CallOps, WhereRegionsReadTheCall) {
  Kernel kernel(R"(
    %p = attn.where (%b, %h, %i, %j) {
      %n = attn.of_head %x
      %allowed = attn.load %weights[%i, %j] : !attn.array<[queries, keys]>
      %zero = arith.constant 0.0 : f32
      %heavy = arith.cmpf ogt, %allowed, %zero : f32
      %past = arith.cmpi sge, %j, %n : index
      %is = arith.andi %heavy, %past : i1
      attn.yield %is : i1
    }
    attn.yield %p)",
                "", ", %x: !attn.per_head, %weights: !attn.array<[queries, keys]>");
  Problem problem = makeProblem(2, 4, {Table{{0, 2}}, Array{{2, 4}, {1, 0, 1, 1, 0, 1, 1, 0}}});
  problem.heads = problem.kvHeads = 2;
  EXPECT_EQ(maskOf(kernel, problem, 0, 0), "#.##\n.##.\n");
  EXPECT_EQ(maskOf(kernel, problem, 0, 1), "..##\n..#.\n");
}

TEST(CallOps, LoadCountsRowsAlongTheCallsExtents) {
  Kernel kernel("%p = attn.full attn.yield %p",
                "%r = attn.load %x[%b, %h, %i, %j] : !attn.array<[batch, heads, queries, keys]> attn.yield %r : f32",
                ", %x: !attn.array<[batch, heads, queries, keys]>");
  Problem problem = smallProblem({counting({2, 4, 3, 5})});
  EXPECT_EQ(evaluateScore(kernel, problem, 0, 0, 0, 0), 0);
  EXPECT_EQ(evaluateScore(kernel, problem, 1, 3, 2, 4), 119);
  EXPECT_EQ(evaluateScore(kernel, problem, 1, 2, 1, 3), ((1 * 4 + 2) * 3 + 1) * 5 + 3);
  problem.arguments[3] = counting({2, 1, 1, 5}); // shared by heads and queries
  EXPECT_EQ(evaluateScore(kernel, problem, 1, 2, 1, 3), 8);
}

TEST(CallOps, LoadIsHeldInside) {
  Kernel kernel("%p = attn.full attn.yield %p", R"(
      %distance = arith.subi %i, %j : index
      %r = attn.load %x[%distance] clamped : !attn.array<[?]>
      attn.yield %r : f32)",
                ", %x: !attn.array<[?]>");
  Problem problem = smallProblem({counting({14})});
  EXPECT_EQ(evaluateScore(kernel, problem, 0, 0, 0, 4), 8);
  EXPECT_EQ(evaluateScore(kernel, problem, 0, 0, 2, 0), 13);
  problem.queryOffset = -20;
  EXPECT_EQ(evaluateScore(kernel, problem, 0, 0, 0, 0), 0);
  problem.arguments[3] = Array{{0}, {}};
  EXPECT_TRUE(std::isnan(evaluateScore(kernel, problem, 0, 0, 0, 0)));
}

/// With `clamped`, a computed index counts from 0, and the region's own position still means its row.
TEST(CallOps, ClampedIndicesOfRows) {
  Kernel kernel("%p = attn.full attn.yield %p", R"(
      %zero = arith.constant 0 : index
      %next = arith.addi %j, %zero : index
      %r = attn.load %x[%i, %next] clamped : !attn.array<[queries, keys]>
      attn.yield %r : f32)",
                ", %x: !attn.array<[queries, keys]>");
  Problem problem = smallProblem({counting({3, 5})});
  EXPECT_EQ(evaluateScore(kernel, problem, 0, 0, 1, 0), 5); // position -2
  EXPECT_EQ(evaluateScore(kernel, problem, 0, 0, 1, 4), 7); // position 2
}

TEST(CallOps, ArraysThatDoNotFitAreErrors) {
  auto errorOf = [](Argument argument) {
    Kernel kernel("%p = attn.full attn.yield %p", R"(
        %n = arith.constant 1 : index
        %r = attn.load %x[%h, %n, %n] clamped : !attn.array<[heads, 3, ?]>
        attn.yield %r : f32)",
                  ", %x: !attn.array<[heads, 3, ?]>");
    EXPECT_TRUE(std::isnan(evaluateScore(kernel, smallProblem({std::move(argument)}), 0, 0, 0, 0)) ||
                kernel.errors.empty());
    return kernel.errors;
  };
  std::string type = "'!attn.array<[heads, 3, ?]>'\n";
  EXPECT_EQ(errorOf(counting({4, 3, 9})), "");
  EXPECT_EQ(errorOf(counting({1, 3, 1})), "");
  EXPECT_EQ(errorOf(counting({4, 1, 9})), "the reference was given an array of shape [4, 1, 9] for " + type);
  EXPECT_EQ(errorOf(counting({2, 3, 9})), "the reference was given an array of shape [2, 3, 9] for " + type);
  EXPECT_EQ(errorOf(counting({4, 3})), "the reference was given an array of shape [4, 3] for " + type);
  EXPECT_EQ(errorOf(Array{{1, 3, 2}, {1, 2}}), "the reference was given 2 entries for a shape of 6\n");
  EXPECT_EQ(errorOf(Table{}), "the reference was given no array for argument 3 of type " + type);
}

//===-- Products ------------------------------------------------------------------------------------------------===//

static double dot(const float *a, const float *b) { return double(a[0]) * b[0] + double(a[1]) * b[1]; }

TEST(CallOps, QueryDot) {
  Kernel kernel("%p = attn.full attn.yield %p", R"(
      %n = arith.constant 2 : index
      %r = attn.query_dot %x[%h, %n] : !attn.array<[heads, 3, head_size]>
      attn.yield %r : f32)",
                ", %x: !attn.array<[heads, 3, head_size]>");
  Problem problem = smallProblem({counting({4, 3, 2})});
  float row[] = {22, 23}; // of head 3
  EXPECT_DOUBLE_EQ(evaluateScore(kernel, problem, 1, 3, 2, 4), 0.5 * dot(problem.queryRow(1, 3, 2), row));
}

TEST(CallOps, KeyDotReadsTheKeyHead) {
  Kernel kernel("%p = attn.full attn.yield %p",
                "%r = attn.key_dot %x[%h] : !attn.array<[heads, head_size]> attn.yield %r : f32",
                ", %x: !attn.array<[heads, head_size]>");
  Problem problem = smallProblem({counting({4, 2})});
  float row[] = {4, 5}; // of head 2, which reads key head 1
  const float *key = problem.key.data() + ((1 * 2 + 1) * 5 + 3) * 2;
  EXPECT_DOUBLE_EQ(evaluateScore(kernel, problem, 1, 2, 0, 3), 0.5 * dot(key, row));
}

TEST(CallOps, RowDot) {
  Kernel kernel("%p = attn.full attn.yield %p", R"(
      %n = arith.constant 1 : index
      %r = attn.row_dot %x[%h], %y[%n] : !attn.array<[heads, head_size]>, !attn.array<[2, head_size]>
      attn.yield %r : f32)",
                ", %x: !attn.array<[heads, head_size]>, %y: !attn.array<[2, head_size]>");
  EXPECT_EQ(evaluateScore(kernel, smallProblem({counting({4, 2}), counting({2, 2})}), 0, 3, 0, 0),
            0.5 * (6 * 2 + 7 * 3));
  EXPECT_EQ(evaluateScore(kernel, smallProblem({counting({4, 1}), counting({2, 2})}), 0, 3, 0, 0),
            0.5 * (3 * 2 + 3 * 3)); // an entry for all columns
}

TEST(CallOps, MixedDotSumsOverHeads) {
  Kernel kernel("%p = attn.full attn.yield %p",
                "%r = attn.mixed_dot %x[%h] : !attn.array<[heads, heads]> attn.yield %r : f32",
                ", %x: !attn.array<[heads, heads]>");
  Problem problem = smallProblem({counting({4, 4})});
  double expected = 0;
  for (int64_t g = 0; g < 4; ++g)
    expected += 0.5 * double(8 + g) * dot(problem.queryRow(1, g, 2), problem.keyRow(1, g, 3));
  EXPECT_DOUBLE_EQ(evaluateScore(kernel, problem, 1, 2, 2, 3), expected);
}

TEST(CallOps, ScaleIsTheOpsOwnOrTheCalls) {
  Kernel ofCall("%p = attn.full attn.yield %p", "%r = attn.scale attn.yield %r : f32"),
      own("%p = attn.full attn.yield %p", "%r = attn.scale attn.yield %r : f32", ", %x: f32", "", "", "%x");
  Problem problem = smallProblem({3.0});
  problem.scale = 0.1;
  EXPECT_EQ(evaluateScore(ofCall, problem, 0, 0, 0, 0), 0.1);
  EXPECT_EQ(evaluateScore(ofCall, problem, 0, 0, 0, 0, /*isEager=*/true), double(0.1f));
  EXPECT_EQ(evaluateScore(own, problem, 0, 0, 0, 0), 3);

  Kernel product("%p = attn.full attn.yield %p",
                 "%r = attn.row_dot %y[%h], %y[%h] : !attn.array<[heads, head_size]>, !attn.array<[heads, head_size]> "
                 "attn.yield %r : f32",
                 ", %x: f32, %y: !attn.array<[heads, head_size]>", "", "", "%x");
  problem.arguments.emplace_back(counting({4, 2}));
  EXPECT_EQ(evaluateScore(product, problem, 0, 1, 0, 0), 3 * (2 * 2 + 3 * 3));
}

/// A scale is a number of the batch and head, at most.
TEST(CallOps, AProductNeedsItsRows) {
  Kernel kernel("%p = attn.full attn.yield %p", "", ", %x: !attn.array<[1, head_size]>",
                "%n = arith.constant 0 : index %scale = attn.query_dot %x[%n] : !attn.array<[1, head_size]>", "",
                "%scale");
  EXPECT_FALSE(evaluate(kernel.op, smallProblem({counting({1, 2})})).complete);
  EXPECT_EQ(kernel.errors.substr(0, kernel.errors.find('\n')),
            "the reference knows no query position here; use 'attn.query_dot' in a region that has one");
}

/// Head size 1 and bf16, so that each step can be followed by hand. The array's 1.005859375 is rounded to 1.0078125;
/// times 1.5 that is 1.51171875, halfway, rounded 1.515625; times 1.0038 that is 1.521384, rounded 1.5234375.
TEST(CallOps, EagerDotsRoundAfterEveryStep) {
  Kernel kernel("%p = attn.full attn.yield %p", R"(
      %n = arith.constant 0 : index
      %r = attn.query_dot %x[%n] : !attn.array<[1, head_size]>
      attn.yield %r : f32)",
                ", %x: !attn.array<[1, head_size]>");
  Problem problem = makeProblem(1, 1, {Array{{1, 1}, {1.005859375f}}});
  problem.headSize = 1;
  problem.element = Element::BF16;
  problem.query = problem.key = {1.5f};
  problem.scale = 1.0038;
  EXPECT_EQ(evaluateScore(kernel, problem, 0, 0, 0, 0, /*isEager=*/true), 1.5234375);
  EXPECT_DOUBLE_EQ(evaluateScore(kernel, problem, 0, 0, 0, 0), 1.0038 * 1.5 * 1.005859375);
}

/// Each of the two products is 1 + 2^-6 + 2^-14, rounded 1.015625; the weights 1 and 2^-7 give 1.0235596, rounded
/// 1.0234375.
TEST(CallOps, EagerMixRoundsProductsAndSum) {
  Kernel kernel("%p = attn.full attn.yield %p",
                "%r = attn.mixed_dot %x[%h] : !attn.array<[heads, heads]> attn.yield %r : f32",
                ", %x: !attn.array<[heads, heads]>");
  Problem problem = makeProblem(1, 1, {Array{{2, 2}, {1, 0x1p-7f, 0, 0}}});
  problem.heads = problem.kvHeads = 2;
  problem.headSize = 1;
  problem.element = Element::BF16;
  problem.query = problem.key = {1.0078125f, 1.0078125f};
  problem.scale = 1;
  EXPECT_EQ(evaluateScore(kernel, problem, 0, 0, 0, 0, /*isEager=*/true), 1.0234375);
  EXPECT_DOUBLE_EQ(evaluateScore(kernel, problem, 0, 0, 0, 0), 1.0078125 * 1.0078125 * (1 + 0x1p-7));
}

TEST(CallOps, LoadsAreNotRounded) {
  Kernel kernel("%p = attn.full attn.yield %p", "%r = attn.load %x[%h] : !attn.array<[heads]> attn.yield %r : f32",
                ", %x: !attn.array<[heads]>");
  Problem problem = makeProblem(1, 1, {Array{{1}, {1.005859375f}}});
  problem.element = Element::BF16;
  EXPECT_EQ(evaluateScore(kernel, problem, 0, 0, 0, 0, /*isEager=*/true), 1.005859375);
}
