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

// CHECK-LABEL: attn.score @sink(
// CHECK-SAME: %logits: !attn.array<[heads]>, %bias: f32 = 1.000000e+00) (%[[S:.*]], %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) {
// CHECK-NEXT: attn.yield %[[S]] : f32
// CHECK-NEXT: } sink (%{{.*}}, %[[H:.*]], %{{.*}}) {
// CHECK-NEXT: %[[LOGIT:.*]] = attn.load %logits[%[[H]]] : !attn.array<[heads]>
// CHECK-NEXT: %[[MORE:.*]] = arith.addf %[[LOGIT]], %bias : f32
// CHECK-NEXT: attn.yield %[[MORE]] : f32
// CHECK-NEXT: }
attn.score @sink(%logits: !attn.array<[heads]>, %bias: f32 = 1.0) (%s, %b, %h, %i, %j) {
  attn.yield %s : f32
} sink (%b, %h, %i) {
  %logit = attn.load %logits[%h] : !attn.array<[heads]>
  %more = arith.addf %logit, %bias : f32
  attn.yield %more : f32
}

// CHECK-LABEL: attn.score @reads(
attn.score @reads(%bias: !attn.array<[batch, heads, queries, keys]>, %slopes: !attn.array<[?]>, %left: !attn.per_head = [4],
                  %lengths: !attn.lengths) (%s, %b, %h, %i, %j) {
  // CHECK: attn.load %bias[%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}] : !attn.array<[batch, heads, queries, keys]>
  %given = attn.load %bias[%b, %h, %i, %j] : !attn.array<[batch, heads, queries, keys]>
  // CHECK: attn.load %slopes[%{{.*}}] clamped : !attn.array<[?]>
  %slope = attn.load %slopes[%j] clamped : !attn.array<[?]>
  // CHECK: attn.scale
  %scale = attn.scale
  // CHECK: attn.extent keys
  %keys = attn.extent keys
  // CHECK: attn.of_head %left
  %own = attn.of_head %left
  // CHECK: attn.of_batch %lengths
  %length = attn.of_batch %lengths
  attn.yield %given : f32
}

// CHECK-LABEL: attn.score @dots(
attn.score @dots(%u: !attn.array<[head_size]>, %relative: !attn.array<[heads, ?, head_size]>,
                 %weights: !attn.array<[heads, heads]>) (%s, %b, %h, %i, %j) {
  // CHECK: attn.query_dot %u[] : !attn.array<[head_size]>
  %query = attn.query_dot %u[] : !attn.array<[head_size]>
  // CHECK: attn.key_dot %relative[%{{.*}}, %{{.*}}] clamped : !attn.array<[heads, ?, head_size]>
  %key = attn.key_dot %relative[%h, %j] clamped : !attn.array<[heads, ?, head_size]>
  // CHECK: attn.row_dot %u[], %relative[%{{.*}}, %{{.*}}] clamped : !attn.array<[head_size]>, !attn.array<[heads, ?, head_size]>
  %row = attn.row_dot %u[], %relative[%h, %i] clamped : !attn.array<[head_size]>, !attn.array<[heads, ?, head_size]>
  // CHECK: attn.mixed_dot %weights[%{{.*}}] : !attn.array<[heads, heads]>
  %mixed = attn.mixed_dot %weights[%h] : !attn.array<[heads, heads]>
  attn.yield %mixed : f32
}
