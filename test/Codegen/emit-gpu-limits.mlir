// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a launch can be handed is limited.
//
// RUN: not attn-opt %s --attn-specialize="kernel=many element=bf16" --attn-plan=target=sm_90a --attn-emit-gpu 2>&1 \
// RUN:   | FileCheck %s
// RUN: not attn-opt %s --attn-specialize="kernel=many_of_classes element=bf16" --attn-plan=target=sm_90a \
// RUN:   --attn-emit-gpu 2>&1 | FileCheck %s --check-prefix=CLASSES

// CHECK: error: kernel 'many' has 30 lists, sorted sides, tables and checked arguments, and 20 arguments; a launch takes 25 of the former, and 448 words in all: use fewer
attn.pattern @many(%t0: !attn.tokens = [0], %t1: !attn.tokens = [1], %t2: !attn.tokens = [2], %t3: !attn.tokens = [3],
                   %t4: !attn.tokens = [4], %t5: !attn.tokens = [5], %t6: !attn.tokens = [6], %t7: !attn.tokens = [7],
                   %t8: !attn.tokens = [8], %t9: !attn.tokens = [9], %t10: !attn.tokens = [10],
                   %t11: !attn.tokens = [11], %t12: !attn.tokens = [12], %t13: !attn.tokens = [13],
                   %t14: !attn.tokens = [14]) {
  %g0 = attn.global %t0
  %g1 = attn.global %t1
  %g2 = attn.global %t2
  %g3 = attn.global %t3
  %g4 = attn.global %t4
  %g5 = attn.global %t5
  %g6 = attn.global %t6
  %g7 = attn.global %t7
  %g8 = attn.global %t8
  %g9 = attn.global %t9
  %g10 = attn.global %t10
  %g11 = attn.global %t11
  %g12 = attn.global %t12
  %g13 = attn.global %t13
  %g14 = attn.global %t14
  %pairs = attn.union %g0, %g1, %g2, %g3, %g4, %g5, %g6, %g7, %g8, %g9, %g10, %g11, %g12, %g13, %g14
  attn.yield %pairs
}

// The maps of classes leave room for fewer words.
// CLASSES: error: kernel 'many_of_classes' has 13 lists, sorted sides, tables and checked arguments, and 18 arguments; a launch takes 25 of the former, and 384 words in all: use fewer
attn.pattern @many_of_classes(%t0: !attn.tokens = [0], %t1: !attn.tokens = [1], %t2: !attn.tokens = [2],
                              %t3: !attn.tokens = [3], %t4: !attn.tokens = [4], %t5: !attn.tokens = [5],
                              %t6: !attn.tokens = [6], %t7: !attn.tokens = [7], %t8: !attn.tokens = [8],
                              %t9: !attn.tokens = [9], %t10: !attn.tokens = [10], %t11: !attn.tokens = [11],
                              %t12: !attn.tokens = [12]) {
  %taps = attn.window left(8) right(8) dilation(4)
  %g0 = attn.global columns %t0
  %g1 = attn.global columns %t1
  %g2 = attn.global columns %t2
  %g3 = attn.global columns %t3
  %g4 = attn.global columns %t4
  %g5 = attn.global columns %t5
  %g6 = attn.global columns %t6
  %g7 = attn.global columns %t7
  %g8 = attn.global columns %t8
  %g9 = attn.global columns %t9
  %g10 = attn.global columns %t10
  %g11 = attn.global columns %t11
  %g12 = attn.global columns %t12
  %hidden = attn.union %g0, %g1, %g2, %g3, %g4, %g5, %g6, %g7, %g8, %g9, %g10, %g11, %g12
  %pairs = attn.minus %taps, %hidden
  attn.yield %pairs
}
