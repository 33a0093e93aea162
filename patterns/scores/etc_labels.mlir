// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Relative labels of ETC (Ainslie et al., 2020): the query meets a vector, and adds a number, of its relation to the key.
// In the long input the relation is the distance, clipped to 12: 0 for itself, 1 ... 12 to the right, 13 ... 24 to the
// left. Pairs with a global token, of which there are `global` in front, have labels of their own: 25 long to global, 26
// global to long, 27 global to global.
//
//   s' = s + scale (q_i . labels[h, id] + biases[h, id])

attn.score @etc_labels(%labels: !attn.array<[heads, 28, head_size]>, %biases: !attn.array<[heads, 28]>,
                       %global: index = 16) (%s, %b, %h, %i, %j) {
  %zero = arith.constant 0 : index
  %clip = arith.constant 12 : index
  %step = arith.subi %j, %i : index
  %back = arith.subi %i, %j : index
  %ahead = arith.maxsi %step, %zero : index
  %to_the_right = arith.minsi %ahead, %clip : index
  %behind = arith.maxsi %back, %zero : index
  %behind_clipped = arith.minsi %behind, %clip : index
  %to_the_left = arith.addi %behind_clipped, %clip : index
  %is_left = arith.cmpi sgt, %back, %zero : index
  %by_distance = arith.select %is_left, %to_the_left, %to_the_right : index
  %near = attn.query_dot %labels[%h, %by_distance] : !attn.array<[heads, 28, head_size]>
  %long_to_global = arith.constant 25 : index
  %global_to_long = arith.constant 26 : index
  %global_to_global = arith.constant 27 : index
  %up = attn.query_dot %labels[%h, %long_to_global] : !attn.array<[heads, 28, head_size]>
  %down = attn.query_dot %labels[%h, %global_to_long] : !attn.array<[heads, 28, head_size]>
  %across = attn.query_dot %labels[%h, %global_to_global] : !attn.array<[heads, 28, head_size]>
  %query_is_global = arith.cmpi slt, %i, %global : index
  %key_is_global = arith.cmpi slt, %j, %global : index
  %from_global = arith.select %key_is_global, %across, %down : f32
  %from_long = arith.select %key_is_global, %up, %near : f32
  %term = arith.select %query_is_global, %from_global, %from_long : f32
  %id_from_global = arith.select %key_is_global, %global_to_global, %global_to_long : index
  %id_from_long = arith.select %key_is_global, %long_to_global, %by_distance : index
  %id = arith.select %query_is_global, %id_from_global, %id_from_long : index
  %bias = attn.load %biases[%h, %id] : !attn.array<[heads, 28]>
  %scale = attn.scale
  %scaled_bias = arith.mulf %bias, %scale : f32
  %with_term = arith.addf %s, %term : f32
  %labelled = arith.addf %with_term, %scaled_bias : f32
  attn.yield %labelled : f32
}
