// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles a pattern file, up to any stage, and says what the kernel will do.
#include "attn/Codegen/Isa.h"
#include "common/Memory.h"
#include "common/RunCall.h"
#include "flags/Call.h"
#include "flags/Flags.h"

#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"

namespace cl = llvm::cl;
using namespace attn_tools;
using attn::Compilation;

namespace {

enum class Emit { None, Attn, Plan, Tiles, Loops, LLVM, Asm, Obj, So, Header, Ptx, Cubin, Report, Visits, Mask };

struct Flags {
  KernelFlags kernel;
  SizeFlags sizes;
  cl::opt<std::string> emit{"emit",
                            cl::desc("attn, plan, loops (CPU), tiles (GPU), llvm, asm, ptx (GPU), cubin (GPU), obj "
                                     "(default), so, header, report, visits or mask"),
                            cl::init("obj"), cl::value_desc("WHAT")};
  cl::opt<std::string> output{"o", cl::desc("Output; - is standard output, where text goes by default"),
                              cl::value_desc("OUT")};
  cl::list<std::string> isas{"isas",
                             cl::desc("Instruction sets to write: amx, avx512bf16, avx512, avx2, generic, or host, the "
                                      "best of this machine (all of them)"),
                             cl::CommaSeparated, cl::value_desc("NAMES")};
  cl::opt<bool> json{"json", cl::desc("Prints report and visits as JSON")};
  cl::opt<bool> ptxasInfo{"ptxas-info", cl::desc("Prints what ptxas says of the GPU code, to stderr")};
  cl::opt<bool> byKey{"by-key", cl::desc("Lists visits key tile by key tile")};

  Emit what() const {
    return llvm::StringSwitch<Emit>(emit)
        .Case("attn", Emit::Attn)
        .Case("plan", Emit::Plan)
        .Case("tiles", Emit::Tiles)
        .Case("loops", Emit::Loops)
        .Case("llvm", Emit::LLVM)
        .Case("asm", Emit::Asm)
        .Case("obj", Emit::Obj)
        .Case("so", Emit::So)
        .Case("header", Emit::Header)
        .Case("ptx", Emit::Ptx)
        .Case("cubin", Emit::Cubin)
        .Case("report", Emit::Report)
        .Case("visits", Emit::Visits)
        .Case("mask", Emit::Mask)
        .Default(Emit::None);
  }
};

llvm::Expected<std::vector<std::string>> isasOf(const Flags &flags) {
  if (!flags.isas.empty() && flags.kernel.target != "cpu")
    return llvm::createStringError("--isas is for CPU targets; the target is " + flags.kernel.target);
  std::vector<std::string> isas;
  for (llvm::StringRef name : flags.isas) {
    const attn::Isa *isa = name == "host" ? &attn::Isa::bestOfHost(ATTN_ISA_BEST) : attn::Isa::find(name);
    if (!isa)
      return llvm::createStringError("no kernels are written for instruction set '" + name +
                                     "'; use amx, avx512bf16, avx512, avx2, generic or host");
    isas.push_back(isa->name.str());
  }
  return isas;
}

int writeText(llvm::Expected<std::string> text, const Flags &flags) {
  if (!text)
    return fail(text.takeError());
  Outcome written = writeFile(flags.output, *text);
  return written ? 0 : fail(written.message());
}

int writeObject(Compilation &compilation, const Flags &flags) {
  if (flags.output.empty())
    return fail("--emit=" + flags.emit + " writes a file; name it with -o");
  auto object = flags.what() == Emit::Cubin ? compilation.emitCubin() : compilation.emitObject();
  if (!object)
    return fail(object.takeError());
  if (flags.ptxasInfo)
    attn::printText(compilation.ptxasReport(), llvm::errs());
  if (flags.what() == Emit::So) {
    llvm::Error error = attn::linkSharedLibrary(**object, flags.output);
    return error ? fail(std::move(error)) : 0;
  }
  Outcome written = writeFile(flags.output, (*object)->getBuffer());
  return written ? 0 : fail(written.message());
}

/// The workspace that the whole call needs, asked of the kernel's description; nothing where this processor cannot run
/// the kernel. It is a call that asks for lse: one that does not may need a place for it. Nothing behind pointers is
/// read.
llvm::Expected<std::optional<int64_t>> workspaceOf(Compilation &compilation, const CallArguments &arguments) {
  auto object = compilation.emitDescription();
  if (!object)
    return object.takeError();
  auto kernels = attn::LoadedKernels::load(std::move(*object));
  if (!kernels)
    return kernels.takeError();
  attn_call call = arguments.makeCall();
  std::vector<attn_tensor> tensors(call.tensors, call.tensors + call.tensor_count);
  float lse = 0;
  tensors[ATTN_LSE].data = &lse;
  call.tensors = tensors.data();
  const attn_kernel_info *info = kernels->find(arguments.info().name);
  return info->isa(&call) ? std::optional<int64_t>(info->workspace_bytes(&call)) : std::nullopt;
}

/// As the output's ending says.
int draw(const attn::KernelSource &kernel, const attn::CallValues &values, const Flags &flags, llvm::raw_ostream &os) {
  llvm::StringRef ending = llvm::sys::path::extension(flags.output);
  if (ending == ".png") {
    llvm::Error error = attn::printMaskPng(kernel, values, os);
    return error ? fail(std::move(error)) : 0;
  }
  if (ending == ".svg")
    attn::printMaskSvg(kernel, values, os);
  else
    attn::printMaskAscii(kernel, values, os);
  return 0;
}

/// What is known of a kernel for one call: report, visits or a picture.
int describe(Compilation &compilation, const attn::KernelSource &kernel, const Flags &flags, llvm::raw_ostream &os) {
  attn::KernelInfo info(kernel.layout, flags.kernel.target);
  CallFlags callFlags = flags.sizes.flags();
  callFlags.dataOnly = true;
  Result<CallArguments> arguments = CallArguments::create(info.get(), callFlags);
  if (!arguments)
    return fail(arguments.message());
  if (std::string fault = explainCall(kernel, *arguments); !fault.empty())
    return fail(fault);
  if (arguments->batch == 0 || arguments->heads == 0)
    return fail(llvm::Twine(arguments->batch == 0 ? "--batch" : "--heads") +
                " is 0: there is nothing to describe; give at least 1");
  if (kernel.layout.linear && flags.what() != Emit::Report)
    return fail("kernel '" + kernel.layout.name + "' is linear attention, which visits no tiles; use --emit=report");
  const attn::reference::Problem call = problemOf(kernel, *arguments);
  std::vector<attn::CallValues> calls = attn::bindCalls(kernel, call);
  const attn::CallValues &values = calls.front(); // what is drawn or listed
  switch (flags.what()) {
  case Emit::Report: {
    attn::Report report = kernel.layout.linear ? attn::makeLinearReport(kernel, flags.kernel.target, call)
                                               : attn::makeReport(kernel, flags.kernel.target, calls);
    llvm::Expected<std::optional<int64_t>> workspace = workspaceOf(compilation, *arguments);
    if (!workspace)
      return fail(workspace.takeError());
    report.workspaceBytes = *workspace;
    if (flags.json)
      os << llvm::formatv("{0:2}", attn::toJson(report)) << '\n';
    else
      attn::printText(report, os);
    return 0;
  }
  case Emit::Visits:
    attn::printVisits(kernel, values, flags.byKey, flags.json, os);
    return 0;
  default:
    return draw(kernel, values, flags, os);
  }
}

int describeAll(Compilation &compilation, const Flags &flags) {
  std::string text;
  llvm::raw_string_ostream os(text);
  for (const attn::KernelSource &kernel : compilation.kernels())
    if (int code = describe(compilation, kernel, flags, os))
      return code;
  return writeText(std::move(text), flags);
}

/// Whether the target has no such stage.
bool isForeign(Emit what, bool isForGpu) {
  if (what == Emit::Loops)
    return isForGpu;
  return !isForGpu && (what == Emit::Tiles || what == Emit::Ptx || what == Emit::Cubin);
}

int emit(Compilation &compilation, const Flags &flags) {
  const bool isForGpu = flags.kernel.target != "cpu";
  if (isForeign(flags.what(), isForGpu))
    return fail("--emit=" + flags.emit + " is for " + (isForGpu ? "CPU" : "GPU") + " targets; the target is " +
                flags.kernel.target);
  switch (flags.what()) {
  case Emit::Attn:
    return writeText(compilation.print(Compilation::Stage::Attn), flags);
  case Emit::Plan:
    return writeText(compilation.print(Compilation::Stage::Plan), flags);
  case Emit::Loops:
    return writeText(compilation.print(Compilation::Stage::Loops), flags);
  case Emit::Tiles:
    return writeText(compilation.print(Compilation::Stage::Tiles), flags);
  case Emit::LLVM:
    return writeText(compilation.emitLLVM(), flags);
  case Emit::Asm:
    return writeText(compilation.emitAssembly(), flags);
  case Emit::Ptx:
    return writeText(compilation.emitPtx(), flags);
  case Emit::Cubin:
  case Emit::Obj:
  case Emit::So:
    return writeObject(compilation, flags);
  case Emit::Header:
    return writeText(compilation.emitHeader(), flags);
  default:
    return describeAll(compilation, flags);
  }
}

} // namespace

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  refuseWhenOutOfMemory();
  hideForeignOptions();
  Flags flags;
  if (Outcome parsed = parseCommandLine(argc, argv, "Compiles attention patterns to kernels\n"); !parsed)
    return fail(parsed.message());
  if (flags.what() == Emit::None)
    return fail("unknown --emit '" + flags.emit +
                "'; use attn, plan, loops, tiles, llvm, asm, ptx, cubin, obj, so, header, report, visits or mask");
  attn::CompileOptions options = flags.kernel.options();
  auto isas = isasOf(flags);
  if (!isas)
    return fail(isas.takeError());
  options.isas = std::move(*isas);
  if (flags.what() == Emit::Report && options.isas.empty()) // as this machine would run it
    options.isas = {attn::Isa::bestOfHost(ATTN_ISA_BEST).name.str()};
  auto compilation = Compilation::create(flags.kernel.file, options);
  if (!compilation)
    return fail(compilation.takeError());
  return emit(**compilation, flags);
}
