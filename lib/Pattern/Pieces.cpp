// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Takes sets apart.

#include "Pieces.h"
#include "Periods.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>

using namespace attn;
using Kind = PairSet::Kind;

//===-- What follows from what ------------------------------------------------------------------------------------===//

static bool implies(const HalfSpace &a, const HalfSpace &b) {
  return a.lower == b.lower && (a.lower ? b.byQuery.isAtMost(a.byQuery) : a.byQuery.isAtMost(b.byQuery));
}

static bool placeAlike(const Relation &a, const Relation &b) { return a.place == b.place && a.offsets == b.offsets; }

static bool implies(const Relation &a, const Relation &b) {
  return placeAlike(a, b) && (!b.lower || (a.lower && b.lower->isAtMost(*a.lower))) &&
         (!b.upper || (a.upper && a.upper->isAtMost(*b.upper)));
}

static bool areDisjoint(const Relation &a, const Relation &b) {
  auto isBefore = [](const Relation &x, const Relation &y) {
    return x.upper && y.lower && x.upper->isAtMost(*y.lower);
  };
  return placeAlike(a, b) && (isBefore(a, b) || isBefore(b, a));
}

/// Whether every pair of leaf `a` is in leaf `b`, as far as the expressions show.
static bool implies(const PairSet &a, const PairSet &b) {
  auto relationOf = [](const PairSet &leaf) { return leaf.kind() == Kind::Relation ? &leaf.related() : nullptr; };
  if (a == b)
    return true;
  if (a.kind() == Kind::Not)
    return b.kind() == Kind::Not && implies(b.members().front(), a.members().front());
  if (b.kind() == Kind::Not) {
    const Relation *inside = relationOf(a), *outside = relationOf(b.members().front());
    return inside && outside && areDisjoint(*inside, *outside);
  }
  if (a.kind() == Kind::HalfSpace)
    return b.kind() == Kind::HalfSpace && implies(a.half(), b.half());
  return relationOf(a) && relationOf(b) && implies(*relationOf(a), *relationOf(b));
}

bool Piece::add(const PairSet &leaf) {
  PairSet complement = leaf.complement();
  auto admitsNone = [&](const PairSet &other) { return implies(other, complement); };
  if (leaf.kind() == Kind::Empty || llvm::any_of(leaves, admitsNone))
    return false;
  if (leaf.kind() == Kind::Full || llvm::any_of(leaves, [&](const PairSet &other) { return implies(other, leaf); }))
    return true;
  llvm::erase_if(leaves, [&](const PairSet &other) { return implies(leaf, other); });
  leaves.push_back(leaf);
  return true;
}

//===-- What is cheap to exclude ----------------------------------------------------------------------------------===//

bool attn::isCondition(const PairSet &leaf) {
  const PairSet &inner = leaf.kind() == Kind::Not ? leaf.members().front() : leaf;
  return inner.kind() == Kind::Relation && inner.related().isCondition();
}

static unsigned costOfExcluding(Kind kind) {
  switch (kind) {
  case Kind::SameSegment:
    return 2;
  case Kind::Listed:
    return 3;
  case Kind::Relation:
  case Kind::BlockTable:
    return 4;
  case Kind::Where:
    return 5;
  default:
    return 1;
  }
}

/// Members that are cheap to exclude come first in a union: conditions, then bounds, segments, key lists, what is
/// computed for every pair, and regions last; of equal ones those whose complement does not fall apart.
static std::pair<unsigned, bool> costOfExcluding(const PairSet &set) {
  unsigned cost = 0;
  set.forEachLeaf([&](const PairSet &leaf) {
    if (!isCondition(leaf))
      cost = std::max(cost, costOfExcluding(leaf.kind()));
  });
  return {cost, set.kind() == Kind::Intersect};
}

//===-- Half-spaces one of which has to hold ----------------------------------------------------------------------===//

/// {j < f(i)} or {j >= g(i)}: what is outside of an interval. Half-spaces of one kind unite to one.
namespace {
struct Outside {
  std::optional<HalfSpace> below, above;

  static Outside of(const PairSet &unionOfHalfSpaces) {
    Outside outside;
    for (const PairSet &member : unionOfHalfSpaces.members()) {
      const HalfSpace &half = member.half();
      std::optional<HalfSpace> &all = half.lower ? outside.above : outside.below;
      if (!all)
        all = half;
      else if (half.lower)
        all = HalfSpace{true, Expr::min({all->byQuery, half.byQuery}), Expr::max({all->byKey, half.byKey})};
      else
        all = HalfSpace{false, Expr::max({all->byQuery, half.byQuery}), Expr::min({all->byKey, half.byKey})};
    }
    return outside;
  }

  PairSet set() const {
    std::vector<PairSet> sides;
    for (const std::optional<HalfSpace> &side : {below, above})
      if (side)
        sides.push_back(PairSet::halfSpace(*side));
    return PairSet::unite(sides);
  }
};
} // namespace

static bool isOutside(const PairSet &set) {
  return set.kind() == Kind::Union &&
         llvm::all_of(set.members(), [](const PairSet &member) { return member.kind() == Kind::HalfSpace; });
}

//===-- Expansion -------------------------------------------------------------------------------------------------===//

namespace {

class Expansion {
public:
  Expansion(unsigned limit, FewColumns few) : limit(limit), few(few) {}

  /// Adds the pieces of: every set of `pending`, every leaf of `fixed`, and every one of `holes`.
  void expand(std::vector<PairSet> pending, Piece fixed, std::vector<PairSet> holes) {
    while (!pending.empty()) {
      PairSet set = normalize(pending.back());
      pending.pop_back();
      if (pieces.size() > limit)
        return;
      if (set.kind() == Kind::Intersect)
        pending.insert(pending.end(), set.members().rbegin(), set.members().rend());
      else if (isOutside(set))
        holes.push_back(set);
      else if (set.kind() == Kind::Union)
        return branch(set, std::move(pending), fixed, holes);
      else if (!fixed.add(set))
        return;
    }
    settle(std::move(fixed), std::move(holes));
  }

  std::vector<Piece> pieces;

private:
  /// Leaves that stand for a union of simpler ones.
  PairSet normalize(const PairSet &set) const {
    if (set.kind() == Kind::Relation && few == FewColumns::AsClasses)
      return splitIntoClasses(set.related()).value_or(set);
    if (isOutside(set))
      return Outside::of(set).set();
    bool isOutsideOfRemainders = set.kind() == Kind::Not && !isCondition(set) &&
                                 set.members().front().kind() == Kind::Relation &&
                                 Remainders::ofKeys(set.members().front().related());
    return isOutsideOfRemainders ? outside(set.members().front().related()) : set;
  }

  /// A or B or C = A, then B without A, then C without A and B.
  void branch(const PairSet &set, std::vector<PairSet> pending, const Piece &fixed, const std::vector<PairSet> &holes) {
    std::vector<PairSet> members(set.members().begin(), set.members().end());
    llvm::stable_sort(members,
                      [](const PairSet &a, const PairSet &b) { return costOfExcluding(a) < costOfExcluding(b); });
    for (const PairSet &member : members) {
      pending.push_back(member);
      expand(pending, fixed, holes);
      pending.back() = member.complement();
    }
  }

  /// Holes come last: where one side of a hole cannot be, it is a bound. A piece whose keys lie in an order of their
  /// own keeps one hole; others fall apart, because a hole in consecutive rows is worth two boxes.
  void settle(Piece piece, std::vector<PairSet> holes) {
    std::vector<PairSet> open;
    for (const PairSet &hole : holes) {
      PairSet below = hole.members()[0], above = hole.members()[1];
      Piece with = piece, without = piece;
      bool mayBeBelow = with.add(below), mayBeAbove = without.add(above);
      if (!mayBeBelow && !mayBeAbove)
        return;
      bool isSaid = (mayBeBelow && with.leaves == piece.leaves) || (mayBeAbove && without.leaves == piece.leaves);
      if (isSaid)
        continue;
      if (mayBeBelow && mayBeAbove)
        open.push_back(hole);
      else
        piece = mayBeBelow ? with : without;
    }
    if (!open.empty() && hasOwnOrder(piece)) {
      piece.hole = open.back();
      open.pop_back();
    }
    fallApart(std::move(piece), std::move(open));
  }

  void fallApart(Piece piece, std::vector<PairSet> holes) {
    if (pieces.size() > limit)
      return;
    if (holes.empty())
      return pieces.push_back(std::move(piece));
    PairSet below = holes.back().members()[0], above = holes.back().members()[1];
    holes.pop_back();
    Piece lowPart = piece;
    if (lowPart.add(below))
      fallApart(std::move(lowPart), holes);
    if (piece.add(above) && piece.add(below.complement()))
      fallApart(std::move(piece), std::move(holes));
  }

  static bool hasOwnOrder(const Piece &piece) {
    return llvm::any_of(piece.leaves, [](const PairSet &leaf) {
      if (leaf.kind() == Kind::Relation)
        return ClassLink::of(leaf.related()) || Remainders::ofKeys(leaf.related());
      return leaf.kind() == Kind::BlockTable || (leaf.kind() == Kind::Listed && leaf.side() == Side::Keys);
    });
  }

  unsigned limit;
  FewColumns few;
};

} // namespace

std::optional<std::vector<Piece>> attn::takeApart(const PairSet &set, unsigned limit, FewColumns few) {
  Expansion expansion(limit, few);
  expansion.expand({set}, {}, {});
  if (expansion.pieces.size() > limit)
    return std::nullopt;
  return std::move(expansion.pieces);
}
