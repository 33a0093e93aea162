// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Judges a kernel's output: it may be wrong by about as much as eager attention in the same element type is.

#include "attn/Reference/Judge.h"
#include <algorithm>
#include <cmath>
#include <cstdlib>
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
  std::abort(); // all element types are listed
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
static double tolerance(const std::vector<double> &exact, const std::vector<float> &eager, double k,
                        FloatFormat format) {
  double largest = 0, eagerError = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    if (!std::isfinite(exact[i]))
      continue;
    largest = std::max(largest, std::fabs(exact[i]));
    if (std::isfinite(eager[i]))
      eagerError = std::max(eagerError, std::fabs(eager[i] - exact[i]));
  }
  return k * eagerError + 2 * ulpAt(largest, format);
}

static double maxError(const std::vector<double> &exact, const std::vector<float> &given) {
  if (given.size() != exact.size())
    return infinity;
  double error = 0;
  for (size_t i = 0; i < exact.size(); ++i)
    error = std::max(error, errorOf(given[i], exact[i]));
  return error;
}

Verdict attn::reference::judge(const Expected &expected, Element element, const std::vector<float> &output,
                               const std::vector<float> &lse) {
  double k = element == Element::F32 ? 10 : 1.1;
  Verdict verdict;
  verdict.maxError = maxError(expected.output, output);
  verdict.lseErrorRatio =
      maxError(expected.lse, lse) / tolerance(expected.lse, expected.eagerLse, k, formatOf(Element::F32));
  double outputRatio = verdict.maxError / tolerance(expected.output, expected.eagerOutput, k, formatOf(element));
  verdict.errorRatio = std::max(outputRatio, verdict.lseErrorRatio);
  verdict.ok = verdict.errorRatio <= 1;
  return verdict;
}
