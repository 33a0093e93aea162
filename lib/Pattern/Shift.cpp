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

/// period * floor((row + shift) / period) + rest.
static std::optional<MovingBound> inSteps(const Expr &quotient, const Expr &period, const Expr &rest) {
  const Expr::Term *term = quotient.asTerm();
  bool isQuotient = term && term->kind == Expr::TermKind::FloorDiv && term->operands[1] == period;
  std::optional<Expr> shift = isQuotient ? shiftOf(term->operands[0]) : std::nullopt;
  return shift ? std::optional(MovingBound{true, *shift, rest}) : std::nullopt;
}

/// The same of a summand. A product with a number is a factor, one with an expression a term, whose quotient may have
/// something added to it.
static std::optional<MovingBound> stepsOf(const Expr::Summand &summand, const Expr &period) {
  const Expr::Term &term = *summand.term;
  if (period == Expr(summand.factor))
    return inSteps(Expr::ofSummand({1, summand.term}), period, 0);
  if (term.kind != Expr::TermKind::Product || summand.factor != 1 || !llvm::is_contained(term.operands, period))
    return std::nullopt;
  const Expr &factor = term.operands[term.operands[0] == period ? 1 : 0];
  for (const Expr::Summand &part : factor.summands()) {
    Expr quotient = Expr::ofSummand(part), added = factor - quotient;
    if (auto steps = inSteps(quotient, period, period * added); steps && !added.dependsOnRow())
      return steps;
  }
  return std::nullopt;
}

std::optional<MovingBound> attn::asMoving(const Expr &bound, const Expr &period) {
  if (std::optional<Expr> rest = shiftOf(bound))
    return MovingBound{false, Expr(0), *rest};
  for (const Expr::Summand &summand : bound.summands())
    if (std::optional<MovingBound> steps = stepsOf(summand, period)) {
      steps->rest = steps->rest + (bound - Expr::ofSummand(summand));
      if (!steps->rest.dependsOnRow())
        return steps;
    }
  return std::nullopt;
}
