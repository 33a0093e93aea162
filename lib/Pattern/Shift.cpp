// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bounds that move with the rows of a class.

#include "attn/Pattern/Shift.h"
#include "llvm/ADT/STLExtras.h"

using namespace attn;

/// `shift` of row + shift.
static std::optional<Expr> shiftOf(const Expr &expr) {
  Expr shift = expr - Expr::row();
  return shift.dependsOnRow() ? std::nullopt : std::optional(shift);
}

std::optional<Expr> attn::shiftOfClass(const Expr &classOfRow, const Expr &period) {
  const Expr::Term *term = classOfRow.asTerm();
  bool isClass = term && term->kind == Expr::TermKind::Mod && term->operands[1] == period;
  return isClass ? shiftOf(term->operands[0]) : std::nullopt;
}

/// `shift` of period * floor((row + shift) / period). A product with a number is a factor, one with an expression a
/// term.
static std::optional<Expr> shiftOfSteps(const Expr::Summand &summand, const Expr &period) {
  const Expr::Term *quotient = summand.term.get();
  if (quotient->kind == Expr::TermKind::Product && summand.factor == 1) {
    const Expr *other = llvm::find(quotient->operands, period) == quotient->operands.begin()
                            ? &quotient->operands.back()
                            : &quotient->operands.front();
    bool isProduct = quotient->operands.size() == 2 && llvm::is_contained(quotient->operands, period);
    quotient = isProduct ? other->asTerm() : nullptr;
  } else if (period != Expr(summand.factor)) {
    return std::nullopt;
  }
  bool isQuotient = quotient && quotient->kind == Expr::TermKind::FloorDiv && quotient->operands[1] == period;
  return isQuotient ? shiftOf(quotient->operands[0]) : std::nullopt;
}

std::optional<MovingBound> attn::asMoving(const Expr &bound, const Expr &period) {
  if (std::optional<Expr> rest = shiftOf(bound))
    return MovingBound{false, Expr(0), *rest};
  for (const Expr::Summand &summand : bound.summands())
    if (std::optional<Expr> shift = shiftOfSteps(summand, period))
      if (Expr rest = bound - Expr::ofSummand(summand); !rest.dependsOnRow())
        return MovingBound{true, *shift, rest};
  return std::nullopt;
}
