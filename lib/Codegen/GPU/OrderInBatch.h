// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An order as a block finds it: with the values of one batch and head, and of one class where there are classes. It
// knows which row a rank stands for and which rank a row has; who produces, multiplies and stores need not know more.
//
//     kind            row of rank r                                  a tile's rows through a tensor map
//     All             r                                              yes
//     Classes         first + r * stride, in the class at hand       yes, one with an axis of classes
//     Remainders      a closed form                                  no
//                     whole runs: first + r / width * stride         yes, one with an axis of runs
//                                       + r mod width
//     Listed          table[r]                                       no
//     SegmentSorted   table[r], or r where that is the same          where it is the same

#ifndef ATTN_LIB_CODEGEN_GPU_ORDERINBATCH_H
#define ATTN_LIB_CODEGEN_GPU_ORDERINBATCH_H

#include "Frame.h"

namespace attn::hopper {

class OrderInBatch {
public:
  OrderInBatch() = default;
  /// `number` is the class (index) of an order by classes; one that has no rows is empty. Remainders may be read run by
  /// run. Numbers are i32 here, rows of bounds are index.
  OrderInBatch(Frame &f, unsigned order, Value number = Value(), bool isReadInRuns = false);

  Value count;      // ranks are [0, count)
  Value isLong;     // i1, of Classes: the one at hand has a row more than others
  Value isIdentity; // i1: ranks are rows in spite of a table; null: they never are

  /// Whether no tensor map finds the rows of a tile. (With isIdentity, one may.)
  bool isScattered() const {
    return order->kind == OrderKind::Listed || (order->kind == OrderKind::Remainders && !isReadInRuns);
  }
  bool isInRuns() const { return isReadInRuns; }

  /// Writes `mapped` where a tensor map finds the rows of a tile, `scattered` elsewhere.
  Value byLayout(llvm::function_ref<Value()> mapped, llvm::function_ref<Value()> scattered) const;

  /// Where a tensor map has a rank: on its axis of rows, and on that of classes or runs, if it has one.
  std::pair<Value, Value> placeInMap(Value rank) const;

  /// The row of a rank in [0, count).
  Value rowOf(Value rank) const;
  /// The row of a rank, or `otherwise` where there is none.
  Value rowOr(Value rank, Value otherwise) const;
  /// The row of a rank, or another row's where there is none: for columns that are masked.
  Value someRowOf(Value rank) const;
  /// The first rank in [begin, end) whose row is at least `row`, an index.
  Value rankOf(Value row, Value begin, Value end) const;

  /// How many rows the longest class has.
  static Value longestClass(Frame &f, const Order &order);

private:
  void bindTable(unsigned index);
  void bindClass(Value number);
  void bindRuns();
  Value rankInRuns(Value row) const;
  Value searchRank(Value row, Value begin, Value end) const;
  Value rowCount() const;

  Frame *frame = nullptr;
  const Order *order = nullptr;
  bool isReadInRuns = false;
  Value table;         // address, i64
  Value first, stride; // of a class, and of runs, each of which begins there or so many rows further on
  Value width;         // rows of a run
};

} // namespace attn::hopper

#endif // ATTN_LIB_CODEGEN_GPU_ORDERINBATCH_H
