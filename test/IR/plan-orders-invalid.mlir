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
func.func @when_of_a_row(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    // expected-error@+1 {{'attn.phase' op when depends on a row; use symbols of the call only}}
    attn.phase queries(all) when(i - 5) {
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @when_of_a_head(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    // expected-error@+1 {{'attn.phase' op when depends on a head; use symbols of the call only}}
    attn.phase queries(all) when(head - 5) {
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @when_of_data(%q: !rows, %sizes: !attn.per_head) {
  attn.plan %q, %q, %q symbols(%sizes : !attn.per_head) tile [64, 64, 8, 32] {
    // expected-error@+1 {{'attn.phase' op when depends on run-time data; use symbols of type index only}}
    attn.phase queries(all) when(s0 - 5) {
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @when_of_a_symbol(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    // expected-error@+1 {{'attn.phase' op names the symbol s0, but the plan has 0 symbols}}
    attn.phase queries(all) when(s0 - 5) {
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @remainders_of_other_boxes(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    attn.phase queries(all) {
      // expected-error@+1 {{'attn.box' op leaves out order remainders; a box leaves out listed keys only}}
      attn.box keys(all) rows [0, kv_length) columns [0, length) except(remainders(8, 0, 0, 2))
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @unknown_keys_of_other_boxes(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    attn.phase queries(all) {
      // expected-error@+1 {{'attn.box' op order of table 0, but the plan has 0 tables}}
      attn.box keys(all) rows [0, kv_length) columns [0, length) except(listed(0))
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

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @class_in_part(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    attn.phase queries(classes(8)) {
      // expected-error@+1 {{'attn.box' op class is there in part; it takes all of its parts}}
      "attn.box"() <{keys = #attn.order<classes(8)>, key_class = #attn.expr<i>, lower = #attn.expr<0>, upper = #attn.expr<kv_length>, query_lower = #attn.expr<0>, query_upper = #attn.expr<length>}> ({
      }) : () -> ()
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @blocks_in_part(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    attn.phase queries(blocks(8, 0)) {
      // expected-error@+1 {{'attn.box' op blocks is there in part; it takes all of its parts}}
      "attn.box"() <{keys = #attn.order<all>, block_table = 0 : i64, lower = #attn.expr<0>, upper = #attn.expr<kv_length>, query_lower = #attn.expr<0>, query_upper = #attn.expr<length>}> ({
      }) : () -> ()
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @columns_of_in_part(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    attn.phase queries(patches(8, 8, 8)) {
      // expected-error@+1 {{'attn.box' op columns_of is there in part; it takes all of its parts}}
      "attn.box"() <{keys = #attn.order<all>, column_width = #attn.expr<8>, lower = #attn.expr<0>, upper = #attn.expr<kv_length>, query_lower = #attn.expr<0>, query_upper = #attn.expr<length>}> ({
      }) : () -> ()
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @without_in_part(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    attn.phase queries(all) {
      // expected-error@+1 {{'attn.box' op without is there in part; it takes all of its parts}}
      "attn.box"() <{keys = #attn.order<all>, hole_lower = #attn.expr<i>, lower = #attn.expr<0>, upper = #attn.expr<kv_length>, query_lower = #attn.expr<0>, query_upper = #attn.expr<length>}> ({
      }) : () -> ()
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @modulus_of_none(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    // expected-error@+1 {{'attn.phase' op order classes counts modulo 0; use a positive number}}
    attn.phase queries(classes(0)) {
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @blocks_of_no_table(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    attn.phase queries(blocks(8, query_offset)) {
      // expected-error@+1 {{'attn.box' op blocks of table 0, which is no !attn.blocks of the plan's 0 tables}}
      attn.box keys(all) blocks(0, 8) rows [0, kv_length) columns [0, length)
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @columns_of_rows(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    attn.phase queries(all) {
      // expected-error@+1 {{'attn.box' op columns_of needs queries in patches of a grid of the same width}}
      attn.box keys(all) columns_of(8, 0) [0, 4) rows [0, kv_length) columns [0, length)
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @blocks_of_rows(%q: !rows, %drawn: !attn.blocks) {
  attn.plan %q, %q, %q tables(%drawn : !attn.blocks) tile [64, 64, 8, 32] {
    attn.phase queries(all) {
      // expected-error@+1 {{'attn.box' op blocks needs queries in blocks of the same size}}
      attn.box keys(all) blocks(0, 8) rows [0, kv_length) columns [0, length)
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}
