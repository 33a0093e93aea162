// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: not attn-opt %s --attn-specialize --attn-plan="target=tpu" 2>&1 | FileCheck %s --check-prefix=TARGET
// RUN: not attn-opt %s --attn-specialize --attn-plan="tile-rows=12" 2>&1 | FileCheck %s --check-prefix=ROWS
// RUN: not attn-opt %s --attn-specialize --attn-plan="tile-rows=-8" 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// RUN: not attn-opt %s --attn-specialize --attn-plan="tile-keys=100" 2>&1 | FileCheck %s --check-prefix=KEYS
// RUN: not attn-opt %s --attn-specialize=element=bf16 --attn-plan="tile-keys=48" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=PAIRS
// RUN: not attn-opt %s --attn-specialize --attn-plan="target=sm_90a tile-rows=72" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=GPU-ROWS
// RUN: not attn-opt %s --attn-specialize --attn-plan="target=sm_90a tile-keys=24" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=GPU-KEYS

// TARGET: error: unknown target 'tpu'; known are cpu and sm_90a
// ROWS: error: a tile of 12 rows is no multiple of 8; use 8 or 16
// NEGATIVE: error: a tile of -8 rows is no multiple of 8; use 8 or 16
// KEYS: error: a tile of 100 keys is no multiple of 16; use 16 or 32
// PAIRS: error: a tile of 48 keys is no multiple of 32; use 32 or 64
// A GPU multiplies 64 rows at a time, and keys by 16.
// GPU-ROWS: error: a tile of 72 rows is no multiple of 64; use 64 or 128
// GPU-KEYS: error: a tile of 24 keys is no multiple of 16; use 16 or 32
attn.pattern @causal() {
  %past = attn.causal
  attn.yield %past
}
