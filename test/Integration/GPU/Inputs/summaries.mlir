// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every `stride`-th token sees all and is seen by all, beside a window: rows that one phase owns, and keys that come in
// runs of one, with a hole where the window has taken them already.
//
//   p - near <= t <= p + near  or  p mod stride = 0  or  t mod stride = 0

attn.pattern @summaries(%stride: index = 16, %near: index = 20) {
  %beside = attn.window left(%near) right(%near)
  %rows = attn.congruent query mod(%stride)
  %columns = attn.congruent key mod(%stride)
  %pairs = attn.union %beside, %rows, %columns
  attn.yield %pairs
}
