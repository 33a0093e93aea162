// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The atoms' bounds, the simplifications of a pair set, and the test of one pair.

#include "attn/Pattern/PairSet.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>

using namespace attn;
using llvm::ArrayRef;

//===-- Atoms -----------------------------------------------------------------------------------------------------===//

PairSet PairSet::full() { return PairSet(Node{Kind::Full, {}, {}, 0, {}}); }
PairSet PairSet::empty() { return PairSet(Node{Kind::Empty, {}, {}, 0, {}}); }
PairSet PairSet::halfSpace(HalfSpace half) { return PairSet(Node{Kind::HalfSpace, std::move(half), {}, 0, {}}); }
PairSet PairSet::listed(Side side, unsigned table) { return PairSet(Node{Kind::Listed, {}, side, table, {}}); }
PairSet PairSet::sameSegment(unsigned table) { return PairSet(Node{Kind::SameSegment, {}, {}, table, {}}); }
PairSet PairSet::where(unsigned region) { return PairSet(Node{Kind::Where, {}, {}, region, {}}); }

/// {j < i + shift} or its complement: the first i with i + shift > j is j - shift + 1.
static HalfSpace diagonal(bool lower, const Expr &shift) {
  return {lower, Expr::row() + shift, Expr::row() - shift + 1};
}

PairSet PairSet::window(std::optional<Expr> left, std::optional<Expr> right) {
  Expr shift = Expr::symbol(QueryOffset) - Expr::symbol(KeyOffset);
  std::vector<PairSet> sides;
  if (left)
    sides.push_back(halfSpace(diagonal(/*lower=*/true, shift - *left)));
  if (right)
    sides.push_back(halfSpace(diagonal(/*lower=*/false, shift + *right + 1)));
  return intersect(sides);
}

PairSet PairSet::causal(bool topLeft) {
  Expr shift = Expr::symbol(topLeft ? TopLeftOffset : QueryOffset) - Expr::symbol(KeyOffset);
  return halfSpace(diagonal(/*lower=*/false, shift + 1));
}

PairSet PairSet::blockLocal(const Expr &block) {
  Expr queryOffset = Expr::symbol(QueryOffset), keyOffset = Expr::symbol(KeyOffset);
  Expr queryBlock = Expr::floorDiv(Expr::row() + queryOffset, block) * block;
  Expr keyBlock = Expr::floorDiv(Expr::row() + keyOffset, block) * block;
  return intersect({halfSpace({/*lower=*/true, queryBlock - keyOffset, keyBlock + block - queryOffset}),
                    halfSpace({/*lower=*/false, queryBlock + block - keyOffset, keyBlock - queryOffset})});
}

PairSet PairSet::padded(const Expr &length) {
  Expr end = length - Expr::symbol(KeyOffset);
  // A bound that does not depend on the query: its adjoint jumps from no query row to all of them at j = end.
  Expr outside = Expr::min({Expr(1), Expr::max({Expr(0), Expr::row() - end + 1})});
  return halfSpace({/*lower=*/false, end, outside * Expr::symbol(Length)});
}

//===-- Operators -------------------------------------------------------------------------------------------------===//

PairSet PairSet::combine(Kind kind, ArrayRef<PairSet> members) {
  Kind neutral = kind == Kind::Union ? Kind::Empty : Kind::Full;
  Kind absorbing = kind == Kind::Union ? Kind::Full : Kind::Empty;
  std::vector<PairSet> flat;
  auto add = [&](const PairSet &member) {
    if (member.kind() != neutral && !llvm::is_contained(flat, member))
      flat.push_back(member);
  };
  for (const PairSet &member : members) {
    if (member.kind() == kind)
      llvm::for_each(member.members(), add);
    else
      add(member);
  }
  auto is = [](Kind k) { return [k](const PairSet &m) { return m.kind() == k; }; };
  if (llvm::any_of(flat, is(absorbing)))
    return absorbing == Kind::Full ? full() : empty();
  // A leaf beside its complement leaves nothing out of a union and nothing in an intersection.
  for (const PairSet &member : flat)
    if (member.kind() <= Kind::Not && llvm::is_contained(flat, member.complement()))
      return absorbing == Kind::Full ? full() : empty();
  if (flat.empty())
    return neutral == Kind::Full ? full() : empty();
  if (flat.size() == 1)
    return flat.front();
  return PairSet(Node{kind, {}, {}, 0, std::move(flat)});
}

PairSet PairSet::unite(ArrayRef<PairSet> members) { return combine(Kind::Union, members); }
PairSet PairSet::intersect(ArrayRef<PairSet> members) { return combine(Kind::Intersect, members); }

PairSet PairSet::complement() const {
  auto complements = [&] {
    return llvm::to_vector(llvm::map_range(members(), [](const PairSet &m) { return m.complement(); }));
  };
  switch (kind()) {
  case Kind::Full:
    return empty();
  case Kind::Empty:
    return full();
  case Kind::HalfSpace:
    return halfSpace(half().complement());
  case Kind::Not:
    return members().front();
  case Kind::Union:
    return intersect(complements());
  case Kind::Intersect:
    return unite(complements());
  default:
    return PairSet(Node{Kind::Not, {}, {}, 0, {*this}});
  }
}

bool PairSet::operator==(const PairSet &other) const {
  if (node == other.node)
    return true;
  return kind() == other.kind() && node->half == other.node->half && side() == other.side() &&
         index() == other.index() && members() == other.members();
}

//===-- Questions -------------------------------------------------------------------------------------------------===//

static std::optional<int32_t> entry(ArrayRef<int32_t> table, int64_t position) {
  if (position < 0 || position >= static_cast<int64_t>(table.size()))
    return std::nullopt;
  return table[position];
}

bool PairSet::contains(const CallValues &values, int64_t i, int64_t j) const {
  int64_t query = i + values.symbols[QueryOffset], key = j + values.symbols[KeyOffset];
  switch (kind()) {
  case Kind::Full:
    return true;
  case Kind::Empty:
    return false;
  case Kind::HalfSpace:
    return (j >= half().byQuery.evaluate(i, values.symbols)) == half().lower;
  case Kind::Listed: {
    int64_t position = side() == Side::Queries ? query : key;
    return position >= 0 && llvm::is_contained(values.tables[index()], position);
  }
  case Kind::SameSegment: {
    auto a = entry(values.tables[index()], query), b = entry(values.tables[index()], key);
    return a && b && *a == *b;
  }
  case Kind::Where:
    return values.where(index(), query, key);
  case Kind::Not:
    return !members().front().contains(values, i, j);
  case Kind::Union:
    return llvm::any_of(members(), [&](const PairSet &m) { return m.contains(values, i, j); });
  case Kind::Intersect:
    return llvm::all_of(members(), [&](const PairSet &m) { return m.contains(values, i, j); });
  }
  return false;
}

PairSet PairSet::rewriteLeaves(llvm::function_ref<std::optional<PairSet>(const PairSet &)> rewrite) const {
  auto rewritten = [&] {
    return llvm::to_vector(llvm::map_range(members(), [&](const PairSet &m) { return m.rewriteLeaves(rewrite); }));
  };
  switch (kind()) {
  case Kind::Not:
    return members().front().rewriteLeaves(rewrite).complement();
  case Kind::Union:
    return unite(rewritten());
  case Kind::Intersect:
    return intersect(rewritten());
  default:
    return rewrite(*this).value_or(*this);
  }
}

void PairSet::forEachLeaf(llvm::function_ref<void(const PairSet &)> visit) const {
  if (kind() < Kind::Not)
    return visit(*this);
  for (const PairSet &member : members())
    member.forEachLeaf(visit);
}
