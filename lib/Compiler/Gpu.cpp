// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a gpu.module in the llvm and nvvm dialects to PTX and a cubin. The kernels that sort run-time data, written in
// C, join as bitcode.

#include "../Codegen/GPU/Linear.h"
#include "CodeGeneration.h"
#include "Describe.h"
#include "Ptxas.h"
#include "attn/Codegen/GpuShape.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Module.h"
#include "llvm/Linker/Linker.h"

using namespace mlir;
using namespace attn;
using llvm::Error;
using llvm::Expected;

extern "C" const unsigned char attnDeviceBitcode[];
extern "C" const size_t attnDeviceBitcodeSize;

static Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), "error: " + message);
}

//===-- LLVM IR ---------------------------------------------------------------------------------------------------===//

/// wgmma and barriers must not move into branches. Why here: llvm.inline_asm has no way to say it.
static void makeAssemblyConvergent(llvm::Module &module) {
  for (llvm::Function &function : module)
    for (llvm::BasicBlock &block : function)
      for (llvm::Instruction &instruction : block)
        if (auto *call = llvm::dyn_cast<llvm::CallInst>(&instruction); call && call->isInlineAsm())
          call->addFnAttr(llvm::Attribute::Convergent);
}

/// Adds the named kernels of the runtime, and hides what no launch names.
static Error linkPrologue(llvm::Module &module, ArrayRef<StringRef> names) {
  llvm::StringSet<> launched;
  for (StringRef name : names)
    launched.insert(name);
  for (const llvm::Function &function : module)
    if (function.getCallingConv() == llvm::CallingConv::PTX_Kernel)
      launched.insert(function.getName());
  StringRef bitcode(reinterpret_cast<const char *>(attnDeviceBitcode), attnDeviceBitcodeSize);
  if (!names.empty())
    if (Error error = linkBitcode(module, bitcode, llvm::Linker::Flags::None))
      return error;
  for (llvm::GlobalValue &value : module.global_values())
    if (!value.isDeclaration() && !launched.contains(value.getName()))
      value.setLinkage(llvm::GlobalValue::InternalLinkage);
  return Error::success();
}

Expected<std::unique_ptr<llvm::Module>> Compilation::translateForGpu(llvm::LLVMContext &llvmContext,
                                                                     const KernelSource &kernel) {
  if (Error error = lowerTo(Stage::LLVMDialect))
    return error;
  auto machine = makeGpuMachine();
  if (!machine)
    return machine.takeError();
  std::unique_ptr<llvm::Module> module;
  Error error = collectErrors([&] {
    auto gpuModule = work->lookupSymbol<gpu::GPUModuleOp>(kernel.layout.name);
    module = translateModuleToLLVMIR(gpuModule, llvmContext, kernel.layout.name);
  });
  if (error)
    return error;
  setMachine(*module, **machine);
  makeAssemblyConvergent(*module);
  if (Error error = linkPrologue(*module, prologueFunctions(kernel.layout)))
    return error;
  optimize(*module, **machine, llvm::OptimizationLevel::O3);
  return module;
}

//===-- PTX and cubins --------------------------------------------------------------------------------------------===//

Expected<std::string> Compilation::compileToPtx(const KernelSource &kernel) {
  KernelContext llvmContext;
  auto module = translateForGpu(llvmContext, kernel);
  if (!module)
    return module.takeError();
  auto machine = makeGpuMachine();
  if (!machine)
    return machine.takeError();
  auto text = generate(**module, **machine, llvm::CodeGenFileType::AssemblyFile);
  if (!text)
    return text.takeError();
  return std::string(text->begin(), text->end());
}

/// How a version of a phase is launched; without a name where it does not exist.
static GpuFunctionInfo describeFunction(const KernelLayout &layout, unsigned phase, GpuVersion version) {
  Expected<GpuShape> shape = GpuShape::of(layout, phase, version);
  if (!shape) {
    llvm::consumeError(shape.takeError());
    return {};
  }
  GpuFunctionInfo info;
  info.name = gpuFunctionName(layout, phase, version);
  info.threads = shape->threads(), info.sharedBytes = shape->sharedBytes;
  info.tileRows = shape->rows, info.tileKeys = shape->keys;
  info.storeRows = 64; // a warpgroup's
  info.isPersistent = shape->persistent;
  return info;
}

/// The keys of a phase that are read run by run, if there are some.
static std::optional<GpuRuns> describeRuns(const KernelLayout &layout, unsigned phase) {
  int runs = layout.phases[phase].runs;
  if (runs < 0)
    return std::nullopt;
  const Order &order = layout.orders[runs].order;
  return GpuRuns{order.modulus, Expr::mod(order.from - order.shift, order.modulus), order.below - order.from};
}

GpuCode attn::describeLaunches(const KernelLayout &layout) {
  GpuCode code;
  for (unsigned phase = 0; phase < layout.phases.size(); ++phase)
    code.phases.push_back({describeFunction(layout, phase, GpuVersion::Tiled),
                           describeFunction(layout, phase, GpuVersion::Strided),
                           describeFunction(layout, phase, GpuVersion::Compact), layout.compactKeys,
                           describeRuns(layout, phase), layout.phases[phase].grid});
  if (layout.linear)
    code.linear = hopper::describeLinear(layout);
  return code;
}

Expected<GpuCode> Compilation::compileForGpu(const KernelSource &kernel) {
  Expected<std::string> ptx = compileToPtx(kernel);
  if (!ptx)
    return ptx.takeError();
  GpuCode code = describeLaunches(kernel.layout);
  code.ptx = std::move(*ptx);
  std::string path = findPtxas();
  if (path.empty())
    return code;
  Expected<std::string> cubin = assemble(path, code.ptx, ptxas);
  if (!cubin)
    return cubin.takeError();
  code.cubin = std::move(*cubin);
  return code;
}

Expected<const KernelSource *> Compilation::onlyKernel(StringRef what) const {
  if (!isForGpu())
    return makeError("target " + opts.target + " has no " + what + "; use target sm_90a");
  if (sources.size() != 1)
    return makeError("the file holds " + llvm::Twine(sources.size()) + " kernels, and " + what +
                     " is written of one; choose it with --kernel");
  return &sources.front();
}

Expected<std::string> Compilation::emitPtx() {
  Expected<const KernelSource *> kernel = onlyKernel("PTX");
  if (!kernel)
    return kernel.takeError();
  return compileToPtx(**kernel);
}

Expected<std::unique_ptr<llvm::MemoryBuffer>> Compilation::emitCubin() {
  Expected<const KernelSource *> kernel = onlyKernel("a cubin");
  if (!kernel)
    return kernel.takeError();
  Expected<GpuCode> code = compileForGpu(**kernel);
  if (!code)
    return code.takeError();
  if (code->cubin.empty())
    return makeError(
        "no ptxas found to make a cubin; install the CUDA toolkit, name ptxas in ATTN_PTXAS, or write PTX");
  return llvm::MemoryBuffer::getMemBufferCopy(code->cubin, "kernel.cubin");
}
