// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The parts of a linear kernel: rows of the causal form read the chunk's own keys, those of the others only the state.
//
// RUN: attn-opt %s --attn-specialize="kernel=kernel_causal head-size=24" --attn-plan --attn-emit-cpu \
// RUN:   | FileCheck %s --implicit-check-not=attn.
// RUN: attn-opt %s --attn-specialize="kernel=kernel_causal head-size=24" --attn-emit-cpu="isas=avx512" --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=CAUSAL
// RUN: attn-opt %s --attn-specialize="kernel=kernel_step head-size=24" --attn-emit-cpu="isas=avx512" --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=STEP

attn.linear @kernel(%epsilon: f32 = 1.0e-06) feature (%x) {
  %y = math.exp %x : f32
  attn.yield %y : f32
}

// CHECK-DAG: func.func private @kernel_causal.keys.avx512({{.*}} attributes {target_features = #llvm.target_features<["+avx512f",
// CHECK-DAG: func.func private @kernel_causal.absorb.avx512(
// CHECK-DAG: func.func private @kernel_causal.rows.avx512(
// CHECK-DAG: func.func private @kernel_causal.keys.avx2(
// CHECK-DAG: func.func private @kernel_causal.absorb.avx2(
// CHECK-DAG: func.func private @kernel_causal.rows.avx2(
// CHECK-DAG: func.func private @kernel_causal.keys.generic(
// CHECK-DAG: func.func private @kernel_causal.absorb.generic(
// CHECK-DAG: func.func private @kernel_causal.rows.generic(

// The feature map runs over vectors, and a key's value has a 1 behind it.
// CAUSAL-LABEL: func.func private @kernel_causal.keys.avx512(
// CAUSAL-DAG: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CAUSAL-DAG: %[[COLUMN:.*]] = arith.constant 24 : index
// CAUSAL: math.exp %{{.*}} : vector<16xf32>
// CAUSAL: memref.store %[[ONE]], %{{.*}}[%{{.*}}, %[[COLUMN]]] : memref<64x32xf32>

// A state is [head size, rounded up][value head size + 1, rounded up].
// Keys and values to come are asked for meanwhile.
// CAUSAL-LABEL: func.func private @kernel_causal.absorb.avx512(
// CAUSAL-COUNT-2: memref.prefetch {{.*}}, read, locality<2>, data
// CAUSAL: vector.fma
// CAUSAL: vector.store %{{.*}}, %{{.*}} : memref<24x32xf32>, vector<16xf32>

// Scores of the chunk, the product with the state, the keys that all rows of a micro-tile see.
// CAUSAL-LABEL: func.func private @kernel_causal.rows.avx512(
// CAUSAL: memref.prefetch {{.*}}, read, locality<2>, data
// CAUSAL: math.exp
// CAUSAL-COUNT-16: memref.prefetch {{.*}}, write, locality<2>, data
// CAUSAL-NOT: memref.prefetch
// CAUSAL: memref.load %{{.*}} : memref<8x64xf32>
// CAUSAL: math.log %{{.*}} : vector<16xf32>

// One row at a time, and no scores.
// STEP-LABEL: func.func private @kernel_step.rows.avx512(
// STEP-NOT: memref<8x64xf32>
// STEP: math.log
