// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowering attn_tile: what each type becomes in a thread, and what the rules for the ops are written with.
//
//   acc, pending    f32, one for each place of the thread: number 4 j + 2 h + e is column 8 j + first_column + e of row
//                   first_row + 8 h
//   operand         i32, two neighbouring places each; f32 where that is the element
//   row             two values, h = 0 and 1
//   bits            i64, bit i for place i
//   ring            i32 addresses in shared memory: of the tiles, of the barriers
//   shared          i32 address
//   slot            i32 stage, i32 parity of the times around the ring

#ifndef ATTN_LIB_CODEGEN_GPU_LOWERTILE_H
#define ATTN_LIB_CODEGEN_GPU_LOWERTILE_H

#include "attn/Codegen/AttnTile.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Transforms/DialectConversion.h"

namespace attn::tile {

using mlir::Value;
using mlir::ValueRange;
using Registers = llvm::SmallVector<Value>;

/// The registers of each operand of an op.
template <typename Op> using Operands = typename Op::template GenericAdaptor<llvm::ArrayRef<ValueRange>>;

/// The 0-based external array that stands for the dynamic shared memory.
inline constexpr llvm::StringLiteral sharedMemoryName = "attn_shared";

/// Writes instructions at one place.
class Code {
public:
  Code(mlir::ConversionPatternRewriter &b, mlir::Location loc) : b(b), loc(loc) {}

  Value i1(bool value) { return mlir::arith::ConstantIntOp::create(b, loc, value, 1); }
  Value i32(int64_t value) { return mlir::arith::ConstantIntOp::create(b, loc, value, 32); }
  Value i64(int64_t value) { return mlir::arith::ConstantIntOp::create(b, loc, value, 64); }

  // Integers of 32 bits, wherever it is not said.
  template <typename Op> Value compute(Value x, Value y) { return b.createOrFold<Op>(loc, x, y); }
  Value add(Value x, Value y) { return compute<mlir::arith::AddIOp>(x, y); }
  Value add(Value x, int64_t y) { return add(x, i32(y)); }
  Value mul(Value x, int64_t y) { return compute<mlir::arith::MulIOp>(x, i32(y)); }
  Value andBits(Value x, int64_t y) { return compute<mlir::arith::AndIOp>(x, i32(y)); }
  Value orBits(Value x, Value y) { return compute<mlir::arith::OrIOp>(x, y); }
  Value xorBits(Value x, Value y) { return compute<mlir::arith::XOrIOp>(x, y); }
  Value xorBits(Value x, int64_t y) { return xorBits(x, i32(y)); }
  Value shiftLeft(Value x, int64_t y) { return compute<mlir::arith::ShLIOp>(x, i32(y)); }
  Value shiftRight(Value x, int64_t y) { return compute<mlir::arith::ShRUIOp>(x, i32(y)); }
  Value isEqual(Value x, int64_t y) {
    return b.createOrFold<mlir::arith::CmpIOp>(loc, mlir::arith::CmpIPredicate::eq, x, i32(y));
  }
  Value select(Value condition, Value x, Value y) {
    return b.createOrFold<mlir::arith::SelectOp>(loc, condition, x, y);
  }
  Value widen(Value x) { return mlir::arith::ExtUIOp::create(b, loc, b.getI64Type(), x); }

  /// The thread's number in the block, and in the warp.
  Value thread() { return mlir::NVVM::ThreadIdXOp::create(b, loc, b.getI32Type()); }
  Value lane() { return andBits(thread(), 31); }
  /// `value` of lane `from` (idx), or of the lane whose number differs by the bits `from` (bfly).
  Value shuffle(mlir::NVVM::ShflKind kind, Value value, int64_t from);

  /// `value` of one of the four threads that have the same rows of an accumulator: number `from`.
  Value ofRow(Value value, int64_t from);

  /// The first of the thread's rows of an accumulator; the other is 8 more.
  Value firstRow();
  /// The first of the thread's columns: 0, 2, 4 or 6.
  Value firstColumn() { return mul(andBits(thread(), 3), 2); }

  /// The byte of the dynamic shared memory.
  Value sharedAddress(int64_t byte);
  /// The 16 bytes of a row that hold the columns from chunk * chunkColumns on.
  Value chunkAddress(SharedType tile, Value address, Value row, Value chunk);
  /// A pointer to shared memory.
  Value pointer(Value address);

  /// Two f32 as 16-bit `element`s in an i32; the first is the lower half.
  Value roundPair(Value first, Value second, mlir::Type element);

  /// PTX with side effects. Operands are $0, $1, ... : results before inputs.
  Registers assembly(const llvm::Twine &text, llvm::StringRef constraints, ValueRange inputs,
                     mlir::TypeRange results = {});

  /// Writes the region once more, with `values` for its arguments; what it yields.
  Value body(mlir::Region &region, ValueRange values);

  mlir::ConversionPatternRewriter &b;
  mlir::Location loc;
};

/// Lowers an op by `rule`: Registers (Op, Operands<Op>, Code &), the registers of all results one after the other.
template <typename Op, auto rule> struct Lower : mlir::OpConversionPattern<Op> {
  using mlir::OpConversionPattern<Op>::OpConversionPattern;

  mlir::LogicalResult matchAndRewrite(Op op, Operands<Op> operands, mlir::ConversionPatternRewriter &b) const override {
    Code code(b, op.getLoc());
    Registers registers = rule(op, operands, code);
    llvm::SmallVector<ValueRange> results;
    ValueRange left = registers;
    for (mlir::Type type : op->getResultTypes()) {
      llvm::SmallVector<mlir::Type> types;
      if (failed(this->getTypeConverter()->convertType(type, types)))
        return b.notifyMatchFailure(op, "no registers for a result");
      results.push_back(left.take_front(types.size()));
      left = left.drop_front(types.size());
    }
    b.replaceOpWithMultiple(op, results);
    return mlir::success();
  }
};

/// Products of f32, which wgmma does not know: by the threads themselves.
Registers multiplyF32(MultiplyOp op, Operands<MultiplyOp> in, Code &code);
Registers accumulateF32(AccumulateOp op, Operands<AccumulateOp> in, Code &code);
/// Writes an accumulator to a tile of f32.
void writeF32(WriteOp op, Operands<WriteOp> in, Code &code);

/// Roles, rings and the tiles in shared memory.
void addRingRules(const mlir::TypeConverter &types, mlir::RewritePatternSet &rules);
/// wgmma, and tiles on their way in from memory and out.
void addProductRules(const mlir::TypeConverter &types, mlir::RewritePatternSet &rules);
/// What threads compute on registers.
void addRegisterRules(const mlir::TypeConverter &types, mlir::RewritePatternSet &rules);

} // namespace attn::tile

#endif // ATTN_LIB_CODEGEN_GPU_LOWERTILE_H
