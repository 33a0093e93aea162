// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Maps memory between pages that may not be touched, and lays tensors out in it.

#include "GuardedMemory.h"
#include "llvm/ADT/APFloat.h"
#include <algorithm>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

using namespace attn;

GuardedMemory::GuardedMemory(size_t bytes, Guard guard) : bytes(bytes) {
  const size_t page = sysconf(_SC_PAGESIZE), inside = (bytes + page - 1) / page * page;
  mapped = inside + 2 * page;
  mapping = static_cast<unsigned char *>(
      mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  if (mapping == MAP_FAILED || (inside && mprotect(mapping + page, inside, PROT_READ | PROT_WRITE)))
    std::abort();
  begin = mapping + page + (guard == Guard::Behind ? inside - bytes : 0);
  // Memory that is reserved for far strides only stays unfilled.
  if (bytes < size_t(1) << 30)
    std::memset(mapping + page, 0xff, inside);
}

GuardedMemory::~GuardedMemory() { munmap(mapping, mapped); }

bool GuardedMemory::isIntactAround() const {
  if (bytes >= size_t(1) << 30)
    return true;
  const size_t page = sysconf(_SC_PAGESIZE);
  auto isFilling = [](const unsigned char *first, const unsigned char *last) {
    return std::all_of(first, last, [](unsigned char byte) { return byte == 0xff; });
  };
  return isFilling(mapping + page, begin) && isFilling(begin + bytes, mapping + mapped - page);
}

static std::vector<int64_t> stridesOf(const std::vector<int64_t> &shape, Layout layout) {
  if (shape.size() == 3) { // lse has no columns
    int64_t gap = layout == Layout::Gaps ? 3 : 0;
    if (layout == Layout::RowsFirst)
      return {shape[2] * shape[1], 1, shape[1]};
    return {shape[1] * (shape[2] + gap), shape[2] + gap, 1};
  }
  int64_t row = shape[3] + (layout == Layout::Gaps ? 5 : 0);
  if (layout == Layout::RowsFirst)
    return {shape[2] * shape[1] * row, row, shape[1] * row, 1};
  int64_t head = shape[2] * row + (layout == Layout::Gaps ? 7 : 0);
  return {shape[1] * head, head, row, 1};
}

GuardedTensor::GuardedTensor(std::vector<int64_t> shape, Layout layout, attn_element element, Guard guard)
    : GuardedTensor(shape, stridesOf(shape, layout), element, guard) {}

GuardedTensor::GuardedTensor(std::vector<int64_t> shape, const std::vector<int64_t> &strides, attn_element element,
                             Guard guard) {
  tensor.element = element, tensor.rank = static_cast<int32_t>(shape.size());
  int64_t extent = 1;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    tensor.shape[axis] = shape[axis], tensor.strides[axis] = strides[axis];
    extent = shape[axis] == 0 || extent == 0 ? 0 : extent + (shape[axis] - 1) * strides[axis];
  }
  memory = std::make_unique<GuardedMemory>(extent * elementBytes(), guard);
  tensor.data = memory->data();
}

/// Calls `visit(offset)` for every element, the last axis fastest.
template <typename Visit> void GuardedTensor::forEachElement(Visit visit) const {
  const int64_t *shape = tensor.shape, *strides = tensor.strides;
  int64_t columns = tensor.rank == 4 ? shape[3] : 1;
  for (int64_t b = 0; b < shape[0]; ++b)
    for (int64_t h = 0; h < shape[1]; ++h)
      for (int64_t r = 0; r < shape[2]; ++r)
        for (int64_t c = 0; c < columns; ++c)
          visit(b * strides[0] + h * strides[1] + r * strides[2] + c);
}

static const llvm::fltSemantics &semanticsOf(int32_t element) {
  return element == ATTN_BF16  ? llvm::APFloat::BFloat()
         : element == ATTN_F16 ? llvm::APFloat::IEEEhalf()
                               : llvm::APFloat::IEEEsingle();
}

void GuardedTensor::set(const std::vector<float> &dense) {
  size_t next = 0;
  bool isExact;
  forEachElement([&](int64_t offset) {
    llvm::APFloat number(dense[next++]);
    number.convert(semanticsOf(tensor.element), llvm::APFloat::rmNearestTiesToEven, &isExact);
    std::memcpy(at(offset), number.bitcastToAPInt().getRawData(), elementBytes());
  });
}

std::vector<float> GuardedTensor::dense() const {
  std::vector<float> result;
  forEachElement([&](int64_t offset) {
    uint64_t bits = 0;
    std::memcpy(&bits, at(offset), elementBytes());
    llvm::APInt wide(8 * elementBytes(), bits);
    result.push_back(llvm::APFloat(semanticsOf(tensor.element), wide).convertToFloat());
  });
  return result;
}

bool GuardedTensor::isFilling(int64_t offset) const {
  return std::all_of(at(offset), at(offset + 1), [](unsigned char byte) { return byte == 0xff; });
}

bool GuardedTensor::areGapsIntact() const {
  std::vector<bool> isElement(memory->size() / elementBytes(), false);
  forEachElement([&](int64_t offset) { isElement[offset] = true; });
  for (size_t offset = 0; offset < isElement.size(); ++offset)
    if (!isElement[offset] && !isFilling(offset))
      return false;
  return memory->isIntactAround();
}

bool GuardedTensor::isUntouched() const {
  bool untouched = true;
  forEachElement([&](int64_t offset) { untouched &= isFilling(offset); });
  return untouched;
}

//===-- Run-time data ---------------------------------------------------------------------------------------------===//

static std::vector<int64_t> stridesOf(const std::vector<int64_t> &shape, int64_t columnStride) {
  std::vector<int64_t> strides(shape.size(), columnStride);
  for (size_t axis = shape.size() - 1; axis-- > 0;)
    strides[axis] = strides[axis + 1] * shape[axis + 1];
  return strides;
}

template <typename Entry>
void GuardedData::place(attn_element element, const std::vector<int64_t> &shape, const std::vector<int64_t> &strides,
                        const std::vector<Entry> &entries) {
  memory = std::make_unique<GuardedMemory>(entries.size() * sizeof(Entry), guard);
  if (!entries.empty())
    std::memcpy(memory->data(), entries.data(), entries.size() * sizeof(Entry));
  tensor.data = memory->data(), tensor.element = element, tensor.rank = static_cast<int32_t>(shape.size());
  std::copy(shape.begin(), shape.end(), tensor.shape);
  std::copy(strides.begin(), strides.end(), tensor.strides);
}

GuardedData::GuardedData(const reference::Table &table, int32_t role, Guard guard) : guard(guard) {
  int64_t size = table.front().size(), batches = table.size();
  std::vector<int32_t> entries;
  for (const std::vector<int32_t> &row : table)
    entries.insert(entries.end(), row.begin(), row.end());
  if (role == ATTN_LENGTHS)
    place(ATTN_I32, {batches}, {1}, entries);
  else if (batches == 1)
    place(ATTN_I32, {size}, {1}, entries);
  else
    place(ATTN_I32, {batches, size}, {size, 1}, entries);
}

GuardedData::GuardedData(const reference::Blocks &blocks, Guard guard) : guard(guard) {
  place(ATTN_I32, blocks.shape, stridesOf(blocks.shape, 1), blocks.entries);
}

GuardedData::GuardedData(const reference::Array &array, const std::vector<int64_t> &extents, int64_t columnStride,
                         Guard guard)
    : guard(guard) {
  std::vector<int64_t> strides = stridesOf(array.shape, columnStride);
  std::vector<float> spread;
  for (float entry : array.entries)
    spread.insert(spread.end(), columnStride, entry);
  if (!spread.empty())
    spread.resize(spread.size() - (columnStride - 1));
  place(ATTN_F32, array.shape, strides, spread);
  for (size_t axis = 0; axis < extents.size(); ++axis)
    if (array.shape[axis] != extents[axis])
      tensor.shape[axis] = extents[axis], tensor.strides[axis] = 0;
}
