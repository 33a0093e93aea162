// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The parts of a linear kernel (attn_linear_parts in lib/Runtime/kernel.h), one set for each instruction set.

#ifndef ATTN_LIB_CODEGEN_CPU_LINEAR_H
#define ATTN_LIB_CODEGEN_CPU_LINEAR_H

#include "Frame.h"

namespace attn::cpu {

/// Writes NAME.keys.ISA, NAME.absorb.ISA and NAME.rows.ISA.
void emitLinear(mlir::ModuleOp module, LinearAttentionOp op, const KernelLayout &layout, const Isa &isa);

/// Bytes of a worker's scratch memory.
int64_t linearScratchBytes(const KernelLayout &layout, const Isa &isa);

} // namespace attn::cpu

#endif // ATTN_LIB_CODEGEN_CPU_LINEAR_H
