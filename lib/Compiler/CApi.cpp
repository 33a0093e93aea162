// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// attn-c.h over the façade.

#include "CApiCall.h"
#include "CApiGuard.h"
#include "attn/Codegen/Isa.h"
#include "attn/Compiler/attn-c.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/TargetSelect.h"
#include <mutex>

using namespace attn;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

static Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), "error: " + message);
}

/// The source is kept: a compilation is lowered once, and what is asked for after that is made of another one.
struct attn_compilation {
  std::string name, text;
  CompileOptions options;
  std::unique_ptr<Compilation> compilation;
  std::vector<std::unique_ptr<KernelInfo>> infos;
  std::optional<LoadedKernels> onHost;    // the CPU's kernels, which check calls
  std::optional<LoadedKernels> described; // the target's kernels, which say what a call needs

  /// Another compilation of the source.
  Expected<std::unique_ptr<Compilation>> create(const CompileOptions &with) const {
    return Compilation::create(llvm::MemoryBuffer::getMemBufferCopy(text, name), with);
  }
  /// The kernel for this CPU, whatever the target is.
  Expected<const attn_kernel_info *> kernelOnHost(StringRef kernel);
  /// The bytes that a call needs where it will run.
  Expected<size_t> workspaceOf(StringRef kernel, const attn_call &call);
};

//===-- Options ---------------------------------------------------------------------------------------------------===//

static std::string textOr(const char *text, const char *otherwise) { return text ? text : otherwise; }

static Expected<std::vector<std::string>> isasOf(uint32_t bits) {
  std::vector<std::string> isas;
  for (int number = 0; number < 32; ++number) {
    if (!(bits >> number & 1))
      continue;
    const Isa *isa = number == ATTN_ISA_BEST
                         ? &Isa::bestOfHost(ATTN_ISA_BEST)
                         : llvm::find_if(Isa::all(), [&](const Isa &each) { return each.number == number; });
    if (isa == Isa::all().end())
      return makeError("no kernels are written for instruction set " + llvm::Twine(number) +
                       "; see attn_compile_options");
    isas.push_back(isa->name.str());
  }
  return isas;
}

static Expected<CompileOptions> readOptions(const attn_compile_options *given) {
  CompileOptions options;
  if (!given)
    return options;
  if (given->size != sizeof(attn_compile_options))
    return makeError("attn_compile_options has " + llvm::Twine(given->size) + " bytes, this library expects " +
                     llvm::Twine(sizeof(attn_compile_options)) + "; use the attn-c.h of this version");
  options.kernel = textOr(given->kernel, ""), options.target = textOr(given->target, "cpu");
  options.element = textOr(given->element, "f32"), options.score = textOr(given->score, "");
  if (given->head_size)
    options.headSize = given->head_size;
  options.valueHeadSize = given->value_head_size;
  options.tileRows = given->tile_rows, options.tileKeys = given->tile_keys;
  auto isas = isasOf(given->isas);
  if (!isas)
    return isas.takeError();
  options.isas = std::move(*isas);
  options.sanitizeAddress = isBuiltWithAddressSanitizer();
  return options;
}

//===-- Compilations ----------------------------------------------------------------------------------------------===//

/// LLVM's registry of targets is written without a lock: here once, before any thread compiles.
static void initializeTargets() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo(), LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeX86Target(), LLVMInitializeNVPTXTarget();
    LLVMInitializeX86TargetMC(), LLVMInitializeNVPTXTargetMC();
    LLVMInitializeX86AsmPrinter(), LLVMInitializeNVPTXAsmPrinter();
    LLVMInitializeX86AsmParser();
  });
}

static Error compile(std::unique_ptr<llvm::MemoryBuffer> source, const attn_compile_options *given,
                     attn_compilation **result) {
  initializeTargets();
  auto options = readOptions(given);
  if (!options)
    return options.takeError();
  auto made = std::make_unique<attn_compilation>();
  made->name = source->getBufferIdentifier().str(), made->text = source->getBuffer().str();
  made->options = *options;
  auto compilation = made->create(*options);
  if (!compilation)
    return compilation.takeError();
  made->compilation = std::move(*compilation);
  for (const KernelSource &kernel : made->compilation->kernels())
    made->infos.push_back(std::make_unique<KernelInfo>(kernel.layout, options->target));
  *result = made.release();
  return Error::success();
}

char *attn_compile_file(const char *path, const attn_compile_options *options, attn_compilation **result) {
  return runGuarded([&]() -> Error {
    auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
    if (!buffer)
      return makeError("cannot read '" + llvm::Twine(path) + "': " + buffer.getError().message());
    return compile(std::move(*buffer), options, result);
  });
}

char *attn_compile_text(const char *text, size_t size, const char *name, const attn_compile_options *options,
                        attn_compilation **result) {
  return runGuarded(
      [&] { return compile(llvm::MemoryBuffer::getMemBufferCopy(StringRef(text, size), name), options, result); });
}

void attn_compilation_destroy(attn_compilation *compilation) { delete compilation; }

int32_t attn_compilation_kernel_count(const attn_compilation *compilation) {
  return static_cast<int32_t>(compilation->infos.size());
}

const attn_kernel_info *attn_compilation_kernel(const attn_compilation *compilation, int32_t kernel) {
  return &compilation->infos[kernel]->get();
}

//===-- Results ---------------------------------------------------------------------------------------------------===//

static Error copyTo(attn_bytes *result, StringRef bytes) {
  auto *data = static_cast<char *>(llvm::safe_malloc(bytes.size() + 1));
  llvm::copy(bytes, data);
  data[bytes.size()] = 0;
  *result = {data, bytes.size()};
  return Error::success();
}

static Error copyTo(attn_bytes *result, Expected<std::string> text) {
  return text ? copyTo(result, StringRef(*text)) : text.takeError();
}

static Error copyTo(attn_bytes *result, Expected<std::unique_ptr<llvm::MemoryBuffer>> buffer) {
  return buffer ? copyTo(result, (*buffer)->getBuffer()) : buffer.takeError();
}

static Error emit(const attn_compilation &source, int32_t artifact, attn_bytes *result) {
  auto made = source.create(source.options);
  if (!made)
    return made.takeError();
  Compilation &compilation = **made;
  switch (artifact) {
  case ATTN_ARTIFACT_ATTN:
    return copyTo(result, compilation.print(Compilation::Stage::Attn));
  case ATTN_ARTIFACT_PLAN:
    return copyTo(result, compilation.print(Compilation::Stage::Plan));
  case ATTN_ARTIFACT_LOOPS:
    return copyTo(result, compilation.print(Compilation::Stage::Loops));
  case ATTN_ARTIFACT_TILES:
    return copyTo(result, compilation.print(Compilation::Stage::Tiles));
  case ATTN_ARTIFACT_LLVM:
    return copyTo(result, compilation.emitLLVM());
  case ATTN_ARTIFACT_ASSEMBLY:
    return copyTo(result, compilation.emitAssembly());
  case ATTN_ARTIFACT_OBJECT:
    return copyTo(result, compilation.emitObject());
  case ATTN_ARTIFACT_HEADER:
    return copyTo(result, StringRef(compilation.emitHeader()));
  case ATTN_ARTIFACT_CUBIN:
    if (source.options.target == "cpu")
      return makeError("target cpu has no cubin; use an object");
    return copyTo(result, compilation.emitCubin());
  default:
    return makeError("there is no artifact " + llvm::Twine(artifact) + "; see attn_artifact");
  }
}

char *attn_compilation_emit(attn_compilation *compilation, int32_t artifact, attn_bytes *result) {
  return runGuarded([&] { return emit(*compilation, artifact, result); });
}

char *attn_compilation_link(attn_compilation *compilation, const char *path) {
  return runGuarded([&]() -> Error {
    auto object = compilation->compilation->emitObject();
    return object ? linkSharedLibrary(**object, path) : object.takeError();
  });
}

//===-- Descriptions ----------------------------------------------------------------------------------------------===//

/// Loads the object, unless that has been done.
static Expected<const attn_kernel_info *> load(llvm::function_ref<Expected<std::unique_ptr<llvm::MemoryBuffer>>()> emit,
                                               std::optional<LoadedKernels> &kernels, StringRef name) {
  if (!kernels) {
    auto object = emit();
    if (!object)
      return object.takeError();
    auto loaded = LoadedKernels::load(std::move(*object));
    if (!loaded)
      return loaded.takeError();
    kernels.emplace(std::move(*loaded));
  }
  return kernels->find(name);
}

Expected<const attn_kernel_info *> attn_compilation::kernelOnHost(StringRef kernel) {
  if (onHost)
    return onHost->find(kernel);
  CompileOptions forHost = options;
  forHost.target = "cpu", forHost.tileRows = forHost.tileKeys = 0;
  forHost.isas = {Isa::bestOfHost(ATTN_ISA_BEST).name.str()};
  auto made = create(forHost);
  if (!made)
    return made.takeError();
  return load([&] { return (*made)->emitObject(); }, onHost, kernel);
}

Expected<size_t> attn_compilation::workspaceOf(StringRef kernel, const attn_call &call) {
  auto info = options.target == "cpu" ? kernelOnHost(kernel)
                                      : load([&] { return compilation->emitDescription(); }, described, kernel);
  if (!info)
    return info.takeError();
  return (*info)->workspace_bytes(&call);
}

static Error report(attn_compilation &compilation, const KernelSource &kernel, const reference::Problem &problem,
                    const attn_call &call, bool isJson, llvm::raw_ostream &os) {
  StringRef target = compilation.options.target;
  Report report = kernel.layout.linear ? makeLinearReport(kernel, target, problem)
                                       : makeReport(kernel, target, bindCalls(kernel, problem));
  auto workspace = compilation.workspaceOf(kernel.layout.name, call);
  if (!workspace)
    return workspace.takeError();
  report.workspaceBytes = static_cast<int64_t>(*workspace);
  if (isJson)
    os << llvm::formatv("{0:2}", toJson(report)) << '\n';
  else
    printText(report, os);
  return Error::success();
}

/// Visits and pictures.
static Error draw(const KernelSource &kernel, const reference::Problem &problem, int32_t description,
                  llvm::raw_ostream &os) {
  if (kernel.layout.linear)
    return makeError("kernel '" + kernel.layout.name +
                     "' is linear attention, which visits no tiles; ask for a report");
  const CallValues values = bindCall(kernel, problem, /*batch=*/0, /*head=*/0);
  switch (description) {
  case ATTN_VISITS_TEXT:
  case ATTN_VISITS_JSON:
    printVisits(kernel, values, /*byKey=*/false, description == ATTN_VISITS_JSON, os);
    return Error::success();
  case ATTN_MASK_TEXT:
    printMaskAscii(kernel, values, os);
    return Error::success();
  case ATTN_MASK_SVG:
    printMaskSvg(kernel, values, os);
    return Error::success();
  case ATTN_MASK_PNG:
    return printMaskPng(kernel, values, os);
  default:
    return makeError("there is no description " + llvm::Twine(description) + "; see attn_description");
  }
}

static Error describe(attn_compilation &compilation, int32_t index, int32_t description, const attn_call &call,
                      llvm::raw_ostream &os) {
  const KernelSource &kernel = compilation.compilation->kernels()[index];
  const attn_kernel_info &info = compilation.infos[index]->get();
  auto onHost = compilation.kernelOnHost(kernel.layout.name);
  if (!onHost)
    return onHost.takeError();
  if (Error error = checkCall(**onHost, call))
    return error;
  const reference::Problem problem = problemOf(kernel, info, call);
  if (problem.batch == 0 || problem.heads == 0)
    return makeError(llvm::Twine(problem.batch == 0 ? "the batch" : "the number of heads") +
                     " is 0: there is nothing to describe; give at least 1");
  if (description == ATTN_REPORT_TEXT || description == ATTN_REPORT_JSON)
    return report(compilation, kernel, problem, call, description == ATTN_REPORT_JSON, os);
  return draw(kernel, problem, description, os);
}

char *attn_compilation_describe(attn_compilation *compilation, int32_t kernel, int32_t description,
                                const attn_call *call, attn_bytes *result) {
  return runGuarded([&]() -> Error {
    std::string text;
    llvm::raw_string_ostream os(text);
    if (Error error = describe(*compilation, kernel, description, *call, os))
      return error;
    return copyTo(result, StringRef(text));
  });
}

const char *attn_compiler_version(void) { return "attn-mlir " ATTN_VERSION ", LLVM " LLVM_VERSION_STRING; }

void attn_release(void *memory) { std::free(memory); }
