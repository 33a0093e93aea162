// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: attn-opt %s --split-input-file --verify-diagnostics

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @order_of_a_row(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    // expected-error@+1 {{'attn.phase' op order classes depends on a row; use symbols only}}
    attn.phase queries(classes(i + 1)) {
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @remainders_of_a_row(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    attn.phase queries(all) {
      // expected-error@+1 {{'attn.box' op order remainders depends on a row; use symbols only}}
      attn.box keys(remainders(8, 0, mod(i, 8), 8)) rows [0, kv_length) columns [0, length)
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @except_of_a_row(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    // expected-error@+1 {{'attn.phase' op order remainders depends on a row; use symbols only}}
    attn.phase queries(all) except(remainders(8, i, 0, 1)) {
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @order_of_a_symbol(%q: !rows, %stride: index) {
  attn.plan %q, %q, %q symbols(%stride : index) tile [64, 64, 8, 32] {
    // expected-error@+1 {{'attn.phase' op names the symbol s2, but the plan has 1 symbols}}
    attn.phase queries(remainders(s0, 0, 0, s2)) {
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @unknown_order(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    // expected-error@+1 {{unknown order 'every'; known are all, listed, sorted, classes, remainders, blocks and patches}}
    attn.phase queries(every(4)) {
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @nothing_to_continue(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    // expected-error@+1 {{'attn.phase' op continues, but there is no phase before it}}
    attn.phase queries(all) continues {
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @classes_without_class(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    attn.phase queries(classes(4)) {
      // expected-error@+1 {{'attn.box' op needs to say which class of keys a class of queries looks at: class (...)}}
      attn.box keys(classes(4)) rows [0, kv_length) columns [0, length)
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @class_without_classes(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    attn.phase queries(all) {
      // expected-error@+1 {{'attn.box' op class needs queries and keys in classes of the same modulus}}
      attn.box keys(all) class (mod(i, 4), mod(i, 4)) rows [0, kv_length) columns [0, length)
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @classes_of_two_moduli(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    attn.phase queries(classes(4)) {
      // expected-error@+1 {{'attn.box' op class needs queries and keys in classes of the same modulus}}
      attn.box keys(classes(5)) class (mod(i, 4), mod(i, 4)) rows [0, kv_length) columns [0, length)
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @class_of_a_symbol(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    attn.phase queries(classes(4)) {
      // expected-error@+1 {{'attn.box' op names the symbol s0, but the plan has 0 symbols}}
      attn.box keys(classes(4)) class (mod(i, 4), mod(i + s0, 4)) rows [0, kv_length) columns [0, length)
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @hole_of_a_symbol(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    attn.phase queries(all) {
      // expected-error@+1 {{'attn.box' op names the symbol s0, but the plan has 0 symbols}}
      attn.box keys(all) rows [0, kv_length) columns [0, length) without rows [i, i + 1) columns [i, i + s0)
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}
