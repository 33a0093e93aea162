// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compares atoms on coordinates with masks that are written out.

#include "Kernel.h"

using namespace attn;
using namespace attn::reference;

/// Three rows of three points, the last one partial.
TEST(Coordinates, AxesOfAGrid) {
  Kernel row("%r, %c = attn.grid [%w] %p = attn.window left(0) right(0) on %r attn.yield %p", "", ", %w: index"),
      column("%r, %c = attn.grid [%w] %p = attn.window left(0) right(1) on %c attn.yield %p", "", ", %w: index");
  Problem problem = makeProblem(7, 7, {int64_t(3)});
  EXPECT_EQ(maskOf(row, problem), "###....\n"
                                  "###....\n"
                                  "###....\n"
                                  "...###.\n"
                                  "...###.\n"
                                  "...###.\n"
                                  "......#\n");
  EXPECT_EQ(maskOf(column, problem), "##.##.#\n"
                                     ".##.##.\n"
                                     "..#..#.\n"
                                     "##.##.#\n"
                                     ".##.##.\n"
                                     "..#..#.\n"
                                     "##.##.#\n");
}

TEST(Coordinates, AxesOfADeepGrid) {
  std::string grid = "%frame, %row, %column = attn.grid [2, %w] ";
  auto mask = [&](const std::string &axis) {
    Kernel kernel(grid + "%p = attn.window left(0) right(0) on " + axis + " attn.yield %p", "", ", %w: index");
    Problem problem = makeProblem(1, 14, {int64_t(3)});
    problem.queryOffset = 8; // frame 1, row 0, column 2
    return maskOf(kernel, problem);
  };
  EXPECT_EQ(mask("%frame"), "......######..\n");
  EXPECT_EQ(mask("%row"), "###...###...##\n");
  EXPECT_EQ(mask("%column"), "..#..#..#..#..\n");
}

TEST(Coordinates, PositionsBeforeTheGridLieOnItsContinuation) {
  Kernel kernel("%r, %c = attn.grid [3] %p = attn.window left(0) right(0) on %c attn.yield %p");
  EXPECT_EQ(maskOf(kernel, makeProblem(5, 3)), ".#.\n" // positions -2, -1, ...
                                               "..#\n"
                                               "#..\n"
                                               ".#.\n"
                                               "..#\n");
}

/// A stream of two positions, one of three, and the rest.
TEST(Coordinates, Streams) {
  std::string streams = "%a, %b, %c = attn.stream [2, %n] ";
  Kernel first(streams + "%p = attn.window left(0) on %a attn.yield %p", "", ", %n: index"),
      second(streams + "%p = attn.window right(1) on %b attn.yield %p", "", ", %n: index"),
      last(streams + "%p = attn.congruent query mod(2) on %c attn.yield %p", "", ", %n: index");
  Problem problem = makeProblem(8, 8, {int64_t(3)});
  EXPECT_EQ(maskOf(first, problem), "##......\n"
                                    ".#......\n"
                                    "........\n"
                                    "........\n"
                                    "........\n"
                                    "........\n"
                                    "........\n"
                                    "........\n");
  EXPECT_EQ(maskOf(second, problem), "........\n"
                                     "........\n"
                                     "..##....\n"
                                     "..###...\n"
                                     "..###...\n"
                                     "........\n"
                                     "........\n"
                                     "........\n");
  EXPECT_EQ(maskOf(last, problem), "........\n"
                                   "........\n"
                                   "........\n"
                                   "........\n"
                                   "........\n"
                                   ".....###\n"
                                   "........\n"
                                   ".....###\n");
  problem.arguments[3] = int64_t(0); // an empty stream
  EXPECT_EQ(maskOf(second, problem).find('#'), std::string::npos);
}

TEST(Coordinates, PositionsBeforeAllStreamsAreInNone) {
  Kernel kernel("%a, %b = attn.stream [1] %p = attn.window on %a attn.yield %p");
  EXPECT_EQ(maskOf(kernel, makeProblem(3, 2)), "..\n" // positions -1, 0, 1
                                               "#.\n"
                                               "..\n");
}

/// Segments that are interleaved, of two batches; the last position is outside of the table.
TEST(Coordinates, OffsetsInSegments) {
  Kernel kernel("%o = attn.offset %ids %p = attn.window left(0) right(0) on %o attn.yield %p", "",
                ", %ids: !attn.segments");
  Problem problem = makeProblem(6, 6, {Table{{5, 5, -1, 5, -1}, {0, 1, 2, 2, 2}}}); // offsets 0 1 0 2 1 and 0 0 0 1 2
  problem.batch = 2;
  EXPECT_EQ(maskOf(kernel, problem, 0), "#.#...\n"
                                        ".#..#.\n"
                                        "#.#...\n"
                                        "...#..\n"
                                        ".#..#.\n"
                                        "......\n");
  EXPECT_EQ(maskOf(kernel, problem, 1), "###...\n"
                                        "###...\n"
                                        "###...\n"
                                        "...#..\n"
                                        "....#.\n"
                                        "......\n");
}

TEST(Coordinates, OffsetsCountFromZero) {
  Kernel kernel("%o = attn.offset %ids %p = attn.congruent key mod(3) from(1) to(2) on %o attn.yield %p", "",
                ", %ids: !attn.segments");
  EXPECT_EQ(maskOf(kernel, makeProblem(1, 7, {Table{{4, 4, 9, 4, 9, 4, 4}}})), ".#.##.#\n"); // offsets 0 1 0 2 1 3 4
}

/// Two by two blocks on rows of three points. In raster order the points are numbered
///   0 1 | 4
///   2 3 | 6
///   8 9 | 12
TEST(Coordinates, RasterGoesBlockByBlock) {
  Kernel kernel(R"(
    %r, %c = attn.grid [3]
    %place = attn.raster %r, %c blocks [%b, 2]
    %p = attn.causal on %place
    attn.yield %p)",
                "", ", %b: index");
  EXPECT_EQ(maskOf(kernel, makeProblem(9, 9, {int64_t(2)})), "#........\n"
                                                             "##.......\n"
                                                             "#####....\n"
                                                             "##.#.....\n"
                                                             "##.##....\n"
                                                             "######...\n"
                                                             "#######..\n"
                                                             "########.\n"
                                                             "#########\n");
}

/// The atom's own condition holds for positions without a value; the pair is admitted nevertheless by no atom.
TEST(Coordinates, APairWithoutAValueIsNotAdmitted) {
  Kernel kernel("%a, %b = attn.stream [2] %p = attn.congruent key mod(1) on %b attn.yield %p");
  EXPECT_EQ(maskOf(kernel, makeProblem(3, 3)), "...\n...\n..#\n");
}

TEST(Coordinates, PerHeadSizes) {
  Kernel kernel("%w = attn.of_head %x %r, %c = attn.grid [%w] %p = attn.block_local 1 on %c attn.yield %p", "",
                ", %x: !attn.per_head");
  Problem problem = makeProblem(1, 6, {Table{{2, 3}}});
  problem.heads = problem.kvHeads = 2;
  EXPECT_EQ(maskOf(kernel, problem, 0, 0), ".#.#.#\n");
  EXPECT_EQ(maskOf(kernel, problem, 0, 1), "..#..#\n");
  Mask mask = *buildMask(kernel.op, problem); // whichever head is asked about
  EXPECT_TRUE(mask(0, 0, 0, 1));
  EXPECT_FALSE(mask(0, 1, 0, 1));
  EXPECT_TRUE(mask(0, 0, 0, 3));
}

/// A line of the image cut into blocks of two by two, with a flange of a point to the sides: the 2-D local mask at row
/// 1, column 2 of rows of five points.
TEST(Coordinates, BlocksAndFlanges) {
  Kernel kernel(R"(
    %r, %c = attn.grid [5]
    %rows = attn.block_local 2 before(1) after(0) on %r
    %columns = attn.block_local 2 before(1) after(1) on %c
    %p = attn.intersect %rows, %columns
    attn.yield %p)");
  Problem problem = makeProblem(1, 20);
  problem.queryOffset = 12; // row 2, column 2
  EXPECT_EQ(maskOf(kernel, problem), "....."
                                     ".####"
                                     ".####"
                                     ".####\n");
}
