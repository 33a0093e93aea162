// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A supplied bias, added to every score: an attention mask of floats, or the scores of the layer before (RealFormer, He
// et al., 2021). An axis of the array may be shared by a stride of 0.
//
//   s' = s + bias[b, h, i, j]

attn.score @bias(%bias: !attn.array<[batch, heads, queries, keys]>) (%s, %b, %h, %i, %j) {
  %given = attn.load %bias[%b, %h, %i, %j] : !attn.array<[batch, heads, queries, keys]>
  %biased = arith.addf %s, %given : f32
  attn.yield %biased : f32
}
