// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sliding window: the keys near the query, both ends included.
//
//   A(i) = { j : i - left <= j <= i + right }

attn.pattern @sliding_window(%left: index = 256, %right: index = 256) {
  %near = attn.window left(%left) right(%right)
  attn.yield %near
}
