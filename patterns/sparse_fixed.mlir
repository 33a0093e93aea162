// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sparse Transformer, fixed (Child et al., 2019): the tokens before the query in its block of `stride`, and the last
// `summary` positions of every block before it; both in one softmax.
//
//   A(i) = { j <= i : j floordiv stride = i floordiv stride } + { j <= i : j mod stride >= stride - summary }

attn.pattern @sparse_fixed(%stride: index = 128, %summary: index = 8) {
  %one = arith.constant 1 : index
  %first = arith.subi %stride, %summary : index
  %last = arith.subi %stride, %one : index
  %own = attn.block_local %stride
  %summaries = attn.congruent key mod(%stride) from(%first) to(%last)
  %either = attn.union %own, %summaries
  %past = attn.causal
  %pairs = attn.intersect %either, %past
  attn.yield %pairs
}
