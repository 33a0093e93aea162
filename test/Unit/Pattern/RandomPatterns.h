// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random compositions of atoms, and random calls to try them on. A Tree says by itself which pairs it admits, in
// positions and straight from the atoms' definitions, so that PairSet is compared with something it shares nothing
// with.

#ifndef ATTN_TEST_UNIT_PATTERN_RANDOMPATTERNS_H
#define ATTN_TEST_UNIT_PATTERN_RANDOMPATTERNS_H

#include "../Fuzz.h"
#include "attn/Pattern/PairSet.h"
#include <algorithm>
#include <string>

namespace attn {

// What the numbers of random patterns stand for.
enum : unsigned { LeftSymbol = FirstNamed, RightSymbol, BlockSymbol, PaddingSymbol, SymbolCount };
enum : unsigned { TokenTables = 2, SegmentTables = 2, TableCount = TokenTables + SegmentTables, RegionCount = 2 };

/// A parameter of an atom: a literal, or a symbol of the call.
struct Bound {
  int64_t literal = 0;
  unsigned symbol = 0; // 0: the literal

  Expr expr() const { return symbol ? Expr::symbol(symbol) : Expr(literal); }
  int64_t value(const CallValues &values) const { return symbol ? values.symbols[symbol] : literal; }
  std::string text() const {
    const char *names[] = {"l", "r", "b", "n"};
    return symbol ? names[symbol - FirstNamed] : std::to_string(literal);
  }
};

struct Tree {
  enum Kind {
    Full,
    Empty,
    Window,
    Causal,
    TopLeft,
    BlockLocal,
    Padded,
    Rows,
    Columns,
    Segments,
    Where,
    LastLeaf = Where,
    Union,
    Intersect,
    Minus,
    Complement
  };

  Kind kind = Full;
  std::optional<Bound> left, right; // of a window; `left` is also the parameter of block-local and padded
  unsigned index = 0;               // the table or region
  std::vector<Tree> members;

  PairSet build() const;
  /// Whether query position p may look at key position k.
  bool admits(const CallValues &values, int64_t p, int64_t k) const;
  std::string text() const;
};

inline PairSet Tree::build() const {
  auto expr = [](const std::optional<Bound> &bound) {
    return bound ? std::optional<Expr>(bound->expr()) : std::nullopt;
  };
  std::vector<PairSet> sets;
  for (const Tree &member : members)
    sets.push_back(member.build());
  switch (kind) {
  case Full:
    return PairSet::full();
  case Empty:
    return PairSet::empty();
  case Window:
    return PairSet::window(expr(left), expr(right));
  case Causal:
  case TopLeft:
    return PairSet::causal(kind == TopLeft);
  case BlockLocal:
    return PairSet::blockLocal(left->expr());
  case Padded:
    return PairSet::padded(left->expr());
  case Rows:
  case Columns:
    return PairSet::listed(kind == Rows ? Side::Queries : Side::Keys, index);
  case Segments:
    return PairSet::sameSegment(index);
  case Where:
    return PairSet::where(index);
  case Union:
    return PairSet::unite(sets);
  case Intersect:
    return PairSet::intersect(sets);
  case Minus:
    return PairSet::minus(sets[0], sets[1]);
  case Complement:
    return sets[0].complement();
  }
  return PairSet::empty();
}

inline int64_t floorOf(int64_t a, int64_t b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }

inline bool isAmong(const std::vector<int32_t> &tokens, int64_t position) {
  return position >= 0 && std::find(tokens.begin(), tokens.end(), position) != tokens.end();
}

inline bool shareId(const std::vector<int32_t> &ids, int64_t p, int64_t k) {
  auto has = [&](int64_t position) { return position >= 0 && position < static_cast<int64_t>(ids.size()); };
  return has(p) && has(k) && ids[p] == ids[k];
}

inline bool Tree::admits(const CallValues &values, int64_t p, int64_t k) const {
  auto member = [&](const Tree &tree) { return tree.admits(values, p, k); };
  switch (kind) {
  case Full:
    return true;
  case Empty:
    return false;
  case Window:
    return (!left || k >= p - left->value(values)) && (!right || k <= p + right->value(values));
  case Causal:
    return k <= p;
  case TopLeft:
    return k <= p - values.symbols[QueryOffset] + values.symbols[TopLeftOffset];
  case BlockLocal:
    return floorOf(p, left->value(values)) == floorOf(k, left->value(values));
  case Padded:
    return k < left->value(values);
  case Rows:
    return isAmong(values.tables[index], p);
  case Columns:
    return isAmong(values.tables[index], k);
  case Segments:
    return shareId(values.tables[index], p, k);
  case Where:
    return values.where(index, p, k);
  case Union:
    return std::any_of(members.begin(), members.end(), member);
  case Intersect:
    return std::all_of(members.begin(), members.end(), member);
  case Minus:
    return member(members[0]) && !member(members[1]);
  case Complement:
    return !member(members[0]);
  }
  return false;
}

inline std::string Tree::text() const {
  const char *names[] = {"full",        "empty",  "window",    "causal",  "causal top_left",
                         "block_local", "padded", "rows",      "columns", "segments",
                         "where",       "union",  "intersect", "minus",   "complement"};
  std::string inner;
  auto add = [&](const std::string &piece) { inner += (inner.empty() ? "" : ", ") + piece; };
  if (kind == Window) {
    add(left ? "left " + left->text() : "no left");
    add(right ? "right " + right->text() : "no right");
  } else if (left) {
    add(left->text());
  }
  if (kind >= Rows && kind <= Where)
    add("#" + std::to_string(index));
  for (const Tree &member : members)
    add(member.text());
  return names[kind] + (inner.empty() ? inner : "(" + inner + ")");
}

//===-- Dice ------------------------------------------------------------------------------------------------------===//

inline Bound randomBound(Dice &dice, unsigned symbol, int64_t least) {
  return dice.chance(40) ? Bound{0, symbol} : Bound{dice.pick<int64_t>({least, least + 1, least + 2, 5, 7, 12, 50}), 0};
}

inline Tree randomLeaf(Dice &dice) {
  // Atoms without parameters of their own are rarer.
  Tree tree;
  tree.kind = dice.pick({Tree::Window, Tree::Window, Tree::Window, Tree::Causal, Tree::TopLeft, Tree::BlockLocal,
                         Tree::BlockLocal, Tree::Padded, Tree::Rows, Tree::Rows, Tree::Columns, Tree::Columns,
                         Tree::Segments, Tree::Segments, Tree::Where});
  if (dice.chance(3))
    tree.kind = dice.pick({Tree::Full, Tree::Empty});
  if (tree.kind == Tree::Window) {
    if (dice.chance(75))
      tree.left = randomBound(dice, LeftSymbol, 0);
    if (dice.chance(75))
      tree.right = randomBound(dice, RightSymbol, 0);
  } else if (tree.kind == Tree::BlockLocal) {
    tree.left = randomBound(dice, BlockSymbol, 1);
  } else if (tree.kind == Tree::Padded) {
    tree.left = randomBound(dice, PaddingSymbol, 0);
  } else if (tree.kind == Tree::Rows || tree.kind == Tree::Columns) {
    tree.index = dice.in(0, TokenTables - 1);
  } else if (tree.kind == Tree::Segments) {
    tree.index = TokenTables + dice.in(0, SegmentTables - 1);
  } else if (tree.kind == Tree::Where) {
    tree.index = dice.in(0, RegionCount - 1);
  }
  return tree;
}

/// A composition of exactly `depth` operators on its longest path.
inline Tree randomTree(Dice &dice, int64_t depth) {
  if (depth == 0)
    return randomLeaf(dice);
  Tree tree;
  tree.kind = dice.pick({Tree::Union, Tree::Union, Tree::Intersect, Tree::Minus, Tree::Complement});
  int64_t count = tree.kind == Tree::Complement ? 1 : tree.kind == Tree::Minus ? 2 : dice.in(2, 3);
  int64_t deepest = dice.in(0, count - 1);
  for (int64_t m = 0; m < count; ++m)
    tree.members.push_back(randomTree(dice, m == deepest ? depth - 1 : dice.in(0, depth - 1)));
  return tree;
}

inline int64_t randomLength(Dice &dice) {
  return dice.chance(60) ? dice.in(0, 40) : dice.pick<int64_t>({0, 1, 1, 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37});
}

inline std::vector<int32_t> randomTokens(Dice &dice, int64_t positions) {
  std::vector<int32_t> tokens;
  for (int64_t count = dice.in(0, 6); count > 0; --count)
    tokens.push_back(dice.chance(15) ? -1 : dice.in(0, positions + 5)); // some past the end: another shard's
  if (!tokens.empty() && dice.chance(40))
    tokens.push_back(tokens.front());
  return tokens;
}

inline std::vector<int32_t> randomSegments(Dice &dice, int64_t positions) {
  std::vector<int32_t> ids(dice.chance(30) ? dice.in(0, positions) : positions);
  for (int32_t &id : ids)
    id = dice.in(-1, dice.pick<int64_t>({0, 2, 4}));
  if (dice.chance(50))
    std::sort(ids.begin(), ids.end());
  return ids;
}

/// Region 0 admits about a half of all pairs, region 1 an eighth.
inline bool hashAdmits(uint64_t salt, unsigned region, int64_t p, int64_t k) {
  uint64_t hash = salt + region * 0x9e3779b97f4a7c15 + p * 0xbf58476d1ce4e5b9 + k * 0x94d049bb133111eb;
  hash = (hash ^ hash >> 31) * 0xd6e8feb86659fd93;
  return (hash >> 40) % (region == 0 ? 2 : 8) == 0;
}

inline void setOffsets(Dice &dice, std::vector<int64_t> &symbols) {
  if (dice.chance(50))
    symbols[KeyOffset] = dice.in(-12, 12);
  symbols[QueryOffset] = symbols[KeyOffset] + symbols[KvLength] - symbols[Length];
  if (dice.chance(40))
    symbols[QueryOffset] = symbols[TopLeftOffset] = dice.in(-20, 30);
}

inline CallValues randomCall(Dice &dice) {
  CallValues values;
  values.symbols.assign(SymbolCount, 0);
  values.symbols[Length] = randomLength(dice);
  values.symbols[KvLength] = dice.chance(40) ? values.symbols[Length] : randomLength(dice);
  setOffsets(dice, values.symbols);
  values.symbols[LeftSymbol] = dice.in(0, 12), values.symbols[RightSymbol] = dice.in(0, 12);
  values.symbols[BlockSymbol] = dice.in(1, 12), values.symbols[PaddingSymbol] = dice.in(0, 45);
  int64_t positions = 0;
  for (Side side : {Side::Queries, Side::Keys})
    positions = std::max(positions, values.rows(side) + values.offset(side));
  for (unsigned t = 0; t < TableCount; ++t)
    values.tables.push_back(t < TokenTables ? randomTokens(dice, positions) : randomSegments(dice, positions));
  uint64_t salt = dice.bits();
  values.where = [salt](unsigned region, int64_t p, int64_t k) { return hashAdmits(salt, region, p, k); };
  return values;
}

inline std::string textOf(const CallValues &values) {
  const char *names[] = {"length", "kv_length", "query_offset", "key_offset", "top_left", "", "", "l", "r", "b", "n"};
  std::string text;
  for (unsigned s = 0; s < SymbolCount; ++s)
    if (*names[s])
      text += names[s] + ("=" + std::to_string(values.symbols[s]) + " ");
  for (unsigned t = 0; t < TableCount; ++t) {
    text += "#" + std::to_string(t) + "=[";
    for (int32_t entry : values.tables[t])
      text += std::to_string(entry) + " ";
    text += "] ";
  }
  return text;
}

} // namespace attn

#endif // ATTN_TEST_UNIT_PATTERN_RANDOMPATTERNS_H
