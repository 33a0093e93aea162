// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checks calls that are only described, and reads the run-time data behind their pointers.

#include "CApiCall.h"
#include <cmath>

using namespace attn;
using llvm::Error;

//===-- Checking --------------------------------------------------------------------------------------------------===//

static Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), "error: " + message);
}

static Error explainRequirement(const attn_kernel_info &kernel, const attn_call &call) {
  int64_t numbers[2];
  int broken = kernel.requirement(&call, numbers);
  if (broken < 0)
    return makeError(attn_error_string(ATTN_ERROR_REQUIREMENT));
  const attn_requirement_info &requirement = kernel.requirements[broken];
  return makeError(llvm::Twine(requirement.name) + " are " + llvm::Twine(numbers[0]) + "; they have to be at least " +
                   llvm::Twine(numbers[1]) + ", " + requirement.least_name);
}

Error attn::checkCall(const attn_kernel_info &kernel, const attn_call &call) {
  // Something to point to: the kernel stops before it reads or writes through these.
  alignas(64) static char nothing[64];
  llvm::SmallVector<attn_tensor> tensors;
  if (call.tensors)
    tensors.assign(call.tensors, call.tensors + std::max(call.tensor_count, 0));
  for (int32_t i = ATTN_QUERY; i < ATTN_LSE && i < int32_t(tensors.size()); ++i)
    tensors[i].data = nothing;
  attn_call checked = call;
  checked.tensors = tensors.data();
  checked.workspace = nullptr, checked.workspace_bytes = 0, checked.executor = nullptr, checked.max_isa = 0;
  int status = kernel.run(&checked);
  if (status == ATTN_OK || status == ATTN_ERROR_WORKSPACE)
    return Error::success();
  if (status == ATTN_ERROR_REQUIREMENT)
    return explainRequirement(kernel, checked);
  return makeError(llvm::Twine(kernel.name) + ": " + attn_error_string(status));
}

//===-- Reading ---------------------------------------------------------------------------------------------------===//

/// The tensor, or null where its default is meant.
static const attn_tensor *givenTensor(const attn_call &call, unsigned tensor) {
  bool isGiven = int32_t(tensor) < call.tensor_count && call.tensors[tensor].rank > 0;
  return isGiven ? &call.tensors[tensor] : nullptr;
}

/// Rows [rows, size] of integers, `stride` apart.
static reference::Table readRows(const int32_t *data, int64_t rows, int64_t stride, int64_t size) {
  reference::Table table;
  for (int64_t row = 0; row < rows; ++row)
    table.emplace_back(data + row * stride, data + row * stride + size);
  return table;
}

/// Tokens, segments, lengths or per-head numbers. Lengths are a column, the others a row that all batches share, or one
/// for each batch.
static reference::Table readTable(const attn_tensor_info &info, const attn_tensor *given) {
  const bool isColumn = info.role == ATTN_LENGTHS;
  if (!given)
    return isColumn ? readRows(info.default_values, info.default_count, 1, 1)
                    : readRows(info.default_values, 1, 0, info.default_count);
  const auto *data = static_cast<const int32_t *>(given->data);
  if (isColumn)
    return readRows(data, given->shape[0], given->strides[0], 1);
  return given->rank == 1 ? readRows(data, 1, 0, given->shape[0])
                          : readRows(data, given->shape[0], given->strides[0], given->shape[1]);
}

/// Any tensor as a dense one. An axis whose stride is 0 shares an entry.
template <typename Entry> static reference::Dense<Entry> readDense(const attn_tensor &tensor) {
  reference::Dense<Entry> dense;
  int64_t count = 1;
  for (int32_t axis = 0; axis < tensor.rank; ++axis) {
    bool isShared = tensor.strides[axis] == 0 && tensor.shape[axis] > 0;
    dense.shape.push_back(isShared ? 1 : tensor.shape[axis]);
    count *= dense.shape.back();
  }
  const auto *data = static_cast<const Entry *>(tensor.data);
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i, offset = 0;
    for (int32_t axis = tensor.rank; axis-- > 0; rest /= dense.shape[axis])
      offset += rest % dense.shape[axis] * tensor.strides[axis];
    dense.entries.push_back(data[offset]);
  }
  return dense;
}

static attn_scalar scalarOf(const attn_kernel_info &info, const attn_call &call, unsigned scalar) {
  return int32_t(scalar) < call.scalar_count ? call.scalars[scalar] : info.scalars[scalar].default_value;
}

/// The value of an argument of the kernel's function.
static reference::Argument argumentOf(const KernelLayout &layout, const attn_kernel_info &info, const attn_call &call,
                                      mlir::BlockArgument argument) {
  const unsigned number = argument.getArgNumber();
  const mlir::Type type = argument.getType();
  if (type.isIndex())
    return scalarOf(info, call, layout.scalarOfArgument(number)).index;
  if (type.isF32())
    return scalarOf(info, call, layout.scalarOfArgument(number)).number;
  const unsigned tensor = layout.tensorOfArgument(number);
  const attn_tensor *given = givenTensor(call, tensor);
  if (mlir::isa<ArrayType, mlir::TensorType>(type))
    return given ? reference::Argument(readDense<float>(*given)) : std::monostate();
  if (mlir::isa<BlocksType>(type))
    return readDense<int32_t>(*given);
  return readTable(info.tensors[tensor], given);
}

reference::Problem attn::problemOf(const KernelSource &kernel, const attn_kernel_info &info, const attn_call &call) {
  const attn_tensor &query = call.tensors[ATTN_QUERY], &key = call.tensors[ATTN_KEY];
  const bool hasOffset = call.flags & ATTN_HAS_QUERY_OFFSET;
  reference::Problem problem;
  problem.element = info.element == ATTN_F32    ? reference::Element::F32
                    : info.element == ATTN_BF16 ? reference::Element::BF16
                                                : reference::Element::F16;
  problem.batch = query.shape[0], problem.heads = query.shape[1], problem.length = query.shape[2];
  problem.kvHeads = key.shape[1], problem.kvLength = key.shape[2];
  problem.headSize = info.head_size, problem.valueHeadSize = info.value_head_size;
  problem.keyOffset = call.key_offset;
  problem.queryOffset = hasOffset ? call.query_offset : call.key_offset + problem.kvLength - problem.length;
  problem.topLeftOffset = hasOffset ? call.query_offset : 0;
  problem.scale = call.flags & ATTN_HAS_SCALE ? call.scale : 1 / std::sqrt(static_cast<double>(info.head_size));
  problem.arguments.assign(3, std::monostate());
  mlir::func::FuncOp function = kernel.function();
  for (mlir::BlockArgument argument : function.getArguments().drop_front(3))
    problem.arguments.push_back(argumentOf(kernel.layout, info, call, argument));
  return problem;
}
