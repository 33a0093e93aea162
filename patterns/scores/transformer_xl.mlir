// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Transformer-XL (Dai et al., 2019): query and key meet with a bias u for each head, and the query, with a bias v, meets a
// projected vector of the distance i - j, which is clamped at the last one (clamp_len). The memory of earlier segments
// is the keys in front: kv_length = memory + length, and rows stand where they stand by default.
//
//   s' = scale ((q_i + u) . k_j + (q_i + v) . relative[i - j])

attn.score @transformer_xl(%u: !attn.array<[heads, head_size]>, %v: !attn.array<[heads, head_size]>,
                           %relative: !attn.array<[heads, ?, head_size]>) (%s, %b, %h, %i, %j) {
  %distance = arith.subi %i, %j : index
  %content = attn.key_dot %u[%h] : !attn.array<[heads, head_size]>
  %position = attn.query_dot %relative[%h, %distance] clamped : !attn.array<[heads, ?, head_size]>
  %prior = attn.row_dot %v[%h], %relative[%h, %distance] clamped
      : !attn.array<[heads, head_size]>, !attn.array<[heads, ?, head_size]>
  %by_content = arith.addf %s, %content : f32
  %by_position = arith.addf %by_content, %position : f32
  %all = arith.addf %by_position, %prior : f32
  attn.yield %all : f32
}
