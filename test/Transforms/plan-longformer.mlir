// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Longformer: global rows own their phase; for the others, global keys are those that the window does not hold.
//
// RUN: attn-opt %s --attn-specialize --attn-plan | FileCheck %s

// CHECK-LABEL: func.func @longformer
// CHECK-SAME: %[[GLOBAL:[^:]*]]: !attn.tokens {attn.default = array<i32: 0>, attn.name = "global"}
// CHECK-SAME: %[[LEFT:[^:]*]]: index {{{[^}]*}}attn.name = "left"}
// CHECK-SAME: %[[RIGHT:[^:]*]]: index {{{[^}]*}}attn.name = "right"}
// CHECK: attn.plan {{.*}} symbols(%[[LEFT]], %[[RIGHT]] : index, index) tables(%[[GLOBAL]] : !attn.tokens)
// CHECK-NEXT: attn.phase queries(listed(0)) {
// CHECK-NEXT: attn.box keys(all) rows [0, kv_length) columns [0, length){{$}}
// CHECK-NEXT: }
// CHECK-NEXT: attn.phase queries(all) except(listed(0)) {
// CHECK-NEXT: attn.box keys(all) rows [max(0, [[FIRST:i \+ query_offset - key_offset - s0]]), min(kv_length, [[END:i \+ query_offset - key_offset \+ s1 \+ 1]]))
// CHECK-NEXT: attn.box keys(listed(0)) rows [0, kv_length) columns [0, length) without rows {{\[}}[[FIRST]], [[END]]) columns [
// CHECK-NEXT: }
// CHECK-NOT: test
attn.pattern @longformer(%global: !attn.tokens = [0], %left: index = 256, %right: index = 256) {
  %near = attn.window left(%left) right(%right)
  %hub = attn.global %global
  %pairs = attn.union %near, %hub
  attn.yield %pairs
}
