// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Evaluates where and score regions. What an op computes stands in tables below, one line an op; to add an op is to add
// its line.

#include "Rounding.h"
#include "attn/Reference/Reference.h"
#include "attn/Reference/RegionProgram.h"
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

/// The nearest whole number that fits, rounding toward zero; NaN gives 0.
template <typename Whole> static Whole toWhole(double x) {
  constexpr Whole lowest = std::numeric_limits<Whole>::min(), highest = std::numeric_limits<Whole>::max();
  if (std::isnan(x))
    return 0;
  if (x <= static_cast<double>(lowest))
    return lowest;
  return x >= static_cast<double>(highest) ? highest : static_cast<Whole>(x);
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

static std::optional<Meaning> meaningOf(Operation *op) {
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

//===-- Building ------------------------------------------------------------------------------------------------===//

/// How values of a type are kept; an error where they are no scalars.
Format RegionProgram::formatOf(Value value) {
  Type type = value.getType();
  if (type.isIndex())
    return {Format::Whole, 64};
  if (type.isSignlessInteger() && type.getIntOrFloatBitWidth() >= 1 && type.getIntOrFloatBitWidth() <= 64)
    return {Format::Whole, type.getIntOrFloatBitWidth()};
  if (type.isF64())
    return {Format::Real, 64};
  if (type.isF32())
    return {roundToFloat ? Format::F32 : Format::Real, 32};
  if (type.isBF16())
    return {Format::BF16, 16};
  if (type.isF16())
    return {Format::F16, 16};
  emitError(value.getLoc()) << "the reference evaluates index, integers and floating-point numbers, not " << type;
  complete = false;
  return {Format::Whole, 64};
}

static Scalar toScalar(double value, Format format) {
  Scalar scalar;
  if (format.kind != Format::Whole)
    scalar.real = value;
  else
    scalar.whole = format.width == 1 ? -static_cast<int64_t>(value != 0) : toWhole<int64_t>(value);
  return scalar;
}

RegionProgram::RegionProgram(Region &region, Lookup lookup, bool roundToFloat) : roundToFloat(roundToFloat) {
  for (BlockArgument argument : region.getArguments()) {
    argumentFormats.push_back(formatOf(argument));
    addRegister(argument, 0);
  }
  Value result = region.front().getTerminator()->getOperand(0);
  resultSlot = slotOf(result, lookup);
  resultFormat = formatOf(result);
}

RegionProgram::RegionProgram(Value value, Lookup lookup) : roundToFloat(true) {
  resultSlot = slotOf(value, lookup);
  resultFormat = formatOf(value);
}

unsigned RegionProgram::addRegister(Value value, double initial) {
  registers.push_back(toScalar(initial, formatOf(value)));
  return slots[value] = registers.size() - 1;
}

/// The register of a value; what computes it is added to the program first.
unsigned RegionProgram::slotOf(Value value, Lookup lookup) {
  auto found = slots.find(value);
  if (found != slots.end())
    return found->second;
  Operation *op = value.getDefiningOp();
  if (!op)
    return addRegister(value, lookup(value));
  if (auto constant = dyn_cast<arith::ConstantOp>(op))
    return addConstant(constant);
  return addOp(op, lookup);
}

unsigned RegionProgram::addConstant(arith::ConstantOp op) {
  unsigned slot = addRegister(op, 0);
  if (auto integer = dyn_cast<IntegerAttr>(op.getValue()))
    registers[slot].whole = integer.getValue().sextOrTrunc(64).getSExtValue();
  else if (auto number = dyn_cast<FloatAttr>(op.getValue()))
    registers[slot].real = number.getValueAsDouble();
  return slot;
}

unsigned RegionProgram::addOp(Operation *op, Lookup lookup) {
  std::optional<Meaning> meaning = meaningOf(op);
  if (!meaning || op->getNumResults() != 1 || op->getNumOperands() != meaning->numOperands()) {
    op->emitError() << "the reference does not know '" << op->getName()
                    << "' with these types; use other arith and math ops, or add it to lib/Reference/Regions.cpp";
    complete = false;
    return slots[op->getResult(0)] = 0;
  }
  Instruction instruction{*meaning, {}, 0, formatOf(op->getResult(0))};
  for (auto [index, operand] : llvm::enumerate(op->getOperands()))
    instruction.operands[index] = {slotOf(operand, lookup), formatOf(operand).width};
  instruction.slot = addRegister(op->getResult(0), 0);
  instructions.push_back(instruction);
  return instruction.slot;
}

//===-- Running -------------------------------------------------------------------------------------------------===//

/// Makes a result one that its type can hold.
static Scalar fit(Scalar value, Format format) {
  if (format.kind == Format::Whole)
    value.whole = llvm::SignExtend64(value.whole, format.width);
  else if (format.kind == Format::F32)
    value.real = static_cast<float>(value.real);
  else if (format.kind == Format::BF16)
    value.real = roundToBF16(static_cast<float>(value.real));
  else if (format.kind == Format::F16)
    value.real = roundToF16(static_cast<float>(value.real));
  return value;
}

double RegionProgram::run(ArrayRef<double> arguments) {
  if (!complete)
    return std::numeric_limits<double>::quiet_NaN();
  for (auto [slot, format] : llvm::enumerate(argumentFormats))
    registers[slot] = toScalar(arguments[slot], format);
  for (const Instruction &step : instructions)
    registers[step.slot] = fit(step.meaning(step.operands, registers.data()), step.format);
  Scalar result = registers[resultSlot];
  if (resultFormat.kind != Format::Whole)
    return result.real;
  return resultFormat.width == 1 ? result.whole != 0 : static_cast<double>(result.whole);
}

double attn::reference::evaluateRegion(Region &region, ArrayRef<double> arguments, function_ref<double(Value)> lookup,
                                       bool roundToFloat) {
  return RegionProgram(region, lookup, roundToFloat).run(arguments);
}
