// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a GPU kernel that is written by hand on a driver that is, too: what a call's memory goes through, and how each
// thing that a machine lacks is said.
#include "common/Element.h"
#include "common/RunCall.h"

#include "FakeCuda.h"

#include "gtest/gtest.h"

#include <cmath>
#include <cstring>
#include <numeric>
#include <unistd.h>

using namespace attn_tools;

namespace {

enum { kSegments = ATTN_LSE + 1, kBias, kTensors, kState = kTensors };
constexpr int32_t kHeadSize = 4;

/// What the kernel was called with and what it should answer.
struct Machine {
  int loadStatus = ATTN_OK, runStatus = ATTN_OK, statusWord = ATTN_OK;
  int runs = 0, handles = 0, device = -1;
  std::vector<double> durations; // of the runs, in turn
  bool wasPoisoned = true;       // the outputs, when the first run began
  std::vector<float> bias;       // of each head and key
};
Machine machine;

int64_t countOf(const attn_tensor &tensor) { return countElements({tensor.shape, tensor.shape + tensor.rank}); }

int load(void **handle, int device) {
  machine.device = device;
  if (machine.loadStatus == ATTN_OK)
    *handle = &machine, ++machine.handles;
  return machine.loadStatus;
}

int unload(void *handle) {
  machine.handles -= handle == &machine;
  return ATTN_OK;
}

/// Output is query, lse the row's segment id, and a state, where there is one, counts up.
int run(const attn_call *call) {
  if (call->handle != &machine || !call->stream || call->workspace_bytes < 4)
    return ATTN_ERROR_HANDLE;
  if (machine.runStatus != ATTN_OK)
    return machine.runStatus;
  fake_cuda_state()->clock += machine.durations.empty() ? 1 : machine.durations[machine.runs];
  const attn_tensor *tensors = call->tensors;
  float *lse = static_cast<float *>(tensors[ATTN_LSE].data);
  if (machine.runs++ == 0)
    for (int64_t i = 0; i < countOf(tensors[ATTN_LSE]); ++i)
      machine.wasPoisoned = machine.wasPoisoned && std::isnan(lse[i]);
  std::memcpy(tensors[ATTN_OUTPUT].data, tensors[ATTN_QUERY].data, countOf(tensors[ATTN_QUERY]) * 2);
  for (int64_t i = 0; i < countOf(tensors[ATTN_LSE]); ++i)
    lse[i] = static_cast<float>(static_cast<const int32_t *>(tensors[kSegments].data)[i]);
  const attn_tensor &bias = tensors[kBias];
  machine.bias.clear();
  for (int64_t i = 0; i < countOf(bias); ++i)
    machine.bias.push_back(static_cast<const float *>(
        bias.data)[i / bias.shape[1] * bias.strides[0] + i % bias.shape[1] * bias.strides[1]]);
  for (int64_t i = 0; call->tensor_count > kState && i < countOf(tensors[kState]); ++i)
    static_cast<float *>(tensors[kState].data)[i] = static_cast<float>(i);
  std::memcpy(call->workspace, &machine.statusWord, sizeof(int32_t));
  return ATTN_OK;
}

size_t workspaceBytes(const attn_call *call) { return 64; }
int isaOf(const attn_call *call) { return ATTN_ISA_SM_90A; }

attn_tensor_info required(const char *name, int32_t role) { return {name, role, 0, {}, 0, 0, -1, nullptr}; }
const attn_tensor_info tensorInfos[] = {
    required("query", ATTN_QUERY),
    required("key", ATTN_KEY),
    required("value", ATTN_VALUE),
    required("output", ATTN_OUTPUT),
    required("lse", ATTN_LSE),
    required("segments", ATTN_SEGMENTS),
    {"bias", ATTN_ARRAY, 2, {ATTN_EXTENT_HEADS, ATTN_EXTENT_KEYS}, 0, 0, -1, nullptr},
    {"state_out",
     ATTN_STATE_OUT,
     4,
     {ATTN_EXTENT_BATCH, ATTN_EXTENT_KV_HEADS, ATTN_EXTENT_HEAD_SIZE, kHeadSize + 1},
     0,
     0,
     0,
     nullptr}};

attn_kernel_info makeInfo() {
  attn_kernel_info info = {};
  info.version = ATTN_ABI_VERSION;
  info.element = ATTN_BF16;
  info.head_size = info.value_head_size = kHeadSize;
  info.tensor_count = kTensors;
  info.name = "document";
  info.target = "sm_90a";
  info.tensors = tensorInfos;
  info.run = run, info.workspace_bytes = workspaceBytes, info.isa = isaOf, info.load = load, info.unload = unload;
  return info;
}

class RunOnGpu : public testing::Test {
protected:
  RunOnGpu() : info(makeInfo()) {
    machine = Machine();
    *fake_cuda_state() = fake_cuda();
    fake_cuda_state()->device_count = 2;
    fake_cuda_state()->memory = 1 << 20;
    flags.length = 5;
    flags.heads = 2;
    flags.arguments = {"segments=0,0,1,1,2,2,3,3,4,4"};
  }

  /// Whatever happened, everything was given back.
  ~RunOnGpu() override {
    const fake_cuda &state = *fake_cuda_state();
    EXPECT_EQ(machine.handles, 0);
    EXPECT_EQ(state.contexts, 0);
    EXPECT_EQ(state.streams, 0);
    EXPECT_EQ(state.events, 0);
    EXPECT_EQ(state.blocks, 0);
  }

  std::string message() {
    Result<CallArguments> arguments = CallArguments::create(info, flags);
    if (!arguments)
      return arguments.message();
    Result<RunReport> report = runCall(*arguments, flags);
    return report ? "" : report.message();
  }

  attn_kernel_info info;
  CallFlags flags;
};

} // namespace

TEST_F(RunOnGpu, OutputsComeBack) {
  for (int32_t element : {ATTN_BF16, ATTN_F16}) {
    machine = Machine();
    info.element = element;
    Result<CallArguments> arguments = CallArguments::create(info, flags);
    ASSERT_TRUE(arguments) << arguments.message();
    Result<RunReport> report = runCall(*arguments, flags);
    ASSERT_TRUE(report) << report.message();
    EXPECT_EQ(floatsOf(arguments->tensors[ATTN_OUTPUT]), floatsOf(arguments->tensors[ATTN_QUERY]));
    EXPECT_EQ(floatsOf(arguments->tensors[ATTN_LSE]), (std::vector<float>{0, 0, 1, 1, 2, 2, 3, 3, 4, 4}));
    EXPECT_TRUE(machine.wasPoisoned);
    EXPECT_EQ(machine.runs, 1);
    EXPECT_EQ(machine.device, 0);
    EXPECT_EQ(report->workspaceBytes, 64u);
    EXPECT_STREQ(nameOfIsa(report->isa), "sm_90a");
    EXPECT_EQ(report->milliseconds(), 1);
  }
}

TEST_F(RunOnGpu, StatesComeBack) {
  info.tensor_count = kTensors + 1;
  Result<CallArguments> arguments = CallArguments::create(info, flags);
  ASSERT_TRUE(arguments) << arguments.message();
  Result<RunReport> report = runCall(*arguments, flags);
  ASSERT_TRUE(report) << report.message();
  std::vector<float> expected(2 * kHeadSize * (kHeadSize + 1));
  std::iota(expected.begin(), expected.end(), 0.0f);
  EXPECT_EQ(floatsOf(arguments->tensors[kState]), expected);
}

TEST_F(RunOnGpu, RepeatsAreTimedOneByOne) {
  machine.durations = {50, 4, 9, 2, 3};
  flags.repeat = 4;
  flags.device = 1;
  Result<CallArguments> arguments = CallArguments::create(info, flags);
  Result<RunReport> report = runCall(*arguments, flags);
  ASSERT_TRUE(report) << report.message();
  EXPECT_EQ(report->times, (std::vector<double>{4, 9, 2, 3}));
  EXPECT_EQ(report->milliseconds(), 3.5);
  EXPECT_EQ(machine.device, 1);
}

TEST_F(RunOnGpu, AxesThatShareAnEntryStayShared) {
  const std::string path = testing::TempDir() + "bias-" + std::to_string(getpid()) + ".npy";
  const float bias[] = {1, 2};
  ASSERT_TRUE(writeNpy(path, NpyType::F32, {2, 1}, bias));
  flags.arguments.push_back("bias=" + path);
  EXPECT_EQ(message(), "");
  std::remove(path.c_str());
  EXPECT_EQ(machine.bias, (std::vector<float>{1, 1, 1, 1, 1, 2, 2, 2, 2, 2}));
}

TEST_F(RunOnGpu, NoRowsAreNoMistake) {
  flags.length = 0;
  flags.kvLength = 3;
  EXPECT_EQ(message(), "");
}

TEST_F(RunOnGpu, WhatTheMachineLacks) {
  flags.device = 2;
  EXPECT_EQ(message(), "--device is 2, this machine has 2 GPUs; give a number from 0 to 1");
  fake_cuda_state()->device_count = 1;
  EXPECT_EQ(message(), "--device is 2, this machine has 1 GPU; drop the flag");
  fake_cuda_state()->device_count = 0;
  EXPECT_EQ(message(), "this machine has no GPU; run the kernel on one that has");
  fake_cuda_state()->init_code = 100; // CUDA_ERROR_NO_DEVICE
  EXPECT_EQ(message(), "this machine has no GPU; run the kernel on one that has");
  fake_cuda_state()->init_code = 999;
  EXPECT_EQ(message(), attn_error_string(ATTN_ERROR_DRIVER));
}

TEST_F(RunOnGpu, WhatTheKernelSays) {
  machine.loadStatus = ATTN_ERROR_ARCHITECTURE;
  EXPECT_EQ(message(), std::string("document: ") + attn_error_string(ATTN_ERROR_ARCHITECTURE));
  machine.loadStatus = ATTN_OK;
  machine.runStatus = ATTN_ERROR_LAUNCH;
  EXPECT_EQ(message(), std::string("document: ") + attn_error_string(ATTN_ERROR_LAUNCH));
}

TEST_F(RunOnGpu, WhatHappensOnTheGpu) {
  machine.statusWord = ATTN_ERROR_LENGTH;
  EXPECT_EQ(message(), std::string("document: ") + attn_error_string(ATTN_ERROR_LENGTH));
  fake_cuda_state()->synchronize_code = 700;
  EXPECT_EQ(message(),
            "the GPU cannot finish the call: an illegal memory access was encountered; see nvidia-smi for its state");
  fake_cuda_state()->memory = 70;
  EXPECT_EQ(message(), "no memory on the GPU for 80 bytes of query; use smaller sizes");
}

/// Run-time data are looked at before anything touches the GPU, which could not refuse them.
TEST_F(RunOnGpu, WrongDataNeverReachTheGpu) {
  fake_cuda_state()->init_code = 100;
  flags.arguments = {"segments=0,0,1"};
  EXPECT_EQ(message(), "argument 'segments' has 3 ids for 5 positions; give one id for each position from 0");
  flags.arguments.clear();
  flags.kvHeads = 3;
  EXPECT_EQ(message(), "3 key heads do not divide 2 query heads; give a --kv-heads that divides --heads");
}
