// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions of each phase: their rings, what the producer brings and how, and which of the consumers' loops mask.
//
// RUN: attn-opt %s --attn-specialize="kernel=full element=bf16" --attn-plan="target=sm_90a tile-rows=128 tile-keys=64" \
// RUN:   --attn-emit-gpu | FileCheck %s --check-prefix=FULL --implicit-check-not="= attn."
// RUN: attn-opt %s --attn-specialize="kernel=causal element=f16" --attn-plan="target=sm_90a tile-rows=128 tile-keys=64" \
// RUN:   --attn-emit-gpu | FileCheck %s --check-prefix=CAUSAL
// RUN: attn-opt %s --attn-specialize="kernel=band element=bf16" --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" \
// RUN:   --attn-emit-gpu | FileCheck %s --check-prefix=BAND
// RUN: attn-opt %s --attn-specialize="kernel=hubs element=bf16" --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" \
// RUN:   --attn-emit-gpu | FileCheck %s --check-prefix=HUBS
// RUN: attn-opt %s --attn-specialize="kernel=segments element=bf16" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=SEGMENTS
// RUN: attn-opt %s --attn-specialize="kernel=even element=bf16" --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" \
// RUN:   --attn-emit-gpu | FileCheck %s --check-prefix=TEST
// RUN: attn-opt %s --attn-specialize="kernel=causal element=bf16" --attn-plan=target=sm_90a --attn-emit-gpu \
// RUN:   | FileCheck %s --check-prefix=COMPACT
// RUN: attn-opt %s --attn-specialize="kernel=full element=bf16 score=slope" --attn-plan=target=sm_90a --attn-emit-gpu \
// RUN:   | FileCheck %s --check-prefix=SCORE

// Four tensor maps and the words of the call; a warpgroup that produces, and one for every 64 query rows.
// FULL-LABEL: gpu.module @full attributes {attn.element = bf16}
// FULL: llvm.func @full_phase0_tiled(%[[QMAP:[a-z0-9]+]]: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>,
// FULL-SAME: %[[KMAP:[a-z0-9]+]]: !llvm.ptr
// FULL-SAME: %[[VMAP:[a-z0-9]+]]: !llvm.ptr
// FULL-SAME: %[[OMAP:[a-z0-9]+]]: !llvm.ptr
// FULL-SAME: nvvm.kernel
// FULL-SAME: nvvm.reqntid = array<i32: 384, 1, 1>
// Key and value tiles go round in as many stages.
// FULL: %[[Q:.*]] = attn_tile.ring {{.*}} : <{{[0-9]+}} x 128x64xbf16>
// FULL: %[[K:.*]] = attn_tile.ring {{.*}} : <[[STAGES:[0-9]+]] x 64x64xbf16>
// FULL: %[[V:.*]] = attn_tile.ring {{.*}} : <[[STAGES]] x 64x64xbf16>
// FULL: attn_tile.roles {{.*}} producer(
// FULL: attn_tile.fill %[[Q]][{{.*}}] from %[[QMAP]]
// FULL: scf.for
// FULL: attn_tile.fill %[[K]][{{.*}}] from %[[KMAP]]
// FULL: attn_tile.fill %[[V]][{{.*}}] from %[[VMAP]]
// FULL-NOT: nvvm.cp.async.shared
// FULL: } consumer(
// The first tile, which the sequence's end lies in, is masked, no other one.
// FULL: attn_tile.multiply
// FULL: attn_tile.first_column
// FULL: scf.for
// FULL: attn_tile.multiply
// FULL: attn_tile.accumulate
// FULL-NOT: attn_tile.first_column
// FULL: attn_tile.store {{.*}} to %[[OMAP]]
// Without tensor maps, threads copy every row.
// FULL: llvm.func @full_phase0_strided(
// FULL-NOT: attn_tile.{{fill|store}}
// FULL: attn_tile.roles {{.*}} producer(
// FULL-NOT: attn_tile.{{fill|store}}
// FULL: attn_tile.publish
// FULL-NOT: attn_tile.{{fill|store}}
// FULL: } consumer(
// FULL-NOT: attn_tile.{{fill|store}}
// FULL-NOT: llvm.func
attn.pattern @full() {
  %all = attn.full
  attn.yield %all
}

// Tiles on the diagonal are masked, then come those below it.
// CAUSAL: llvm.func @causal_phase0_tiled(
// CAUSAL: } consumer(
// CAUSAL: attn_tile.multiply {{.*}} : <64x64xf16, panel = 128>, <64x64xf16>
// CAUSAL: attn_tile.first_column
// CAUSAL: scf.for
// CAUSAL: attn_tile.multiply
// CAUSAL: attn_tile.first_column
// CAUSAL: scf.for
// CAUSAL: attn_tile.multiply
// CAUSAL-NOT: attn_tile.first_column
// CAUSAL: attn_tile.store
// For few keys there is a version with small tiles, through tensor maps as well.
// COMPACT: llvm.func @causal_phase0_tiled(
// COMPACT: llvm.func @causal_phase0_strided(
// COMPACT: llvm.func @causal_phase0_compact(
// COMPACT-SAME: nvvm.reqntid = array<i32: 256, 1, 1>
// COMPACT: attn_tile.fill
// COMPACT-NOT: nvvm.cp.async.shared
// COMPACT: } consumer(
// COMPACT-NOT: llvm.func
attn.pattern @causal() {
  %past = attn.causal
  attn.yield %past
}

// The tile that ends at the last key holds all upper bounds of 64 rows; after the full tiles come those at lower bounds.
// BAND: llvm.func @band_phase0_tiled(
// BAND: } consumer(
// BAND: attn_tile.multiply
// BAND: attn_tile.first_column
// BAND: scf.for
// BAND: attn_tile.multiply
// BAND-NOT: attn_tile.first_column
// BAND: scf.for
// BAND: attn_tile.multiply
// BAND: attn_tile.first_column
// BAND: attn_tile.store
attn.pattern @band(%width: index = 256) {
  %near = attn.window left(%width) right(%width)
  attn.yield %near
}

// Listed rows are copied one by one, of queries in phase 0 and of keys in phase 1; rows that follow each other come
// through tensor maps.
// HUBS: llvm.func @hubs_phase0_tiled(
// HUBS: %[[Q:.*]] = attn_tile.ring
// HUBS: %[[K:.*]] = attn_tile.ring
// HUBS: %[[V:.*]] = attn_tile.ring
// HUBS-NOT: attn_tile.fill
// HUBS: nvvm.cp.async.shared
// HUBS: attn_tile.publish %[[Q]]
// HUBS-NOT: nvvm.cp.async.shared
// HUBS: attn_tile.fill %[[K]]
// HUBS: attn_tile.fill %[[V]]
// HUBS-NOT: nvvm.cp.async.shared
// HUBS: } consumer(
// Listed rows are stored one by one, too.
// HUBS-NOT: attn_tile.store
// HUBS: llvm.func @hubs_phase0_strided(
// HUBS-NOT: attn_tile.fill
// HUBS: llvm.func @hubs_phase1_tiled(
// HUBS: %[[Q1:.*]] = attn_tile.ring
// HUBS: %[[K1:.*]] = attn_tile.ring
// HUBS: %[[V1:.*]] = attn_tile.ring
// HUBS-NOT: nvvm.cp.async.shared
// HUBS: attn_tile.fill %[[Q1]]
// HUBS: attn_tile.fill %[[K1]]
// HUBS: attn_tile.fill %[[V1]]
// HUBS-NOT: attn_tile.fill
// HUBS: nvvm.cp.async.shared
// HUBS: attn_tile.publish
// HUBS-NOT: attn_tile.fill
// HUBS: } consumer(
// HUBS: llvm.func @hubs_phase1_strided(
// HUBS-NOT: llvm.func
attn.pattern @hubs(%tokens: !attn.tokens = [0]) {
  %near = attn.window left(4) right(4)
  %hub = attn.global %tokens
  %pairs = attn.union %near, %hub
  attn.yield %pairs
}

// Segments that are sorted already are rows that follow each other; which it is, the call shows.
// SEGMENTS: llvm.func @segments_phase0_tiled(
// SEGMENTS: %[[Q:.*]] = attn_tile.ring
// SEGMENTS: %[[K:.*]] = attn_tile.ring
// SEGMENTS: scf.if
// SEGMENTS: attn_tile.fill %[[Q]]
// SEGMENTS: } else {
// SEGMENTS: nvvm.cp.async.shared
// SEGMENTS: attn_tile.publish %[[Q]]
// SEGMENTS: scf.if
// SEGMENTS: attn_tile.fill %[[K]]
// SEGMENTS: } else {
// SEGMENTS: nvvm.cp.async.shared
// SEGMENTS: attn_tile.publish %[[K]]
attn.pattern @segments(%ids: !attn.segments) {
  %own = attn.segments %ids
  attn.yield %own
}

// What is tested is tested in every tile: there is one loop, a tile after the other.
// TEST: llvm.func @even_phase0_tiled(
// TEST: } consumer(
// TEST: scf.for
// TEST: attn_tile.multiply
// TEST: attn_tile.ask
// TEST: arith.remsi
// TEST: attn_tile.accumulate
// TEST-NOT: attn_tile.multiply
// TEST: attn_tile.store
attn.pattern @even() {
  %even = attn.where (%b, %h, %i, %j) {
    %two = arith.constant 2 : index
    %zero = arith.constant 0 : index
    %rest = arith.remsi %j, %two : index
    %is = arith.cmpi eq, %rest, %zero : index
    attn.yield %is : i1
  }
  attn.yield %even
}

// A score region is written into the map over a tile's scores. What a row has in common is computed once for it: only
// the column, times what it counts, is added in every place.
// SCORE: } consumer(
// SCORE: attn_tile.multiply
// SCORE: attn_tile.map {{.*}} (%{{.*}}: f32, %{{.*}}: index, %[[COLUMN:.*]]: i32) {
// SCORE: %[[STEP:.*]] = arith.muli %[[COLUMN]], %{{.*}} : i32
// SCORE: %[[MOVING:.*]] = arith.sitofp %[[STEP]] : i32 to f32
// SCORE: arith.addf %{{.*}}, %[[MOVING]] fastmath<{{.*}}> : f32
// SCORE: scf.for
// SCORE: attn_tile.multiply
// SCORE: attn_tile.map {{.*}} (%{{.*}}: f32, %{{.*}}: index, %{{.*}}: i32) {
// SCORE: arith.sitofp
attn.score @slope(%slope: f32 = 0.5) (%s, %b, %h, %i, %j) {
  %distance = arith.subi %j, %i : index
  %whole = arith.index_cast %distance : index to i64
  %far = arith.sitofp %whole : i64 to f32
  %bias = arith.mulf %far, %slope : f32
  %biased = arith.addf %s, %bias : f32
  attn.yield %biased : f32
}
