// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Expressions are sums that are merged and ordered when they are read, so that equal ones print alike.
//
// RUN: attn-opt %s | attn-opt | FileCheck %s

// CHECK-LABEL: func.func private @symbols
func.func private @symbols() attributes {
  // CHECK-SAME: a = #attn.expr<i>
  a = #attn.expr<i>,
  // CHECK-SAME: b = #attn.expr<length>
  b = #attn.expr<length>,
  // CHECK-SAME: c = #attn.expr<kv_length>
  c = #attn.expr<kv_length>,
  // CHECK-SAME: d = #attn.expr<query_offset - key_offset>
  d = #attn.expr<query_offset - key_offset>,
  // CHECK-SAME: e = #attn.expr<top_left_offset>
  e = #attn.expr<top_left_offset>,
  // CHECK-SAME: f = #attn.expr<s0 + s11>
  f = #attn.expr<s11 + s0>
}

// CHECK-LABEL: func.func private @sums
func.func private @sums() attributes {
  // CHECK-SAME: a = #attn.expr<7>
  a = #attn.expr<3 + 4>,
  // CHECK-SAME: b = #attn.expr<-3>
  b = #attn.expr<-3>,
  // CHECK-SAME: c = #attn.expr<0>
  c = #attn.expr<i - i>,
  // CHECK-SAME: d = #attn.expr<i - s0 + 1>
  d = #attn.expr<1 + i - s0>,
  // CHECK-SAME: e = #attn.expr<i - s0 + 1>
  e = #attn.expr<-s0 + (i + 1)>,
  // CHECK-SAME: f = #attn.expr<-s0 + 2>
  f = #attn.expr<2 - s0>
}

// CHECK-LABEL: func.func private @products
func.func private @products() attributes {
  // CHECK-SAME: a = #attn.expr<[[THREE:.*i.*]]>, b = #attn.expr<[[THREE]]>
  a = #attn.expr<3 * i>,
  b = #attn.expr<i + i + i>,
  // CHECK-SAME: c = #attn.expr<[[PRODUCT:.*s0.*s1.*]]>, d = #attn.expr<[[PRODUCT]]>
  c = #attn.expr<s0 * s1>,
  d = #attn.expr<(s0 - 0) * (s1)>
}

// CHECK-LABEL: func.func private @functions
func.func private @functions() attributes {
  // CHECK-SAME: a = #attn.expr<floordiv(i, s0)>
  a = #attn.expr<floordiv(i, s0)>,
  // CHECK-SAME: b = #attn.expr<-2>
  b = #attn.expr<floordiv(-3, 2)>,
  // CHECK-SAME: c = #attn.expr<i>
  c = #attn.expr<floordiv(i, 1)>,
  // CHECK-SAME: d = #attn.expr<mod(i + 1, 4)>
  d = #attn.expr<mod(i + 1, 4)>,
  // CHECK-SAME: e = #attn.expr<0>
  e = #attn.expr<mod(i, 1)>,
  // CHECK-SAME: f = #attn.expr<max(0, i - 8)>
  f = #attn.expr<max(0, i - 8)>,
  // CHECK-SAME: g = #attn.expr<min(i, kv_length, s0)>
  g = #attn.expr<min(kv_length, i, s0)>,
  // CHECK-SAME: h = #attn.expr<i>
  h = #attn.expr<min(i)>,
  // CHECK-SAME: k = #attn.expr<4>
  k = #attn.expr<max(1, 4, 3)>
}

// CHECK-LABEL: func.func private @orders
func.func private @orders() attributes {
  // CHECK-SAME: a = #attn.order<all>
  a = #attn.order<all>,
  // CHECK-SAME: b = #attn.order<listed(0)>
  b = #attn.order<listed(0)>,
  // CHECK-SAME: c = #attn.order<sorted(3)>
  c = #attn.order<sorted(3)>
}

// CHECK-LABEL: func.func private @heads
func.func private @heads() attributes {
  // CHECK-SAME: a = #attn.expr<head + s0>
  a = #attn.expr<s0 + head>,
  // CHECK-SAME: b = #attn.expr<heads - 1>
  b = #attn.expr<heads - 1>
}

// CHECK-LABEL: func.func private @requirement
func.func private @requirement() attributes {
  // CHECK-SAME: a = #attn.requirement<"rows of the grid" floordiv(kv_length, s0) at_least "rows of the neighborhood" s1>
  a = #attn.requirement<"rows of the grid" floordiv(kv_length, s0) at_least "rows of the neighborhood" s1>
}
