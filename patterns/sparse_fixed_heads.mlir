// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sparse Transformer, fixed, in its form by heads (Child et al., 2019): even heads look at the tokens before the query in
// its block of `stride`, odd ones at `summary` positions of every block. Where in the block these begin is a parameter
// of the head, as in the block-sparse release.
//
//   A(h, i) = { j <= i : j floordiv stride = i floordiv stride }                              for even h
//   A(h, i) = { j <= i : first(h) <= j mod stride < first(h) + summary }                      for odd h

attn.pattern @sparse_fixed_heads(%stride: index = 128, %summary: index = 8, %first: !attn.per_head = [120]) {
  %one = arith.constant 1 : index
  %begin = attn.of_head %first
  %end = arith.addi %begin, %summary : index
  %last = arith.subi %end, %one : index
  %even = attn.congruent head mod(2)
  %own = attn.block_local %stride
  %of_even = attn.intersect %even, %own
  %summaries = attn.congruent key mod(%stride) from(%begin) to(%last)
  %of_odd = attn.minus %summaries, %even
  %either = attn.union %of_even, %of_odd
  %past = attn.causal
  %pairs = attn.intersect %either, %past
  attn.yield %pairs
}
