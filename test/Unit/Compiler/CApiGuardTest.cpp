// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Nothing but a text leaves the C API.

#include "../../../lib/Compiler/CApiGuard.h"
#include "llvm/Support/ErrorHandling.h"
#include "gtest/gtest.h"
#include <cstdlib>
#include <string>
#include <thread>

using llvm::Error;

/// The text that is returned; empty: none.
static std::string textOf(llvm::function_ref<Error()> work) {
  char *text = attn::runGuarded(work);
  std::string copy = text ? text : "";
  std::free(text);
  return copy;
}

static Error fail(const char *message) { return llvm::createStringError(llvm::inconvertibleErrorCode(), message); }

TEST(CApiGuard, Success) {
  EXPECT_EQ(attn::runGuarded([] { return Error::success(); }), nullptr);
}

TEST(CApiGuard, ErrorsSayErrorOnce) {
  EXPECT_EQ(textOf([] { return fail("it is wrong"); }), "error: it is wrong");
  EXPECT_EQ(textOf([] { return fail("error: it is wrong"); }), "error: it is wrong");
  EXPECT_EQ(textOf([] { return fail("a.mlir:1:2: error: wrong\na.mlir:3:4: note: here"); }),
            "a.mlir:1:2: error: wrong\na.mlir:3:4: note: here");
}

TEST(CApiGuard, FatalErrorsOfLLVM) {
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(textOf([]() -> Error { llvm::report_fatal_error("cannot select"); }),
              "error: LLVM cannot compile this: cannot select");
}

TEST(CApiGuard, MemoryThatIsNotThere) {
  const char *expected = "error: out of memory; use smaller sizes";
  EXPECT_EQ(textOf([]() -> Error { llvm::report_bad_alloc_error("no memory"); }), expected);
}

TEST(CApiGuard, EveryThreadIsGuarded) {
  std::string text;
  std::thread([&] { text = textOf([]() -> Error { llvm::report_fatal_error("in a thread"); }); }).join();
  EXPECT_EQ(text, "error: LLVM cannot compile this: in a thread");
}

TEST(CApiGuardDeathTest, OutsideOfItFatalErrorsAreLLVMs) {
  EXPECT_EQ(textOf([] { return Error::success(); }), "");
  EXPECT_DEATH(llvm::report_fatal_error("no guard"), "LLVM ERROR: no guard");
}
