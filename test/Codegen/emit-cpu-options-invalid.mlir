// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: not attn-opt %s --attn-emit-cpu="isas=sse9" 2>&1 | FileCheck %s

// CHECK: error: unknown instruction set 'sse9'; known are amx, avx512bf16, avx512, avx2 and generic
