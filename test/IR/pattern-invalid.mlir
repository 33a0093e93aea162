// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: attn-opt %s --split-input-file --verify-diagnostics

// expected-error@+1 {{'attn.pattern' op parameter 'count' has type 'i32'; use index, f32, !attn.tokens, !attn.segments, !attn.lengths, !attn.per_head, !attn.blocks or !attn.array}}
attn.pattern @type(%count: i32 = 4) {
  %all = attn.full
  attn.yield %all
}

// -----

// expected-error@+1 {{'attn.pattern' op parameter 'left' has no default; write one, as in %left: 'index' = 1}}
attn.pattern @index_default(%left: index) {
  %near = attn.window left(%left)
  attn.yield %near
}

// -----

// expected-error@+1 {{'attn.pattern' op parameter 'slope' has no default; write one, as in %slope: 'f32' = 1.0}}
attn.pattern @number_default(%slope: f32) {
  %all = attn.full
  attn.yield %all
}

// -----

// expected-error@+1 {{'attn.pattern' op default of parameter 'left' is "wide" : index; it has to be a whole number}}
attn.pattern @index_kind(%left: index = "wide") {
  %near = attn.window left(%left)
  attn.yield %near
}

// -----

// expected-error@+1 {{'attn.pattern' op default of parameter 'slope' is "steep" : f32; it has to be a number}}
attn.pattern @number_kind(%slope: f32 = "steep") {
  %all = attn.full
  attn.yield %all
}

// -----

// expected-error@+1 {{'attn.pattern' op default of parameter 'global' is 0 : i32; it has to be a list of integers}}
"attn.pattern"() <{sym_name = "data_kind", argument_names = ["global"], defaults = [0 : i32]}> ({
^bb0(%global: !attn.tokens):
  %hub = attn.global %global
  attn.yield %hub
}) : () -> ()

// -----

// expected-error@+1 {{the default of run-time data is a list of integers, as in [0, 1]}}
attn.pattern @list(%global: !attn.tokens = 0) {
  %hub = attn.global %global
  attn.yield %hub
}

// -----

// expected-error@+1 {{'attn.pattern' op parameter 'ids' of type '!attn.segments' has a default; leave it out, the caller provides such data}}
attn.pattern @segments_default(%ids: !attn.segments = [0, 0, 1]) {
  %own = attn.segments %ids
  attn.yield %own
}

// -----

// expected-error@+1 {{'attn.pattern' op parameter 'random' of type '!attn.blocks' has a default; leave it out, the caller provides such data}}
attn.pattern @blocks_default(%random: !attn.blocks = [0]) {
  %drawn = attn.block_table %random block(4)
  attn.yield %drawn
}

// -----

// expected-error@+1 {{'attn.pattern' op parameter 'bias' of type '!attn.array<[4]>' has a default; leave it out, the caller provides such data}}
attn.pattern @array_default(%bias: !attn.array<[4]> = [0, 1, 2, 3]) {
  %all = attn.full
  attn.yield %all
}

// -----

// expected-error@+1 {{'attn.pattern' op default of parameter 'left' is empty; write one number for all heads, or one for each of them}}
attn.pattern @per_head_default(%left: !attn.per_head = []) {
  %own = attn.of_head %left
  %near = attn.window left(%own)
  attn.yield %near
}

// -----

// expected-error@+1 {{'attn.pattern' op has 1 parameters, but 0 names and 0 defaults}}
"attn.pattern"() <{sym_name = "names", argument_names = [], defaults = []}> ({
^bb0(%global: !attn.tokens):
  %hub = attn.global %global
  attn.yield %hub
}) : () -> ()

// -----

// expected-error@+1 {{'attn.pattern' op has to yield one !attn.pattern}}
attn.pattern @yields_nothing() {
  attn.yield
}

// -----

// expected-error@+1 {{'attn.pattern' op has to yield one !attn.pattern}}
attn.pattern @yields_other(%left: index = 1) {
  attn.yield %left : index
}

// -----

attn.pattern @no_union_members() {
  // expected-error@+1 {{'attn.union' op has no members; name at least one pattern}}
  %pairs = "attn.union"() : () -> !attn.pattern
  attn.yield %pairs
}

// -----

attn.pattern @no_intersect_members() {
  // expected-error@+1 {{'attn.intersect' op has no members; name at least one pattern}}
  %pairs = "attn.intersect"() : () -> !attn.pattern
  attn.yield %pairs
}

// -----

attn.pattern @where_syntax() {
  // expected-error@+1 {{region takes 4 arguments, not 2}}
  %some = attn.where (%i, %j) {
    %is = arith.cmpi eq, %i, %j : index
    attn.yield %is : i1
  }
  attn.yield %some
}

// -----

attn.pattern @where_arguments() {
  // expected-error@+1 {{'attn.where' op a where region takes arguments of types 'index', 'index', 'index', 'index', not 'index', 'index'}}
  %some = "attn.where"() ({
  ^bb0(%i: index, %j: index):
    %is = arith.cmpi eq, %i, %j : index
    attn.yield %is : i1
  }) : () -> !attn.pattern
  attn.yield %some
}

// -----

attn.pattern @where_calls() {
  %some = attn.where (%b, %h, %i, %j) {
    // expected-error@+1 {{'func.call' op is not allowed in a where region; use pure arith and math ops with one scalar result, attn.load, attn.extent, attn.of_head, attn.of_batch}}
    %is = func.call @predicate(%i) : (index) -> i1
    attn.yield %is : i1
  }
  attn.yield %some
}

// -----

attn.pattern @where_vectors() {
  %some = attn.where (%b, %h, %i, %j) {
    // expected-error@+1 {{'arith.constant' op is not allowed in a where region; use pure arith and math ops with one scalar result, attn.load, attn.extent, attn.of_head, attn.of_batch}}
    %zeros = arith.constant dense<0.0> : vector<4xf32>
    %is = arith.cmpi eq, %i, %j : index
    attn.yield %is : i1
  }
  attn.yield %some
}

// -----

attn.pattern @where_two_results() {
  %some = attn.where (%b, %h, %i, %j) {
    // expected-error@+1 {{'arith.addui_extended' op is not allowed in a where region; use pure arith and math ops with one scalar result, attn.load, attn.extent, attn.of_head, attn.of_batch}}
    %sum, %is = arith.addui_extended %i, %j : index, i1
    attn.yield %is : i1
  }
  attn.yield %some
}

// -----

attn.pattern @where_yields() {
  // expected-error@+1 {{'attn.where' op a where region has to yield one 'i1'}}
  %some = attn.where (%b, %h, %i, %j) {
    attn.yield %i : index
  }
  attn.yield %some
}

// -----

attn.pattern @where_dot(%array: !attn.array<[head_size]>) {
  %some = attn.where (%b, %h, %i, %j) {
    // expected-error@+1 {{'attn.query_dot' op is not allowed in a where region; use pure arith and math ops with one scalar result, attn.load}}
    %dot = attn.query_dot %array[] : !attn.array<[head_size]>
    %is = arith.cmpi eq, %i, %j : index
    attn.yield %is : i1
  }
  attn.yield %some
}

// -----

attn.pattern @where_reads(%array: !attn.array<[8]>) {
  %some = attn.where (%b, %h, %i, %j) {
    // expected-error@+1 {{'attn.load' op extent 0 of the array is 8, and index 0 has no upper bound; bound it with minsi, or write clamped}}
    %entry = attn.load %array[%j] : !attn.array<[8]>
    %is = arith.cmpi eq, %i, %j : index
    attn.yield %is : i1
  }
  attn.yield %some
}

// -----

func.func @computed_of_head(%a: !attn.per_head, %b: !attn.per_head, %which: i1) {
  %numbers = arith.select %which, %a, %b : !attn.per_head
  // expected-error@+1 {{'attn.of_head' op reads run-time data that are computed; use an argument of the kernel}}
  %left = attn.of_head %numbers
  return
}

// -----

func.func @computed_of_batch(%a: !attn.lengths, %b: !attn.lengths, %which: i1) {
  %numbers = arith.select %which, %a, %b : !attn.lengths
  // expected-error@+1 {{'attn.of_batch' op reads run-time data that are computed; use an argument of the kernel}}
  %prefix = attn.of_batch %numbers
  return
}

// -----

attn.pattern @large_product(%size: index = 1) {
  %c = arith.constant 4611686018427387904 : index
  // expected-error@+1 {{'arith.muli' op leaves 64 bits, however small the pattern's parameters are; write smaller numbers}}
  %left = arith.muli %size, %c : index
  %pairs = attn.window left(%left)
  attn.yield %pairs
}
