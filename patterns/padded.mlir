// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Padded batches: keys at and past a batch's length are masked. Query rows past the length still get an output.
//
//   A(i) = { j : j < lengths[b] }

attn.pattern @padded(%lengths: !attn.lengths) {
  %present = attn.padded %lengths
  attn.yield %present
}
