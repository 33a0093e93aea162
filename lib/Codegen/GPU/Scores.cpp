// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Regions at the places of a tile and at its rows.

#include "Scores.h"

using namespace mlir;
using namespace attn;
using namespace attn::hopper;

Scores::Scores(PhaseKernel &phase, Value scale) : p(phase), f(phase.f), scale(scale), terms(phase.plan.getScore()) {}

Value Scores::forBothRows(llvm::function_ref<Value(Value)> body) {
  Value first = body(rows[0]), second = body(rows[1]);
  return tile::PackOp::create(f.b, f.rowOf(first.getType()), first, second);
}

void Scores::turnTo(Value firstRow, Value secondRow) {
  rows[0] = f.toIndex(firstRow), rows[1] = f.toIndex(secondRow);
  ofRows.clear();
  for (const ScoreTerms::Term &term : terms.all())
    if (term.kind == TermKind::OfRow)
      ofRows.push_back({term.op, forBothRows([&](Value row) {
                          RegionInliner inliner = inlinerAt(f, placeOf(row, Value()));
                          Value position = f.add(row, f.symbol(QueryOffset));
                          inliner.inlineKnown(p.plan.getScore(),
                                              {Value(), f.toIndex(f.batch), f.toIndex(f.head), position, Value()});
                          return inliner.known(term.op->getResult(0));
                        })});
}

Value Scores::apply(Value products, const TileColumns &columns) {
  Value queryOffset = f.symbol(QueryOffset), keyOffset = f.symbol(KeyOffset);
  SmallVector<Value> operands{products, forBothRows([&](Value row) { return f.add(row, queryOffset); })};
  for (auto [op, values] : ofRows)
    operands.push_back(values);
  auto score = [&](ValueRange place) -> Value {
    Value query = place[1], column = place.back(), keyRow = f.toIndex(columns.row(column));
    KnownValues known;
    for (auto [term, value] : llvm::zip(ofRows, place.drop_front(2)))
      known[term.first] = value;
    Value arguments[] = {arith::MulFOp::create(f.b, place[0], scale), f.toIndex(f.batch), f.toIndex(f.head), query,
                         f.add(keyRow, keyOffset)};
    RegionPlace at = placeOf(f.sub(query, queryOffset), keyRow);
    return inlineColumnRegion(f, p.plan.getScore(), arguments, at, column, known);
  };
  return f.map(products.getType(), operands, score, /*isRolled=*/p.shape.rollsScores);
}

Value Scores::test(BoxOp box, Value scores, const TileColumns &columns) {
  int64_t keys = cast<tile::AccType>(scores.getType()).getColumns();
  Value bits = f.ask(keys, forBothRows([](Value row) { return row; }), [&](ValueRange place) -> Value {
    Value keyRow = f.toIndex(columns.row(place[1]));
    RegionInliner inliner = inlinerAt(f, placeOf(place[0], keyRow));
    return inliner.inlineRegion(box.getTest(), {f.toIndex(f.batch), f.toIndex(f.head), place[0], keyRow});
  });
  return f.map(scores.getType(), {scores, bits},
               [&](ValueRange place) -> Value { return f.select(place[1], place[0], f.f32(-INFINITY)); });
}

Value Scores::sinks() {
  return forBothRows([&](Value row) -> Value {
    Value arguments[] = {f.toIndex(f.batch), f.toIndex(f.head), f.add(row, f.symbol(QueryOffset))};
    return inlinerAt(f, placeOf(row, Value())).inlineRegion(p.plan.getSink(), arguments);
  });
}
