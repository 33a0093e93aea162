// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the flags of attn-run and attn-call to the arguments of a call: sizes, arrays from files or from the seed,
// run-time data and scalars. Both tools go through here and RunCall.h, so that they behave alike; all that is known of
// the kernel is its attn_kernel_info. Arrays are [batch, head, row, column] in C order.
#ifndef ATTN_TOOLS_COMMON_CALLARGUMENTS_H
#define ATTN_TOOLS_COMMON_CALLARGUMENTS_H

#include "attn/Runtime/attn.h"
#include "common/ArgumentText.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace attn_tools {

class Random;

/// The flags that the tools share, as they were given. A size that is not given comes from the files, or is 1 (batch,
/// heads), 1024 (length), heads (kv_heads) or length (kv_length).
struct CallFlags {
  std::optional<int64_t> batch, heads, kvHeads, length, kvLength, queryOffset;
  int64_t keyOffset = 0;
  std::vector<std::string> arguments; // of --arg: name=value, name=v1,v2,... or name=file.npy
  std::string queryFile, keyFile, valueFile, outputFile, lseFile, stateFile;
  uint64_t seed = 0;
  bool keepElements = false; // files of another element type than the kernel's are refused, not rounded
  bool dataOnly = false;     // shapes, run-time data and scalars only: query, key, value and outputs get no memory
  int64_t repeat = 1;
  int32_t threads = 1;
  int32_t device = 0; // the GPU, for kernels that run on one
  int32_t maxIsa = ATTN_ISA_BEST;
};

/// Everything that a call points to. May be moved, not copied.
class CallArguments {
public:
  /// Reads files, draws what is missing from the seed, and fills the outputs with NaN, so that a row that is never
  /// written is seen. Run-time data without a default is drawn too: segments are about 4 runs of sorted ids, lengths
  /// lie in [0, number of positions], tokens are up to 4 positions, numbers for a head lie in [1, 64] (or are their
  /// minimum, where that is larger), blocks are BigBird's (Draw.h), and arrays are normally distributed, open extents
  /// 64 long. `info` has to outlive the arguments.
  ///
  /// One number for each head may be given once for all of them. Of an array, an axis of the call (batch, heads, ...)
  /// may be given once, too: with an extent of 1, of which the kernel is told by a stride of 0.
  static Result<CallArguments> create(const attn_kernel_info &info, const CallFlags &flags);

  const attn_kernel_info &info() const { return *kernelInfo; }
  /// Takes another description of the same kernel: of one that can run, in place of one that only describes.
  void setInfo(const attn_kernel_info &info) { kernelInfo = &info; }

  /// A call without workspace and executor. Points into these arguments.
  attn_call makeCall() const;

  /// Tokens, segments, lengths or the numbers of all heads, for one batch: given, drawn or by default.
  std::vector<int32_t> valuesOf(int32_t tensor, int64_t batchIndex) const;
  /// Blocks [heads, query blocks, size] or [batch, heads, query blocks, size].
  Integers blocksOf(int32_t tensor) const;
  /// An array; axes that share an entry have the extent 1.
  Numbers arrayOf(int32_t tensor) const;

  /// The tensor that is the state after the last key; -1: the kernel has none.
  int32_t stateOut() const;

  /// How many positions a block of a table of blocks has; nothing where that is neither a number nor an argument.
  std::optional<int64_t> blockOf(int32_t tensor) const;
  /// The positions from 0 to the last query or key row.
  int64_t queryPositions() const;
  int64_t keyPositions() const;

  int64_t batch = 0, heads = 0, kvHeads = 0, length = 0, kvLength = 0;
  int64_t queryOffset = 0; // as given, or its default
  int64_t keyOffset = 0;
  std::optional<int64_t> givenQueryOffset;
  std::vector<attn_tensor> tensors; // [info().tensor_count]; of rank 0 where the kernel's default is meant
  std::vector<attn_scalar> scalars; // [info().scalar_count]

private:
  CallArguments() = default;
  Outcome addAllRows(const CallFlags &flags);
  Outcome resolveSizes(const CallFlags &flags, const std::optional<NpyArray> *files);
  Outcome addRows(int32_t tensor, int64_t headCount, int64_t rows, int64_t columns, std::optional<NpyArray> &file,
                  const CallFlags &flags);
  Outcome addOutput(int32_t tensor, int32_t element, const std::vector<int64_t> &shape, const CallFlags &flags);
  Outcome addArguments(const CallFlags &flags);
  Outcome addArgument(const NamedText &argument, std::vector<std::string> &seen);
  Outcome addIntegers(int32_t tensor, const NamedText &argument);
  Outcome addNumbers(int32_t tensor, const NamedText &argument);
  Outcome drawData(const CallFlags &flags);
  Outcome draw(int32_t tensor, uint64_t seed);
  std::vector<int64_t> drawnShape(int32_t tensor) const;
  std::vector<int32_t> drawIntegersFor(int32_t tensor, const std::vector<int64_t> &shape, Random &random) const;
  template <typename T>
  Outcome addValues(int32_t tensor, int32_t element, const std::vector<int64_t> &shape, const std::vector<T> &values);
  void addTensor(int32_t tensor, int32_t element, const std::vector<int64_t> &shape, Bytes bytes);
  int64_t extentOf(int64_t extent) const;
  std::string describeShapesOf(int32_t tensor) const;
  Failure failForShape(int32_t tensor, const NamedText &argument, const std::vector<int64_t> &shape) const;

  const attn_kernel_info *kernelInfo = nullptr;
  std::vector<Bytes> storage;
};

} // namespace attn_tools

#endif // ATTN_TOOLS_COMMON_CALLARGUMENTS_H
