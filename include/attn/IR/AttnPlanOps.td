// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Plans: attention put into an order of dense tiles.

#ifndef ATTN_IR_ATTNPLANOPS_TD
#define ATTN_IR_ATTNPLANOPS_TD

include "attn/IR/AttnLinearOps.td"

def Attn_PlanOp : Attn_Op<"plan", [Pure, AttrSizedOperandSegments, NoTerminator, SingleBlock]> {
  let summary = "attention as phases over tiles";
  let description = [{
    What `attn.attention` computes, in the order that the planner chose for a target. Symbols s0, s1, ... of the
    expressions below are the operands `symbols`: index values, or lengths and per-head numbers, of which the entry of
    the batch or the head is meant. Orders name their table by its place in `tables`. `tile` is [query rows, keys, rows
    of a sub-tile, keys of a sub-tile]. Key tiles start at multiples of a sub-tile's keys, or, `anchored`, where the
    first or the last key of the query tile is; those of a listed order are then as narrow as a sub-tile. Where there
    are at most as many keys as `compact` says, its tiles are used instead. A call for which a requirement does not hold, or, with
    `one_sequence`, whose lengths differ, is refused.
  }];
  let arguments = (ins Attn_RowsTensor:$query, Attn_RowsTensor:$key, Attn_RowsTensor:$value, Optional<F32>:$scale,
                       Variadic<AnyTypeOf<[Index, Attn_LengthsType, Attn_PerHeadType]>>:$symbols,
                       Variadic<AnyTypeOf<[Attn_TokensType, Attn_SegmentsType, Attn_BlocksType]>>:$tables,
                       DenseI64ArrayAttr:$tile, UnitAttr:$anchored,
                       OptionalAttr<DenseI64ArrayAttr>:$compact, OptionalAttr<I64Attr>:$compact_keys,
                       UnitAttr:$one_sequence,
                       OptionalAttr<TypedArrayAttrBase<Attn_RequirementAttr, "requirements">>:$requirements);
  let results = (outs Attn_RowsTensor:$output, RankedTensorOf<[F32]>:$lse);
  let regions = (region SizedRegion<1>:$phases, AnyRegion:$score, AnyRegion:$sink);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`scale` `(` $scale^ `)`)?
    (`symbols` `(` $symbols^ `:` type($symbols) `)`)?
    (`tables` `(` $tables^ `:` type($tables) `)`)?
    `tile` $tile (`anchored` $anchored^)? (`compact` $compact^ `to` $compact_keys)?
    (`one_sequence` $one_sequence^)? (`requires` custom<Requirements>($requirements)^)?
    $phases `` custom<ScoreRegion>($score) `` custom<SinkRegion>($sink)
    attr-dict `:` type($query) `,` type($key) `,` type($value) `->` type($output) `,` type($lse)
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

def Attn_PhaseOp : Attn_Op<"phase", [HasParent<"PlanOp">, NoTerminator, SingleBlock]> {
  let summary = "one loop nest over query tiles";
  let description = [{
    Takes query rows in one order and writes the output of those that are not `except`ed. A row is written by one phase,
    and by those after it that `continue`: they start from its output and lse. A phase with `when` is passed over in calls
    where the expression is not positive; another one holds the same pairs then.
  }];
  let arguments = (ins Attn_OrderAttr:$queries, OptionalAttr<Attn_ExprAttr>:$when, UnitAttr:$continues,
                       OptionalAttr<TypedArrayAttrBase<Attn_OrderAttr, "orders">>:$except);
  let regions = (region SizedRegion<1>:$boxes);
  let assemblyFormat = [{
    `queries` `(` custom<OrderRef>($queries) `)` (`when` `(` custom<BareExpr>($when)^ `)`)? (`continues` $continues^)?
    (`except` `(` custom<OrderRefs>($except)^ `)`)? $boxes attr-dict
  }];
  let hasVerifier = 1;
}

def Attn_BoxOp : Attn_Op<"box", [HasParent<"PhaseOp">, SingleBlock]> {
  let summary = "the key rows that the query rows of a phase look at";
  let description = [{
    In the order `keys`, query row i looks at key rows `rows[0](i) <= j < rows[1](i)`; in the other direction, key row j
    is seen by query rows `columns[0](j) <= i < columns[1](j)`. `same_segment` restricts both to rows of one segment,
    `class` to rows of one class: of keys for a query row, and of queries for a key row, each the modulus where there is
    none. `blocks(t, size)` restricts them to the blocks of `size` positions that the plan's table t lists for the query's
    block. `columns_of(width, shift)` restricts them to the columns [lower, upper) of a grid, (key row + shift) mod width.
    `without` leaves rows of the same form out, `except` the keys of listed orders. A pair counts only if the test, if there is one, says so; its
    arguments are batch, head, query row and key row, and by rows it reads arrays with `clamped` alone.
  }];
  let arguments = (ins Attn_OrderAttr:$keys, UnitAttr:$same_segment,
                       OptionalAttr<Attn_ExprAttr>:$key_class, OptionalAttr<Attn_ExprAttr>:$query_class,
                       OptionalAttr<I64Attr>:$block_table, OptionalAttr<Attn_ExprAttr>:$block_size,
                       OptionalAttr<Attn_ExprAttr>:$column_width, OptionalAttr<Attn_ExprAttr>:$column_shift,
                       OptionalAttr<Attn_ExprAttr>:$column_lower, OptionalAttr<Attn_ExprAttr>:$column_upper,
                       Attn_ExprAttr:$lower, Attn_ExprAttr:$upper,
                       Attn_ExprAttr:$query_lower, Attn_ExprAttr:$query_upper,
                       OptionalAttr<Attn_ExprAttr>:$hole_lower, OptionalAttr<Attn_ExprAttr>:$hole_upper,
                       OptionalAttr<Attn_ExprAttr>:$hole_query_lower, OptionalAttr<Attn_ExprAttr>:$hole_query_upper,
                       OptionalAttr<TypedArrayAttrBase<Attn_OrderAttr, "orders">>:$except);
  let regions = (region AnyRegion:$test);
  let assemblyFormat = [{
    `keys` `(` custom<OrderRef>($keys) `)` (`same_segment` $same_segment^)?
    (`class` custom<ClassPair>($key_class, $query_class)^)?
    (`blocks` `(` $block_table^ `,` custom<BareExpr>($block_size) `)`)?
    (`columns_of` custom<ClassPair>($column_width, $column_shift)^ custom<Bounds>($column_lower, $column_upper))?
    `rows` custom<Bounds>($lower, $upper) `columns` custom<Bounds>($query_lower, $query_upper)
    (`without` custom<Hole>($hole_lower, $hole_upper, $hole_query_lower, $hole_query_upper)^)?
    (`except` `(` custom<OrderRefs>($except)^ `)`)? `` custom<TestRegion>($test) attr-dict
  }];
  let hasRegionVerifier = 1;
}

//===-- What a test is made of ------------------------------------------------------------------------------------===//

def Attn_ApplyOp : Attn_Op<"apply", [Pure]> {
  let summary = "the value of an expression at a row";
  let arguments = (ins Attn_ExprAttr:$expr, Index:$row);
  let results = (outs Index:$result);
  let assemblyFormat = "custom<BareExpr>($expr) `at` $row attr-dict";
}

def Attn_LookupOp : Attn_Op<"lookup", [Pure]> {
  let summary = "an entry of a batch's segment ids";
  let description = [{
    The id at a position, or `absent` where the position is outside of the table. Ids are 32 bits wide and the result 64,
    so that `absent` can differ from each of them. With `offset`, how many earlier positions have the same id.
  }];
  let arguments = (ins Attn_SegmentsType:$table, Index:$position, I64Attr:$absent, UnitAttr:$offset);
  let results = (outs I64:$result);
  let assemblyFormat = "(`offset` $offset^)? $table `[` $position `]` `else` $absent attr-dict";
}

def Attn_ListsOp : Attn_Op<"lists", [Pure]> {
  let summary = "whether a row of the head's table of blocks holds a number";
  let description = [{
    False for a row that the table does not have, and for numbers below 0.
  }];
  let arguments = (ins Attn_BlocksType:$table, Index:$row, Index:$entry);
  let results = (outs I1:$result);
  let assemblyFormat = "$table `[` $row `]` `,` $entry attr-dict";
}

def Attn_MemberOp : Attn_Op<"member", [Pure]> {
  let summary = "whether a row of a side is in an order";
  let arguments = (ins Attn_OrderAttr:$order, UnitAttr:$keys, Index:$row);
  let results = (outs I1:$result);
  let assemblyFormat = "$row `of` (`keys` $keys^)? custom<OrderRef>($order) attr-dict";
}

#endif // ATTN_IR_ATTNPLANOPS_TD
