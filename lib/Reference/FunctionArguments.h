// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a call gave for the arguments of the kernel's function: the values that patterns and scores take from outside.

#ifndef ATTN_LIB_REFERENCE_FUNCTIONARGUMENTS_H
#define ATTN_LIB_REFERENCE_FUNCTIONARGUMENTS_H

#include "attn/Reference/Reference.h"

namespace attn::reference {

/// The row of a table that belongs to a batch. A table of one row is shared by all batches.
template <typename Row> const Row &rowOf(const std::vector<Row> &table, int64_t batch) {
  static const Row none;
  if (table.size() == 1)
    return table.front();
  return batch < static_cast<int64_t>(table.size()) ? table[batch] : none;
}

/// Looks arguments up, and checks that they fit their types and the call. Where one does not, there is an error at the
/// value, and what is returned is of no use.
class FunctionArguments {
public:
  FunctionArguments(const Problem &problem) : problem(problem) {}

  /// The number given for `value`, a block argument of the function, rounded to float if that is its type.
  double number(mlir::Value value);
  /// Tokens, segment ids and lengths.
  const Table &table(mlir::Value value);
  /// The entries of lengths or of per-head numbers, [batch, heads].
  std::vector<int64_t> numbers(mlir::Value value);
  /// Nothing where they do not fit.
  const Blocks *blocks(mlir::Value value);
  const Array *array(mlir::Value value);

  bool areComplete() const { return complete; }

private:
  template <typename Kind> const Kind *find(mlir::Value value, const char *what);
  template <typename Entry> bool hasEntriesOfItsShape(mlir::Value value, const Dense<Entry> &data);
  std::optional<int64_t> extentInCall(int64_t extent) const;
  mlir::InFlightDiagnostic refuse(mlir::Value value);

  const Problem &problem;
  bool complete = true;
};

} // namespace attn::reference

#endif // ATTN_LIB_REFERENCE_FUNCTIONARGUMENTS_H
