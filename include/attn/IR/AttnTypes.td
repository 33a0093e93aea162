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
  let summary = "a whole number for each batch: how many positions hold keys, or how long a prefix is";
  let description = [{
    At run time int32 of shape [batch]. `attn.of_batch` reads it.
  }];
}

def Attn_PerHeadType : Attn_Type<"PerHead", "per_head"> {
  let summary = "a whole number for each query head";
  let description = [{
    At run time int32 of shape [heads] or [batch, heads]; a default of one value is shared by all heads. `attn.of_head`
    reads it.
  }];
}

def Attn_BlocksType : Attn_Type<"Blocks", "blocks"> {
  let summary = "key blocks for each block of queries, for each head";
  let description = [{
    At run time int32 of shape [heads, query blocks, size] or [batch, heads, query blocks, size], in any order,
    duplicates allowed; -1 pads.
  }];
}

def Attn_ArrayType : Attn_Type<"Array", "array"> {
  let summary = "numbers that a score region reads";
  let description = [{
    At run time f32 of these extents, any strides. An extent is a number, one of the call's (`batch`, `heads`,
    `kv_heads`, `queries`: query rows, `keys`: key rows, `head_size`), or open (`?`).

    ```mlir
    !attn.array<[heads, 32]>
    !attn.array<[batch, heads, queries, keys]>
    ```
  }];
  let parameters = (ins ArrayRefParameter<"int64_t", "extents; negative ones are of enum Extent">:$extents);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def Attn_RunTimeData : AnyTypeOf<[Attn_TokensType, Attn_SegmentsType, Attn_LengthsType, Attn_PerHeadType,
                                  Attn_BlocksType, Attn_ArrayType], "run-time data">;

def Attn_CoordinateType : Attn_Type<"Coordinate", "coordinate"> {
  let summary = "a whole number for each position, or for some of them";
  let description = [{
    What atoms may speak of instead of positions: an axis of a grid, an offset in a segment, a place in a stream. An atom
    on a coordinate admits no pair one of whose positions has none.
  }];
}

//===-- Attributes of plans ---------------------------------------------------------------------------------------===//

def Attn_OrderKind : I32EnumAttr<"OrderKindAttrValue", "how an order numbers rows", [
  I32EnumAttrCase<"All", 0, "all">,
  I32EnumAttrCase<"Listed", 1, "listed">,
  I32EnumAttrCase<"SegmentSorted", 2, "sorted">,
  I32EnumAttrCase<"Classes", 3, "classes">,
  I32EnumAttrCase<"Remainders", 4, "remainders">,
  I32EnumAttrCase<"Blocks", 5, "blocks">,
  I32EnumAttrCase<"Patches", 6, "patches">
]> {
  let cppNamespace = "::attn";
}

def Attn_OrderAttr : AttrDef<Attn_Dialect, "Order"> {
  let mnemonic = "order";
  let summary = "an order of query or key rows";
  let description = [{
    `all` numbers rows as they come. `listed(t)` takes the rows of the plan's table t (tokens), ascending and without
    duplicates. `sorted(t)` takes rows by (segment id in table t, row). `classes(m)` takes rows by (row mod m, row), for
    an expression m. `remainders(m, shift, from, below)` takes the rows for which (row + shift) mod m lies in
    [from, below), ascending. `blocks(m, shift)` numbers rows as they come, and tiles end where blocks of m of row + shift
    do. `patches(m, r, c)` takes rows as points of a grid m wide, in patches of r times c points; ranks past its edges
    stand for no row.
  }];
  let parameters = (ins EnumParameter<Attn_OrderKind>:$kind, "unsigned":$table, "::attn::Expr":$modulus,
                        "::attn::Expr":$shift, "::attn::Expr":$from, "::attn::Expr":$below, "int64_t":$patchRows,
                        "int64_t":$patchColumns);
  let builders = [AttrBuilder<(ins "const ::attn::Order &":$order), [{
    return $_get($_ctxt, static_cast<OrderKindAttrValue>(order.kind), order.table, order.modulus, order.shift,
                 order.from, order.below, order.patchRows, order.patchColumns);
  }]>];
  let extraClassDeclaration = [{
    /// The order of a side's rows that this stands for.
    Order of(Side side) const {
      return {static_cast<OrderKind>(getKind()), side,      getTable(), getModulus(), getShift(), getFrom(), getBelow(),
              getPatchRows(),                    getPatchColumns()};
    }
  }];
  let hasCustomAssemblyFormat = 1;
}

def Attn_ExprAttr : AttrDef<Attn_Dialect, "Expr"> {
  let mnemonic = "expr";
  let summary = "a whole-number expression over one row and the symbols of a call";
  let description = [{
    `i` is the row. The symbols are `length`, `kv_length`, `query_offset`, `key_offset`, `top_left_offset` (the given
    query offset, or 0), `heads` and `head` (the query heads, and the one at hand), and `s0`, `s1`, ... for the plan's own
    symbols. Operators are `+`, `-`, `*`, and the functions
    `floordiv(a, b)`, `mod(a, b)`, `min(...)`, `max(...)`.
  }];
  let parameters = (ins "::attn::Expr":$expr);
  let hasCustomAssemblyFormat = 1;
}

def Attn_RequirementAttr : AttrDef<Attn_Dialect, "Requirement"> {
  let mnemonic = "requirement";
  let summary = "what has to hold in a call: one expression is at least another";
  let description = [{
    `"rows of the grid" floordiv(kv_length + s0 - 1, s0) >= "rows of the neighborhood" 13`: the words are those of the
    message to a caller who breaks it. As an attribute of its own it says `at_least` instead of `>=`.
  }];
  let parameters = (ins StringRefParameter<>:$name, "::attn::Expr":$value, StringRefParameter<>:$leastName,
                        "::attn::Expr":$least);
  let hasCustomAssemblyFormat = 1;
}

#endif // ATTN_IR_ATTNTYPES_TD
