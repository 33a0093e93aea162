// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: attn-opt %s --split-input-file --verify-diagnostics

func.func private @name() attributes {
  // expected-error@+1 {{unknown name 'x' in an expression; known are i, length, kv_length, query_offset, key_offset, top_left_offset, heads, head, s0, s1, ...}}
  a = #attn.expr<x + 1>
}

// -----

func.func private @one_argument() attributes {
  // expected-error@+1 {{'floordiv' takes two arguments, not 1}}
  a = #attn.expr<floordiv(i)>
}

// -----

func.func private @no_argument() attributes {
  // expected-error@+1 {{'max' takes at least one argument, not 0}}
  a = #attn.expr<max()>
}

// -----

func.func private @zero() attributes {
  // expected-error@+1 {{'mod' by 0; divide by a positive number}}
  a = #attn.expr<mod(i, 0)>
}

// -----

func.func private @order() attributes {
  // expected-error@+1 {{unknown order 'strided'; known are all, listed, sorted, classes, remainders, blocks and patches}}
  a = #attn.order<strided(1)>
}
