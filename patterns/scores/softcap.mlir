// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Soft-capping (Gemma 2, 2024): scores stay in (-cap, cap), and small ones nearly as they are.
//
//   s' = cap tanh(s / cap)

attn.score @softcap(%cap: f32 = 50.0) (%s, %b, %h, %i, %j) {
  %part = arith.divf %s, %cap : f32
  %bent = math.tanh %part : f32
  %capped = arith.mulf %bent, %cap : f32
  attn.yield %capped : f32
}
