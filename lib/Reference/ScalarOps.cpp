// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The ops of arith and math that regions may use. They stand in tables below, one line an op; to add an op is to add
// its line.

#include "ScalarOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/bit.h"
#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace attn;
using namespace attn::reference;

//===-- Operands and results ------------------------------------------------------------------------------------===//

template <> double Meaning::read<double>(const Operand &operand, const Scalar *registers) {
  return registers[operand.slot].real;
}
template <> int64_t Meaning::read<int64_t>(const Operand &operand, const Scalar *registers) {
  return registers[operand.slot].whole;
}
template <> uint64_t Meaning::read<uint64_t>(const Operand &operand, const Scalar *registers) {
  return static_cast<uint64_t>(registers[operand.slot].whole) & llvm::maskTrailingOnes<uint64_t>(operand.width);
}
template <> bool Meaning::read<bool>(const Operand &operand, const Scalar *registers) {
  return registers[operand.slot].whole != 0;
}
template <> Scalar Meaning::read<Scalar>(const Operand &operand, const Scalar *registers) {
  return registers[operand.slot];
}

Scalar Meaning::result(double value) {
  Scalar scalar;
  scalar.real = value;
  return scalar;
}
Scalar Meaning::result(int64_t value) {
  Scalar scalar;
  scalar.whole = value;
  return scalar;
}

//===-- What C++ leaves undefined -------------------------------------------------------------------------------===//

static constexpr int64_t smallest = std::numeric_limits<int64_t>::min();

static int64_t divide(int64_t a, int64_t b) {
  if (b == 0)
    return 0;
  return a == smallest && b == -1 ? smallest : a / b;
}
static int64_t rest(int64_t a, int64_t b) { return b == 0 || b == -1 ? 0 : a % b; }
static int64_t floorDivide(int64_t a, int64_t b) {
  bool roundsUp = rest(a, b) != 0 && (a < 0) != (b < 0);
  return divide(a, b) - (roundsUp ? 1 : 0);
}
static int64_t ceilDivide(int64_t a, int64_t b) {
  bool roundsDown = rest(a, b) != 0 && (a < 0) == (b < 0);
  return divide(a, b) + (roundsDown ? 1 : 0);
}
static uint64_t divideUnsigned(uint64_t a, uint64_t b) { return b == 0 ? 0 : a / b; }
static uint64_t restUnsigned(uint64_t a, uint64_t b) { return b == 0 ? 0 : a % b; }
static uint64_t power(int64_t base, int64_t exponent) {
  if (exponent < 0)
    return base == 1 || base == -1 ? power(base, -(exponent % 2)) : 0;
  uint64_t result = 1, factor = base;
  for (; exponent; exponent >>= 1, factor *= factor)
    result *= exponent & 1 ? factor : 1;
  return result;
}

/// arith.maximumf and minimumf give NaN for a NaN operand and order -0 before +0; maxnumf and minnumf prefer the
/// number.
static double maximum(double a, double b) {
  if (std::isnan(a) || std::isnan(b))
    return a + b;
  return a == b ? (std::signbit(a) ? b : a) : std::max(a, b);
}
static double minimum(double a, double b) { return -maximum(-a, -b); }

//===-- What ops compute ----------------------------------------------------------------------------------------===//

/// Sums and products of integers are computed unsigned: they wrap the same way, and C++ defines it.
static const llvm::StringMap<Meaning> &integerOps() {
  static const llvm::StringMap<Meaning> ops = {
      {"arith.addi", [](uint64_t a, uint64_t b) { return a + b; }},
      {"arith.subi", [](uint64_t a, uint64_t b) { return a - b; }},
      {"arith.muli", [](uint64_t a, uint64_t b) { return a * b; }},
      {"arith.divsi", divide},
      {"arith.divui", divideUnsigned},
      {"arith.remsi", rest},
      {"arith.remui", restUnsigned},
      {"arith.floordivsi", floorDivide},
      {"arith.ceildivsi", ceilDivide},
      {"arith.ceildivui", [](uint64_t a, uint64_t b) { return divideUnsigned(a, b) + (restUnsigned(a, b) != 0); }},
      {"arith.maxsi", [](int64_t a, int64_t b) { return std::max(a, b); }},
      {"arith.minsi", [](int64_t a, int64_t b) { return std::min(a, b); }},
      {"arith.maxui", [](uint64_t a, uint64_t b) { return std::max(a, b); }},
      {"arith.minui", [](uint64_t a, uint64_t b) { return std::min(a, b); }},
      {"arith.andi", [](uint64_t a, uint64_t b) { return a & b; }},
      {"arith.ori", [](uint64_t a, uint64_t b) { return a | b; }},
      {"arith.xori", [](uint64_t a, uint64_t b) { return a ^ b; }},
      {"arith.shli", [](uint64_t a, uint64_t by) { return by < 64 ? a << by : 0; }},
      {"arith.shrui", [](uint64_t a, uint64_t by) { return by < 64 ? a >> by : 0; }},
      {"arith.shrsi", [](int64_t a, uint64_t by) { return a >> std::min<uint64_t>(by, 63); }},
      {"math.absi", [](int64_t a) { return a < 0 ? -static_cast<uint64_t>(a) : static_cast<uint64_t>(a); }},
      {"math.ctpop", [](uint64_t a) { return static_cast<int64_t>(llvm::popcount(a)); }},
      {"math.ipowi", power},
  };
  return ops;
}

static const llvm::StringMap<Meaning> &floatOps() {
  static const llvm::StringMap<Meaning> ops = {
      {"arith.addf", [](double a, double b) { return a + b; }},
      {"arith.subf", [](double a, double b) { return a - b; }},
      {"arith.mulf", [](double a, double b) { return a * b; }},
      {"arith.divf", [](double a, double b) { return a / b; }},
      {"arith.remf", [](double a, double b) { return std::fmod(a, b); }},
      {"arith.negf", [](double a) { return -a; }},
      {"arith.maximumf", maximum},
      {"arith.minimumf", minimum},
      {"arith.maxnumf", [](double a, double b) { return std::fmax(a, b); }},
      {"arith.minnumf", [](double a, double b) { return std::fmin(a, b); }},
      {"math.absf", [](double x) { return std::fabs(x); }},
      {"math.acos", [](double x) { return std::acos(x); }},
      {"math.acosh", [](double x) { return std::acosh(x); }},
      {"math.asin", [](double x) { return std::asin(x); }},
      {"math.asinh", [](double x) { return std::asinh(x); }},
      {"math.atan", [](double x) { return std::atan(x); }},
      {"math.atan2", [](double y, double x) { return std::atan2(y, x); }},
      {"math.atanh", [](double x) { return std::atanh(x); }},
      {"math.cbrt", [](double x) { return std::cbrt(x); }},
      {"math.ceil", [](double x) { return std::ceil(x); }},
      {"math.clampf", [](double x, double low, double high) { return minimum(maximum(x, low), high); }},
      {"math.copysign", [](double size, double sign) { return std::copysign(size, sign); }},
      {"math.cos", [](double x) { return std::cos(x); }},
      {"math.cosh", [](double x) { return std::cosh(x); }},
      {"math.erf", [](double x) { return std::erf(x); }},
      {"math.erfc", [](double x) { return std::erfc(x); }},
      {"math.exp", [](double x) { return std::exp(x); }},
      {"math.exp2", [](double x) { return std::exp2(x); }},
      {"math.expm1", [](double x) { return std::expm1(x); }},
      {"math.floor", [](double x) { return std::floor(x); }},
      {"math.fma", [](double a, double b, double c) { return std::fma(a, b, c); }},
      {"math.fpowi", [](double x, int64_t n) { return std::pow(x, static_cast<double>(n)); }},
      {"math.isfinite", [](double x) { return bool(std::isfinite(x)); }},
      {"math.isinf", [](double x) { return bool(std::isinf(x)); }},
      {"math.isnan", [](double x) { return bool(std::isnan(x)); }},
      {"math.log", [](double x) { return std::log(x); }},
      {"math.log10", [](double x) { return std::log10(x); }},
      {"math.log1p", [](double x) { return std::log1p(x); }},
      {"math.log2", [](double x) { return std::log2(x); }},
      {"math.powf", [](double x, double y) { return std::pow(x, y); }},
      {"math.round", [](double x) { return std::round(x); }}, // halves away from zero
      {"math.roundeven", [](double x) { return std::nearbyint(x); }},
      {"math.rsqrt", [](double x) { return 1 / std::sqrt(x); }},
      {"math.sin", [](double x) { return std::sin(x); }},
      {"math.sinh", [](double x) { return std::sinh(x); }},
      {"math.sqrt", [](double x) { return std::sqrt(x); }},
      {"math.tan", [](double x) { return std::tan(x); }},
      {"math.tanh", [](double x) { return std::tanh(x); }},
      {"math.trunc", [](double x) { return std::trunc(x); }},
  };
  return ops;
}

/// Casts change how a value is kept, which is done for every result (`fit`); what is left is how the operand is read.
static const llvm::StringMap<Meaning> &castOps() {
  static const llvm::StringMap<Meaning> ops = {
      {"arith.select", [](bool condition, Scalar yes, Scalar no) { return condition ? yes : no; }},
      {"arith.index_cast", [](int64_t x) { return x; }},
      {"arith.index_castui", [](uint64_t x) { return x; }},
      {"arith.extsi", [](int64_t x) { return x; }},
      {"arith.extui", [](uint64_t x) { return x; }},
      {"arith.trunci", [](int64_t x) { return x; }},
      {"arith.extf", [](double x) { return x; }},
      {"arith.truncf", [](double x) { return x; }},
      {"arith.sitofp", [](int64_t x) { return static_cast<double>(x); }},
      {"arith.uitofp", [](uint64_t x) { return static_cast<double>(x); }},
      {"arith.fptosi", [](double x) { return toWhole<int64_t>(x); }},
      {"arith.fptoui", [](double x) { return toWhole<uint64_t>(x); }},
  };
  return ops;
}

static Meaning compare(arith::CmpIPredicate predicate) {
  switch (predicate) {
  case arith::CmpIPredicate::eq:
    return [](int64_t a, int64_t b) { return a == b; };
  case arith::CmpIPredicate::ne:
    return [](int64_t a, int64_t b) { return a != b; };
  case arith::CmpIPredicate::slt:
    return [](int64_t a, int64_t b) { return a < b; };
  case arith::CmpIPredicate::sle:
    return [](int64_t a, int64_t b) { return a <= b; };
  case arith::CmpIPredicate::sgt:
    return [](int64_t a, int64_t b) { return a > b; };
  case arith::CmpIPredicate::sge:
    return [](int64_t a, int64_t b) { return a >= b; };
  case arith::CmpIPredicate::ult:
    return [](uint64_t a, uint64_t b) { return a < b; };
  case arith::CmpIPredicate::ule:
    return [](uint64_t a, uint64_t b) { return a <= b; };
  case arith::CmpIPredicate::ugt:
    return [](uint64_t a, uint64_t b) { return a > b; };
  case arith::CmpIPredicate::uge:
    return [](uint64_t a, uint64_t b) { return a >= b; };
  }
  llvm_unreachable("all predicates are listed");
}

/// Ordered predicates (o...) are false for a NaN; unordered ones (u...) are true, being the negation of their opposite.
static Meaning compare(arith::CmpFPredicate predicate) {
  switch (predicate) {
  case arith::CmpFPredicate::AlwaysFalse:
    return [](double a, double b) { return false; };
  case arith::CmpFPredicate::OEQ:
    return [](double a, double b) { return a == b; };
  case arith::CmpFPredicate::OGT:
    return [](double a, double b) { return a > b; };
  case arith::CmpFPredicate::OGE:
    return [](double a, double b) { return a >= b; };
  case arith::CmpFPredicate::OLT:
    return [](double a, double b) { return a < b; };
  case arith::CmpFPredicate::OLE:
    return [](double a, double b) { return a <= b; };
  case arith::CmpFPredicate::ONE:
    return [](double a, double b) { return a < b || a > b; };
  case arith::CmpFPredicate::ORD:
    return [](double a, double b) { return !std::isnan(a) && !std::isnan(b); };
  case arith::CmpFPredicate::UEQ:
    return [](double a, double b) { return a == b || std::isnan(a) || std::isnan(b); };
  case arith::CmpFPredicate::UGT:
    return [](double a, double b) { return !(a <= b); };
  case arith::CmpFPredicate::UGE:
    return [](double a, double b) { return !(a < b); };
  case arith::CmpFPredicate::ULT:
    return [](double a, double b) { return !(a >= b); };
  case arith::CmpFPredicate::ULE:
    return [](double a, double b) { return !(a > b); };
  case arith::CmpFPredicate::UNE:
    return [](double a, double b) { return a != b; };
  case arith::CmpFPredicate::UNO:
    return [](double a, double b) { return std::isnan(a) || std::isnan(b); };
  case arith::CmpFPredicate::AlwaysTrue:
    return [](double a, double b) { return true; };
  }
  llvm_unreachable("all predicates are listed");
}

static std::optional<Meaning> bitcast(Type from, Type to) {
  if (from == to)
    return Meaning([](Scalar x) { return x; });
  if (from.isF32() && to.isInteger(32))
    return Meaning([](double x) { return int64_t(llvm::bit_cast<int32_t>(static_cast<float>(x))); });
  if (from.isInteger(32) && to.isF32())
    return Meaning([](uint64_t x) { return double(llvm::bit_cast<float>(static_cast<uint32_t>(x))); });
  if ((from.isF64() && to.isInteger(64)) || (from.isInteger(64) && to.isF64()))
    return Meaning([](Scalar x) { return x; }); // a register holds the same bits
  return std::nullopt;
}

std::optional<Meaning> attn::reference::meaningOf(Operation *op) {
  if (auto cmp = dyn_cast<arith::CmpIOp>(op))
    return compare(cmp.getPredicate());
  if (auto cmp = dyn_cast<arith::CmpFOp>(op))
    return compare(cmp.getPredicate());
  if (auto cast = dyn_cast<arith::BitcastOp>(op))
    return bitcast(cast.getIn().getType(), cast.getType());
  for (const auto *ops : {&integerOps(), &floatOps(), &castOps()})
    if (auto found = ops->find(op->getName().getStringRef()); found != ops->end())
      return found->second;
  return std::nullopt;
}
