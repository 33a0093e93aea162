// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Spells the planner's plan as attn.plan.

#include "TestWriter.h"
#include "attn/Transforms/Passes.h"
#include "attn/Transforms/PatternReader.h"

using namespace mlir;
using namespace attn;

namespace attn {
#define GEN_PASS_DEF_ATTNPLAN
#include "attn/Transforms/Passes.h.inc"
} // namespace attn

namespace {

class PlanWriter {
public:
  PlanWriter(AttentionOp op, const PatternReading &reading, const Plan &plan)
      : op(op), reading(reading), plan(plan), builder(op), loc(op.getLoc()) {}

  void write() {
    // Regions may use index arithmetic of the pattern; it moves out with them.
    Block &pattern = op.getPairs().front();
    SmallVector<Operation *> moved;
    for (Operation &inner : llvm::make_early_inc_range(pattern))
      if (isa<arith::ArithDialect>(inner.getDialect()) || isa<ExtentOp, OfHeadOp, OfBatchOp>(inner))
        moved.push_back(&inner), inner.moveBefore(op);
    DenseI64ArrayAttr compact = plan.compact ? sizesOf(*plan.compact) : DenseI64ArrayAttr();
    IntegerAttr compactKeys = plan.compact ? builder.getI64IntegerAttr(plan.compactKeys) : IntegerAttr();
    auto planOp =
        PlanOp::create(builder, loc, op.getOutput().getType(), op.getLse().getType(), op.getQuery(), op.getKey(),
                       op.getValue(), op.getScale(), reading.symbols, reading.tables, sizesOf(plan.tile),
                       plan.tile.anchored, compact, compactKeys, reading.isOneSequence, requirements());
    OpBuilder::InsertionGuard guard(builder);
    builder.createBlock(&planOp.getPhases());
    for (const Phase &phase : plan.phases)
      writePhase(phase);
    planOp.getScore().takeBody(op.getScore());
    planOp.getSink().takeBody(op.getSink());
    op.replaceAllUsesWith(planOp);
    op.erase();
    for (Operation *inner : llvm::reverse(moved))
      if (inner->use_empty())
        inner->erase();
  }

private:
  DenseI64ArrayAttr sizesOf(const TileShape &tile) {
    return builder.getDenseI64ArrayAttr({tile.rows, tile.keys, tile.groupRows, tile.granule});
  }
  OrderAttr orderAttr(unsigned index) { return OrderAttr::get(builder.getContext(), plan.orders[index]); }
  ExprAttr exprAttr(const Expr &expr) { return ExprAttr::get(builder.getContext(), expr); }
  ExprAttr exprAttr(const std::optional<Expr> &expr) { return expr ? exprAttr(*expr) : ExprAttr(); }
  ArrayAttr requirements() {
    SmallVector<Attribute> list;
    for (const Requirement &r : reading.requirements)
      list.push_back(RequirementAttr::get(builder.getContext(), r.name, r.value, r.leastName, r.least));
    return list.empty() ? ArrayAttr() : builder.getArrayAttr(list);
  }

  ArrayAttr orderAttrs(ArrayRef<unsigned> orders) {
    SmallVector<Attribute> list;
    for (unsigned order : orders)
      list.push_back(orderAttr(order));
    return list.empty() ? ArrayAttr() : builder.getArrayAttr(list);
  }

  void writePhase(const Phase &phase) {
    auto phaseOp = PhaseOp::create(builder, loc, orderAttr(phase.queries), exprAttr(phase.when), phase.continues,
                                   orderAttrs(phase.except));
    OpBuilder::InsertionGuard guard(builder);
    builder.createBlock(&phaseOp.getBoxes());
    for (const Box &box : phase.boxes)
      writeBox(box);
  }

  void writeBox(const Box &box) {
    auto attrsOf = [&](const std::optional<Bounds> &bounds) -> std::array<ExprAttr, 4> {
      if (!bounds)
        return {};
      return {exprAttr(bounds->lower), exprAttr(bounds->upper), exprAttr(bounds->queryLower),
              exprAttr(bounds->queryUpper)};
    };
    auto [lower, upper, queryLower, queryUpper] = attrsOf(box.bounds);
    auto [holeLower, holeUpper, holeQueryLower, holeQueryUpper] = attrsOf(box.hole);
    IntegerAttr blockTable = box.blocks ? builder.getI64IntegerAttr(box.blocks->table) : IntegerAttr();
    ExprAttr blockSize = box.blocks ? exprAttr(box.blocks->size) : ExprAttr();
    std::array<ExprAttr, 4> columns = {};
    if (box.columns)
      columns = {exprAttr(box.columns->width), exprAttr(box.columns->shift), exprAttr(box.columns->lower),
                 exprAttr(box.columns->upper)};
    auto boxOp = BoxOp::create(builder, loc, orderAttr(box.keys), box.sameSegment, exprAttr(box.keyClass),
                               exprAttr(box.queryClass), blockTable, blockSize, columns[0], columns[1], columns[2],
                               columns[3], lower, upper, queryLower, queryUpper, holeLower, holeUpper, holeQueryLower,
                               holeQueryUpper, orderAttrs(box.except));
    if (!box.test)
      return;
    OpBuilder::InsertionGuard guard(builder);
    SmallVector<Type> types(4, builder.getIndexType());
    Block *body = builder.createBlock(&boxOp.getTest(), {}, types, SmallVector<Location>(4, loc));
    attn::YieldOp::create(builder, loc, writeTest(builder, loc, reading, *body, *box.test));
  }

  AttentionOp op;
  const PatternReading &reading;
  const Plan &plan;
  OpBuilder builder;
  Location loc;
};

struct PlanPass : attn::impl::AttnPlanBase<PlanPass> {
  using AttnPlanBase::AttnPlanBase;

  void runOnOperation() override {
    SmallVector<AttentionOp> ops;
    getOperation().walk([&](AttentionOp op) { ops.push_back(op); });
    for (AttentionOp op : ops) {
      FailureOr<Target> chosen = chooseTarget(op);
      if (failed(chosen))
        return signalPassFailure();
      FailureOr<std::pair<PatternReading, Plan>> planned = planAttention(op, *chosen);
      if (failed(planned))
        return signalPassFailure();
      count(planned->second);
      PlanWriter(op, planned->first, planned->second).write();
    }
  }

private:
  FailureOr<Target> chooseTarget(AttentionOp op) {
    Location loc = getOperation().getLoc();
    std::optional<Target> chosen = findTarget(target, op);
    if (!chosen)
      return emitError(loc) << "unknown target '" << target << "'; known are cpu and sm_90a";
    if (tileRows || tileKeys)
      chosen->locals.clear();
    TileShape &tile = chosen->tile;
    auto setSize = [&](int64_t &size, int64_t requested, int64_t unit, StringRef what) -> LogicalResult {
      if (requested < 0 || requested % unit != 0)
        return emitError(loc) << "a tile of " << requested << " " << what << " is no multiple of " << unit << "; use "
                              << unit << " or " << 2 * unit;
      if (requested)
        size = requested;
      return success();
    };
    // A GPU multiplies its tiles whole, in units of what one warpgroup and one instruction take.
    if (failed(setSize(tile.rows, tileRows, tile.anchored ? 64 : tile.groupRows, "rows")) ||
        failed(setSize(tile.keys, tileKeys, tile.anchored ? 16 : tile.granule, "keys")))
      return failure();
    if (tile.anchored) {
      tile.groupRows = tile.rows;
      if (tileKeys)
        tile.granule = tile.keys;
    }
    return *chosen;
  }

  void count(const Plan &plan) {
    numPhases += plan.phases.size();
    for (const Phase &phase : plan.phases) {
      numBoxes += phase.boxes.size();
      numTested += llvm::count_if(phase.boxes, [](const Box &box) { return box.test.has_value(); });
    }
  }
};

} // namespace
