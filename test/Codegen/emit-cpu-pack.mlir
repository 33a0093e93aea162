// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whole panels of 16 keys are transposed in registers, by squares of as many keys as a vector has lanes. Keys behind the
// last whole panel are copied number by number.
//
// RUN: attn-opt %s --attn-specialize="kernel=column head-size=20" --attn-plan --attn-emit-cpu="isas=avx512" \
// RUN:   | FileCheck %s --check-prefixes=PACK,WALK
// RUN: attn-opt %s --attn-specialize="kernel=column head-size=20" --attn-plan --attn-emit-cpu="isas=avx2" \
// RUN:   | FileCheck %s --check-prefixes=PACK,HALF
// RUN: attn-opt %s --attn-specialize="kernel=column head-size=3" --attn-plan --attn-emit-cpu="isas=avx512" \
// RUN:   | FileCheck %s --check-prefix=FEW

// PACK-LABEL: func.func private @column.pack.1.

// A class's rows follow one another in steps of the modulus: divisions tell where a block begins, and none is in a loop.
// WALK: arith.floordivsi
// WALK: %{{.*}}:2 = scf.for %{{.*}} iter_args(%[[ROW:.*]] = %{{.*}}, %[[CLASS:.*]] = %{{.*}}) -> (index, index) {
// WALK-NOT: floordivsi
// WALK: %[[NEXT_CLASS:.*]] = arith.addi %[[CLASS]], %c1{{.*}} : index
// WALK: %[[IS_INSIDE:.*]] = arith.cmpi slt, %[[ROW]], %{{.*}} : index
// WALK: %[[NEXT_ROW:.*]] = arith.addi %[[ROW]], %c6{{.*}} : index
// WALK: arith.select %[[IS_INSIDE]], %[[NEXT_ROW]], %[[NEXT_CLASS]] : index
// WALK: arith.select %[[IS_INSIDE]], %[[CLASS]], %[[NEXT_CLASS]] : index
// WALK-NOT: floordivsi

// The last columns overlap those before: they begin at 20 - 16, or at 20 - 8.
// WALK: %[[COLUMN:.*]] = arith.minsi %{{.*}}, %c4{{.*}} : index
// HALF: %[[COLUMN:.*]] = arith.minsi %{{.*}}, %c12{{.*}} : index
// PACK: vector.load %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}, %[[COLUMN]]] : memref<?x?x?x?xf32, strided<[?, ?, ?, 1], offset: ?>>, vector<[[LANES:[0-9]+]]xf32>
// WALK-COUNT-64: vector.shuffle {{.*}} : vector<16xf32>, vector<16xf32>
// HALF-COUNT-24: vector.shuffle {{.*}} : vector<8xf32>, vector<8xf32>
// PACK-NOT: vector.shuffle
// PACK: vector.store {{.*}} : memref<?x?x?x?xf32, strided<[?, ?, ?, 1], offset: ?>>, vector<[[LANES]]xf32>

// The second half of a panel begins at its ninth key.
// HALF: vector.load {{.*}} : memref<?x?x?x?xf32, strided<[?, ?, ?, 1], offset: ?>>, vector<8xf32>
// HALF-COUNT-24: vector.shuffle
// HALF-NOT: vector.shuffle
// HALF: arith.addi %{{.*}}, %c8{{.*}} : index
// HALF: vector.store

// PACK: memref.load %{{.*}} : memref<?x?x?x?xf32, strided<[?, ?, ?, 1], offset: ?>>
// PACK: memref.store
// PACK-LABEL: func.func private @column.tile.0.

// Fewer columns than lanes are no square.
// FEW-LABEL: func.func private @column.pack.1.
// FEW-NOT: vector.shuffle
// FEW-LABEL: func.func private @column.tile.0.
attn.pattern @column() {
  %some = attn.congruent (query - key) mod(6)
  attn.yield %some
}
