// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Extended Transformer Construction (Ainslie et al., 2020): the first `global` tokens see all and are seen by all, the
// long input behind them looks at `radius` tokens to each side, in one softmax with the global ones. Its relative labels
// are a score: scores/etc_labels.
//
//   A(i) = [0, n)                                       for i < global
//   A(i) = { j : |i - j| <= radius } + [0, global)      for i >= global

attn.pattern @etc(%global: index = 16, %radius: index = 84) one_sequence {
  %hub = attn.range both below(%global)
  %near = attn.window left(%radius) right(%radius)
  %pairs = attn.union %near, %hub
  attn.yield %pairs
}
