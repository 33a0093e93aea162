// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Talking heads (Shazeer et al., 2020), the mix before the softmax: a head's scores are sums over all heads' products.
// The mix after the softmax is linear in the outputs and needs no kernel of its own.
//
//   s'(h) = scale sum_g weights[h, g] q_g . k_g

attn.score @talking_heads(%weights: !attn.array<[heads, heads]>) (%s, %b, %h, %i, %j) {
  %mixed = attn.mixed_dot %weights[%h] : !attn.array<[heads, heads]>
  attn.yield %mixed : f32
}
