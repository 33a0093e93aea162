// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Calls the CUDA driver, whose functions are declared here as its documentation has them: no header of CUDA is needed.
// https://docs.nvidia.com/cuda/cuda-driver-api
#include "common/Cuda.h"

#include "attn/Runtime/attn.h"

#include <algorithm>
#include <dlfcn.h>

namespace attn_tools {

/// CUresult is an int, CUdevice an int, CUdeviceptr a uint64_t; contexts, streams and events are pointers.
struct CudaDriver {
  int (*init)(unsigned flags);
  int (*getErrorString)(int code, const char **text);
  int (*deviceGetCount)(int *count);
  int (*deviceGet)(int *device, int number);
  int (*primaryContextRetain)(void **context, int device);
  int (*primaryContextRelease)(int device);
  int (*contextSetCurrent)(void *context);
  int (*memoryAllocate)(uint64_t *pointer, size_t bytes);
  int (*memoryFree)(uint64_t pointer);
  int (*copyToDevice)(uint64_t to, const void *from, size_t bytes);
  int (*copyToHost)(void *to, uint64_t from, size_t bytes);
  int (*streamCreate)(void **stream, unsigned flags);
  int (*streamDestroy)(void *stream);
  int (*streamSynchronize)(void *stream);
  int (*eventCreate)(void **event, unsigned flags);
  int (*eventDestroy)(void *event);
  int (*eventRecord)(void *event, void *stream);
  int (*eventElapsedTime)(float *milliseconds, void *begin, void *end);

  /// Whether the driver is here with all of its functions. It stays loaded: kernels use it, too.
  bool load() {
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    return library && find(library, init, "cuInit") && find(library, getErrorString, "cuGetErrorString") &&
           find(library, deviceGetCount, "cuDeviceGetCount") && find(library, deviceGet, "cuDeviceGet") &&
           find(library, primaryContextRetain, "cuDevicePrimaryCtxRetain") &&
           find(library, primaryContextRelease, "cuDevicePrimaryCtxRelease_v2") &&
           find(library, contextSetCurrent, "cuCtxSetCurrent") && find(library, memoryAllocate, "cuMemAlloc_v2") &&
           find(library, memoryFree, "cuMemFree_v2") && find(library, copyToDevice, "cuMemcpyHtoD_v2") &&
           find(library, copyToHost, "cuMemcpyDtoH_v2") && find(library, streamCreate, "cuStreamCreate") &&
           find(library, streamDestroy, "cuStreamDestroy_v2") &&
           find(library, streamSynchronize, "cuStreamSynchronize") && find(library, eventCreate, "cuEventCreate") &&
           find(library, eventDestroy, "cuEventDestroy_v2") && find(library, eventRecord, "cuEventRecord") &&
           find(library, eventElapsedTime, "cuEventElapsedTime");
  }

private:
  template <typename Function> static bool find(void *library, Function &function, const char *name) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    return function != nullptr;
  }
};

Cuda::Cuda(std::unique_ptr<CudaDriver> driver) : driver(std::move(driver)) {}

Cuda::~Cuda() {
  for (uint64_t pointer : allocations)
    driver->memoryFree(pointer);
  for (void *event : events)
    driver->eventDestroy(event);
  if (workStream)
    driver->streamDestroy(workStream);
  if (hasContext)
    driver->primaryContextRelease(deviceHandle);
}

Outcome Cuda::check(int code, const std::string &what) const {
  const char *text = nullptr;
  if (code == 0)
    return Success();
  if (driver->getErrorString(code, &text) != 0 || !text)
    text = "unknown error";
  return Failure{"the GPU cannot " + what + ": " + text + "; see nvidia-smi for its state"};
}

Outcome Cuda::start(int32_t number) {
  constexpr int noDevice = 100; // CUDA_ERROR_NO_DEVICE
  int count = 0, result = driver->init(0);
  if (result == 0)
    result = driver->deviceGetCount(&count);
  if (result != 0 && result != noDevice)
    return Failure{attn_error_string(ATTN_ERROR_DRIVER)};
  if (count == 0)
    return Failure{"this machine has no GPU; run the kernel on one that has"};
  if (number < 0 || number >= count)
    return Failure{
        "--device is " + std::to_string(number) + ", this machine has " + std::to_string(count) +
        (count == 1 ? " GPU; drop the flag" : " GPUs; give a number from 0 to " + std::to_string(count - 1))};
  void *context = nullptr;
  Outcome outcome = check(driver->deviceGet(&deviceHandle, number), "be opened");
  if (outcome)
    outcome = check(driver->primaryContextRetain(&context, deviceHandle), "make a context");
  hasContext = static_cast<bool>(outcome);
  if (outcome)
    outcome = check(driver->contextSetCurrent(context), "make its context current");
  if (outcome)
    outcome = check(driver->streamCreate(&workStream, 0), "make a stream");
  return outcome;
}

Result<std::unique_ptr<Cuda>> Cuda::open(int32_t device) {
  auto driver = std::make_unique<CudaDriver>();
  if (!driver->load())
    return Failure{attn_error_string(ATTN_ERROR_DRIVER)};
  std::unique_ptr<Cuda> cuda(new Cuda(std::move(driver)));
  if (Outcome outcome = cuda->start(device); !outcome)
    return outcome.takeFailure();
  return cuda;
}

Result<void *> Cuda::allocate(const std::string &what, int64_t bytes) {
  uint64_t pointer = 0;
  if (bytes < 0 || driver->memoryAllocate(&pointer, std::max<int64_t>(bytes, 1)) != 0)
    return Failure{"no memory on the GPU for " + std::to_string(static_cast<uint64_t>(bytes)) + " bytes of " + what +
                   "; use smaller sizes"};
  allocations.push_back(pointer);
  return reinterpret_cast<void *>(pointer);
}

Outcome Cuda::copyToGpu(void *to, const void *from, int64_t bytes) {
  return check(driver->copyToDevice(reinterpret_cast<uint64_t>(to), from, bytes), "take a copy");
}

Outcome Cuda::copyFromGpu(void *to, const void *from, int64_t bytes) {
  return check(driver->copyToHost(to, reinterpret_cast<uint64_t>(from), bytes), "give a copy");
}

Outcome Cuda::mark() {
  void *event = nullptr;
  if (Outcome outcome = check(driver->eventCreate(&event, 0), "make an event"); !outcome)
    return outcome;
  events.push_back(event);
  return check(driver->eventRecord(event, workStream), "record an event");
}

Result<std::vector<double>> Cuda::wait() {
  if (Outcome outcome = check(driver->streamSynchronize(workStream), "finish the call"); !outcome)
    return outcome.takeFailure();
  std::vector<double> times;
  for (size_t i = 1; i < events.size(); ++i) {
    float milliseconds = 0;
    if (Outcome outcome = check(driver->eventElapsedTime(&milliseconds, events[i - 1], events[i]), "tell the time");
        !outcome)
      return outcome.takeFailure();
    times.push_back(milliseconds);
  }
  return times;
}

} // namespace attn_tools
