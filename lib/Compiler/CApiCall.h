// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A call of the C ABI as the reference and the report take it.

#ifndef ATTN_LIB_COMPILER_CAPICALL_H
#define ATTN_LIB_COMPILER_CAPICALL_H

#include "attn/Compiler/Report.h"

namespace attn {

/// Success if `kernel`, which was compiled for this CPU, would run the call. Query, key, value, output, lse and
/// workspace may be missing. Asked of the kernel itself: a call without workspace is checked and then refused.
llvm::Error checkCall(const attn_kernel_info &kernel, const attn_call &call);

/// The call, which was checked, without query, key and value.
reference::Problem problemOf(const KernelSource &kernel, const attn_kernel_info &info, const attn_call &call);

} // namespace attn

#endif // ATTN_LIB_COMPILER_CAPICALL_H
