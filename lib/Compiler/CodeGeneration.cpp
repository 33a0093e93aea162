// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Target machines, passes, machine code.

#include "CodeGeneration.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/DiagnosticHandler.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Linker/Linker.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"

using namespace attn;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

static Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), "error: " + message);
}

//===-- Errors ----------------------------------------------------------------------------------------------------===//

namespace {
struct ErrorKeeper : llvm::DiagnosticHandler {
  bool handleDiagnostics(const llvm::DiagnosticInfo &info) override {
    if (info.getSeverity() == llvm::DS_Error && first.empty()) {
      llvm::raw_string_ostream os(first);
      llvm::DiagnosticPrinterRawOStream printer(os);
      info.print(printer);
    }
    return true; // whatever it was
  }
  std::string first;
};
} // namespace

KernelContext::KernelContext() { setDiagnosticHandler(std::make_unique<ErrorKeeper>()); }

/// The first error of a KernelContext, on one line.
static Error firstErrorOf(const llvm::LLVMContext &context) {
  StringRef text = static_cast<const ErrorKeeper *>(context.getDiagHandlerPtr())->first;
  return text.empty() ? Error::success() : makeError("LLVM cannot compile this: " + text.split('\n').first);
}

//===-- Machines and passes ---------------------------------------------------------------------------------------===//

static Expected<std::unique_ptr<llvm::TargetMachine>> makeMachine(StringRef name, StringRef processor,
                                                                  StringRef features) {
  llvm::Triple triple(name);
  std::string message;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, message);
  if (!target)
    return makeError(message);
  return std::unique_ptr<llvm::TargetMachine>(
      target->createTargetMachine(triple, processor, features, llvm::TargetOptions(), llvm::Reloc::PIC_, std::nullopt,
                                  llvm::CodeGenOptLevel::Aggressive));
}

Expected<std::unique_ptr<llvm::TargetMachine>> attn::makeHostMachine() {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  LLVMInitializeX86AsmParser();
  return makeMachine("x86_64-pc-linux-gnu", "x86-64", "");
}

Expected<std::unique_ptr<llvm::TargetMachine>> attn::makeGpuMachine() {
  LLVMInitializeNVPTXTargetInfo();
  LLVMInitializeNVPTXTarget();
  LLVMInitializeNVPTXTargetMC();
  LLVMInitializeNVPTXAsmPrinter();
  return makeMachine("nvptx64-nvidia-cuda", "sm_90a", "+ptx80");
}

void attn::setMachine(llvm::Module &module, const llvm::TargetMachine &machine) {
  module.setDataLayout(machine.createDataLayout());
  module.setTargetTriple(machine.getTargetTriple());
}

Error attn::linkBitcode(llvm::Module &module, StringRef bitcode, unsigned flags) {
  auto linked = llvm::parseBitcodeFile(llvm::MemoryBufferRef(bitcode, "runtime"), module.getContext());
  if (!linked)
    return linked.takeError();
  llvm::Linker::linkModules(module, std::move(*linked), flags);
  return firstErrorOf(module.getContext());
}

void attn::runPasses(llvm::Module &module, llvm::TargetMachine &machine,
                     llvm::function_ref<llvm::ModulePassManager(llvm::PassBuilder &)> build) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PipelineTuningOptions tuning;
  tuning.LoopUnrolling = false; // the emitters unroll by themselves
  llvm::PassBuilder builder(&machine, tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  build(builder).run(module, modules);
}

void attn::optimize(llvm::Module &module, llvm::TargetMachine &machine, llvm::OptimizationLevel level) {
  runPasses(module, machine, [&](llvm::PassBuilder &builder) { return builder.buildPerModuleDefaultPipeline(level); });
}

Expected<llvm::SmallVector<char, 0>> attn::generate(llvm::Module &module, llvm::TargetMachine &machine,
                                                    llvm::CodeGenFileType type) {
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream os(bytes);
  llvm::legacy::PassManager pm;
  if (machine.addPassesToEmitFile(pm, os, nullptr, type))
    return makeError(machine.getTargetTriple().str() + " has no such kind of file");
  pm.run(module);
  if (Error error = firstErrorOf(module.getContext()))
    return error;
  return bytes;
}
