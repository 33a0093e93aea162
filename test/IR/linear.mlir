// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Linear attention, read back from what was printed.
//
// RUN: attn-opt %s | attn-opt | FileCheck %s
// RUN: attn-opt %s --mlir-print-op-generic | attn-opt | FileCheck %s

// CHECK-LABEL: attn.linear @shifted(
// CHECK-SAME: %epsilon: f32 = 1.000000e-03, %shift: f32 = 5.000000e-01) feature (%[[X:.*]]) {
attn.linear @shifted(%epsilon: f32 = 1.0e-03, %shift: f32 = 0.5) feature (%x) {
  // CHECK-NEXT: %[[MOVED:.*]] = arith.addf %[[X]], %shift : f32
  %moved = arith.addf %x, %shift : f32
  // CHECK-NEXT: %[[Y:.*]] = math.exp %[[MOVED]] : f32
  %y = math.exp %moved : f32
  // CHECK-NEXT: attn.yield %[[Y]] : f32
  attn.yield %y : f32
}

!rows = tensor<?x?x?x64xf32>
!values = tensor<?x?x?x32xf32>
!lse = tensor<?x?x?xf32>
!state = tensor<?x?x64x33xf32>

// CHECK-LABEL: func.func @forms(
// CHECK-SAME: %[[Q:.*]]: tensor<?x?x?x64xf32>, %[[K:.*]]: tensor<?x?x?x64xf32>, %[[V:.*]]: tensor<?x?x?x32xf32>, %[[E:.*]]: f32, %[[S:.*]]: tensor<?x?x64x33xf32>)
func.func @forms(%q: !rows, %k: !rows, %v: !values, %epsilon: f32, %before: !state) -> !values {
  // CHECK: attn.linear_attention %[[Q]], %[[K]], %[[V]] full epsilon(%[[E]]) feature (%[[X:.*]]) {
  // CHECK-NEXT: attn.yield %[[X]] : f32
  // CHECK-NEXT: } : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32> -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x64x33xf32>
  %o, %lse, %s = attn.linear_attention %q, %k, %v full epsilon(%epsilon) feature (%x) {
    attn.yield %x : f32
  } : !rows, !rows, !values -> !values, !lse, !state
  // CHECK: attn.linear_attention %[[Q]], %[[K]], %[[V]] causal epsilon(%[[E]]) state(%[[S]] : tensor<?x?x64x33xf32>) feature
  %o1, %lse1, %s1 = attn.linear_attention %q, %k, %v causal epsilon(%epsilon) state(%before : !state) feature (%x) {
    attn.yield %x : f32
  } : !rows, !rows, !values -> !values, !lse, !state
  // CHECK: attn.linear_attention %[[Q]], %[[K]], %[[V]] step epsilon(%[[E]]) feature
  %o2, %lse2, %s2 = attn.linear_attention %q, %k, %v step epsilon(%epsilon) feature (%x) {
    attn.yield %x : f32
  } : !rows, !rows, !values -> !values, !lse, !state
  return %o2 : !values
}
