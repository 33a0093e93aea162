// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// T5's relative bias (Raffel et al., 2020): a table of numbers for each head and bucket of the distance. Of the 32 buckets
// 16 are for keys at or before the query and 16 for those after it; the first 8 of each side hold one distance, the
// others reach from 12, 16, 23, 32, 46, 64 and 91 on, as 8 * 2^(k / 2) does, and the last has no end.
//
//   s' = s + table[h, bucket(j - i)]

attn.score @t5_bias(%table: !attn.array<[heads, 32]>) (%s, %b, %h, %i, %j) {
  %zero = arith.constant 0 : index
  %step = arith.subi %j, %i : index
  %back = arith.subi %i, %j : index
  %distance = arith.maxsi %step, %back : index
  %positive = arith.maxsi %distance, %zero : index
  %most = arith.constant 8 : index
  %exact = arith.minsi %positive, %most : index
  %n12 = arith.constant 12 : index
  %is12 = arith.cmpi sge, %distance, %n12 : index
  %one12 = arith.extui %is12 : i1 to i64
  %step12 = arith.index_cast %one12 : i64 to index
  %bucket12 = arith.addi %exact, %step12 : index
  %n16 = arith.constant 16 : index
  %is16 = arith.cmpi sge, %distance, %n16 : index
  %one16 = arith.extui %is16 : i1 to i64
  %step16 = arith.index_cast %one16 : i64 to index
  %bucket16 = arith.addi %bucket12, %step16 : index
  %n23 = arith.constant 23 : index
  %is23 = arith.cmpi sge, %distance, %n23 : index
  %one23 = arith.extui %is23 : i1 to i64
  %step23 = arith.index_cast %one23 : i64 to index
  %bucket23 = arith.addi %bucket16, %step23 : index
  %n32 = arith.constant 32 : index
  %is32 = arith.cmpi sge, %distance, %n32 : index
  %one32 = arith.extui %is32 : i1 to i64
  %step32 = arith.index_cast %one32 : i64 to index
  %bucket32 = arith.addi %bucket23, %step32 : index
  %n46 = arith.constant 46 : index
  %is46 = arith.cmpi sge, %distance, %n46 : index
  %one46 = arith.extui %is46 : i1 to i64
  %step46 = arith.index_cast %one46 : i64 to index
  %bucket46 = arith.addi %bucket32, %step46 : index
  %n64 = arith.constant 64 : index
  %is64 = arith.cmpi sge, %distance, %n64 : index
  %one64 = arith.extui %is64 : i1 to i64
  %step64 = arith.index_cast %one64 : i64 to index
  %bucket64 = arith.addi %bucket46, %step64 : index
  %n91 = arith.constant 91 : index
  %is91 = arith.cmpi sge, %distance, %n91 : index
  %one91 = arith.extui %is91 : i1 to i64
  %step91 = arith.index_cast %one91 : i64 to index
  %bucket91 = arith.addi %bucket64, %step91 : index
  %sixteen = arith.constant 16 : index
  %after = arith.addi %bucket91, %sixteen : index
  %is_after = arith.cmpi sgt, %step, %zero : index
  %bucket = arith.select %is_after, %after, %bucket91 : index
  %bias = attn.load %table[%h, %bucket] : !attn.array<[heads, 32]>
  %biased = arith.addf %s, %bias : f32
  attn.yield %biased : f32
}
