// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Star-Transformer (Guo et al., 2019), its satellites and its relay in one attention: row 0 is the relay, that sees all and
// is seen by all, and every other row looks at itself and its two neighbours. examples/star-transformer has the model's
// two attentions.
//
//   A(0) = [0, n)        A(i) = { i - 1, i, i + 1, 0 }

attn.pattern @star() one_sequence {
  %ring = attn.window left(1) right(1)
  %relay = attn.range both below(1)
  %pairs = attn.union %ring, %relay
  attn.yield %pairs
}
