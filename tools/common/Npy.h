// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads and writes NumPy's .npy files (format versions 1.0, 2.0 and 3.0), little-endian and in C order.
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#ifndef ATTN_TOOLS_COMMON_NPY_H
#define ATTN_TOOLS_COMMON_NPY_H

#include "common/Result.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace attn_tools {

/// Element types by NumPy's names: <f2, <f4, <f8, <u2, <i4, <i8. bf16 has no name there; its bits are held as <u2.
enum class NpyType { F16, F32, F64, U16, I32, I64 };

/// "<f4" and so on.
const char *nameOf(NpyType type);

/// Bytes of an element.
int64_t sizeOf(NpyType type);

/// Uninitialised memory at a 64-byte boundary; null where it is not to be had.
struct FreeBytes {
  void operator()(unsigned char *bytes) const;
};
using Bytes = std::unique_ptr<unsigned char[], FreeBytes>;
Bytes allocateBytes(int64_t count);

/// An array in C order.
struct NpyArray {
  NpyType type = NpyType::F32;
  std::vector<int64_t> shape;
  Bytes bytes;

  int64_t elementCount() const;
  template <typename T> T *data() { return reinterpret_cast<T *>(bytes.get()); }
  template <typename T> const T *data() const { return reinterpret_cast<const T *>(bytes.get()); }
};

/// The number of elements of a shape, or -1 where it does not fit into 63 bits with `elementSize` bytes each.
int64_t countElements(const std::vector<int64_t> &shape, int64_t elementSize = 1);

/// "[1, 12, 384, 64]".
std::string describeShape(const std::vector<int64_t> &shape);

/// Reads a file. Every size in it is checked against the file's before memory is asked for.
Result<NpyArray> readNpy(const std::string &path);

/// Writes `data`, countElements(shape) elements in C order, as format version 1.0.
Outcome writeNpy(const std::string &path, NpyType type, const std::vector<int64_t> &shape, const void *data);

/// Whole numbers as int32: <i4 as they are, <i8 if they all fit. `path` is named in messages.
Result<std::vector<int32_t>> toInt32(const NpyArray &array, const std::string &path);

} // namespace attn_tools

#endif // ATTN_TOOLS_COMMON_NPY_H
