// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Orders: renumberings of the rows of one side, in which a pattern's pairs lie densely. Rank r of an order stands for
// some row.
//
//     kind            ranks                                             made of
//     All             rows 0, 1, 2, ...                                 nothing
//     Classes         rows by (row mod modulus, row)                    closed forms
//     Remainders      the rows for which (row + shift) mod modulus      closed forms
//                     lies in [from, below), ascending
//     Blocks          rows 0, 1, 2, ..., in tiles that end where        closed forms
//                     blocks of `modulus` rows + shift do
//     Patches         rows as points of a grid `modulus` wide, patch    closed forms
//                     by patch; ranks past its edges have no row
//     Listed          the rows of a table's tokens, ascending, once     a table, at run time
//     SegmentSorted   rows by (segment id, row); queries without an     a table, at run time
//                     id come last, keys without one are left out
//
// Classes make dense what comes back with a period: rows i and keys j with (i - j) mod 8 = 0 are eight full squares. A
// class is a strided view of the tensor, so nothing is copied: row t of class c is row c + t * modulus. Classes lie one
// behind the other, and where the modulus does not divide the number of rows, those of the first rows are longer by
// one:
//
//     10 rows, modulus 4      class 0     class 1     class 2   class 3
//     row                     0  4  8     1  5  9     2  6      3  7
//     rank                    0  1  2     3  4  5     6  7      8  9

#ifndef ATTN_PATTERN_ORDER_H
#define ATTN_PATTERN_ORDER_H

#include "attn/Pattern/PairSet.h"

namespace attn {

enum class OrderKind : uint8_t { All, Listed, SegmentSorted, Classes, Remainders, Blocks, Patches };

struct Order {
  OrderKind kind = OrderKind::All;
  Side side = Side::Queries;
  unsigned table = 0;                      // of Listed and SegmentSorted
  Expr modulus = 1;                        // of all but tabled ones
  Expr shift = 0;                          // of Remainders and Blocks
  Expr from = 0, below = 0;                // of Remainders: 0 <= from, below <= modulus
  int64_t patchRows = 1, patchColumns = 1; // of Patches

  static Order all(Side side) { return {OrderKind::All, side, 0, 1, 0, 0, 0}; }
  static Order listed(Side side, unsigned table) { return {OrderKind::Listed, side, table, 1, 0, 0, 0}; }
  static Order segmentSorted(Side side, unsigned table) { return {OrderKind::SegmentSorted, side, table, 1, 0, 0, 0}; }
  static Order classes(Side side, const Expr &modulus) { return {OrderKind::Classes, side, 0, modulus, 0, 0, 0}; }
  static Order remainders(Side side, const Expr &modulus, const Expr &shift, const Expr &from, const Expr &below) {
    return {OrderKind::Remainders, side, 0, modulus, shift, from, below};
  }

  static Order blocks(Side side, const Expr &size, const Expr &shift) {
    return {OrderKind::Blocks, side, 0, size, shift, 0, 0};
  }

  static Order patches(Side side, const Expr &width) { return {OrderKind::Patches, side, 0, width, 0, 0, 0}; }

  bool isTabled() const { return kind == OrderKind::Listed || kind == OrderKind::SegmentSorted; }
  /// Whether closed forms say which row a rank stands for, and it is not simply that row.
  bool isComputed() const { return !isTabled() && !isIdentity(); }
  /// Whether rank r is row r.
  bool isIdentity() const { return kind == OrderKind::All || kind == OrderKind::Blocks; }
  bool operator==(const Order &other) const;

  // The closed forms, over the symbols of a call. Those of ranks are for computed orders.

  /// How many ranks there are.
  Expr count() const;
  /// The row of a rank, which stands for the row in this expression; of Patches any number where there is none.
  Expr rowOfRank() const;
  /// Of Remainders: the first rank whose row is at least the row; below 0 or past the count for rows beside the side.
  Expr rankOfRow() const;
  /// Of Patches: 1 for the ranks that stand for a row, else 0.
  Expr rankHasRow() const;
  /// Of Patches: how many lie beside each other. A grid wider than there are rows has no points there.
  Expr patchesAcross() const;
  /// Of Remainders: 1 for the rows that are in the order, else 0.
  Expr holdsRow() const;
  /// Of Blocks: the number of the first block, and how many there are.
  Expr firstBlock() const { return Expr::floorDiv(shift, modulus); }
  Expr blockCount() const;
  /// Of Blocks: the first row of block `number`.
  Expr firstRowOfBlock(const Expr &number) const;
  /// Of Blocks: whether an expression is known to have one value for all rows of a block.
  bool isSameInBlock(const Expr &expr) const;
  /// Of Blocks: what is the same for all rows of a block, as an expression whose row stands for the block's number.
  Expr ofBlock(const Expr &expr) const { return expr.at(Expr::row() * modulus - shift); }
  /// Of Classes: the first rank of class `number`; that of the modulus is the count.
  Expr firstRankOfClass(const Expr &number) const;
  /// Of Classes: the first rank of class `number` whose row is at least `row`, however far beside the class.
  Expr rankInClass(const Expr &number, const Expr &row) const;

private:
  /// Of Patches: the point of a rank.
  Expr pointRow() const;
  Expr pointColumn() const;
  /// Whether the rows of each block are all below an expression, or all not.
  bool isLimitOfBlocks(const Expr &limit) const;
  /// How many numbers in [0, value) have such a remainder; negative ones count down.
  Expr numbersBelow(const Expr &value) const;
};

/// How many rows a side has.
inline Expr rowsOf(Side side) { return Expr::symbol(side == Side::Queries ? Length : KvLength); }

} // namespace attn

#endif // ATTN_PATTERN_ORDER_H
