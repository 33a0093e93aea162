// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Neighborhood attention (Hassani et al., 2023) on an image of `width` columns: a window of rows x columns around the query,
// shifted back where it would reach past an edge, so that every query looks at as many keys. The last row may be
// partial. The image has to have as many rows and columns as the window.
//
//   A(i) = { j : begin(r) <= row(j) < begin(r) + rows, begin(c) <= column(j) < begin(c) + columns }
//   begin(x) = min(max(x - window floordiv 2, 0), extent - window)   along each axis

attn.pattern @neighborhood(%width: index = 64, %rows: index = 13, %columns: index = 13) one_sequence {
  %row, %column = attn.grid [%width]
  %above_and_below = attn.neighborhood %rows on %row
  %beside = attn.neighborhood %columns on %column
  %pairs = attn.intersect %above_and_below, %beside
  attn.yield %pairs
}
