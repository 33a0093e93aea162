// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// attn's own ops in the regions of a kernel: tests, scores and sinks.

#ifndef ATTN_LIB_CODEGEN_CPU_REGIONOPS_H
#define ATTN_LIB_CODEGEN_CPU_REGIONOPS_H

#include "Parts.h"

namespace attn::cpu {

/// Where a region of a score stands. What is null does not occur there: a sink has no key, and a test no dots.
struct PairPlace {
  Value row;               // of the query tile
  Value queryRow;          // of the call
  Value key;               // the rank of lane 0, or null
  Value keyRows;           // key rows of the lanes; those past the order's count are in [0, kv_length) or past the end
  bool isEveryKey = false; // the lanes' key rows follow one another
  Value query, panels;     // the tile's rows, scaled, and the packed keys
};

class RegionOps {
public:
  RegionOps(Frame &f, PlanOp plan) : f(f), plan(plan) {}

  /// What q.k is multiplied by.
  Value scale();
  /// The value of an op, for operands of which some may be vectors: one lane for each key. Dots are computed here and
  /// now, column by column.
  Value write(mlir::Operation *op, ValueRange operands, const PairPlace &place = {});
  /// Whether rows of a side are in a tabled order.
  Value isMember(OrderAttr order, Side side, Value row);
  /// The rows of an array that a dot multiplies with, for its indices.
  Frame::Places rowsOf(Value array, mlir::OperandRange indices, ValueRange values, bool clamped);

  /// Elements of a row, or of a row for each lane, by column.
  using Columns = std::function<Value(Value column)>;
  /// A row_dot whose right rows, one for each lane, are given.
  Value rowDot(RowDotOp op, ValueRange operands, const Columns &right);

private:
  // Tables.
  Value lookup(unsigned view, Value at, Value size, int64_t absent);
  Value lists(ListsOp op, Value row, Value entry);
  // Arrays.
  Value placeOf(Value index, Value value, int64_t extentKind, Value extent, bool clamped);
  Value load(LoadOp op, ValueRange indices, const PairPlace &place);
  Value loadKeys(const Frame::Places &places, Value mask, llvm::function_ref<Value()> gather);
  // Dots.
  Value sumOfProducts(Value count, bool overLanes, const Columns &left, const Columns &right);
  Columns columnsOf(const Frame::Places &places);
  Columns columnsOf(unsigned tensor, Value headOfTensor, Value row);
  Columns keyColumns(const PairPlace &place);
  Value dot(const Frame::Places &places, bool overLanes, const Columns &left);
  Value keyDot(KeyDotOp op, ValueRange indices, const PairPlace &place);
  Value rowDot(RowDotOp op, ValueRange operands);
  Value mixedDot(MixedDotOp op, ValueRange indices, const PairPlace &place);
  Value scaled(Value sum);

  Value sizedLike(Value value, Value like) {
    return mlir::isa<mlir::VectorType>(like.getType()) ? splat(f.b, value, f.isa.lanes) : value;
  }

  Frame &f;
  PlanOp plan;
};

} // namespace attn::cpu

#endif // ATTN_LIB_CODEGEN_CPU_REGIONOPS_H
