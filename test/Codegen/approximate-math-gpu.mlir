// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions become instructions where the GPU has them, and polynomials elsewhere.
//
// RUN: attn-opt %s --split-input-file --verify-diagnostics --attn-approximate-math-gpu | FileCheck %s

gpu.module @functions {
  // CHECK-LABEL: llvm.func @exp(
  // CHECK: %[[LOG2E:.*]] = arith.constant 1.44269502 : f32
  // CHECK: %[[SCALED:.*]] = arith.mulf %{{.*}}, %[[LOG2E]] : f32
  // CHECK: %[[Y:.*]] = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"(%[[SCALED]]) : (f32) -> f32
  // CHECK: llvm.return %[[Y]]
  llvm.func @exp(%x: f32) -> f32 {
    %y = math.exp %x : f32
    llvm.return %y : f32
  }

  // CHECK-LABEL: llvm.func @log(
  // CHECK: %[[LOG2:.*]] = llvm.call_intrinsic "llvm.nvvm.lg2.approx.ftz.f"(%{{.*}}) : (f32) -> f32
  // CHECK: arith.mulf %[[LOG2]], %{{.*}} : f32
  llvm.func @log(%x: f32) -> f32 {
    %y = math.log %x : f32
    llvm.return %y : f32
  }

  // CHECK-LABEL: llvm.func @rsqrt(
  // CHECK-NEXT: llvm.call_intrinsic "llvm.nvvm.rsqrt.approx.ftz.f"
  // CHECK-NEXT: llvm.return
  llvm.func @rsqrt(%x: f32) -> f32 {
    %y = math.rsqrt %x : f32
    llvm.return %y : f32
  }

  // CHECK-LABEL: llvm.func @through_f32(
  // CHECK: arith.extf %{{.*}} : f16 to f32
  // CHECK: llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"
  // CHECK: arith.truncf %{{.*}} : f32 to f16
  llvm.func @through_f32(%x: f16) -> f16 {
    %y = math.exp2 %x : f16
    llvm.return %y : f16
  }

  // What IEEE rounds exactly stays exact: a pattern may compare it.
  // CHECK-LABEL: llvm.func @exact(
  // CHECK-NEXT: math.sqrt
  // CHECK-NEXT: arith.divf
  // CHECK-NEXT: math.floor
  llvm.func @exact(%x: f32) -> f32 {
    %root = math.sqrt %x : f32
    %part = arith.divf %root, %x : f32
    %y = math.floor %part : f32
    llvm.return %y : f32
  }

  // A polynomial's own logarithm is not the approximate one.
  // CHECK-LABEL: llvm.func @polynomials(
  // CHECK-NOT: math.{{sin|cos|tan|erf|powf|log|exp}}
  // CHECK-NOT: lg2.approx
  // CHECK: llvm.return
  llvm.func @polynomials(%x: f32, %n: i32) -> f32 {
    %0 = math.sin %x : f32
    %1 = math.cos %0 : f32
    %2 = math.erf %1 : f32
    %3 = math.log1p %2 : f32
    %4 = math.powf %3, %x : f32
    %5 = math.atan2 %4, %x : f32
    %6 = math.fpowi %5, %n : f32, i32
    llvm.return %6 : f32
  }

  // CHECK-LABEL: llvm.func @ipowi(
  // CHECK: scf.for
  // CHECK-NOT: math.
  llvm.func @ipowi(%x: i64, %n: i64) -> i64 {
    %y = math.ipowi %x, %n : i64
    llvm.return %y : i64
  }
}

// -----

// 1 - 2 / (1 + e^2x): no cancellation is worse than the rounding of 1.
gpu.module @tanh attributes {attn.element = f16} {
  // CHECK-LABEL: llvm.func @tanh_of_f16
  // CHECK: %[[EXP:.*]] = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"
  // CHECK: %[[SUM:.*]] = arith.addf %[[EXP]], %{{.*}} : f32
  // CHECK: %[[INVERSE:.*]] = llvm.call_intrinsic "llvm.nvvm.rcp.approx.ftz.f"(%[[SUM]])
  // CHECK: math.fma %[[INVERSE]]
  llvm.func @tanh_of_f16(%x: f32) -> f32 {
    %y = math.tanh %x : f32
    llvm.return %y : f32
  }
}

// -----

// With afn, LLVM chooses tanh.approx.f32.
gpu.module @tanh attributes {attn.element = bf16} {
  // CHECK-LABEL: llvm.func @tanh_of_bf16
  // CHECK-NEXT: math.tanh %{{.*}} fastmath<afn> : f32
  llvm.func @tanh_of_bf16(%x: f32) -> f32 {
    %y = math.tanh %x : f32
    llvm.return %y : f32
  }
}

// -----

// Where elements are f32, what instructions are off by shows: exp, log and tanh become polynomials.
gpu.module @precise attributes {attn.element = f32} {
  // CHECK-LABEL: llvm.func @exp_of_f32
  // CHECK-NOT: {{call_intrinsic|math.exp}}
  // CHECK: llvm.return
  llvm.func @exp_of_f32(%x: f32) -> f32 {
    %y = math.exp %x : f32
    llvm.return %y : f32
  }
  // CHECK-LABEL: llvm.func @log_of_f32
  // CHECK-NOT: {{call_intrinsic|math.log}}
  // CHECK: llvm.return
  llvm.func @log_of_f32(%x: f32) -> f32 {
    %y = math.log %x : f32
    llvm.return %y : f32
  }
  // CHECK-LABEL: llvm.func @tanh_of_f32
  // CHECK-NOT: {{call_intrinsic|math.tanh}}
  // CHECK: llvm.return
  llvm.func @tanh_of_f32(%x: f32) -> f32 {
    %y = math.tanh %x : f32
    llvm.return %y : f32
  }
  // The softmax's own.
  // CHECK-LABEL: llvm.func @powers_of_two
  // CHECK: "llvm.nvvm.ex2.approx.ftz.f"
  // CHECK: "llvm.nvvm.lg2.approx.ftz.f"
  llvm.func @powers_of_two(%x: f32) -> f32 {
    %power = math.exp2 %x : f32
    %y = math.log2 %power : f32
    llvm.return %y : f32
  }
}

// -----

gpu.module @types {
  llvm.func @types(%x: f32) -> f32 {
    // expected-error@+1 {{the GPU does not compute with 'f8E4M3FN'; use index, integers of up to 64 bits, f16, bf16, f32 or f64}}
    %0 = arith.truncf %x : f32 to f8E4M3FN
    %1 = arith.extf %0 : f8E4M3FN to f32
    llvm.return %1 : f32
  }
}
