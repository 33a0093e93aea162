// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: attn-opt %s --split-input-file --verify-diagnostics --attn-plan

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
attn.pattern @past() {
  %past = attn.causal
  attn.yield %past
}
func.func @symbol(%q: !rows) {
  // expected-error@+1 {{'attn.attention' op names a pattern symbol; run attn-specialize first}}
  attn.attention %q, %q, %q pattern(@past) : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
// expected-error@+1 {{a pattern cannot be an argument of a function; name an attn.pattern or write its ops into the pattern region}}
func.func @pattern_argument(%q: !rows, %p: !attn.pattern) {
  attn.attention %q, %q, %q pattern { attn.yield %p } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @unknown_op(%q: !rows, %which: i1) {
  attn.attention %q, %q, %q pattern {
    %past = attn.causal
    %all = attn.full
    // expected-error@+1 {{'arith.select' op cannot make a pattern; use attn's atoms, union, intersect and minus}}
    %some = arith.select %which, %past, %all : !attn.pattern
    attn.yield %some
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @computed_tokens(%q: !rows, %a: !attn.tokens, %b: !attn.tokens, %which: i1) {
  attn.attention %q, %q, %q pattern {
    %tokens = arith.select %which, %a, %b : !attn.tokens
    // expected-error@+1 {{'attn.global' op reads run-time data that are computed; use an argument of the kernel}}
    %hub = attn.global %tokens
    attn.yield %hub
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @bound_op(%q: !rows, %n: index) {
  attn.attention %q, %q, %q pattern {
    %c2 = arith.constant 2 : index
    // expected-error@+1 {{'arith.shli' op cannot be part of a pattern's bound; use addi, subi, muli, floordivsi, minsi and maxsi of parameters, constants, attn.extent, attn.of_head and attn.of_batch}}
    %left = arith.shli %n, %c2 : index
    %near = attn.window left(%left)
    attn.yield %near
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @bound_operand_count(%q: !rows, %n: i32) {
  attn.attention %q, %q, %q pattern {
    // expected-error@+1 {{'arith.index_cast' op cannot be part of a pattern's bound}}
    %right = arith.index_cast %n : i32 to index
    %near = attn.window left(4) right(%right)
    attn.yield %near
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @division(%q: !rows, %n: index) {
  attn.attention %q, %q, %q pattern {
    %c0 = arith.constant 0 : index
    // expected-error@+1 {{'arith.floordivsi' op divides by 0; it has to be at least 1}}
    %left = arith.floordivsi %n, %c0 : index
    %near = attn.window left(%left)
    attn.yield %near
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @computed_block(%q: !rows, %n: index) {
  attn.attention %q, %q, %q pattern {
    %c4 = arith.constant 4 : index
    %none = arith.subi %c4, %c4 : index
    // expected-error@+1 {{'attn.block_local' op block is 0; it has to be at least 1}}
    %own = attn.block_local %none
    attn.yield %own
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @computed_left(%q: !rows) {
  attn.attention %q, %q, %q pattern {
    %c2 = arith.constant 2 : index
    %c4 = arith.constant 4 : index
    %less = arith.subi %c2, %c4 : index
    // expected-error@+1 {{'attn.window' op left is -2; it has to be at least 0}}
    %near = attn.window left(%less)
    attn.yield %near
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @computed_ids(%q: !rows, %a: !attn.segments, %b: !attn.segments, %which: i1) {
  attn.attention %q, %q, %q pattern {
    %ids = arith.select %which, %a, %b : !attn.segments
    // expected-error@+1 {{'attn.offset' op reads run-time data that are computed; use an argument of the kernel}}
    %offset = attn.offset %ids
    %past = attn.causal on %offset
    attn.yield %past
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @computed_flags(%q: !rows, %a: !attn.per_head, %b: !attn.per_head, %which: i1) {
  attn.attention %q, %q, %q pattern {
    %flags = arith.select %which, %a, %b : !attn.per_head
    // expected-error@+1 {{'attn.heads' op reads run-time data that are computed; use an argument of the kernel}}
    %heads = attn.heads in %flags
    attn.yield %heads
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @unknown_coordinate(%q: !rows, %which: i1) {
  attn.attention %q, %q, %q pattern {
    %row, %column = attn.grid [8]
    // expected-error@+1 {{'arith.select' op cannot make a coordinate; use attn.grid, attn.stream, attn.offset and attn.raster}}
    %axis = arith.select %which, %row, %column : !attn.coordinate
    %past = attn.causal on %axis
    attn.yield %past
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @narrow_grid(%q: !rows) {
  attn.attention %q, %q, %q pattern {
    %row, %column = attn.grid [5]
    // expected-error@+1 {{'attn.neighborhood' op columns of the grid are 5; they have to be at least 7, columns of the neighborhood}}
    %near = attn.neighborhood 7 on %column
    attn.yield %near
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
// expected-error@+1 {{a coordinate cannot be an argument of a function; make it of attn.grid, attn.stream, attn.offset or attn.raster}}
func.func @coordinate_argument(%q: !rows, %axis: !attn.coordinate) {
  attn.attention %q, %q, %q pattern {
    %past = attn.causal on %axis
    attn.yield %past
  } : !rows, !rows, !rows -> !rows, !lse
  return
}
