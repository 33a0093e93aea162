// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The closed forms of orders.

#include "attn/Pattern/Order.h"
#include "llvm/ADT/STLExtras.h"

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

/// A multiple of the size, less the shift.
bool Order::isLimitOfBlocks(const Expr &limit) const {
  Expr multiple = limit + shift;
  std::optional<int64_t> size = modulus.asConstant();
  auto isMultiple = [&](int64_t number) { return size ? number % *size == 0 : number == 0; };
  return isMultiple(multiple.constantSummand()) && llvm::all_of(multiple.summands(), [&](const Expr::Summand &summand) {
           return isMultiple(summand.factor) || Expr::ofSummand(summand) == modulus * summand.factor ||
                  (summand.term->kind == Expr::TermKind::Product &&
                   llvm::is_contained(summand.term->operands, modulus));
         });
}

/// The value of which a term says whether it is positive, if it does that.
static std::optional<Expr> asPositive(const std::shared_ptr<const Expr::Term> &term) {
  if (term->kind != Expr::TermKind::Min)
    return std::nullopt;
  for (const Expr &operand : term->operands)
    for (const Expr::Summand &inner : operand.summands())
      for (const Expr &value : inner.term->operands)
        if (Expr::isPositive(value) == Expr::ofSummand({1, term}))
          return value;
  return std::nullopt;
}

bool Order::isSameInBlock(const Expr &expr) const {
  return llvm::all_of(expr.summands(), [&](const Expr::Summand &summand) {
    const Expr::Term &term = *summand.term;
    if (term.kind == Expr::TermKind::FloorDiv && term.operands[1] == modulus && term.operands[0] == Expr::row() + shift)
      return true;
    // 1 from some row on, 0 before it.
    if (std::optional<Expr> value = asPositive(summand.term))
      if (Expr from = Expr::row() + 1 - *value; !from.dependsOnRow() && isLimitOfBlocks(from))
        return true;
    return term.kind != Expr::TermKind::Row &&
           llvm::all_of(term.operands, [&](const Expr &operand) { return isSameInBlock(operand); });
  });
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
