// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Plans, phases, boxes and what tests are made of, read back from what was printed.
//
// RUN: attn-opt %s | attn-opt | FileCheck %s
// RUN: attn-opt %s --mlir-print-op-generic | attn-opt | FileCheck %s

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>

// CHECK-LABEL: func.func @whole
func.func @whole(%q: !rows, %k: !rows, %v: !rows) -> (!rows, !lse) {
  // CHECK: attn.plan %{{.*}}, %{{.*}}, %{{.*}} tile [64, 128, 8, 32] {
  // CHECK-NEXT: attn.phase queries(all) {
  // CHECK-NEXT: attn.box keys(all) rows [0, kv_length) columns [0, length)
  %o, %lse = attn.plan %q, %k, %v tile [64, 128, 8, 32] {
    attn.phase queries(all) {
      attn.box keys(all) rows [0, kv_length) columns [0, length)
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}

// CHECK-LABEL: func.func @anchored
func.func @anchored(%q: !rows, %k: !rows, %v: !rows) {
  // CHECK: attn.plan %{{.*}}, %{{.*}}, %{{.*}} tile [64, 96, 64, 96] anchored {
  attn.plan %q, %k, %v tile [64, 96, 64, 96] anchored {
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// CHECK-LABEL: func.func @compact
func.func @compact(%q: !rows, %k: !rows, %v: !rows) {
  // CHECK: attn.plan %{{.*}}, %{{.*}}, %{{.*}} tile [192, 128, 192, 128] anchored compact [64, 96, 64, 96] to 3072 {
  attn.plan %q, %k, %v tile [192, 128, 192, 128] anchored compact [64, 96, 64, 96] to 3072 {
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// CHECK-LABEL: func.func @orders
func.func @orders(%q: !rows, %k: !rows, %v: !rows, %left: index, %lengths: !attn.lengths, %global: !attn.tokens,
                  %ids: !attn.segments) {
  // CHECK: symbols(%{{.*}}, %{{.*}} : index, !attn.lengths) tables(%{{.*}}, %{{.*}} : !attn.tokens, !attn.segments)
  attn.plan %q, %k, %v symbols(%left, %lengths : index, !attn.lengths)
      tables(%global, %ids : !attn.tokens, !attn.segments) tile [64, 64, 8, 32] {
    // CHECK: attn.phase queries(listed(0)) {
    attn.phase queries(listed(0)) {
      // CHECK-NEXT: attn.box keys(all) rows [max(0, i - s0), s1) columns [0, length)
      attn.box keys(all) rows [max(0, i - s0), s1) columns [0, length)
    }
    // CHECK: attn.phase queries(sorted(1)) except(listed(0)) {
    attn.phase queries(sorted(1)) except(listed(0)) {
      // CHECK-NEXT: attn.box keys(sorted(1)) same_segment rows [0, kv_length) columns [0, length)
      attn.box keys(sorted(1)) same_segment rows [0, kv_length) columns [0, length)
      // CHECK-NEXT: attn.box keys(listed(0)) rows
      attn.box keys(listed(0)) rows [0, kv_length) columns [0, length)
    }
    // CHECK: attn.phase queries(all) except(listed(0), sorted(1)) {
    attn.phase queries(all) except(listed(0), sorted(1)) {
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// CHECK-LABEL: func.func @keys_of_other_boxes
func.func @keys_of_other_boxes(%q: !rows, %k: !rows, %v: !rows, %tokens: !attn.tokens) {
  attn.plan %q, %k, %v tables(%tokens : !attn.tokens) tile [64, 64, 8, 32] {
    attn.phase queries(all) {
      // CHECK: attn.box keys(all) rows [0, i + 1) columns [i, length) except(listed(0)){{$}}
      attn.box keys(all) rows [0, i + 1) columns [i, length) except(listed(0))
      attn.box keys(listed(0)) rows [0, kv_length) columns [0, length)
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// CHECK-LABEL: func.func @orders_of_a_call
func.func @orders_of_a_call(%q: !rows, %k: !rows, %v: !rows, %size: index) {
  attn.plan %q, %k, %v symbols(%size : index) tile [64, 64, 8, 32] {
    // CHECK: attn.phase queries(all) when(-s0 + 64) {
    attn.phase queries(all) when(64 - s0) {
      attn.box keys(all) rows [0, kv_length) columns [0, length)
    }
    // CHECK: attn.phase queries(blocks(s0, query_offset)) when(s0 - 63) continues {
    attn.phase queries(blocks(s0, query_offset)) when(s0 - 63) continues {
      attn.box keys(all) rows [0, kv_length) columns [0, length)
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// CHECK-LABEL: func.func @computed_orders
func.func @computed_orders(%q: !rows, %k: !rows, %v: !rows, %stride: index) {
  attn.plan %q, %k, %v symbols(%stride : index) tile [64, 64, 8, 32] {
    // CHECK: attn.phase queries(remainders(s0, query_offset, 0, min(1, s0))) {
    attn.phase queries(remainders(s0, query_offset, 0, min(1, s0))) {
      // CHECK-NEXT: attn.box keys(all) rows [0, kv_length) columns [0, length){{$}}
      attn.box keys(all) rows [0, kv_length) columns [0, length)
    }
    // CHECK: attn.phase queries(all) except(remainders(s0, query_offset, 0, min(1, s0))) {
    attn.phase queries(all) except(remainders(s0, query_offset, 0, min(1, s0))) {
      // CHECK-NEXT: attn.box keys(remainders(8, -key_offset, 6, 8)) rows [0, i) columns [i + 1, length) without rows [i - 4, i - 2) columns [i + 3, i + 5){{$}}
      attn.box keys(remainders(8, -key_offset, 6, 8)) rows [0, i) columns [i + 1, length) without rows [i - 4, i - 2) columns [i + 3, i + 5)
    }
    // CHECK: attn.phase queries(classes(s0 - 1)) continues except(remainders(s0, query_offset, 0, min(1, s0))) {
    attn.phase queries(classes(s0 - 1)) continues except(remainders(s0, query_offset, 0, min(1, s0))) {
      // CHECK-NEXT: attn.box keys(classes(s0 - 1)) class (mod(i, s0 - 1), mod(i + 3, s0 - 1)) rows [0, i) columns [i + 1, length)
      // CHECK-SAME: without rows [i - 4, i - 2) columns [i + 3, i + 5) test (%{{.*}}, %{{.*}}, %{{.*}}, %[[J:.*]]) {
      attn.box keys(classes(s0 - 1)) class (mod(i, s0 - 1), mod(i + 3, s0 - 1)) rows [0, i) columns [i + 1, length)
          without rows [i - 4, i - 2) columns [i + 3, i + 5) test (%b, %h, %i, %j) {
        // CHECK-NEXT: attn.member %[[J]] of keys remainders(8, 0, 2, 4)
        %is = attn.member %j of keys remainders(8, 0, 2, 4)
        attn.yield %is : i1
      }
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// CHECK-LABEL: func.func @one_sequence
func.func @one_sequence(%q: !rows, %k: !rows, %v: !rows, %width: index, %left: !attn.per_head) {
  // CHECK: symbols(%{{.*}}, %{{.*}} : index, !attn.per_head) tile [64, 64, 8, 32] one_sequence
  // CHECK-SAME: requires "rows of the grid" floordiv(kv_length, s0) >= "rows of the neighborhood" 7, "columns of the grid" s0 >= "columns of the neighborhood" s1 {
  attn.plan %q, %k, %v symbols(%width, %left : index, !attn.per_head) tile [64, 64, 8, 32] one_sequence
      requires "rows of the grid" floordiv(kv_length, s0) >= "rows of the neighborhood" 7,
               "columns of the grid" s0 >= "columns of the neighborhood" s1 {
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// CHECK-LABEL: func.func @test_of_tables
// CHECK-SAME: %[[IDS:[^:]*]]: !attn.segments, %[[RANDOM:[^:]*]]: !attn.blocks
func.func @test_of_tables(%q: !rows, %ids: !attn.segments, %random: !attn.blocks, %left: !attn.per_head,
                          %allowed: !attn.array<[queries]>) {
  attn.plan %q, %q, %q tables(%ids, %random : !attn.segments, !attn.blocks) tile [64, 64, 8, 32] {
    attn.phase queries(all) {
      // CHECK: test (%[[B:.*]], %[[H:.*]], %[[I:.*]], %[[J:.*]]) {
      attn.box keys(all) rows [0, kv_length) columns [0, length) test (%b, %h, %i, %j) {
        // CHECK-NEXT: attn.lookup offset %[[IDS]][%[[J]]] else -1
        %offset = attn.lookup offset %ids[%j] else -1
        // CHECK-NEXT: %[[IS:.*]] = attn.lists %[[RANDOM]][%[[I]]], %[[J]]
        %is = attn.lists %random[%i], %j
        // CHECK: attn.of_head
        %own = attn.of_head %left
        // CHECK: attn.load %{{.*}}[%[[I]]] clamped : !attn.array<[queries]>
        %entry = attn.load %allowed[%i] clamped : !attn.array<[queries]>
        // CHECK: attn.yield %[[IS]] : i1
        attn.yield %is : i1
      }
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// CHECK-LABEL: func.func @sink
func.func @sink(%q: !rows, %logit: f32) {
  // CHECK: attn.plan
  attn.plan %q, %q, %q tile [8, 32, 8, 32] {
  // CHECK: } score (%[[S:.*]], %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) {
  // CHECK-NEXT: attn.yield %[[S]] : f32
  // CHECK-NEXT: } sink (%{{.*}}, %{{.*}}, %{{.*}}) {
  // CHECK-NEXT: attn.yield %{{.*}} : f32
  } score (%s, %b, %h, %i, %j) {
    attn.yield %s : f32
  } sink (%b, %h, %i) {
    attn.yield %logit : f32
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// CHECK-LABEL: func.func @test
// CHECK-SAME: %[[IDS:[^:]*]]: !attn.segments
func.func @test(%q: !rows, %k: !rows, %v: !rows, %global: !attn.tokens, %ids: !attn.segments) {
  attn.plan %q, %k, %v tables(%global : !attn.tokens) tile [64, 64, 8, 32] {
    attn.phase queries(all) {
      // CHECK: test (%{{.*}}, %{{.*}}, %[[I:.*]], %[[J:.*]]) {
      attn.box keys(all) rows [0, kv_length) columns [0, length) test (%b, %h, %i, %j) {
        // CHECK-NEXT: %[[P:.*]] = attn.apply i + query_offset at %[[I]]
        %p = attn.apply i + query_offset at %i
        // CHECK-NEXT: attn.lookup %[[IDS]][%[[P]]] else -5
        %id = attn.lookup %ids[%p] else -5
        // CHECK-NEXT: attn.member %[[I]] of listed(0)
        %row = attn.member %i of listed(0)
        // CHECK-NEXT: %[[IS:.*]] = attn.member %[[J]] of keys listed(0)
        %column = attn.member %j of keys listed(0)
        // CHECK-NEXT: attn.yield %[[IS]] : i1
        attn.yield %column : i1
      }
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// CHECK-LABEL: func.func @scale_and_score
func.func @scale_and_score(%q: !rows, %k: !rows, %v: !rows, %scale: f32) {
  // CHECK: attn.plan {{.*}} scale(%{{.*}}) tile [8, 32, 8, 32] {
  attn.plan %q, %k, %v scale(%scale) tile [8, 32, 8, 32] {
  // CHECK: } score (%[[S:.*]], %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) {
  // CHECK-NEXT: attn.yield %[[S]] : f32
  } score (%s, %b, %h, %i, %j) {
    attn.yield %s : f32
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// Blocks that a table lists, and patches of a grid.
// CHECK-LABEL: func.func @blocks_and_patches
func.func @blocks_and_patches(%q: tensor<?x?x?x64xf32>, %drawn: !attn.blocks) {
  attn.plan %q, %q, %q tables(%drawn : !attn.blocks) tile [64, 64, 8, 32] {
    // CHECK: attn.phase queries(blocks(8, query_offset)) {
    // CHECK-NEXT: attn.box keys(all) blocks(0, 8) rows [0, kv_length) columns [0, length)
    attn.phase queries(blocks(8, query_offset)) {
      attn.box keys(all) blocks(0, 8) rows [0, kv_length) columns [0, length)
    }
    // CHECK: attn.phase queries(patches(16, 8, 8)) continues {
    // CHECK-NEXT: attn.box keys(all) columns_of (16, key_offset) [mod(i, 16), 16) rows [0, kv_length) columns [0, length)
    attn.phase queries(patches(16, 8, 8)) continues {
      attn.box keys(all) columns_of (16, key_offset) [mod(i, 16), 16) rows [0, kv_length) columns [0, length)
    }
  } : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32> -> tensor<?x?x?x64xf32>, tensor<?x?x?xf32>
  return
}
