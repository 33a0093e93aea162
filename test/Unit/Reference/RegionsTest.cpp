// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Evaluates ops of regions one by one, at values where their definitions differ.

#include "Kernel.h"
#include "attn/Reference/RegionProgram.h"
#include <cmath>

using namespace attn;
using namespace attn::reference;

static constexpr double infinity = std::numeric_limits<double>::infinity();
static const double notANumber = std::nan("");

/// A score region's value at score 2.5, batch 1, head 2, query position -7, key position 3. `%w` is a parameter of 5.
static double evaluateBody(const std::string &body, bool roundToFloat = false, double score = 2.5) {
  Kernel kernel("%p = attn.full attn.yield %p", body + "\nattn.yield %r : f32", ", %w: index");
  if (!kernel.op)
    return notANumber;
  Problem problem = makeProblem(1, 1, {int64_t(5)});
  double value = RegionProgram(kernel.op.getScore(), problem, roundToFloat).run({score, 1, 2, -7, 3});
  EXPECT_EQ(kernel.errors, "") << body;
  return value;
}

namespace {
/// One op on constants of floating-point type.
struct FloatCase {
  const char *op;
  std::vector<double> operands;
  double expected;
};
} // namespace

static std::string constant(const std::string &name, double value) {
  uint64_t bits = llvm::bit_cast<uint64_t>(value);
  return name + " = arith.constant 0x" + llvm::utohexstr(bits, false, 16) + " : f64\n";
}

static double evaluateFloat(const FloatCase &test) {
  const char *names[] = {"%x", "%y", "%z"};
  std::string body, operands;
  for (size_t index = 0; index < test.operands.size(); ++index) {
    body += constant(names[index], test.operands[index]);
    operands += (index ? ", " : "") + std::string(names[index]);
  }
  return evaluateBody(body + "%u = " + test.op + " " + operands + " : f64\n%r = arith.truncf %u : f64 to f32");
}

TEST(Regions, FloatOps) {
  const FloatCase cases[] = {
      {"arith.addf", {1.5, 2}, 3.5},
      {"arith.subf", {1.5, 2}, -0.5},
      {"arith.mulf", {1.5, 2}, 3},
      {"arith.divf", {1.5, 2}, 0.75},
      {"arith.divf", {1, 0}, infinity},
      {"arith.remf", {-7.5, 2}, -1.5},
      {"arith.negf", {1.5}, -1.5},
      {"arith.maximumf", {1, 2}, 2},
      {"arith.maximumf", {1, notANumber}, notANumber},
      {"arith.maximumf", {-0.0, 0.0}, 0.0},
      {"arith.minimumf", {1, 2}, 1},
      {"arith.minimumf", {notANumber, 1}, notANumber},
      {"arith.minimumf", {0.0, -0.0}, -0.0},
      {"arith.maxnumf", {1, notANumber}, 1},
      {"arith.minnumf", {notANumber, 1}, 1},
      {"math.absf", {-1.5}, 1.5},
      {"math.acos", {0.5}, 1.0471975511965979},
      {"math.acosh", {2}, 1.3169578969248166},
      {"math.asin", {0.5}, 0.5235987755982989},
      {"math.asinh", {0.5}, 0.48121182505960347},
      {"math.atan", {1}, 0.7853981633974483},
      {"math.atan2", {1, -1}, 2.356194490192345},
      {"math.atanh", {0.5}, 0.5493061443340549},
      {"math.cbrt", {-27}, -3},
      {"math.ceil", {-1.5}, -1},
      {"math.copysign", {1.5, -0.0}, -1.5},
      {"math.cos", {1}, 0.5403023058681398},
      {"math.cosh", {1}, 1.5430806348152437},
      {"math.erf", {0.5}, 0.5204998778130465},
      {"math.erfc", {0.5}, 0.4795001221869535},
      {"math.exp", {1}, 2.718281828459045},
      {"math.exp", {-infinity}, 0},
      {"math.exp2", {0.5}, 1.4142135623730951},
      {"math.expm1", {1e-10}, 1.00000000005e-10},
      {"math.floor", {-1.5}, -2},
      {"math.fma", {2, 3, 4}, 10},
      {"math.log", {2}, 0.6931471805599453},
      {"math.log10", {1000}, 3},
      {"math.log1p", {1e-10}, 9.9999999995e-11},
      {"math.log2", {8}, 3},
      {"math.powf", {2, -0.5}, 0.7071067811865476},
      {"math.round", {2.5}, 3},
      {"math.round", {-2.5}, -3},
      {"math.roundeven", {2.5}, 2},
      {"math.roundeven", {3.5}, 4},
      {"math.rsqrt", {16}, 0.25},
      {"math.sin", {1}, 0.8414709848078965},
      {"math.sinh", {1}, 1.1752011936438014},
      {"math.sqrt", {2}, 1.4142135623730951},
      {"math.sqrt", {-1}, notANumber},
      {"math.tan", {1}, 1.5574077246549023},
      {"math.tanh", {0.5}, 0.46211715726000973},
      {"math.trunc", {-1.5}, -1},
  };
  for (const FloatCase &test : cases) {
    double value = evaluateFloat(test);
    if (std::isnan(test.expected)) {
      EXPECT_TRUE(std::isnan(value)) << test.op;
      continue;
    }
    EXPECT_DOUBLE_EQ(value, test.expected) << test.op;
    EXPECT_EQ(std::signbit(value), std::signbit(test.expected)) << test.op;
  }
  EXPECT_EQ(evaluateBody(constant("%x", 7) + constant("%l", -1) + constant("%u", 2) +
                         "%c = math.clampf %x to [%l, %u] : f64 %r = arith.truncf %c : f64 to f32"),
            2);
}

namespace {
/// One op on constants of an integer type, its result read as a signed number.
struct IntegerCase {
  const char *op;
  const char *type;
  std::vector<int64_t> operands;
  int64_t expected;
};
} // namespace

TEST(Regions, IntegerOps) {
  constexpr int64_t lowest = std::numeric_limits<int64_t>::min();
  const IntegerCase cases[] = {
      {"arith.addi", "i64", {3, -5}, -2},
      {"arith.addi", "i8", {127, 1}, -128}, // wraps at its width
      {"arith.addi", "i32", {2147483647, 1}, -2147483648},
      {"arith.addi", "index", {lowest, -1}, std::numeric_limits<int64_t>::max()},
      {"arith.subi", "index", {3, 5}, -2},
      {"arith.muli", "index", {-3, 5}, -15},
      {"arith.muli", "i16", {256, 256}, 0},
      {"arith.divsi", "index", {-7, 2}, -3},
      {"arith.divsi", "index", {1, 0}, 0}, // undefined, but no trap
      {"arith.divsi", "i64", {lowest, -1}, lowest},
      {"arith.remsi", "i64", {lowest, -1}, 0},
      {"arith.floordivsi", "index", {-7, 2}, -4},
      {"arith.floordivsi", "index", {7, -2}, -4},
      {"arith.floordivsi", "index", {-6, 2}, -3},
      {"arith.floordivsi", "index", {7, 2}, 3},
      {"arith.ceildivsi", "index", {-7, 2}, -3},
      {"arith.ceildivsi", "index", {7, 2}, 4},
      {"arith.ceildivsi", "index", {-7, -2}, 4},
      {"arith.ceildivsi", "index", {6, 2}, 3},
      {"arith.divui", "i8", {-2, 3}, 84}, // 254 / 3
      {"arith.remui", "i8", {-2, 3}, 2},
      {"arith.ceildivui", "i8", {-2, 4}, 64},
      {"arith.remsi", "index", {-7, 3}, -1},
      {"arith.maxsi", "i8", {-2, 3}, 3},
      {"arith.minsi", "i8", {-2, 3}, -2},
      {"arith.maxui", "i8", {-2, 3}, -2},
      {"arith.minui", "i8", {-2, 3}, 3},
      {"arith.andi", "i32", {12, 10}, 8},
      {"arith.ori", "i32", {12, 10}, 14},
      {"arith.xori", "i32", {12, -1}, -13},
      {"arith.shli", "i32", {1, 31}, -2147483648},
      {"arith.shli", "i32", {1, 40}, 0},
      {"arith.shrsi", "i32", {-8, 1}, -4},
      {"arith.shrui", "i32", {-8, 1}, 2147483644},
      {"math.absi", "i32", {-8}, 8},
      {"math.ctpop", "i8", {-1}, 8},
      {"math.ipowi", "i64", {-3, 3}, -27},
      {"math.ipowi", "i64", {-1, -3}, -1},
      {"math.ipowi", "i64", {2, -1}, 0},
  };
  for (const IntegerCase &test : cases) {
    std::string body, operands, type = test.type;
    for (size_t index = 0; index < test.operands.size(); ++index) {
      body += "%x" + std::to_string(index) + " = arith.constant " + std::to_string(test.operands[index]) + " : " +
              type + "\n";
      operands += (index ? ", %x" : "%x") + std::to_string(index);
    }
    body += "%u = " + std::string(test.op) + " " + operands + " : " + type + "\n";
    if (type == "index")
      body += "%n = arith.index_cast %u : index to i64\n";
    body += "%r = arith.sitofp " + std::string(type == "index" ? "%n : i64" : "%u : " + type) + " to f32";
    EXPECT_EQ(evaluateBody(body), static_cast<double>(test.expected)) << body;
  }
}

/// The value of an i1, as 1 or 0.
static double evaluateTest(const std::string &body) {
  return evaluateBody(body + "\n%r = arith.uitofp %t : i1 to f32");
}

TEST(Regions, IntegerComparisons) {
  std::string names[] = {"eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge"};
  std::string smaller = "0111000011", equal = "1001010101", larger = "0100111100"; // -1 to 2, 2 to 2, 2 to -1
  for (auto [x, y, expected] : {std::tuple("-1", "2", smaller), {"2", "2", equal}, {"2", "-1", larger}})
    for (auto [index, name] : llvm::enumerate(names))
      EXPECT_EQ(evaluateTest("%x = arith.constant " + std::string(x) + " : i32 %y = arith.constant " + y +
                             " : i32 %t = arith.cmpi " + name + ", %x, %y : i32"),
                expected[index] - '0')
          << x << ' ' << name << ' ' << y;
}

TEST(Regions, FloatComparisons) {
  std::string names[] = {"false", "oeq", "ogt", "oge", "olt", "ole", "one", "ord",
                         "ueq",   "ugt", "uge", "ult", "ule", "une", "uno", "true"};
  std::string smaller = "0000111100011101", equal = "0101010110101001", larger = "0011001101100101",
              unordered = "0000000011111111"; // by the order of `names`
  for (auto [x, y, expected] :
       {std::tuple(1.0, 2.0, smaller), {2.0, 2.0, equal}, {2.0, 1.0, larger}, {notANumber, 1.0, unordered}})
    for (auto [index, name] : llvm::enumerate(names))
      EXPECT_EQ(evaluateTest(constant("%x", x) + constant("%y", y) + "%t = arith.cmpf " + name + ", %x, %y : f64"),
                expected[index] - '0')
          << x << ' ' << name << ' ' << y;
}

TEST(Regions, CastsAndSelect) {
  auto truth = [](const std::string &rest) { return "%t = arith.constant true\n" + rest; };
  EXPECT_EQ(evaluateBody(truth("%u = arith.extsi %t : i1 to i32 %r = arith.sitofp %u : i32 to f32")), -1);
  EXPECT_EQ(evaluateBody(truth("%u = arith.extui %t : i1 to i32 %r = arith.sitofp %u : i32 to f32")), 1);
  EXPECT_EQ(evaluateBody(truth("%f = arith.constant 4.0 : f32 %r = arith.select %t, %f, %s : f32")), 4);
  EXPECT_EQ(evaluateBody("%c = arith.cmpi sgt, %i, %j : index %m = arith.select %c, %i, %j : index "
                         "%u = arith.index_cast %m : index to i32 %r = arith.sitofp %u : i32 to f32"),
            3);
  EXPECT_EQ(evaluateBody("%u = arith.index_cast %i : index to i8 %r = arith.uitofp %u : i8 to f32"), 249);
  EXPECT_EQ(evaluateBody("%u = arith.index_cast %i : index to i8 %n = arith.index_castui %u : i8 to index "
                         "%w2 = arith.index_cast %n : index to i64 %r = arith.sitofp %w2 : i64 to f32"),
            249);
  EXPECT_EQ(evaluateBody("%x = arith.constant 300 : i32 %u = arith.trunci %x : i32 to i8 "
                         "%r = arith.sitofp %u : i8 to f32"),
            44);
  EXPECT_EQ(
      evaluateBody("%n = arith.negf %s : f32 %u = arith.fptosi %n : f32 to i32 %r = arith.sitofp %u : i32 to f32"), -2);
  EXPECT_EQ(evaluateBody("%u = arith.fptoui %s : f32 to i32 %r = arith.uitofp %u : i32 to f32"), 2);
  EXPECT_EQ(evaluateBody("%u = arith.bitcast %s : f32 to i32 %o = arith.constant 8388608 : i32 "
                         "%p2 = arith.addi %u, %o : i32 %r = arith.bitcast %p2 : i32 to f32"),
            5);
  EXPECT_EQ(evaluateTest("%t = math.isnan %s : f32"), 0);
  EXPECT_EQ(evaluateTest("%t = math.isfinite %s : f32"), 1);
  EXPECT_EQ(evaluateTest("%t = math.isinf %s : f32"), 0);
  EXPECT_EQ(evaluateBody("%n = arith.constant 3 : i32 %r = math.fpowi %s, %n : f32, i32"), 15.625);
}

TEST(Regions, ParametersAreReadByTheirType) {
  Kernel kernel("%p = attn.full attn.yield %p", "%r = arith.sitofp %flag : i1 to f32 attn.yield %r : f32",
                ", %flag: i1");
  Problem problem = makeProblem(1, 1, {int64_t(1)});
  EXPECT_EQ(RegionProgram(kernel.op.getScore(), problem, false).run({0, 0, 0, 0, 0}), -1);
}

TEST(Regions, OpsOutsideOfTheRegionAreEvaluated) {
  Kernel kernel("%p = attn.full attn.yield %p", "%r = arith.addf %s, %half : f32 attn.yield %r : f32", ", %x: f32",
                "%two = arith.constant 2.0 : f32 %half = arith.divf %x, %two : f32");
  Problem problem = makeProblem(1, 1, {5.0});
  EXPECT_EQ(RegionProgram(kernel.op.getScore(), problem, false).run({1, 0, 0, 0, 0}), 3.5);
}

TEST(Regions, SoftCapAndBuckets) {
  EXPECT_DOUBLE_EQ(evaluateBody("%c = arith.constant 2.0 : f32 %x = arith.divf %s, %c : f32 %t = math.tanh %x : f32 "
                                "%r = arith.mulf %t, %c : f32"),
                   2 * std::tanh(1.25));
  EXPECT_EQ(evaluateBody("%d = arith.subi %i, %j : index %a = math.absi %d : index %m = arith.minsi %a, %w : index "
                         "%u = arith.index_cast %m : index to i32 %r = arith.sitofp %u : i32 to f32"),
            5);
}

TEST(Regions, F32IsRoundedOnRequestAndSmallerTypesAlways) {
  std::string third = "%c = arith.constant 3.0 : f32 %r = arith.divf %s, %c : f32";
  EXPECT_EQ(evaluateBody(third, false, 1), 1.0 / 3);
  EXPECT_EQ(evaluateBody(third, true, 1), double(1.0f / 3.0f));
  std::string narrow = "%u = arith.truncf %s : f32 to bf16 %r = arith.extf %u : bf16 to f32";
  EXPECT_EQ(evaluateBody(narrow, false, 1 + 3 * 0x1p-8), 1 + 0x1p-6);
  std::string half = "%u = arith.truncf %s : f32 to f16 %r = arith.extf %u : f16 to f32";
  EXPECT_EQ(evaluateBody(half, false, 70000), infinity);
}

TEST(Regions, UnknownOpsAndTypesGiveNaN) {
  Kernel unknown("%p = attn.full attn.yield %p", R"(
      %bits = arith.bitcast %s : f32 to i32
      %zeros = math.cttz %bits : i32
      %real = arith.sitofp %zeros : i32 to f32
      attn.yield %real : f32)");
  Problem problem = makeProblem(1, 1);
  EXPECT_TRUE(std::isnan(RegionProgram(unknown.op.getScore(), problem, false).run({0, 0, 0, 0, 0})));
  EXPECT_NE(unknown.errors.find("the reference does not know 'math.cttz'"), std::string::npos) << unknown.errors;

  Kernel wide("%p = attn.full attn.yield %p", R"(
      %u = arith.fptosi %s : f32 to i128
      %r = arith.sitofp %u : i128 to f32
      attn.yield %r : f32)");
  EXPECT_TRUE(std::isnan(RegionProgram(wide.op.getScore(), problem, false).run({0, 0, 0, 0, 0})));
  EXPECT_NE(wide.errors.find("not 'i128'"), std::string::npos) << wide.errors;
}
