// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whole-number expressions over one row and the symbols of a call. The bounds of a box are such expressions: closed
// forms, so that a plan needs no memory and one kernel serves every length.
//
// An expression is kept as a sum: constant + sum of (factor * term), where a term is the row, a symbol, or one of
// floor(a / b), a mod b, min(a, b, ...), max(a, b, ...), a * b. Sums are ordered and merged when they are built, so
// equal sums are equal values and `x - y` is a constant whenever x and y differ by one. Sums and products of numbers
// stay at the ends of 64 bits, as they do in the programs of lib/Runtime/kernel.h.

#ifndef ATTN_PATTERN_EXPR_H
#define ATTN_PATTERN_EXPR_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/Hashing.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <memory>
#include <optional>

namespace llvm {
class raw_ostream;
} // namespace llvm

namespace attn {

class Expr {
public:
  enum class TermKind : uint8_t { Row, Symbol, FloorDiv, Mod, Min, Max, Product };

  /// One summand without its factor. `symbol` is set for symbols, `operands` for the nested kinds.
  struct Term {
    TermKind kind;
    unsigned symbol = 0;
    std::vector<Expr> operands;
  };
  struct Summand {
    int64_t factor;
    std::shared_ptr<const Term> term;
  };

  Expr(int64_t constant = 0) : constantPart(constant) {}
  static Expr row();
  static Expr symbol(unsigned index);

  /// The value if it depends on nothing.
  std::optional<int64_t> asConstant() const;
  /// The term if it is nothing else: one summand, whose factor is 1.
  const Term *asTerm() const;
  bool dependsOnRow() const;
  /// Whether a symbol occurs for which `is` says so.
  bool anySymbol(llvm::function_ref<bool(unsigned symbol)> is) const;
  /// The most by which the value can be higher `rows` rows further on; nothing where that is not known. For expressions
  /// that never fall.
  std::optional<int64_t> rise(int64_t rows) const;
  /// Whether it is known that the value is nowhere lower than a row before, whatever the symbols are. A `no` means
  /// nothing.
  bool neverFalls() const;
  /// The value at `row`; symbols past the end of `symbols` must not occur.
  int64_t evaluate(int64_t row, llvm::ArrayRef<int64_t> symbols) const;

  /// The expression with another in place of the row.
  Expr at(const Expr &row) const;
  /// Whether it is known to be at most `other`, whatever the row and the symbols are. A `no` means nothing.
  bool isAtMost(const Expr &other) const;

  static Expr ofSummand(const Summand &summand);
  int64_t constantSummand() const { return constantPart; }
  llvm::ArrayRef<Summand> summands() const { return sum; }

  Expr operator+(const Expr &other) const;
  Expr operator-(const Expr &other) const;
  Expr operator*(const Expr &other) const;
  Expr operator-() const { return Expr(0) - *this; }
  bool operator==(const Expr &other) const;
  bool operator!=(const Expr &other) const { return !(*this == other); }

  /// Rounds towards minus infinity; `divisor` has to be positive.
  static Expr floorDiv(const Expr &dividend, const Expr &divisor);
  static Expr mod(const Expr &dividend, const Expr &divisor);
  static Expr min(llvm::ArrayRef<Expr> operands);
  static Expr max(llvm::ArrayRef<Expr> operands);
  /// 1 where the value is above 0, else 0.
  static Expr isPositive(const Expr &value) { return min({1, max({0, value})}); }

  /// Prints `max(0, i + query_offset - left)`, the row as `rowName` and symbol s as `symbolNames[s]`.
  void print(llvm::raw_ostream &os, llvm::StringRef rowName, llvm::ArrayRef<llvm::StringRef> symbolNames) const;

  friend llvm::hash_code hash_value(const Expr &expr);

private:
  /// Whether the constant and all factors are multiples of a number, by which they may be divided then.
  bool isMultipleOf(int64_t number) const;
  Expr dividedBy(int64_t number) const;
  static Expr fromTerm(Term term);
  static Expr ofTerm(const Term &term, std::vector<Expr> operands, const Expr &row);
  static Expr extremum(TermKind kind, llvm::ArrayRef<Expr> operands);
  /// A total order, used to keep sums sorted: -1, 0 or 1.
  static int compare(const Expr &a, const Expr &b);
  static int compare(const Term &a, const Term &b);

  int64_t constantPart;
  llvm::SmallVector<Summand, 4> sum;
};

} // namespace attn

#endif // ATTN_PATTERN_EXPR_H
