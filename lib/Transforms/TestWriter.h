// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes residual tests.

#ifndef ATTN_LIB_TRANSFORMS_TESTWRITER_H
#define ATTN_LIB_TRANSFORMS_TESTWRITER_H

#include "attn/Transforms/PatternReader.h"

namespace attn {

/// Writes whether a set admits a pair as ops on the arguments of `body`: batch, head, query row, key row.
mlir::Value writeTest(mlir::OpBuilder &builder, mlir::Location loc, const PatternReading &reading, mlir::Block &body,
                      const PairSet &set);

} // namespace attn

#endif // ATTN_LIB_TRANSFORMS_TESTWRITER_H
