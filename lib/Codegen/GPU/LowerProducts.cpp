// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowers products: wgmma as inline assembly, so that A operands may come from registers and a wait hands out the
// registers that become readable. Those of f32 are in LowerProductsF32.cpp.

#include "LowerTile.h"

using namespace mlir;
using namespace attn::tile;

namespace {

/// PTX that writes the registers of an accumulator, its first operands.
class AccumulatorAssembly {
public:
  /// Fresh registers.
  AccumulatorAssembly(Code &code, unsigned count) : code(code), count(count) { repeat("=f", count); }
  /// Registers that hold `values` before.
  AccumulatorAssembly(Code &code, ValueRange values) : AccumulatorAssembly(code, values.size()) {
    for (auto [i, value] : llvm::enumerate(values))
      input(value, std::to_string(i));
  }

  /// {$0, $1, ...}
  std::string accumulator() const { return list(0, count); }
  std::string input(Value value, StringRef constraint) {
    constraints.push_back(constraint.str());
    inputs.push_back(value);
    return "$" + std::to_string(constraints.size() - 1);
  }
  /// i32 registers, as one operand of an instruction.
  std::string fragment(ValueRange values) {
    unsigned first = constraints.size();
    for (Value value : values)
      input(value, "r");
    return list(first, values.size());
  }
  Registers write(const Twine &text) {
    SmallVector<Type> types(count, code.b.getF32Type());
    return code.assembly(text, llvm::join(constraints, ","), inputs, types);
  }

private:
  void repeat(StringRef constraint, unsigned times) { constraints.append(times, constraint.str()); }
  static std::string list(unsigned first, unsigned size) {
    auto names = llvm::map_range(llvm::seq(first, first + size), [](unsigned i) { return "$" + std::to_string(i); });
    return "{" + llvm::join(names, ", ") + "}";
  }

  Code &code;
  unsigned count;
  SmallVector<std::string> constraints;
  Registers inputs;
};

/// How wgmma finds a tile: address, strides and the 128-byte swizzle, in units of 16 bytes.
class Descriptor {
public:
  /// Q or K: eight rows are 1024 bytes; the depth runs along a row, and on in the next panel.
  static Descriptor ofRows(Code &code, SharedType type, Value address) { return {code, type, address, 16}; }
  /// V: the depth runs down the rows, the columns on in the next panel.
  static Descriptor ofColumns(Code &code, SharedType type, Value address) {
    return {code, type, address, type.panelRows() * 128};
  }

  /// Columns from 16 step on.
  Value alongRows(int64_t step) const { return at(step / 4 * type.panelRows() * 8 + step % 4 * 2); }
  /// Rows from 16 step on.
  Value downColumns(int64_t step) const { return at(step * 128); }

private:
  Descriptor(Code &code, SharedType type, Value address, int64_t leadingBytes) : code(code), type(type) {
    constexpr int64_t swizzle128 = int64_t(1) << 62, strideBytes = 1024;
    Value fixed = code.i64(swizzle128 | strideBytes / 16 << 32 | leadingBytes / 16 << 16);
    start = code.orBits(code.widen(code.shiftRight(address, 4)), fixed);
  }
  Value at(int64_t units) const { return code.add(start, code.i64(units)); }

  Code &code;
  SharedType type;
  Value start;
};

} // namespace

/// wgmma.mma_async of a step of 16, without its operands.
static std::string instruction(int64_t columns, Type element) {
  std::string name = element.isBF16() ? "bf16" : "f16";
  return "wgmma.mma_async.sync.aligned.m64n" + std::to_string(columns) + "k16.f32." + name + "." + name + " ";
}

/// The steps of a product as one group. Predicate `add` is true, `fresh` false: whether the accumulator is added to.
static std::string group(StringRef steps) {
  return ("{\n.reg .pred fresh, add;\nsetp.ne.b32 fresh, 0, 0;\nsetp.eq.b32 add, 0, 0;\nwgmma.fence.sync.aligned;\n" +
          steps + "wgmma.commit_group.sync.aligned;\n}")
      .str();
}

static Registers lowerMultiply(MultiplyOp op, Operands<MultiplyOp> in, Code &code) {
  SharedType query = op.getQuery().getType(), key = op.getKey().getType();
  if (key.getElement().isF32())
    return multiplyF32(op, in, code);
  Descriptor q = Descriptor::ofRows(code, query, in.getQuery().front());
  Descriptor k = Descriptor::ofRows(code, key, in.getKey().front());
  AccumulatorAssembly product(code, key.getRows() / 2);
  std::string steps;
  for (int64_t step = 0; step < op.getDepth() / 16; ++step) {
    std::string a = product.input(q.alongRows(step), "l"), b = product.input(k.alongRows(step), "l");
    steps += instruction(key.getRows(), key.getElement()) + product.accumulator() + ", " + a + ", " + b + ", " +
             (step ? "add" : "fresh") + ", 1, 1, 0, 0;\n";
  }
  return product.write(group(steps));
}

static Registers lowerAccumulate(AccumulateOp op, Operands<AccumulateOp> in, Code &code) {
  SharedType value = op.getValue().getType();
  if (value.getElement().isF32())
    return accumulateF32(op, in, code);
  Descriptor v = Descriptor::ofColumns(code, value, in.getValue().front());
  AccumulatorAssembly product(code, in.getAccumulator());
  std::string steps;
  for (int64_t step = 0; step < value.getRows() / 16; ++step) {
    std::string a = product.fragment(in.getWeights().slice(4 * step, 4)), b = product.input(v.downColumns(step), "l");
    steps += instruction(op.getAccumulator().getType().getColumns(), value.getElement()) + product.accumulator() +
             ", " + a + ", " + b + ", add, 1, 1, 1;\n";
  }
  return product.write(group(steps));
}

/// What is multiplied; the verifier saw to it that the product is begun beside its wait.
static Type elementOf(Operation *product) {
  return cast<SharedType>(product->getOperands().back().getType()).getElement();
}

static Registers lowerWait(WaitOp op, Operands<WaitOp> in, Code &code) {
  if (elementOf(op.getProduct().getDefiningOp()).isF32()) {
    NVVM::SyncWarpOp::create(code.b, code.loc, code.i32(-1));
    return Registers(in.getProduct());
  }
  AccumulatorAssembly product(code, in.getProduct());
  return product.write("wgmma.wait_group.sync.aligned " + Twine(op.getInflight()) + ";");
}

/// Columns 2 i and 2 i + 1 of an accumulator's places, rounded.
static Registers roundPairs(Code &code, ValueRange places, Type element) {
  Registers pairs;
  for (unsigned i = 0; i < places.size(); i += 2)
    pairs.push_back(code.roundPair(places[i], places[i + 1], element));
  return pairs;
}

static Registers lowerConvert(ConvertOp op, Operands<ConvertOp> in, Code &code) {
  Type element = op.getResult().getType().getElement();
  return element.isF32() ? Registers(in.getValue()) : roundPairs(code, in.getValue(), element);
}

/// stmatrix stores 8 x 8 matrices; lane l says where row l % 8 of matrix l / 8 goes. Four at a time: rows 0 to 7 and 8
/// to 15 of a warp's part, then the same of the next eight columns.
static Registers lowerWrite(WriteOp op, Operands<WriteOp> in, Code &code) {
  SharedType tile = op.getTile().getType();
  if (tile.getElement().isF32())
    return writeF32(op, in, code), Registers();
  Registers pairs = roundPairs(code, in.getValue(), tile.getElement());
  Value thread = code.thread(), lane = code.andBits(thread, 31), matrix = code.shiftRight(lane, 3);
  Value rowInMatrix = code.andBits(lane, 7), warpRows = code.andBits(code.shiftRight(thread, 1), 48);
  Value row = code.add(code.add(warpRows, code.mul(code.andBits(matrix, 1), 8)), rowInMatrix);
  Value rowAddress = code.add(in.getTile().front(), code.mul(row, 128)), half = code.shiftRight(matrix, 1);
  auto shape = NVVM::LdStMatrixShapeAttr::get(code.b.getContext(), 8, 8);
  for (unsigned i = 0; i < pairs.size(); i += 4) {
    unsigned chunk = i / 2;
    Value swizzled = code.xorBits(code.add(half, chunk % 8), rowInMatrix);
    Value address = code.add(code.add(rowAddress, code.mul(swizzled, 16)), chunk / 8 * tile.panelRows() * 128);
    ValueRange matrices = ArrayRef(pairs).slice(i, std::min<size_t>(4, pairs.size() - i));
    NVVM::StMatrixOp::create(code.b, code.loc, code.pointer(address), matrices, NVVM::MMALayout::row, shape,
                             NVVM::LdStMatrixEltType::B16);
  }
  return {};
}

namespace {

/// One of the thread's rows of a load.
class MemoryRow {
public:
  MemoryRow(Code &code, LoadOp op, Value address) : code(code), op(op), address(address) {}

  /// The two places of eight columns that begin at `first`; those past the last are zeros.
  Registers pair(int64_t first) {
    if (first >= op.getColumns())
      return Registers(2, zero());
    Value column = code.add(code.firstColumn(), first);
    if (first + 8 <= op.getColumns())
      return op.getAligned() ? atOnce(column) : Registers{element(column), element(code.add(column, 1))};
    return {elementOrZero(column), elementOrZero(code.add(column, 1))};
  }

private:
  Value zero() { return arith::ConstantOp::create(code.b, code.loc, code.b.getF32FloatAttr(0)); }

  Value pointer(Value column) {
    return LLVM::GEPOp::create(code.b, code.loc, address.getType(), op.getElement(), address,
                               ArrayRef<LLVM::GEPArg>{column});
  }

  /// A bf16 number is the upper half of an f32 one: a shift is quicker than a conversion.
  Value widen(Value number) {
    Type f32 = code.b.getF32Type();
    if (op.getElement().isF32())
      return number;
    if (!op.getElement().isBF16())
      return arith::ExtFOp::create(code.b, code.loc, f32, number);
    Value half = arith::BitcastOp::create(code.b, code.loc, code.b.getI16Type(), number);
    Value bits = arith::ExtUIOp::create(code.b, code.loc, code.b.getI32Type(), half);
    return arith::BitcastOp::create(code.b, code.loc, f32, code.compute<arith::ShLIOp>(bits, code.i32(16)));
  }

  Registers atOnce(Value column) {
    auto type = VectorType::get(2, op.getElement());
    unsigned bytes = op.getElement().getIntOrFloatBitWidth() / 4;
    Value both = LLVM::LoadOp::create(code.b, code.loc, type, pointer(column), /*alignment=*/bytes);
    Registers numbers;
    for (int64_t e : {0, 1})
      numbers.push_back(widen(LLVM::ExtractElementOp::create(code.b, code.loc, both, code.i32(e))));
    return numbers;
  }

  Value element(Value column) {
    return widen(LLVM::LoadOp::create(code.b, code.loc, op.getElement(), pointer(column)));
  }

  /// No column past the last is read: the last one is, in its place.
  Value elementOrZero(Value column) {
    Value last = code.i32(op.getColumns() - 1);
    Value number = element(code.compute<arith::MinSIOp>(column, last));
    Value isThere = arith::CmpIOp::create(code.b, code.loc, arith::CmpIPredicate::sle, column, last);
    return code.select(isThere, number, zero());
  }

  Code &code;
  LoadOp op;
  Value address;
};

} // namespace

static Registers lowerLoad(LoadOp op, Operands<LoadOp> in, Code &code) {
  MemoryRow rows[] = {{code, op, in.getFirst().front()}, {code, op, in.getSecond().front()}};
  Registers places;
  for (int64_t column = 0; column < op.getResult().getType().getColumns(); column += 8)
    for (MemoryRow &row : rows)
      places.append(row.pair(column));
  return places;
}

void attn::tile::addProductRules(const TypeConverter &types, RewritePatternSet &rules) {
  rules.add<Lower<MultiplyOp, lowerMultiply>, Lower<AccumulateOp, lowerAccumulate>, Lower<WaitOp, lowerWait>,
            Lower<ConvertOp, lowerConvert>, Lower<WriteOp, lowerWrite>, Lower<LoadOp, lowerLoad>>(types,
                                                                                                  rules.getContext());
}
