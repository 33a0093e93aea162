// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The innermost part: a few query rows against the keys of one tile. ProductWriter.h makes the products.
//
//   S = Q K^T, masked                        m' = max(m, rows of S)
//   O <- O * 2^(m - m'), l <- l * 2^(m - m')  only where a maximum rose
//   P = 2^(S - m'), l <- l + rows of P        O <- O + P V
//
// Scores are in units of log2: the scale and log2(e) are in Q already, or are multiplied in behind the score region.
// A row that has seen no key yet has m = -inf; it then takes 0 for m', so that masked scores give 2^-inf = 0.

#include "ProductWriter.h"
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
    keyRows = listed.keys ? call.keyRows : Value();
    tile = call.tile, count = call.count;
    query = f.scratchArray(ScratchArray::Query), output = f.scratchArray(ScratchArray::Output);
    sum = f.scratchArray(ScratchArray::Sum), maximum = f.scratchArray(ScratchArray::Maximum);
    scores = f.scratchArray(ScratchArray::Scores), rows = f.scratchArray(ScratchArray::Row);
    lower = f.scratchArray(ScratchArray::Lower), upper = f.scratchArray(ScratchArray::Upper);
    if (mask == Mask::Holes)
      holeLower = f.scratchArray(ScratchArray::HoleLower), holeUpper = f.scratchArray(ScratchArray::HoleUpper);
    if (mask == Mask::Tests)
      tests = f.scratchArray(ScratchArray::Tests);
    f.loop(f.index(0), call.groups, 1, [&](Value group) { writeGroup(call, group); });
    f.end();
    return function;
  }

private:
  int64_t microRows() const { return f.isa.rows; }
  int64_t microKeys() const { return f.isa.lanes * f.isa.vectors; }

  /// The rows of a sub-tile against those keys of the tile that some of them look at.
  void writeGroup(const GroupCall &call, Value group) {
    int64_t groupRows = kernel.layout.tile[2], granule = kernel.layout.tile[3];
    auto bound = [&](ScratchArray array) { return f.toIndex(f.load(f.scratchArray(array), {group})); };
    begin = f.greatest(tile, f.alignDown(bound(ScratchArray::GroupLower), granule));
    end = f.least(call.end, f.alignUp(bound(ScratchArray::GroupUpper), granule));
    products = ProductWriter::create(f, call, {begin, end}, listed.keys);
    f.when(f.less(begin, end), [&] {
      Value first = f.mul(group, groupRows);
      f.loop(first, f.add(first, groupRows), microRows(), [&](Value row) { writeRows(row); });
    });
  }

  /// The rows [row, row + microRows) against all keys.
  void writeRows(Value row) {
    SmallVector<Value> risen = writeScores(row);
    SmallVector<Value> reference = writeMaximum(row, risen);
    accumulate(row, reference);
  }

  //===-- S = Q K^T ---------------------------------------------------------------------------------------------===//

  /// Writes S and returns the rows' maxima, in lanes.
  SmallVector<Value> writeScores(Value row) {
    return kernel.changesScores() ? writeRegionScores(row) : writePlainScores(row);
  }

  /// What makes a score of a product, in units of log2.
  Value scoreFactor() { return arith::MulFOp::create(f.b, ops.scale(), f.number(log2e)); }

  Value lowest() { return f.numbers(-std::numeric_limits<double>::infinity()); }

  SmallVector<Value> writePlainScores(Value row) {
    SmallVector<Value> none(microRows(), lowest());
    Value factor = products->isScaled() ? Value() : splat(f.b, scoreFactor(), f.isa.lanes);
    return products->forEachProduct(row, none, [&](int64_t m, Value at, Value product, SmallVector<Value> &risen) {
      Value score = factor ? Value(arith::MulFOp::create(f.b, product, factor)) : product;
      score = writeMask(f.add(row, m), at, score);
      f.storeVector(score, scores, {f.index(m), f.sub(at, tile)});
      risen[m] = f.maximum(score, risen[m]);
    });
  }

  /// With a score region the products are kept first and the region runs over them, row by row: it is written once, and
  /// not for every accumulator.
  SmallVector<Value> writeRegionScores(Value row) {
    Value factor = products->isScaled() ? Value() : splat(f.b, ops.scale(), f.isa.lanes);
    products->forEachProduct(row, {}, [&](int64_t m, Value at, Value product, SmallVector<Value> &) {
      Value score = factor ? Value(arith::MulFOp::create(f.b, product, factor)) : product;
      f.storeVector(score, scores, {f.index(m), f.sub(at, tile)});
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
    place.query = query, place.panels = products->packedKeys(), place.isEveryKey = !listed.keys;
    RegionInliner inliner(
        f.b, f.isa.lanes, [&](Value outer) { return f.argument(outer); },
        [&](Operation *op, ValueRange operands) { return writeOp(op, operands, place, m); });
    Value position = f.add(place.queryRow, f.symbol(QueryOffset));
    inliner.inlineKnown(score, {Value(), f.batch, f.head, position, Value()});
    // Some vectors at a time: one waits for another less.
    auto writeVectors = [&](Value first, int64_t vectors, ValueRange carried) -> SmallVector<Value> {
      Value highest = carried[0];
      for (int64_t n = 0; n < vectors; ++n) {
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
    };
    return forEachMicroTile(f, {begin, end}, lowest(), writeVectors)[0];
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
        SmallVector<Value> band = writeVectorProducts(f, {query, panels, term * panelsOfTerm, kernel.layout.headSize},
                                                      row, distance, f.isa.vectors);
        forEachVector(f, distance, band, [&](int64_t m, Value at, Value product) {
          f.storeVector(product, bands, {f.index(term * microRows() + m), f.sub(at, start)});
        });
      });
    }
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

  void accumulate(Value row, ArrayRef<Value> reference) {
    SmallVector<Value> sums;
    for (int64_t m = 0; m < microRows(); ++m)
      sums.push_back(f.loadVector(sum, {f.add(row, m), f.index(0)}));
    sums = products->accumulate(row, sums, [&](Value key, SmallVector<Value> &totals) {
      Value at = f.sub(key, tile);
      for (int64_t m = 0; m < microRows(); ++m) {
        SmallVector<Value> powers;
        for (int64_t n = 0; n < products->powerVectors(); ++n) {
          Value score = f.loadVector(scores, {f.index(m), f.add(at, n * f.isa.lanes)});
          powers.push_back(f.exp2(arith::SubFOp::create(f.b, score, reference[m])));
          totals[m] = arith::AddFOp::create(f.b, totals[m], powers.back());
        }
        products->storePowers(m, at, powers);
      }
    });
    for (int64_t m = 0; m < microRows(); ++m)
      f.storeVector(sums[m], sum, {f.add(row, m), f.index(0)});
  }

  Frame f;
  const Kernel &kernel;
  RegionOps ops;
  const ScoreTerms &terms;
  Mask mask;
  ListedRows listed;
  std::unique_ptr<ProductWriter> products;
  Value keyRows, tile, begin, end, count;
  Value query, output, sum, maximum, scores, rows, lower, upper, holeLower, holeUpper, tests;
};

} // namespace

func::FuncOp attn::cpu::writeGroup(const Kernel &kernel, const ScoreTerms &terms, StringRef name, Mask mask,
                                   ListedRows listed) {
  ImplicitLocOpBuilder builder(kernel.op().getLoc(), kernel.op().getContext());
  return GroupWriter(builder, kernel, terms, mask, listed).write(name);
}
