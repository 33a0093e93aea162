// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Installs the handler of operator new. It may not allocate.
#include "common/Memory.h"

#include <new>
#include <unistd.h>

namespace attn_tools {

void refuseWhenOutOfMemory() {
  std::set_new_handler([] {
    const char message[] = "error: out of memory; use smaller sizes\n";
    [[maybe_unused]] ssize_t written = write(STDERR_FILENO, message, sizeof(message) - 1);
    _exit(2);
  });
}

} // namespace attn_tools
