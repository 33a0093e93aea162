// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packed documents of a decoder: a query looks at its own position and at those before it in its document. Segment ids
// are run-time data, one for each position; they need not be sorted.
//
//   A(i) = { j : segments[j] = segments[i], j <= i }

attn.pattern @document_causal(%segments: !attn.segments) {
  %own = attn.segments %segments
  %past = attn.causal
  %pairs = attn.intersect %own, %past
  attn.yield %pairs
}
