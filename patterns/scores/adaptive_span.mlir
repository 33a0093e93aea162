// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Adaptive attention span (Sukhbaatar et al., 2019): each head has a span, past which a key's weight falls to 0 over
// `ramp` positions. The weight multiplies exp(s), so its logarithm is added to s; a key past the ramp is masked.
//
//   s' = s + log(clamp((ramp + span(h) - |i - j|) / ramp, 0, 1))

attn.score @adaptive_span(%span: !attn.array<[heads]>, %ramp: f32 = 32.0) (%s, %b, %h, %i, %j) {
  %step = arith.subi %j, %i : index
  %step_whole = arith.index_cast %step : index to i64
  %step_real = arith.sitofp %step_whole : i64 to f32
  %distance = math.absf %step_real : f32
  %reach = attn.load %span[%h] : !attn.array<[heads]>
  %end = arith.addf %reach, %ramp : f32
  %left = arith.subf %end, %distance : f32
  %share = arith.divf %left, %ramp : f32
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %positive = arith.maximumf %share, %zero : f32
  %weight = arith.minimumf %positive, %one : f32
  %logarithm = math.log %weight : f32
  %scaled = arith.addf %s, %logarithm : f32
  attn.yield %scaled : f32
}
