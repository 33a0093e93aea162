// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The types and ops of attn_tile, read back from what was printed.
//
// RUN: attn-opt %s | attn-opt | FileCheck %s
// RUN: attn-opt %s --mlir-print-op-generic | attn-opt | FileCheck %s

!ring = !attn_tile.ring<2 x 128x64xbf16>
!scores = !attn_tile.acc<64x128xf32>

// CHECK-LABEL: llvm.func @roles
llvm.func @roles() attributes {nvvm.reqntid = array<i32: 384, 1, 1>, nvvm.minctasm = 1 : i32} {
  // CHECK: attn_tile.roles registers(24, 240) producer(%{{.*}}) {
  attn_tile.roles registers(24, 240) producer(%warp) {
    // CHECK-NEXT: nvvm.barrier0
    nvvm.barrier0
  // CHECK-NEXT: } consumer(%[[WARPGROUP:.*]]) {
  } consumer(%warpgroup) {
    // CHECK-NEXT: arith.addi %[[WARPGROUP]], %[[WARPGROUP]] : i32
    %0 = arith.addi %warpgroup, %warpgroup : i32
  }
  llvm.return
}

// CHECK-LABEL: func.func @producer
func.func @producer(%map: !llvm.ptr, %row: i32, %head: i32) {
  // CHECK: %[[RING:.*]] = attn_tile.ring tiles(2048) barriers(65536) : <2 x 128x64xbf16>
  %ring = attn_tile.ring tiles(2048) barriers(65536) : !ring
  // CHECK: attn_tile.initialize %[[RING]] readers(8) : <2 x 128x64xbf16>
  attn_tile.initialize %ring readers(8) : !ring
  // CHECK: %[[SLOT:.*]] = attn_tile.start
  %slot = attn_tile.start
  // CHECK: attn_tile.acquire %[[RING]][%[[SLOT]]] : <2 x 128x64xbf16>
  attn_tile.acquire %ring[%slot] : !ring
  // CHECK: attn_tile.fill %[[RING]][%[[SLOT]]] from %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] : <2 x 128x64xbf16>, !llvm.ptr
  attn_tile.fill %ring[%slot] from %map[%row, %head, %head] : !ring, !llvm.ptr
  // CHECK: attn_tile.fill %[[RING]][%[[SLOT]]] from %{{.*}}[%{{.*}} of %{{.*}}, %{{.*}}, %{{.*}}] : <2 x 128x64xbf16>, !llvm.ptr
  attn_tile.fill %ring[%slot] from %map[%row of %head, %head, %head] : !ring, !llvm.ptr
  // CHECK: attn_tile.fill %[[RING]][%[[SLOT]]] from %{{.*}}[%{{.*}} of %{{.*}}, %{{.*}}, %{{.*}}] rows(%{{.*}}) : <2 x 128x64xbf16>, !llvm.ptr
  attn_tile.fill %ring[%slot] from %map[%row of %head, %head, %head] rows(%row) : !ring, !llvm.ptr
  // CHECK: %[[NEXT:.*]] = attn_tile.advance %[[SLOT]] of 2
  %next = attn_tile.advance %slot of 2
  // CHECK: attn_tile.note %[[RING]][%[[NEXT]]] says %{{.*}}, %{{.*}} : <2 x 128x64xbf16>
  attn_tile.note %ring[%next] says %row, %head : !ring
  // CHECK: attn_tile.read %[[RING]][%[[NEXT]]] : <2 x 128x64xbf16>
  %said:2 = attn_tile.read %ring[%next] : !ring
  // CHECK: attn_tile.publish %[[RING]][%[[NEXT]]] : <2 x 128x64xbf16>
  attn_tile.publish %ring[%next] : !ring
  return
}

// CHECK-LABEL: func.func @consumer
func.func @consumer(%warpgroup: i32) {
  %zero = llvm.mlir.constant(0.0 : f32) : f32
  %ring = attn_tile.ring tiles(2048) barriers(65536) : !ring
  %slot = attn_tile.start
  // CHECK: attn_tile.await %{{.*}}[%{{.*}}] : <2 x 128x64xbf16>
  attn_tile.await %ring[%slot] : !ring
  // CHECK: %[[TILE:.*]] = attn_tile.stage %{{.*}}[%{{.*}}] : <2 x 128x64xbf16>
  %tile = attn_tile.stage %ring[%slot] : !ring
  // CHECK: %[[PART:.*]] = attn_tile.subtile %[[TILE]][%{{.*}}] : <128x64xbf16>
  %part = attn_tile.subtile %tile[%warpgroup] : !attn_tile.shared<128x64xbf16>
  // CHECK: attn_tile.top %[[TILE]] : <128x64xbf16> -> <32x64xbf16, panel = 128>
  %top = attn_tile.top %tile : !attn_tile.shared<128x64xbf16> -> !attn_tile.shared<32x64xbf16, panel = 128>
  // CHECK: %[[S:.*]] = attn_tile.multiply %[[PART]], %[[TILE]] depth(48) : <64x64xbf16, panel = 128>, <128x64xbf16>
  %s = attn_tile.multiply %part, %tile depth(48)
      : !attn_tile.shared<64x64xbf16, panel = 128>, !attn_tile.shared<128x64xbf16>
  // CHECK: %[[P:.*]] = attn_tile.wait %[[S]] inflight(0) : <64x128xf32>
  %p = attn_tile.wait %s inflight(0) : !attn_tile.pending<64x128xf32>
  // CHECK: attn_tile.release %{{.*}}[%{{.*}}] : <2 x 128x64xbf16>
  attn_tile.release %ring[%slot] : !ring
  // CHECK: %[[W:.*]] = attn_tile.convert %[[P]] : <64x128xf32> -> <64x128xbf16>
  %w = attn_tile.convert %p : !scores -> !attn_tile.operand<64x128xbf16>
  // CHECK: %[[ACC:.*]] = attn_tile.splat %{{.*}} : f32 -> !attn_tile.acc<64x64xf32>
  %acc = attn_tile.splat %zero : f32 -> !attn_tile.acc<64x64xf32>
  // CHECK: attn_tile.accumulate %[[ACC]], %[[W]], %[[TILE]] : <64x64xf32>, <64x128xbf16>, <128x64xbf16>
  %o = attn_tile.accumulate %acc, %w, %tile
      : !attn_tile.acc<64x64xf32>, !attn_tile.operand<64x128xbf16>, !attn_tile.shared<128x64xbf16>
  %out = attn_tile.wait %o inflight(0) : !attn_tile.pending<64x64xf32>
  return
}

// CHECK-LABEL: func.func @memory
func.func @memory(%value: !attn_tile.acc<64x72xf32>, %map: !llvm.ptr, %row: i32) {
  // CHECK: %[[TILE:.*]] = attn_tile.shared at 1024 : <64x128xf16>
  %tile = attn_tile.shared at 1024 : !attn_tile.shared<64x128xf16>
  // CHECK: attn_tile.write %{{.*}} to %[[TILE]] : <64x72xf32>, <64x128xf16>
  attn_tile.write %value to %tile : !attn_tile.acc<64x72xf32>, !attn_tile.shared<64x128xf16>
  // CHECK: attn_tile.store %[[TILE]] to %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] : <64x128xf16>, !llvm.ptr
  attn_tile.store %tile to %map[%row, %row, %row] : !attn_tile.shared<64x128xf16>, !llvm.ptr
  // CHECK: attn_tile.store %[[TILE]] to %{{.*}}[%{{.*}} of %{{.*}}, %{{.*}}, %{{.*}}] : <64x128xf16>, !llvm.ptr
  attn_tile.store %tile to %map[%row of %row, %row, %row] : !attn_tile.shared<64x128xf16>, !llvm.ptr
  // CHECK: attn_tile.load aligned %{{.*}}, %{{.*}} columns(70) of f16 : !llvm.ptr, !llvm.ptr -> <64x72xf32>
  %aligned = attn_tile.load aligned %map, %map columns(70) of f16 : !llvm.ptr, !llvm.ptr -> !attn_tile.acc<64x72xf32>
  // CHECK: attn_tile.load %{{.*}}, %{{.*}} columns(72) of f32 : !llvm.ptr, !llvm.ptr -> <64x72xf32>
  %any = attn_tile.load %map, %map columns(72) of f32 : !llvm.ptr, !llvm.ptr -> !attn_tile.acc<64x72xf32>
  // CHECK: attn_tile.chunk %[[TILE]][%{{.*}}, %{{.*}}] : <64x128xf16> -> !llvm.ptr<3>
  %chunk = attn_tile.chunk %tile[%row, %row] : !attn_tile.shared<64x128xf16> -> !llvm.ptr<3>
  return
}

// CHECK-LABEL: func.func @registers
func.func @registers(%s: !scores, %top: !attn_tile.row<f32>) {
  // CHECK: attn_tile.first_row
  %r = attn_tile.first_row
  // CHECK: attn_tile.first_column
  %c = attn_tile.first_column
  // CHECK: %[[ROW:.*]] = attn_tile.pack %{{.*}}, %{{.*}} : i32
  %row = attn_tile.pack %r, %c : i32
  // CHECK: attn_tile.unpack %[[ROW]] : <i32>
  %first, %second = attn_tile.unpack %row : !attn_tile.row<i32>
  // CHECK: %[[BITS:.*]] = attn_tile.ask %[[ROW]] (%[[I:.*]]: i32, %[[J:.*]]: i32) {
  // CHECK-NEXT: %[[ASKED:.*]] = arith.cmpi slt, %[[J]], %[[I]] : i32
  // CHECK-NEXT: attn_tile.yield %[[ASKED]] : i1
  // CHECK-NEXT: } : (!attn_tile.row<i32>) -> !attn_tile.bits<64x128>
  %bits = attn_tile.ask %row (%i: i32, %j: i32) {
    %0 = arith.cmpi slt, %j, %i : i32
    attn_tile.yield %0 : i1
  } : (!attn_tile.row<i32>) -> !attn_tile.bits<64x128>
  // CHECK: %[[BETWEEN:.*]] = attn_tile.between %[[ROW]], %[[ROW]] : <i32>, <i32> -> <64x128>
  %between = attn_tile.between %row, %row : !attn_tile.row<i32>, !attn_tile.row<i32> -> !attn_tile.bits<64x128>
  // CHECK: attn_tile.combine and %[[BITS]], %[[BETWEEN]] : <64x128>
  %both = attn_tile.combine and %bits, %between : !attn_tile.bits<64x128>
  // CHECK: attn_tile.combine or %[[BITS]], %[[BETWEEN]] : <64x128>
  %either = attn_tile.combine or %bits, %between : !attn_tile.bits<64x128>
  // CHECK: attn_tile.map %{{.*}}, %{{.*}}, %[[BITS]] (%{{.*}}: f32, %{{.*}}: f32, %{{.*}}: i1, %{{.*}}: i32) {
  // CHECK: } : (!attn_tile.acc<64x128xf32>, !attn_tile.row<f32>, !attn_tile.bits<64x128>) -> !attn_tile.acc<64x128xf32>
  %masked = attn_tile.map %s, %top, %bits (%x: f32, %t: f32, %is: i1, %column: i32) {
    %0 = arith.select %is, %x, %t : f32
    attn_tile.yield %0 : f32
  } : (!scores, !attn_tile.row<f32>, !attn_tile.bits<64x128>) -> !scores
  // CHECK: attn_tile.map rolled %{{.*}}, %{{.*}} (%{{.*}}: f32, %{{.*}}: f32, %{{.*}}: i32) {
  // CHECK: } : (!attn_tile.acc<64x128xf32>, !attn_tile.row<f32>) -> !attn_tile.acc<64x128xf32>
  %slow = attn_tile.map rolled %s, %top (%x: f32, %t: f32, %column: i32) {
    attn_tile.yield %x : f32
  } : (!scores, !attn_tile.row<f32>) -> !scores
  // CHECK: %[[RISES:.*]] = attn_tile.map %{{.*}} (%{{.*}}: f32) {
  // CHECK: } : (!attn_tile.row<f32>) -> !attn_tile.row<i1>
  %rises = attn_tile.map %top (%x: f32) {
    %0 = arith.cmpf ogt, %x, %x : f32
    attn_tile.yield %0 : i1
  } : (!attn_tile.row<f32>) -> !attn_tile.row<i1>
  // CHECK: attn_tile.any %[[RISES]] : <i1>
  %any = attn_tile.any %rises : !attn_tile.row<i1>
  // CHECK: %[[MAX:.*]] = attn_tile.fold max %{{.*}} : <64x128xf32>
  %max = attn_tile.fold max %s : !scores
  // CHECK: attn_tile.across add %[[MAX]] : <f32>
  %all = attn_tile.across add %max : !attn_tile.row<f32>
  return
}
