// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Coordinates, read back from what was printed.
//
// RUN: attn-opt %s | attn-opt | FileCheck %s
// RUN: attn-opt %s --mlir-print-op-generic | attn-opt | FileCheck %s

// CHECK-LABEL: attn.pattern @grid
attn.pattern @grid(%width: index = 8) {
  // CHECK: %[[TWO:.*]]:2 = attn.grid [%width]
  %row, %column = attn.grid [%width]
  // CHECK: %[[THREE:.*]]:3 = attn.grid [4, %width]
  %frame, %row3, %column3 = attn.grid [4, %width]
  // CHECK: attn.causal on %[[TWO]]#0
  %above = attn.causal on %row
  // CHECK: attn.causal on %[[THREE]]#2
  %beside = attn.causal on %column3
  attn.yield %above
}

// CHECK-LABEL: attn.pattern @stream
attn.pattern @stream(%count: index = 8) {
  // CHECK: attn.stream [%count]
  %global, %long = attn.stream [%count]
  // CHECK: %[[THREE:.*]]:3 = attn.stream [0, %count]
  %none, %first, %rest = attn.stream [0, %count]
  // CHECK: attn.causal on %[[THREE]]#1
  %past = attn.causal on %first
  attn.yield %past
}

// CHECK-LABEL: attn.pattern @offset
attn.pattern @offset(%ids: !attn.segments) {
  // CHECK: %[[OFFSET:.*]] = attn.offset %ids
  %offset = attn.offset %ids
  // CHECK: attn.window left(2) on %[[OFFSET]]
  %near = attn.window left(2) on %offset
  attn.yield %near
}

// CHECK-LABEL: attn.pattern @raster
attn.pattern @raster(%block: index = 4) {
  // CHECK: %[[GRID:.*]]:2 = attn.grid [8]
  %row, %column = attn.grid [8]
  // CHECK: %[[PLACE:.*]] = attn.raster %[[GRID]]#0, %[[GRID]]#1 blocks [%block, 2]
  %place = attn.raster %row, %column blocks [%block, 2]
  // CHECK: attn.causal on %[[PLACE]]
  %past = attn.causal on %place
  attn.yield %past
}

// CHECK-LABEL: func.func private @types(!attn.coordinate, !attn.per_head, !attn.blocks)
func.func private @types(!attn.coordinate, !attn.per_head, !attn.blocks)
