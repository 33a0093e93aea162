// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Dilated sliding window (Longformer, Beltagy et al., 2020): every dilation-th key near the query. Both bounds count
// such keys, and both are included.
//
//   A(i) = { i + t dilation : -left <= t <= right }

attn.pattern @dilated_window(%left: index = 256, %right: index = 256, %dilation: index = 4) {
  %taps = attn.window left(%left) right(%right) dilation(%dilation)
  attn.yield %taps
}
