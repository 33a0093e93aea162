// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A score that reads all that a region may: keys count for less in steps of 16 positions, even heads and odd ones in
// opposite directions, every batch by another amount; a key 5 positions before the query does not count at all.
//
//   s' = s + step (1 - 2 (h mod 2)) (b + 1) floor((i - j) / 16),    -inf where i - j = 5

attn.score @staircase(%step: f32 = 0.125) (%s, %b, %h, %i, %j) {
  %one = arith.constant 1 : index
  %two = arith.constant 2 : index
  %sixteen = arith.constant 16 : index
  %distance = arith.subi %i, %j : index
  %stair = arith.floordivsi %distance, %sixteen : index
  %odd = arith.remsi %h, %two : index
  %twice = arith.muli %odd, %two : index
  %sign = arith.subi %one, %twice : index
  %amount = arith.addi %b, %one : index
  %signed = arith.muli %stair, %sign : index
  %height = arith.muli %signed, %amount : index
  %height_whole = arith.index_cast %height : index to i64
  %height_real = arith.sitofp %height_whole : i64 to f32
  %rise = arith.mulf %height_real, %step : f32
  %raised = arith.addf %s, %rise : f32

  %five = arith.constant 5 : index
  %none = arith.constant 0xFF800000 : f32
  %is_fifth = arith.cmpi eq, %distance, %five : index
  %kept = arith.select %is_fifth, %none, %raised : f32
  attn.yield %kept : f32
}
