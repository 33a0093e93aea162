// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a kernel out of an emitted shared object, where LLVM is not installed: attn-run without the compiler. An object
// lists its kernels in the symbol attn_kernels.
#include "common/Element.h"
#include "common/Expectation.h"
#include "common/Memory.h"
#include "common/RunCall.h"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <filesystem>
#include <getopt.h>
#include <limits>

using namespace attn_tools;

static const char usage[] = R"(usage: attn-call KERNEL.so [options]

Runs a kernel of a shared object that attn-compile --emit=so wrote. Arrays are .npy files of shape
[batch, head, row, column]; what no file gives is drawn from the seed. bf16 is held as uint16.

  --kernel NAME          which kernel, where the object holds several (the one that is named as the object is)
  --q, --k, --v FILE     query, key and value
  --batch N              batches (1)
  --heads N              query heads (1)
  --kv-heads N           key heads (heads)
  --length N             query rows (1024)
  --kv-length N          key rows (length)
  --query-offset N       position of the first query row (the last one stands beside the last key row)
  --key-offset N         position of the first key row (0)
  --arg NAME=VALUE       an argument of the pattern: a number, v1,v2,... or a .npy file; may be repeated
  --expect DIR           takes the call from a folder that attn-run --expect wrote, and judges what the kernel gives
  --out, --lse FILE      where to write output and lse
  --state-out FILE       where to write the state after the last key, of linear attention
  --seed N               seed of what is drawn (0)
  --repeat N             timed runs; the median is reported (1)
  --threads N            workers of a CPU kernel (1)
  --max-isa NAME         amx, avx512fp16, avx512bf16, avx512, avx2 or generic: the best instruction set to use
  --device N             which GPU a GPU kernel runs on (0)
  --json                 report as JSON
  --help                 this text

Exit codes: 0 right, 1 not what --expect says, 2 bad usage or input, or the machine lacks what the kernel needs.
)";

//===----------------------------------------------------------------------------------------------------------===//
// Command line
//===----------------------------------------------------------------------------------------------------------===//

namespace {

struct CommandLine {
  std::string object;
  std::string kernel;
  std::string expectation; // a folder; empty: nothing is judged
  CallFlags flags;
  bool isJson = false;
  bool isHelp = false;
};

enum Flag {
  kKernel = 256,
  kQuery,
  kKey,
  kValue,
  kBatch,
  kHeads,
  kKvHeads,
  kLength,
  kKvLength,
  kQueryOffset,
  kKeyOffset,
  kArgument,
  kOutput,
  kLse,
  kStateOut,
  kSeed,
  kRepeat,
  kThreads,
  kMaxIsa,
  kDevice,
  kExpect,
  kJson,
  kHelp
};

} // namespace

static const option options[] = {{"kernel", required_argument, nullptr, kKernel},
                                 {"q", required_argument, nullptr, kQuery},
                                 {"k", required_argument, nullptr, kKey},
                                 {"v", required_argument, nullptr, kValue},
                                 {"batch", required_argument, nullptr, kBatch},
                                 {"heads", required_argument, nullptr, kHeads},
                                 {"kv-heads", required_argument, nullptr, kKvHeads},
                                 {"length", required_argument, nullptr, kLength},
                                 {"kv-length", required_argument, nullptr, kKvLength},
                                 {"query-offset", required_argument, nullptr, kQueryOffset},
                                 {"key-offset", required_argument, nullptr, kKeyOffset},
                                 {"arg", required_argument, nullptr, kArgument},
                                 {"out", required_argument, nullptr, kOutput},
                                 {"lse", required_argument, nullptr, kLse},
                                 {"state-out", required_argument, nullptr, kStateOut},
                                 {"seed", required_argument, nullptr, kSeed},
                                 {"repeat", required_argument, nullptr, kRepeat},
                                 {"threads", required_argument, nullptr, kThreads},
                                 {"max-isa", required_argument, nullptr, kMaxIsa},
                                 {"device", required_argument, nullptr, kDevice},
                                 {"expect", required_argument, nullptr, kExpect},
                                 {"json", no_argument, nullptr, kJson},
                                 {"help", no_argument, nullptr, kHelp},
                                 {}};

/// Stores what `result` holds in `target`.
template <typename T, typename U> static Outcome store(T &target, Result<U> result) {
  if (!result)
    return result.takeFailure();
  target = static_cast<T>(*result);
  return Success();
}

/// A whole number that fits into int32, for the flags that hold one.
static Result<int64_t> parseSmall(const std::string &what, const std::string &text) {
  Result<int64_t> value = parseInteger(what, text);
  if (value && (*value < 0 || *value > INT32_MAX))
    return Failure{what + " is " + text + "; give a number from 0 to 2147483647"};
  return value;
}

static Outcome parseFlag(CommandLine &line, int flag, const std::string &name, const std::string &text) {
  CallFlags &flags = line.flags;
  switch (flag) {
  case kKernel:
    line.kernel = text;
    break;
  case kQuery:
    flags.queryFile = text;
    break;
  case kKey:
    flags.keyFile = text;
    break;
  case kValue:
    flags.valueFile = text;
    break;
  case kOutput:
    flags.outputFile = text;
    break;
  case kLse:
    flags.lseFile = text;
    break;
  case kStateOut:
    flags.stateFile = text;
    break;
  case kArgument:
    flags.arguments.push_back(text);
    break;
  case kBatch:
    return store(flags.batch, parseInteger(name, text));
  case kHeads:
    return store(flags.heads, parseInteger(name, text));
  case kKvHeads:
    return store(flags.kvHeads, parseInteger(name, text));
  case kLength:
    return store(flags.length, parseInteger(name, text));
  case kKvLength:
    return store(flags.kvLength, parseInteger(name, text));
  case kQueryOffset:
    return store(flags.queryOffset, parseInteger(name, text));
  case kKeyOffset:
    return store(flags.keyOffset, parseInteger(name, text));
  case kSeed:
    return store(flags.seed, parseInteger(name, text));
  case kRepeat:
    return store(flags.repeat, parseSmall(name, text));
  case kThreads:
    return store(flags.threads, parseSmall(name, text));
  case kMaxIsa:
    return store(flags.maxIsa, parseIsa(text));
  case kDevice:
    return store(flags.device, parseSmall(name, text));
  case kExpect:
    line.expectation = text;
    break;
  case kJson:
    line.isJson = true;
    break;
  case kHelp:
    line.isHelp = true;
    break;
  }
  return Success();
}

static Result<CommandLine> parseCommandLine(int argc, char **argv) {
  CommandLine line;
  opterr = 0; // messages are ours
  int flag, index = 0;
  while ((flag = getopt_long(argc, argv, ":", options, &index)) != -1) {
    if (flag == ':')
      return Failure{std::string(argv[optind - 1]) + " needs a value; see attn-call --help"};
    if (flag == '?')
      return Failure{"unknown flag '" + std::string(argv[optind - 1]) + "'; see attn-call --help"};
    if (Outcome outcome = parseFlag(line, flag, std::string("--") + options[index].name, optarg ? optarg : "");
        !outcome)
      return outcome.takeFailure();
  }
  if (line.isHelp)
    return line;
  if (optind + 1 != argc)
    return Failure{optind == argc ? "no kernel object; write attn-call KERNEL.so"
                                  : "unexpected argument '" + std::string(argv[optind + 1]) + "'; name one object"};
  line.object = argv[optind];
  return line;
}

//===----------------------------------------------------------------------------------------------------------===//
// The object
//===----------------------------------------------------------------------------------------------------------===//

static std::string listKernels(const attn_kernel_info *const *kernels) {
  std::string list;
  for (; *kernels; ++kernels)
    list += (list.empty() ? "" : ", ") + std::string((*kernels)->name);
  return list;
}

/// The kernel of that name; without a name the only one, or the one that is named as the object is.
static Result<const attn_kernel_info *> findKernel(const attn_kernel_info *const *kernels, const CommandLine &line) {
  if (line.kernel.empty() && kernels[0] && !kernels[1])
    return kernels[0];
  const std::string name = line.kernel.empty() ? std::filesystem::path(line.object).stem().string() : line.kernel;
  for (const attn_kernel_info *const *kernel = kernels; *kernel; ++kernel)
    if (name == (*kernel)->name)
      return *kernel;
  return Failure{"'" + line.object + "' has " +
                 (line.kernel.empty() ? "several kernels" : "no kernel '" + line.kernel + "'") +
                 "; choose one with --kernel: " + listKernels(kernels)};
}

/// Opens the object, which stays open.
static Result<const attn_kernel_info *> loadKernel(const CommandLine &line) {
  // A name without a slash would be looked for among the system's libraries.
  std::string path = line.object.find('/') == std::string::npos ? "./" + line.object : line.object;
  void *object = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!object)
    return Failure{"cannot load '" + line.object + "' (" + dlerror() + "); emit one with attn-compile --emit=so"};
  const auto *kernels = static_cast<const attn_kernel_info *const *>(dlsym(object, "attn_kernels"));
  if (!kernels)
    return Failure{"'" + line.object + "' holds no kernels; emit one with attn-compile --emit=so"};
  Result<const attn_kernel_info *> info = findKernel(kernels, line);
  if (info && (*info)->version != ATTN_ABI_VERSION)
    return Failure{"'" + line.object + "' was built for version " + std::to_string((*info)->version) +
                   " of attn.h, this attn-call for " + std::to_string(ATTN_ABI_VERSION) + "; rebuild the object"};
  return info;
}

//===----------------------------------------------------------------------------------------------------------===//
// Reports
//===----------------------------------------------------------------------------------------------------------===//

namespace {

struct Run {
  const CommandLine &line;
  const CallArguments &arguments;
  RunReport report;
  std::optional<Verdict> verdict; // with --expect
};

} // namespace

/// JSON has no infinity: what is infinitely wrong is as wrong as a number can say.
static void printError(const char *key, double error, const char *after) {
  std::printf("\"%s\": %.6g%s", key, std::isfinite(error) ? error : std::numeric_limits<double>::max(), after);
}

/// Names of kernels and targets need no escapes: they are identifiers.
static void printJson(const Run &run) {
  const CallArguments &a = run.arguments;
  const attn_kernel_info &info = a.info();
  auto text = [](const char *key, const char *value) { std::printf("\"%s\": \"%s\", ", key, value); };
  auto whole = [](const char *key, int64_t value) { std::printf("\"%s\": %lld, ", key, (long long)value); };
  std::printf("{");
  text("kernel", info.name);
  text("target", info.target);
  text("element", nameOfElement(info.element));
  whole("batch", a.batch);
  whole("heads", a.heads);
  whole("kv_heads", a.kvHeads);
  whole("length", a.length);
  whole("kv_length", a.kvLength);
  whole("query_offset", a.queryOffset);
  whole("key_offset", a.keyOffset);
  whole("head_size", info.head_size);
  whole("value_head_size", info.value_head_size);
  whole("threads", run.line.flags.threads);
  whole("workspace_bytes", run.report.workspaceBytes);
  text("isa", nameOfIsa(run.report.isa));
  if (run.verdict) {
    std::printf("\"ok\": %s, ", run.verdict->ok ? "true" : "false");
    printError("max_error", run.verdict->maxError, ", ");
    printError("error_ratio", run.verdict->errorRatio, ", ");
    printError("lse_error_ratio", run.verdict->lseErrorRatio, ", ");
  } else {
    std::printf("\"ok\": true, \"max_error\": null, \"error_ratio\": null, \"lse_error_ratio\": null, ");
  }
  std::printf("\"ms\": %.6g}\n", run.report.milliseconds());
}

static void printText(const Run &run) {
  const CallArguments &a = run.arguments;
  const attn_kernel_info &info = a.info();
  const int32_t threads = run.line.flags.threads;
  std::printf("%s %s, %s: batch %lld, heads %lld (%lld), length %lld (%lld), head size %d (%d)\n", info.name,
              nameOfElement(info.element), nameOfIsa(run.report.isa), (long long)a.batch, (long long)a.heads,
              (long long)a.kvHeads, (long long)a.length, (long long)a.kvLength, info.head_size, info.value_head_size);
  std::printf("%.4g ms", run.report.milliseconds());
  if (!info.load)
    std::printf(" on %d thread%s", threads, threads == 1 ? "" : "s");
  std::printf(", workspace %zu bytes\n", run.report.workspaceBytes);
  if (run.verdict)
    std::printf("%s\n", describe(*run.verdict).c_str());
}

/// Whether the kernel gave what was expected, or nothing was.
static Result<bool> runTool(CommandLine &line) {
  Result<const attn_kernel_info *> info = loadKernel(line);
  if (!info)
    return info.takeFailure();
  const bool isJudged = !line.expectation.empty();
  if (Outcome taken = isJudged ? takeInputs(line.expectation, **info, line.flags) : Success(); !taken)
    return taken.takeFailure();
  Result<CallArguments> arguments = CallArguments::create(**info, line.flags);
  if (!arguments)
    return arguments.takeFailure();
  Result<RunReport> report = runCall(*arguments, line.flags);
  if (!report)
    return report.takeFailure();
  Run run = {line, *arguments, *report, std::nullopt};
  if (isJudged) {
    Result<Verdict> verdict = judgeOutputs(line.expectation, *arguments);
    if (!verdict)
      return verdict.takeFailure();
    run.verdict = *verdict;
  }
  if (Outcome written = writeOutputs(*arguments, line.flags); !written)
    return written.takeFailure();
  (line.isJson ? printJson : printText)(run);
  return !run.verdict || run.verdict->ok;
}

static int fail(const std::string &message) {
  std::fprintf(stderr, "error: %s\n", message.c_str());
  return 2;
}

int main(int argc, char **argv) {
  refuseWhenOutOfMemory();
  Result<CommandLine> line = parseCommandLine(argc, argv);
  if (!line)
    return fail(line.message());
  if (line->isHelp) {
    std::fputs(usage, stdout);
    return 0;
  }
  Result<bool> isRight = runTool(*line);
  return isRight ? !*isRight : fail(isRight.message());
}
