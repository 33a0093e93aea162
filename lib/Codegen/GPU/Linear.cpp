// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Linear attention on a GPU. V' is V with a column of ones behind it, so that the normaliser is one more column of
// every product.
//
//   absorb   S = F^T V'                  F = f(K) of a split's keys
//   sum      S <- state_in + the states of all splits before
//   rows     O' = f(Q) S                 and, but in the full form, + f(Q) F^T V' of the split's earlier chunks
//                                        + lower(f(Q) F^T) V' of the chunk of keys beside the rows
//            O = O' / l,  lse = log(l)   l = the last column of O' + epsilon
//
// As on the CPU a row's own chunk is summed up to the row and not masked: what later keys hold, NaN too, is not in it.

#include "Linear.h"
#include "LinearBlock.h"
#include "LowerTile.h"

using namespace mlir;
using namespace attn;
using namespace attn::hopper;

static constexpr int64_t chunk = LinearBlock::chunk, lanes = LinearBlock::lanes;

//===-- absorb: S = F^T V' ----------------------------------------------------------------------------------------===//

static void storeState(LinearBlock &k, Value split, Value row, ColumnTile tile, ArrayRef<Value> sums) {
  Frame &f = k.f;
  f.when(f.less(row, f.i32(k.linear.stateRows)), [&] {
    Value to = k.element(f.b.getF32Type(), k.stateOf(split), f.add(f.mul(row, k.linear.stateColumns), k.firstColumn));
    k.forEachPlace(sums, [&](int64_t m, int64_t column, Value sum) {
      k.store(sum, to, m * k.linear.stateColumns + tile.first + column);
    });
  });
}

static void writeAbsorb(LinearBlock &k) {
  Frame &f = k.f;
  int64_t blocksOfState = llvm::divideCeil(k.linear.stateRows, chunk);
  Value firstRow = f.mul(f.remainder(k.block, blocksOfState), chunk), item = f.divide(k.block, blocksOfState);
  Value split = f.remainder(item, k.splits);
  k.turnToPair(f.divide(item, k.splits));
  Value begin = f.sub(f.mul(split, k.splitKeys), k.lead);
  Value end = f.add(begin, f.least(k.splitKeys, f.sub(f.toI32(f.symbol(KvLength)), begin)));
  for (ColumnTile tile : tilesOf(k.layout)) {
    Sums sums = f.loop(begin, end, f.i32(chunk), k.zeros(tile.count), [&](Value key, ValueRange carried) {
      k.meet();
      k.copyFeatures(key, firstRow);
      k.copyValues(key, tile);
      k.meet();
      Factor features = {k.at(LinearArray::Features, f.i32(0), k.firstRow), k.strideOf(LinearArray::Features), 1};
      return k.multiply(f.i32(chunk), carried, features, k.columnsOf(LinearArray::Values));
    });
    storeState(k, split, f.add(firstRow, k.firstRow), tile, sums);
  }
}

//===-- sum: S <- state_in + the states of all splits before ------------------------------------------------------===//

/// Adds one entry of `count` states to the sum; each gets the sum before it.
static Value addStates(LinearBlock &k, Value entry, Value split, int64_t count, Value sum) {
  Frame &f = k.f;
  SmallVector<Value> places, states;
  for (int64_t i = 0; i < count; ++i) {
    Value distance = f.mul(f.toI64(f.add(split, i)), k.linear.stateRows * k.linear.stateColumns);
    places.push_back(k.element(f.b.getF32Type(), entry, distance));
    states.push_back(k.load(places.back()));
  }
  for (auto [place, state] : llvm::zip(places, states)) {
    k.store(sum, place);
    sum = arith::AddFOp::create(f.b, sum, state);
  }
  return sum;
}

/// The same for all splits and the place behind them.
static Value addAllStates(LinearBlock &k, Value entry, Value sum) {
  constexpr int64_t atATime = 8; // loads that are under way together
  Frame &f = k.f;
  Value middle = f.sub(k.splits, f.remainder(k.splits, atATime));
  auto add = [&](Value begin, Value end, int64_t count) {
    sum = f.loop(begin, end, f.i32(count), sum, [&](Value split, ValueRange carried) -> SmallVector<Value> {
      return {addStates(k, entry, split, count, carried[0])};
    })[0];
  };
  add(f.i32(0), middle, atATime);
  add(middle, k.splits, 1);
  k.store(sum,
          k.element(f.b.getF32Type(), entry, f.mul(f.toI64(k.splits), k.linear.stateRows * k.linear.stateColumns)));
  return sum;
}

static void writeSum(LinearBlock &k) {
  Frame &f = k.f;
  const int64_t size = k.linear.stateRows * k.linear.stateColumns, blocksOfState = llvm::divideCeil(size, k.threads);
  k.turnToPair(f.divide(k.block, blocksOfState));
  Value entry = f.add(f.mul(f.remainder(k.block, blocksOfState), k.threads), k.thread);
  Value row = f.divide(entry, k.linear.stateColumns), column = f.remainder(entry, k.linear.stateColumns);
  Value isCallers = f.both(f.less(row, f.i32(k.layout.headSize)), f.less(column, f.i32(k.layout.valueHeadSize + 1)));
  auto isGiven = [&](int state) { return f.both(isCallers, f.negate(f.isZero(f.viewAddress(state)))); };
  auto callersEntry = [&](int state) {
    return f.pointer(f.viewAddress(state), f.b.getF32Type(), f.entryOf(state, {f.batch, f.kvHead, row, column}));
  };
  f.when(f.less(entry, f.i32(size)), [&] {
    Value sum = f.f32(0);
    if (int state = k.linear.stateIn; state >= 0)
      sum = f.choose(isGiven(state), [&] { return k.load(callersEntry(state)); }, [&] { return f.f32(0); });
    sum = addAllStates(k, k.element(f.b.getF32Type(), k.stateOf(f.i32(0)), entry), sum);
    if (int state = k.linear.stateOut; state >= 0)
      f.when(isGiven(state), [&] { k.store(sum, callersEntry(state)); });
  });
}

//===-- rows: O' = f(Q) S + f(Q) F^T V' ---------------------------------------------------------------------------===//

namespace {

class RowsWriter {
public:
  explicit RowsWriter(LinearBlock &k) : k(k), f(k.f) {}

  void write();

private:
  bool isCausal() const { return k.linear.form != LinearForm::Full; }
  void findKeys(Value firstRow);
  Sums overColumns(ArrayRef<Value> sums, llvm::function_ref<Sums(Value, Value, ValueRange)> body);
  Sums addState(ColumnTile tile);
  Sums addKeys(ColumnTile tile, Sums sums);
  Sums addChunk(Value firstKey, ColumnTile tile, bool isOwn, ValueRange sums);
  void addOwnKeys(Sums &sums);
  void writeScores(Value firstKey);
  void storeNormaliser(ColumnTile tile, ArrayRef<Value> sums);
  void storeOutput(Value firstRow, ColumnTile tile, ArrayRef<Value> sums);
  void storeLse(Value firstRow);

  LinearBlock &k;
  Frame &f;
  Value split;         // whose state holds the keys before those below
  Value begin, ownKey; // all rows of the chunk see keys [begin, ownKey); row r also sees ownKey to ownKey + r
};

} // namespace

void RowsWriter::write() {
  Value chunks = f.ceilDivide(f.toI32(f.symbol(Length)), chunk), heads = f.size(ATTN_GPU_HEADS);
  Value firstRow = f.mul(f.remainder(k.block, chunks), chunk), item = f.divide(k.block, chunks);
  f.turnTo(f.divide(item, heads), f.remainder(item, heads));
  findKeys(firstRow);
  k.copyQuery(firstRow);
  // The last columns hold the normaliser, by which the others are divided.
  SmallVector<ColumnTile> tiles = tilesOf(k.layout);
  for (ColumnTile tile : llvm::reverse(tiles)) {
    Sums sums = addState(tile);
    if (isCausal())
      sums = addKeys(tile, std::move(sums));
    if (tile.first == tiles.back().first)
      storeNormaliser(tile, sums);
    storeOutput(firstRow, tile, sums);
  }
  storeLse(firstRow);
}

/// Where all keys are before or behind the rows, the chunk beside these is one without keys.
void RowsWriter::findKeys(Value firstRow) {
  split = k.splits;
  if (!isCausal())
    return;
  Value shift = f.sub(f.symbol(QueryOffset), f.symbol(KeyOffset));
  Value own = f.add(f.add(f.toIndex(firstRow), shift), f.toIndex(k.lead)); // counted from the first split's begin
  own = f.toI32(f.clamp(own, f.index(-chunk), f.toIndex(f.mul(k.splits, k.splitKeys))));
  split = f.divide(f.greatest(own, f.i32(0)), k.splitKeys);
  begin = f.sub(f.mul(split, k.splitKeys), k.lead), ownKey = f.sub(own, k.lead);
}

/// `body` for the first of each 64 columns of a head, and how many of these there are.
Sums RowsWriter::overColumns(ArrayRef<Value> sums, llvm::function_ref<Sums(Value, Value, ValueRange)> body) {
  Value headSize = f.i32(k.layout.headSize);
  return f.loop(f.i32(0), headSize, f.i32(chunk), sums, [&](Value first, ValueRange carried) {
    return body(first, f.least(f.i32(chunk), f.sub(headSize, first)), carried);
  });
}

Sums RowsWriter::addState(ColumnTile tile) {
  Value state = k.stateOf(split);
  return overColumns(k.zeros(tile.count), [&](Value first, Value count, ValueRange sums) {
    k.meet();
    k.copyState(state, first, tile);
    k.meet();
    return k.multiply(count, sums, k.rowsOf(LinearArray::Query, first), k.columnsOf(LinearArray::Values));
  });
}

Sums RowsWriter::addKeys(ColumnTile tile, Sums sums) {
  Value hasKeys = f.negate(f.isZero(k.splits));
  auto add = [&] {
    Sums seen = f.loop(begin, ownKey, f.i32(chunk), sums,
                       [&](Value key, ValueRange carried) { return addChunk(key, tile, /*isOwn=*/false, carried); });
    return addChunk(ownKey, tile, /*isOwn=*/true, seen);
  };
  return f.choose(hasKeys, add, [&] { return sums; });
}

Sums RowsWriter::addChunk(Value firstKey, ColumnTile tile, bool isOwn, ValueRange sums) {
  writeScores(firstKey);
  k.copyValues(firstKey, tile);
  k.meet();
  Value common = isOwn ? k.firstRow : f.i32(chunk); // to the thread's rows
  Sums result = k.multiply(common, sums, k.rowsOf(LinearArray::Features, f.i32(0)), k.columnsOf(LinearArray::Values));
  if (isOwn)
    addOwnKeys(result);
  return result;
}

/// f(Q) F^T of the chunk's rows and 64 keys, in the place of F.
void RowsWriter::writeScores(Value firstKey) {
  int64_t stride = k.strideOf(LinearArray::Features);
  Sums scores = overColumns(k.zeros(chunk), [&](Value first, Value count, ValueRange sums) {
    k.meet();
    k.copyFeatures(firstKey, first);
    k.meet();
    Factor keys = {k.at(LinearArray::Features, k.firstColumn, f.i32(0)), 1, lanes * stride};
    return k.multiply(count, sums, k.rowsOf(LinearArray::Query, first), keys);
  });
  k.meet();
  Value to = k.at(LinearArray::Features, k.firstRow, k.firstColumn);
  k.forEachPlace(scores, [&](int64_t m, int64_t column, Value score) { k.store(score, to, m * stride + column); });
}

/// The keys beside the thread's rows: row m sees m + 1 of them.
void RowsWriter::addOwnKeys(Sums &sums) {
  Factor scores = k.rowsOf(LinearArray::Features, k.firstRow);
  Value values = k.at(LinearArray::Values, k.firstRow, k.firstColumn);
  int64_t columns = sums.size() / k.rowsOfThread, stride = k.strideOf(LinearArray::Values);
  for (int64_t own = 0; own < k.rowsOfThread; ++own) {
    Sums operands;
    for (int64_t n = 0; n < columns; ++n)
      operands.push_back(k.load(values, own * stride + n * lanes));
    for (int64_t m = own; m < k.rowsOfThread; ++m) {
      Value score = k.load(scores.first, m * scores.next + own);
      for (int64_t n = 0; n < columns; ++n) {
        Value &sum = sums[m * columns + n];
        sum = math::FmaOp::create(f.b, score, operands[n], sum);
      }
    }
  }
}

void RowsWriter::storeNormaliser(ColumnTile tile, ArrayRef<Value> sums) {
  int64_t lane = (k.layout.valueHeadSize - tile.first) % lanes, rest = k.layout.valueHeadSize - tile.first - lane;
  Value epsilon = f.argument(k.op.getEpsilon()), to = k.at(LinearArray::Normaliser, f.i32(0), k.firstRow);
  f.when(f.compare(CmpIPredicate::eq, k.firstColumn, f.i32(lane)), [&] {
    k.forEachPlace(sums, [&](int64_t m, int64_t column, Value sum) {
      if (column == rest)
        k.store(arith::AddFOp::create(f.b, sum, epsilon), to, m);
    });
  });
  k.meet();
}

/// O = O' / l, or 0 where l is 0.
void RowsWriter::storeOutput(Value firstRow, ColumnTile tile, ArrayRef<Value> sums) {
  Type element = k.layout.element;
  Value first = f.add(firstRow, k.firstRow), length = f.toI32(f.symbol(Length)), zero = f.f32(0);
  Value normaliser = k.at(LinearArray::Normaliser, f.i32(0), k.firstRow);
  int64_t columns = sums.size() / k.rowsOfThread;
  for (int64_t m = 0; m < k.rowsOfThread; ++m)
    f.when(f.less(f.add(first, m), length), [&] {
      Value l = k.load(normaliser, m), isNone = arith::CmpFOp::create(f.b, CmpFPredicate::OEQ, l, zero);
      Value inverse = f.select(isNone, zero, arith::DivFOp::create(f.b, f.f32(1), l));
      Value to = f.rowPointer(OutputTensor, f.head, f.add(first, m), element);
      for (int64_t n = 0; n < columns; ++n) {
        Value column = f.add(k.firstColumn, tile.first + n * lanes);
        f.when(f.less(column, f.i32(k.layout.valueHeadSize)), [&] {
          Value number = arith::MulFOp::create(f.b, sums[m * columns + n], inverse);
          if (!element.isF32())
            number = arith::TruncFOp::create(f.b, element, number);
          k.store(number, k.element(element, to, column));
        });
      }
    });
}

/// ln(x), right to the last bit or two: the exponent's part is exact, and the instruction is asked about a number near
/// 1 alone, where its error is smallest. (It is off by up to 2^-22, several bits of a logarithm of 10.)
static Value naturalLogarithm(LinearBlock &k, Value x) {
  Frame &f = k.f;
  ImplicitLocOpBuilder &b = f.b;
  Type f32 = b.getF32Type();
  Value bits = arith::BitcastOp::create(b, b.getI32Type(), x);
  // From sqrt(1/2) to sqrt(2).
  Value shifted = f.sub(bits, 0x3f3504f3);
  Value exponent = arith::ShRSIOp::create(b, shifted, f.i32(23));
  Value mantissa = arith::BitcastOp::create(b, f32, f.sub(bits, arith::ShLIOp::create(b, exponent, f.i32(23))));
  Value power = arith::SIToFPOp::create(b, f32, exponent), part = math::LogOp::create(b, mantissa);
  part = math::FmaOp::create(b, power, f.f32(1.42860677e-06), part); // ln(2) in two numbers
  Value split = math::FmaOp::create(b, power, f.f32(0.693145752), part);
  // Numbers with an exponent of their own; the instruction answers for others.
  Value isNormal = f.both(arith::CmpFOp::create(b, CmpFPredicate::OGE, x, f.f32(0x1p-126)),
                          arith::CmpFOp::create(b, CmpFPredicate::OLT, x, f.f32(INFINITY)));
  return f.select(isNormal, split, math::LogOp::create(b, x));
}

void RowsWriter::storeLse(Value firstRow) {
  Value row = f.add(firstRow, k.thread), isWanted = f.negate(f.isZero(f.viewAddress(LseTensor)));
  Value isRow = f.both(f.less(k.thread, f.i32(chunk)), f.less(row, f.toI32(f.symbol(Length))));
  f.when(f.both(isWanted, isRow), [&] {
    Value normaliser = k.load(k.at(LinearArray::Normaliser, f.i32(0), k.thread));
    k.store(naturalLogarithm(k, normaliser), f.rowPointer(LseTensor, f.head, row, f.b.getF32Type()));
  });
}

//===-- All of them -----------------------------------------------------------------------------------------------===//

namespace {

/// A kernel: how it is written, the first array that it does not have, and the rows or entries of a block.
struct Part {
  StringRef name;
  void (*write)(LinearBlock &k);
  LinearArray end;
  int64_t tileRows;
};

} // namespace

static const Part parts[] = {
    {"absorb", writeAbsorb, LinearArray::Query, chunk},
    {"sum", writeSum, LinearArray::Features, LinearBlock::threads},
    {"rows", [](LinearBlock &k) { RowsWriter(k).write(); }, LinearArray::End, chunk},
};

unsigned attn::hopper::emitLinear(ImplicitLocOpBuilder &b, LinearAttentionOp op, const KernelLayout &layout) {
  LLVM::GlobalOp::create(b, LLVM::LLVMArrayType::get(b.getI8Type(), 0), /*isConstant=*/false, LLVM::Linkage::External,
                         tile::sharedMemoryName, Attribute(), /*alignment=*/16, /*addrSpace=*/3);
  for (const Part &part : parts) {
    OpBuilder::InsertionGuard guard(b);
    LinearBlock block(b, op, layout, part.name);
    part.write(block);
    LLVM::ReturnOp::create(b, ValueRange());
  }
  return std::size(parts);
}

GpuLinearInfo attn::hopper::describeLinear(const KernelLayout &layout) {
  auto describe = [&](const Part &part) {
    GpuFunctionInfo info;
    info.name = LinearBlock::nameOf(layout, part.name);
    info.threads = LinearBlock::threads, info.tileRows = static_cast<int>(part.tileRows);
    info.sharedBytes = static_cast<int>(offsetOf(part.end, layout) * sizeof(float));
    return info;
  };
  return {describe(parts[0]), describe(parts[1]), describe(parts[2])};
}
