// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Patterns, their atoms and operators, read back from what was printed.
//
// RUN: attn-opt %s | attn-opt | FileCheck %s
// RUN: attn-opt %s --mlir-print-op-generic | attn-opt | FileCheck %s

// Parameters keep their names: callers say them.
// CHECK-LABEL: attn.pattern @parameters(
// CHECK-SAME: %global: !attn.tokens = [0, 7], %none: !attn.tokens = [], %ids: !attn.segments, %lengths: !attn.lengths = [12], %left: index = 256, %slope: f32 = 5.000000e-01)
attn.pattern @parameters(%global: !attn.tokens = [0, 7], %none: !attn.tokens = [], %ids: !attn.segments,
                         %lengths: !attn.lengths = [12], %left: index = 256, %slope: f32 = 0.5) {
  %all = attn.full
  attn.yield %all
}

// CHECK-LABEL: attn.pattern @widths(
// CHECK-SAME: %left: !attn.per_head = [256], %right: !attn.per_head = [1, 2, 4], %given: !attn.per_head, %random: !attn.blocks, %bias: !attn.array<[heads, ?]>)
attn.pattern @widths(%left: !attn.per_head = [256], %right: !attn.per_head = [1, 2, 4], %given: !attn.per_head,
                     %random: !attn.blocks, %bias: !attn.array<[heads, ?]>) {
  %all = attn.full
  attn.yield %all
}

// CHECK-LABEL: attn.pattern @one_sequence() one_sequence {
attn.pattern @one_sequence() one_sequence {
  %all = attn.full
  attn.yield %all
}

// CHECK-LABEL: attn.pattern @numbers
attn.pattern @numbers(%left: !attn.per_head = [256], %lengths: !attn.lengths = [12]) {
  // CHECK: %[[LEFT:.*]] = attn.of_head %left
  %own = attn.of_head %left
  // CHECK: %[[RIGHT:.*]] = attn.of_batch %lengths
  %length = attn.of_batch %lengths
  // CHECK: attn.extent queries
  %queries = attn.extent queries
  // CHECK: attn.extent keys
  %keys = attn.extent keys
  // CHECK: attn.extent heads
  %heads = attn.extent heads
  // CHECK: attn.window left(%[[LEFT]]) right(%[[RIGHT]])
  %near = attn.window left(%own) right(%length)
  attn.yield %near
}

// CHECK-LABEL: attn.pattern @window(%left: index = 8, %right: index = 0)
attn.pattern @window(%left: index = 8, %right: index = 0) {
  // CHECK: %[[VALUES:.*]] = attn.window left(%left) right(%right)
  %values = attn.window left(%left) right(%right)
  // CHECK: attn.window left(3) right(%right)
  %mixed = attn.window left(3) right(%right)
  // CHECK: attn.window right(0)
  %past = attn.window right(0)
  // CHECK: attn.window left(4)
  %near = attn.window left(4)
  // CHECK: attn.window{{$}}
  %unbounded = attn.window
  // CHECK: attn.yield %[[VALUES]]{{$}}
  attn.yield %values
}

// CHECK-LABEL: attn.pattern @causal()
attn.pattern @causal() {
  // CHECK: attn.causal{{$}}
  %bottom_right = attn.causal
  // CHECK: attn.causal top_left
  %top_left = attn.causal top_left
  attn.yield %bottom_right
}

// CHECK-LABEL: attn.pattern @block_local(%block: index = 64)
attn.pattern @block_local(%block: index = 64) {
  // CHECK: attn.block_local 8
  %literal = attn.block_local 8
  // CHECK: attn.block_local %block
  %value = attn.block_local %block
  attn.yield %value
}

// CHECK-LABEL: attn.pattern @global(%tokens: !attn.tokens = [0])
attn.pattern @global(%tokens: !attn.tokens = [0]) {
  // CHECK: attn.global %tokens
  %both = attn.global both %tokens
  // CHECK: attn.global rows %tokens
  %rows = attn.global rows %tokens
  // CHECK: attn.global columns %tokens
  %columns = attn.global columns %tokens
  attn.yield %both
}

// CHECK-LABEL: attn.pattern @run_time_data(%ids: !attn.segments, %lengths: !attn.lengths)
attn.pattern @run_time_data(%ids: !attn.segments, %lengths: !attn.lengths) {
  // CHECK: attn.segments %ids
  %own = attn.segments %ids
  // CHECK: attn.padded %lengths
  %present = attn.padded %lengths
  attn.yield %own
}

// CHECK-LABEL: attn.pattern @where
attn.pattern @where(%stride: index = 2) {
  // CHECK: attn.where (%[[B:.*]], %[[H:.*]], %[[I:.*]], %[[J:.*]]) {
  // CHECK-NEXT: arith.remsi %[[J]], %stride
  // CHECK-NEXT: arith.cmpi eq, %{{.*}}, %[[H]]
  // CHECK-NEXT: attn.yield %{{.*}} : i1
  %some = attn.where (%b, %h, %i, %j) {
    %rest = arith.remsi %j, %stride : index
    %is = arith.cmpi eq, %rest, %h : index
    attn.yield %is : i1
  }
  attn.yield %some
}

// CHECK-LABEL: attn.pattern @where_reads
attn.pattern @where_reads(%allowed: !attn.array<[queries, keys]>, %left: !attn.per_head = [4]) {
  // CHECK: attn.where (%{{.*}}, %{{.*}}, %[[I:.*]], %[[J:.*]]) {
  // CHECK-NEXT: %[[ENTRY:.*]] = attn.load %allowed[%[[I]], %[[J]]] : !attn.array<[queries, keys]>
  // CHECK: attn.of_head %left
  %some = attn.where (%b, %h, %i, %j) {
    %entry = attn.load %allowed[%i, %j] : !attn.array<[queries, keys]>
    %own = attn.of_head %left
    %zero = arith.constant 0.0 : f32
    %is = arith.cmpf ogt, %entry, %zero : f32
    attn.yield %is : i1
  }
  attn.yield %some
}

// CHECK-LABEL: attn.pattern @operators
attn.pattern @operators() {
  // CHECK: %[[A:.*]] = attn.full
  %a = attn.full
  // CHECK: %[[B:.*]] = attn.empty
  %b = attn.empty
  // CHECK: attn.union %[[A]]{{$}}
  %one = attn.union %a
  // CHECK: attn.union %[[A]], %[[B]], %[[A]]
  %union = attn.union %a, %b, %a
  // CHECK: attn.intersect %[[A]], %[[B]]
  %both = attn.intersect %a, %b
  // CHECK: attn.minus %[[A]], %[[B]]
  %rest = attn.minus %a, %b
  attn.yield %rest
}

// CHECK-LABEL: func.func private @types(!attn.pattern, !attn.tokens, !attn.segments, !attn.lengths, tensor<?x!attn.element>)
func.func private @types(!attn.pattern, !attn.tokens, !attn.segments, !attn.lengths, tensor<?x!attn.element>)
