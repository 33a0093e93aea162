// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels of linear attention: absorb, sum and rows. Only rows that see some keys meet keys one by one.
//
// RUN: attn-opt %s --attn-specialize="kernel=kernel_causal element=bf16 head-size=24" --attn-emit-gpu --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefixes=CHECK,CAUSAL --implicit-check-not=attn.
// RUN: attn-opt %s --attn-specialize="kernel=kernel element=bf16 head-size=24" --attn-emit-gpu --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefixes=CHECK,FULL
// RUN: attn-opt %s --attn-specialize="kernel=kernel_step element=bf16 head-size=24" --attn-emit-gpu --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=CAUSAL
// RUN: attn-opt %s --attn-specialize="kernel=kernel element=f16 head-size=256" --attn-emit-gpu --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=WIDE

attn.linear @kernel(%epsilon: f32 = 1.0e-06) feature (%x) {
  %y = math.exp %x : f32
  attn.yield %y : f32
}

// CHECK-LABEL: gpu.module @kernel{{(_causal)?}} attributes {attn.element = bf16}
// CHECK: llvm.mlir.global external @attn_shared() {addr_space = 3 : i32

// Words are all that a kernel is given: 10 symbols, 11 sizes, 7 views, and how keys are split.
// CHECK: llvm.func @kernel{{(_causal)?}}_absorb(%{{.*}}: !llvm.ptr {llvm.align = 8 : i64, llvm.byval = !llvm.array<88 x i64>, nvvm.grid_constant})
// CHECK-SAME: nvvm.reqntid = array<i32: 128, 1, 1>
// Sums of 8 rows and 2 columns (of 32), 0 at first, over the chunks of a split.
// CHECK: scf.for
// CHECK-SAME: -> (f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, f32) : i32
// CHECK: nvvm.barrier
// CHECK: llvm.load {{.*}} -> bf16
// CHECK: math.exp %{{.*}} : f32
// CHECK: nvvm.barrier
// CHECK-COUNT-16: math.fma
// CHECK-NOT: math.fma
// CHECK: scf.if

// States are added up eight at a time, then one by one; each is replaced by the sum before it.
// CHECK: llvm.func @kernel{{(_causal)?}}_sum(
// CHECK: scf.for
// CHECK-COUNT-8: llvm.load {{.*}} -> f32
// CHECK-COUNT-8: llvm.store
// CHECK: scf.for
// CHECK: llvm.store
// CHECK: scf.if

// f(Q) S; then, but in the full form, scores of other chunks of the split and of the chunk beside the rows.
// CAUSAL: llvm.func @kernel_{{causal|step}}_rows(
// CAUSAL: math.exp
// CAUSAL-COUNT-16: math.fma
// CAUSAL: scf.if {{.*}} -> (f32
// CAUSAL: scf.for
// CAUSAL: math.exp
// CAUSAL-COUNT-32: math.fma
// CAUSAL-COUNT-16: math.fma
// CAUSAL: math.exp
// CAUSAL-COUNT-32: math.fma
// Keys before the thread's rows; then row m takes m + 1 keys, two columns of each.
// CAUSAL-COUNT-16: math.fma
// CAUSAL: scf.yield
// CAUSAL-COUNT-72: math.fma
// CAUSAL-NOT: math.fma
// CAUSAL: arith.truncf %{{.*}} : f32 to bf16
// CAUSAL: math.log
// CAUSAL: llvm.return

// FULL: llvm.func @kernel_rows(
// FULL: math.exp
// FULL-COUNT-16: math.fma
// FULL-NOT: math.{{fma|exp}}
// FULL: math.log

// 272 columns of a state are 144 and 128; the normaliser is in the second.
// WIDE: llvm.func @kernel_rows(
// WIDE-COUNT-64: math.fma
// WIDE-NOT: math.fma
// WIDE: arith.divf
// WIDE-COUNT-72: math.fma
// WIDE-NOT: math.fma
// WIDE: math.log
// The logarithm's exponent times ln(2).
// WIDE-COUNT-2: math.fma
// WIDE-NOT: math.fma
// WIDE: llvm.return
