// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Axial attention along rows (Ho et al., 2019): the keys in the query's row of an image that has `width` columns.
//
//   A(i) = { j : j floordiv width = i floordiv width }

attn.pattern @axial_rows(%width: index = 64) one_sequence {
  %row, %column = attn.grid [%width]
  %same_row = attn.window left(0) right(0) on %row
  attn.yield %same_row
}
