// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads what atoms are given: bounds, coordinates and run-time data.

#ifndef ATTN_LIB_TRANSFORMS_BOUNDREADER_H
#define ATTN_LIB_TRANSFORMS_BOUNDREADER_H

#include "attn/Transforms/PatternReader.h"

namespace attn {

/// Turns index arithmetic into expressions, and numbers the arguments that occur in it or are tables in `reading`.
class BoundReader {
public:
  explicit BoundReader(PatternReading &reading) : reading(reading) {}

  /// The closed form of an index value.
  mlir::FailureOr<Expr> read(mlir::Value value);
  /// The bounds of an op in the order of boundsOf; those that are left out are absent. What divides is at least 1.
  mlir::FailureOr<llvm::SmallVector<std::optional<Expr>>> readBounds(mlir::Operation *op);
  /// The same where none is left out.
  mlir::FailureOr<llvm::SmallVector<Expr>> readAllBounds(mlir::Operation *op);
  /// What an atom speaks of: positions where there is no value.
  mlir::FailureOr<Coordinate> readCoordinate(mlir::Value value);
  /// The symbol or the table of an op's run-time data.
  mlir::FailureOr<Expr> symbol(mlir::Operation *op, mlir::Value data);
  mlir::FailureOr<unsigned> table(mlir::Operation *op, mlir::Value data);

private:
  mlir::FailureOr<Expr> readBinary(mlir::Operation *op);
  mlir::FailureOr<std::optional<Expr>> readBound(mlir::Operation *op, const AtomBound &bound);
  mlir::FailureOr<Coordinate> readRaster(RasterOp op);
  Expr atLeastOne(const Expr &expr) const;

  PatternReading &reading;
};

} // namespace attn

#endif // ATTN_LIB_TRANSFORMS_BOUNDREADER_H
