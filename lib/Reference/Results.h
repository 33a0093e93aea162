// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What evaluations of both kinds of attention begin with.

#ifndef ATTN_LIB_REFERENCE_RESULTS_H
#define ATTN_LIB_REFERENCE_RESULTS_H

#include "attn/Reference/Reference.h"

namespace attn::reference {

/// Tensors have as many values as their shapes say, and query heads share key heads evenly; an error at the op if not.
llvm::LogicalResult checkSizes(mlir::Operation *op, const Problem &problem);

/// Results in which nothing has been computed: all NaN if it never will be.
Result emptyResult(const Problem &problem, bool complete);

} // namespace attn::reference

#endif // ATTN_LIB_REFERENCE_RESULTS_H
