// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a tool does when memory runs out: one line on stderr, and exit code 2.
#ifndef ATTN_TOOLS_COMMON_MEMORY_H
#define ATTN_TOOLS_COMMON_MEMORY_H

namespace attn_tools {

/// Call it once, at the start of main (behind llvm::InitLLVM, which has a handler of its own).
void refuseWhenOutOfMemory();

} // namespace attn_tools

#endif // ATTN_TOOLS_COMMON_MEMORY_H
