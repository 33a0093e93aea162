// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: attn-opt %s --split-input-file --verify-diagnostics

// expected-error@+1 {{'attn.linear' op has no parameter; the first is what is added to the normaliser, as in (%epsilon: f32 = 1.0e-06)}}
attn.linear @parameters() feature (%x) {
  attn.yield %x : f32
}

// -----

// expected-error@+1 {{'attn.linear' op parameter 'width' has type 'index'; those of linear attention are f32}}
attn.linear @index(%epsilon: f32 = 1.0e-06, %width: index = 1) feature (%x) {
  attn.yield %x : f32
}

// -----

// expected-error@+1 {{'attn.linear' op parameter 'epsilon' has no default; write one, as in %epsilon: 'f32' = 1.0}}
attn.linear @default(%epsilon: f32) feature (%x) {
  attn.yield %x : f32
}

// -----

// expected-error@+1 {{expected 'feature'}}
attn.linear @syntax(%epsilon: f32 = 1.0e-06) {
}

// -----

// expected-error@+1 {{region takes 1 arguments, not 2}}
attn.linear @arguments(%epsilon: f32 = 1.0e-06) feature (%x, %y) {
  attn.yield %x : f32
}

// -----

// expected-error@+1 {{'attn.linear' op a feature map takes one number; write feature (%x) { ... }}}
"attn.linear"() <{sym_name = "nothing", argument_names = [], defaults = []}> ({
  %x = arith.constant 0.0 : f32
  attn.yield %x : f32
}) : () -> ()

// -----

attn.linear @memory(%epsilon: f32 = 1.0e-06) feature (%x) {
  // expected-error@+1 {{'memref.alloc' op is not allowed in a feature map; use pure arith and math ops with one scalar result}}
  %m = memref.alloc() : memref<4xf32>
  attn.yield %x : f32
}

// -----

// expected-error@+1 {{'attn.linear' op a feature map has to yield one 'f32'}}
attn.linear @yields(%epsilon: f32 = 1.0e-06) feature (%x) {
  %y = arith.extf %x : f32 to f64
  attn.yield %y : f64
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
!state = tensor<?x?x64x65xf32>
func.func @head_size(%q: !rows, %k: tensor<?x?x?x32xf32>, %v: !rows, %epsilon: f32) {
  // expected-error@+1 {{'attn.linear_attention' op head size of query and key differ: 64 != 32}}
  %o, %lse, %s = attn.linear_attention %q, %k, %v full epsilon(%epsilon) feature (%x) {
    attn.yield %x : f32
  } : !rows, tensor<?x?x?x32xf32>, !rows -> !rows, !lse, !state
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @state_rank(%q: !rows, %k: !rows, %v: !rows, %epsilon: f32, %before: tensor<64x65xf32>) {
  // expected-error@+1 {{'attn.linear_attention' op state has rank 2; it has to be 4: [batch, kv heads, head size, value head size + 1]}}
  %o, %lse, %s = attn.linear_attention %q, %k, %v full epsilon(%epsilon) state(%before : tensor<64x65xf32>) feature (%x) {
    attn.yield %x : f32
  } : !rows, !rows, !rows -> !rows, !lse, tensor<?x?x64x65xf32>
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @next_state_columns(%q: !rows, %k: !rows, %v: !rows, %epsilon: f32) {
  // expected-error@+1 {{'attn.linear_attention' op axis 3 of the next state is 64; value head size + 1 is 65}}
  %o, %lse, %s = attn.linear_attention %q, %k, %v full epsilon(%epsilon) feature (%x) {
    attn.yield %x : f32
  } : !rows, !rows, !rows -> !rows, !lse, tensor<?x?x64x64xf32>
  return
}

// -----

!rows = tensor<?x4x?x64xf32>
!keys = tensor<?x2x?x64xf32>
!lse = tensor<?x4x?xf32>
!state = tensor<?x4x64x65xf32>
func.func @state_heads(%q: !rows, %k: !keys, %v: !keys, %epsilon: f32, %before: !state) {
  // expected-error@+1 {{'attn.linear_attention' op axis 1 of state is 4; kv heads is 2}}
  %o, %lse, %s = attn.linear_attention %q, %k, %v full epsilon(%epsilon) state(%before : !state) feature (%x) {
    attn.yield %x : f32
  } : !rows, !keys, !keys -> !rows, !lse, tensor<?x2x64x65xf32>
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
!state = tensor<?x?x64x65xf32>
func.func @form(%q: !rows, %k: !rows, %v: !rows, %epsilon: f32) {
  // expected-error@+1 {{expected string or keyword containing one of the following enum values for attribute 'form' [full, causal, step]}}
  %o, %lse, %s = attn.linear_attention %q, %k, %v backwards epsilon(%epsilon) feature (%x) {
    attn.yield %x : f32
  } : !rows, !rows, !rows -> !rows, !lse, !state
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
!state = tensor<?x?x64x65xf32>
func.func @calls(%q: !rows, %k: !rows, %v: !rows, %epsilon: f32) {
  %o, %lse, %s = attn.linear_attention %q, %k, %v full epsilon(%epsilon) feature (%x) {
    // expected-error@+1 {{'attn.scale' op is not allowed in a feature map; use pure arith and math ops with one scalar result}}
    %scale = attn.scale
    attn.yield %scale : f32
  } : !rows, !rows, !rows -> !rows, !lse, !state
  return
}
