// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ALiBi (Press, Smith and Lewis, 2022): a penalty that grows with the distance, at a slope of its own for each head.
// The paper's formula holds for any number of heads here; its authors interpolate where that is no power of two.
//
//   s'(h, i, j) = s - slope(h) |i - j|,    slope(h) = 2^(-8 (h + 1) / heads)

attn.score @alibi() (%s, %b, %h, %i, %j) {
  %one = arith.constant 1 : index
  %number = arith.addi %h, %one : index
  %heads = attn.extent heads
  %number_whole = arith.index_cast %number : index to i64
  %number_real = arith.sitofp %number_whole : i64 to f32
  %heads_whole = arith.index_cast %heads : index to i64
  %heads_real = arith.sitofp %heads_whole : i64 to f32
  %share = arith.divf %number_real, %heads_real : f32
  %octave = arith.constant -8.0 : f32
  %exponent = arith.mulf %share, %octave : f32
  %slope = math.exp2 %exponent : f32

  %step = arith.subi %j, %i : index
  %step_whole = arith.index_cast %step : index to i64
  %step_real = arith.sitofp %step_whole : i64 to f32
  %distance = math.absf %step_real : f32
  %penalty = arith.mulf %slope, %distance : f32
  %biased = arith.subf %s, %penalty : f32
  attn.yield %biased : f32
}
