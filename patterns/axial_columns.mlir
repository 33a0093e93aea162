// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Axial attention along columns (Ho et al., 2019): the keys in the query's column of an image that has `width` columns.
//
//   A(i) = { j : j mod width = i mod width }

attn.pattern @axial_columns(%width: index = 64) one_sequence {
  %row, %column = attn.grid [%width]
  %same_column = attn.window left(0) right(0) on %column
  attn.yield %same_column
}
