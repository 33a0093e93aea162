// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Axial attention (Ho et al., 2019), both axes in one softmax: the keys in the query's row or column of an image that has
// `width` columns. The last row may be partial. axial_rows and axial_columns are the two axes alone, as they are stacked.
//
//   A(i) = { j : j floordiv width = i floordiv width  or  j mod width = i mod width }

attn.pattern @axial(%width: index = 64) one_sequence {
  %row, %column = attn.grid [%width]
  %same_row = attn.window left(0) right(0) on %row
  %same_column = attn.window left(0) right(0) on %column
  %pairs = attn.union %same_row, %same_column
  attn.yield %pairs
}
