// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: attn-opt %s --split-input-file --verify-diagnostics --attn-plan --attn-emit-cpu

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
// expected-error@+1 {{kernel 'two' holds 2 plans; a kernel is one attention and its return}}
func.func @two(%q: !rows, %k: !rows, %v: !rows) -> (!rows, !lse) {
  %a, %lse0 = attn.attention %q, %k, %v pattern { %all = attn.full attn.yield %all } : !rows, !rows, !rows -> !rows, !lse
  %b, %lse1 = attn.attention %a, %k, %v pattern { %all = attn.full attn.yield %all } : !rows, !rows, !rows -> !rows, !lse
  return %b, %lse1 : !rows, !lse
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func private @print(!rows)
func.func @other(%q: !rows, %k: !rows, %v: !rows) -> (!rows, !lse) {
  // expected-error@+1 {{'func.call' op cannot be part of kernel 'other'; a kernel is one attention, arithmetic on its arguments, and its return}}
  func.call @print(%q) : (!rows) -> ()
  %o, %lse = attn.attention %q, %k, %v pattern { %all = attn.full attn.yield %all } : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
// expected-error@+1 {{the first arguments of kernel 'order' have to be query, key and value}}
func.func @order(%k: !rows, %q: !rows, %v: !rows) -> (!rows, !lse) {
  %o, %lse = attn.attention %q, %k, %v pattern { %all = attn.full attn.yield %all } : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
// expected-error@+1 {{argument 'argument3' of kernel 'type' has type 'i64'; use index, f32 or run-time data}}
func.func @type(%q: !rows, %k: !rows, %v: !rows, %n: i64) -> (!rows, !lse) {
  %o, %lse = attn.attention %q, %k, %v pattern { %all = attn.full attn.yield %all } : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}

// -----

!rows = tensor<?x?x?x64x!attn.element>
!lse = tensor<?x?x?xf32>
// expected-error@+1 {{kernel 'element' has no element type yet; run attn-specialize first}}
func.func @element(%q: !rows, %k: !rows, %v: !rows) -> (!rows, !lse) {
  %o, %lse = attn.attention %q, %k, %v pattern { %all = attn.full attn.yield %all } : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
// expected-error@+1 {{sub-tiles of kernel 'narrow' have 8 keys; use a multiple of 16}}
func.func @narrow(%q: !rows, %k: !rows, %v: !rows) -> (!rows, !lse) {
  %o, %lse = attn.plan %q, %k, %v tile [64, 64, 8, 8] {
    attn.phase queries(all) {}
  } : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}

// -----

!rows = tensor<?x?x?x64xbf16>
!lse = tensor<?x?x?xf32>
// expected-error@+1 {{sub-tiles of kernel 'unpaired' have 16 keys; use a multiple of 32}}
func.func @unpaired(%q: !rows, %k: !rows, %v: !rows) -> (!rows, !lse) {
  %o, %lse = attn.plan %q, %k, %v tile [64, 64, 8, 16] {
    attn.phase queries(all) {}
  } : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}
