// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tolerance rule: how wrong a kernel's output may be. It is plain C++, so that a machine without LLVM judges by the
// very rule of the machine that computed what is expected.

#ifndef ATTN_REFERENCE_JUDGE_H
#define ATTN_REFERENCE_JUDGE_H

#include <vector>

namespace attn::reference {

enum class Element { F32, BF16, F16 };

/// What a call should give. Arrays are dense, in C order.
struct Expected {
  std::vector<double> output;     // [batch, heads, length, value head size], float64
  std::vector<double> lse;        // [batch, heads, length]
  std::vector<float> eagerOutput; // what a framework's eager attention gives: rounded where PyTorch rounds
  std::vector<float> eagerLse;
};

/// The verdict of the tolerance rule: a kernel may be wrong by about as much as eager attention is. An error ratio is
///   max|x - f64| / (k * max|eager - f64| + 2 ulp at max|f64|),  k = 1.1 for 16-bit element types, 10 for f32,
/// over the whole tensor, with ulps of the element type for the output and of f32 for lse. NaN and infinities have to
/// stand exactly where the float64 result has them; one elsewhere, or a missing row, makes the ratio infinite. Where
/// only eager attention is not finite (an f16 score overflows), its error does not count.
struct Verdict {
  bool ok = false;
  double maxError = 0;   // of the output
  double errorRatio = 0; // the larger of output and lse
  double lseErrorRatio = 0;
};
Verdict judge(const Expected &expected, Element element, const std::vector<float> &output,
              const std::vector<float> &lse);

} // namespace attn::reference

#endif // ATTN_REFERENCE_JUDGE_H
