// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A call of a kernel of the compiler, where the tools know more of it than the C ABI says.
#ifndef ATTN_TOOLS_FLAGS_CALL_H
#define ATTN_TOOLS_FLAGS_CALL_H

#include "attn/Compiler/Report.h"
#include "common/CallArguments.h"

namespace attn_tools {

/// A call as the reference and the report take it, without query, key and value.
attn::reference::Problem problemOf(const attn::KernelSource &kernel, const CallArguments &arguments);

/// What is wrong with a call of a kernel that is not compiled yet; empty: nothing.
std::string explainCall(const attn::KernelSource &kernel, const CallArguments &arguments);

} // namespace attn_tools

#endif // ATTN_TOOLS_FLAGS_CALL_H
