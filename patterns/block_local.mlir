// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Block-local attention: the sequence is cut into blocks, and a query looks at the keys of its block. The last block
// may be short.
//
//   A(i) = { j : j floordiv block = i floordiv block }

attn.pattern @block_local(%block: index = 256) {
  %own = attn.block_local %block
  attn.yield %own
}
