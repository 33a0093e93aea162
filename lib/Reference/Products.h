// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums, and products of rows: what matrix multiplications are made of.

#ifndef ATTN_LIB_REFERENCE_PRODUCTS_H
#define ATTN_LIB_REFERENCE_PRODUCTS_H

#include "Rounding.h"

namespace attn::reference {

/// Adds up term(0), term(1), ... in `lanes` partial sums, as vector registers do.
template <typename Number, int lanes, typename Term> Number sumOf(int64_t size, Term term) {
  Number sums[lanes] = {};
  int64_t begin = 0;
  for (; begin + lanes <= size; begin += lanes)
    for (int lane = 0; lane < lanes; ++lane)
      sums[lane] += term(begin + lane);
  for (int lane = 0; begin + lane < size; ++lane)
    sums[lane] += term(begin + lane);
  for (int half = lanes / 2; half > 0; half /= 2)
    for (int lane = 0; lane < half; ++lane)
      sums[lane] += sums[lane + half];
  return sums[0];
}

/// scale * a.b
template <typename RowA, typename RowB> double exactProduct(const RowA &a, const RowB &b, int64_t size, double scale) {
  return scale * sumOf<double, 8>(size, [&](int64_t c) { return double(a[c]) * double(b[c]); });
}

/// The same in two steps, a matrix multiplication and the scaling of its result, which both give the element type.
template <typename RowA, typename RowB>
float eagerProduct(const RowA &a, const RowB &b, int64_t size, double scale, Element element) {
  float product = sumOf<float, 16>(size, [&](int64_t c) { return a[c] * b[c]; });
  return rounded(element, rounded(element, product) * static_cast<float>(scale));
}

} // namespace attn::reference

#endif // ATTN_LIB_REFERENCE_PRODUCTS_H
