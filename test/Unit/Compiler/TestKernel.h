// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kernel compiled in process from the text of a pattern file, and calls of it on random data: every tensor and the
// workspace end, or begin, at a page that must not be touched, outputs start out as NaN, and the reference judges.

#ifndef ATTN_TEST_UNIT_COMPILER_TESTKERNEL_H
#define ATTN_TEST_UNIT_COMPILER_TESTKERNEL_H

#include "../Fuzz.h"
#include "GuardedMemory.h"
#include "attn/Compiler/Compiler.h"
#include "attn/Pattern/Walk.h"
#include "attn/Reference/Reference.h"
#include "attn/Runtime/pool.h"
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace attn {

struct ShippedFile {
  std::string name, text;
};
/// The .mlir files of a folder in patterns/, by name.
std::vector<ShippedFile> shippedFiles(llvm::StringRef folder);

/// Changes the module after one stage of the compiler.
struct Mutation {
  Compilation::Stage stage;
  std::function<void(mlir::ModuleOp)> apply;
};

/// The kernels of a file, one of which is at hand, at first the first; `error` says why there are none.
class TestKernel {
public:
  TestKernel(const std::string &text, CompileOptions options, const Mutation *mutation = nullptr);

  /// Options for the best instruction set of this machine.
  static CompileOptions optionsFor(int64_t headSize, int64_t valueHeadSize = 0);
  /// The instruction sets that this machine runs.
  static std::vector<std::string> isasOfHost();

  size_t count() const { return compilation->kernels().size(); }
  /// Takes another kernel to hand; calls that were made of an earlier one must be over.
  void choose(size_t number) { chosen = number; }
  const KernelSource &source() const { return compilation->kernels()[chosen]; }
  const attn_kernel_info &info() const { return *kernels->find(source().layout.name); }
  std::string error;

private:
  llvm::Error compile(const std::string &text, const CompileOptions &options, const Mutation *mutation);

  std::unique_ptr<Compilation> compilation;
  std::optional<LoadedKernels> kernels;
  size_t chosen = 0;
};

struct CallShape {
  int64_t batch = 1, heads = 1, kvHeads = 1, length = 0, kvLength = 0;
  std::optional<int64_t> queryOffset;
  int64_t keyOffset = 0;
  Layout layout = Layout::HeadsFirst;
  Guard guard = Guard::Behind; // of every tensor, of run-time data and of the workspace
};

/// A call on data drawn from a seed.
class TestCall {
public:
  TestCall(const TestKernel &kernel, const CallShape &shape, uint64_t seed);
  TestCall(const TestCall &) = delete;

  /// Sets run-time data for every batch, or a scalar, by its name. An empty table means the default.
  void setData(const std::string &name, reference::Table table);
  void setIndex(const std::string &name, int64_t value);
  void setTensor(int32_t which, GuardedTensor tensor);
  /// Sets query, key or value: as many numbers as it has, which its element type can hold.
  void setInput(int32_t which, std::vector<float> numbers);
  void leaveOutLse() { withLse = false; }

  /// Runs with a workspace of the size that the kernel asks for, less `missing` bytes; returns the status.
  int run(int32_t threads = 1, size_t missing = 0);
  /// What touched memory that is none of its business; empty if nothing did.
  std::string memoryFault() const;
  reference::Verdict judge() const;
  /// What the report says of the call, summed over batches and heads.
  PairCounts reportedPairs() const;
  /// The verdict, and how many query rows admit a key.
  std::pair<reference::Verdict, int64_t> judgeRows() const;

  std::vector<float> output() const { return rows[ATTN_OUTPUT]->dense(); }
  std::vector<float> lse() const { return rows[ATTN_LSE]->dense(); }
  bool areOutputsUntouched() const { return rows[ATTN_OUTPUT]->isUntouched() && rows[ATTN_LSE]->isUntouched(); }
  std::string text() const;

private:
  void drawRows(Dice &dice);
  void drawData(Dice &dice);
  reference::Argument drawArgument(Dice &dice, const attn_tensor_info &info) const;
  reference::Table drawTable(Dice &dice, const attn_tensor_info &info) const;
  reference::Blocks drawBlocks(Dice &dice) const;
  reference::Array drawArray(Dice &dice, const attn_tensor_info &info) const;
  int64_t extentOf(int64_t extent) const;
  attn_element element() const { return static_cast<attn_element>(kernel.info().element); }
  void drawScalars(Dice &dice);
  reference::Problem problem() const;
  reference::Argument argumentOf(mlir::BlockArgument argument) const;
  int64_t queryOffset() const { return shape.queryOffset.value_or(shape.keyOffset + shape.kvLength - shape.length); }
  int64_t positions() const;

  const TestKernel &kernel;
  CallShape shape;
  std::vector<std::unique_ptr<GuardedTensor>> rows; // query, key, value, output, lse
  std::vector<std::vector<float>> inputs;           // dense query, key, value
  std::vector<reference::Argument> data;            // run-time data from FirstDataTensor on; none: the default
  int64_t arrayColumnStride = 1;
  std::vector<attn_scalar> scalars;
  std::unique_ptr<GuardedMemory> workspace;
  bool withLse = true;
};

} // namespace attn

#endif // ATTN_TEST_UNIT_COMPILER_TESTKERNEL_H
