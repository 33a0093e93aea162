// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads remainders out of the expressions of relations.

#include "Periods.h"

using namespace attn;

namespace {

/// (row + shift) mod modulus, times `factor`, and what else is in a sum.
struct Period {
  Expr modulus, shift, rest;

  static std::optional<Period> in(const Expr &sum, int64_t factor) {
    for (const Expr::Summand &summand : sum.summands()) {
      if (summand.factor != factor || summand.term->kind != Expr::TermKind::Mod)
        continue;
      const Expr &dividend = summand.term->operands[0], &modulus = summand.term->operands[1];
      Expr shift = dividend - Expr::row(), rest = sum - Expr::ofSummand(summand);
      if (!shift.dependsOnRow() && !modulus.dependsOnRow() && !rest.dependsOnRow())
        return Period{modulus, shift, rest};
    }
    return std::nullopt;
  }
};

} // namespace

//===-- Classes ---------------------------------------------------------------------------------------------------===//

std::optional<ClassLink> ClassLink::of(const Relation &relation) {
  if (relation.offsets || !relation.lower || !relation.upper || *relation.upper - *relation.lower != Expr(1))
    return std::nullopt;
  auto key = Period::in(relation.place, 1), query = Period::in(*relation.lower, 1);
  if (!key || !query || key->modulus != query->modulus)
    return std::nullopt;
  return ClassLink{key->modulus, query->shift, key->shift, query->rest - key->rest};
}

Expr ClassLink::classOf(const Expr &shift, const Expr &step, const Expr &otherShift) const {
  if (step == Expr(0))
    return Expr::mod(Expr::row() + shift - otherShift, modulus);
  Expr place = Expr::mod(Expr::row() + shift, modulus) + step;
  Expr exists = Expr::isPositive(place + 1) * Expr::isPositive(modulus - place);
  return Expr::mod(place - otherShift, modulus) * exists + modulus * (Expr(1) - exists);
}

std::optional<PairSet> attn::splitIntoClasses(const Relation &relation) {
  constexpr int64_t mostClasses = 8;
  if (!relation.lower || !relation.upper)
    return std::nullopt;
  std::optional<int64_t> width = (*relation.upper - *relation.lower).asConstant();
  if (!width || *width <= 1 || *width > mostClasses ||
      !ClassLink::of({relation.place, relation.lower, *relation.lower + 1, relation.offsets}))
    return std::nullopt;
  std::vector<PairSet> classes;
  for (int64_t step = 0; step < *width; ++step)
    classes.push_back(
        PairSet::relation({relation.place, *relation.lower + step, *relation.lower + step + 1, relation.offsets}));
  return PairSet::unite(classes);
}

//===-- Columns ---------------------------------------------------------------------------------------------------===//

std::optional<Columns> attn::columnsOf(const Relation &relation) {
  std::optional<Period> key = Period::in(relation.place, 1);
  auto dependsOnQuery = [](const std::optional<Expr> &bound) { return bound && bound->dependsOnRow(); };
  if (relation.offsets || !key || (!dependsOnQuery(relation.lower) && !dependsOnQuery(relation.upper)))
    return std::nullopt;
  return Columns{key->modulus, key->shift, relation.lower ? *relation.lower - key->rest : Expr(0),
                 relation.upper ? *relation.upper - key->rest : key->modulus};
}

/// An expression of the query's column alone, with the column in place of the row.
static std::optional<Expr> ofColumn(const Expr &expr, const Expr &width) {
  Expr result = expr.constantSummand();
  for (const Expr::Summand &summand : expr.summands()) {
    const Expr::Term &term = *summand.term;
    bool isColumn = term.kind == Expr::TermKind::Mod && term.operands[1] == width &&
                    !(term.operands[0] - Expr::row()).dependsOnRow();
    std::vector<Expr> operands;
    for (const Expr &operand : isColumn ? std::vector<Expr>() : term.operands)
      if (std::optional<Expr> inner = ofColumn(operand, width))
        operands.push_back(*inner);
      else
        return std::nullopt;
    bool isExtremum = term.kind == Expr::TermKind::Min || term.kind == Expr::TermKind::Max;
    if (isColumn)
      result = result + Expr::row() * summand.factor;
    else if (isExtremum)
      result = result + (term.kind == Expr::TermKind::Min ? Expr::min(operands) : Expr::max(operands)) * summand.factor;
    else if (!Expr::ofSummand(summand).dependsOnRow())
      result = result + Expr::ofSummand(summand);
    else
      return std::nullopt;
  }
  return result;
}

/// As many as one query looks at, and by how many columns the last one's end lies behind the first one's.
Expr Columns::span(int64_t queryColumns) const {
  std::optional<Expr> end = ofColumn(upper, width);
  std::optional<int64_t> rise = end ? end->rise(queryColumns - 1) : std::nullopt;
  Expr own = upper - lower;
  return rise && !own.dependsOnRow() ? Expr::min({width, own + *rise}) : width;
}

//===-- Remainders ------------------------------------------------------------------------------------------------===//

/// from <= remainder < below, where every remainder keeps a bound that is absent.
static Remainders remaindersOf(const Period &period, const std::optional<Expr> &from,
                               const std::optional<Expr> &below) {
  return {period.modulus, period.shift, from ? Expr::max({0, *from}) : Expr(0),
          below ? Expr::min({*below, period.modulus}) : period.modulus};
}

std::optional<Remainders> Remainders::ofKeys(const Relation &relation) {
  auto dependsOnQuery = [](const std::optional<Expr> &bound) { return bound && bound->dependsOnRow(); };
  std::optional<Period> key = Period::in(relation.place, 1);
  if (relation.offsets || !key || dependsOnQuery(relation.lower) || dependsOnQuery(relation.upper))
    return std::nullopt;
  auto minusRest = [&](const std::optional<Expr> &bound) {
    return bound ? std::optional<Expr>(*bound - key->rest) : std::nullopt;
  };
  return remaindersOf(*key, minusRest(relation.lower), minusRest(relation.upper));
}

std::optional<Remainders> Remainders::ofQueries(const Relation &relation) {
  if (relation.offsets || relation.place.dependsOnRow() || (!relation.lower && !relation.upper))
    return std::nullopt;
  std::optional<Period> either;
  std::optional<Expr> from, below;
  for (auto [bound, limit] : {std::pair(&relation.lower, &from), std::pair(&relation.upper, &below)}) {
    if (!*bound)
      continue;
    std::optional<Period> query = Period::in(**bound, -1);
    if (!query || (either && (either->modulus != query->modulus || either->shift != query->shift)))
      return std::nullopt;
    either = query;
    *limit = query->rest - relation.place;
  }
  return remaindersOf(*either, from, below);
}

Order Remainders::order(Side side) const { return Order::remainders(side, modulus, shift, from, below); }

PairSet attn::outside(const Relation &keyRemainders) {
  std::vector<PairSet> sides;
  if (keyRemainders.lower)
    sides.push_back(PairSet::relation({keyRemainders.place, {}, keyRemainders.lower, {}}));
  if (keyRemainders.upper)
    sides.push_back(PairSet::relation({keyRemainders.place, keyRemainders.upper, {}, {}}));
  return PairSet::unite(sides);
}
