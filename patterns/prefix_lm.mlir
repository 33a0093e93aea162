// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Prefix language model (T5, Raffel et al., 2020): causal, but the first `prefix` keys are seen by all. A prefix past the
// end is cut there. prefix_lm_batch takes one length for each batch.
//
//   A(i) = { j : j <= i  or  j < prefix }

attn.pattern @prefix_lm(%prefix: index = 128) {
  %past = attn.causal
  %seen = attn.range columns below(%prefix)
  %pairs = attn.union %past, %seen
  attn.yield %pairs
}
