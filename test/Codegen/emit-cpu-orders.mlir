// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Orders in closed form, phases that continue, and holes, as loops.
//
// RUN: attn-opt %s --attn-specialize=kernel=column --attn-plan --attn-emit-cpu="isas=avx512" \
// RUN:   | FileCheck %s --check-prefix=COLUMN --implicit-check-not="memref<?x?x?x?xi32"
// RUN: attn-opt %s --attn-specialize=kernel=per_head --attn-plan --attn-emit-cpu="isas=avx512" \
// RUN:   | FileCheck %s --check-prefix=HEAD
// RUN: attn-opt %s --attn-specialize=kernel=strided --attn-plan --attn-emit-cpu="isas=avx512" \
// RUN:   | FileCheck %s --check-prefix=STATE --implicit-check-not=group.holes
// RUN: attn-opt %s --attn-specialize=kernel=summaries --attn-plan --attn-emit-cpu="isas=avx512" \
// RUN:   | FileCheck %s --check-prefix=HOLE
// RUN: attn-opt %s --attn-specialize="kernel=summaries score=slope" --attn-plan --attn-emit-cpu="isas=avx512" \
// RUN:   | FileCheck %s --check-prefix=SCORE

// Rows of classes are computed, from the length alone: no table is read. Packing and tiles divide by the modulus.
// COLUMN-LABEL: func.func private @column.pack.1.avx512(
// COLUMN: arith.constant 6 : index
// COLUMN: arith.floordivsi %{{.*}}, %{{.*}} : index
// COLUMN-LABEL: func.func private @column.tile.0.avx512(
// COLUMN: arith.constant 6 : index
// COLUMN: arith.floordivsi %{{.*}}, %{{.*}} : index
// COLUMN: call @column.group.full.avx512(
attn.pattern @column() {
  %some = attn.congruent (query - key) mod(6)
  attn.yield %some
}

// Heads that differ in their order have keys packed for each of them. They are read from the key head.
// HEAD-LABEL: func.func private @per_head.pack.1.avx512(
// HEAD-SAME: %[[B:[^:]*]]: index, %[[H:[^:]*]]: index, %[[BLOCK:[^:]*]]: index)
// HEAD: %[[KEY_HEAD:.*]] = arith.divui %[[H]], %{{.*}} : index
// HEAD: memref.load %{{.*}}[%[[B]], %{{.*}}, %{{.*}}, %[[H]]] : memref<?x?x?x?xi32,
// HEAD: memref.load %{{.*}}[%[[B]], %[[KEY_HEAD]], %{{.*}}, %{{.*}}] : memref<?x?x?x?xf32,
// HEAD: memref.store %{{.*}}[%[[B]], %[[H]], %{{.*}}, %{{.*}}] : memref<?x?x?x?xf32,
// HEAD-LABEL: func.func private @per_head.tile.0.avx512(
attn.pattern @per_head(%strides: !attn.per_head = [2]) {
  %own = attn.of_head %strides
  %some = attn.congruent (query - key) mod(%own)
  attn.yield %some
}

// A phase that continues starts from what stands in lse and output; only the first one begins with nothing. A row of
// which nothing has been seen yet has an lse of -inf, and the sum 0.
// STATE-LABEL: func.func private @strided.tile.0.avx512(
// STATE-NOT: memref.load %{{.*}} : memref<?x?x?x?xf32, strided<[?, ?, ?, ?],
// STATE-LABEL: func.func private @strided.tile.1.avx512(
// STATE: %[[LSE:.*]] = memref.load %{{.*}} : memref<?x?x?x?xf32, strided<[?, ?, ?, ?],
// STATE: %[[MAXIMUM:.*]] = arith.mulf %[[LSE]],
// STATE: memref.store %[[MAXIMUM]], %{{.*}} : memref<80xf32>
// STATE: %[[IS_NONE:.*]] = arith.cmpf oeq, %[[LSE]],
// STATE: %[[SUM:.*]] = arith.select %[[IS_NONE]],
// STATE: memref.store %[[SUM]], %{{.*}} : memref<64x16xf32>
// STATE: vector.load %{{.*}} : memref<?x?x?x?xf32, strided<[?, ?, ?, 1],
// A row's bound is so many steps of the modulus into its class.
// STATE: arith.ceildivsi
// STATE: call @strided.group
attn.pattern @strided() {
  %local = attn.window left(5) right(0)
  %column = attn.congruent (query - key) mod(6)
  %past = attn.causal
  %before = attn.intersect %column, %past
  %pairs = attn.union %local, %before
  attn.yield %pairs
}

// Keys that some remainders pick, but for the window: at or past the first, before the last, and beside the hole.
// HOLE-LABEL: func.func private @summaries.tile.0.avx512(
// HOLE: call @summaries.group.full.avx512(
// HOLE: call @summaries.group.holes.avx512(
// HOLE-LABEL: func.func private @summaries.group.holes.avx512(
// HOLE: %[[FROM:.*]] = arith.cmpi sge, %[[RANKS:.*]], %{{.*}} : vector<16xi32>
// HOLE: %[[BELOW:.*]] = arith.cmpi slt, %[[RANKS]],
// HOLE: %[[INSIDE:.*]] = arith.andi %[[FROM]], %[[BELOW]]
// HOLE: %[[BEFORE:.*]] = arith.cmpi slt, %[[RANKS]],
// HOLE: %[[AFTER:.*]] = arith.cmpi sge, %[[RANKS]],
// HOLE: %[[BESIDE:.*]] = arith.ori %[[BEFORE]], %[[AFTER]]
// HOLE: arith.andi %[[INSIDE]], %[[BESIDE]]

// A score region asks for positions. Rows that a tile computes once for all of its pairs are found like listed ones.
// SCORE-DAG: call @summaries.group.holes.listed.avx512(
// SCORE-DAG: call @summaries.group.bounds.avx512(
attn.pattern @summaries() {
  %near = attn.window left(6) right(3)
  %seen = attn.congruent key mod(9)
  %pairs = attn.union %near, %seen
  attn.yield %pairs
}
attn.score @slope() (%s, %b, %h, %i, %j) {
  %distance = arith.subi %i, %j : index
  %number = arith.index_cast %distance : index to i32
  %float = arith.sitofp %number : i32 to f32
  %moved = arith.subf %s, %float : f32
  attn.yield %moved : f32
}
