// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// No kernel of a shipped pattern or score reads or writes past what it is given, behind its end or before its
// beginning: every tensor and the workspace lie at a page that must not be touched, in calls of all odd lengths. What
// the kernels compute is judged elsewhere.

#include "TestKernel.h"
#include "gtest/gtest.h"
#include <map>

using namespace attn;

/// Calls of every odd length, each guarded on one side; on both where all tests are asked for.
static void expectInside(const TestKernel &kernel) {
  for (int64_t length = 1; length < 130; length += 2)
    for (Guard guard : {Guard::Behind, Guard::Before}) {
      if (!isFullCheck() && (length / 2 % 2 == 0) != (guard == Guard::Behind))
        continue;
      CallShape shape;
      shape.heads = 2, shape.length = length, shape.guard = guard;
      shape.kvLength = kernel.info().same_length ? length : (length * 37) % 131;
      TestCall call(kernel, shape, /*seed=*/length);
      int status = call.run();
      // The dice draw grids that are narrower than a neighborhood, and blocks past the last one.
      if (status != ATTN_ERROR_REQUIREMENT && status != ATTN_ERROR_BLOCKS) {
        ASSERT_EQ(status, ATTN_OK) << attn_error_string(status) << "; " << call.text();
      }
      ASSERT_EQ(call.memoryFault(), "") << call.text();
    }
}

static CompileOptions optionsFor(const std::string &element, const std::string &isa) {
  CompileOptions options = TestKernel::optionsFor(10, 13);
  options.element = element, options.isas = {isa};
  return options;
}

/// Calls `visit(element, isa, member)` for each of `count` members with every element type and every instruction set;
/// where not all tests are asked for, with one instruction set for each of `elementsOfMember` element types.
static void
forEachCombination(size_t count, size_t elementsOfMember,
                   llvm::function_ref<void(const std::string &element, const std::string &isa, size_t member)> visit) {
  const std::vector<std::string> elements = {"f32", "bf16", "f16"}, isas = TestKernel::isasOfHost();
  for (size_t e = 0; e < elements.size(); ++e)
    for (size_t i = 0; i < isas.size(); ++i)
      for (size_t member = 0; member < count; ++member)
        if (isFullCheck() ||
            ((member + e) % isas.size() == i && (member / isas.size() + e) % elements.size() < elementsOfMember))
          visit(elements[e], isas[i], member);
}

TEST(Guard, ShippedPatternsStayInside) {
  const std::vector<ShippedFile> sources = shippedFiles("");
  ASSERT_FALSE(sources.empty());
  // One object for each element type and instruction set.
  std::map<std::pair<std::string, std::string>, std::string> files;
  forEachCombination(sources.size(), 3, [&](const std::string &element, const std::string &isa, size_t member) {
    files[{element, isa}] += sources[member].text;
  });
  for (const auto &[options, text] : files) {
    TestKernel kernel(text, optionsFor(options.first, options.second));
    ASSERT_EQ(kernel.error, "");
    for (size_t n = 0; n < kernel.count(); ++n) {
      kernel.choose(n);
      SCOPED_TRACE(std::string(kernel.info().name) + " of " + options.first + " on " + options.second);
      expectInside(kernel);
    }
  }
}

TEST(Guard, ShippedScoresStayInside) {
  const std::vector<ShippedFile> sources = shippedFiles("scores");
  ASSERT_FALSE(sources.empty());
  const std::string pattern = R"(
attn.pattern @near(%left: index = 20, %right: index = 10) {
  %pairs = attn.window left(%left) right(%right)
  attn.yield %pairs
}
)";
  forEachCombination(sources.size(), 1, [&](const std::string &element, const std::string &isa, size_t member) {
    SCOPED_TRACE(sources[member].name + " of " + element + " on " + isa);
    CompileOptions options = optionsFor(element, isa);
    options.score = sources[member].name;
    TestKernel kernel(pattern + sources[member].text, options);
    ASSERT_EQ(kernel.error, "");
    expectInside(kernel);
  });
}
