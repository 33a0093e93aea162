// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random compositions as pattern files, compiled for a random instruction set of this machine and run on random data
// in guarded memory; the reference judges. A file holds several of them, since every object holds the runtime too,
// which takes as long to compile as a kernel.

#include "../Pattern/RandomPatterns.h"
#include "TestKernel.h"
#include "llvm/ADT/StringExtras.h"
#include "gtest/gtest.h"
#include <cmath>
#include <cstdio>

using namespace attn;

namespace {

/// Writes a Tree as the body of an attn.pattern.
class PatternWriter {
public:
  static std::string write(const Tree &tree, const std::string &name) {
    PatternWriter writer;
    std::string result = writer.value(tree);
    return "attn.pattern @" + name +
           "(%l: index = 9, %r: !attn.per_head = [3], %b: index = 16, %f: !attn.per_head, "
           "%t0: !attn.tokens = [0, 40, 7], %t1: !attn.tokens, %s2: !attn.segments, %s3: !attn.segments, "
           "%t4: !attn.blocks, %n: !attn.lengths) {\n" +
           writer.body + "  attn.yield " + result + "\n}\n";
  }

private:
  std::string op(const std::string &text) {
    std::string name = "%" + std::to_string(count++);
    body += "  " + name + " = " + text + "\n";
    return name;
  }
  std::string atom(const std::string &text) { return op("attn." + text); }

  /// A literal or a value: windows to the right and flags differ by head, a padding by batch.
  std::string bound(const Bound &bound) {
    if (bound.isFromEnd) {
      std::string end = atom("extent keys"), back = op("arith.constant " + std::to_string(bound.literal) + " : index");
      return op("arith.subi " + end + ", " + back + " : index");
    }
    switch (bound.symbol) {
    case 0:
      return std::to_string(bound.literal);
    case RightSymbol:
      return atom("of_head %r");
    case PaddingSymbol:
      return atom("of_batch %n");
    case FlagSymbol:
    case Head: // no op gives it
      return atom("of_head %f");
    default:
      return "%" + bound.text();
    }
  }

  std::string inBrackets(const std::vector<Bound> &bounds) {
    std::string text;
    for (const Bound &each : bounds)
      text += (text.empty() ? "" : ", ") + bound(each);
    return "[" + text + "]";
  }

  /// `left(3)` for a bound that there is.
  std::string optional(const std::string &word, const std::optional<Bound> &value) {
    return value ? " " + word + "(" + bound(*value) + ")" : "";
  }

  /// An op with one result more than it has sizes; the names of the results.
  std::vector<std::string> severalOf(const std::string &text, size_t number) {
    std::string names;
    std::vector<std::string> results;
    for (size_t i = 0; i < number; ++i) {
      results.push_back("%" + std::to_string(count++));
      names += (i ? ", " : "") + results.back();
    }
    body += "  " + names + " = attn." + text + "\n";
    return results;
  }

  /// ` on %coordinate`.
  std::string on(const Place &place) {
    if (place.kind == Place::Position)
      return "";
    if (place.kind == Place::Offset)
      return " on " + atom("offset %s" + std::to_string(place.index));
    std::string sizes = inBrackets(place.sizes);
    std::vector<std::string> parts =
        severalOf((place.kind == Place::Stream ? "stream " : "grid ") + sizes, place.sizes.size() + 1);
    if (place.kind != Place::Raster)
      return " on " + parts[place.index];
    std::string axes, blocks = inBrackets(place.blocks);
    for (const std::string &part : parts)
      axes += (axes.empty() ? "" : ", ") + part;
    return " on " + atom("raster " + axes + " blocks " + blocks);
  }

  std::string congruent(const Tree &tree) {
    const char *dividends[] = {"(query - key)", "query", "key", "head"};
    std::string modulus = " mod(" + bound(*tree.size) + ")";
    std::string from = optional("from", tree.left), to = optional("to", tree.right), place = on(tree.place);
    return atom(std::string("congruent ") + dividends[static_cast<unsigned>(tree.dividend)] + modulus + from + to +
                place);
  }

  /// A range of positions or of heads; everything where it has no bound.
  std::string range(const Tree &tree) {
    if (!tree.left && !tree.right)
      return atom("full");
    std::string from = optional("from", tree.left), below = optional("below", tree.right);
    const char *what = tree.kind == Tree::RowRange      ? "range rows"
                       : tree.kind == Tree::ColumnRange ? "range columns"
                                                        : "heads";
    return atom(what + from + below);
  }

  std::string value(const Tree &tree) {
    std::string number = std::to_string(tree.index), members;
    switch (tree.kind) {
    case Tree::Full:
      return atom("full");
    case Tree::Empty:
      return atom("empty");
    case Tree::Window: {
      std::string left = optional("left", tree.left), right = optional("right", tree.right);
      std::string dilation = optional("dilation", tree.size), place = on(tree.place);
      return atom("window" + left + right + dilation + place);
    }
    case Tree::Causal: {
      std::string place = on(tree.place);
      return atom("causal" + place);
    }
    case Tree::TopLeft:
      return atom("causal top_left");
    case Tree::BlockLocal: {
      std::string size = bound(*tree.size), before = optional("before", tree.left),
                  after = optional("after", tree.right);
      std::string place = on(tree.place);
      return atom("block_local " + size + before + after + place);
    }
    case Tree::Neighborhood: {
      std::string size = bound(*tree.size), place = on(tree.place);
      return atom("neighborhood " + size + place);
    }
    case Tree::Congruent:
      return congruent(tree);
    case Tree::RowRange:
    case Tree::ColumnRange:
    case Tree::HeadRange:
      return range(tree);
    case Tree::HeadFlag:
      return atom("heads in %f");
    case Tree::BlockTable: {
      std::string size = bound(*tree.size);
      return atom("block_table %t" + number + " block(" + size + ")");
    }
    case Tree::Padded:
      return atom("padded %n");
    case Tree::Rows:
      return atom("global rows %t" + number);
    case Tree::Columns:
      return atom("global columns %t" + number);
    case Tree::Segments:
      return atom("segments %s" + number);
    case Tree::Where:
      return atom(tree.index == 0 ? whereOnDistance : whereOnHeads);
    case Tree::Complement: {
      std::string all = atom("full"), member = value(tree.members[0]);
      return atom("minus " + all + ", " + member);
    }
    default:
      for (const Tree &member : tree.members)
        members += (members.empty() ? " " : ", ") + value(member);
      return atom((tree.kind == Tree::Union ? "union" : tree.kind == Tree::Minus ? "minus" : "intersect") + members);
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

/// Scores of all that a score region may read. `near` and `far` differ in what their terms depend on: the first has
/// bands and numbers for rows, keys and distances, the second terms of pairs.
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
attn.score @read(%bias: !attn.array<[batch, heads, queries, keys]>, %rows: !attn.array<[queries]>,
                 %columns: !attn.array<[keys, 3]>, %far: !attn.array<[heads, ?]>, %sinks: !attn.array<[heads, queries]>)
    (%s, %b, %h, %i, %j) {
  %d = arith.subi %j, %i : index
  %two = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %none = arith.constant 0xFF800000 : f32
  %1 = attn.load %bias[%b, %h, %i, %j] : !attn.array<[batch, heads, queries, keys]>
  %2 = attn.load %rows[%i] : !attn.array<[queries]>
  %3 = attn.load %columns[%j, %two] : !attn.array<[keys, 3]>
  %4 = attn.load %far[%h, %d] clamped : !attn.array<[heads, ?]>
  %5 = arith.addf %s, %1 : f32
  %6 = arith.addf %5, %2 : f32
  %7 = arith.addf %6, %3 : f32
  %8 = arith.addf %7, %4 : f32
  %is = arith.cmpf ogt, %3, %zero : f32
  %9 = arith.select %is, %8, %none : f32
  attn.yield %9 : f32
} sink (%b, %h, %i) {
  %logit = attn.load %sinks[%h, %i] : !attn.array<[heads, queries]>
  attn.yield %logit : f32
}
attn.score @near(%e: !attn.array<[?, head_size]>, %u: !attn.array<[heads, head_size]>, %w: !attn.array<[queries]>)
    (%s, %b, %h, %i, %j) {
  %d = arith.subi %i, %j : index
  %five = arith.constant 5 : index
  %p = arith.addi %d, %five : index
  %scale = attn.scale
  %1 = attn.query_dot %e[%p] clamped : !attn.array<[?, head_size]>
  %2 = attn.query_dot %e[%d] clamped : !attn.array<[?, head_size]>
  %3 = attn.key_dot %u[%h] : !attn.array<[heads, head_size]>
  %4 = attn.row_dot %u[%h], %e[%p] clamped : !attn.array<[heads, head_size]>, !attn.array<[?, head_size]>
  %5 = attn.query_dot %u[%h] : !attn.array<[heads, head_size]>
  %6 = attn.load %w[%i] : !attn.array<[queries]>
  %7 = arith.mulf %5, %6 : f32
  %8 = arith.mulf %7, %scale : f32
  %9 = arith.addf %s, %1 : f32
  %10 = arith.subf %9, %2 : f32
  %11 = arith.addf %10, %3 : f32
  %12 = arith.addf %11, %4 : f32
  %13 = arith.addf %12, %8 : f32
  attn.yield %13 : f32
} sink (%b, %h, %i) {
  %logit = attn.query_dot %u[%h] : !attn.array<[heads, head_size]>
  attn.yield %logit : f32
}
attn.score @far(%e: !attn.array<[?, head_size]>, %m: !attn.array<[heads, heads]>) (%s, %b, %h, %i, %j) {
  %d = arith.subi %i, %j : index
  %sum = arith.addi %i, %j : index
  %1 = attn.query_dot %e[%sum] clamped : !attn.array<[?, head_size]>
  %2 = attn.key_dot %e[%d] clamped : !attn.array<[?, head_size]>
  %3 = attn.row_dot %e[%i], %e[%j] clamped : !attn.array<[?, head_size]>, !attn.array<[?, head_size]>
  %4 = attn.mixed_dot %m[%h] : !attn.array<[heads, heads]>
  %5 = arith.addf %1, %2 : f32
  %6 = arith.addf %5, %3 : f32
  %7 = arith.addf %6, %4 : f32
  attn.yield %7 : f32
}
)";

/// Everything that the compiler is given, from a seed.
struct RandomKernels {
  static constexpr int count = 8;

  explicit RandomKernels(Dice &dice) {
    Atoms atoms = dice.chance(60) ? Atoms::All : Atoms::Plain;
    for (int n = 0; n < count; ++n) {
      Tree tree = randomTree(dice, dice.in(2, atoms == Atoms::All ? 3 : 4), atoms);
      patterns.push_back(PatternWriter::write(tree, "fuzz" + std::to_string(n)));
    }
    if (dice.chance(60))
      options.score = dice.pick({"slope", "cap", "read", "read", "near", "near", "far"});
    options.element = dice.pick({"f32", "f32", "bf16", "f16"});
    options.headSize = dice.pick({8, 16, 24, 5});
    options.valueHeadSize = dice.pick({0, 0, 8, 16, 20});
    options.tileRows = dice.pick({0, 8, 16, 128});
    options.tileKeys = dice.pick({0, 2, 4, 5}) * (options.element == "bf16" ? 32 : 16);
    std::vector<std::string> isas = TestKernel::isasOfHost();
    options.isas = {isas[dice.in(0, isas.size() - 1)]};
  }

  /// A file of some of the patterns.
  std::string text(llvm::ArrayRef<std::string> some) const {
    return llvm::join(some, "") + (options.score.empty() ? "" : scores);
  }

  std::string describe(const std::string &pattern) const {
    return pattern + options.element + ", isa " + options.isas.front() + ", head size " +
           std::to_string(options.headSize) + "/" + std::to_string(options.valueHeadSize) + ", tile " +
           std::to_string(options.tileRows) + "x" + std::to_string(options.tileKeys) + ", score '" + options.score +
           "'";
  }

  std::vector<std::string> patterns;
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
  int status = call.run(threads);
  // A grid that is narrower than a neighborhood, or a block past the last one: the dice know no better.
  if (status == ATTN_ERROR_REQUIREMENT || status == ATTN_ERROR_BLOCKS)
    return call.areOutputsUntouched() ? "" : "a refused call changed its outputs";
  if (status != ATTN_OK)
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

namespace {

/// The kernels of some of the seeds, and what became of them: processes that run at a time take some seeds each.
class KernelFuzz : public testing::TestWithParam<uint64_t> {
public:
  static constexpr uint64_t parts = 4;

protected:
  static constexpr int calls = 6;

  void runSeed(uint64_t seed) {
    Dice dice(seed);
    RandomKernels random(dice);
    TestKernel all(random.text(random.patterns), random.options);
    if (!isOfWrongSize(all))
      return runKernels(seed, dice, random, random.patterns, all);
    for (const std::string &pattern : random.patterns) {
      TestKernel alone(random.text(pattern), random.options);
      if (!isOfWrongSize(alone))
        runKernels(seed, dice, random, pattern, alone);
    }
  }

  uint64_t kernels = 0, failures = 0;
  double worst = 0;

private:
  /// Whether a grid is narrower than a neighborhood, said when it is compiled: the dice know no better.
  static bool isOfWrongSize(const TestKernel &kernel) {
    return llvm::StringRef(kernel.error).contains("of the neighborhood");
  }

  void runKernels(uint64_t seed, Dice &dice, const RandomKernels &random, llvm::ArrayRef<std::string> patterns,
                  TestKernel &kernel) {
    if (!kernel.error.empty())
      return fail(seed, kernel.error, random.describe(random.text(patterns)));
    for (size_t n = 0; n < kernel.count(); ++n, ++kernels) {
      kernel.choose(n);
      std::string fault;
      for (int c = 0; c < calls && fault.empty(); ++c) {
        TestCall call(kernel, randomShape(dice), dice.bits());
        fault = faultOf(call, dice.in(1, 3), worst);
        if (!fault.empty())
          fail(seed, fault + ": " + call.text(), random.describe(patterns[n]));
      }
    }
  }

  void fail(uint64_t seed, const std::string &fault, const std::string &kernel) {
    ++failures;
    ADD_FAILURE() << "ATTN_FUZZ_SEED=" << seed << " ATTN_FUZZ_COUNT=1: " << fault << "\n" << kernel;
  }
};

} // namespace

/// How many files are compiled: 200 kernels, or 2,000 where all tests are asked for.
static uint64_t fileCount() {
  uint64_t perFile = isFullCheck() ? 400 : 4000;
  return (fuzzCount() + perFile - 1) / perFile;
}

INSTANTIATE_TEST_SUITE_P(Parts, KernelFuzz, testing::Range(uint64_t(0), KernelFuzz::parts));

TEST_P(KernelFuzz, AgreesWithTheReference) {
  const uint64_t first = firstFuzzSeed(), end = first + fileCount();
  for (uint64_t seed = first + GetParam(); seed < end && failures < 5; seed += parts)
    runSeed(seed);
  std::printf("KernelFuzz: %llu kernels, %d calls each; the largest error is %.3f of what is allowed\n",
              static_cast<unsigned long long>(kernels), calls, worst);
}
