// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Finds out what each value of a score region depends on: a set of the four below. `j - i` is a distance, whatever is
// computed from it; either position by itself is more.

#include "attn/Codegen/ScoreTerms.h"
#include "attn/Codegen/RegionInliner.h"

using namespace mlir;
using namespace attn;

namespace {

enum Dependence : unsigned { OnNothing = 0, OnQuery = 1, OnKey = 2, OnDistance = 4, OnScore = 8 };

class Dependences {
public:
  explicit Dependences(Region &score) : score(score) {}

  unsigned of(Value value) {
    if (value.getParentRegion() != &score)
      return OnNothing;
    auto known = found.find(value);
    if (known != found.end())
      return known->second;
    unsigned result = isa<BlockArgument>(value) ? ofArgument(value) : ofResult(value.getDefiningOp());
    found[value] = result;
    return result;
  }

  unsigned ofAll(ValueRange values) {
    unsigned result = OnNothing;
    for (Value value : values)
      result |= of(value);
    return result;
  }

private:
  unsigned ofArgument(Value argument) {
    if (argument == score.getArgument(0))
      return OnScore;
    std::optional<Side> side = sideOfPosition(argument);
    return !side ? OnNothing : *side == Side::Queries ? OnQuery : OnKey;
  }

  unsigned ofResult(Operation *op) {
    if (auto difference = dyn_cast<arith::SubIOp>(op)) {
      std::optional<Side> left = sideOfPosition(difference.getLhs()), right = sideOfPosition(difference.getRhs());
      if (left && right && *left != *right)
        return OnDistance;
    }
    unsigned result = ofAll(op->getOperands());
    if (isa<QueryDotOp, MixedDotOp>(op))
      result |= OnQuery;
    if (isa<KeyDotOp, MixedDotOp>(op))
      result |= OnKey;
    return result;
  }

  Region &score;
  llvm::DenseMap<Value, unsigned> found;
};

} // namespace

static std::optional<TermKind> kindOf(Operation *op, Dependences &dependences) {
  if (!isa<QueryDotOp, KeyDotOp, RowDotOp, MixedDotOp>(op))
    return std::nullopt;
  unsigned indices = dependences.ofAll(op->getOperands()), all = dependences.of(op->getResult(0));
  if (isa<QueryDotOp>(op) && indices == OnDistance)
    return TermKind::Band;
  if (all == OnDistance)
    return TermKind::OfDistance;
  if (all == OnNothing || all == OnQuery)
    return TermKind::OfRow;
  return all == OnKey ? TermKind::OfKey : TermKind::OfPair;
}

ScoreTerms::ScoreTerms(Region &score) {
  Dependences dependences(score);
  for (Operation &op : score.getOps())
    if (std::optional<TermKind> kind = kindOf(&op, dependences))
      terms.push_back({&op, *kind, count(*kind)});
}

const ScoreTerms::Term *ScoreTerms::find(Operation *op) const {
  const Term *term = llvm::find_if(terms, [=](const Term &term) { return term.op == op; });
  return term == terms.end() ? nullptr : term;
}
