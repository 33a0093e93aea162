// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elements of 16 bits lie in memory as whole numbers, and loops compute in f32 unless emit-cpu-products.mlir says else. f16 is converted by an instruction where
// there is one; conversions that LLVM would call a library for do not occur.
//
// RUN: attn-opt %s --attn-specialize=element=bf16 --attn-plan --attn-emit-cpu="isas=avx512,avx2,generic" \
// RUN:   | FileCheck %s --check-prefixes=CHECK,BF16 --implicit-check-not=bf16 --implicit-check-not=extf --implicit-check-not=truncf
// RUN: attn-opt %s --attn-specialize=element=f16 --attn-plan --attn-emit-cpu="isas=avx512,avx2" \
// RUN:   | FileCheck %s --check-prefixes=CHECK,F16C
// RUN: attn-opt %s --attn-specialize=element=f16 --attn-plan --attn-emit-cpu="isas=generic" \
// RUN:   | FileCheck %s --check-prefixes=CHECK,PARTS --implicit-check-not=f16 --implicit-check-not=extf --implicit-check-not=truncf
// RUN: attn-opt %s --attn-specialize="element=bf16 head-size=1" --attn-plan --attn-emit-cpu="isas=avx512" \
// RUN:   | FileCheck %s --check-prefix=ONE --implicit-check-not=vector.maskedstore

// One column of the output is stored as one number: through a mask, LLVM would store its neighbour, too.
// ONE-LABEL: func.func private @full.tile.0.
// ONE: %[[NUMBER:.*]] = vector.extract %{{.*}}[0] : i16 from vector<16xi16>
// ONE: memref.store %[[NUMBER]], {{.*}} : memref<?x?x?x?xi16,

// CHECK-LABEL: func.func private @full.pack.
// CHECK: memref.load {{.*}} : memref<?x?x?x?xi16,
// BF16: arith.shli
// F16C: arith.extf {{.*}} : f16 to f32
// PARTS: arith.sitofp
// CHECK: memref.store {{.*}} : memref<?x?x?x?xf32,
// CHECK: vector.load {{.*}} : memref<?x?x?x?xi16,
// F16C: arith.extf {{.*}} : vector<16xf16> to vector<16xf32>

// CHECK-LABEL: func.func private @full.tile.0.
// CHECK: vector.load {{.*}} : memref<?x?x?x?xi16,
// The output is rounded once.
// CHECK: arith.divf
// BF16: arith.trunci {{.*}} : vector<16xi32> to vector<16xi16>
// F16C: arith.truncf {{.*}} : vector<16xf32> to vector<16xf16>
// PARTS: arith.trunci {{.*}} : vector<4xi32> to vector<4xi16>
// CHECK: vector.store {{.*}} : memref<?x?x?x?xi16,

// CHECK-LABEL: func.func private @full.group.full.
// CHECK-NOT: i16
// CHECK: return
attn.pattern @full() {
  %all = attn.full
  attn.yield %all
}
