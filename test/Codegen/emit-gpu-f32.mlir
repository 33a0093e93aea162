// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels for f32 are built like others, of tiles that fit into the memory.
//
// RUN: attn-opt %s --attn-specialize="kernel=full element=f32 head-size=64" --attn-plan=target=sm_90a --attn-emit-gpu \
// RUN:   | FileCheck %s --check-prefix=FULL
// RUN: attn-opt %s --attn-specialize="kernel=full element=f32 head-size=128" --attn-plan=target=sm_90a --attn-emit-gpu \
// RUN:   | FileCheck %s --check-prefix=WIDE
// RUN: attn-opt %s --attn-specialize="kernel=full element=f32 head-size=64" \
// RUN:   --attn-plan="target=sm_90a tile-rows=128 tile-keys=32" --attn-emit-gpu | FileCheck %s --check-prefix=PAIR
// RUN: attn-opt %s --attn-specialize="kernel=full element=f32 head-size=42" --attn-plan=target=sm_90a --attn-emit-gpu \
// RUN:   | FileCheck %s --check-prefix=ODD
// RUN: not attn-opt %s --attn-specialize="kernel=full element=f32 head-size=256" \
// RUN:   --attn-plan="target=sm_90a tile-keys=64" --attn-emit-gpu 2>&1 | FileCheck %s --check-prefix=MEMORY
// RUN: not attn-opt %s --attn-specialize="kernel=full element=f32 head-size=16" \
// RUN:   --attn-plan="target=sm_90a tile-keys=256" --attn-emit-gpu 2>&1 | FileCheck %s --check-prefix=REGISTERS

// One consumer warpgroup of 64 rows, and two blocks at a time. Items are alike, and the next one's queries come early.
// FULL-LABEL: gpu.module @full attributes {attn.element = f32}
// FULL: llvm.func @full_phase0_tiled(
// FULL-SAME: nvvm.minctasm = 2 : i32
// FULL-SAME: nvvm.reqntid = array<i32: 256, 1, 1>
// FULL: attn_tile.ring {{.*}} : <2 x 64x64xf32>
// FULL: attn_tile.ring {{.*}} : <2 x 64x64xf32>
// FULL: attn_tile.ring {{.*}} : <2 x 64x64xf32>
// FULL: } consumer(
// A negative scale turns the sign of four elements in 16 bytes.
// FULL: arith.constant dense<-2147483648> : vector<4xi32>
// FULL: attn_tile.multiply {{.*}} depth(64) : <64x64xf32, panel = 64>, <64x64xf32>
// FULL: attn_tile.convert {{.*}} : <64x64xf32> -> <64x64xf32>
// FULL: attn_tile.accumulate {{.*}} : <64x64xf32>, <64x64xf32>, <64x64xf32>
// FULL: attn_tile.write {{.*}} : <64x64xf32>, <64x64xf32, panel = 64>
// FULL: attn_tile.store
// Without tensor maps, threads copy four elements each.
// FULL: llvm.func @full_phase0_strided(
// FULL-COUNT-4: llvm.load %{{.*}} : !llvm.ptr<1> -> i32
// FULL: llvm.store %{{.*}}, %{{.*}} {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr<3>
// FULL: } consumer(
// FULL-COUNT-4: llvm.store %{{.*}}, %{{.*}} : i32, !llvm.ptr<1>
// FULL-NOT: llvm.func @
attn.pattern @full() {
  %all = attn.full
  attn.yield %all
}

// WIDE: attn_tile.ring {{.*}} : <1 x 64x128xf32>
// WIDE: attn_tile.ring {{.*}} : <2 x 32x128xf32>
// WIDE: attn_tile.ring {{.*}} : <2 x 32x128xf32>

// Where threads multiply, warpgroups take no turns: of named barriers there are only those of one warpgroup.
// PAIR: llvm.func @full_phase0_tiled(
// PAIR-SAME: nvvm.reqntid = array<i32: 384, 1, 1>
// PAIR: } consumer(
// PAIR-NOT: nvvm.barrier.arrive
// PAIR: llvm.func @full_phase0_strided(
// PAIR-NOT: nvvm.barrier.arrive

// Panels of 32 columns; the last chunk of a row has two.
// ODD: attn_tile.ring {{.*}} : <2 x 64x64xf32>
// ODD: attn_tile.multiply {{.*}} depth(48)
// ODD: llvm.func @full_phase0_strided(
// ODD: } consumer(
// ODD: scf.if
// ODD-COUNT-4: llvm.store %{{.*}}, %{{.*}} : i32, !llvm.ptr<1>
// ODD: } else {
// ODD-COUNT-2: llvm.store %{{.*}}, %{{.*}} : i32, !llvm.ptr<1>
// ODD-NOT: : i32, !llvm.ptr<1>

// MEMORY: error: kernel 'full': a tile of 64 rows and 64 keys at head sizes 256 and 256 takes {{[0-9]+}} bytes of shared memory of 232448; use smaller --tile-rows or --tile-keys
// REGISTERS: error: kernel 'full': a tile of 64 rows and 256 keys at head sizes 16 and 16 takes {{[0-9]+}} registers of 240 that a thread has; use smaller --tile-rows or --tile-keys
