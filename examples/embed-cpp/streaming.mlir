// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// StreamingLLM (Xiao et al., 2023): a causal window, and the first keys of all, on which attention settles.
//
//   A(i) = { j : i - left <= j <= i  or  j < first and j <= i }

attn.pattern @streaming(%first: index = 4, %left: index = 1024) {
  %near = attn.window left(%left) right(0)
  %begin = attn.range columns below(%first)
  %past = attn.causal
  %sinks = attn.intersect %begin, %past
  %pairs = attn.union %near, %sinks
  attn.yield %pairs
}
