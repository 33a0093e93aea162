// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: attn-opt %s --verify-diagnostics --attn-specialize="score=near"

attn.pattern @band(%width: index = 8) {
  %near = attn.window left(%width) right(%width)
  attn.yield %near
}

// expected-error@+1 {{'attn.score' op parameter 'width' has type 'f32', but 'index' in kernel 'band'; rename one of them}}
attn.score @near(%width: f32 = 8.0) (%s, %b, %h, %i, %j) {
  %more = arith.addf %s, %width : f32
  attn.yield %more : f32
}
