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
}, {}) : () -> ()

// -----

// expected-error@+1 {{'attn.score' op a score region takes arguments of types 'f32', 'index', 'index', 'index', 'index', not 'f32', 'index', 'index'}}
"attn.score"() <{sym_name = "arguments", argument_names = [], defaults = []}> ({
^bb0(%s: f32, %b: index, %h: index):
  attn.yield %s : f32
}, {}) : () -> ()

// -----

attn.score @memory() (%s, %b, %h, %i, %j) {
  // expected-error@+1 {{'memref.alloc' op is not allowed in a score region; use pure arith and math ops with one scalar result, attn.load, attn.extent, attn.of_head, attn.of_batch, attn.scale, attn.query_dot, attn.row_dot, attn.key_dot, attn.mixed_dot}}
  %m = memref.alloc() : memref<4xf32>
  attn.yield %s : f32
}

// -----

// expected-error@+1 {{'attn.score' op a score region has to yield one 'f32'}}
attn.score @yields() (%s, %b, %h, %i, %j) {
  attn.yield %i : index
}

// -----

// expected-error@+3 {{region takes 3 arguments, not 2}}
attn.score @sink_syntax() (%s, %b, %h, %i, %j) {
  attn.yield %s : f32
} sink (%b, %h) {
  %logit = arith.constant 0.0 : f32
  attn.yield %logit : f32
}

// -----

// expected-error@+1 {{'attn.score' op a sink region takes arguments of types 'index', 'index', 'index', not 'index', 'index'}}
"attn.score"() <{sym_name = "sink_arguments", argument_names = [], defaults = []}> ({
^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
  attn.yield %s : f32
}, {
^bb0(%b: index, %h: index):
  %logit = arith.constant 0.0 : f32
  attn.yield %logit : f32
}) : () -> ()

// -----

// expected-error@+1 {{'attn.score' op parameter 0 of the sink region has type 'index'; it has to be the score region's, 'f32'}}
"attn.score"() <{sym_name = "sink_parameters", argument_names = ["cap"], defaults = [1.0 : f32]}> ({
^bb0(%cap: f32, %s: f32, %b: index, %h: index, %i: index, %j: index):
  attn.yield %s : f32
}, {
^bb0(%cap: index, %b: index, %h: index, %i: index):
  %logit = arith.constant 0.0 : f32
  attn.yield %logit : f32
}) : () -> ()

// -----

attn.score @sink_of_keys(%array: !attn.array<[head_size]>) (%s, %b, %h, %i, %j) {
  attn.yield %s : f32
} sink (%b, %h, %i) {
  // expected-error@+1 {{'attn.key_dot' op is not allowed in a sink region; use pure arith and math ops with one scalar result, attn.load, attn.extent, attn.of_head, attn.of_batch, attn.scale, attn.query_dot, attn.row_dot}}
  %logit = attn.key_dot %array[] : !attn.array<[head_size]>
  attn.yield %logit : f32
}

// -----

attn.score @sink_of_pairs(%array: !attn.array<[heads, heads]>) (%s, %b, %h, %i, %j) {
  attn.yield %s : f32
} sink (%b, %h, %i) {
  // expected-error@+1 {{'attn.mixed_dot' op is not allowed in a sink region}}
  %logit = attn.mixed_dot %array[%h] : !attn.array<[heads, heads]>
  attn.yield %logit : f32
}

// -----

// expected-error@+1 {{'attn.score' op a sink region has to yield one 'f32'}}
attn.score @sink_yields() (%s, %b, %h, %i, %j) {
  attn.yield %s : f32
} sink (%b, %h, %i) {
  attn.yield %i : index
}

// -----

attn.score @load_rank(%array: !attn.array<[heads, 32]>) (%s, %b, %h, %i, %j) {
  // expected-error@+1 {{'attn.load' op has 1 indices for its array of rank 2; it takes 2}}
  %entry = attn.load %array[%h] : !attn.array<[heads, 32]>
  attn.yield %entry : f32
}

// -----

attn.score @dot_rank(%array: !attn.array<[heads, head_size]>) (%s, %b, %h, %i, %j) {
  // expected-error@+1 {{'attn.query_dot' op has 2 indices for its array of rank 2; it takes 1}}
  %term = attn.query_dot %array[%h, %i] : !attn.array<[heads, head_size]>
  attn.yield %term : f32
}

// -----

attn.score @query_dot_extent(%array: !attn.array<[heads, 64]>) (%s, %b, %h, %i, %j) {
  // expected-error@+1 {{'attn.query_dot' op sums over the last extent of its array, which is 64; it has to be head_size}}
  %term = attn.query_dot %array[%h] : !attn.array<[heads, 64]>
  attn.yield %term : f32
}

// -----

attn.score @key_dot_extent(%array: !attn.array<[heads, ?]>) (%s, %b, %h, %i, %j) {
  // expected-error@+1 {{'attn.key_dot' op sums over the last extent of its array, which is ?; it has to be head_size}}
  %term = attn.key_dot %array[%h] : !attn.array<[heads, ?]>
  attn.yield %term : f32
}

// -----

attn.score @mixed_dot_extent(%array: !attn.array<[heads, head_size]>) (%s, %b, %h, %i, %j) {
  // expected-error@+1 {{'attn.mixed_dot' op sums over the last extent of its array, which is head_size; it has to be heads}}
  %term = attn.mixed_dot %array[%h] : !attn.array<[heads, head_size]>
  attn.yield %term : f32
}

// -----

attn.score @row_dot_left(%u: !attn.array<[heads]>, %v: !attn.array<[head_size]>) (%s, %b, %h, %i, %j) {
  // expected-error@+1 {{'attn.row_dot' op sums over the last extent of its left array, which is heads; it has to be head_size}}
  %term = attn.row_dot %u[], %v[] : !attn.array<[heads]>, !attn.array<[head_size]>
  attn.yield %term : f32
}

// -----

attn.score @row_dot_right(%u: !attn.array<[head_size]>, %v: !attn.array<[heads, head_size]>) (%s, %b, %h, %i, %j) {
  // expected-error@+1 {{'attn.row_dot' op has 0 indices for its right array of rank 2; it takes 1}}
  %term = attn.row_dot %u[], %v[] : !attn.array<[head_size]>, !attn.array<[heads, head_size]>
  attn.yield %term : f32
}

// -----

func.func @computed_array(%q: tensor<?x?x?x64xf32>, %a: !attn.array<[heads]>, %c: !attn.array<[heads]>, %which: i1) {
  %array = arith.select %which, %a, %c : !attn.array<[heads]>
  attn.attention %q, %q, %q pattern { %all = attn.full attn.yield %all } score (%s, %b, %h, %i, %j) {
    // expected-error@+1 {{'attn.load' op reads an array that is computed; use an argument of the kernel}}
    %entry = attn.load %array[%h] : !attn.array<[heads]>
    attn.yield %entry : f32
  } : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32> -> tensor<?x?x?x64xf32>, tensor<?x?x?xf32>
  return
}
