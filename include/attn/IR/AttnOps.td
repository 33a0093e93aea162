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
    is pure; it sees the score, batch, head and the two positions. What it yields is masked by the pattern and then
    normalised: scale, score region, mask, softmax, in this order, always.

    A second region, `sink`, gives every query row one more score, of a key whose value is 0: it takes part in the
    softmax, and in the lse, and adds nothing to the output. It sees batch, head and the query position.

    ```mlir
    // Soft-capping (Gemma 2, 2024): scores stay in (-cap, cap).
    attn.score @softcap(%cap: f32 = 5.000000e+01) (%s, %b, %h, %i, %j) {
      %part = arith.divf %s, %cap : f32
      %bent = math.tanh %part : f32
      %capped = arith.mulf %bent, %cap : f32
      attn.yield %capped : f32
    }
    // Attention sinks (gpt-oss, 2025): a learned logit for each head.
    attn.score @sink(%logits: !attn.array<[heads]>) (%s, %b, %h, %i, %j) {
      attn.yield %s : f32
    } sink (%b, %h, %i) {
      %logit = attn.load %logits[%h] : !attn.array<[heads]>
      attn.yield %logit : f32
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, ArrayAttr:$argument_names, ArrayAttr:$defaults);
  let regions = (region SizedRegion<1>:$body, AnyRegion:$sink);
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
    that is normalised. The region is pure and sees batch, head and the two *positions*. A `sink` region adds a score to
    each row; see attn.score.

    The pattern is a symbol with arguments, or, after attn-specialize, a region that yields it. With `one_sequence`, key
    and query lengths have to be equal; a symbol brings it along.

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
                       Variadic<AnyType>:$pattern_arguments, OptionalAttr<FlatSymbolRefAttr>:$pattern,
                       UnitAttr:$one_sequence);
  let results = (outs Attn_RowsTensor:$output, RankedTensorOf<[F32]>:$lse);
  let regions = (region AnyRegion:$pairs, AnyRegion:$score, AnyRegion:$sink);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`scale` `(` $scale^ `)`)?
    `pattern` (`one_sequence` $one_sequence^)? `` custom<PatternUse>($pattern, $pattern_arguments, type($pattern_arguments), $pairs)
    `` custom<ScoreRegion>($score) `` custom<SinkRegion>($sink)
    attr-dict `:` type($query) `,` type($key) `,` type($value) `->` type($output) `,` type($lse)
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

//===-- What score regions read -----------------------------------------------------------------------------------===//

def Attn_LoadOp : Attn_Op<"load", [Pure]> {
  let summary = "an entry of an array";
  let description = [{
    Every read is inside of the array, by proof. An index of an extent of the call is what counts it: the region's `%b` for
    `batch`, `%h` for `heads`, the query position `%i` for `queries` and the key position `%j` for `keys`, of which the
    row is meant. Any other index has to stay inside of its extent for all values that its ops can give, which is shown
    by intervals: bound it with minsi and maxsi, remsi, comparisons and the like. With `clamped`, indices for which that
    cannot be shown are held inside: below 0 is 0, and past the end is the last.

    ```mlir
    %bias = attn.load %table[%h, %bucket] : !attn.array<[heads, 32]>
    %given = attn.load %scores[%b, %h, %i, %j] : !attn.array<[batch, heads, queries, keys]>
    %far = attn.load %slopes[%distance] clamped : !attn.array<[?]>
    ```
  }];
  let arguments = (ins Attn_ArrayType:$array, Variadic<Index>:$indices, UnitAttr:$clamped);
  let results = (outs F32:$result);
  let assemblyFormat = "$array `[` $indices `]` (`clamped` $clamped^)? attr-dict `:` qualified(type($array))";
  let hasVerifier = 1;
}

class Attn_DotOp<string mnemonic> : Attn_Op<mnemonic, [Pure]> {
  let arguments = (ins Attn_ArrayType:$array, Variadic<Index>:$indices, UnitAttr:$clamped);
  let results = (outs F32:$result);
  let assemblyFormat = "$array `[` $indices `]` (`clamped` $clamped^)? attr-dict `:` qualified(type($array))";
  let hasVerifier = 1;
}

def Attn_QueryDotOp : Attn_DotOp<"query_dot"> {
  let summary = "scale times the product of the query row and a row of an array";
  let description = [{
    A term of the score, `scale * sum_c q[b, h, i, c] * array[indices, c]`: relative positions (Shaw et al., 2018,
    Transformer-XL, ETC) without a tensor of queries times keys. The array's last extent is `head_size`; the indices are
    those of the others, by the rules of attn.load. An index that depends on the two positions by their difference alone
    costs what q.k costs.

    ```mlir
    %term = attn.query_dot %relative[%id] : !attn.array<[33, head_size]>
    ```
  }];
}

def Attn_KeyDotOp : Attn_DotOp<"key_dot"> {
  let summary = "scale times the product of the key row and a row of an array";
  let description = [{
    `scale * sum_c k[b, h', j, c] * array[indices, c]`, as in attn.query_dot.
  }];
}

def Attn_RowDotOp : Attn_Op<"row_dot", [Pure, AttrSizedOperandSegments]> {
  let summary = "scale times the product of two rows of arrays";
  let description = [{
    `scale * sum_c left[left indices, c] * right[right indices, c]`, as in attn.query_dot.

    ```mlir
    %term = attn.row_dot %v[%h], %relative[%h, %id] : !attn.array<[heads, head_size]>, !attn.array<[heads, ?, head_size]>
    ```
  }];
  let arguments = (ins Attn_ArrayType:$left, Variadic<Index>:$left_indices, Attn_ArrayType:$right,
                       Variadic<Index>:$right_indices, UnitAttr:$clamped);
  let results = (outs F32:$result);
  let assemblyFormat = [{
    $left `[` $left_indices `]` `,` $right `[` $right_indices `]` (`clamped` $clamped^)? attr-dict
    `:` qualified(type($left)) `,` qualified(type($right))
  }];
  let hasVerifier = 1;
}

def Attn_MixedDotOp : Attn_DotOp<"mixed_dot"> {
  let summary = "scale times the products of all heads, weighted";
  let description = [{
    `scale * sum_g array[indices, g] * (q[b, g, i] . k[b, g', j])` over the query heads g (Talking Heads, 2020, before
    the softmax). The array's last extent is `heads`; the other indices follow attn.load.

    ```mlir
    %mixed = attn.mixed_dot %weights[%h] : !attn.array<[heads, heads]>
    ```
  }];
}

def Attn_ScaleOp : Attn_Op<"scale", [Pure]> {
  let summary = "the call's scale: what q.k is multiplied by";
  let results = (outs F32:$result);
  let assemblyFormat = "attr-dict";
}

#endif // ATTN_IR_ATTNOPS_TD
