// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// All rows of a block look at the same keys. On a GPU, tiles that end where blocks do see no others; where blocks are
// small, such tiles would be empty for the most part. The call's block size decides, of which there is one phase each.
// A CPU multiplies sub-tiles of a few rows, which is as good.
//
// RUN: attn-opt %s --attn-specialize=element=bf16 --attn-plan=target=sm_90a | FileCheck %s
// RUN: attn-opt %s --attn-specialize=element=bf16 --attn-plan=target=cpu | FileCheck %s --check-prefix=CPU

// CHECK-LABEL: func.func @blocks
// CHECK: tile [64, 64, 64, 32] anchored {
// CHECK-NEXT: attn.phase queries(all) when(-min(1, max(0, [[GAIN:.*]])) + 1) {
// CHECK-NEXT: attn.box keys(all) [[BOUNDS:rows .*]]
// CHECK-NEXT: }
// CHECK-NEXT: attn.phase queries(blocks(s0, query_offset)) when(min(1, max(0, [[GAIN]]))) {
// CHECK-NEXT: attn.box keys(all) [[BOUNDS]]
// CHECK-NEXT: }
// CHECK-NEXT: }
// CPU-LABEL: func.func @blocks
// CPU: attn.phase queries(all) {
// CPU-NEXT: attn.box
// CPU-NEXT: }
// CPU-NEXT: }
attn.pattern @blocks(%size: index = 256) {
  %own = attn.block_local %size
  attn.yield %own
}

// Where the size is known there is nothing to choose.
// CHECK-LABEL: func.func @blocks_of_100
// CHECK: attn.phase queries(blocks(100, query_offset)) {
// CHECK-NEXT: attn.box
// CHECK-NEXT: }
// CHECK-NEXT: }
attn.pattern @blocks_of_100() {
  %hundred = arith.constant 100 : index
  %own = attn.block_local %hundred
  attn.yield %own
}

// Other pieces may follow in orders of their own.
// CHECK-LABEL: func.func @axes
// CHECK: attn.phase queries(all) when(
// CHECK: attn.phase queries(blocks(s0, query_offset)) when(
// CHECK: attn.phase queries(classes(s0)) continues {
attn.pattern @axes(%width: index = 128) {
  %row, %column = attn.grid [%width]
  %same_row = attn.window left(0) right(0) on %row
  %same_column = attn.window left(0) right(0) on %column
  %pairs = attn.union %same_row, %same_column
  attn.yield %pairs
}
