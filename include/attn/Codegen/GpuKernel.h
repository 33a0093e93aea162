// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a compiled GPU kernel is to the object writer: its code, and how each of its functions is launched. The emitter
// knows the launches, code generation the bytes; lib/Runtime/gpu.h says what the host does with them.

#ifndef ATTN_CODEGEN_GPUKERNEL_H
#define ATTN_CODEGEN_GPUKERNEL_H

#include "attn/Codegen/KernelLayout.h"

namespace attn {

/// One version of a phase; the fields are attn_gpu_function's.
struct GpuFunctionInfo {
  std::string name; // in the module; empty where this version does not exist
  int threads = 0;
  int sharedBytes = 0;
  int tileRows = 0;
  int tileKeys = 0;
  int storeRows = 0;
  bool isPersistent = false;
};

/// Runs of rows, over the symbols of a call; attn_gpu_runs's.
struct GpuRuns {
  Expr modulus, first, width;
};

/// The versions of one phase: through tensor maps, for strides that these cannot hold, and for few keys.
struct GpuPhaseInfo {
  GpuFunctionInfo tiled, strided, compact;
  int64_t compactKeys = 0;        // the most for which `compact` is taken
  std::optional<GpuRuns> runs;    // of keys that are read run by run
  std::optional<GridLayout> grid; // of a phase over patches
};

/// The launches of linear attention; attn_gpu_linear's.
struct GpuLinearInfo {
  GpuFunctionInfo absorb, sum, rows;
};

struct GpuCode {
  std::string cubin; // empty where there is no ptxas
  std::string ptx;
  std::vector<GpuPhaseInfo> phases;
  std::optional<GpuLinearInfo> linear; // of linear attention, which has no phases
};

} // namespace attn

#endif // ATTN_CODEGEN_GPUKERNEL_H
