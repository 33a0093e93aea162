// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Keys that few tiles look at are packed when one of them asks for them, into slots of the worker's ring.
//
// RUN: attn-opt %s --attn-specialize=kernel=band --attn-plan --attn-emit-cpu="isas=avx512" \
// RUN:   | FileCheck %s --check-prefix=BAND
// RUN: attn-opt %s --attn-specialize=kernel=columns --attn-plan --attn-emit-cpu="isas=avx512" \
// RUN:   | FileCheck %s --check-prefix=COLUMNS
// RUN: attn-opt %s --attn-specialize=kernel=segments --attn-plan --attn-emit-cpu="isas=avx512" \
// RUN:   | FileCheck %s --check-prefix=SEGMENTS --implicit-check-not=.fetch.
// RUN: attn-opt %s --attn-specialize=kernel=per_head --attn-plan --attn-emit-cpu="isas=avx512" \
// RUN:   | FileCheck %s --check-prefix=DATA --implicit-check-not=.fetch.

// The first slot that does not hold its keys yet, and those behind it, are packed. All get their keys' tags. Places are
// those of the ring, at a rank's distance from where rank 0 would be.
// BAND-LABEL: func.func private @band.fetch.1.avx512(
// BAND-SAME: %[[TILE:[^:]*]]: index, %[[END:[^:]*]]: index, %{{[^:]*}}: !llvm.ptr)
// BAND: %[[RING:.*]] = builtin.unrealized_conversion_cast %{{.*}} : !llvm.struct<{{.*}}> to memref<4xindex>
// BAND: %[[SLOTS:.*]] = memref.load %[[RING]][%c3{{.*}}] : memref<4xindex>
// BAND: %[[FIRST:.*]] = arith.remui %{{.*}}, %[[SLOTS]] : index
// BAND: memref.load %[[RING]][%c0{{.*}}] : memref<4xindex>
// BAND: %[[MISSING:.*]] = scf.for %[[RANK:.*]] = %[[TILE]] to %[[END]] step %c16{{.*}}(%[[BEFORE:.*]] = %[[END]])
// BAND: %[[SLOT:.*]] = arith.addi %[[FIRST]], %{{.*}} : index
// BAND: %[[HELD:.*]] = memref.load %[[TAGS:.*]][%[[SLOT]]] : memref<?xindex>
// BAND: memref.store %[[TAG:.*]], %[[TAGS]][%[[SLOT]]] : memref<?xindex>
// BAND: %[[IS_HELD:.*]] = arith.cmpi eq, %[[TAG]], %[[HELD]] : index
// BAND: %[[SOONER:.*]] = arith.minsi %[[RANK]], %[[BEFORE]] : index
// BAND: arith.select %[[IS_HELD]], %[[BEFORE]], %[[SOONER]] : index
// BAND: arith.cmpi slt, %[[MISSING]], %[[END]] : index
// BAND-NEXT: scf.if
// BAND: vector.store %{{.*}}, %{{.*}} : memref<?x1040xf32>, vector<16xf32>
// BAND: vector.store %{{.*}}, %{{.*}} : memref<?x64xf32>, vector<16xf32>

// Packed keys without memory are those of the ring.
// BAND-LABEL: func.func private @band.tile.0.avx512(
// BAND: %[[IS_FETCHED:.*]] = llvm.icmp "eq" %{{.*}}, %{{.*}} : !llvm.ptr
// BAND: scf.if %[[IS_FETCHED]] {
// BAND: func.call @band.fetch.1.avx512(
// BAND: %[[KEYS:.*]] = arith.select %[[IS_FETCHED]], %{{.*}}, %{{.*}} : !llvm.ptr
// BAND: %[[VALUES:.*]] = arith.select %[[IS_FETCHED]], %{{.*}}, %{{.*}} : !llvm.ptr
// BAND: func.call @band.group.full.avx512(%{{.*}}, %{{.*}}, %{{.*}}, %[[KEYS]], %[[VALUES]],
attn.pattern @band() {
  %near = attn.window left(5) right(0)
  attn.yield %near
}

// Each order of keys is fetched by itself.
// COLUMNS-DAG: func.func private @columns.fetch.1.avx512(
// COLUMNS-DAG: func.func private @columns.fetch.3.avx512(
attn.pattern @columns() {
  %local = attn.window left(5) right(0)
  %column = attn.congruent (query - key) mod(6)
  %past = attn.causal
  %before = attn.intersect %column, %past
  %all = attn.union %local, %before
  attn.yield %all
}

// Nothing is known of how long segments are.
// SEGMENTS: func.func private @segments.tile.0.avx512(
attn.pattern @segments(%segments: !attn.segments) {
  %same = attn.segments %segments
  attn.yield %same
}

// Numbers of heads are read by emitted code only.
// DATA: func.func private @per_head.tile.0.avx512(
attn.pattern @per_head(%strides: !attn.per_head = [2]) {
  %own = attn.of_head %strides
  %some = attn.congruent (query - key) mod(%own)
  attn.yield %some
}
