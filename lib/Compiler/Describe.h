// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes a kernel's description (lib/Runtime/kernel.h) and its entry points into an LLVM module.

#ifndef ATTN_LIB_COMPILER_DESCRIBE_H
#define ATTN_LIB_COMPILER_DESCRIBE_H

#include "attn/Codegen/GpuKernel.h"
#include "attn/Codegen/Isa.h"
#include "llvm/IR/Module.h"

namespace attn {

/// Adds NAME, NAME_workspace_bytes, NAME_isa, NAME_requirement and NAME_info for a CPU kernel whose parts the module
/// holds, written for `isas`, best first. Without its parts a kernel cannot run. Returns NAME_info.
llvm::GlobalVariable *describeKernel(llvm::Module &module, const KernelLayout &layout, llvm::StringRef target,
                                     llvm::ArrayRef<const Isa *> isas);

/// The same for a GPU kernel, and NAME_load and NAME_unload. The host module gets the GPU's code as data.
llvm::GlobalVariable *describeGpuKernel(llvm::Module &module, const KernelLayout &layout, llvm::StringRef target,
                                        const GpuCode &code);

/// How the functions of a GPU kernel are launched, without their code.
GpuCode describeLaunches(const KernelLayout &layout);

/// What attn_tensor_info says of a tensor's blocks; 0 for other tensors.
int64_t blockOf(const KernelLayout &layout, unsigned tensor);

/// The functions of lib/Runtime/device/prologue.c that a GPU kernel launches: its code has to hold them by these names.
llvm::SmallVector<llvm::StringRef> prologueFunctions(const KernelLayout &layout);

/// Adds the weak table `attn_kernels` by which attn-call finds the kernels of a shared library.
void listKernels(llvm::Module &module, llvm::ArrayRef<llvm::GlobalVariable *> infos);

} // namespace attn

#endif // ATTN_LIB_COMPILER_DESCRIBE_H
