// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The regions of a plan over the tiles of a consumer warpgroup: scores, tests, and the sinks of its rows.

#ifndef ATTN_LIB_CODEGEN_GPU_SCORES_H
#define ATTN_LIB_CODEGEN_GPU_SCORES_H

#include "ColumnRegion.h"
#include "PhaseKernel.h"
#include "attn/Codegen/ScoreTerms.h"

namespace attn::hopper {

class Scores {
public:
  /// `scale` is that of the call.
  Scores(PhaseKernel &phase, Value scale);

  /// The thread's two query rows, i32. What the score region says of a row alone is computed here, once for all tiles.
  void turnTo(Value firstRow, Value secondRow);

  /// The score region at every place of a tile of products.
  Value apply(Value products, const TileColumns &columns);
  /// -inf where the box's test says no.
  Value test(BoxOp box, Value scores, const TileColumns &columns);
  /// The sink of each row.
  Value sinks();

private:
  RegionPlace placeOf(Value queryRow, Value keyRow) const { return {queryRow, keyRow, scale}; }
  /// What each thread writes for either of its rows.
  Value forBothRows(llvm::function_ref<Value(Value row)> body);

  PhaseKernel &p;
  Frame &f;
  Value scale;
  ScoreTerms terms;
  Value rows[2];                                                 // index
  llvm::SmallVector<std::pair<mlir::Operation *, Value>> ofRows; // terms of rows, row<f32>
};

} // namespace attn::hopper

#endif // ATTN_LIB_CODEGEN_GPU_SCORES_H
