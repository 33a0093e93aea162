// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifies plans: tables and symbols exist, tiles divide, requirements hold for a whole call, tests are pure.

#include "attn/IR/Syntax.h"

using namespace mlir;
using namespace attn;

static LogicalResult verifyTile(PlanOp op, ArrayRef<int64_t> tile) {
  if (tile.size() != 4)
    return op.emitOpError() << "tile has " << tile.size()
                            << " sizes; it takes 4: query rows, keys, rows of a sub-tile, keys of a sub-tile";
  for (unsigned axis : {0, 1})
    if (tile[axis] <= 0 || tile[axis + 2] <= 0 || tile[axis] % tile[axis + 2] != 0)
      return op.emitOpError() << "a sub-tile of " << tile[axis + 2] << (axis ? " keys" : " rows")
                              << " does not divide a tile of " << tile[axis];
  return success();
}

/// The symbols of an expression have to be the plan's.
static LogicalResult verifySymbols(Operation *op, PlanOp plan, const Expr &expr) {
  unsigned last = lastSymbol(expr);
  if (last >= FirstNamed + plan.getSymbols().size())
    return op->emitOpError() << "names the symbol s" << last - FirstNamed << ", but the plan has "
                             << plan.getSymbols().size() << " symbols";
  return success();
}

/// A call is asked for its requirements before there is any row.
static LogicalResult verifyRequirements(PlanOp op, ArrayAttr requirements) {
  for (auto requirement : requirements.getAsRange<RequirementAttr>())
    for (const Expr &expr : {requirement.getValue(), requirement.getLeast()}) {
      if (failed(verifySymbols(op, op, expr)))
        return failure();
      if (expr.dependsOnRow())
        return op.emitOpError() << "requires \"" << requirement.getName() << "\" to be at least \""
                                << requirement.getLeastName() << "\", but these depend on a row; use symbols only";
    }
  return success();
}

LogicalResult PlanOp::verify() {
  if (getCompact().has_value() != getCompactKeys().has_value())
    return emitOpError("compact tiles and the most keys that they are for come together: compact [...] to KEYS");
  if (failed(verifyTile(*this, getTile())) || (getCompact() && failed(verifyTile(*this, *getCompact()))))
    return failure();
  if (getRequirements() && failed(verifyRequirements(*this, *getRequirements())))
    return failure();
  return verifyAttentionTypes(*this, getQuery().getType(), getKey().getType(), getValue().getType(),
                              getOutput().getType(), getLse().getType());
}

LogicalResult PlanOp::verifyRegions() {
  for (Operation &op : getPhases().front())
    if (!isa<PhaseOp>(op))
      return op.emitOpError("is not a phase; a plan holds attn.phase ops only");
  if (failed(verifyScoreRegion(*this, getScore())))
    return failure();
  return verifySinkRegion(*this, getSink());
}

/// The order's table has to be one of the plan's, of the right kind; its expressions are about the call alone.
static LogicalResult verifyOrder(Operation *op, PlanOp plan, OrderAttr attr) {
  Order order = attr.of(Side::Queries);
  if (!order.isTabled()) {
    for (const Expr &expr : {order.modulus, order.shift, order.from, order.below})
      if (failed(verifySymbols(op, plan, expr)))
        return failure();
      else if (expr.dependsOnRow())
        return op->emitOpError() << "order " << stringifyOrderKindAttrValue(attr.getKind())
                                 << " depends on a row; use symbols only";
    if (auto modulus = order.modulus.asConstant(); modulus && *modulus < 1)
      return op->emitOpError() << "order " << stringifyOrderKindAttrValue(attr.getKind()) << " counts modulo "
                               << *modulus << "; use a positive number";
    return success();
  }
  if (order.table >= plan.getTables().size())
    return op->emitOpError() << "order of table " << order.table << ", but the plan has " << plan.getTables().size()
                             << " tables";
  Type type = plan.getTables()[order.table].getType();
  bool listed = order.kind == OrderKind::Listed;
  if (listed != isa<TokensType>(type))
    return op->emitOpError() << "order " << stringifyOrderKindAttrValue(attr.getKind()) << " needs a table of type "
                             << (listed ? "!attn.tokens" : "!attn.segments") << ", table " << order.table
                             << " has type " << type;
  return success();
}

/// It is asked before a call's memory is read.
static LogicalResult verifyWhen(PhaseOp op, PlanOp plan) {
  if (!op.getWhenAttr())
    return success();
  const Expr &when = op.getWhenAttr().getExpr();
  if (failed(verifySymbols(op, plan, when)))
    return failure();
  bool isOfRow = when.dependsOnRow(), isOfHead = when.anySymbol([](unsigned symbol) { return symbol == Head; });
  if (isOfRow || isOfHead)
    return op.emitOpError() << "when depends on a " << (isOfRow ? "row" : "head") << "; use symbols of the call only";
  bool isData = when.anySymbol([&](unsigned symbol) {
    return symbol >= FirstNamed && !plan.getSymbols()[symbol - FirstNamed].getType().isIndex();
  });
  if (isData)
    return op.emitOpError("when depends on run-time data; use symbols of type index only");
  return success();
}

LogicalResult PhaseOp::verify() {
  auto plan = cast<PlanOp>((*this)->getParentOp());
  if (failed(verifyOrder(*this, plan, getQueries())))
    return failure();
  if (ArrayAttr except = getExceptAttr())
    for (Attribute order : except)
      if (failed(verifyOrder(*this, plan, cast<OrderAttr>(order))))
        return failure();
  for (Operation &op : getBoxes().front())
    if (!isa<BoxOp>(op))
      return op.emitOpError("is not a box; a phase holds attn.box ops only");
  if (getContinues() && !(*this)->getPrevNode())
    return emitOpError("continues, but there is no phase before it");
  return verifyWhen(*this, plan);
}

/// Columns need queries in patches of a grid as wide.
static LogicalResult verifyColumns(BoxOp op, PhaseOp phase) {
  Order queries = phase.getQueries().of(Side::Queries);
  bool hasColumns = op.getColumnWidthAttr() != nullptr;
  if (hasColumns && (queries.kind != OrderKind::Patches || queries.modulus != op.getColumnWidthAttr().getExpr()))
    return op.emitOpError("columns_of needs queries in patches of a grid of the same width");
  return success();
}

/// Listed blocks need a table of them, and queries whose tiles lie in such blocks.
static LogicalResult verifyBlocks(BoxOp op, PlanOp plan, PhaseOp phase) {
  if (!op.getBlockTable())
    return success();
  size_t table = *op.getBlockTable();
  if (table >= plan.getTables().size() || !isa<BlocksType>(plan.getTables()[table].getType()))
    return op.emitOpError() << "blocks of table " << table << ", which is no !attn.blocks of the plan's "
                            << plan.getTables().size() << " tables";
  Order queries = phase.getQueries().of(Side::Queries);
  if (queries.kind != OrderKind::Blocks || queries.modulus != op.getBlockSizeAttr().getExpr())
    return op.emitOpError("blocks needs queries in blocks of the same size");
  return success();
}

/// What is written together is there together.
static LogicalResult verifyParts(BoxOp op) {
  auto isWhole = [](ArrayRef<Attribute> parts) {
    return llvm::all_equal(llvm::map_range(parts, [](Attribute part) { return static_cast<bool>(part); }));
  };
  auto report = [&](StringRef what) {
    return op.emitOpError() << what << " is there in part; it takes all of its parts";
  };
  if (!isWhole({op.getKeyClassAttr(), op.getQueryClassAttr()}))
    return report("class");
  if (!isWhole({op.getBlockTableAttr(), op.getBlockSizeAttr()}))
    return report("blocks");
  if (!isWhole({op.getColumnWidthAttr(), op.getColumnShiftAttr(), op.getColumnLowerAttr(), op.getColumnUpperAttr()}))
    return report("columns_of");
  if (!isWhole({op.getHoleLowerAttr(), op.getHoleUpperAttr(), op.getHoleQueryLowerAttr(), op.getHoleQueryUpperAttr()}))
    return report("without");
  return success();
}

/// Other boxes' keys are found in lists.
static LogicalResult verifyExcept(BoxOp op, PlanOp plan) {
  if (ArrayAttr except = op.getExceptAttr())
    for (auto order : except.getAsRange<OrderAttr>()) {
      if (failed(verifyOrder(op, plan, order)))
        return failure();
      if (order.getKind() != OrderKindAttrValue::Listed)
        return op.emitOpError() << "leaves out order " << stringifyOrderKindAttrValue(order.getKind())
                                << "; a box leaves out listed keys only";
    }
  return success();
}

LogicalResult BoxOp::verifyRegions() {
  if (failed(verifyParts(*this)))
    return failure();
  auto phase = cast<PhaseOp>((*this)->getParentOp());
  auto plan = cast<PlanOp>(phase->getParentOp());
  if (failed(verifyOrder(*this, plan, getKeys())))
    return failure();
  if (getSameSegment() && (getKeys() != phase.getQueries() || getKeys().getKind() != OrderKindAttrValue::SegmentSorted))
    return emitOpError("same_segment needs queries and keys sorted by the same table");
  bool areClasses = getKeys() == phase.getQueries() && getKeys().getKind() == OrderKindAttrValue::Classes;
  if (areClasses != getKeyClassAttr().operator bool())
    return emitOpError(areClasses ? "needs to say which class of keys a class of queries looks at: class (...)"
                                  : "class needs queries and keys in classes of the same modulus");
  if (failed(verifyBlocks(*this, plan, phase)) || failed(verifyColumns(*this, phase)) ||
      failed(verifyExcept(*this, plan)))
    return failure();
  for (ExprAttr bound :
       {getLowerAttr(), getUpperAttr(), getQueryLowerAttr(), getQueryUpperAttr(), getKeyClassAttr(),
        getQueryClassAttr(), getBlockSizeAttr(), getColumnWidthAttr(), getColumnShiftAttr(), getColumnLowerAttr(),
        getColumnUpperAttr(), getHoleLowerAttr(), getHoleUpperAttr(), getHoleQueryLowerAttr(), getHoleQueryUpperAttr()})
    if (bound && failed(verifySymbols(*this, plan, bound.getExpr())))
      return failure();
  WalkResult ofTest = getTest().walk([&](Operation *op) -> WalkResult {
    if (auto apply = dyn_cast<ApplyOp>(op))
      return verifySymbols(op, plan, apply.getExpr().getExpr());
    if (auto member = dyn_cast<MemberOp>(op))
      return verifyOrder(op, plan, member.getOrder());
    return success();
  });
  if (ofTest.wasInterrupted())
    return failure();
  return verifyTestRegion(*this, getTest());
}
