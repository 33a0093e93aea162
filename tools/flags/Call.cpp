// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Hands calls to the reference and the report.
#include "flags/Call.h"

#include "common/Expectation.h"
#include "common/Explain.h"

#include <cmath>

namespace reference = attn::reference;

namespace attn_tools {

/// The value of an argument of the kernel's function.
static reference::Argument argumentOf(const attn::KernelLayout &layout, const CallArguments &arguments,
                                      mlir::BlockArgument argument) {
  unsigned number = argument.getArgNumber();
  if (argument.getType().isIndex() || argument.getType().isF32()) {
    const attn_scalar &scalar = arguments.scalars[layout.scalarOfArgument(number)];
    return argument.getType().isF32() ? reference::Argument(scalar.number) : reference::Argument(scalar.index);
  }
  const int32_t tensor = static_cast<int32_t>(layout.tensorOfArgument(number));
  const bool isState = mlir::isa<mlir::TensorType>(argument.getType());
  if (isState && arguments.tensors[tensor].rank == 0)
    return std::monostate();
  if (isState || mlir::isa<attn::ArrayType>(argument.getType())) {
    Numbers numbers = arguments.arrayOf(tensor);
    return reference::Array{std::move(numbers.shape), std::move(numbers.values)};
  }
  if (mlir::isa<attn::BlocksType>(argument.getType())) {
    Integers blocks = arguments.blocksOf(tensor);
    return reference::Blocks{std::move(blocks.shape), std::move(blocks.values)};
  }
  reference::Table table;
  for (int64_t b = 0; b < arguments.batch; ++b)
    table.push_back(arguments.valuesOf(tensor, b));
  return table;
}

reference::Problem problemOf(const attn::KernelSource &kernel, const CallArguments &arguments) {
  reference::Problem problem;
  problem.element = referenceElementOf(arguments.info().element);
  problem.batch = arguments.batch, problem.heads = arguments.heads, problem.kvHeads = arguments.kvHeads;
  problem.length = arguments.length, problem.kvLength = arguments.kvLength;
  problem.headSize = arguments.info().head_size, problem.valueHeadSize = arguments.info().value_head_size;
  problem.queryOffset = arguments.queryOffset, problem.keyOffset = arguments.keyOffset;
  problem.topLeftOffset = arguments.givenQueryOffset.value_or(0);
  problem.scale = 1 / std::sqrt(static_cast<double>(problem.headSize));
  problem.arguments.assign(3, std::monostate());
  mlir::func::FuncOp function = kernel.function();
  for (mlir::BlockArgument argument : function.getArguments().drop_front(3))
    problem.arguments.push_back(argumentOf(kernel.layout, arguments, argument));
  return problem;
}

/// The first requirement that a call breaks.
static std::string explainRequirements(const attn::KernelSource &kernel, const CallArguments &arguments) {
  const attn::reference::Problem call = problemOf(kernel, arguments);
  const std::vector<attn::CallValues> calls = attn::bindCalls(kernel, call);
  const attn_requirement_info *infos = arguments.info().requirements;
  for (auto [i, requirement] : llvm::enumerate(kernel.layout.requirements))
    for (const attn::CallValues &values : calls) {
      int64_t value = requirement.getValue().evaluate(0, values.symbols);
      int64_t least = requirement.getLeast().evaluate(0, values.symbols);
      if (value < least)
        return explainRequirement(infos[i], value, least);
    }
  return "";
}

std::string explainCall(const attn::KernelSource &kernel, const CallArguments &arguments) {
  std::string fault = explainArguments(arguments);
  const bool hasRows = arguments.batch > 0 && arguments.heads > 0 && arguments.length > 0;
  const bool isJudged = !fault.empty() || !hasRows || kernel.layout.requirements.empty();
  return isJudged ? fault : explainRequirements(kernel, arguments);
}

} // namespace attn_tools
