// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A clipped window of an image, and tokens that all rows see: patches leave these out.
//
//   |p div width - t div width| <= 3 and |p mod width - t mod width| <= 4  or  t in tokens

attn.pattern @patches_and_list(%tokens: !attn.tokens = [0], %width: index = 16) {
  %row, %column = attn.grid [%width]
  %above_and_below = attn.window left(3) right(3) on %row
  %beside = attn.window left(4) right(4) on %column
  %near = attn.intersect %above_and_below, %beside
  %hub = attn.global columns %tokens
  %pairs = attn.union %near, %hub
  attn.yield %pairs
}
