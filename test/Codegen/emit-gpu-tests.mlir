// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What tests ask for, and numbers that differ from head to head.
//
// RUN: attn-opt %s --attn-specialize="kernel=dilated element=bf16" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=DILATED
// RUN: attn-opt %s --attn-specialize="kernel=drawn element=bf16" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=DRAWN
// RUN: attn-opt %s --attn-specialize="kernel=every_third element=bf16" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=OFFSETS
// RUN: attn-opt %s --attn-specialize="kernel=by_head element=bf16" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=HEADS
// RUN: attn-opt %s --attn-specialize="kernel=even_heads element=bf16" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=EVEN

// A remainder by the head's own number is asked for at every place of the tiles that the window reaches: tensor maps,
// which classes need, serve all heads.
// DILATED: } consumer(
// DILATED: attn_tile.multiply
// DILATED: attn_tile.ask
// DILATED: arith.floordivsi
// DILATED: attn_tile.yield %{{.*}} : i1
attn.pattern @dilated(%dilations: !attn.per_head = [4]) {
  %dilation = attn.of_head %dilations
  %taps = attn.window left(64) right(64) dilation(%dilation)
  attn.yield %taps
}

// What a table does not list is asked for: a row of it is read entry by entry where there is such a row.
// DRAWN: attn_tile.ask
// DRAWN: %[[IS_ROW:.*]] = arith.cmpi ult, %{{.*}}, %{{.*}} : index
// DRAWN: %[[IS_ENTRY:.*]] = arith.cmpi sge, %{{.*}}, %{{.*}} : index
// DRAWN: %[[ASKED:.*]] = arith.andi %[[IS_ROW]], %[[IS_ENTRY]] : i1
// DRAWN: scf.if %[[ASKED]] -> (i1) {
// DRAWN: scf.for {{.*}} iter_args(%[[FOUND:.*]] = %{{.*}}) -> (i1) : i64
// DRAWN: %[[SAME:.*]] = arith.cmpi eq
// DRAWN: arith.ori %[[FOUND]], %[[SAME]] : i1
attn.pattern @drawn(%table: !attn.blocks, %block: index = 32) {
  %near = attn.window left(64) right(64)
  %blocks = attn.block_table %table block(%block)
  %others = attn.minus %near, %blocks
  attn.yield %others
}

// Offsets are another table than the ids, as long as that; a position outside of it has none.
// OFFSETS: attn_tile.ask
// OFFSETS: arith.cmpi ult
// OFFSETS: scf.if %{{.*}} -> (i64) {
// OFFSETS: llvm.load %{{.*}} : !llvm.ptr<1> -> i32
// OFFSETS: } else {
attn.pattern @every_third(%segments: !attn.segments) {
  %offset = attn.offset %segments
  %third = attn.congruent (query - key) mod(3) on %offset
  attn.yield %third
}

// An entry of the head is read once for an item, by each role, and is at least its minimum.
// HEADS: llvm.func @by_head_phase0_tiled(
// HEADS: producer(
// HEADS: %[[ENTRY:.*]] = llvm.load %{{.*}} : !llvm.ptr<1> -> i32
// HEADS: %[[WIDE:.*]] = arith.index_cast %[[ENTRY]] : i32 to index
// HEADS: arith.maxsi %[[WIDE]], %{{.*}} : index
// HEADS-NOT: llvm.load %{{.*}} -> i32
// HEADS: } consumer(
// HEADS: llvm.load %{{.*}} : !llvm.ptr<1> -> i32
// HEADS-NOT: llvm.load %{{.*}} -> i32
// HEADS: llvm.func @by_head_phase0_strided(
attn.pattern @by_head(%left: !attn.per_head = [16]) {
  %reach = attn.of_head %left
  %near = attn.window left(%reach) right(0)
  attn.yield %near
}

// A set of heads is a bound: others have no tiles. Nothing is asked pair by pair.
// EVEN: producer(
// EVEN: arith.minsi
// EVEN-NOT: attn_tile.ask
// EVEN: llvm.func @even_heads_phase0_strided(
attn.pattern @even_heads() {
  %even = attn.congruent head mod(2)
  %past = attn.causal
  %pairs = attn.intersect %even, %past
  attn.yield %pairs
}
