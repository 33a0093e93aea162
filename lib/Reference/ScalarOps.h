// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the ops of arith and math compute, as functions of registers.

#ifndef ATTN_LIB_REFERENCE_SCALAROPS_H
#define ATTN_LIB_REFERENCE_SCALAROPS_H

#include "attn/Reference/RegionProgram.h"
#include <cmath>
#include <limits>
#include <utility>

namespace attn::reference {

/// Where an instruction finds an operand, and how many bits of it count when it is read as an unsigned number.
struct Operand {
  unsigned slot;
  unsigned width;
};

/// What an op computes, given as a plain function. The types of its parameters say how operands are read: `double`,
/// `int64_t` (signed), `uint64_t` (unsigned, from the operand's own width), `bool`, or `Scalar` (as it is).
class Meaning {
public:
  template <typename Function> Meaning(Function function) : Meaning(+function) {}
  template <typename Result, typename... Parameters>
  Meaning(Result (*function)(Parameters...))
      : erased(reinterpret_cast<Erased>(function)), apply(&Meaning::call<Result (*)(Parameters...), Parameters...>),
        arity(sizeof...(Parameters)) {}

  Scalar operator()(const Operand *operands, const Scalar *registers) const {
    return apply(erased, operands, registers);
  }
  unsigned numOperands() const { return arity; }

private:
  using Erased = void (*)();

  template <typename T> static T read(const Operand &operand, const Scalar *registers);
  static Scalar result(double value);
  static Scalar result(int64_t value);
  static Scalar result(uint64_t value) { return result(static_cast<int64_t>(value)); }
  static Scalar result(bool value) { return result(static_cast<int64_t>(value)); }
  static Scalar result(Scalar value) { return value; }

  template <typename Function, typename... Parameters>
  static Scalar call(Erased erased, const Operand *operands, const Scalar *registers) {
    return expand<Function, Parameters...>(erased, operands, registers, std::index_sequence_for<Parameters...>());
  }
  template <typename Function, typename... Parameters, size_t... Index>
  static Scalar expand(Erased erased, const Operand *operands, const Scalar *registers, std::index_sequence<Index...>) {
    return result(reinterpret_cast<Function>(erased)(read<Parameters>(operands[Index], registers)...));
  }

  Erased erased;
  Scalar (*apply)(Erased, const Operand *, const Scalar *);
  unsigned arity;
};

/// What an op of arith or math computes; nothing if it is not known.
std::optional<Meaning> meaningOf(mlir::Operation *op);

/// The nearest whole number that fits, rounding toward zero; NaN gives 0.
template <typename Whole> Whole toWhole(double x) {
  constexpr Whole lowest = std::numeric_limits<Whole>::min(), highest = std::numeric_limits<Whole>::max();
  if (std::isnan(x))
    return 0;
  if (x <= static_cast<double>(lowest))
    return lowest;
  return x >= static_cast<double>(highest) ? highest : static_cast<Whole>(x);
}

} // namespace attn::reference

#endif // ATTN_LIB_REFERENCE_SCALAROPS_H
