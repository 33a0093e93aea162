// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Patterns: atoms, the operators that combine them, and the symbol that names one.

#ifndef ATTN_IR_ATTNPATTERNOPS_TD
#define ATTN_IR_ATTNPATTERNOPS_TD

include "attn/IR/AttnTypes.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Attn_Op<string mnemonic, list<Trait> traits = []> : Op<Attn_Dialect, mnemonic, traits>;

//===-- The symbol ------------------------------------------------------------------------------------------------===//

def Attn_NamesParameters : DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>;

def Attn_PatternOp : Attn_Op<"pattern", [Symbol, IsolatedFromAbove, SingleBlock, Attn_NamesParameters]> {
  let summary = "a named pattern";
  let description = [{
    A pattern with its parameters and their defaults. Every parameter has a default or is run-time data that the caller
    (or, in attn-run, a seed) provides.

    ```mlir
    // Beltagy et al., 2020: 256 tokens to each side, and global tokens that see all and are seen by all.
    attn.pattern @longformer(%global: !attn.tokens = [0], %left: index = 256, %right: index = 256) {
      %near = attn.window left(%left) right(%right)
      %hub = attn.global %global
      %pairs = attn.union %near, %hub
      attn.yield %pairs
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, ArrayAttr:$argument_names, ArrayAttr:$defaults);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasRegionVerifier = 1;
}

def Attn_YieldOp : Attn_Op<"yield", [Pure, Terminator, ReturnLike]> {
  let summary = "ends a pattern, a test or a score region with its value";
  let description = [{
    The type is written unless it is !attn.pattern.
  }];
  let arguments = (ins Variadic<AnyType>:$values);
  let hasCustomAssemblyFormat = 1;
}

//===-- Atoms -----------------------------------------------------------------------------------------------------===//

class Attn_Atom<string mnemonic, list<Trait> traits = []> : Attn_Op<mnemonic, traits # [Pure]> {
  let results = (outs Attn_PatternType:$result);
}

def Attn_FullOp : Attn_Atom<"full"> {
  let summary = "every pair";
  let assemblyFormat = "attr-dict";
}

def Attn_EmptyOp : Attn_Atom<"empty"> {
  let summary = "no pair";
  let assemblyFormat = "attr-dict";
}

def Attn_WindowOp : Attn_Atom<"window", [AttrSizedOperandSegments]> {
  let summary = "keys near the query";
  let description = [{
    Admits key position k for query position p where `p - left <= k <= p + right`; both bounds are inclusive and at least
    0. A side that is not written is unbounded. A bound is a literal or a value.

    ```mlir
    %near = attn.window left(256) right(%r)
    %past = attn.window right(0)
    ```
  }];
  let arguments = (ins Optional<Index>:$left, Optional<Index>:$right, OptionalAttr<IndexAttr>:$static_left,
                       OptionalAttr<IndexAttr>:$static_right);
  let assemblyFormat = [{
    (`left` `(` custom<IndexOrLiteral>($left, $static_left)^ `)`)?
    (`right` `(` custom<IndexOrLiteral>($right, $static_right)^ `)`)? attr-dict
  }];
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
}

def Attn_CausalOp : Attn_Atom<"causal"> {
  let summary = "keys at or before the query";
  let description = [{
    Admits key position k for query position p where `k <= p`. Lengths that differ are aligned at the bottom right: the
    last query row stands beside the last key row, unless the call gives a query offset. With `top_left` the query offset
    is 0 unless the call gives one.
  }];
  let arguments = (ins UnitAttr:$top_left);
  let assemblyFormat = "(`top_left` $top_left^)? attr-dict";
}

def Attn_BlockLocalOp : Attn_Atom<"block_local"> {
  let summary = "keys in the query's block";
  let description = [{
    Admits key position k for query position p where `k floordiv block = p floordiv block`; block is at least 1.
  }];
  let arguments = (ins Optional<Index>:$block, OptionalAttr<IndexAttr>:$static_block);
  let assemblyFormat = "custom<IndexOrLiteral>($block, $static_block) attr-dict";
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
}

def Attn_GlobalKind : I32EnumAttr<"GlobalKind", "which side of a pair is a global token", [
  I32EnumAttrCase<"Both", 0, "both">,
  I32EnumAttrCase<"Rows", 1, "rows">,
  I32EnumAttrCase<"Columns", 2, "columns">
]> {
  let cppNamespace = "::attn";
}

def Attn_GlobalOp : Attn_Atom<"global"> {
  let summary = "tokens that see all and are seen by all";
  let description = [{
    Admits the pairs whose query position is among the tokens (`rows`), whose key position is (`columns`), or either (the
    default).
  }];
  let arguments = (ins DefaultValuedAttr<Attn_GlobalKind, "::attn::GlobalKind::Both">:$which,
                       Attn_TokensType:$tokens);
  let assemblyFormat = "($which^)? $tokens attr-dict";
}

def Attn_SegmentsOp : Attn_Atom<"segments"> {
  let summary = "keys in the query's segment";
  let description = [{
    Admits the pairs whose positions have the same segment id: packed documents.
  }];
  let arguments = (ins Attn_SegmentsType:$ids);
  let assemblyFormat = "$ids attr-dict";
}

def Attn_PaddedOp : Attn_Atom<"padded"> {
  let summary = "keys before the batch's length";
  let description = [{
    Admits key positions below `lengths[b]`; it masks keys only, query rows past the length still get an output.
  }];
  let arguments = (ins Attn_LengthsType:$lengths);
  let assemblyFormat = "$lengths attr-dict";
}

def Attn_WhereOp : Attn_Atom<"where", [SingleBlock]> {
  let summary = "pairs for which a region says so";
  let description = [{
    The escape hatch: a pure region from batch, head, query position and key position to i1. Nothing is derived from it;
    it is asked pair by pair, and reports sample its cost. An integer division by 0 gives 0.

    ```mlir
    %even = attn.where (%b, %h, %i, %j) {
      %sum = arith.addi %i, %j : index
      %two = arith.constant 2 : index
      %zero = arith.constant 0 : index
      %rest = arith.remsi %sum, %two : index
      %is = arith.cmpi eq, %rest, %zero : index
      attn.yield %is : i1
    }
    ```
  }];
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "custom<PairRegion>($body) attr-dict";
  let hasRegionVerifier = 1;
}

//===-- Operators -------------------------------------------------------------------------------------------------===//

class Attn_SetOp<string mnemonic, list<Trait> traits = []> : Attn_Atom<mnemonic, traits # [Commutative]> {
  let arguments = (ins Variadic<Attn_PatternType>:$members);
  let assemblyFormat = "$members attr-dict";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Attn_UnionOp : Attn_SetOp<"union"> {
  let summary = "pairs that any member admits";
  let description = [{
    A set: a pair that several members admit counts once.
  }];
}

def Attn_IntersectOp : Attn_SetOp<"intersect"> {
  let summary = "pairs that every member admits";
}

def Attn_MinusOp : Attn_Atom<"minus"> {
  let summary = "pairs of the first pattern that the second does not admit";
  let arguments = (ins Attn_PatternType:$from, Attn_PatternType:$without);
  let assemblyFormat = "$from `,` $without attr-dict";
  let hasFolder = 1;
}

#endif // ATTN_IR_ATTNPATTERNOPS_TD
