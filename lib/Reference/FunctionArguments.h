// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a call gave for the arguments of the kernel's function: the values that patterns and scores take from outside.

#ifndef ATTN_LIB_REFERENCE_FUNCTIONARGUMENTS_H
#define ATTN_LIB_REFERENCE_FUNCTIONARGUMENTS_H

#include "attn/Reference/Reference.h"

namespace attn::reference {

class FunctionArguments {
public:
  FunctionArguments(const Problem &problem) : problem(problem) {}

  /// The number given for `value`, a block argument of the function, rounded to float if that is its type; an error and
  /// NaN where there is none.
  double number(mlir::Value value);
  /// Likewise the run-time data; an error and an empty table where there are none.
  const Table &table(mlir::Value value);

  bool areComplete() const { return complete; }

private:
  const Argument *find(mlir::Value value) const;
  void reportMissing(mlir::Value value, llvm::StringRef what);

  const Problem &problem;
  bool complete = true;
};

} // namespace attn::reference

#endif // ATTN_LIB_REFERENCE_FUNCTIONARGUMENTS_H
