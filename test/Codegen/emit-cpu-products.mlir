// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How products are made follows from the element and the instruction set. bf16 is multiplied in pairs of columns and
// pairs of keys, by vectors or by tiles; calls with few queries multiply keys where they lie.
//
// RUN: attn-opt %s --attn-specialize=element=bf16 --attn-plan --attn-emit-cpu="isas=avx512bf16" \
// RUN:   | FileCheck %s --check-prefixes=PAIRS,ROWS --implicit-check-not=llvm.x86.t
// RUN: attn-opt %s --attn-specialize=element=bf16 --attn-plan --attn-emit-cpu="isas=amx" \
// RUN:   | FileCheck %s --check-prefix=TILES
// RUN: attn-opt %s --attn-specialize="element=bf16 head-size=33" --attn-plan --attn-emit-cpu="isas=avx512bf16" \
// RUN:   | FileCheck %s --check-prefix=ODD
// RUN: attn-opt %s --attn-specialize=element=f32 --attn-plan --attn-emit-cpu="isas=amx,avx512bf16,avx2" \
// RUN:   | FileCheck %s --check-prefix=F32 --implicit-check-not=bf16 --implicit-check-not=amx
// RUN: attn-opt %s --attn-specialize="element=bf16 score=distances" --attn-plan --attn-emit-cpu="isas=amx" \
// RUN:   | FileCheck %s --check-prefix=BAND --implicit-check-not=llvm.x86.t
// RUN: attn-compile %s --kernel=near --element=bf16 --emit=asm | FileCheck %s --check-prefix=ASM

// Keys are transposed by squares of 16 keys times 16 pairs, and not rounded or widened.
// PAIRS-LABEL: func.func private @near.pack.1.avx512bf16(
// PAIRS: vector.load {{.*}}, vector<32xi16>
// PAIRS: vector.bitcast {{.*}} : vector<32xi16> to vector<16xi32>
// PAIRS: vector.store {{.*}} : memref<?x?x?x?xi32, {{.*}}>, vector<16xi32>
// Two keys' values share a unit.
// PAIRS: arith.extui {{.*}} : vector<16xi16> to vector<16xi32>
// PAIRS: arith.shli
// PAIRS: arith.ori

// The scale is multiplied in behind the products, P is rounded.
// PAIRS-LABEL: func.func private @near.group.full.avx512bf16(
// PAIRS: llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"
// PAIRS: arith.mulf
// PAIRS: llvm.call_intrinsic "llvm.x86.avx512bf16.cvtne2ps2bf16.512"
// PAIRS: llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"

// A tile's states for one part of the keys: they are loaded from the call's tensors and nothing is packed.
// ROWS-LABEL: func.func private @near.part.0.few.avx512bf16(
// ROWS: func.call @near.group.full.few.avx512bf16(
// ROWS-LABEL: func.func private @near.group.full.few.avx512bf16(
// ROWS: vector.load {{.*}} : memref<?x?x?x?xi16, {{.*}}>, vector<32xi16>
// ROWS: llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"
// ROWS-LABEL: func.func private @near.merge.0.few.avx512bf16(
// ROWS-NOT: func.call
// ROWS: return

// Powers of scores at hand stand between the products of the next ones, so that tiles and vectors work at the same time.
// A loop for the keys that all rows look at, without masks, and one for the others.
// TILES-NOT: @near.group.full.amx
// TILES-LABEL: func.func private @near.group.bounds.amx(
// TILES: llvm.call_intrinsic "llvm.x86.tileloaddt164.internal"
// TILES: llvm.call_intrinsic "llvm.x86.tdpbf16ps.internal"
// TILES: llvm.call_intrinsic "llvm.x86.tilestored64.internal"
// TILES: scf.for {{.*}} iter_args(
// TILES-NOT: arith.cmpi sge, {{.*}} : vector<16xi32>
// TILES: llvm.call_intrinsic "llvm.x86.tdpbf16ps.internal"
// TILES: llvm.call_intrinsic "llvm.x86.avx512.mask.scalef.ps.512"
// TILES: llvm.call_intrinsic "llvm.x86.avx512bf16.cvtne2ps2bf16.512"
// TILES: llvm.call_intrinsic "llvm.x86.tdpbf16ps.internal"
// TILES: scf.for {{.*}} iter_args(
// TILES: arith.cmpi sge, {{.*}} : vector<16xi32>
// TILES: llvm.call_intrinsic "llvm.x86.tdpbf16ps.internal"
// TILES: llvm.call_intrinsic "llvm.x86.avx512.mask.scalef.ps.512"
// TILES: llvm.call_intrinsic "llvm.x86.tdpbf16ps.internal"

// One column is left behind 32, and is filled up with zeros.
// ODD-LABEL: func.func private @near.pack.1.avx512bf16(
// ODD: vector.create_mask %c1{{.*}} : vector<32xi1>
// ODD: vector.maskedload

// What an instruction set has nothing for, the next one does.
// F32: func.func private @near.group.full.avx512(
// F32: func.func private @near.group.full.avx2(

// Bands of scores are products of vectors, of f32 where the processor has tiles: there those of pairs are slow.
// BAND: func.func private @near.terms.amx(
// BAND: func.func private @near.group.full.amx(
// BAND-NOT: dpbf16ps
// BAND: func.func private @near.group.bounds.amx(

// One configuration of tiles for a function, and all of its tiles in registers.
// ASM-LABEL: near.group.bounds.amx:
// ASM: ldtilecfg
// ASM-NOT: ldtilecfg
// ASM: tdpbf16ps %tmm{{[0-7]}}, %tmm{{[0-7]}}, %tmm{{[0-7]}}
// ASM-NOT: {{tileloadd|tilestored}}{{.*}}(%rsp
// ASM: tilerelease
// ASM-LABEL: near.group.full.avx512bf16:
// ASM: vdpbf16ps
attn.pattern @near() {
  %near = attn.window left(300) right(300)
  attn.yield %near
}

attn.score @distances(%relative: !attn.array<[?, head_size]>) (%s, %b, %h, %i, %j) {
  %distance = arith.subi %i, %j : index
  %term = attn.query_dot %relative[%distance] clamped : !attn.array<[?, head_size]>
  %moved = arith.addf %s, %term : f32
  attn.yield %moved : f32
}
