// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Turns index arithmetic on parameters into expressions, and coordinate ops into the planner's.

#include "BoundReader.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace attn;

//===-- Numbers ---------------------------------------------------------------------------------------------------===//

/// The number of a value in a list, added if it is new.
static unsigned number(SmallVectorImpl<Value> &list, Value value) {
  auto *known = llvm::find(list, value);
  if (known == list.end())
    known = list.insert(known, value);
  return known - list.begin();
}

/// A call binds the arguments of its function, and nothing else.
static LogicalResult verifyArgument(Operation *op, Value data) {
  if (!isa<BlockArgument>(data))
    return op->emitOpError("reads run-time data that are computed; use an argument of the kernel");
  return success();
}

FailureOr<Expr> BoundReader::symbol(Operation *op, Value data) {
  if (failed(verifyArgument(op, data)))
    return failure();
  return Expr::symbol(FirstNamed + number(reading.symbols, data));
}

FailureOr<unsigned> BoundReader::table(Operation *op, Value data) {
  if (failed(verifyArgument(op, data)))
    return failure();
  return number(reading.tables, data);
}

//===-- Index arithmetic ------------------------------------------------------------------------------------------===//

static LogicalResult notClosed(Operation *op) {
  return op->emitOpError("cannot be part of a pattern's bound; use addi, subi, muli, floordivsi, minsi and maxsi of "
                         "parameters, constants, attn.extent, attn.of_head and attn.of_batch");
}

static Expr extentExpr(ExtentKind kind) {
  switch (kind) {
  case ExtentKind::Queries:
    return Expr::symbol(QueryOffset) + Expr::symbol(Length);
  case ExtentKind::Keys:
    return Expr::symbol(KeyOffset) + Expr::symbol(KvLength);
  case ExtentKind::Heads:
    return Expr::symbol(Heads);
  }
  llvm_unreachable("all kinds are handled");
}

/// What is divided by, or a size. The call checks parameters; what is made of them is held at 1.
Expr BoundReader::atLeastOne(const Expr &expr) const {
  if (expr.asConstant())
    return expr;
  const Expr::Term *term = expr.asTerm();
  bool isChecked = term && term->kind == Expr::TermKind::Symbol && term->symbol >= FirstNamed &&
                   !isa<LengthsType>(reading.symbols[term->symbol - FirstNamed].getType());
  if (isChecked)
    return expr;
  return Expr::max({Expr(1), expr});
}

FailureOr<Expr> BoundReader::readBinary(Operation *op) {
  FailureOr<Expr> a = read(op->getOperand(0)), b = read(op->getOperand(1));
  if (failed(a) || failed(b))
    return failure();
  return llvm::TypeSwitch<Operation *, FailureOr<Expr>>(op)
      .Case([&](arith::AddIOp) { return *a + *b; })
      .Case([&](arith::SubIOp) { return *a - *b; })
      .Case([&](arith::MulIOp) { return *a * *b; })
      .Case([&](arith::FloorDivSIOp) -> FailureOr<Expr> {
        if (std::optional<int64_t> divisor = b->asConstant(); divisor && *divisor < 1)
          return op->emitOpError() << "divides by " << *divisor << "; it has to be at least 1";
        return Expr::floorDiv(*a, atLeastOne(*b));
      })
      .Case([&](arith::MinSIOp) { return Expr::min({*a, *b}); })
      .Case([&](arith::MaxSIOp) { return Expr::max({*a, *b}); })
      .Default([&](Operation *) { return notClosed(op); });
}

FailureOr<Expr> BoundReader::read(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return Expr::symbol(FirstNamed + number(reading.symbols, value));
  IntegerAttr constant;
  if (matchPattern(value, m_Constant(&constant)))
    return Expr(constant.getInt());
  return llvm::TypeSwitch<Operation *, FailureOr<Expr>>(op)
      .Case<OfHeadOp, OfBatchOp>([&](auto entry) { return symbol(entry, entry.getValues()); })
      .Case([](ExtentOp extent) { return extentExpr(extent.getKind()); })
      .Default([&](Operation *) -> FailureOr<Expr> {
        if (op->getNumOperands() != 2)
          return notClosed(op);
        return readBinary(op);
      });
}

//===-- Bounds ----------------------------------------------------------------------------------------------------===//

FailureOr<std::optional<Expr>> BoundReader::readBound(Operation *op, const AtomBound &bound) {
  if (bound.literal)
    return std::optional<Expr>(*bound.literal);
  if (!bound.value)
    return std::optional<Expr>();
  FailureOr<Expr> expr = read(bound.value);
  if (failed(expr))
    return failure();
  if (std::optional<int64_t> constant = expr->asConstant(); constant && bound.minimum && *constant < *bound.minimum)
    return op->emitOpError() << bound.name << " is " << *constant << "; it has to be at least " << *bound.minimum;
  return std::optional<Expr>(bound.minimum == 1 ? atLeastOne(*expr) : *expr);
}

FailureOr<SmallVector<std::optional<Expr>>> BoundReader::readBounds(Operation *op) {
  SmallVector<std::optional<Expr>> exprs;
  for (const AtomBound &bound : boundsOf(op)) {
    FailureOr<std::optional<Expr>> expr = readBound(op, bound);
    if (failed(expr))
      return failure();
    exprs.push_back(*expr);
  }
  return exprs;
}

FailureOr<SmallVector<Expr>> BoundReader::readAllBounds(Operation *op) {
  FailureOr<SmallVector<std::optional<Expr>>> bounds = readBounds(op);
  if (failed(bounds))
    return failure();
  return llvm::map_to_vector(*bounds, [](const std::optional<Expr> &bound) { return *bound; });
}

//===-- Coordinates -----------------------------------------------------------------------------------------------===//

FailureOr<Coordinate> BoundReader::readRaster(RasterOp op) {
  std::vector<Coordinate> axes;
  for (Value axis : op.getAxes()) {
    FailureOr<Coordinate> coordinate = readCoordinate(axis);
    if (failed(coordinate))
      return failure();
    axes.push_back(*coordinate);
  }
  FailureOr<SmallVector<Expr>> blocks = readAllBounds(op);
  if (failed(blocks))
    return failure();
  return Coordinate::raster(axes, *blocks);
}

FailureOr<Coordinate> BoundReader::readCoordinate(Value value) {
  using Result = FailureOr<Coordinate>;
  if (!value)
    return Coordinate::position();
  auto result = dyn_cast<OpResult>(value);
  if (!result)
    return emitError(value.getLoc(), "a coordinate cannot be an argument of a function; make it of attn.grid, "
                                     "attn.stream, attn.offset or attn.raster");
  auto ofSizes = [&](auto makeCoordinates) -> Result {
    FailureOr<SmallVector<Expr>> sizes = readAllBounds(result.getOwner());
    if (failed(sizes))
      return failure();
    return makeCoordinates(*sizes)[result.getResultNumber()];
  };
  return llvm::TypeSwitch<Operation *, Result>(result.getOwner())
      .Case([&](GridOp) { return ofSizes(Coordinate::grid); })
      .Case([&](StreamOp) { return ofSizes(Coordinate::streams); })
      .Case([&](OffsetOp op) -> Result {
        FailureOr<unsigned> ids = table(op, op.getIds());
        if (failed(ids))
          return failure();
        return Coordinate::offset(*ids);
      })
      .Case([&](RasterOp op) { return readRaster(op); })
      .Default([](Operation *other) -> Result {
        return other->emitOpError("cannot make a coordinate; use attn.grid, attn.stream, attn.offset and attn.raster");
      });
}
