// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the llvm dialect to LLVM IR, assembly and objects. The entry point in C joins as bitcode; whatever is not part
// of the C ABI gets internal linkage, so that any number of objects can be linked into one program.

#include "CodeGeneration.h"
#include "Describe.h"
#include "attn/Codegen/Isa.h"
#include "attn/Compiler/Compiler.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/Linker/Linker.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Transforms/Instrumentation/AddressSanitizer.h"

using namespace mlir;
using namespace attn;
using llvm::Error;
using llvm::Expected;

extern "C" const unsigned char attnRuntimeBitcode[];
extern "C" const size_t attnRuntimeBitcodeSize;
extern "C" const unsigned char attnGpuRuntimeBitcode[];
extern "C" const size_t attnGpuRuntimeBitcodeSize;

static Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), "error: " + message);
}

static StringRef bitcodeOfRuntime(bool isForGpu) {
  if (isForGpu)
    return {reinterpret_cast<const char *>(attnGpuRuntimeBitcode), attnGpuRuntimeBitcodeSize};
  return {reinterpret_cast<const char *>(attnRuntimeBitcode), attnRuntimeBitcodeSize};
}

/// Adds the entry point and hides everything but the C ABI.
static Error linkRuntime(llvm::Module &module, StringRef bitcode, ArrayRef<KernelSource> kernels) {
  if (Error error = linkBitcode(module, bitcode, llvm::Linker::LinkOnlyNeeded))
    return error;
  llvm::StringSet<> exported{"attn_kernels"};
  for (const KernelSource &kernel : kernels)
    for (StringRef suffix : {"", "_workspace_bytes", "_isa", "_requirement", "_load", "_unload", "_info"})
      exported.insert((kernel.layout.name + suffix).str());
  for (llvm::GlobalValue &value : module.global_values()) {
    if (value.isDeclaration())
      continue;
    bool isExported = exported.contains(value.getName());
    if (!isExported)
      value.setLinkage(llvm::GlobalValue::InternalLinkage);
    value.setVisibility(llvm::GlobalValue::DefaultVisibility);
  }
  return Error::success();
}

bool attn::isBuiltWithAddressSanitizer() {
#if __has_feature(address_sanitizer)
  return true;
#else
  return false;
#endif
}

static void instrument(llvm::Module &module, llvm::TargetMachine &machine) {
  for (llvm::Function &function : module)
    if (!function.isDeclaration())
      function.addFnAttr(llvm::Attribute::SanitizeAddress);
  runPasses(module, machine, [](llvm::PassBuilder &) {
    llvm::ModulePassManager passes;
    passes.addPass(llvm::AddressSanitizerPass(llvm::AddressSanitizerOptions()));
    return passes;
  });
}

/// The CPU's kernels, and what describes them.
Expected<std::unique_ptr<llvm::Module>> Compilation::translateKernels(llvm::LLVMContext &llvmContext, Infos &infos) {
  if (Error error = lowerTo(Stage::LLVMDialect))
    return error;
  std::unique_ptr<llvm::Module> module = translateModuleToLLVMIR(*work, llvmContext, "attn");
  if (!module)
    return makeError("the module cannot be translated to LLVM IR");
  for (const KernelSource &kernel : sources)
    infos.push_back(describeKernel(*module, kernel.layout, opts.target, Isa::versionsOf(kernel.layout, opts.isas)));
  return module;
}

/// The GPU's kernels are data to the host.
Expected<std::unique_ptr<llvm::Module>> Compilation::embedKernels(llvm::LLVMContext &llvmContext, Infos &infos) {
  auto module = std::make_unique<llvm::Module>("attn", llvmContext);
  for (const KernelSource &kernel : sources) {
    Expected<GpuCode> code = compileForGpu(kernel);
    if (!code)
      return code.takeError();
    infos.push_back(describeGpuKernel(*module, kernel.layout, opts.target, *code));
  }
  return module;
}

std::unique_ptr<llvm::Module> Compilation::describeWithoutCode(llvm::LLVMContext &llvmContext, Infos &infos) const {
  auto module = std::make_unique<llvm::Module>("attn", llvmContext);
  for (const KernelSource &kernel : sources)
    infos.push_back(
        isForGpu() ? describeGpuKernel(*module, kernel.layout, opts.target, describeLaunches(kernel.layout))
                   : describeKernel(*module, kernel.layout, opts.target, Isa::versionsOf(kernel.layout, opts.isas)));
  return module;
}

/// Makes descriptions, and what code there is, a module with entry points.
Error Compilation::finishForHost(llvm::Module &module, const Infos &infos) const {
  auto machine = makeHostMachine();
  if (!machine)
    return machine.takeError();
  setMachine(module, **machine);
  listKernels(module, infos);
  // The entry point is optimized already. Level 1 is enough: the emitter unrolls and vectorizes by itself.
  optimize(module, **machine, llvm::OptimizationLevel::O1);
  if (Error error = linkRuntime(module, bitcodeOfRuntime(isForGpu()), sources))
    return error;
  if (opts.sanitizeAddress)
    instrument(module, **machine);
  return Error::success();
}

Expected<std::unique_ptr<llvm::Module>> Compilation::translateForHost(llvm::LLVMContext &llvmContext) {
  Infos infos;
  auto module = isForGpu() ? embedKernels(llvmContext, infos) : translateKernels(llvmContext, infos);
  if (!module)
    return module.takeError();
  if (Error error = finishForHost(**module, infos))
    return error;
  return module;
}

/// Machine code for the host.
static Expected<llvm::SmallVector<char, 0>> generateForHost(llvm::Module &module, llvm::CodeGenFileType type) {
  auto machine = makeHostMachine();
  if (!machine)
    return machine.takeError();
  return generate(module, **machine, type);
}

static Expected<std::unique_ptr<llvm::MemoryBuffer>> generateObject(llvm::Module &module) {
  auto bytes = generateForHost(module, llvm::CodeGenFileType::ObjectFile);
  if (!bytes)
    return bytes.takeError();
  return std::make_unique<llvm::SmallVectorMemoryBuffer>(std::move(*bytes), "kernel.o",
                                                         /*RequiresNullTerminator=*/false);
}

Expected<std::unique_ptr<llvm::MemoryBuffer>> Compilation::emitObject() {
  KernelContext llvmContext;
  auto module = translateForHost(llvmContext);
  if (!module)
    return module.takeError();
  return generateObject(**module);
}

Expected<std::unique_ptr<llvm::MemoryBuffer>> Compilation::emitDescription() {
  KernelContext llvmContext;
  Infos infos;
  std::unique_ptr<llvm::Module> module = describeWithoutCode(llvmContext, infos);
  if (Error error = finishForHost(*module, infos))
    return error;
  return generateObject(*module);
}

Expected<std::string> Compilation::emitLLVM() {
  KernelContext llvmContext;
  auto translate = [&]() -> Expected<std::unique_ptr<llvm::Module>> {
    if (!isForGpu())
      return translateForHost(llvmContext);
    Expected<const KernelSource *> kernel = onlyKernel("LLVM IR");
    if (!kernel)
      return kernel.takeError();
    return translateForGpu(llvmContext, **kernel);
  };
  auto module = translate();
  if (!module)
    return module.takeError();
  std::string text;
  llvm::raw_string_ostream os(text);
  (*module)->print(os, nullptr);
  return text;
}

Expected<std::string> Compilation::emitAssembly() {
  if (isForGpu())
    return emitPtx();
  KernelContext llvmContext;
  auto module = translateForHost(llvmContext);
  if (!module)
    return module.takeError();
  auto bytes = generateForHost(**module, llvm::CodeGenFileType::AssemblyFile);
  if (!bytes)
    return bytes.takeError();
  return std::string(bytes->begin(), bytes->end());
}

/// The linker's own words, less the name it begins them with.
static std::string firstLineOf(StringRef path) {
  auto text = llvm::MemoryBuffer::getFile(path);
  StringRef line = text ? (*text)->getBuffer().split('\n').first : StringRef();
  return line.substr(line.find(": ") == StringRef::npos ? 0 : line.find(": ") + 2).str();
}

Error attn::linkSharedLibrary(const llvm::MemoryBuffer &object, StringRef path) {
  llvm::ErrorOr<std::string> linker = std::make_error_code(std::errc::no_such_file_or_directory);
  for (const char *name : {"cc", "clang-22", "clang", "gcc"})
    if (linker = llvm::sys::findProgramByName(name); linker)
      break;
  if (!linker)
    return makeError("no linker found to write '" + path + "'; install cc or clang, or use --emit=obj");
  llvm::SmallString<128> objectPath, complaintPath;
  int descriptor;
  if (llvm::sys::fs::createTemporaryFile("attn", "o", descriptor, objectPath) ||
      llvm::sys::fs::createTemporaryFile("attn", "txt", complaintPath))
    return makeError("cannot create a temporary file to link '" + path + "'; set TMPDIR to a folder with space");
  llvm::FileRemover removeComplaint(complaintPath);
  llvm::ToolOutputFile file(objectPath, descriptor); // removed at the end
  file.os() << object.getBuffer();
  file.os().flush();
  StringRef arguments[] = {*linker, "-shared", "-o", path, objectPath};
  std::optional<StringRef> redirects[] = {std::nullopt, std::nullopt, StringRef(complaintPath)};
  if (llvm::sys::ExecuteAndWait(*linker, arguments, std::nullopt, redirects))
    return makeError("cannot write '" + path + "' with " + *linker + ": " + firstLineOf(complaintPath));
  return Error::success();
}
