// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Dense attention (Vaswani et al., 2017): every query looks at every key.
//
//   A(i) = [0, m)

attn.pattern @full() {
  %all = attn.full
  attn.yield %all
}
