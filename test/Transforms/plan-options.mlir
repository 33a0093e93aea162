// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: attn-opt %s --attn-specialize --attn-plan="target=cpu" | FileCheck %s --check-prefix=TARGET
// RUN: attn-opt %s --attn-specialize=element=f16 --attn-plan | FileCheck %s --check-prefix=TARGET
// RUN: attn-opt %s --attn-specialize=element=bf16 --attn-plan | FileCheck %s --check-prefix=PAIRS
// RUN: attn-opt %s --attn-specialize --attn-plan="tile-rows=16 tile-keys=48" | FileCheck %s --check-prefix=TILE
// RUN: attn-opt %s --attn-specialize --attn-plan="tile-rows=8" | FileCheck %s --check-prefix=ROWS

// TARGET: attn.plan {{.*}} tile [64, 64, 8, 16]
// PAIRS: attn.plan {{.*}} tile [64, 64, 8, 32]
// TILE: attn.plan {{.*}} tile [16, 48, 8, 16]
// ROWS: attn.plan {{.*}} tile [8, 64, 8, 16]
attn.pattern @causal() {
  %past = attn.causal
  attn.yield %past
}
