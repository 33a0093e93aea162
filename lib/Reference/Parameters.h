// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pairs, and what atoms and coordinates take: numbers that may differ by batch and head, and run-time data.

#ifndef ATTN_LIB_REFERENCE_PARAMETERS_H
#define ATTN_LIB_REFERENCE_PARAMETERS_H

#include "FunctionArguments.h"
#include "llvm/ADT/DenseMap.h"

namespace attn::reference {

/// A pair as atoms see it: by positions. Query row i stands at query offset + i, key row j at key offset + j. To an
/// atom on a coordinate, `query` and `key` are its values.
struct Pair {
  int64_t batch, head, query, key;
};

/// A parameter. It looks at the pair's batch and head alone.
using Number = std::function<int64_t(const Pair &)>;

/// Reads the operands of atoms and coordinates. What cannot be evaluated is an error at its op.
class Parameters {
public:
  explicit Parameters(const Problem &problem) : call(problem), arguments(problem) {}

  const Problem &problem() const { return call; }
  FunctionArguments &data() { return arguments; }

  /// A literal, or a value computed from the function's arguments; nothing where neither is written.
  std::optional<Number> find(mlir::Value value, mlir::IntegerAttr literal);
  /// The same, of which it is known to be written and which has to be at least `least`. `name` is that of the message.
  Number read(mlir::Operation *op, llvm::StringRef name, mlir::Value value, mlir::IntegerAttr literal, int64_t least);
  /// A list of literals and values, as coordinates have them. It is read once for all of an op's coordinates.
  std::vector<Number> read(mlir::Operation *op, llvm::StringRef name, mlir::OperandRange values,
                           llvm::ArrayRef<int64_t> literals, int64_t least);
  /// Reports the first batch and head for which `number` is less than `least`; `cure` follows the two numbers.
  void require(mlir::Operation *op, llvm::StringRef name, const Number &number, const Number &least,
               llvm::StringRef cure = "");

  void refuse(mlir::Location where, const llvm::Twine &why);
  bool areComplete() const { return complete && arguments.areComplete(); }

private:
  const Problem &call;
  FunctionArguments arguments;
  llvm::DenseMap<mlir::Operation *, std::vector<Number>> lists;
  bool complete = true;
};

/// a / b rounded toward minus infinity, so that the block before position 0 is block -1; b is positive.
int64_t floorDivide(int64_t a, int64_t b);
/// What is left then, in [0, b).
int64_t floorRest(int64_t a, int64_t b);
int64_t ceilDivide(int64_t a, int64_t b);

} // namespace attn::reference

#endif // ATTN_LIB_REFERENCE_PARAMETERS_H
