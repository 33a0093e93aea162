// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Judges a kernel's output: it may be wrong by about as much as eager attention in the same element type is.

#include "attn/Reference/Reference.h"
#include <algorithm>
#include <cmath>
#include <limits>

using namespace attn::reference;

static constexpr double infinity = std::numeric_limits<double>::infinity();

/// Bits of the fraction, and the exponent of the smallest normal number.
struct FloatFormat {
  int fractionBits, smallestExponent;
};

static FloatFormat formatOf(Element element) {
  switch (element) {
  case Element::F32:
    return {23, -126};
  case Element::BF16:
    return {7, -126};
  case Element::F16:
    return {10, -14};
  }
  llvm_unreachable("all element types are listed");
}

/// The step from `magnitude` to the next larger number of the format.
static double ulpAt(double magnitude, FloatFormat format) {
  int exponent = magnitude > 0 ? std::max(std::ilogb(magnitude), format.smallestExponent) : format.smallestExponent;
  return std::ldexp(1.0, exponent - format.fractionBits);
}

/// How far x is from the exact value. Both may be the same infinity, or NaN; else what is not finite is infinitely far.
static double errorOf(double x, double exact) {
  if (std::isnan(x) && std::isnan(exact))
    return 0;
  if (x == exact)
    return 0;
  return std::isfinite(x) && std::isfinite(exact) ? std::fabs(x - exact) : infinity;
}

/// k * max|eager - f64| + 2 ulp at max|f64|, over the places where both are finite: where an f16 score of eager
/// attention overflows, its error says nothing.
static double tolerance(llvm::ArrayRef<double> exact, llvm::ArrayRef<float> eager, double k, FloatFormat format) {
  double largest = 0, eagerError = 0;
  for (auto [wanted, rounded] : llvm::zip_equal(exact, eager)) {
    if (!std::isfinite(wanted))
      continue;
    largest = std::max(largest, std::fabs(wanted));
    if (std::isfinite(rounded))
      eagerError = std::max(eagerError, std::fabs(rounded - wanted));
  }
  return k * eagerError + 2 * ulpAt(largest, format);
}

static double maxError(llvm::ArrayRef<double> exact, llvm::ArrayRef<float> given) {
  if (given.size() != exact.size())
    return infinity;
  double error = 0;
  for (auto [wanted, x] : llvm::zip_equal(exact, given))
    error = std::max(error, errorOf(x, wanted));
  return error;
}

Verdict attn::reference::judge(const Result &expected, const Problem &problem, llvm::ArrayRef<float> output,
                               llvm::ArrayRef<float> lse) {
  if (!expected.complete)
    return {false, infinity, infinity, infinity};
  double k = problem.element == Element::F32 ? 10 : 1.1;
  FloatFormat element = formatOf(problem.element), f32 = formatOf(Element::F32);
  Verdict verdict;
  verdict.maxError = maxError(expected.output, output);
  verdict.lseErrorRatio = maxError(expected.lse, lse) / tolerance(expected.lse, expected.eagerLse, k, f32);
  double outputRatio = verdict.maxError / tolerance(expected.output, expected.eagerOutput, k, element);
  verdict.errorRatio = std::max(outputRatio, verdict.lseErrorRatio);
  verdict.ok = verdict.errorRatio <= 1;
  return verdict;
}
