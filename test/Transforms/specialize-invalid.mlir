// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: attn-opt %s --split-input-file --verify-diagnostics --attn-specialize="head-size=32"

attn.pattern @small_default(
    // expected-error@+1 {{default of parameter 'block' is 0; it has to be at least 1}}
    %block: index = 0) {
  %own = attn.block_local %block
  attn.yield %own
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @columns(%q: !rows, %k: tensor<?x?x?x?xf32>) {
  // expected-error@+1 {{'attn.attention' op head size of query and key differ: 64 != 32}}
  attn.attention %q, %k, %k pattern { %all = attn.full attn.yield %all }
    : !rows, tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32> -> tensor<?x?x?x?xf32>, !lse
  return
}

// -----

attn.pattern @small_per_head_default(
    // expected-error@+1 {{default of parameter 'dilation' is 0; it has to be at least 1}}
    %dilation: !attn.per_head = [4, 0, 2]) {
  %own = attn.of_head %dilation
  %taps = attn.window left(8) dilation(%own)
  attn.yield %taps
}
