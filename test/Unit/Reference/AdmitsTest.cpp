// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compares every atom and operator with a formula over rows, at lengths and offsets that leave nothing aligned.

#include "Kernel.h"
#include <cmath>
#include <set>

using namespace attn;
using namespace attn::reference;

using Formula = std::function<bool(int64_t b, int64_t h, int64_t i, int64_t j)>;

static void expectMask(Kernel &kernel, const Problem &problem, const Formula &formula) {
  mlir::FailureOr<Mask> mask = buildMask(kernel.op, problem);
  ASSERT_TRUE(mlir::succeeded(mask)) << kernel.errors;
  for (int64_t b = 0; b < problem.batch; ++b)
    for (int64_t h = 0; h < problem.heads; ++h)
      for (int64_t i = 0; i < problem.length; ++i)
        for (int64_t j = 0; j < problem.kvLength; ++j)
          ASSERT_EQ((*mask)(b, h, i, j), formula(b, h, i, j))
              << "pair " << b << ' ' << h << ' ' << i << ' ' << j << " of " << problem.length << " x "
              << problem.kvLength << ", offsets " << problem.queryOffset << ' ' << problem.keyOffset;
}

/// Lengths that differ either way (query positions are negative where keys are fewer), and given offsets.
static std::vector<Problem> awkwardProblems(const std::vector<Argument> &parameters = {}) {
  std::vector<Problem> problems;
  for (auto [length, kvLength] : {std::pair(1, 1), {7, 7}, {5, 13}, {13, 5}, {11, 1}, {1, 11}, {4, 0}, {17, 16}})
    problems.push_back(makeProblem(length, kvLength, parameters));
  for (auto [queryOffset, keyOffset] : {std::pair(3, 0), {0, 3}, {-6, -2}, {5, 9}, {40, 0}}) {
    problems.push_back(makeProblem(9, 12, parameters));
    problems.back().queryOffset = problems.back().topLeftOffset = queryOffset;
    problems.back().keyOffset = keyOffset;
  }
  for (Problem &problem : problems)
    problem.batch = problem.heads = problem.kvHeads = 2;
  return problems;
}

static int64_t floorDivide(int64_t a, int64_t b) { return static_cast<int64_t>(std::floor(double(a) / double(b))); }

TEST(Admits, FullAndEmpty) {
  Kernel full("%p = attn.full attn.yield %p"), empty("%p = attn.empty attn.yield %p");
  for (const Problem &problem : awkwardProblems()) {
    expectMask(full, problem, [](auto...) { return true; });
    expectMask(empty, problem, [](auto...) { return false; });
  }
}

TEST(Admits, Window) {
  Kernel both("%p = attn.window left(3) right(1) attn.yield %p"), left("%p = attn.window left(0) attn.yield %p"),
      right("%p = attn.window right(2) attn.yield %p"), wide("%p = attn.window left(1000) right(1000) attn.yield %p"),
      unbounded("%p = attn.window attn.yield %p");
  for (const Problem &problem : awkwardProblems()) {
    auto distance = [&](int64_t i, int64_t j) { return (problem.keyOffset + j) - (problem.queryOffset + i); };
    expectMask(both, problem, [&](auto, auto, auto i, auto j) { return distance(i, j) >= -3 && distance(i, j) <= 1; });
    expectMask(left, problem, [&](auto, auto, auto i, auto j) { return distance(i, j) >= 0; });
    expectMask(right, problem, [&](auto, auto, auto i, auto j) { return distance(i, j) <= 2; });
    expectMask(wide, problem, [](auto...) { return true; });
    expectMask(unbounded, problem, [](auto...) { return true; });
  }
}

TEST(Admits, WindowOfComputedSize) {
  Kernel kernel("%l = arith.subi %w, %c1 : index %p = attn.window left(%l) right(%w) attn.yield %p", "", ", %w: index",
                "%c1 = arith.constant 1 : index");
  for (const Problem &problem : awkwardProblems({int64_t(4)}))
    expectMask(kernel, problem, [&](auto, auto, auto i, auto j) {
      int64_t distance = (problem.keyOffset + j) - (problem.queryOffset + i);
      return distance >= -3 && distance <= 4;
    });
}

TEST(Admits, CausalIsAlignedAtTheBottomRight) {
  Kernel kernel("%p = attn.causal attn.yield %p");
  for (auto [length, kvLength] : {std::pair(6, 6), {3, 8}, {8, 3}})
    expectMask(
        kernel, makeProblem(length, kvLength),
        [length = length, kvLength = kvLength](auto, auto, auto i, auto j) { return j <= i + (kvLength - length); });
  for (const Problem &problem : awkwardProblems())
    expectMask(kernel, problem,
               [&](auto, auto, auto i, auto j) { return problem.keyOffset + j <= problem.queryOffset + i; });
}

TEST(Admits, CausalTopLeftCountsFromItsOwnOffset) {
  Kernel kernel("%p = attn.causal top_left attn.yield %p");
  for (auto [length, kvLength] : {std::pair(6, 6), {3, 8}, {8, 3}})
    expectMask(kernel, makeProblem(length, kvLength), [](auto, auto, auto i, auto j) { return j <= i; });
  for (const Problem &problem : awkwardProblems())
    expectMask(kernel, problem,
               [&](auto, auto, auto i, auto j) { return problem.keyOffset + j <= problem.topLeftOffset + i; });
}

TEST(Admits, BlockLocal) {
  Kernel kernel("%p = attn.block_local %block attn.yield %p", "", ", %block: index");
  for (int64_t block : {1, 4, 5, 100})
    for (const Problem &problem : awkwardProblems({block}))
      expectMask(kernel, problem, [&](auto, auto, auto i, auto j) {
        return floorDivide(problem.queryOffset + i, block) == floorDivide(problem.keyOffset + j, block);
      });
}

TEST(Admits, BlockOfZeroIsAnError) {
  Kernel kernel("%p = attn.block_local %block attn.yield %p", "", ", %block: index");
  EXPECT_TRUE(mlir::failed(buildMask(kernel.op, makeProblem(2, 2, {int64_t(0)}))));
  EXPECT_EQ(kernel.errors, "block is 0; it has to be at least 1\n");
}

TEST(Admits, Global) {
  Kernel both("%p = attn.global %g attn.yield %p", "", ", %g: !attn.tokens"),
      rows("%p = attn.global rows %g attn.yield %p", "", ", %g: !attn.tokens"),
      columns("%p = attn.global columns %g attn.yield %p", "", ", %g: !attn.tokens");
  Table ragged = {{4, 0, 4, -1}, {2, -1, -1, 300}}, shared = {{1, 12, 0}};
  std::set<int64_t> raggedSets[] = {{0, 4}, {2, 300}}, sharedSet = {0, 1, 12};
  for (bool isShared : {false, true})
    for (const Problem &problem : awkwardProblems({isShared ? shared : ragged})) {
      auto isToken = [&](int64_t b, int64_t position) {
        return (isShared ? sharedSet : raggedSets[b]).count(position) == 1;
      };
      auto isRow = [&](int64_t b, int64_t i) { return isToken(b, problem.queryOffset + i); };
      auto isColumn = [&](int64_t b, int64_t j) { return isToken(b, problem.keyOffset + j); };
      expectMask(both, problem, [&](auto b, auto, auto i, auto j) { return isRow(b, i) || isColumn(b, j); });
      expectMask(rows, problem, [&](auto b, auto, auto i, auto) { return isRow(b, i); });
      expectMask(columns, problem, [&](auto b, auto, auto, auto j) { return isColumn(b, j); });
    }
}

TEST(Admits, Segments) {
  Kernel kernel("%p = attn.segments %ids attn.yield %p", "", ", %ids: !attn.segments");
  Table ids = {{3, 3, 1, 1, 1, -1, -1, 3, 0, 0}, {0, 1, 2, 0, 1, 2, 0}};
  for (const Problem &problem : awkwardProblems({ids}))
    expectMask(kernel, problem, [&](auto b, auto, auto i, auto j) {
      int64_t query = problem.queryOffset + i, key = problem.keyOffset + j, count = ids[b].size();
      if (query < 0 || query >= count || key < 0 || key >= count)
        return false;
      return ids[b][query] == ids[b][key];
    });
}

TEST(Admits, Padded) {
  Kernel kernel("%p = attn.padded %lengths attn.yield %p", "", ", %lengths: !attn.lengths");
  for (const Problem &problem : awkwardProblems({Table{{5}, {0}}}))
    expectMask(kernel, problem, [&](auto b, auto, auto, auto j) { return problem.keyOffset + j < (b == 0 ? 5 : 0); });
  for (const Problem &problem : awkwardProblems({Table{{3}}}))
    expectMask(kernel, problem, [&](auto, auto, auto, auto j) { return problem.keyOffset + j < 3; });
}

TEST(Admits, WhereSeesBatchHeadAndPositions) {
  Kernel kernel(R"(
    %p = attn.where (%b, %h, %i, %j) {
      %ten = arith.constant 10 : index
      %x = arith.muli %b, %ten : index
      %y = arith.addi %x, %h : index
      %z = arith.muli %y, %w : index
      %u = arith.addi %z, %i : index
      %difference = arith.subi %u, %j : index
      %three = arith.constant 3 : index
      %rest = arith.remsi %difference, %three : index
      %zero = arith.constant 0 : index
      %is = arith.cmpi eq, %rest, %zero : index
      attn.yield %is : i1
    }
    attn.yield %p)",
                "", ", %w: index");
  for (const Problem &problem : awkwardProblems({int64_t(7)}))
    expectMask(kernel, problem, [&](auto b, auto h, auto i, auto j) {
      return ((b * 10 + h) * 7 + (problem.queryOffset + i) - (problem.keyOffset + j)) % 3 == 0;
    });
}

/// In double, 16777216 + 1 is not 16777216.
TEST(Admits, WhereRoundsToFloat) {
  Kernel kernel(R"(
    %p = attn.where (%b, %h, %i, %j) {
      %big = arith.constant 16777216.0 : f32
      %one = arith.constant 1.0 : f32
      %sum = arith.addf %big, %one : f32
      %is = arith.cmpf oeq, %sum, %big : f32
      attn.yield %is : i1
    }
    attn.yield %p)");
  expectMask(kernel, makeProblem(2, 2), [](auto...) { return true; });
}

TEST(Admits, Operators) {
  std::string members = "%a = attn.window left(2) right(0) %b = attn.block_local 4 %c = attn.causal ";
  Kernel any(members + "%p = attn.union %a, %b, %c attn.yield %p"),
      all(members + "%p = attn.intersect %a, %b, %c attn.yield %p"),
      difference(members + "%p = attn.minus %b, %a attn.yield %p"),
      nested(members + "%d = attn.minus %c, %b %e = attn.union %a, %d %f = attn.full "
                       "%p = attn.minus %f, %e attn.yield %p"),
      alone(members + "%p = attn.union %b attn.yield %p");
  for (const Problem &problem : awkwardProblems()) {
    auto position = [&](int64_t i) { return problem.queryOffset + i; };
    auto distance = [&](int64_t i, int64_t j) { return position(i) - problem.keyOffset - j; };
    auto a = [&](auto i, auto j) { return distance(i, j) >= 0 && distance(i, j) <= 2; };
    auto b = [&](auto i, auto j) { return floorDivide(position(i), 4) == floorDivide(problem.keyOffset + j, 4); };
    auto c = [&](auto i, auto j) { return distance(i, j) >= 0; };
    expectMask(any, problem, [&](auto, auto, auto i, auto j) { return a(i, j) || b(i, j) || c(i, j); });
    expectMask(all, problem, [&](auto, auto, auto i, auto j) { return a(i, j) && b(i, j) && c(i, j); });
    expectMask(difference, problem, [&](auto, auto, auto i, auto j) { return b(i, j) && !a(i, j); });
    expectMask(nested, problem, [&](auto, auto, auto i, auto j) { return !(a(i, j) || (c(i, j) && !b(i, j))); });
    expectMask(alone, problem, [&](auto, auto, auto i, auto j) { return b(i, j); });
  }
}

TEST(Admits, OnePairAgreesWithTheMask) {
  Kernel kernel("%p = attn.window left(1) right(1) attn.yield %p");
  Problem problem = makeProblem(5, 7);
  for (int64_t i = 0; i < 5; ++i)
    for (int64_t j = 0; j < 7; ++j)
      EXPECT_EQ(admits(kernel.op, problem, 0, 0, i, j), std::abs(i + 2 - j) <= 1);
}

TEST(Admits, AMissingArgumentIsAnError) {
  Kernel kernel("%p = attn.global %g attn.yield %p", "", ", %g: !attn.tokens");
  EXPECT_TRUE(mlir::failed(buildMask(kernel.op, makeProblem(2, 2))));
  EXPECT_EQ(kernel.errors, "the reference was given no run-time data for argument 3 of type '!attn.tokens'\n");
  kernel.errors.clear();
  EXPECT_TRUE(mlir::failed(buildMask(kernel.op, makeProblem(2, 2, {int64_t(1)}))));
  EXPECT_EQ(kernel.errors, "the reference was given no run-time data for argument 3 of type '!attn.tokens'\n");
}
