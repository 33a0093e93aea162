// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads the text of flags and arguments: numbers, lists of them, and .npy files.
#include "common/ArgumentText.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>

namespace attn_tools {

static std::string quoted(const std::string &text) { return "'" + text + "'"; }

static std::string number(int64_t value) { return std::to_string(value); }

Result<NamedText> parseNamedText(const std::string &argument) {
  size_t equals = argument.find('=');
  if (equals == 0 || equals == std::string::npos)
    return Failure{"--arg " + quoted(argument) +
                   " is no assignment; write --arg name=value, name=v1,v2,... or name=file.npy"};
  return NamedText{argument.substr(0, equals), argument.substr(equals + 1)};
}

/// Whether strtoll or strtod took all of a text that was not empty and begins with no space.
static bool isTaken(const std::string &text, const char *end) {
  return !text.empty() && !std::isspace(static_cast<unsigned char>(text.front())) && *end == '\0' &&
         end == text.c_str() + text.size() && errno == 0;
}

Result<int64_t> parseInteger(const std::string &what, const std::string &text) {
  char *end;
  errno = 0;
  int64_t value = std::strtoll(text.c_str(), &end, 10);
  if (!isTaken(text, end))
    return Failure{what + " is " + quoted(text) + "; give a whole number of at most 64 bits"};
  return value;
}

Result<double> parseNumber(const std::string &what, const std::string &text) {
  char *end;
  errno = 0;
  double value = std::strtod(text.c_str(), &end);
  if (!isTaken(text, end))
    return Failure{what + " is " + quoted(text) + "; give a number"};
  return value;
}

std::string nameOf(const NamedText &argument) { return "argument " + quoted(argument.name); }

bool isNpy(const std::string &text) {
  const std::string ending = ".npy";
  return text.size() > ending.size() && text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

static Result<NpyArray> readScalar(const std::string &what, const std::string &path) {
  Result<NpyArray> array = readNpy(path);
  if (array && array->elementCount() != 1)
    return Failure{quoted(path) + " has shape " + describeShape(array->shape) + ", " + what +
                   " is one number; save it alone"};
  return array;
}

Result<int64_t> readInteger(const std::string &what, const std::string &path) {
  Result<NpyArray> array = readScalar(what, path);
  if (!array)
    return array.takeFailure();
  if (array->type == NpyType::I64)
    return *array->data<int64_t>();
  if (array->type == NpyType::I32)
    return *array->data<int32_t>();
  return Failure{quoted(path) + " holds " + nameOf(array->type) + ", " + what + " is a whole number; save it as <i8"};
}

Result<double> readNumber(const std::string &what, const std::string &path) {
  Result<NpyArray> array = readScalar(what, path);
  if (!array)
    return array.takeFailure();
  if (array->type == NpyType::F64)
    return *array->data<double>();
  if (array->type == NpyType::F32)
    return *array->data<float>();
  return Failure{quoted(path) + " holds " + nameOf(array->type) + ", " + what + " is a number; save it as <f8"};
}

static Result<Integers> readIntegers(const std::string &path) {
  Result<NpyArray> array = readNpy(path);
  if (!array)
    return array.takeFailure();
  Result<std::vector<int32_t>> values = toInt32(*array, path);
  if (!values)
    return values.takeFailure();
  return Integers{array->shape, std::move(*values)};
}

static Result<Numbers> readNumbers(const NamedText &argument) {
  Result<NpyArray> array = readNpy(argument.text);
  if (!array)
    return array.takeFailure();
  Numbers numbers = {array->shape, std::vector<float>(array->elementCount())};
  if (array->type == NpyType::F32)
    std::copy_n(array->data<float>(), numbers.values.size(), numbers.values.begin());
  else if (array->type == NpyType::F64)
    std::transform(array->data<double>(), array->data<double>() + numbers.values.size(), numbers.values.begin(),
                   [](double value) { return static_cast<float>(value); });
  else
    return Failure{quoted(argument.text) + " holds " + nameOf(array->type) + ", " + nameOf(argument) +
                   " is an array of numbers; save it as <f4"};
  return numbers;
}

/// The values between commas; nothing at all has none.
static std::vector<std::string> splitList(const std::string &text) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

Result<Integers> parseIntegers(const NamedText &argument) {
  if (isNpy(argument.text))
    return readIntegers(argument.text);
  Integers integers;
  for (const std::string &part : splitList(argument.text)) {
    Result<int64_t> value = parseInteger("a value of " + nameOf(argument), part);
    if (!value)
      return value.takeFailure();
    if (*value < INT32_MIN || *value > INT32_MAX)
      return Failure{"a value of " + nameOf(argument) + " is " + number(*value) + "; give whole numbers of 32 bits"};
    integers.values.push_back(static_cast<int32_t>(*value));
  }
  integers.shape = {static_cast<int64_t>(integers.values.size())};
  return integers;
}

Result<Numbers> parseNumbers(const NamedText &argument) {
  if (isNpy(argument.text))
    return readNumbers(argument);
  Numbers numbers;
  for (const std::string &part : splitList(argument.text)) {
    Result<double> value = parseNumber("a value of " + nameOf(argument), part);
    if (!value)
      return value.takeFailure();
    numbers.values.push_back(static_cast<float>(*value));
  }
  numbers.shape = {static_cast<int64_t>(numbers.values.size())};
  return numbers;
}

} // namespace attn_tools
