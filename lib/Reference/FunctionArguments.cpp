// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Looks arguments of the kernel's function up by their place.

#include "FunctionArguments.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/STLExtras.h"
#include <limits>
#include <numeric>

using namespace mlir;
using namespace attn;
using namespace attn::reference;

InFlightDiagnostic FunctionArguments::refuse(Value value) {
  complete = false;
  return emitError(value.getLoc());
}

/// "argument 3 of type '!attn.tokens'"
static void describe(InFlightDiagnostic &error, Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    error << "argument " << argument.getArgNumber() << " of type " << value.getType();
  else
    error << "a value of type " << value.getType() << " that is no argument of the function";
}

/// What was given for `value`, if it is of this kind.
template <typename Kind> static const Kind *given(const Problem &problem, Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || !isa<FunctionOpInterface>(argument.getOwner()->getParentOp()) ||
      argument.getArgNumber() >= problem.arguments.size())
    return nullptr;
  return std::get_if<Kind>(&problem.arguments[argument.getArgNumber()]);
}

template <typename Kind> const Kind *FunctionArguments::find(Value value, const char *what) {
  const Kind *found = given<Kind>(problem, value);
  if (!found) {
    InFlightDiagnostic error = refuse(value) << "the reference was given no " << what << " for ";
    describe(error, value);
  }
  return found;
}

double FunctionArguments::number(Value value) {
  if (auto *whole = given<int64_t>(problem, value))
    return static_cast<double>(*whole);
  if (auto *real = find<double>(value, "number"))
    return value.getType().isF32() ? static_cast<float>(*real) : *real;
  return std::numeric_limits<double>::quiet_NaN();
}

const Table &FunctionArguments::table(Value value) {
  static const Table none;
  const Table *found = find<Table>(value, "run-time data");
  return found ? *found : none;
}

std::vector<int64_t> FunctionArguments::numbers(Value value) {
  const Table &given = table(value);
  std::vector<int64_t> numbers;
  for (int64_t b = 0; b < problem.batch && complete; ++b) {
    const std::vector<int32_t> &row = rowOf(given, b);
    int64_t size = row.size(), expected = isa<PerHeadType>(value.getType()) ? problem.heads : 1;
    if (size != expected && size != 1)
      refuse(value) << "the reference was given " << size << " numbers for batch " << b << "; there have to be "
                    << expected;
    else
      for (int64_t h = 0; h < problem.heads; ++h)
        numbers.push_back(row[size == 1 ? 0 : h]);
  }
  return numbers;
}

//===-- Data of several axes ------------------------------------------------------------------------------------===//

template <typename Entry> bool FunctionArguments::hasEntriesOfItsShape(Value value, const Dense<Entry> &data) {
  int64_t size = std::accumulate(data.shape.begin(), data.shape.end(), int64_t(1), std::multiplies<>());
  if (size == static_cast<int64_t>(data.entries.size()))
    return true;
  refuse(value) << "the reference was given " << data.entries.size() << " entries for a shape of " << size;
  return false;
}

const Blocks *FunctionArguments::blocks(Value value) {
  const Blocks *found = find<Blocks>(value, "blocks");
  if (!found || !hasEntriesOfItsShape(value, *found))
    return nullptr;
  ArrayRef<int64_t> shape = found->shape;
  bool perBatch = shape.size() == 4;
  auto fits = [](int64_t extent, int64_t expected) { return extent == expected || extent == 1; };
  if ((shape.size() == 3 || (perBatch && fits(shape[0], problem.batch))) && fits(shape[perBatch], problem.heads))
    return found;
  refuse(value) << "the reference was given blocks of shape [" << shape << "]; it has to be [" << problem.heads
                << ", block rows, size] or [" << problem.batch << ", " << problem.heads << ", block rows, size]";
  return nullptr;
}

/// How long an axis of the call is; nothing for other extents.
std::optional<int64_t> FunctionArguments::extentInCall(int64_t extent) const {
  switch (extent) {
  case BatchExtent:
    return problem.batch;
  case HeadsExtent:
    return problem.heads;
  case KvHeadsExtent:
    return problem.kvHeads;
  case QueriesExtent:
    return problem.length;
  case KeysExtent:
    return problem.kvLength;
  case HeadSizeExtent:
    return problem.headSize;
  default:
    return std::nullopt;
  }
}

const Array *FunctionArguments::array(Value value) {
  const Array *found = find<Array>(value, "array");
  if (!found || !hasEntriesOfItsShape(value, *found))
    return nullptr;
  ArrayRef<int64_t> extents = cast<ArrayType>(value.getType()).getExtents(), shape = found->shape;
  bool fits = llvm::equal(extents, shape, [&](int64_t extent, int64_t given) {
    std::optional<int64_t> inCall = extentInCall(extent);
    return inCall ? given == *inCall || given == 1 : given == extent || extent == AnyExtent;
  });
  if (fits)
    return found;
  refuse(value) << "the reference was given an array of shape [" << shape << "] for " << value.getType();
  return nullptr;
}
