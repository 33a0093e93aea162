// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Types of patterns and of the run-time data that they read, and the attributes of plans.

#ifndef ATTN_IR_ATTNTYPES_TD
#define ATTN_IR_ATTNTYPES_TD

include "attn/IR/AttnDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

class Attn_Type<string name, string typeMnemonic> : TypeDef<Attn_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def Attn_PatternType : Attn_Type<"Pattern", "pattern"> {
  let summary = "a set of pairs of query row and key row";
}

def Attn_ElementType : Attn_Type<"Element", "element"> {
  let summary = "the element type that attn-specialize puts in";
  let description = [{
    Stands for f32, bf16 or f16 in the tensors of a kernel that is written once for all of them.
  }];
}

def Attn_TokensType : Attn_Type<"Tokens", "tokens"> {
  let summary = "positions of tokens, for each batch";
  let description = [{
    At run time int32 of shape [size] or [batch, size], in any order, duplicates allowed; -1 pads.
  }];
}

def Attn_SegmentsType : Attn_Type<"Segments", "segments"> {
  let summary = "a segment id for each position, for each batch";
  let description = [{
    At run time int32 of shape [positions] or [batch, positions]. A position outside of it is in no segment.
  }];
}

def Attn_LengthsType : Attn_Type<"Lengths", "lengths"> {
  let summary = "how many positions hold keys, for each batch";
  let description = [{
    At run time int32 of shape [batch].
  }];
}

def Attn_RunTimeData : AnyTypeOf<[Attn_TokensType, Attn_SegmentsType, Attn_LengthsType], "run-time data">;

//===-- Attributes of plans ---------------------------------------------------------------------------------------===//

def Attn_OrderKind : I32EnumAttr<"OrderKindAttrValue", "how an order numbers rows", [
  I32EnumAttrCase<"All", 0, "all">,
  I32EnumAttrCase<"Listed", 1, "listed">,
  I32EnumAttrCase<"SegmentSorted", 2, "sorted">
]> {
  let cppNamespace = "::attn";
}

def Attn_OrderAttr : AttrDef<Attn_Dialect, "Order"> {
  let mnemonic = "order";
  let summary = "an order of query or key rows";
  let description = [{
    `all` numbers rows as they come. `listed(t)` takes the rows of the plan's table t (tokens), ascending and without
    duplicates. `sorted(t)` takes rows by (segment id in table t, row).
  }];
  let parameters = (ins EnumParameter<Attn_OrderKind>:$kind, "unsigned":$table);
  let hasCustomAssemblyFormat = 1;
}

def Attn_ExprAttr : AttrDef<Attn_Dialect, "Expr"> {
  let mnemonic = "expr";
  let summary = "a whole-number expression over one row and the symbols of a call";
  let description = [{
    `i` is the row. The symbols are `length`, `kv_length`, `query_offset`, `key_offset`, `top_left_offset` (the given
    query offset, or 0), and `s0`, `s1`, ... for the plan's own symbols. Operators are `+`, `-`, `*`, and the functions
    `floordiv(a, b)`, `mod(a, b)`, `min(...)`, `max(...)`.
  }];
  let parameters = (ins "::attn::Expr":$expr);
  let hasCustomAssemblyFormat = 1;
}

#endif // ATTN_IR_ATTNTYPES_TD
