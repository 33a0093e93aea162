// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Evaluates where, score and sink regions: writes their programs, and runs them.

#include "ProgramBuilder.h"
#include "Rounding.h"
#include "ScalarOps.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"
#include <array>

using namespace mlir;
using namespace attn;
using namespace attn::reference;

//===-- Building ------------------------------------------------------------------------------------------------===//

RegionProgram::RegionProgram(Region &region, const Problem &problem, bool roundToFloat) {
  ProgramBuilder(*this, problem, roundToFloat).build(region);
}

RegionProgram::RegionProgram(Value value, const Problem &problem) {
  ProgramBuilder(*this, problem, /*roundToFloat=*/true).build(value);
}

void ProgramBuilder::build(Region &region) {
  for (BlockArgument argument : region.getArguments()) {
    slots[argument] = program.registers.size();
    addArgument(formatOf(argument));
  }
  auto isPlace = [](Value argument) { return argument.getType().isIndex(); };
  firstPlace = llvm::find_if(region.getArguments(), isPlace) - region.getArguments().begin();
  numPlaces = region.getNumArguments() - firstPlace;
  Value result = region.front().getTerminator()->getOperand(0);
  program.resultSlot = slotOf(result);
  program.resultFormat = formatOf(result);
}

void ProgramBuilder::build(Value value) {
  for (numPlaces = 0; numPlaces <= Head; ++numPlaces)
    addArgument({Format::Whole, 64});
  program.resultSlot = slotOf(value);
  program.resultFormat = formatOf(value);
}

/// How values of a type are kept; an error where they are no scalars.
Format ProgramBuilder::formatOf(Value value) {
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
  program.complete = false;
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

void ProgramBuilder::addArgument(Format format) {
  program.argumentFormats.push_back(format);
  addRegister(format, 0);
}

unsigned ProgramBuilder::addRegister(Format format, double initial) {
  program.registers.push_back(toScalar(initial, format));
  return program.registers.size() - 1;
}

/// The register of a value; what computes it is added to the program first.
unsigned ProgramBuilder::slotOf(Value value) {
  auto found = slots.find(value);
  if (found != slots.end())
    return found->second;
  unsigned slot;
  if (Operation *op = value.getDefiningOp()) {
    auto constant = dyn_cast<arith::ConstantOp>(op);
    slot = constant ? addConstant(constant) : addOp(op);
  } else {
    slot = addRegister(formatOf(value), arguments.number(value));
    program.complete &= arguments.areComplete();
  }
  return slots[value] = slot;
}

unsigned ProgramBuilder::addConstant(arith::ConstantOp op) {
  unsigned slot = addRegister(formatOf(op), 0);
  if (auto integer = dyn_cast<IntegerAttr>(op.getValue()))
    program.registers[slot].whole = integer.getValue().sextOrTrunc(64).getSExtValue();
  else if (auto number = dyn_cast<FloatAttr>(op.getValue()))
    program.registers[slot].real = number.getValueAsDouble();
  return slot;
}

unsigned ProgramBuilder::addOp(Operation *op) {
  Step compute = llvm::TypeSwitch<Operation *, Step>(op)
                     .Case<ExtentOp, ScaleOp, OfHeadOp, OfBatchOp, LoadOp, QueryDotOp, KeyDotOp, RowDotOp, MixedDotOp>(
                         [&](auto known) { return step(known); })
                     .Default([&](Operation *other) { return scalarStep(other); });
  if (!compute || !arguments.areComplete()) {
    program.complete = false;
    return 0;
  }
  Format format = formatOf(op->getResult(0));
  unsigned slot = addRegister(format, 0);
  program.instructions.push_back({std::move(compute), slot, format});
  return slot;
}

RegionProgram::Step ProgramBuilder::scalarStep(Operation *op) {
  constexpr unsigned maxOperands = 3;
  std::optional<Meaning> meaning = meaningOf(op);
  if (!meaning || op->getNumResults() != 1 || op->getNumOperands() != meaning->numOperands()) {
    op->emitError() << "the reference does not know '" << op->getName()
                    << "' with these types; use other arith and math ops, or add it to lib/Reference/ScalarOps.cpp";
    return nullptr;
  }
  assert(op->getNumOperands() <= maxOperands && "the tables have no such op");
  std::array<Operand, maxOperands> operands = {};
  for (auto [index, operand] : llvm::enumerate(op->getOperands()))
    operands[index] = {slotOf(operand), formatOf(operand).width};
  return [meaning = *meaning, operands](const Scalar *registers) { return meaning(operands.data(), registers); };
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
    registers[step.slot] = fit(step.compute(registers.data()), step.format);
  Scalar result = registers[resultSlot];
  if (resultFormat.kind != Format::Whole)
    return result.real;
  return resultFormat.width == 1 ? result.whole != 0 : static_cast<double>(result.whole);
}
