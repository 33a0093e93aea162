// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Image Transformer, 1-D local (Parmar et al., 2018), causal: the queries of a block look at their block and the one before
// it, up to themselves.
//
//   A(i) = { j <= i : j floordiv block >= i floordiv block - 1 }

attn.pattern @image_1d(%block: index = 256) {
  %memory = attn.block_local %block before(%block)
  %past = attn.causal
  %pairs = attn.intersect %memory, %past
  attn.yield %pairs
}
