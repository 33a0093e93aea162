// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The columns of a grid to either side, of which the outer ones have but one: classes of keys that may not exist.
//
//   |p mod width - t mod width| <= 1

attn.pattern @columns_beside(%width: index = 16) {
  %row, %column = attn.grid [%width]
  %near = attn.window left(1) right(1) on %column
  attn.yield %near
}
