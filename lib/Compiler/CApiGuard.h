// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The wall between the C API and what must not leave it: exceptions, and errors after which LLVM ends the process.

#ifndef ATTN_LIB_COMPILER_CAPIGUARD_H
#define ATTN_LIB_COMPILER_CAPIGUARD_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

namespace attn {

/// Runs `work` and returns what the C API returns: NULL, or an error's text in memory of malloc's, whose first line
/// says "error: ". Fatal errors of LLVM's and exceptions (memory that is not to be had) in this thread become such a
/// text, too; what `work` held is lost then.
char *runGuarded(llvm::function_ref<llvm::Error()> work);

} // namespace attn

#endif // ATTN_LIB_COMPILER_CAPIGUARD_H
