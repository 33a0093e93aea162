// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An mlir-opt that knows nothing of attn reads, plans and lowers a pattern as attn-opt does, once it has the plugin.
//
// The plugin is instrumented in the sanitize preset, and mlir-opt is not.
// UNSUPPORTED: sanitize
//
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --load-pass-plugin=%plugin \
// RUN:   --pass-pipeline='builtin.module(attn-specialize{head-size=32},attn-plan)' | FileCheck %s
// RUN: mlir-opt %s --load-dialect-plugin=%plugin --load-pass-plugin=%plugin \
// RUN:   --pass-pipeline='builtin.module(attn-specialize,attn-plan,attn-emit-cpu,attn-lower-cpu)' -o %t.plugin.mlir
// RUN: attn-opt %s --attn-specialize --attn-plan --attn-emit-cpu --attn-lower-cpu -o %t.attn-opt.mlir
// RUN: cmp %t.plugin.mlir %t.attn-opt.mlir
// RUN: not mlir-opt %s 2>&1 | FileCheck %s --check-prefix=ALONE
//
// Its MLIR is mlir-opt's: it needs the same libraries, and what it defines in their namespaces is about its own types.
//
// RUN: llvm-readelf --needed-libs %plugin | FileCheck %s --check-prefix=LIBRARIES
// RUN: llvm-readelf --needed-libs mlir-opt | FileCheck %s --check-prefix=LIBRARIES
// RUN: llvm-nm --dynamic --defined-only --no-weak --demangle %plugin > %t.defined
// RUN: grep -E " [A-Z] (mlir|llvm)::" %t.defined > %t.of-mlir
// RUN: not grep -v "<attn::" %t.of-mlir

// CHECK: func.func @near(%{{.*}}: tensor<?x?x?x32xf32>
// CHECK: attn.plan
// CHECK: attn.box keys(all) rows [max(0, i + query_offset - key_offset - s0), min(kv_length, i + query_offset - key_offset + 1))

// ALONE: error: Dialect `attn' not found for custom op 'attn.pattern'

// LIBRARIES-DAG: libLLVM.so.22.1
// LIBRARIES-DAG: libMLIR.so.22.1
attn.pattern @near(%left: index = 8) {
  %pairs = attn.window left(%left) right(0)
  attn.yield %pairs
}
