// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a GPU kernel on copies of the call's memory.
#include "common/RunOnGpu.h"

#include "common/Cuda.h"
#include "common/Element.h"
#include "common/Explain.h"

namespace attn_tools {

namespace {

/// A kernel that was loaded onto a GPU.
class LoadedKernel {
public:
  LoadedKernel(const attn_kernel_info &info, int32_t device)
      : info(info), loadStatus(info.load(&kernelHandle, device)) {}
  LoadedKernel(const LoadedKernel &) = delete;
  ~LoadedKernel() {
    if (loadStatus == ATTN_OK)
      info.unload(kernelHandle);
  }

  int status() const { return loadStatus; }
  void *handle() const { return kernelHandle; }

private:
  const attn_kernel_info &info;
  void *kernelHandle = nullptr;
  int loadStatus;
};

} // namespace

/// Of the memory from the first element to the last; an axis that shares an entry has a stride of 0.
static int64_t bytesOf(const attn_tensor &tensor) {
  int64_t last = 0;
  for (int32_t axis = 0; axis < tensor.rank; ++axis) {
    if (tensor.shape[axis] == 0)
      return 0;
    last += (tensor.shape[axis] - 1) * tensor.strides[axis];
  }
  return (last + 1) * sizeOf(npyTypeOf(tensor.element));
}

/// The call's tensors on the GPU; outputs, too, with the NaN that they hold.
static Result<std::vector<attn_tensor>> copyTensors(Cuda &cuda, const CallArguments &arguments) {
  std::vector<attn_tensor> copies = arguments.tensors;
  for (size_t i = 0; i < copies.size(); ++i) {
    if (copies[i].rank == 0) // the kernel's own default
      continue;
    Result<void *> memory = cuda.allocate(arguments.info().tensors[i].name, bytesOf(copies[i]));
    if (!memory)
      return memory.takeFailure();
    if (Outcome copied = cuda.copyToGpu(*memory, copies[i].data, bytesOf(copies[i])); !copied)
      return copied.takeFailure();
    copies[i].data = *memory;
  }
  return copies;
}

static Outcome copyOutputs(Cuda &cuda, const CallArguments &arguments, const std::vector<attn_tensor> &copies) {
  Outcome outcome = Success();
  for (int32_t i : {int32_t(ATTN_OUTPUT), int32_t(ATTN_LSE), arguments.stateOut()})
    if (outcome && i >= 0)
      outcome = cuda.copyFromGpu(arguments.tensors[i].data, copies[i].data, bytesOf(copies[i]));
  return outcome;
}

/// Runs and waits; the time of each timed run.
static Result<std::vector<double>> timeRuns(Cuda &cuda, const CallArguments &arguments, const attn_call &call,
                                            int64_t untimed, int64_t timed) {
  for (int64_t i = 0; i < untimed + timed; ++i) {
    if (Outcome marked = i >= untimed ? cuda.mark() : Success(); !marked)
      return marked.takeFailure();
    if (int status = arguments.info().run(&call); status != ATTN_OK)
      return Failure{explainStatus(arguments, status, ATTN_ISA_BEST)};
  }
  Outcome marked = cuda.mark();
  return marked ? cuda.wait() : marked.takeFailure();
}

/// What the GPU found wrong with run-time data stands at the start of the workspace.
static Outcome checkStatusWord(Cuda &cuda, const CallArguments &arguments, const attn_call &call) {
  int32_t status = ATTN_OK;
  if (call.workspace_bytes < sizeof(status))
    return Success();
  Outcome outcome = cuda.copyFromGpu(&status, call.workspace, sizeof(status));
  if (outcome && status != ATTN_OK)
    return Failure{explainStatus(arguments, status, ATTN_ISA_BEST)};
  return outcome;
}

Result<RunReport> runOnGpu(const CallArguments &arguments, const CallFlags &flags, int64_t untimed) {
  const attn_kernel_info &info = arguments.info();
  if (std::string fault = explainArguments(arguments); !fault.empty())
    return Failure{fault};
  Result<std::unique_ptr<Cuda>> cuda = Cuda::open(flags.device);
  if (!cuda)
    return cuda.takeFailure();
  LoadedKernel kernel(info, flags.device);
  if (kernel.status() != ATTN_OK)
    return Failure{explainStatus(arguments, kernel.status(), ATTN_ISA_BEST)};

  Result<std::vector<attn_tensor>> tensors = copyTensors(**cuda, arguments);
  if (!tensors)
    return tensors.takeFailure();
  attn_call call = arguments.makeCall();
  call.tensors = tensors->data();
  call.stream = (*cuda)->stream();
  call.handle = kernel.handle();
  call.workspace_bytes = info.workspace_bytes(&call);
  Result<void *> workspace = (*cuda)->allocate("workspace", call.workspace_bytes);
  if (!workspace)
    return workspace.takeFailure();
  call.workspace = *workspace;

  Result<std::vector<double>> times = timeRuns(**cuda, arguments, call, untimed, flags.repeat);
  if (!times)
    return times.takeFailure();
  Outcome outcome = checkStatusWord(**cuda, arguments, call);
  if (outcome)
    outcome = copyOutputs(**cuda, arguments, *tensors);
  if (!outcome)
    return outcome.takeFailure();
  return RunReport{call.workspace_bytes, info.isa(&call), std::move(*times)};
}

} // namespace attn_tools
