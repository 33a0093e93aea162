// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Conversions of 16-bit elements, of every instruction set: a row that looks at one key gives back its value, and one
// that looks at two alike gives their mean, rounded to nearest. Weights are not exact, so a mean half way between two
// numbers may become either.

#include "TestKernel.h"
#include "attn/Codegen/Isa.h"
#include "llvm/ADT/APFloat.h"
#include "gtest/gtest.h"
#include <cmath>

using namespace attn;

const char *const full = R"(
attn.pattern @full() {
  %all = attn.full
  attn.yield %all
})";

static constexpr int64_t columns = 256;

static const llvm::fltSemantics &semanticsOf(const std::string &element) {
  return element == "bf16" ? llvm::APFloat::BFloat() : llvm::APFloat::IEEEhalf();
}

/// Every number that the element type has.
static std::vector<float> allNumbers(const std::string &element) {
  std::vector<float> numbers;
  for (unsigned bits = 0; bits < 0x10000; ++bits)
    numbers.push_back(llvm::APFloat(semanticsOf(element), llvm::APInt(16, bits)).convertToFloat());
  return numbers;
}

static float roundedTo(const std::string &element, float number) {
  llvm::APFloat result(number);
  bool isExact;
  result.convert(semanticsOf(element), llvm::APFloat::rmNearestTiesToEven, &isExact);
  return result.convertToFloat();
}

/// What products take a number for: those of pairs of bf16 take numbers below the normal ones for 0.
static float inProducts(const std::string &element, const std::string &isa, float number) {
  bool isFlushed = element == "bf16" && Isa::find(isa)->takesPairs() && std::abs(number) < 0x1p-126f;
  return isFlushed ? 0 : number;
}

/// The output for `keys` values of each column, all of the same weight, given as [row of columns][key][column].
static std::vector<float> meansOf(const std::string &element, const std::string &isa, int64_t keys,
                                  std::vector<float> values) {
  CompileOptions options = TestKernel::optionsFor(8, columns);
  options.element = element, options.isas = {isa};
  TestKernel kernel(full, options);
  EXPECT_EQ(kernel.error, "");
  CallShape shape;
  shape.batch = values.size() / (columns * keys), shape.length = 1, shape.kvLength = keys;
  TestCall call(kernel, shape, /*seed=*/1);
  call.setInput(ATTN_QUERY, std::vector<float>(shape.batch * 8, 0));
  call.setInput(ATTN_VALUE, std::move(values));
  EXPECT_EQ(call.run(), ATTN_OK);
  EXPECT_EQ(call.memoryFault(), "");
  return call.output();
}

/// Whether a number is what is expected, or as near to `exact` as that.
static bool isRight(float number, float expected, double exact) {
  if (!std::isfinite(expected) || !std::isfinite(number))
    return number == expected || (std::isnan(number) && std::isnan(expected));
  return std::abs(number - exact) <= std::abs(expected - exact) && std::signbit(number) == std::signbit(expected);
}

static void expectRight(const std::vector<float> &numbers, const std::vector<float> &expected,
                        const std::vector<float> &exact) {
  ASSERT_EQ(numbers.size(), expected.size());
  for (size_t i = 0; i < numbers.size(); ++i)
    ASSERT_TRUE(isRight(numbers[i], expected[i], exact[i]))
        << "number " << i << " is " << numbers[i] << "; it has to be " << expected[i];
}

TEST(Element, EveryNumberComesBack) {
  for (const std::string element : {"bf16", "f16"})
    for (const std::string &isa : TestKernel::isasOfHost()) {
      SCOPED_TRACE(element + " on " + isa);
      std::vector<float> numbers = allNumbers(element), expected;
      std::vector<float> results = meansOf(element, isa, 1, numbers);
      // What is added to -0 is 0.
      for (float number : numbers)
        expected.push_back(inProducts(element, isa, number) == 0 ? 0 : number);
      expectRight(results, expected, expected);
    }
}

TEST(Element, MeansAreRoundedToNearest) {
  for (const std::string element : {"bf16", "f16"})
    for (const std::string &isa : TestKernel::isasOfHost()) {
      SCOPED_TRACE(element + " on " + isa);
      // Neighbours have their mean half way between them; numbers a few bits apart have it at all other places.
      std::vector<float> numbers = allNumbers(element), values, expected, exact;
      for (size_t row = 0; row < numbers.size(); row += columns)
        for (size_t key = 0; key < 2; ++key)
          for (size_t column = 0; column < columns; ++column) {
            size_t first = row + column, second = (first + 1 + first % 7 * 1000) % numbers.size();
            values.push_back(numbers[key ? second : first]);
            if (key) {
              exact.push_back((inProducts(element, isa, numbers[first]) + inProducts(element, isa, numbers[second])) *
                              0.5f);
              expected.push_back(roundedTo(element, exact.back()));
            }
          }
      expectRight(meansOf(element, isa, 2, values), expected, exact);
    }
}
