// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An order as a block finds it: with the values of one batch and head, and of the part at hand where tiles lie in
// parts: a class, a block, a patch. It knows which row a rank stands for and which rank a row has; who produces,
// multiplies and stores need not know more.
//
//     kind            row of rank r                                  a tile's rows through a tensor map
//     All, Blocks     r                                              yes
//     Classes         first + r * stride, in the class at hand       yes, one with an axis of classes
//     Patches         a point of the patch at hand, see GridPart     yes, one with two axes of points
//     Remainders      a closed form                                  no
//                     whole runs: first + r / width * stride         yes, one with an axis of runs
//                                       + r mod width
//     Listed          table[r]                                       no
//     SegmentSorted   table[r], or r where that is the same          where it is the same

#ifndef ATTN_LIB_CODEGEN_GPU_ORDERINBATCH_H
#define ATTN_LIB_CODEGEN_GPU_ORDERINBATCH_H

#include "Frame.h"

namespace attn::hopper {

/// A rectangle of a grid, cut into boxes of whole rows of it. Ranks count the points of a box row by row, and those of
/// each box begin at a multiple of `ranks`; ranks behind a box's last point stand for none.
struct GridPart {
  Value width, shift;    // index: the grid's, whose row y and column x is row y * width + x - shift of the side
  Value top, left;       // i32: the rectangle's first point
  Value rows, columns;   // i32: of a box
  int64_t ranks;         // of a box
  Value boxes = Value(); // i32; one where it is null
  Value isCut = Value(); // i1, of keys: bounds lie inside of the grid's rows, too; null: they never do
};

class OrderInBatch {
public:
  OrderInBatch() = default;
  /// `number` is the class, block or patch (index) of an order that has such; one that has no rows is empty. Remainders
  /// may be read run by run. Numbers are i32 here, rows of bounds are index.
  OrderInBatch(Frame &f, unsigned order, Value number = Value(), bool isReadInRuns = false);

  Value begin, count; // ranks are [begin, count)
  Value isLong;       // i1, of Classes: the one at hand has a row more than others
  Value isIdentity;   // i1: ranks are rows in spite of a table; null: they never are

  /// Leaves the ranks of rows [first, end), in an order in which ranks are rows.
  void narrowTo(Value first, Value end) { begin = first, count = end; }
  /// Makes ranks those of a part of a grid.
  void narrowTo(const GridPart &part);
  const std::optional<GridPart> &grid() const { return gridPart; }

  /// Whether no tensor map finds the rows of a tile. (With isIdentity, one may.)
  bool isScattered() const {
    return order->kind == OrderKind::Listed || (order->kind == OrderKind::Remainders && !isReadInRuns);
  }
  bool isInRuns() const { return isReadInRuns; }

  /// Writes `mapped` where a tensor map finds the rows of a tile, `scattered` elsewhere.
  Value byLayout(llvm::function_ref<Value()> mapped, llvm::function_ref<Value()> scattered) const;

  /// Where a tensor map has a rank: on its axis of rows, and on that of classes or runs, if it has one; of a grid, the
  /// column and the row.
  std::pair<Value, Value> placeInMap(Value rank) const;
  /// How many rows a copy through a tensor map brings, i32, where they are fewer than a tile's; else null.
  Value rowsOfCopy() const;
  /// Whether 64 rows from a rank on are all this part's, or past the last row of the side: i1, or null where they
  /// always are.
  Value holdsTile(Value firstRank) const;

  /// Whether a rank stands for a row.
  Value hasRow(Value rank) const;
  /// The row of a rank that stands for one.
  Value rowOf(Value rank) const;
  /// The row of a rank, or `otherwise` where there is none.
  Value rowOr(Value rank, Value otherwise) const;
  /// The row of a rank, or another row's where there is none: for columns that are masked.
  Value someRowOf(Value rank) const;
  /// The first rank in [begin, end) whose row is at least `row`, an index.
  Value rankOf(Value row, Value begin, Value end) const;

  /// Of a class of keys: the rank of a bound of a query row is the row's rank plus `lead`, kept among the keys' ranks.
  void setLead(const Expr &bound, Value lead) { leads.push_back({bound, lead}); }
  /// Null where the row has to be looked at.
  Value leadOf(const Expr &bound) const;

private:
  void bindTable(unsigned index);
  void bindClass(const ClassSizes &classes, Value number);
  void bindBlock(Value number);
  void bindPatch(Value number);
  void bindRuns();
  Value rankInRuns(Value row) const;
  std::pair<Value, Value> pointOf(Value rank) const;
  Value searchRank(Value row, Value begin, Value end) const;
  Value rowCount() const;

  Frame *frame = nullptr;
  const Order *order = nullptr;
  bool isReadInRuns = false;
  Value table;         // address, i64
  Value first, stride; // of a class, and of runs, each of which begins there or so many rows further on
  Value width;         // rows of a run
  std::optional<GridPart> gridPart;
  llvm::SmallVector<std::pair<Expr, Value>, 2> leads;
};

} // namespace attn::hopper

#endif // ATTN_LIB_CODEGEN_GPU_ORDERINBATCH_H
