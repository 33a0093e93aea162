// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Longformer (Beltagy et al., 2020): 256 tokens to each side, and global tokens that see all and are seen by all.
//
//   A(i) = { j : i - left <= j <= i + right } + global        for i not in global
//   A(i) = [0, m)                                             for i in global

attn.pattern @longformer(%global: !attn.tokens = [0], %left: index = 256, %right: index = 256) {
  %near = attn.window left(%left) right(%right)
  %hub = attn.global %global
  %pairs = attn.union %near, %hub
  attn.yield %pairs
}
