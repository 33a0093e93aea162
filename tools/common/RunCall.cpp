// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs and times a call, and puts statuses into words with the values at hand.
#include "common/RunCall.h"

#include "attn/Runtime/pool.h"
#include "common/Element.h"
#include "common/RunOnGpu.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>

namespace attn_tools {

static std::string number(int64_t value) { return std::to_string(value); }

//===----------------------------------------------------------------------------------------------------------===//
// Statuses in words
//===----------------------------------------------------------------------------------------------------------===//

namespace {

/// Looks for the value that a status is about. An empty string: none was found, the general words have to do.
class Explanation {
public:
  Explanation(const CallArguments &arguments, int32_t maxIsa)
      : a(arguments), info(arguments.info()), maxIsa(maxIsa),
        positions(std::max(a.queryOffset + a.length, a.keyOffset + a.kvLength)) {}

  std::string of(int status) const {
    switch (status) {
    case ATTN_ERROR_HEADS:
      return number(a.kvHeads) + " key heads do not divide " + number(a.heads) +
             " query heads; give a --kv-heads that divides --heads";
    case ATTN_ERROR_KV_LENGTH:
      return "kv-length " + number(a.kvLength) + " is not length " + number(a.length) + ": " + info.name +
             " is a pattern over one sequence; drop --kv-length";
    case ATTN_ERROR_ISA:
      return std::string("no version of ") + info.name + " runs on this processor" +
             (maxIsa == ATTN_ISA_BEST ? "; compile it for this machine"
                                      : std::string(" within --max-isa=") + nameOfIsa(maxIsa) + "; raise --max-isa");
    case ATTN_ERROR_SCALAR:
      return ofScalar();
    case ATTN_ERROR_SHAPE:
      return ofBatches();
    case ATTN_ERROR_TOKEN:
      return ofTokens();
    case ATTN_ERROR_SEGMENTS:
      return ofSegments();
    case ATTN_ERROR_LENGTH:
      return ofLengths();
    default:
      return "";
    }
  }

private:
  std::string ofScalar() const {
    for (int32_t i = 0; i < info.scalar_count; ++i) {
      const attn_scalar_info &scalar = info.scalars[i];
      int64_t index = a.scalars[i].index;
      if (!scalar.is_number && (index < scalar.minimum || index > int64_t(1) << 40))
        return std::string("argument '") + scalar.name + "' is " + number(index) + "; it is at least " +
               number(scalar.minimum) + " and at most 2^40";
    }
    return "";
  }

  std::string ofBatches() const {
    for (int32_t i = ATTN_LSE + 1; i < info.tensor_count; ++i) {
      const attn_tensor &tensor = a.tensors[i];
      bool hasBatches = tensor.rank == 2 || (tensor.rank == 1 && info.tensors[i].role == ATTN_LENGTHS);
      if (hasBatches && tensor.shape[0] != a.batch)
        return nameOf(i) + " has " + number(tensor.shape[0]) + " rows for a batch of " + number(a.batch) +
               "; give one for each batch";
    }
    return "";
  }

  std::string ofTokens() const {
    bool isShard = a.givenQueryOffset || a.keyOffset != 0;
    return ofValues(ATTN_TOKENS, -1, isShard ? INT32_MAX : positions - 1,
                    " stands outside the sequence; tokens lie in [0, " + number(positions) + "), -1 pads");
  }

  std::string ofSegments() const {
    for (int32_t i = ATTN_LSE + 1; i < info.tensor_count; ++i)
      if (info.tensors[i].role == ATTN_SEGMENTS && int64_t(a.valuesOf(i, 0).size()) < positions)
        return nameOf(i) + " has " + number(a.valuesOf(i, 0).size()) + " ids for " + number(positions) +
               " positions; give one id for each position from 0";
    return "";
  }

  std::string ofLengths() const {
    int64_t most = std::max<int64_t>(a.keyOffset + a.kvLength, 0);
    return ofValues(ATTN_LENGTHS, 0, most, " is no length of this sequence; lengths lie in [0, " + number(most) + "]");
  }

  /// The first value of a tensor with this role that lies outside [least, most].
  std::string ofValues(int32_t role, int64_t least, int64_t most, const std::string &fault) const {
    for (int32_t i = ATTN_LSE + 1; i < info.tensor_count; ++i)
      for (int64_t b = 0; info.tensors[i].role == role && b < a.batch; ++b)
        for (int64_t value : a.valuesOf(i, b))
          if ((value < least || value > most) && (role != ATTN_TOKENS || a.tensors[i].rank > 0))
            return "value " + number(value) + " of " + nameOf(i) + fault;
    return "";
  }

  std::string nameOf(int32_t tensor) const { return std::string("argument '") + info.tensors[tensor].name + "'"; }

  const CallArguments &a;
  const attn_kernel_info &info;
  int32_t maxIsa;
  int64_t positions;
};

} // namespace

std::string explainStatus(const CallArguments &arguments, int status, int32_t maxIsa) {
  std::string explanation = Explanation(arguments, maxIsa).of(status);
  return explanation.empty() ? arguments.info().name + std::string(": ") + attn_error_string(status) : explanation;
}

std::string explainArguments(const CallArguments &arguments) {
  Explanation explanation(arguments, ATTN_ISA_BEST);
  if (arguments.kvHeads ? arguments.heads % arguments.kvHeads != 0 : arguments.heads != 0)
    return explanation.of(ATTN_ERROR_HEADS);
  if (arguments.info().same_length && arguments.kvLength != arguments.length)
    return explanation.of(ATTN_ERROR_KV_LENGTH);
  for (int status : {ATTN_ERROR_SCALAR, ATTN_ERROR_SHAPE, ATTN_ERROR_TOKEN, ATTN_ERROR_SEGMENTS, ATTN_ERROR_LENGTH})
    if (std::string fault = explanation.of(status); !fault.empty())
      return fault;
  return "";
}

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
  if (!outcome && std::filesystem::is_regular_file(flags.outputFile))
    std::remove(flags.outputFile.c_str()); // half a result would be taken for a whole one
  return outcome;
}

} // namespace attn_tools
