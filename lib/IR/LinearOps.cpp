// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Syntax and verifiers of linear attention.

#include "attn/IR/Syntax.h"

using namespace mlir;
using namespace attn;

//===-- The feature map -------------------------------------------------------------------------------------------===//

ParseResult attn::parseFeatureRegion(OpAsmParser &parser, Region &region) {
  return parseRegionWithArguments(parser, region, Float32Type::get(parser.getContext()));
}

void attn::printFeatureRegion(OpAsmPrinter &printer, Operation *, Region &region) {
  printRegionWithArguments(printer, region);
}

/// A feature map sees one number and nothing of where it stands.
static LogicalResult verifyFeature(Operation *op, Region &region, TypeRange parameters) {
  Type f32 = Float32Type::get(op->getContext());
  SmallVector<Type> types(parameters);
  types.push_back(f32);
  return verifyPureRegion(op, region, "a feature map", types, f32);
}

//===-- attn.linear -----------------------------------------------------------------------------------------------===//

ParseResult LinearOp::parse(OpAsmParser &parser, OperationState &state) {
  SmallVector<OpAsmParser::Argument> parameters;
  if (parseSignature(parser, state, parameters) || parser.parseKeyword("feature"))
    return failure();
  return parseRegionWithArguments(parser, *state.addRegion(), parser.getBuilder().getF32Type(), parameters);
}

void LinearOp::print(OpAsmPrinter &printer) {
  printSignature(printer, getSymName(), getFeature().getArguments().drop_back(), getDefaults());
  printer << "feature ";
  printRegionWithArguments(printer, getFeature(), getDefaults().size());
}

void LinearOp::getAsmBlockArgumentNames(Region &body, OpAsmSetValueNameFn setName) {
  nameParameters(body, getArgumentNames(), setName);
}

LogicalResult LinearOp::verifyRegions() {
  if (getFeature().getNumArguments() == 0)
    return emitOpError("a feature map takes one number; write feature (%x) { ... }");
  ArrayRef<BlockArgument> parameters = getFeature().getArguments().drop_back();
  if (failed(verifySignature(*this, parameters, getArgumentNames(), getDefaults())))
    return failure();
  if (parameters.empty())
    return emitOpError(
        "has no parameter; the first is what is added to the normaliser, as in (%epsilon: f32 = 1.0e-06)");
  for (auto [parameter, name] : llvm::zip(parameters, getArgumentNames().getAsRange<StringAttr>()))
    if (!parameter.getType().isF32())
      return emitOpError() << "parameter '" << name.getValue() << "' has type " << parameter.getType()
                           << "; those of linear attention are f32";
  SmallVector<Type> types(parameters.size(), Float32Type::get(getContext()));
  return verifyFeature(*this, getFeature(), types);
}

//===-- attn.linear_attention -------------------------------------------------------------------------------------===//

/// A state is [batch, kv heads, head size, value head size + 1].
static LogicalResult verifyState(LinearAttentionOp op, StringRef name, RankedTensorType state) {
  if (state.getRank() != 4)
    return op.emitOpError() << name << " has rank " << state.getRank()
                            << "; it has to be 4: [batch, kv heads, head size, value head size + 1]";
  RankedTensorType key = op.getKey().getType(), value = op.getValue().getType();
  int64_t columns = value.getDimSize(3);
  std::pair<StringRef, int64_t> extents[] = {
      {"batch", key.getDimSize(0)},
      {"kv heads", key.getDimSize(1)},
      {"head size", key.getDimSize(3)},
      {"value head size + 1", ShapedType::isDynamic(columns) ? columns : columns + 1}};
  for (auto [axis, extent] : llvm::enumerate(extents)) {
    int64_t given = state.getDimSize(axis);
    if (!ShapedType::isDynamic(given) && !ShapedType::isDynamic(extent.second) && given != extent.second)
      return op.emitOpError() << "axis " << axis << " of " << name << " is " << given << "; " << extent.first << " is "
                              << extent.second;
  }
  return success();
}

LogicalResult LinearAttentionOp::verify() {
  if (failed(verifyAttentionTypes(*this, getQuery().getType(), getKey().getType(), getValue().getType(),
                                  getOutput().getType(), getLse().getType())))
    return failure();
  if (Value state = getState())
    if (failed(verifyState(*this, "state", cast<RankedTensorType>(state.getType()))))
      return failure();
  return verifyState(*this, "the next state", getNextState().getType());
}

LogicalResult LinearAttentionOp::verifyRegions() { return verifyFeature(*this, getFeature(), {}); }
