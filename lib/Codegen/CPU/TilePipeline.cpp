// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The group function of kernels whose products are AMX tiles and whose scores are plain: 32 query rows against the keys
// of one tile, in steps of 32 keys. Tile products run beside vector instructions if these lie close to them in the
// program, so a step writes, mixed with one another,
//
//   S of the next step     S = Q K^T                two columns of tiles, sums over the units of Q and K
//   P of this step         P = 2^(S - m), l += P    row by row
//   O of the step before   O += P V                 as many columns of tiles as V has
//
// The first step of the next 32 rows follows the last one of these.
//
// There is no running maximum: m is a *reference*, the highest score of the first step in which a row sees a key.
// Powers may grow to 2^16 before it is raised. The step that finds a larger one takes its rows' maxima, rescales l and
// O, which do not hold its powers yet, and computes these again. The reference of a row that has seen no key is far
// below every score, so its first one raises it.
//
// The steps whose keys all rows look at come first: they need no masks, and find all references. From them on the steps
// go round, to the last key of the group and on from its first one.

#include "TilePipeline.h"
#include "KeyRing.h"
#include "ProductWriter.h"
#include "RegionOps.h"
#include "TileInstructions.h"
#include <array>
#include <limits>

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

namespace {

constexpr int64_t stepKeys = pipelineStep, groupRows = pipelineRows, rowTiles = groupRows / tileRows;
/// Bytes of a row's scores in a step, of its powers, and of its sums.
constexpr int64_t scoreBytes = stepKeys * 4, powerBytes = stepKeys * 2, sumBytes = 64;
/// Two of a kind lie so much apart that one's rows and the other's differ in their places within 4 KiB.
constexpr int64_t apart = 64;

/// Spreads rows of vector instructions evenly among tile products.
class Slots {
public:
  Slots(int64_t products, llvm::function_ref<void(int64_t)> writeRow) : products(products), writeRow(writeRow) {}

  void afterProduct() {
    ++product;
    for (; writeRow && written < product * groupRows / products; ++written)
      writeRow(written);
  }

private:
  int64_t products, product = 0, written = 0;
  llvm::function_ref<void(int64_t)> writeRow;
};

/// A tile's first row in memory, and bytes from row to row. The tile below has the next 16 rows.
struct TilesAt {
  Value pointer;
  int64_t stride;
};

/// Sums of all rows for 16 columns: those of left * right.
struct Column {
  SmallVector<std::pair<TilesAt, TilesAt>> factors; // left and right, for 16 units each that are summed over
  TilesAt sums;
  bool isAdded; // to what is there, or written over it
};

using Tiles = std::array<Value, rowTiles>;

/// What changes places from step to step.
struct Buffers {
  Value scores, scoresNext, powers, powersBefore, sums, sumsBefore;

  SmallVector<Value> flat() const { return {scores, scoresNext, powers, powersBefore, sums, sumsBefore}; }
  static Buffers of(ValueRange all) { return {all[0], all[1], all[2], all[3], all[4], all[5]}; }
  /// As the next step sees it.
  Buffers next() const { return {scoresNext, scores, powersBefore, powers, sumsBefore, sums}; }
};

class PipelineWriter {
public:
  PipelineWriter(ImplicitLocOpBuilder &b, const Kernel &kernel, Mask mask)
      : f(b, kernel.layout, kernel.isa), kernel(kernel), ops(f, kernel.op()), tiles(f),
        sizes(kernel.layout, kernel.isa), maskOfTile(mask), maskOfStep(mask) {}

  func::FuncOp write(StringRef name) {
    func::FuncOp function;
    call = beginGroupFunction(f, kernel.module, name, function);
    factor = splat(f.b, arith::MulFOp::create(f.b, ops.scale(), f.number(log2e)), f.isa.lanes);
    maximum = f.scratchArray(ScratchArray::Maximum);
    references = f.scratchPointer(ScratchArray::References);
    bindKeys();
    Value zero = f.index(0);
    Pipeline empty{firstBuffers(), {zero, zero}, zero, zero};
    SmallVector<Value> all =
        f.loop(zero, call.groups, 1, empty.flat(), [&](Value group, ValueRange carried) -> SmallVector<Value> {
          Value row = f.mul(group, groupRows);
          Steps steps = stepsOf(row);
          Value some = f.select(f.less(steps.begin, steps.end), f.index(1), zero); // once, or not at all
          return f.loop(zero, some, 1, carried, [&](Value, ValueRange carried) {
            return writeGroup(row, steps, Pipeline::of(carried)).flat();
          });
        });
    Pipeline last = Pipeline::of(all);
    f.when(isSet(last.holdsPowers), [&] { writeColumns(outputColumns(last.before, last.buffers), {1, nullptr}); });
    f.end();
    return function;
  }

private:
  /// 32 rows, by the first of them, against the 32 keys from `key` on.
  struct Step {
    Value row, key;
  };

  /// The steps of a group: from `start` to the end, and on from the beginning. Those behind the first and before
  /// `wholeEnd` need no masks.
  struct Steps {
    Value begin, end, start, wholeEnd;
  };

  /// What the pipeline holds where a group begins.
  struct Pipeline {
    Buffers buffers;
    Step before;       // whose powers are to be multiplied by V
    Value holdsPowers; // 1 or 0
    Value holdsScores; // of the group's first step

    SmallVector<Value> flat() const {
      return {buffers.scores, buffers.scoresNext, buffers.powers, buffers.powersBefore,
              before.row,     before.key,         holdsPowers,    holdsScores};
    }
    static Pipeline of(ValueRange all) {
      return {{all[0], all[1], all[2], all[3], Value(), Value()}, {all[4], all[5]}, all[6], all[7]};
    }
  };

  Value isSet(Value number) { return f.less(f.index(0), number); }

  /// The rows of a group against those keys of the tile that some of them look at.
  Pipeline writeGroup(Value row, const Steps &steps, const Pipeline &held) {
    firstRow = row;
    sums = at(f.scratchPointer(ScratchArray::Sum), row, sumBytes);
    Buffers first = held.buffers;
    first.sums = f.scratchPointer(ScratchArray::StepSums), first.sumsBefore = sums;
    Value nextRow = f.add(row, groupRows), hasNext = f.less(nextRow, f.mul(call.groups, groupRows));
    Steps nextSteps = stepsOf(f.select(hasNext, nextRow, row));
    Value goesOn = f.both(hasNext, f.less(nextSteps.begin, nextSteps.end));
    Step behind{f.select(goesOn, nextRow, row), f.select(goesOn, nextSteps.start, steps.start)};
    auto after = [&](Value key) -> Step {
      Value next = f.add(key, stepKeys);
      next = f.select(f.less(next, steps.end), next, steps.begin);
      Value isLast = arith::CmpIOp::create(f.b, arith::CmpIPredicate::eq, next, steps.start);
      return {f.select(isLast, behind.row, row), f.select(isLast, behind.key, next)};
    };
    auto writeAll = [&](Value key, Value before, const Buffers &buffers) {
      writeStep(key, after(key), Step{row, before}, buffers);
      return buffers.next().flat();
    };

    f.when(f.less(held.holdsScores, f.index(1)),
           [&] { writeColumns(scoreColumns({row, steps.start}, first.scores), {1, nullptr}); });
    findReferences(steps.start, first.scores);
    f.when(
        isSet(held.holdsPowers), [&] { writeStep(steps.start, after(steps.start), held.before, first); },
        [&] { writeStep(steps.start, after(steps.start), std::nullopt, first); });
    SmallVector<Value> last = first.next().flat();
    if (maskOfTile == Mask::Bounds) {
      maskOfStep = Mask::None;
      last = f.loop(f.add(steps.start, stepKeys), steps.wholeEnd, stepKeys, last, [&](Value key, ValueRange carried) {
        return writeAll(key, f.sub(key, f.index(stepKeys)), Buffers::of(carried));
      });
      maskOfStep = maskOfTile;
    }
    Value done = f.sub(steps.wholeEnd, steps.start);
    last.push_back(f.sub(steps.wholeEnd, f.index(stepKeys)));
    last = f.loop(done, f.sub(steps.end, steps.begin), stepKeys, last, [&](Value, ValueRange carried) {
      Value before = carried.back(), key = f.add(before, stepKeys);
      key = f.select(f.less(key, steps.end), key, steps.begin);
      SmallVector<Value> next = writeAll(key, before, Buffers::of(carried));
      next.push_back(key);
      return next;
    });
    Buffers buffers = Buffers::of(last);
    for (int64_t row = 0; row < groupRows; ++row)
      storeAt(loadAt(buffers.sumsBefore, row * sumBytes), sums, row * sumBytes);
    return {buffers, {row, last.back()}, f.index(1), f.select(goesOn, f.index(1), f.index(0))};
  }

  Steps stepsOf(Value row) {
    auto [lowest, highestLower] = extremes(ScratchArray::Lower, row);
    auto [lowestUpper, highest] = extremes(ScratchArray::Upper, row);
    Value begin = f.greatest(call.tile, f.alignDown(lowest, stepKeys));
    Value end = f.least(call.end, f.alignUp(highest, stepKeys));
    if (maskOfTile != Mask::Bounds)
      return {begin, end, begin, f.add(begin, stepKeys)};
    auto inside = [&](Value key) { return f.greatest(begin, f.least(key, end)); };
    Value whole = inside(f.alignUp(highestLower, stepKeys)), wholeEnd = inside(f.alignDown(lowestUpper, stepKeys));
    Value some = f.less(whole, wholeEnd);
    return {begin, end, f.select(some, whole, begin), f.select(some, wholeEnd, f.add(begin, stepKeys))};
  }

  /// The least and the greatest bound of a group's rows.
  std::pair<Value, Value> extremes(ScratchArray bounds, Value row) {
    Value array = f.scratchArray(bounds), least = f.loadVector(array, {row}), greatest = least;
    for (int64_t lane = f.isa.lanes; lane < groupRows; lane += f.isa.lanes) {
      Value more = f.loadVector(array, {f.add(row, lane)});
      least = f.least(least, more), greatest = f.greatest(greatest, more);
    }
    return {f.toIndex(f.reduce(least, [&](Value x, Value y) { return f.least(x, y); })),
            f.toIndex(f.reduce(greatest, [&](Value x, Value y) { return f.greatest(x, y); }))};
  }

  /// Pointers for the keys before the wrap and behind it.
  void bindKeys() {
    keys = {call.keys, call.keys}, values = {call.values, call.values};
    if (llvm::none_of(f.layout.orders, [](const OrderLayout &order) { return order.span.has_value(); }))
      return;
    KeyRing ring(f);
    auto before = [&](Value pointer, Value bytes) { return at(pointer, f.sub(f.index(0), bytes), 1); };
    keys.second = before(call.keys, ring.keyBytes()), values.second = before(call.values, ring.valueBytes());
  }

  TilesAt queryAt(Value row) {
    return {at(f.scratchPointer(ScratchArray::QueryUnits), row, sizes.units * 4), sizes.units * 4};
  }
  TilesAt outputAt(Value row) {
    return {at(f.scratchPointer(ScratchArray::Output), row, sizes.valueStride * 4), sizes.valueStride * 4};
  }

  //===-- Steps -------------------------------------------------------------------------------------------------===//

  Buffers firstBuffers() {
    Value scores = f.scratchPointer(ScratchArray::StepScores), powers = f.scratchPointer(ScratchArray::StepPowers);
    return {scores,  at(scores, groupRows * scoreBytes + apart),
            powers,  at(powers, groupRows * powerBytes + apart),
            Value(), Value()};
  }

  /// The step of the group at hand that begins at `key`, beside parts of the steps before and after it.
  void writeStep(Value key, Step next, std::optional<Step> before, const Buffers &buffers) {
    SmallVector<Column> columns = scoreColumns(next, buffers.scoresNext);
    if (before)
      columns.append(outputColumns(*before, buffers));
    int64_t products = 0;
    for (const Column &column : columns)
      products += rowTiles * column.factors.size();
    Value highest = f.numbers(0);
    auto writeRow = [&](int64_t row) {
      Value total = writePowers(f.index(row), key, buffers);
      highest = f.maximum(total, highest);
      storeAt(arith::AddFOp::create(f.b, loadAt(buffers.sumsBefore, row * sumBytes), total), buffers.sums,
              row * sumBytes);
    };
    writeColumns(columns, {products, writeRow});
    f.when(isSomeAbove(highest, 0x1p16), [&] { raise(key, buffers); });
  }

  Value isSomeAbove(Value numbers, double limit) {
    return isSome(arith::CmpFOp::create(f.b, arith::CmpFPredicate::OGT, numbers, f.numbers(limit)));
  }
  Value isSome(Value lanes) {
    Value none = arith::ConstantOp::create(f.b, f.b.getI16IntegerAttr(0));
    return arith::CmpIOp::create(f.b, arith::CmpIPredicate::ne, bitsOf(lanes), none);
  }
  Value bitsOf(Value lanes) { return LLVM::BitcastOp::create(f.b, f.b.getI16Type(), lanes); }

  //===-- Products ----------------------------------------------------------------------------------------------===//

  Value pointerFor(Value key, std::pair<Value, Value> pointers) {
    if (pointers.first == pointers.second)
      return pointers.first;
    return f.select(f.less(key, call.wrap), pointers.first, pointers.second);
  }

  /// S of one step.
  SmallVector<Column> scoreColumns(Step step, Value scores) {
    Value panel = arith::DivUIOp::create(f.b, step.key, f.index(KernelLayout::panelKeys));
    Value keysOfStep = at(pointerFor(step.key, keys), panel, sizes.panelStride * 4);
    TilesAt query = queryAt(step.row);
    SmallVector<Column> columns;
    for (int64_t number = 0; number < stepKeys / KernelLayout::panelKeys; ++number) {
      Value panelKeys = at(keysOfStep, number * sizes.panelStride * 4);
      Column column{{}, {at(scores, number * tileBytes), scoreBytes}, /*isAdded=*/false};
      for (int64_t unit = 0; unit < sizes.units; unit += tileRows)
        column.factors.push_back({{at(query.pointer, unit * 4), query.stride},
                                  {at(panelKeys, unit * KernelLayout::panelKeys * 4), tileBytes}});
      columns.push_back(column);
    }
    return columns;
  }

  /// O += P V of the step before.
  SmallVector<Column> outputColumns(Step before, const Buffers &buffers) {
    Value unit = arith::DivUIOp::create(f.b, before.key, f.index(sizes.valueKeys));
    Value valuesOfStep = at(pointerFor(before.key, values), unit, sizes.valueStride * 4);
    TilesAt output = outputAt(before.row);
    SmallVector<Column> columns;
    for (int64_t column = 0; column < sizes.valueStride; column += tileRows)
      columns.push_back({{{{buffers.powersBefore, powerBytes}, {at(valuesOfStep, column * 4), sizes.valueStride * 4}}},
                         {at(output.pointer, column * 4), output.stride},
                         /*isAdded=*/true});
    return columns;
  }

  /// A column's sums are stored behind the first products of the next one, so that no store waits for the last products
  /// while there is something to multiply. Two columns of sums and what is loaded for the next products take all tiles
  /// but one.
  void writeColumns(ArrayRef<Column> columns, Slots slots) {
    Tiles now = beginSums(columns[0]), before;
    for (auto [number, column] : llvm::enumerate(columns)) {
      Tiles next;
      for (auto [deep, factor] : llvm::enumerate(column.factors)) {
        Value right = tiles.loadStream(factor.second.pointer, factor.second.stride);
        for (int64_t i = 0; i < rowTiles; ++i) {
          Value left = tiles.load(tileAt(factor.first, i), factor.first.stride);
          now[i] = tiles.multiply(left, right, now[i]);
          slots.afterProduct();
        }
        if (deep > 0)
          continue;
        if (number > 0)
          storeSums(columns[number - 1], before);
        if (number + 1 < columns.size())
          next = beginSums(columns[number + 1]);
      }
      before = now, now = next;
    }
    storeSums(columns.back(), before);
  }

  Tiles beginSums(const Column &column) {
    Tiles all;
    for (auto [number, sum] : llvm::enumerate(all))
      sum = column.isAdded ? tiles.load(tileAt(column.sums, number), column.sums.stride) : tiles.zero();
    return all;
  }
  void storeSums(const Column &column, const Tiles &all) {
    for (auto [number, sum] : llvm::enumerate(all))
      tiles.store(sum, tileAt(column.sums, number), column.sums.stride);
  }

  Value tileAt(TilesAt place, int64_t number) { return at(place.pointer, number * tileRows * place.stride); }

  //===-- Powers ------------------------------------------------------------------------------------------------===//

  Value lowest() { return f.numbers(-std::numeric_limits<double>::infinity()); }

  /// Writes P of row `number` of the group and returns its sum, in lanes.
  Value writePowers(Value number, Value key, const Buffers &buffers) {
    Value reference = splat(f.b, LLVM::LoadOp::create(f.b, f.b.getF32Type(), at(references, number, 4)), f.isa.lanes);
    SmallVector<Value> powers;
    for (int64_t half = 0; half < 2; ++half) {
      Value score = loadAt(at(buffers.scores, number, scoreBytes), half * tileBytes);
      Value admitted = admits(f.add(firstRow, number), f.add(key, half * f.isa.lanes));
      powers.push_back(exp2(f.fma(score, factor, reference), admitted));
    }
    Value units = roundToUnits(f, powers[0], powers[1]);
    LLVM::StoreOp::create(f.b, units, at(buffers.powers, number, powerBytes), /*alignment=*/tileBytes);
    return arith::AddFOp::create(f.b, powers[0], powers[1]);
  }

  /// Which of the keys from `key` on a row looks at; null if it is all of them.
  Value admits(Value row, Value key) {
    if (maskOfStep == Mask::None)
      return Value();
    if (maskOfStep == Mask::Tests) {
      Value answers = f.loadVector(f.scratchArray(ScratchArray::Tests), {row, f.sub(key, call.tile)});
      return arith::CmpIOp::create(f.b, arith::CmpIPredicate::ne, answers, f.integers(0));
    }
    Value ranks = arith::AddIOp::create(f.b, splat(f.b, f.toInt32(key), f.isa.lanes), f.lanesOf(f.b.getI32Type()));
    auto compare = [&](arith::CmpIPredicate predicate, ScratchArray bounds) -> Value {
      Value bound = splat(f.b, f.load(f.scratchArray(bounds), {row}), f.isa.lanes);
      return arith::CmpIOp::create(f.b, predicate, ranks, bound);
    };
    Value inside = f.both(compare(arith::CmpIPredicate::sge, ScratchArray::Lower),
                          compare(arith::CmpIPredicate::slt, ScratchArray::Upper));
    if (maskOfStep == Mask::Holes)
      inside = f.both(inside, arith::OrIOp::create(f.b, compare(arith::CmpIPredicate::slt, ScratchArray::HoleLower),
                                                   compare(arith::CmpIPredicate::sge, ScratchArray::HoleUpper)));
    return inside;
  }

  /// 2^x in the lanes of `admitted`, or all if it is null; else 0. 2^(x - floor(x)) is a minimax polynomial of degree 4
  /// (relative error 3e-6, Remez; of degree 3 the sums would be off by more than lse may be), and floor(x) is added to
  /// its exponent, which may underflow.
  Value exp2(Value x, Value admitted) {
    constexpr double coefficients[] = {0.0135341679, 0.0520114606, 0.241442757, 0.693003834, 1.00000259};
    auto constant = [&](Type type, int64_t value) -> Value {
      return arith::ConstantOp::create(f.b, f.b.getIntegerAttr(type, value));
    };
    auto intrinsic = [&](StringRef name, ValueRange operands) {
      return LLVM::CallIntrinsicOp::create(f.b, x.getType(), f.b.getStringAttr(name), operands).getResults();
    };
    Value all = constant(f.b.getI16Type(), -1), nearest = constant(f.b.getI32Type(), 4);
    Value quietFloor = constant(f.b.getI32Type(), 9);
    Value fraction = intrinsic("llvm.x86.avx512.mask.reduce.ps.512", {x, quietFloor, x, all, nearest});
    Value power = f.numbers(coefficients[0]);
    for (double coefficient : llvm::drop_begin(coefficients))
      power = f.fma(power, fraction, f.numbers(coefficient));
    Value lanes = admitted ? bitsOf(admitted) : all;
    return intrinsic("llvm.x86.avx512.mask.scalef.ps.512", {power, x, f.numbers(0), lanes, nearest});
  }

  //===-- References --------------------------------------------------------------------------------------------===//

  /// The maxima of the rows from `number` on, one a lane, of the scores of a step; -inf where there is none.
  Value maximaOf(int64_t number, Value key, Value scores) {
    SmallVector<Value> rows;
    for (int64_t lane = 0; lane < f.isa.lanes; ++lane) {
      Value highest = lowest();
      for (int64_t half = 0; half < 2; ++half) {
        Value score = loadAt(scores, (number + lane) * scoreBytes + half * tileBytes);
        score = arith::MulFOp::create(f.b, score, factor);
        if (Value admitted = admits(f.add(firstRow, number + lane), f.add(key, half * f.isa.lanes)))
          score = f.select(admitted, score, lowest());
        highest = f.maximum(score, highest);
      }
      rows.push_back(highest);
    }
    return f.combineEach(rows, [&](Value x, Value y) { return f.maximum(x, y); });
  }

  /// Writes the references, negative, of maxima.
  void storeReferences(int64_t number, Value maxima) {
    Value isNone = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OEQ, maxima, lowest());
    Value negative = arith::NegFOp::create(f.b, maxima);
    storeAt(f.select(isNone, f.numbers(0x1p100), negative), references, number * 4);
  }

  /// Rows that have no maximum yet take that of the first step.
  void findReferences(Value key, Value scores) {
    for (int64_t number = 0; number < groupRows; number += f.isa.lanes) {
      SmallVector<Value> place{f.add(firstRow, number)};
      Value old = f.loadVector(maximum, place);
      Value isNone = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OEQ, old, lowest());
      storeReferences(number, old);
      f.when(isSome(isNone), [&] {
        Value now = f.select(isNone, maximaOf(number, key, scores), old);
        f.storeVector(now, maximum, place);
        storeReferences(number, now);
      });
    }
  }

  /// Raises the references of rows whose scores of this step are far above theirs.
  void raise(Value key, const Buffers &buffers) {
    Value maxima = f.scratchPointer(ScratchArray::Risen);
    for (int64_t number = 0; number < groupRows; number += f.isa.lanes)
      storeAt(maximaOf(number, key, buffers.scores), maxima, number * 4);
    f.loop(f.index(0), f.index(groupRows), 1, [&](Value number) {
      Value row = f.add(firstRow, number), old = f.load(maximum, {row});
      Value now = LLVM::LoadOp::create(f.b, f.b.getF32Type(), at(maxima, number, 4));
      Value limit = arith::AddFOp::create(f.b, old, f.number(8));
      f.when(arith::CmpFOp::create(f.b, arith::CmpFPredicate::OGT, now, limit), [&] {
        f.store(now, maximum, {row});
        LLVM::StoreOp::create(f.b, arith::NegFOp::create(f.b, now), at(references, number, 4));
        rescale(number, exp2(splat(f.b, arith::SubFOp::create(f.b, old, now), f.isa.lanes), Value()), buffers);
        Value total = writePowers(number, key, buffers), before = loadAt(at(buffers.sumsBefore, number, sumBytes), 0);
        storeAt(arith::AddFOp::create(f.b, before, total), at(buffers.sums, number, sumBytes), 0);
      });
    });
  }

  void rescale(Value number, Value power, const Buffers &buffers) {
    auto scale = [&](Value pointer) { storeAt(arith::MulFOp::create(f.b, loadAt(pointer, 0), power), pointer, 0); };
    scale(at(buffers.sumsBefore, number, sumBytes));
    TilesAt output = outputAt(firstRow);
    Value row = at(output.pointer, number, output.stride);
    f.loop(f.index(0), f.index(sizes.valueStride), f.isa.lanes, [&](Value column) { scale(at(row, column, 4)); });
  }

  //===-- Memory ------------------------------------------------------------------------------------------------===//

  Value at(Value pointer, int64_t bytes) {
    return LLVM::GEPOp::create(f.b, pointer.getType(), f.b.getI8Type(), pointer,
                               ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(bytes)});
  }
  /// Element `number` of elements of so many bytes.
  Value at(Value pointer, Value number, int64_t bytes) {
    Value offset = arith::IndexCastOp::create(f.b, f.b.getI64Type(), f.mul(number, bytes));
    return LLVM::GEPOp::create(f.b, pointer.getType(), f.b.getI8Type(), pointer, ArrayRef<LLVM::GEPArg>{offset});
  }
  Value loadAt(Value pointer, int64_t bytes) {
    return LLVM::LoadOp::create(f.b, f.vectorType(f.b.getF32Type()), at(pointer, bytes), /*alignment=*/tileBytes);
  }
  void storeAt(Value value, Value pointer, int64_t bytes) {
    LLVM::StoreOp::create(f.b, value, at(pointer, bytes), /*alignment=*/tileBytes);
  }

  Frame f;
  const Kernel &kernel;
  RegionOps ops;
  TileInstructions tiles;
  const Packing sizes;
  Mask maskOfTile, maskOfStep; // the function's, and that of the step at hand
  GroupCall call;
  Value factor, maximum, references;
  std::pair<Value, Value> keys, values; // pointers before the wrap and behind it
  Value firstRow, sums;                 // of the group at hand
};

} // namespace

bool attn::cpu::isPipelined(const Kernel &kernel) {
  return kernel.isa.products == Products::Tiles && !kernel.changesScores();
}

func::FuncOp attn::cpu::writeTilePipeline(const Kernel &kernel, StringRef name, Mask mask) {
  ImplicitLocOpBuilder builder(kernel.op().getLoc(), kernel.op().getContext());
  return PipelineWriter(builder, kernel, mask).write(name);
}
