// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The innermost part: a few query rows against the keys of one tile.
//
//   S = Q K^T, masked                        m' = max(m, rows of S)
//   O <- O * 2^(m - m'), l <- l * 2^(m - m')  only where a maximum rose
//   P = 2^(S - m'), l <- l + rows of P        O <- O + P V
//
// Scores are in units of log2: the scale and log2(e) are in Q already, or are multiplied in behind the score region.
// A row that has seen no key yet has m = -inf; it then takes 0 for m', so that masked scores give 2^-inf = 0.

#include "RegionOps.h"
#include <limits>

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

Value attn::cpu::keyRowsAt(Frame &f, Value table, Value rank, Value count) {
  VectorType indices = f.vectorType(f.b.getIndexType());
  if (!table)
    return arith::AddIOp::create(f.b, splat(f.b, rank, f.isa.lanes), f.lanesOf(f.b.getIndexType()));
  Value memref = f.memrefAt(table, MemRefType::get({ShapedType::kDynamic}, f.b.getI32Type()));
  Value present = f.greatest(f.index(0), f.sub(count, rank));
  Value mask = vector::CreateMaskOp::create(f.b, f.vectorType(f.b.getI1Type()), ValueRange{present});
  Value rows =
      vector::MaskedLoadOp::create(f.b, f.vectorType(f.b.getI32Type()), memref, ValueRange{rank}, mask, f.integers(0));
  return arith::IndexCastOp::create(f.b, indices, rows);
}

namespace {

class GroupWriter {
public:
  GroupWriter(ImplicitLocOpBuilder &b, const Kernel &kernel, const ScoreTerms &terms, Mask mask, ListedRows listed)
      : f(b, kernel.layout, kernel.isa), kernel(kernel), ops(f, kernel.op()), terms(terms), mask(mask), listed(listed) {
  }

  func::FuncOp write(StringRef name) {
    func::FuncOp function;
    GroupCall call = beginGroupFunction(f, kernel.module, name, function);
    const KernelLayout &layout = kernel.layout;
    Type f32 = f.b.getF32Type();
    keys = f.memrefAt(call.keys, MemRefType::get({ShapedType::kDynamic, layout.panelStride()}, f32));
    values = f.memrefAt(call.values, MemRefType::get({ShapedType::kDynamic, layout.valueStride()}, f32));
    keyRows = listed.keys ? call.keyRows : Value();
    tile = call.tile, begin = call.begin, end = call.end, count = call.count;
    query = f.scratchArray(ScratchArray::Query), output = f.scratchArray(ScratchArray::Output);
    sum = f.scratchArray(ScratchArray::Sum), maximum = f.scratchArray(ScratchArray::Maximum);
    scores = f.scratchArray(ScratchArray::Scores), rows = f.scratchArray(ScratchArray::Row);
    lower = f.scratchArray(ScratchArray::Lower), upper = f.scratchArray(ScratchArray::Upper);
    if (mask == Mask::Holes)
      holeLower = f.scratchArray(ScratchArray::HoleLower), holeUpper = f.scratchArray(ScratchArray::HoleUpper);
    if (mask == Mask::Tests)
      tests = f.scratchArray(ScratchArray::Tests);
    Value first = f.mul(call.group, layout.tile[2]);
    f.loop(first, f.add(first, layout.tile[2]), f.isa.rows, [&](Value row) { writeRows(row); });
    f.end();
    return function;
  }

private:
  int64_t microRows() const { return f.isa.rows; }
  int64_t microVectors() const { return f.isa.vectors; }
  int64_t microKeys() const { return f.isa.lanes * f.isa.vectors; }

  /// The rows [row, row + microRows) against all keys.
  void writeRows(Value row) {
    SmallVector<Value> risen = writeScores(row);
    SmallVector<Value> reference = writeMaximum(row, risen);
    writePowers(row, reference);
    writeAccumulator(row);
  }

  //===-- S = Q K^T ---------------------------------------------------------------------------------------------===//

  /// Writes S and returns the rows' maxima, in lanes.
  SmallVector<Value> writeScores(Value row) {
    return kernel.changesScores() ? writeRegionScores(row) : writePlainScores(row);
  }

  Value lowest() { return f.numbers(-std::numeric_limits<double>::infinity()); }

  SmallVector<Value> writePlainScores(Value row) {
    SmallVector<Value> none(microRows(), lowest());
    return f.loop(begin, end, microKeys(), none, [&](Value key, ValueRange maxima) {
      SmallVector<Value> risen(maxima);
      forEachProduct(row, key, [&](int64_t m, Value at, Value product) {
        Value score = writeMask(f.add(row, m), at, product);
        f.storeVector(score, scores, {f.index(m), f.sub(at, tile)});
        risen[m] = f.maximum(score, risen[m]);
      });
      return risen;
    });
  }

  /// With a score region the products are kept first and the region runs over them, row by row: it is written once, and
  /// not for every accumulator.
  SmallVector<Value> writeRegionScores(Value row) {
    f.loop(begin, end, microKeys(), [&](Value key) {
      forEachProduct(row, key, [&](int64_t m, Value at, Value product) {
        f.storeVector(product, scores, {f.index(m), f.sub(at, tile)});
      });
    });
    if (usesDistances() && terms.count(TermKind::Band))
      writeBands(row);
    Value risen = f.scratchArray(ScratchArray::Risen);
    f.loop(f.index(0), f.index(microRows()), 1,
           [&](Value m) { f.storeVector(writeRowScores(m, f.add(row, m)), risen, {m, f.index(0)}); });
    SmallVector<Value> maxima;
    for (int64_t m = 0; m < microRows(); ++m)
      maxima.push_back(f.loadVector(risen, {f.index(m), f.index(0)}));
    return maxima;
  }

  /// Runs the score region over row m of the micro-tile, row `row` of the tile; returns the maximum, in lanes.
  Value writeRowScores(Value m, Value row) {
    Region &score = kernel.op().getScore();
    PairPlace place;
    place.row = row, place.queryRow = f.load(rows, {row});
    place.query = query, place.panels = keys, place.isEveryKey = !listed.keys;
    RegionInliner inliner(
        f.b, f.isa.lanes, [&](Value outer) { return f.argument(outer); },
        [&](Operation *op, ValueRange operands) { return writeOp(op, operands, place, m); });
    Value position = f.add(place.queryRow, f.symbol(QueryOffset));
    inliner.inlineKnown(score, {Value(), f.batch, f.head, position, Value()});
    // Some vectors at a time: one waits for another less.
    return f.loop(begin, end, microKeys(), lowest(), [&](Value first, ValueRange carried) -> SmallVector<Value> {
      Value highest = carried[0];
      for (int64_t n = 0; n < microVectors(); ++n) {
        Value key = f.add(first, n * f.isa.lanes);
        SmallVector<Value> at{m, f.sub(key, tile)};
        place.key = key, place.keyRows = keyRowsAt(f, keyRows, key, count);
        RegionInliner each = inliner;
        Value keyPositions;
        if (listed.keys)
          keyPositions = f.add(place.keyRows, splat(f.b, f.symbol(KeyOffset), f.isa.lanes));
        else
          each.countUp(score.getArgument(4), f.add(key, f.symbol(KeyOffset)));
        Value changed = each.inlineRegion(score, {f.loadVector(scores, at), f.batch, f.head, position, keyPositions});
        changed = arith::MulFOp::create(f.b, splat(f.b, changed, f.isa.lanes), f.numbers(log2e));
        changed = writeMask(row, key, changed);
        f.storeVector(changed, scores, at);
        highest = f.maximum(changed, highest);
      }
      return {highest};
    })[0];
  }

  //===-- Terms of the score ------------------------------------------------------------------------------------===//

  bool usesDistances() const { return !listed.queries && !listed.keys; }

  /// One of attn's own ops. Terms that are prepared are read; what waits for the keys is null before they are known.
  Value writeOp(Operation *op, ValueRange operands, const PairPlace &place, Value m) {
    const ScoreTerms::Term *term = terms.find(op);
    if (!term)
      return ops.write(op, operands, place);
    Value number = f.index(term->number);
    if (term->kind == TermKind::OfRow)
      return f.load(f.scratchArray(ScratchArray::RowTerms), {number, place.row});
    if (!place.key)
      return Value();
    if (term->kind == TermKind::OfKey)
      return f.loadVector(f.scratchArray(ScratchArray::KeyTerms), {number, f.sub(place.key, tile)});
    if (!usesDistances() || term->kind == TermKind::OfPair)
      return ops.write(op, operands, place);
    Value distance = distanceOf(place.row, place.key);
    if (term->kind == TermKind::OfDistance)
      return f.loadVector(f.scratchArray(ScratchArray::DistanceTerms), {number, distance});
    Value band = f.add(f.mul(number, microRows()), m);
    Value start = firstDistance(f.sub(place.row, m));
    return f.loadVector(f.scratchArray(ScratchArray::Bands), {band, f.sub(distance, start)});
  }

  /// The number of the distance between a row and a key; see ScratchArray.
  Value distanceOf(Value row, Value key) { return f.add(f.sub(f.sub(key, tile), row), kernel.layout.tile[0] - 1); }

  /// Where the products of the micro-tile at `row` begin, in whole vectors.
  Value firstDistance(Value row) { return f.alignDown(distanceOf(f.add(row, microRows() - 1), begin), f.isa.lanes); }

  /// The micro-tile's rows times the array's rows for all of their distances.
  void writeBands(Value row) {
    Value panels = f.scratchArray(ScratchArray::BandPanels), bands = f.scratchArray(ScratchArray::Bands);
    int64_t count = terms.count(TermKind::Band);
    int64_t panelsOfTerm = cast<MemRefType>(panels.getType()).getDimSize(0) / count;
    for (int64_t term = 0; term < count; ++term) {
      Value start = firstDistance(row);
      f.loop(start, distanceOf(row, end), microKeys(), [&](Value distance) {
        SmallVector<Value> products = writeProducts(panels, term * panelsOfTerm, row, distance);
        forEachVector(distance, products, [&](int64_t m, Value at, Value product) {
          f.storeVector(product, bands, {f.index(term * microRows() + m), f.sub(at, start)});
        });
      });
    }
  }

  //===-- Products ----------------------------------------------------------------------------------------------===//

  using UseVector = llvm::function_ref<void(int64_t, Value, Value)>;

  /// Calls `use(m, key, product)` for the vectors of a micro-tile.
  void forEachProduct(Value row, Value key, UseVector use) {
    forEachVector(key, writeProducts(keys, /*firstPanel=*/0, row, key), use);
  }

  void forEachVector(Value key, ArrayRef<Value> products, UseVector use) {
    for (int64_t m = 0; m < microRows(); ++m)
      for (int64_t n = 0; n < microVectors(); ++n)
        use(m, f.add(key, n * f.isa.lanes), products[m * microVectors() + n]);
  }

  /// A micro-tile of Q times packed rows: rows x vectors accumulators over the columns.
  SmallVector<Value> writeProducts(Value packed, int64_t firstPanel, Value row, Value key) {
    SmallVector<Value> panels, lanes;
    for (int64_t n = 0; n < microVectors(); ++n) {
      Value at = f.add(key, n * f.isa.lanes), size = f.index(KernelLayout::panelKeys);
      panels.push_back(f.add(arith::DivUIOp::create(f.b, at, size), firstPanel));
      lanes.push_back(arith::RemUIOp::create(f.b, at, size));
    }
    auto multiply = [&](Value column, SmallVector<Value> sums) {
      SmallVector<Value> operands;
      for (int64_t n = 0; n < microVectors(); ++n) {
        Value offset = f.add(f.mul(column, KernelLayout::panelKeys), lanes[n]);
        operands.push_back(f.loadVector(packed, {panels[n], offset}));
      }
      for (int64_t m = 0; m < microRows(); ++m) {
        Value x = splat(f.b, f.load(query, {f.add(row, m), column}), f.isa.lanes);
        for (int64_t n = 0; n < microVectors(); ++n) {
          Value &sum = sums[m * microVectors() + n];
          sum = f.fma(x, operands[n], sum);
        }
      }
      return sums;
    };
    SmallVector<Value> zeros(microRows() * microVectors(), f.numbers(0));
    return unrolled(f.index(0), kernel.layout.headSize, zeros, multiply);
  }

  /// Steps of four, and what is left one by one.
  SmallVector<Value> unrolled(Value first, int64_t count, SmallVector<Value> carried,
                              llvm::function_ref<SmallVector<Value>(Value, SmallVector<Value>)> step) {
    int64_t whole = count / 4 * 4;
    if (whole)
      carried = f.loop(first, f.add(first, whole), 4, carried, [&](Value iv, ValueRange values) {
        SmallVector<Value> inner(values);
        for (int64_t u = 0; u < 4; ++u)
          inner = step(f.add(iv, u), inner);
        return inner;
      });
    for (int64_t rest = whole; rest < count; ++rest)
      carried = step(f.add(first, rest), carried);
    return carried;
  }

  Value writeMask(Value row, Value key, Value score) {
    if (mask == Mask::None)
      return score;
    Value admitted;
    if (mask == Mask::Tests) {
      Value bits = f.loadVector(tests, {row, f.sub(key, tile)});
      admitted = arith::CmpIOp::create(f.b, arith::CmpIPredicate::ne, bits, f.integers(0));
    } else {
      Value ranks = arith::AddIOp::create(f.b, splat(f.b, f.toInt32(key), f.isa.lanes), f.lanesOf(f.b.getI32Type()));
      auto compare = [&](arith::CmpIPredicate predicate, Value bounds) -> Value {
        return arith::CmpIOp::create(f.b, predicate, ranks, splat(f.b, f.load(bounds, {row}), f.isa.lanes));
      };
      admitted = f.both(compare(arith::CmpIPredicate::sge, lower), compare(arith::CmpIPredicate::slt, upper));
      if (mask == Mask::Holes)
        admitted = f.both(admitted, arith::OrIOp::create(f.b, compare(arith::CmpIPredicate::slt, holeLower),
                                                         compare(arith::CmpIPredicate::sge, holeUpper)));
    }
    return f.select(admitted, score, f.numbers(-std::numeric_limits<double>::infinity()));
  }

  //===-- m' = max(m, rows of S) --------------------------------------------------------------------------------===//

  /// Updates the running maxima, rescales the state where one rose, and returns what scores are compared with.
  SmallVector<Value> writeMaximum(Value row, ArrayRef<Value> risen) {
    SmallVector<Value> old, now;
    Value someRose;
    for (int64_t m = 0; m < microRows(); ++m) {
      Value highest = f.reduce(risen[m], [&](Value x, Value y) { return f.maximum(x, y); });
      old.push_back(f.load(maximum, {f.add(row, m)}));
      Value rose = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OGT, highest, old[m]);
      now.push_back(f.select(rose, highest, old[m]));
      someRose = someRose ? arith::OrIOp::create(f.b, someRose, rose) : rose;
    }
    f.when(someRose, [&] {
      for (int64_t m = 0; m < microRows(); ++m)
        rescale(f.add(row, m), old[m], now[m]);
    });
    // What is below everything compares as 0: see above.
    SmallVector<Value> reference;
    for (Value value : now) {
      Value isNone = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OEQ, value,
                                           f.number(-std::numeric_limits<double>::infinity()));
      reference.push_back(splat(f.b, f.select(isNone, f.number(0), value), f.isa.lanes));
    }
    return reference;
  }

  void rescale(Value row, Value old, Value now) {
    Value factor = f.exp2(splat(f.b, arith::SubFOp::create(f.b, old, now), f.isa.lanes));
    // -inf beside -inf: nothing has been summed up yet.
    Value same = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OEQ, old, now);
    factor = f.select(same, f.numbers(1), factor);
    auto scale = [&](Value memref, Value column) {
      f.storeVector(arith::MulFOp::create(f.b, f.loadVector(memref, {row, column}), factor), memref, {row, column});
    };
    f.store(now, maximum, {row});
    scale(sum, f.index(0));
    f.loop(f.index(0), f.index(kernel.layout.valueStride()), f.isa.lanes, [&](Value column) { scale(output, column); });
  }

  //===-- P = 2^(S - m'), O <- O + P V --------------------------------------------------------------------------===//

  void writePowers(Value row, ArrayRef<Value> reference) {
    SmallVector<Value> sums;
    for (int64_t m = 0; m < microRows(); ++m)
      sums.push_back(f.loadVector(sum, {f.add(row, m), f.index(0)}));
    sums = f.loop(f.sub(begin, tile), f.sub(end, tile), f.isa.lanes, sums, [&](Value key, ValueRange carried) {
      SmallVector<Value> totals(carried);
      for (int64_t m = 0; m < microRows(); ++m) {
        Value score = f.loadVector(scores, {f.index(m), key});
        Value power = f.exp2(arith::SubFOp::create(f.b, score, reference[m]));
        f.storeVector(power, scores, {f.index(m), key});
        totals[m] = arith::AddFOp::create(f.b, totals[m], power);
      }
      return totals;
    });
    for (int64_t m = 0; m < microRows(); ++m)
      f.storeVector(sums[m], sum, {f.add(row, m), f.index(0)});
  }

  void writeAccumulator(Value row) {
    int64_t chunk = microVectors() * f.isa.lanes, columns = kernel.layout.valueStride();
    int64_t whole = columns / chunk * chunk;
    f.loop(f.index(0), f.index(whole), chunk, [&](Value column) { accumulate(row, column, microVectors()); });
    if (whole < columns)
      accumulate(row, f.index(whole), (columns - whole) / f.isa.lanes);
  }

  /// O[rows, `vectors` vectors from `column`] += P V.
  void accumulate(Value row, Value column, int64_t vectors) {
    auto place = [&](int64_t m, int64_t n) {
      return SmallVector<Value>{f.add(row, m), f.add(column, n * f.isa.lanes)};
    };
    SmallVector<Value> sums;
    for (int64_t m = 0; m < microRows(); ++m)
      for (int64_t n = 0; n < vectors; ++n)
        sums.push_back(f.loadVector(output, place(m, n)));
    auto multiply = [&](Value key, SmallVector<Value> carried) {
      SmallVector<Value> operands;
      for (int64_t n = 0; n < vectors; ++n)
        operands.push_back(f.loadVector(values, {key, f.add(column, n * f.isa.lanes)}));
      for (int64_t m = 0; m < microRows(); ++m) {
        Value p = splat(f.b, f.load(scores, {f.index(m), f.sub(key, tile)}), f.isa.lanes);
        for (int64_t n = 0; n < vectors; ++n)
          carried[m * vectors + n] = f.fma(p, operands[n], carried[m * vectors + n]);
      }
      return carried;
    };
    sums = f.loop(begin, end, 4, sums, [&](Value key, ValueRange carried) {
      SmallVector<Value> inner(carried);
      for (int64_t u = 0; u < 4; ++u)
        inner = multiply(f.add(key, u), inner);
      return inner;
    });
    for (int64_t m = 0; m < microRows(); ++m)
      for (int64_t n = 0; n < vectors; ++n)
        f.storeVector(sums[m * vectors + n], output, place(m, n));
  }

  Frame f;
  const Kernel &kernel;
  RegionOps ops;
  const ScoreTerms &terms;
  Mask mask;
  ListedRows listed;
  Value keys, values, keyRows, tile, begin, end, count;
  Value query, output, sum, maximum, scores, rows, lower, upper, holeLower, holeUpper, tests;
};

} // namespace

func::FuncOp attn::cpu::writeGroup(const Kernel &kernel, const ScoreTerms &terms, StringRef name, Mask mask,
                                   ListedRows listed) {
  ImplicitLocOpBuilder builder(kernel.op().getLoc(), kernel.op().getContext());
  return GroupWriter(builder, kernel, terms, mask, listed).write(name);
}
