// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: not attn-opt %s --attn-plan="target=tpu" 2>&1 | FileCheck %s --check-prefix=TARGET
// RUN: not attn-opt %s --attn-plan="tile-rows=12" 2>&1 | FileCheck %s --check-prefix=ROWS
// RUN: not attn-opt %s --attn-plan="tile-rows=-8" 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// RUN: not attn-opt %s --attn-plan="tile-keys=100" 2>&1 | FileCheck %s --check-prefix=KEYS

// TARGET: error: unknown target 'tpu'; known is cpu
// ROWS: error: a tile of 12 rows is no multiple of 8; use 8 or 16
// NEGATIVE: error: a tile of -8 rows is no multiple of 8; use 8 or 16
// KEYS: error: a tile of 100 keys is no multiple of 32; use 32 or 64
