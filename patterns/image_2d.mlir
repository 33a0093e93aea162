// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Image Transformer, 2-D local (Parmar et al., 2018), causal: an image of `width` columns is cut into blocks of queries;
// they are generated block by block, each in row-major order. A query looks at the pixels of its block and of a flange
// around it that were generated before it, and at itself.
//
//   A(i) = { j : j is at most flange_rows above or below and flange_columns beside the block of i, raster(j) <= raster(i) }

attn.pattern @image_2d(%width: index = 64, %query_rows: index = 16, %query_columns: index = 16,
                       %flange_rows: index = 16, %flange_columns: index = 32) one_sequence {
  %row, %column = attn.grid [%width]
  %rows = attn.block_local %query_rows before(%flange_rows) after(%flange_rows) on %row
  %columns = attn.block_local %query_columns before(%flange_columns) after(%flange_columns) on %column
  %place = attn.raster %row, %column blocks [%query_rows, %query_columns]
  %past = attn.causal on %place
  %pairs = attn.intersect %rows, %columns, %past
  attn.yield %pairs
}
