// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Each op of attn_tile as instructions.
//
// RUN: attn-opt %s --attn-lower-tile --canonicalize \
// RUN:   | FileCheck %s --implicit-check-not=attn_tile --implicit-check-not=unrealized

// The dynamic shared memory is declared once, where it is used.
// CHECK: llvm.mlir.global external @attn_shared() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>
// CHECK-NOT: llvm.mlir.global

llvm.func @use(f32, f32)
llvm.func @use_integer(i32)

// CHECK-LABEL: llvm.func @roles
// CHECK: %[[WARP:.*]] = nvvm.shfl.sync idx
// CHECK: %[[WARPGROUP:.*]] = arith.shrui %[[WARP]], %{{.*}} : i32
// CHECK: %[[CONSUMER:.*]] = arith.addi %[[WARPGROUP]], %{{.*}} : i32
// CHECK: scf.if %{{.*}} {
// CHECK-NEXT: nvvm.setmaxregister decrease 24
// CHECK-NEXT: llvm.call @use_integer(%[[WARP]])
// CHECK-NEXT: } else {
// CHECK-NEXT: nvvm.setmaxregister increase 240
// CHECK-NEXT: llvm.call @use_integer(%[[CONSUMER]])
llvm.func @roles() attributes {nvvm.reqntid = array<i32: 384, 1, 1>, nvvm.minctasm = 1 : i32} {
  attn_tile.roles registers(24, 240) producer(%warp) {
    llvm.call @use_integer(%warp) : (i32) -> ()
  } consumer(%warpgroup) {
    llvm.call @use_integer(%warpgroup) : (i32) -> ()
  }
  llvm.return
}

// A full barrier for each stage, then an empty one for each.
// CHECK-LABEL: llvm.func @initialize
// CHECK-DAG: %[[ONE:.*]] = arith.constant 1 : i32
// CHECK-DAG: %[[READERS:.*]] = arith.constant 12 : i32
// CHECK-COUNT-3: nvvm.mbarrier.init %{{.*}}, %[[ONE]]
// CHECK-COUNT-3: nvvm.mbarrier.init %{{.*}}, %[[READERS]]
// CHECK-NOT: nvvm.mbarrier.init
llvm.func @initialize() {
  %ring = attn_tile.ring tiles(0) barriers(49152) : !attn_tile.ring<3 x 64x128xf16>
  attn_tile.initialize %ring readers(12) : !attn_tile.ring<3 x 64x128xf16>
  llvm.return
}

// A slot goes through a loop as a stage and a parity. A tile of 128 columns comes as two panels.
// CHECK-LABEL: llvm.func @producer
// CHECK-DAG: %[[BYTES:.*]] = arith.constant 16384 : i32
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0 : i32
// CHECK-DAG: %[[SECOND:.*]] = arith.constant 64 : i32
// CHECK: scf.for %[[ROW:.*]] = {{.*}} iter_args(%[[STAGE:.*]] = %{{.*}}, %[[PARITY:.*]] = %{{.*}}) -> (i32, i32)
// CHECK: %[[OTHER:.*]] = arith.xori %[[PARITY]], %{{.*}} : i32
// CHECK: nvvm.mbarrier.try_wait.parity %{{.*}}, %[[OTHER]]
// CHECK: nvvm.mbarrier.arrive.expect_tx %[[FULL:.*]], %[[BYTES]]
// CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.*}}, %{{.*}}, %[[FULL]], box[%[[ZERO]], %[[ROW]], %{{.*}}, %{{.*}}]
// CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.*}}, %{{.*}}, %[[FULL]], box[%[[SECOND]], %[[ROW]], %{{.*}}, %{{.*}}]
// CHECK: %[[NEXT:.*]] = arith.addi %[[STAGE]]
// CHECK: %[[AROUND:.*]] = arith.cmpi eq, %[[NEXT]]
// CHECK-DAG: arith.select %[[AROUND]], %[[ZERO]], %[[NEXT]]
// CHECK-DAG: arith.select %[[AROUND]], %{{.*}}, %[[PARITY]]
// CHECK: llvm.inline_asm has_side_effects asm_dialect = att "mbarrier.arrive.shared::cta.b64 _, [$0];", "r,~{memory}"
llvm.func @producer(%map: !llvm.ptr, %rows: i32, %head: i32) {
  %zero = llvm.mlir.constant(0 : i32) : i32
  %step = llvm.mlir.constant(64 : i32) : i32
  %ring = attn_tile.ring tiles(0) barriers(49152) : !attn_tile.ring<3 x 64x128xf16>
  %first = attn_tile.start
  %last = scf.for %row = %zero to %rows step %step iter_args(%slot = %first) -> (!attn_tile.slot) : i32 {
    attn_tile.acquire %ring[%slot] : !attn_tile.ring<3 x 64x128xf16>
    attn_tile.fill %ring[%slot] from %map[%row, %head, %head] : !attn_tile.ring<3 x 64x128xf16>, !llvm.ptr
    %next = attn_tile.advance %slot of 3
    scf.yield %next : !attn_tile.slot
  }
  attn_tile.publish %ring[%last] : !attn_tile.ring<3 x 64x128xf16>
  llvm.return
}

// With one stage only the parity turns.
// CHECK-LABEL: llvm.func @one_stage
// CHECK: iter_args(%[[PARITY:.*]] = %{{.*}}) -> (i32)
// CHECK: nvvm.mbarrier.try_wait.parity %{{.*}}, %[[PARITY]]
// CHECK: llvm.inline_asm has_side_effects asm_dialect = att "@$1 mbarrier.arrive.shared::cta.b64 _, [$0];", "r,b,~{memory}"
// CHECK: %[[TURNED:.*]] = arith.xori %[[PARITY]]
// CHECK: scf.yield %[[TURNED]]
llvm.func @one_stage(%tiles: i32) {
  %zero = llvm.mlir.constant(0 : i32) : i32
  %one = llvm.mlir.constant(1 : i32) : i32
  %ring = attn_tile.ring tiles(0) barriers(49152) : !attn_tile.ring<1 x 64x64xf16>
  %first = attn_tile.start
  %last = scf.for %tile = %zero to %tiles step %one iter_args(%slot = %first) -> (!attn_tile.slot) : i32 {
    attn_tile.await %ring[%slot] : !attn_tile.ring<1 x 64x64xf16>
    attn_tile.release %ring[%slot] : !attn_tile.ring<1 x 64x64xf16>
    %next = attn_tile.advance %slot of 1
    scf.yield %next : !attn_tile.slot
  }
  llvm.return
}

// Notes lie behind both barriers of all stages, and are written and read where they stand.
// CHECK-LABEL: llvm.func @notes
// CHECK: %[[BEHIND:.*]] = arith.constant 49200 : i32
// CHECK: %[[PLACE:.*]] = arith.addi %{{.*}}, %[[BEHIND]] : i32
// CHECK: llvm.inline_asm has_side_effects asm_dialect = att "st.shared.v2.b32 [$0], {$1, $2};", "r,r,r,~{memory}" %[[PLACE]], %arg0, %arg1
// CHECK: nvvm.mbarrier.try_wait.parity
// CHECK: %[[NOTE:.*]] = llvm.inline_asm has_side_effects asm_dialect = att "ld.shared.v2.b32 {$0, $1}, [$2];", "=r,=r,r,~{memory}"
// CHECK: %[[SECOND:.*]] = llvm.extractvalue %[[NOTE]][1]
// CHECK: llvm.call @use_integer(%[[SECOND]])
llvm.func @notes(%first: i32, %second: i32) {
  %ring = attn_tile.ring tiles(0) barriers(49152) : !attn_tile.ring<3 x 64x64xf16>
  %slot = attn_tile.start
  attn_tile.note %ring[%slot] says %first, %second : !attn_tile.ring<3 x 64x64xf16>
  attn_tile.await %ring[%slot] : !attn_tile.ring<3 x 64x64xf16>
  %said:2 = attn_tile.read %ring[%slot] : !attn_tile.ring<3 x 64x64xf16>
  llvm.call @use_integer(%said#1) : (i32) -> ()
  llvm.return
}

// S = Q K^T: fresh registers, both operands by descriptors; the second panel of Q lies 128 rows after the first.
// CHECK-LABEL: llvm.func @multiply
// CHECK-DAG: %[[ROWS:.*]] = arith.constant 4611686293305360384 : i64
// CHECK-DAG: %[[QUERY_PANEL:.*]] = arith.constant 1024 : i64
// CHECK-DAG: %[[KEY_PANEL:.*]] = arith.constant 64 : i64
// CHECK: %[[Q:.*]] = arith.ori %{{.*}}, %[[ROWS]] : i64
// CHECK: %[[K:.*]] = arith.ori %{{.*}}, %[[ROWS]] : i64
// CHECK-DAG: arith.addi %[[Q]], %[[QUERY_PANEL]]
// CHECK-DAG: arith.addi %[[K]], %[[KEY_PANEL]]
// CHECK: %[[S:.*]] = llvm.inline_asm has_side_effects
// CHECK-SAME: wgmma.fence.sync.aligned;
// CHECK-SAME: wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {$0, $1, $2, $3}, $4, $5, fresh, 1, 1, 0, 0;
// CHECK-SAME: wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {$0, $1, $2, $3}, $12, $13, add, 1, 1, 0, 0;
// CHECK-SAME: wgmma.commit_group.sync.aligned;
// CHECK-SAME: "=f,=f,=f,=f,l,l,l,l,l,l,l,l,l,l"
// CHECK: %[[S0:.*]] = llvm.extractvalue %[[S]][0]
// CHECK: %[[READABLE:.*]] = llvm.inline_asm has_side_effects asm_dialect = att "wgmma.wait_group.sync.aligned 0;", "=f,=f,=f,=f,0,1,2,3" %[[S0]],
// CHECK: %[[R0:.*]] = llvm.extractvalue %[[READABLE]][0]
// CHECK: arith.maxnumf %[[R0]],
llvm.func @multiply() {
  %one = llvm.mlir.constant(1 : i32) : i32
  %tile = attn_tile.shared at 0 : !attn_tile.shared<128x128xbf16>
  %query = attn_tile.subtile %tile[%one] : !attn_tile.shared<128x128xbf16>
  %key = attn_tile.shared at 32768 : !attn_tile.shared<8x128xbf16>
  %p = attn_tile.multiply %query, %key depth(80)
      : !attn_tile.shared<64x128xbf16, panel = 128>, !attn_tile.shared<8x128xbf16>
  %s = attn_tile.wait %p inflight(0) : !attn_tile.pending<64x8xf32>
  %x = attn_tile.fold max %s : !attn_tile.acc<64x8xf32>
  %y:2 = attn_tile.unpack %x : !attn_tile.row<f32>
  llvm.call @use(%y#0, %y#1) : (f32, f32) -> ()
  llvm.return
}

// O += P V: tied registers, weights in registers, the depth down the columns of V.
// CHECK-LABEL: llvm.func @accumulate
// CHECK: nvvm.convert.f32x2.to.f16x2 %[[HIGH:.*]], %[[LOW:.*]] {rnd = #nvvm.fp_rnd_mode<rn>} : vector<2xf16>
// CHECK: llvm.inline_asm has_side_effects
// CHECK-SAME: wgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16 {$0, $1, $2, $3}, {$8, $9, $10, $11}, $12, add, 1, 1, 1;
// CHECK-SAME: wgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16 {$0, $1, $2, $3}, {$13, $14, $15, $16}, $17, add, 1, 1, 1;
// CHECK-SAME: "=f,=f,=f,=f,0,1,2,3,r,r,r,r,l,r,r,r,r,l"
llvm.func @accumulate(%x: f32) {
  %acc = attn_tile.splat %x : f32 -> !attn_tile.acc<64x8xf32>
  %scores = attn_tile.splat %x : f32 -> !attn_tile.acc<64x32xf32>
  %weights = attn_tile.convert %scores : !attn_tile.acc<64x32xf32> -> !attn_tile.operand<64x32xf16>
  %values = attn_tile.shared at 0 : !attn_tile.shared<32x64xf16>
  %p = attn_tile.accumulate %acc, %weights, %values
      : !attn_tile.acc<64x8xf32>, !attn_tile.operand<64x32xf16>, !attn_tile.shared<32x64xf16>
  %o = attn_tile.wait %p inflight(0) : !attn_tile.pending<64x8xf32>
  llvm.return
}

// The first 32 rows of a tile of 96: two steps, and the second panel of columns begins behind all 96 rows.
// CHECK-LABEL: llvm.func @top
// CHECK: constant 4611686293355626496 : i64
// CHECK: llvm.inline_asm has_side_effects
// CHECK-SAME: wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16
// CHECK-SAME: wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16
// CHECK-NOT: wgmma.mma_async
// CHECK-SAME: wgmma.commit_group.sync.aligned;
llvm.func @top(%x: f32) {
  %acc = attn_tile.splat %x : f32 -> !attn_tile.acc<64x128xf32>
  %scores = attn_tile.splat %x : f32 -> !attn_tile.acc<64x32xf32>
  %weights = attn_tile.convert %scores : !attn_tile.acc<64x32xf32> -> !attn_tile.operand<64x32xbf16>
  %values = attn_tile.shared at 0 : !attn_tile.shared<96x128xbf16>
  %first = attn_tile.top %values : !attn_tile.shared<96x128xbf16> -> !attn_tile.shared<32x128xbf16, panel = 96>
  %p = attn_tile.accumulate %acc, %weights, %first
      : !attn_tile.acc<64x128xf32>, !attn_tile.operand<64x32xbf16>, !attn_tile.shared<32x128xbf16, panel = 96>
  %o = attn_tile.wait %p inflight(0) : !attn_tile.pending<64x128xf32>
  llvm.return
}

// 24 columns: four matrices, then the two that are left.
// CHECK-LABEL: llvm.func @write
// CHECK-COUNT-6: nvvm.convert.f32x2.to.bf16x2
// CHECK: nvvm.stmatrix %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} {{{.*}}layout = #nvvm.mma_layout<row>
// CHECK: nvvm.stmatrix %{{.*}}, %{{.*}}, %{{.*}} {
// CHECK-COUNT-2: nvvm.cp.async.bulk.tensor.global.shared.cta
llvm.func @write(%x: f32, %map: !llvm.ptr, %row: i32) {
  %acc = attn_tile.splat %x : f32 -> !attn_tile.acc<64x24xf32>
  %tile = attn_tile.shared at 0 : !attn_tile.shared<64x128xbf16>
  attn_tile.write %acc to %tile : !attn_tile.acc<64x24xf32>, !attn_tile.shared<64x128xbf16>
  attn_tile.store %tile to %map[%row, %row, %row] : !attn_tile.shared<64x128xbf16>, !llvm.ptr
  llvm.return
}

// A part of the rows, a class or a run, is a further coordinate.
// CHECK-LABEL: llvm.func @parts
// CHECK-SAME: %[[MAP:.*]]: !llvm.ptr, %[[ROW:.*]]: i32, %[[PART:.*]]: i32, %[[HEAD:.*]]: i32
// CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.*}}, %[[MAP]], %{{.*}}, box[%{{.*}}, %[[ROW]], %[[PART]], %[[HEAD]], %[[HEAD]]]
// CHECK: nvvm.cp.async.bulk.tensor.global.shared.cta %[[MAP]], %{{.*}}, box[%{{.*}}, %[[ROW]], %[[PART]], %[[HEAD]], %[[HEAD]]]
llvm.func @parts(%map: !llvm.ptr, %row: i32, %part: i32, %head: i32) {
  %ring = attn_tile.ring tiles(0) barriers(8192) : !attn_tile.ring<1 x 64x64xf16>
  %slot = attn_tile.start
  attn_tile.fill %ring[%slot] from %map[%row of %part, %head, %head] : !attn_tile.ring<1 x 64x64xf16>, !llvm.ptr
  %tile = attn_tile.shared at 0 : !attn_tile.shared<64x64xf16>
  attn_tile.store %tile to %map[%row of %part, %head, %head] : !attn_tile.shared<64x64xf16>, !llvm.ptr
  llvm.return
}

// A box of fewer rows than the tile brings fewer bytes: 128 of a row, in each of two panels.
// CHECK-LABEL: llvm.func @part_of_a_tile
// CHECK-SAME: %[[ROWS:[a-z0-9]+]]: i32)
// CHECK: %[[BYTES:.*]] = arith.muli %[[ROWS]], %c256
// CHECK: nvvm.mbarrier.arrive.expect_tx %{{.*}}, %[[BYTES]]
// CHECK-COUNT-2: nvvm.cp.async.bulk.tensor.shared.cluster.global
llvm.func @part_of_a_tile(%map: !llvm.ptr, %row: i32, %head: i32, %rows: i32) {
  %ring = attn_tile.ring tiles(0) barriers(16384) : !attn_tile.ring<1 x 64x128xf16>
  %slot = attn_tile.start
  attn_tile.fill %ring[%slot] from %map[%row, %head, %head] rows(%rows) : !attn_tile.ring<1 x 64x128xf16>, !llvm.ptr
  llvm.return
}

// 11 columns of 24: of aligned rows the first eight two at a time, of the next ones those that there are, and none
// further on. No column past the last is read: the last one is, in its place.
// CHECK-LABEL: llvm.func @load
// CHECK-SAME: %[[FIRST:.*]]: !llvm.ptr<1>, %[[SECOND:.*]]: !llvm.ptr<1>
// CHECK: %[[LAST:.*]] = arith.constant 10 : i32
// CHECK: %[[P:.*]] = llvm.getelementptr %[[FIRST]][%{{.*}}] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, bf16
// CHECK: llvm.load %[[P]] {alignment = 4 : i64} : !llvm.ptr<1> -> vector<2xbf16>
// CHECK: %[[LOW:.*]] = arith.extui %{{.*}} : i16 to i32
// CHECK-NEXT: %[[BITS:.*]] = arith.shli %[[LOW]], %{{.*}} : i32
// CHECK-NEXT: arith.bitcast %[[BITS]] : i32 to f32
// CHECK: arith.shli
// CHECK: %[[Q:.*]] = llvm.getelementptr %[[SECOND]]
// CHECK: llvm.load %[[Q]] {alignment = 4 : i64} : !llvm.ptr<1> -> vector<2xbf16>
// CHECK: %[[INSIDE:.*]] = arith.minsi %[[COLUMN:.*]], %[[LAST]] : i32
// CHECK: llvm.getelementptr %[[FIRST]][%[[INSIDE]]]
// CHECK: llvm.load %{{.*}} : !llvm.ptr<1> -> bf16
// CHECK: %[[IS_THERE:.*]] = arith.cmpi sle, %[[COLUMN]], %[[LAST]] : i32
// CHECK: arith.select %[[IS_THERE]]
// CHECK-COUNT-3: llvm.load %{{.*}} : !llvm.ptr<1> -> bf16
// CHECK-NOT: llvm.load
// CHECK: llvm.call @use
// CHECK-LABEL: llvm.func @load_anywhere
// CHECK-COUNT-4: llvm.load %{{.*}} : !llvm.ptr<1> -> f16
// CHECK-NOT: llvm.load
llvm.func @load(%first: !llvm.ptr<1>, %second: !llvm.ptr<1>) {
  %acc = attn_tile.load aligned %first, %second columns(11) of bf16
      : !llvm.ptr<1>, !llvm.ptr<1> -> !attn_tile.acc<64x24xf32>
  %max = attn_tile.fold max %acc : !attn_tile.acc<64x24xf32>
  %z:2 = attn_tile.unpack %max : !attn_tile.row<f32>
  llvm.call @use(%z#0, %z#1) : (f32, f32) -> ()
  llvm.return
}
llvm.func @load_anywhere(%first: !llvm.ptr<1>, %second: !llvm.ptr<1>) {
  %acc = attn_tile.load %first, %second columns(8) of f16 : !llvm.ptr<1>, !llvm.ptr<1> -> !attn_tile.acc<64x8xf32>
  %max = attn_tile.fold max %acc : !attn_tile.acc<64x8xf32>
  %z:2 = attn_tile.unpack %max : !attn_tile.row<f32>
  llvm.call @use(%z#0, %z#1) : (f32, f32) -> ()
  llvm.return
}

// The region once for every place, columns 0, 1, 8 and 9 of either row; then the places of each row folded, and the
// four threads that have them.
// CHECK-LABEL: llvm.func @map
// CHECK-SAME: %[[X:.*]]: f32, %[[Y:.*]]: f32
// CHECK-DAG: %[[C0:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-DAG: %[[C1:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-DAG: %[[C8:.*]] = arith.constant 8.000000e+00 : f32
// CHECK-DAG: %[[C9:.*]] = arith.constant 9.000000e+00 : f32
// CHECK: %[[X0:.*]] = arith.addf %[[X]], %[[C0]] : f32
// CHECK-NEXT: %[[X1:.*]] = arith.addf %[[X]], %[[C1]] : f32
// CHECK-NEXT: %[[Y0:.*]] = arith.addf %[[Y]], %[[C0]] : f32
// CHECK-NEXT: %[[Y1:.*]] = arith.addf %[[Y]], %[[C1]] : f32
// CHECK-NEXT: %[[X8:.*]] = arith.addf %[[X]], %[[C8]] : f32
// CHECK-NEXT: %[[X9:.*]] = arith.addf %[[X]], %[[C9]] : f32
// CHECK-NEXT: arith.addf %[[Y]], %[[C8]] : f32
// CHECK-NEXT: arith.addf %[[Y]], %[[C9]] : f32
// CHECK-NEXT: %[[X01:.*]] = arith.maxnumf %[[X0]], %[[X1]] : f32
// CHECK-NEXT: %[[X89:.*]] = arith.maxnumf %[[X8]], %[[X9]] : f32
// CHECK-NEXT: %[[TOP:.*]] = arith.maxnumf %[[X01]], %[[X89]] : f32
// CHECK: nvvm.shfl.sync bfly %{{.*}}, %[[TOP]]
// CHECK-COUNT-3: nvvm.shfl.sync bfly
// CHECK: llvm.call @use
llvm.func @map(%x: f32, %y: f32) {
  %acc = attn_tile.splat %x : f32 -> !attn_tile.acc<64x16xf32>
  %row = attn_tile.pack %x, %y : f32
  %shifted = attn_tile.map %acc, %row (%s: f32, %r: f32, %column: i32) {
    %c = arith.sitofp %column : i32 to f32
    %d = arith.addf %r, %c : f32
    attn_tile.yield %d : f32
  } : (!attn_tile.acc<64x16xf32>, !attn_tile.row<f32>) -> !attn_tile.acc<64x16xf32>
  %max = attn_tile.fold max %shifted : !attn_tile.acc<64x16xf32>
  %all = attn_tile.across max %max : !attn_tile.row<f32>
  %z:2 = attn_tile.unpack %all : !attn_tile.row<f32>
  llvm.call @use(%z#0, %z#1) : (f32, f32) -> ()
  llvm.return
}

// Written once: a group's four places leave at the front, and what becomes of them joins at the end.
// CHECK-LABEL: llvm.func @rolled
// CHECK-SAME: %[[X:.*]]: f32, %[[Y:.*]]: f32
// CHECK-DAG: %[[EIGHT:.*]] = arith.constant 8 : i32
// CHECK-DAG: %[[GROUPS:.*]] = arith.constant 3 : i32
// CHECK: scf.for %[[GROUP:[a-z0-9]+]] = %{{.*}} to %[[GROUPS]] step %{{[a-z0-9_]+}} iter_args(
// CHECK-SAME: %[[A0:[a-z0-9]+]] = %[[X]], %[[A1:[a-z0-9]+]] = %[[X]], %[[A2:[a-z0-9]+]] = %[[X]],
// CHECK-SAME: %[[A3:[a-z0-9]+]] = %[[X]], %[[A4:[a-z0-9]+]] = %[[X]],
// CHECK-SAME: %[[A11:[a-z0-9]+]] = %[[X]])
// CHECK: %[[COLUMN:.*]] = arith.muli %[[GROUP]], %[[EIGHT]] : i32
// CHECK: %[[D0:.*]] = math.fma %[[A0]], %[[X]], %{{.*}} : f32
// CHECK: %[[D1:.*]] = math.fma %[[A1]], %[[X]], %{{.*}} : f32
// CHECK: %[[D2:.*]] = math.fma %[[A2]], %[[Y]], %{{.*}} : f32
// CHECK: %[[D3:.*]] = math.fma %[[A3]], %[[Y]], %{{.*}} : f32
// CHECK: scf.yield %[[A4]], {{.*}}, %[[A11]], %[[D0]], %[[D1]], %[[D2]], %[[D3]] :
llvm.func @rolled(%x: f32, %y: f32) {
  %acc = attn_tile.splat %x : f32 -> !attn_tile.acc<64x24xf32>
  %row = attn_tile.pack %x, %y : f32
  %slow = attn_tile.map rolled %acc, %row (%s: f32, %r: f32, %column: i32) {
    %c = arith.sitofp %column : i32 to f32
    %d = math.fma %s, %r, %c : f32
    attn_tile.yield %d : f32
  } : (!attn_tile.acc<64x24xf32>, !attn_tile.row<f32>) -> !attn_tile.acc<64x24xf32>
  %sum = attn_tile.fold add %slow : !attn_tile.acc<64x24xf32>
  %z:2 = attn_tile.unpack %sum : !attn_tile.row<f32>
  llvm.call @use(%z#0, %z#1) : (f32, f32) -> ()
  llvm.return
}

// The question is asked in a loop over the columns; the answers are bits of one word, and tested one by one.
// CHECK-LABEL: llvm.func @ask
// CHECK-DAG: %[[EIGHT:.*]] = arith.constant 8 : i32
// CHECK-DAG: %[[GROUPS:.*]] = arith.constant 9 : i32
// CHECK: %[[BITS:.*]] = scf.for %[[GROUP:.*]] = %{{.*}} to %[[GROUPS]] step %{{.*}} iter_args(%[[SO_FAR:.*]] = %{{.*}}) -> (i64)
// CHECK-DAG: %[[COLUMN:.*]] = arith.muli %[[GROUP]], %[[EIGHT]] : i32
// CHECK-COUNT-4: arith.cmpi slt
// CHECK: %[[MORE:.*]] = arith.ori %[[SO_FAR]], %{{.*}} : i64
// CHECK: scf.yield %[[MORE]] : i64
// CHECK: %[[LOW:.*]] = arith.trunci %[[BITS]] : i64 to i32
// CHECK: %[[SHIFTED:.*]] = arith.shrui %[[BITS]], %{{.*}} : i64
// CHECK: %[[HIGH:.*]] = arith.trunci %[[SHIFTED]] : i64 to i32
// CHECK-COUNT-32: arith.andi %[[LOW]]
// CHECK-COUNT-4: arith.andi %[[HIGH]]
// CHECK-NOT: arith.andi %[[HIGH]]
llvm.func @ask(%x: f32, %y: f32) {
  %first = attn_tile.first_row
  %column = attn_tile.first_column
  %rows = attn_tile.pack %first, %column : i32
  %bits = attn_tile.ask %rows (%i: i32, %j: i32) {
    %is = arith.cmpi slt, %j, %i : i32
    attn_tile.yield %is : i1
  } : (!attn_tile.row<i32>) -> !attn_tile.bits<64x72>
  %s = attn_tile.map %bits (%is: i1, %j: i32) {
    %z = arith.select %is, %x, %y : f32
    attn_tile.yield %z : f32
  } : (!attn_tile.bits<64x72>) -> !attn_tile.acc<64x72xf32>
  %sum = attn_tile.fold add %s : !attn_tile.acc<64x72xf32>
  %z:2 = attn_tile.unpack %sum : !attn_tile.row<f32>
  llvm.call @use(%z#0, %z#1) : (f32, f32) -> ()
  llvm.return
}

// Eight columns are four bits, two for each row; those of the second row lie two further on. No column is asked for.
// CHECK-LABEL: llvm.func @between
// CHECK-DAG: %[[FIRST_ROW:.*]] = arith.constant 858993459 : i32
// CHECK-DAG: %[[COLUMNS:.*]] = arith.constant 64 : i32
// CHECK-NOT: scf.for
// CHECK: %[[BELOW:.*]] = arith.minsi %{{.*}}, %[[COLUMNS]] : i32
// CHECK: arith.maxsi %[[BELOW]], %{{.*}} : i32
// CHECK: %[[OF_FIRST:.*]] = arith.andi %{{.*}}, %[[FIRST_ROW]] : i32
// CHECK: %[[OF_SECOND:.*]] = arith.andi %{{.*}}, %[[FIRST_ROW]] : i32
// CHECK: %[[MOVED:.*]] = arith.shli %[[OF_SECOND]], %{{.*}} : i32
// CHECK: %[[BITS:.*]] = arith.ori %{{.*}}, %[[MOVED]] : i32
// CHECK: %[[BOTH:.*]] = arith.andi %[[BITS]], %{{.*}} : i32
// CHECK: %[[EITHER:.*]] = arith.ori %[[BOTH]], %[[BITS]] : i32
// CHECK: arith.andi %[[EITHER]], %{{.*}} : i32
llvm.func @between(%x: f32, %y: f32, %begin: i32, %end: i32) {
  %begins = attn_tile.pack %begin, %end : i32
  %ends = attn_tile.pack %end, %begin : i32
  %some = attn_tile.between %begins, %ends : !attn_tile.row<i32>, !attn_tile.row<i32> -> !attn_tile.bits<64x64>
  %others = attn_tile.between %ends, %begins : !attn_tile.row<i32>, !attn_tile.row<i32> -> !attn_tile.bits<64x64>
  %both = attn_tile.combine and %some, %others : !attn_tile.bits<64x64>
  %bits = attn_tile.combine or %both, %some : !attn_tile.bits<64x64>
  %s = attn_tile.map %bits (%is: i1, %j: i32) {
    %z = arith.select %is, %x, %y : f32
    attn_tile.yield %z : f32
  } : (!attn_tile.bits<64x64>) -> !attn_tile.acc<64x64xf32>
  %sum = attn_tile.fold add %s : !attn_tile.acc<64x64xf32>
  %z:2 = attn_tile.unpack %sum : !attn_tile.row<f32>
  llvm.call @use(%z#0, %z#1) : (f32, f32) -> ()
  llvm.return
}

// More than 64 columns need a wider word.
// CHECK-LABEL: llvm.func @between_wide
// CHECK-DAG: arith.constant 3689348814741910323 : i64
// CHECK: arith.shli %{{.*}}, %{{.*}} : i64
llvm.func @between_wide(%x: f32, %y: f32, %begin: i32, %end: i32) {
  %begins = attn_tile.pack %begin, %end : i32
  %bits = attn_tile.between %begins, %begins : !attn_tile.row<i32>, !attn_tile.row<i32> -> !attn_tile.bits<64x72>
  %s = attn_tile.map %bits (%is: i1, %j: i32) {
    %z = arith.select %is, %x, %y : f32
    attn_tile.yield %z : f32
  } : (!attn_tile.bits<64x72>) -> !attn_tile.acc<64x72xf32>
  %sum = attn_tile.fold add %s : !attn_tile.acc<64x72xf32>
  %z:2 = attn_tile.unpack %sum : !attn_tile.row<f32>
  llvm.call @use(%z#0, %z#1) : (f32, f32) -> ()
  llvm.return
}

// A map over rows is written for the thread's two; a vote asks the warp.
// CHECK-LABEL: llvm.func @rows
// CHECK: %[[FIRST:.*]] = arith.cmpf ogt, %arg0, %arg1 : f32
// CHECK-NEXT: %[[SECOND:.*]] = arith.cmpf ogt, %arg1, %arg0 : f32
// CHECK-NEXT: %[[EITHER:.*]] = arith.ori %[[FIRST]], %[[SECOND]] : i1
// CHECK: nvvm.vote.sync any %{{.*}}, %[[EITHER]] -> i1
// CHECK: %[[RESULT:.*]]:4 = scf.if %{{.*}} -> (f32, f32, f32, f32)
// CHECK: arith.maxnumf %[[RESULT]]#0, %[[RESULT]]#1 : f32
// CHECK: arith.maxnumf %[[RESULT]]#2, %[[RESULT]]#3 : f32
llvm.func @rows(%x: f32, %y: f32) {
  %a = attn_tile.pack %x, %y : f32
  %b = attn_tile.pack %y, %x : f32
  %rises = attn_tile.map %a, %b (%s: f32, %t: f32) {
    %is = arith.cmpf ogt, %s, %t : f32
    attn_tile.yield %is : i1
  } : (!attn_tile.row<f32>, !attn_tile.row<f32>) -> !attn_tile.row<i1>
  %any = attn_tile.any %rises : !attn_tile.row<i1>
  %acc = attn_tile.splat %x : f32 -> !attn_tile.acc<64x8xf32>
  %o = scf.if %any -> (!attn_tile.acc<64x8xf32>) {
    %scaled = attn_tile.map %acc, %a (%v: f32, %s: f32, %column: i32) {
      %w = arith.mulf %v, %s : f32
      attn_tile.yield %w : f32
    } : (!attn_tile.acc<64x8xf32>, !attn_tile.row<f32>) -> !attn_tile.acc<64x8xf32>
    scf.yield %scaled : !attn_tile.acc<64x8xf32>
  } else {
    scf.yield %acc : !attn_tile.acc<64x8xf32>
  }
  %max = attn_tile.fold max %o : !attn_tile.acc<64x8xf32>
  %z:2 = attn_tile.unpack %max : !attn_tile.row<f32>
  llvm.call @use(%z#0, %z#1) : (f32, f32) -> ()
  llvm.return
}

// Registers go through every control flow.
// CHECK-LABEL: llvm.func @control_flow
// CHECK: %[[CHOSEN:.*]]:2 = scf.index_switch %{{.*}} -> f32, f32
// CHECK: scf.while (%{{.*}} = %[[CHOSEN]]#0, %{{.*}} = %[[CHOSEN]]#1) : (f32, f32) -> (f32, f32)
// CHECK: scf.condition(%{{.*}}) %{{.*}}, %{{.*}} : f32, f32
// CHECK: ^bb0(%{{.*}}: f32, %{{.*}}: f32):
// CHECK: scf.yield %{{.*}}, %{{.*}} : f32, f32
llvm.func @control_flow(%x: f32, %y: f32, %which: i64, %goesOn: i1) {
  %case = arith.index_cast %which : i64 to index
  %a = attn_tile.pack %x, %y : f32
  %b = attn_tile.pack %y, %x : f32
  %chosen = scf.index_switch %case -> !attn_tile.row<f32>
  case 0 {
    scf.yield %a : !attn_tile.row<f32>
  }
  default {
    scf.yield %b : !attn_tile.row<f32>
  }
  %last = scf.while (%before = %chosen) : (!attn_tile.row<f32>) -> !attn_tile.row<f32> {
    scf.condition(%goesOn) %before : !attn_tile.row<f32>
  } do {
  ^bb0(%now: !attn_tile.row<f32>):
    %doubled = attn_tile.map %now (%v: f32) {
      %w = arith.addf %v, %v : f32
      attn_tile.yield %w : f32
    } : (!attn_tile.row<f32>) -> !attn_tile.row<f32>
    scf.yield %doubled : !attn_tile.row<f32>
  }
  %z:2 = attn_tile.unpack %last : !attn_tile.row<f32>
  llvm.call @use(%z#0, %z#1) : (f32, f32) -> ()
  llvm.return
}

// Chunk c of row r lies at c xor r mod 8, panels of 64 columns one after the other.
// CHECK-LABEL: llvm.func @chunk
// CHECK: arith.xori
// CHECK: %[[CHUNK:.*]] = llvm.inttoptr %{{.*}} : i32 to !llvm.ptr<3>
// CHECK: llvm.store %{{.*}}, %[[CHUNK]]
llvm.func @chunk(%row: i32, %chunk: i32) {
  %tile = attn_tile.shared at 0 : !attn_tile.shared<64x128xbf16>
  %to = attn_tile.chunk %tile[%row, %chunk] : !attn_tile.shared<64x128xbf16> -> !llvm.ptr<3>
  llvm.store %row, %to : i32, !llvm.ptr<3>
  llvm.return
}
