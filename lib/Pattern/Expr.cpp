// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Builds, simplifies, evaluates and prints whole-number expressions.

#include "attn/Pattern/Expr.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
#include <cassert>

using namespace attn;
using llvm::ArrayRef;
using llvm::StringRef;

/// a + b, held at the ends of 64 bits.
static int64_t add(int64_t a, int64_t b) {
  int64_t sum;
  return __builtin_add_overflow(a, b, &sum) ? (a < 0 ? INT64_MIN : INT64_MAX) : sum;
}

/// a * b, held at the ends of 64 bits.
static int64_t multiply(int64_t a, int64_t b) {
  int64_t product;
  return __builtin_mul_overflow(a, b, &product) ? ((a < 0) != (b < 0) ? INT64_MIN : INT64_MAX) : product;
}

Expr Expr::fromTerm(Term term) {
  Expr result;
  result.sum.push_back({1, std::make_shared<const Term>(std::move(term))});
  return result;
}

Expr Expr::ofSummand(const Summand &summand) {
  Expr result;
  result.sum.push_back(summand);
  return result;
}

Expr Expr::row() { return fromTerm({TermKind::Row, 0, {}}); }

Expr Expr::symbol(unsigned index) { return fromTerm({TermKind::Symbol, index, {}}); }

std::optional<int64_t> Expr::asConstant() const {
  if (sum.empty())
    return constantPart;
  return std::nullopt;
}

/// The rise of one term.
static std::optional<int64_t> riseOfTerm(const Expr::Term &term, int64_t rows) {
  switch (term.kind) {
  case Expr::TermKind::Row:
    return rows;
  case Expr::TermKind::Symbol:
    return 0;
  case Expr::TermKind::Min:
  case Expr::TermKind::Max: {
    int64_t most = 0;
    for (const Expr &operand : term.operands) {
      std::optional<int64_t> rise = operand.rise(rows);
      if (!rise)
        return std::nullopt;
      most = std::max(most, *rise);
    }
    return most;
  }
  default:
    if (llvm::any_of(term.operands, [](const Expr &operand) { return operand.dependsOnRow(); }))
      return std::nullopt;
    return 0;
  }
}

std::optional<int64_t> Expr::rise(int64_t rows) const {
  int64_t total = 0;
  for (const Summand &summand : sum) {
    std::optional<int64_t> rise = riseOfTerm(*summand.term, rows);
    if (!rise || (summand.factor < 0 && *rise != 0))
      return std::nullopt;
    total = add(total, multiply(summand.factor, *rise));
  }
  return total;
}

/// divisor * (floor(x / divisor) + ...), where the sum never falls: a divisor is positive.
static bool isRisingMultiple(const Expr::Term &product) {
  for (auto [first, second] : {std::pair(0, 1), std::pair(1, 0)}) {
    const Expr &factor = product.operands[first], &other = product.operands[second];
    bool isDivisor = llvm::any_of(other.summands(), [&](const Expr::Summand &summand) {
      return summand.term->kind == Expr::TermKind::FloorDiv && summand.term->operands[1] == factor;
    });
    if (isDivisor && !factor.dependsOnRow() && other.neverFalls())
      return true;
  }
  return false;
}

/// The same of one term.
static bool neverFalls(const Expr::Term &term) {
  auto risesOrStays = [](const Expr &operand) { return operand.neverFalls(); };
  auto stays = [](const Expr &operand) { return !operand.dependsOnRow(); };
  switch (term.kind) {
  case Expr::TermKind::Row:
  case Expr::TermKind::Symbol:
    return true;
  case Expr::TermKind::Min:
  case Expr::TermKind::Max:
    return llvm::all_of(term.operands, risesOrStays);
  case Expr::TermKind::FloorDiv:
    return term.operands[0].neverFalls() && stays(term.operands[1]);
  case Expr::TermKind::Mod:
    return llvm::all_of(term.operands, stays);
  case Expr::TermKind::Product:
    return llvm::all_of(term.operands, stays) || isRisingMultiple(term);
  }
  llvm_unreachable("all kinds of terms are listed");
}

bool Expr::neverFalls() const {
  return llvm::all_of(sum, [](const Summand &summand) {
    bool stays = !ofSummand(summand).dependsOnRow();
    return stays || (summand.factor > 0 && ::neverFalls(*summand.term));
  });
}

const Expr::Term *Expr::asTerm() const {
  return constantPart == 0 && sum.size() == 1 && sum[0].factor == 1 ? sum[0].term.get() : nullptr;
}

bool Expr::dependsOnRow() const {
  return llvm::any_of(sum, [](const Summand &s) {
    return s.term->kind == TermKind::Row ||
           llvm::any_of(s.term->operands, [](const Expr &e) { return e.dependsOnRow(); });
  });
}

bool Expr::anySymbol(llvm::function_ref<bool(unsigned)> is) const {
  return llvm::any_of(sum, [&](const Summand &s) {
    return (s.term->kind == TermKind::Symbol && is(s.term->symbol)) ||
           llvm::any_of(s.term->operands, [&](const Expr &e) { return e.anySymbol(is); });
  });
}

//===-- Order and equality ----------------------------------------------------------------------------------------===//

int Expr::compare(const Term &a, const Term &b) {
  if (a.kind != b.kind)
    return a.kind < b.kind ? -1 : 1;
  if (a.symbol != b.symbol)
    return a.symbol < b.symbol ? -1 : 1;
  if (a.operands.size() != b.operands.size())
    return a.operands.size() < b.operands.size() ? -1 : 1;
  for (auto [x, y] : llvm::zip_equal(a.operands, b.operands))
    if (int order = compare(x, y))
      return order;
  return 0;
}

int Expr::compare(const Expr &a, const Expr &b) {
  if (a.sum.size() != b.sum.size())
    return a.sum.size() < b.sum.size() ? -1 : 1;
  for (auto [x, y] : llvm::zip_equal(a.sum, b.sum)) {
    if (int order = compare(*x.term, *y.term))
      return order;
    if (x.factor != y.factor)
      return x.factor < y.factor ? -1 : 1;
  }
  if (a.constantPart != b.constantPart)
    return a.constantPart < b.constantPart ? -1 : 1;
  return 0;
}

bool Expr::operator==(const Expr &other) const { return compare(*this, other) == 0; }

llvm::hash_code attn::hash_value(const Expr &expr) {
  llvm::hash_code hash = llvm::hash_value(expr.constantPart);
  for (const Expr::Summand &s : expr.sum) {
    hash = llvm::hash_combine(hash, s.factor, static_cast<unsigned>(s.term->kind), s.term->symbol);
    for (const Expr &operand : s.term->operands)
      hash = llvm::hash_combine(hash, hash_value(operand));
  }
  return hash;
}

//===-- Arithmetic ------------------------------------------------------------------------------------------------===//

Expr Expr::operator+(const Expr &other) const {
  Expr result(add(constantPart, other.constantPart));
  auto left = sum.begin(), right = other.sum.begin();
  while (left != sum.end() || right != other.sum.end()) {
    int order = left == sum.end() ? 1 : right == other.sum.end() ? -1 : compare(*left->term, *right->term);
    if (order < 0) {
      result.sum.push_back(*left++);
    } else if (order > 0) {
      result.sum.push_back(*right++);
    } else {
      if (int64_t factor = add(left->factor, right->factor))
        result.sum.push_back({factor, left->term});
      ++left, ++right;
    }
  }
  return result;
}

Expr Expr::operator*(const Expr &other) const {
  if (sum.empty() || other.sum.empty()) {
    const Expr &expr = sum.empty() ? other : *this;
    int64_t factor = sum.empty() ? constantPart : other.constantPart;
    if (factor == 0)
      return Expr(0);
    Expr result(multiply(expr.constantPart, factor));
    for (const Summand &s : expr.sum)
      result.sum.push_back({multiply(s.factor, factor), s.term});
    return result;
  }
  bool ordered = compare(*this, other) <= 0;
  return fromTerm({TermKind::Product, 0, {ordered ? *this : other, ordered ? other : *this}});
}

Expr Expr::operator-(const Expr &other) const { return *this + other * Expr(-1); }

bool Expr::isMultipleOf(int64_t number) const {
  return constantPart % number == 0 && llvm::all_of(sum, [&](const Summand &s) { return s.factor % number == 0; });
}

Expr Expr::dividedBy(int64_t number) const {
  Expr quotient = *this;
  quotient.constantPart /= number;
  for (Summand &summand : quotient.sum)
    summand.factor /= number;
  return quotient;
}

/// The factor, where the dividend is a product with the divisor.
static const Expr *factorBeside(const Expr &dividend, const Expr &divisor) {
  const Expr::Term *product = dividend.asTerm();
  if (!product || product->kind != Expr::TermKind::Product)
    return nullptr;
  const auto &operands = product->operands;
  return operands[0] == divisor ? &operands[1] : operands[1] == divisor ? &operands[0] : nullptr;
}

Expr Expr::floorDiv(const Expr &dividend, const Expr &divisor) {
  auto a = dividend.asConstant(), b = divisor.asConstant();
  if (b == 1)
    return dividend;
  if (a && b && *b > 0)
    return Expr(llvm::divideFloorSigned(*a, *b));
  if (b && *b > 0 && dividend.isMultipleOf(*b))
    return dividend.dividedBy(*b);
  if (const Expr *factor = factorBeside(dividend, divisor))
    return *factor;
  return fromTerm({TermKind::FloorDiv, 0, {dividend, divisor}});
}

Expr Expr::mod(const Expr &dividend, const Expr &divisor) {
  auto a = dividend.asConstant(), b = divisor.asConstant();
  if (b == 1)
    return Expr(0);
  if (a && b && *b > 0)
    return Expr(*a - llvm::divideFloorSigned(*a, *b) * *b);
  return fromTerm({TermKind::Mod, 0, {dividend, divisor}});
}

Expr Expr::extremum(TermKind kind, ArrayRef<Expr> operands) {
  bool isMin = kind == TermKind::Min;
  // Nested extrema of the same kind are flattened; of two operands that differ by a constant one is enough.
  std::vector<Expr> flat;
  auto add = [&](const Expr &candidate) {
    for (Expr &kept : flat)
      if (auto difference = (candidate - kept).asConstant()) {
        if (isMin ? *difference < 0 : *difference > 0)
          kept = candidate;
        return;
      }
    flat.push_back(candidate);
  };
  for (const Expr &operand : operands) {
    const Term *term = operand.asTerm();
    if (!term || term->kind != kind)
      add(operand);
    else
      for (const Expr &inner : term->operands)
        add(inner);
  }
  assert(!flat.empty() && "an extremum of nothing");
  if (flat.size() == 1)
    return flat.front();
  llvm::sort(flat, [](const Expr &a, const Expr &b) { return compare(a, b) < 0; });
  return fromTerm({kind, 0, std::move(flat)});
}

Expr Expr::min(ArrayRef<Expr> operands) { return extremum(TermKind::Min, operands); }
Expr Expr::max(ArrayRef<Expr> operands) { return extremum(TermKind::Max, operands); }

Expr Expr::at(const Expr &row) const {
  Expr result(constantPart);
  for (const Summand &s : sum) {
    std::vector<Expr> operands;
    for (const Expr &operand : s.term->operands)
      operands.push_back(operand.at(row));
    result = result + ofTerm(*s.term, std::move(operands), row) * s.factor;
  }
  return result;
}

/// A term with other operands.
Expr Expr::ofTerm(const Term &term, std::vector<Expr> operands, const Expr &row) {
  switch (term.kind) {
  case TermKind::Row:
    return row;
  case TermKind::Symbol:
    return symbol(term.symbol);
  case TermKind::FloorDiv:
    return floorDiv(operands[0], operands[1]);
  case TermKind::Mod:
    return mod(operands[0], operands[1]);
  case TermKind::Min:
  case TermKind::Max:
    return extremum(term.kind, operands);
  case TermKind::Product:
    return operands[0] * operands[1];
  }
  llvm_unreachable("all kinds are handled");
}

//===-- What is known of any value --------------------------------------------------------------------------------===//

/// If an expression is an extremum and a number: the operands, each with the number added.
static std::optional<std::vector<Expr>> operandsOf(const Expr &expr, Expr::TermKind kind) {
  if (expr.summands().size() != 1 || expr.summands()[0].factor != 1 || expr.summands()[0].term->kind != kind)
    return std::nullopt;
  std::vector<Expr> operands;
  for (const Expr &operand : expr.summands()[0].term->operands)
    operands.push_back(operand + expr.constantSummand());
  return operands;
}

/// What a term is at least (`low`) or at most, by a smaller one: x - m + 1 <= floor(x / m) * m <= x for a symbol m, and
/// 0 <= x mod m <= m - 1. Nothing for other terms.
static std::optional<Expr> estimate(const Expr::Term &term, bool low) {
  auto isQuotientTimes = [](const Expr &quotient, const Expr &divisor) {
    const Expr::Term *term = quotient.asTerm();
    return term && term->kind == Expr::TermKind::FloorDiv && term->operands[1] == divisor;
  };
  if (term.kind == Expr::TermKind::Mod)
    return low ? Expr(0) : term.operands[1] - 1;
  if (term.kind != Expr::TermKind::Product)
    return std::nullopt;
  for (unsigned side : {0, 1})
    if (const Expr &quotient = term.operands[side], &divisor = term.operands[1 - side];
        isQuotientTimes(quotient, divisor)) {
      const Expr &x = quotient.asTerm()->operands[0];
      return low ? x - divisor + 1 : x;
    }
  return std::nullopt;
}

/// The same of a whole summand: floor(x / 8) * 8 is one summand with factor 8.
static std::optional<Expr> estimate(const Expr::Summand &summand, bool low) {
  bool lowOfTerm = summand.factor > 0 ? low : !low;
  if (summand.term->kind != Expr::TermKind::FloorDiv) {
    auto bound = estimate(*summand.term, lowOfTerm);
    return bound ? std::optional<Expr>(*bound * summand.factor) : std::nullopt;
  }
  auto divisor = summand.term->operands[1].asConstant();
  if (!divisor || *divisor <= 0 || summand.factor % *divisor != 0)
    return std::nullopt;
  const Expr &x = summand.term->operands[0];
  return (lowOfTerm ? x - *divisor + 1 : x) * (summand.factor / *divisor);
}

/// Whether the expression is known not to fall below 0. Each estimate removes a term.
static bool isNotNegative(const Expr &expr) {
  if (auto constant = expr.asConstant())
    return *constant >= 0;
  return llvm::any_of(expr.summands(), [&](const Expr::Summand &summand) {
    std::optional<Expr> least = estimate(summand, /*low=*/true);
    return least && isNotNegative(expr - Expr::ofSummand(summand) + *least);
  });
}

bool Expr::isAtMost(const Expr &other) const {
  auto isBelowOther = [&](const Expr &operand) { return operand.isAtMost(other); };
  auto isAbove = [&](const Expr &operand) { return isAtMost(operand); };
  if (auto operands = operandsOf(*this, TermKind::Max); operands && llvm::all_of(*operands, isBelowOther))
    return true;
  if (auto operands = operandsOf(*this, TermKind::Min); operands && llvm::any_of(*operands, isBelowOther))
    return true;
  if (auto operands = operandsOf(other, TermKind::Min); operands && llvm::all_of(*operands, isAbove))
    return true;
  if (auto operands = operandsOf(other, TermKind::Max); operands && llvm::any_of(*operands, isAbove))
    return true;
  return isNotNegative(other - *this);
}

//===-- Evaluation ------------------------------------------------------------------------------------------------===//

int64_t Expr::evaluate(int64_t row, ArrayRef<int64_t> symbols) const {
  int64_t value = constantPart;
  for (const Summand &s : sum) {
    auto operand = [&](unsigned i) { return s.term->operands[i].evaluate(row, symbols); };
    int64_t term = 0;
    switch (s.term->kind) {
    case TermKind::Row:
      term = row;
      break;
    case TermKind::Symbol:
      term = symbols[s.term->symbol];
      break;
    case TermKind::FloorDiv:
      term = llvm::divideFloorSigned(operand(0), operand(1));
      break;
    case TermKind::Mod: {
      int64_t divisor = operand(1);
      term = operand(0) - llvm::divideFloorSigned(operand(0), divisor) * divisor;
      break;
    }
    case TermKind::Min:
    case TermKind::Max:
      term = operand(0);
      for (unsigned i = 1; i < s.term->operands.size(); ++i)
        term = s.term->kind == TermKind::Min ? std::min(term, operand(i)) : std::max(term, operand(i));
      break;
    case TermKind::Product:
      term = multiply(operand(0), operand(1));
      break;
    }
    value = add(value, multiply(s.factor, term));
  }
  return value;
}

//===-- Printing --------------------------------------------------------------------------------------------------===//

static void printTerm(llvm::raw_ostream &os, const Expr::Term &term, StringRef rowName, ArrayRef<StringRef> names) {
  auto list = [&](StringRef function) {
    os << function << '(';
    llvm::interleaveComma(term.operands, os, [&](const Expr &e) { e.print(os, rowName, names); });
    os << ')';
  };
  auto infix = [&](StringRef op) {
    os << '(';
    term.operands[0].print(os, rowName, names);
    os << ") " << op << " (";
    term.operands[1].print(os, rowName, names);
    os << ')';
  };
  switch (term.kind) {
  case Expr::TermKind::Row:
    os << rowName;
    break;
  case Expr::TermKind::Symbol:
    os << names[term.symbol];
    break;
  case Expr::TermKind::FloorDiv:
    list("floordiv");
    break;
  case Expr::TermKind::Mod:
    list("mod");
    break;
  case Expr::TermKind::Min:
    list("min");
    break;
  case Expr::TermKind::Max:
    list("max");
    break;
  case Expr::TermKind::Product:
    infix("*");
    break;
  }
}

/// Without its sign, which the least number has no positive form for.
static uint64_t magnitude(int64_t number) { return number < 0 ? -static_cast<uint64_t>(number) : number; }

void Expr::print(llvm::raw_ostream &os, StringRef rowName, ArrayRef<StringRef> symbolNames) const {
  bool first = true;
  for (const Summand &s : sum) {
    os << (first ? (s.factor < 0 ? "-" : "") : (s.factor < 0 ? " - " : " + "));
    if (s.factor != 1 && s.factor != -1)
      os << magnitude(s.factor) << " * ";
    printTerm(os, *s.term, rowName, symbolNames);
    first = false;
  }
  if (first)
    os << constantPart;
  else if (constantPart)
    os << (constantPart < 0 ? " - " : " + ") << magnitude(constantPart);
}
