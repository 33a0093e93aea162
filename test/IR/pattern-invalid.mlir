// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: attn-opt %s --split-input-file --verify-diagnostics

// expected-error@+1 {{'attn.pattern' op parameter 'count' has type 'i32'; use index, f32, !attn.tokens, !attn.segments or !attn.lengths}}
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

attn.pattern @window_left() {
  // expected-error@+1 {{'attn.window' op left is -1; it has to be at least 0}}
  %near = attn.window left(-1)
  attn.yield %near
}

// -----

attn.pattern @window_right() {
  %c = arith.constant -3 : index
  // expected-error@+1 {{'attn.window' op right is -3; it has to be at least 0}}
  %near = attn.window left(2) right(%c)
  attn.yield %near
}

// -----

attn.pattern @window_twice(%left: index = 1) {
  // expected-error@+1 {{'attn.window' op left is given twice, as a value and as 4}}
  %near = "attn.window"(%left) <{static_left = 4 : index, operandSegmentSizes = array<i32: 1, 0>}> : (index) -> !attn.pattern
  attn.yield %near
}

// -----

attn.pattern @block() {
  // expected-error@+1 {{'attn.block_local' op block is 0; it has to be at least 1}}
  %own = attn.block_local 0
  attn.yield %own
}

// -----

attn.pattern @no_block() {
  // expected-error@+1 {{'attn.block_local' op needs a block size}}
  %own = "attn.block_local"() : () -> !attn.pattern
  attn.yield %own
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
    // expected-error@+1 {{'func.call' op is not allowed in a where region; use pure arith and math ops with one scalar result}}
    %is = func.call @predicate(%i) : (index) -> i1
    attn.yield %is : i1
  }
  attn.yield %some
}

// -----

attn.pattern @where_vectors() {
  %some = attn.where (%b, %h, %i, %j) {
    // expected-error@+1 {{'arith.constant' op is not allowed in a where region; use pure arith and math ops with one scalar result}}
    %zeros = arith.constant dense<0.0> : vector<4xf32>
    %is = arith.cmpi eq, %i, %j : index
    attn.yield %is : i1
  }
  attn.yield %some
}

// -----

attn.pattern @where_two_results() {
  %some = attn.where (%b, %h, %i, %j) {
    // expected-error@+1 {{'arith.addui_extended' op is not allowed in a where region; use pure arith and math ops with one scalar result}}
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
