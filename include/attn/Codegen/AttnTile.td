// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The attn_tile dialect: what a Hopper kernel does with tiles, before it is instructions.

#ifndef ATTN_CODEGEN_ATTNTILE_TD
#define ATTN_CODEGEN_ATTNTILE_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def AttnTile_Dialect : Dialect {
  let name = "attn_tile";
  let cppNamespace = "::attn::tile";
  let summary = "tiles of a Hopper kernel: where they lie, who moves them, who multiplies them";
  let description = [{
    A kernel is a block of warpgroups (128 threads). The first is the *producer*: it copies tiles into shared memory.
    The others are *consumers*: each multiplies 64 query rows. They meet in *rings*: stages of shared tiles, each with
    two barriers. A *slot* names a stage and which time around the ring it is.

    | who | op | waits for, or does |
    |---|---|---|
    | producer | `acquire` | the stage is empty |
    | producer | `fill`, `publish` | copies through a tensor map; or says that the threads' own copies are there |
    | consumer | `await` | the stage is full |
    | consumer | `release` | this warp has read the stage |

    Layouts, fixed by the hardware:

    - `shared<ROWSxCOLUMNSxELEMENT>`: panels of 64 columns, of f32 32, one after the other; in a panel row r takes 128
      bytes, and its eight 16-byte chunks are permuted (chunk c lies at c xor r mod 8): the 128-byte swizzle of TMA and
      wgmma. With `panel = P` it is a part of a tile whose panels have P rows.
    - `acc<64xCOLUMNSxf32>`: the accumulator of wgmma. Thread t of a warpgroup holds, of rows
      r = 16 (t / 32) + t % 32 / 4 and r + 8, the columns 2 (t % 4) + {0, 1} of every group of eight.
    - `operand<64xCOLUMNSxELEMENT>`: the same places, rounded to the element: the A operand of wgmma in registers.
    - `row<T>`: a value for each row of an accumulator: two in each thread, the same in the four threads of a row.
    - `bits<64xCOLUMNS>`: a bit for each place of an accumulator.

    wgmma is asynchronous. What it writes is `pending` until `wait` returns it as an accumulator: registers in flight
    cannot be touched because no value names them. The verifier counts the groups in flight, and sees to it that the
    operands of one are not written before it is waited for; ptxas would serialize such code.

    wgmma knows no product of f32 that keeps all of its bits. Of such tiles the threads multiply and add themselves, each
    in its places of the accumulator; ops and types are the same, and `wait` waits for the warp.
  }];
  let useDefaultTypePrinterParser = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::LLVM::LLVMDialect"];
}

//===-- Types -----------------------------------------------------------------------------------------------------===//

class AttnTile_Type<string name, string typeMnemonic> : TypeDef<AttnTile_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def AttnTile_SharedType : AttnTile_Type<"Shared", "shared"> {
  let summary = "a tile in shared memory, swizzled";
  let parameters = (ins "int64_t":$rows, "int64_t":$columns, "::mlir::Type":$element,
                        DefaultValuedParameter<"int64_t", "0">:$panel);
  let hasCustomAssemblyFormat = 1; // shared<128x64xbf16>, shared<64x64xbf16, panel = 128>
  let genVerifyDecl = 1; // columns: a multiple of a panel's; rows: of 8; element f32, bf16 or f16
  let extraClassDeclaration = [{
    int64_t elementBytes() const { return getElement().getIntOrFloatBitWidth() / 8; }
    int64_t panelColumns() const { return 128 / elementBytes(); }
    int64_t chunkColumns() const { return 16 / elementBytes(); }
    /// Rows of a panel in memory.
    int64_t panelRows() const { return getPanel() ? getPanel() : getRows(); }
    int64_t panels() const { return getColumns() / panelColumns(); }
    int64_t bytes() const { return panels() * panelRows() * 128; }
    /// Its first rows.
    SharedType top(int64_t rows) const { return get(getContext(), rows, getColumns(), getElement(), panelRows()); }
    /// 64 rows of it.
    SharedType subtile() const { return top(64); }
  }];
}

def AttnTile_AccType : AttnTile_Type<"Acc", "acc"> {
  let summary = "64 rows of a product, in the registers of a warpgroup";
  let parameters = (ins "int64_t":$columns);
  let hasCustomAssemblyFormat = 1; // acc<64x128xf32>
  let genVerifyDecl = 1; // a multiple of 8 in [8, 256]
}

def AttnTile_OperandType : AttnTile_Type<"Operand", "operand"> {
  let summary = "64 rows of an A operand, in the registers of a warpgroup";
  let parameters = (ins "int64_t":$columns, "::mlir::Type":$element);
  let hasCustomAssemblyFormat = 1; // operand<64x128xbf16>
  let genVerifyDecl = 1; // a multiple of 16; element f32, bf16 or f16
}

def AttnTile_PendingType : AttnTile_Type<"Pending", "pending"> {
  let summary = "an accumulator that wgmma is still writing";
  let parameters = (ins "int64_t":$columns);
  let hasCustomAssemblyFormat = 1; // pending<64x128xf32>
  let genVerifyDecl = 1; // as acc
}

def AttnTile_RowType : AttnTile_Type<"Row", "row"> {
  let summary = "a value for each of 64 rows";
  let parameters = (ins "::mlir::Type":$element);
  let assemblyFormat = "`<` $element `>`";
}

def AttnTile_BitsType : AttnTile_Type<"Bits", "bits"> {
  let summary = "a bit for each place of 64 rows";
  let parameters = (ins "int64_t":$columns);
  let hasCustomAssemblyFormat = 1; // bits<64x128>
  let genVerifyDecl = 1; // a multiple of 8 up to 128: 64 bits in a thread
}

def AttnTile_RingType : AttnTile_Type<"Ring", "ring"> {
  let summary = "stages of shared tiles with their barriers";
  let parameters = (ins "int64_t":$stages, "::attn::tile::SharedType":$tile);
  let hasCustomAssemblyFormat = 1; // ring<3 x 128x64xbf16>
  let genVerifyDecl = 1; // at least one stage; a whole tile of a multiple of 1024 bytes
}

def AttnTile_SlotType : AttnTile_Type<"Slot", "slot"> {
  let summary = "a stage of a ring, and which time around it is";
}

//===-- Ops -------------------------------------------------------------------------------------------------------===//

class AttnTile_Op<string name, list<Trait> traits = []> : Op<AttnTile_Dialect, name, traits>;

// The type of result `to` follows from that of operand `from`: `type` is an expression over $_self.
class TypeFollows<string to, string from, string type>
    : TypesMatchWith<"type of " # to # " does not follow from that of " # from, from, to, type>;

def AttnTile_Fold : I32EnumAttr<"FoldKind", "how values are folded", [
  I32EnumAttrCase<"Max", 0, "max">, I32EnumAttrCase<"Add", 1, "add">
]> {
  let cppNamespace = "::attn::tile";
}

def AttnTile_Combination : I32EnumAttr<"CombineKind", "how bits are combined", [
  I32EnumAttrCase<"And", 0, "and">, I32EnumAttrCase<"Or", 1, "or">
]> {
  let cppNamespace = "::attn::tile";
}

// Roles

def AttnTile_RolesOp : AttnTile_Op<"roles", [NoTerminator, SingleBlock, RecursiveMemoryEffects]> {
  let summary = "what the producer warpgroup and the consumer warpgroups do";
  let description = [{
    Warpgroup 0 runs the first region with its warp number (0 to 3) as argument, the others run the second with their
    number less one. `registers` are those of a producer's and of a consumer's thread: the registers that the block got
    at launch are dealt out anew.
  }];
  let arguments = (ins I32Attr:$producer_registers, I32Attr:$consumer_registers);
  let regions = (region SizedRegion<1>:$producer, SizedRegion<1>:$consumer);
  let hasCustomAssemblyFormat = 1; // registers(24, 240) producer(%warp) {...} consumer(%warpgroup) {...}
  let hasVerifier = 1; // inside an llvm.func with nvvm.reqntid and nvvm.minctasm; multiples of 8 in [24, 240]; in all
                       // not more than at launch: min(65536 / minctas / threads / 8 * 8, 168) a thread
}

// Rings

def AttnTile_RingOp : AttnTile_Op<"ring", [Pure]> {
  let summary = "a ring at a place of the dynamic shared memory";
  let description = [{
    `tiles` is the byte where its tiles begin, stage after stage, a multiple of 1024; at `barriers` lie 8 bytes for each
    stage's full barrier, then 8 for each stage's empty barrier, then 8 for each stage's note.
  }];
  let arguments = (ins I32Attr:$tiles, I32Attr:$barriers);
  let results = (outs AttnTile_RingType:$ring);
  let assemblyFormat = "`tiles` `(` $tiles `)` `barriers` `(` $barriers `)` attr-dict `:` type($ring)";
}
def AttnTile_InitializeOp : AttnTile_Op<"initialize"> {
  let summary = "set up the barriers of a ring; for one thread";
  let description = [{
    A stage is full after one arrival and the bytes that it brings, and empty after `readers` arrivals.
  }];
  let arguments = (ins AttnTile_RingType:$ring, I32Attr:$readers);
  let assemblyFormat = "$ring `readers` `(` $readers `)` attr-dict `:` type($ring)";
}
def AttnTile_StartOp : AttnTile_Op<"start", [Pure]> {
  let summary = "the first slot";
  let results = (outs AttnTile_SlotType:$slot);
  let assemblyFormat = "attr-dict";
}
def AttnTile_AdvanceOp : AttnTile_Op<"advance", [Pure]> {
  let summary = "the slot after this one";
  let arguments = (ins AttnTile_SlotType:$slot, I32Attr:$stages);
  let results = (outs AttnTile_SlotType:$next);
  let assemblyFormat = "$slot `of` $stages attr-dict";
}
def AttnTile_AcquireOp : AttnTile_Op<"acquire"> {
  let summary = "wait until a stage is empty";
  let arguments = (ins AttnTile_RingType:$ring, AttnTile_SlotType:$slot);
  let assemblyFormat = "$ring `[` $slot `]` attr-dict `:` type($ring)";
}
def AttnTile_FillOp : AttnTile_Op<"fill", [AttrSizedOperandSegments]> {
  let summary = "copy rows into a stage through a tensor map; for one thread";
  let description = [{
    The map has the axes {columns, rows, heads, batch}, or {columns, rows of a part, parts, heads, batch} where rows are
    cut into classes, runs, or the rows of a grid, and a box of a panel's columns and the tile's rows. Rows and columns
    outside of the tensor, also before its first row, become zeros. A box may have fewer rows than the tile, `rows`: the
    others stay what they are.
  }];
  let arguments = (ins AttnTile_RingType:$ring, AttnTile_SlotType:$slot, AnyType:$map, I32:$row,
                       Optional<I32>:$part, I32:$head, I32:$batch, Optional<I32>:$rows);
  let assemblyFormat = [{
    $ring `[` $slot `]` `from` $map `[` $row (`of` $part^)? `,` $head `,` $batch `]` (`rows` `(` $rows^ `)`)?
    attr-dict `:` type($ring) `,` type($map)
  }];
}
def AttnTile_PublishOp : AttnTile_Op<"publish"> {
  let summary = "a stage that threads have written is full; for one thread";
  let arguments = (ins AttnTile_RingType:$ring, AttnTile_SlotType:$slot);
  let assemblyFormat = "$ring `[` $slot `]` attr-dict `:` type($ring)";
}
def AttnTile_NoteOp : AttnTile_Op<"note"> {
  let summary = "say something of a stage that is acquired and not yet full; for one thread";
  let description = [{
    Two numbers that consumers read once the stage is full, and that stay until they have released it. The thread that
    notes them has to be the one that fills or publishes the stage.
  }];
  let arguments = (ins AttnTile_RingType:$ring, AttnTile_SlotType:$slot, I32:$first, I32:$second);
  let assemblyFormat = "$ring `[` $slot `]` `says` $first `,` $second attr-dict `:` type($ring)";
}
def AttnTile_ReadOp : AttnTile_Op<"read"> {
  let summary = "what was noted of a stage that is full";
  let arguments = (ins AttnTile_RingType:$ring, AttnTile_SlotType:$slot);
  let results = (outs I32:$first, I32:$second);
  let assemblyFormat = "$ring `[` $slot `]` attr-dict `:` type($ring)";
}
def AttnTile_AwaitOp : AttnTile_Op<"await"> {
  let summary = "wait until a stage is full";
  let arguments = (ins AttnTile_RingType:$ring, AttnTile_SlotType:$slot);
  let assemblyFormat = "$ring `[` $slot `]` attr-dict `:` type($ring)";
}
def AttnTile_ReleaseOp : AttnTile_Op<"release"> {
  let summary = "this warp has read a stage: its first lane arrives";
  let arguments = (ins AttnTile_RingType:$ring, AttnTile_SlotType:$slot);
  let assemblyFormat = "$ring `[` $slot `]` attr-dict `:` type($ring)";
}

// Tiles in shared memory

def AttnTile_SharedOp : AttnTile_Op<"shared", [Pure]> {
  let summary = "a tile at a byte of the dynamic shared memory, a multiple of 1024";
  let arguments = (ins I32Attr:$offset);
  let results = (outs AttnTile_SharedType:$tile);
  let assemblyFormat = "`at` $offset attr-dict `:` type($tile)";
}
def AttnTile_StageOp : AttnTile_Op<"stage", [
  Pure, TypeFollows<"tile", "ring", "::llvm::cast<RingType>($_self).getTile()">
]> {
  let summary = "the tile of a stage";
  let arguments = (ins AttnTile_RingType:$ring, AttnTile_SlotType:$slot);
  let results = (outs AttnTile_SharedType:$tile);
  let assemblyFormat = "$ring `[` $slot `]` attr-dict `:` type($ring)";
}
def AttnTile_SubtileOp : AttnTile_Op<"subtile", [
  Pure, TypeFollows<"part", "tile", "::llvm::cast<SharedType>($_self).subtile()">
]> {
  let summary = "64 rows of a tile: number `index`";
  let arguments = (ins AttnTile_SharedType:$tile, I32:$index);
  let results = (outs AttnTile_SharedType:$part);
  let assemblyFormat = "$tile `[` $index `]` attr-dict `:` type($tile)";
}
def AttnTile_TopOp : AttnTile_Op<"top", [Pure]> {
  let summary = "the first rows of a tile, as many as the result has";
  let arguments = (ins AttnTile_SharedType:$tile);
  let results = (outs AttnTile_SharedType:$part);
  let assemblyFormat = "$tile attr-dict `:` type($tile) `->` type($part)";
  let hasVerifier = 1; // not more rows than the tile; in the tile's place and of its kind
}
def AttnTile_ChunkOp : AttnTile_Op<"chunk", [Pure]> {
  let summary = "address of 16 bytes of a row: number `chunk`, counted by columns";
  let arguments = (ins AttnTile_SharedType:$tile, I32:$row, I32:$chunk);
  let results = (outs AnyType:$address); // !llvm.ptr<3>
  let assemblyFormat = "$tile `[` $row `,` $chunk `]` attr-dict `:` type($tile) `->` type($address)";
}
def AttnTile_WriteOp : AttnTile_Op<"write"> {
  let summary = "round an accumulator to a tile's element and write it to shared memory; for a warpgroup";
  let arguments = (ins AttnTile_AccType:$value, AttnTile_SharedType:$tile);
  let assemblyFormat = "$value `to` $tile attr-dict `:` type($value) `,` type($tile)";
  let hasVerifier = 1; // 64 rows; not more columns than the tile
}
def AttnTile_StoreOp : AttnTile_Op<"store"> {
  let summary = "begin to copy a shared tile to memory through a tensor map; for one thread";
  let description = [{
    The map is as for `fill`. Rows and columns outside of the tensor are dropped. The thread commits its copies as a bulk
    group, and waits for it.
  }];
  let arguments = (ins AttnTile_SharedType:$tile, AnyType:$map, I32:$row, Optional<I32>:$part, I32:$head,
                       I32:$batch);
  let assemblyFormat = [{
    $tile `to` $map `[` $row (`of` $part^)? `,` $head `,` $batch `]` attr-dict `:` type($tile) `,` type($map)
  }];
}

// Products

def AttnTile_MultiplyOp : AttnTile_Op<"multiply", [
  TypeFollows<"product", "key", "PendingType::get($_self.getContext(), ::llvm::cast<SharedType>($_self).getRows())">
]> {
  let summary = "begin S = Q K^T";
  // S: 64 x keys, Q: 64 x depth, K: keys x depth. Columns beyond depth are not read.
  let arguments = (ins AttnTile_SharedType:$query, AttnTile_SharedType:$key, I32Attr:$depth);
  let results = (outs AttnTile_PendingType:$product);
  let assemblyFormat = "$query `,` $key `depth` `(` $depth `)` attr-dict `:` type($query) `,` type($key)";
  let hasVerifier = 1; // 64 query rows; up to 256 key rows; elements agree; depth a multiple of 16 up to the columns
}
def AttnTile_AccumulateOp : AttnTile_Op<"accumulate", [
  TypeFollows<"product", "accumulator",
              "PendingType::get($_self.getContext(), ::llvm::cast<AccType>($_self).getColumns())">
]> {
  let summary = "begin O += P V";
  // O: 64 x columns, P: 64 x keys, V: keys x columns.
  let arguments = (ins AttnTile_AccType:$accumulator, AttnTile_OperandType:$weights, AttnTile_SharedType:$value);
  let results = (outs AttnTile_PendingType:$product);
  let assemblyFormat = [{
    $accumulator `,` $weights `,` $value attr-dict `:` type($accumulator) `,` type($weights) `,` type($value)
  }];
  let hasVerifier = 1; // keys agree; elements agree; accumulator columns <= value columns
}
def AttnTile_WaitOp : AttnTile_Op<"wait", [
  TypeFollows<"result", "product", "AccType::get($_self.getContext(), ::llvm::cast<PendingType>($_self).getColumns())">
]> {
  let summary = "wait for a product; its registers become readable";
  let description = [{
    `inflight` later products may still be running: those that were begun after this one and are not waited for yet.
    The warp has read the product's tiles by then.
  }];
  let arguments = (ins AttnTile_PendingType:$product, I32Attr:$inflight);
  let results = (outs AttnTile_AccType:$result);
  let assemblyFormat = "$product `inflight` `(` $inflight `)` attr-dict `:` type($product)";
  let hasVerifier = 1; // A product has one use, a wait in its block. inflight is as counted there. No `convert` between
                       // an `accumulate` and its wait (C7513).
}

// Registers

def AttnTile_SplatOp : AttnTile_Op<"splat", [Pure]> {
  let summary = "the same value at every place";
  let arguments = (ins AnyType:$value);
  let results = (outs AnyTypeOf<[AttnTile_AccType, AttnTile_RowType, AttnTile_OperandType]>:$result);
  let assemblyFormat = "$value attr-dict `:` type($value) `->` type($result)";
  let hasVerifier = 1; // f32 for acc, the element for row; for operand i32 (two elements), or f32
}
def AttnTile_PackOp : AttnTile_Op<"pack", [
  Pure, AllTypesMatch<["first", "second"]>, TypeFollows<"row", "first", "RowType::get($_self.getContext(), $_self)">
]> {
  let summary = "a row value out of what each thread has for its two rows";
  let arguments = (ins AnyType:$first, AnyType:$second);
  let results = (outs AttnTile_RowType:$row);
  let assemblyFormat = "$first `,` $second attr-dict `:` type($first)";
}
def AttnTile_UnpackOp : AttnTile_Op<"unpack", [
  Pure, TypeFollows<"first", "row", "::llvm::cast<RowType>($_self).getElement()">,
  TypeFollows<"second", "row", "::llvm::cast<RowType>($_self).getElement()">
]> {
  let summary = "what each thread has of its two rows";
  let arguments = (ins AttnTile_RowType:$row);
  let results = (outs AnyType:$first, AnyType:$second);
  let assemblyFormat = "$row attr-dict `:` type($row)";
}
def AttnTile_LoadOp : AttnTile_Op<"load"> {
  let summary = "read rows of memory into an accumulator";
  let description = [{
    Each thread says where its two rows begin; they have `columns` elements, one after the other. Columns past these are
    zeros. Of `aligned` rows, which begin at multiples of 16 bytes, two elements are read at a time.
  }];
  let arguments = (ins AnyType:$first, AnyType:$second, I32Attr:$columns, TypeAttr:$element, UnitAttr:$aligned);
  let results = (outs AttnTile_AccType:$result);
  let assemblyFormat = [{
    (`aligned` $aligned^)? $first `,` $second `columns` `(` $columns `)` `of` $element attr-dict
    `:` type($first) `,` type($second) `->` type($result)
  }];
  let hasVerifier = 1; // columns: of the accumulator; element f32, bf16 or f16
}
def AttnTile_FirstRowOp : AttnTile_Op<"first_row", [Pure]> {
  let summary = "the first of the thread's two rows, 0 to 55; the other is 8 more";
  let results = (outs I32:$row);
  let assemblyFormat = "attr-dict";
}
def AttnTile_FirstColumnOp : AttnTile_Op<"first_column", [Pure]> {
  let summary = "the first of the thread's columns: 0, 2, 4 or 6";
  let results = (outs I32:$column);
  let assemblyFormat = "attr-dict";
}
def AttnTile_MapOp : AttnTile_Op<"map", [RecursiveMemoryEffects, SingleBlock]> {
  let summary = "compute place by place";
  let description = [{
    The region sees the operands' values at one place, a row's value at each of its places. If an accumulator is among
    the operands (or bits, or the result is one), the last argument is the column, an i32: less the thread's
    `first_column`, so that it is a constant at every place. The result has the columns of the accumulators.

    A `rolled` map is for regions that take long: it is written once, in a loop over groups of eight columns, in which the
    registers of its one accumulator go round. There the column is no constant.

    ```mlir
    %p = attn_tile.map %s, %m (%x: f32, %top: f32, %column: i32) {
      %d = arith.subf %x, %top : f32
      %e = math.exp2 %d : f32
      attn_tile.yield %e : f32
    } : (!attn_tile.acc<64x128xf32>, !attn_tile.row<f32>) -> !attn_tile.acc<64x128xf32>
    ```
  }];
  let arguments = (ins Variadic<AnyTypeOf<[AttnTile_AccType, AttnTile_RowType, AttnTile_BitsType]>>:$operands,
                       UnitAttr:$rolled);
  let results = (outs AnyTypeOf<[AttnTile_AccType, AttnTile_RowType]>:$result);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1; // `rolled` before the operands
  let hasRegionVerifier = 1;
}
def AttnTile_AskOp : AttnTile_Op<"ask", [RecursiveMemoryEffects, SingleBlock]> {
  let summary = "ask place by place, in a loop";
  let description = [{
    Like `map` with an i1 for every place, but written once and not once for each column: for questions that take long.
    The region sees the rows' values and the column less the thread's `first_column`.
  }];
  let arguments = (ins Variadic<AttnTile_RowType>:$operands);
  let results = (outs AttnTile_BitsType:$result);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1; // as map
  let hasRegionVerifier = 1;
}
def AttnTile_BetweenOp : AttnTile_Op<"between", [Pure]> {
  let summary = "whether columns lie between two bounds of their rows";
  let description = [{
    The bits of the columns [begin, end) of each row, by a few shifts and without asking them one by one. Bounds may lie
    outside of the columns that there are; a row whose end is not above its begin has no bit.
  }];
  let arguments = (ins AttnTile_RowType:$begin, AttnTile_RowType:$end); // row<i32>
  let results = (outs AttnTile_BitsType:$result);
  let assemblyFormat = "$begin `,` $end attr-dict `:` type($begin) `,` type($end) `->` type($result)";
  let hasVerifier = 1; // i32
}
def AttnTile_CombineOp : AttnTile_Op<"combine", [Pure, AllTypesMatch<["first", "second", "result"]>]> {
  let summary = "two bits for each place, combined into one";
  let arguments = (ins AttnTile_Combination:$kind, AttnTile_BitsType:$first, AttnTile_BitsType:$second);
  let results = (outs AttnTile_BitsType:$result);
  let assemblyFormat = "$kind $first `,` $second attr-dict `:` type($result)";
}
def AttnTile_YieldOp : AttnTile_Op<"yield", [Pure, Terminator, ParentOneOf<["MapOp", "AskOp"]>]> {
  let summary = "the value at one place";
  let arguments = (ins AnyType:$value);
  let assemblyFormat = "$value attr-dict `:` type($value)";
}
def AttnTile_FoldOp : AttnTile_Op<"fold", [
  Pure, TypeFollows<"row", "value", "RowType::get($_self.getContext(), ::mlir::Float32Type::get($_self.getContext()))">
]> {
  let summary = "the thread's places of each row, folded into one";
  let arguments = (ins AttnTile_Fold:$kind, AttnTile_AccType:$value);
  let results = (outs AttnTile_RowType:$row); // row<f32>
  let assemblyFormat = "$kind $value attr-dict `:` type($value)";
}
def AttnTile_AcrossOp : AttnTile_Op<"across", [Pure, AllTypesMatch<["value", "row"]>]> {
  let summary = "what the four threads of a row have, folded into one that all have";
  let arguments = (ins AttnTile_Fold:$kind, AttnTile_RowType:$value);
  let results = (outs AttnTile_RowType:$row); // row<f32>
  let assemblyFormat = "$kind $value attr-dict `:` type($value)";
  let hasVerifier = 1; // f32
}
def AttnTile_AnyOp : AttnTile_Op<"any"> {
  let summary = "whether it is so in some row of the warp";
  let arguments = (ins AttnTile_RowType:$value); // row<i1>
  let results = (outs I1:$result);
  let assemblyFormat = "$value attr-dict `:` type($value)";
  let hasVerifier = 1; // i1
}
def AttnTile_ConvertOp : AttnTile_Op<"convert", [Pure]> {
  let summary = "round an accumulator to an A operand";
  let arguments = (ins AttnTile_AccType:$value);
  let results = (outs AttnTile_OperandType:$result);
  let assemblyFormat = "$value attr-dict `:` type($value) `->` type($result)";
  let hasVerifier = 1; // same columns
}

#endif // ATTN_CODEGEN_ATTNTILE_TD
