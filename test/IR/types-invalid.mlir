// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: attn-opt %s --split-input-file --verify-diagnostics

// expected-error@+1 {{unknown extent 'rows'; known are numbers, ?, batch, heads, kv_heads, queries, keys and head_size}}
func.func private @extent_name(!attn.array<[rows]>)

// -----

// expected-error@+1 {{array has 0 extents; it has to have 1 to 4}}
func.func private @no_extents(!attn.array<[]>)

// -----

// expected-error@+1 {{array has 5 extents; it has to have 1 to 4}}
func.func private @rank(!attn.array<[1, 2, 3, 4, 5]>)

// -----

// expected-error@+1 {{extent 1 of the array is 0; it has to be at least 1}}
func.func private @extent(!attn.array<[heads, 0]>)
