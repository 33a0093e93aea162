// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The closed forms of orders.

#include "attn/Pattern/Order.h"

using namespace attn;

bool Order::operator==(const Order &other) const {
  if (kind != other.kind || side != other.side)
    return false;
  if (patchRows != other.patchRows || patchColumns != other.patchColumns)
    return false;
  return isTabled() ? table == other.table
                    : modulus == other.modulus && shift == other.shift && from == other.from && below == other.below;
}

Expr Order::count() const {
  Expr rows = rowsOf(side);
  if (kind == OrderKind::Remainders)
    return Expr::max({0, rankOfRow().at(rows)});
  if (kind != OrderKind::Patches)
    return rows;
  Expr gridRows = Expr::floorDiv(rows + modulus - 1, modulus);
  return Expr::floorDiv(gridRows + patchRows - 1, patchRows) * patchesAcross() * (patchRows * patchColumns);
}

//===-- Classes ---------------------------------------------------------------------------------------------------===//

// Every class has `rows / modulus` rows, and the first `rows mod modulus` classes have one more.
Expr Order::firstRankOfClass(const Expr &number) const {
  Expr rows = rowsOf(side);
  return number * Expr::floorDiv(rows, modulus) + Expr::min({number, Expr::mod(rows, modulus)});
}

Expr Order::rankInClass(const Expr &number, const Expr &row) const {
  return firstRankOfClass(number) + Expr::floorDiv(row - number + modulus - 1, modulus);
}

Expr Order::rowOfRank() const {
  Expr rank = Expr::row();
  if (kind == OrderKind::Patches)
    return pointRow() * modulus + pointColumn();
  if (kind == OrderKind::Remainders) {
    Expr number = rank + numbersBelow(shift), width = Expr::max({1, below - from}); // without width there is no rank
    return Expr::floorDiv(number, width) * modulus + from + Expr::mod(number, width) - shift;
  }
  Expr rows = rowsOf(side), least = Expr::floorDiv(rows, modulus), longClasses = Expr::mod(rows, modulus);
  // Past the long classes, ranks are divided among the short ones; where these are empty there are no such ranks.
  Expr past = Expr::max({0, rank - longClasses * (least + 1)});
  Expr number = Expr::min({Expr::floorDiv(rank, least + 1), longClasses}) + Expr::floorDiv(past, Expr::max({1, least}));
  return number + (rank - firstRankOfClass(number)) * modulus;
}

//===-- Blocks ----------------------------------------------------------------------------------------------------===//

Expr Order::blockCount() const { return Expr::floorDiv(rowsOf(side) + shift - 1, modulus) - firstBlock() + 1; }

Expr Order::firstRowOfBlock(const Expr &number) const {
  return Expr::max({0, Expr::min({number * modulus - shift, rowsOf(side)})});
}

//===-- Patches ---------------------------------------------------------------------------------------------------===//

Expr Order::patchesAcross() const {
  return Expr::floorDiv(Expr::min({modulus, rowsOf(side)}) + patchColumns - 1, patchColumns);
}

Expr Order::pointRow() const {
  Expr patch = Expr::floorDiv(Expr::row(), patchRows * patchColumns);
  Expr inPatch = Expr::floorDiv(Expr::mod(Expr::row(), patchRows * patchColumns), patchColumns);
  return Expr::floorDiv(patch, patchesAcross()) * patchRows + inPatch;
}

Expr Order::pointColumn() const {
  Expr patch = Expr::floorDiv(Expr::row(), patchRows * patchColumns);
  return Expr::mod(patch, patchesAcross()) * patchColumns + Expr::mod(Expr::row(), patchColumns);
}

Expr Order::rankHasRow() const {
  return Expr::isPositive(modulus - pointColumn()) * Expr::isPositive(rowsOf(side) - rowOfRank());
}

//===-- Remainders ------------------------------------------------------------------------------------------------===//

Expr Order::numbersBelow(const Expr &value) const {
  Expr width = Expr::max({0, below - from});
  Expr inside = Expr::min({Expr::max({0, Expr::mod(value, modulus) - from}), width});
  return Expr::floorDiv(value, modulus) * width + inside;
}

Expr Order::rankOfRow() const { return numbersBelow(Expr::row() + shift) - numbersBelow(shift); }

Expr Order::holdsRow() const {
  Expr remainder = Expr::mod(Expr::row() + shift, modulus);
  return Expr::isPositive(remainder - from + 1) * Expr::isPositive(below - remainder);
}
