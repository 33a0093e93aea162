// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kernel compiled in process from the text of a pattern file, and calls of it on random data: every tensor and the
// workspace end where a page begins that must not be touched, outputs start out as NaN, and the reference judges.

#ifndef ATTN_TEST_UNIT_COMPILER_TESTKERNEL_H
#define ATTN_TEST_UNIT_COMPILER_TESTKERNEL_H

#include "../Fuzz.h"
#include "attn/Compiler/Compiler.h"
#include "attn/Reference/Reference.h"
#include "attn/Runtime/pool.h"
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace attn {

/// Changes the module after one stage of the compiler.
struct Mutation {
  Compilation::Stage stage;
  std::function<void(mlir::ModuleOp)> apply;
};

/// One kernel; `error` says why there is none.
class TestKernel {
public:
  TestKernel(const std::string &text, CompileOptions options, const Mutation *mutation = nullptr);

  /// Options for the best instruction set of this machine.
  static CompileOptions optionsFor(int64_t headSize, int64_t valueHeadSize = 0);
  /// The instruction sets that this machine runs.
  static std::vector<std::string> isasOfHost();

  const KernelSource &source() const { return compilation->kernels().front(); }
  const attn_kernel_info &info() const { return *kernels->all().front(); }
  std::string error;

private:
  llvm::Error compile(const std::string &text, const CompileOptions &options, const Mutation *mutation);

  std::unique_ptr<Compilation> compilation;
  std::optional<LoadedKernels> kernels;
};

/// Memory between two pages that must not be touched; it ends right before the second one and is filled with 0xff.
class GuardedMemory {
public:
  explicit GuardedMemory(size_t bytes);
  ~GuardedMemory();
  GuardedMemory(const GuardedMemory &) = delete;

  unsigned char *data() const { return begin; }
  size_t size() const { return bytes; }
  /// Whether what lies between the first page and the data is as it was.
  bool isIntactBefore() const;

private:
  unsigned char *mapping = nullptr, *begin = nullptr;
  size_t mapped = 0, bytes = 0;
};

/// How a tensor of [batch, heads, rows, columns] lies in memory.
enum class Layout {
  HeadsFirst, // [batch, heads, rows, columns], contiguous
  RowsFirst,  // [batch, rows, heads, columns], contiguous
  Gaps        // as HeadsFirst, with unused numbers behind every row and every head
};

/// A tensor of f32 in guarded memory.
class GuardedTensor {
public:
  GuardedTensor(std::vector<int64_t> shape, Layout layout);
  /// Any strides.
  GuardedTensor(std::vector<int64_t> shape, const std::vector<int64_t> &strides);

  void set(const std::vector<float> &dense);
  std::vector<float> dense() const;
  /// Whether the memory outside of the tensor's elements is as it was.
  bool areGapsIntact() const;
  const attn_tensor &get() const { return tensor; }
  /// Whether all elements are as they were filled: with NaN of all ones.
  bool isUntouched() const;

private:
  template <typename Visit> void forEachElement(Visit visit) const;
  float *floats() const { return reinterpret_cast<float *>(memory->data()); }

  attn_tensor tensor = {};
  std::unique_ptr<GuardedMemory> memory;
};

struct CallShape {
  int64_t batch = 1, heads = 1, kvHeads = 1, length = 0, kvLength = 0;
  std::optional<int64_t> queryOffset;
  int64_t keyOffset = 0;
  Layout layout = Layout::HeadsFirst;
};

/// A call on data drawn from a seed.
class TestCall {
public:
  TestCall(const TestKernel &kernel, const CallShape &shape, uint64_t seed);
  TestCall(const TestCall &) = delete;

  /// Sets run-time data for every batch, or a scalar, by its name.
  void setData(const std::string &name, std::vector<std::vector<int32_t>> table);
  void setIndex(const std::string &name, int64_t value);
  void setTensor(int32_t which, GuardedTensor tensor);
  void leaveOutLse() { withLse = false; }

  /// Runs with a workspace of the size that the kernel asks for, less `missing` bytes; returns the status.
  int run(int32_t threads = 1, size_t missing = 0);
  /// What touched memory that is none of its business; empty if nothing did.
  std::string memoryFault() const;
  reference::Verdict judge() const;
  /// The verdict, and how many query rows admit a key.
  std::pair<reference::Verdict, int64_t> judgeRows() const;

  std::vector<float> output() const { return rows[ATTN_OUTPUT]->dense(); }
  std::vector<float> lse() const { return rows[ATTN_LSE]->dense(); }
  bool areOutputsUntouched() const { return rows[ATTN_OUTPUT]->isUntouched() && rows[ATTN_LSE]->isUntouched(); }
  std::string text() const;

private:
  void drawRows(Dice &dice);
  void drawData(Dice &dice);
  std::vector<std::vector<int32_t>> drawTable(Dice &dice, int32_t role) const;
  void drawScalars(Dice &dice);
  reference::Problem problem() const;
  reference::Argument argumentOf(mlir::BlockArgument argument) const;
  int64_t queryOffset() const { return shape.queryOffset.value_or(shape.keyOffset + shape.kvLength - shape.length); }
  int64_t positions() const;

  const TestKernel &kernel;
  CallShape shape;
  std::vector<std::unique_ptr<GuardedTensor>> rows;    // query, key, value, output, lse
  std::vector<std::vector<float>> inputs;              // dense query, key, value
  std::vector<std::vector<std::vector<int32_t>>> data; // [tensor from FirstDataTensor][batch]; empty: the default
  std::vector<attn_scalar> scalars;
  std::unique_ptr<GuardedMemory> workspace;
  bool withLse = true;
};

} // namespace attn

#endif // ATTN_TEST_UNIT_COMPILER_TESTKERNEL_H
