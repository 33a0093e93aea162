// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The parts of a kernel, one set for each instruction set.
//
// RUN: attn-opt %s --attn-specialize=kernel=band --attn-plan --attn-emit-cpu \
// RUN:   | FileCheck %s --implicit-check-not="group.{{holes|tests}}" --implicit-check-not=attn.
// RUN: attn-opt %s --attn-specialize=kernel=band --attn-plan --attn-emit-cpu="isas=avx2" \
// RUN:   | FileCheck %s --check-prefix=ONE --implicit-check-not=.avx512 --implicit-check-not=.generic
// RUN: attn-opt %s --attn-specialize=kernel=band --attn-plan --attn-emit-cpu="isas=avx512,generic" \
// RUN:   | FileCheck %s --check-prefix=TWO --implicit-check-not=.avx2
// RUN: attn-opt %s --attn-specialize=kernel=hubs --attn-plan --attn-emit-cpu="isas=avx512" \
// RUN:   | FileCheck %s --check-prefix=PHASES
// RUN: attn-opt %s --attn-specialize=kernel=even --attn-plan --attn-emit-cpu="isas=avx512" \
// RUN:   | FileCheck %s --check-prefix=TESTS --implicit-check-not="group.{{full|bounds|holes}}"
// RUN: attn-opt %s --attn-specialize="kernel=hubs score=slope" --attn-plan --attn-emit-cpu="isas=avx512" \
// RUN:   | FileCheck %s --check-prefix=SCORE

// CHECK-DAG: func.func private @band.pack.[[KEYS:[0-9]+]].avx512({{.*}} attributes {target_features = #llvm.target_features<["+avx512f",
// CHECK-DAG: func.func private @band.tile.0.avx512({{.*}} attributes {target_features
// CHECK-DAG: func.func private @band.group.full.avx512(
// CHECK-DAG: func.func private @band.group.bounds.avx512(
// CHECK-DAG: func.func private @band.pack.[[KEYS]].avx2({{.*}} attributes {target_features = #llvm.target_features<["+avx2", "+fma",
// CHECK-DAG: func.func private @band.tile.0.avx2(
// CHECK-DAG: func.func private @band.group.full.avx2(
// CHECK-DAG: func.func private @band.group.bounds.avx2(
// Plain x86-64 asks for nothing.
// CHECK-DAG: func.func private @band.pack.[[KEYS]].generic({{.*}}index) {
// CHECK-DAG: func.func private @band.tile.0.generic({{.*}}!llvm.ptr) {
// CHECK-DAG: func.func private @band.group.full.generic(
// CHECK-DAG: func.func private @band.group.bounds.generic(

// ONE-DAG: @band.pack.{{[0-9]+}}.avx2(
// ONE-DAG: @band.tile.0.avx2(

// TWO-DAG: @band.tile.0.avx512(
// TWO-DAG: @band.tile.0.generic(
attn.pattern @band(%width: index = 8) {
  %near = attn.window left(%width) right(%width)
  attn.yield %near
}

// A tile function for each phase, a pack function for each order of keys; boxes and phases share the group functions.
// PHASES-DAG: func.func private @hubs.tile.0.avx512(
// PHASES-DAG: func.func private @hubs.tile.1.avx512(
// PHASES-DAG: func.func private @hubs.pack.[[ALL:[0-9]+]].avx512(
// PHASES-DAG: func.func private @hubs.pack.{{[0-9]+}}.avx512(
// PHASES-DAG: func.func private @hubs.group.full.avx512(
// PHASES-DAG: func.func private @hubs.group.bounds.avx512(
// PHASES-DAG: func.func private @hubs.group.holes.avx512(
// PHASES-NOT: func.func private @hubs.group.{{[a-z]+}}.avx512(

// A score region asks for positions; those of listed keys come from a table.
// SCORE-DAG: func.func private @hubs.group.full.avx512(
// SCORE-DAG: func.func private @hubs.group.bounds.avx512(
// SCORE-DAG: func.func private @hubs.group.full.listed.avx512(
// SCORE-DAG: func.func private @hubs.group.holes.listed.avx512(
attn.pattern @hubs(%tokens: !attn.tokens = [0]) {
  %near = attn.window left(4) right(4)
  %hub = attn.global %tokens
  %pairs = attn.union %near, %hub
  attn.yield %pairs
}

// Only what is tested has a function that reads answers.
// TESTS: func.func private @even.group.tests.avx512(
attn.pattern @even() {
  %even = attn.where (%b, %h, %i, %j) {
    %two = arith.constant 2 : index
    %zero = arith.constant 0 : index
    %rest = arith.remsi %j, %two : index
    %is = arith.cmpi eq, %rest, %zero : index
    attn.yield %is : i1
  }
  attn.yield %even
}

attn.score @slope(%slope: f32 = 0.5) (%s, %b, %h, %i, %j) {
  %distance = arith.subi %j, %i : index
  %whole = arith.index_cast %distance : index to i64
  %far = arith.sitofp %whole : i64 to f32
  %bias = arith.mulf %far, %slope : f32
  %biased = arith.addf %s, %bias : f32
  attn.yield %biased : f32
}
