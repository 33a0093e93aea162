// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Inlines pure regions over vectors, and writes expressions.

#include "attn/Codegen/RegionInliner.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace attn;

static bool isVector(Value value) { return isa<VectorType>(value.getType()); }

Value attn::splat(ImplicitLocOpBuilder &builder, Value value, int64_t lanes) {
  if (isVector(value))
    return value;
  return vector::BroadcastOp::create(builder, VectorType::get({lanes}, value.getType()), value);
}

//===-- Expressions -----------------------------------------------------------------------------------------------===//

namespace {

struct ExprWriter {
  ImplicitLocOpBuilder &b;
  Value row;
  llvm::function_ref<Value(unsigned)> symbol;

  int64_t lanes() { return cast<VectorType>(row.getType()).getDimSize(0); }

  /// Brings two values to one type.
  std::pair<Value, Value> matched(Value x, Value y) {
    if (isVector(x) == isVector(y))
      return {x, y};
    return {splat(b, x, lanes()), splat(b, y, lanes())};
  }
  template <typename Op> Value binary(Value x, Value y) {
    auto [a, c] = matched(x, y);
    return Op::create(b, a, c);
  }
  Value constant(int64_t value) { return arith::ConstantIndexOp::create(b, value); }

  Value write(const Expr &expr) {
    Value sum;
    for (const Expr::Summand &s : expr.summands()) {
      Value term = write(*s.term);
      if (s.factor != 1 && s.factor != -1)
        term = binary<arith::MulIOp>(term, constant(std::abs(s.factor)));
      if (!sum)
        sum = s.factor > 0 ? term : binary<arith::SubIOp>(constant(0), term);
      else
        sum = s.factor > 0 ? binary<arith::AddIOp>(sum, term) : binary<arith::SubIOp>(sum, term);
    }
    if (!sum)
      return constant(expr.constantSummand());
    return expr.constantSummand() ? binary<arith::AddIOp>(sum, constant(expr.constantSummand())) : sum;
  }

  Value write(const Expr::Term &term) {
    SmallVector<Value> operands;
    for (const Expr &operand : term.operands)
      operands.push_back(write(operand));
    switch (term.kind) {
    case Expr::TermKind::Row:
      return row;
    case Expr::TermKind::Symbol:
      return symbol(term.symbol);
    case Expr::TermKind::FloorDiv:
      return binary<arith::FloorDivSIOp>(operands[0], operands[1]);
    case Expr::TermKind::Mod: {
      Value quotient = binary<arith::FloorDivSIOp>(operands[0], operands[1]);
      return binary<arith::SubIOp>(operands[0], binary<arith::MulIOp>(quotient, operands[1]));
    }
    case Expr::TermKind::Product:
      return binary<arith::MulIOp>(operands[0], operands[1]);
    case Expr::TermKind::Min:
    case Expr::TermKind::Max: {
      Value result = operands.front();
      for (Value operand : llvm::drop_begin(operands))
        result = term.kind == Expr::TermKind::Min ? binary<arith::MinSIOp>(result, operand)
                                                  : binary<arith::MaxSIOp>(result, operand);
      return result;
    }
    }
    llvm_unreachable("all kinds are handled");
  }
};

} // namespace

Value attn::writeExpr(ImplicitLocOpBuilder &builder, const Expr &expr, Value row,
                      llvm::function_ref<Value(unsigned)> symbol) {
  return ExprWriter{builder, row, symbol}.write(expr);
}

Value attn::writeArithmetic(ImplicitLocOpBuilder &builder, Value value, llvm::function_ref<Value(Value)> leaf) {
  Operation *op = value.getDefiningOp();
  if (!op || isa<AttnDialect>(op->getDialect()))
    return leaf(value);
  SmallVector<Value> operands =
      llvm::map_to_vector(op->getOperands(), [&](Value operand) { return writeArithmetic(builder, operand, leaf); });
  Operation *copy = builder.clone(*op);
  copy->setOperands(operands);
  return copy->getResult(cast<OpResult>(value).getResultNumber());
}

//===-- Regions ---------------------------------------------------------------------------------------------------===//

static bool isIntegerDivision(Operation *op) {
  return isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp, arith::FloorDivSIOp, arith::CeilDivSIOp,
             arith::CeilDivUIOp>(op);
}

/// Writes a division that gives 0 where the divisor is 0, as the reference does, and not a trap.
static Value writeDivision(ImplicitLocOpBuilder &b, OperationState &state) {
  Value divisor = state.operands[1];
  auto constant = [&](int64_t value) -> Value {
    Type type = divisor.getType();
    IntegerAttr scalar = b.getIntegerAttr(getElementTypeOrSelf(type), value);
    if (auto vector = dyn_cast<VectorType>(type))
      return arith::ConstantOp::create(b, DenseElementsAttr::get(vector, scalar.getValue()));
    return arith::ConstantOp::create(b, scalar);
  };
  Value zero = constant(0);
  Value isZero = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, divisor, zero);
  state.operands[1] = arith::SelectOp::create(b, isZero, constant(1), divisor);
  return arith::SelectOp::create(b, isZero, zero, b.create(state)->getResult(0));
}

std::optional<Side> attn::sideOfPosition(Value value) {
  // Test regions have the rows for arguments.
  if (auto apply = value.getDefiningOp<ApplyOp>()) {
    auto row = dyn_cast<BlockArgument>(apply.getRow());
    for (auto [number, side, offset] : {std::tuple(2u, Side::Queries, QueryOffset), {3u, Side::Keys, KeyOffset}})
      if (row && row.getArgNumber() == number && apply.getExpr().getExpr() == Expr::row() + Expr::symbol(offset))
        return side;
    return std::nullopt;
  }
  auto argument = dyn_cast<BlockArgument>(value);
  auto plan = argument ? dyn_cast<PlanOp>(argument.getOwner()->getParentOp()) : PlanOp();
  if (!plan)
    return std::nullopt;
  unsigned query = argument.getParentRegion() == &plan.getScore() ? 3 : 2;
  if (argument.getArgNumber() == query)
    return Side::Queries;
  return argument.getArgNumber() == query + 1 ? std::optional(Side::Keys) : std::nullopt;
}

/// The progression as a vector of a type, of which `first` is.
Value RegionInliner::lanesOf(const Progression &progression, Type type) {
  SmallVector<Attribute> steps;
  for (int64_t lane = 0; lane < lanes; ++lane)
    steps.push_back(isa<FloatType>(type) ? Attribute(builder.getFloatAttr(type, lane * progression.step))
                                         : builder.getIntegerAttr(type, lane * progression.step));
  Value offsets = arith::ConstantOp::create(builder, DenseElementsAttr::get(VectorType::get({lanes}, type), steps));
  Value first = splat(builder, progression.first, lanes);
  return isa<FloatType>(type) ? arith::AddFOp::create(builder, first, offsets).getResult()
                              : arith::AddIOp::create(builder, first, offsets).getResult();
}

Value RegionInliner::valueOf(Value value) {
  if (!mapping.contains(value)) {
    auto progression = progressions.find(value);
    mapping.map(value,
                progression == progressions.end() ? outer(value) : lanesOf(progression->second, value.getType()));
  }
  return mapping.lookup(value);
}

/// The result of an op as a progression, where one of its operands is one. Whole numbers of 64 bits do not wrap around.
std::optional<RegionInliner::Progression> RegionInliner::progressionOf(Operation &op) {
  bool isCast = isa<arith::IndexCastOp>(op) && op.getResult(0).getType().isInteger(64);
  if (!isa<arith::AddIOp, arith::SubIOp>(op) && !isCast)
    return std::nullopt;
  if (!llvm::any_of(op.getOperands(), [&](Value value) { return progressions.contains(value); }))
    return std::nullopt;
  SmallVector<Progression> parts;
  for (Value operand : op.getOperands()) {
    auto progression = progressions.find(operand);
    parts.push_back(progression == progressions.end() ? Progression{valueOf(operand), 0} : progression->second);
    if (isVector(parts.back().first))
      return std::nullopt;
  }
  if (isCast)
    return Progression{arith::IndexCastOp::create(builder, op.getResult(0).getType(), parts[0].first), parts[0].step};
  if (isa<arith::AddIOp>(op))
    return Progression{arith::AddIOp::create(builder, parts[0].first, parts[1].first), parts[0].step + parts[1].step};
  return Progression{arith::SubIOp::create(builder, parts[0].first, parts[1].first), parts[0].step - parts[1].step};
}

void RegionInliner::inlineOp(Operation &op) {
  if (std::optional<Progression> progression = progressionOf(op)) {
    progressions[op.getResult(0)] = *progression;
    return;
  }
  if (auto toFloat = dyn_cast<arith::SIToFPOp>(op); toFloat && progressions.contains(toFloat.getIn())) {
    Progression whole = progressions.lookup(toFloat.getIn());
    Value first = arith::SIToFPOp::create(builder, toFloat.getType(), whole.first);
    mapping.map(toFloat, lanesOf({first, whole.step}, toFloat.getType()));
    return;
  }
  SmallVector<Value> operands = llvm::map_to_vector(op.getOperands(), [&](Value value) { return valueOf(value); });
  if (isa<AttnDialect>(op.getDialect())) {
    if (Value result = attnOp(&op, operands))
      mapping.map(op.getResult(0), result);
    return;
  }
  bool overLanes = llvm::any_of(operands, isVector);
  OperationState state(builder.getLoc(), op.getName());
  for (Value operand : operands)
    state.operands.push_back(overLanes ? splat(builder, operand, lanes) : operand);
  for (Type type : op.getResultTypes())
    state.addTypes(overLanes ? VectorType::get({lanes}, type) : type);
  state.addAttributes(op.getAttrs());
  mapping.map(op.getResult(0),
              isIntegerDivision(&op) ? writeDivision(builder, state) : builder.create(state)->getResult(0));
}

void RegionInliner::inlineKnown(Region &region, ValueRange arguments) {
  for (auto [inside, value] : llvm::zip_equal(region.getArguments(), arguments))
    if (value)
      mapping.map(inside, value);
  auto isKnown = [&](Value value) { return isWritten(value) || value.getParentRegion() != &region; };
  for (Operation &op : region.front().without_terminator())
    if (llvm::all_of(op.getOperands(), isKnown))
      inlineOp(op);
}

Value RegionInliner::inlineRegion(Region &region, ValueRange arguments) {
  for (auto [inside, value] : llvm::zip_equal(region.getArguments(), arguments))
    if (value)
      mapping.map(inside, value);
  for (Operation &op : region.front().without_terminator())
    if (!isWritten(op.getResult(0)))
      inlineOp(op);
  return valueOf(region.front().getTerminator()->getOperand(0));
}
