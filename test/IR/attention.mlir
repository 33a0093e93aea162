// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention and its ways to name a pattern, read back from what was printed.
//
// RUN: attn-opt %s | attn-opt | FileCheck %s
// RUN: attn-opt %s --mlir-print-op-generic | attn-opt | FileCheck %s

!rows = tensor<?x?x?x?x!attn.element>
!lse = tensor<?x?x?xf32>

attn.pattern @near(%width: index = 8, %global: !attn.tokens = [0]) {
  %near = attn.window left(%width) right(%width)
  attn.yield %near
}

// CHECK-LABEL: func.func @symbol(
// CHECK-SAME: %[[Q:.*]]: tensor<?x?x?x?x!attn.element>, %[[K:.*]]: tensor<?x?x?x?x!attn.element>, %[[V:.*]]: tensor<?x?x?x?x!attn.element>
func.func @symbol(%q: !rows, %k: !rows, %v: !rows) -> (!rows, !lse) {
  // CHECK: attn.attention %[[Q]], %[[K]], %[[V]] pattern(@near) :
  %o, %lse = attn.attention %q, %k, %v pattern(@near) : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}

// CHECK-LABEL: func.func @arguments
func.func @arguments(%q: !rows, %k: !rows, %v: !rows, %width: index, %global: !attn.tokens) -> (!rows, !lse) {
  // CHECK: pattern(@near(%{{.*}}, %{{.*}} : index, !attn.tokens)) :
  %o, %lse = attn.attention %q, %k, %v pattern(@near(%width, %global : index, !attn.tokens))
    : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}

// CHECK-LABEL: func.func @first_argument_only
func.func @first_argument_only(%q: !rows, %k: !rows, %v: !rows, %width: index) -> (!rows, !lse) {
  // CHECK: pattern(@near(%{{.*}} : index)) :
  %o, %lse = attn.attention %q, %k, %v pattern(@near(%width : index)) : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}

// CHECK-LABEL: func.func @region
func.func @region(%q: !rows, %k: !rows, %v: !rows) -> (!rows, !lse) {
  // CHECK: pattern {
  // CHECK-NEXT: %[[ALL:.*]] = attn.full
  // CHECK-NEXT: attn.yield %[[ALL]]
  // CHECK-NEXT: } :
  %o, %lse = attn.attention %q, %k, %v pattern {
    %all = attn.full
    attn.yield %all
  } : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}

// CHECK-LABEL: func.func @scale_and_score
// CHECK-SAME: %[[SCALE:[^:]*]]: f32
func.func @scale_and_score(%q: !rows, %k: !rows, %v: !rows, %scale: f32) -> (!rows, !lse) {
  // CHECK: scale(%[[SCALE]]) pattern(@near) score (%[[S:.*]], %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) {
  // CHECK-NEXT: arith.addf %[[S]], %[[SCALE]] : f32
  // CHECK-NEXT: attn.yield %{{.*}} : f32
  // CHECK-NEXT: } {tag} :
  %o, %lse = attn.attention %q, %k, %v scale(%scale) pattern(@near) score (%s, %b, %h, %i, %j) {
    %more = arith.addf %s, %scale : f32
    attn.yield %more : f32
  } {tag} : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}

// CHECK-LABEL: func.func @sink
// CHECK-SAME: %[[LOGITS:[^:]*]]: !attn.array<[heads]>
func.func @sink(%q: !rows, %logits: !attn.array<[heads]>) -> (!rows, !lse) {
  // CHECK: pattern(@near) sink (%{{.*}}, %[[H:.*]], %{{.*}}) {
  // CHECK-NEXT: attn.load %[[LOGITS]][%[[H]]] : !attn.array<[heads]>
  // CHECK-NEXT: attn.yield %{{.*}} : f32
  // CHECK-NEXT: } :
  %o, %lse = attn.attention %q, %q, %q pattern(@near) sink (%b, %h, %i) {
    %logit = attn.load %logits[%h] : !attn.array<[heads]>
    attn.yield %logit : f32
  } : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}

// CHECK-LABEL: func.func @one_sequence
func.func @one_sequence(%q: !rows) {
  // CHECK: attn.attention %{{.*}}, %{{.*}}, %{{.*}} pattern one_sequence {
  attn.attention %q, %q, %q pattern one_sequence {
    %all = attn.full
    attn.yield %all
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// CHECK-LABEL: func.func @static_grouped_heads
// CHECK: tensor<2x4x16x64xbf16>, tensor<2x2x32x64xbf16>, tensor<2x2x32x8xbf16> -> tensor<2x4x16x8xbf16>, tensor<2x4x16xf32>
func.func @static_grouped_heads(%q: tensor<2x4x16x64xbf16>, %k: tensor<2x2x32x64xbf16>, %v: tensor<2x2x32x8xbf16>) {
  attn.attention %q, %k, %v pattern(@near)
    : tensor<2x4x16x64xbf16>, tensor<2x2x32x64xbf16>, tensor<2x2x32x8xbf16> -> tensor<2x4x16x8xbf16>, tensor<2x4x16xf32>
  return
}
