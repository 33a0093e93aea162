// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes from attn to attn.

#ifndef ATTN_TRANSFORMS_PASSES_TD
#define ATTN_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def AttnSpecialize : Pass<"attn-specialize", "::mlir::ModuleOp"> {
  let summary = "make typed kernels of patterns";
  let description = [{
    Makes a function of every pattern that no attention names and three of every `attn.linear`, sets element type
    and head sizes, and inlines patterns (and the score symbol, if one is named) into attention. Afterwards the
    module holds functions only, and no pattern value crosses one. A pattern's parameters become arguments with
    `attn.name`, `attn.default` and `attn.minimum`. So do the score's; one that is called as a parameter of the
    pattern is the same argument.

    ```mlir
    attn.pattern @band(%width: index = 8) {
      %near = attn.window left(%width) right(%width)
      attn.yield %near
    }
    ```
    ==>
    ```mlir
    func.func @band(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x64xf32>,
                    %width: index {attn.default = 8 : index, attn.minimum = 0 : index, attn.name = "width"})
        -> (tensor<?x?x?x64xf32>, tensor<?x?x?xf32>) {
      %o, %lse = attn.attention %q, %k, %v pattern {
        %near = attn.window left(%width) right(%width)
        attn.yield %near
      } : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32> -> tensor<?x?x?x64xf32>, tensor<?x?x?xf32>
      return %o, %lse : tensor<?x?x?x64xf32>, tensor<?x?x?xf32>
    }
    ```
  }];
  let options = [
    Option<"kernel", "kernel", "std::string", "\"\"", "The kernel to keep; all of them if empty">,
    Option<"element", "element", "std::string", "\"f32\"", "Element type: f32, bf16 or f16">,
    Option<"headSize", "head-size", "int64_t", "64", "Columns of query and key">,
    Option<"valueHeadSize", "value-head-size", "int64_t", "0", "Columns of value and output; 0: as the head size">,
    Option<"score", "score", "std::string", "\"\"", "The attn.score to put into attention that has no score region">
  ];
  let statistics = [
    Statistic<"numKernels", "kernels", "Kernels specialized">
  ];
  let dependentDialects = ["::mlir::func::FuncDialect"];
}

def AttnPlan : Pass<"attn-plan", "::mlir::ModuleOp"> {
  let summary = "put attention into an order of dense tiles";
  let description = [{
    Replaces every `attn.attention` by an `attn.plan`: phases over query tiles, each with its boxes of keys.

    ```mlir
    %o, %lse = attn.attention %q, %k, %v pattern {
      %near = attn.window left(8) right(0)
      attn.yield %near
    } : ...
    ```
    ==>
    ```mlir
    %o, %lse = attn.plan %q, %k, %v tile [64, 64, 8, 16] {
      attn.phase queries(all) {
        attn.box keys(all) rows [max(0, i + query_offset - key_offset - 8), min(kv_length, i + query_offset - key_offset + 1))
                           columns [max(0, i - query_offset + key_offset), min(length, i - query_offset + key_offset + 9))
      }
    } : ...
    ```
  }];
  let options = [
    Option<"target", "target", "std::string", "\"cpu\"", "Target description to plan for">,
    Option<"tileRows", "tile-rows", "int64_t", "0", "Query rows of a tile; 0: the target's choice">,
    Option<"tileKeys", "tile-keys", "int64_t", "0", "Keys of a tile; 0: the target's choice">
  ];
  let statistics = [
    Statistic<"numPhases", "phases", "Phases planned">,
    Statistic<"numBoxes", "boxes", "Boxes planned">,
    Statistic<"numTested", "boxes-tested", "Boxes that carry a residual test">
  ];
}

#endif // ATTN_TRANSFORMS_PASSES_TD
