// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Behind the pipeline there are the llvm and nvvm dialects in a gpu.module and nothing else; in the PTX, the functions
// of each phase and those of the prologue that the kernel needs, whatever a region computes; in the object, the host's
// entry points, which find the CUDA driver when they need it.
//
// RUN: attn-opt %s --attn-specialize=element=bf16 --attn-plan="target=sm_90a tile-rows=64 tile-keys=16" --attn-emit-gpu \
// RUN:   --attn-lower-gpu --mlir-print-op-generic \
// RUN:   | FileCheck %s --implicit-check-not="{{ |^}}\"{{(attn|attn_tile|arith|math|scf|cf|func|vector|index)}}."
// RUN: attn-compile %s --kernel=near --target=sm_90a --element=bf16 --emit=llvm | FileCheck %s --check-prefix=LLVM
// RUN: attn-compile %s --kernel=near --target=sm_90a --element=bf16 --emit=ptx \
// RUN:   | FileCheck %s --check-prefix=PTX --implicit-check-not=.func
// RUN: attn-compile %s --kernel=every --target=sm_90a --element=f16 --tile-rows=64 --tile-keys=16 --emit=asm \
// RUN:   | FileCheck %s --check-prefix=EVERY --implicit-check-not=.func
// RUN: attn-compile %s --kernel=near --target=sm_90a --element=bf16 --emit=obj -o %t.o
// RUN: llvm-nm --undefined-only --just-symbol-name %t.o > %t.undefined
// RUN: not grep -vE "^(mem(cpy|set|move|cmp)|str(cmp|len)|calloc|malloc|free|getenv|dlopen|dlsym)$" %t.undefined
// RUN: llvm-nm --defined-only --extern-only %t.o | FileCheck %s --check-prefix=DEFINED

// CHECK: "builtin.module"
// CHECK: "gpu.module"() <{{.*}}sym_name = "near"
// CHECK: "llvm.func"() <{{.*}}sym_name = "near_phase0_tiled"
// CHECK: "llvm.func"() <{{.*}}sym_name = "near_phase0_strided"
// CHECK: "gpu.module"() <{{.*}}sym_name = "every"

// LLVM: target triple = "nvptx64-nvidia-cuda"
// LLVM-DAG: define ptx_kernel void @near_phase0_tiled(
// LLVM-DAG: define ptx_kernel void @near_phase0_strided(
// LLVM: call {{.*}} asm sideeffect "{{.*}}wgmma.mma_async{{.*}} #[[ASM:[0-9]+]]
// LLVM: attributes #[[ASM]] = { convergent

// PTX: .version 8.0
// PTX: .target sm_90a
// PTX-DAG: .visible .entry near_phase0_tiled(
// PTX-DAG: .visible .entry near_phase1_tiled(
// PTX-DAG: .visible .entry attn_run_jobs(
// PTX-NOT: attn_match_ranks

// EVERY: .visible .entry every_phase0_tiled(

// DEFINED: attn_kernels
// DEFINED-DAG: T near
// DEFINED-DAG: near_info
// DEFINED-DAG: T near_isa
// DEFINED-DAG: T near_load
// DEFINED-DAG: T near_unload
// DEFINED-DAG: T near_workspace_bytes
attn.pattern @near(%tokens: !attn.tokens = [0]) {
  %band = attn.window left(4) right(4)
  %hub = attn.global %tokens
  %pairs = attn.union %band, %hub
  attn.yield %pairs
}

!rows = tensor<?x?x?x?x!attn.element>
!lse = tensor<?x?x?xf32>
func.func @every(%q: !rows, %k: !rows, %v: !rows) -> (!rows, !lse) {
  %o, %lse = attn.attention %q, %k, %v pattern(@every_pairs) score (%s, %b, %h, %i, %j) {
    %f0 = math.absf %s : f32
    %f1 = math.acos %f0 : f32
    %f2 = math.acosh %f1 : f32
    %f3 = math.asin %f2 : f32
    %f4 = math.asinh %f3 : f32
    %f5 = math.atan %f4 : f32
    %f6 = math.atan2 %f5, %s : f32
    %f7 = math.atanh %f6 : f32
    %f8 = math.cbrt %f7 : f32
    %f9 = math.ceil %f8 : f32
    %f10 = math.clampf %f9 to [%f0, %s] : f32
    %f11 = math.copysign %f10, %s : f32
    %f12 = math.cos %f11 : f32
    %f13 = math.cosh %f12 : f32
    %f14 = math.erf %f13 : f32
    %f15 = math.erfc %f14 : f32
    %f16 = math.exp %f15 : f32
    %f17 = math.exp2 %f16 : f32
    %f18 = math.expm1 %f17 : f32
    %f19 = math.floor %f18 : f32
    %f20 = math.fma %f19, %s, %f0 : f32
    %f21 = math.log %f20 : f32
    %f22 = math.log10 %f21 : f32
    %f23 = math.log1p %f22 : f32
    %f24 = math.log2 %f23 : f32
    %f25 = math.powf %f24, %s : f32
    %f26 = math.round %f25 : f32
    %f27 = math.roundeven %f26 : f32
    %f28 = math.rsqrt %f27 : f32
    %f29 = math.sin %f28 : f32
    %f30 = math.sinh %f29 : f32
    %f31 = math.sqrt %f30 : f32
    %f32 = math.tan %f31 : f32
    %f33 = math.tanh %f32 : f32
    %f34 = math.trunc %f33 : f32
    %f35 = arith.remf %f34, %s : f32
    %f36 = arith.divf %f35, %s : f32

    // Other floats.
    %h0 = arith.truncf %f36 : f32 to f16
    %h1 = math.tanh %h0 : f16
    %h2 = arith.extf %h1 : f16 to f64
    %d0 = math.exp %h2 : f64
    %d1 = arith.divf %d0, %h2 : f64
    %g0 = arith.truncf %d1 : f64 to bf16
    %g1 = math.log1p %g0 : bf16

    // Integers, and tests of floats.
    %n0 = math.ipowi %i, %j : index
    %n1 = arith.floordivsi %n0, %h : index
    %n2 = arith.ceildivsi %n1, %j : index
    %n3 = arith.ceildivui %n2, %h : index
    %n4 = arith.index_cast %n3 : index to i32
    %n5 = math.absi %n4 : i32
    %n6 = math.ctlz %n5 : i32
    %n7 = math.cttz %n6 : i32
    %n8 = math.ctpop %n7 : i32
    %f37 = math.fpowi %s, %n8 : f32, i32
    %t0 = math.isfinite %f37 : f32
    %t1 = math.isinf %f37 : f32
    %t2 = math.isnan %f37 : f32
    %t3 = math.isnormal %f37 : f32
    %t4 = arith.andi %t0, %t1 : i1
    %t5 = arith.ori %t2, %t3 : i1
    %t6 = arith.xori %t4, %t5 : i1

    %f38 = arith.extf %g1 : bf16 to f32
    %score = arith.select %t6, %f37, %f38 : f32
    attn.yield %score : f32
  } : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}
attn.pattern @every_pairs() {
  %all = attn.full
  attn.yield %all
}
