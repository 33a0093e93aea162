// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which pairs (query row i, key row j) a pattern admits, as a small immutable expression tree.
//
// The leaves that matter are *half-spaces*. A half-space is either {j >= f(i)} or {j < f(i)} for a bound f that never
// falls as i rises. Such a bound has an adjoint f*(j), the first i with f(i) > j, and then
//
//     j >= f(i)  <=>  i <  f*(j)         j < f(i)  <=>  i >= f*(j)
//
// so each half-space can be read by query row and by key row, and the complement of a half-space is the other kind with
// the same two bounds. A window is two half-spaces, so is a block; a union of them falls apart into disjoint boxes
// without any pair having to be tested.
//
//     atom                     f (lower)                       f (upper)
//     window left(l) right(r)  i + c - l                       i + c + r + 1        c = query_offset - key_offset
//     causal                   -                               i + c + 1
//     block_local b            floor(p / b) * b - key_offset   that + b             p = i + query_offset
//     padded n                 -                               n - key_offset
//     range rows below(n)      kv_length * [p >= n]            -
//
// Values of a coordinate that never fall are floor((row + shift) / width): positions, streams, and the outermost axis
// of a grid. Atoms on them are half-spaces as well: a bound v of key values is the bound v * width - shift of key rows.
//
// What is no half-space, because it comes back with a period, is a *relation* between a number of the key row and two
// of the query row. Atoms on grids, streams and remainders are made of both:
//
//     congruent (p - k) mod m       k mod m in [p mod m, p mod m + 1)
//     window on the columns of a grid of width w        k mod w in [p mod w - left, p mod w + right + 1)
//
// Adding an atom means adding one factory below (and its op, its reference and its tests).

#ifndef ATTN_PATTERN_PAIRSET_H
#define ATTN_PATTERN_PAIRSET_H

#include "attn/Pattern/Expr.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace attn {

/// Symbols that every call has; a pattern's own parameters follow from FirstNamed on. The same numbers are written in
/// lib/Runtime/kernel.h.
enum CallSymbol : unsigned {
  Length = 0,
  KvLength = 1,
  QueryOffset = 2,
  KeyOffset = 3,
  TopLeftOffset = 4, // the given query offset, or 0
  Heads = 7,         // query heads
  Head = 8,          // the one at hand
  FirstNamed = 9
};

enum class Side : uint8_t { Queries = 0, Keys = 1 };

/// What a call binds for one batch and query head: the symbols' values, the tables of run-time data, each as one row
/// (tokens, segment ids) or as rows one behind the other (blocks), and a way to ask an `attn.where` region, by its
/// number, about a pair of positions.
struct CallValues {
  std::vector<int64_t> symbols;
  std::vector<std::vector<int32_t>> tables;
  std::vector<int64_t> tableColumns;         // how long a row of the table is, for tables of blocks
  std::vector<std::vector<int32_t>> offsets; // for tables of segments of whose offsets a set speaks, see bindOffsets()
  std::function<bool(unsigned region, int64_t queryPosition, int64_t keyPosition)> where;

  int64_t length() const { return symbols[Length]; }
  int64_t kvLength() const { return symbols[KvLength]; }
  int64_t rows(Side side) const { return side == Side::Queries ? length() : kvLength(); }
  int64_t offset(Side side) const { return symbols[side == Side::Queries ? QueryOffset : KeyOffset]; }
};

/// {j >= byQuery(i)} if `lower`, {j < byQuery(i)} otherwise. `byKey` is the adjoint.
struct HalfSpace {
  bool lower;
  Expr byQuery;
  Expr byKey;

  HalfSpace complement() const { return {!lower, byQuery, byKey}; }
  bool operator==(const HalfSpace &other) const {
    return lower == other.lower && byQuery == other.byQuery && byKey == other.byKey;
  }
};

/// A whole number for each position, as an expression of the query row and as one of the key row. Atoms speak of
/// coordinates; positions are one.
struct Coordinate {
  Expr ofQuery, ofKey;
  std::optional<Expr> extent;      // values lie in [0, extent), where that is known
  std::optional<unsigned> offsets; // a table of segments: "row" in the expressions is the offset in its segment
  std::optional<Expr> from, below; // only positions in [from, below) have a value
  std::vector<Coordinate> axes{};  // of a raster, the outermost first
  std::vector<Expr> blocks{};      // how its axes are cut

  static Coordinate position();
  /// The axes of a grid, outermost first, for the sizes of the inner ones.
  static std::vector<Coordinate> grid(llvm::ArrayRef<Expr> sizes);
  /// Streams one behind the other, for the sizes of all but the last.
  static std::vector<Coordinate> streams(llvm::ArrayRef<Expr> sizes);
  static Coordinate offset(unsigned segments);
  /// The order of a grid's points block by block; all axes but the outermost need an extent.
  static Coordinate raster(llvm::ArrayRef<Coordinate> axes, llvm::ArrayRef<Expr> blocks);
};

/// {lower(i) <= place(j) < upper(i)}: what is left of atoms that are no half-spaces. A bound that is absent does not
/// bound. Where `offsets` is set, i and j are not rows but offsets in the segments of this table, and rows without one
/// are in no pair. A relation in which neither row occurs is a *condition*: it holds for a head and batch, or does not.
struct Relation {
  Expr place;
  std::optional<Expr> lower, upper;
  std::optional<unsigned> offsets;

  bool isCondition() const {
    return !offsets && !place.dependsOnRow() && !(lower && lower->dependsOnRow()) && !(upper && upper->dependsOnRow());
  }
  /// For conditions: 1 where it holds and 0 where it does not.
  Expr indicator() const;
  bool operator==(const Relation &other) const {
    return place == other.place && lower == other.lower && upper == other.upper && offsets == other.offsets;
  }
};

/// What is divided in a congruence.
enum class Dividend : uint8_t { Difference, Query, Key, Head };

class PairSet {
public:
  enum class Kind : uint8_t {
    Full,
    Empty,
    HalfSpace,
    Relation,
    Listed,
    SameSegment,
    BlockTable,
    Where,
    Not,
    Union,
    Intersect
  };

  static PairSet full();
  static PairSet empty();
  static PairSet halfSpace(HalfSpace half);
  static PairSet relation(Relation relation);
  /// Key values in [query - left, query + right]; an absent side is unbounded. With a dilation, bounds count taps.
  static PairSet window(std::optional<Expr> left, std::optional<Expr> right, const Expr &dilation = 1,
                        const Coordinate &coordinate = Coordinate::position());
  /// Key position <= query position. Top-left: the query offset counts as 0 unless the call gives one.
  static PairSet causal(bool topLeft = false);
  /// Key value <= query value.
  static PairSet causal(const Coordinate &coordinate);
  /// The key stands in the query's block of `block` values, or at most so far before or after it.
  static PairSet blockLocal(const Expr &block, const Expr &before = 0, const Expr &after = 0,
                            const Coordinate &coordinate = Coordinate::position());
  /// A window of `size` values around the query, shifted back at the edges of the coordinate, whose extent is known.
  static PairSet neighborhood(const Expr &size, const Coordinate &coordinate);
  /// first <= dividend mod modulus <= last.
  static PairSet congruent(Dividend dividend, const Expr &modulus, const Expr &first, const Expr &last,
                           const Coordinate &coordinate = Coordinate::position());
  /// The position of the row of `side` lies in [from, below).
  static PairSet range(Side side, std::optional<Expr> from, std::optional<Expr> below);
  /// from <= value < below, whatever the pair is.
  static PairSet condition(const Expr &value, std::optional<Expr> from, std::optional<Expr> below);
  /// Keys at positions below `length`.
  static PairSet padded(const Expr &length);
  /// The row of `side` stands at a position that table `table` lists.
  static PairSet listed(Side side, unsigned table);
  /// Query and key positions have the same id in `table`; a position outside the table has none.
  static PairSet sameSegment(unsigned table);
  /// The key's block of `block` positions is among the entries of table `table` for the query's block.
  static PairSet blockTable(unsigned table, const Expr &block);
  /// Region `region` says so, pair by pair.
  static PairSet where(unsigned region);

  static PairSet unite(llvm::ArrayRef<PairSet> members);
  static PairSet intersect(llvm::ArrayRef<PairSet> members);
  /// The complement. It is pushed to the leaves, so Not stands only above Relation, Listed, SameSegment,
  /// BlockTable and Where.
  PairSet complement() const;
  static PairSet minus(const PairSet &a, const PairSet &b) { return intersect({a, b.complement()}); }

  Kind kind() const { return node->kind; }
  /// The half-space of a HalfSpace.
  const HalfSpace &half() const { return *node->half; }
  /// The relation of a Relation.
  const Relation &related() const { return *node->related; }
  /// Of Listed.
  Side side() const { return node->side; }
  /// How many positions an entry of a BlockTable stands for.
  const Expr &block() const { return *node->block; }
  /// The table of Listed, SameSegment and BlockTable, the region of Where.
  unsigned index() const { return node->index; }
  /// Of Not, Union and Intersect.
  llvm::ArrayRef<PairSet> members() const { return node->members; }
  bool operator==(const PairSet &other) const;
  bool operator!=(const PairSet &other) const { return !(*this == other); }

  /// Whether query row i may look at key row j.
  bool contains(const CallValues &values, int64_t i, int64_t j) const;
  /// The set with each leaf replaced by what `rewrite` returns (nothing keeps the leaf), simplified.
  PairSet rewriteLeaves(llvm::function_ref<std::optional<PairSet>(const PairSet &)> rewrite) const;
  void forEachLeaf(llvm::function_ref<void(const PairSet &)> visit) const;
  /// Whether heads may differ in their pairs. `isPerHead` says which symbols differ by head, besides Head itself; where
  /// regions may always.
  bool dependsOnHead(llvm::function_ref<bool(unsigned symbol)> isPerHead) const;

private:
  struct Node {
    Kind kind;
    std::optional<HalfSpace> half;
    std::optional<Relation> related;
    std::optional<Expr> block;
    Side side = Side::Queries;
    unsigned index = 0;
    std::vector<PairSet> members;
  };
  explicit PairSet(Node node) : node(std::make_shared<const Node>(std::move(node))) {}
  static PairSet combine(Kind kind, llvm::ArrayRef<PairSet> members);

  std::shared_ptr<const Node> node;
};

/// Fills in the offsets in segments that a set asks for, from the tables.
void bindOffsets(const PairSet &set, CallValues &values);

} // namespace attn

#endif // ATTN_PATTERN_PAIRSET_H
