// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The group function of kernels whose products are AMX tiles and whose scores are plain.

#ifndef ATTN_LIB_CODEGEN_CPU_TILEPIPELINE_H
#define ATTN_LIB_CODEGEN_CPU_TILEPIPELINE_H

#include "Parts.h"

namespace attn::cpu {

/// Query rows of a group, and keys of a step.
inline constexpr int64_t pipelineRows = 32, pipelineStep = 32;
/// Keys of a tile: a pipeline has to be filled for each, and those of one stay in a core's second cache for all groups.
inline constexpr int64_t pipelineKeys = 1024;

/// Whether a kernel's group functions are such.
bool isPipelined(const Kernel &kernel);
mlir::func::FuncOp writeTilePipeline(const Kernel &kernel, llvm::StringRef name, Mask mask);

} // namespace attn::cpu

#endif // ATTN_LIB_CODEGEN_CPU_TILEPIPELINE_H
