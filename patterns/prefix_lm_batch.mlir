// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Prefix language model (T5, Raffel et al., 2020) with a prefix of its own for each batch: causal, but the first
// `prefix` keys of the batch are seen by all.
//
//   A(b, i) = { j : j <= i  or  j < prefix(b) }

attn.pattern @prefix_lm_batch(%prefix: !attn.lengths) {
  %past = attn.causal
  %end = attn.of_batch %prefix
  %seen = attn.range columns below(%end)
  %pairs = attn.union %past, %seen
  attn.yield %pairs
}
