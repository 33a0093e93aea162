// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is wrong with a call, with the value at fault and the cure.
#ifndef ATTN_TOOLS_COMMON_EXPLAIN_H
#define ATTN_TOOLS_COMMON_EXPLAIN_H

#include "common/CallArguments.h"

namespace attn_tools {

/// What a status other than ATTN_OK means for this call.
std::string explainStatus(const CallArguments &arguments, int status, int32_t maxIsa);

/// What is wrong with the arguments themselves, in the same words, for callers that run nothing; empty: nothing.
/// Requirements are looked at where the kernel can be asked for them.
std::string explainArguments(const CallArguments &arguments);

/// A requirement that a call breaks: "rows of the grid are 5; they have to be at least 7, rows of the neighborhood".
std::string explainRequirement(const attn_requirement_info &requirement, int64_t value, int64_t least);

} // namespace attn_tools

#endif // ATTN_TOOLS_COMMON_EXPLAIN_H
