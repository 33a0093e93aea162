// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bounds, verifiers and canonical forms of atoms and coordinates.

#include "attn/IR/Syntax.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace attn;

//===-- Bounds ----------------------------------------------------------------------------------------------------===//

static AtomBound bound(StringRef name, Value value, std::optional<APInt> literal,
                       std::optional<int64_t> minimum = std::nullopt) {
  return {name.str(), value, literal ? std::optional(literal->getSExtValue()) : std::nullopt, minimum};
}

static AtomBound required(AtomBound bound) {
  bound.isRequired = true;
  return bound;
}

/// The entries of a list that mixes values and literals.
static SmallVector<AtomBound> boundsOfList(StringRef name, ValueRange values, ArrayRef<int64_t> literals,
                                           int64_t minimum) {
  SmallVector<AtomBound> bounds;
  for (auto [i, literal] : llvm::enumerate(literals)) {
    AtomBound entry{(name + " " + Twine(i)).str(), {}, {}, minimum, /*isRequired=*/true};
    if (!ShapedType::isDynamic(literal)) {
      entry.literal = literal;
    } else if (!values.empty()) {
      entry.value = values.front();
      values = values.drop_front();
    }
    bounds.push_back(entry);
  }
  return bounds;
}

SmallVector<AtomBound> attn::boundsOf(Operation *op) {
  using Bounds = SmallVector<AtomBound>;
  return llvm::TypeSwitch<Operation *, Bounds>(op)
      .Case([](WindowOp atom) -> Bounds {
        return {bound("left", atom.getLeft(), atom.getStaticLeft(), 0),
                bound("right", atom.getRight(), atom.getStaticRight(), 0),
                bound("dilation", atom.getDilation(), atom.getStaticDilation(), 1)};
      })
      .Case([](BlockLocalOp atom) -> Bounds {
        return {required(bound("block", atom.getBlock(), atom.getStaticBlock(), 1)),
                bound("before", atom.getBefore(), atom.getStaticBefore(), 0),
                bound("after", atom.getAfter(), atom.getStaticAfter(), 0)};
      })
      .Case([](NeighborhoodOp atom) -> Bounds {
        return {required(bound("size", atom.getSize(), atom.getStaticSize(), 1))};
      })
      .Case([](CongruentOp atom) -> Bounds {
        return {required(bound("modulus", atom.getModulus(), atom.getStaticModulus(), 1)),
                bound("from", atom.getFrom(), atom.getStaticFrom()), bound("to", atom.getTo(), atom.getStaticTo())};
      })
      .Case<RangeOp, HeadsOp>([](auto atom) -> Bounds {
        return {bound("from", atom.getFrom(), atom.getStaticFrom()),
                bound("below", atom.getBelow(), atom.getStaticBelow())};
      })
      .Case([](BlockTableOp atom) -> Bounds {
        return {required(bound("block", atom.getBlock(), atom.getStaticBlock(), 1))};
      })
      .Case([](GridOp op) { return boundsOfList("size", op.getSizes(), op.getStaticSizes(), 1); })
      .Case([](StreamOp op) { return boundsOfList("size", op.getSizes(), op.getStaticSizes(), 0); })
      .Case([](RasterOp op) { return boundsOfList("block", op.getBlocks(), op.getStaticBlocks(), 1); })
      .Default([](Operation *) { return Bounds(); });
}

static LogicalResult verifyBounds(Operation *op) {
  for (const AtomBound &bound : boundsOf(op)) {
    if (bound.value && bound.literal)
      return op->emitOpError() << bound.name << " is given twice, as a value and as " << *bound.literal;
    if (bound.isRequired && !bound.value && !bound.literal)
      return op->emitOpError() << "has no " << bound.name << "; give a value or a literal";
    std::optional<int64_t> number = bound.literal;
    IntegerAttr constant;
    if (bound.value && matchPattern(bound.value, m_Constant(&constant)))
      number = constant.getInt();
    if (number && bound.minimum && *number < *bound.minimum)
      return op->emitOpError() << bound.name << " is " << *number << "; it has to be at least " << *bound.minimum;
    if (number && (*number > maxNumber || *number < -maxNumber))
      return op->emitOpError() << bound.name << " is " << *number << "; it has to be within 2^40";
  }
  return success();
}

/// Turns the first constant operand into a literal; canonicalization comes back for the others.
static LogicalResult makeLiteral(PatternRewriter &rewriter, Operation *op,
                                 ArrayRef<std::pair<MutableOperandRange, StringAttr>> bounds) {
  for (auto [value, literal] : bounds) {
    IntegerAttr constant;
    if (value.empty() || !matchPattern(OperandRange(value).front(), m_Constant(&constant)))
      continue;
    rewriter.modifyOpInPlace(op, [&, value = value, literal = literal]() mutable {
      value.clear();
      op->setAttr(literal, constant);
    });
    return success();
  }
  return failure();
}

//===-- Atoms -----------------------------------------------------------------------------------------------------===//

LogicalResult WindowOp::verify() { return verifyBounds(*this); }

LogicalResult WindowOp::canonicalize(WindowOp op, PatternRewriter &rewriter) {
  // Taps that are one apart are positions.
  if (op.getStaticDilation() && op.getStaticDilation()->isOne()) {
    rewriter.modifyOpInPlace(op, [&] { op.removeStaticDilationAttr(); });
    return success();
  }
  return makeLiteral(rewriter, op,
                     {{op.getLeftMutable(), op.getStaticLeftAttrName()},
                      {op.getRightMutable(), op.getStaticRightAttrName()},
                      {op.getDilationMutable(), op.getStaticDilationAttrName()}});
}

LogicalResult CausalOp::verify() {
  if (getTopLeft() && getCoordinate())
    return emitOpError("top_left aligns rows, which a coordinate does not have; leave out one of the two");
  return success();
}

LogicalResult BlockLocalOp::verify() { return verifyBounds(*this); }

LogicalResult BlockLocalOp::canonicalize(BlockLocalOp op, PatternRewriter &rewriter) {
  return makeLiteral(rewriter, op,
                     {{op.getBlockMutable(), op.getStaticBlockAttrName()},
                      {op.getBeforeMutable(), op.getStaticBeforeAttrName()},
                      {op.getAfterMutable(), op.getStaticAfterAttrName()}});
}

LogicalResult NeighborhoodOp::verify() {
  if (!getCoordinate().getDefiningOp<GridOp>())
    return emitOpError("needs edges to shift the window back from, and this coordinate has none; use an axis of "
                       "attn.grid");
  return verifyBounds(*this);
}

LogicalResult NeighborhoodOp::canonicalize(NeighborhoodOp op, PatternRewriter &rewriter) {
  return makeLiteral(rewriter, op, {{op.getSizeMutable(), op.getStaticSizeAttrName()}});
}

LogicalResult CongruentOp::verify() {
  if (getWhich() == CongruentWhich::Head && getCoordinate())
    return emitOpError("divides the head, which has no coordinate; leave out 'on', or divide query or key");
  return verifyBounds(*this);
}

LogicalResult CongruentOp::canonicalize(CongruentOp op, PatternRewriter &rewriter) {
  return makeLiteral(rewriter, op,
                     {{op.getModulusMutable(), op.getStaticModulusAttrName()},
                      {op.getFromMutable(), op.getStaticFromAttrName()},
                      {op.getToMutable(), op.getStaticToAttrName()}});
}

LogicalResult RangeOp::verify() {
  if (!getFrom() && !getStaticFrom() && !getBelow() && !getStaticBelow())
    return emitOpError("has no bound; write from(...), below(...), or both");
  return verifyBounds(*this);
}

LogicalResult RangeOp::canonicalize(RangeOp op, PatternRewriter &rewriter) {
  return makeLiteral(
      rewriter, op,
      {{op.getFromMutable(), op.getStaticFromAttrName()}, {op.getBelowMutable(), op.getStaticBelowAttrName()}});
}

LogicalResult HeadsOp::verify() {
  bool isBounded = getFrom() || getStaticFrom() || getBelow() || getStaticBelow();
  if (isBounded == static_cast<bool>(getFlags()))
    return emitOpError(isBounded ? "names heads by bounds and by a table; write one of the two"
                                 : "names no heads; write from(...), below(...), or in %table");
  return verifyBounds(*this);
}

LogicalResult HeadsOp::canonicalize(HeadsOp op, PatternRewriter &rewriter) {
  return makeLiteral(
      rewriter, op,
      {{op.getFromMutable(), op.getStaticFromAttrName()}, {op.getBelowMutable(), op.getStaticBelowAttrName()}});
}

LogicalResult BlockTableOp::verify() { return verifyBounds(*this); }

LogicalResult BlockTableOp::canonicalize(BlockTableOp op, PatternRewriter &rewriter) {
  return makeLiteral(rewriter, op, {{op.getBlockMutable(), op.getStaticBlockAttrName()}});
}

//===-- Coordinates -----------------------------------------------------------------------------------------------===//

/// A list has to name as many values as it has places for them.
static LogicalResult verifyList(Operation *op, StringRef what, ValueRange values, ArrayRef<int64_t> literals) {
  size_t places = llvm::count_if(literals, ShapedType::isDynamic);
  if (places != values.size())
    return op->emitOpError() << "has " << values.size() << " values for " << places << " " << what;
  return verifyBounds(op);
}

template <typename CoordinatesOp> static LogicalResult verifySizes(CoordinatesOp op) {
  if (op.getStaticSizes().empty())
    return op.emitOpError("has no sizes; name at least one");
  return verifyList(op, "sizes", op.getSizes(), op.getStaticSizes());
}

LogicalResult GridOp::verify() {
  if (failed(verifySizes(*this)))
    return failure();
  int64_t points = 1;
  for (int64_t size : getStaticSizes())
    if (!ShapedType::isDynamic(size) && (llvm::MulOverflow(points, size, points) || points > maxNumber))
      return emitOpError("has sizes whose product is above 2^40; write smaller ones");
  return success();
}

LogicalResult StreamOp::verify() { return verifySizes(*this); }

LogicalResult RasterOp::verify() {
  auto grid = getAxes().empty() ? GridOp() : getAxes().front().getDefiningOp<GridOp>();
  if (!grid || !llvm::equal(getAxes(), grid.getCoordinates()))
    return emitOpError("takes all axes of one attn.grid, the outermost first");
  if (getAxes().size() != getStaticBlocks().size())
    return emitOpError() << "has " << getAxes().size() << " axes and " << getStaticBlocks().size()
                         << " blocks; name one block for each axis";
  return verifyList(*this, "blocks", getBlocks(), getStaticBlocks());
}

/// One coordinate for each size, and one for what is left.
template <typename CoordinatesOp>
static LogicalResult inferCoordinates(MLIRContext *context, typename CoordinatesOp::Adaptor adaptor,
                                      SmallVectorImpl<Type> &types) {
  types.assign(adaptor.getStaticSizes().size() + 1, CoordinateType::get(context));
  return success();
}

LogicalResult GridOp::inferReturnTypes(MLIRContext *context, std::optional<Location>, ValueRange operands,
                                       DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
                                       SmallVectorImpl<Type> &types) {
  return inferCoordinates<GridOp>(context, Adaptor(operands, attributes, properties, regions), types);
}

LogicalResult StreamOp::inferReturnTypes(MLIRContext *context, std::optional<Location>, ValueRange operands,
                                         DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
                                         SmallVectorImpl<Type> &types) {
  return inferCoordinates<StreamOp>(context, Adaptor(operands, attributes, properties, regions), types);
}
