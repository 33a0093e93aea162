// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads that are proven to be inside of their arrays. The extents are the least: bounds-invalid.mlir takes one off.
//
// RUN: attn-opt %s --verify-diagnostics -o %t
// RUN: FileCheck %s --input-file=%t

// CHECK-LABEL: attn.score @constants(
attn.score @constants(%array: !attn.array<[8]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %id = arith.constant 7 : index
  %entry = attn.load %array[%id] : !attn.array<[8]>
  attn.yield %entry : f32
}

// CHECK-LABEL: attn.score @clip(
attn.score @clip(%array: !attn.array<[33]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %distance = arith.subi %j, %i : index
  %c16 = arith.constant 16 : index
  %shifted = arith.addi %distance, %c16 : index
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %low = arith.maxsi %shifted, %c0 : index
  %id = arith.minsi %low, %c32 : index
  %entry = attn.load %array[%id] : !attn.array<[33]>
  attn.yield %entry : f32
}

// CHECK-LABEL: attn.score @sums(
attn.score @sums(%array: !attn.array<[7]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  %rest = arith.remui %i, %c4 : index
  %less = arith.subi %c3, %rest : index
  %id = arith.addi %less, %rest : index
  %entry = attn.load %array[%id] : !attn.array<[7]>
  attn.yield %entry : f32
}

// CHECK-LABEL: attn.score @products(
attn.score @products(%array: !attn.array<[20]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c5 = arith.constant 5 : index
  %c4 = arith.constant 4 : index
  %row = arith.remui %i, %c4 : index
  %column = arith.remui %j, %c5 : index
  %begin = arith.muli %row, %c5 : index
  %id = arith.addi %begin, %column : index
  %entry = attn.load %array[%id] : !attn.array<[20]>
  attn.yield %entry : f32
}

// CHECK-LABEL: attn.score @negative_factors(
attn.score @negative_factors(%array: !attn.array<[13]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c4 = arith.constant 4 : index
  %c12 = arith.constant 12 : index
  %less = arith.constant -3 : index
  %row = arith.remui %i, %c4 : index
  %back = arith.muli %row, %less : index
  %id = arith.addi %back, %c12 : index
  %entry = attn.load %array[%id] : !attn.array<[13]>
  attn.yield %entry : f32
}

// CHECK-LABEL: attn.score @quotients(
attn.score @quotients(%array: !attn.array<[15]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c100 = arith.constant 100 : index
  %c7 = arith.constant 7 : index
  %row = arith.remui %i, %c100 : index
  %id = arith.divsi %row, %c7 : index
  %entry = attn.load %array[%id] : !attn.array<[15]>
  attn.yield %entry : f32
}

// CHECK-LABEL: attn.score @quotients_towards_zero(
attn.score @quotients_towards_zero(%array: !attn.array<[5]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c9 = arith.constant 9 : index
  %c4 = arith.constant 4 : index
  %c2 = arith.constant 2 : index
  %rest = arith.remsi %i, %c9 : index
  %quotient = arith.divsi %rest, %c4 : index
  %id = arith.addi %quotient, %c2 : index
  %entry = attn.load %array[%id] : !attn.array<[5]>
  attn.yield %entry : f32
}

// CHECK-LABEL: attn.score @floors(
attn.score @floors(%array: !attn.array<[5]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c9 = arith.constant 9 : index
  %c4 = arith.constant 4 : index
  %c3 = arith.constant 3 : index
  %rest = arith.remsi %i, %c9 : index
  %less = arith.subi %rest, %c3 : index
  %quotient = arith.floordivsi %less, %c4 : index
  %id = arith.addi %quotient, %c3 : index
  %entry = attn.load %array[%id] : !attn.array<[5]>
  attn.yield %entry : f32
}

// CHECK-LABEL: attn.score @remainders(
attn.score @remainders(%array: !attn.array<[17]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c9 = arith.constant 9 : index
  %c8 = arith.constant 8 : index
  %rest = arith.remsi %j, %c9 : index
  %id = arith.addi %rest, %c8 : index
  %entry = attn.load %array[%id] : !attn.array<[17]>
  attn.yield %entry : f32
}

// CHECK-LABEL: attn.score @remainders_of_heads(
attn.score @remainders_of_heads(%array: !attn.array<[8]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c8 = arith.constant 8 : index
  %id = arith.remsi %h, %c8 : index
  %entry = attn.load %array[%id] : !attn.array<[8]>
  attn.yield %entry : f32
}

// CHECK-LABEL: attn.score @small_dividends(
attn.score @small_dividends(%array: !attn.array<[9]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c9 = arith.constant 9 : index
  %row = arith.remui %i, %c9 : index
  %id = arith.remsi %row, %n : index
  %entry = attn.load %array[%id] : !attn.array<[9]>
  attn.yield %entry : f32
}

// CHECK-LABEL: attn.score @bits(
attn.score @bits(%array: !attn.array<[16]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c15 = arith.constant 15 : index
  %id = arith.andi %j, %c15 : index
  %entry = attn.load %array[%id] : !attn.array<[16]>
  attn.yield %entry : f32
}

// CHECK-LABEL: attn.score @bits_of_numbers(
attn.score @bits_of_numbers(%array: !attn.array<[10]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c20 = arith.constant 20 : index
  %c10 = arith.constant 10 : index
  %row = arith.remui %i, %c20 : index
  %column = arith.remui %j, %c10 : index
  %id = arith.andi %row, %column : index
  %entry = attn.load %array[%id] : !attn.array<[10]>
  attn.yield %entry : f32
}

// CHECK-LABEL: attn.score @choices(
attn.score @choices(%array: !attn.array<[6]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c3 = arith.constant 3 : index
  %c5 = arith.constant 5 : index
  %is = arith.cmpi slt, %i, %j : index
  %id = arith.select %is, %c3, %c5 : index
  %entry = attn.load %array[%id] : !attn.array<[6]>
  attn.yield %entry : f32
}

// CHECK-LABEL: attn.score @comparisons(
attn.score @comparisons(%array: !attn.array<[2]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %is = arith.cmpi slt, %i, %j : index
  %id = arith.index_castui %is : i1 to index
  %entry = attn.load %array[%id] : !attn.array<[2]>
  attn.yield %entry : f32
}

// CHECK-LABEL: attn.score @comparisons_as_words(
attn.score @comparisons_as_words(%array: !attn.array<[2]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %is = arith.cmpi slt, %i, %j : index
  %word = arith.extui %is : i1 to i32
  %id = arith.index_cast %word : i32 to index
  %entry = attn.load %array[%id] : !attn.array<[2]>
  attn.yield %entry : f32
}

// CHECK-LABEL: attn.score @signed_comparisons(
attn.score @signed_comparisons(%array: !attn.array<[2]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c1 = arith.constant 1 : index
  %is = arith.cmpi slt, %i, %j : index
  %word = arith.extsi %is : i1 to i64
  %whole = arith.index_cast %word : i64 to index
  %id = arith.addi %whole, %c1 : index
  %entry = attn.load %array[%id] : !attn.array<[2]>
  attn.yield %entry : f32
}

// CHECK-LABEL: attn.score @words(
attn.score @words(%array: !attn.array<[100]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c100 = arith.constant 100 : i32
  %word = arith.index_cast %i : index to i32
  %id_word = arith.remui %word, %c100 : i32
  %id = arith.index_cast %id_word : i32 to index
  %entry = attn.load %array[%id] : !attn.array<[100]>
  attn.yield %entry : f32
}

// CHECK-LABEL: attn.score @bytes(
attn.score @bytes(%array: !attn.array<[256]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %word = arith.index_cast %i : index to i64
  %byte = arith.trunci %word : i64 to i8
  %id = arith.index_castui %byte : i8 to index
  %entry = attn.load %array[%id] : !attn.array<[256]>
  attn.yield %entry : f32
}

// CHECK-LABEL: attn.score @rounded(
attn.score @rounded(%array: !attn.array<[32]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %w = arith.index_cast %i : index to i32
  %real = arith.sitofp %w : i32 to f32
  %word = arith.fptosi %real : f32 to i32
  %whole = arith.index_cast %word : i32 to index
  %c31 = arith.constant 31 : index
  %c0 = arith.constant 0 : index
  %low = arith.maxsi %whole, %c0 : index
  %id = arith.minsi %low, %c31 : index
  %entry = attn.load %array[%id] : !attn.array<[32]>
  attn.yield %entry : f32
}

// What is counted by the region's own arguments.
// CHECK-LABEL: attn.score @counted(
attn.score @counted(%array: !attn.array<[batch, heads, queries, keys]>) (%s, %b, %h, %i, %j) {
  %entry = attn.load %array[%b, %h, %i, %j] : !attn.array<[batch, heads, queries, keys]>
  attn.yield %entry : f32
} sink (%b, %h, %i) {
  %zero = arith.constant 0 : index
  %entry = attn.load %array[%b, %h, %i, %zero] clamped : !attn.array<[batch, heads, queries, keys]>
  attn.yield %entry : f32
}

// CHECK-LABEL: attn.score @dots(
attn.score @dots(%array: !attn.array<[heads, 9, head_size]>) (%s, %b, %h, %i, %j) {
  %c9 = arith.constant 9 : index
  %id = arith.remui %j, %c9 : index
  %query = attn.query_dot %array[%h, %id] : !attn.array<[heads, 9, head_size]>
  %key = attn.key_dot %array[%h, %id] : !attn.array<[heads, 9, head_size]>
  %both = arith.addf %query, %key : f32
  attn.yield %both : f32
}
