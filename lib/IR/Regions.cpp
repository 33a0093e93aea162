// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What pure regions may hold: where, test, score and sink regions.

#include "attn/IR/Syntax.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace attn;

// What every region may read of the call, what tests may ask about rows, and the terms of scores.
static constexpr StringLiteral ofTheCall[] = {LoadOp::getOperationName(), ExtentOp::getOperationName(),
                                              OfHeadOp::getOperationName(), OfBatchOp::getOperationName()};
static constexpr StringLiteral ofTests[] = {ApplyOp::getOperationName(), LookupOp::getOperationName(),
                                            ListsOp::getOperationName(), MemberOp::getOperationName()};
static constexpr StringLiteral ofRows[] = {ScaleOp::getOperationName(), QueryDotOp::getOperationName(),
                                           RowDotOp::getOperationName()};
static constexpr StringLiteral ofPairs[] = {KeyDotOp::getOperationName(), MixedDotOp::getOperationName()};

static SmallVector<StringLiteral> concat(std::initializer_list<ArrayRef<StringLiteral>> lists) {
  SmallVector<StringLiteral> all;
  for (ArrayRef<StringLiteral> list : lists)
    all.append(list.begin(), list.end());
  return all;
}

LogicalResult attn::verifyPureRegion(Operation *op, Region &region, StringRef what, ArrayRef<Type> arguments,
                                     Type result, ArrayRef<StringLiteral> others) {
  if (region.empty())
    return success();
  if (region.getArgumentTypes() != TypeRange(arguments))
    return op->emitOpError() << what << " takes arguments of types " << TypeRange(arguments) << ", not "
                             << region.getArgumentTypes();
  for (Operation &inner : region.front().without_terminator()) {
    bool known = isa_and_nonnull<arith::ArithDialect, math::MathDialect>(inner.getDialect()) ||
                 llvm::is_contained(others, inner.getName().getStringRef());
    bool isScalar = inner.getNumResults() == 1 && inner.getResult(0).getType().isIntOrIndexOrFloat();
    if (known && isMemoryEffectFree(&inner) && isScalar)
      continue;
    InFlightDiagnostic diagnostic = inner.emitOpError() << "is not allowed in " << what
                                                        << "; use pure arith and math ops with one scalar result";
    for (StringRef other : others)
      diagnostic << ", " << other;
    return diagnostic;
  }
  auto yield = dyn_cast<YieldOp>(region.front().getTerminator());
  if (!yield || yield.getValues().getTypes() != TypeRange(result))
    return op->emitOpError() << what << " has to yield one " << result;
  return success();
}

/// Checks a region whose last arguments have these types; those before them are parameters.
static LogicalResult verifyWithParameters(Operation *op, Region &region, StringRef what, unsigned parameters,
                                          ArrayRef<Type> types, ArrayRef<StringLiteral> others) {
  SmallVector<Type> expected(region.getArgumentTypes());
  expected.resize(std::min<size_t>(parameters, expected.size()));
  llvm::append_range(expected, types);
  return verifyPureRegion(op, region, what, expected, Float32Type::get(op->getContext()), others);
}

static LogicalResult verifyPairRegion(Operation *op, Region &region, StringRef what, ArrayRef<StringLiteral> others) {
  SmallVector<Type> types(4, IndexType::get(op->getContext()));
  return verifyPureRegion(op, region, what, types, IntegerType::get(op->getContext(), 1), others);
}

LogicalResult attn::verifyWhereRegion(Operation *op, Region &region) {
  if (failed(verifyPairRegion(op, region, "a where region", ofTheCall)))
    return failure();
  auto arguments = region.getArguments();
  return verifyReads(region, {arguments[0], arguments[1], arguments[2], arguments[3]});
}

LogicalResult attn::verifyTestRegion(Operation *op, Region &region) {
  if (region.empty())
    return success();
  if (failed(verifyPairRegion(op, region, "a test region", concat({ofTheCall, ofTests}))))
    return failure();
  // The other two arguments are rows, not positions: what they index is clamped.
  return verifyReads(region, {region.getArgument(0), region.getArgument(1), {}, {}});
}

SmallVector<Type> attn::scoreTypes(MLIRContext *context) {
  SmallVector<Type> types(5, IndexType::get(context));
  types.front() = Float32Type::get(context);
  return types;
}

SmallVector<Type> attn::sinkTypes(MLIRContext *context) { return SmallVector<Type>(3, IndexType::get(context)); }

LogicalResult attn::verifyScoreRegion(Operation *op, Region &region, unsigned parameters) {
  if (region.empty())
    return success();
  if (failed(verifyWithParameters(op, region, "a score region", parameters, scoreTypes(op->getContext()),
                                  concat({ofTheCall, ofRows, ofPairs}))))
    return failure();
  auto arguments = region.getArguments().drop_front(parameters);
  return verifyReads(region, {arguments[1], arguments[2], arguments[3], arguments[4]});
}

LogicalResult attn::verifySinkRegion(Operation *op, Region &region, unsigned parameters) {
  if (region.empty())
    return success();
  if (failed(verifyWithParameters(op, region, "a sink region", parameters, sinkTypes(op->getContext()),
                                  concat({ofTheCall, ofRows}))))
    return failure();
  auto arguments = region.getArguments().drop_front(parameters);
  return verifyReads(region, {arguments[0], arguments[1], arguments[2], {}});
}
