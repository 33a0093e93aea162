// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// GPU kernels on a machine without the CUDA driver: objects load, and say what is missing when they are asked to run.
#include "FakeKernels.h"
#include "gpu.h"

#include "gtest/gtest.h"

#include <dlfcn.h>

namespace {

TEST(GpuDriver, AMissingDriverIsNamed) {
  if (dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL))
    GTEST_SKIP() << "this machine has the driver";
  int before = 0;
  void *handle = &before;
  EXPECT_EQ(attn_gpu_load(&fake_longformer, &handle, 0), ATTN_ERROR_DRIVER);
  EXPECT_EQ(handle, nullptr);
  EXPECT_EQ(attn_gpu_load(&fake_longformer, nullptr, 0), ATTN_ERROR_HANDLE);
}

} // namespace
