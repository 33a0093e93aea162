// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifies attention: shapes, element types, and the use of a pattern.

#include "attn/IR/Syntax.h"

using namespace mlir;
using namespace attn;

static LogicalResult verifySame(Operation *op, StringRef what, StringRef a, RankedTensorType aType, unsigned aAxis,
                                StringRef b, RankedTensorType bType, unsigned bAxis) {
  int64_t x = aType.getDimSize(aAxis), y = bType.getDimSize(bAxis);
  if (!ShapedType::isDynamic(x) && !ShapedType::isDynamic(y) && x != y)
    return op->emitOpError() << what << " of " << a << " and " << b << " differ: " << x << " != " << y;
  return success();
}

/// Shapes and types that attention and its plan share.
LogicalResult attn::verifyAttentionTypes(Operation *op, RankedTensorType query, RankedTensorType key,
                                         RankedTensorType value, RankedTensorType output, RankedTensorType lse) {
  std::pair<StringRef, RankedTensorType> tensors[] = {
      {"query", query}, {"key", key}, {"value", value}, {"output", output}};
  for (auto [name, type] : tensors) {
    if (type.getRank() != 4)
      return op->emitOpError() << name << " has rank " << type.getRank()
                               << "; it has to be 4: [batch, heads, rows, columns]";
    if (type.getElementType() != query.getElementType())
      return op->emitOpError() << "element types of query and " << name << " differ: " << query.getElementType()
                               << " != " << type.getElementType();
  }
  if (lse.getRank() != 3)
    return op->emitOpError() << "lse has rank " << lse.getRank() << "; it has to be 3: [batch, heads, rows]";
  if (failed(verifySame(op, "batch", "query", query, 0, "key", key, 0)) ||
      failed(verifySame(op, "batch", "query", query, 0, "value", value, 0)) ||
      failed(verifySame(op, "kv heads", "key", key, 1, "value", value, 1)) ||
      failed(verifySame(op, "kv length", "key", key, 2, "value", value, 2)) ||
      failed(verifySame(op, "head size", "query", query, 3, "key", key, 3)) ||
      failed(verifySame(op, "value head size", "value", value, 3, "output", output, 3)) ||
      failed(verifySame(op, "batch", "query", query, 0, "output", output, 0)) ||
      failed(verifySame(op, "batch", "query", query, 0, "lse", lse, 0)) ||
      failed(verifySame(op, "heads", "query", query, 1, "output", output, 1)) ||
      failed(verifySame(op, "heads", "query", query, 1, "lse", lse, 1)) ||
      failed(verifySame(op, "length", "query", query, 2, "output", output, 2)) ||
      failed(verifySame(op, "length", "query", query, 2, "lse", lse, 2)))
    return failure();
  int64_t heads = query.getDimSize(1), kvHeads = key.getDimSize(1);
  if (!ShapedType::isDynamic(heads) && !ShapedType::isDynamic(kvHeads) && (kvHeads == 0 || heads % kvHeads != 0))
    return op->emitOpError() << kvHeads << " kv heads do not divide " << heads << " heads";
  return success();
}

LogicalResult AttentionOp::verify() {
  if (getPattern().has_value() != getPairs().empty())
    return emitOpError("needs a pattern: a symbol or a region, and not both");
  return verifyAttentionTypes(*this, getQuery().getType(), getKey().getType(), getValue().getType(),
                              getOutput().getType(), getLse().getType());
}

LogicalResult AttentionOp::verifyRegions() {
  if (!getPairs().empty()) {
    auto yield = dyn_cast<YieldOp>(getPairs().front().getTerminator());
    if (!yield || yield.getNumOperands() != 1 || !isa<PatternType>(yield.getOperand(0).getType()))
      return emitOpError("the pattern region has to yield one !attn.pattern");
  }
  if (failed(verifyScoreRegion(*this, getScore())))
    return failure();
  return verifySinkRegion(*this, getSink());
}

LogicalResult AttentionOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  if (!getPattern())
    return success();
  auto pattern = symbolTable.lookupNearestSymbolFrom<PatternOp>(*this, getPatternAttr());
  if (!pattern)
    return emitOpError() << "unknown pattern '@" << *getPattern() << "'; define it with attn.pattern in this file";
  TypeRange expected = pattern.getBody().getArgumentTypes(), given = getPatternArguments().getTypes();
  if (given.size() > expected.size())
    return emitOpError() << "pattern '@" << *getPattern() << "' takes " << expected.size() << " arguments, not "
                         << given.size();
  for (auto [index, pair] : llvm::enumerate(llvm::zip_first(given, expected)))
    if (std::get<0>(pair) != std::get<1>(pair))
      return emitOpError() << "argument " << index << " of pattern '@" << *getPattern() << "' has type "
                           << std::get<0>(pair) << "; it has to be " << std::get<1>(pair);
  return success();
}
