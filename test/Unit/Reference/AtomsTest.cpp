// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compares the atoms that repeat, or speak of heads and tables, with masks that are written out.

#include "Kernel.h"
#include "llvm/ADT/StringExtras.h"

using namespace attn;
using namespace attn::reference;

/// A problem of several heads.
static Problem makeProblemOfHeads(int64_t heads, int64_t length, int64_t kvLength,
                                  std::vector<Argument> parameters = {}) {
  Problem problem = makeProblem(length, kvLength, std::move(parameters));
  problem.heads = problem.kvHeads = heads;
  return problem;
}

TEST(Atoms, DilatedWindowCountsTaps) {
  Kernel kernel("%p = attn.window left(1) right(2) dilation(%d) attn.yield %p", "", ", %d: index");
  EXPECT_EQ(maskOf(kernel, makeProblem(6, 6, {int64_t(2)})), "#.#.#.\n"
                                                             ".#.#.#\n"
                                                             "#.#.#.\n"
                                                             ".#.#.#\n"
                                                             "..#.#.\n"
                                                             "...#.#\n");
  EXPECT_EQ(maskOf(kernel, makeProblem(3, 6, {int64_t(3)})), "#..#..\n"
                                                             ".#..#.\n"
                                                             "..#..#\n");
  EXPECT_EQ(maskOf(kernel, makeProblem(2, 4, {int64_t(1)})), ".###\n"
                                                             "..##\n");
}

TEST(Atoms, DilatedWindowWithoutABound) {
  Kernel kernel("%p = attn.window right(0) dilation(3) attn.yield %p");
  EXPECT_EQ(maskOf(kernel, makeProblem(2, 7)), "..#..#.\n"
                                               "#..#..#\n");
}

TEST(Atoms, BlockLocalWithNeighbours) {
  Kernel kernel("%p = attn.block_local 2 before(%n) after(1) attn.yield %p", "", ", %n: index");
  EXPECT_EQ(maskOf(kernel, makeProblem(6, 6, {int64_t(2)})), "###...\n"
                                                             "###...\n"
                                                             "#####.\n"
                                                             "#####.\n"
                                                             "..####\n"
                                                             "..####\n");
  EXPECT_EQ(maskOf(kernel, makeProblem(6, 3, {int64_t(0)})), "...\n" // positions -3, -2, ...
                                                             "#..\n"
                                                             "#..\n"
                                                             "###\n"
                                                             "###\n"
                                                             "..#\n");
}

TEST(Atoms, CongruentDifference) {
  Kernel kernel("%p = attn.congruent (query - key) mod(%m) attn.yield %p", "", ", %m: index"),
      range("%p = attn.congruent (query - key) mod(4) from(2) to(3) attn.yield %p");
  EXPECT_EQ(maskOf(kernel, makeProblem(5, 5, {int64_t(3)})), "#..#.\n"
                                                             ".#..#\n"
                                                             "..#..\n"
                                                             "#..#.\n"
                                                             ".#..#\n");
  EXPECT_EQ(maskOf(range, makeProblem(4, 6)), "#..##.\n"
                                              "##..##\n"
                                              ".##..#\n"
                                              "..##..\n");
}

TEST(Atoms, CongruentQueryAndKey) {
  Kernel query("%p = attn.congruent query mod(3) from(1) attn.yield %p"),
      key("%p = attn.congruent key mod(4) from(%a) to(%b) attn.yield %p", "", ", %a: index, %b: index");
  EXPECT_EQ(maskOf(query, makeProblem(5, 2)), "..\n" // positions -3, -2, ...
                                              "##\n"
                                              "..\n"
                                              "..\n"
                                              "##\n");
  EXPECT_EQ(maskOf(key, makeProblem(1, 9, {int64_t(2), int64_t(3)})), "..##..##.\n");
  EXPECT_EQ(maskOf(key, makeProblem(1, 9, {int64_t(3), int64_t(2)})), ".........\n");
  EXPECT_EQ(maskOf(key, makeProblem(1, 9, {int64_t(-5), int64_t(0)})), "#...#...#\n");
  EXPECT_EQ(maskOf(key, makeProblem(1, 9, {int64_t(3), int64_t(50)})), "...#...#.\n");
}

TEST(Atoms, CongruentHead) {
  Kernel kernel("%p = attn.congruent head mod(3) from(1) to(2) attn.yield %p");
  Problem problem = makeProblemOfHeads(4, 1, 1);
  for (auto [head, expected] : {std::pair(0, ".\n"), {1, "#\n"}, {2, "#\n"}, {3, ".\n"}})
    EXPECT_EQ(maskOf(kernel, problem, 0, head), expected);
}

TEST(Atoms, Range) {
  Kernel rows("%p = attn.range rows from(1) below(%n) attn.yield %p", "", ", %n: index"),
      columns("%p = attn.range columns below(%n) attn.yield %p", "", ", %n: index"),
      both("%p = attn.range both from(%n) attn.yield %p", "", ", %n: index");
  Problem problem = makeProblem(4, 4, {int64_t(3)});
  EXPECT_EQ(maskOf(rows, problem), "....\n####\n####\n....\n");
  EXPECT_EQ(maskOf(columns, problem), "###.\n###.\n###.\n###.\n");
  EXPECT_EQ(maskOf(both, problem), "...#\n...#\n...#\n####\n");
  problem.queryOffset = 1;
  problem.keyOffset = -1; // it is positions that are meant
  EXPECT_EQ(maskOf(rows, problem), "####\n####\n....\n....\n");
  EXPECT_EQ(maskOf(columns, problem), "####\n####\n####\n####\n");
  EXPECT_EQ(maskOf(both, problem), "....\n....\n####\n####\n");
}

TEST(Atoms, Heads) {
  Kernel some("%p = attn.heads from(1) below(%n) attn.yield %p", "", ", %n: index"),
      chosen("%p = attn.heads in %flags attn.yield %p", "", ", %flags: !attn.per_head");
  for (auto [head, expected] : {std::pair(0, ".\n"), {1, "#\n"}, {2, "#\n"}, {3, ".\n"}}) {
    EXPECT_EQ(maskOf(some, makeProblemOfHeads(4, 1, 1, {int64_t(3)}), 0, head), expected);
    EXPECT_EQ(maskOf(chosen, makeProblemOfHeads(4, 1, 1, {Table{{0, 1, -2, 0}}}), 0, head), expected);
  }
}

TEST(Atoms, Neighborhood) {
  Kernel kernel("%row, %column = attn.grid [6] %p = attn.neighborhood %size on %column attn.yield %p", "",
                ", %size: index");
  EXPECT_EQ(maskOf(kernel, makeProblem(6, 6, {int64_t(3)})), "###...\n"
                                                             "###...\n"
                                                             ".###..\n"
                                                             "..###.\n"
                                                             "...###\n"
                                                             "...###\n");
  EXPECT_EQ(maskOf(kernel, makeProblem(6, 6, {int64_t(4)})), "####..\n"
                                                             "####..\n"
                                                             "####..\n"
                                                             ".####.\n"
                                                             "..####\n"
                                                             "..####\n");
}

/// Two rows of the grid, of which the last is partial.
TEST(Atoms, NeighborhoodOfRows) {
  Kernel kernel("%row, %column = attn.grid [2] %p = attn.neighborhood %size on %row attn.yield %p", "",
                ", %size: index");
  EXPECT_EQ(maskOf(kernel, makeProblem(5, 5, {int64_t(1)})), "##...\n"
                                                             "##...\n"
                                                             "..##.\n"
                                                             "..##.\n"
                                                             "....#\n");
  EXPECT_EQ(maskOf(kernel, makeProblem(1, 5, {int64_t(2)})), "..###\n");
  EXPECT_EQ(maskOf(kernel, makeProblem(1, 5, {int64_t(4)})),
            "axis of the grid is 3; it has to be at least 4, the size of the neighborhood\n");
}

TEST(Atoms, BlockTable) {
  Kernel kernel("%p = attn.block_table %t block(%b) attn.yield %p", "", ", %t: !attn.blocks, %b: index");
  Blocks table{{2, 3, 2}, {1, -1, 2, 0, -1, -1, /*head 1*/ 0, 0, 1, 7, 2, 1}};
  Problem problem = makeProblemOfHeads(2, 7, 6, {table, int64_t(2)});
  problem.queryOffset = 0;
  EXPECT_EQ(maskOf(kernel, problem, 0, 0), "..##..\n"
                                           "..##..\n"
                                           "##..##\n"
                                           "##..##\n"
                                           "......\n"
                                           "......\n"
                                           "......\n"); // a block row that the table does not have
  EXPECT_EQ(maskOf(kernel, problem, 0, 1), "##....\n"
                                           "##....\n"
                                           "..##..\n"
                                           "..##..\n"
                                           "..####\n"
                                           "..####\n"
                                           "......\n");
}

TEST(Atoms, BlockTableOfBatchesAndSharedAxes) {
  Kernel kernel("%p = attn.block_table %t block(1) attn.yield %p", "", ", %t: !attn.blocks");
  auto mask = [&](Blocks table, int64_t batch, int64_t head) {
    Problem problem = makeProblemOfHeads(2, 1, 3, {std::move(table)});
    problem.batch = 2;
    problem.queryOffset = 0;
    return maskOf(kernel, problem, batch, head);
  };
  EXPECT_EQ(mask({{2, 2, 1, 1}, {0, 1, 2, 0}}, 0, 1), ".#.\n");
  EXPECT_EQ(mask({{2, 2, 1, 1}, {0, 1, 2, 0}}, 1, 0), "..#\n");
  EXPECT_EQ(mask({{2, 1, 1, 1}, {0, 2}}, 1, 1), "..#\n");
  EXPECT_EQ(mask({{1, 2, 1, 1}, {0, 2}}, 1, 1), "..#\n");
  EXPECT_EQ(mask({{1, 1, 1}, {1}}, 1, 1), ".#.\n");
}

/// Keys before position 0 are in block -1, which is what pads.
TEST(Atoms, PaddingOfABlockTableIsNoBlock) {
  Kernel kernel("%p = attn.block_table %t block(2) attn.yield %p", "", ", %t: !attn.blocks");
  Problem problem = makeProblem(1, 3, {Blocks{{1, 1, 2}, {-1, 0}}});
  problem.queryOffset = 0;
  problem.keyOffset = -2;
  EXPECT_EQ(maskOf(kernel, problem), "..#\n");
  problem.queryOffset = -1;
  EXPECT_EQ(maskOf(kernel, problem), "...\n");
}

TEST(Atoms, PerHeadBounds) {
  Kernel kernel("%l = attn.of_head %left %p = attn.window left(%l) right(0) attn.yield %p", "",
                ", %left: !attn.per_head");
  std::string none = "#..\n.#.\n..#\n", one = "#..\n##.\n.##\n", two = "#..\n##.\n###\n";
  Problem problem = makeProblemOfHeads(2, 3, 3, {Table{{1, 0}, {2, 1}}});
  problem.batch = 2;
  EXPECT_EQ(maskOf(kernel, problem, 0, 0), one);
  EXPECT_EQ(maskOf(kernel, problem, 0, 1), none);
  EXPECT_EQ(maskOf(kernel, problem, 1, 0), two);
  EXPECT_EQ(maskOf(kernel, problem, 1, 1), one);
  problem.arguments[3] = Table{{2, 0}}; // for all batches
  EXPECT_EQ(maskOf(kernel, problem, 1, 0), two);
  EXPECT_EQ(maskOf(kernel, problem, 1, 1), none);
  problem.arguments[3] = Table{{2}}; // for all heads
  EXPECT_EQ(maskOf(kernel, problem, 1, 1), two);
}

TEST(Atoms, PerBatchBounds) {
  Kernel kernel(R"(
    %n = attn.of_batch %prefix
    %one = arith.constant 1 : index
    %end = arith.addi %n, %one : index
    %p = attn.range columns below(%end)
    attn.yield %p)",
                "", ", %prefix: !attn.lengths");
  Problem problem = makeProblem(1, 4, {Table{{1}, {2}}});
  problem.batch = 2;
  EXPECT_EQ(maskOf(kernel, problem, 0), "##..\n");
  EXPECT_EQ(maskOf(kernel, problem, 1), "###.\n");
}

TEST(Atoms, ExtentsAreNumbersOfPositions) {
  auto mask = [](const std::string &kind) {
    Kernel kernel("%n = attn.extent " + kind + " %p = attn.range columns below(%n) attn.yield %p");
    Problem problem = makeProblemOfHeads(3, 2, 5);
    problem.queryOffset = 4; // positions 4 and 5
    problem.keyOffset = 2;   // positions 2 ... 6
    return maskOf(kernel, problem).substr(0, 5);
  };
  EXPECT_EQ(mask("queries"), "####.");
  EXPECT_EQ(mask("keys"), "#####");
  EXPECT_EQ(mask("heads"), "#....");
}

TEST(Atoms, BoundsBelowTheirLeastAreErrors) {
  auto errorOf = [](const std::string &pattern, Argument argument) {
    bool isTable = std::holds_alternative<Table>(argument);
    Kernel kernel(pattern + " attn.yield %p", "", isTable ? ", %x: !attn.per_head" : ", %x: index");
    return maskOf(kernel, makeProblemOfHeads(2, 2, 2, {std::move(argument)}));
  };
  EXPECT_EQ(errorOf("%p = attn.window left(1) dilation(%x)", int64_t(0)), "dilation is 0; it has to be at least 1\n");
  EXPECT_EQ(errorOf("%y = attn.of_head %x %p = attn.window left(1) dilation(%y)", Table{{2, -3}}),
            "dilation is -3; it has to be at least 1\n");
  EXPECT_EQ(errorOf("%p = attn.block_local 2 before(%x)", int64_t(-1)), "before is -1; it has to be at least 0\n");
  EXPECT_EQ(errorOf("%p = attn.block_local 2 after(%x)", int64_t(-1)), "after is -1; it has to be at least 0\n");
  EXPECT_EQ(errorOf("%p = attn.congruent key mod(%x)", int64_t(0)), "modulus is 0; it has to be at least 1\n");
  EXPECT_EQ(errorOf("%r, %c = attn.grid [4] %p = attn.neighborhood %x on %c", int64_t(0)),
            "neighborhood is 0; it has to be at least 1\n");
  EXPECT_EQ(errorOf("%r, %c = attn.grid [%x] %a = attn.causal on %r %b = attn.causal on %c %p = attn.union %a, %b",
                    int64_t(0)),
            "size of the grid is 0; it has to be at least 1\n"); // once for both axes
  EXPECT_EQ(errorOf("%r, %c = attn.grid [4] %o = attn.raster %r, %c blocks [2, %x] %p = attn.causal on %o", int64_t(0)),
            "block is 0; it has to be at least 1\n");
  EXPECT_EQ(errorOf("%s, %t = attn.stream [%x] %p = attn.causal on %s", int64_t(-1)),
            "size of the stream is -1; it has to be at least 0\n");
}

TEST(Atoms, DataThatDoNotFitAreErrors) {
  auto errorOf = [](const std::string &pattern, const std::string &type, Argument argument) {
    Kernel kernel(pattern + " attn.yield %p", "", ", %x: " + type);
    Problem problem = makeProblemOfHeads(2, 2, 2, {std::move(argument)});
    problem.batch = 3;
    return maskOf(kernel, problem);
  };
  std::string heads = "%p = attn.heads in %x", bound = "%n = attn.of_batch %x %p = attn.window left(%n)",
              blocks = "%p = attn.block_table %x block(2)";
  EXPECT_EQ(errorOf(heads, "!attn.per_head", Table{{1, 2, 3}}),
            "the reference was given 3 numbers for batch 0; there have to be 2\n");
  EXPECT_EQ(errorOf(bound, "!attn.lengths", Table{{1}, {2}}),
            "the reference was given 0 numbers for batch 2; there have to be 1\n");
  EXPECT_EQ(errorOf(blocks, "!attn.blocks", Table{{1}}),
            "the reference was given no blocks for argument 3 of type '!attn.blocks'\n");
  EXPECT_EQ(errorOf(blocks, "!attn.blocks", Blocks{{2, 2, 1}, {1, 2, 3}}),
            "the reference was given 3 entries for a shape of 4\n");
  for (std::vector<int64_t> shape : {std::vector<int64_t>{3, 1, 1}, {2, 2, 1, 1}, {2, 2}})
    EXPECT_EQ(errorOf(blocks, "!attn.blocks", Blocks{shape, std::vector<int32_t>(shape.size() == 3 ? 3 : 4)}),
              "the reference was given blocks of shape [" +
                  llvm::join(llvm::map_range(shape, [](int64_t n) { return std::to_string(n); }), ", ") +
                  "]; it has to be [2, block rows, size] or [3, 2, block rows, size]\n");
}
