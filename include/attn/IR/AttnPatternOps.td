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

    A pattern over `one_sequence`, written behind the parameters, is refused for a key length other than the query's.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, ArrayAttr:$argument_names, ArrayAttr:$defaults, UnitAttr:$one_sequence);
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

//===-- Numbers of the call ---------------------------------------------------------------------------------------===//

def Attn_OfHeadOp : Attn_Op<"of_head", [Pure]> {
  let summary = "the query head's entry of a per-head parameter";
  let arguments = (ins Attn_PerHeadType:$values);
  let results = (outs Index:$result);
  let assemblyFormat = "$values attr-dict";
  let hasVerifier = 1;
}

def Attn_OfBatchOp : Attn_Op<"of_batch", [Pure]> {
  let summary = "the batch's entry of a per-batch number";
  let arguments = (ins Attn_LengthsType:$values);
  let results = (outs Index:$result);
  let assemblyFormat = "$values attr-dict";
  let hasVerifier = 1;
}

def Attn_ExtentKind : I32EnumAttr<"ExtentKind", "a size of the call", [
  I32EnumAttrCase<"Queries", 0, "queries">,
  I32EnumAttrCase<"Keys", 1, "keys">,
  I32EnumAttrCase<"Heads", 2, "heads">
]> {
  let cppNamespace = "::attn";
}

def Attn_ExtentOp : Attn_Op<"extent", [Pure]> {
  let summary = "how many query positions, key positions or query heads there are";
  let description = [{
    `queries` is the position after the last query row, `keys` that after the last key row: the numbers of positions from
    0 on. May be used in bounds, where regions and score regions.

    ```mlir
    %n = attn.extent keys
    ```
  }];
  let arguments = (ins Attn_ExtentKind:$kind);
  let results = (outs Index:$result);
  let assemblyFormat = "$kind attr-dict";
}

//===-- Coordinates -----------------------------------------------------------------------------------------------===//

class Attn_CoordinatesOp<string mnemonic>
    : Attn_Op<mnemonic, [Pure, DeclareOpInterfaceMethods<InferTypeOpInterface>]> {
  let arguments = (ins Variadic<Index>:$sizes, DenseI64ArrayAttr:$static_sizes);
  let results = (outs Variadic<Attn_CoordinateType>:$coordinates);
  let assemblyFormat = "custom<DynamicIndexList>($sizes, $static_sizes) attr-dict";
  let hasVerifier = 1;
}

def Attn_GridOp : Attn_CoordinatesOp<"grid"> {
  let summary = "the axes of a grid whose points are positions in row-major order";
  let description = [{
    The sizes are those of the inner axes; the outermost is as long as the keys need, and its last row may be partial:
    rows = ceil(keys / width). Gives one coordinate more than there are sizes, the outermost first.

    ```mlir
    %row, %column = attn.grid [%width]
    %frame, %row, %column = attn.grid [%height, %width]
    ```
  }];
}

def Attn_StreamOp : Attn_CoordinatesOp<"stream"> {
  let summary = "streams of positions that stand one behind the other";
  let description = [{
    The sizes are those of all streams but the last, in order. A position has a place only in its own stream, counted
    from 0. A stream of no positions is empty.

    ```mlir
    %global, %long = attn.stream [%count]   // ETC: global tokens stand in front
    ```
  }];
}

def Attn_OffsetOp : Attn_Op<"offset", [Pure]> {
  let summary = "places in segments";
  let description = [{
    How many earlier positions are in the position's segment: an offset in a packed document. A position outside of the
    table has none. Pairs of different segments are not kept apart: intersect with `attn.segments`.
  }];
  let arguments = (ins Attn_SegmentsType:$ids);
  let results = (outs Attn_CoordinateType:$coordinate);
  let assemblyFormat = "$ids attr-dict";
}

def Attn_RasterOp : Attn_Op<"raster", [Pure, AttrSizedOperandSegments]> {
  let summary = "the order of a grid's points block by block";
  let description = [{
    The grid is cut into blocks of the given sizes, one for each axis, outermost first. Blocks follow each other in
    row-major order, and points do inside a block (Image Transformer, 2018: 2-D local attention). The axes are those of
    one `attn.grid`. A block that the grid's edge cuts has as many places as a whole one.

    ```mlir
    %row, %column = attn.grid [%width]
    %place = attn.raster %row, %column blocks [%block_rows, %block_columns]
    %past = attn.causal on %place
    ```
  }];
  let arguments = (ins Variadic<Attn_CoordinateType>:$axes, Variadic<Index>:$blocks, DenseI64ArrayAttr:$static_blocks);
  let results = (outs Attn_CoordinateType:$coordinate);
  let assemblyFormat = "$axes `blocks` custom<DynamicIndexList>($blocks, $static_blocks) attr-dict";
  let hasVerifier = 1;
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
    0. A side that is not written is unbounded. A bound is a literal or a value. With a dilation d, bounds count taps:
    k = p + t d for -left <= t <= right. On a coordinate, p and k are its values.

    ```mlir
    %near = attn.window left(256) right(%r)
    %past = attn.window right(0)
    %taps = attn.window left(256) right(256) dilation(%d)
    %same_row = attn.window left(0) right(0) on %row
    ```
  }];
  let arguments = (ins Optional<Index>:$left, Optional<Index>:$right, Optional<Index>:$dilation,
                       Optional<Attn_CoordinateType>:$coordinate, OptionalAttr<IndexAttr>:$static_left,
                       OptionalAttr<IndexAttr>:$static_right, OptionalAttr<IndexAttr>:$static_dilation);
  let assemblyFormat = [{
    (`left` `(` custom<IndexOrLiteral>($left, $static_left)^ `)`)?
    (`right` `(` custom<IndexOrLiteral>($right, $static_right)^ `)`)?
    (`dilation` `(` custom<IndexOrLiteral>($dilation, $static_dilation)^ `)`)? (`on` $coordinate^)? attr-dict
  }];
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
}

def Attn_CausalOp : Attn_Atom<"causal"> {
  let summary = "keys at or before the query";
  let description = [{
    Admits key position k for query position p where `k <= p`. Lengths that differ are aligned at the bottom right: the
    last query row stands beside the last key row, unless the call gives a query offset. With `top_left` the query offset
    is 0 unless the call gives one. On a coordinate, p and k are its values.
  }];
  let arguments = (ins UnitAttr:$top_left, Optional<Attn_CoordinateType>:$coordinate);
  let assemblyFormat = "(`top_left` $top_left^)? (`on` $coordinate^)? attr-dict";
  let hasVerifier = 1;
}

def Attn_BlockLocalOp : Attn_Atom<"block_local", [AttrSizedOperandSegments]> {
  let summary = "keys in the query's block, and around it";
  let description = [{
    Admits key position k for query position p where `begin - before <= k < begin + block + after`, begin being
    `(p floordiv block) * block`, the first position of the query's block; block is at least 1, `before` and `after` are
    at least 0, and 0 unless they are written. On a coordinate, p and k are its values.

    ```mlir
    %own = attn.block_local 256
    %own_and_previous = attn.block_local %block before(%block)
    ```
  }];
  let arguments = (ins Optional<Index>:$block, Optional<Index>:$before, Optional<Index>:$after,
                       Optional<Attn_CoordinateType>:$coordinate, OptionalAttr<IndexAttr>:$static_block,
                       OptionalAttr<IndexAttr>:$static_before, OptionalAttr<IndexAttr>:$static_after);
  let assemblyFormat = [{
    custom<IndexOrLiteral>($block, $static_block)
    (`before` `(` custom<IndexOrLiteral>($before, $static_before)^ `)`)?
    (`after` `(` custom<IndexOrLiteral>($after, $static_after)^ `)`)? (`on` $coordinate^)? attr-dict
  }];
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
}

def Attn_NeighborhoodOp : Attn_Atom<"neighborhood"> {
  let summary = "a window that is shifted back where it would reach past an edge";
  let description = [{
    Admits key value k for query value p of a grid's axis where `begin <= k < begin + size`, begin being
    `min(max(p - size floordiv 2, 0), extent - size)` (Neighborhood Attention, 2023): every query looks at `size` values.
    A call in which the axis has fewer is refused.
  }];
  let arguments = (ins Optional<Index>:$size, Attn_CoordinateType:$coordinate, OptionalAttr<IndexAttr>:$static_size);
  let assemblyFormat = "custom<IndexOrLiteral>($size, $static_size) `on` $coordinate attr-dict";
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
}

def Attn_CongruentWhich : I32EnumAttr<"CongruentWhich", "what is divided", [
  I32EnumAttrCase<"Difference", 0, "difference">,
  I32EnumAttrCase<"Query", 1, "query">,
  I32EnumAttrCase<"Key", 2, "key">,
  I32EnumAttrCase<"Head", 3, "head">
]> {
  let cppNamespace = "::attn";
}

def Attn_CongruentOp : Attn_Atom<"congruent", [AttrSizedOperandSegments]> {
  let summary = "pairs by a remainder";
  let description = [{
    Admits the pairs for which `from <= x mod modulus <= to`, x being the difference of query and key position, either of
    the two, or the query head. The modulus is at least 1 and the remainder lies in [0, modulus), also for negative x.
    `from` is 0 and `to` is `from` unless they are written; a range without remainders admits nothing. On a coordinate,
    positions are its values.

    ```mlir
    %column = attn.congruent (query - key) mod(%stride)
    %summary = attn.congruent key mod(%stride) from(%first) to(%last)
    %even_heads = attn.congruent head mod(2)
    ```
  }];
  let arguments = (ins Attn_CongruentWhich:$which, Optional<Index>:$modulus, Optional<Index>:$from,
                       Optional<Index>:$to, Optional<Attn_CoordinateType>:$coordinate,
                       OptionalAttr<IndexAttr>:$static_modulus, OptionalAttr<IndexAttr>:$static_from,
                       OptionalAttr<IndexAttr>:$static_to);
  let assemblyFormat = [{
    custom<CongruentWhich>($which) `mod` `(` custom<IndexOrLiteral>($modulus, $static_modulus) `)`
    (`from` `(` custom<IndexOrLiteral>($from, $static_from)^ `)`)?
    (`to` `(` custom<IndexOrLiteral>($to, $static_to)^ `)`)? (`on` $coordinate^)? attr-dict
  }];
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
}

def Attn_WhichSide : I32EnumAttr<"WhichSide", "which side of a pair is meant", [
  I32EnumAttrCase<"Both", 0, "both">,
  I32EnumAttrCase<"Rows", 1, "rows">,
  I32EnumAttrCase<"Columns", 2, "columns">
]> {
  let cppNamespace = "::attn";
}

def Attn_RangeOp : Attn_Atom<"range", [AttrSizedOperandSegments]> {
  let summary = "positions from one up to another";
  let description = [{
    Admits the pairs whose query position x (`rows`), whose key position x (`columns`), or either of them (`both`) has
    `from <= x < below`. A bound that is not written does not bound.

    ```mlir
    %prefix = attn.range columns below(%n)
    %hub = attn.range both below(16)
    %last = attn.range both from(%begin)
    ```
  }];
  let arguments = (ins Attn_WhichSide:$which, Optional<Index>:$from, Optional<Index>:$below,
                       OptionalAttr<IndexAttr>:$static_from, OptionalAttr<IndexAttr>:$static_below);
  let assemblyFormat = [{
    $which (`from` `(` custom<IndexOrLiteral>($from, $static_from)^ `)`)?
    (`below` `(` custom<IndexOrLiteral>($below, $static_below)^ `)`)? attr-dict
  }];
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
}

def Attn_HeadsOp : Attn_Atom<"heads", [AttrSizedOperandSegments]> {
  let summary = "every pair of some heads";
  let description = [{
    Admits the pairs of query heads h with `from <= h < below`, or of those for which a table is not 0. See also
    `attn.congruent head`.

    ```mlir
    %first = attn.heads below(4)
    %chosen = attn.heads in %flags
    ```
  }];
  let arguments = (ins Optional<Index>:$from, Optional<Index>:$below, Optional<Attn_PerHeadType>:$flags,
                       OptionalAttr<IndexAttr>:$static_from, OptionalAttr<IndexAttr>:$static_below);
  let assemblyFormat = [{
    (`from` `(` custom<IndexOrLiteral>($from, $static_from)^ `)`)?
    (`below` `(` custom<IndexOrLiteral>($below, $static_below)^ `)`)? (`in` $flags^)? attr-dict
  }];
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
}

def Attn_BlockTableOp : Attn_Atom<"block_table"> {
  let summary = "key blocks that a table lists";
  let description = [{
    Admits key position k for query position p where `k floordiv block` is among the entries that the table has for the
    head and for block row `p floordiv block` (BigBird's random blocks); block is at least 1. A block row that the table
    does not have lists nothing.
  }];
  let arguments = (ins Attn_BlocksType:$table, Optional<Index>:$block, OptionalAttr<IndexAttr>:$static_block);
  let assemblyFormat = "$table `block` `(` custom<IndexOrLiteral>($block, $static_block) `)` attr-dict";
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
}

def Attn_GlobalOp : Attn_Atom<"global"> {
  let summary = "tokens that see all and are seen by all";
  let description = [{
    Admits the pairs whose query position is among the tokens (`rows`), whose key position is (`columns`), or either (the
    default).
  }];
  let arguments = (ins DefaultValuedAttr<Attn_WhichSide, "::attn::WhichSide::Both">:$which,
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
