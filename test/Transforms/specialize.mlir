// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: attn-opt %s --attn-specialize | FileCheck %s
// RUN: attn-opt %s --attn-specialize="kernel=band element=bf16 head-size=128 value-head-size=32" | FileCheck %s --check-prefix=SIZES
// RUN: attn-opt %s --attn-specialize="kernel=band element=f16 head-size=40" | FileCheck %s --check-prefix=VALUE
// RUN: attn-opt %s --attn-specialize="kernel=band" | FileCheck %s --check-prefix=KERNEL --implicit-check-not=@whole
// RUN: attn-opt %s --attn-specialize="kernel=set head-size=32" | FileCheck %s --check-prefix=SET
// RUN: attn-opt %s --attn-specialize="kernel=band score=softcap" | FileCheck %s --check-prefix=SCORE
// RUN: attn-opt %s --attn-specialize="kernel=band score=sink" | FileCheck %s --check-prefix=SINK
// RUN: attn-opt %s --attn-specialize="kernel=own_sink score=sink" | FileCheck %s --check-prefix=KEPT

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

// A score and its sink share their parameters, and with the pattern those of the same name.
// SINK-LABEL: func.func @band(
// SINK-SAME: %[[WIDTH:[^:]*]]: index {attn.default = 8 : index, attn.minimum = 0 : index, attn.name = "width"}
// SINK-SAME: %[[LOGITS:[^:]*]]: !attn.array<[heads]> {attn.name = "logits"}, %[[BIAS:[^:]*]]: f32 {attn.default = 1.000000e+00 : f32, attn.name = "bias"})
// SINK: } score (%[[S:.*]], %{{.*}}, %{{.*}}, %{{.*}}, %[[J:.*]]) {
// SINK-NEXT: %[[NEAR:.*]] = arith.cmpi slt, %[[J]], %[[WIDTH]] : index
// SINK-NEXT: %[[MORE:.*]] = arith.addf %[[S]], %[[BIAS]] : f32
// SINK: attn.yield
// SINK-NEXT: } sink (%{{.*}}, %[[H:.*]], %{{.*}}) {
// SINK-NEXT: %[[LOGIT:.*]] = attn.load %[[LOGITS]][%[[H]]] : !attn.array<[heads]>
// SINK-NEXT: arith.addf %[[LOGIT]], %[[BIAS]] : f32
// SINK: attn.yield
attn.score @sink(%logits: !attn.array<[heads]>, %bias: f32 = 1.0, %width: index = 4) (%s, %b, %h, %i, %j) {
  %near = arith.cmpi slt, %j, %width : index
  %more = arith.addf %s, %bias : f32
  %moved = arith.select %near, %more, %s : f32
  attn.yield %moved : f32
} sink (%b, %h, %i) {
  %logit = attn.load %logits[%h] : !attn.array<[heads]>
  %moved = arith.addf %logit, %bias : f32
  attn.yield %moved : f32
}

// Attention that has a sink of its own keeps it, and what goes with it.
// KEPT-LABEL: func.func @own_sink(
// KEPT: } sink (%{{.*}}, %{{.*}}, %{{.*}}) {
// KEPT-NEXT: attn.yield %{{.*}} : f32
// KEPT-NOT: attn.load
func.func @own_sink(%q: !rows, %logit: f32) -> !rows {
  %o, %lse = attn.attention %q, %q, %q pattern { %all = attn.full attn.yield %all } sink (%b, %h, %i) {
    attn.yield %logit : f32
  } : !rows, !rows, !rows -> !rows, !lse
  return %o : !rows
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

// The least values of what atoms and coordinates are given, of per-head numbers as of indices.
// CHECK-LABEL: func.func @minimums(
// CHECK-SAME: !attn.per_head {attn.default = array<i32: 8>, attn.minimum = 0 : index, attn.name = "left"}
// CHECK-SAME: !attn.per_head {attn.default = array<i32: 1, 2>, attn.minimum = 1 : index, attn.name = "dilation"}
// CHECK-SAME: !attn.per_head {attn.name = "flags"}
// CHECK-SAME: index {attn.default = 4 : index, attn.minimum = 1 : index, attn.name = "width"}
// CHECK-SAME: index {attn.default = 4 : index, attn.minimum = 0 : index, attn.name = "count"}
// CHECK-SAME: index {attn.default = 4 : index, attn.minimum = 1 : index, attn.name = "raster"}
// CHECK-SAME: index {attn.default = 4 : index, attn.minimum = 1 : index, attn.name = "size"}
// CHECK-SAME: index {attn.default = 4 : index, attn.minimum = 1 : index, attn.name = "modulus"}
// CHECK-SAME: index {attn.default = -4 : index, attn.name = "from"}
// CHECK-SAME: index {attn.default = 4 : index, attn.minimum = 0 : index, attn.name = "before"}
// CHECK-SAME: index {attn.default = 4 : index, attn.minimum = 1 : index, attn.name = "block"}
attn.pattern @minimums(%left: !attn.per_head = [8], %dilation: !attn.per_head = [1, 2], %flags: !attn.per_head,
                       %width: index = 4, %count: index = 4, %raster: index = 4, %size: index = 4, %modulus: index = 4,
                       %from: index = -4, %before: index = 4, %block: index = 4, %random: !attn.blocks) {
  %l = attn.of_head %left
  %d = attn.of_head %dilation
  %taps = attn.window left(%l) dilation(%d)
  %heads = attn.heads in %flags
  %row, %column = attn.grid [%width]
  %first, %second = attn.stream [%count]
  %place = attn.raster %row, %column blocks [2, %raster]
  %past = attn.causal on %place
  %later = attn.causal on %second
  %beside = attn.neighborhood %size on %column
  %some = attn.congruent key mod(%modulus) from(%from)
  %rows = attn.range rows from(%from)
  %own = attn.block_local 8 before(%before)
  %drawn = attn.block_table %random block(%block)
  %pairs = attn.union %taps, %heads, %past, %later, %beside, %some, %rows, %own, %drawn
  attn.yield %pairs
}

// An argument that is used where it stands has a least value, too, and a larger one that is given stays.
// CHECK-LABEL: func.func @written_out(
// CHECK-SAME: %{{[^:]*}}: index {attn.minimum = 1 : index}, %{{[^:]*}}: index {attn.minimum = 8 : index}
func.func @written_out(%q: tensor<?x?x?x64xf32>, %block: index, %left: index {attn.minimum = 8 : index}) {
  attn.attention %q, %q, %q pattern {
    %own = attn.block_local %block
    %near = attn.window left(%left)
    %pairs = attn.union %own, %near
    attn.yield %pairs
  } : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32> -> tensor<?x?x?x64xf32>, tensor<?x?x?xf32>
  return
}

// A pattern over one sequence makes attention over one.
// CHECK-LABEL: func.func @ring(
// CHECK: attn.attention %{{.*}}, %{{.*}}, %{{.*}} pattern one_sequence {
attn.pattern @ring() one_sequence {
  %near = attn.window left(1) right(1)
  attn.yield %near
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
