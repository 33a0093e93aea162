// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Spells the planner's plan as attn.plan.

#include "attn/Transforms/Passes.h"
#include "attn/Transforms/PatternReader.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace attn;

namespace attn {
#define GEN_PASS_DEF_ATTNPLAN
#include "attn/Transforms/Passes.h.inc"
} // namespace attn

namespace {

/// Writes a residual test as ops on (batch, head, query row, key row).
class TestWriter {
public:
  TestWriter(OpBuilder &builder, Location loc, const PatternReading &reading, Block &body)
      : builder(builder), loc(loc), reading(reading), body(body) {}

  Value write(const PairSet &set) {
    switch (set.kind()) {
    case PairSet::Kind::Full:
    case PairSet::Kind::Empty:
      return arith::ConstantOp::create(builder, loc, builder.getBoolAttr(set.kind() == PairSet::Kind::Full));
    case PairSet::Kind::HalfSpace: {
      auto predicate = set.half().lower ? arith::CmpIPredicate::sge : arith::CmpIPredicate::slt;
      return arith::CmpIOp::create(builder, loc, predicate, body.getArgument(3), apply(set.half().byQuery, query()));
    }
    case PairSet::Kind::Listed: {
      bool keys = set.side() == Side::Keys;
      auto order = OrderAttr::get(builder.getContext(), OrderKindAttrValue::Listed, set.index());
      return MemberOp::create(builder, loc, builder.getI1Type(), order, keys, keys ? key() : query());
    }
    case PairSet::Kind::SameSegment: {
      // Two positions outside of the table are in no segment: what stands for them differs.
      Value a = lookup(set.index(), queryPosition(), -(int64_t(1) << 40));
      Value b = lookup(set.index(), keyPosition(), -(int64_t(1) << 41));
      return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, a, b);
    }
    case PairSet::Kind::Where:
      return inlineRegion(reading.regions[set.index()]);
    case PairSet::Kind::Not: {
      Value all = arith::ConstantOp::create(builder, loc, builder.getBoolAttr(true));
      return arith::XOrIOp::create(builder, loc, write(set.members().front()), all);
    }
    case PairSet::Kind::Union:
      return fold<arith::OrIOp>(set.members());
    case PairSet::Kind::Intersect:
      return fold<arith::AndIOp>(set.members());
    }
    llvm_unreachable("all kinds are handled");
  }

private:
  Value query() { return body.getArgument(2); }
  Value key() { return body.getArgument(3); }
  Value apply(const Expr &expr, Value row) {
    return ApplyOp::create(builder, loc, builder.getIndexType(), ExprAttr::get(builder.getContext(), expr), row);
  }
  Value queryPosition() { return apply(Expr::row() + Expr::symbol(QueryOffset), query()); }
  Value keyPosition() { return apply(Expr::row() + Expr::symbol(KeyOffset), key()); }
  Value lookup(unsigned table, Value position, int64_t absent) {
    return LookupOp::create(builder, loc, builder.getI64Type(), reading.tables[table], position,
                            builder.getI64IntegerAttr(absent));
  }

  template <typename Op> Value fold(ArrayRef<PairSet> members) {
    Value all = write(members.front());
    for (const PairSet &member : members.drop_front())
      all = Op::create(builder, loc, all, write(member));
    return all;
  }

  Value inlineRegion(WhereOp where) {
    IRMapping mapping;
    Value arguments[] = {body.getArgument(0), body.getArgument(1), queryPosition(), keyPosition()};
    mapping.map(where.getBody().getArguments(), arguments);
    for (Operation &op : where.getBody().front().without_terminator())
      builder.clone(op, mapping);
    return mapping.lookup(where.getBody().front().getTerminator()->getOperand(0));
  }

  OpBuilder &builder;
  Location loc;
  const PatternReading &reading;
  Block &body;
};

class PlanWriter {
public:
  PlanWriter(AttentionOp op, const PatternReading &reading, const Plan &plan)
      : op(op), reading(reading), plan(plan), builder(op), loc(op.getLoc()) {}

  void write() {
    // Regions may use index arithmetic of the pattern; it moves out with them.
    Block &pattern = op.getPairs().front();
    for (Operation &inner : llvm::make_early_inc_range(pattern))
      if (isa<arith::ArithDialect>(inner.getDialect()))
        inner.moveBefore(op);
    DenseI64ArrayAttr compact = plan.compact ? sizesOf(*plan.compact) : DenseI64ArrayAttr();
    IntegerAttr compactKeys = plan.compact ? builder.getI64IntegerAttr(plan.compactKeys) : IntegerAttr();
    auto planOp = PlanOp::create(builder, loc, op.getOutput().getType(), op.getLse().getType(), op.getQuery(),
                                 op.getKey(), op.getValue(), op.getScale(), reading.symbols, reading.tables,
                                 sizesOf(plan.tile), plan.tile.anchored, compact, compactKeys);
    OpBuilder::InsertionGuard guard(builder);
    builder.createBlock(&planOp.getPhases());
    for (const Phase &phase : plan.phases)
      writePhase(phase);
    planOp.getScore().takeBody(op.getScore());
    op.replaceAllUsesWith(planOp);
    op.erase();
  }

private:
  DenseI64ArrayAttr sizesOf(const TileShape &tile) {
    return builder.getDenseI64ArrayAttr({tile.rows, tile.keys, tile.groupRows, tile.granule});
  }
  OrderAttr orderAttr(unsigned index) {
    const Order &order = plan.orders[index];
    return OrderAttr::get(builder.getContext(), static_cast<OrderKindAttrValue>(order.kind), order.table);
  }
  ExprAttr exprAttr(const Expr &expr) { return ExprAttr::get(builder.getContext(), expr); }

  void writePhase(const Phase &phase) {
    SmallVector<Attribute> except;
    for (unsigned order : phase.except)
      except.push_back(orderAttr(order));
    auto phaseOp = PhaseOp::create(builder, loc, orderAttr(phase.queries),
                                   except.empty() ? ArrayAttr() : builder.getArrayAttr(except));
    OpBuilder::InsertionGuard guard(builder);
    builder.createBlock(&phaseOp.getBoxes());
    for (const Box &box : phase.boxes)
      writeBox(box);
  }

  void writeBox(const Box &box) {
    auto boxOp = BoxOp::create(builder, loc, orderAttr(box.keys), box.sameSegment, exprAttr(box.lower),
                               exprAttr(box.upper), exprAttr(box.queryLower), exprAttr(box.queryUpper));
    if (!box.test)
      return;
    OpBuilder::InsertionGuard guard(builder);
    SmallVector<Type> types(4, builder.getIndexType());
    Block *body = builder.createBlock(&boxOp.getTest(), {}, types, SmallVector<Location>(4, loc));
    Value result = TestWriter(builder, loc, reading, *body).write(*box.test);
    attn::YieldOp::create(builder, loc, result);
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
      chosen->local.reset();
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
    if (tile.anchored)
      tile.groupRows = tile.rows, tile.granule = tile.keys;
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
