// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What becomes of score regions at the places of a tile.
//
// RUN: attn-opt %s --attn-specialize="kernel=full element=bf16 score=distance" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=DISTANCE
// RUN: attn-opt %s --attn-specialize="kernel=full element=bf16 score=wraps" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=WRAPS
// RUN: attn-opt %s --attn-specialize="kernel=full element=bf16 score=flags" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=FLAGS
// RUN: attn-opt %s --attn-specialize="kernel=full element=bf16 score=doubles" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=DOUBLES
// RUN: attn-opt %s --attn-specialize="kernel=full element=bf16 score=stays" \
// RUN:   --attn-plan="target=sm_90a tile-rows=64 tile-keys=64" --attn-emit-gpu | FileCheck %s --check-prefix=STAYS

attn.pattern @full() {
  %all = attn.full
  attn.yield %all
}

// A conversion of wide whole numbers is taken apart: one of the row, without the column, and one of the column alone,
// which is a constant in every place.
// DISTANCE: attn_tile.map {{.*}} (%{{.*}}: f32, %[[ROW:.*]]: index, %[[COLUMN:.*]]: i32) {
// DISTANCE: %[[ZERO:.*]] = arith.constant 0 : i32
// DISTANCE: arith.addi %{{.*}}, %[[ZERO]] : i32
// DISTANCE: %[[FIRST:.*]] = arith.subi %[[ROW]], %{{.*}} : index
// DISTANCE: %[[WIDE:.*]] = arith.index_cast %[[FIRST]] : index to i64
// DISTANCE: %[[FIXED:.*]] = arith.sitofp %[[WIDE]] : i64 to f32
// DISTANCE: %[[MINUS:.*]] = arith.constant -1 : i32
// DISTANCE: %[[STEP:.*]] = arith.muli %[[COLUMN]], %[[MINUS]] : i32
// DISTANCE: %[[MOVING:.*]] = arith.sitofp %[[STEP]] : i32 to f32
// DISTANCE: %[[FAR:.*]] = arith.addf %[[FIXED]], %[[MOVING]]
// DISTANCE-NOT: sitofp
// DISTANCE: arith.mulf %[[FAR]], %{{.*}} : f32
// DISTANCE: attn_tile.yield
attn.score @distance(%slope: f32 = 0.5) (%s, %b, %h, %i, %j) {
  %distance = arith.subi %i, %j : index
  %whole = arith.index_cast %distance : index to i64
  %far = arith.sitofp %whole : i64 to f32
  %bias = arith.mulf %far, %slope : f32
  %biased = arith.addf %s, %bias : f32
  attn.yield %biased : f32
}

// Narrow numbers wrap around among the columns of a tile: they are converted as they are.
// WRAPS: attn_tile.map {{.*}} (%{{.*}}: f32, %{{.*}}: index, %{{.*}}: i32) {
// WRAPS-NOT: sitofp
// WRAPS: %[[NARROW:.*]] = arith.trunci %{{.*}} : i64 to i8
// WRAPS-NEXT: %[[SMALL:.*]] = arith.sitofp %[[NARROW]] : i8 to f32
// WRAPS-NEXT: arith.addf %{{.*}}, %[[SMALL]]
// WRAPS-NOT: sitofp
// WRAPS: attn_tile.yield
attn.score @wraps() (%s, %b, %h, %i, %j) {
  %distance = arith.subi %i, %j : index
  %whole = arith.index_cast %distance : index to i64
  %narrow = arith.trunci %whole : i64 to i8
  %small = arith.sitofp %narrow : i8 to f32
  %biased = arith.addf %s, %small : f32
  attn.yield %biased : f32
}

// What the region's own operations may do, they may still do.
// FLAGS: attn_tile.map {{.*}} (%{{.*}}: f32, %{{.*}}: index, %{{.*}}: i32) {
// FLAGS: arith.mulf %{{.*}} fastmath<nnan,arcp,contract,afn> : f32
// FLAGS: arith.addf %{{.*}} fastmath<reassoc,arcp,contract,afn> : f32
// FLAGS: arith.subf %{{.*}} fastmath<arcp,contract,afn> : f32
// FLAGS: attn_tile.yield
attn.score @flags() (%s, %b, %h, %i, %j) {
  %square = arith.mulf %s, %s fastmath<nnan> : f32
  %sum = arith.addf %square, %s fastmath<reassoc> : f32
  %rest = arith.subf %sum, %square : f32
  attn.yield %rest : f32
}

// Where a number is used twice again and again, it is looked at once. Steps that large are not taken apart.
// DOUBLES: attn_tile.map {{.*}} (%{{.*}}: f32, %{{.*}}: index, %{{.*}}: i32) {
// DOUBLES-COUNT-1: sitofp
// DOUBLES-NOT: sitofp
// DOUBLES: attn_tile.yield
attn.score @doubles() (%s, %b, %h, %i, %j) {
  %x0 = arith.index_cast %j : index to i64
  %x1 = arith.addi %x0, %x0 : i64
  %x2 = arith.addi %x1, %x1 : i64
  %x3 = arith.addi %x2, %x2 : i64
  %x4 = arith.addi %x3, %x3 : i64
  %x5 = arith.addi %x4, %x4 : i64
  %x6 = arith.addi %x5, %x5 : i64
  %x7 = arith.addi %x6, %x6 : i64
  %x8 = arith.addi %x7, %x7 : i64
  %x9 = arith.addi %x8, %x8 : i64
  %x10 = arith.addi %x9, %x9 : i64
  %x11 = arith.addi %x10, %x10 : i64
  %x12 = arith.addi %x11, %x11 : i64
  %x13 = arith.addi %x12, %x12 : i64
  %x14 = arith.addi %x13, %x13 : i64
  %x15 = arith.addi %x14, %x14 : i64
  %x16 = arith.addi %x15, %x15 : i64
  %x17 = arith.addi %x16, %x16 : i64
  %x18 = arith.addi %x17, %x17 : i64
  %x19 = arith.addi %x18, %x18 : i64
  %x20 = arith.addi %x19, %x19 : i64
  %x21 = arith.addi %x20, %x20 : i64
  %x22 = arith.addi %x21, %x21 : i64
  %x23 = arith.addi %x22, %x22 : i64
  %x24 = arith.addi %x23, %x23 : i64
  %x25 = arith.addi %x24, %x24 : i64
  %x26 = arith.addi %x25, %x25 : i64
  %x27 = arith.addi %x26, %x26 : i64
  %x28 = arith.addi %x27, %x27 : i64
  %x29 = arith.addi %x28, %x28 : i64
  %x30 = arith.addi %x29, %x29 : i64
  %x31 = arith.addi %x30, %x30 : i64
  %x32 = arith.addi %x31, %x31 : i64
  %x33 = arith.addi %x32, %x32 : i64
  %x34 = arith.addi %x33, %x33 : i64
  %x35 = arith.addi %x34, %x34 : i64
  %x36 = arith.addi %x35, %x35 : i64
  %x37 = arith.addi %x36, %x36 : i64
  %x38 = arith.addi %x37, %x37 : i64
  %x39 = arith.addi %x38, %x38 : i64
  %x40 = arith.addi %x39, %x39 : i64
  %large = arith.sitofp %x40 : i64 to f32
  %biased = arith.addf %s, %large : f32
  attn.yield %biased : f32
}

// A chain whose values are used twice each time is written once, also where the column stays a summand.
// STAYS: attn_tile.map
// STAYS-COUNT-2: arith.sitofp
// STAYS: attn_tile.yield
attn.score @stays() (%s, %b, %h, %i, %j) {
  %x0 = arith.index_cast %j : index to i64
  %t0 = arith.addi %x0, %x0 : i64
  %x1 = arith.subi %t0, %x0 : i64
  %t1 = arith.addi %x1, %x1 : i64
  %x2 = arith.subi %t1, %x1 : i64
  %t2 = arith.addi %x2, %x2 : i64
  %x3 = arith.subi %t2, %x2 : i64
  %t3 = arith.addi %x3, %x3 : i64
  %x4 = arith.subi %t3, %x3 : i64
  %t4 = arith.addi %x4, %x4 : i64
  %x5 = arith.subi %t4, %x4 : i64
  %t5 = arith.addi %x5, %x5 : i64
  %x6 = arith.subi %t5, %x5 : i64
  %t6 = arith.addi %x6, %x6 : i64
  %x7 = arith.subi %t6, %x6 : i64
  %t7 = arith.addi %x7, %x7 : i64
  %x8 = arith.subi %t7, %x7 : i64
  %t8 = arith.addi %x8, %x8 : i64
  %x9 = arith.subi %t8, %x8 : i64
  %t9 = arith.addi %x9, %x9 : i64
  %x10 = arith.subi %t9, %x9 : i64
  %t10 = arith.addi %x10, %x10 : i64
  %x11 = arith.subi %t10, %x10 : i64
  %t11 = arith.addi %x11, %x11 : i64
  %x12 = arith.subi %t11, %x11 : i64
  %t12 = arith.addi %x12, %x12 : i64
  %x13 = arith.subi %t12, %x12 : i64
  %t13 = arith.addi %x13, %x13 : i64
  %x14 = arith.subi %t13, %x13 : i64
  %t14 = arith.addi %x14, %x14 : i64
  %x15 = arith.subi %t14, %x14 : i64
  %t15 = arith.addi %x15, %x15 : i64
  %x16 = arith.subi %t15, %x15 : i64
  %t16 = arith.addi %x16, %x16 : i64
  %x17 = arith.subi %t16, %x16 : i64
  %t17 = arith.addi %x17, %x17 : i64
  %x18 = arith.subi %t17, %x17 : i64
  %t18 = arith.addi %x18, %x18 : i64
  %x19 = arith.subi %t18, %x18 : i64
  %t19 = arith.addi %x19, %x19 : i64
  %x20 = arith.subi %t19, %x19 : i64
  %t20 = arith.addi %x20, %x20 : i64
  %x21 = arith.subi %t20, %x20 : i64
  %t21 = arith.addi %x21, %x21 : i64
  %x22 = arith.subi %t21, %x21 : i64
  %t22 = arith.addi %x22, %x22 : i64
  %x23 = arith.subi %t22, %x22 : i64
  %t23 = arith.addi %x23, %x23 : i64
  %x24 = arith.subi %t23, %x23 : i64
  %t24 = arith.addi %x24, %x24 : i64
  %x25 = arith.subi %t24, %x24 : i64
  %t25 = arith.addi %x25, %x25 : i64
  %x26 = arith.subi %t25, %x25 : i64
  %t26 = arith.addi %x26, %x26 : i64
  %x27 = arith.subi %t26, %x26 : i64
  %t27 = arith.addi %x27, %x27 : i64
  %x28 = arith.subi %t27, %x27 : i64
  %t28 = arith.addi %x28, %x28 : i64
  %x29 = arith.subi %t28, %x28 : i64
  %t29 = arith.addi %x29, %x29 : i64
  %x30 = arith.subi %t29, %x29 : i64
  %real = arith.sitofp %x30 : i64 to f32
  %biased = arith.addf %s, %real : f32
  attn.yield %biased : f32
}
