// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the llvm dialect to LLVM IR, assembly and objects. The entry point in C joins as bitcode; whatever is not part
// of the C ABI gets internal linkage, so that any number of objects can be linked into one program.

#include "Describe.h"
#include "attn/Codegen/Isa.h"
#include "attn/Compiler/Compiler.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/Linker/Linker.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Instrumentation/AddressSanitizer.h"

using namespace mlir;
using namespace attn;
using llvm::Error;
using llvm::Expected;

extern "C" const unsigned char attnRuntimeBitcode[];
extern "C" const size_t attnRuntimeBitcodeSize;

static Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), "error: " + message);
}

static Expected<std::unique_ptr<llvm::TargetMachine>> makeTargetMachine() {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  LLVMInitializeX86AsmParser();
  llvm::Triple triple("x86_64-pc-linux-gnu");
  std::string message;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, message);
  if (!target)
    return makeError(message);
  // The base is plain x86-64: versions name the features that they use, function by function.
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      triple, "x86-64", "", llvm::TargetOptions(), llvm::Reloc::PIC_, std::nullopt, llvm::CodeGenOptLevel::Aggressive));
}

/// Adds the entry point and hides everything but the C ABI.
static Error linkRuntime(llvm::Module &module, ArrayRef<KernelSource> kernels) {
  StringRef bytes(reinterpret_cast<const char *>(attnRuntimeBitcode), attnRuntimeBitcodeSize);
  auto runtime = llvm::parseBitcodeFile(llvm::MemoryBufferRef(bytes, "runtime"), module.getContext());
  if (!runtime)
    return runtime.takeError();
  if (llvm::Linker::linkModules(module, std::move(*runtime), llvm::Linker::LinkOnlyNeeded))
    return makeError("the entry point cannot be linked");
  llvm::StringSet<> exported{"attn_kernels"};
  for (const KernelSource &kernel : kernels)
    for (StringRef suffix : {"", "_workspace_bytes", "_isa", "_info"})
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

/// Runs the passes that `build` makes.
static void runPasses(llvm::Module &module, llvm::TargetMachine &machine,
                      llvm::function_ref<llvm::ModulePassManager(llvm::PassBuilder &)> build) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  build(builder).run(module, modules);
}

/// Level 1 is enough: the emitter unrolls and vectorizes by itself.
static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  runPasses(module, machine, [](llvm::PassBuilder &builder) {
    return builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O1);
  });
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

Expected<std::unique_ptr<llvm::Module>> Compilation::translate(llvm::LLVMContext &llvmContext) {
  if (Error error = lowerTo(Stage::LLVMDialect))
    return error;
  std::unique_ptr<llvm::Module> module = translateModuleToLLVMIR(*work, llvmContext, "attn");
  if (!module)
    return makeError("the module cannot be translated to LLVM IR");
  Expected<std::unique_ptr<llvm::TargetMachine>> machine = makeTargetMachine();
  if (!machine)
    return machine.takeError();
  module->setDataLayout((*machine)->createDataLayout());
  module->setTargetTriple((*machine)->getTargetTriple());

  SmallVector<StringRef> isas;
  for (const Isa &isa : Isa::all())
    if (opts.isas.empty() || llvm::is_contained(opts.isas, isa.name))
      isas.push_back(isa.name);
  SmallVector<llvm::GlobalVariable *> infos;
  for (const KernelSource &kernel : sources)
    infos.push_back(describeKernel(*module, kernel.layout, opts.target, isas));
  listKernels(*module, infos);
  // The entry point is optimized already.
  optimize(*module, **machine);
  if (Error error = linkRuntime(*module, sources))
    return error;
  if (opts.sanitizeAddress)
    instrument(*module, **machine);
  return module;
}

Expected<std::string> Compilation::emitLLVM() {
  llvm::LLVMContext llvmContext;
  auto module = translate(llvmContext);
  if (!module)
    return module.takeError();
  std::string text;
  llvm::raw_string_ostream os(text);
  (*module)->print(os, nullptr);
  return text;
}

/// Machine code of a module: assembly text or an object's bytes.
static Expected<llvm::SmallVector<char, 0>> generate(llvm::Module &module, llvm::CodeGenFileType type) {
  Expected<std::unique_ptr<llvm::TargetMachine>> machine = makeTargetMachine();
  if (!machine)
    return machine.takeError();
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream os(bytes);
  llvm::legacy::PassManager pm;
  if ((*machine)->addPassesToEmitFile(pm, os, nullptr, type))
    return makeError("the x86-64 target cannot write this kind of file");
  pm.run(module);
  return bytes;
}

Expected<std::string> Compilation::emitAssembly() {
  llvm::LLVMContext llvmContext;
  auto module = translate(llvmContext);
  if (!module)
    return module.takeError();
  auto bytes = generate(**module, llvm::CodeGenFileType::AssemblyFile);
  if (!bytes)
    return bytes.takeError();
  return std::string(bytes->begin(), bytes->end());
}

Expected<std::unique_ptr<llvm::MemoryBuffer>> Compilation::emitObject() {
  llvm::LLVMContext llvmContext;
  auto module = translate(llvmContext);
  if (!module)
    return module.takeError();
  auto bytes = generate(**module, llvm::CodeGenFileType::ObjectFile);
  if (!bytes)
    return bytes.takeError();
  return std::make_unique<llvm::SmallVectorMemoryBuffer>(std::move(*bytes), "kernel.o",
                                                         /*RequiresNullTerminator=*/false);
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
