// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sparse Transformer, strided, in its form by heads (Child et al., 2019): even heads look at the last `stride` tokens, odd
// ones at every stride-th token before the query. examples/sparse-transformer has the form by layers.
//
//   A(h, i) = { j : i - stride < j <= i }                        for even h
//   A(h, i) = { j : j <= i, (i - j) mod stride = 0 }             for odd h

attn.pattern @sparse_strided_heads(%stride: index = 128) {
  %one = arith.constant 1 : index
  %previous = arith.subi %stride, %one : index
  %even = attn.congruent head mod(2)
  %local = attn.window left(%previous) right(0)
  %of_even = attn.intersect %even, %local
  %column = attn.congruent (query - key) mod(%stride)
  %past = attn.causal
  %strided = attn.intersect %column, %past
  %of_odd = attn.minus %strided, %even
  %pairs = attn.union %of_even, %of_odd
  attn.yield %pairs
}
