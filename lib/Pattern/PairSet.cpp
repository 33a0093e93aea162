// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The leaves, the simplifications of a pair set, and the test of one pair.

#include "attn/Pattern/PairSet.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <unordered_map>

using namespace attn;
using llvm::ArrayRef;

//===-- Leaves ----------------------------------------------------------------------------------------------------===//

PairSet PairSet::full() { return PairSet(Node{Kind::Full, {}, {}, {}, {}, 0, {}}); }
PairSet PairSet::empty() { return PairSet(Node{Kind::Empty, {}, {}, {}, {}, 0, {}}); }
PairSet PairSet::halfSpace(HalfSpace half) {
  return PairSet(Node{Kind::HalfSpace, std::move(half), {}, {}, {}, 0, {}});
}
PairSet PairSet::listed(Side side, unsigned table) { return PairSet(Node{Kind::Listed, {}, {}, {}, side, table, {}}); }
PairSet PairSet::sameSegment(unsigned table) { return PairSet(Node{Kind::SameSegment, {}, {}, {}, {}, table, {}}); }
PairSet PairSet::where(unsigned region) { return PairSet(Node{Kind::Where, {}, {}, {}, {}, region, {}}); }
PairSet PairSet::blockTable(unsigned table, const Expr &block) {
  return PairSet(Node{Kind::BlockTable, {}, {}, block, {}, table, {}});
}

/// Leaves out bounds that constants show to hold, and relations that they show to hold nowhere. The place and its
/// bounds speak of different rows: they can be compared only where the place is the same for all keys.
PairSet PairSet::relation(Relation relation) {
  auto difference = [](const Expr &a, const std::optional<Expr> &b) {
    return b ? (*b - a).asConstant() : std::nullopt;
  };
  if (relation.lower && difference(*relation.lower, relation.upper).value_or(1) <= 0)
    return empty();
  const Expr &place = relation.place;
  std::optional<int64_t> missing, room;
  if (!place.dependsOnRow())
    missing = difference(place, relation.lower), room = difference(place, relation.upper);
  if (missing.value_or(0) > 0 || room.value_or(1) <= 0)
    return empty();
  if (missing)
    relation.lower.reset();
  if (room)
    relation.upper.reset();
  if (!relation.lower && !relation.upper && !relation.offsets)
    return full();
  return PairSet(Node{Kind::Relation, {}, std::move(relation), {}, {}, 0, {}});
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
  return PairSet(Node{kind, {}, {}, {}, {}, 0, std::move(flat)});
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
  case Kind::Relation: {
    // With one bound, the rest has one bound, too.
    const auto &[place, lower, upper, offsets] = related();
    if (offsets || (lower && upper))
      return PairSet(Node{Kind::Not, {}, {}, {}, {}, 0, {*this}});
    return relation({place, upper, lower, {}});
  }
  case Kind::Not:
    return members().front();
  case Kind::Union:
    return intersect(complements());
  case Kind::Intersect:
    return unite(complements());
  default:
    return PairSet(Node{Kind::Not, {}, {}, {}, {}, 0, {*this}});
  }
}

bool PairSet::operator==(const PairSet &other) const {
  if (node == other.node)
    return true;
  return kind() == other.kind() && node->half == other.node->half && node->related == other.node->related &&
         node->block == other.node->block && side() == other.side() && index() == other.index() &&
         members() == other.members();
}

//===-- Questions -------------------------------------------------------------------------------------------------===//

static std::optional<int32_t> entry(ArrayRef<int32_t> table, int64_t position) {
  if (position < 0 || position >= static_cast<int64_t>(table.size()))
    return std::nullopt;
  return table[position];
}

void attn::bindOffsets(const PairSet &set, CallValues &values) {
  values.offsets.resize(values.tables.size());
  set.forEachLeaf([&](const PairSet &leaf) {
    if (leaf.kind() != PairSet::Kind::Relation || !leaf.related().offsets)
      return;
    ArrayRef<int32_t> ids = values.tables[*leaf.related().offsets];
    std::vector<int32_t> &offsets = values.offsets[*leaf.related().offsets];
    offsets.clear();
    std::unordered_map<int32_t, int32_t> counts; // of earlier positions
    for (int32_t id : ids)
      offsets.push_back(counts[id]++);
  });
}

static bool holds(const Relation &relation, const CallValues &values, int64_t i, int64_t j) {
  if (relation.offsets) {
    ArrayRef<int32_t> offsets = values.offsets[*relation.offsets];
    auto query = entry(offsets, i + values.offset(Side::Queries)), key = entry(offsets, j + values.offset(Side::Keys));
    if (!query || !key)
      return false;
    i = *query, j = *key;
  }
  int64_t place = relation.place.evaluate(j, values.symbols);
  return (!relation.lower || relation.lower->evaluate(i, values.symbols) <= place) &&
         (!relation.upper || place < relation.upper->evaluate(i, values.symbols));
}

/// Whether a row of a table of blocks holds a number; a row that the table does not have holds none.
static bool lists(ArrayRef<int32_t> table, int64_t columns, int64_t row, int64_t number) {
  int64_t rows = columns > 0 ? static_cast<int64_t>(table.size()) / columns : 0;
  return row >= 0 && row < rows && number >= 0 && llvm::is_contained(table.slice(row * columns, columns), number);
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
  case Kind::Relation:
    return holds(related(), values, i, j);
  case Kind::BlockTable: {
    int64_t size = block().evaluate(0, values.symbols);
    return lists(values.tables[index()], values.tableColumns[index()], llvm::divideFloorSigned(query, size),
                 llvm::divideFloorSigned(key, size));
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

bool PairSet::dependsOnHead(llvm::function_ref<bool(unsigned symbol)> isPerHead) const {
  auto isOfHead = [&](unsigned symbol) { return symbol == Head || isPerHead(symbol); };
  auto mentions = [&](const std::optional<Expr> &expr) { return expr && expr->anySymbol(isOfHead); };
  bool depends = false;
  forEachLeaf([&](const PairSet &leaf) {
    if (leaf.kind() == Kind::HalfSpace)
      depends |= mentions(leaf.half().byQuery);
    else if (leaf.kind() == Kind::Relation)
      depends |= mentions(leaf.related().place) || mentions(leaf.related().lower) || mentions(leaf.related().upper);
    else
      depends |= leaf.kind() == Kind::BlockTable || leaf.kind() == Kind::Where;
  });
  return depends;
}
