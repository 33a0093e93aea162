// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Why fatal errors are thrown: LLVM's handler for them must not return. The frames in between were compiled without
// exceptions, so their destructors do not run: memory is lost, and the process is not.

#include "CApiGuard.h"
#include "llvm/Support/ErrorHandling.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <new>
#include <string>

namespace {

struct FatalError {
  std::string reason;
};

/// Whether this thread is inside of runGuarded(). Other users of this LLVM have its usual end.
thread_local bool isGuarded = false;

struct GuardedScope {
  bool outer = std::exchange(isGuarded, true);
  ~GuardedScope() { isGuarded = outer; }
};

} // namespace

static void throwFatalError(void *, const char *reason, bool) {
  if (isGuarded)
    throw FatalError{reason};
  std::fprintf(stderr, "LLVM ERROR: %s\n", reason);
}

static void throwBadAlloc(void *, const char *reason, bool) {
  if (isGuarded)
    throw std::bad_alloc();
  std::fprintf(stderr, "LLVM ERROR: out of memory: %s\n", reason);
}

static void installHandlers() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::install_fatal_error_handler(throwFatalError);
    llvm::install_bad_alloc_error_handler(throwBadAlloc);
  });
}

/// The text of an error, which says "error: " once.
static char *copyText(llvm::StringRef text) {
  const bool isComplete = text.split('\n').first.contains("error: ");
  std::string line = ((isComplete ? "" : "error: ") + text).str();
  return strdup(line.c_str());
}

char *attn::runGuarded(llvm::function_ref<llvm::Error()> work) {
  installHandlers();
  GuardedScope scope;
  try {
    llvm::Error error = work();
    return error ? copyText(llvm::toString(std::move(error))) : nullptr;
  } catch (const FatalError &error) {
    return copyText("LLVM cannot compile this: " + error.reason);
  } catch (const std::bad_alloc &) {
    return copyText("out of memory; use smaller sizes");
  } catch (const std::exception &error) {
    return copyText(error.what());
  }
}
