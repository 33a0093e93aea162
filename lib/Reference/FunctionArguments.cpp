// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Looks arguments of the kernel's function up by their place.

#include "FunctionArguments.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include <limits>

using namespace mlir;
using namespace attn::reference;

const Argument *FunctionArguments::find(Value value) const {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || !isa<FunctionOpInterface>(argument.getOwner()->getParentOp()))
    return nullptr;
  if (argument.getArgNumber() >= problem.arguments.size())
    return nullptr;
  return &problem.arguments[argument.getArgNumber()];
}

double FunctionArguments::number(Value value) {
  const Argument *argument = find(value);
  if (auto *whole = std::get_if<int64_t>(argument))
    return static_cast<double>(*whole);
  if (auto *real = std::get_if<double>(argument))
    return value.getType().isF32() ? static_cast<float>(*real) : *real;
  reportMissing(value, "number");
  return std::numeric_limits<double>::quiet_NaN();
}

const Table &FunctionArguments::table(Value value) {
  static const Table none;
  if (auto *table = std::get_if<Table>(find(value)))
    return *table;
  reportMissing(value, "run-time data");
  return none;
}

void FunctionArguments::reportMissing(Value value, StringRef what) {
  complete = false;
  InFlightDiagnostic error = emitError(value.getLoc()) << "the reference was given no " << what << " for ";
  if (auto argument = dyn_cast<BlockArgument>(value))
    error << "argument " << argument.getArgNumber() << " of type " << value.getType();
  else
    error << "a value of type " << value.getType() << " that is no argument of the function";
}
