// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The innermost part: fused multiply-adds where there are some, no function of the math dialect, no memory of its own.
//
// RUN: attn-opt %s --attn-specialize --attn-plan --attn-emit-cpu="isas=avx512" \
// RUN:   | FileCheck %s --check-prefixes=CHECK,AVX512 --implicit-check-not=alloc
// RUN: attn-opt %s --attn-specialize --attn-plan --attn-emit-cpu="isas=avx2" | FileCheck %s --check-prefixes=CHECK,AVX2
// RUN: attn-opt %s --attn-specialize --attn-plan --attn-emit-cpu="isas=generic" \
// RUN:   | FileCheck %s --check-prefixes=CHECK,GENERIC --implicit-check-not=vector.fma

// S = Q K^T, its maxima, P = 2^(S - m), O += P V: three loops over keys, and no call.
// CHECK-LABEL: func.func private @full.group.full.
// CHECK-NOT: {{call|math\.}}
// Two vectors of keys at a time; the last of them may be one alone where it is as wide as a panel.
// AVX512: scf.for {{.*}} step %c32{{.*}} -> ({{.*}}vector<16xf32>
// AVX512: vector.fma {{.*}} : vector<16xf32>
// AVX512: scf.for {{.*}} step %c16{{.*}} -> ({{.*}}vector<16xf32>
// AVX512: vector.fma {{.*}} : vector<16xf32>
// AVX2: scf.for {{.*}} step %c16{{.*}} -> ({{.*}}vector<8xf32>
// AVX2: vector.fma {{.*}} : vector<8xf32>
// GENERIC: arith.mulf {{.*}} : vector<4xf32>
// CHECK: vector.shuffle
// CHECK: scf.if
// CHECK-NOT: {{call|math\.}}
// CHECK: return
// AVX512-LABEL: func.func private @full.group.bounds.
attn.pattern @full() {
  %all = attn.full
  attn.yield %all
}
