// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Keys nearby or of the query's segment: no order of rows makes boxes of both, so segments are looked up pair by pair.
//
//   p - near <= t <= p + near  or  segments[p] = segments[t]

attn.pattern @window_or_segment(%segments: !attn.segments, %near: index = 8) {
  %beside = attn.window left(%near) right(%near)
  %own = attn.segments %segments
  %pairs = attn.union %beside, %own
  attn.yield %pairs
}
