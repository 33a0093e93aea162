// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Named scores, and what score regions read.

#include "attn/IR/Syntax.h"

using namespace mlir;
using namespace attn;

//===-- attn.score ------------------------------------------------------------------------------------------------===//

void ScoreOp::getAsmBlockArgumentNames(Region &region, OpAsmSetValueNameFn setName) {
  nameParameters(region, getArgumentNames(), setName);
}

ParseResult ScoreOp::parse(OpAsmParser &parser, OperationState &state) {
  SmallVector<OpAsmParser::Argument> parameters;
  Region *body = state.addRegion(), *sink = state.addRegion();
  if (parseSignature(parser, state, parameters) ||
      parseRegionWithArguments(parser, *body, scoreTypes(parser.getContext()), parameters))
    return failure();
  if (failed(parser.parseOptionalKeyword("sink")))
    return success();
  return parseRegionWithArguments(parser, *sink, sinkTypes(parser.getContext()), parameters);
}

void ScoreOp::print(OpAsmPrinter &printer) {
  unsigned parameters = getDefaults().size();
  printSignature(printer, getSymName(), getBody().getArguments().take_front(parameters), getDefaults());
  printRegionWithArguments(printer, getBody(), parameters);
  if (getSink().empty())
    return;
  printer << " sink ";
  printRegionWithArguments(printer, getSink(), parameters);
}

LogicalResult ScoreOp::verifyRegions() {
  size_t own = scoreTypes(getContext()).size(), all = getBody().getNumArguments();
  unsigned parameters = all < own ? 0 : all - own;
  if (failed(
          verifySignature(*this, getBody().getArguments().take_front(parameters), getArgumentNames(), getDefaults())) ||
      failed(verifyScoreRegion(*this, getBody(), parameters)) || failed(verifySinkRegion(*this, getSink(), parameters)))
    return failure();
  for (unsigned i = 0; i < parameters && !getSink().empty(); ++i)
    if (getSink().getArgument(i).getType() != getBody().getArgument(i).getType())
      return emitOpError() << "parameter " << i << " of the sink region has type " << getSink().getArgument(i).getType()
                           << "; it has to be the score region's, " << getBody().getArgument(i).getType();
  return success();
}

//===-- Reads -----------------------------------------------------------------------------------------------------===//

/// An array is bound by the call, and an index belongs to each extent but the last `summed`.
static LogicalResult verifyRead(Operation *op, StringRef what, Value array, ValueRange indices, unsigned summed = 0) {
  if (!isa<BlockArgument>(array))
    return op->emitOpError() << "reads an array that is computed; use an argument of the kernel";
  size_t rank = cast<ArrayType>(array.getType()).getExtents().size();
  if (indices.size() + summed != rank)
    return op->emitOpError() << "has " << indices.size() << " indices for its " << what << " of rank " << rank
                             << "; it takes " << rank - summed;
  return success();
}

/// What a dot sums over is the last extent.
static LogicalResult verifyDot(Operation *op, StringRef what, Value array, ValueRange indices, Extent summed) {
  if (failed(verifyRead(op, what, array, indices, 1)))
    return failure();
  int64_t last = cast<ArrayType>(array.getType()).getExtents().back();
  if (last == summed)
    return success();
  InFlightDiagnostic diagnostic = op->emitOpError() << "sums over the last extent of its " << what << ", which is ";
  std::string is, hasToBe;
  llvm::raw_string_ostream isStream(is), hasToBeStream(hasToBe);
  printExtent(isStream, last);
  printExtent(hasToBeStream, summed);
  return diagnostic << is << "; it has to be " << hasToBe;
}

LogicalResult LoadOp::verify() { return verifyRead(*this, "array", getArray(), getIndices()); }
LogicalResult QueryDotOp::verify() { return verifyDot(*this, "array", getArray(), getIndices(), HeadSizeExtent); }
LogicalResult KeyDotOp::verify() { return verifyDot(*this, "array", getArray(), getIndices(), HeadSizeExtent); }
LogicalResult MixedDotOp::verify() { return verifyDot(*this, "array", getArray(), getIndices(), HeadsExtent); }

LogicalResult RowDotOp::verify() {
  if (failed(verifyDot(*this, "left array", getLeft(), getLeftIndices(), HeadSizeExtent)))
    return failure();
  return verifyDot(*this, "right array", getRight(), getRightIndices(), HeadSizeExtent);
}
