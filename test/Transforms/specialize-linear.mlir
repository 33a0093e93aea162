// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One description of linear attention becomes three kernels; attn-plan leaves them as they are.
//
// RUN: attn-opt %s --attn-specialize="element=bf16 head-size=16 value-head-size=8" | FileCheck %s
// RUN: attn-opt %s --attn-specialize="element=bf16 head-size=16 value-head-size=8" --attn-plan | FileCheck %s
// RUN: attn-opt %s --attn-specialize=kernel=kernel_step | FileCheck %s --check-prefix=ONE --implicit-check-not="func.func @kernel("

attn.linear @kernel(%epsilon: f32 = 1.0e-06, %shift: f32 = 0.5) feature (%x) {
  %moved = arith.addf %x, %shift : f32
  %y = math.exp %moved : f32
  attn.yield %y : f32
}

// CHECK-LABEL: func.func @kernel(
// CHECK-SAME: %[[Q:[^:]*]]: tensor<?x?x?x16xbf16>, %[[K:[^:]*]]: tensor<?x?x?x16xbf16>, %[[V:[^:]*]]: tensor<?x?x?x8xbf16>,
// CHECK-SAME: %[[STATE:[^:]*]]: tensor<?x?x16x9xf32> {attn.name = "state_in"},
// CHECK-SAME: %[[EPSILON:[^:]*]]: f32 {attn.default = 9.99999997E-7 : f32, attn.name = "epsilon"},
// CHECK-SAME: %[[SHIFT:[^:]*]]: f32 {attn.default = 5.000000e-01 : f32, attn.name = "shift"})
// CHECK-SAME: -> (tensor<?x?x?x8xbf16>, tensor<?x?x?xf32>, tensor<?x?x16x9xf32>)
// CHECK-NEXT: %[[O:.*]], %[[LSE:.*]], %[[NEXT:.*]] = attn.linear_attention %[[Q]], %[[K]], %[[V]] full epsilon(%[[EPSILON]]) state(%[[STATE]] : tensor<?x?x16x9xf32>) feature (%[[X:.*]]) {
// CHECK-NEXT: arith.addf %[[X]], %[[SHIFT]] : f32
// CHECK: return %[[O]], %[[LSE]], %[[NEXT]]

// CHECK-LABEL: func.func @kernel_causal(
// CHECK: attn.linear_attention {{.*}} causal epsilon

// CHECK-LABEL: func.func @kernel_step(
// CHECK: attn.linear_attention {{.*}} step epsilon

// ONE: func.func @kernel_step(

// A function may say it itself. Sizes that it says stay.
// CHECK-LABEL: func.func @stateless(
// CHECK-SAME: tensor<?x?x?x32xbf16>, %{{.*}}: tensor<?x?x?x32xbf16>, %{{.*}}: tensor<?x?x?x8xbf16>) -> (tensor<?x?x?x8xbf16>, tensor<?x?x?xf32>)
// CHECK: attn.linear_attention
// CHECK: -> tensor<?x?x?x8xbf16>, tensor<?x?x?xf32>, tensor<?x?x32x9xf32>
!keys = tensor<?x?x?x32x!attn.element>
!values = tensor<?x?x?x?x!attn.element>
!lse = tensor<?x?x?xf32>
func.func @stateless(%q: !keys, %k: !keys, %v: !values) -> (!values, !lse) {
  %epsilon = arith.constant 1.0e-06 : f32
  %o, %lse, %s = attn.linear_attention %q, %k, %v causal epsilon(%epsilon) feature (%x) {
    %y = math.exp %x : f32
    attn.yield %y : f32
  } : !keys, !keys, !values -> !values, !lse, tensor<?x?x?x?xf32>
  return %o, %lse : !values, !lse
}
