// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles of f32: threads multiply by themselves, panels have 32 columns.
//
// RUN: attn-opt %s --attn-lower-tile --canonicalize \
// RUN:   | FileCheck %s --implicit-check-not=attn_tile --implicit-check-not=unrealized --implicit-check-not=wgmma

llvm.func @use(f32, f32)

// S = Q K^T, four columns at a time: those of the thread's two query rows, 1024 bytes apart, and of its keys 0, 8 of
// every sixteen, then 1 and 9. The registers go through the loop; the wait lets the warp catch up.
// CHECK-LABEL: llvm.func @multiply
// CHECK-DAG: %[[CHUNKS:.*]] = arith.constant 20 : i32
// CHECK: %[[S:.*]]:8 = scf.for %[[CHUNK:.*]] = %{{.*}} to %[[CHUNKS]] {{.*}} -> (f32, f32, f32, f32, f32, f32, f32, f32)
// CHECK: %[[QUERY:.*]] = llvm.inttoptr %{{.*}} : i32 to !llvm.ptr<3>
// CHECK: %[[Q0:.*]] = llvm.load %[[QUERY]] {{.*}} -> vector<4xf32>
// CHECK: %[[Q00:.*]] = llvm.extractelement %[[Q0]]
// CHECK: %[[OTHER:.*]] = llvm.getelementptr %[[QUERY]][1024]
// CHECK: %[[Q1:.*]] = llvm.load %[[OTHER]] {{.*}} -> vector<4xf32>
// CHECK: %[[Q10:.*]] = llvm.extractelement %[[Q1]]
// CHECK: %[[K0:.*]] = llvm.load %[[KEY:[0-9]+]] {{.*}} -> vector<4xf32>
// CHECK: %[[K00:.*]] = llvm.extractelement %[[K0]]
// CHECK: math.fma %[[Q00]], %[[K00]], %{{.*}} : f32
// CHECK: math.fma %[[Q10]], %[[K00]], %{{.*}} : f32
// CHECK: llvm.getelementptr %[[KEY]][1024]
// CHECK: llvm.load
// CHECK: llvm.load
// CHECK: llvm.load
// CHECK-NOT: llvm.load
// CHECK: scf.yield
// CHECK: nvvm.bar.warp.sync
// CHECK: arith.maxnumf %[[S]]#0, %[[S]]#1
llvm.func @multiply() {
  %one = llvm.mlir.constant(1 : i32) : i32
  %tile = attn_tile.shared at 0 : !attn_tile.shared<128x96xf32>
  %query = attn_tile.subtile %tile[%one] : !attn_tile.shared<128x96xf32>
  %key = attn_tile.shared at 49152 : !attn_tile.shared<16x96xf32>
  %p = attn_tile.multiply %query, %key depth(80)
      : !attn_tile.shared<64x96xf32, panel = 128>, !attn_tile.shared<16x96xf32>
  %s = attn_tile.wait %p inflight(0) : !attn_tile.pending<64x16xf32>
  %x = attn_tile.fold max %s : !attn_tile.acc<64x16xf32>
  %y:2 = attn_tile.unpack %x : !attn_tile.row<f32>
  llvm.call @use(%y#0, %y#1) : (f32, f32) -> ()
  llvm.return
}

// O += P V, eight keys at a time: the weights of key 0 come from the first thread of a row, those of keys 2, 4 and 6
// from the others. The weights go round: those of the next eight keys become the first four registers.
// CHECK-LABEL: llvm.func @accumulate
// CHECK-SAME: %[[X:.*]]: f32, %[[Y:.*]]: f32, %[[Z:.*]]: f32
// CHECK-DAG: %[[FIRST:.*]] = arith.constant 0 : i32
// CHECK-DAG: %[[SECOND:.*]] = arith.constant 1 : i32
// CHECK-DAG: %[[STEPS:.*]] = arith.constant 2 : i32
// CHECK-DAG: %[[FOUR:.*]] = arith.constant 7199 : i32
// CHECK: %[[O:.*]]:12 = scf.for {{.*}} to %[[STEPS]] step %{{.*}} iter_args(
// CHECK-SAME: %[[O0:[a-z0-9]+]] = %[[X]], %[[O1:[a-z0-9]+]] = %[[X]], %[[O2:[a-z0-9]+]] = %[[X]], %[[O3:[a-z0-9]+]] = %[[X]],
// CHECK-SAME: %[[P0:[a-z0-9]+]] = %{{[0-9]+}}, %[[P1:[a-z0-9]+]] = %{{[0-9]+}}, %[[P2:[a-z0-9]+]] = %{{[0-9]+}}, %[[P3:[a-z0-9]+]] = %{{[0-9]+}},
// CHECK-SAME: %[[P4:[a-z0-9]+]] = %{{[0-9]+}}, %[[P5:[a-z0-9]+]] = %{{[0-9]+}}, %[[P6:[a-z0-9]+]] = %{{[0-9]+}}, %[[P7:[a-z0-9]+]] = %{{[0-9]+}})
// CHECK: %[[W0:.*]] = nvvm.shfl.sync idx %{{.*}}, %[[P0]], %[[FIRST]], %[[FOUR]]
// CHECK: %[[W2:.*]] = nvvm.shfl.sync idx %{{.*}}, %[[P2]], %[[FIRST]], %[[FOUR]]
// CHECK: %[[V:.*]] = llvm.load {{.*}} -> vector<2xf32>
// CHECK: %[[V0:.*]] = llvm.extractelement %[[V]]
// CHECK: %[[V1:.*]] = llvm.extractelement %[[V]]
// CHECK: math.fma %[[W0]], %[[V0]], %[[O0]] : f32
// CHECK: math.fma %[[W0]], %[[V1]], %[[O1]] : f32
// CHECK: math.fma %[[W2]], %[[V0]], %[[O2]] : f32
// CHECK: math.fma %[[W2]], %[[V1]], %[[O3]] : f32
// CHECK: nvvm.shfl.sync idx %{{.*}}, %[[P1]], %[[FIRST]], %[[FOUR]]
// CHECK: nvvm.shfl.sync idx %{{.*}}, %[[P3]], %[[FIRST]], %[[FOUR]]
// CHECK: nvvm.shfl.sync idx %{{.*}}, %[[P0]], %[[SECOND]], %[[FOUR]]
// CHECK-COUNT-6: llvm.load {{.*}} -> vector<2xf32>
// CHECK-NOT: llvm.load
// CHECK: scf.yield %{{[0-9]+}}, %{{[0-9]+}}, %{{[0-9]+}}, %{{[0-9]+}}, %[[P4]], %[[P5]], %[[P6]], %[[P7]], %[[P0]], %[[P1]], %[[P2]], %[[P3]] :
// CHECK: nvvm.bar.warp.sync
// CHECK: arith.maxnumf %[[O]]#0, %[[O]]#1
llvm.func @accumulate(%x: f32, %y: f32, %z: f32) {
  %acc = attn_tile.splat %x : f32 -> !attn_tile.acc<64x8xf32>
  %row = attn_tile.pack %y, %z : f32
  %none = attn_tile.splat %x : f32 -> !attn_tile.acc<64x16xf32>
  %scores = attn_tile.map %none, %row (%s: f32, %r: f32, %column: i32) {
    %c = arith.sitofp %column : i32 to f32
    %d = arith.addf %r, %c : f32
    attn_tile.yield %d : f32
  } : (!attn_tile.acc<64x16xf32>, !attn_tile.row<f32>) -> !attn_tile.acc<64x16xf32>
  %weights = attn_tile.convert %scores : !attn_tile.acc<64x16xf32> -> !attn_tile.operand<64x16xf32>
  %values = attn_tile.shared at 0 : !attn_tile.shared<16x32xf32>
  %p = attn_tile.accumulate %acc, %weights, %values
      : !attn_tile.acc<64x8xf32>, !attn_tile.operand<64x16xf32>, !attn_tile.shared<16x32xf32>
  %o = attn_tile.wait %p inflight(0) : !attn_tile.pending<64x8xf32>
  %max = attn_tile.fold max %o : !attn_tile.acc<64x8xf32>
  %both:2 = attn_tile.unpack %max : !attn_tile.row<f32>
  llvm.call @use(%both#0, %both#1) : (f32, f32) -> ()
  llvm.return
}

// Two columns at a time; copies go by panels of 32.
// CHECK-LABEL: llvm.func @write
// CHECK-DAG: %[[SECOND:.*]] = arith.constant 32 : i32
// CHECK: llvm.store %{{.*}}, %[[TO:.*]] {alignment = 8 : i64} : vector<2xf32>, !llvm.ptr<3>
// CHECK: llvm.getelementptr %[[TO]][1024]
// CHECK-COUNT-3: llvm.store %{{.*}} : vector<2xf32>, !llvm.ptr<3>
// CHECK-NOT: llvm.store
// CHECK: nvvm.cp.async.bulk.tensor.global.shared.cta
// CHECK: nvvm.cp.async.bulk.tensor.global.shared.cta %{{.*}}, %{{.*}}, box[%[[SECOND]],
llvm.func @write(%x: f32, %map: !llvm.ptr, %row: i32) {
  %acc = attn_tile.splat %x : f32 -> !attn_tile.acc<64x16xf32>
  %tile = attn_tile.shared at 0 : !attn_tile.shared<64x64xf32>
  attn_tile.write %acc to %tile : !attn_tile.acc<64x16xf32>, !attn_tile.shared<64x64xf32>
  attn_tile.store %tile to %map[%row, %row, %row] : !attn_tile.shared<64x64xf32>, !llvm.ptr
  llvm.return
}

// A weight is a register.
// CHECK-LABEL: llvm.func @splat
// CHECK-SAME: %[[X:.*]]: f32
// CHECK: nvvm.shfl.sync idx %{{.*}}, %[[X]],
llvm.func @splat(%x: f32) {
  %zero = llvm.mlir.constant(0.0 : f32) : f32
  %acc = attn_tile.splat %zero : f32 -> !attn_tile.acc<64x8xf32>
  %weights = attn_tile.splat %x : f32 -> !attn_tile.operand<64x16xf32>
  %values = attn_tile.shared at 0 : !attn_tile.shared<16x32xf32>
  %p = attn_tile.accumulate %acc, %weights, %values
      : !attn_tile.acc<64x8xf32>, !attn_tile.operand<64x16xf32>, !attn_tile.shared<16x32xf32>
  %o = attn_tile.wait %p inflight(0) : !attn_tile.pending<64x8xf32>
  %max = attn_tile.fold max %o : !attn_tile.acc<64x8xf32>
  %z:2 = attn_tile.unpack %max : !attn_tile.row<f32>
  llvm.call @use(%z#0, %z#1) : (f32, f32) -> ()
  llvm.return
}
