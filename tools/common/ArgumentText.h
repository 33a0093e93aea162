// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is written on a command line as values: name=value, lists v1,v2,..., and .npy files in their place.
#ifndef ATTN_TOOLS_COMMON_ARGUMENTTEXT_H
#define ATTN_TOOLS_COMMON_ARGUMENTTEXT_H

#include "common/Npy.h"
#include "common/Result.h"

#include <cstdint>
#include <string>
#include <vector>

namespace attn_tools {

/// The text of one --arg in its two parts.
struct NamedText {
  std::string name;
  std::string text;
};
Result<NamedText> parseNamedText(const std::string &argument);

/// "argument 'left'".
std::string nameOf(const NamedText &argument);

/// Whether the text is the name of a .npy file.
bool isNpy(const std::string &text);

/// Values in C order.
template <typename T> struct Values {
  std::vector<int64_t> shape;
  std::vector<T> values;
};
using Integers = Values<int32_t>;
using Numbers = Values<float>;

/// Reads v1,v2,... (nothing at all is an empty list) or file.npy, of any shape. Files of numbers hold <f4 or <f8.
Result<Integers> parseIntegers(const NamedText &argument);
Result<Numbers> parseNumbers(const NamedText &argument);

/// A whole number, all of the text; `what` is named in the message: "--length" or "argument 'left'".
Result<int64_t> parseInteger(const std::string &what, const std::string &text);
Result<double> parseNumber(const std::string &what, const std::string &text);

/// The same out of a .npy file that holds one number.
Result<int64_t> readInteger(const std::string &what, const std::string &path);
Result<double> readNumber(const std::string &what, const std::string &path);

} // namespace attn_tools

#endif // ATTN_TOOLS_COMMON_ARGUMENTTEXT_H
