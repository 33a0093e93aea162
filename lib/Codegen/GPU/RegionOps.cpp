// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads of run-time data and products of rows, at one place.

#include "RegionOps.h"
#include "../../Runtime/gpu.h"
#include "attn/Codegen/RegionInliner.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace attn;
using namespace attn::hopper;

static Value i64(Frame &f, int64_t value) { return arith::ConstantOp::create(f.b, f.b.getI64IntegerAttr(value)); }

//===-- Tests -----------------------------------------------------------------------------------------------------===//

/// table[at] as i64 where 0 <= at < size, `absent` elsewhere; the table is one of segment ids, or of offsets in them.
static Value lookUp(Frame &f, LookupOp op, Value at) {
  unsigned tensor = f.layout.tensorOf(op.getTable());
  unsigned view = op.getOffset() ? f.layout.offsetsViewOf(tensor) : tensor;
  Value size = f.toIndex(f.viewExtent(view, 3));
  auto entry = [&] { return f.toI64(f.load32(f.tableOfBatch(view), f.toI64(at))); };
  return f.choose(f.compare(CmpIPredicate::ult, at, size), entry, [&] { return i64(f, op.getAbsent()); });
}

/// Whether one of the entries that the head's table has in a row is `entry`. -1, which pads, is none that is asked for.
static Value lists(Frame &f, ListsOp op, Value row, Value entry) {
  unsigned view = f.layout.tensorOf(op.getTable());
  Value isRow = f.compare(CmpIPredicate::ult, row, f.toIndex(f.viewExtent(view, 2)));
  Value isEntry = f.compare(CmpIPredicate::sge, entry, f.index(0));
  auto search = [&] {
    Value start = f.add(f.viewAddress(view), f.mul(f.entryOf(view, {f.batch, f.head, row}), 4));
    Value wanted = f.toI64(entry);
    return f.loop(i64(f, 0), f.viewExtent(view, 3), i64(f, 1), f.truth(false),
                  [&](Value at, ValueRange found) -> SmallVector<Value> {
                    Value listed = f.toI64(f.load32(start, f.mul(at, f.viewStride(view, 3))));
                    return {f.either(found[0], f.compare(CmpIPredicate::eq, listed, wanted))};
                  })[0];
  };
  return f.choose(f.both(isRow, isEntry), search, [&] { return f.truth(false); });
}

Value attn::hopper::isMember(Frame &f, OrderAttr attr, Side side, Value row) {
  unsigned order = f.layout.orderIndex(attr, side);
  Value rows = f.symbol(side == Side::Keys ? KvLength : Length);
  return f.choose(
      f.compare(CmpIPredicate::ult, row, rows), [&] { return f.holdsRow(order, f.toI32(row)); },
      [&] { return f.truth(false); });
}

//===-- Arrays ----------------------------------------------------------------------------------------------------===//

/// The row itself, or one of the call's where the columns of a tile lie beside these.
static Value insideKeys(Frame &f, Value row) { return f.clamp(row, f.index(0), f.sub(f.symbol(KvLength), 1)); }

namespace {

/// Reads the arrays that one op names.
class ArrayReader {
public:
  ArrayReader(Frame &f, const RegionPlace &place, Operation *op) : f(f), place(place) {
    isClamped = op->hasAttr("clamped");
  }

  /// The number of the entry at `indices` (i64), of the first where they are fewer than the array's axes. `named` are
  /// the same as values of the region.
  Value entry(Value array, ValueRange named, ValueRange indices) {
    auto extents = cast<ArrayType>(array.getType()).getExtents();
    unsigned firstAxis = 4 - extents.size();
    SmallVector<Value> at(firstAxis, f.i32(0));
    for (auto [axis, index] : llvm::enumerate(indices))
      at.push_back(inside(index, named[axis], extents[axis], view(array), firstAxis + axis));
    return f.entryOf(view(array), at);
  }

  Value load(Value array, Value entry) {
    return f.load(f.b.getF32Type(), f.viewAddress(view(array)), entry, /*isConstant=*/true);
  }

  /// How far it is from column to column.
  Value columnStride(Value array) { return f.viewStride(view(array), 3); }

private:
  unsigned view(Value array) { return f.layout.tensorOf(array); }

  /// The index of an axis. A position is that of a row. Other numbers are known to be inside, unless the op says
  /// `clamped`.
  Value inside(Value index, Value named, int64_t extent, unsigned view, unsigned axis) {
    if (extent == QueriesExtent && sideOfPosition(named) == Side::Queries)
      return place.queryRow;
    if (extent == KeysExtent && sideOfPosition(named) == Side::Keys)
      return insideKeys(f, place.keyRow);
    if (!isClamped)
      return index;
    return f.clamp(index, f.index(0), f.sub(sizeOf(extent, view, axis), 1));
  }

  Value sizeOf(int64_t extent, unsigned view, unsigned axis) {
    switch (extent) {
    case BatchExtent:
      return f.toIndex(f.size(ATTN_GPU_BATCH));
    case HeadsExtent:
      return f.symbol(Heads);
    case KvHeadsExtent:
      return f.toIndex(f.size(ATTN_GPU_KV_HEADS));
    case QueriesExtent:
      return f.symbol(Length);
    case KeysExtent:
      return f.symbol(KvLength);
    case HeadSizeExtent:
      return f.index(f.layout.headSize);
    case AnyExtent:
      return f.toIndex(f.viewExtent(view, axis));
    default:
      return f.index(extent);
    }
  }

  Frame &f;
  const RegionPlace &place;
  bool isClamped;
};

} // namespace

static Value load(Frame &f, const RegionPlace &place, LoadOp op, ValueRange operands) {
  ArrayReader reader(f, place, op);
  return reader.load(op.getArray(), reader.entry(op.getArray(), op.getIndices(), operands.drop_front()));
}

//===-- Products --------------------------------------------------------------------------------------------------===//

/// The number in a column, i32.
using NumberAt = llvm::function_ref<Value(Value column)>;

/// scale * sum_c x[c] y[c]. Why the number of columns is read: a loop of known length is unrolled by ptxas, and what is
/// the same for all pairs, rows of arrays, then stays in registers that are not there.
static Value dot(Frame &f, const RegionPlace &place, NumberAt x, NumberAt y) {
  Value columns = f.toI32(f.viewExtent(QueryTensor, 3));
  Value sum = f.loop(f.i32(0), columns, f.i32(1), f.f32(0), [&](Value column, ValueRange sum) -> SmallVector<Value> {
    return {math::FmaOp::create(f.b, x(column), y(column), sum[0])};
  })[0];
  return arith::MulFOp::create(f.b, sum, place.scale);
}

/// A row of query or key.
static Value loadElement(Frame &f, Value row, Value column) {
  Type element = f.layout.element;
  Value at = LLVM::GEPOp::create(f.b, row.getType(), element, row, ArrayRef<LLVM::GEPArg>{column});
  Value number = LLVM::LoadOp::create(f.b, element, at);
  return element.isF32() ? number : arith::ExtFOp::create(f.b, f.b.getF32Type(), number).getResult();
}

/// The product of an array's row with a row of query or key that begins at `row`.
static Value dotWith(Frame &f, const RegionPlace &place, Operation *op, Value array, ValueRange named,
                     ValueRange indices, Value row) {
  ArrayReader reader(f, place, op);
  Value first = reader.entry(array, named, indices), stride = reader.columnStride(array);
  return dot(
      f, place, [&](Value column) { return loadElement(f, row, column); },
      [&](Value column) { return reader.load(array, f.add(first, f.mul(f.toI64(column), stride))); });
}

static Value queryPointer(Frame &f, const RegionPlace &place, Value head) {
  return f.rowPointer(QueryTensor, head, place.queryRow, f.layout.element);
}

static Value keyPointer(Frame &f, const RegionPlace &place, Value kvHead) {
  return f.rowPointer(KeyTensor, kvHead, insideKeys(f, place.keyRow), f.layout.element);
}

static Value rowDot(Frame &f, const RegionPlace &place, RowDotOp op, ValueRange operands) {
  ArrayReader reader(f, place, op);
  unsigned leftCount = op.getLeftIndices().size();
  Value left = reader.entry(op.getLeft(), op.getLeftIndices(), operands.slice(1, leftCount));
  Value right = reader.entry(op.getRight(), op.getRightIndices(), operands.drop_front(leftCount + 2));
  auto columns = [&](Value array, Value first) {
    return [&f, &reader, array, first](Value column) mutable {
      return reader.load(array, f.add(first, f.mul(f.toI64(column), reader.columnStride(array))));
    };
  };
  return dot(f, place, columns(op.getLeft(), left), columns(op.getRight(), right));
}

/// sum_g array[g] (q_g . k_g), over all heads.
static Value mixedDot(Frame &f, const RegionPlace &place, MixedDotOp op, ValueRange operands) {
  ArrayReader reader(f, place, op);
  Value first = reader.entry(op.getArray(), op.getIndices(), operands.drop_front());
  Value headsPerKvHead = f.toI32(f.symbol(HeadsPerKvHeadSymbol));
  return f.loop(f.i32(0), f.size(ATTN_GPU_HEADS), f.i32(1), f.f32(0), [&](Value head, ValueRange sum) {
    Value query = queryPointer(f, place, head), key = keyPointer(f, place, f.divide(head, headsPerKvHead));
    Value product = dot(
        f, place, [&](Value column) { return loadElement(f, query, column); },
        [&](Value column) { return loadElement(f, key, column); });
    Value weight = reader.load(op.getArray(), f.add(first, f.mul(f.toI64(head), reader.columnStride(op.getArray()))));
    return SmallVector<Value>{math::FmaOp::create(f.b, weight, product, sum[0])};
  })[0];
}

//===-- All ops ---------------------------------------------------------------------------------------------------===//

Value attn::hopper::writeRegionOp(Frame &f, const RegionPlace &place, Operation *op, ValueRange operands) {
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](ApplyOp apply) { return f.evaluate(apply.getExpr().getExpr(), operands[0]); })
      .Case([&](MemberOp member) {
        return isMember(f, member.getOrder(), member.getKeys() ? Side::Keys : Side::Queries, operands[0]);
      })
      .Case([&](LookupOp look) { return lookUp(f, look, operands[1]); })
      .Case([&](ListsOp table) { return lists(f, table, operands[1], operands[2]); })
      .Case([&](LoadOp read) { return load(f, place, read, operands); })
      .Case([&](QueryDotOp product) {
        return dotWith(f, place, op, product.getArray(), product.getIndices(), operands.drop_front(),
                       queryPointer(f, place, f.head));
      })
      .Case([&](KeyDotOp product) {
        return dotWith(f, place, op, product.getArray(), product.getIndices(), operands.drop_front(),
                       keyPointer(f, place, f.kvHead));
      })
      .Case([&](RowDotOp product) { return rowDot(f, place, product, operands); })
      .Case([&](MixedDotOp product) { return mixedDot(f, place, product, operands); })
      .Case([&](ScaleOp) { return place.scale; })
      .Default([&](Operation *number) { return f.callNumber(number); });
}
