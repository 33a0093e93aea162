// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention sinks (gpt-oss, 2025): each head has a learned logit that takes part in the softmax like one more key whose
// value is 0. A row may so attend to nothing.
//
//   o_i = sum_j exp(s_ij) v_j / (exp(logit(h)) + sum_j exp(s_ij))

attn.score @sink(%logits: !attn.array<[heads]>) (%s, %b, %h, %i, %j) {
  attn.yield %s : f32
} sink (%b, %h, %i) {
  %logit = attn.load %logits[%h] : !attn.array<[heads]>
  attn.yield %logit : f32
}
