// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Memory, tensors and run-time data that end, or begin, at a page that must not be touched.

#ifndef ATTN_TEST_UNIT_COMPILER_GUARDEDMEMORY_H
#define ATTN_TEST_UNIT_COMPILER_GUARDEDMEMORY_H

#include "attn/Reference/Reference.h"
#include "attn/Runtime/attn.h"
#include <memory>
#include <vector>

namespace attn {

/// Which of the two pages around it memory touches.
enum class Guard : uint8_t { Behind, Before };

/// Memory between two pages that must not be touched; it ends right before the second one, or begins right behind the
/// first, and is filled with 0xff.
class GuardedMemory {
public:
  explicit GuardedMemory(size_t bytes, Guard guard = Guard::Behind);
  ~GuardedMemory();
  GuardedMemory(const GuardedMemory &) = delete;

  unsigned char *data() const { return begin; }
  size_t size() const { return bytes; }
  /// Whether what lies between the data and the two pages is as it was.
  bool isIntactAround() const;

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

/// A tensor of f32, bf16 or f16 in guarded memory. Numbers go in and out as floats.
class GuardedTensor {
public:
  GuardedTensor(std::vector<int64_t> shape, Layout layout, attn_element element = ATTN_F32,
                Guard guard = Guard::Behind);
  /// Any strides.
  GuardedTensor(std::vector<int64_t> shape, const std::vector<int64_t> &strides, attn_element element = ATTN_F32,
                Guard guard = Guard::Behind);

  void set(const std::vector<float> &dense);
  std::vector<float> dense() const;
  /// Whether the memory outside of the tensor's elements is as it was.
  bool areGapsIntact() const;
  const attn_tensor &get() const { return tensor; }
  /// Whether all elements are as they were filled: with NaN of all ones.
  bool isUntouched() const;

private:
  template <typename Visit> void forEachElement(Visit visit) const;
  size_t elementBytes() const { return tensor.element == ATTN_F32 ? 4 : 2; }
  unsigned char *at(int64_t offset) const { return memory->data() + offset * elementBytes(); }
  bool isFilling(int64_t offset) const;

  attn_tensor tensor = {};
  std::unique_ptr<GuardedMemory> memory;
};

/// Run-time data in guarded memory.
class GuardedData {
public:
  GuardedData(const reference::Table &table, int32_t role, Guard guard);
  GuardedData(const reference::Blocks &blocks, Guard guard);
  /// An axis of extent 1 is shared by a stride of 0 where the kernel wants more: `extents`.
  GuardedData(const reference::Array &array, const std::vector<int64_t> &extents, int64_t columnStride, Guard guard);

  const attn_tensor &get() const { return tensor; }

private:
  template <typename Entry>
  void place(attn_element element, const std::vector<int64_t> &shape, const std::vector<int64_t> &strides,
             const std::vector<Entry> &entries);

  Guard guard;
  std::unique_ptr<GuardedMemory> memory;
  attn_tensor tensor = {};
};

} // namespace attn

#endif // ATTN_TEST_UNIT_COMPILER_GUARDEDMEMORY_H
