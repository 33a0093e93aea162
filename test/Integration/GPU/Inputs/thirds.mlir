// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A region that is asked pair by pair, below the diagonal.
//
//   (p + t) mod 3 = 0 and t <= p

attn.pattern @thirds() {
  %third = attn.where (%b, %h, %i, %j) {
    %three = arith.constant 3 : index
    %zero = arith.constant 0 : index
    %sum = arith.addi %i, %j : index
    %rest = arith.remsi %sum, %three : index
    %is = arith.cmpi eq, %rest, %zero : index
    attn.yield %is : i1
  }
  %past = attn.causal
  %pairs = attn.intersect %third, %past
  attn.yield %pairs
}
