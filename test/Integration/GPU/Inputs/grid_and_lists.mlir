// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A window of a grid in all of its rows, and two lists of keys: classes leave listed keys out, and so does one list of the
// other.
//
//   |p mod width - t mod width| <= 1  or  t in first  or  t in second

attn.pattern @grid_and_lists(%first: !attn.tokens = [0], %second: !attn.tokens = [1], %width: index = 16) {
  %row, %column = attn.grid [%width]
  %beside = attn.window left(1) right(1) on %column
  %hub = attn.global columns %first
  %other_hub = attn.global columns %second
  %pairs = attn.union %beside, %hub, %other_hub
  attn.yield %pairs
}
