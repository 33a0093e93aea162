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
//
// Adding an atom on positions means adding one factory below (and its op, its reference and its tests).

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
  FirstNamed = 7
};

enum class Side : uint8_t { Queries = 0, Keys = 1 };

/// What a call binds for one batch: the symbols' values, the tables of run-time data (tokens, segment ids), each as one
/// row, and a way to ask an `attn.where` region, by its number, about a pair of positions.
struct CallValues {
  std::vector<int64_t> symbols;
  std::vector<std::vector<int32_t>> tables;
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

class PairSet {
public:
  enum class Kind : uint8_t { Full, Empty, HalfSpace, Listed, SameSegment, Where, Not, Union, Intersect };

  static PairSet full();
  static PairSet empty();
  static PairSet halfSpace(HalfSpace half);
  /// Key positions in [query - left, query + right]; an absent side is unbounded.
  static PairSet window(std::optional<Expr> left, std::optional<Expr> right);
  /// Key position <= query position. Top-left: the query offset counts as 0 unless the call gives one.
  static PairSet causal(bool topLeft = false);
  /// Query and key stand in the same block of `block` positions.
  static PairSet blockLocal(const Expr &block);
  /// Keys at positions below `length`.
  static PairSet padded(const Expr &length);
  /// The row of `side` stands at a position that table `table` lists.
  static PairSet listed(Side side, unsigned table);
  /// Query and key positions have the same id in `table`; a position outside the table has none.
  static PairSet sameSegment(unsigned table);
  /// Region `region` says so, pair by pair.
  static PairSet where(unsigned region);

  static PairSet unite(llvm::ArrayRef<PairSet> members);
  static PairSet intersect(llvm::ArrayRef<PairSet> members);
  /// The complement. It is pushed to the leaves, so Not stands only above Listed, SameSegment and Where.
  PairSet complement() const;
  static PairSet minus(const PairSet &a, const PairSet &b) { return intersect({a, b.complement()}); }

  Kind kind() const { return node->kind; }
  /// The half-space of a HalfSpace.
  const HalfSpace &half() const { return *node->half; }
  /// Of Listed.
  Side side() const { return node->side; }
  /// The table of Listed and SameSegment, the region of Where.
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

private:
  struct Node {
    Kind kind;
    std::optional<HalfSpace> half;
    Side side = Side::Queries;
    unsigned index = 0;
    std::vector<PairSet> members;
  };
  explicit PairSet(Node node) : node(std::make_shared<const Node>(std::move(node))) {}
  static PairSet combine(Kind kind, llvm::ArrayRef<PairSet> members);

  std::shared_ptr<const Node> node;
};

} // namespace attn

#endif // ATTN_PATTERN_PAIRSET_H
