// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decoder attention (Vaswani et al., 2017): every query looks at its own position and those before it. Where lengths
// differ, the last query row stands beside the last key row.
//
//   A(i) = { j : j <= i }

attn.pattern @causal() {
  %past = attn.causal
  attn.yield %past
}
