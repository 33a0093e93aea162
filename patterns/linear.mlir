// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Linear Transformer (Katharopoulos et al., 2020): f(x) = elu(x) + 1 in place of the exponential of q.k, so that what all
// keys have to say fits into one matrix of head size times head size. Makes three kernels: linear (every key),
// linear_causal (keys at or before the query) and linear_step (the same, key by key: decoding).
//
//   o_i = f(q_i)^T S_i / (f(q_i)^T z_i + epsilon),    S_i = sum_j f(k_j) v_j^T,    z_i = sum_j f(k_j)

attn.linear @linear(%epsilon: f32 = 1.0e-06) feature (%x) {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %above = arith.addf %x, %one : f32
  %below = math.exp %x : f32
  %positive = arith.cmpf ogt, %x, %zero : f32
  %y = arith.select %positive, %above, %below : f32
  attn.yield %y : f32
}
