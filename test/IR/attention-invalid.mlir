// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: attn-opt %s --split-input-file --verify-diagnostics

!lse = tensor<?x?x?xf32>
func.func @rank(%q: tensor<?x?x64xf32>, %k: tensor<?x?x?x64xf32>) {
  // expected-error@+1 {{'attn.attention' op query has rank 3; it has to be 4: [batch, heads, rows, columns]}}
  attn.attention %q, %k, %k pattern { %all = attn.full attn.yield %all }
    : tensor<?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32> -> tensor<?x?x?x64xf32>, !lse
  return
}

// -----

!lse = tensor<?x?x?xf32>
func.func @element(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xbf16>) {
  // expected-error@+1 {{'attn.attention' op element types of query and key differ: 'f32' != 'bf16'}}
  attn.attention %q, %k, %k pattern { %all = attn.full attn.yield %all }
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xbf16>, tensor<?x?x?x64xbf16> -> tensor<?x?x?x64xf32>, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
func.func @lse_rank(%q: !rows) {
  // expected-error@+1 {{'attn.attention' op lse has rank 4; it has to be 3: [batch, heads, rows]}}
  attn.attention %q, %q, %q pattern { %all = attn.full attn.yield %all }
    : !rows, !rows, !rows -> !rows, tensor<?x?x?x?xf32>
  return
}

// -----

!lse = tensor<?x?x?xf32>
func.func @key_batch(%q: tensor<1x?x?x64xf32>, %k: tensor<2x?x?x64xf32>) {
  // expected-error@+1 {{'attn.attention' op batch of query and key differ: 1 != 2}}
  attn.attention %q, %k, %k pattern { %all = attn.full attn.yield %all }
    : tensor<1x?x?x64xf32>, tensor<2x?x?x64xf32>, tensor<2x?x?x64xf32> -> tensor<1x?x?x64xf32>, !lse
  return
}

// -----

!lse = tensor<?x?x?xf32>
func.func @value_batch(%q: tensor<1x?x?x64xf32>, %v: tensor<2x?x?x64xf32>) {
  // expected-error@+1 {{'attn.attention' op batch of query and value differ: 1 != 2}}
  attn.attention %q, %q, %v pattern { %all = attn.full attn.yield %all }
    : tensor<1x?x?x64xf32>, tensor<1x?x?x64xf32>, tensor<2x?x?x64xf32> -> tensor<1x?x?x64xf32>, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @kv_heads(%q: !rows, %k: tensor<?x2x?x64xf32>, %v: tensor<?x4x?x64xf32>) {
  // expected-error@+1 {{'attn.attention' op kv heads of key and value differ: 2 != 4}}
  attn.attention %q, %k, %v pattern { %all = attn.full attn.yield %all }
    : !rows, tensor<?x2x?x64xf32>, tensor<?x4x?x64xf32> -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @kv_length(%q: !rows, %k: tensor<?x?x8x64xf32>, %v: tensor<?x?x9x64xf32>) {
  // expected-error@+1 {{'attn.attention' op kv length of key and value differ: 8 != 9}}
  attn.attention %q, %k, %v pattern { %all = attn.full attn.yield %all }
    : !rows, tensor<?x?x8x64xf32>, tensor<?x?x9x64xf32> -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @head_size(%q: !rows, %k: tensor<?x?x?x32xf32>) {
  // expected-error@+1 {{'attn.attention' op head size of query and key differ: 64 != 32}}
  attn.attention %q, %k, %q pattern { %all = attn.full attn.yield %all }
    : !rows, tensor<?x?x?x32xf32>, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @value_head_size(%q: !rows) {
  // expected-error@+1 {{'attn.attention' op value head size of value and output differ: 64 != 32}}
  attn.attention %q, %q, %q pattern { %all = attn.full attn.yield %all }
    : !rows, !rows, !rows -> tensor<?x?x?x32xf32>, !lse
  return
}

// -----

!lse = tensor<?x?x?xf32>
func.func @heads(%q: tensor<?x4x?x64xf32>) {
  // expected-error@+1 {{'attn.attention' op heads of query and output differ: 4 != 8}}
  attn.attention %q, %q, %q pattern { %all = attn.full attn.yield %all }
    : tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32> -> tensor<?x8x?x64xf32>, !lse
  return
}

// -----

!lse = tensor<?x?x?xf32>
func.func @length(%q: tensor<?x?x16x64xf32>) {
  // expected-error@+1 {{'attn.attention' op length of query and output differ: 16 != 17}}
  attn.attention %q, %q, %q pattern { %all = attn.full attn.yield %all }
    : tensor<?x?x16x64xf32>, tensor<?x?x16x64xf32>, tensor<?x?x16x64xf32> -> tensor<?x?x17x64xf32>, !lse
  return
}

// -----

!rows = tensor<?x?x16x64xf32>
func.func @lse_length(%q: !rows) {
  // expected-error@+1 {{'attn.attention' op length of query and lse differ: 16 != 17}}
  attn.attention %q, %q, %q pattern { %all = attn.full attn.yield %all }
    : !rows, !rows, !rows -> !rows, tensor<?x?x17xf32>
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
func.func @output_batch(%q: tensor<1x?x?x64xf32>) {
  // expected-error@+1 {{'attn.attention' op batch of query and output differ: 1 != 2}}
  attn.attention %q, %q, %q pattern { %all = attn.full attn.yield %all }
    : tensor<1x?x?x64xf32>, tensor<1x?x?x64xf32>, tensor<1x?x?x64xf32> -> tensor<2x?x?x64xf32>, tensor<?x?x?xf32>
  return
}

// -----

!rows = tensor<?x4x?x64xf32>
func.func @lse_heads(%q: !rows) {
  // expected-error@+1 {{'attn.attention' op heads of query and lse differ: 4 != 8}}
  attn.attention %q, %q, %q pattern { %all = attn.full attn.yield %all }
    : !rows, !rows, !rows -> !rows, tensor<?x8x?xf32>
  return
}

// -----

!lse = tensor<?x?x?xf32>
func.func @grouped_heads(%q: tensor<?x4x?x64xf32>, %k: tensor<?x3x?x64xf32>) {
  // expected-error@+1 {{'attn.attention' op 3 kv heads do not divide 4 heads}}
  attn.attention %q, %k, %k pattern { %all = attn.full attn.yield %all }
    : tensor<?x4x?x64xf32>, tensor<?x3x?x64xf32>, tensor<?x3x?x64xf32> -> tensor<?x4x?x64xf32>, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @no_pattern(%q: !rows) {
  // expected-error@+1 {{'attn.attention' op needs a pattern: a symbol or a region, and not both}}
  "attn.attention"(%q, %q, %q) <{operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>}> ({
  }, {
  }, {
  }) : (!rows, !rows, !rows) -> (!rows, !lse)
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @pairs_yield(%q: !rows, %p: !attn.pattern) {
  // expected-error@+1 {{'attn.attention' op the pattern region has to yield one !attn.pattern}}
  attn.attention %q, %q, %q pattern { attn.yield %p, %p } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @score_yield(%q: !rows) {
  // expected-error@+1 {{'attn.attention' op a score region has to yield one 'f32'}}
  attn.attention %q, %q, %q pattern { %all = attn.full attn.yield %all } score (%s, %b, %h, %i, %j) {
    attn.yield %i : index
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @unknown_pattern(%q: !rows) {
  // expected-error@+1 {{'attn.attention' op unknown pattern '@near'; define it with attn.pattern in this file}}
  attn.attention %q, %q, %q pattern(@near) : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
attn.pattern @near(%left: index = 8) {
  %near = attn.window left(%left)
  attn.yield %near
}
func.func @argument_count(%q: !rows, %n: index) {
  // expected-error@+1 {{'attn.attention' op pattern '@near' takes 1 arguments, not 2}}
  attn.attention %q, %q, %q pattern(@near(%n, %n : index, index)) : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
attn.pattern @hub(%tokens: !attn.tokens) {
  %hub = attn.global %tokens
  attn.yield %hub
}
func.func @argument_type(%q: !rows, %n: index) {
  // expected-error@+1 {{'attn.attention' op argument 0 of pattern '@hub' has type 'index'; it has to be '!attn.tokens'}}
  attn.attention %q, %q, %q pattern(@hub(%n : index)) : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @sink_yield(%q: !rows) {
  // expected-error@+1 {{'attn.attention' op a sink region has to yield one 'f32'}}
  attn.attention %q, %q, %q pattern { %all = attn.full attn.yield %all } sink (%b, %h, %i) {
    attn.yield %i : index
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @score_read(%q: !rows, %bias: !attn.array<[32]>) {
  attn.attention %q, %q, %q pattern { %all = attn.full attn.yield %all } score (%s, %b, %h, %i, %j) {
    // expected-error@+1 {{'attn.load' op extent 0 of the array is 32, and index 0 has no upper bound; bound it with minsi, or write clamped}}
    %entry = attn.load %bias[%j] : !attn.array<[32]>
    attn.yield %entry : f32
  } : !rows, !rows, !rows -> !rows, !lse
  return
}
