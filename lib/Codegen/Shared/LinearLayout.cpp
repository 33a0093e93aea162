// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Numbers what a linear kernel has: its states are tensors of the call that may be left out.

#include "../../Runtime/kernel.h"
#include "attn/Codegen/KernelLayout.h"

using namespace mlir;
using namespace attn;

static_assert(static_cast<int>(LinearForm::Full) == ATTN_LINEAR_FULL &&
                  static_cast<int>(LinearForm::Causal) == ATTN_LINEAR_CAUSAL &&
                  static_cast<int>(LinearForm::Step) == ATTN_LINEAR_STEP,
              "the dialect and the runtime number forms alike");

LogicalResult KernelLayout::addLinear(func::FuncOp function, LinearAttentionOp op) {
  element = op.getQuery().getType().getElementType();
  headSize = op.getQuery().getType().getDimSize(3);
  valueHeadSize = op.getValue().getType().getDimSize(3);
  if (failed(addArguments(function, {op.getQuery(), op.getKey(), op.getValue()}, op.getState())))
    return failure();
  addSymbols(function);

  // Rows of a state are a multiple of every micro-tile's, and its columns of every vector's.
  linear = LinearLayout{op.getForm(), -1, -1, (headSize + 7) / 8 * 8, (valueHeadSize + 16) / 16 * 16};
  SmallVector<int64_t, 4> extents{BatchExtent, KvHeadsExtent, HeadSizeExtent, valueHeadSize + 1};
  SmallVector<int32_t> nothing; // as a default: the tensor may be left out
  if (op.getState()) {
    linear->stateIn = tensorOf(op.getState());
    tensors[linear->stateIn].defaultValues = nothing;
    tensors[linear->stateIn].extents = extents;
  }
  if (llvm::is_contained(function.front().getTerminator()->getOperands(), op.getNextState())) {
    linear->stateOut = tensors.size();
    tensors.push_back({"state_out", ATTN_STATE_OUT, nothing, std::nullopt, extents});
  }
  viewCount = tensors.size();
  return success();
}
