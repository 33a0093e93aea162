// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The orders in which periods are dense: classes where the query's remainder decides about the key's, remainders where
// one side is picked alone; which phases continue others; and where a box has a hole.
//
// RUN: attn-opt %s --attn-specialize --attn-plan | FileCheck %s

// A dilated window is a window in each class: no tap is tested.
// CHECK-LABEL: func.func @dilated
// CHECK: symbols(%{{.*}}, %{{.*}} : index, index)
// CHECK-NEXT: attn.phase queries(classes(s1)) {
// CHECK-NEXT: attn.box keys(classes(s1)) class (mod(i + query_offset - key_offset, s1), mod(i - query_offset + key_offset, s1))
// CHECK-SAME: rows [max(0, i + query_offset - key_offset - (s0) * (s1)), min(kv_length, i + query_offset - key_offset + 1))
// CHECK-SAME: columns [max(0, i - query_offset + key_offset), min(length, i - query_offset + key_offset + (s0) * (s1) + 1)){{$}}
// CHECK-NEXT: }
attn.pattern @dilated(%left: index = 8, %dilation: index = 4) {
  %taps = attn.window left(%left) right(0) dilation(%dilation)
  attn.yield %taps
}

// One remainder of the difference is the class so much further on.
// CHECK-LABEL: func.func @difference
// CHECK: attn.phase queries(classes(8)) {
// CHECK-NEXT: attn.box keys(classes(8)) class (mod(i + query_offset - key_offset - 3, 8), mod(i - query_offset + key_offset + 3, 8))
// CHECK-SAME: rows [0, kv_length) columns [0, length){{$}}
// CHECK-NEXT: }
attn.pattern @difference() {
  %some = attn.congruent (query - key) mod(8) from(3) to(3)
  attn.yield %some
}

// A column of a grid is a class. One beside it is, too, where the grid has it; elsewhere the class is the modulus.
// CHECK-LABEL: func.func @columns
// CHECK: attn.phase queries(classes(16)) {
// CHECK-NEXT: attn.box keys(classes(16)) class ({{.*}}mod(-key_offset + mod(i + query_offset, 16) - 1, 16){{.*}} + 16,
// CHECK-NEXT: attn.box keys(classes(16)) class (mod(i + query_offset - key_offset, 16), mod(i - query_offset + key_offset, 16))
// CHECK-NEXT: }
attn.pattern @columns() {
  %row, %column = attn.grid [16]
  %near = attn.window left(1) right(0) on %column
  attn.yield %near
}

// Keys of some remainders are an order among rows as they come.
// CHECK-LABEL: func.func @keys
// CHECK: attn.phase queries(all) {
// CHECK-NEXT: attn.box keys(remainders(8, key_offset, 6, 8)) rows [0, min(kv_length, i + query_offset - key_offset + 1)){{.*}}){{$}}
// CHECK-NEXT: }
attn.pattern @keys() {
  %last = attn.congruent key mod(8) from(6) to(7)
  %past = attn.causal
  %both = attn.intersect %last, %past
  attn.yield %both
}

// Others are two of them.
// CHECK-LABEL: func.func @other_keys
// CHECK: attn.phase queries(all) {
// CHECK-NEXT: attn.box keys(remainders(8, key_offset, 0, 3)) rows [0, kv_length) columns [0, length){{$}}
// CHECK-NEXT: attn.box keys(remainders(8, key_offset, 5, 8)) rows [0, kv_length) columns [0, length){{$}}
// CHECK-NEXT: }
attn.pattern @other_keys() {
  %all = attn.full
  %some = attn.congruent key mod(8) from(3) to(4)
  %others = attn.minus %all, %some
  attn.yield %others
}

// Queries of some remainders own their rows. Those of a number that may be 0 end at the modulus.
// CHECK-LABEL: func.func @queries
// CHECK: attn.phase queries(remainders(s0, query_offset, 0, min(1, s0))) {
// CHECK-NEXT: attn.box keys(all) rows [0, kv_length) columns [0, length){{$}}
// CHECK-NEXT: }
// CHECK-NEXT: attn.phase queries(all) except(remainders(s0, query_offset, 0, min(1, s0))) {
// CHECK-NEXT: attn.box keys(all) rows [max(0, i + query_offset - key_offset - 8),
// CHECK-NEXT: }
attn.pattern @queries(%stride: index = 64) {
  %hub = attn.congruent query mod(%stride)
  %near = attn.window left(8) right(8)
  %pairs = attn.union %hub, %near
  attn.yield %pairs
}

// Sparse Transformer, strided: the last rows in their order; the column goes on from there, in classes.
// CHECK-LABEL: func.func @strided
// CHECK: attn.phase queries(all) {
// CHECK-NEXT: attn.box keys(all) rows [max(0, i + query_offset - key_offset - 127), min(kv_length, i + query_offset - key_offset + 1))
// CHECK-NEXT: }
// CHECK-NEXT: attn.phase queries(classes(128)) continues {
// CHECK-NEXT: attn.box keys(classes(128)) class ({{.*}}) rows [0, min(kv_length, i + query_offset - key_offset - 127))
// CHECK-SAME: columns [max(0, i - query_offset + key_offset + 128), length){{$}}
// CHECK-NEXT: }
attn.pattern @strided() {
  %local = attn.window left(127) right(0)
  %column = attn.congruent (query - key) mod(128)
  %past = attn.causal
  %summaries = attn.intersect %column, %past
  %pairs = attn.union %local, %summaries
  attn.yield %pairs
}

// What another box has taken is a hole, where keys have an order of their own.
// CHECK-LABEL: func.func @hole
// CHECK: attn.phase queries(all) {
// CHECK-NEXT: attn.box keys(all) rows [max(0, [[FIRST:i \+ query_offset - key_offset - 8]]), min(kv_length, [[END:i \+ query_offset - key_offset \+ 5]]))
// CHECK-NEXT: attn.box keys(remainders(16, key_offset, 0, 1)) rows [0, kv_length) columns [0, length)
// CHECK-SAME: without rows {{\[}}[[FIRST]], [[END]]) columns [i - query_offset + key_offset - 4, i - query_offset + key_offset + 9){{$}}
// CHECK-NEXT: }
attn.pattern @hole() {
  %near = attn.window left(8) right(4)
  %summaries = attn.congruent key mod(16)
  %pairs = attn.union %near, %summaries
  attn.yield %pairs
}

// Each modulus is a phase. What an earlier one has taken is tested where that is no interval.
// CHECK-LABEL: func.func @two_dilations
// CHECK: attn.phase queries(classes(2)) {
// CHECK-NEXT: attn.box keys(classes(2)) {{.*}}){{$}}
// CHECK-NEXT: }
// CHECK-NEXT: attn.phase queries(classes(3)) continues {
// CHECK-NEXT: attn.box keys(classes(3)) {{.*}} rows [max(0, i + query_offset - key_offset - 24), min(kv_length, i + query_offset - key_offset - 8)){{.*}}){{$}}
// CHECK-NEXT: attn.box keys(classes(3)) {{.*}} rows [max(0, i + query_offset - key_offset - 8), min(kv_length, i + query_offset - key_offset + 1)){{.*}} test
attn.pattern @two_dilations() {
  %near = attn.window left(4) right(0) dilation(2)
  %far = attn.window left(8) right(0) dilation(3)
  %pairs = attn.union %near, %far
  attn.yield %pairs
}

// More moduli than a target puts behind one another: one box, everything tested.
// CHECK-LABEL: func.func @five_dilations
// CHECK: attn.phase queries(all) {
// CHECK-NEXT: attn.box keys(all) rows [0, kv_length) columns [0, length) test
// CHECK-NOT: attn.box
attn.pattern @five_dilations() {
  %a = attn.window left(4) right(0) dilation(2)
  %b = attn.window left(4) right(0) dilation(3)
  %c = attn.window left(4) right(0) dilation(5)
  %d = attn.window left(4) right(0) dilation(7)
  %e = attn.window left(4) right(0) dilation(11)
  %pairs = attn.union %a, %b, %c, %d, %e
  attn.yield %pairs
}

// A dilation of each head is an order of each head.
// CHECK-LABEL: func.func @per_head
// CHECK: symbols(%{{.*}} : !attn.per_head)
// CHECK-NEXT: attn.phase queries(classes(s0)) {
// CHECK-NEXT: attn.box keys(classes(s0)) class (mod(i + query_offset - key_offset, s0), mod(i - query_offset + key_offset, s0)) rows [max(0, i + query_offset - key_offset - 4 * s0),
// CHECK-NEXT: }
attn.pattern @per_head(%dilations: !attn.per_head = [2, 3]) {
  %own = attn.of_head %dilations
  %taps = attn.window left(4) right(0) dilation(%own)
  attn.yield %taps
}

// A listed key is its list's: boxes in other orders leave it out, and nothing is tested.
// CHECK-LABEL: func.func @classes_and_lists
// CHECK: attn.phase queries(all) {
// CHECK-NEXT: attn.box keys(listed(0)) rows [0, kv_length) columns [0, length){{$}}
// CHECK-NEXT: }
// CHECK-NEXT: attn.phase queries(classes(s0)) continues {
// CHECK-NEXT: attn.box keys(classes(s0)) class {{.*}} except(listed(0)){{$}}
// CHECK-NEXT: }
attn.pattern @classes_and_lists(%tokens: !attn.tokens = [0], %dilation: index = 4) {
  %taps = attn.window left(8) right(0) dilation(%dilation)
  %hub = attn.global columns %tokens
  %pairs = attn.union %taps, %hub
  attn.yield %pairs
}

// CHECK-LABEL: func.func @patches_and_lists
// CHECK: attn.phase queries(all) {
// CHECK-NEXT: attn.box keys(listed(0)) rows [0, kv_length) columns [0, length){{$}}
// CHECK-NEXT: }
// CHECK-NEXT: attn.phase queries(patches(32, 8, 8)) continues {
// CHECK-NEXT: attn.box keys(all) columns_of (32, key_offset) {{.*}} except(listed(0)){{$}}
// CHECK-NEXT: }
attn.pattern @patches_and_lists(%tokens: !attn.tokens = [0]) {
  %row, %column = attn.grid [32]
  %above_and_below = attn.neighborhood 7 on %row
  %beside = attn.neighborhood 7 on %column
  %near = attn.intersect %above_and_below, %beside
  %hub = attn.global columns %tokens
  %pairs = attn.union %near, %hub
  attn.yield %pairs
}

// What is tested in any order does not keep a few columns from theirs, which a typical call decides.
// CHECK-LABEL: func.func @few_columns_and_region
// CHECK: attn.phase queries(classes(s0)) {
// CHECK: attn.box keys(classes(s0)) {{.*}} test (
attn.pattern @few_columns_and_region(%width: index = 16) {
  %row, %column = attn.grid [%width]
  %near = attn.window left(1) right(1) on %column
  %even = attn.where (%b, %h, %i, %j) {
    %two = arith.constant 2 : index
    %sum = arith.addi %i, %j : index
    %rest = arith.remui %sum, %two : index
    %zero = arith.constant 0 : index
    %is = arith.cmpi eq, %rest, %zero : index
    attn.yield %is : i1
  }
  %pairs = attn.intersect %near, %even
  attn.yield %pairs
}

// CHECK-LABEL: func.func @few_columns_and_blocks
// CHECK: attn.phase queries(classes(s0)) {
// CHECK: attn.box keys(classes(s0)) {{.*}} test (
attn.pattern @few_columns_and_blocks(%table: !attn.blocks, %width: index = 16, %block: index = 8) {
  %row, %column = attn.grid [%width]
  %near = attn.window left(1) right(1) on %column
  %listed = attn.block_table %table block(%block)
  %pairs = attn.intersect %near, %listed
  attn.yield %pairs
}
