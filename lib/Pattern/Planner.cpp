// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Turns a pattern into phases of disjoint boxes.
//
//   1. Rows first: each list of query rows that the pattern singles out becomes a phase of its own that owns those
//      rows; for the rest the pattern is simplified with "not in that list".
//   2. A phase's pattern is expanded into disjoint conjunctions of leaves (A or B becomes A, and B without A).
//   3. Each conjunction becomes a box: half-spaces are bounds, conditions make them empty for the heads for which they
//      do not hold, a listed key or a segment chooses the key order, and what is left is the box's residual test.
//
// If a phase falls into too many pieces, it becomes one box over all keys that tests the whole pattern: slow, but
// right, and the plan says so.

#include "attn/Pattern/Plan.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>

using namespace attn;
using Kind = PairSet::Kind;

namespace {

/// Leaves that all have to hold.
using Conjunction = std::vector<PairSet>;

//===-- Conjunctions ----------------------------------------------------------------------------------------------===//

/// Whether a constant difference shows that a <= b.
bool isAtMost(const Expr &a, const Expr &b) { return (a - b).asConstant().value_or(1) <= 0; }

bool implies(const HalfSpace &a, const HalfSpace &b) {
  return a.lower == b.lower && (a.lower ? isAtMost(b.byQuery, a.byQuery) : isAtMost(a.byQuery, b.byQuery));
}

bool placeAlike(const Relation &a, const Relation &b) { return a.place == b.place && a.offsets == b.offsets; }

bool implies(const Relation &a, const Relation &b) {
  return placeAlike(a, b) && (!b.lower || (a.lower && isAtMost(*b.lower, *a.lower))) &&
         (!b.upper || (a.upper && isAtMost(*a.upper, *b.upper)));
}

bool areDisjoint(const Relation &a, const Relation &b) {
  auto isBefore = [](const Relation &x, const Relation &y) {
    return x.upper && y.lower && isAtMost(*x.upper, *y.lower);
  };
  return placeAlike(a, b) && (isBefore(a, b) || isBefore(b, a));
}

/// Whether every pair of leaf `a` is in leaf `b`, as far as constant differences show.
bool implies(const PairSet &a, const PairSet &b) {
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

/// Adds a leaf; false if nothing is left.
bool addLeaf(Conjunction &all, const PairSet &leaf) {
  PairSet complement = leaf.complement();
  auto admitsNone = [&](const PairSet &other) { return implies(other, complement); };
  if (leaf.kind() == Kind::Empty || llvm::any_of(all, admitsNone))
    return false;
  if (leaf.kind() == Kind::Full || llvm::any_of(all, [&](const PairSet &other) { return implies(other, leaf); }))
    return true;
  llvm::erase_if(all, [&](const PairSet &other) { return implies(leaf, other); });
  all.push_back(leaf);
  return true;
}

bool isCondition(const PairSet &leaf) {
  const PairSet &inner = leaf.kind() == Kind::Not ? leaf.members().front() : leaf;
  return inner.kind() == Kind::Relation && inner.related().isCondition();
}

unsigned costOfExcluding(Kind kind) {
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
std::pair<unsigned, bool> costOfExcluding(const PairSet &set) {
  unsigned cost = 0;
  set.forEachLeaf([&](const PairSet &leaf) {
    if (!isCondition(leaf))
      cost = std::max(cost, costOfExcluding(leaf.kind()));
  });
  return {cost, set.kind() == Kind::Intersect};
}

/// Expands a set into disjoint conjunctions.
class Expansion {
public:
  static constexpr unsigned limit = 48;

  /// Nothing if the set falls into more than `limit` pieces.
  static std::optional<std::vector<Conjunction>> of(const PairSet &set) {
    Expansion expansion;
    expansion.expand({set}, {});
    if (expansion.pieces.size() > limit)
      return std::nullopt;
    return std::move(expansion.pieces);
  }

private:
  /// Adds the pieces of: every set of `pending`, and every leaf of `fixed`.
  void expand(std::vector<PairSet> pending, Conjunction fixed) {
    while (!pending.empty()) {
      PairSet set = pending.back();
      pending.pop_back();
      if (pieces.size() > limit)
        return;
      if (set.kind() == Kind::Intersect) {
        pending.insert(pending.end(), set.members().rbegin(), set.members().rend());
      } else if (set.kind() == Kind::Union) {
        std::vector<PairSet> members(set.members().begin(), set.members().end());
        llvm::stable_sort(members,
                          [](const PairSet &a, const PairSet &b) { return costOfExcluding(a) < costOfExcluding(b); });
        // A or B or C = A, then B without A, then C without A and B.
        std::vector<PairSet> branch = pending;
        for (const PairSet &member : members) {
          branch.push_back(member);
          expand(branch, fixed);
          branch.back() = member.complement();
        }
        return;
      } else if (!addLeaf(fixed, set)) {
        return;
      }
    }
    pieces.push_back(std::move(fixed));
  }

  std::vector<Conjunction> pieces;
};

//===-- Phases ----------------------------------------------------------------------------------------------------===//

class Planner {
public:
  Planner(const PairSet &pattern, const Target &target) : pattern(pattern), target(target) {
    plan.tile = target.tile;
    plan.orders = {{OrderKind::All, Side::Queries, 0}, {OrderKind::All, Side::Keys, 0}};
  }

  Plan run() {
    llvm::SmallVector<unsigned> owned;
    PairSet rest = pattern;
    for (unsigned table : rowLists()) {
      auto assume = [&](const PairSet &set, bool inList) {
        return set.rewriteLeaves([&](const PairSet &leaf) -> std::optional<PairSet> {
          if (leaf.kind() != Kind::Listed || leaf.side() != Side::Queries || leaf.index() != table)
            return std::nullopt;
          return inList ? PairSet::full() : PairSet::empty();
        });
      };
      unsigned order = orderIndex({OrderKind::Listed, Side::Queries, table});
      addPhase(order, owned, assume(rest, true));
      owned.push_back(order);
      rest = assume(rest, false);
    }
    addPhase(0, owned, rest);
    if (target.local && isLocal(plan.phases.back()))
      plan.tile = *target.local;
    else if (target.local && target.compactKeys > 0 && movesWithRows(plan.phases.back()))
      plan.compact = target.local, plan.compactKeys = target.compactKeys;
    return std::move(plan);
  }

private:
  /// At most two lists of rows get phases of their own; further ones are tested.
  llvm::SmallVector<unsigned> rowLists() const {
    llvm::SmallVector<unsigned> tables;
    pattern.forEachLeaf([&](const PairSet &leaf) {
      if (leaf.kind() == Kind::Listed && leaf.side() == Side::Queries && !llvm::is_contained(tables, leaf.index()))
        tables.push_back(leaf.index());
    });
    if (tables.size() > 2)
      tables.truncate(2);
    return tables;
  }

  /// Whether the keys of a row are few, however long the sequence is.
  bool isLocal(const Phase &phase) const {
    return llvm::all_of(phase.boxes, [&](const Box &box) {
      bool moves = box.lower.dependsOnRow() && box.upper.dependsOnRow();
      return moves || box.sameSegment || plan.orders[box.keys].kind == OrderKind::Listed;
    });
  }

  /// Whether rows differ in how many keys they look at: then small tiles waste less.
  static bool movesWithRows(const Phase &phase) {
    return llvm::any_of(phase.boxes,
                        [](const Box &box) { return box.lower.dependsOnRow() || box.upper.dependsOnRow(); });
  }

  unsigned orderIndex(const Order &order) {
    auto known = llvm::find(plan.orders, order);
    if (known == plan.orders.end())
      known = plan.orders.insert(known, order);
    return known - plan.orders.begin();
  }

  void addPhase(unsigned queries, llvm::ArrayRef<unsigned> owned, const PairSet &set) {
    Phase phase;
    phase.queries = queries;
    phase.except.assign(owned.begin(), owned.end());
    auto pieces = Expansion::of(set);
    if (pieces && pieces->size() <= target.maxBoxes) {
      std::optional<unsigned> segments = queries == 0 ? commonSegments(*pieces) : std::nullopt;
      if (segments)
        phase.queries = orderIndex({OrderKind::SegmentSorted, Side::Queries, *segments});
      for (const Conjunction &piece : *pieces)
        phase.boxes.push_back(makeBox(piece, segments));
      llvm::stable_sort(phase.boxes, [](const Box &a, const Box &b) { return a.keys < b.keys; });
    } else {
      Box box = makeBox({}, std::nullopt);
      box.test = set;
      phase.boxes.push_back(std::move(box));
      note("a phase of more than " + std::to_string(target.maxBoxes) + " boxes: one box, every pair tested");
    }
    plan.phases.push_back(std::move(phase));
  }

  /// The table by whose segments both sides can be sorted: every piece over all keys stays inside them.
  static std::optional<unsigned> commonSegments(llvm::ArrayRef<Conjunction> pieces) {
    auto listsKeys = [](const PairSet &leaf) { return leaf.kind() == Kind::Listed && leaf.side() == Side::Keys; };
    std::optional<unsigned> common;
    for (const Conjunction &piece : pieces) {
      if (llvm::any_of(piece, listsKeys))
        continue;
      auto segment = llvm::find_if(piece, [&](const PairSet &leaf) {
        return leaf.kind() == Kind::SameSegment && (!common || leaf.index() == *common);
      });
      if (segment == piece.end())
        return std::nullopt;
      common = segment->index();
    }
    return common;
  }

  Box makeBox(const Conjunction &piece, std::optional<unsigned> segments) {
    Expr length = Expr::symbol(Length), kvLength = Expr::symbol(KvLength);
    std::vector<Expr> lower{Expr(0)}, upper{kvLength}, queryLower{Expr(0)}, queryUpper{length};
    std::optional<unsigned> listed;
    std::vector<PairSet> tests;
    for (const PairSet &leaf : piece) {
      if (isCondition(leaf)) {
        Expr holds = indicatorOf(leaf);
        upper.push_back(kvLength * holds);
        queryUpper.push_back(length * holds);
      } else if (leaf.kind() == Kind::HalfSpace) {
        const HalfSpace &half = leaf.half();
        (half.lower ? lower : upper).push_back(half.byQuery);
        (half.lower ? queryUpper : queryLower).push_back(half.byKey);
      } else if (leaf.kind() == Kind::Listed && leaf.side() == Side::Keys && !listed) {
        listed = leaf.index();
      } else {
        tests.push_back(leaf);
      }
    }
    Box box;
    box.keys = 1;
    if (listed) {
      box.keys = orderIndex({OrderKind::Listed, Side::Keys, *listed});
    } else if (segments) {
      box.keys = orderIndex({OrderKind::SegmentSorted, Side::Keys, *segments});
      box.sameSegment = true;
      llvm::erase_if(tests, [&](const PairSet &leaf) { return leaf == PairSet::sameSegment(*segments); });
    }
    box.lower = Expr::max(lower);
    box.upper = Expr::min(upper);
    box.queryLower = Expr::max(queryLower);
    box.queryUpper = Expr::min(queryUpper);
    for (const PairSet &leaf : tests)
      note(describe(leaf));
    if (!tests.empty())
      box.test = PairSet::intersect(tests);
    return box;
  }

  /// 1 for the heads for which a condition holds, else 0.
  static Expr indicatorOf(const PairSet &condition) {
    if (condition.kind() == Kind::Not)
      return Expr(1) - indicatorOf(condition.members().front());
    return condition.related().indicator();
  }

  static std::string describe(const PairSet &leaf) {
    switch (leaf.kind()) {
    case Kind::Relation:
      return leaf.related().offsets ? "a place in a segment" : "a remainder, or an axis of a grid";
    case Kind::BlockTable:
      return "attn.block_table";
    case Kind::Where:
      return "attn.where";
    case Kind::SameSegment:
      return "attn.segments";
    case Kind::Listed:
      return leaf.side() == Side::Queries ? "rows of attn.global" : "columns of attn.global";
    case Kind::Not:
      return "outside of " + describe(leaf.members().front());
    default:
      return "attn.pattern";
    }
  }

  void note(std::string clause) {
    if (!llvm::is_contained(plan.tested, clause))
      plan.tested.push_back(std::move(clause));
  }

  const PairSet &pattern;
  const Target &target;
  Plan plan;
};

} // namespace

Plan attn::planPattern(const PairSet &pattern, const Target &target) { return Planner(pattern, target).run(); }

//===-- Targets ---------------------------------------------------------------------------------------------------===//

Target Target::cpu() {
  Target target;
  target.name = "cpu";
  target.tile = {/*rows=*/64, /*keys=*/64, /*groupRows=*/8, /*granule=*/32};
  target.flopsPerSecond = 200e9;
  target.bytesPerSecond = 12e9;
  return target;
}

// A warpgroup holds 64 rows of the accumulator and of the scores in its registers. Up to 64 columns leave room for
// three warpgroups of 160 registers, more only for two of 240; past 128, scores shrink to 64 keys. Local patterns take
// 64 rows, so that a tile of rows sees little more than a row does, and several blocks on a multiprocessor hide each
// other's waits; 96 keys divide the 64 + 512 that a tile sees of a window of 256 to each side.
Target Target::sm90a(int64_t headSize, int64_t valueHeadSize, bool hasScore) {
  auto tileOf = [](int64_t rows, int64_t keys) { return TileShape{rows, keys, rows, keys, /*anchored=*/true}; };
  int64_t columns = std::max(headSize, valueHeadSize);
  Target target;
  target.name = "sm_90a";
  target.tile = columns <= 64 ? tileOf(192, hasScore ? 112 : 128) : columns <= 128 ? tileOf(128, 128) : tileOf(128, 64);
  target.local = columns <= 64 ? tileOf(64, 96) : columns <= 192 ? tileOf(64, 64) : tileOf(64, 48);
  target.compactKeys = columns <= 64 ? 3072 : 0; // measured: docs/performance.md
  target.flopsPerSecond = 600e12;
  target.bytesPerSecond = 4.2e12;
  return target;
}

// Rows take twice the shared memory, and threads multiply by themselves: they need the registers that wgmma leaves to
// the softmax. Blocks of 64 rows share a multiprocessor and fill each other's pauses.
Target Target::sm90aF32(int64_t headSize, int64_t valueHeadSize) {
  int64_t keys = std::max(headSize, valueHeadSize) <= 64 ? 64 : 32;
  Target target;
  target.name = "sm_90a";
  target.tile = {/*rows=*/64, keys, /*groupRows=*/64, /*granule=*/keys, /*anchored=*/true};
  target.flopsPerSecond = 30e12;
  target.bytesPerSecond = 4.2e12;
  return target;
}

std::optional<Target> Target::find(llvm::StringRef name, int64_t headSize, int64_t valueHeadSize, bool hasScore,
                                   int64_t elementBytes) {
  if (name == "cpu")
    return cpu();
  if (name == "sm_90a")
    return elementBytes == 4 ? sm90aF32(headSize, valueHeadSize) : sm90a(headSize, valueHeadSize, hasScore);
  return std::nullopt;
}
