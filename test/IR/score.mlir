// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Named scores, read back from what was printed.
//
// RUN: attn-opt %s | attn-opt | FileCheck %s
// RUN: attn-opt %s --mlir-print-op-generic | attn-opt | FileCheck %s

// CHECK-LABEL: attn.score @softcap(
// CHECK-SAME: %cap: f32 = 5.000000e+01) (%[[S:.*]], %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) {
attn.score @softcap(%cap: f32 = 50.0) (%s, %b, %h, %i, %j) {
  // CHECK-NEXT: %[[PART:.*]] = arith.divf %[[S]], %cap : f32
  %part = arith.divf %s, %cap : f32
  // CHECK-NEXT: %[[BENT:.*]] = math.tanh %[[PART]] : f32
  %bent = math.tanh %part : f32
  // CHECK-NEXT: %[[CAPPED:.*]] = arith.mulf %[[BENT]], %cap : f32
  %capped = arith.mulf %bent, %cap : f32
  // CHECK-NEXT: attn.yield %[[CAPPED]] : f32
  attn.yield %capped : f32
}

// CHECK-LABEL: attn.score @identity()
// CHECK-SAME: (%[[S:.*]], %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) {
// CHECK-NEXT: attn.yield %[[S]] : f32
attn.score @identity() (%s, %b, %h, %i, %j) {
  attn.yield %s : f32
}
