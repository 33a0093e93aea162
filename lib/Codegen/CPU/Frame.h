// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the body of an emitted function stands on: the builder, memory as memrefs, symbols as values, and small vector
// idioms. Memory comes in as C pointers (lib/Runtime/kernel.h); here it becomes memrefs once, at a function's entry.

#ifndef ATTN_LIB_CODEGEN_CPU_FRAME_H
#define ATTN_LIB_CODEGEN_CPU_FRAME_H

#include "attn/Codegen/Isa.h"
#include "attn/Codegen/KernelLayout.h"
#include "attn/Codegen/Passes.h"
#include "attn/Codegen/RegionInliner.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace attn::cpu {

using mlir::Value;
using mlir::ValueRange;

/// No rank of an order is this large: where an empty interval begins.
inline constexpr int64_t neverRank = 0x7fffffff;

/// Ranks [begin, end) of an order.
struct Ranks {
  Value begin, end;
};

/// Arrays that a worker's scratch memory holds while it computes a query tile. Rows are those of the tile.
enum class ScratchArray {
  Ring,       // index, the fields of attn_key_ring (lib/Runtime/kernel.h)
  Query,      // f32 [rows][head size], scaled
  QueryUnits, // units [rows][units] (Packing.h), where products take them as they are
  Output,     // f32 [rows][value stride], not normalised
  Sum,        // f32 [rows][lanes], partial sums of exp2
  Maximum,    // f32 [rows], in units of log2
  Total,      // f32 [rows], the whole sum
  Lse,        // f32 [rows]
  Scores,     // f32 [rows of a micro-tile][keys of a tile, and a little]
  Powers,     // i32 [rows of a micro-tile][pairs of keys, and a little], P where products take pairs
  Risen,      // f32 [rows of a micro-tile][lanes], maxima of a tile's scores
  Row,        // index [rows], the query row that a rank stands for
  Owned,      // i32 [rows], whether the phase writes this row
  Lower,      // i32 [rows], the box's first key rank
  Upper,      // i32 [rows], the one after its last
  HoleLower,  // i32 [rows], the first that is left out, and the one after the last
  HoleUpper,
  GroupLower, // i32 [sub-tiles], their extremes
  GroupUpper,
  Tests,   // i32 [rows][keys of a tile], what the residual test says
  KeyRows, // i32 [keys of a tile], the key rows that ranks stand for, where no table says it
  // Of boxes between columns of a grid (GridKeys.h).
  KeyLower,    // i32 [rows], the first key row inside the bounds
  KeyUpper,    // i32 [rows], the one after the last
  ColumnLower, // index [rows], the first column, and the one after the last
  ColumnUpper,
  KeyColumns, // index [keys of a tile], the columns of their keys
  TileKeys,   // units [panels of keys of a tile][panel stride], as in Packing.h
  TileValues, // units [keys of a tile / value keys][value stride]
  // Terms of the score region, by their number among those of their kind (ScoreTerms.h). Distance d of a tile is the
  // key d - (rows - 1) places further on, seen from the tile's first row and key.
  RowTerms,      // f32 [terms][rows]
  KeyTerms,      // f32 [terms][keys of a tile]
  DistanceTerms, // f32 [terms][distances of a tile]
  BandPanels,    // f32 [terms * panels of distances][panel stride], rows of the array, packed as keys are
  Bands,         // f32 [terms * rows of a micro-tile][their distances]
  // Of a pipeline of tiles (TilePipeline.cpp). Two of a kind lie a little apart.
  References, // f32 [rows of a group], negative
  StepScores, // f32 [2][rows of a group][keys of a step]
  StepPowers, // i32 [2][rows of a group][pairs of keys of a step]
  StepSums,   // f32 [rows of a group][lanes]
};

class Frame {
public:
  Frame(mlir::ImplicitLocOpBuilder &b, const KernelLayout &layout, const Isa &isa) : b(b), layout(layout), isa(isa) {}

  /// Starts a private function; its arguments are in `arguments` afterwards.
  mlir::func::FuncOp begin(mlir::ModuleOp module, llvm::StringRef name, mlir::TypeRange inputs);
  /// Adds the return.
  void end();
  mlir::Block::BlockArgListType arguments;

  // Where this function finds the kernel's memory, and what it is about; set right after begin().
  Value views, symbols, scratch;
  Value batch, head; // null in functions about no query head

  //===-- Memory ------------------------------------------------------------------------------------------------===//
  /// View `index` as memref<?x?x?x?xT>; `unitColumns`: its last stride is 1.
  Value view(unsigned index, mlir::Type element, bool unitColumns = true);
  /// The data pointer of a view.
  Value viewData(unsigned index);
  /// Memory at a pointer as a memref of identity layout; an open leading size is not looked at.
  Value memrefAt(Value pointer, mlir::MemRefType type);
  Value scratchArray(ScratchArray array);
  /// Where an array begins, a multiple of 64 bytes.
  Value scratchPointer(ScratchArray array);
  /// The array of units of pairs, as the numbers of 16 bits in them.
  Value scratchHalves(ScratchArray array);
  static int64_t scratchBytes(const KernelLayout &layout, const Isa &isa);
  Value load(Value memref, ValueRange indices) { return mlir::memref::LoadOp::create(b, memref, indices); }
  void store(Value value, Value memref, ValueRange indices) {
    mlir::memref::StoreOp::create(b, value, memref, indices);
  }
  Value loadVector(Value memref, ValueRange indices) {
    return mlir::vector::LoadOp::create(b, vectorType(elementOf(memref)), memref, indices);
  }
  void storeVector(Value value, Value memref, ValueRange indices) {
    mlir::vector::StoreOp::create(b, value, memref, indices);
  }
  /// `lanes` elements of which those from `present` on are zeros and not read.
  Value loadHead(Value memref, ValueRange indices, int64_t lanes, int64_t present);
  /// Copies `columns` numbers as vectors; `change` maps each of them. The last vector may overlap the one before, and
  /// is masked only where there is no room for one.
  void copyRow(Value from, mlir::SmallVector<Value> fromIndices, Value to, mlir::SmallVector<Value> toIndices,
               int64_t columns, llvm::function_ref<Value(Value)> change);

  //===-- Reads at computed places --------------------------------------------------------------------------------===//
  /// Elements of a view: all indices but the last may be vectors, one element for each lane.
  struct Places {
    Value memory;       // the view's data, memref<?xT>
    Value offset;       // of lane 0, or of what lanes add to
    Value lanes;        // what each lane adds; null for one element
    Value columnStride; // of the last axis
  };
  Places placesOf(unsigned view, mlir::Type element, llvm::ArrayRef<Value> indices);
  Value read(const Places &places);
  /// The element at the places' column `column`, a number.
  Value readColumn(Places places, Value column);
  /// How long an axis of a view is.
  Value extent(unsigned view, unsigned axis);

  //===-- Elements ----------------------------------------------------------------------------------------------===//
  /// How an element of query, key, value and output lies in memory: f32, or i16 for 16-bit ones.
  mlir::Type storage();
  /// Between what memory holds and f32, for one number or a vector.
  Value widen(Value stored);
  Value narrow(Value number);

  //===-- Values ------------------------------------------------------------------------------------------------===//
  Value index(int64_t value) { return mlir::arith::ConstantIndexOp::create(b, value); }
  Value number(double value);
  Value numbers(double value) { return splat(b, number(value), isa.lanes); }
  Value integers(int64_t value);
  Value zeros(mlir::Type element);
  mlir::VectorType vectorType(mlir::Type element) { return mlir::VectorType::get({isa.lanes}, element); }
  static mlir::Type elementOf(Value memref) { return mlir::cast<mlir::MemRefType>(memref.getType()).getElementType(); }
  Value add(Value x, Value y) { return mlir::arith::AddIOp::create(b, x, y); }
  Value add(Value x, int64_t y) { return y ? add(x, index(y)) : x; }
  Value sub(Value x, Value y) { return mlir::arith::SubIOp::create(b, x, y); }
  Value mul(Value x, int64_t y) { return mlir::arith::MulIOp::create(b, x, index(y)); }
  Value least(Value x, Value y) { return mlir::arith::MinSIOp::create(b, x, y); }
  Value greatest(Value x, Value y) { return mlir::arith::MaxSIOp::create(b, x, y); }
  Value alignDown(Value x, int64_t unit) { return mul(mlir::arith::DivUIOp::create(b, x, index(unit)), unit); }
  Value alignUp(Value x, int64_t unit) { return alignDown(add(x, unit - 1), unit); }
  Value less(Value x, Value y) { return mlir::arith::CmpIOp::create(b, mlir::arith::CmpIPredicate::slt, x, y); }
  Value both(Value x, Value y) { return mlir::arith::AndIOp::create(b, x, y); }
  Value select(Value condition, Value x, Value y) { return mlir::arith::SelectOp::create(b, condition, x, y); }
  Value toIndex(Value x) { return mlir::arith::IndexCastOp::create(b, b.getIndexType(), x); }
  Value toInt32(Value x) { return mlir::arith::IndexCastOp::create(b, b.getI32Type(), x); }
  /// x * y + z, numbers or vectors
  Value fma(Value x, Value y, Value z);
  /// The larger of two, without regard to NaN: one instruction. A NaN in x is passed over.
  Value maximum(Value x, Value y);
  /// 0, 1, 2, ... in lanes of a type.
  Value lanesOf(mlir::Type element);
  /// 2 to the power of each lane. Exact for 0; below 2^-126 the result is 0; a NaN stays one.
  Value exp2(Value x);
  /// Makes columns of as many rows as there are lanes.
  void transpose(llvm::MutableArrayRef<Value> rows);
  /// A vector with one number of all lanes of each of as many vectors as there are lanes; and with their sums.
  Value combineEach(llvm::ArrayRef<Value> vectors, llvm::function_ref<Value(Value, Value)> combine);
  Value sumOfEach(llvm::ArrayRef<Value> vectors);
  /// One number of all lanes.
  Value reduce(Value vector, llvm::function_ref<Value(Value, Value)> combine);

  //===-- The call ----------------------------------------------------------------------------------------------===//
  Value symbol(unsigned index);
  Value numberSymbol(unsigned index);
  /// A batch's entry of int32 run-time data, or of one of the prologue's tables.
  Value entryOf(unsigned view, Value column);
  /// The entry of the head at hand of a per-head parameter.
  Value entryOfHead(unsigned tensor);
  /// attn.of_head, attn.of_batch or attn.extent.
  Value callNumber(mlir::Operation *op);
  /// What a region captured: an argument of the kernel's function, or arithmetic on them. Run-time data stay what they
  /// are: the op that reads them knows which they are.
  Value argument(Value outer);
  Value evaluate(const Expr &expr, Value row);
  /// Of patches: whether a rank stands for a row.
  Value hasRow(const OrderLayout &order, Value rank);
  /// How many ranks an order has in this batch and head, and the row of one; row 0 for a rank that stands for none.
  Value countOf(const OrderLayout &order);
  Value rowOf(const OrderLayout &order, Value rank);

  //===-- Loops -------------------------------------------------------------------------------------------------===//
  using Body = llvm::function_ref<mlir::SmallVector<Value>(Value, ValueRange)>;
  /// for iv in [begin, end) by step, carrying values; returns what is carried out.
  mlir::SmallVector<Value> loop(Value begin, Value end, int64_t step, ValueRange carried, Body body);
  void loop(Value begin, Value end, int64_t step, llvm::function_ref<void(Value)> body);
  void when(Value condition, llvm::function_ref<void()> body, llvm::function_ref<void()> otherwise = nullptr);

  mlir::ImplicitLocOpBuilder &b;
  const KernelLayout &layout;
  const Isa &isa;

private:
  Value scratchAt(ScratchArray array, mlir::MemRefType type);
};

} // namespace attn::cpu

#endif // ATTN_LIB_CODEGEN_CPU_FRAME_H
