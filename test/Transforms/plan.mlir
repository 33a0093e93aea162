// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The one plan of each kind of pattern: orders, boxes in rows, and what is left to test.
//
// RUN: attn-opt %s --attn-specialize --attn-plan | FileCheck %s

// CHECK-LABEL: func.func @full
// CHECK: attn.plan %{{.*}}, %{{.*}}, %{{.*}} tile [64, 64, 8, 16] {
// CHECK-NEXT: attn.phase queries(all) {
// CHECK-NEXT: attn.box keys(all) rows [0, kv_length) columns [0, length){{$}}
// CHECK-NEXT: }
// CHECK-NEXT: } : tensor
attn.pattern @full() {
  %all = attn.full
  attn.yield %all
}

// CHECK-LABEL: func.func @empty
// CHECK: attn.phase queries(all) {
// CHECK-NEXT: }
attn.pattern @empty() {
  %none = attn.empty
  attn.yield %none
}

// CHECK-LABEL: func.func @window
// CHECK-SAME: %[[LEFT:[^:]*]]: index {attn.default = 8 : index, attn.minimum = 0 : index, attn.name = "left"}
// CHECK-SAME: %[[RIGHT:[^:]*]]: index {attn.default = 4 : index, attn.minimum = 0 : index, attn.name = "right"}
// CHECK: symbols(%[[LEFT]], %[[RIGHT]] : index, index)
// CHECK-NEXT: attn.phase queries(all) {
// CHECK-NEXT: attn.box keys(all)
// CHECK-SAME: rows [max(0, i + query_offset - key_offset - s0), min(kv_length, i + query_offset - key_offset + s1 + 1))
// CHECK-SAME: columns [max(0, i - query_offset + key_offset - s1), min(length, i - query_offset + key_offset + s0 + 1)){{$}}
// CHECK-NEXT: }
attn.pattern @window(%left: index = 8, %right: index = 4) {
  %near = attn.window left(%left) right(%right)
  attn.yield %near
}

// A side that is not written is unbounded.
// CHECK-LABEL: func.func @one_side
// CHECK: attn.box keys(all) rows [max(0, i + query_offset - key_offset - 8), kv_length)
// CHECK-SAME: columns [0, min(length, i - query_offset + key_offset + 9)){{$}}
attn.pattern @one_side() {
  %near = attn.window left(8)
  attn.yield %near
}

// Bounds may be computed of parameters and constants.
// CHECK-LABEL: func.func @computed_bounds
// CHECK: attn.box keys(all) rows [max(0, i + query_offset - key_offset - s0 + 1), min(kv_length, i + query_offset - key_offset + floordiv(s0, 2) + 1))
attn.pattern @computed_bounds(%width: index = 8) {
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %left = arith.subi %width, %c1 : index
  %half = arith.floordivsi %width, %c2 : index
  %near = attn.window left(%left) right(%half)
  attn.yield %near
}

// CHECK-LABEL: func.func @min_max_product
// CHECK: rows [max(0, i + query_offset - key_offset - min(8, (s0) * (s1))), min(kv_length, i + query_offset - key_offset + max(s0, s1) + 1))
attn.pattern @min_max_product(%a: index = 2, %b: index = 3) {
  %c8 = arith.constant 8 : index
  %product = arith.muli %a, %b : index
  %left = arith.minsi %product, %c8 : index
  %right = arith.maxsi %a, %b : index
  %near = attn.window left(%left) right(%right)
  attn.yield %near
}

// CHECK-LABEL: func.func @causal
// CHECK: attn.box keys(all) rows [0, min(kv_length, i + query_offset - key_offset + 1))
// CHECK-SAME: columns [max(0, i - query_offset + key_offset), length){{$}}
attn.pattern @causal() {
  %past = attn.causal
  attn.yield %past
}

// CHECK-LABEL: func.func @top_left
// CHECK: attn.box keys(all) rows [0, min(kv_length, i - key_offset + top_left_offset + 1))
// CHECK-SAME: columns [max(0, i + key_offset - top_left_offset), length){{$}}
attn.pattern @top_left() {
  %past = attn.causal top_left
  attn.yield %past
}

// CHECK-LABEL: func.func @block_local
// CHECK-SAME: {attn.default = 256 : index, attn.minimum = 1 : index, attn.name = "block"}
// CHECK: attn.box keys(all)
// CHECK-SAME: rows [max(0, -key_offset + (s0) * (floordiv(i + query_offset, s0))), min(kv_length, -key_offset + s0 + (s0) * (floordiv(i + query_offset, s0))))
// CHECK-SAME: columns [max(0, -query_offset + (s0) * (floordiv(i + key_offset, s0))), min(length, -query_offset + s0 + (s0) * (floordiv(i + key_offset, s0)))){{$}}
attn.pattern @block_local(%block: index = 256) {
  %own = attn.block_local %block
  attn.yield %own
}

// A block that is computed is held at 1 or more: nothing divides by 0.
// CHECK-LABEL: func.func @computed_block
// CHECK: floordiv(i + query_offset, max(1, s0 - 1))
attn.pattern @computed_block(%block: index = 256) {
  %c1 = arith.constant 1 : index
  %less = arith.subi %block, %c1 : index
  %own = attn.block_local %less
  attn.yield %own
}

// CHECK-LABEL: func.func @padded
// CHECK: symbols(%{{.*}} : !attn.lengths)
// CHECK: attn.box keys(all) rows [0, min(kv_length, -key_offset + s0))
attn.pattern @padded(%lengths: !attn.lengths) {
  %present = attn.padded %lengths
  attn.yield %present
}

// Rows of tokens are a phase of their own that writes them; the others see nothing here, and are written as such.
// CHECK-LABEL: func.func @global_rows
// CHECK: tables(%{{.*}} : !attn.tokens)
// CHECK-NEXT: attn.phase queries(listed(0)) {
// CHECK-NEXT: attn.box keys(all) rows [0, kv_length) columns [0, length){{$}}
// CHECK-NEXT: }
// CHECK-NEXT: attn.phase queries(all) except(listed(0)) {
// CHECK-NEXT: }
attn.pattern @global_rows(%tokens: !attn.tokens = [0]) {
  %hub = attn.global rows %tokens
  attn.yield %hub
}

// CHECK-LABEL: func.func @global_columns
// CHECK: attn.phase queries(all) {
// CHECK-NEXT: attn.box keys(listed(0)) rows [0, kv_length) columns [0, length){{$}}
// CHECK-NEXT: }
attn.pattern @global_columns(%tokens: !attn.tokens = [0]) {
  %hub = attn.global columns %tokens
  attn.yield %hub
}

// CHECK-LABEL: func.func @global_both
// CHECK: attn.phase queries(listed(0)) {
// CHECK-NEXT: attn.box keys(all) rows [0, kv_length) columns [0, length){{$}}
// CHECK-NEXT: }
// CHECK-NEXT: attn.phase queries(all) except(listed(0)) {
// CHECK-NEXT: attn.box keys(listed(0)) rows [0, kv_length) columns [0, length){{$}}
// CHECK-NEXT: }
attn.pattern @global_both(%tokens: !attn.tokens = [0]) {
  %hub = attn.global %tokens
  attn.yield %hub
}

// Segments sort both sides, so that a segment's rows lie together.
// CHECK-LABEL: func.func @segments
// CHECK: tables(%{{.*}} : !attn.segments)
// CHECK-NEXT: attn.phase queries(sorted(0)) {
// CHECK-NEXT: attn.box keys(sorted(0)) same_segment rows [0, kv_length) columns [0, length){{$}}
// CHECK-NEXT: }
attn.pattern @segments(%ids: !attn.segments) {
  %own = attn.segments %ids
  attn.yield %own
}

// Rows rise inside a segment: bounds hold in sorted order as well.
// CHECK-LABEL: func.func @segments_causal
// CHECK: attn.phase queries(sorted(0)) {
// CHECK-NEXT: attn.box keys(sorted(0)) same_segment rows [0, min(kv_length, i + query_offset - key_offset + 1))
// CHECK-SAME: columns [max(0, i - query_offset + key_offset), length){{$}}
attn.pattern @segments_causal(%ids: !attn.segments) {
  %own = attn.segments %ids
  %past = attn.causal
  %both = attn.intersect %own, %past
  attn.yield %both
}

// A region is asked about positions, pair by pair, inside of the bounds.
// CHECK-LABEL: func.func @where
// CHECK-SAME: %[[STRIDE:[^:]*]]: index {attn.default = 2 : index, attn.minimum = 1 : index, attn.name = "stride"}
// CHECK: attn.box keys(all) rows [0, min(kv_length, i + query_offset - key_offset + 1))
// CHECK-SAME: test (%{{.*}}, %{{.*}}, %[[I:.*]], %[[J:.*]]) {
// CHECK-DAG: attn.apply i + query_offset at %[[I]]
// CHECK-DAG: %[[P:.*]] = attn.apply i + key_offset at %[[J]]
// CHECK: arith.remsi %[[P]], %[[STRIDE]] : index
// CHECK: attn.yield %{{.*}} : i1
attn.pattern @where(%stride: index = 2) {
  %past = attn.causal
  %some = attn.where (%b, %h, %i, %j) {
    %rest = arith.remsi %j, %stride : index
    %zero = arith.constant 0 : index
    %is = arith.cmpi eq, %rest, %zero : index
    attn.yield %is : i1
  }
  %both = attn.intersect %past, %some
  attn.yield %both
}

// A union of windows and blocks falls apart into disjoint boxes: the block before the window, and behind it.
// CHECK-LABEL: func.func @disjoint_boxes
// CHECK: attn.phase queries(all) {
// CHECK-NEXT: attn.box keys(all) rows [max(0, i + query_offset - key_offset - 8), min(kv_length, i + query_offset - key_offset + 9))
// CHECK-NEXT: attn.box keys(all) rows [max(0, [[BLOCK:-key_offset \+ \(s0\) \* \(floordiv\(i \+ query_offset, s0\)\)]]), min(kv_length, i + query_offset - key_offset - 8))
// CHECK-NEXT: attn.box keys(all) rows [max(0, i + query_offset - key_offset + 9),
// CHECK-NEXT: }
attn.pattern @disjoint_boxes(%block: index = 64) {
  %near = attn.window left(8) right(8)
  %own = attn.block_local %block
  %pairs = attn.union %near, %own
  attn.yield %pairs
}

// What one bound says already, the other need not.
// CHECK-LABEL: func.func @implied_bound
// CHECK: rows [max(0, i + query_offset - key_offset - 8), min(kv_length, i + query_offset - key_offset + 1))
attn.pattern @implied_bound() {
  %past = attn.causal
  %near = attn.window left(8) right(3)
  %both = attn.intersect %past, %near
  attn.yield %both
}

// Two members that cannot meet leave nothing.
// CHECK-LABEL: func.func @disjoint_members
// CHECK: attn.phase queries(all) {
// CHECK-NEXT: }
attn.pattern @disjoint_members() {
  %past = attn.causal
  %all = attn.full
  %future = attn.minus %all, %past
  %none = attn.intersect %past, %future
  attn.yield %none
}

// The complement of a bound is a bound.
// CHECK-LABEL: func.func @minus
// CHECK: attn.phase queries(all) {
// CHECK-NEXT: attn.box keys(all) rows [0, min(kv_length, i + query_offset - key_offset - 8))
// CHECK-SAME: columns [max(0, i - query_offset + key_offset + 9), length){{$}}
// CHECK-NEXT: }
attn.pattern @minus() {
  %past = attn.causal
  %near = attn.window left(8) right(8)
  %far = attn.minus %past, %near
  attn.yield %far
}

// Keys that are in a list are left out.
// CHECK-LABEL: func.func @minus_columns
// CHECK: attn.box keys(all) rows [0, kv_length) columns [0, length) except(listed(0)){{$}}
attn.pattern @minus_columns(%tokens: !attn.tokens = [0]) {
  %all = attn.full
  %hub = attn.global columns %tokens
  %pairs = attn.minus %all, %hub
  attn.yield %pairs
}

// Where some piece leaves its segment, rows stay in their order and segments are tested.
// CHECK-LABEL: func.func @segments_or_window
// CHECK-SAME: %[[IDS:[^:]*]]: !attn.segments
// CHECK: attn.phase queries(all) {
// CHECK-NEXT: attn.box keys(all) rows [max(0, i + query_offset - key_offset - 8), {{.*}}){{$}}
// CHECK-NEXT: attn.box keys(all) {{.*}} test
// CHECK: %[[A:.*]] = attn.lookup %[[IDS]][%{{.*}}] else [[ABSENT:-[0-9]+]]
// CHECK: %[[B:.*]] = attn.lookup %[[IDS]][%{{.*}}] else
// CHECK-NOT: else [[ABSENT]]
// CHECK: arith.cmpi eq, %[[A]], %[[B]] : i64
attn.pattern @segments_or_window(%ids: !attn.segments) {
  %own = attn.segments %ids
  %near = attn.window left(8) right(8)
  %pairs = attn.union %own, %near
  attn.yield %pairs
}

// Too many pieces: one box, everything tested.
// CHECK-LABEL: func.func @fallback
// CHECK: attn.phase queries(all) {
// CHECK-NEXT: attn.box keys(all) rows [0, kv_length) columns [0, length) test (%{{.*}}, %{{.*}}, %[[I:.*]], %[[J:.*]]) {
// CHECK: %[[LOW:.*]] = attn.apply -key_offset + (s0) * (floordiv(i + query_offset, s0)) at %[[I]]
// CHECK: arith.cmpi sge, %[[J]], %[[LOW]] : index
// CHECK-NOT: attn.box
attn.pattern @fallback(%a: index = 1, %b: index = 3, %c: index = 5, %d: index = 7, %e: index = 9) {
  %first = attn.block_local %a
  %second = attn.block_local %b
  %third = attn.block_local %c
  %fourth = attn.block_local %d
  %fifth = attn.block_local %e
  %pairs = attn.union %first, %second, %third, %fourth, %fifth
  attn.yield %pairs
}
