// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: attn-opt %s --split-input-file --verify-diagnostics --attn-emit-gpu

!rows = tensor<?x?x?x64xbf16>
!lse = tensor<?x?x?xf32>
!state = tensor<?x?x64x65xf32>
// expected-error@+1 {{kernel 'linear' is linear attention, which sm_90a kernels are not written for; use the CPU}}
func.func @linear(%q: !rows, %k: !rows, %v: !rows, %epsilon: f32) -> (!rows, !lse) {
  %o, %lse, %s = attn.linear_attention %q, %k, %v full epsilon(%epsilon) feature (%x) {
    attn.yield %x : f32
  } : !rows, !rows, !rows -> !rows, !lse, !state
  return %o, %lse : !rows, !lse
}
