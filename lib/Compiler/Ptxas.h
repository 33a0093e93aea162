// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs ptxas, NVIDIA's assembler.

#ifndef ATTN_LIB_COMPILER_PTXAS_H
#define ATTN_LIB_COMPILER_PTXAS_H

#include "attn/Compiler/Compiler.h"

namespace attn {

/// The path of ptxas: what the variable ATTN_PTXAS says ("": none), else the first of PATH, CUDA_HOME/bin,
/// CUDA_PATH/bin, /usr/local/cuda/bin, and the package nvidia-cuda-nvcc of Python's active virtual environment. Empty
/// if there is none.
std::string findPtxas();

/// A cubin of PTX; what ptxas says of it is added to the report.
llvm::Expected<std::string> assemble(llvm::StringRef ptxas, llvm::StringRef ptx, PtxasReport &report);

} // namespace attn

#endif // ATTN_LIB_COMPILER_PTXAS_H
