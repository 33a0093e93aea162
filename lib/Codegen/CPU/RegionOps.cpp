// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads of tables and arrays, and dots. Lanes may stand for keys past the last one, whose pairs are masked later: what
// they read has to lie inside of the array all the same.

#include "RegionOps.h"
#include "Packing.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

static bool isVector(Value value) { return isa<VectorType>(value.getType()); }

Value RegionOps::scale() { return plan.getScale() ? f.argument(plan.getScale()) : f.numberSymbol(ScaleSymbol); }

Value RegionOps::write(Operation *op, ValueRange operands, const PairPlace &place) {
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](ApplyOp apply) { return f.evaluate(apply.getExpr().getExpr(), operands[0]); })
      .Case([&](MemberOp member) {
        return isMember(member.getOrder(), member.getKeys() ? Side::Keys : Side::Queries, operands[0]);
      })
      .Case([&](LookupOp look) {
        unsigned tensor = f.layout.tensorOf(look.getTable());
        unsigned view = look.getOffset() ? f.layout.offsetsViewOf(tensor) : tensor;
        return lookup(view, operands[1], f.extent(view, 3), look.getAbsent());
      })
      .Case([&](ListsOp lists) { return this->lists(lists, operands[1], operands[2]); })
      .Case<OfHeadOp, OfBatchOp, ExtentOp>([&](Operation *number) { return f.callNumber(number); })
      .Case([&](ScaleOp) { return scale(); })
      .Case([&](LoadOp load) { return this->load(load, operands.drop_front(), place); })
      .Case([&](QueryDotOp query) {
        Frame::Places rows = rowsOf(query.getArray(), query.getIndices(), operands.drop_front(), query.getClamped());
        return dot(rows, static_cast<bool>(rows.lanes),
                   [&](Value column) { return f.load(place.query, {place.row, column}); });
      })
      .Case([&](KeyDotOp key) { return keyDot(key, operands.drop_front(), place); })
      .Case([&](RowDotOp row) { return rowDot(row, operands); })
      .Case([&](MixedDotOp mixed) { return mixedDot(mixed, operands.drop_front(), place); });
}

//===-- Tables ----------------------------------------------------------------------------------------------------===//

/// view[at] as i64 where 0 <= at < size, `absent` elsewhere; `at` is a number or a vector of them.
Value RegionOps::lookup(unsigned view, Value at, Value size, int64_t absent) {
  Value missing = sizedLike(arith::ConstantOp::create(f.b, f.b.getI64IntegerAttr(absent)), at);
  Value zero = sizedLike(f.index(0), at);
  Value inside =
      f.both(arith::CmpIOp::create(f.b, arith::CmpIPredicate::sge, at, zero), f.less(at, sizedLike(size, at)));
  Type i32 = f.b.getI32Type(), i64 = f.b.getI64Type();
  if (!isVector(at)) {
    auto branch = scf::IfOp::create(
        f.b, inside,
        [&](OpBuilder &, Location) {
          Value value = f.load(f.view(view, i32), {f.batch, f.index(0), f.index(0), at});
          scf::YieldOp::create(f.b, arith::ExtSIOp::create(f.b, i64, value).getResult());
        },
        [&](OpBuilder &, Location) { scf::YieldOp::create(f.b, missing); });
    return branch.getResult(0);
  }
  Value values =
      vector::GatherOp::create(f.b, f.vectorType(i32), f.view(view, i32),
                               ValueRange{f.batch, f.index(0), f.index(0), f.index(0)}, at, inside, f.integers(0));
  return f.select(inside, arith::ExtSIOp::create(f.b, f.vectorType(i64), values), missing);
}

Value RegionOps::isMember(OrderAttr attr, Side side, Value row) {
  const OrderLayout &order = f.layout.orders[f.layout.orderIndex(attr, side)];
  Value flag = lookup(order.flagsView, row, f.symbol(side == Side::Keys ? KvLength : Length), 0);
  Value zero = sizedLike(arith::ConstantOp::create(f.b, f.b.getI64IntegerAttr(0)), flag);
  return arith::CmpIOp::create(f.b, arith::CmpIPredicate::ne, flag, zero);
}

/// Looks at every entry of the row, at none if the table has no such row.
Value RegionOps::lists(ListsOp op, Value row, Value entry) {
  unsigned table = f.layout.tensorOf(op.getTable());
  Value rows = f.extent(table, 2), size = f.select(f.less(f.index(0), rows), f.extent(table, 3), f.index(0));
  Value last = f.sub(rows, f.index(1));
  Value inside = f.greatest(sizedLike(f.index(0), row), f.least(row, sizedLike(last, row)));
  Frame::Places places = f.placesOf(table, f.b.getI32Type(), {f.batch, f.head, inside, f.index(0)});
  bool overLanes = isVector(row) || isVector(entry);
  auto lanes = [&](Value value) { return overLanes ? splat(f.b, value, f.isa.lanes) : value; };
  auto equal = [&](Value x, Value y) -> Value {
    return arith::CmpIOp::create(f.b, arith::CmpIPredicate::eq, lanes(x), lanes(y));
  };
  Value isPossible = f.both(equal(inside, row),
                            arith::CmpIOp::create(f.b, arith::CmpIPredicate::sge, lanes(entry), lanes(f.index(0))));
  Value no = lanes(arith::ConstantOp::create(f.b, f.b.getBoolAttr(false)));
  Value isThere = f.loop(f.index(0), size, 1, no, [&](Value column, ValueRange found) -> SmallVector<Value> {
    Value listed = f.readColumn(places, column);
    Type index = isVector(listed) ? Type(f.vectorType(f.b.getIndexType())) : f.b.getIndexType();
    listed = arith::IndexCastOp::create(f.b, index, listed);
    return {arith::OrIOp::create(f.b, found[0], equal(listed, entry))};
  })[0];
  return f.both(isPossible, isThere);
}

//===-- Arrays ----------------------------------------------------------------------------------------------------===//

/// The place along one axis for an index, whose value is given.
Value RegionOps::placeOf(Value index, Value value, int64_t extentKind, Value extent, bool clamped) {
  std::optional<Side> side = sideOfPosition(index);
  bool isRow =
      (side == Side::Queries && extentKind == QueriesExtent) || (side == Side::Keys && extentKind == KeysExtent);
  if (isRow)
    value = f.sub(value, sizedLike(f.symbol(*side == Side::Queries ? QueryOffset : KeyOffset), value));
  else if (!clamped)
    return value;
  Value last = sizedLike(f.sub(extent, f.index(1)), value);
  return f.greatest(sizedLike(f.index(0), value), f.least(value, last));
}

Frame::Places RegionOps::rowsOf(Value array, OperandRange indices, ValueRange values, bool clamped) {
  unsigned tensor = f.layout.tensorOf(array);
  ArrayRef<int64_t> extents = cast<ArrayType>(array.getType()).getExtents();
  SmallVector<Value> at(4 - extents.size(), f.index(0));
  for (auto [index, value, kind] : llvm::zip(indices, values, extents))
    at.push_back(placeOf(index, value, kind, f.extent(tensor, at.size()), clamped));
  at.resize(4, f.index(0)); // a dot begins at column 0
  return f.placesOf(tensor, f.b.getF32Type(), at);
}

Value RegionOps::load(LoadOp op, ValueRange values, const PairPlace &place) {
  Frame::Places places = rowsOf(op.getArray(), op.getIndices(), values, op.getClamped());
  ArrayRef<int64_t> extents = cast<ArrayType>(op.getArray().getType()).getExtents();
  // Keys side by side, as those of a bias [queries, keys], are one vector.
  bool isAlongKeys = place.isEveryKey && !extents.empty() && extents.back() == KeysExtent &&
                     sideOfPosition(op.getIndices().back()) == Side::Keys &&
                     llvm::none_of(values.drop_back(), isVector);
  if (!isAlongKeys)
    return f.read(places);
  SmallVector<Value> first(values);
  first.back() = f.add(place.key, f.symbol(KeyOffset));
  Frame::Places beginning = rowsOf(op.getArray(), op.getIndices(), first, op.getClamped());
  Value present = f.sub(f.symbol(KvLength), place.key);
  Value mask = vector::CreateMaskOp::create(f.b, f.vectorType(f.b.getI1Type()), present);
  return loadKeys(beginning, mask, [&] { return f.read(places); });
}

/// One vector where columns are contiguous, which the call decides; else what `gather` writes. Rows of such an array
/// lie far apart and are read a tile's width at a time, which no processor foresees: the next tile's part is asked for
/// here.
Value RegionOps::loadKeys(const Frame::Places &places, Value mask, llvm::function_ref<Value()> gather) {
  Value isContiguous = arith::CmpIOp::create(f.b, arith::CmpIPredicate::eq, places.columnStride, f.index(1));
  auto branch = scf::IfOp::create(
      f.b, isContiguous,
      [&](OpBuilder &, Location) {
        memref::PrefetchOp::create(f.b, places.memory, f.add(places.offset, f.layout.tile[1]), /*isWrite=*/false,
                                   /*localityHint=*/2, /*isDataCache=*/true);
        Value vector = vector::MaskedLoadOp::create(f.b, f.vectorType(f.b.getF32Type()), places.memory, places.offset,
                                                    mask, f.numbers(0));
        scf::YieldOp::create(f.b, vector);
      },
      [&](OpBuilder &, Location) { scf::YieldOp::create(f.b, gather()); });
  return branch.getResult(0);
}

//===-- Dots ------------------------------------------------------------------------------------------------------===//

Value RegionOps::sumOfProducts(Value count, bool overLanes, const Columns &left, const Columns &right) {
  auto lanes = [&](Value value) { return overLanes ? splat(f.b, value, f.isa.lanes) : value; };
  Value zero = lanes(f.number(0));
  return f.loop(f.index(0), count, 1, zero, [&](Value column, ValueRange sum) -> SmallVector<Value> {
    return {f.fma(lanes(left(column)), lanes(right(column)), sum[0])};
  })[0];
}

RegionOps::Columns RegionOps::columnsOf(const Frame::Places &places) {
  return [this, places](Value column) { return f.readColumn(places, column); };
}

/// Rows of query or key, as they lie in the call.
RegionOps::Columns RegionOps::columnsOf(unsigned tensor, Value headOfTensor, Value row) {
  Frame::Places places = f.placesOf(tensor, f.storage(), {f.batch, headOfTensor, row, f.index(0)});
  return [this, places](Value column) { return f.widen(f.readColumn(places, column)); };
}

Value RegionOps::dot(const Frame::Places &places, bool overLanes, const Columns &left) {
  return sumOfProducts(f.index(f.layout.headSize), overLanes, left, columnsOf(places));
}

Value RegionOps::scaled(Value sum) { return arith::MulFOp::create(f.b, sum, sizedLike(scale(), sum)); }

Value RegionOps::keyDot(KeyDotOp op, ValueRange indices, const PairPlace &place) {
  Frame::Places rows = rowsOf(op.getArray(), op.getIndices(), indices, op.getClamped());
  if (f.isa.readsRows())
    return scaled(dot(rows, /*overLanes=*/true, keyColumns(place)));
  return scaled(dot(rows, /*overLanes=*/true,
                    [&](Value column) { return Packer(f).keyColumn(place.panels, place.key, column); }));
}

// Operands: the left array, its indices, the right array, its indices.

Value RegionOps::rowDot(RowDotOp op, ValueRange operands) {
  Frame::Places right =
      rowsOf(op.getRight(), op.getRightIndices(), operands.take_back(op.getRightIndices().size()), op.getClamped());
  Frame::Places left =
      rowsOf(op.getLeft(), op.getLeftIndices(), operands.slice(1, op.getLeftIndices().size()), op.getClamped());
  return scaled(dot(right, left.lanes || right.lanes, columnsOf(left)));
}

Value RegionOps::rowDot(RowDotOp op, ValueRange operands, const Columns &right) {
  Frame::Places left =
      rowsOf(op.getLeft(), op.getLeftIndices(), operands.slice(1, op.getLeftIndices().size()), op.getClamped());
  return scaled(sumOfProducts(f.index(f.layout.headSize), /*overLanes=*/true, columnsOf(left), right));
}

/// Of the call's own keys, where none are packed.
RegionOps::Columns RegionOps::keyColumns(const PairPlace &place) {
  Value last = splat(f.b, f.sub(f.symbol(KvLength), f.index(1)), f.isa.lanes);
  Value kvHead = arith::DivUIOp::create(f.b, f.head, f.symbol(HeadsPerKvHeadSymbol));
  return columnsOf(KeyTensor, kvHead, f.least(place.keyRows, last));
}

/// scale * sum over heads g of weight[g] (q[g] . k[g']), from the call's own tensors.
Value RegionOps::mixedDot(MixedDotOp op, ValueRange indices, const PairPlace &place) {
  Frame::Places weights = rowsOf(op.getArray(), op.getIndices(), indices, op.getClamped());
  Value last = splat(f.b, f.sub(f.symbol(KvLength), f.index(1)), f.isa.lanes);
  Value keyRows = f.least(place.keyRows, last);
  Value sum =
      f.loop(f.index(0), f.symbol(Heads), 1, f.numbers(0), [&](Value head, ValueRange carried) -> SmallVector<Value> {
        Value keyHead = arith::DivUIOp::create(f.b, head, f.symbol(HeadsPerKvHeadSymbol));
        Value product =
            sumOfProducts(f.index(f.layout.headSize), /*overLanes=*/true, columnsOf(QueryTensor, head, place.queryRow),
                          columnsOf(KeyTensor, keyHead, keyRows));
        Value weight = splat(f.b, f.readColumn(weights, head), f.isa.lanes);
        return {f.fma(weight, product, carried[0])};
      })[0];
  return scaled(sum);
}
