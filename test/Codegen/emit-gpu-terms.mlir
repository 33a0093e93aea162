// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What score and sink regions read: arrays, products of rows, numbers of the call.
//
// RUN: attn-opt %s --attn-specialize="kernel=full element=bf16 score=bias" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=BIAS
// RUN: attn-opt %s --attn-specialize="kernel=full element=bf16 score=held" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=HELD
// RUN: attn-opt %s --attn-specialize="kernel=full element=bf16 score=relative" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=RELATIVE
// RUN: attn-opt %s --attn-specialize="kernel=full element=f16 score=of_row" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=ROW
// RUN: attn-opt %s --attn-specialize="kernel=full element=f16 score=of_key" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=KEY
// RUN: attn-opt %s --attn-specialize="kernel=full element=bf16 score=mixed" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=MIXED
// RUN: attn-opt %s --attn-specialize="kernel=full element=bf16 score=sink" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=SINK

attn.pattern @full() {
  %all = attn.full
  attn.yield %all
}

// A tile's columns may lie beside the keys: there the entry of one of these is read. Arrays are constant.
// BIAS: } consumer(
// BIAS: attn_tile.map %{{.*}} (%{{.*}}: f32, %{{.*}}: index, %[[COLUMN:.*]]: i32) {
// BIAS: %[[LOW:.*]] = arith.minsi %{{.*}}, %{{.*}} : index
// BIAS: arith.maxsi %{{.*}}, %[[LOW]] : index
// BIAS: llvm.load %{{.*}} invariant : !llvm.ptr<1> -> f32
attn.score @bias(%bias: !attn.array<[batch, heads, queries, keys]>) (%s, %b, %h, %i, %j) {
  %given = attn.load %bias[%b, %h, %i, %j] : !attn.array<[batch, heads, queries, keys]>
  %biased = arith.addf %s, %given : f32
  attn.yield %biased : f32
}

// A clamped index stays below the extent, which the call says where the type does not.
// HELD: attn_tile.map %{{.*}} (%{{.*}}: f32, %{{.*}}: index, %{{.*}}: i32) {
// HELD: %[[STEP:.*]] = arith.subi %{{.*}}, %{{.*}} : index
// HELD: %[[LOW:.*]] = arith.minsi %[[STEP]], %{{.*}} : index
// HELD: arith.maxsi %{{.*}}, %[[LOW]] : index
// HELD: llvm.load %{{.*}} invariant
attn.score @held(%slopes: !attn.array<[?]>) (%s, %b, %h, %i, %j) {
  %step = arith.subi %i, %j : index
  %slope = attn.load %slopes[%step] clamped : !attn.array<[?]>
  %biased = arith.addf %s, %slope : f32
  attn.yield %biased : f32
}

// A product for every pair is a loop over columns inside of one over the tile, and tiles are done one after the other.
// RELATIVE: } consumer(
// RELATIVE: attn_tile.multiply
// RELATIVE: attn_tile.map rolled
// RELATIVE: scf.for
// RELATIVE: llvm.load %{{.*}} : !llvm.ptr<1> -> bf16
// RELATIVE: arith.extf %{{.*}} : bf16 to f32
// RELATIVE: llvm.load %{{.*}} invariant : !llvm.ptr<1> -> f32
// RELATIVE: math.fma
// RELATIVE: attn_tile.accumulate
// RELATIVE-NOT: attn_tile.multiply
// RELATIVE: attn_tile.store
attn.score @relative(%relative: !attn.array<[9, head_size]>) (%s, %b, %h, %i, %j) {
  %distance = arith.subi %j, %i : index
  %lowest = arith.constant -4 : index
  %highest = arith.constant 4 : index
  %low = arith.maxsi %distance, %lowest : index
  %clipped = arith.minsi %low, %highest : index
  %id = arith.addi %clipped, %highest : index
  %term = attn.query_dot %relative[%id] : !attn.array<[9, head_size]>
  %moved = arith.addf %s, %term : f32
  attn.yield %moved : f32
}

// What depends on the query row alone is multiplied once for each of the thread's two rows, before there is any tile.
// ROW: } consumer(
// ROW: scf.for
// ROW: math.fma
// ROW: scf.for
// ROW: math.fma
// ROW: %[[TERM:.*]] = attn_tile.pack
// ROW: attn_tile.multiply
// ROW: attn_tile.map %{{.*}}, %{{.*}}, %[[TERM]] (
// ROW-NOT: math.fma
// ROW: attn_tile.yield
attn.score @of_row(%labels: !attn.array<[heads, head_size]>) (%s, %b, %h, %i, %j) {
  %term = attn.query_dot %labels[%h] : !attn.array<[heads, head_size]>
  %moved = arith.addf %s, %term : f32
  attn.yield %moved : f32
}

// What depends on the key row has to wait for it.
// KEY: } consumer(
// KEY: scf.for
// KEY: scf.for
// KEY: %[[TERM:.*]] = attn_tile.pack
// KEY: attn_tile.multiply
// KEY: attn_tile.map rolled %{{.*}}, %{{.*}}, %[[TERM]] (
// KEY: scf.for
// KEY: arith.extf %{{.*}} : f16 to f32
// KEY-NOT: scf.for
// KEY: attn_tile.yield
attn.score @of_key(%labels: !attn.array<[heads, head_size]>) (%s, %b, %h, %i, %j) {
  %of_row = attn.query_dot %labels[%h] : !attn.array<[heads, head_size]>
  %of_key = attn.key_dot %labels[%h] : !attn.array<[heads, head_size]>
  %term = arith.addf %of_row, %of_key : f32
  %moved = arith.addf %s, %term : f32
  attn.yield %moved : f32
}

// Over all heads, and over all columns of each.
// MIXED: attn_tile.map rolled
// MIXED: scf.for
// MIXED: scf.for
// MIXED: math.fma
// MIXED: }
// MIXED: math.fma
attn.score @mixed(%weights: !attn.array<[heads, heads]>) (%s, %b, %h, %i, %j) {
  %mixed = attn.mixed_dot %weights[%h] : !attn.array<[heads, heads]>
  attn.yield %mixed : f32
}

// The state begins with the sink: one of a row's four threads has 1 for its sum. A region that gives the score as it is
// takes no time.
// SINK: } consumer(
// SINK: %[[SINK:.*]] = attn_tile.pack
// SINK: %[[TOP:.*]] = attn_tile.map %[[SINK]] (%[[LOGIT:.*]]: f32) {
// SINK-NEXT: arith.divf %[[LOGIT]], %{{.*}} : f32
// SINK: %[[ONE:.*]] = arith.select %{{.*}}, %{{.*}}, %{{.*}} : f32
// SINK: attn_tile.map %[[SINK]] (%[[LOGIT:.*]]: f32) {
// SINK: arith.select %{{.*}}, %{{.*}}, %[[ONE]] : f32
// SINK: attn_tile.multiply
// SINK-NOT: arith.mulf %{{.*}} fastmath<arcp,contract,afn>
// SINK: attn_tile.accumulate
attn.score @sink(%logits: !attn.array<[heads]>) (%s, %b, %h, %i, %j) {
  attn.yield %s : f32
} sink (%b, %h, %i) {
  %logit = attn.load %logits[%h] : !attn.array<[heads]>
  attn.yield %logit : f32
}
