// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What runCall does with a GPU kernel: it copies the call's memory to the GPU and the outputs back.
#ifndef ATTN_TOOLS_COMMON_RUNONGPU_H
#define ATTN_TOOLS_COMMON_RUNONGPU_H

#include "common/RunCall.h"

namespace attn_tools {

/// Runs the call `untimed` and then flags.repeat times. What can be wrong with the arguments is said before any copy.
Result<RunReport> runOnGpu(const CallArguments &arguments, const CallFlags &flags, int64_t untimed);

} // namespace attn_tools

#endif // ATTN_TOOLS_COMMON_RUNONGPU_H
