// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What becomes of atoms that a row's bounds do not say: tests, conditions on heads, requirements.
//
// RUN: attn-opt %s --attn-specialize --attn-plan | FileCheck %s

// A second modulus is tested in the classes of the first: place, lower bound, upper bound.
// CHECK-LABEL: func.func @two_moduli
// CHECK: attn.box keys(classes(s0)) {{.*}} test (%{{.*}}, %{{.*}}, %[[I:.*]], %[[J:.*]]) {
// CHECK-NEXT: %[[PLACE:.*]] = attn.apply mod(i + key_offset, s1) at %[[J]]
// CHECK-NEXT: %[[LOWER:.*]] = attn.apply mod(i + query_offset, s1) at %[[I]]
// CHECK-NEXT: %[[ABOVE:.*]] = arith.cmpi sge, %[[PLACE]], %[[LOWER]]
// CHECK-NEXT: %[[UPPER:.*]] = attn.apply mod(i + query_offset, s1) + 1 at %[[I]]
// CHECK-NEXT: %[[BELOW:.*]] = arith.cmpi slt, %[[PLACE]], %[[UPPER]]
// CHECK-NEXT: %[[BOTH:.*]] = arith.andi %[[ABOVE]], %[[BELOW]]
// CHECK-NEXT: attn.yield %[[BOTH]]
attn.pattern @two_moduli(%a: index = 4, %b: index = 6) {
  %first = attn.congruent (query - key) mod(%a)
  %second = attn.congruent (query - key) mod(%b)
  %pairs = attn.intersect %first, %second
  attn.yield %pairs
}

// A per-head parameter is a symbol like another: one phase, one box.
// CHECK-LABEL: func.func @per_head
// CHECK-SAME: %[[LEFT:[^:]*]]: !attn.per_head {attn.default = array<i32: 8, 16>, attn.minimum = 0 : index, attn.name = "left"}
// CHECK-NOT: attn.of_head
// CHECK: symbols(%[[LEFT]] : !attn.per_head)
// CHECK-NEXT: attn.phase queries(all) {
// CHECK-NEXT: attn.box keys(all) rows [max(0, i + query_offset - key_offset - s0), min(kv_length, i + query_offset - key_offset + 1))
// CHECK-NEXT: }
attn.pattern @per_head(%left: !attn.per_head = [8, 16]) {
  %own = attn.of_head %left
  %near = attn.window left(%own) right(0)
  attn.yield %near
}

// Heads that are not meant have empty boxes, and nothing is tested.
// CHECK-LABEL: func.func @heads_of_two_kinds
// CHECK: attn.phase queries(all) {
// CHECK-NEXT: attn.box keys(all) {{.*}}(kv_length) * ({{.*}}mod(head, 2){{.*}}(length) * ({{.*}}mod(head, 2)
// CHECK-NEXT: attn.box keys(all) {{.*}}(kv_length) * ({{.*}}mod(head, 2)
// CHECK-NEXT: }
attn.pattern @heads_of_two_kinds() {
  %even = attn.congruent head mod(2)
  %near = attn.window left(8) right(0)
  %own = attn.block_local 16
  %of_even = attn.intersect %near, %even
  %of_odd = attn.minus %own, %even
  %pairs = attn.union %of_even, %of_odd
  attn.yield %pairs
}

// CHECK-LABEL: func.func @chosen_heads
// CHECK: symbols(%{{.*}} : !attn.per_head)
// CHECK: attn.box keys(all) {{.*}}(kv_length) * ({{.*}}s0
// CHECK-NOT: test
attn.pattern @chosen_heads(%flags: !attn.per_head) {
  %chosen = attn.heads in %flags
  attn.yield %chosen
}

// CHECK-LABEL: func.func @first_heads
// CHECK: attn.box keys(all) {{.*}}(kv_length) * ({{.*}}head
// CHECK-NOT: test
attn.pattern @first_heads() {
  %first = attn.heads below(2)
  attn.yield %first
}

// Sizes of the call in a bound.
// CHECK-LABEL: func.func @sizes
// CHECK: symbols(%{{.*}} : !attn.lengths)
// CHECK-NEXT: attn.phase queries(all) {
// CHECK-NEXT: attn.box keys(all) rows [max(0, -key_offset + floordiv(length + query_offset, max(1, s0))), min(kv_length, kv_length - heads))
attn.pattern @sizes(%lengths: !attn.lengths) {
  %length = attn.of_batch %lengths
  %keys = attn.extent keys
  %queries = attn.extent queries
  %heads = attn.extent heads
  %begin = arith.floordivsi %queries, %length : index
  %end = arith.subi %keys, %heads : index
  %some = attn.range columns from(%begin) below(%end)
  attn.yield %some
}

// CHECK-LABEL: func.func @rows_and_columns
// CHECK: attn.phase queries(all) {
// CHECK-NEXT: attn.box keys(all) {{.*}}
// CHECK-NEXT: attn.box keys(all) {{.*}}
// CHECK-NEXT: }
attn.pattern @rows_and_columns(%count: index = 16) {
  %hub = attn.range both below(%count)
  attn.yield %hub
}

// Where queries are not taken block by block, a table of blocks is asked by block row and block.
// CHECK-LABEL: func.func @table
// CHECK-SAME: %[[RANDOM:[^:]*]]: !attn.blocks {attn.name = "random"}
// CHECK: tables(%[[RANDOM]] : !attn.blocks)
// CHECK: attn.box keys(classes(3)) {{.*}} test (%{{.*}}, %{{.*}}, %[[I:.*]], %[[J:.*]]) {
// CHECK-NEXT: %[[ROW:.*]] = attn.apply floordiv(i + query_offset, s0) at %[[I]]
// CHECK-NEXT: %[[ENTRY:.*]] = attn.apply floordiv(i + key_offset, s0) at %[[J]]
// CHECK-NEXT: attn.lists %[[RANDOM]][%[[ROW]]], %[[ENTRY]]
attn.pattern @table(%random: !attn.blocks, %block: index = 16) {
  %drawn = attn.block_table %random block(%block)
  %some = attn.congruent (query - key) mod(3)
  %pairs = attn.intersect %drawn, %some
  attn.yield %pairs
}

// Offsets in segments stand in the place of rows; a row without one is in no pair.
// CHECK-LABEL: func.func @offsets
// CHECK-SAME: %[[IDS:[^:]*]]: !attn.segments
// CHECK: test (%{{.*}}, %{{.*}}, %[[I:.*]], %[[J:.*]]) {
// CHECK-NEXT: %[[P:.*]] = attn.apply i + query_offset at %[[I]]
// CHECK-NEXT: %[[FOUND:.*]] = attn.lookup offset %[[IDS]][%[[P]]] else -1
// CHECK-NEXT: %[[OFFSET:.*]] = arith.index_cast %[[FOUND]]
// CHECK: arith.cmpi sge, %[[OFFSET]], %c0
// CHECK: arith.cmpi sge, %{{.*}}, %c0
// CHECK: attn.apply mod(i, 3) at %[[OFFSET]]
// CHECK: attn.yield
attn.pattern @offsets(%ids: !attn.segments) {
  %offset = attn.offset %ids
  %column = attn.congruent (query - key) mod(3) on %offset
  attn.yield %column
}

// CHECK-LABEL: func.func @second_stream
// CHECK: attn.box keys(all) rows [max(0, -key_offset + s0{{[,)]}}
// CHECK-NOT: test
attn.pattern @second_stream(%count: index = 16) {
  %first, %second = attn.stream [%count]
  %past = attn.causal on %second
  attn.yield %past
}

// CHECK-LABEL: func.func @raster
// CHECK: test (%{{.*}}, %{{.*}}, %[[I:.*]], %[[J:.*]]) {
// CHECK: attn.apply {{.*}}mod(mod(i + key_offset, s0), 4){{.*}} at %[[J]]
// CHECK: attn.apply {{.*}}mod(mod(i + query_offset, s0), 4){{.*}} at %[[I]]
// CHECK: arith.cmpi slt
attn.pattern @raster(%width: index = 16) {
  %row, %column = attn.grid [%width]
  %place = attn.raster %row, %column blocks [2, 4]
  %past = attn.window right(3) on %place
  attn.yield %past
}

// Causal in raster order: rows of blocks above, blocks to the left, rows of the own block above, points to the left.
// CHECK-LABEL: func.func @causal_raster
// CHECK: attn.phase queries(all) {
// CHECK-NEXT: attn.box keys(all) rows
// CHECK-NEXT: }
// CHECK-NEXT: attn.phase queries(patches(s0, 8, 8)) continues {
// CHECK-NEXT: attn.box keys(all) columns_of (s0, key_offset) [0, 4 * floordiv(mod(i + query_offset, s0), 4))
// CHECK-NEXT: attn.box keys(all) columns_of
// CHECK-NEXT: attn.box keys(all) columns_of
// CHECK-SAME: min(4 * floordiv(mod(i + query_offset, s0), 4) + 4, mod(i + query_offset, s0) + 1))
// CHECK-NEXT: }
// CHECK-NOT: test
attn.pattern @causal_raster(%width: index = 16) {
  %row, %column = attn.grid [%width]
  %place = attn.raster %row, %column blocks [2, 4]
  %past = attn.causal on %place
  attn.yield %past
}

// A relation without an upper bound is asked for the lower one alone.
// CHECK-LABEL: func.func @later_in_the_raster
// CHECK: test (%{{.*}}, %{{.*}}, %[[I:.*]], %[[J:.*]]) {
// CHECK: %[[IS:.*]] = arith.cmpi sge,
// CHECK-NEXT: attn.yield %[[IS]]
attn.pattern @later_in_the_raster() {
  %row, %column = attn.grid [16]
  %place = attn.raster %row, %column blocks [2, 4]
  %past = attn.window right(3) on %place
  %all = attn.full
  %later = attn.minus %all, %past
  attn.yield %later
}

// A grid has to be as large as its neighborhood; what is asked twice is required once.
// CHECK-LABEL: func.func @image
// CHECK: one_sequence requires
// CHECK-SAME: "rows of the grid" floordiv(kv_length + key_offset + s0 - 1, s0) >= "rows of the neighborhood" s1,
// CHECK-SAME: "columns of the grid" s0 >= "columns of the neighborhood" 13 {
attn.pattern @image(%width: index = 64, %rows: index = 13) one_sequence {
  %row, %column = attn.grid [%width]
  %above_and_below = attn.neighborhood %rows on %row
  %beside = attn.neighborhood 13 on %column
  %again = attn.neighborhood 13 on %column
  %pairs = attn.intersect %above_and_below, %beside, %again
  attn.yield %pairs
}

// What constants show to hold is not required of a call.
// CHECK-LABEL: func.func @volume
// CHECK: requires "planes of the grid" floordiv(kv_length + key_offset + 31, 32) >= "planes of the neighborhood" 3 {
attn.pattern @volume() {
  %plane, %row, %column = attn.grid [4, 8]
  %planes = attn.neighborhood 3 on %plane
  %rows = attn.neighborhood 4 on %row
  %columns = attn.neighborhood 3 on %column
  %pairs = attn.intersect %planes, %rows, %columns
  attn.yield %pairs
}

// CHECK-LABEL: func.func @four_axes
// CHECK: requires "axis 1 of the grid" s0 >= "axis 1 of the neighborhood" 3 {
attn.pattern @four_axes(%size: index = 4) {
  %first, %second, %third, %fourth = attn.grid [%size, 4, 8]
  %near = attn.neighborhood 3 on %second
  attn.yield %near
}

// A region that reads what rows count is given rows; other indices stay positions.
// CHECK-LABEL: func.func @where_reads
// CHECK-SAME: %[[ALLOWED:[^:]*]]: !attn.array<[batch, queries, keys]> {attn.name = "allowed"}, %[[SLOPES:[^:]*]]: !attn.array<[?]>
// CHECK: test (%[[B:.*]], %{{.*}}, %[[I:.*]], %[[J:.*]]) {
// CHECK-DAG: %[[P:.*]] = attn.apply i + key_offset at %[[J]]
// CHECK-DAG: %[[OWN:.*]] = attn.load %[[ALLOWED]][%[[B]], %[[I]], %[[J]]] clamped
// CHECK-DAG: %[[SLOPE:.*]] = attn.load %[[SLOPES]][%[[P]]] clamped
// CHECK: arith.cmpf ogt, %[[OWN]], %[[SLOPE]]
attn.pattern @where_reads(%allowed: !attn.array<[batch, queries, keys]>, %slopes: !attn.array<[?]>) {
  %some = attn.where (%b, %h, %i, %j) {
    %own = attn.load %allowed[%b, %i, %j] : !attn.array<[batch, queries, keys]>
    %slope = attn.load %slopes[%j] clamped : !attn.array<[?]>
    %is = arith.cmpf ogt, %own, %slope : f32
    attn.yield %is : i1
  }
  attn.yield %some
}

// Numbers of the pattern that a region uses move out with it.
// CHECK-LABEL: func.func @where_uses
// CHECK-SAME: %[[LEFT:[^:]*]]: !attn.per_head
// CHECK: %[[OWN:.*]] = attn.of_head %[[LEFT]]
// CHECK-NOT: attn.extent
// CHECK: attn.plan
// CHECK: arith.cmpi slt, %{{.*}}, %[[OWN]]
attn.pattern @where_uses(%left: !attn.per_head = [4]) {
  %own = attn.of_head %left
  %unused = attn.extent keys
  %some = attn.where (%b, %h, %i, %j) {
    %is = arith.cmpi slt, %j, %own : index
    attn.yield %is : i1
  }
  attn.yield %some
}

// A condition that a region yields may come from outside.
// CHECK-LABEL: func.func @where_captures
// CHECK: %[[TRUE:.*]] = arith.constant true
// CHECK: attn.yield %[[TRUE]] : i1
attn.pattern @where_captures() {
  %true = arith.constant true
  %all = attn.where (%b, %h, %i, %j) {
    attn.yield %true : i1
  }
  attn.yield %all
}

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
// CHECK-LABEL: func.func @sink
// CHECK: } sink (%{{.*}}, %[[H:.*]], %{{.*}}) {
// CHECK-NEXT: attn.load %{{.*}}[%[[H]]] : !attn.array<[heads]>
func.func @sink(%q: !rows, %k: !rows, %v: !rows, %logits: !attn.array<[heads]>) -> (!rows, !lse) {
  %o, %lse = attn.attention %q, %k, %v pattern { %past = attn.causal attn.yield %past } sink (%b, %h, %i) {
    %logit = attn.load %logits[%h] : !attn.array<[heads]>
    attn.yield %logit : f32
  } : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}
