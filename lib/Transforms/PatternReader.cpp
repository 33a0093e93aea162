// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Turns pattern ops into a PairSet, and index arithmetic on parameters into expressions.

#include "attn/Transforms/PatternReader.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace attn;

namespace {

class PatternReader {
public:
  FailureOr<PatternReading> read(AttentionOp op) {
    Operation *yield = op.getPairs().front().getTerminator();
    FailureOr<PairSet> pairs = readSet(yield->getOperand(0));
    if (failed(pairs))
      return failure();
    reading.pairs = *pairs;
    return std::move(reading);
  }

private:
  /// The number of a value in a list, added if it is new.
  static unsigned number(SmallVectorImpl<Value> &list, Value value) {
    auto *known = llvm::find(list, value);
    if (known == list.end())
      known = list.insert(known, value);
    return known - list.begin();
  }

  Expr symbol(Value value) { return Expr::symbol(FirstNamed + number(reading.symbols, value)); }
  unsigned table(Value value) { return number(reading.tables, value); }

  /// Calls `make` with an atom's run-time data, which have to be an argument: they are bound by the call.
  template <typename MakeFn> static FailureOr<PairSet> withData(Operation *atom, Value data, MakeFn make) {
    if (!isa<BlockArgument>(data))
      return atom->emitOpError("reads run-time data that are computed; use an argument of the kernel");
    return make(data);
  }

  /// What is divided by, or a block: at least 1. The call checks parameters; what is made of them is held there.
  static FailureOr<Expr> divisor(Operation *op, const Expr &expr) {
    std::optional<int64_t> constant = expr.asConstant();
    if (constant && *constant < 1)
      return op->emitOpError() << "divides by " << *constant << "; it has to be at least 1";
    bool isParameter = expr.constantSummand() == 0 && expr.summands().size() == 1 && expr.summands()[0].factor == 1 &&
                       expr.summands()[0].term->kind == Expr::TermKind::Symbol;
    return constant || isParameter ? expr : Expr::max({Expr(1), expr});
  }

  FailureOr<Expr> readExpr(Value value) {
    if (isa<BlockArgument>(value))
      return symbol(value);
    IntegerAttr constant;
    if (matchPattern(value, m_Constant(&constant)))
      return Expr(constant.getInt());
    Operation *op = value.getDefiningOp();
    if (op->getNumOperands() != 2)
      return notClosed(op);
    FailureOr<Expr> a = readExpr(op->getOperand(0)), b = readExpr(op->getOperand(1));
    if (failed(a) || failed(b))
      return failure();
    return llvm::TypeSwitch<Operation *, FailureOr<Expr>>(op)
        .Case<arith::AddIOp>([&](auto) { return *a + *b; })
        .Case<arith::SubIOp>([&](auto) { return *a - *b; })
        .Case<arith::MulIOp>([&](auto) { return *a * *b; })
        .Case<arith::FloorDivSIOp>([&](auto) -> FailureOr<Expr> {
          FailureOr<Expr> by = divisor(op, *b);
          return failed(by) ? by : Expr::floorDiv(*a, *by);
        })
        .Case<arith::MinSIOp>([&](auto) { return Expr::min({*a, *b}); })
        .Case<arith::MaxSIOp>([&](auto) { return Expr::max({*a, *b}); })
        .Default([&](Operation *) { return notClosed(op); });
  }

  static LogicalResult notClosed(Operation *op) {
    return op->emitOpError("cannot be part of a pattern's bound; use addi, subi, muli, floordivsi, minsi and maxsi of "
                           "parameters and constants");
  }

  /// A bound that is a value, a literal, or absent.
  FailureOr<std::optional<Expr>> readBound(Value value, IntegerAttr literal) {
    if (literal)
      return std::optional<Expr>(Expr(literal.getInt()));
    if (!value)
      return std::optional<Expr>();
    FailureOr<Expr> expr = readExpr(value);
    if (failed(expr))
      return failure();
    return std::optional<Expr>(*expr);
  }

  FailureOr<PairSet> readWindow(WindowOp op) {
    auto left = readBound(op.getLeft(), op.getStaticLeftAttr()),
         right = readBound(op.getRight(), op.getStaticRightAttr());
    if (failed(left) || failed(right))
      return failure();
    return PairSet::window(*left, *right);
  }

  FailureOr<PairSet> readBlockLocal(BlockLocalOp op) {
    auto block = readBound(op.getBlock(), op.getStaticBlockAttr());
    if (failed(block))
      return failure();
    FailureOr<Expr> size = divisor(op, **block);
    if (failed(size))
      return failure();
    return PairSet::blockLocal(*size);
  }

  PairSet readGlobal(GlobalOp op) {
    unsigned tokens = table(op.getTokens());
    PairSet rows = PairSet::listed(Side::Queries, tokens), columns = PairSet::listed(Side::Keys, tokens);
    if (op.getWhich() == GlobalKind::Rows)
      return rows;
    return op.getWhich() == GlobalKind::Columns ? columns : PairSet::unite({rows, columns});
  }

  FailureOr<PairSet> readWhere(WhereOp op) {
    reading.regions.push_back(op);
    return PairSet::where(reading.regions.size() - 1);
  }

  FailureOr<SmallVector<PairSet>> readMembers(OperandRange members) {
    SmallVector<PairSet> sets;
    for (Value member : members) {
      FailureOr<PairSet> set = readSet(member);
      if (failed(set))
        return failure();
      sets.push_back(*set);
    }
    return sets;
  }

  FailureOr<PairSet> readSet(Value value) {
    using Result = FailureOr<PairSet>;
    Operation *op = value.getDefiningOp();
    if (!op)
      return emitError(value.getLoc(),
                       "a pattern cannot be an argument of a function; name an attn.pattern or write its "
                       "ops into the pattern region");
    auto combine = [&](auto combineMembers) -> Result {
      FailureOr<SmallVector<PairSet>> members = readMembers(op->getOperands());
      if (failed(members))
        return failure();
      return combineMembers(*members);
    };
    return llvm::TypeSwitch<Operation *, Result>(op)
        .Case<FullOp>([](auto) { return PairSet::full(); })
        .Case<EmptyOp>([](auto) { return PairSet::empty(); })
        .Case<WindowOp>([&](auto atom) { return readWindow(atom); })
        .Case<CausalOp>([](auto atom) { return PairSet::causal(atom.getTopLeft()); })
        .Case<BlockLocalOp>([&](auto atom) { return readBlockLocal(atom); })
        .Case<GlobalOp>(
            [&](auto atom) { return withData(atom, atom.getTokens(), [&](Value) { return readGlobal(atom); }); })
        .Case<SegmentsOp>([&](auto atom) {
          return withData(atom, atom.getIds(), [&](Value ids) { return PairSet::sameSegment(table(ids)); });
        })
        .Case<PaddedOp>([&](auto atom) {
          return withData(atom, atom.getLengths(), [&](Value lengths) { return PairSet::padded(symbol(lengths)); });
        })
        .Case<WhereOp>([&](auto atom) { return readWhere(atom); })
        .Case<UnionOp>([&](auto) { return combine([](ArrayRef<PairSet> m) { return PairSet::unite(m); }); })
        .Case<IntersectOp>([&](auto) { return combine([](ArrayRef<PairSet> m) { return PairSet::intersect(m); }); })
        .Case<MinusOp>([&](auto) { return combine([](ArrayRef<PairSet> m) { return PairSet::minus(m[0], m[1]); }); })
        .Default([](Operation *other) -> Result {
          return other->emitOpError("cannot make a pattern; use attn's atoms, union, intersect and minus");
        });
  }

  PatternReading reading;
};

} // namespace

FailureOr<PatternReading> attn::readPattern(AttentionOp op) {
  if (op.getPairs().empty())
    return op.emitOpError("names a pattern symbol; run attn-specialize first");
  return PatternReader().read(op);
}

std::optional<Target> attn::findTarget(StringRef name, AttentionOp op) {
  return Target::find(name, op.getQuery().getType().getDimSize(3), op.getValue().getType().getDimSize(3),
                      !op.getScore().empty());
}

FailureOr<std::pair<PatternReading, Plan>> attn::planAttention(AttentionOp op, const Target &target) {
  FailureOr<PatternReading> reading = readPattern(op);
  if (failed(reading))
    return failure();
  Plan plan = planPattern(reading->pairs, target);
  return std::make_pair(std::move(*reading), std::move(plan));
}
