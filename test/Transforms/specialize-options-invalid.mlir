// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: not attn-opt %s --attn-specialize="element=f64" 2>&1 | FileCheck %s --check-prefix=ELEMENT
// RUN: not attn-opt %s --attn-specialize="head-size=0" 2>&1 | FileCheck %s --check-prefix=SMALL
// RUN: not attn-opt %s --attn-specialize="head-size=257" 2>&1 | FileCheck %s --check-prefix=LARGE
// RUN: not attn-opt %s --attn-specialize="value-head-size=300" 2>&1 | FileCheck %s --check-prefix=VALUE
// RUN: not attn-opt %s --attn-specialize="kernel=dense" 2>&1 | FileCheck %s --check-prefix=KERNEL
// RUN: not attn-opt %s --attn-specialize="score=alibi" 2>&1 | FileCheck %s --check-prefix=SCORE

// ELEMENT: error: unknown element type 'f64'; use f32, bf16 or f16
// SMALL: error: head size is 0; it has to lie in 1 to 256
// LARGE: error: head size is 257; it has to lie in 1 to 256
// VALUE: error: value head size is 300; it has to lie in 1 to 256
// KERNEL: error: no kernel 'dense' in this file; it has 'full', 'causal'
// SCORE: error: 'attn.attention' op unknown score '@alibi'; define it with attn.score
attn.pattern @full() {
  %all = attn.full
  attn.yield %all
}
attn.pattern @causal() {
  %past = attn.causal
  attn.yield %past
}
