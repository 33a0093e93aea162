// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What relations say of remainders: the periods that orders make dense.

#ifndef ATTN_LIB_PATTERN_PERIODS_H
#define ATTN_LIB_PATTERN_PERIODS_H

#include "attn/Pattern/Plan.h"

namespace attn {

/// (i + queryShift) mod modulus + step = (j + keyShift) mod modulus: the class of a query row says that of its keys.
struct ClassLink {
  Expr modulus, queryShift, keyShift, step;

  static std::optional<ClassLink> of(const Relation &relation);
  /// The class of keys for query row i, and of queries for key row j; the modulus where there is none.
  Expr keyClass() const { return classOf(queryShift, step, keyShift); }
  Expr queryClass() const { return classOf(keyShift, -step, queryShift); }

private:
  Expr classOf(const Expr &shift, const Expr &step, const Expr &otherShift) const;
};

/// from <= (row + shift) mod modulus < below, of one side alone.
struct Remainders {
  Expr modulus, shift, from, below;

  static std::optional<Remainders> ofKeys(const Relation &relation);
  static std::optional<Remainders> ofQueries(const Relation &relation);
  Order order(Side side) const;
};

/// Columns of a grid between bounds that depend on the query.
std::optional<Columns> columnsOf(const Relation &relation);

/// A relation between classes as several of one class each, if these are known to be few; nothing if it is one already.
std::optional<PairSet> splitIntoClasses(const Relation &relation);
/// What is outside of some remainders, as remainders.
PairSet outside(const Relation &keyRemainders);

} // namespace attn

#endif // ATTN_LIB_PATTERN_PERIODS_H
