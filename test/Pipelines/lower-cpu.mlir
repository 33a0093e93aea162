// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Behind the pipeline there is the llvm dialect and nothing else; in the object, the entry point, the kernels, and no
// function of the C library but those that copy and clear memory.
//
// RUN: attn-opt %s --attn-specialize --attn-plan --attn-emit-cpu --attn-lower-cpu --mlir-print-op-generic \
// RUN:   | FileCheck %s --implicit-check-not="{{ |^}}\"{{(attn|arith|math|scf|cf|func|memref|vector|index)}}."
// RUN: attn-compile %s --kernel=full --emit=llvm | FileCheck %s --check-prefix=LLVM
// RUN: attn-compile %s --head-size=8 --emit=obj -o %t.o
// RUN: llvm-nm --undefined-only --just-symbol-name %t.o > %t.undefined
// RUN: not grep -vE "^(memcpy|memset|memmove|memcmp)$" %t.undefined
// RUN: attn-compile %s --head-size=8 --element=f16 --emit=obj -o %t.f16.o
// RUN: attn-compile %s --head-size=8 --element=bf16 --emit=obj -o %t.bf16.o
// RUN: llvm-nm --undefined-only --just-symbol-name %t.f16.o %t.bf16.o > %t.undefined
// RUN: not grep -vE "^(memcpy|memset|memmove|memcmp|.*:|)$" %t.undefined
// RUN: llvm-nm --defined-only --extern-only %t.o | FileCheck %s --check-prefix=DEFINED

// CHECK: "builtin.module"
// CHECK-DAG: sym_name = "full.tile.0.avx512"
// CHECK-DAG: sym_name = "slope.group.holes.listed.generic"

// LLVM-NOT: declare {{.*}} @{{(exp|exp2|log|log2|fma|tanh|floor)f?}}(
// LLVM-DAG: define {{.*}} @full(
// LLVM-DAG: define internal {{.*}} @full.tile.0.avx512(
// LLVM-DAG: call <16 x float> @llvm.fma.v16f32(

// DEFINED: attn_kernels
// DEFINED-DAG: T full
// DEFINED-DAG: full_info
// DEFINED-DAG: T full_isa
// DEFINED-DAG: T full_workspace_bytes
// DEFINED-DAG: T slope
// DEFINED-DAG: slope_info
// DEFINED-DAG: T slope_isa
// DEFINED-DAG: T slope_workspace_bytes
attn.pattern @full() {
  %all = attn.full
  attn.yield %all
}

!rows = tensor<?x?x?x?x!attn.element>
!lse = tensor<?x?x?xf32>
func.func @slope(%q: !rows, %k: !rows, %v: !rows) -> (!rows, !lse) {
  %o, %lse = attn.attention %q, %k, %v pattern(@slope_pairs) score (%s, %b, %h, %i, %j) {
    %bent = math.tanh %s : f32
    %power = math.exp %bent : f32
    attn.yield %power : f32
  } : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}
attn.pattern @slope_pairs(%tokens: !attn.tokens = [0]) {
  %near = attn.window left(4) right(4)
  %hub = attn.global %tokens
  %pairs = attn.union %near, %hub
  attn.yield %pairs
}
