// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the kernels of linear attention are written with: arrays in a block's shared memory, how rows of the call get
// there, and products of them. 128 threads multiply 64 rows by a tile of columns; each has places of its own in the
// result, and their sums in registers.

#ifndef ATTN_LIB_CODEGEN_GPU_LINEARBLOCK_H
#define ATTN_LIB_CODEGEN_GPU_LINEARBLOCK_H

#include "../../Runtime/gpu.h"
#include "Frame.h"

namespace attn::hopper {

/// Arrays of f32 in shared memory, one after the other.
enum class LinearArray {
  Features,   // [chunk][chunk], some columns of f(K); then f(Q) F^T
  Values,     // [chunk][columns of a tile], V', or rows of a state
  Query,      // [chunk][head size], f(Q)
  Normaliser, // [1][chunk]
  End
};

/// Where an array begins, in f32.
int64_t offsetOf(LinearArray array, const KernelLayout &layout);

/// Columns of a state that are computed together.
struct ColumnTile {
  int64_t first, count;
};

/// All columns of a state; the last tile has the normaliser's.
llvm::SmallVector<ColumnTile> tilesOf(const KernelLayout &layout);

/// One side of a product: where the thread's first number of step 0 is, how far from there that of the next step is,
/// and that of the thread's next row or column.
struct Factor {
  Value first;
  int64_t step, next;
};

/// What a thread has of a result, row by row.
using Sums = llvm::SmallVector<Value>;

class LinearBlock {
public:
  static constexpr int64_t chunk = ATTN_LINEAR_CHUNK;
  // A thread's places: rows one below the other, and every so-manieth column, so that no two lanes ask one bank.
  static constexpr int64_t rowsOfThread = 8, lanes = 16, threads = chunk / rowsOfThread * lanes;

  /// Declares the kernel NAME_part and stands in it.
  LinearBlock(ImplicitLocOpBuilder &b, LinearAttentionOp op, const KernelLayout &layout, llvm::StringRef part);
  static std::string nameOf(const KernelLayout &layout, llvm::StringRef part);

  Frame f;
  mutable LinearAttentionOp op; // a handle
  const KernelLayout &layout;
  const LinearLayout &linear;
  Value block, thread;           // i32
  Value firstRow, firstColumn;   // of the thread's places
  Value splits, splitKeys, lead; // of the call, i32

  /// The block turns to number `pair` of all batches and key heads.
  void turnToPair(Value pair);
  /// Pointer to state `split` of the batch and key head at hand.
  Value stateOf(Value split);
  /// Waits for the block's other threads.
  void meet() { mlir::NVVM::BarrierOp::create(f.b); }

  //===-- Memory ------------------------------------------------------------------------------------------------===//

  /// Pointer to a place in an array.
  Value at(LinearArray array, Value row, Value column);
  int64_t strideOf(LinearArray array) const;
  Value element(Type type, Value pointer, Value at);
  /// An f32, so many behind the pointer.
  Value load(Value pointer, int64_t offset = 0);
  void store(Value number, Value pointer, int64_t offset = 0);

  //===-- Copies: whoever read the array before has to be done, and whoever reads it now waits ------------------===//

  /// Query <- f(Q) of a chunk of rows, of which the last stands for those past the length.
  void copyQuery(Value firstOfChunk);
  /// Features <- f(K) of a chunk of keys in columns from `first` on; 0 where there is no key or column.
  void copyFeatures(Value firstKey, Value first);
  /// Values <- V' of a chunk of keys; 0 where there is no key or column.
  void copyValues(Value firstKey, ColumnTile tile);
  /// Values <- 64 rows of a state, or as many as there are.
  void copyState(Value state, Value first, ColumnTile tile);

  //===-- Products ----------------------------------------------------------------------------------------------===//

  Sums zeros(int64_t columns) { return Sums(rowsOfThread * columns / lanes, f.f32(0)); }
  /// The thread's rows of an array, from column `firstStep` on.
  Factor rowsOf(LinearArray array, Value firstStep);
  /// The thread's columns of an array, row by row.
  Factor columnsOf(LinearArray array);
  /// sums[m, n] += left[m] * right[n], step by step.
  Sums multiply(Value steps, ValueRange sums, Factor left, Factor right);
  /// For each of the thread's places: row m, how far its column is from the first, and its sum.
  void forEachPlace(llvm::ArrayRef<Value> sums, llvm::function_ref<void(int64_t, int64_t, Value)> body);

private:
  void copy(LinearArray array, int64_t columns, llvm::function_ref<Value(Value, Value)> entry);
  Value loadNumber(unsigned tensor, Value head, Value row, Value column);
  Value feature(Value number);
  Value keyRow(Value key);
  Value isKey(Value key);

  Value shared;
};

} // namespace attn::hopper

#endif // ATTN_LIB_CODEGEN_GPU_LINEARBLOCK_H
