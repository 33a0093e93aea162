// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions over vectors become polynomials; rounding and multiply-adds are spelled out where no instruction does them.
//
// RUN: attn-opt %s --attn-approximate-math | FileCheck %s
// RUN: attn-opt %s --attn-approximate-math --attn-lower-cpu | FileCheck %s --check-prefix=LIBM

// Nothing is left that calls the C library.
// LIBM-NOT: llvm.call
// LIBM-NOT: llvm.func @{{[a-z0-9]+}}f(

// CHECK-LABEL: func.func @polynomials
// CHECK-NOT: math.{{exp|log|tanh|sin|cos|tan|erf|powf|rsqrt}}
// CHECK: return
func.func @polynomials(%x: vector<16xf32>) -> vector<16xf32>
    attributes {target_features = #llvm.target_features<["+avx512f", "+avx512vl", "+avx2", "+fma"]>} {
  %0 = math.exp %x : vector<16xf32>
  %1 = math.exp2 %0 : vector<16xf32>
  %2 = math.expm1 %1 : vector<16xf32>
  %3 = math.log %2 : vector<16xf32>
  %4 = math.log2 %3 : vector<16xf32>
  %5 = math.log10 %4 : vector<16xf32>
  %6 = math.log1p %5 : vector<16xf32>
  %7 = math.tanh %6 : vector<16xf32>
  %8 = math.sin %7 : vector<16xf32>
  %9 = math.cos %8 : vector<16xf32>
  %10 = math.tan %9 : vector<16xf32>
  %11 = math.sinh %10 : vector<16xf32>
  %12 = math.cosh %11 : vector<16xf32>
  %13 = math.asinh %12 : vector<16xf32>
  %14 = math.acosh %13 : vector<16xf32>
  %15 = math.atanh %14 : vector<16xf32>
  %16 = math.erf %15 : vector<16xf32>
  %17 = math.powf %16, %x : vector<16xf32>
  %18 = math.rsqrt %17 : vector<16xf32>
  return %18 : vector<16xf32>
}

// CHECK-LABEL: func.func @instructions
// CHECK: math.fma
// CHECK: math.floor
func.func @instructions(%x: vector<8xf32>) -> vector<8xf32>
    attributes {target_features = #llvm.target_features<["+avx2", "+fma"]>} {
  %0 = math.fma %x, %x, %x : vector<8xf32>
  %1 = math.floor %0 : vector<8xf32>
  return %1 : vector<8xf32>
}

// CHECK-LABEL: func.func @fma_without_instruction
// CHECK-SAME: %[[X:.*]]: vector<4xf32>
// CHECK-NEXT: %[[PRODUCT:.*]] = arith.mulf %[[X]], %[[X]] : vector<4xf32>
// CHECK-NEXT: arith.addf %[[PRODUCT]], %[[X]] : vector<4xf32>
func.func @fma_without_instruction(%x: vector<4xf32>) -> vector<4xf32> {
  %0 = math.fma %x, %x, %x : vector<4xf32>
  return %0 : vector<4xf32>
}

// CHECK-LABEL: func.func @rounding_without_instruction
// CHECK-NOT: math.{{floor|ceil|trunc|round}}
// CHECK: return
func.func @rounding_without_instruction(%x: vector<4xf32>) -> vector<4xf32> {
  %0 = math.floor %x : vector<4xf32>
  %1 = math.ceil %0 : vector<4xf32>
  %2 = math.trunc %1 : vector<4xf32>
  %3 = math.round %2 : vector<4xf32>
  %4 = math.roundeven %3 : vector<4xf32>
  return %4 : vector<4xf32>
}
