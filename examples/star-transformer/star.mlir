// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The two attentions of a Star-Transformer layer (Guo et al., 2019). Both are calls of their own, for the relay looks at
// satellites that are already new.
//
// star_satellites: the queries are the n satellites. The keys are 2n + 1 rows: the satellites, the embeddings of their
// tokens, and the relay. Query rows stand at 0, 1, ...: call it with query offset 0.
//
//   A(i) = { i - 1, i, i + 1 } within the satellites  +  { n + i }  +  { 2n }
//
// Its embedding is the one key that stands n positions after the query: up to there, without what is up to before it.

attn.pattern @star_satellites() {
  %n = attn.extent queries
  %one = arith.constant 1 : index
  %before = arith.subi %n, %one : index
  %two_n = arith.addi %n, %n : index
  %near = attn.window left(1) right(1)
  %satellites = attn.range columns below(%n)
  %neighbours = attn.intersect %near, %satellites
  %up_to_own = attn.window right(%n)
  %up_to_previous = attn.window right(%before)
  %embedding = attn.minus %up_to_own, %up_to_previous
  %relay = attn.range columns from(%two_n)
  %pairs = attn.union %neighbours, %embedding, %relay
  attn.yield %pairs
}

// star_relay: one query, the relay; the keys are the relay itself and the satellites.

attn.pattern @star_relay() {
  %pairs = attn.full
  attn.yield %pairs
}
