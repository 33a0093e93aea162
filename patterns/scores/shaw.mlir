// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Relative positions on the keys (Shaw et al., 2018): the query meets a vector of the distance, which is clipped to 16 to
// each side; vectors are shared by the heads.
//
//   s' = s + scale q_i . relative[clip(j - i, -16, 16) + 16]

attn.score @shaw(%relative: !attn.array<[33, head_size]>) (%s, %b, %h, %i, %j) {
  %distance = arith.subi %j, %i : index
  %most = arith.constant 16 : index
  %shifted = arith.addi %distance, %most : index
  %zero = arith.constant 0 : index
  %last = arith.constant 32 : index
  %low = arith.maxsi %shifted, %zero : index
  %id = arith.minsi %low, %last : index
  %term = attn.query_dot %relative[%id] : !attn.array<[33, head_size]>
  %moved = arith.addf %s, %term : f32
  attn.yield %moved : f32
}
