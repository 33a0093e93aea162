// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Computed orders: what copies and stores name, and what later stages begin with.
//
// RUN: attn-opt %s --attn-specialize="kernel=listed element=bf16" --attn-plan=target=sm_90a --attn-emit-gpu \
// RUN:   | FileCheck %s --check-prefix=LISTED
// RUN: attn-opt %s --attn-specialize="kernel=dilated element=bf16" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=CLASSES
// RUN: attn-opt %s --attn-specialize="kernel=dilated element=bf16" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=MOVES
// RUN: attn-opt %s --attn-specialize="kernel=strided element=bf16" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=STAGES
// RUN: attn-opt %s --attn-specialize="kernel=last_keys element=bf16" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=RUNS
// RUN: attn-opt %s --attn-specialize="kernel=summaries element=bf16" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=COPIES
// RUN: attn-opt %s --attn-specialize="kernel=drawn element=bf16" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=BLOCKS
// RUN: attn-opt %s --attn-specialize="kernel=own_block element=bf16" --attn-plan=target=sm_90a --attn-emit-gpu \
// RUN:   | FileCheck %s --check-prefix=ALIKE
// RUN: attn-opt %s --attn-specialize="kernel=cross element=bf16" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=HOLES
// RUN: attn-opt %s --attn-specialize="kernel=image element=bf16" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=GRID

// Listed keys are copied row by row into the first 32 rows of a stage, which are what is multiplied.
// LISTED: llvm.func @listed_phase0_tiled(
// LISTED: %[[KEYS:.*]] = attn_tile.ring {{.*}} : <{{[0-9]}} x [[TILE:[0-9]+x64xbf16]]>
// LISTED: producer(
// LISTED: nvvm.cp.async.shared
// LISTED: } consumer(
// LISTED: %[[TOP:.*]] = attn_tile.top %{{.*}} : <[[ROWS:[0-9]+]]x64xbf16> -> <32x64xbf16, panel = [[ROWS]]>
// LISTED: attn_tile.multiply %{{.*}}, %[[TOP]] depth(64)
// LISTED: attn_tile.convert %{{.*}} : <64x32xf32> -> <64x32xbf16>
// LISTED: %[[VALUES:.*]] = attn_tile.top %{{.*}} : <[[ROWS]]x64xbf16> -> <32x64xbf16, panel = [[ROWS]]>
// LISTED: attn_tile.accumulate %{{.*}}, %{{.*}}, %[[VALUES]]
attn.pattern @listed(%tokens: !attn.tokens = [0]) {
  %columns = attn.global columns %tokens
  attn.yield %columns
}

// Tensor maps of the longer classes, then those of the others; rows of a class have two coordinates. All rows come and
// go through maps.
// CLASSES: llvm.func @dilated_phase0_tiled(%[[QLONG:[a-z0-9]+]]: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>,
// CLASSES-SAME: %[[KLONG:[a-z0-9]+]]: !llvm.ptr
// CLASSES-SAME: %[[VLONG:[a-z0-9]+]]: !llvm.ptr
// CLASSES-SAME: %[[OLONG:[a-z0-9]+]]: !llvm.ptr
// CLASSES-SAME: %[[QSHORT:[a-z0-9]+]]: !llvm.ptr
// CLASSES-SAME: %[[KSHORT:[a-z0-9]+]]: !llvm.ptr
// CLASSES-SAME: %[[VSHORT:[a-z0-9]+]]: !llvm.ptr
// CLASSES-SAME: %[[OSHORT:[a-z0-9]+]]: !llvm.ptr
// CLASSES: producer(
// CLASSES: %[[QMAP:.*]] = llvm.select %[[QUERY_IS_LONG:.*]], %[[QLONG]], %[[QSHORT]]
// CLASSES: attn_tile.fill %{{.*}} from %[[QMAP]][%{{.*}} of %[[CLASS:.*]], %{{.*}}, %{{.*}}]
// CLASSES: %[[KMAP:.*]] = llvm.select %[[KEY_IS_LONG:.*]], %[[KLONG]], %[[KSHORT]]
// CLASSES: attn_tile.fill %{{.*}} from %[[KMAP]][%{{.*}} of %[[KEY_CLASS:.*]], %{{.*}}, %{{.*}}]
// CLASSES: %[[VMAP:.*]] = llvm.select %[[KEY_IS_LONG]], %[[VLONG]], %[[VSHORT]]
// CLASSES: attn_tile.fill %{{.*}} from %[[VMAP]][%{{.*}} of %[[KEY_CLASS]], %{{.*}}, %{{.*}}]
// CLASSES-NOT: nvvm.cp.async.shared
// CLASSES: } consumer(
// CLASSES-NOT: attn_tile.ask
// CLASSES: %[[OMAP:.*]] = llvm.select %{{.*}}, %[[OLONG]], %[[OSHORT]]
// CLASSES: attn_tile.store %{{.*}} to %[[OMAP]][%{{.*}} of %{{.*}}, %{{.*}}, %{{.*}}]
// CLASSES: llvm.func @dilated_phase0_strided(
// CLASSES-NOT: attn_tile.{{fill|store}}
//
// Bounds move with the rows of a class: a row's ranks are its own and what its class is ahead by. The call knows how
// classes divide rows, and by what product a tile's class is found, so that no role divides.
// MOVES: llvm.func @dilated_phase0_tiled(
// MOVES-NOT: arith.{{(floordiv|rem|div)s}}i
// MOVES: producer(
// MOVES: arith.mului_extended
// MOVES-NOT: arith.{{rem|div}}ui %{{.*}}, %{{[^c]}}
// MOVES: attn_tile.fill
// MOVES-NOT: arith.{{(floordiv|rem|div)s}}i
// MOVES: llvm.func @dilated_phase0_strided(
attn.pattern @dilated(%dilation: index = 4) {
  %taps = attn.window left(64) right(64) dilation(%dilation)
  attn.yield %taps
}

// The first stage begins with nothing, the next one with what stands in lse and output.
// STAGES: llvm.func @strided_phase0_tiled(
// STAGES-NOT: attn_tile.load
// STAGES: llvm.func @strided_phase0_strided(
// STAGES-NOT: attn_tile.load
// STAGES: llvm.func @strided_phase1_tiled(
// STAGES: } consumer(
// STAGES: %[[FIRST:.*]] = llvm.load %{{.*}} : !llvm.ptr<1> -> f32
// STAGES: %[[SECOND:.*]] = llvm.load %{{.*}} : !llvm.ptr<1> -> f32
// STAGES: %[[LSE:.*]] = attn_tile.pack %[[FIRST]], %[[SECOND]] : f32
// STAGES: attn_tile.load aligned %{{.*}}, %{{.*}} columns(64) of bf16 : !llvm.ptr<1>, !llvm.ptr<1> -> <64x64xf32>
// STAGES: attn_tile.map %[[LSE]] (%[[NUMBER:.*]]: f32) {
// STAGES-NEXT: arith.divf %[[NUMBER]]
// STAGES: %[[ONE:.*]] = arith.select
// STAGES: attn_tile.map %[[LSE]] (%[[NUMBER:.*]]: f32) {
// STAGES: arith.cmpf oeq, %[[NUMBER]]
// STAGES: arith.select %{{.*}}, %{{.*}}, %[[ONE]] : f32
// STAGES: attn_tile.await
// STAGES: attn_tile.multiply
// STAGES: llvm.func @strided_phase1_strided(
// STAGES: attn_tile.load %{{.*}}, %{{.*}} columns(64) of bf16
attn.pattern @strided(%stride: index = 128) {
  %one = arith.constant 1 : index
  %previous = arith.subi %stride, %one : index
  %local = attn.window left(%previous) right(0)
  %column = attn.congruent (query - key) mod(%stride)
  %past = attn.causal
  %summaries = attn.intersect %column, %past
  %pairs = attn.union %local, %summaries
  attn.yield %pairs
}

// Runs of keys from the first one on come through two further maps, where a tile begins with a run. Where no map can be
// used, threads copy row by row.
// RUNS: llvm.func @last_keys_phase0_tiled({{.*}}%[[KMAP:arg4]]: !llvm.ptr {{.*}}%[[VMAP:arg5]]: !llvm.ptr
// RUNS-SAME: %{{.*}}: !llvm.ptr {{.*}}!llvm.array<{{[0-9]+}} x i64>
// RUNS: producer(
// RUNS: attn_tile.fill %{{.*}} from %[[KMAP]][%[[ZERO:.*]] of %{{.*}}, %{{.*}}, %{{.*}}]
// RUNS: attn_tile.fill %{{.*}} from %[[VMAP]][%{{.*}} of %{{.*}}, %{{.*}}, %{{.*}}]
// RUNS-NOT: nvvm.cp.async.shared
// RUNS: llvm.func @last_keys_phase0_strided(
// RUNS-NOT: attn_tile.fill
attn.pattern @last_keys(%stride: index = 128) {
  %last = attn.congruent key mod(%stride) from(120) to(127)
  %past = attn.causal
  %pairs = attn.intersect %last, %past
  attn.yield %pairs
}

// Queries by remainders are copied and stored row by row; keys are where a hole may move the first one. What a hole may
// meet is masked beside it.
// COPIES: llvm.func @summaries_phase0_tiled(
// COPIES: producer(
// COPIES: nvvm.cp.async.shared
// COPIES: attn_tile.publish
// COPIES: attn_tile.fill
// COPIES: } consumer(
// COPIES-NOT: attn_tile.store
// COPIES: llvm.func @summaries_phase1_tiled(
// COPIES: producer(
// COPIES: attn_tile.fill
// COPIES: nvvm.cp.async.shared
// COPIES: } consumer(
// COPIES: attn_tile.map {{.*}} (%{{.*}}: f32, %[[BEGIN:.*]]: i32, %[[END:.*]]: i32, %[[COLUMN:.*]]: i32) {
// COPIES-NEXT: %[[IS_BEFORE:.*]] = arith.cmpi slt, %[[COLUMN]], %[[BEGIN]] : i32
// COPIES-NEXT: %[[IS_AFTER:.*]] = arith.cmpi sge, %[[COLUMN]], %[[END]] : i32
// COPIES-NEXT: arith.ori %[[IS_BEFORE]], %[[IS_AFTER]] : i1
// COPIES: llvm.func @summaries_phase1_strided(
attn.pattern @summaries(%stride: index = 16) {
  %near = attn.window left(8) right(8)
  %rows = attn.congruent query mod(%stride)
  %columns = attn.congruent key mod(%stride)
  %pairs = attn.union %near, %rows, %columns
  attn.yield %pairs
}

// All rows of a block look at the same keys, so the producer leads: it alone runs over the entries of the block's list, of
// which each lane reads one ahead. What is negative or stands in it before is no block. It notes where each tile begins,
// and in the end that there are no more. Nothing is asked pair by pair. A tile that ends inside of the next block is stored
// row by row.
// BLOCKS: llvm.func @drawn_phase0_tiled(
// BLOCKS: producer(
// BLOCKS: %[[READ:.*]] = llvm.load %{{.*}} : !llvm.ptr<1> -> i32
// BLOCKS: scf.yield %[[READ]] : i32
// BLOCKS: scf.for %[[SLOT:.*]] = %{{.*}} to %[[ENTRIES:.*]] step
// BLOCKS: nvvm.shfl.sync idx %{{.*}}, %{{.*}}, %[[SLOT]]
// BLOCKS: nvvm.vote.sync any
// BLOCKS: scf.for %{{.*}} = %{{.*}} to %[[SLOT]] step %{{.*}} iter_args(%[[IS_NEW:.*]] = %{{.*}}) -> (i1)
// BLOCKS: %[[BEFORE:.*]] = llvm.load %{{.*}} : !llvm.ptr<1> -> i32
// BLOCKS: %[[DIFFERS:.*]] = arith.cmpi ne, %[[BEFORE]], %{{.*}} : i32
// BLOCKS: arith.andi %[[IS_NEW]], %[[DIFFERS]] : i1
// BLOCKS: attn_tile.note %[[KEYS:.*]][%[[STAGE:.*]]] says %[[FIRST:.*]], %{{.*}} :
// BLOCKS-NEXT: attn_tile.fill %[[KEYS]][%[[STAGE]]] from %{{.*}}[%[[FIRST]],
// BLOCKS: attn_tile.note %[[KEYS]][%[[END:.*]]] says
// BLOCKS-NEXT: attn_tile.publish %[[KEYS]][%[[END]]]
// BLOCKS: } consumer(
// BLOCKS-NOT: llvm.load %{{.*}} : !llvm.ptr<1> -> i32
// BLOCKS: attn_tile.read
// BLOCKS-NOT: attn_tile.ask
// BLOCKS: attn_tile.multiply
// BLOCKS: scf.while
// BLOCKS: attn_tile.read
// BLOCKS: attn_tile.multiply
// BLOCKS: scf.if
// BLOCKS: attn_tile.store
// BLOCKS: } else {
// BLOCKS: llvm.store %{{.*}} : vector<8xi16>, !llvm.ptr<1>
// BLOCKS: llvm.func @drawn_phase0_strided(
// BLOCKS-NOT: attn_tile.fill
// BLOCKS: attn_tile.note
attn.pattern @drawn(%table: !attn.blocks, %block: index = 64) {
  %pairs = attn.block_table %table block(%block)
  attn.yield %pairs
}

// Blocks that look at as many keys as each other are items that are alike: a block of threads takes several in turns, with
// the next one's queries on their way. Where an item's keys begin follows from the number of its block, without a division.
// ALIKE: llvm.func @own_block_phase0_tiled(
// ALIKE: llvm.func @own_block_phase1_tiled(
// ALIKE: attn_tile.ring {{.*}} : <2 x 64x64xbf16>
// ALIKE: producer(
// ALIKE: %[[TURN:.*]] = nvvm.read.ptx.sreg.nctaid.x
// ALIKE: scf.for %{{.*}} = %{{.*}} to %{{.*}} step %[[TURN]]
// ALIKE-NOT: floordivsi
// ALIKE: attn_tile.note
// ALIKE: } consumer(
// ALIKE-NOT: floordivsi
// ALIKE: llvm.func @own_block_phase1_strided(
attn.pattern @own_block(%block: index = 64) {
  %pairs = attn.block_local %block
  attn.yield %pairs
}

// The second stage leaves out what the first one has seen. Bounds and hole move with the rows of a class, so nothing is
// divided for a row, and the first and the last row say what lies between: no row is asked in between.
// HOLES: llvm.func @cross_phase2_tiled(
// HOLES: producer(
// HOLES-NOT: floordivsi
// HOLES-NOT: nvvm.redux.sync
// HOLES: } consumer(
// HOLES-NOT: floordivsi
// HOLES-NOT: nvvm.redux.sync
// HOLES: attn_tile.multiply
// HOLES: llvm.func @cross_phase2_strided(
attn.pattern @cross(%width: index = 64) one_sequence {
  %row, %column = attn.grid [%width]
  %same_row = attn.window left(0) right(0) on %row
  %same_column = attn.window left(0) right(0) on %column
  %pairs = attn.union %same_row, %same_column
  attn.yield %pairs
}

// Patches of queries and boxes of keys have a column and a row on the grid. A box may be smaller than a tile: values
// behind it are cleared once. A block takes several items. Each lane finds what two rows look at; columns become bits once
// for all tiles of a strip, rows tile by tile. Where threads copy, a row of the grid may be cut: then keys are compared one
// by one.
// GRID: llvm.func @image_phase0_tiled(%[[Q:[a-z0-9]+]]: !llvm.ptr {llvm.align
// GRID-SAME: %[[K:[a-z0-9]+]]: !llvm.ptr
// GRID-SAME: %[[V:[a-z0-9]+]]: !llvm.ptr
// GRID-SAME: %[[O:[a-z0-9]+]]: !llvm.ptr
// GRID: attn_tile.chunk
// GRID: llvm.store %{{.*}} : vector<4xi32>, !llvm.ptr<3>
// GRID: producer(
// GRID: attn_tile.fill %{{.*}} from %[[Q]][%{{.*}} of %{{.*}}, %{{.*}}, %{{.*}}] :
// GRID: attn_tile.fill %{{.*}} from %[[K]][%{{.*}} of %{{.*}}, %{{.*}}, %{{.*}}] rows(%{{.*}}) :
// GRID: attn_tile.fill %{{.*}} from %[[V]][%{{.*}} of %{{.*}}, %{{.*}}, %{{.*}}] rows(%{{.*}}) :
// GRID: } consumer(
// GRID: scf.for %{{.*}} iter_args(%{{.*}}, %{{.*}}) -> (!attn_tile.slot, !attn_tile.slot)
// GRID-NOT: nvvm.vote.sync
// GRID: nvvm.redux.sync min
// GRID: nvvm.shfl.sync idx
// GRID: %[[COLUMNS:.*]] = scf.for %{{.*}} -> (!attn_tile.bits<64x64>)
// GRID: attn_tile.between
// GRID: attn_tile.combine or
// GRID: attn_tile.multiply
// GRID: %[[ROWS:.*]] = attn_tile.between
// GRID: attn_tile.combine and %[[COLUMNS]], %[[ROWS]]
// GRID: attn_tile.store %{{.*}} to %[[O]][%{{.*}} of %{{.*}}, %{{.*}}, %{{.*}}]
// GRID: llvm.func @image_phase0_strided(
// GRID-NOT: attn_tile.fill
// GRID: } consumer(
// GRID: %[[IS_CUT:.*]] = nvvm.vote.sync any
// GRID: attn_tile.multiply
// GRID: scf.if %[[IS_CUT]]
// GRID-NOT: attn_tile.store
attn.pattern @image(%width: index = 64, %size: index = 7) {
  %row, %column = attn.grid [%width]
  %above_and_below = attn.neighborhood %size on %row
  %beside = attn.neighborhood %size on %column
  %pairs = attn.intersect %above_and_below, %beside
  attn.yield %pairs
}
