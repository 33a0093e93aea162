// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The little of CUDA that running a call takes: memory on a GPU, copies, and times on a stream. The driver is looked
// for at run time, so that the tools are built and run where there is none.
#ifndef ATTN_TOOLS_COMMON_CUDA_H
#define ATTN_TOOLS_COMMON_CUDA_H

#include "common/Result.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace attn_tools {

struct CudaDriver;

/// A GPU, its primary context, which is made the calling thread's, and a stream. What was allocated is freed with it.
class Cuda {
public:
  /// A failure says what this machine lacks.
  static Result<std::unique_ptr<Cuda>> open(int32_t device);
  ~Cuda();

  /// Memory on the GPU for at least one byte; `what` is named where there is no room for it.
  Result<void *> allocate(const std::string &what, int64_t bytes);
  Outcome copyToGpu(void *to, const void *from, int64_t bytes);
  Outcome copyFromGpu(void *to, const void *from, int64_t bytes);

  void *stream() const { return workStream; }
  /// Notes when the stream gets here.
  Outcome mark();
  /// Waits for the stream; milliseconds from each mark to the next.
  Result<std::vector<double>> wait();

private:
  explicit Cuda(std::unique_ptr<CudaDriver> driver);
  Outcome start(int32_t device);
  Outcome check(int code, const std::string &what) const;

  std::unique_ptr<CudaDriver> driver;
  int deviceHandle = 0;
  bool hasContext = false;
  void *workStream = nullptr;
  std::vector<void *> events;
  std::vector<uint64_t> allocations;
};

} // namespace attn_tools

#endif // ATTN_TOOLS_COMMON_CUDA_H
