// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention over tensors.

#ifndef ATTN_IR_ATTNOPS_TD
#define ATTN_IR_ATTNOPS_TD

include "attn/IR/AttnPatternOps.td"

// Batch, heads and rows are dynamic; columns are dynamic until attn-specialize sets them.
def Attn_RowsTensor : RankedTensorOf<[AnyTypeOf<[Attn_ElementType, F32, BF16, F16]>]>;

def Attn_ScoreOp : Attn_Op<"score", [Symbol, IsolatedFromAbove, SingleBlock, Attn_NamesParameters]> {
  let summary = "a named score region";
  let description = [{
    What attention does to `scale * q.k` before the softmax, with parameters and defaults as in attn.pattern. The region
    is pure; it sees the score, batch, head and the two positions.

    ```mlir
    // Soft-capping (Gemma 2, 2024): scores stay in (-cap, cap).
    attn.score @softcap(%cap: f32 = 5.000000e+01) (%s, %b, %h, %i, %j) {
      %part = arith.divf %s, %cap : f32
      %bent = math.tanh %part : f32
      %capped = arith.mulf %bent, %cap : f32
      attn.yield %capped : f32
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, ArrayAttr:$argument_names, ArrayAttr:$defaults);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasRegionVerifier = 1;
}

def Attn_AttentionOp : Attn_Op<"attention", [Pure, AttrSizedOperandSegments, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "softmax attention over the pairs of a pattern";
  let description = [{
    `output[b, h, i] = sum_j softmax_j(score(b, h, i, j)) * value[b, h', j]` over the pairs that the pattern admits, and
    `lse[b, h, i] = log(sum_j exp(score(b, h, i, j)))`, both as the dialect's description states.

    - query [batch, heads, length, head size], key [batch, kv heads, kv length, head size],
      value [batch, kv heads, kv length, value head size]
    - output [batch, heads, length, value head size] of the element type, lse [batch, heads, length] of f32

    Query head h reads key head `h' = h floordiv (heads / kv heads)`. The score is `scale * q.k`, scale being
    1 / sqrt(head size) unless it is given here or by the call; the score region, if there is one, maps it to the score
    that is normalised. The region is pure and sees batch, head and the two *positions*.

    The pattern is a symbol with arguments, or, after attn-specialize, a region that yields it.

    ```mlir
    %o, %lse = attn.attention %q, %k, %v pattern(@longformer_pairs(%g) : !attn.tokens)
        score (%s, %b, %h, %i, %j) {
          %distance = arith.subi %j, %i : index
          ...
          attn.yield %biased : f32
        } : tensor<?x?x?x?x!attn.element>, tensor<?x?x?x?x!attn.element>, tensor<?x?x?x?x!attn.element>
         -> tensor<?x?x?x?x!attn.element>, tensor<?x?x?xf32>
    ```
  }];
  let arguments = (ins Attn_RowsTensor:$query, Attn_RowsTensor:$key, Attn_RowsTensor:$value, Optional<F32>:$scale,
                       Variadic<AnyType>:$pattern_arguments, OptionalAttr<FlatSymbolRefAttr>:$pattern);
  let results = (outs Attn_RowsTensor:$output, RankedTensorOf<[F32]>:$lse);
  let regions = (region AnyRegion:$pairs, AnyRegion:$score);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`scale` `(` $scale^ `)`)?
    `pattern` `` custom<PatternUse>($pattern, $pattern_arguments, type($pattern_arguments), $pairs)
    `` custom<ScoreRegion>($score)
    attr-dict `:` type($query) `,` type($key) `,` type($value) `->` type($output) `,` type($lse)
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

#endif // ATTN_IR_ATTNOPS_TD
