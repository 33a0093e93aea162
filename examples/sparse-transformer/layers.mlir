// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sparse Transformer, strided, in its form by layers (Child et al., 2019): layers look in turn at the last `stride` tokens
// and at every stride-th token before the query. Two kernels of one file; --kernel chooses.

attn.pattern @local(%stride: index = 128) {
  %one = arith.constant 1 : index
  %previous = arith.subi %stride, %one : index
  %near = attn.window left(%previous) right(0)
  attn.yield %near
}

attn.pattern @column(%stride: index = 128) {
  %same = attn.congruent (query - key) mod(%stride)
  %past = attn.causal
  %pairs = attn.intersect %same, %past
  attn.yield %pairs
}
