// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: attn-opt %s --split-input-file --verify-diagnostics

attn.pattern @grid_size() {
  // expected-error@+1 {{'attn.grid' op size 0 is 0; it has to be at least 1}}
  %row, %column = attn.grid [0]
  %pairs = attn.full
  attn.yield %pairs
}

// -----

attn.pattern @computed_grid_size() {
  %c = arith.constant -4 : index
  // expected-error@+1 {{'attn.grid' op size 1 is -4; it has to be at least 1}}
  %frame, %row, %column = attn.grid [3, %c]
  %pairs = attn.full
  attn.yield %pairs
}

// -----

attn.pattern @no_sizes() {
  // expected-error@+1 {{'attn.grid' op has no sizes; name at least one}}
  %row = attn.grid []
  %pairs = attn.full
  attn.yield %pairs
}

// -----

attn.pattern @grid_values() {
  %c = arith.constant 4 : index
  // expected-error@+1 {{'attn.grid' op has 1 values for 2 sizes}}
  %row:3 = "attn.grid"(%c) <{static_sizes = array<i64: -9223372036854775808, -9223372036854775808>}>
    : (index) -> (!attn.coordinate, !attn.coordinate, !attn.coordinate)
  %pairs = attn.full
  attn.yield %pairs
}

// -----

attn.pattern @stream_size() {
  // expected-error@+1 {{'attn.stream' op size 0 is -1; it has to be at least 0}}
  %first, %second = attn.stream [-1]
  %pairs = attn.full
  attn.yield %pairs
}

// -----

attn.pattern @no_streams() {
  // expected-error@+1 {{'attn.stream' op has no sizes; name at least one}}
  %first = attn.stream []
  %pairs = attn.full
  attn.yield %pairs
}

// -----

attn.pattern @raster_block() {
  %row, %column = attn.grid [8]
  // expected-error@+1 {{'attn.raster' op block 1 is 0; it has to be at least 1}}
  %place = attn.raster %row, %column blocks [2, 0]
  %pairs = attn.full
  attn.yield %pairs
}

// -----

attn.pattern @raster_blocks() {
  %row, %column = attn.grid [8]
  // expected-error@+1 {{'attn.raster' op has 2 axes and 1 blocks; name one block for each axis}}
  %place = attn.raster %row, %column blocks [2]
  %pairs = attn.full
  attn.yield %pairs
}

// -----

attn.pattern @raster_order() {
  %row, %column = attn.grid [8]
  // expected-error@+1 {{'attn.raster' op takes all axes of one attn.grid, the outermost first}}
  %place = attn.raster %column, %row blocks [2, 2]
  %pairs = attn.full
  attn.yield %pairs
}

// -----

attn.pattern @raster_axes() {
  %frame, %row, %column = attn.grid [4, 8]
  // expected-error@+1 {{'attn.raster' op takes all axes of one attn.grid, the outermost first}}
  %place = attn.raster %row, %column blocks [2, 2]
  %pairs = attn.full
  attn.yield %pairs
}

// -----

attn.pattern @raster_of_streams() {
  %first, %second = attn.stream [8]
  // expected-error@+1 {{'attn.raster' op takes all axes of one attn.grid, the outermost first}}
  %place = attn.raster %first, %second blocks [2, 2]
  %pairs = attn.full
  attn.yield %pairs
}

// -----

attn.pattern @large_grid_size() {
  // expected-error@+1 {{'attn.grid' op size 0 is 1099511627777; it has to be within 2^40}}
  %row, %column = attn.grid [1099511627777]
  %pairs = attn.full
  attn.yield %pairs
}

// -----

attn.pattern @large_grid() {
  // expected-error@+1 {{'attn.grid' op has sizes whose product is above 2^40; write smaller ones}}
  %frame, %row, %column = attn.grid [1048576, 1048577]
  %pairs = attn.full
  attn.yield %pairs
}
