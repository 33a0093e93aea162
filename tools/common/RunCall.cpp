// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs and times a call.
#include "common/RunCall.h"

#include "attn/Runtime/pool.h"
#include "common/Element.h"
#include "common/Explain.h"
#include "common/RunOnGpu.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>

namespace attn_tools {

static std::string number(int64_t value) { return std::to_string(value); }

//===----------------------------------------------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------------------------------------------===//

namespace {

struct DestroyPool {
  void operator()(attn_pool *pool) const { attn_pool_destroy(pool); }
};
using Pool = std::unique_ptr<attn_pool, DestroyPool>;

} // namespace

/// Milliseconds of one run, whose status goes to `status`.
static double timeRun(const attn_kernel_info &info, const attn_call &call, int &status) {
  auto begin = std::chrono::steady_clock::now();
  status = info.run(&call);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

double RunReport::milliseconds() const {
  std::vector<double> sorted = times;
  std::sort(sorted.begin(), sorted.end());
  size_t middle = sorted.size() / 2;
  return sorted.size() % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

static Outcome checkFlags(const CallFlags &flags) {
  if (flags.threads < 1 || flags.threads > 1024)
    return Failure{"--threads is " + number(flags.threads) + "; give 1 to 1024"};
  if (flags.repeat < 1 || flags.repeat > 1000000)
    return Failure{"--repeat is " + number(flags.repeat) + "; give 1 to 1000000"};
  return Success();
}

static Result<RunReport> runOnCpu(const CallArguments &arguments, const CallFlags &flags, int64_t untimed) {
  Pool pool(attn_pool_create(flags.threads));
  if (!pool)
    return Failure{"cannot start " + number(flags.threads) + " threads; give a smaller --threads"};

  const attn_kernel_info &info = arguments.info();
  attn_call call = arguments.makeCall();
  call.max_isa = flags.maxIsa;
  call.executor = attn_pool_executor(pool.get());
  call.workspace_bytes = info.workspace_bytes(&call);
  Bytes workspace = call.workspace_bytes > INT64_MAX ? nullptr : allocateBytes(call.workspace_bytes);
  if (!workspace)
    return Failure{"no memory for a workspace of " + std::to_string(call.workspace_bytes) +
                   " bytes; use smaller sizes"};
  call.workspace = workspace.get();

  std::vector<double> times;
  for (int64_t i = 0; i < untimed + flags.repeat; ++i) {
    int status;
    double milliseconds = timeRun(info, call, status);
    if (status != ATTN_OK)
      return Failure{explainStatus(arguments, status, flags.maxIsa)};
    if (i >= untimed)
      times.push_back(milliseconds);
  }
  return RunReport{call.workspace_bytes, info.isa(&call), std::move(times)};
}

Result<RunReport> runCall(const CallArguments &arguments, const CallFlags &flags) {
  if (Outcome outcome = checkFlags(flags); !outcome)
    return outcome.takeFailure();
  const int64_t untimed = flags.repeat > 1 ? 1 : 0;
  return (arguments.info().load ? runOnGpu : runOnCpu)(arguments, flags, untimed);
}

//===----------------------------------------------------------------------------------------------------------===//
// Outputs
//===----------------------------------------------------------------------------------------------------------===//

static Outcome writeTensor(const std::string &path, const attn_tensor &tensor) {
  if (path.empty())
    return Success();
  return writeNpy(path, npyTypeOf(tensor.element), {tensor.shape, tensor.shape + tensor.rank}, tensor.data);
}

Outcome writeOutputs(const CallArguments &arguments, const CallFlags &flags) {
  Outcome outcome = writeTensor(flags.outputFile, arguments.tensors[ATTN_OUTPUT]);
  if (!outcome)
    return outcome;
  outcome = writeTensor(flags.lseFile, arguments.tensors[ATTN_LSE]);
  if (outcome && arguments.stateOut() >= 0)
    outcome = writeTensor(flags.stateFile, arguments.tensors[arguments.stateOut()]);
  if (!outcome && std::filesystem::is_regular_file(flags.outputFile))
    std::remove(flags.outputFile.c_str()); // half a result would be taken for a whole one
  return outcome;
}

} // namespace attn_tools
