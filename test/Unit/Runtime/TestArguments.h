// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Flags that become arguments of the fake kernels, and files for them.
#ifndef ATTN_TEST_UNIT_RUNTIME_TESTARGUMENTS_H
#define ATTN_TEST_UNIT_RUNTIME_TESTARGUMENTS_H

#include "common/CallArguments.h"
#include "common/RunCall.h"

#include "FakeKernels.h"

#include "gtest/gtest.h"

#include <cstdio>
#include <unistd.h>

namespace attn_tools {

inline CallFlags flagsOf(std::vector<std::string> arguments) {
  CallFlags flags;
  flags.arguments = std::move(arguments);
  return flags;
}

inline std::vector<int64_t> shapeOf(const attn_tensor &tensor) { return {tensor.shape, tensor.shape + tensor.rank}; }

/// The one line with which a kernel's arguments are refused, when they are made or when the call runs.
inline std::string messageOf(const attn_kernel_info &info, const CallFlags &flags) {
  Result<CallArguments> arguments = CallArguments::create(info, flags);
  if (!arguments)
    return arguments.message();
  Result<RunReport> report = runCall(*arguments, flags);
  return report ? "" : report.message();
}

/// Writes files, and takes them away at the end.
class Files : public ::testing::Test {
protected:
  ~Files() override {
    for (const std::string &path : paths)
      std::remove(path.c_str());
  }

  /// A new file of zeros of this type and shape.
  std::string write(NpyType type, const std::vector<int64_t> &shape) {
    return write(type, shape, std::vector<char>(countElements(shape) * sizeOf(type)).data());
  }

  std::string write(NpyType type, const std::vector<int64_t> &shape, const void *data) {
    paths.push_back(newPath());
    EXPECT_TRUE(writeNpy(paths.back(), type, shape, data));
    return paths.back();
  }

  std::string newPath() {
    return ::testing::TempDir() + "call-" + std::to_string(getpid()) + "-" + std::to_string(paths.size()) + ".npy";
  }

  std::vector<std::string> paths;
};

} // namespace attn_tools

#endif // ATTN_TEST_UNIT_RUNTIME_TESTARGUMENTS_H
