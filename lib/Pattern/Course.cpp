// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Finds the lines that expressions consist of.

#include "attn/Pattern/Course.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <cstdlib>

using namespace attn;

namespace {

/// value + slope * n in the n-th of `rows` rows.
struct Line {
  int64_t value, slope, rows;

  // No line within these limits leaves 64 bits, and no sum of two.
  static constexpr int64_t mostRows = int64_t(1) << 31;
  static constexpr int64_t mostValue = int64_t(1) << 60, mostSlope = int64_t(1) << 28;

  static std::optional<Line> make(int64_t value, int64_t slope, int64_t rows) {
    if (value < -mostValue || value > mostValue || slope < -mostSlope || slope > mostSlope)
      return std::nullopt;
    return Line{value, slope, rows};
  }
};

/// The line of an expression from a row on. None where numbers are so large that sums may stay at the ends of 64 bits.
class LineFinder {
public:
  LineFinder(int64_t row, llvm::ArrayRef<int64_t> symbols) : row(row), symbols(symbols) {}

  std::optional<Line> find(const Expr &expr) const {
    std::optional<Line> sum = Line::make(expr.constantSummand(), 0, Line::mostRows);
    for (const Expr::Summand &summand : expr.summands()) {
      std::optional<Line> term = find(*summand.term), factor = Line::make(summand.factor, 0, Line::mostRows);
      std::optional<Line> product = term && factor ? multiply(*term, *factor) : std::nullopt;
      if (!sum || !product)
        return std::nullopt;
      sum = Line::make(sum->value + product->value, sum->slope + product->slope, std::min(sum->rows, product->rows));
    }
    return sum;
  }

private:
  std::optional<Line> find(const Expr::Term &term) const {
    switch (term.kind) {
    case Expr::TermKind::Row:
      return Line::make(row, 1, Line::mostRows);
    case Expr::TermKind::Symbol:
      return Line::make(symbols[term.symbol], 0, Line::mostRows);
    default:
      break;
    }
    std::optional<Line> result = find(term.operands.front());
    for (unsigned i = 1; result && i < term.operands.size(); ++i) {
      std::optional<Line> operand = find(term.operands[i]);
      result = operand ? combine(term.kind, *result, *operand) : std::nullopt;
    }
    return result;
  }

  static std::optional<Line> combine(Expr::TermKind kind, const Line &a, const Line &b) {
    switch (kind) {
    case Expr::TermKind::Min:
      return lower(a, b);
    case Expr::TermKind::Max:
      return negative(lower(negative(a), negative(b)));
    case Expr::TermKind::Product:
      return multiply(a, b);
    default:
      return divide(kind, a, b);
    }
  }

  static Line negative(const Line &line) { return {-line.value, -line.slope, line.rows}; }

  /// The lower one of two lines, up to where they cross.
  static Line lower(const Line &a, const Line &b) {
    bool isFirst = std::make_pair(a.value, a.slope) <= std::make_pair(b.value, b.slope);
    const Line &below = isFirst ? a : b, &above = isFirst ? b : a;
    int64_t rows = std::min(a.rows, b.rows), approach = below.slope - above.slope;
    if (approach > 0)
      rows = std::min(rows, (above.value - below.value) / approach + 1);
    return {below.value, below.slope, rows};
  }

  static std::optional<Line> multiply(const Line &a, const Line &b) {
    int64_t rows = std::min(a.rows, b.rows), value, atSlope, bySlope;
    if (a.slope && b.slope)
      rows = 1;
    if (__builtin_mul_overflow(a.value, b.value, &value) || __builtin_mul_overflow(a.slope, b.value, &atSlope) ||
        __builtin_mul_overflow(a.value, b.slope, &bySlope))
      return std::nullopt;
    return Line::make(value, rows == 1 ? 0 : atSlope + bySlope, rows);
  }

  /// A quotient or a remainder by a number above 0, up to where the quotient changes, or, where each row adds a
  /// multiple of the divisor, all along.
  static std::optional<Line> divide(Expr::TermKind kind, const Line &dividend, const Line &divisor) {
    if (divisor.slope || divisor.value <= 0)
      return std::nullopt;
    int64_t by = divisor.value, quotient = llvm::divideFloorSigned(dividend.value, by);
    int64_t remainder = dividend.value - quotient * by, slope = dividend.slope;
    int64_t rows = std::min(dividend.rows, divisor.rows);
    bool isSteady = slope % by == 0;
    if (!isSteady)
      rows = std::min(rows, slope > 0 ? (by - remainder - 1) / slope + 1 : remainder / -slope + 1);
    if (kind == Expr::TermKind::FloorDiv)
      return Line::make(quotient, isSteady ? slope / by : 0, rows);
    return Line::make(remainder, isSteady ? 0 : slope, rows);
  }

  int64_t row;
  llvm::ArrayRef<int64_t> symbols;
};

} // namespace

void Course::turnTo(int64_t row) {
  ++count;
  std::optional<Line> found = LineFinder(row, symbols).find(expr);
  Line line = found ? *found : Line{expr.evaluate(row, symbols), 0, 1};
  begin = row, end = row + line.rows, value = line.value, slope = line.slope;
}
