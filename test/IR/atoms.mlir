// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Atoms with all that they can be given, read back from what was printed.
//
// RUN: attn-opt %s | attn-opt | FileCheck %s
// RUN: attn-opt %s --mlir-print-op-generic | attn-opt | FileCheck %s

// CHECK-LABEL: attn.pattern @window
attn.pattern @window(%left: index = 8, %right: index = 0, %dilation: index = 4) {
  // CHECK: attn.window left(%left) right(%right) dilation(%dilation)
  %taps = attn.window left(%left) right(%right) dilation(%dilation)
  // CHECK: attn.window left(4) dilation(2)
  %past = attn.window left(4) dilation(2)
  // CHECK: %[[GRID:.*]]:2 = attn.grid [8]
  %row, %column = attn.grid [8]
  // CHECK: attn.window left(0) right(%right) dilation(3) on %[[GRID]]#1
  %beside = attn.window left(0) right(%right) dilation(3) on %column
  attn.yield %taps
}

// CHECK-LABEL: attn.pattern @causal
attn.pattern @causal() {
  // CHECK: %[[GRID:.*]]:2 = attn.grid
  %row, %column = attn.grid [8]
  // CHECK: attn.causal on %[[GRID]]#0
  %above = attn.causal on %row
  attn.yield %above
}

// CHECK-LABEL: attn.pattern @block_local
attn.pattern @block_local(%block: index = 64, %after: index = 2) {
  // CHECK: attn.block_local %block before(%block)
  %memory = attn.block_local %block before(%block)
  // CHECK: attn.block_local 8 before(1) after(%after)
  %around = attn.block_local 8 before(1) after(%after)
  // CHECK: %[[GRID:.*]]:2 = attn.grid
  %row, %column = attn.grid [8]
  // CHECK: attn.block_local %block after(4) on %[[GRID]]#1
  %columns = attn.block_local %block after(4) on %column
  attn.yield %memory
}

// CHECK-LABEL: attn.pattern @neighborhood
attn.pattern @neighborhood(%size: index = 7) {
  // CHECK: %[[GRID:.*]]:2 = attn.grid
  %row, %column = attn.grid [8]
  // CHECK: attn.neighborhood %size on %[[GRID]]#0
  %rows = attn.neighborhood %size on %row
  // CHECK: attn.neighborhood 5 on %[[GRID]]#1
  %columns = attn.neighborhood 5 on %column
  attn.yield %rows
}

// CHECK-LABEL: attn.pattern @congruent
attn.pattern @congruent(%stride: index = 8, %first: index = 6, %ids: !attn.segments) {
  // CHECK: attn.congruent (query - key) mod(%stride){{$}}
  %column = attn.congruent (query - key) mod(%stride)
  // CHECK: attn.congruent query mod(4) from(-1) to(2){{$}}
  %rows = attn.congruent query mod(4) from(-1) to(2)
  // CHECK: attn.congruent head mod(2){{$}}
  %even = attn.congruent head mod(2)
  // CHECK: %[[OFFSET:.*]] = attn.offset %ids
  %offset = attn.offset %ids
  // CHECK: attn.congruent key mod(%stride) from(%first) to(7) on %[[OFFSET]]
  %summaries = attn.congruent key mod(%stride) from(%first) to(7) on %offset
  attn.yield %column
}

// CHECK-LABEL: attn.pattern @range
attn.pattern @range(%n: index = 8, %lengths: !attn.lengths = [4]) {
  // CHECK: attn.range columns below(%n)
  %prefix = attn.range columns below(%n)
  // CHECK: %[[LENGTH:.*]] = attn.of_batch %lengths
  %length = attn.of_batch %lengths
  // CHECK: attn.range rows from(3) below(%[[LENGTH]])
  %rows = attn.range rows from(3) below(%length)
  // CHECK: %[[KEYS:.*]] = attn.extent keys
  %keys = attn.extent keys
  // CHECK: attn.range both from(%[[KEYS]])
  %last = attn.range both from(%keys)
  attn.yield %prefix
}

// CHECK-LABEL: attn.pattern @heads
attn.pattern @heads(%flags: !attn.per_head = [0, 1]) {
  // CHECK: attn.heads below(4)
  %first = attn.heads below(4)
  // CHECK: %[[HALF:.*]] = attn.extent heads
  %heads = attn.extent heads
  // CHECK: attn.heads from(1) below(%[[HALF]])
  %some = attn.heads from(1) below(%heads)
  // CHECK: attn.heads in %flags
  %chosen = attn.heads in %flags
  attn.yield %first
}

// CHECK-LABEL: attn.pattern @block_table
attn.pattern @block_table(%random: !attn.blocks, %block: index = 64, %size: !attn.per_head = [8]) {
  // CHECK: attn.block_table %random block(%block)
  %drawn = attn.block_table %random block(%block)
  // CHECK: attn.block_table %random block(16)
  %literal = attn.block_table %random block(16)
  // CHECK: %[[SIZE:.*]] = attn.of_head %size
  %of_head = attn.of_head %size
  // CHECK: attn.block_table %random block(%[[SIZE]])
  %per_head = attn.block_table %random block(%of_head)
  attn.yield %drawn
}
