// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a call gave for the arguments of the kernel's function: the values that patterns and scores take from outside.

#ifndef ATTN_LIB_REFERENCE_CALLARGUMENTS_H
#define ATTN_LIB_REFERENCE_CALLARGUMENTS_H

#include "attn/Reference/Reference.h"

namespace attn::reference {

class CallArguments {
public:
  CallArguments(const Problem &problem) : problem(problem) {}

  /// The number given for a block argument of the function; an error and NaN where there is none.
  double number(mlir::Value argument);
  /// The run-time data given for a block argument of the function; an error and an empty table where there are none.
  const Table &table(mlir::Value argument);

  bool areComplete() const { return complete; }

private:
  const Argument *find(mlir::Value argument) const;
  void reportMissing(mlir::Value argument, llvm::StringRef what);

  const Problem &problem;
  bool complete = true;
};

} // namespace attn::reference

#endif // ATTN_LIB_REFERENCE_CALLARGUMENTS_H
