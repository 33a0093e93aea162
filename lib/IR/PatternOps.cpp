// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Patterns: the symbol that names one, and the operators that combine them.

#include "attn/IR/Syntax.h"

using namespace mlir;
using namespace attn;

//===-- attn.pattern ----------------------------------------------------------------------------------------------===//

void PatternOp::getAsmBlockArgumentNames(Region &body, OpAsmSetValueNameFn setName) {
  nameParameters(body, getArgumentNames(), setName);
}

ParseResult PatternOp::parse(OpAsmParser &parser, OperationState &state) {
  SmallVector<OpAsmParser::Argument> arguments;
  if (parseSignature(parser, state, arguments))
    return failure();
  if (succeeded(parser.parseOptionalKeyword("one_sequence")))
    state.addAttribute(getOneSequenceAttrName(state.name), parser.getBuilder().getUnitAttr());
  return parser.parseRegion(*state.addRegion(), arguments);
}

void PatternOp::print(OpAsmPrinter &printer) {
  printSignature(printer, getSymName(), getBody().getArguments(), getDefaults());
  if (getOneSequence())
    printer << "one_sequence ";
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

LogicalResult PatternOp::verifyRegions() {
  if (failed(verifySignature(*this, getBody().getArguments(), getArgumentNames(), getDefaults())))
    return failure();
  auto yield = dyn_cast<YieldOp>(getBody().front().getTerminator());
  if (!yield || yield.getNumOperands() != 1 || !isa<PatternType>(yield.getOperand(0).getType()))
    return emitOpError("has to yield one !attn.pattern");
  return verifyNumbers(getBody());
}

//===-- attn.yield ------------------------------------------------------------------------------------------------===//

ParseResult attn::YieldOp::parse(OpAsmParser &parser, OperationState &state) {
  SmallVector<OpAsmParser::UnresolvedOperand> values;
  SmallVector<Type> types;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseOperandList(values) || parser.parseOptionalAttrDict(state.attributes) ||
      parser.parseOptionalColonTypeList(types))
    return failure();
  if (types.empty())
    types.assign(values.size(), PatternType::get(parser.getContext()));
  return parser.resolveOperands(values, types, loc, state.operands);
}

void attn::YieldOp::print(OpAsmPrinter &printer) {
  if (getNumOperands())
    printer << ' ' << getOperands();
  printer.printOptionalAttrDict((*this)->getAttrs());
  if (!llvm::all_of(getOperandTypes(), [](Type type) { return isa<PatternType>(type); }))
    printer << " : " << getOperandTypes();
}

LogicalResult WhereOp::verifyRegions() { return verifyWhereRegion(*this, getBody()); }

//===-- Numbers of the call ---------------------------------------------------------------------------------------===//

template <typename EntryOp> static LogicalResult verifyEntry(EntryOp op) {
  if (!isa<BlockArgument>(op.getValues()))
    return op.emitOpError("reads run-time data that are computed; use an argument of the kernel");
  return success();
}

LogicalResult OfHeadOp::verify() { return verifyEntry(*this); }
LogicalResult OfBatchOp::verify() { return verifyEntry(*this); }

//===-- Operators -------------------------------------------------------------------------------------------------===//

static LogicalResult verifyMembers(Operation *op) {
  if (op->getNumOperands() == 0)
    return op->emitOpError("has no members; name at least one pattern");
  return success();
}

LogicalResult UnionOp::verify() { return verifyMembers(*this); }
LogicalResult IntersectOp::verify() { return verifyMembers(*this); }

/// A member that changes nothing (`Neutral`) or a repeated one is dropped; one member alone is the result, and one that
/// decides everything (`Absorbing`) too.
template <typename Neutral, typename Absorbing, typename SetOp> static OpFoldResult foldMembers(SetOp op) {
  for (Value member : op.getMembers())
    if (member.getDefiningOp<Absorbing>())
      return member;
  llvm::SmallSetVector<Value, 4> kept;
  for (Value member : op.getMembers())
    if (!member.getDefiningOp<Neutral>())
      kept.insert(member);
  if (kept.empty())
    return op.getMembers().front();
  if (kept.size() == 1)
    return kept.front();
  if (kept.size() == op.getMembers().size())
    return {};
  op.getMembersMutable().assign(kept.getArrayRef());
  return op.getResult();
}

OpFoldResult UnionOp::fold(FoldAdaptor) { return foldMembers<EmptyOp, FullOp>(*this); }
OpFoldResult IntersectOp::fold(FoldAdaptor) { return foldMembers<FullOp, EmptyOp>(*this); }

OpFoldResult MinusOp::fold(FoldAdaptor) {
  if (getWithout().getDefiningOp<EmptyOp>() || getFrom().getDefiningOp<EmptyOp>())
    return getFrom();
  return {};
}
