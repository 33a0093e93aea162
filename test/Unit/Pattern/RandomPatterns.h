// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random compositions of atoms, and random calls to try them on.

#ifndef ATTN_TEST_UNIT_PATTERN_RANDOMPATTERNS_H
#define ATTN_TEST_UNIT_PATTERN_RANDOMPATTERNS_H

#include "../Fuzz.h"
#include "PatternTree.h"

namespace attn {

/// What compositions are made of: atoms that speak of positions by their nearness and by tables, or all there are.
enum class Atoms : uint8_t { Plain, All };

//===-- Leaves ----------------------------------------------------------------------------------------------------===//

inline Bound randomBound(Dice &dice, unsigned symbol, int64_t least) {
  return dice.chance(40) ? Bound{0, symbol} : Bound{dice.pick<int64_t>({least, least + 1, least + 2, 5, 7, 12, 50}), 0};
}

/// A size that is divided by.
inline Bound randomSize(Dice &dice) {
  return dice.chance(30) ? Bound{0, BlockSymbol} : Bound{dice.pick<int64_t>({1, 2, 2, 3, 4, 5, 7}), 0};
}

inline Tree randomPlainLeaf(Dice &dice) {
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
    tree.size = randomBound(dice, BlockSymbol, 1);
  } else if (tree.kind == Tree::Padded) {
    tree.size = randomBound(dice, PaddingSymbol, 0);
  } else if (tree.kind == Tree::Rows || tree.kind == Tree::Columns) {
    tree.index = dice.in(0, TokenTables - 1);
  } else if (tree.kind == Tree::Segments) {
    tree.index = TokenTables + dice.in(0, SegmentTables - 1);
  } else if (tree.kind == Tree::Where) {
    tree.index = dice.in(0, RegionCount - 1);
  }
  return tree;
}

/// A coordinate that has a value of its own for each position, or for some.
inline Place randomPlace(Dice &dice, Place::Kind kind) {
  Place place;
  place.kind = kind;
  if (kind == Place::Offset)
    place.index = TokenTables + dice.in(0, SegmentTables - 1);
  if (kind == Place::Position || kind == Place::Offset)
    return place;
  for (int64_t count = dice.in(1, 2); count > 0; --count)
    place.sizes.push_back(kind == Place::Stream ? randomBound(dice, LeftSymbol, 0) : randomSize(dice));
  place.index = kind == Place::Raster ? 0 : dice.in(0, place.sizes.size());
  for (size_t axis = 0; kind == Place::Raster && axis <= place.sizes.size(); ++axis)
    place.blocks.push_back(randomSize(dice));
  return place;
}

/// A bound of a range, of remainders or of heads: any number.
inline std::optional<Bound> randomLimit(Dice &dice, int64_t least, int64_t most) {
  if (dice.chance(25))
    return std::nullopt;
  if (dice.chance(25))
    return Bound{0, dice.pick<unsigned>({PaddingSymbol, LeftSymbol, FlagSymbol, Head})};
  return Bound{dice.in(least, most), 0, /*isFromEnd=*/most > 10 && dice.chance(25)};
}

inline Tree randomLeafOnPlace(Dice &dice) {
  Tree tree = randomPlainLeaf(dice);
  tree.kind = dice.pick({Tree::Window, Tree::Window, Tree::Causal, Tree::BlockLocal, Tree::Neighborhood});
  tree.left = dice.chance(70) ? std::optional<Bound>(randomBound(dice, LeftSymbol, 0)) : std::nullopt;
  tree.right = dice.chance(70) ? std::optional<Bound>(randomBound(dice, RightSymbol, 0)) : std::nullopt;
  tree.size = randomSize(dice);
  tree.place = randomPlace(
      dice, dice.pick({Place::Position, Place::Axis, Place::Axis, Place::Stream, Place::Offset, Place::Raster}));
  if (tree.kind == Tree::Neighborhood)
    tree.place = randomPlace(dice, Place::Axis);
  if (tree.place.kind == Place::Raster) // of which only the order is defined
    tree.kind = Tree::Causal;
  if (tree.kind == Tree::Window && dice.chance(40))
    tree.size.reset();
  if (tree.kind == Tree::Causal || tree.kind == Tree::Neighborhood)
    tree.left.reset(), tree.right.reset();
  return tree;
}

inline Tree randomCongruent(Dice &dice) {
  Tree tree;
  tree.kind = Tree::Congruent;
  tree.dividend =
      dice.pick({Dividend::Difference, Dividend::Difference, Dividend::Query, Dividend::Key, Dividend::Head});
  tree.size = randomSize(dice);
  tree.left = randomLimit(dice, -1, 5), tree.right = randomLimit(dice, -1, 7);
  if (tree.dividend != Dividend::Head)
    tree.place =
        randomPlace(dice, dice.pick({Place::Position, Place::Position, Place::Axis, Place::Stream, Place::Offset}));
  return tree;
}

/// Atoms that bound one number.
inline Tree randomRange(Dice &dice) {
  Tree tree;
  tree.kind = dice.pick({Tree::RowRange, Tree::ColumnRange, Tree::HeadRange, Tree::HeadFlag});
  int64_t most = tree.kind == Tree::HeadRange ? 4 : 40;
  if (tree.kind != Tree::HeadFlag)
    tree.left = randomLimit(dice, -4, most), tree.right = randomLimit(dice, -4, most);
  return tree;
}

inline Tree randomLeaf(Dice &dice, Atoms atoms) {
  int64_t choice = atoms == Atoms::All ? dice.in(1, 10) : 1;
  if (choice <= 3)
    return randomPlainLeaf(dice);
  if (choice <= 5)
    return randomLeafOnPlace(dice);
  if (choice <= 7)
    return randomCongruent(dice);
  if (choice <= 9)
    return randomRange(dice);
  Tree tree;
  tree.kind = Tree::BlockTable, tree.index = FirstBlockTable, tree.size = randomSize(dice);
  return tree;
}

/// A composition of exactly `depth` operators on its longest path.
inline Tree randomTree(Dice &dice, int64_t depth, Atoms atoms = Atoms::Plain) {
  if (depth == 0)
    return randomLeaf(dice, atoms);
  Tree tree;
  tree.kind = dice.pick({Tree::Union, Tree::Union, Tree::Intersect, Tree::Minus, Tree::Complement});
  int64_t count = tree.kind == Tree::Complement ? 1 : tree.kind == Tree::Minus ? 2 : dice.in(2, 3);
  int64_t deepest = dice.in(0, count - 1);
  for (int64_t m = 0; m < count; ++m)
    tree.members.push_back(randomTree(dice, m == deepest ? depth - 1 : dice.in(0, depth - 1), atoms));
  return tree;
}

//===-- Calls -----------------------------------------------------------------------------------------------------===//

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

/// Distinct or not, some past the last block; -1 pads.
inline std::vector<int32_t> randomBlocks(Dice &dice, int64_t columns) {
  std::vector<int32_t> table(columns * dice.in(0, 12));
  for (int32_t &entry : table)
    entry = dice.chance(15) ? -1 : dice.in(0, 14);
  return table;
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
  values.symbols[Heads] = dice.in(1, 4), values.symbols[Head] = dice.in(0, values.symbols[Heads] - 1);
  values.symbols[FlagSymbol] = dice.in(-1, 3);
  int64_t positions = 0;
  for (Side side : {Side::Queries, Side::Keys})
    positions = std::max(positions, values.rows(side) + values.offset(side));
  for (unsigned t = 0; t < FirstBlockTable; ++t)
    values.tables.push_back(t < TokenTables ? randomTokens(dice, positions) : randomSegments(dice, positions));
  values.tableColumns.assign(TableCount, 0);
  values.tableColumns[FirstBlockTable] = dice.in(0, 3);
  values.tables.push_back(randomBlocks(dice, values.tableColumns[FirstBlockTable]));
  uint64_t salt = dice.bits();
  values.where = [salt](unsigned region, int64_t p, int64_t k) { return hashAdmits(salt, region, p, k); };
  return values;
}

inline std::string textOf(const CallValues &values) {
  const char *names[] = {"length", "kv_length", "query_offset", "key_offset", "top_left", "",
                         "",       "heads",     "head",         "l",          "r",        "b",
                         "n",      "f"};
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
