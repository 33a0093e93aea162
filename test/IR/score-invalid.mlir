// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: attn-opt %s --split-input-file --verify-diagnostics

// expected-error@+1 {{region takes 5 arguments, not 1}}
attn.score @syntax() (%s) {
  attn.yield %s : f32
}

// -----

// expected-error@+1 {{'attn.score' op parameter 'cap' has no default; write one, as in %cap: 'f32' = 1.0}}
attn.score @default(%cap: f32) (%s, %b, %h, %i, %j) {
  attn.yield %s : f32
}

// -----

// expected-error@+1 {{'attn.score' op has 1 parameters, but 0 names and 0 defaults}}
"attn.score"() <{sym_name = "names", argument_names = [], defaults = []}> ({
^bb0(%cap: f32, %s: f32, %b: index, %h: index, %i: index, %j: index):
  attn.yield %s : f32
}) : () -> ()

// -----

// expected-error@+1 {{'attn.score' op a score region takes arguments of types 'f32', 'index', 'index', 'index', 'index', not 'f32', 'index', 'index'}}
"attn.score"() <{sym_name = "arguments", argument_names = [], defaults = []}> ({
^bb0(%s: f32, %b: index, %h: index):
  attn.yield %s : f32
}) : () -> ()

// -----

attn.score @memory() (%s, %b, %h, %i, %j) {
  // expected-error@+1 {{'memref.alloc' op is not allowed in a score region; use pure arith and math ops with one scalar result}}
  %m = memref.alloc() : memref<4xf32>
  attn.yield %s : f32
}

// -----

// expected-error@+1 {{'attn.score' op a score region has to yield one 'f32'}}
attn.score @yields() (%s, %b, %h, %i, %j) {
  attn.yield %i : index
}
