// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Folders and canonical forms of patterns.
//
// RUN: attn-opt %s --canonicalize | FileCheck %s

// Constant operands become literals.
// CHECK-LABEL: attn.pattern @literals
attn.pattern @literals(%right: index = 4) {
  %c3 = arith.constant 3 : index
  %c5 = arith.constant 5 : index
  // CHECK-NOT: arith.constant
  // CHECK-DAG: %[[NEAR:.*]] = attn.window left(3) right(5)
  %near = attn.window left(%c3) right(%c5)
  // CHECK-DAG: %[[MIXED:.*]] = attn.window left(3) right(%right)
  %mixed = attn.window left(%c3) right(%right)
  // CHECK-DAG: %[[OWN:.*]] = attn.block_local 5
  %own = attn.block_local %c5
  // CHECK: attn.union %[[NEAR]], %[[MIXED]], %[[OWN]]
  %pairs = attn.union %near, %mixed, %own
  attn.yield %pairs
}

// CHECK-LABEL: attn.pattern @literals_of_all_atoms
attn.pattern @literals_of_all_atoms(%random: !attn.blocks) {
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %c5 = arith.constant 5 : index
  // CHECK-NOT: arith.constant
  // CHECK-DAG: attn.window left(2) right(5) dilation(3){{$}}
  %taps = attn.window left(%c2) right(%c5) dilation(%c3)
  // CHECK-DAG: attn.block_local 5 before(2) after(3){{$}}
  %own = attn.block_local %c5 before(%c2) after(%c3)
  // CHECK-DAG: attn.congruent key mod(5) from(2) to(3){{$}}
  %some = attn.congruent key mod(%c5) from(%c2) to(%c3)
  // CHECK-DAG: attn.range rows from(2) below(5){{$}}
  %rows = attn.range rows from(%c2) below(%c5)
  // CHECK-DAG: attn.heads from(2) below(3){{$}}
  %heads = attn.heads from(%c2) below(%c3)
  // CHECK-DAG: attn.block_table %random block(5)
  %drawn = attn.block_table %random block(%c5)
  // CHECK-DAG: %[[GRID:.*]]:2 = attn.grid [8]
  // CHECK-DAG: attn.neighborhood 3 on %[[GRID]]#1
  %row, %column = attn.grid [8]
  %beside = attn.neighborhood %c3 on %column
  %pairs = attn.union %taps, %own, %some, %rows, %heads, %drawn, %beside
  attn.yield %pairs
}

// Taps that are one apart are a window.
// CHECK-LABEL: attn.pattern @no_dilation
attn.pattern @no_dilation(%left: index = 8) {
  %c1 = arith.constant 1 : index
  // CHECK-NEXT: attn.window left(%left){{$}}
  %near = attn.window left(%left) dilation(%c1)
  attn.yield %near
}

// Sums of constants become literals as well.
// CHECK-LABEL: attn.pattern @folded_bound
attn.pattern @folded_bound() {
  %c3 = arith.constant 3 : index
  %c5 = arith.constant 5 : index
  %c8 = arith.addi %c3, %c5 : index
  // CHECK-NEXT: attn.window left(8)
  %near = attn.window left(%c8)
  attn.yield %near
}

// CHECK-LABEL: attn.pattern @union_of_one
attn.pattern @union_of_one() {
  // CHECK-NEXT: %[[PAST:.*]] = attn.causal
  // CHECK-NEXT: attn.yield %[[PAST]]
  %past = attn.causal
  %same = attn.union %past
  attn.yield %same
}

// CHECK-LABEL: attn.pattern @union_with_full
attn.pattern @union_with_full() {
  // CHECK-NEXT: %[[ALL:.*]] = attn.full
  // CHECK-NEXT: attn.yield %[[ALL]]
  %past = attn.causal
  %all = attn.full
  %pairs = attn.union %past, %all
  attn.yield %pairs
}

// CHECK-LABEL: attn.pattern @union_drops_empty_and_repeated
attn.pattern @union_drops_empty_and_repeated(%block: index = 4) {
  // CHECK-DAG: %[[PAST:.*]] = attn.causal
  // CHECK-DAG: %[[OWN:.*]] = attn.block_local %block
  // CHECK: %[[PAIRS:.*]] = attn.union %[[PAST]], %[[OWN]]{{$}}
  // CHECK-NEXT: attn.yield %[[PAIRS]]
  %past = attn.causal
  %none = attn.empty
  %own = attn.block_local %block
  %pairs = attn.union %past, %none, %own, %past
  attn.yield %pairs
}

// CHECK-LABEL: attn.pattern @union_of_empties
attn.pattern @union_of_empties() {
  // CHECK-NEXT: %[[NONE:.*]] = attn.empty
  // CHECK-NEXT: attn.yield %[[NONE]]
  %none = attn.empty
  %pairs = attn.union %none, %none
  attn.yield %pairs
}

// CHECK-LABEL: attn.pattern @intersect_with_empty
attn.pattern @intersect_with_empty() {
  // CHECK-NEXT: %[[NONE:.*]] = attn.empty
  // CHECK-NEXT: attn.yield %[[NONE]]
  %past = attn.causal
  %none = attn.empty
  %pairs = attn.intersect %past, %none
  attn.yield %pairs
}

// CHECK-LABEL: attn.pattern @intersect_drops_full
attn.pattern @intersect_drops_full() {
  // CHECK-NEXT: %[[PAST:.*]] = attn.causal
  // CHECK-NEXT: attn.yield %[[PAST]]
  %past = attn.causal
  %all = attn.full
  %pairs = attn.intersect %all, %past, %all
  attn.yield %pairs
}

// CHECK-LABEL: attn.pattern @minus_empty
attn.pattern @minus_empty() {
  // CHECK-NEXT: %[[PAST:.*]] = attn.causal
  // CHECK-NEXT: attn.yield %[[PAST]]
  %past = attn.causal
  %none = attn.empty
  %pairs = attn.minus %past, %none
  attn.yield %pairs
}

// CHECK-LABEL: attn.pattern @empty_minus
attn.pattern @empty_minus() {
  // CHECK-NEXT: %[[NONE:.*]] = attn.empty
  // CHECK-NEXT: attn.yield %[[NONE]]
  %past = attn.causal
  %none = attn.empty
  %pairs = attn.minus %none, %past
  attn.yield %pairs
}

// Neither side is empty: nothing is known.
// CHECK-LABEL: attn.pattern @minus_stays
attn.pattern @minus_stays() {
  // CHECK: attn.minus
  %past = attn.causal
  %near = attn.window left(3) right(3)
  %pairs = attn.minus %near, %past
  attn.yield %pairs
}
