// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A GPU's plan is a CPU's plan with other tiles: anchored ones, multiplied whole. Where every row looks at few keys, at
// any length, they are smaller than where it may look at many; where rows differ, calls of few keys take the small ones.
// Listed keys take tiles of 32.
//
// RUN: attn-opt %s --attn-specialize=element=bf16 --attn-plan=target=sm_90a > %t.gpu
// RUN: FileCheck %s < %t.gpu
// RUN: attn-opt %s --attn-specialize=element=bf16 --attn-plan="target=sm_90a tile-rows=128 tile-keys=48" \
// RUN:   | FileCheck %s --check-prefix=GIVEN
//
// Phases, orders and boxes are the CPU's to the letter.
// RUN: attn-opt %s --attn-specialize=element=bf16 --attn-plan=target=cpu > %t.cpu
// RUN: sed -E "s/ tile \[[0-9, ]*\] anchored( compact \[[0-9, ]*\] to [0-9]+)?//" %t.gpu > %t.gpu.boxes
// RUN: sed -E "s/ tile \[[0-9, ]*\]//" %t.cpu > %t.cpu.boxes
// RUN: diff %t.gpu.boxes %t.cpu.boxes

// CHECK-LABEL: func.func @causal
// CHECK: attn.plan {{.*}} tile {{\[}}[[WIDE:[0-9, ]+, 32]]] anchored compact {{\[}}[[LOCAL:[0-9, ]+, 32]]] to {{[0-9]+}} {
// CHECK-NEXT: attn.phase queries(all) {
// CHECK-NEXT: attn.box keys(all) rows [0, min(kv_length, i + query_offset - key_offset + 1))
// CHECK-NEXT: }
// GIVEN-LABEL: func.func @causal
// GIVEN: tile [128, 48, 128, 48] anchored {
attn.pattern @causal() {
  %past = attn.causal
  attn.yield %past
}

// Both bounds move with the rows. A size that is given holds for local patterns, too.
// CHECK-LABEL: func.func @window
// CHECK: tile {{\[}}[[LOCAL]]] anchored {
// GIVEN-LABEL: func.func @window
// GIVEN: tile [128, 48, 128, 48] anchored {
attn.pattern @window(%left: index = 8) {
  %near = attn.window left(%left) right(0)
  attn.yield %near
}

// Listed keys are few; the rows that look at all keys are not what most tiles are made for. A size that is given holds
// for listed keys, too.
// GIVEN-LABEL: func.func @hubs
// GIVEN: tile [128, 48, 128, 48] anchored {
// CHECK-LABEL: func.func @hubs
// CHECK: tile {{\[}}[[LOCAL]]] anchored {
// CHECK-NEXT: attn.phase queries(listed(0)) {
// CHECK: attn.phase queries(all) except(listed(0)) {
attn.pattern @hubs(%tokens: !attn.tokens = [0]) {
  %near = attn.window left(4) right(4)
  %hub = attn.global %tokens
  %pairs = attn.union %near, %hub
  attn.yield %pairs
}

// CHECK-LABEL: func.func @segments
// CHECK: tile {{\[}}[[LOCAL]]] anchored {
// CHECK: attn.box keys(sorted(0)) same_segment
attn.pattern @segments(%ids: !attn.segments) {
  %own = attn.segments %ids
  attn.yield %own
}

// A length is a bound that stands still: all rows look at as many keys, and small tiles save nothing.
// CHECK-LABEL: func.func @padded
// CHECK: tile {{\[}}[[WIDE]]] anchored {
attn.pattern @padded(%lengths: !attn.lengths) {
  %present = attn.padded %lengths
  attn.yield %present
}

// Blocks that a table lists are few, and tiles of queries end where blocks do.
// CHECK-LABEL: func.func @drawn
// CHECK: tile {{\[}}[[LOCAL]]] anchored {
// CHECK-NEXT: attn.phase queries(blocks(s0, query_offset)) {
// CHECK-NEXT: attn.box keys(all) blocks(0, s0) rows [0, kv_length)
attn.pattern @drawn(%table: !attn.blocks, %block: index = 64) {
  %pairs = attn.block_table %table block(%block)
  attn.yield %pairs
}

// A patch of a grid is a tile. On grids the tile is taken that multiplies least.
// CHECK-LABEL: func.func @image
// CHECK: tile [64, 64, 64, 32] anchored
// CHECK-NEXT: attn.phase queries(patches(s0, 8, 8)) {
// CHECK-NEXT: attn.box keys(all) columns_of (s0, key_offset)
attn.pattern @image(%width: index = 64, %size: index = 7) {
  %row, %column = attn.grid [%width]
  %above_and_below = attn.neighborhood %size on %row
  %beside = attn.neighborhood %size on %column
  %pairs = attn.intersect %above_and_below, %beside
  attn.yield %pairs
}
