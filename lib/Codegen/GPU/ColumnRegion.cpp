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
  Value rank = f.add(first, f.add(tile::FirstColumnOp::create(f.b, f.b.getI32Type()), column));
  if (!rows)
    return rank;
  // Columns beside the order are masked; they read one of its entries.
  Value inside = f.clamp(rank, f.i32(0), f.sub(count, 1));
  Value row = f.load32(rows, arith::ExtUIOp::create(f.b, f.b.getI64Type(), inside));
  return isIdentity ? f.select(isIdentity, rank, row) : row;
}

//===-- attn's own ops --------------------------------------------------------------------------------------------===//

/// table[at] as i64 where 0 <= at < size, `absent` elsewhere.
static Value lookUp(Frame &f, LookupOp op, Value at) {
  unsigned tensor = f.layout.tensorOf(op.getTable());
  Value missing = arith::ConstantOp::create(f.b, f.b.getI64IntegerAttr(op.getAbsent()));
  // The host writes the number of positions where a head's stride would stand.
  Value size = f.toIndex(f.viewStride(tensor, 1));
  auto load = [&]() -> Value {
    Value wide = arith::IndexCastOp::create(f.b, f.b.getI64Type(), at);
    return arith::ExtSIOp::create(f.b, f.b.getI64Type(), f.load32(f.tableOfBatch(tensor), wide));
  };
  return f.choose(f.compare(CmpIPredicate::ult, at, size), load, [&] { return missing; });
}

/// Whether the order's bitmap has the row; no row of the other side has one.
static Value isMember(Frame &f, MemberOp op, Value row) {
  Side side = op.getKeys() ? Side::Keys : Side::Queries;
  const OrderLayout &order = f.layout.orders[f.layout.orderIndex(op.getOrder(), side)];
  Value rows = f.symbol(op.getKeys() ? KvLength : Length);
  return f.choose(
      f.compare(CmpIPredicate::ult, row, rows), [&] { return f.hasFlag(order.flagsView, f.toI32(row)); },
      [&] { return f.truth(false); });
}

static Value writeAttnOp(Frame &f, Operation *op, ValueRange operands) {
  if (auto apply = dyn_cast<ApplyOp>(op))
    return f.evaluate(apply.getExpr().getExpr(), operands[0]);
  if (auto member = dyn_cast<MemberOp>(op))
    return isMember(f, member, operands[0]);
  return lookUp(f, cast<LookupOp>(op), operands[1]);
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

Value attn::hopper::inlineColumnRegion(Frame &f, Region &region, ValueRange arguments, Value column) {
  // Tables stay what they are: the op that reads them knows which they are.
  auto outer = [&](Value value) { return isa<SegmentsType>(value.getType()) ? value : f.argument(value); };
  RegionInliner inliner{f.b, 1, outer,
                        [&](Operation *op, ValueRange operands) { return writeAttnOp(f, op, operands); }};
  Value result = inliner.inlineRegion(region, arguments);
  Block &block = *f.b.getInsertionBlock();
  if (!column)
    return result;
  // The result may be a conversion itself, and is replaced then.
  auto keep = tile::YieldOp::create(f.b, result);
  splitConversions(f, block, column);
  allowApproximation(f, block);
  result = keep.getValue();
  keep.erase();
  return result;
}
