// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loads an object into this process.

#include "attn/Compiler/Compiler.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/TargetSelect.h"

using namespace attn;
using llvm::Error;
using llvm::Expected;

struct LoadedKernels::Engine {
  std::unique_ptr<llvm::orc::LLJIT> jit;
};

LoadedKernels::LoadedKernels() = default;
LoadedKernels::LoadedKernels(LoadedKernels &&) = default;
LoadedKernels::~LoadedKernels() = default;

Expected<LoadedKernels> LoadedKernels::load(std::unique_ptr<llvm::MemoryBuffer> object) {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  auto jit = llvm::orc::LLJITBuilder().create();
  if (!jit)
    return jit.takeError();
  if (Error error = (*jit)->addObjectFile(std::move(object)))
    return error;
  auto table = (*jit)->lookup("attn_kernels");
  if (!table)
    return table.takeError();
  LoadedKernels loaded;
  for (auto *info = table->toPtr<const attn_kernel_info **>(); *info; ++info)
    loaded.infos.push_back(*info);
  loaded.engine = std::make_unique<Engine>(Engine{std::move(*jit)});
  return loaded;
}

const attn_kernel_info *LoadedKernels::find(llvm::StringRef name) const {
  for (const attn_kernel_info *info : infos)
    if (name == info->name)
      return info;
  return nullptr;
}
