// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sparse Transformer, strided (Child et al., 2019): the last `stride` tokens, and every stride-th one before them; both
// in one softmax.
//
//   A(i) = { j : i - stride < j <= i } + { j : j <= i, (i - j) mod stride = 0 }

attn.pattern @sparse_strided(%stride: index = 128) {
  %one = arith.constant 1 : index
  %previous = arith.subi %stride, %one : index
  %local = attn.window left(%previous) right(0)
  %column = attn.congruent (query - key) mod(%stride)
  %past = attn.causal
  %strided = attn.intersect %column, %past
  %pairs = attn.union %local, %strided
  attn.yield %pairs
}
