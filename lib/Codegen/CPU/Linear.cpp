// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Linear attention, a chunk of keys or rows at a time. V' is V with a column of ones behind it, so that the normaliser
// is one more column of every product.
//
//   keys     F <- f(K), V' <- [V 1]                 of a chunk
//   absorb   S <- S + F^T V'
//   rows     O' = f(Q) S                            and, if causal, + lower(f(Q) F^T) V'
//            O = O' / l,  lse = log(l)              l = the last column of O' + epsilon
//
// Row r of a chunk takes keys 0 .. r by loops that end there, not by a mask: what later keys hold, NaN too, is not in
// its sum. All sums run over a chunk first and are added to the state then, which keeps the error of long sums small.

#include "Linear.h"
#include "../../Runtime/kernel.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

namespace {

constexpr int64_t chunkSize = ATTN_LINEAR_CHUNK;

/// f32 arrays of a worker's scratch memory; `Features` to `Values` hold a chunk of keys from one part to the next.
enum class LinearArray {
  Features,       // [chunk][state rows], f(K)
  FeatureColumns, // [head size][chunk and a little], the same transposed, if causal
  Values,         // [chunk][state columns], V'
  Query,          // [chunk][head size], f(Q)
  Scores,         // [rows of a micro-tile][chunk], f(Q) F^T, if causal
  Output,         // [chunk][state columns], O'
  Normaliser,     // [chunk and a vector]
};
constexpr int arrayCount = 7;

std::array<int64_t, 2> shapeOf(LinearArray array, const KernelLayout &layout, const Isa &isa) {
  const LinearLayout &linear = *layout.linear;
  const int64_t isCausal = linear.form == LinearForm::Causal;
  switch (array) {
  case LinearArray::Features:
    return {chunkSize, linear.stateRows};
  case LinearArray::FeatureColumns:
    return {isCausal * layout.headSize, chunkSize + 16}; // columns at multiples of 4 KiB would alias
  case LinearArray::Values:
  case LinearArray::Output:
    return {chunkSize, linear.stateColumns};
  case LinearArray::Query:
    return {chunkSize, layout.headSize};
  case LinearArray::Scores:
    return {isCausal * isa.rows, chunkSize};
  case LinearArray::Normaliser:
    return {1, chunkSize + isa.lanes};
  }
  llvm_unreachable("all arrays are handled");
}

int64_t offsetOf(int array, const KernelLayout &layout, const Isa &isa) {
  int64_t offset = 0;
  for (int before = 0; before < array; ++before) {
    auto [rows, columns] = shapeOf(static_cast<LinearArray>(before), layout, isa);
    offset += llvm::alignTo(rows * columns * sizeof(float), 64);
  }
  return offset;
}

class LinearEmitter {
public:
  LinearEmitter(ImplicitLocOpBuilder &b, ModuleOp module, LinearAttentionOp op, const KernelLayout &layout,
                const Isa &isa)
      : f(b, layout, isa), module(module), op(op), layout(layout), linear(*layout.linear) {}

  void emitKeys();
  void emitAbsorb();
  void emitRows();

private:
  void begin(StringRef part);
  Value array(LinearArray array);

  bool isCausal() const { return linear.form == LinearForm::Causal; }
  int64_t headSize() const { return layout.headSize; }
  int64_t valueHeadSize() const { return layout.valueHeadSize; }

  // Keys.
  void copyKey(Value slot, Value key);
  void clearKey(Value slot);
  void clear(Value memref, Value row, int64_t begin, int64_t end);
  Value feature(Value stored);

  // Memory that is asked for before it is needed.
  void prefetch(unsigned tensor, Value row, Value column, bool isWrite = false);
  void prefetchKey(Value slot, Value column);
  void prefetchRow(unsigned tensor, Value row, int64_t columns, bool isWrite = false);

  // Products. A micro-tile is rows x vectors accumulators.
  using Left = llvm::function_ref<Value(Value k, int64_t m)>;
  int64_t microRows() const { return linear.form == LinearForm::Step ? 1 : f.isa.rows; }
  int64_t microVectors() const { return f.isa.rows * f.isa.vectors / microRows(); }
  void forEachColumns(int64_t vectors, llvm::function_ref<void(Value, int64_t)> body);
  SmallVector<Value> loadRow(Value right, Value k, Value column, int64_t vectors);
  SmallVector<Value> multiply(Value begin, Value end, SmallVector<Value> sums, Left left, Value right, Value column,
                              int64_t rows, int64_t vectors, llvm::function_ref<void(Value)> meanwhile = {});

  // Rows.
  void copyQueries(Value padded);
  void writeScores(Value row);
  void writeProducts(Value row);
  void addOwnKeys(Value row, SmallVector<Value> &sums, Value column, int64_t vectors);
  void storeRows();

  Frame f;
  ModuleOp module;
  LinearAttentionOp op;
  const KernelLayout &layout;
  const LinearLayout &linear;
  Value first, count, state;
};

} // namespace

//===-- Functions -------------------------------------------------------------------------------------------------===//

void LinearEmitter::begin(StringRef part) {
  Type pointer = LLVM::LLVMPointerType::get(f.b.getContext()), index = f.b.getIndexType();
  f.begin(module, (layout.name + "." + part + "." + f.isa.name).str(),
          {pointer, pointer, index, index, index, index, pointer, pointer});
  auto a = f.arguments;
  f.views = a[0], f.symbols = a[1], f.batch = a[2], f.head = a[3], first = a[4], count = a[5], f.scratch = a[7];
  state = f.memrefAt(a[6], MemRefType::get({linear.stateRows, linear.stateColumns}, f.b.getF32Type()));
}

Value LinearEmitter::array(LinearArray array) {
  auto offset = static_cast<int32_t>(offsetOf(static_cast<int>(array), layout, f.isa));
  Value pointer =
      LLVM::GEPOp::create(f.b, f.scratch.getType(), f.b.getI8Type(), f.scratch, ArrayRef<LLVM::GEPArg>{offset});
  return f.memrefAt(pointer, MemRefType::get(shapeOf(array, layout, f.isa), f.b.getF32Type()));
}

//===-- keys: F <- f(K), V' <- [V 1] ------------------------------------------------------------------------------===//

/// f of numbers as memory holds them.
Value LinearEmitter::feature(Value stored) {
  RegionInliner inliner{f.b, f.isa.lanes, [&](Value outer) { return f.argument(outer); },
                        [](Operation *, ValueRange) -> Value { llvm_unreachable("feature maps are arith and math"); }};
  return splat(f.b, inliner.inlineRegion(op.getFeature(), f.widen(stored)), f.isa.lanes);
}

void LinearEmitter::clear(Value memref, Value row, int64_t begin, int64_t end) {
  f.loop(f.index(begin), f.index(end), 1, [&](Value column) { f.store(f.number(0), memref, {row, column}); });
}

void LinearEmitter::copyKey(Value slot, Value key) {
  Value features = array(LinearArray::Features), values = array(LinearArray::Values);
  f.copyRow(f.view(KeyTensor, f.storage()), {f.batch, f.head, key, Value()}, features, {slot, Value()}, headSize(),
            [&](Value x) { return feature(x); });
  clear(features, slot, headSize(), linear.stateRows);
  f.copyRow(f.view(ValueTensor, f.storage()), {f.batch, f.head, key, Value()}, values, {slot, Value()}, valueHeadSize(),
            [&](Value v) { return f.widen(v); });
  f.store(f.number(1), values, {slot, f.index(valueHeadSize())});
  clear(values, slot, valueHeadSize() + 1, linear.stateColumns);
}

void LinearEmitter::clearKey(Value slot) {
  clear(array(LinearArray::Features), slot, 0, linear.stateRows);
  clear(array(LinearArray::Values), slot, 0, linear.stateColumns);
}

void LinearEmitter::emitKeys() {
  begin("keys");
  Value zero = f.index(0);
  f.loop(zero, count, 1, [&](Value slot) {
    Value key = f.add(first, slot);
    Value isThere = f.both(f.less(f.index(-1), key), f.less(key, f.symbol(KvLength)));
    f.when(isThere, [&] { copyKey(slot, key); }, [&] { clearKey(slot); });
  });
  if (isCausal()) {
    Value features = array(LinearArray::Features), columns = array(LinearArray::FeatureColumns);
    f.loop(zero, count, 1, [&](Value slot) {
      f.loop(zero, f.index(headSize()), 1, [&](Value c) { f.store(f.load(features, {slot, c}), columns, {c, slot}); });
    });
  }
  f.end();
}

//===-- Memory that is asked for before it is needed --------------------------------------------------------------===//

// What the processor fetches ahead by itself ends with a page, which is 16 rows of 64 f32. A chunk's work hides the
// rows of one to come if they come little by little: asked for at once, they wait for each other.
static constexpr int64_t rowsAhead = 2 * chunkSize;

void LinearEmitter::prefetch(unsigned tensor, Value row, Value column, bool isWrite) {
  memref::PrefetchOp::create(f.b, f.view(tensor, f.storage()), ValueRange{f.batch, f.head, row, column}, isWrite,
                             /*localityHint=*/2, /*isDataCache=*/true);
}

/// Of a chunk to come, the key and value in the place of `slot`, in some columns from `column` on.
void LinearEmitter::prefetchKey(Value slot, Value column) {
  Value key = f.add(f.add(first, slot), rowsAhead);
  prefetch(KeyTensor, key, column);
  for (int64_t more = 0; more < valueHeadSize(); more += linear.stateRows)
    prefetch(ValueTensor, key, f.add(column, more));
}

void LinearEmitter::prefetchRow(unsigned tensor, Value row, int64_t columns, bool isWrite) {
  constexpr int64_t lineBits = 512;
  for (int64_t column = 0; column < columns; column += lineBits / layout.element.getIntOrFloatBitWidth())
    prefetch(tensor, row, f.index(column), isWrite);
}

//===-- Products --------------------------------------------------------------------------------------------------===//

/// The columns of V' that hold something, `vectors` vectors at a time.
void LinearEmitter::forEachColumns(int64_t vectors, llvm::function_ref<void(Value, int64_t)> body) {
  int64_t all = llvm::divideCeil(valueHeadSize() + 1, f.isa.lanes), whole = all / vectors * vectors;
  f.loop(f.index(0), f.index(whole * f.isa.lanes), vectors * f.isa.lanes, [&](Value column) { body(column, vectors); });
  if (whole < all)
    body(f.index(whole * f.isa.lanes), all - whole);
}

SmallVector<Value> LinearEmitter::loadRow(Value right, Value k, Value column, int64_t vectors) {
  SmallVector<Value> row;
  for (int64_t n = 0; n < vectors; ++n)
    row.push_back(f.loadVector(right, {k, f.add(column, n * f.isa.lanes)}));
  return row;
}

/// sums[m, n] += left(k, m) * right[k, column + n] over k in [begin, end), in steps of four and then one by one.
SmallVector<Value> LinearEmitter::multiply(Value begin, Value end, SmallVector<Value> sums, Left left, Value right,
                                           Value column, int64_t rows, int64_t vectors,
                                           llvm::function_ref<void(Value)> meanwhile) {
  auto step = [&](Value k, SmallVector<Value> carried) {
    if (meanwhile)
      meanwhile(k);
    SmallVector<Value> operands = loadRow(right, k, column, vectors);
    for (int64_t m = 0; m < rows; ++m) {
      Value x = splat(f.b, left(k, m), f.isa.lanes);
      for (int64_t n = 0; n < vectors; ++n)
        carried[m * vectors + n] = f.fma(x, operands[n], carried[m * vectors + n]);
    }
    return carried;
  };
  Value middle = f.add(begin, f.alignDown(f.sub(end, begin), 4));
  sums = f.loop(begin, middle, 4, sums, [&](Value k, ValueRange carried) {
    SmallVector<Value> inner(carried);
    for (int64_t u = 0; u < 4; ++u)
      inner = step(f.add(k, u), inner);
    return inner;
  });
  return f.loop(middle, end, 1, sums,
                [&](Value k, ValueRange carried) { return step(k, SmallVector<Value>(carried)); });
}

//===-- absorb: S <- S + F^T V' -----------------------------------------------------------------------------------===//

void LinearEmitter::emitAbsorb() {
  begin("absorb");
  Value features = array(LinearArray::Features), values = array(LinearArray::Values);
  const int64_t rows = f.isa.rows, vectors = f.isa.vectors;
  f.loop(f.index(0), f.index(linear.stateRows), rows, [&](Value c) {
    forEachColumns(vectors, [&](Value column, int64_t width) {
      auto left = [&](Value k, int64_t m) { return f.load(features, {k, f.add(c, m)}); };
      SmallVector<Value> sums = multiply(f.index(0), count, SmallVector<Value>(rows * width, f.numbers(0)), left,
                                         values, column, rows, width, [&](Value slot) { prefetchKey(slot, c); });
      for (int64_t m = 0; m < rows; ++m)
        for (int64_t n = 0; n < width; ++n) {
          SmallVector<Value> place{f.add(c, m), f.add(column, n * f.isa.lanes)};
          Value sum = arith::AddFOp::create(f.b, f.loadVector(state, place), sums[m * width + n]);
          f.storeVector(sum, state, place);
        }
    });
  });
  f.end();
}

//===-- rows: O' = f(Q) S + lower(f(Q) F^T) V' --------------------------------------------------------------------===//

void LinearEmitter::emitRows() {
  begin("rows");
  Value padded = f.alignUp(count, microRows());
  copyQueries(padded);
  f.loop(f.index(0), padded, microRows(), [&](Value row) {
    for (int64_t m = 0; m < microRows(); ++m)
      prefetchRow(OutputTensor, f.add(first, f.add(row, m)), valueHeadSize(), /*isWrite=*/true);
    if (isCausal())
      writeScores(row);
    writeProducts(row);
  });
  storeRows();
  f.end();
}

void LinearEmitter::copyQueries(Value padded) {
  Value query = array(LinearArray::Query), from = f.view(QueryTensor, f.storage());
  f.loop(f.index(0), count, 1, [&](Value r) {
    Value row = f.add(first, r);
    prefetchRow(QueryTensor, f.add(row, rowsAhead), headSize());
    f.copyRow(from, {f.batch, f.head, row, Value()}, query, {r, Value()}, headSize(),
              [&](Value x) { return feature(x); });
  });
  f.loop(count, padded, 1, [&](Value r) { clear(query, r, 0, headSize()); });
}

/// f(Q) F^T of the micro-tile's rows and the keys up to its last row, and a few that nobody looks at.
void LinearEmitter::writeScores(Value row) {
  Value query = array(LinearArray::Query), columns = array(LinearArray::FeatureColumns);
  Value scores = array(LinearArray::Scores);
  const int64_t rows = microRows(), vectors = f.isa.vectors;
  f.loop(f.index(0), f.add(row, rows), vectors * f.isa.lanes, [&](Value key) {
    auto left = [&](Value c, int64_t m) { return f.load(query, {f.add(row, m), c}); };
    SmallVector<Value> sums =
        multiply(f.index(0), f.index(headSize()), SmallVector<Value>(rows * vectors, f.numbers(0)), left, columns, key,
                 rows, vectors);
    for (int64_t m = 0; m < rows; ++m)
      for (int64_t n = 0; n < vectors; ++n)
        f.storeVector(sums[m * vectors + n], scores, {f.index(m), f.add(key, n * f.isa.lanes)});
  });
}

void LinearEmitter::writeProducts(Value row) {
  Value query = array(LinearArray::Query), output = array(LinearArray::Output);
  const int64_t rows = microRows();
  forEachColumns(microVectors(), [&](Value column, int64_t vectors) {
    auto left = [&](Value c, int64_t m) { return f.load(query, {f.add(row, m), c}); };
    SmallVector<Value> sums =
        multiply(f.index(0), f.index(headSize()), SmallVector<Value>(rows * vectors, f.numbers(0)), left, state, column,
                 rows, vectors);
    if (isCausal())
      addOwnKeys(row, sums, column, vectors);
    for (int64_t m = 0; m < rows; ++m)
      for (int64_t n = 0; n < vectors; ++n)
        f.storeVector(sums[m * vectors + n], output, {f.add(row, m), f.add(column, n * f.isa.lanes)});
  });
}

/// The chunk's keys: all rows of the micro-tile see those before its first row, and row m of it sees m + 1 more.
void LinearEmitter::addOwnKeys(Value row, SmallVector<Value> &sums, Value column, int64_t vectors) {
  Value values = array(LinearArray::Values), scores = array(LinearArray::Scores);
  const int64_t rows = microRows();
  auto left = [&](Value key, int64_t m) { return f.load(scores, {f.index(m), key}); };
  sums = multiply(f.index(0), row, sums, left, values, column, rows, vectors);
  for (int64_t own = 0; own < rows; ++own) {
    Value key = f.add(row, own);
    SmallVector<Value> operands = loadRow(values, key, column, vectors);
    for (int64_t m = own; m < rows; ++m) {
      Value score = splat(f.b, left(key, m), f.isa.lanes);
      for (int64_t n = 0; n < vectors; ++n)
        sums[m * vectors + n] = f.fma(score, operands[n], sums[m * vectors + n]);
    }
  }
}

/// O = O' / l, or 0 where l is 0; lse = log(l).
void LinearEmitter::storeRows() {
  Value output = array(LinearArray::Output), normaliser = array(LinearArray::Normaliser), zero = f.index(0);
  Value epsilon = f.argument(op.getEpsilon()), to = f.view(OutputTensor, f.storage());
  f.loop(zero, count, 1, [&](Value r) {
    Value l = arith::AddFOp::create(f.b, f.load(output, {r, f.index(valueHeadSize())}), epsilon);
    f.store(l, normaliser, {zero, r});
    Value isNone = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OEQ, l, f.number(0));
    Value inverse = f.select(isNone, f.number(0), arith::DivFOp::create(f.b, f.number(1), l));
    inverse = splat(f.b, inverse, f.isa.lanes);
    f.copyRow(output, {r, Value()}, to, {f.batch, f.head, f.add(first, r), Value()}, valueHeadSize(),
              [&](Value v) { return f.narrow(arith::MulFOp::create(f.b, v, inverse)); });
  });
  Value isWanted = LLVM::ICmpOp::create(f.b, LLVM::ICmpPredicate::ne, f.viewData(LseTensor),
                                        LLVM::ZeroOp::create(f.b, f.scratch.getType()));
  f.when(isWanted, [&] {
    f.loop(zero, count, f.isa.lanes, [&](Value r) {
      f.storeVector(math::LogOp::create(f.b, f.loadVector(normaliser, {zero, r})), normaliser, {zero, r});
    });
    Value lse = f.view(LseTensor, f.b.getF32Type(), /*unitColumns=*/false);
    f.loop(zero, count, 1,
           [&](Value r) { f.store(f.load(normaliser, {zero, r}), lse, {f.batch, f.head, f.add(first, r), zero}); });
  });
}

//===-- The kernel ------------------------------------------------------------------------------------------------===//

int64_t attn::cpu::linearScratchBytes(const KernelLayout &layout, const Isa &isa) {
  return offsetOf(arrayCount, layout, isa);
}

void attn::cpu::emitLinear(ModuleOp module, LinearAttentionOp op, const KernelLayout &layout, const Isa &isa) {
  ImplicitLocOpBuilder b(op.getLoc(), op.getContext());
  LinearEmitter emitter(b, module, op, layout, isa);
  emitter.emitKeys();
  emitter.emitAbsorb();
  emitter.emitRows();
}
