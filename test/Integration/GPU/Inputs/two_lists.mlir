// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Two lists of tokens that see all and are seen by all, which may have some in common, and a window: three phases.
//
//   p - near <= t <= p + near  or  p or t in first  or  p or t in second

attn.pattern @two_lists(%first: !attn.tokens = [0], %second: !attn.tokens = [1], %near: index = 8) {
  %beside = attn.window left(%near) right(%near)
  %hub = attn.global %first
  %other_hub = attn.global %second
  %pairs = attn.union %beside, %hub, %other_hub
  attn.yield %pairs
}
