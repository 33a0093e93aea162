// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Values, loops and memory of a GPU kernel that is being written. Geometry (ranks, rows of tiles) is i32; expressions
// over rows and symbols are index; addresses are what lib/Runtime/gpu.h calls words.

#ifndef ATTN_LIB_CODEGEN_GPU_FRAME_H
#define ATTN_LIB_CODEGEN_GPU_FRAME_H

#include "attn/Codegen/AttnTile.h"
#include "attn/Codegen/GpuShape.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace attn::hopper {

using mlir::ImplicitLocOpBuilder;
using mlir::Type;
using mlir::Value;
using mlir::ValueRange;
using mlir::arith::CmpFPredicate;
using mlir::arith::CmpIPredicate;

/// Declares a kernel of so many threads, of which a multiprocessor runs so many blocks. Its parameters are passed by
/// value: tensor maps, then words.
mlir::LLVM::LLVMFuncOp declareKernel(ImplicitLocOpBuilder &b, llvm::StringRef name, unsigned maps, unsigned words,
                                     int64_t threads, int64_t blocksPerSm);

/// No rank reaches this: the start of an empty interval, [never, 0).
constexpr int64_t neverRank = INT32_MAX - 2048;

class Frame {
public:
  Frame(ImplicitLocOpBuilder &b, const KernelLayout &layout) : b(b), layout(layout) {}

  ImplicitLocOpBuilder &b;
  const KernelLayout &layout;

  //===-- Whole numbers of one type: i32, i64 or index ---------------------------------------------------------===//

  Value i32(int64_t value);
  Value index(int64_t value);
  Value constantLike(Value like, int64_t value);
  Value add(Value x, Value y);
  Value add(Value x, int64_t y) { return add(x, constantLike(x, y)); }
  Value sub(Value x, Value y);
  Value sub(Value x, int64_t y) { return sub(x, constantLike(x, y)); }
  Value mul(Value x, Value y);
  Value mul(Value x, int64_t y) { return mul(x, constantLike(x, y)); }
  /// Of numbers that are not negative.
  Value divide(Value x, Value y);
  Value divide(Value x, int64_t y) { return divide(x, constantLike(x, y)); }
  Value remainder(Value x, Value y);
  Value remainder(Value x, int64_t y) { return remainder(x, constantLike(x, y)); }
  /// Rounded towards minus infinity, for y > 0.
  Value divideDown(Value x, Value y);
  /// ceil(x / y) for x >= 0.
  Value ceilDivide(Value x, int64_t y) { return divide(add(x, y - 1), y); }
  Value least(Value x, Value y);
  Value greatest(Value x, Value y);
  Value clamp(Value x, Value low, Value high) { return greatest(low, least(x, high)); }
  Value compare(CmpIPredicate predicate, Value x, Value y);
  Value less(Value x, Value y) { return compare(CmpIPredicate::slt, x, y); }
  Value isZero(Value x) { return compare(CmpIPredicate::eq, x, constantLike(x, 0)); }
  Value both(Value x, Value y);
  Value either(Value x, Value y);
  Value negate(Value condition);
  Value truth(bool value);
  Value select(Value condition, Value x, Value y);
  Value toIndex(Value x);
  Value toI32(Value x);
  Value toI64(Value x);

  //===-- Numbers -----------------------------------------------------------------------------------------------===//

  Value f32(double value);

  //===-- Threads -----------------------------------------------------------------------------------------------===//

  Value threadInBlock();
  /// 0 to 127.
  Value threadInGroup() { return remainder(threadInBlock(), 128); }
  Value lane() { return remainder(threadInBlock(), 32); }
  /// Makes all writes to shared memory before it visible to copies and products after it.
  void fenceAsync();
  /// Waits for `threads` threads at barrier `id`.
  void meet(Value id, int64_t threads);
  void arrive(Value id, int64_t threads);
  /// The least or greatest of the warp's values.
  Value leastOfWarp(Value x);
  Value greatestOfWarp(Value x);
  Value anyOfWarp(Value condition);
  /// What lane `from` of the warp has.
  Value ofLane(Value x, Value from);
  /// Whether this thread is the first of the four that have the same rows of an accumulator.
  Value isFirstOfRow() { return isZero(remainder(lane(), 4)); }

  //===-- The call's words --------------------------------------------------------------------------------------===//

  Value words;               // pointer to them
  Value batch, head, kvHead; // of the item, i32

  static unsigned wordCount(const KernelLayout &layout);
  Value word(unsigned number);
  /// One of attn_gpu_word, as i32.
  Value size(unsigned gpuWord);
  /// The class, block or row of patches that a tile of queries is in, and which of its tiles that is.
  std::pair<Value, Value> partOf(Value tile);
  /// The block turns to an item of this batch and head. What is known of them is read here, once.
  void turnTo(Value itemBatch, Value itemHead);
  /// One of attn_gpu_linear_word.
  Value linearWord(unsigned number);
  /// A whole-number symbol; where batches or heads differ, that of the item.
  Value symbol(unsigned number);
  /// The item's entry of run-time data with one number for each batch, or for each head.
  Value batchEntry(unsigned tensor);
  Value headEntry(unsigned tensor);
  /// What an of_head, of_batch or extent op gives.
  Value callNumber(mlir::Operation *op);
  Value numberSymbol(unsigned number);
  /// The value of an argument of the kernel's function, or of arithmetic on arguments.
  Value argument(Value outer);
  Value evaluate(const Expr &expr, Value row);
  /// A view's address on the GPU, as i64.
  Value viewAddress(unsigned view);
  /// A view's stride in elements, and its extent, along axis 0 (batch), 1 (head), 2 (row) or 3.
  Value viewStride(unsigned view, unsigned axis);
  Value viewExtent(unsigned view, unsigned axis);
  /// Pointer to entry `at` (i64) of type `element` of what stands at `address`.
  Value pointer(Value address, Type element, Value at);
  /// What is constant while the kernel runs may be read at another time.
  Value load(Type element, Value address, Value at, bool isConstant = false);
  Value load32(Value address, Value at) { return load(b.getI32Type(), address, at); }
  /// Where the table of a view begins for the item's batch, as i64.
  Value tableOfBatch(unsigned view);
  /// What the prologue says of an order in the item's batch: field 0 its count, 1 whether it is the identity.
  Value orderState(unsigned order, unsigned field);
  /// Whether an order, of whose flags the plan asks, has a row (i32) of its side.
  Value holdsRow(unsigned order, Value row);
  /// The number, i64, of the entry at `indices` along the first axes of a view.
  Value entryOf(unsigned view, ValueRange indices);
  /// Pointer to row `row` (i32 or index) of a tensor's head.
  Value rowPointer(unsigned view, Value headOfTensor, Value row, Type element);

  //===-- Control -----------------------------------------------------------------------------------------------===//

  using Body = llvm::function_ref<llvm::SmallVector<Value>(Value, ValueRange)>;
  llvm::SmallVector<Value> loop(Value begin, Value end, Value step, ValueRange carried, Body body);
  void loop(Value begin, Value end, Value step, llvm::function_ref<void(Value)> body);
  using Values = llvm::function_ref<llvm::SmallVector<Value>()>;
  llvm::SmallVector<Value> choose(Value condition, Values yes, Values no);
  Value choose(Value condition, llvm::function_ref<Value()> yes, llvm::function_ref<Value()> no);
  void when(Value condition, llvm::function_ref<void()> body);

  //===-- Tiles -------------------------------------------------------------------------------------------------===//

  Type rowOf(Type element);
  Value map(Type result, ValueRange operands, llvm::function_ref<Value(ValueRange)> body, bool isRolled = false);
  /// Like map, with a bit for each of 64 x `columns` places.
  Value ask(int64_t columns, ValueRange operands, llvm::function_ref<Value(ValueRange)> body);
  /// Bits: whether the columns, of 64 x `columns` places, lie between bounds of their rows.
  Value between(int64_t columns, Value begin, Value end);
  /// A row value out of what is computed for each of the thread's two rows.
  Value pack(llvm::function_ref<Value(unsigned half)> ofRow);

private:
  unsigned viewWord(unsigned view, unsigned field) const;
  Value keyHeadOf(Value queryHead);

  llvm::DenseMap<unsigned, Value> headEntries; // by symbol
};

} // namespace attn::hopper

#endif // ATTN_LIB_CODEGEN_GPU_FRAME_H
