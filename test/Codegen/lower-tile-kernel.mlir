// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A whole kernel: dense attention, 128 query rows in two consumers, key tiles of 128 rows, depth 64. Q K^T of a tile
// overlaps with P V of the one before, and the softmax of a tile with P V.
//
// RUN: attn-opt %s --attn-lower-tile \
// RUN:   | FileCheck %s --implicit-check-not=attn_tile --implicit-check-not=unrealized_conversion_cast

!queries = !attn_tile.ring<1 x 128x64xbf16>
!tiles = !attn_tile.ring<2 x 128x64xbf16>
!tile = !attn_tile.shared<128x64xbf16>
!part = !attn_tile.shared<64x64xbf16, panel = 128>
!scores = !attn_tile.acc<64x128xf32>
!weights = !attn_tile.operand<64x128xbf16>
!output = !attn_tile.acc<64x64xf32>
!row = !attn_tile.row<f32>

// CHECK-LABEL: llvm.func @dense
// CHECK-COUNT-10: nvvm.mbarrier.init
// CHECK-NOT: nvvm.mbarrier.init

// The producer: Q, then K and V of each tile.
// CHECK: nvvm.setmaxregister decrease 24
// CHECK-COUNT-3: nvvm.cp.async.bulk.tensor.shared.cluster.global

// A consumer: the first S; in the loop, S and the P V before it; the last P V.
// CHECK: nvvm.setmaxregister increase 240
// CHECK: m64n128k16
// CHECK: wgmma.wait_group.sync.aligned 0
// CHECK: scf.for
// The output, the weights, maximum and sum of two rows, a slot.
// CHECK-SAME: -> (f32, {{(f32, )+(i32, )+}}f32, f32, f32, f32, i32, i32)
// CHECK: m64n128k16
// CHECK: m64n64k16
// CHECK: wgmma.wait_group.sync.aligned 1
// CHECK: llvm.nvvm.ex2.approx.ftz.f
// CHECK: wgmma.wait_group.sync.aligned 0
// CHECK: nvvm.vote.sync any
// CHECK: nvvm.convert.f32x2.to.bf16x2
// CHECK: m64n64k16
// CHECK: wgmma.wait_group.sync.aligned 0
// CHECK-COUNT-4: nvvm.stmatrix
// CHECK: nvvm.cp.async.bulk.tensor.global.shared.cta

llvm.func @dense(%q: !llvm.ptr, %k: !llvm.ptr, %v: !llvm.ptr, %o: !llvm.ptr, %scale: f32, %count: i32) attributes {
    nvvm.kernel, nvvm.reqntid = array<i32: 384, 1, 1>, nvvm.minctasm = 1 : i32} {
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %64 = arith.constant 64 : i32
  %127 = arith.constant 127 : i32
  %128 = arith.constant 128 : i32
  %f0 = arith.constant 0.0 : f32
  %f1 = arith.constant 1.0 : f32
  %f8 = arith.constant 8.0 : f32
  %thread = nvvm.read.ptx.sreg.tid.x : i32
  %block = nvvm.read.ptx.sreg.ctaid.x : i32
  %head = nvvm.read.ptx.sreg.ctaid.y : i32
  %firstRow = arith.muli %block, %128 : i32
  %queries = attn_tile.ring tiles(0) barriers(81920) : !queries
  %keys = attn_tile.ring tiles(16384) barriers(81936) : !tiles
  %values = attn_tile.ring tiles(49152) barriers(81968) : !tiles
  %isFirst = arith.cmpi eq, %thread, %zero : i32
  scf.if %isFirst {
    attn_tile.initialize %queries readers(8) : !queries
    attn_tile.initialize %keys readers(8) : !tiles
    attn_tile.initialize %values readers(8) : !tiles
    nvvm.fence.mbarrier.init
  }
  nvvm.barrier
  %first = attn_tile.start

  attn_tile.roles registers(24, 240) producer(%warp) {
    %isFirstWarp = arith.cmpi eq, %warp, %zero : i32
    scf.if %isFirstWarp {
      %isElected = nvvm.elect.sync -> i1
      scf.if %isElected {
        attn_tile.fill %queries[%first] from %q[%firstRow, %head, %zero] : !queries, !llvm.ptr
        scf.for %t = %zero to %count step %one iter_args(%slot = %first) -> (!attn_tile.slot) : i32 {
          %keyRow = arith.muli %t, %128 : i32
          attn_tile.acquire %keys[%slot] : !tiles
          attn_tile.fill %keys[%slot] from %k[%keyRow, %head, %zero] : !tiles, !llvm.ptr
          attn_tile.acquire %values[%slot] : !tiles
          attn_tile.fill %values[%slot] from %v[%keyRow, %head, %zero] : !tiles, !llvm.ptr
          %next = attn_tile.advance %slot of 2
          scf.yield %next : !attn_tile.slot
        }
      }
    }
  } consumer(%warpgroup) {
    attn_tile.await %queries[%first] : !queries
    %allQueries = attn_tile.stage %queries[%first] : !queries
    %query = attn_tile.subtile %allQueries[%warpgroup] : !tile
    attn_tile.await %keys[%first] : !tiles
    %firstKey = attn_tile.stage %keys[%first] : !tiles
    %firstProduct = attn_tile.multiply %query, %firstKey depth(64) : !part, !tile
    %firstScores = attn_tile.wait %firstProduct inflight(0) : !attn_tile.pending<64x128xf32>
    attn_tile.release %keys[%first] : !tiles
    %ofThread = attn_tile.fold max %firstScores : !scores
    %firstTop = attn_tile.across max %ofThread : !row
    %firstExps = attn_tile.map %firstScores, %firstTop (%s: f32, %t: f32, %column: i32) {
      %x = arith.subf %s, %t : f32
      %y = arith.mulf %x, %scale : f32
      %z = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"(%y) : (f32) -> f32
      attn_tile.yield %z : f32
    } : (!scores, !row) -> !scores
    %firstSum = attn_tile.fold add %firstExps : !scores
    %firstWeights = attn_tile.convert %firstExps : !scores -> !weights
    %nothing = attn_tile.splat %f0 : f32 -> !output

    %end:5 = scf.for %t = %one to %count step %one
        iter_args(%acc = %nothing, %weights = %firstWeights, %top = %firstTop, %sum = %firstSum, %slot = %first)
        -> (!output, !weights, !row, !row, !attn_tile.slot) : i32 {
      %next = attn_tile.advance %slot of 2
      attn_tile.await %keys[%next] : !tiles
      %key = attn_tile.stage %keys[%next] : !tiles
      %product = attn_tile.multiply %query, %key depth(64) : !part, !tile
      attn_tile.await %values[%slot] : !tiles
      %value = attn_tile.stage %values[%slot] : !tiles
      %added = attn_tile.accumulate %acc, %weights, %value : !output, !weights, !tile
      %scores = attn_tile.wait %product inflight(1) : !attn_tile.pending<64x128xf32>
      attn_tile.release %keys[%next] : !tiles

      // The maximum of the exponents moves only where it rises by more than 8.
      %tileOfThread = attn_tile.fold max %scores : !scores
      %tileTop = attn_tile.across max %tileOfThread : !row
      %rises = attn_tile.map %tileTop, %top (%x: f32, %t0: f32) {
        %d = arith.subf %x, %t0 : f32
        %e = arith.mulf %d, %scale : f32
        %is = arith.cmpf ogt, %e, %f8 : f32
        attn_tile.yield %is : i1
      } : (!row, !row) -> !attn_tile.row<i1>
      %newTop = attn_tile.map %tileTop, %top, %rises (%x: f32, %t0: f32, %is: i1) {
        %y = arith.select %is, %x, %t0 : f32
        attn_tile.yield %y : f32
      } : (!row, !row, !attn_tile.row<i1>) -> !row
      %shrink = attn_tile.map %top, %newTop (%x: f32, %t1: f32) {
        %d = arith.subf %x, %t1 : f32
        %e = arith.mulf %d, %scale : f32
        %y = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"(%e) : (f32) -> f32
        attn_tile.yield %y : f32
      } : (!row, !row) -> !row
      %exps = attn_tile.map %scores, %newTop (%s: f32, %t1: f32, %column: i32) {
        %d = arith.subf %s, %t1 : f32
        %e = arith.mulf %d, %scale : f32
        %y = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"(%e) : (f32) -> f32
        attn_tile.yield %y : f32
      } : (!scores, !row) -> !scores
      %tileSum = attn_tile.fold add %exps : !scores
      %newSum = attn_tile.map %sum, %shrink, %tileSum (%x: f32, %a: f32, %y: f32) {
        %z = math.fma %x, %a, %y : f32
        attn_tile.yield %z : f32
      } : (!row, !row, !row) -> !row

      %old = attn_tile.wait %added inflight(0) : !attn_tile.pending<64x64xf32>
      attn_tile.release %values[%slot] : !tiles
      %isAny = attn_tile.any %rises : !attn_tile.row<i1>
      %newAcc = scf.if %isAny -> (!output) {
        %scaled = attn_tile.map %old, %shrink (%x: f32, %a: f32, %column: i32) {
          %y = arith.mulf %x, %a : f32
          attn_tile.yield %y : f32
        } : (!output, !row) -> !output
        scf.yield %scaled : !output
      } else {
        scf.yield %old : !output
      }
      %newWeights = attn_tile.convert %exps : !scores -> !weights
      scf.yield %newAcc, %newWeights, %newTop, %newSum, %next : !output, !weights, !row, !row, !attn_tile.slot
    }

    attn_tile.await %values[%end#4] : !tiles
    %lastValue = attn_tile.stage %values[%end#4] : !tiles
    %lastAdded = attn_tile.accumulate %end#0, %end#1, %lastValue : !output, !weights, !tile
    %sums = attn_tile.wait %lastAdded inflight(0) : !attn_tile.pending<64x64xf32>
    attn_tile.release %values[%end#4] : !tiles
    %total = attn_tile.across add %end#3 : !row
    %result = attn_tile.map %sums, %total (%x: f32, %l: f32, %column: i32) {
      %y = arith.divf %x, %l : f32
      attn_tile.yield %y : f32
    } : (!output, !row) -> !output

    // The query tile has been read: the result takes its place.
    attn_tile.write %result to %query : !output, !part
    nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}
    %barrier = arith.addi %warpgroup, %one : i32
    nvvm.barrier id = %barrier number_of_threads = %128
    %inWarpgroup = arith.andi %thread, %127 : i32
    %isLeader = arith.cmpi eq, %inWarpgroup, %zero : i32
    scf.if %isLeader {
      %offset = arith.muli %warpgroup, %64 : i32
      %row = arith.addi %firstRow, %offset : i32
      attn_tile.store %query to %o[%row, %head, %zero] : !part, !llvm.ptr
      nvvm.cp.async.bulk.commit.group
      nvvm.cp.async.bulk.wait_group 0
    }
  }
  llvm.return
}
