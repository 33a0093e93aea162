// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: attn-opt %s --split-input-file --verify-diagnostics

attn.pattern @window_left() {
  // expected-error@+1 {{'attn.window' op left is -1; it has to be at least 0}}
  %pairs = attn.window left(-1)
  attn.yield %pairs
}

// -----

attn.pattern @window_right() {
  %c = arith.constant -3 : index
  // expected-error@+1 {{'attn.window' op right is -3; it has to be at least 0}}
  %pairs = attn.window left(2) right(%c)
  attn.yield %pairs
}

// -----

attn.pattern @window_dilation() {
  // expected-error@+1 {{'attn.window' op dilation is 0; it has to be at least 1}}
  %pairs = attn.window left(2) right(2) dilation(0)
  attn.yield %pairs
}

// -----

attn.pattern @window_twice(%left: index = 1) {
  // expected-error@+1 {{'attn.window' op left is given twice, as a value and as 4}}
  %pairs = "attn.window"(%left) <{static_left = 4 : index, operandSegmentSizes = array<i32: 1, 0, 0, 0>}>
    : (index) -> !attn.pattern
  attn.yield %pairs
}

// -----

attn.pattern @causal_on_top_left() {
  %row, %column = attn.grid [8]
  // expected-error@+1 {{'attn.causal' op top_left aligns rows, which a coordinate does not have; leave out one of the two}}
  %pairs = attn.causal top_left on %row
  attn.yield %pairs
}

// -----

attn.pattern @block() {
  // expected-error@+1 {{'attn.block_local' op block is 0; it has to be at least 1}}
  %pairs = attn.block_local 0
  attn.yield %pairs
}

// -----

attn.pattern @block_before() {
  // expected-error@+1 {{'attn.block_local' op before is -1; it has to be at least 0}}
  %pairs = attn.block_local 4 before(-1)
  attn.yield %pairs
}

// -----

attn.pattern @block_after() {
  // expected-error@+1 {{'attn.block_local' op after is -2; it has to be at least 0}}
  %pairs = attn.block_local 4 after(-2)
  attn.yield %pairs
}

// -----

attn.pattern @no_block() {
  // expected-error@+1 {{'attn.block_local' op has no block; give a value or a literal}}
  %pairs = "attn.block_local"() <{operandSegmentSizes = array<i32: 0, 0, 0, 0>}> : () -> !attn.pattern
  attn.yield %pairs
}

// -----

attn.pattern @neighborhood_size() {
  %row, %column = attn.grid [8]
  // expected-error@+1 {{'attn.neighborhood' op size is 0; it has to be at least 1}}
  %pairs = attn.neighborhood 0 on %column
  attn.yield %pairs
}

// -----

attn.pattern @neighborhood_on_stream() {
  %first, %second = attn.stream [8]
  // expected-error@+1 {{'attn.neighborhood' op needs edges to shift the window back from, and this coordinate has none; use an axis of attn.grid}}
  %pairs = attn.neighborhood 3 on %first
  attn.yield %pairs
}

// -----

attn.pattern @neighborhood_on_offset(%ids: !attn.segments) {
  %offset = attn.offset %ids
  // expected-error@+1 {{'attn.neighborhood' op needs edges to shift the window back from, and this coordinate has none; use an axis of attn.grid}}
  %pairs = attn.neighborhood 3 on %offset
  attn.yield %pairs
}

// -----

attn.pattern @neighborhood_on_raster() {
  %row, %column = attn.grid [8]
  %place = attn.raster %row, %column blocks [2, 2]
  // expected-error@+1 {{'attn.neighborhood' op needs edges to shift the window back from, and this coordinate has none; use an axis of attn.grid}}
  %pairs = attn.neighborhood 3 on %place
  attn.yield %pairs
}

// -----

attn.pattern @modulus() {
  // expected-error@+1 {{'attn.congruent' op modulus is 0; it has to be at least 1}}
  %pairs = attn.congruent key mod(0)
  attn.yield %pairs
}

// -----

attn.pattern @dividend() {
  // expected-error@+1 {{unknown dividend 'row'; known are (query - key), query, key and head}}
  %pairs = attn.congruent row mod(2)
  attn.yield %pairs
}

// -----

attn.pattern @dividend_keyword() {
  // expected-error@+1 {{unknown dividend 'difference'; known are (query - key), query, key and head}}
  %pairs = attn.congruent difference mod(2)
  attn.yield %pairs
}

// -----

attn.pattern @congruent_head() {
  %row, %column = attn.grid [8]
  // expected-error@+1 {{'attn.congruent' op divides the head, which has no coordinate; leave out 'on', or divide query or key}}
  %pairs = attn.congruent head mod(2) on %row
  attn.yield %pairs
}

// -----

attn.pattern @unbounded_range() {
  // expected-error@+1 {{'attn.range' op has no bound; write from(...), below(...), or both}}
  %pairs = attn.range columns
  attn.yield %pairs
}

// -----

attn.pattern @no_heads() {
  // expected-error@+1 {{'attn.heads' op names no heads; write from(...), below(...), or in %table}}
  %pairs = attn.heads
  attn.yield %pairs
}

// -----

attn.pattern @heads_twice(%flags: !attn.per_head = [1]) {
  // expected-error@+1 {{'attn.heads' op names heads by bounds and by a table; write one of the two}}
  %pairs = attn.heads below(4) in %flags
  attn.yield %pairs
}

// -----

attn.pattern @table_block(%random: !attn.blocks) {
  // expected-error@+1 {{'attn.block_table' op block is 0; it has to be at least 1}}
  %pairs = attn.block_table %random block(0)
  attn.yield %pairs
}

// -----

attn.pattern @large_block() {
  // expected-error@+1 {{'attn.block_local' op block is 9223372036854775807; it has to be within 2^40}}
  %pairs = attn.block_local 9223372036854775807
  attn.yield %pairs
}

// -----

attn.pattern @small_remainder() {
  %c = arith.constant -1099511627777 : index
  // expected-error@+1 {{'attn.congruent' op from is -1099511627777; it has to be within 2^40}}
  %pairs = attn.congruent key mod(4) from(%c) to(1)
  attn.yield %pairs
}
