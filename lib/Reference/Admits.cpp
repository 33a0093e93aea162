// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Says which pairs a pattern admits. Every atom is one function here: a condition on the positions of the query row and
// the key row, written as its definition reads.

#include "Coordinates.h"
#include "attn/Reference/RegionProgram.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/TypeSwitch.h"
#include <memory>

using namespace mlir;
using namespace attn;
using namespace attn::reference;

namespace {

using Test = std::function<bool(const Pair &)>;

/// Turns the ops of a pattern region into tests, from the yielded pattern backwards. It is built once and asked for
/// every pair; nothing of the IR is looked at then.
class PatternReader {
public:
  PatternReader(const Problem &problem) : problem(problem), parameters(problem) {}

  Test read(Value pattern);

  /// False after an op or an argument that cannot be evaluated; an error has been reported there.
  bool isComplete() const { return complete && parameters.areComplete(); }

private:
  Test test(FullOp op);
  Test test(EmptyOp op);
  Test test(WindowOp op);
  Test test(CausalOp op);
  Test test(BlockLocalOp op);
  Test test(NeighborhoodOp op);
  Test test(CongruentOp op);
  Test test(RangeOp op);
  Test test(HeadsOp op);
  Test test(BlockTableOp op);
  Test test(GlobalOp op);
  Test test(SegmentsOp op);
  Test test(PaddedOp op);
  Test test(WhereOp op);
  Test test(UnionOp op);
  Test test(IntersectOp op);
  Test test(MinusOp op);

  std::vector<Test> read(OperandRange members);
  Test on(Value coordinate, Test test);
  Test giveUp(Location where, const Twine &why);

  const Problem &problem;
  Parameters parameters;
  llvm::DenseMap<Value, Test> tests; // of patterns that have been read
  bool complete = true;
};

} // namespace

//===-- Atoms ---------------------------------------------------------------------------------------------------===//

Test PatternReader::test(FullOp) {
  return [](const Pair &) { return true; };
}

Test PatternReader::test(EmptyOp) {
  return [](const Pair &) { return false; };
}

// Near the query, in steps of the dilation: k = p + t * dilation for -left <= t <= right. A side that is not written
// has no bound.
Test PatternReader::test(WindowOp op) {
  std::optional<Number> left = parameters.find(op.getLeft(), op.getStaticLeftAttr());
  std::optional<Number> right = parameters.find(op.getRight(), op.getStaticRightAttr());
  Number dilation = parameters.read(op, "dilation", op.getDilation(), op.getStaticDilationAttr(), 1);
  return on(op.getCoordinate(), [=](const Pair &pair) {
    int64_t distance = pair.key - pair.query, step = dilation(pair);
    if (floorRest(distance, step) != 0)
      return false; // between two taps
    int64_t tap = distance / step;
    if (left && tap < -(*left)(pair))
      return false; // too far before the query
    if (right && tap > (*right)(pair))
      return false; // too far after it
    return true;
  });
}

// At or before the query: k <= p. The default query offset puts the last query row beside the last key row (bottom
// right); the top-left form counts from another offset, 0 unless the call gives one.
Test PatternReader::test(CausalOp op) {
  int64_t shift = op.getTopLeft() ? problem.topLeftOffset - problem.queryOffset : 0;
  return on(op.getCoordinate(), [=](const Pair &pair) { return pair.key <= pair.query + shift; });
}

// In the query's block, which begins at (p floordiv block) * block, or at most so far before or after it. The last
// block may be short.
Test PatternReader::test(BlockLocalOp op) {
  Number block = parameters.read(op, "block", op.getBlock(), op.getStaticBlockAttr(), 1);
  Number before = parameters.read(op, "before", op.getBefore(), op.getStaticBeforeAttr(), 0);
  Number after = parameters.read(op, "after", op.getAfter(), op.getStaticAfterAttr(), 0);
  return on(op.getCoordinate(), [=](const Pair &pair) {
    int64_t size = block(pair), begin = floorDivide(pair.query, size) * size;
    return begin - before(pair) <= pair.key && pair.key < begin + size + after(pair);
  });
}

// Around the query, and shifted back at an edge, so that there are always `size` values.
Test PatternReader::test(NeighborhoodOp op) {
  Number size = parameters.read(op, "neighborhood", op.getSize(), op.getStaticSizeAttr(), 1);
  Number extent = readExtent(parameters, op.getCoordinate());
  if (parameters.areComplete())
    parameters.require(op, "axis of the grid", extent, size, ", the size of the neighborhood");
  return on(op.getCoordinate(), [=](const Pair &pair) {
    int64_t begin = std::min(std::max(pair.query - size(pair) / 2, int64_t(0)), extent(pair) - size(pair));
    return begin <= pair.key && pair.key < begin + size(pair);
  });
}

/// What a congruence divides.
static std::function<int64_t(const Pair &)> dividendOf(CongruentWhich which) {
  switch (which) {
  case CongruentWhich::Difference:
    return [](const Pair &pair) { return pair.query - pair.key; };
  case CongruentWhich::Query:
    return [](const Pair &pair) { return pair.query; };
  case CongruentWhich::Key:
    return [](const Pair &pair) { return pair.key; };
  case CongruentWhich::Head:
    return [](const Pair &pair) { return pair.head; };
  }
  llvm_unreachable("all of them are listed");
}

// By a remainder: from <= x mod modulus <= to; one remainder unless `to` is written, and that is 0 unless `from` is.
Test PatternReader::test(CongruentOp op) {
  Number modulus = parameters.read(op, "modulus", op.getModulus(), op.getStaticModulusAttr(), 1);
  Number from = parameters.find(op.getFrom(), op.getStaticFromAttr()).value_or([](const Pair &) { return 0; });
  Number to = parameters.find(op.getTo(), op.getStaticToAttr()).value_or(from);
  return on(op.getCoordinate(), [=, dividend = dividendOf(op.getWhich())](const Pair &pair) {
    int64_t rest = floorRest(dividend(pair), modulus(pair));
    return from(pair) <= rest && rest <= to(pair);
  });
}

namespace {
/// from <= x < below; a side that is not written has no bound.
struct Range {
  std::optional<Number> from, below;

  bool contains(const Pair &pair, int64_t x) const {
    return (!from || (*from)(pair) <= x) && (!below || x < (*below)(pair));
  }
};
} // namespace

// Positions in a range: the query's (`rows`), the key's (`columns`), or one of the two.
Test PatternReader::test(RangeOp op) {
  Range range{parameters.find(op.getFrom(), op.getStaticFromAttr()),
              parameters.find(op.getBelow(), op.getStaticBelowAttr())};
  bool rows = op.getWhich() != WhichSide::Columns, columns = op.getWhich() != WhichSide::Rows;
  return [=](const Pair &pair) {
    return (rows && range.contains(pair, pair.query)) || (columns && range.contains(pair, pair.key));
  };
}

// Heads in a range, or those that have a number other than 0.
Test PatternReader::test(HeadsOp op) {
  if (Value flags = op.getFlags())
    return [numbers = parameters.data().numbers(flags), heads = problem.heads](const Pair &pair) {
      return numbers[pair.batch * heads + pair.head] != 0;
    };
  Range range{parameters.find(op.getFrom(), op.getStaticFromAttr()),
              parameters.find(op.getBelow(), op.getStaticBelowAttr())};
  return [=](const Pair &pair) { return range.contains(pair, pair.head); };
}

/// The entries of block row `row` for the pair's batch and head. The axes of both may be shared.
static ArrayRef<int32_t> entriesOf(const Blocks &table, const Pair &pair, int64_t row) {
  ArrayRef<int64_t> shape = table.shape;
  int64_t size = shape.back(), rows = shape[shape.size() - 2], heads = shape[shape.size() - 3];
  int64_t batches = shape.size() == 4 ? shape.front() : 1;
  if (row < 0 || row >= rows)
    return {};
  int64_t batch = batches == 1 ? 0 : pair.batch, head = heads == 1 ? 0 : pair.head;
  return ArrayRef(table.entries).slice(((batch * heads + head) * rows + row) * size, size);
}

// In a block that the table lists for the query's. -1 pads: it is no block, though a key may stand before position 0.
Test PatternReader::test(BlockTableOp op) {
  Number block = parameters.read(op, "block", op.getBlock(), op.getStaticBlockAttr(), 1);
  const Blocks *table = parameters.data().blocks(op.getTable());
  return [=](const Pair &pair) {
    int64_t keyBlock = floorDivide(pair.key, block(pair));
    return keyBlock >= 0 && llvm::is_contained(entriesOf(*table, pair, floorDivide(pair.query, block(pair))), keyBlock);
  };
}

// Global tokens see all (`rows`), are seen by all (`columns`), or both. -1 pads a ragged row: it is no token, though a
// query may stand at position -1.
Test PatternReader::test(GlobalOp op) {
  auto tokens = std::make_shared<std::vector<llvm::DenseSet<int64_t>>>();
  for (const std::vector<int32_t> &row : parameters.data().table(op.getTokens())) {
    tokens->emplace_back();
    for (int32_t position : row)
      if (position >= 0)
        tokens->back().insert(position);
  }
  bool rows = op.getWhich() != WhichSide::Columns, columns = op.getWhich() != WhichSide::Rows;
  return [=](const Pair &pair) {
    const llvm::DenseSet<int64_t> &batchTokens = rowOf(*tokens, pair.batch);
    return (rows && batchTokens.contains(pair.query)) || (columns && batchTokens.contains(pair.key));
  };
}

// In the query's segment: both positions have the same id. A position outside of the table is in no segment.
Test PatternReader::test(SegmentsOp op) {
  auto table = std::make_shared<Table>(parameters.data().table(op.getIds()));
  return [=](const Pair &pair) {
    const std::vector<int32_t> &ids = rowOf(*table, pair.batch);
    auto hasId = [&](int64_t position) { return position >= 0 && position < static_cast<int64_t>(ids.size()); };
    return hasId(pair.query) && hasId(pair.key) && ids[pair.query] == ids[pair.key];
  };
}

// Before the batch's length: masks keys only. A query row past the length still attends.
Test PatternReader::test(PaddedOp op) {
  auto table = std::make_shared<Table>(parameters.data().table(op.getLengths()));
  return [=](const Pair &pair) {
    const std::vector<int32_t> &length = rowOf(*table, pair.batch);
    return !length.empty() && pair.key < length.front();
  };
}

// Whatever the region says. Its f32 values are rounded to float: a yes or no cannot be more exact than its program.
Test PatternReader::test(WhereOp op) {
  auto region = std::make_shared<RegionProgram>(op.getBody(), problem, /*roundToFloat=*/true);
  complete &= region->isComplete();
  return [=](const Pair &pair) {
    double place[] = {double(pair.batch), double(pair.head), double(pair.query), double(pair.key)};
    return region->run(place) != 0;
  };
}

//===-- Operators -----------------------------------------------------------------------------------------------===//

// What any member admits; a set, so a pair that several admit counts once.
Test PatternReader::test(UnionOp op) {
  return [members = read(op.getMembers())](const Pair &pair) {
    return llvm::any_of(members, [&](const Test &member) { return member(pair); });
  };
}

// What every member admits.
Test PatternReader::test(IntersectOp op) {
  return [members = read(op.getMembers())](const Pair &pair) {
    return llvm::all_of(members, [&](const Test &member) { return member(pair); });
  };
}

// What the first admits and the second does not.
Test PatternReader::test(MinusOp op) {
  return [from = read(op.getFrom()), without = read(op.getWithout())](const Pair &pair) {
    return from(pair) && !without(pair);
  };
}

//===-- Reading the region --------------------------------------------------------------------------------------===//

Test PatternReader::read(Value pattern) {
  if (auto found = tests.find(pattern); found != tests.end())
    return found->second;
  Operation *definition = pattern.getDefiningOp();
  if (!definition)
    return giveUp(pattern.getLoc(), "a pattern that is an argument cannot be evaluated; run --attn-specialize first");
  Test result =
      llvm::TypeSwitch<Operation *, Test>(definition)
          .Case<FullOp, EmptyOp, WindowOp, CausalOp, BlockLocalOp, NeighborhoodOp, CongruentOp, RangeOp, HeadsOp,
                BlockTableOp, GlobalOp, SegmentsOp, PaddedOp, WhereOp, UnionOp, IntersectOp, MinusOp>(
              [&](auto atom) { return test(atom); })
          .Default([&](Operation *other) {
            return giveUp(other->getLoc(), "the reference does not know '" + other->getName().getStringRef() +
                                               "'; add it to lib/Reference/Admits.cpp");
          });
  return tests[pattern] = result;
}

std::vector<Test> PatternReader::read(OperandRange members) {
  std::vector<Test> tests;
  for (Value member : members)
    tests.push_back(read(member));
  return tests;
}

/// Asks about the values of the two positions on a coordinate, if there is one. A pair of which a position has no value
/// is not admitted.
Test PatternReader::on(Value coordinate, Test test) {
  if (!coordinate)
    return test;
  return [valueOf = readCoordinate(parameters, coordinate), test = std::move(test)](const Pair &pair) {
    std::optional<int64_t> query = valueOf(pair, pair.query), key = valueOf(pair, pair.key);
    return query && key && test({pair.batch, pair.head, *query, *key});
  };
}

Test PatternReader::giveUp(Location where, const Twine &why) {
  emitError(where) << why;
  complete = false;
  return [](const Pair &) { return false; };
}

FailureOr<Mask> attn::reference::buildMask(AttentionOp op, const Problem &problem) {
  if (op.getPairs().empty())
    return op.emitError("the reference reads a pattern region, not a symbol; run --attn-specialize first");
  PatternReader reader(problem);
  Test test = reader.read(op.getPairs().front().getTerminator()->getOperand(0));
  if (!reader.isComplete())
    return failure();
  return Mask([test, queryOffset = problem.queryOffset, keyOffset = problem.keyOffset](
                  int64_t b, int64_t h, int64_t i, int64_t j) { return test({b, h, queryOffset + i, keyOffset + j}); });
}

bool attn::reference::admits(AttentionOp op, const Problem &problem, int64_t b, int64_t h, int64_t i, int64_t j) {
  FailureOr<Mask> mask = buildMask(op, problem);
  return succeeded(mask) && (*mask)(b, h, i, j);
}
