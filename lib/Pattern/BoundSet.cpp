// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Puts the values of a call into a set of pairs.

#include "attn/Pattern/BoundSet.h"
#include "llvm/ADT/STLExtras.h"
#include <limits>

using namespace attn;
using Kind = PairSet::Kind;

/// The number of a key row that is in no pair: every bound is above it.
static constexpr int64_t nowhere = std::numeric_limits<int64_t>::min();
static constexpr int64_t least = nowhere + 1, most = std::numeric_limits<int64_t>::max();

/// What stands for a row in a relation's expressions; nothing for rows that have no offset.
std::optional<int64_t> BoundSet::rowFor(const Relation &relation, Side side, int64_t row) const {
  if (!relation.offsets)
    return row;
  llvm::ArrayRef<int32_t> offsets = values.offsets[*relation.offsets];
  int64_t position = row + values.offset(side);
  if (position < 0 || position >= static_cast<int64_t>(offsets.size()))
    return std::nullopt;
  return offsets[position];
}

BoundSet::Node BoundSet::bind(const PairSet &set) const {
  Node node(set);
  if (set.kind() == Kind::Relation || set.kind() == Kind::HalfSpace)
    for (int64_t key = 0; key < values.kvLength(); ++key) {
      bool isPlaced = set.kind() == Kind::Relation;
      std::optional<int64_t> row = isPlaced ? rowFor(set.related(), Side::Keys, key) : key;
      node.numbers.push_back(!row ? nowhere : isPlaced ? set.related().place.evaluate(*row, values.symbols) : *row);
    }
  if (set.kind() >= Kind::Not)
    for (const PairSet &member : set.members())
      node.members.push_back(bind(member));
  return node;
}

void BoundSet::moveTo(int64_t queryRow) {
  if (queryRow == query)
    return;
  query = queryRow;
  moveTo(root);
}

void BoundSet::moveTo(Node &node) const {
  for (Node &member : node.members)
    moveTo(member);
  node.begin = least, node.end = most;
  if (node.set.kind() == Kind::HalfSpace) {
    const HalfSpace &half = node.set.half();
    (half.lower ? node.begin : node.end) = half.byQuery.evaluate(query, values.symbols);
  } else if (node.set.kind() == Kind::Relation) {
    const Relation &relation = node.set.related();
    std::optional<int64_t> row = rowFor(relation, Side::Queries, query);
    if (row && relation.lower)
      node.begin = relation.lower->evaluate(*row, values.symbols);
    if (row && relation.upper)
      node.end = relation.upper->evaluate(*row, values.symbols);
    if (!row)
      node.end = node.begin;
  }
}

bool BoundSet::contains(const Node &node, int64_t keyRow) const {
  auto has = [&](const Node &member) { return contains(member, keyRow); };
  switch (node.set.kind()) {
  case Kind::HalfSpace:
  case Kind::Relation:
    return node.begin <= node.numbers[keyRow] && node.numbers[keyRow] < node.end;
  case Kind::Not:
    return !has(node.members.front());
  case Kind::Union:
    return llvm::any_of(node.members, has);
  case Kind::Intersect:
    return llvm::all_of(node.members, has);
  default:
    return node.set.contains(values, query, keyRow);
  }
}
