// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A score that masks what is far from the query, and a sink: rows of nothing but -inf end at the sink, or, where that is
// -inf, too, at nothing.

attn.score @far_and_sink(%logits: !attn.array<[heads]>, %most: index = 40) (%s, %b, %h, %i, %j) {
  %ahead = arith.subi %j, %i : index
  %behind = arith.subi %i, %j : index
  %distance = arith.maxsi %ahead, %behind : index
  %is_far = arith.cmpi sgt, %distance, %most : index
  %nothing = arith.constant 0xFF800000 : f32
  %kept = arith.select %is_far, %nothing, %s : f32
  attn.yield %kept : f32
} sink (%b, %h, %i) {
  %logit = attn.load %logits[%h] : !attn.array<[heads]>
  attn.yield %logit : f32
}
