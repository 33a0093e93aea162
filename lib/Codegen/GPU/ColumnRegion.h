// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Regions of the plan (scores, tests) at the places of a tile: each place is a query row and a column, and a column is
// a key row.

#ifndef ATTN_LIB_CODEGEN_GPU_COLUMNREGION_H
#define ATTN_LIB_CODEGEN_GPU_COLUMNREGION_H

#include "OrderInBatch.h"
#include "RegionOps.h"
#include "attn/Codegen/RegionInliner.h"

namespace attn::hopper {

/// The key rows of a tile's columns.
struct TileColumns {
  Frame &f;
  const OrderInBatch &keys;
  Value first; // rank of column 0, i32

  /// The row of column `column`, an i32 that counts from the thread's first one.
  Value row(Value column) const;
};

/// What some ops of a region give at a place.
using KnownValues = llvm::DenseMap<mlir::Operation *, Value>;

/// Writes pure regions at a place.
RegionInliner inlinerAt(Frame &f, const RegionPlace &place, const KnownValues &known = KnownValues());

/// Writes the score region for the column `column` and returns what it yields. Conversions of whole numbers that grow
/// with the column are taken apart: float(a + k column) becomes float(a) + float(k column), of which the first is the
/// same for a whole row and the second a constant at every place. (Converting takes as long as an exponential. Sums
/// past 2^24 may be rounded twice.)
Value inlineColumnRegion(Frame &f, mlir::Region &region, ValueRange arguments, const RegionPlace &place, Value column,
                         const KnownValues &known);

} // namespace attn::hopper

#endif // ATTN_LIB_CODEGEN_GPU_COLUMNREGION_H
