// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// LLVM's part in the same words for the host and the GPU: target machines, passes, machine code.

#ifndef ATTN_LIB_COMPILER_CODEGENERATION_H
#define ATTN_LIB_COMPILER_CODEGENERATION_H

#include "llvm/IR/LLVMContext.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/Error.h"
#include "llvm/Target/TargetMachine.h"

namespace attn {

/// A context that prints nothing and keeps the first error for linkBitcode() and generate() to return. LLVM's own way
/// is to print it and to end the process, which may be a user's Python.
struct KernelContext : llvm::LLVMContext {
  KernelContext();
};

/// Plain x86-64: versions of a kernel name the features that they use, function by function.
llvm::Expected<std::unique_ptr<llvm::TargetMachine>> makeHostMachine();

/// sm_90a, in PTX 8.0: the oldest that has all of Hopper's instructions, which every driver since CUDA 12.0 reads.
llvm::Expected<std::unique_ptr<llvm::TargetMachine>> makeGpuMachine();

/// Gives a module the data layout and the triple of a machine.
void setMachine(llvm::Module &module, const llvm::TargetMachine &machine);

/// Parses bitcode that is embedded in this library and links it into a module of a KernelContext.
llvm::Error linkBitcode(llvm::Module &module, llvm::StringRef bitcode, unsigned flags);

/// Runs the passes that `build` makes.
void runPasses(llvm::Module &module, llvm::TargetMachine &machine,
               llvm::function_ref<llvm::ModulePassManager(llvm::PassBuilder &)> build);

/// LLVM's own passes for a level.
void optimize(llvm::Module &module, llvm::TargetMachine &machine, llvm::OptimizationLevel level);

/// Assembly text or an object's bytes, of a module of a KernelContext. An error is the first one since the context
/// began.
llvm::Expected<llvm::SmallVector<char, 0>> generate(llvm::Module &module, llvm::TargetMachine &machine,
                                                    llvm::CodeGenFileType type);

} // namespace attn

#endif // ATTN_LIB_COMPILER_CODEGENERATION_H
