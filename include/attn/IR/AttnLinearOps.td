// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Linear attention: softmax's exponential taken apart into features of query and key, so that what all keys have to say
// fits into one matrix.

#ifndef ATTN_IR_ATTNLINEAROPS_TD
#define ATTN_IR_ATTNLINEAROPS_TD

include "attn/IR/AttnOps.td"

def Attn_LinearOp : Attn_Op<"linear", [Symbol, IsolatedFromAbove, SingleBlock, Attn_NamesParameters]> {
  let summary = "named linear attention";
  let description = [{
    One description, three kernels: attn-specialize makes of `@X` the functions `X`, `X_causal` and `X_step`, which are
    the three forms of attn.linear_attention. Parameters are f32, with defaults as in attn.pattern; the first of them is
    what is added to the normaliser. The region is the feature map, from f32 to f32.

    ```mlir
    // Linear Transformer (Katharopoulos et al., 2020): elu(x) + 1.
    attn.linear @linear(%epsilon: f32 = 1.000000e-06) feature (%x) {
      %zero = arith.constant 0.000000e+00 : f32
      %one = arith.constant 1.000000e+00 : f32
      %above = arith.addf %x, %one : f32
      %below = math.exp %x : f32
      %positive = arith.cmpf ogt, %x, %zero : f32
      %y = arith.select %positive, %above, %below : f32
      attn.yield %y : f32
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, ArrayAttr:$argument_names, ArrayAttr:$defaults);
  let regions = (region SizedRegion<1>:$feature);
  let hasCustomAssemblyFormat = 1;
  let hasRegionVerifier = 1;
}

def Attn_LinearForm : I32EnumAttr<"LinearForm", "which keys a query row of linear attention sees, and how they come", [
  I32EnumAttrCase<"Full", 0, "full">,
  I32EnumAttrCase<"Causal", 1, "causal">,
  I32EnumAttrCase<"Step", 2, "step">
]> {
  let cppNamespace = "::attn";
}

def Attn_LinearAttentionOp : Attn_Op<"linear_attention", [Pure]> {
  let summary = "attention over a feature map of query and key";
  let description = [{
    With `f` the feature map, applied to each number of query and key by itself,

        S_i = sum_j f(k_j) v_j^T          z_i = sum_j f(k_j)
        output_i = f(q_i)^T S_i / (f(q_i)^T z_i + epsilon)
        lse_i = log(f(q_i)^T z_i + epsilon)

    over all keys in the `full` form, over the keys at or before the query row's position in the two others. `causal`
    takes keys in chunks; `step` takes them one by one, as decoding does, and computes the same. The query is not
    scaled: a scale is part of the feature map. Tensors have the shapes of attn.attention, and query head h reads key
    head `h floordiv (heads / kv heads)`. Where the normaliser is 0 the output is 0 and lse -inf. Results over
    disjoint keys merge by their lse, in each of which epsilon counts once. Statistics are f32.

    The *state* is f32 [batch, kv heads, head size, value head size + 1]: S, and z as its last column. `state(...)` is
    what keys before these left; 0 if there is none. The third result is the state after the last key, so that a sequence
    may come in parts.

    ```mlir
    %o, %lse, %after = attn.linear_attention %q, %k, %v causal epsilon(%epsilon) state(%before : tensor<?x?x64x65xf32>)
        feature (%x) {
          %y = math.exp %x : f32
          attn.yield %y : f32
        } : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>
         -> tensor<?x?x?x64xf32>, tensor<?x?x?xf32>, tensor<?x?x64x65xf32>
    ```
  }];
  let arguments = (ins Attn_RowsTensor:$query, Attn_RowsTensor:$key, Attn_RowsTensor:$value, Attn_LinearForm:$form,
                       F32:$epsilon, Optional<RankedTensorOf<[F32]>>:$state);
  let results = (outs Attn_RowsTensor:$output, RankedTensorOf<[F32]>:$lse, RankedTensorOf<[F32]>:$next_state);
  let regions = (region SizedRegion<1>:$feature);
  let assemblyFormat = [{
    $query `,` $key `,` $value $form `epsilon` `(` $epsilon `)` (`state` `(` $state^ `:` type($state) `)`)?
    `feature` custom<FeatureRegion>($feature)
    attr-dict `:` type($query) `,` type($key) `,` type($value)
    `->` type($output) `,` type($lse) `,` type($next_state)
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

#endif // ATTN_IR_ATTNLINEAROPS_TD
