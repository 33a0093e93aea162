// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Regions at the places of a tile.

#include "ColumnRegion.h"
#include "attn/Codegen/RegionInliner.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace attn;
using namespace attn::hopper;

Value TileColumns::row(Value column) const {
  return keys.someRowOf(f.add(first, f.add(tile::FirstColumnOp::create(f.b, f.b.getI32Type()), column)));
}

//===-- Columns ---------------------------------------------------------------------------------------------------===//

namespace {

/// Takes whole numbers apart into what depends on the column and what does not.
class ColumnSplitter {
public:
  ColumnSplitter(Frame &f, Value column) : f(f), column(column) {}

  /// k, if the value is a + k column without ever wrapping around.
  std::optional<int64_t> slope(Value value) {
    auto known = slopes.find(value);
    if (known == slopes.end()) {
      std::optional<int64_t> found = findSlope(value);
      known = slopes.try_emplace(value, found).first;
    }
    return known->second;
  }

  /// The value at column 0, written where the builder stands; what was written for conversions before stands before.
  Value base(Value value) {
    if (slope(value) == 0)
      return value;
    auto known = bases.find(value);
    if (known != bases.end())
      return known->second;
    Value result = value == column ? f.i32(0) : copyAtBase(*value.getDefiningOp());
    bases.try_emplace(value, result);
    return result;
  }

private:
  Value copyAtBase(Operation &op) {
    SmallVector<Value> operands = llvm::map_to_vector(op.getOperands(), [&](Value v) { return base(v); });
    Operation *copy = f.b.clone(op);
    copy->setOperands(operands);
    return copy->getResult(0);
  }

  std::optional<int64_t> findSlope(Value value) {
    if (value == column)
      return 1;
    Operation *op = value.getDefiningOp();
    if (!op || op->getBlock() != column.getParentBlock())
      return 0;
    // What its regions capture is no operand.
    if (op->getNumRegions() != 0)
      return std::nullopt;
    // Positions fit into 32 bits; narrower numbers wrap around among the columns of a tile.
    bool isWide =
        value.getType().isIndex() || (value.getType().isInteger() && value.getType().getIntOrFloatBitWidth() >= 32);
    if (isWide && isa<arith::IndexCastOp, arith::ExtSIOp, arith::TruncIOp>(op))
      return slope(op->getOperand(0));
    if (isWide && isa<arith::AddIOp, arith::SubIOp>(op)) {
      auto a = slope(op->getOperand(0)), c = slope(op->getOperand(1));
      if (!a || !c)
        return std::nullopt;
      int64_t sum = isa<arith::AddIOp>(op) ? *a + *c : *a - *c;
      return std::abs(sum) < largestSlope ? std::optional(sum) : std::nullopt;
    }
    // Anything else is known only if the column is not in it.
    for (Value operand : op->getOperands())
      if (slope(operand) != 0)
        return std::nullopt;
    return 0;
  }

  /// Times the columns of a tile it is still a float without rounding.
  static constexpr int64_t largestSlope = 1 << 16;

  Frame &f;
  Value column;
  llvm::DenseMap<Value, std::optional<int64_t>> slopes;
  llvm::DenseMap<Value, Value> bases;
};

} // namespace

static void splitConversions(Frame &f, Block &block, Value column) {
  ColumnSplitter splitter(f, column);
  for (auto op : llvm::make_early_inc_range(block.getOps<arith::SIToFPOp>())) {
    std::optional<int64_t> slope = splitter.slope(op.getIn());
    if (!op.getType().isF32() || !slope || *slope == 0)
      continue;
    OpBuilder::InsertionGuard guard(f.b);
    f.b.setInsertionPoint(op);
    Value fixed = arith::SIToFPOp::create(f.b, op.getType(), splitter.base(op.getIn()));
    Value moving = arith::SIToFPOp::create(f.b, op.getType(), f.mul(column, *slope));
    op.replaceAllUsesWith(arith::AddFOp::create(f.b, fixed, moving).getResult());
    op.erase();
  }
}

/// Products and sums may be fused, and quotients and functions may be a few units off, as the exponential is. Flags
/// that the region has stay.
static void allowApproximation(Frame &f, Block &block) {
  auto flags = arith::FastMathFlags::contract | arith::FastMathFlags::arcp | arith::FastMathFlags::afn;
  for (Operation &op : block)
    if (auto number = dyn_cast<arith::ArithFastMathInterface>(op)) {
      arith::FastMathFlagsAttr own = number.getFastMathFlagsAttr();
      op.setAttr("fastmath", arith::FastMathFlagsAttr::get(f.b.getContext(), own ? flags | own.getValue() : flags));
    }
}

RegionInliner attn::hopper::inlinerAt(Frame &f, const RegionPlace &place, const KnownValues &known) {
  // Run-time data stay what they are: the op that reads them knows which they are.
  auto outer = [&f](Value value) { return isa<AttnDialect>(value.getType().getDialect()) ? value : f.argument(value); };
  auto attnOp = [&f, place, known](Operation *op, ValueRange operands) {
    // Where there is no key, what reads its row has to wait.
    Value value = known.lookup(op);
    if (value || (!place.keyRow && isa<KeyDotOp, MixedDotOp>(op)))
      return value;
    return writeRegionOp(f, place, op, operands);
  };
  return {f.b, 1, outer, attnOp};
}

Value attn::hopper::inlineColumnRegion(Frame &f, Region &region, ValueRange arguments, const RegionPlace &place,
                                       Value column, const KnownValues &known) {
  Value result = inlinerAt(f, place, known).inlineRegion(region, arguments);
  Block &block = *f.b.getInsertionBlock();
  // The result may be a conversion itself, and is replaced then.
  auto keep = tile::YieldOp::create(f.b, result);
  splitConversions(f, block, column);
  allowApproximation(f, block);
  result = keep.getValue();
  keep.erase();
  return result;
}
