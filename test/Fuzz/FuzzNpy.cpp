// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arbitrary bytes as a .npy file: it is read or refused, and every element of what was read is there.

#include "common/Npy.h"
#include <cstdlib>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

using namespace attn_tools;

/// Reads all elements, which AddressSanitizer watches.
static unsigned sumOf(const NpyArray &array) {
  unsigned sum = 0;
  for (int64_t byte = 0, end = array.elementCount() * sizeOf(array.type); byte < end; ++byte)
    sum += array.bytes[byte];
  return sum;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int file = memfd_create("npy", 0);
  if (file < 0 || write(file, data, size) != static_cast<ssize_t>(size))
    std::abort();
  const std::string path = "/proc/self/fd/" + std::to_string(file);
  if (Result<NpyArray> array = readNpy(path)) {
    volatile unsigned sum = sumOf(*array);
    (void)sum;
    (void)toInt32(*array, path);
  }
  close(file);
  return 0;
}
