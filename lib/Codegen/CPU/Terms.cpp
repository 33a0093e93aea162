// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Computes the terms of a score before its region runs over a tile: those of a row once for all of its keys, those of a
// key or a distance once for the tile's rows. For a *band*, query rows times an array's rows by distance, the array's
// rows are packed here as keys are; the product is VectorProducts.cpp's.
//
// A tile of R rows and K keys has R + K - 1 distances. They are seen from its first row: virtual keys from R - 1 places
// before its first key on.

#include "Packing.h"
#include "RegionOps.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

namespace {

class TermsWriter {
public:
  TermsWriter(ImplicitLocOpBuilder &b, const Kernel &kernel, const ScoreTerms &terms, ListedRows listed)
      : f(b, kernel.layout, kernel.isa), kernel(kernel), ops(f, kernel.op()), terms(terms), listed(listed) {}

  func::FuncOp write(StringRef name) {
    func::FuncOp function;
    call = beginGroupFunction(f, kernel.module, name, function);
    Packer packer(f);
    panels =
        f.memrefAt(call.keys, MemRefType::get({ShapedType::kDynamic, packer.sizes.panelStride}, packer.unitType()));
    if (terms.count(TermKind::OfKey))
      f.loop(call.tile, call.end, f.isa.lanes, [&](Value key) { writeKeyTerms(key); });
    bool hasDistances = terms.count(TermKind::OfDistance) || terms.count(TermKind::Band);
    if (hasDistances && !listed.queries && !listed.keys) {
      Value distances = f.add(f.sub(call.end, call.tile), f.layout.tile[0]);
      f.loop(f.index(0), distances, f.isa.lanes, [&](Value distance) { writeDistanceTerms(distance); });
    }
    f.end();
    return function;
  }

private:
  RegionInliner inliner(std::function<Value(Operation *, ValueRange, const ScoreTerms::Term *)> writeTerm) {
    return {f.b, f.isa.lanes, [this](Value outer) { return f.argument(outer); },
            [this, writeTerm](Operation *op, ValueRange operands) {
              const ScoreTerms::Term *term = terms.find(op);
              return term ? writeTerm(op, operands, term) : ops.write(op, operands);
            }};
  }

  void writeKeyTerms(Value key) {
    PairPlace place;
    place.key = key, place.panels = panels;
    place.keyRows = keyRowsAt(f, listed.keys ? call.keyRows : Value(), key, call.count);
    Value positions = f.add(place.keyRows, splat(f.b, f.symbol(KeyOffset), f.isa.lanes));
    auto writeTerm = [&](Operation *op, ValueRange operands, const ScoreTerms::Term *term) {
      if (term->kind != TermKind::OfKey)
        return Value();
      Value result = ops.write(op, operands, place);
      f.storeVector(result, f.scratchArray(ScratchArray::KeyTerms), {f.index(term->number), f.sub(key, call.tile)});
      return result;
    };
    inliner(writeTerm).inlineKnown(kernel.op().getScore(), {Value(), f.batch, f.head, Value(), positions});
  }

  void writeDistanceTerms(Value distance) {
    Value firstKey = f.sub(f.add(call.tile, distance), f.index(f.layout.tile[0] - 1));
    Value keyRows = keyRowsAt(f, Value(), firstKey, call.count);
    Value positions = f.add(keyRows, splat(f.b, f.symbol(KeyOffset), f.isa.lanes));
    auto writeTerm = [&](Operation *op, ValueRange operands, const ScoreTerms::Term *term) {
      if (term->kind == TermKind::Band)
        packRows(cast<QueryDotOp>(op), operands.drop_front(), term->number, distance);
      if (term->kind != TermKind::OfDistance)
        return Value();
      Value result = writeRowDot(cast<RowDotOp>(op), operands, distance);
      f.storeVector(result, f.scratchArray(ScratchArray::DistanceTerms), {f.index(term->number), distance});
      return result;
    };
    Value position = f.add(call.first, f.symbol(QueryOffset));
    inliner(writeTerm).inlineKnown(kernel.op().getScore(), {Value(), f.batch, f.head, position, positions});
  }

  /// Takes the right rows from a band that has packed them before; where there is none, from the array.
  Value writeRowDot(RowDotOp op, ValueRange operands, Value distance) {
    for (const ScoreTerms::Term &term : terms.all()) {
      auto band = dyn_cast<QueryDotOp>(term.op);
      if (term.kind != TermKind::Band || !band->isBeforeInBlock(op) || band.getArray() != op.getRight() ||
          !llvm::equal(band.getIndices(), op.getRightIndices()) || band.getClamped() != op.getClamped())
        continue;
      Packed packed = packedAt(term.number, distance);
      return ops.rowDot(op, operands,
                        [&](Value column) { return f.loadVector(packed.panels, packed.place(f, column)); });
    }
    return ops.write(op, operands);
  }

  //===-- Packed rows -------------------------------------------------------------------------------------------===//

  /// Where a band's rows for the distances of one vector are, column by column.
  struct Packed {
    Value panels, panel, lane;
    SmallVector<Value> place(Frame &f, Value column) const {
      return {panel, f.add(f.mul(column, KernelLayout::panelKeys), lane)};
    }
  };

  Packed packedAt(unsigned number, Value distance) {
    Value packed = f.scratchArray(ScratchArray::BandPanels), size = f.index(KernelLayout::panelKeys);
    int64_t panelsOfTerm = cast<MemRefType>(packed.getType()).getDimSize(0) / terms.count(TermKind::Band);
    return {packed, f.add(arith::DivUIOp::create(f.b, distance, size), number * panelsOfTerm),
            arith::RemUIOp::create(f.b, distance, size)};
  }

  /// Packs the array's rows for the distances of one vector.
  void packRows(QueryDotOp op, ValueRange indices, unsigned number, Value distance) {
    Packed packed = packedAt(number, distance);
    Frame::Places rows = ops.rowsOf(op.getArray(), op.getIndices(), indices, op.getClamped());
    auto gather = [&] {
      f.loop(f.index(0), f.index(f.layout.headSize), 1,
             [&](Value column) { f.storeVector(f.readColumn(rows, column), packed.panels, packed.place(f, column)); });
    };
    if (f.layout.headSize < f.isa.lanes)
      return gather();
    Value isContiguous = arith::CmpIOp::create(f.b, arith::CmpIPredicate::eq, rows.columnStride, f.index(1));
    f.when(isContiguous, [&] { transposeRows(rows, packed); }, gather);
  }

  /// The same for rows that are contiguous: blocks of as many columns as there are lanes. The last may overlap.
  void transposeRows(const Frame::Places &rows, const Packed &packed) {
    SmallVector<Value> starts;
    for (int64_t lane = 0; lane < f.isa.lanes; ++lane)
      starts.push_back(f.add(rows.offset, vector::ExtractOp::create(f.b, rows.lanes, lane)));
    auto transposeBlock = [&](Value column) {
      SmallVector<Value> block =
          llvm::map_to_vector(starts, [&](Value start) { return f.loadVector(rows.memory, f.add(start, column)); });
      f.transpose(block);
      for (auto [c, vector] : llvm::enumerate(block))
        f.storeVector(vector, packed.panels, packed.place(f, f.add(column, c)));
    };
    int64_t whole = f.layout.headSize / f.isa.lanes * f.isa.lanes;
    f.loop(f.index(0), f.index(whole), f.isa.lanes, transposeBlock);
    if (whole < f.layout.headSize)
      transposeBlock(f.index(f.layout.headSize - f.isa.lanes));
  }

  Frame f;
  const Kernel &kernel;
  RegionOps ops;
  const ScoreTerms &terms;
  ListedRows listed;
  GroupCall call;
  Value panels;
};

} // namespace

func::FuncOp attn::cpu::writeTerms(const Kernel &kernel, const ScoreTerms &terms, StringRef name, ListedRows listed) {
  ImplicitLocOpBuilder builder(kernel.op().getLoc(), kernel.op().getContext());
  return TermsWriter(builder, kernel, terms, listed).write(name);
}

void attn::cpu::emitRowTerms(Frame &f, const Kernel &kernel, const ScoreTerms &terms, Value rowCount) {
  if (!terms.count(TermKind::OfRow))
    return;
  RegionOps ops(f, kernel.op());
  Value rows = f.scratchArray(ScratchArray::Row), results = f.scratchArray(ScratchArray::RowTerms);
  f.loop(f.index(0), rowCount, 1, [&](Value row) {
    PairPlace place;
    place.row = row, place.queryRow = f.load(rows, {row}), place.query = f.scratchArray(ScratchArray::Query);
    auto writeOp = [&](Operation *op, ValueRange operands) {
      const ScoreTerms::Term *term = terms.find(op);
      if (term && term->kind != TermKind::OfRow)
        return Value();
      Value result = ops.write(op, operands, place);
      if (term)
        f.store(result, results, {f.index(term->number), row});
      return result;
    };
    RegionInliner inliner(f.b, f.isa.lanes, [&](Value outer) { return f.argument(outer); }, writeOp);
    Value position = f.add(place.queryRow, f.symbol(QueryOffset));
    inliner.inlineKnown(kernel.op().getScore(), {Value(), f.batch, f.head, position, Value()});
  });
}
