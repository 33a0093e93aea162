// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A value, or in its place one line that says what is wrong and what helps. Tools print that line after `error: `, so
// it names the value at fault, starts in lower case and ends without a full stop.
#ifndef ATTN_TOOLS_COMMON_RESULT_H
#define ATTN_TOOLS_COMMON_RESULT_H

#include <optional>
#include <string>
#include <utility>

namespace attn_tools {

struct Failure {
  std::string message;
};

template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : value(std::move(value)) {}
  Result(Failure failure) : failure(std::move(failure)) {}

  explicit operator bool() const { return value.has_value(); }
  T &operator*() { return *value; }
  const T &operator*() const { return *value; }
  T *operator->() { return &*value; }
  const T *operator->() const { return &*value; }

  /// What is wrong; of a result without a value.
  const std::string &message() const { return failure.message; }
  /// The same, to be returned as another type's result.
  Failure takeFailure() { return std::move(failure); }

private:
  std::optional<T> value;
  Failure failure;
};

struct Success {};

/// The outcome of something that yields no value.
using Outcome = Result<Success>;

} // namespace attn_tools

#endif // ATTN_TOOLS_COMMON_RESULT_H
