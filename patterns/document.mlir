// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packed documents: several sequences lie in one row, and a query looks at the keys of its own. Segment ids are run-time
// data, one for each position; they need not be sorted.
//
//   A(i) = { j : segments[j] = segments[i] }

attn.pattern @document(%segments: !attn.segments) {
  %own = attn.segments %segments
  attn.yield %own
}
