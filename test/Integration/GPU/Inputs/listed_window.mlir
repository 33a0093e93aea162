// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A narrow window for all, a wide one for the queries of a list: tiles of listed queries hold rows from anywhere, each
// of which looks at keys of its own.
//
//   p - near <= t <= p + near  or  p in tokens and p - far <= t <= p + far

attn.pattern @listed_window(%tokens: !attn.tokens = [0], %near: index = 8, %far: index = 256) {
  %beside = attn.window left(%near) right(%near)
  %listed = attn.global rows %tokens
  %around = attn.window left(%far) right(%far)
  %wide = attn.intersect %listed, %around
  %pairs = attn.union %beside, %wide
  attn.yield %pairs
}
