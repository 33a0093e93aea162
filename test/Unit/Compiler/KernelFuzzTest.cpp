// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random compositions as pattern files, compiled for a random instruction set of this machine and run on random data
// in guarded memory; the reference judges.

#include "../Pattern/RandomPatterns.h"
#include "TestKernel.h"
#include "gtest/gtest.h"
#include <cmath>
#include <cstdio>

using namespace attn;

namespace {

/// Writes a Tree as the body of an attn.pattern.
class PatternWriter {
public:
  static std::string write(const Tree &tree) {
    PatternWriter writer;
    std::string result = writer.value(tree);
    return "attn.pattern @fuzz(%l: index = 9, %r: index = 3, %b: index = 16, %t0: !attn.tokens = [0, 40, 7], "
           "%t1: !attn.tokens, %s2: !attn.segments, %s3: !attn.segments, %n: !attn.lengths) {\n" +
           writer.body + "  attn.yield " + result + "\n}\n";
  }

private:
  std::string op(const std::string &text) {
    std::string name = "%" + std::to_string(count++);
    body += "  " + name + " = attn." + text + "\n";
    return name;
  }

  static std::string bound(const Bound &bound) {
    return bound.symbol ? "%" + bound.text() : std::to_string(bound.literal);
  }

  std::string value(const Tree &tree) {
    std::string number = std::to_string(tree.index), members;
    switch (tree.kind) {
    case Tree::Full:
      return op("full");
    case Tree::Empty:
      return op("empty");
    case Tree::Window:
      return op("window" + (tree.left ? " left(" + bound(*tree.left) + ")" : "") +
                (tree.right ? " right(" + bound(*tree.right) + ")" : ""));
    case Tree::Causal:
      return op("causal");
    case Tree::TopLeft:
      return op("causal top_left");
    case Tree::BlockLocal:
      return op("block_local " + bound(*tree.left));
    case Tree::Padded:
      return op("padded %n");
    case Tree::Rows:
      return op("global rows %t" + number);
    case Tree::Columns:
      return op("global columns %t" + number);
    case Tree::Segments:
      return op("segments %s" + number);
    case Tree::Where:
      return op(tree.index == 0 ? whereOnDistance : whereOnHeads);
    case Tree::Complement: {
      std::string all = op("full"), member = value(tree.members[0]);
      return op("minus " + all + ", " + member);
    }
    default:
      for (const Tree &member : tree.members)
        members += (members.empty() ? " " : ", ") + value(member);
      return op((tree.kind == Tree::Union ? "union" : tree.kind == Tree::Minus ? "minus" : "intersect") + members);
    }
  }

  static constexpr const char *whereOnDistance = R"(where (%wb, %wh, %wi, %wj) {
    %sum = arith.addi %wi, %wj : index
    %three = arith.constant 3 : index
    %zero = arith.constant 0 : index
    %rest = arith.remsi %sum, %three : index
    %is = arith.cmpi ne, %rest, %zero : index
    attn.yield %is : i1
  })";
  static constexpr const char *whereOnHeads = R"(where (%wb, %wh, %wi, %wj) {
    %both = arith.addi %wb, %wh : index
    %far = arith.addi %wi, %both : index
    %is = arith.cmpi sle, %wj, %far : index
    attn.yield %is : i1
  })";

  std::string body;
  unsigned count = 0;
};

/// ALiBi, and a soft cap.
constexpr const char *scores = R"(
attn.score @slope(%slope: f32 = 0.0625) (%s, %b, %h, %i, %j) {
  %d = arith.subi %j, %i : index
  %w = arith.index_cast %d : index to i32
  %f = arith.sitofp %w : i32 to f32
  %t = arith.mulf %f, %slope : f32
  %r = arith.addf %s, %t : f32
  attn.yield %r : f32
}
attn.score @cap(%cap: f32 = 2.5) (%s, %b, %h, %i, %j) {
  %part = arith.divf %s, %cap : f32
  %bent = math.tanh %part : f32
  %capped = arith.mulf %bent, %cap : f32
  attn.yield %capped : f32
}
)";

/// Everything that the compiler is given, from a seed.
struct RandomKernel {
  explicit RandomKernel(Dice &dice) {
    text = PatternWriter::write(randomTree(dice, dice.in(2, 4)));
    if (dice.chance(40)) {
      text += scores;
      options.score = dice.chance(60) ? "slope" : "cap";
    }
    options.headSize = dice.pick({8, 16, 24, 5});
    options.valueHeadSize = dice.pick({0, 0, 8, 16, 20});
    options.tileRows = dice.pick({0, 8, 16, 128});
    options.tileKeys = dice.pick({0, 32, 64, 96});
    std::vector<std::string> isas = TestKernel::isasOfHost();
    options.isas = {isas[dice.in(0, isas.size() - 1)]};
  }

  std::string describe() const {
    return text + "isa " + options.isas.front() + ", head size " + std::to_string(options.headSize) + "/" +
           std::to_string(options.valueHeadSize) + ", tile " + std::to_string(options.tileRows) + "x" +
           std::to_string(options.tileKeys) + ", score '" + options.score + "'";
  }

  std::string text;
  CompileOptions options;
};

} // namespace

static CallShape randomShape(Dice &dice) {
  CallShape shape;
  shape.batch = dice.in(1, 2);
  shape.heads = dice.in(1, 2);
  shape.kvHeads = shape.heads == 2 && dice.chance(30) ? 2 : 1;
  shape.length = dice.chance(20) ? dice.pick<int64_t>({8, 64, 65, 128}) : dice.in(8, 150);
  shape.kvLength = dice.chance(40) ? shape.length : dice.chance(10) ? dice.in(0, 2) : dice.in(0, 150);
  if (dice.chance(40))
    shape.keyOffset = dice.in(-30, 30);
  if (dice.chance(40))
    shape.queryOffset = dice.in(-40, 120);
  shape.layout = dice.pick({Layout::HeadsFirst, Layout::RowsFirst, Layout::Gaps});
  return shape;
}

/// Runs one call; returns what is wrong.
static std::string faultOf(TestCall &call, int32_t threads, double &worst) {
  if (int status = call.run(threads); status != ATTN_OK)
    return attn_error_string(status);
  if (std::string fault = call.memoryFault(); !fault.empty())
    return fault;
  auto [verdict, rows] = call.judgeRows();
  // The rule measures with eager attention's largest error, and that of a few numbers may be 0 by chance: such a call
  // is asked for its -inf and NaN only, which make the ratio infinite.
  if (rows < 8)
    return std::isfinite(verdict.errorRatio) ? "" : "-inf or NaN in another place";
  worst = std::max(worst, verdict.errorRatio);
  if (verdict.errorRatio <= 1)
    return "";
  return "error ratio " + std::to_string(verdict.errorRatio) + ", of lse " + std::to_string(verdict.lseErrorRatio) +
         ", " + std::to_string(rows) + " rows with keys";
}

TEST(KernelFuzz, AgreesWithTheReference) {
  constexpr int calls = 6;
  const uint64_t first = firstFuzzSeed(), count = (fuzzCount() + 499) / 500;
  double worst = 0;
  uint64_t failures = 0;
  for (uint64_t seed = first; seed < first + count && failures < 5; ++seed) {
    Dice dice(seed);
    RandomKernel random(dice);
    TestKernel kernel(random.text, random.options);
    std::string fault = kernel.error;
    std::string where;
    for (int c = 0; c < calls && fault.empty(); ++c) {
      TestCall call(kernel, randomShape(dice), dice.bits());
      fault = faultOf(call, dice.in(1, 3), worst);
      where = call.text();
    }
    if (fault.empty())
      continue;
    ++failures;
    ADD_FAILURE() << fault << "; ATTN_FUZZ_SEED=" << seed << " ATTN_FUZZ_COUNT=1: " << where << "\n"
                  << random.describe();
  }
  std::printf("KernelFuzz: %llu kernels, %d calls each; the largest error is %.3f of what is allowed\n",
              static_cast<unsigned long long>(count), calls, worst);
}
