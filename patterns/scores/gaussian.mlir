// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A Gaussian prior of locality (Guo et al., 2019): keys lose as the square of their distance, in units of sigma.
//
//   s' = s - (i - j)^2 / (2 sigma^2)

attn.score @gaussian(%sigma: f32 = 64.0) (%s, %b, %h, %i, %j) {
  %step = arith.subi %j, %i : index
  %step_whole = arith.index_cast %step : index to i64
  %step_real = arith.sitofp %step_whole : i64 to f32
  %deviations = arith.divf %step_real, %sigma : f32
  %square = arith.mulf %deviations, %deviations : f32
  %half = arith.constant 0.5 : f32
  %loss = arith.mulf %square, %half : f32
  %biased = arith.subf %s, %loss : f32
  attn.yield %biased : f32
}
