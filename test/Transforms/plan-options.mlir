// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: attn-opt %s --attn-specialize --attn-plan="target=cpu" | FileCheck %s --check-prefix=TARGET
// RUN: attn-opt %s --attn-specialize --attn-plan="tile-rows=16 tile-keys=96" | FileCheck %s --check-prefix=TILE
// RUN: attn-opt %s --attn-specialize --attn-plan --mlir-pass-statistics --mlir-pass-statistics-display=list -o %t 2>&1 \
// RUN:   | FileCheck %s --check-prefix=COUNTS

// TARGET: attn.plan {{.*}} tile [64, 64, 8, 32]
// TILE: attn.plan {{.*}} tile [16, 96, 8, 32]

// COUNTS-LABEL: AttnPlan
// COUNTS-DAG: (S) 4 boxes
// COUNTS-DAG: (S) 1 boxes-tested
// COUNTS-DAG: (S) 2 phases
attn.pattern @two_phases(%global: !attn.tokens = [0], %ids: !attn.segments) {
  %near = attn.window left(4) right(4)
  %hub = attn.global %global
  %own = attn.segments %ids
  %mine = attn.intersect %near, %own
  %past = attn.window left(16) right(0)
  %all = attn.union %mine, %hub
  attn.yield %all
}
