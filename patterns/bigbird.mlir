// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// BigBird, internal transformer construction (Zaheer et al., 2020), in blocks: every block of queries looks at itself, its
// two neighbours, the first and the last block, and at blocks drawn at random, for each head; the first and the last
// block look at everything. The random blocks are run-time data. Fewer than five blocks are dense.
//
//   A(i) = { j : |j floordiv block - i floordiv block| <= 1 } + first + last + random(h, i floordiv block)

attn.pattern @bigbird(%random: !attn.blocks, %block: index = 64) one_sequence {
  %n = attn.extent keys
  %one = arith.constant 1 : index
  %last_key = arith.subi %n, %one : index
  %last_block = arith.floordivsi %last_key, %block : index
  %last_begin = arith.muli %last_block, %block : index
  %near = attn.block_local %block before(%block) after(%block)
  %first = attn.range both below(%block)
  %last = attn.range both from(%last_begin)
  %drawn = attn.block_table %random block(%block)
  %pairs = attn.union %near, %first, %last, %drawn
  attn.yield %pairs
}
