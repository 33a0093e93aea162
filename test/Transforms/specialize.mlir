// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: attn-opt %s --attn-specialize | FileCheck %s
// RUN: attn-opt %s --attn-specialize="kernel=band element=bf16 head-size=128 value-head-size=32" | FileCheck %s --check-prefix=SIZES
// RUN: attn-opt %s --attn-specialize="kernel=band element=f16 head-size=40" | FileCheck %s --check-prefix=VALUE
// RUN: attn-opt %s --attn-specialize="kernel=band" | FileCheck %s --check-prefix=KERNEL --implicit-check-not=@whole
// RUN: attn-opt %s --attn-specialize="kernel=set head-size=32" | FileCheck %s --check-prefix=SET
// RUN: attn-opt %s --attn-specialize="kernel=band score=softcap" | FileCheck %s --check-prefix=SCORE

!rows = tensor<?x?x?x?x!attn.element>
!lse = tensor<?x?x?xf32>

// A pattern that no attention names becomes a function; its parameters, arguments.
// CHECK-LABEL: func.func @band(
// CHECK-SAME: %[[Q:.*]]: tensor<?x?x?x64xf32>, %[[K:.*]]: tensor<?x?x?x64xf32>, %[[V:.*]]: tensor<?x?x?x64xf32>,
// CHECK-SAME: %[[GLOBAL:[^:]*]]: !attn.tokens {attn.default = array<i32: 0, 3>, attn.name = "global"}
// CHECK-SAME: %[[IDS:[^:]*]]: !attn.segments {attn.name = "ids"}
// CHECK-SAME: %[[WIDTH:[^:]*]]: index {attn.default = 8 : index, attn.minimum = 0 : index, attn.name = "width"}
// CHECK-SAME: -> (tensor<?x?x?x64xf32>, tensor<?x?x?xf32>)
// CHECK-NEXT: %[[O:.*]], %[[LSE:.*]] = attn.attention %[[Q]], %[[K]], %[[V]] pattern {
// CHECK-DAG: %[[NEAR:.*]] = attn.window left(%[[WIDTH]]) right(%[[WIDTH]])
// CHECK-DAG: %[[HUB:.*]] = attn.global %[[GLOBAL]]
// CHECK-DAG: %[[OWN:.*]] = attn.segments %[[IDS]]
// CHECK: %[[PAIRS:.*]] = attn.union %[[NEAR]], %[[HUB]], %[[OWN]]
// CHECK-NEXT: attn.yield %[[PAIRS]]
// CHECK-NEXT: } : tensor<?x?x?x64xf32>
// CHECK-NEXT: return %[[O]], %[[LSE]]

// SIZES-LABEL: func.func @band(
// SIZES-SAME: tensor<?x?x?x128xbf16>, %{{.*}}: tensor<?x?x?x128xbf16>, %{{.*}}: tensor<?x?x?x32xbf16>
// SIZES-SAME: -> (tensor<?x?x?x32xbf16>, tensor<?x?x?xf32>)

// VALUE-LABEL: func.func @band(
// VALUE-SAME: tensor<?x?x?x40xf16>, %{{.*}}: tensor<?x?x?x40xf16>, %{{.*}}: tensor<?x?x?x40xf16>

// KERNEL: func.func @band(

// The score's parameters follow the pattern's.
// SCORE-LABEL: func.func @band(
// SCORE-SAME: attn.name = "width"}, %[[CAP:[^:]*]]: f32 {attn.default = 5.000000e+01 : f32, attn.name = "cap"})
// SCORE: } score (%[[S:.*]], %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) {
// SCORE-NEXT: %[[PART:.*]] = arith.divf %[[S]], %[[CAP]] : f32
// SCORE-NEXT: attn.yield %[[PART]] : f32
attn.pattern @band(%global: !attn.tokens = [0, 3], %ids: !attn.segments, %width: index = 8) {
  %near = attn.window left(%width) right(%width)
  %hub = attn.global %global
  %own = attn.segments %ids
  %pairs = attn.union %near, %hub, %own
  attn.yield %pairs
}

attn.score @softcap(%cap: f32 = 50.0) (%s, %b, %h, %i, %j) {
  %part = arith.divf %s, %cap : f32
  attn.yield %part : f32
}

// A pattern that attention names is no kernel. Parameters that are not given become arguments behind the function's own.
// CHECK-LABEL: func.func @whole(
// CHECK-SAME: %[[Q:[^:]*]]: tensor<?x?x?x64xf32>
// CHECK-SAME: %[[SCALE:[^:]*]]: f32, %[[BLOCK:[^:]*]]: index {attn.minimum = 1 : index},
// CHECK-SAME: %[[LEFT:[^:]*]]: index {attn.default = 4 : index, attn.minimum = 0 : index, attn.name = "left"})
// CHECK: attn.attention %[[Q]], %{{.*}}, %{{.*}} scale(%[[SCALE]]) pattern {
// CHECK: attn.block_local %[[BLOCK]]
// CHECK: attn.window left(%[[LEFT]])
// CHECK: } score (%[[S:.*]], %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) {
// CHECK-NEXT: attn.yield %[[S]] : f32
func.func @whole(%q: !rows, %k: !rows, %v: !rows, %scale: f32, %block: index) -> (!rows, !lse) {
  %o, %lse = attn.attention %q, %k, %v scale(%scale) pattern(@whole_pairs(%block : index)) score (%s, %b, %h, %i, %j) {
    attn.yield %s : f32
  } : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}
attn.pattern @whole_pairs(%block: index = 16, %left: index = 4) {
  %own = attn.block_local %block
  %near = attn.window left(%left)
  %both = attn.intersect %own, %near
  attn.yield %both
}

// Two attentions may name one pattern; each gets its own copy and its own arguments.
// CHECK-LABEL: func.func @twice(
// CHECK-SAME: attn.name = "size"}, %{{[^:]*}}: index {{{.*}}attn.name = "size"})
// CHECK-COUNT-2: attn.block_local
func.func @twice(%q: !rows, %k: !rows, %v: !rows) -> (!rows, !rows) {
  %a, %lse0 = attn.attention %q, %k, %v pattern(@blocks) : !rows, !rows, !rows -> !rows, !lse
  %b, %lse1 = attn.attention %a, %k, %v pattern(@blocks) : !rows, !rows, !rows -> !rows, !lse
  return %a, %b : !rows, !rows
}
attn.pattern @blocks(%size: index = 16) {
  %own = attn.block_local %size
  attn.yield %own
}

// What is divided by is at least 1, in regions as in bounds.
// CHECK-LABEL: func.func @divisors(
// CHECK-SAME: attn.minimum = 1 : index, attn.name = "stride"}
// CHECK-SAME: attn.minimum = 1 : index, attn.name = "parts"}
// CHECK-SAME: index {attn.default = -3 : index, attn.name = "shift"}
attn.pattern @divisors(%stride: index = 2, %parts: index = 4, %shift: index = -3) {
  %c64 = arith.constant 64 : index
  %left = arith.floordivsi %c64, %parts : index
  %near = attn.window left(%left)
  %some = attn.where (%b, %h, %i, %j) {
    %rest = arith.remsi %j, %stride : index
    %is = arith.cmpi sgt, %rest, %shift : index
    attn.yield %is : i1
  }
  %both = attn.intersect %near, %some
  attn.yield %both
}

// Types that are set already stay.
// CHECK-LABEL: func.func @set(
// CHECK-SAME: tensor<1x2x16x64xf32>
// SET-LABEL: func.func @set(
// SET-SAME: tensor<1x2x16x64xf32>
// CHECK-SAME: -> (tensor<1x2x16x64xf32>, tensor<1x2x16xf32>)
func.func @set(%q: tensor<1x2x16x64xf32>) -> (tensor<1x2x16x64xf32>, tensor<1x2x16xf32>) {
  %o, %lse = attn.attention %q, %q, %q pattern {
    %all = attn.full
    attn.yield %all
  } : tensor<1x2x16x64xf32>, tensor<1x2x16x64xf32>, tensor<1x2x16x64xf32> -> tensor<1x2x16x64xf32>, tensor<1x2x16xf32>
  return %o, %lse : tensor<1x2x16x64xf32>, tensor<1x2x16xf32>
}

// CHECK-NOT: attn.pattern @
// CHECK-NOT: attn.score @
