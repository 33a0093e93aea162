// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compositions of atoms that say by themselves which pairs they admit, in positions and straight from the atoms'
// definitions, so that PairSet is compared with something it shares nothing with.

#ifndef ATTN_TEST_UNIT_PATTERN_PATTERNTREE_H
#define ATTN_TEST_UNIT_PATTERN_PATTERNTREE_H

#include "attn/Pattern/PairSet.h"
#include <algorithm>
#include <string>

namespace attn {

// What the numbers of random patterns stand for. FlagSymbol is a number of the head at hand, as any of them may be.
enum : unsigned { LeftSymbol = FirstNamed, RightSymbol, BlockSymbol, PaddingSymbol, FlagSymbol, SymbolCount };
enum : unsigned {
  TokenTables = 2,
  SegmentTables = 2,
  BlockTables = 1,
  FirstBlockTable = TokenTables + SegmentTables,
  TableCount = FirstBlockTable + BlockTables,
  RegionCount = 2
};

/// A parameter of an atom: a literal, a symbol of the call, or, counted back from the end of the keys, a literal.
struct Bound {
  int64_t literal = 0;
  unsigned symbol = 0; // 0: the literal
  bool isFromEnd = false;

  Expr expr() const {
    if (isFromEnd)
      return Expr::symbol(KeyOffset) + Expr::symbol(KvLength) - literal;
    return symbol ? Expr::symbol(symbol) : Expr(literal);
  }
  int64_t value(const CallValues &values) const {
    if (isFromEnd)
      return values.symbols[KeyOffset] + values.symbols[KvLength] - literal;
    return symbol ? values.symbols[symbol] : literal;
  }
  std::string text() const {
    const char *names[] = {"heads", "head", "l", "r", "b", "n", "f"};
    return isFromEnd ? "end - " + std::to_string(literal) : symbol ? names[symbol - Heads] : std::to_string(literal);
  }
};

inline int64_t floorOf(int64_t a, int64_t b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }
inline int64_t restOf(int64_t a, int64_t b) { return a - floorOf(a, b) * b; }

/// The axes of a grid in row-major order, outermost first.
inline std::vector<int64_t> axesOf(int64_t position, const std::vector<int64_t> &sizes) {
  std::vector<int64_t> axes;
  for (auto size = sizes.rbegin(); size != sizes.rend(); ++size) {
    axes.insert(axes.begin(), restOf(position, *size));
    position = floorOf(position, *size);
  }
  axes.insert(axes.begin(), position);
  return axes;
}

inline bool isInTable(const std::vector<int32_t> &table, int64_t position) {
  return position >= 0 && position < static_cast<int64_t>(table.size());
}

/// A coordinate.
struct Place {
  enum Kind { Position, Axis, Stream, Offset, Raster };

  Kind kind = Position;
  std::vector<Bound> sizes;  // of a grid or of streams
  std::vector<Bound> blocks; // of a raster
  unsigned index = 0;        // the axis, the stream, or the table of segments

  Coordinate build() const;
  /// A list of one number that grows with the coordinate, or of several, the first of which counts most; nothing for a
  /// position without a value.
  std::optional<std::vector<int64_t>> at(const CallValues &values, int64_t position) const;
  /// How long the axis of a grid is.
  int64_t extent(const CallValues &values) const;
  std::string text() const;
};

inline std::vector<Expr> exprsOf(const std::vector<Bound> &bounds) {
  std::vector<Expr> exprs;
  for (const Bound &bound : bounds)
    exprs.push_back(bound.expr());
  return exprs;
}

inline std::vector<int64_t> valuesOf(const std::vector<Bound> &bounds, const CallValues &values) {
  std::vector<int64_t> numbers;
  for (const Bound &bound : bounds)
    numbers.push_back(bound.value(values));
  return numbers;
}

inline std::string textOf(const std::vector<Bound> &bounds) {
  std::string text;
  for (const Bound &bound : bounds)
    text += (text.empty() ? "" : " ") + bound.text();
  return "[" + text + "]";
}

inline Coordinate Place::build() const {
  switch (kind) {
  case Position:
    return Coordinate::position();
  case Axis:
    return Coordinate::grid(exprsOf(sizes))[index];
  case Stream:
    return Coordinate::streams(exprsOf(sizes))[index];
  case Offset:
    return Coordinate::offset(index);
  case Raster:
    return Coordinate::raster(Coordinate::grid(exprsOf(sizes)), exprsOf(blocks));
  }
  return Coordinate::position();
}

inline std::optional<std::vector<int64_t>> Place::at(const CallValues &values, int64_t position) const {
  std::vector<int64_t> numbers = valuesOf(sizes, values);
  switch (kind) {
  case Position:
    return {{position}};
  case Axis:
    return {{axesOf(position, numbers)[index]}};
  case Stream: {
    int64_t begin = 0;
    for (unsigned stream = 0; stream < index; ++stream)
      begin += numbers[stream];
    if (position < begin || (index < numbers.size() && position >= begin + numbers[index]))
      return std::nullopt;
    return {{position - begin}};
  }
  case Offset: {
    const std::vector<int32_t> &ids = values.tables[index];
    if (!isInTable(ids, position))
      return std::nullopt;
    return {{std::count(ids.begin(), ids.begin() + position, ids[position])}};
  }
  case Raster: {
    std::vector<int64_t> axes = axesOf(position, numbers), place, sides = valuesOf(blocks, values);
    for (size_t axis = 0; axis < axes.size(); ++axis)
      place.push_back(floorOf(axes[axis], sides[axis]));
    for (size_t axis = 0; axis < axes.size(); ++axis)
      place.push_back(restOf(axes[axis], sides[axis]));
    return place;
  }
  }
  return std::nullopt;
}

inline int64_t Place::extent(const CallValues &values) const {
  std::vector<int64_t> numbers = valuesOf(sizes, values);
  if (index > 0)
    return numbers[index - 1];
  int64_t inner = 1, keys = values.symbols[KeyOffset] + values.symbols[KvLength];
  for (int64_t number : numbers)
    inner *= number;
  return -floorOf(-keys, inner);
}

inline std::string Place::text() const {
  const char *names[] = {"position", "axis", "stream", "offset", "raster"};
  std::string text = names[kind];
  if (kind == Position)
    return text;
  if (kind == Offset)
    return text + " #" + std::to_string(index);
  return text + (kind == Raster ? "" : " " + std::to_string(index)) + " of " + textOf(sizes) +
         (kind == Raster ? " blocks " + textOf(blocks) : "");
}

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
    Neighborhood,
    Congruent,
    RowRange,
    ColumnRange,
    HeadRange,
    HeadFlag,
    BlockTable,
    LastLeaf = BlockTable,
    Union,
    Intersect,
    Minus,
    Complement
  };

  Kind kind = Full;
  /// Of a window, what an atom bounds by: left and right, before and after, from and to, from and below.
  std::optional<Bound> left, right;
  /// The block of block-local and of a table, the size of a neighborhood, the modulus, the length of padded; the
  /// dilation of a window, that may have none.
  std::optional<Bound> size;
  Place place;
  Dividend dividend = Dividend::Difference;
  unsigned index = 0; // the table or region
  std::vector<Tree> members;

  PairSet build() const;
  /// Whether query position p may look at key position k.
  bool admits(const CallValues &values, int64_t p, int64_t k) const;
  std::string text() const;

private:
  PairSet buildCongruent() const;
  /// The same for atoms that speak of a coordinate and for which both positions have a value.
  bool admitsValues(const CallValues &values, const std::vector<int64_t> &p, const std::vector<int64_t> &k) const;
  bool isInRange(const CallValues &values, int64_t x) const {
    return (!left || x >= left->value(values)) && (!right || x < right->value(values));
  }
};

inline std::optional<Expr> exprOf(const std::optional<Bound> &bound) {
  return bound ? std::optional<Expr>(bound->expr()) : std::nullopt;
}

inline PairSet Tree::buildCongruent() const {
  Expr from = left ? left->expr() : Expr(0), to = right ? right->expr() : from;
  return PairSet::congruent(dividend, size->expr(), from, to, place.build());
}

inline PairSet Tree::build() const {
  auto orZero = [](const std::optional<Bound> &bound) { return bound ? bound->expr() : Expr(0); };
  std::vector<PairSet> sets;
  for (const Tree &member : members)
    sets.push_back(member.build());
  switch (kind) {
  case Full:
    return PairSet::full();
  case Empty:
    return PairSet::empty();
  case Window:
    return PairSet::window(exprOf(left), exprOf(right), size ? size->expr() : Expr(1), place.build());
  case Causal:
    return place.kind == Place::Position ? PairSet::causal() : PairSet::causal(place.build());
  case TopLeft:
    return PairSet::causal(/*topLeft=*/true);
  case BlockLocal:
    return PairSet::blockLocal(size->expr(), orZero(left), orZero(right), place.build());
  case Padded:
    return PairSet::padded(size->expr());
  case Rows:
  case Columns:
    return PairSet::listed(kind == Rows ? Side::Queries : Side::Keys, index);
  case Segments:
    return PairSet::sameSegment(index);
  case Where:
    return PairSet::where(index);
  case Neighborhood:
    return PairSet::neighborhood(size->expr(), place.build());
  case Congruent:
    return buildCongruent();
  case RowRange:
  case ColumnRange:
    return PairSet::range(kind == RowRange ? Side::Queries : Side::Keys, exprOf(left), exprOf(right));
  case HeadRange:
    return PairSet::condition(Expr::symbol(Head), exprOf(left), exprOf(right));
  case HeadFlag:
    return PairSet::condition(Expr::symbol(FlagSymbol), Expr(0), Expr(1)).complement();
  case BlockTable:
    return PairSet::blockTable(index, size->expr());
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

inline bool isAmong(const std::vector<int32_t> &tokens, int64_t position) {
  return position >= 0 && std::find(tokens.begin(), tokens.end(), position) != tokens.end();
}

inline bool shareId(const std::vector<int32_t> &ids, int64_t p, int64_t k) {
  return isInTable(ids, p) && isInTable(ids, k) && ids[p] == ids[k];
}

/// Whether row `row` of a table lists a number, -1 being none.
inline bool listsBlock(const std::vector<int32_t> &table, int64_t columns, int64_t row, int64_t number) {
  for (int64_t at = row * columns; row >= 0 && at < (row + 1) * columns; ++at)
    if (isInTable(table, at) && table[at] == number && number >= 0)
      return true;
  return false;
}

inline bool Tree::admitsValues(const CallValues &values, const std::vector<int64_t> &queryValue,
                               const std::vector<int64_t> &keyValue) const {
  if (kind == Causal)
    return keyValue <= queryValue;
  const int64_t p = queryValue[0], k = keyValue[0], n = size ? size->value(values) : 1;
  const int64_t before = left ? left->value(values) : 0, after = right ? right->value(values) : 0;
  switch (kind) {
  case Window: {
    bool isTap = restOf(k - p, n) == 0;
    int64_t taps = floorOf(k - p, n);
    return isTap && (!left || taps >= -before) && (!right || taps <= after);
  }
  case BlockLocal: {
    int64_t begin = floorOf(p, n) * n;
    return begin - before <= k && k < begin + n + after;
  }
  case Neighborhood: {
    int64_t begin = std::min(std::max<int64_t>(p - n / 2, 0), place.extent(values) - n);
    return begin <= k && k < begin + n;
  }
  default: {
    int64_t x = dividend == Dividend::Difference ? p - k
                : dividend == Dividend::Query    ? p
                : dividend == Dividend::Key      ? k
                                                 : values.symbols[Head];
    return before <= restOf(x, n) && restOf(x, n) <= (right ? after : before);
  }
  }
}

inline bool Tree::admits(const CallValues &values, int64_t p, int64_t k) const {
  auto member = [&](const Tree &tree) { return tree.admits(values, p, k); };
  switch (kind) {
  case Full:
    return true;
  case Empty:
    return false;
  case Window:
  case Causal:
  case BlockLocal:
  case Neighborhood:
  case Congruent: {
    auto queryValue = place.at(values, p), keyValue = place.at(values, k);
    return queryValue && keyValue && admitsValues(values, *queryValue, *keyValue);
  }
  case TopLeft:
    return k <= p - values.symbols[QueryOffset] + values.symbols[TopLeftOffset];
  case Padded:
    return k < size->value(values);
  case Rows:
    return isAmong(values.tables[index], p);
  case Columns:
    return isAmong(values.tables[index], k);
  case Segments:
    return shareId(values.tables[index], p, k);
  case Where:
    return values.where(index, p, k);
  case RowRange:
    return isInRange(values, p);
  case ColumnRange:
    return isInRange(values, k);
  case HeadRange:
    return isInRange(values, values.symbols[Head]);
  case HeadFlag:
    return values.symbols[FlagSymbol] != 0;
  case BlockTable:
    return listsBlock(values.tables[index], values.tableColumns[index], floorOf(p, size->value(values)),
                      floorOf(k, size->value(values)));
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
  const char *names[] = {"full",      "empty",     "window",    "causal",    "causal top_left", "block_local",
                         "padded",    "rows",      "columns",   "segments",  "where",           "neighborhood",
                         "congruent", "row range", "key range", "heads",     "flagged heads",   "block_table",
                         "union",     "intersect", "minus",     "complement"};
  const char *dividends[] = {"query - key", "query", "key", "head"};
  std::string inner;
  auto add = [&](const std::string &piece) { inner += (inner.empty() ? "" : ", ") + piece; };
  if (kind == Congruent)
    add(dividends[static_cast<unsigned>(dividend)]);
  if (size)
    add("size " + size->text());
  if (left)
    add("left " + left->text());
  if (right)
    add("right " + right->text());
  if (place.kind != Place::Position)
    add("on " + place.text());
  if ((kind >= Rows && kind <= Where) || kind == BlockTable)
    add("#" + std::to_string(index));
  for (const Tree &member : members)
    add(member.text());
  return names[kind] + (inner.empty() ? inner : "(" + inner + ")");
}

} // namespace attn

#endif // ATTN_TEST_UNIT_PATTERN_PATTERNTREE_H
