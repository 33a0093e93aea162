// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads that are not proven to be inside of their arrays.
//
// RUN: attn-opt %s --split-input-file --verify-diagnostics

attn.score @constants(%array: !attn.array<[7]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %id = arith.constant 7 : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 7, and index 0 may be as large as 7; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[7]>
  attn.yield %entry : f32
}

// -----

attn.score @clip(%array: !attn.array<[32]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %distance = arith.subi %j, %i : index
  %c16 = arith.constant 16 : index
  %shifted = arith.addi %distance, %c16 : index
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %low = arith.maxsi %shifted, %c0 : index
  %id = arith.minsi %low, %c32 : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 32, and index 0 may be as large as 32; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[32]>
  attn.yield %entry : f32
}

// -----

attn.score @sums(%array: !attn.array<[6]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  %rest = arith.remui %i, %c4 : index
  %less = arith.subi %c3, %rest : index
  %id = arith.addi %less, %rest : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 6, and index 0 may be as large as 6; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[6]>
  attn.yield %entry : f32
}

// -----

attn.score @products(%array: !attn.array<[19]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c5 = arith.constant 5 : index
  %c4 = arith.constant 4 : index
  %row = arith.remui %i, %c4 : index
  %column = arith.remui %j, %c5 : index
  %begin = arith.muli %row, %c5 : index
  %id = arith.addi %begin, %column : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 19, and index 0 may be as large as 19; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[19]>
  attn.yield %entry : f32
}

// -----

attn.score @negative_factors(%array: !attn.array<[12]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c4 = arith.constant 4 : index
  %c12 = arith.constant 12 : index
  %less = arith.constant -3 : index
  %row = arith.remui %i, %c4 : index
  %back = arith.muli %row, %less : index
  %id = arith.addi %back, %c12 : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 12, and index 0 may be as large as 12; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[12]>
  attn.yield %entry : f32
}

// -----

attn.score @quotients(%array: !attn.array<[14]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c100 = arith.constant 100 : index
  %c7 = arith.constant 7 : index
  %row = arith.remui %i, %c100 : index
  %id = arith.divsi %row, %c7 : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 14, and index 0 may be as large as 14; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[14]>
  attn.yield %entry : f32
}

// -----

attn.score @quotients_towards_zero(%array: !attn.array<[4]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c9 = arith.constant 9 : index
  %c4 = arith.constant 4 : index
  %c2 = arith.constant 2 : index
  %rest = arith.remsi %i, %c9 : index
  %quotient = arith.divsi %rest, %c4 : index
  %id = arith.addi %quotient, %c2 : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 4, and index 0 may be as large as 4; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[4]>
  attn.yield %entry : f32
}

// -----

attn.score @floors(%array: !attn.array<[4]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c9 = arith.constant 9 : index
  %c4 = arith.constant 4 : index
  %c3 = arith.constant 3 : index
  %rest = arith.remsi %i, %c9 : index
  %less = arith.subi %rest, %c3 : index
  %quotient = arith.floordivsi %less, %c4 : index
  %id = arith.addi %quotient, %c3 : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 4, and index 0 may be as large as 4; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[4]>
  attn.yield %entry : f32
}

// -----

attn.score @remainders(%array: !attn.array<[16]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c9 = arith.constant 9 : index
  %c8 = arith.constant 8 : index
  %rest = arith.remsi %j, %c9 : index
  %id = arith.addi %rest, %c8 : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 16, and index 0 may be as large as 16; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[16]>
  attn.yield %entry : f32
}

// -----

attn.score @remainders_of_heads(%array: !attn.array<[7]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c8 = arith.constant 8 : index
  %id = arith.remsi %h, %c8 : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 7, and index 0 may be as large as 7; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[7]>
  attn.yield %entry : f32
}

// -----

attn.score @small_dividends(%array: !attn.array<[8]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c9 = arith.constant 9 : index
  %row = arith.remui %i, %c9 : index
  %id = arith.remsi %row, %n : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 8, and index 0 may be as large as 8; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[8]>
  attn.yield %entry : f32
}

// -----

attn.score @bits(%array: !attn.array<[15]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c15 = arith.constant 15 : index
  %id = arith.andi %j, %c15 : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 15, and index 0 may be as large as 15; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[15]>
  attn.yield %entry : f32
}

// -----

attn.score @bits_of_numbers(%array: !attn.array<[9]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c20 = arith.constant 20 : index
  %c10 = arith.constant 10 : index
  %row = arith.remui %i, %c20 : index
  %column = arith.remui %j, %c10 : index
  %id = arith.andi %row, %column : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 9, and index 0 may be as large as 9; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[9]>
  attn.yield %entry : f32
}

// -----

attn.score @choices(%array: !attn.array<[5]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c3 = arith.constant 3 : index
  %c5 = arith.constant 5 : index
  %is = arith.cmpi slt, %i, %j : index
  %id = arith.select %is, %c3, %c5 : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 5, and index 0 may be as large as 5; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[5]>
  attn.yield %entry : f32
}

// -----

attn.score @comparisons(%array: !attn.array<[1]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %is = arith.cmpi slt, %i, %j : index
  %id = arith.index_castui %is : i1 to index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 1, and index 0 may be as large as 1; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[1]>
  attn.yield %entry : f32
}

// -----

attn.score @comparisons_as_words(%array: !attn.array<[1]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %is = arith.cmpi slt, %i, %j : index
  %word = arith.extui %is : i1 to i32
  %id = arith.index_cast %word : i32 to index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 1, and index 0 may be as large as 1; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[1]>
  attn.yield %entry : f32
}

// -----

attn.score @signed_comparisons(%array: !attn.array<[1]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c1 = arith.constant 1 : index
  %is = arith.cmpi slt, %i, %j : index
  %word = arith.extsi %is : i1 to i64
  %whole = arith.index_cast %word : i64 to index
  %id = arith.addi %whole, %c1 : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 1, and index 0 may be as large as 1; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[1]>
  attn.yield %entry : f32
}

// -----

attn.score @words(%array: !attn.array<[99]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c100 = arith.constant 100 : i32
  %word = arith.index_cast %i : index to i32
  %id_word = arith.remui %word, %c100 : i32
  %id = arith.index_cast %id_word : i32 to index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 99, and index 0 may be as large as 99; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[99]>
  attn.yield %entry : f32
}

// -----

attn.score @bytes(%array: !attn.array<[255]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %word = arith.index_cast %i : index to i64
  %byte = arith.trunci %word : i64 to i8
  %id = arith.index_castui %byte : i8 to index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 255, and index 0 may be as large as 255; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[255]>
  attn.yield %entry : f32
}

// -----

attn.score @rounded(%array: !attn.array<[31]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %w = arith.index_cast %i : index to i32
  %real = arith.sitofp %w : i32 to f32
  %word = arith.fptosi %real : f32 to i32
  %whole = arith.index_cast %word : i32 to index
  %c31 = arith.constant 31 : index
  %c0 = arith.constant 0 : index
  %low = arith.maxsi %whole, %c0 : index
  %id = arith.minsi %low, %c31 : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 31, and index 0 may be as large as 31; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[31]>
  attn.yield %entry : f32
}

// -----

attn.score @position(%array: !attn.array<[8]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 8, and index 0 has no upper bound; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%j] : !attn.array<[8]>
  attn.yield %entry : f32
}

// -----

attn.score @head(%array: !attn.array<[8]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 8, and index 0 has no upper bound; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%h] : !attn.array<[8]>
  attn.yield %entry : f32
}

// -----

attn.score @parameter(%array: !attn.array<[8]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 8, and index 0 has no upper bound; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%n] : !attn.array<[8]>
  attn.yield %entry : f32
}

// -----

attn.score @no_lower_bound(%array: !attn.array<[8]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c7 = arith.constant 7 : index
  %id = arith.minsi %n, %c7 : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 8, and index 0 has no lower bound; bound it with maxsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[8]>
  attn.yield %entry : f32
}

// -----

attn.score @below_zero(%array: !attn.array<[8]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %id = arith.constant -3 : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 8, and index 0 may be as small as -3; bound it with maxsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[8]>
  attn.yield %entry : f32
}

// -----

// Sums wrap around: what is past the largest number is below 0.
attn.score @overflow(%array: !attn.array<[8]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c7 = arith.constant 7 : index
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %low = arith.maxsi %i, %c0 : index
  %more = arith.addi %low, %c1 : index
  %id = arith.minsi %more, %c7 : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 8, and index 0 has no lower bound; bound it with maxsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[8]>
  attn.yield %entry : f32
}

// -----

attn.score @product_overflow(%array: !attn.array<[8]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c7 = arith.constant 7 : index
  %c0 = arith.constant 0 : index
  %low = arith.maxsi %i, %c0 : index
  %square = arith.muli %low, %low : index
  %id = arith.minsi %square, %c7 : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 8, and index 0 has no lower bound; bound it with maxsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[8]>
  attn.yield %entry : f32
}

// -----

attn.score @narrow_overflow(%array: !attn.array<[8]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %w = arith.index_cast %i : index to i8
  %c7 = arith.constant 7 : i8
  %c0 = arith.constant 0 : i8
  %least = arith.maxsi %w, %c0 : i8
  %sum = arith.addi %least, %c7 : i8
  %word = arith.minsi %sum, %c7 : i8
  %id = arith.index_cast %word : i8 to index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 8, and index 0 may be as small as -128; bound it with maxsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[8]>
  attn.yield %entry : f32
}

// -----

attn.score @unknown_divisor(%array: !attn.array<[8]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c0 = arith.constant 0 : index
  %c7 = arith.constant 7 : index
  %quotient = arith.divsi %c7, %n : index
  %id = arith.maxsi %quotient, %c0 : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 8, and index 0 has no upper bound; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[8]>
  attn.yield %entry : f32
}

// -----

attn.score @unsigned_dividend(%array: !attn.array<[8]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c0 = arith.constant 0 : index
  %rest = arith.remui %c0, %n : index
  %id = arith.maxsi %rest, %c0 : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 8, and index 0 has no upper bound; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[8]>
  attn.yield %entry : f32
}

// -----

attn.score @bits_of_both(%array: !attn.array<[8]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c0 = arith.constant 0 : index
  %bits = arith.andi %i, %j : index
  %id = arith.maxsi %bits, %c0 : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 8, and index 0 has no upper bound; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[8]>
  attn.yield %entry : f32
}

// -----

attn.score @unknown_op(%array: !attn.array<[8]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c0 = arith.constant 0 : index
  %odd = arith.xori %i, %j : index
  %id = arith.maxsi %odd, %c0 : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is 8, and index 0 has no upper bound; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%id] : !attn.array<[8]>
  attn.yield %entry : f32
}

// -----

attn.score @second_index(%array: !attn.array<[heads, 7]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %c7 = arith.constant 7 : index
  // expected-error@+1 {{'attn.load' op extent 1 of the array is 7, and index 1 may be as large as 7; bound it with minsi, or write clamped}}
  %entry = attn.load %array[%h, %c7] : !attn.array<[heads, 7]>
  attn.yield %entry : f32
}

// -----

attn.score @open(%array: !attn.array<[?]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %zero = arith.constant 0 : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is ?, which nothing in this region counts; write clamped}}
  %entry = attn.load %array[%zero] : !attn.array<[?]>
  attn.yield %entry : f32
}

// -----

attn.score @kv_heads(%array: !attn.array<[kv_heads]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  // expected-error@+1 {{'attn.load' op extent 0 of the array is kv_heads, which nothing in this region counts; write clamped}}
  %entry = attn.load %array[%h] : !attn.array<[kv_heads]>
  attn.yield %entry : f32
}

// -----

attn.score @columns(%array: !attn.array<[head_size]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %zero = arith.constant 0 : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is head_size, which nothing in this region counts; write clamped}}
  %entry = attn.load %array[%zero] : !attn.array<[head_size]>
  attn.yield %entry : f32
}

// -----

attn.score @batch(%array: !attn.array<[batch]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  // expected-error@+1 {{'attn.load' op extent 0 of the array is batch, and index 0 is not the region's batch; use that, or write clamped}}
  %entry = attn.load %array[%h] : !attn.array<[batch]>
  attn.yield %entry : f32
}

// -----

attn.score @heads(%array: !attn.array<[heads]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %zero = arith.constant 0 : index
  // expected-error@+1 {{'attn.load' op extent 0 of the array is heads, and index 0 is not the region's query head; use that, or write clamped}}
  %entry = attn.load %array[%zero] : !attn.array<[heads]>
  attn.yield %entry : f32
}

// -----

attn.score @queries(%array: !attn.array<[queries]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  // expected-error@+1 {{'attn.load' op extent 0 of the array is queries, and index 0 is not the region's query position; use that, or write clamped}}
  %entry = attn.load %array[%j] : !attn.array<[queries]>
  attn.yield %entry : f32
}

// -----

attn.score @keys(%array: !attn.array<[keys]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  // expected-error@+1 {{'attn.load' op extent 0 of the array is keys, and index 0 is not the region's key position; use that, or write clamped}}
  %entry = attn.load %array[%i] : !attn.array<[keys]>
  attn.yield %entry : f32
}

// -----

attn.score @left_array(%array: !attn.array<[8, head_size]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  // expected-error@+1 {{'attn.row_dot' op extent 0 of the left array is 8, and index 0 has no upper bound; bound it with minsi, or write clamped}}
  %entry = attn.row_dot %array[%i], %array[%i] : !attn.array<[8, head_size]>, !attn.array<[8, head_size]>
  attn.yield %entry : f32
}

// -----

attn.score @right_array(%array: !attn.array<[8, head_size]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  %zero = arith.constant 0 : index
  // expected-error@+1 {{'attn.row_dot' op extent 0 of the right array is 8, and index 0 has no upper bound; bound it with minsi, or write clamped}}
  %entry = attn.row_dot %array[%zero], %array[%i] : !attn.array<[8, head_size]>, !attn.array<[8, head_size]>
  attn.yield %entry : f32
}

// -----

attn.score @query_dot(%array: !attn.array<[8, head_size]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  // expected-error@+1 {{'attn.query_dot' op extent 0 of the array is 8, and index 0 has no upper bound; bound it with minsi, or write clamped}}
  %entry = attn.query_dot %array[%i] : !attn.array<[8, head_size]>
  attn.yield %entry : f32
}

// -----

attn.score @key_dot(%array: !attn.array<[8, head_size]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  // expected-error@+1 {{'attn.key_dot' op extent 0 of the array is 8, and index 0 has no upper bound; bound it with minsi, or write clamped}}
  %entry = attn.key_dot %array[%i] : !attn.array<[8, head_size]>
  attn.yield %entry : f32
}

// -----

attn.score @mixed_dot(%array: !attn.array<[8, heads]>, %n: index = 4) (%s, %b, %h, %i, %j) {
  // expected-error@+1 {{'attn.mixed_dot' op extent 0 of the array is 8, and index 0 has no upper bound; bound it with minsi, or write clamped}}
  %entry = attn.mixed_dot %array[%i] : !attn.array<[8, heads]>
  attn.yield %entry : f32
}

// -----

attn.score @sink_keys(%array: !attn.array<[keys]>) (%s, %b, %h, %i, %j) {
  attn.yield %s : f32
} sink (%b, %h, %i) {
  // expected-error@+1 {{'attn.load' op extent 0 of the array is keys, which nothing in this region counts; write clamped}}
  %entry = attn.load %array[%i] : !attn.array<[keys]>
  attn.yield %entry : f32
}
