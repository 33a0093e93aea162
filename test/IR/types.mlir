// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arrays, read back from what was printed.
//
// RUN: attn-opt %s | attn-opt | FileCheck %s

// CHECK: func.func private @numbers(!attn.array<[33]>, !attn.array<[2, 3, 4, 5]>)
func.func private @numbers(!attn.array<[33]>, !attn.array<[2, 3, 4, 5]>)

// CHECK: func.func private @named(!attn.array<[batch, heads, queries, keys]>, !attn.array<[kv_heads, ?, head_size]>)
func.func private @named(!attn.array<[batch, heads, queries, keys]>, !attn.array<[kv_heads, ?, head_size]>)
