// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What pictures of a pattern share.

#ifndef ATTN_LIB_COMPILER_MASK_H
#define ATTN_LIB_COMPILER_MASK_H

#include "attn/Compiler/Report.h"

namespace attn {

/// The phase that owns each query row; of several that write it, the one that the others continue.
std::vector<unsigned> ownersOf(const Plan &plan, const CallValues &values);

} // namespace attn

#endif // ATTN_LIB_COMPILER_MASK_H
