// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Spells the sets that no bound captures as ops that are asked pair by pair.

#include "TestWriter.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace attn;

namespace {

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
      return compare(predicate, key(), apply(set.half().byQuery, query()));
    }
    case PairSet::Kind::Relation:
      return writeRelation(set.related());
    case PairSet::Kind::Listed: {
      bool keys = set.side() == Side::Keys;
      auto order = OrderAttr::get(builder.getContext(), Order::listed(set.side(), set.index()));
      return MemberOp::create(builder, loc, builder.getI1Type(), order, keys, keys ? key() : query());
    }
    case PairSet::Kind::SameSegment: {
      // Two positions outside of the table are in no segment: what stands for them differs.
      Value a = lookup(set.index(), queryPosition(), -(int64_t(1) << 40));
      Value b = lookup(set.index(), keyPosition(), -(int64_t(1) << 41));
      return compare(arith::CmpIPredicate::eq, a, b);
    }
    case PairSet::Kind::BlockTable: {
      Value row = apply(Expr::floorDiv(queryPositionExpr(), set.block()), query());
      Value entry = apply(Expr::floorDiv(keyPositionExpr(), set.block()), key());
      return ListsOp::create(builder, loc, builder.getI1Type(), reading.tables[set.index()], row, entry);
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
  static Expr queryPositionExpr() { return Expr::row() + Expr::symbol(QueryOffset); }
  static Expr keyPositionExpr() { return Expr::row() + Expr::symbol(KeyOffset); }
  Value queryPosition() { return apply(queryPositionExpr(), query()); }
  Value keyPosition() { return apply(keyPositionExpr(), key()); }

  Value apply(const Expr &expr, Value row) {
    return ApplyOp::create(builder, loc, builder.getIndexType(), ExprAttr::get(builder.getContext(), expr), row);
  }
  Value compare(arith::CmpIPredicate predicate, Value a, Value b) {
    return arith::CmpIOp::create(builder, loc, predicate, a, b);
  }
  Value lookup(unsigned table, Value position, int64_t absent) {
    return LookupOp::create(builder, loc, builder.getI64Type(), reading.tables[table], position, absent);
  }
  /// The offset in a segment; one below 0 stands for none.
  Value offset(unsigned table, Value position) {
    Value found = LookupOp::create(builder, loc, builder.getI64Type(), reading.tables[table], position, /*absent=*/-1,
                                   /*offset=*/true);
    return arith::IndexCastOp::create(builder, loc, builder.getIndexType(), found);
  }

  template <typename Op> Value fold(ArrayRef<PairSet> members) {
    Value all = write(members.front());
    for (const PairSet &member : members.drop_front())
      all = Op::create(builder, loc, all, write(member));
    return all;
  }

  // lower(i) <= place(j) < upper(i)
  Value writeRelation(const Relation &relation) {
    SmallVector<Value> tests;
    Value i = query(), j = key();
    if (relation.offsets) {
      i = offset(*relation.offsets, queryPosition()), j = offset(*relation.offsets, keyPosition());
      Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
      for (Value offset : {i, j})
        tests.push_back(compare(arith::CmpIPredicate::sge, offset, zero));
    }
    Value place = apply(relation.place, j);
    if (relation.lower)
      tests.push_back(compare(arith::CmpIPredicate::sge, place, apply(*relation.lower, i)));
    if (relation.upper)
      tests.push_back(compare(arith::CmpIPredicate::slt, place, apply(*relation.upper, i)));
    if (tests.empty())
      return write(PairSet::full());
    Value all = tests.front();
    for (Value test : ArrayRef(tests).drop_front())
      all = arith::AndIOp::create(builder, loc, all, test);
    return all;
  }

  Value inlineRegion(WhereOp where) {
    IRMapping mapping;
    Value arguments[] = {body.getArgument(0), body.getArgument(1), queryPosition(), keyPosition()};
    mapping.map(where.getBody().getArguments(), arguments);
    for (Operation &op : where.getBody().front().without_terminator()) {
      Operation *clone = builder.clone(op, mapping);
      if (auto load = dyn_cast<LoadOp>(op); load && !load.getClamped())
        readRows(load, cast<LoadOp>(clone));
    }
    return mapping.lookupOrDefault(where.getBody().front().getTerminator()->getOperand(0));
  }

  /// Where a region reads by position what is counted by rows, a test has the rows themselves. They lie inside of the
  /// array, so that clamping them changes nothing.
  void readRows(LoadOp load, LoadOp clone) {
    for (auto [axis, extent] : llvm::enumerate(load.getArray().getType().getExtents()))
      if (extent == QueriesExtent || extent == KeysExtent)
        clone.getIndicesMutable()[axis].set(extent == QueriesExtent ? query() : key());
    clone.setClamped(true);
  }

  OpBuilder &builder;
  Location loc;
  const PatternReading &reading;
  Block &body;
};

} // namespace

Value attn::writeTest(OpBuilder &builder, Location loc, const PatternReading &reading, Block &body,
                      const PairSet &set) {
  return TestWriter(builder, loc, reading, body).write(set);
}
