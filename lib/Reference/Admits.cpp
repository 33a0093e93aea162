// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Says which pairs a pattern admits. Every atom is one function here: a condition on the positions of the query row and
// the key row, written as its definition reads.

#include "FunctionArguments.h"
#include "attn/Reference/RegionProgram.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/TypeSwitch.h"
#include <memory>

using namespace mlir;
using namespace attn;
using namespace attn::reference;

namespace {

/// A pair as atoms see it: by positions. Query row i stands at query offset + i, key row j at key offset + j.
struct Pair {
  int64_t batch, head, query, key;
};

using Test = std::function<bool(const Pair &)>;

/// Turns the ops of a pattern region into tests, from the yielded pattern backwards. It is built once and asked for
/// every pair; nothing of the IR or the problem is looked at then.
class PatternReader {
public:
  PatternReader(const Problem &problem) : problem(problem), arguments(problem) {}

  Test read(Value pattern);

  /// False after an op or an argument that cannot be evaluated; an error has been reported there.
  bool isComplete() const { return complete && arguments.areComplete(); }

private:
  Test test(FullOp op);
  Test test(EmptyOp op);
  Test test(WindowOp op);
  Test test(CausalOp op);
  Test test(BlockLocalOp op);
  Test test(GlobalOp op);
  Test test(SegmentsOp op);
  Test test(PaddedOp op);
  Test test(WhereOp op);
  Test test(UnionOp op);
  Test test(IntersectOp op);
  Test test(MinusOp op);

  std::vector<Test> read(OperandRange members);
  std::optional<int64_t> wholeNumber(Value value, IntegerAttr literal);
  Test giveUp(Location where, const Twine &why);

  const Problem &problem;
  FunctionArguments arguments;
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

// Near the query: p - left <= k <= p + right, both bounds inclusive. A side that is not written has no bound.
Test PatternReader::test(WindowOp op) {
  std::optional<int64_t> left = wholeNumber(op.getLeft(), op.getStaticLeftAttr());
  std::optional<int64_t> right = wholeNumber(op.getRight(), op.getStaticRightAttr());
  return [=](const Pair &pair) {
    if (left && pair.query - pair.key > *left)
      return false; // too far before the query
    if (right && pair.key - pair.query > *right)
      return false; // too far after it
    return true;
  };
}

// At or before the query: k <= p. The default query offset puts the last query row beside the last key row (bottom
// right); the top-left form counts from another offset, 0 unless the call gives one.
Test PatternReader::test(CausalOp op) {
  int64_t shift = op.getTopLeft() ? problem.topLeftOffset - problem.queryOffset : 0;
  return [=](const Pair &pair) { return pair.key <= pair.query + shift; };
}

/// a / b rounded toward minus infinity, so that the block before position 0 is block -1; b is positive.
static int64_t blockOf(int64_t position, int64_t block) {
  int64_t quotient = position / block;
  return position % block < 0 ? quotient - 1 : quotient;
}

// In the query's block: k floordiv block = p floordiv block. The last block may be short.
Test PatternReader::test(BlockLocalOp op) {
  int64_t block = wholeNumber(op.getBlock(), op.getStaticBlockAttr()).value_or(0);
  if (block < 1)
    return giveUp(op.getLoc(), "block is " + Twine(block) + "; it has to be at least 1");
  return [=](const Pair &pair) { return blockOf(pair.query, block) == blockOf(pair.key, block); };
}

/// The row of a table that belongs to a batch. A table of one row is shared by all batches.
template <typename Row> static const Row &rowOf(const std::vector<Row> &table, int64_t batch) {
  static const Row none;
  if (table.size() == 1)
    return table.front();
  return batch < static_cast<int64_t>(table.size()) ? table[batch] : none;
}

// Global tokens see all (`rows`), are seen by all (`columns`), or both. -1 pads a ragged row: it is no token, though a
// query may stand at position -1.
Test PatternReader::test(GlobalOp op) {
  auto tokens = std::make_shared<std::vector<llvm::DenseSet<int64_t>>>();
  for (const std::vector<int32_t> &row : arguments.table(op.getTokens())) {
    tokens->emplace_back();
    for (int32_t position : row)
      if (position >= 0)
        tokens->back().insert(position);
  }
  bool rows = op.getWhich() != GlobalKind::Columns, columns = op.getWhich() != GlobalKind::Rows;
  return [=](const Pair &pair) {
    const llvm::DenseSet<int64_t> &batchTokens = rowOf(*tokens, pair.batch);
    return (rows && batchTokens.contains(pair.query)) || (columns && batchTokens.contains(pair.key));
  };
}

// In the query's segment: both positions have the same id. A position outside of the table is in no segment.
Test PatternReader::test(SegmentsOp op) {
  auto table = std::make_shared<Table>(arguments.table(op.getIds()));
  return [=](const Pair &pair) {
    const std::vector<int32_t> &ids = rowOf(*table, pair.batch);
    auto hasId = [&](int64_t position) { return position >= 0 && position < static_cast<int64_t>(ids.size()); };
    return hasId(pair.query) && hasId(pair.key) && ids[pair.query] == ids[pair.key];
  };
}

// Before the batch's length: masks keys only. A query row past the length still attends.
Test PatternReader::test(PaddedOp op) {
  auto table = std::make_shared<Table>(arguments.table(op.getLengths()));
  return [=](const Pair &pair) {
    const std::vector<int32_t> &length = rowOf(*table, pair.batch);
    return !length.empty() && pair.key < length.front();
  };
}

// Whatever the region says. Its f32 values are rounded to float: a yes or no cannot be more exact than its program.
Test PatternReader::test(WhereOp op) {
  auto lookup = [&](Value argument) { return arguments.number(argument); };
  auto region = std::make_shared<RegionProgram>(op.getBody(), lookup, /*roundToFloat=*/true);
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
  Operation *definition = pattern.getDefiningOp();
  if (!definition)
    return giveUp(pattern.getLoc(), "a pattern that is an argument cannot be evaluated; run --attn-specialize first");
  return llvm::TypeSwitch<Operation *, Test>(definition)
      .Case<FullOp, EmptyOp, WindowOp, CausalOp, BlockLocalOp, GlobalOp, SegmentsOp, PaddedOp, WhereOp, UnionOp,
            IntersectOp, MinusOp>([&](auto atom) { return test(atom); })
      .Default([&](Operation *other) {
        return giveUp(other->getLoc(), "the reference does not know '" + other->getName().getStringRef() +
                                           "'; add it to lib/Reference/Admits.cpp");
      });
}

std::vector<Test> PatternReader::read(OperandRange members) {
  std::vector<Test> tests;
  for (Value member : members)
    tests.push_back(read(member));
  return tests;
}

/// A parameter of an atom: a literal, or a value computed from the function's arguments.
std::optional<int64_t> PatternReader::wholeNumber(Value value, IntegerAttr literal) {
  if (literal)
    return literal.getInt();
  if (!value)
    return std::nullopt;
  RegionProgram program(value, [&](Value argument) { return arguments.number(argument); });
  complete &= program.isComplete();
  return program.isComplete() ? static_cast<int64_t>(program.run({})) : 0;
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
