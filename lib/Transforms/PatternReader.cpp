// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Turns pattern ops into a PairSet.

#include "attn/Transforms/PatternReader.h"
#include "BoundReader.h"
#include "attn/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
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
    reading.isOneSequence = op.getOneSequence();
    return std::move(reading);
  }

private:
  using Bounds = ArrayRef<std::optional<Expr>>;

  /// Calls `make` with an atom's bounds.
  template <typename MakeFn> FailureOr<PairSet> withBounds(Operation *atom, MakeFn make) {
    FailureOr<SmallVector<std::optional<Expr>>> bounds = reader.readBounds(atom);
    if (failed(bounds))
      return failure();
    return make(Bounds(*bounds));
  }

  /// Calls `make` with an atom's bounds and what they are about.
  template <typename MakeFn> FailureOr<PairSet> withCoordinate(Operation *atom, Value value, MakeFn make) {
    FailureOr<Coordinate> coordinate = reader.readCoordinate(value);
    if (failed(coordinate))
      return failure();
    return withBounds(atom, [&](Bounds bounds) { return make(bounds, *coordinate); });
  }

  /// Calls `make` with the number of the table that an atom reads.
  template <typename MakeFn> FailureOr<PairSet> withTable(Operation *atom, Value data, MakeFn make) {
    FailureOr<unsigned> table = reader.table(atom, data);
    if (failed(table))
      return failure();
    return make(*table);
  }

  /// The rows of one side, or of either.
  template <typename MakeFn> static PairSet ofSide(WhichSide which, MakeFn make) {
    if (which == WhichSide::Both)
      return PairSet::unite({make(Side::Queries), make(Side::Keys)});
    return make(which == WhichSide::Rows ? Side::Queries : Side::Keys);
  }

  FailureOr<PairSet> readCausal(CausalOp op) {
    if (!op.getCoordinate())
      return PairSet::causal(op.getTopLeft());
    return withCoordinate(op, op.getCoordinate(),
                          [](Bounds, const Coordinate &coordinate) { return PairSet::causal(coordinate); });
  }

  FailureOr<PairSet> readNeighborhood(NeighborhoodOp op) {
    return withCoordinate(op, op.getCoordinate(),
                          [&](Bounds bounds, const Coordinate &coordinate) -> FailureOr<PairSet> {
                            if (failed(require(op, *coordinate.extent, *bounds[0])))
                              return failure();
                            return PairSet::neighborhood(*bounds[0], coordinate);
                          });
  }

  /// An axis as a user calls it.
  static std::string nameOf(OpResult axis) {
    static constexpr StringLiteral names[] = {"planes", "rows", "columns"};
    unsigned axes = axis.getOwner()->getNumResults(), number = axis.getResultNumber();
    return axes == 2 || axes == 3 ? names[number + 3 - axes].str() : "axis " + std::to_string(number);
  }

  /// An axis has to have as many values as the neighborhood.
  LogicalResult require(NeighborhoodOp op, const Expr &extent, const Expr &size) {
    std::string name = nameOf(cast<OpResult>(op.getCoordinate()));
    Requirement requirement{name + " of the grid", name + " of the neighborhood", extent, size};
    auto has = extent.asConstant(), needs = size.asConstant();
    if (has && needs && *has < *needs)
      return op.emitOpError() << requirement.name << " are " << *has << "; they have to be at least " << *needs << ", "
                              << requirement.leastName;
    bool isKnown = (has && needs) || llvm::any_of(reading.requirements, [&](const Requirement &other) {
                     return other.value == extent && other.least == size;
                   });
    if (!isKnown)
      reading.requirements.push_back(std::move(requirement));
    return success();
  }

  FailureOr<PairSet> readHeads(HeadsOp op) {
    if (!op.getFlags())
      return withBounds(op, [](Bounds b) { return PairSet::condition(Expr::symbol(Head), b[0], b[1]); });
    FailureOr<Expr> flag = reader.symbol(op, op.getFlags());
    if (failed(flag))
      return failure();
    return PairSet::condition(*flag, Expr(0), Expr(1)).complement();
  }

  FailureOr<PairSet> readPadded(PaddedOp op) {
    FailureOr<Expr> length = reader.symbol(op, op.getLengths());
    if (failed(length))
      return failure();
    return PairSet::padded(*length);
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

  FailureOr<PairSet> readAtom(Operation *op) {
    using Result = FailureOr<PairSet>;
    return llvm::TypeSwitch<Operation *, Result>(op)
        .Case([](FullOp) { return PairSet::full(); })
        .Case([](EmptyOp) { return PairSet::empty(); })
        .Case([&](WindowOp atom) {
          return withCoordinate(atom, atom.getCoordinate(), [](Bounds b, const Coordinate &coordinate) {
            return PairSet::window(b[0], b[1], b[2].value_or(1), coordinate);
          });
        })
        .Case([&](CausalOp atom) { return readCausal(atom); })
        .Case([&](BlockLocalOp atom) {
          return withCoordinate(atom, atom.getCoordinate(), [](Bounds b, const Coordinate &coordinate) {
            return PairSet::blockLocal(*b[0], b[1].value_or(0), b[2].value_or(0), coordinate);
          });
        })
        .Case([&](NeighborhoodOp atom) { return readNeighborhood(atom); })
        .Case([&](CongruentOp atom) {
          auto dividend = static_cast<Dividend>(atom.getWhich());
          return withCoordinate(atom, atom.getCoordinate(), [&](Bounds b, const Coordinate &coordinate) {
            Expr from = b[1].value_or(0);
            return PairSet::congruent(dividend, *b[0], from, b[2].value_or(from), coordinate);
          });
        })
        .Case([&](RangeOp atom) {
          return withBounds(atom, [&](Bounds b) {
            return ofSide(atom.getWhich(), [&](Side side) { return PairSet::range(side, b[0], b[1]); });
          });
        })
        .Case([&](HeadsOp atom) { return readHeads(atom); })
        .Case([&](BlockTableOp atom) {
          return withTable(atom, atom.getTable(), [&](unsigned table) {
            return withBounds(atom, [&](Bounds b) { return PairSet::blockTable(table, *b[0]); });
          });
        })
        .Case([&](GlobalOp atom) {
          return withTable(atom, atom.getTokens(), [&](unsigned table) {
            return ofSide(atom.getWhich(), [&](Side side) { return PairSet::listed(side, table); });
          });
        })
        .Case([&](SegmentsOp atom) { return withTable(atom, atom.getIds(), PairSet::sameSegment); })
        .Case([&](PaddedOp atom) { return readPadded(atom); })
        .Case([&](WhereOp atom) { return readWhere(atom); })
        .Default([](Operation *other) -> Result {
          return other->emitOpError("cannot make a pattern; use attn's atoms, union, intersect and minus");
        });
  }

  FailureOr<PairSet> readSet(Value value) {
    Operation *op = value.getDefiningOp();
    if (!op)
      return emitError(value.getLoc(),
                       "a pattern cannot be an argument of a function; name an attn.pattern or write its "
                       "ops into the pattern region");
    if (!isa<UnionOp, IntersectOp, MinusOp>(op))
      return readAtom(op);
    FailureOr<SmallVector<PairSet>> members = readMembers(op->getOperands());
    if (failed(members))
      return failure();
    if (isa<MinusOp>(op))
      return PairSet::minus(members->front(), members->back());
    return isa<UnionOp>(op) ? PairSet::unite(*members) : PairSet::intersect(*members);
  }

  PatternReading reading;
  BoundReader reader{reading};
};

} // namespace

bool PatternReading::dependsOnHead() const {
  return pairs.dependsOnHead([&](unsigned symbol) {
    return symbol >= FirstNamed && isa<PerHeadType>(symbols[symbol - FirstNamed].getType());
  });
}

FailureOr<PatternReading> attn::readPattern(AttentionOp op) {
  if (op.getPairs().empty())
    return op.emitOpError("names a pattern symbol; run attn-specialize first");
  return PatternReader().read(op);
}

/// The element of a type; where it is still open, the one whose tiles serve all of them.
static Target::Element elementOf(Type type) {
  using Element = Target::Element;
  return type.isF32() ? Element::F32 : type.isF16() ? Element::F16 : Element::BF16;
}

std::optional<Target> attn::findTarget(StringRef name, AttentionOp op) {
  auto query = op.getQuery().getType(), value = op.getValue().getType();
  return Target::find(name, query.getDimSize(3), value.getDimSize(3), !op.getScore().empty(),
                      elementOf(query.getElementType()));
}

/// The default of an argument of the kernel's function.
static Attribute defaultOf(AttentionOp op, Value argument) {
  auto block = dyn_cast<BlockArgument>(argument);
  auto function = op->getParentOfType<func::FuncOp>();
  return block && function ? function.getArgAttr(block.getArgNumber(), argumentDefault) : Attribute();
}

/// A call over a long sequence with the defaults of the file: one head, one segment, no blocks. Nothing where a number
/// has no default.
static std::optional<CallValues> typicalCall(AttentionOp op, const PatternReading &reading) {
  constexpr int64_t length = 1 << 14;
  CallValues values;
  values.symbols.assign(FirstNamed, 0);
  values.symbols[Length] = values.symbols[KvLength] = length, values.symbols[Heads] = 1;
  for (Value symbol : reading.symbols) {
    Attribute given = defaultOf(op, symbol);
    auto list = dyn_cast_or_null<DenseI32ArrayAttr>(given);
    if (auto number = dyn_cast_or_null<IntegerAttr>(given))
      values.symbols.push_back(number.getInt());
    else if (list && !list.empty())
      values.symbols.push_back(list[0]);
    else if (isa<LengthsType>(symbol.getType()))
      values.symbols.push_back(length);
    else
      return std::nullopt;
  }
  for (Value table : reading.tables) {
    auto list = dyn_cast_or_null<DenseI32ArrayAttr>(defaultOf(op, table));
    values.tables.push_back(list ? std::vector<int32_t>(list.asArrayRef()) : std::vector<int32_t>());
    values.tableColumns.push_back(0);
    if (isa<SegmentsType>(table.getType()))
      values.tables.back().assign(length, 0);
  }
  bindOffsets(reading.pairs, values);
  // A region is not run to choose between plans: all of them ask it.
  values.where = [](unsigned, int64_t, int64_t) { return true; };
  return values;
}

FailureOr<std::pair<PatternReading, Plan>> attn::planAttention(AttentionOp op, const Target &target) {
  FailureOr<PatternReading> reading = readPattern(op);
  if (failed(reading))
    return failure();
  PlanHints hints;
  hints.isData = [&](unsigned symbol) {
    return symbol >= FirstNamed && isa<LengthsType, PerHeadType>(reading->symbols[symbol - FirstNamed].getType());
  };
  hints.typical = typicalCall(op, *reading);
  Plan plan = planPattern(reading->pairs, target, hints);
  return std::make_pair(std::move(*reading), std::move(plan));
}
