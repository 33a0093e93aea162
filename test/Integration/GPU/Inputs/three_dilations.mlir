// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Windows of dilation 1, 2 and 3: three stages, of which each goes on from the one before. Taps that an earlier window
// has are a hole, or, where both are dilated, tested.
//
//   0 <= d <= near  or  d mod 2 = 0 and |d| <= 2 middle  or  d mod 3 = 0 and 0 <= d <= 3 far,   d = p - t

attn.pattern @three_dilations(%near: index = 5, %middle: index = 20, %far: index = 40) {
  %first = attn.window left(%near) right(0)
  %second = attn.window left(%middle) right(%middle) dilation(2)
  %third = attn.window left(%far) right(0) dilation(3)
  %pairs = attn.union %first, %second, %third
  attn.yield %pairs
}
