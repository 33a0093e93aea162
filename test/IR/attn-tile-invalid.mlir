// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the verifiers of attn_tile refuse, one mistake a piece.
//
// RUN: attn-opt %s --split-input-file --verify-diagnostics

// expected-error@+1 {{element type is 'f64'; use f32, bf16 or f16}}
func.func private @element(!attn_tile.shared<64x64xf64>)

// -----

// expected-error@+1 {{60 rows; use a multiple of 8}}
func.func private @rows(!attn_tile.shared<60x64xbf16>)

// -----

// expected-error@+1 {{72 columns; use a multiple of 64}}
func.func private @columns(!attn_tile.shared<64x72xbf16>)

// -----

// expected-error@+1 {{48 columns; use a multiple of 32}}
func.func private @columns_of_f32(!attn_tile.shared<64x48xf32>)

// -----

// expected-error@+1 {{panels of 32 rows; use a multiple of 8 from 64 on}}
func.func private @panel(!attn_tile.shared<64x64xbf16, panel = 32>)

// -----

// expected-error@+1 {{264 columns; use a multiple of 8 up to 256}}
func.func private @acc_columns(!attn_tile.acc<64x264xf32>)

// -----

// expected-error@+1 {{12 columns; use a multiple of 8 up to 256}}
func.func private @pending_columns(!attn_tile.pending<64x12xf32>)

// -----

// expected-error@+1 {{expected 64 rows of f32}}
func.func private @acc_rows(!attn_tile.acc<128x64xf32>)

// -----

// expected-error@+1 {{24 columns; use a multiple of 16 up to 256}}
func.func private @operand_columns(!attn_tile.operand<64x24xbf16>)

// -----

// expected-error@+1 {{expected 64 rows}}
func.func private @operand_rows(!attn_tile.operand<32x16xbf16>)

// -----

// expected-error@+1 {{136 columns; use a multiple of 8 up to 128}}
func.func private @bits_columns(!attn_tile.bits<64x136>)

// -----

// expected-error@+1 {{expected 64 rows}}
func.func private @bits_rows(!attn_tile.bits<64x64x8>)

// -----

// expected-error@+1 {{expected rows and columns}}
func.func private @shape(!attn_tile.shared<64xbf16>)

// -----

// expected-error@+1 {{ring of 0 stages; use at least one}}
func.func private @stages(!attn_tile.ring<0 x 64x64xbf16>)

// -----

// expected-error@+1 {{stages of 3072 bytes; use whole tiles of a multiple of 1024 bytes, without panel}}
func.func private @stage_of_part(!attn_tile.ring<2 x 16x64xbf16, panel = 24>)

// -----

llvm.func @roles_without_launch() {
  // expected-error@+1 {{'attn_tile.roles' op depends on the registers at launch; give the llvm.func nvvm.reqntid and nvvm.minctasm}}
  attn_tile.roles registers(24, 240) producer(%warp) {
  } consumer(%warpgroup) {
  }
  llvm.return
}

// -----

llvm.func @roles_threads() attributes {nvvm.reqntid = array<i32: 128, 1, 1>, nvvm.minctasm = 1 : i32} {
  // expected-error@+1 {{'attn_tile.roles' op has 128 threads; use a producer's 128 and a multiple of 128 for consumers}}
  attn_tile.roles registers(24, 240) producer(%warp) {
  } consumer(%warpgroup) {
  }
  llvm.return
}

// -----

llvm.func @roles_registers() attributes {nvvm.reqntid = array<i32: 384, 1, 1>, nvvm.minctasm = 1 : i32} {
  // expected-error@+1 {{'attn_tile.roles' op deals out 20 registers; use a multiple of 8 from 24 to 240}}
  attn_tile.roles registers(20, 240) producer(%warp) {
  } consumer(%warpgroup) {
  }
  llvm.return
}

// -----

llvm.func @roles_pool() attributes {nvvm.reqntid = array<i32: 512, 1, 1>, nvvm.minctasm = 1 : i32} {
  // expected-error@+1 {{'attn_tile.roles' op deals out more registers than the 128 that each of 512 threads has at launch; give a consumer at most 160}}
  attn_tile.roles registers(32, 168) producer(%warp) {
  } consumer(%warpgroup) {
  }
  llvm.return
}

// -----

llvm.func @roles_direction() attributes {nvvm.reqntid = array<i32: 384, 1, 1>, nvvm.minctasm = 1 : i32} {
  // expected-error@+1 {{'attn_tile.roles' op a producer gives up registers and a consumer gets them; the 168 at launch are not between 24 and 160}}
  attn_tile.roles registers(24, 160) producer(%warp) {
  } consumer(%warpgroup) {
  }
  llvm.return
}

// -----

llvm.func @roles_argument() attributes {nvvm.reqntid = array<i32: 384, 1, 1>, nvvm.minctasm = 1 : i32} {
  // expected-error@+1 {{'attn_tile.roles' op a role has one argument, an i32}}
  "attn_tile.roles"() <{producer_registers = 24 : i32, consumer_registers = 240 : i32}> ({
    nvvm.barrier0
  }, {
  ^bb0(%warpgroup: i32):
    nvvm.barrier0
  }) : () -> ()
  llvm.return
}

// -----

func.func @top_of_less(%t: !attn_tile.shared<64x64xbf16>) {
  // expected-error@+1 {{'attn_tile.top' op takes 96 rows of a tile of 64}}
  %p = attn_tile.top %t : !attn_tile.shared<64x64xbf16> -> !attn_tile.shared<96x64xbf16>
  return
}

// -----

func.func @top_elsewhere(%t: !attn_tile.shared<64x64xbf16>) {
  // expected-error@+1 {{'attn_tile.top' op of '!attn_tile.shared<64x64xbf16>' is '!attn_tile.shared<32x64xbf16, panel = 64>', not '!attn_tile.shared<32x64xbf16>'}}
  %p = attn_tile.top %t : !attn_tile.shared<64x64xbf16> -> !attn_tile.shared<32x64xbf16>
  return
}

// -----

!tile = !attn_tile.shared<128x64xbf16>
func.func @query_rows(%t: !tile) {
  // expected-error@+1 {{'attn_tile.multiply' op takes 64 rows, not a tile of 128; use attn_tile.subtile}}
  %p = attn_tile.multiply %t, %t depth(64) : !tile, !tile
  %s = attn_tile.wait %p inflight(0) : !attn_tile.pending<64x128xf32>
  return
}

// -----

func.func @elements(%q: !attn_tile.shared<64x64xbf16>, %k: !attn_tile.shared<64x64xf16>) {
  // expected-error@+1 {{'attn_tile.multiply' op element types of operands differ: 'bf16' != 'f16'}}
  %p = attn_tile.multiply %q, %k depth(64) : !attn_tile.shared<64x64xbf16>, !attn_tile.shared<64x64xf16>
  %s = attn_tile.wait %p inflight(0) : !attn_tile.pending<64x64xf32>
  return
}

// -----

func.func @key_rows(%q: !attn_tile.shared<64x64xbf16>, %k: !attn_tile.shared<264x64xbf16>) {
  // expected-error@+1 {{'attn_tile.multiply' op takes up to 256 key rows, not 264}}
  %p = attn_tile.multiply %q, %k depth(64) : !attn_tile.shared<64x64xbf16>, !attn_tile.shared<264x64xbf16>
  return
}

// -----

!tile = !attn_tile.shared<64x64xbf16>
func.func @depth(%t: !tile) {
  // expected-error@+1 {{'attn_tile.multiply' op of depth 80; use a multiple of 16 up to 64}}
  %p = attn_tile.multiply %t, %t depth(80) : !tile, !tile
  %s = attn_tile.wait %p inflight(0) : !attn_tile.pending<64x64xf32>
  return
}

// -----

!tile = !attn_tile.shared<64x64xbf16>
func.func @not_awaited(%t: !tile) {
  // expected-error@+1 {{'attn_tile.multiply' op its registers are written until they are waited for; use the product once, in an attn_tile.wait of the same block}}
  %p = attn_tile.multiply %t, %t depth(64) : !tile, !tile
  return
}

// -----

!tile = !attn_tile.shared<64x64xbf16>
func.func @awaited_elsewhere(%t: !tile, %is: i1) {
  // expected-error@+1 {{'attn_tile.multiply' op its registers are written until they are waited for}}
  %p = attn_tile.multiply %t, %t depth(64) : !tile, !tile
  scf.if %is {
    %s = attn_tile.wait %p inflight(0) : !attn_tile.pending<64x64xf32>
  }
  return
}

// -----

func.func @not_begun(%p: !attn_tile.pending<64x64xf32>) {
  // expected-error@+1 {{'attn_tile.wait' op waits for a product that is not begun in its block}}
  %s = attn_tile.wait %p inflight(0) : !attn_tile.pending<64x64xf32>
  return
}

// -----

!tile = !attn_tile.shared<64x64xbf16>
func.func @inflight(%t: !tile) {
  %p = attn_tile.multiply %t, %t depth(64) : !tile, !tile
  %q = attn_tile.multiply %t, %t depth(64) : !tile, !tile
  // expected-error@+1 {{'attn_tile.wait' op says inflight(0), later products in flight are 1; use inflight(1)}}
  %s = attn_tile.wait %p inflight(0) : !attn_tile.pending<64x64xf32>
  %r = attn_tile.wait %q inflight(0) : !attn_tile.pending<64x64xf32>
  return
}

// -----

!tile = !attn_tile.shared<64x64xbf16>
!acc = !attn_tile.acc<64x64xf32>
!weights = !attn_tile.operand<64x64xbf16>
func.func @convert_in_flight(%acc: !acc, %w: !weights, %v: !tile, %s: !acc) {
  %o = attn_tile.accumulate %acc, %w, %v : !acc, !weights, !tile
  // expected-error@+1 {{'attn_tile.convert' op writes an operand while a product reads another: ptxas would serialize them; convert after the wait}}
  %next = attn_tile.convert %s : !acc -> !weights
  // expected-note@+1 {{the wait}}
  %r = attn_tile.wait %o inflight(0) : !attn_tile.pending<64x64xf32>
  return
}

// -----

!acc = !attn_tile.acc<64x64xf32>
func.func @keys(%acc: !acc, %w: !attn_tile.operand<64x128xbf16>, %v: !attn_tile.shared<64x64xbf16>) {
  // expected-error@+1 {{'attn_tile.accumulate' op keys of weights and values differ: 128 != 64}}
  %o = attn_tile.accumulate %acc, %w, %v
      : !acc, !attn_tile.operand<64x128xbf16>, !attn_tile.shared<64x64xbf16>
  %r = attn_tile.wait %o inflight(0) : !attn_tile.pending<64x64xf32>
  return
}

// -----

!acc = !attn_tile.acc<64x128xf32>
func.func @value_columns(%acc: !acc, %w: !attn_tile.operand<64x64xbf16>, %v: !attn_tile.shared<64x64xbf16>) {
  // expected-error@+1 {{'attn_tile.accumulate' op accumulates 128 columns of values that have 64}}
  %o = attn_tile.accumulate %acc, %w, %v
      : !acc, !attn_tile.operand<64x64xbf16>, !attn_tile.shared<64x64xbf16>
  %r = attn_tile.wait %o inflight(0) : !attn_tile.pending<64x128xf32>
  return
}

// -----

func.func @write_columns(%acc: !attn_tile.acc<64x128xf32>, %t: !attn_tile.shared<64x64xbf16>) {
  // expected-error@+1 {{'attn_tile.write' op writes 128 columns to a tile of 64}}
  attn_tile.write %acc to %t : !attn_tile.acc<64x128xf32>, !attn_tile.shared<64x64xbf16>
  return
}

// -----

func.func @load_columns(%p: !llvm.ptr) {
  // expected-error@+1 {{'attn_tile.load' op reads 65 columns into an accumulator of 64}}
  %0 = attn_tile.load %p, %p columns(65) of bf16 : !llvm.ptr, !llvm.ptr -> !attn_tile.acc<64x64xf32>
  return
}

// -----

func.func @load_nothing(%p: !llvm.ptr) {
  // expected-error@+1 {{'attn_tile.load' op reads 0 columns into an accumulator of 64}}
  %0 = attn_tile.load %p, %p columns(0) of bf16 : !llvm.ptr, !llvm.ptr -> !attn_tile.acc<64x64xf32>
  return
}

// -----

func.func @load_element(%p: !llvm.ptr) {
  // expected-error@+1 {{'attn_tile.load' op reads elements of 'f64'; use f32, bf16 or f16}}
  %0 = attn_tile.load %p, %p columns(64) of f64 : !llvm.ptr, !llvm.ptr -> !attn_tile.acc<64x64xf32>
  return
}

// -----

func.func @splat(%x: f32) {
  // expected-error@+1 {{'attn_tile.splat' op of 'f32' to '!attn_tile.operand<64x64xbf16>'; use 'i32'}}
  %0 = attn_tile.splat %x : f32 -> !attn_tile.operand<64x64xbf16>
  return
}

// -----

func.func @splat_of_f32(%x: i32) {
  // expected-error@+1 {{'attn_tile.splat' op of 'i32' to '!attn_tile.operand<64x64xf32>'; use 'f32'}}
  %0 = attn_tile.splat %x : i32 -> !attn_tile.operand<64x64xf32>
  return
}

// -----

func.func @convert_columns(%acc: !attn_tile.acc<64x128xf32>) {
  // expected-error@+1 {{'attn_tile.convert' op columns of accumulator and operand differ: 128 != 64}}
  %0 = attn_tile.convert %acc : !attn_tile.acc<64x128xf32> -> !attn_tile.operand<64x64xbf16>
  return
}

// -----

func.func @across(%row: !attn_tile.row<i32>) {
  // expected-error@+1 {{'attn_tile.across' op folds f32, not 'i32'}}
  %0 = attn_tile.across max %row : !attn_tile.row<i32>
  return
}

// -----

func.func @any(%row: !attn_tile.row<f32>) {
  // expected-error@+1 {{'attn_tile.any' op asks for i1, not 'f32'}}
  %0 = attn_tile.any %row : !attn_tile.row<f32>
  return
}

// -----

func.func @map_columns(%acc: !attn_tile.acc<64x128xf32>) {
  // expected-error@+1 {{'attn_tile.map' op columns of operand and result differ: '!attn_tile.acc<64x128xf32>', '!attn_tile.acc<64x64xf32>'}}
  %0 = attn_tile.map %acc (%x: f32, %column: i32) {
    attn_tile.yield %x : f32
  } : (!attn_tile.acc<64x128xf32>) -> !attn_tile.acc<64x64xf32>
  return
}

// -----

func.func @map_rolled(%acc: !attn_tile.acc<64x128xf32>) {
  // expected-error@+1 {{'attn_tile.map' op a rolled map takes one accumulator and rows, and gives an accumulator; there are 2 operands with columns}}
  %0 = attn_tile.map rolled %acc, %acc (%x: f32, %y: f32, %column: i32) {
    attn_tile.yield %x : f32
  } : (!attn_tile.acc<64x128xf32>, !attn_tile.acc<64x128xf32>) -> !attn_tile.acc<64x128xf32>
  return
}

// -----

func.func @map_arguments(%acc: !attn_tile.acc<64x128xf32>) {
  // expected-error@+1 {{'attn_tile.map' op region takes ('f32'), a place has ('f32', 'i32')}}
  %0 = attn_tile.map %acc (%x: f32) {
    attn_tile.yield %x : f32
  } : (!attn_tile.acc<64x128xf32>) -> !attn_tile.acc<64x128xf32>
  return
}

// -----

func.func @map_yield(%row: !attn_tile.row<f32>) {
  // expected-error@+1 {{'attn_tile.map' op region has to yield 'i1'}}
  %0 = attn_tile.map %row (%x: f32) {
    attn_tile.yield %x : f32
  } : (!attn_tile.row<f32>) -> !attn_tile.row<i1>
  return
}

// -----

func.func @ask_yield(%row: !attn_tile.row<f32>) {
  // expected-error@+1 {{'attn_tile.ask' op region has to yield 'i1'}}
  %0 = attn_tile.ask %row (%x: f32, %column: i32) {
    attn_tile.yield %x : f32
  } : (!attn_tile.row<f32>) -> !attn_tile.bits<64x128>
  return
}

// -----

func.func @between(%row: !attn_tile.row<f32>) {
  // expected-error@+1 {{'attn_tile.between' op compares columns with i32, not 'f32'}}
  %0 = attn_tile.between %row, %row : !attn_tile.row<f32>, !attn_tile.row<f32> -> !attn_tile.bits<64x128>
  return
}
