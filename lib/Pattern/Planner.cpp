// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Turns a pattern into phases of disjoint boxes.
//
//   1. Rows first: each set of query rows that the pattern singles out, a list or some remainders, becomes a phase of
//      its own that owns those rows; for the rest the pattern is simplified with "not in that set".
//   2. A phase's pattern is taken apart into disjoint pieces (Pieces.h).
//   3. Pieces in which the query's remainder decides about the key's are put into classes, one phase for each modulus,
//      those between columns of a grid into patches, one phase for each width; the others share a phase. Phases over
//      the same rows continue one another.
//      Where all rows of a block look at the same keys and tiles are multiplied whole, there are two phases in place of
//      one: rows as they come, and in tiles that end where blocks do. The call's block size decides which one runs.
//   4. Each piece becomes a box: half-spaces are bounds, conditions make them empty for the heads for which they do not
//      hold, a link between classes, a listed key, remainders of the key or a segment choose the key order, a
//      table of blocks lets one run over its entries, and what is
//      left is the box's residual test.
//
// If a phase falls into too many pieces, it becomes one box over all keys that tests the whole pattern: slow, but
// right, and the plan says so.

#include "Periods.h"
#include "Pieces.h"
#include "attn/Pattern/Walk.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <limits>

using namespace attn;
using Kind = PairSet::Kind;

namespace {

/// Pieces that one phase runs over.
struct Group {
  std::optional<Order> queries; // the order that its rows need, if they need one
  std::vector<Piece> pieces;
};

/// A phase in whose place calls may run the one after it, by the size of their blocks.
struct Choice {
  unsigned inBlocks; // the second one
  Expr size;
};

bool listsKeys(const PairSet &leaf) { return leaf.kind() == Kind::Listed && leaf.side() == Side::Keys; }
bool leavesKeysOut(const PairSet &leaf) { return leaf.kind() == Kind::Not && listsKeys(leaf.members().front()); }

/// The pairs that a call multiplies, from a part of its query tiles.
int64_t estimatePairs(const Plan &plan, const CallValues &values) {
  constexpr int64_t sample = 16;
  int64_t pairs = 0;
  for (const PairCounts &counts : countPairs(plan, values, /*testLimit=*/1, sample))
    pairs += counts.computed;
  return pairs;
}

class Planner {
public:
  Planner(const PairSet &pattern, const Target &target, const PlanHints &hints, FewColumns few)
      : pattern(pattern), target(target), hints(hints), few(few) {
    plan.tile = target.tile;
    plan.orders = {Order::all(Side::Queries), Order::all(Side::Keys)};
  }

  Plan run() {
    llvm::SmallVector<unsigned> owned;
    PairSet rest = pattern;
    for (const PairSet &rows : rowSets()) {
      auto assume = [&](const PairSet &set, bool inSet) {
        return set.rewriteLeaves([&](const PairSet &leaf) -> std::optional<PairSet> {
          if (leaf == rows || leaf.complement() == rows)
            return (leaf == rows) == inSet ? PairSet::full() : PairSet::empty();
          return std::nullopt;
        });
      };
      unsigned order = orderIndex(*orderOf(rows));
      addPhases(order, owned, assume(rest, true));
      owned.push_back(order);
      rest = assume(rest, false);
    }
    unsigned first = plan.phases.size();
    addPhases(0, owned, rest);
    chooseTiles(first);
    fitToTile(plan);
    dropIdlePhases();
    return std::move(plan);
  }

private:
  //===-- Tiles -------------------------------------------------------------------------------------------------===//

  /// Phases from `first` on are those of most rows.
  void chooseTiles(unsigned first) {
    llvm::ArrayRef<Phase> others = llvm::ArrayRef(plan.phases).drop_front(first);
    if (target.locals.empty())
      return;
    if (llvm::all_of(others, [&](const Phase &phase) { return isLocal(phase); }))
      plan.tile = bestLocalTile();
    else if (target.compactKeys > 0 && llvm::any_of(others, movesWithRows))
      plan.compact = target.locals.front().shape, plan.compactKeys = target.compactKeys;
  }

  /// What follows from the size of tiles.
  void fitToTile(Plan &plan) const {
    shapePatches(plan);
    for (const Choice &choice : choices) {
      Expr gain = pairsInRows(choice.size, plan.tile) - pairsInBlocks(choice.size, plan.tile);
      plan.phases[choice.inBlocks].when = Expr::isPositive(gain);
      plan.phases[choice.inBlocks - 1].when = Expr(1) - Expr::isPositive(gain);
    }
  }

  /// Where the block's size is known, so is which phase runs.
  void dropIdlePhases() {
    llvm::erase_if(plan.phases, [](const Phase &phase) { return phase.when && phase.when->asConstant() == 0; });
    for (Phase &phase : plan.phases)
      if (phase.when && phase.when->asConstant())
        phase.when.reset();
  }

  static Expr roundUp(const Expr &number, int64_t unit) { return Expr::floorDiv(number + unit - 1, unit) * unit; }

  /// What is multiplied for a block whose rows all look at as many keys as it has rows, in tiles that end with it.
  static Expr pairsInBlocks(const Expr &size, const TileShape &tile) {
    return roundUp(size, tile.rows) * roundUp(size, tile.keys);
  }

  /// The same in tiles that begin anywhere, on average: of each block's rows, as many as a tile has but one are in
  /// tiles that see another block, too.
  static Expr pairsInRows(const Expr &size, const TileShape &tile) {
    Expr across = Expr::min({size, tile.rows - 1}), more = Expr::max({size, tile.rows - 1});
    return (size - across) * roundUp(size, tile.keys) + across * roundUp(size + more, tile.keys);
  }

  /// A patch is a tile, as square as it can be.
  static void shapePatches(Plan &plan) {
    for (Order &order : plan.orders) {
      if (order.kind != OrderKind::Patches)
        continue;
      for (order.patchColumns = 8; plan.tile.rows % order.patchColumns != 0;)
        order.patchColumns /= 2;
      order.patchRows = plan.tile.rows / order.patchColumns;
    }
  }

  //===-- Rows first --------------------------------------------------------------------------------------------===//

  /// The query rows of a leaf that speaks of them alone.
  static std::optional<Order> orderOf(const PairSet &leaf) {
    if (leaf.kind() == Kind::Listed && leaf.side() == Side::Queries)
      return Order::listed(Side::Queries, leaf.index());
    if (leaf.kind() != Kind::Relation || isCondition(leaf))
      return std::nullopt;
    std::optional<Remainders> rows = Remainders::ofQueries(leaf.related());
    return rows ? std::optional<Order>(rows->order(Side::Queries)) : std::nullopt;
  }

  /// At most two sets of rows get phases of their own; further ones are tested.
  std::vector<PairSet> rowSets() const {
    std::vector<PairSet> sets;
    pattern.forEachLeaf([&](const PairSet &leaf) {
      if (orderOf(leaf) && !llvm::is_contained(sets, leaf) && !llvm::is_contained(sets, leaf.complement()))
        sets.push_back(leaf);
    });
    if (sets.size() > 2)
      sets.erase(sets.begin() + 2, sets.end());
    return sets;
  }

  /// Whether the keys of a row are few, however long the sequence is, or rows come class by class or block by block,
  /// which are short.
  bool isLocal(const Phase &phase) const {
    OrderKind queries = plan.orders[phase.queries].kind;
    bool isShort = queries == OrderKind::Classes || queries == OrderKind::Blocks;
    return isShort || llvm::all_of(phase.boxes, [&](const Box &box) {
             bool moves = box.bounds.lower.dependsOnRow() && box.bounds.upper.dependsOnRow();
             OrderKind keys = plan.orders[box.keys].kind;
             return moves || box.sameSegment || keys == OrderKind::Listed || keys == OrderKind::Remainders;
           });
  }

  /// The tile in which a typical call takes least time. A part of its query tiles shows that. On grids most pairs are
  /// masked, which takes as long in any tile.
  TileShape bestLocalTile() const {
    bool isTested = llvm::any_of(plan.phases, [](const Phase &phase) {
      return llvm::any_of(phase.boxes, [](const Box &box) { return box.test.has_value(); });
    });
    bool isOnGrid = llvm::any_of(plan.orders, [](const Order &order) { return order.kind == OrderKind::Patches; });
    const LocalTile *best = &target.locals.front();
    if (!hints.typical || isTested || target.locals.size() == 1)
      return best->shape;
    double least = std::numeric_limits<double>::infinity();
    for (const LocalTile &tile : target.locals) {
      Plan candidate = plan;
      candidate.tile = tile.shape;
      fitToTile(candidate);
      double pairTime = isOnGrid ? 1 : tile.pairTime;
      double time = pairTime * static_cast<double>(estimatePairs(candidate, *hints.typical));
      if (time < least)
        least = time, best = &tile;
    }
    return best->shape;
  }

  /// Whether rows differ in how many keys they look at: then small tiles waste less.
  static bool movesWithRows(const Phase &phase) {
    return llvm::any_of(
        phase.boxes, [](const Box &box) { return box.bounds.lower.dependsOnRow() || box.bounds.upper.dependsOnRow(); });
  }

  //===-- Phases ------------------------------------------------------------------------------------------------===//

  unsigned orderIndex(const Order &order) {
    auto known = llvm::find(plan.orders, order);
    if (known == plan.orders.end())
      known = plan.orders.insert(known, order);
    return known - plan.orders.begin();
  }

  /// The phases over the rows of one order; those of all rows may be put into other orders.
  void addPhases(unsigned queries, llvm::ArrayRef<unsigned> owned, const PairSet &set) {
    std::vector<Group> groups;
    if (auto pieces = takeApart(set, mostPieces, few))
      groups = groupByOrder(std::move(*pieces), /*mayChoose=*/queries == 0);
    bool isTooMuch = groups.empty() || groups.size() > target.maxPhases ||
                     llvm::any_of(groups, [&](const Group &group) { return group.pieces.size() > target.maxBoxes; });
    if (isTooMuch) {
      addTestedPhase(queries, owned, set);
      return;
    }
    for (auto [number, group] : llvm::enumerate(groups)) {
      addPhase(queries, owned, group);
      plan.phases.back().continues = number > 0;
      if (std::optional<Expr> size = sizeOfBlocks(plan.phases.back()))
        addInBlocks(*size);
    }
  }

  /// The size of blocks of consecutive rows, all of which look at the same keys, where tiles are multiplied whole.
  std::optional<Expr> sizeOfBlocks(const Phase &phase) const {
    if (!target.tile.anchored || plan.orders[phase.queries].kind != OrderKind::All)
      return std::nullopt;
    std::optional<Expr> size;
    for (const Box &box : phase.boxes) {
      if (plan.orders[box.keys].kind == OrderKind::Listed)
        continue;
      if (!size)
        size = blockIn(box.bounds.lower);
      if (!size || size->anySymbol([&](unsigned symbol) { return isRead(symbol); }))
        return std::nullopt;
      Order blocks = Order::blocks(Side::Queries, *size, Expr::symbol(QueryOffset));
      bool isSame = blocks.isSameInBlock(box.bounds.lower) && blocks.isSameInBlock(box.bounds.upper) && !box.hole;
      if (!isSame)
        return std::nullopt;
    }
    return size;
  }

  /// The m of the first floor((row + query_offset) / m) in an expression.
  static std::optional<Expr> blockIn(const Expr &expr) {
    for (const Expr::Summand &summand : expr.summands()) {
      const Expr::Term &term = *summand.term;
      if (term.kind == Expr::TermKind::FloorDiv && term.operands[0] == Expr::row() + Expr::symbol(QueryOffset))
        return term.operands[1];
      for (const Expr &operand : term.operands)
        if (std::optional<Expr> size = blockIn(operand))
          return size;
    }
    return std::nullopt;
  }

  /// The same phase in blocks.
  void addInBlocks(const Expr &size) {
    Phase phase = plan.phases.back();
    phase.queries = orderIndex(Order::blocks(Side::Queries, size, Expr::symbol(QueryOffset)));
    choices.push_back({static_cast<unsigned>(plan.phases.size()), size});
    plan.phases.push_back(std::move(phase));
  }

  /// Pieces that share a query order; those of rows as they come are first, and there is always one group.
  std::vector<Group> groupByOrder(std::vector<Piece> pieces, bool mayChoose) const {
    std::vector<Group> groups(1);
    for (Piece &piece : pieces) {
      std::optional<Order> queries = mayChoose ? orderOf(piece) : std::nullopt;
      auto group = llvm::find_if(groups, [&](const Group &g) { return g.queries == queries; });
      if (group == groups.end())
        group = groups.insert(group, Group{queries, {}});
      group->pieces.push_back(std::move(piece));
    }
    if (groups.size() > 1 && groups.front().pieces.empty())
      groups.erase(groups.begin());
    return groups;
  }

  /// The query order in which a piece is dense, if it needs one. Listed keys are few and stay in their list.
  std::optional<Order> orderOf(const Piece &piece) const {
    if (llvm::any_of(piece.leaves, listsKeys))
      return std::nullopt;
    for (const PairSet &leaf : piece.leaves)
      if (std::optional<ClassLink> link = linkOf(leaf))
        return Order::classes(Side::Queries, link->modulus);
    for (const PairSet &leaf : piece.leaves)
      if (std::optional<Columns> columns = columnsOf(leaf))
        return Order::patches(Side::Queries, columns->width);
    return std::nullopt;
  }

  std::optional<Columns> columnsOf(const PairSet &leaf) const {
    if (leaf.kind() != Kind::Relation)
      return std::nullopt;
    std::optional<Columns> columns = attn::columnsOf(leaf.related());
    bool isKnown = columns && !columns->width.anySymbol([&](unsigned symbol) { return isRead(symbol); });
    return isKnown ? columns : std::nullopt;
  }

  std::optional<ClassLink> linkOf(const PairSet &leaf) const {
    if (leaf.kind() != Kind::Relation)
      return std::nullopt;
    std::optional<ClassLink> link = ClassLink::of(leaf.related());
    bool isKnown = link && !link->modulus.anySymbol([&](unsigned symbol) { return isRead(symbol); });
    return link && (target.readsModuli || isKnown) ? link : std::nullopt;
  }

  void addTestedPhase(unsigned queries, llvm::ArrayRef<unsigned> owned, const PairSet &set) {
    Phase phase;
    phase.queries = queries;
    phase.except.assign(owned.begin(), owned.end());
    phase.boxes.push_back(makeBox({}, std::nullopt, Order::all(Side::Queries)));
    phase.boxes.back().test = set;
    note("a phase of more than " + std::to_string(target.maxBoxes) + " boxes: one box, every pair tested");
    plan.phases.push_back(std::move(phase));
  }

  void addPhase(unsigned queries, llvm::ArrayRef<unsigned> owned, const Group &group) {
    Phase phase;
    phase.queries = queries;
    phase.except.assign(owned.begin(), owned.end());
    std::optional<unsigned> segments;
    if (group.queries)
      phase.queries = orderIndex(*group.queries);
    else if (queries == 0 && (segments = commonSegments(group.pieces)))
      phase.queries = orderIndex(Order::segmentSorted(Side::Queries, *segments));
    else if (std::optional<Expr> size = queries == 0 ? commonBlocks(group.pieces) : std::nullopt)
      phase.queries = orderIndex(Order::blocks(Side::Queries, *size, Expr::symbol(QueryOffset)));
    for (const Piece &piece : group.pieces)
      phase.boxes.push_back(makeBox(piece, segments, plan.orders[phase.queries]));
    llvm::stable_sort(phase.boxes, [](const Box &a, const Box &b) { return a.keys < b.keys; });
    plan.phases.push_back(std::move(phase));
  }

  /// The table by whose segments both sides can be sorted: every piece over all keys stays inside them.
  static std::optional<unsigned> commonSegments(llvm::ArrayRef<Piece> pieces) {
    std::optional<unsigned> common;
    for (const Piece &piece : pieces) {
      if (llvm::any_of(piece.leaves, listsKeys))
        continue;
      auto segment = llvm::find_if(piece.leaves, [&](const PairSet &leaf) {
        return leaf.kind() == Kind::SameSegment && (!common || leaf.index() == *common);
      });
      if (segment == piece.leaves.end())
        return std::nullopt;
      common = segment->index();
    }
    return common;
  }

  /// The size of the blocks in which query tiles lie, where some piece has a table of blocks; tables of others are
  /// tested.
  std::optional<Expr> commonBlocks(llvm::ArrayRef<Piece> pieces) const {
    for (const Piece &piece : pieces)
      for (const PairSet &leaf : piece.leaves)
        if (isWalked(leaf) && llvm::none_of(piece.leaves, listsKeys))
          return leaf.block();
    return std::nullopt;
  }

  bool isWalked(const PairSet &leaf) const {
    return leaf.kind() == Kind::BlockTable && !leaf.block().anySymbol([&](unsigned symbol) { return isRead(symbol); });
  }

  /// Whether a number stands in the call's memory, or differs by head.
  bool isRead(unsigned symbol) const { return symbol == Head || (hints.isData && hints.isData(symbol)); }

  //===-- Boxes -------------------------------------------------------------------------------------------------===//

  /// What the half-spaces and conditions among some leaves say; the others go to `rest`.
  static Bounds boundsOf(const Piece &piece, std::vector<PairSet> &rest) {
    Expr length = Expr::symbol(Length), kvLength = Expr::symbol(KvLength);
    std::vector<Expr> lower{Expr(0)}, upper{kvLength}, queryLower{Expr(0)}, queryUpper{length};
    for (const PairSet &leaf : piece.leaves) {
      if (isCondition(leaf)) {
        Expr holds = indicatorOf(leaf);
        upper.push_back(kvLength * holds);
        queryUpper.push_back(length * holds);
      } else if (leaf.kind() == Kind::HalfSpace) {
        const HalfSpace &half = leaf.half();
        (half.lower ? lower : upper).push_back(half.byQuery);
        (half.lower ? queryUpper : queryLower).push_back(half.byKey);
      } else {
        rest.push_back(leaf);
      }
    }
    return {Expr::max(lower), Expr::min(upper), Expr::max(queryLower), Expr::min(queryUpper)};
  }

  /// Outside of {j < f(i)} or {j >= g(i)}: the rows from f(i) to g(i), which begin before i* = f*(j), and not before
  /// g*.
  static std::optional<Bounds> holeOf(const Piece &piece) {
    if (!piece.hole)
      return std::nullopt;
    const HalfSpace &below = piece.hole->members()[0].half(), &above = piece.hole->members()[1].half();
    return Bounds{below.byQuery, above.byQuery, above.byKey, below.byKey};
  }

  Box makeBox(const Piece &piece, std::optional<unsigned> segments, const Order &queries) {
    Box box;
    box.keys = 1;
    std::vector<PairSet> rest;
    box.bounds = boundsOf(piece, rest);
    box.hole = holeOf(piece);
    if (queries.kind == OrderKind::Classes)
      putIntoClasses(box, rest, queries.modulus);
    else if (queries.kind == OrderKind::Patches)
      putIntoColumns(box, rest, queries.modulus);
    else if (auto listed = llvm::find_if(rest, listsKeys); listed != rest.end())
      putIntoOrder(box, rest, listed, Order::listed(Side::Keys, listed->index()));
    else if (segments)
      putIntoSegments(box, rest, *segments);
    else if (queries.kind != OrderKind::Blocks || !putIntoBlocks(box, rest, queries.modulus))
      putIntoRemainders(box, rest);
    for (const PairSet &leaf : rest)
      if (leavesKeysOut(leaf))
        box.except.push_back(orderIndex(Order::listed(Side::Keys, leaf.members().front().index())));
    llvm::erase_if(rest, leavesKeysOut);
    for (const PairSet &leaf : rest)
      note(describe(leaf));
    if (!rest.empty())
      box.test = PairSet::intersect(rest);
    return box;
  }

  using Leaf = std::vector<PairSet>::iterator;

  void putIntoOrder(Box &box, std::vector<PairSet> &rest, Leaf leaf, const Order &order) {
    box.keys = orderIndex(order);
    rest.erase(leaf);
  }

  void putIntoClasses(Box &box, std::vector<PairSet> &rest, const Expr &modulus) {
    auto leaf = llvm::find_if(rest, [&](const PairSet &l) {
      std::optional<ClassLink> link = linkOf(l);
      return link && link->modulus == modulus;
    });
    std::optional<ClassLink> link = linkOf(*leaf);
    box.keyClass = link->keyClass(), box.queryClass = link->queryClass();
    putIntoOrder(box, rest, leaf, Order::classes(Side::Keys, modulus));
  }

  void putIntoSegments(Box &box, std::vector<PairSet> &rest, unsigned segments) {
    box.keys = orderIndex(Order::segmentSorted(Side::Keys, segments));
    box.sameSegment = true;
    llvm::erase_if(rest, [&](const PairSet &leaf) { return leaf == PairSet::sameSegment(segments); });
  }

  /// Bounds of the columns of one grid hold together.
  void putIntoColumns(Box &box, std::vector<PairSet> &rest, const Expr &width) {
    llvm::erase_if(rest, [&](const PairSet &leaf) {
      std::optional<Columns> columns = columnsOf(leaf);
      if (!columns || columns->width != width || (box.columns && box.columns->shift != columns->shift))
        return false;
      if (box.columns) {
        columns->lower = Expr::max({box.columns->lower, columns->lower});
        columns->upper = Expr::min({box.columns->upper, columns->upper});
      }
      box.columns = columns;
      return true;
    });
  }

  bool putIntoBlocks(Box &box, std::vector<PairSet> &rest, const Expr &size) {
    auto leaf = llvm::find_if(rest, [&](const PairSet &l) { return isWalked(l) && l.block() == size; });
    if (leaf == rest.end())
      return false;
    box.blocks = ListedBlocks{leaf->index(), size};
    rest.erase(leaf);
    return true;
  }

  void putIntoRemainders(Box &box, std::vector<PairSet> &rest) {
    auto remaindersOf = [](const PairSet &leaf) {
      return leaf.kind() == Kind::Relation ? Remainders::ofKeys(leaf.related()) : std::nullopt;
    };
    auto leaf = llvm::find_if(rest, [&](const PairSet &l) { return remaindersOf(l).has_value(); });
    if (leaf != rest.end())
      putIntoOrder(box, rest, leaf, remaindersOf(*leaf)->order(Side::Keys));
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

  static constexpr unsigned mostPieces = 48;

  const PairSet &pattern;
  const Target &target;
  const PlanHints &hints;
  FewColumns few;
  Plan plan;
  std::vector<Choice> choices;
};

/// Whether a few columns are worth a class each depends on how many rows of the grid a query looks at: in a class these
/// are consecutive, in a patch the columns are.
bool hasFewColumns(const PairSet &pattern) {
  bool has = false;
  pattern.forEachLeaf([&](const PairSet &leaf) {
    if (leaf.kind() == Kind::Relation && splitIntoClasses(leaf.related()))
      has |= columnsOf(leaf.related()).has_value();
  });
  return has;
}

} // namespace

Plan attn::planPattern(const PairSet &pattern, const Target &target, const PlanHints &hints) {
  Plan plan = Planner(pattern, target, hints, FewColumns::AsClasses).run();
  if (!hints.typical || !hasFewColumns(pattern))
    return plan;
  Plan together = Planner(pattern, target, hints, FewColumns::Together).run();
  bool isBetter = together.tested.size() <= plan.tested.size() &&
                  estimatePairs(together, *hints.typical) < estimatePairs(plan, *hints.typical);
  return isBetter ? together : plan;
}

//===-- Plans -----------------------------------------------------------------------------------------------------===//

PairSet Plan::pairsOf(const Box &box) const {
  auto atLeast = [](const Expr &bound, const Expr &adjoint) { return PairSet::halfSpace({true, bound, adjoint}); };
  auto below = [](const Expr &bound, const Expr &adjoint) { return PairSet::halfSpace({false, bound, adjoint}); };
  const Bounds &bounds = box.bounds;
  std::vector<PairSet> sets{atLeast(bounds.lower, bounds.queryUpper), below(bounds.upper, bounds.queryLower)};
  if (box.hole)
    sets.push_back(
        PairSet::unite({below(box.hole->lower, box.hole->queryUpper), atLeast(box.hole->upper, box.hole->queryLower)}));
  if (box.keyClass)
    sets.push_back(
        PairSet::relation({Expr::mod(Expr::row(), orders[box.keys].modulus), *box.keyClass, *box.keyClass + 1, {}}));
  if (box.sameSegment)
    sets.push_back(PairSet::sameSegment(orders[box.keys].table));
  if (box.columns)
    sets.push_back(PairSet::relation(
        {Expr::mod(Expr::row() + box.columns->shift, box.columns->width), box.columns->lower, box.columns->upper, {}}));
  if (box.blocks)
    sets.push_back(PairSet::blockTable(box.blocks->table, box.blocks->size));
  for (unsigned order : box.except)
    sets.push_back(PairSet::listed(Side::Keys, orders[order].table).complement());
  if (box.test)
    sets.push_back(*box.test);
  return PairSet::intersect(sets);
}
