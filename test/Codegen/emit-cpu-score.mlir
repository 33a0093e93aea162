// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What score regions and sinks read. Terms that many pairs share are computed before the region runs over the pairs.
//
// RUN: attn-opt %s --attn-specialize="kernel=hubs score=distances head-size=32" --attn-plan --attn-emit-cpu="isas=avx512" \
// RUN:   | FileCheck %s --check-prefix=DISTANCES
// RUN: attn-opt %s --attn-specialize="kernel=hubs score=rows head-size=32" --attn-plan --attn-emit-cpu="isas=avx512" \
// RUN:   | FileCheck %s --check-prefix=ROWS --implicit-check-not=.terms --implicit-check-not=listed_queries
// RUN: attn-opt %s --attn-specialize="kernel=hubs score=keys head-size=32" --attn-plan --attn-emit-cpu="isas=avx512" \
// RUN:   | FileCheck %s --check-prefix=KEYS --implicit-check-not=listed_queries
// RUN: attn-opt %s --attn-specialize="kernel=hubs score=bias head-size=32" --attn-plan --attn-emit-cpu="isas=avx512" \
// RUN:   | FileCheck %s --check-prefix=BIAS --implicit-check-not=.terms
// RUN: attn-opt %s --attn-specialize="kernel=hubs score=sink head-size=32" --attn-plan --attn-emit-cpu="isas=avx512" \
// RUN:   | FileCheck %s --check-prefix=SINK --implicit-check-not=.listed.avx512

// Two phases: listed query rows, and all others; the keys of the second are all, then listed ones.
attn.pattern @hubs(%tokens: !attn.tokens = [0]) {
  %near = attn.window left(4) right(4)
  %hub = attn.global %tokens
  %pairs = attn.union %near, %hub
  attn.yield %pairs
}

// Where rows and keys follow one another, rows of the array are gathered once for each distance of the tile, packed, and
// multiplied with Q as keys are; elsewhere the product is computed pair by pair.
// DISTANCES-LABEL: func.func private @hubs.group.full.listed_queries.avx512(
// DISTANCES: vector.gather {{.*}} into vector<16xf32>
// DISTANCES: vector.fma
// DISTANCES-LABEL: func.func private @hubs.terms.avx512(
// DISTANCES: %[[PACKED:.*]] = vector.gather {{.*}} into vector<16xf32>
// DISTANCES: vector.store %[[PACKED]]
// DISTANCES-LABEL: func.func private @hubs.group.full.avx512(
// DISTANCES: vector.fma
// DISTANCES-NOT: vector.gather
// DISTANCES: return
attn.score @distances(%relative: !attn.array<[?, head_size]>) (%s, %b, %h, %i, %j) {
  %distance = arith.subi %i, %j : index
  %term = attn.query_dot %relative[%distance] clamped : !attn.array<[?, head_size]>
  %moved = arith.addf %s, %term : f32
  attn.yield %moved : f32
}

// One product for each row, when the rows are loaded.
// ROWS-LABEL: func.func private @hubs.tile.0.avx512(
// ROWS: scf.for {{.*}} iter_args({{.*}}) -> (f32)
// ROWS-LABEL: func.func private @hubs.group.full.avx512(
// ROWS-NOT: {{gather|-> \(f32\)}}
// ROWS: return
attn.score @rows(%vectors: !attn.array<[heads, head_size]>) (%s, %b, %h, %i, %j) {
  %term = attn.query_dot %vectors[%h] : !attn.array<[heads, head_size]>
  %moved = arith.addf %s, %term : f32
  attn.yield %moved : f32
}

// One product for each key of a tile.
// KEYS-DAG: func.func private @hubs.terms.avx512(
// KEYS-DAG: func.func private @hubs.terms.listed.avx512(
// KEYS-DAG: call @hubs.terms.avx512(
// KEYS-DAG: call @hubs.terms.listed.avx512(
attn.score @keys(%vectors: !attn.array<[heads, head_size]>) (%s, %b, %h, %i, %j) {
  %term = attn.key_dot %vectors[%h] : !attn.array<[heads, head_size]>
  %moved = arith.addf %s, %term : f32
  attn.yield %moved : f32
}

// Keys that follow one another are one load where columns are contiguous, which the call decides. Lanes past the last
// key read nothing, or the last.
// BIAS-LABEL: func.func private @hubs.group.full.avx512(
// BIAS: scf.if
// BIAS: memref.prefetch {{.*}} : memref<?xf32>
// BIAS: vector.maskedload
// BIAS: } else {
// BIAS: vector.gather
// BIAS-LABEL: func.func private @hubs.group.full.listed.avx512(
// BIAS-NOT: vector.maskedload {{.*}}f32
// BIAS: arith.minsi
// BIAS: vector.gather
attn.score @bias(%bias: !attn.array<[heads, queries, keys]>) (%s, %b, %h, %i, %j) {
  %given = attn.load %bias[%h, %i, %j] : !attn.array<[heads, queries, keys]>
  %biased = arith.addf %s, %given : f32
  attn.yield %biased : f32
}

// The state begins with the sink; one of -inf is none.
// SINK-LABEL: func.func private @hubs.tile.0.avx512(
// SINK: %[[LOGIT:.*]] = memref.load {{.*}} : memref<?x{{.*}}f32
// SINK: arith.mulf %[[LOGIT]]
// SINK: arith.cmpf oeq
// SINK: arith.select
attn.score @sink(%logits: !attn.array<[heads]>) (%s, %b, %h, %i, %j) {
  attn.yield %s : f32
} sink (%b, %h, %i) {
  %logit = attn.load %logits[%h] : !attn.array<[heads]>
  attn.yield %logit : f32
}
