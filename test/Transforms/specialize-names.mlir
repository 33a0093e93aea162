// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A pattern's function takes its name, whatever other names the file has.
//
// RUN: attn-opt %s --attn-specialize | FileCheck %s

// CHECK-LABEL: func.func @near_pairs(
// CHECK: attn.causal
attn.pattern @near_pairs() {
  %past = attn.causal
  attn.yield %past
}

// CHECK-LABEL: func.func @near(
// CHECK: attn.window
attn.pattern @near() {
  %near = attn.window left(8)
  attn.yield %near
}
