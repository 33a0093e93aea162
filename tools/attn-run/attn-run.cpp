// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles a kernel in process, runs it, checks it against the reference and times it.
#include "attn/Codegen/Isa.h"
#include "attn/Reference/Reference.h"
#include "common/Element.h"
#include "common/Expectation.h"
#include "common/Memory.h"
#include "common/RunCall.h"
#include "flags/Call.h"
#include "flags/Flags.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"
#include <chrono>

namespace cl = llvm::cl;
namespace reference = attn::reference;
using namespace attn_tools;

namespace {

struct Flags {
  KernelFlags kernel;
  SizeFlags sizes;
  cl::opt<std::string> query{"q", cl::desc("Query, [batch, head, row, column]"), cl::value_desc("FILE.npy")};
  cl::opt<std::string> key{"k", cl::desc("Key"), cl::value_desc("FILE.npy")};
  cl::opt<std::string> value{"v", cl::desc("Value"), cl::value_desc("FILE.npy")};
  cl::opt<std::string> out{"out", cl::desc("Writes the output"), cl::value_desc("FILE.npy")};
  cl::opt<std::string> lse{"lse", cl::desc("Writes the logarithm of the sum of exp"), cl::value_desc("FILE.npy")};
  cl::opt<std::string> stateOut{"state-out", cl::desc("Writes the state after the last key, of linear attention"),
                                cl::value_desc("FILE.npy")};
  cl::opt<bool> check{"check", cl::desc("Checks output and lse against the reference; exit code 1 if they are wrong")};
  WholeNumber repeat{"repeat", cl::desc("Timed runs (1)"), cl::init(1)};
  WholeNumber threads{"threads", cl::desc("Worker threads (1)"), cl::init(1)};
  cl::opt<std::string> maxIsa{"max-isa", cl::desc("amx, avx512fp16, avx512bf16, avx512, avx2 or generic (the best)"),
                              cl::value_desc("NAME")};
  WholeNumber device{"device", cl::desc("The GPU, for GPU targets (0)"), cl::init(0)};
  cl::opt<std::string> expect{
      "expect", cl::desc("Runs nothing; writes inputs and what they should give, for attn-call --expect elsewhere"),
      cl::value_desc("DIR")};
  cl::opt<bool> json{"json", cl::desc("Prints one JSON object")};

  Result<CallFlags> call() const {
    CallFlags flags = sizes.flags();
    flags.queryFile = query, flags.keyFile = key, flags.valueFile = value;
    flags.outputFile = out, flags.lseFile = lse, flags.stateFile = stateOut;
    if (threads < 1 || threads > 1024)
      return Failure{"--threads is " + std::to_string(threads) + "; give 1 to 1024"};
    if (repeat < 1)
      return Failure{"--repeat is " + std::to_string(repeat) + "; give at least 1"};
    if (device < 0 || device > INT32_MAX)
      return Failure{"--device is " + std::to_string(device) + "; give the number of a GPU, from 0"};
    if (!expect.empty() && (check || json || !out.empty() || !lse.empty() || !stateOut.empty()))
      return Failure{"--expect runs nothing; drop --check, --json, --out, --lse and --state-out"};
    flags.repeat = repeat, flags.threads = static_cast<int32_t>(threads), flags.device = static_cast<int32_t>(device);
    if (!maxIsa.empty()) {
      Result<int32_t> isa = parseIsa(maxIsa);
      if (!isa)
        return isa.takeFailure();
      flags.maxIsa = *isa;
    }
    return flags;
  }
};

/// One run from end to end.
struct Run {
  std::unique_ptr<attn::Compilation> compilation;
  std::optional<attn::KernelInfo> description; // what is known of the kernel before it is compiled
  std::optional<attn::LoadedKernels> kernels;
  std::optional<CallArguments> arguments;
  double compileMs = 0;
  RunReport report;
  attn::PairCounts pairs; // over batch and query heads
  int64_t planBytes = 0;
  std::optional<reference::Verdict> verdict;

  const attn::KernelSource &source() const { return compilation->kernels().front(); }
};

double millisecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

/// A compilation of one kernel. Of a file that holds several it is the one that is named as the file is.
llvm::Expected<std::unique_ptr<attn::Compilation>> createForOne(llvm::StringRef file, attn::CompileOptions options) {
  auto compilation = attn::Compilation::create(file, options);
  if (!compilation || (*compilation)->kernels().size() == 1)
    return compilation;
  std::string names;
  llvm::StringRef stem = llvm::sys::path::stem(file);
  for (const attn::KernelSource &kernel : (*compilation)->kernels()) {
    if (kernel.layout.name == stem) {
      options.kernel = stem.str();
      return attn::Compilation::create(file, options);
    }
    names += (names.empty() ? "'" : ", '") + kernel.layout.name + "'";
  }
  return llvm::createStringError("error: the file holds the kernels " + names + "; name one with --kernel");
}

/// Reads and plans the kernel that is meant.
llvm::Error plan(const Flags &flags, const CallFlags &call, Run &run) {
  auto start = std::chrono::steady_clock::now();
  attn::CompileOptions options = flags.kernel.options();
  options.isas = {attn::Isa::bestOfHost(call.maxIsa).name.str()};
  options.sanitizeAddress = attn::isBuiltWithAddressSanitizer();
  auto compilation = createForOne(flags.kernel.file, options);
  if (!compilation)
    return compilation.takeError();
  run.compilation = std::move(*compilation);
  run.compileMs = millisecondsSince(start);
  return llvm::Error::success();
}

/// Reads or draws what the kernel is called with. Nothing is compiled for a call that is wrong.
llvm::Error prepare(const Flags &flags, const CallFlags &call, Run &run) {
  run.description.emplace(run.source().layout, flags.kernel.target);
  Result<CallArguments> arguments = CallArguments::create(run.description->get(), call);
  if (!arguments)
    return llvm::createStringError(arguments.message());
  if (std::string fault = explainCall(run.source(), *arguments); !fault.empty())
    return llvm::createStringError(fault);
  run.arguments.emplace(std::move(*arguments));
  return llvm::Error::success();
}

llvm::Error compile(Run &run) {
  auto start = std::chrono::steady_clock::now();
  auto object = run.compilation->emitObject();
  if (!object)
    return object.takeError();
  auto kernels = attn::LoadedKernels::load(std::move(*object));
  if (!kernels)
    return kernels.takeError();
  run.kernels.emplace(std::move(*kernels));
  run.arguments->setInfo(*run.kernels->all().front());
  run.compileMs += millisecondsSince(start);
  return llvm::Error::success();
}

void count(Run &run) {
  const reference::Problem call = attn_tools::problemOf(run.source(), *run.arguments);
  if (run.source().layout.linear) {
    attn::PairCounts pairs = attn::countLinearPairs(run.source(), run.compilation->options().target, call);
    int64_t heads = call.batch * call.heads;
    run.pairs = {pairs.admitted * heads, pairs.computed * heads, pairs.estimated};
    return;
  }
  std::vector<attn::CallValues> calls = attn::bindCalls(run.source(), call);
  int64_t alike =
      call.batch * call.heads / std::max<int64_t>(1, calls.size()); // batches and heads that each stands for
  for (const attn::CallValues &values : calls) {
    for (attn::PairCounts phase : attn::countPairs(run.source().plan, values))
      run.pairs += {phase.admitted * alike, phase.computed * alike, phase.estimated};
    run.planBytes = std::max(run.planBytes, attn::planBytes(run.source().layout, values));
  }
}

//===----------------------------------------------------------------------------------------------------------===//
// Check
//===----------------------------------------------------------------------------------------------------------===//

/// The call as the reference takes it.
reference::Problem problemOf(const Run &run) {
  const CallArguments &a = *run.arguments;
  reference::Problem problem = attn_tools::problemOf(run.source(), a);
  problem.query = floatsOf(a.tensors[ATTN_QUERY]), problem.key = floatsOf(a.tensors[ATTN_KEY]);
  problem.value = floatsOf(a.tensors[ATTN_VALUE]);
  return problem;
}

llvm::Error check(Run &run) {
  const CallArguments &a = *run.arguments;
  const reference::Problem problem = problemOf(run);
  const std::vector<float> output = floatsOf(a.tensors[ATTN_OUTPUT]), lse = floatsOf(a.tensors[ATTN_LSE]);
  return run.compilation->collectErrors([&] {
    if (!run.source().layout.linear) {
      run.verdict = reference::judge(reference::evaluate(run.source().attention, problem), problem, output, lse);
      return;
    }
    const std::vector<float> state = a.stateOut() < 0 ? std::vector<float>() : floatsOf(a.tensors[a.stateOut()]);
    run.verdict = reference::judge(reference::evaluate(run.source().linear, problem), problem, output, lse, state);
  });
}

/// --expect: the reference instead of a run.
llvm::Error expect(const Flags &flags, Run &run) {
  reference::Result expected;
  if (llvm::Error error = run.compilation->collectErrors([&] {
        if (run.source().layout.linear)
          expected = reference::evaluate(run.source().linear, problemOf(run));
        else
          expected = reference::evaluate(run.source().attention, problemOf(run));
      }))
    return error;
  Outcome written = writeExpectation(flags.expect, *run.arguments, expected);
  return written ? llvm::Error::success() : llvm::createStringError(written.message());
}

//===----------------------------------------------------------------------------------------------------------===//
// Result
//===----------------------------------------------------------------------------------------------------------===//

double gflops(const Run &run) {
  const attn_kernel_info &info = run.arguments->info();
  double flops = 2.0 * (info.head_size + info.value_head_size) * static_cast<double>(run.pairs.admitted);
  return flops / (run.report.milliseconds() * 1e6);
}

double waste(const Run &run) {
  return run.pairs.admitted ? static_cast<double>(run.pairs.computed) / static_cast<double>(run.pairs.admitted) : 0;
}

void printJson(const Run &run, const CallFlags &flags) {
  const CallArguments &a = *run.arguments;
  const attn_kernel_info &info = a.info();
  llvm::json::Object object{{"kernel", info.name},
                            {"target", info.target},
                            {"element", nameOfElement(info.element)},
                            {"batch", a.batch},
                            {"heads", a.heads},
                            {"kv_heads", a.kvHeads},
                            {"length", a.length},
                            {"kv_length", a.kvLength},
                            {"query_offset", a.queryOffset},
                            {"key_offset", a.keyOffset},
                            {"head_size", info.head_size},
                            {"value_head_size", info.value_head_size},
                            {"threads", flags.threads},
                            {"ok", !run.verdict || run.verdict->ok},
                            {"admitted_pairs", run.pairs.admitted},
                            {"computed_pairs", run.pairs.computed},
                            {"waste", waste(run)},
                            {"plan_bytes", run.planBytes},
                            {"workspace_bytes", static_cast<int64_t>(run.report.workspaceBytes)},
                            {"compile_ms", run.compileMs},
                            {"ms", run.report.milliseconds()},
                            {"gflops", gflops(run)},
                            {"isa", nameOfIsa(run.report.isa)},
                            {"max_error", nullptr},
                            {"error_ratio", nullptr},
                            {"lse_error_ratio", nullptr}};
  if (run.verdict) {
    // JSON has no infinity: what is infinitely wrong is as wrong as a number can say.
    auto finite = [](double x) { return std::isfinite(x) ? x : std::numeric_limits<double>::max(); };
    object["max_error"] = finite(run.verdict->maxError);
    object["error_ratio"] = finite(run.verdict->errorRatio);
    object["lse_error_ratio"] = finite(run.verdict->lseErrorRatio);
  }
  llvm::outs() << llvm::formatv("{0:2}", llvm::json::Value(std::move(object))) << '\n';
}

void printText(const Run &run, const CallFlags &flags) {
  const CallArguments &a = *run.arguments;
  const attn_kernel_info &info = a.info();
  llvm::outs() << info.name << " on " << info.target << " (" << nameOfIsa(run.report.isa);
  if (!info.load)
    llvm::outs() << ", " << flags.threads << (flags.threads == 1 ? " thread" : " threads");
  llvm::outs() << "), " << nameOfElement(info.element) << ", batch " << a.batch << ", heads " << a.heads << "/"
               << a.kvHeads << ", length " << a.length << " x " << a.kvLength << ", head size " << info.head_size << "/"
               << info.value_head_size << '\n'
               << llvm::format("  time     %.3f ms, %.1f GFLOP/s over admitted pairs (compiled in %.0f ms)\n",
                               run.report.milliseconds(), gflops(run), run.compileMs)
               << llvm::format("  pairs    %lld admitted, %lld multiplied, waste %.3f%s\n",
                               static_cast<long long>(run.pairs.admitted), static_cast<long long>(run.pairs.computed),
                               waste(run), run.pairs.estimated ? " (estimated)" : "")
               << llvm::format("  memory   %lld bytes of plan, %lld of workspace\n",
                               static_cast<long long>(run.planBytes),
                               static_cast<long long>(run.report.workspaceBytes));
  if (run.verdict)
    llvm::outs() << "  check    " << describe(*run.verdict) << '\n';
}

} // namespace

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  refuseWhenOutOfMemory();
  hideForeignOptions();
  Flags flags;
  if (Outcome parsed = parseCommandLine(argc, argv, "Compiles, runs and checks an attention kernel\n"); !parsed)
    return fail(parsed.message());
  Result<CallFlags> call = flags.call();
  if (!call)
    return fail(call.message());
  Run run;
  if (llvm::Error error = plan(flags, *call, run))
    return fail(std::move(error));
  if (llvm::Error error = prepare(flags, *call, run))
    return fail(std::move(error));
  if (!flags.expect.empty()) {
    llvm::Error error = expect(flags, run);
    return error ? fail(std::move(error)) : 0;
  }
  if (llvm::Error error = compile(run))
    return fail(std::move(error));
  Result<RunReport> report = runCall(*run.arguments, *call);
  if (!report)
    return fail(report.message());
  run.report = *report;
  count(run);
  if (flags.check)
    if (llvm::Error error = check(run))
      return fail(std::move(error));
  if (Outcome written = writeOutputs(*run.arguments, *call); !written)
    return fail(written.message());
  flags.json ? printJson(run, *call) : printText(run, *call);
  return run.verdict && !run.verdict->ok ? 1 : 0;
}
