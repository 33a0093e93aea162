// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowers what threads compute on the registers of accumulators, rows and bits.

#include "LowerTile.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace attn::tile;

//===-- Rows ------------------------------------------------------------------------------------------------------===//

static Registers lowerSplat(SplatOp op, Operands<SplatOp> in, Code &code) {
  Type type = op.getResult().getType();
  unsigned count = 2;
  if (auto acc = dyn_cast<AccType>(type))
    count = acc.getColumns() / 2;
  else if (auto operand = dyn_cast<OperandType>(type))
    count = operand.getColumns() / (operand.getElement().isF32() ? 2 : 4);
  return Registers(count, in.getValue().front());
}

static Registers lowerPack(PackOp, Operands<PackOp> in, Code &code) {
  return {in.getFirst().front(), in.getSecond().front()};
}

static Registers lowerUnpack(UnpackOp, Operands<UnpackOp> in, Code &code) { return Registers(in.getRow()); }

static Registers lowerFirstRow(FirstRowOp, Operands<FirstRowOp>, Code &code) { return {code.firstRow()}; }

static Registers lowerFirstColumn(FirstColumnOp, Operands<FirstColumnOp>, Code &code) { return {code.firstColumn()}; }

static Registers lowerAny(AnyOp, Operands<AnyOp> in, Code &code) {
  Value either = code.orBits(in.getValue()[0], in.getValue()[1]);
  return {
      NVVM::VoteSyncOp::create(code.b, code.loc, code.b.getI1Type(), code.i32(-1), either, NVVM::VoteSyncKind::any)};
}

static Value fold(Code &code, FoldKind kind, Value x, Value y) {
  if (kind == FoldKind::Max)
    return arith::MaxNumFOp::create(code.b, code.loc, x, y);
  return arith::AddFOp::create(code.b, code.loc, x, y);
}

/// Four interleaved chains, so that an instruction need not wait for the one before.
static Value foldAll(Code &code, FoldKind kind, ArrayRef<Value> values) {
  unsigned width = std::min<size_t>(4, values.size());
  Registers chains(values.take_front(width));
  for (auto [i, value] : llvm::enumerate(values.drop_front(width)))
    chains[i % width] = fold(code, kind, chains[i % width], value);
  for (; width > 1; width /= 2)
    for (unsigned i = 0; i < width / 2; ++i)
      chains[i] = fold(code, kind, chains[2 * i], chains[2 * i + 1]);
  return chains.front();
}

static Registers lowerFold(FoldOp op, Operands<FoldOp> in, Code &code) {
  Registers rows[2];
  for (auto [place, value] : llvm::enumerate(in.getValue()))
    rows[place / 2 % 2].push_back(value);
  return {foldAll(code, op.getKind(), rows[0]), foldAll(code, op.getKind(), rows[1])};
}

static Registers lowerAcross(AcrossOp op, Operands<AcrossOp> in, Code &code) {
  Registers rows(in.getValue());
  for (Value &value : rows)
    for (int64_t bit : {1, 2})
      value = fold(code, op.getKind(), value, code.shuffle(NVVM::ShflKind::bfly, value, bit));
  return rows;
}

//===-- Place by place --------------------------------------------------------------------------------------------===//

namespace {

/// What the region of a map sees of its operands.
class Places {
public:
  Places(Code &code, MapOp op, ArrayRef<ValueRange> operands) : code(code), operands(operands) {
    hasColumn = op.getBody().getNumArguments() > operands.size();
    for (auto [type, registers] : llvm::zip(op.getOperandTypes(), operands))
      words.push_back(isa<BitsType>(type) ? halves(registers.front()) : Registers());
  }

  /// The region's arguments at a place.
  Registers at(unsigned place) {
    Registers values;
    for (auto [registers, halves] : llvm::zip(operands, words))
      values.push_back(!halves.empty()         ? isSet(halves[place / 32], place % 32)
                       : registers.size() == 2 ? registers[place / 2 % 2]
                                               : registers[place]);
    if (hasColumn)
      values.push_back(column(place / 4 * 8 + place % 2));
    return values;
  }

private:
  Registers halves(Value bits) {
    Value low = arith::TruncIOp::create(code.b, code.loc, code.b.getI32Type(), bits);
    Value shifted = code.compute<arith::ShRUIOp>(bits, code.i64(32));
    return {low, arith::TruncIOp::create(code.b, code.loc, code.b.getI32Type(), shifted)};
  }
  Value isSet(Value word, unsigned bit) {
    Value masked = code.andBits(word, int32_t(1u << bit));
    return arith::CmpIOp::create(code.b, code.loc, arith::CmpIPredicate::ne, masked, code.i32(0));
  }
  Value column(int64_t number) {
    Value &constant = columns[number];
    return constant ? constant : constant = code.i32(number);
  }

  Code &code;
  ArrayRef<ValueRange> operands;
  SmallVector<Registers> words; // of bits
  bool hasColumn;
  llvm::DenseMap<int64_t, Value> columns;
};

} // namespace

/// The registers go round: a group's four places are taken from the front, and what becomes of them joins at the end.
static Registers lowerRolledMap(MapOp op, Operands<MapOp> in, Code &code) {
  int64_t groups = cast<AccType>(op.getResult().getType()).getColumns() / 8;
  ValueRange accumulator = *llvm::find_if(in.getOperands(), [](ValueRange registers) { return registers.size() > 2; });
  auto loop = scf::ForOp::create(code.b, code.loc, code.i32(0), code.i32(groups), code.i32(1), accumulator);
  OpBuilder::InsertionGuard guard(code.b);
  code.b.setInsertionPointToStart(loop.getBody());
  Value column = code.mul(loop.getInductionVar(), 8);
  Registers registers(loop.getRegionIterArgs().drop_front(4));
  for (unsigned place = 0; place < 4; ++place) {
    Registers values;
    for (ValueRange operand : in.getOperands())
      values.push_back(operand.size() > 2 ? loop.getRegionIterArgs()[place] : operand[place / 2]);
    values.push_back(code.add(column, place % 2));
    registers.push_back(code.body(op.getBody(), values));
  }
  scf::YieldOp::create(code.b, code.loc, registers);
  return Registers(loop.getResults());
}

static Registers lowerMap(MapOp op, Operands<MapOp> in, Code &code) {
  if (op.getRolled())
    return lowerRolledMap(op, in, code);
  Places places(code, op, in.getOperands());
  auto acc = dyn_cast<AccType>(op.getResult().getType());
  Registers results;
  // A row's places are 0 and 2: one of either row.
  for (unsigned place = 0, end = acc ? acc.getColumns() / 2 : 4; place < end; place += acc ? 1 : 2)
    results.push_back(code.body(op.getBody(), places.at(place)));
  return results;
}

/// The answers of eight columns are the four bits from 4 j on: the thread has two columns and two rows of them.
static Registers lowerAsk(AskOp op, Operands<AskOp> in, Code &code) {
  int64_t groups = op.getResult().getType().getColumns() / 8;
  auto loop = scf::ForOp::create(code.b, code.loc, code.i32(0), code.i32(groups), code.i32(1), code.i64(0));
  OpBuilder::InsertionGuard guard(code.b);
  code.b.setInsertionPointToStart(loop.getBody());
  Value group = loop.getInductionVar(), bits = loop.getRegionIterArg(0), column = code.mul(group, 8);
  Value shift = code.widen(code.mul(group, 4)), answers = code.i64(0);
  for (unsigned place = 0; place < 4; ++place) {
    Registers values;
    for (ValueRange row : in.getOperands())
      values.push_back(row[place / 2]);
    values.push_back(code.add(column, place % 2));
    Value answer = code.widen(code.body(op.getBody(), values));
    answers = code.orBits(answers, code.compute<arith::ShLIOp>(answer, code.i64(place)));
  }
  Value more = code.orBits(bits, code.compute<arith::ShLIOp>(answers, shift));
  scf::YieldOp::create(code.b, code.loc, more);
  return {loop.getResult(0)};
}

/// The bits of one row's columns before `bound`, the thread's first column counting as 0: of every eight columns the
/// row has two, which are four bits apart from those of the next eight.
static Value bitsBefore(Code &code, int64_t columns, Value bound, Type word) {
  auto constant = [&](int64_t value) -> Value { return arith::ConstantIntOp::create(code.b, code.loc, word, value); };
  Value inside = code.compute<arith::MaxSIOp>(code.compute<arith::MinSIOp>(bound, code.i32(columns)), code.i32(0));
  Value ofGroup = code.compute<arith::MinSIOp>(code.andBits(inside, 7), code.i32(2));
  Value count = code.add(code.mul(code.shiftRight(inside, 3), 4), ofGroup);
  // A word's bits cannot all be shifted out at once.
  Value half = code.shiftRight(count, 1), rest = code.compute<arith::SubIOp>(count, half);
  if (word.isInteger(64))
    half = code.widen(half), rest = code.widen(rest);
  Value behind = code.compute<arith::ShLIOp>(code.compute<arith::ShLIOp>(constant(-1), half), rest);
  return code.compute<arith::XOrIOp>(behind, constant(-1));
}

static Registers lowerBetween(BetweenOp op, Operands<BetweenOp> in, Code &code) {
  int64_t columns = op.getResult().getType().getColumns();
  Type word = code.b.getIntegerType(columns <= 64 ? 32 : 64);
  int64_t placesOfFirstRow = columns <= 64 ? 0x33333333 : 0x3333333333333333;
  auto constant = [&](int64_t value) -> Value { return arith::ConstantIntOp::create(code.b, code.loc, word, value); };
  Value bits, start = code.firstColumn();
  for (unsigned h : {0, 1}) {
    auto before = [&](Value bound) {
      return bitsBefore(code, columns, code.compute<arith::SubIOp>(bound, start), word);
    };
    Value begin = before(in.getBegin()[h]), end = before(in.getEnd()[h]);
    Value between = code.compute<arith::AndIOp>(end, code.compute<arith::XOrIOp>(begin, end));
    Value ofFirst = code.compute<arith::AndIOp>(between, constant(placesOfFirstRow));
    Value ofRow = code.compute<arith::ShLIOp>(ofFirst, constant(2 * h));
    bits = bits ? code.orBits(bits, ofRow) : ofRow;
  }
  return {word.isInteger(64) ? bits : code.widen(bits)};
}

static Registers lowerCombine(CombineOp op, Operands<CombineOp> in, Code &code) {
  Value first = in.getFirst().front(), second = in.getSecond().front();
  return {op.getKind() == CombineKind::And ? code.compute<arith::AndIOp>(first, second) : code.orBits(first, second)};
}

void attn::tile::addRegisterRules(const TypeConverter &types, RewritePatternSet &rules) {
  rules.add<Lower<SplatOp, lowerSplat>, Lower<PackOp, lowerPack>, Lower<UnpackOp, lowerUnpack>,
            Lower<FirstRowOp, lowerFirstRow>, Lower<FirstColumnOp, lowerFirstColumn>, Lower<AnyOp, lowerAny>,
            Lower<FoldOp, lowerFold>, Lower<AcrossOp, lowerAcross>, Lower<MapOp, lowerMap>, Lower<AskOp, lowerAsk>,
            Lower<BetweenOp, lowerBetween>, Lower<CombineOp, lowerCombine>>(types, rules.getContext());
}
