// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Longformer with windows and dilations of their own for each head (Beltagy et al., 2020), and global tokens that see all
// and are seen by all. Bounds count taps. Layers differ by the arguments of their calls.
//
//   A(h, i) = { i + t dilation(h) : -left(h) <= t <= right(h) } + global        for i not in global
//   A(h, i) = [0, m)                                                            for i in global

attn.pattern @longformer_heads(%global: !attn.tokens = [0], %left: !attn.per_head = [256],
                               %right: !attn.per_head = [256], %dilation: !attn.per_head = [1]) {
  %before = attn.of_head %left
  %after = attn.of_head %right
  %step = attn.of_head %dilation
  %near = attn.window left(%before) right(%after) dilation(%step)
  %hub = attn.global %global
  %pairs = attn.union %near, %hub
  attn.yield %pairs
}
