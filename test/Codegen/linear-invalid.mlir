// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: attn-opt %s --split-input-file --verify-diagnostics --attn-emit-gpu

!rows = tensor<?x?x?x64x!attn.element>
!lse = tensor<?x?x?xf32>
!state = tensor<?x?x64x65xf32>
// expected-error@+1 {{kernel 'element' has no element type; run attn-specialize first}}
func.func @element(%q: !rows, %k: !rows, %v: !rows, %epsilon: f32) -> (!rows, !lse) {
  %o, %lse, %s = attn.linear_attention %q, %k, %v full epsilon(%epsilon) feature (%x) {
    attn.yield %x : f32
  } : !rows, !rows, !rows -> !rows, !lse, !state
  return %o, %lse : !rows, !lse
}

// -----

!rows = tensor<?x?x?x257xbf16>
!values = tensor<?x?x?x64xbf16>
!lse = tensor<?x?x?xf32>
!state = tensor<?x?x257x65xf32>
// expected-error@+1 {{kernel 'head_size' has head size 257; sm_90a kernels are written for 1 to 256}}
func.func @head_size(%q: !rows, %k: !rows, %v: !values, %epsilon: f32) -> (!values, !lse) {
  %o, %lse, %s = attn.linear_attention %q, %k, %v causal epsilon(%epsilon) feature (%x) {
    attn.yield %x : f32
  } : !rows, !rows, !values -> !values, !lse, !state
  return %o, %lse : !values, !lse
}
