// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes and reads the folder of Expectation.h.
#include "common/Expectation.h"

#include "common/Element.h"

#include <cstdio>
#include <filesystem>

namespace attn_tools {

using attn::reference::Element;
using attn::reference::Expected;

Element referenceElementOf(int32_t element) {
  return element == ATTN_BF16 ? Element::BF16 : element == ATTN_F16 ? Element::F16 : Element::F32;
}

std::string describe(const Verdict &verdict) {
  char text[128];
  std::snprintf(text, sizeof(text), "%s: error %.2e, %.3f of what is allowed (lse %.3f)",
                verdict.ok ? "right" : "WRONG", verdict.maxError, verdict.errorRatio, verdict.lseErrorRatio);
  return text;
}

static std::string pathOf(const std::string &folder, const std::string &name) { return folder + "/" + name + ".npy"; }

static std::string nameOf(const attn_tensor_info &tensor) { return std::string("arg_") + tensor.name; }
static std::string nameOf(const attn_scalar_info &scalar) { return std::string("arg_") + scalar.name; }

static bool exists(const std::string &path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

static std::vector<int64_t> shapeOf(const attn_tensor &tensor) { return {tensor.shape, tensor.shape + tensor.rank}; }

//===----------------------------------------------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------------------------------------------===//

namespace {

/// Writes files into a folder until one cannot be written.
class FolderWriter {
public:
  FolderWriter(const std::string &folder) : folder(folder), outcome(Success()) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error)
      outcome = Failure{"cannot make the folder '" + folder + "': " + error.message()};
  }

  void write(const std::string &name, NpyType type, const std::vector<int64_t> &shape, const void *data) {
    if (outcome)
      outcome = writeNpy(pathOf(folder, name), type, shape, data);
  }
  void write(const std::string &name, const attn_tensor &tensor) {
    write(name, npyTypeOf(tensor.element), shapeOf(tensor), tensor.data);
  }
  void write(const std::string &name, const Numbers &numbers) {
    write(name, NpyType::F32, numbers.shape, numbers.values.data());
  }
  void write(const std::string &name, int64_t number) { write(name, NpyType::I64, {}, &number); }
  void write(const std::string &name, double number) { write(name, NpyType::F64, {}, &number); }

  /// Nothing of that name belongs to this call.
  void remove(const std::string &name) { std::remove(pathOf(folder, name).c_str()); }

  Outcome take() { return std::move(outcome); }

private:
  const std::string &folder;
  Outcome outcome;
};

} // namespace

static void writeArguments(FolderWriter &writer, const CallArguments &arguments) {
  const attn_kernel_info &info = arguments.info();
  for (int32_t i = ATTN_LSE + 1; i < info.tensor_count; ++i) {
    if (arguments.tensors[i].rank == 0) // the kernel's own default
      writer.remove(nameOf(info.tensors[i]));
    else if (info.tensors[i].role == ATTN_ARRAY || info.tensors[i].role == ATTN_STATE_IN)
      writer.write(nameOf(info.tensors[i]), arguments.arrayOf(i));
    else if (info.tensors[i].role != ATTN_STATE_OUT)
      writer.write(nameOf(info.tensors[i]), arguments.tensors[i]);
  }
  for (int32_t i = 0; i < info.scalar_count; ++i) {
    if (info.scalars[i].is_number)
      writer.write(nameOf(info.scalars[i]), arguments.scalars[i].number);
    else
      writer.write(nameOf(info.scalars[i]), arguments.scalars[i].index);
  }
  writer.write("key_offset", arguments.keyOffset);
  if (arguments.givenQueryOffset)
    writer.write("query_offset", *arguments.givenQueryOffset);
  else
    writer.remove("query_offset");
}

Outcome writeExpectation(const std::string &folder, const CallArguments &arguments, const Expected &expected) {
  FolderWriter writer(folder);
  writer.write("q", arguments.tensors[ATTN_QUERY]);
  writer.write("k", arguments.tensors[ATTN_KEY]);
  writer.write("v", arguments.tensors[ATTN_VALUE]);
  writeArguments(writer, arguments);
  const std::vector<int64_t> rows = shapeOf(arguments.tensors[ATTN_OUTPUT]), lse = shapeOf(arguments.tensors[ATTN_LSE]);
  writer.write("expected", NpyType::F64, rows, expected.output.data());
  writer.write("expected_lse", NpyType::F64, lse, expected.lse.data());
  writer.write("eager", NpyType::F32, rows, expected.eagerOutput.data());
  writer.write("eager_lse", NpyType::F32, lse, expected.eagerLse.data());
  return writer.take();
}

//===----------------------------------------------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------------------------------------------===//

Outcome takeInputs(const std::string &folder, const attn_kernel_info &info, CallFlags &flags) {
  if (!flags.queryFile.empty() || !flags.keyFile.empty() || !flags.valueFile.empty() || !flags.arguments.empty() ||
      flags.queryOffset || flags.keyOffset)
    return Failure{"--expect brings inputs, arguments and offsets of its own; drop --q, --k, --v, --arg, "
                   "--query-offset and --key-offset"};
  if (!exists(pathOf(folder, "q")))
    return Failure{"'" + folder + "' holds no call; write one with attn-run --expect"};
  flags.queryFile = pathOf(folder, "q"), flags.keyFile = pathOf(folder, "k"), flags.valueFile = pathOf(folder, "v");
  flags.keepElements = true;
  auto takeArgument = [&](const char *name) {
    if (std::string path = pathOf(folder, std::string("arg_") + name); exists(path))
      flags.arguments.push_back(std::string(name) + "=" + path);
  };
  for (int32_t i = ATTN_LSE + 1; i < info.tensor_count; ++i)
    takeArgument(info.tensors[i].name);
  for (int32_t i = 0; i < info.scalar_count; ++i)
    takeArgument(info.scalars[i].name);

  Result<int64_t> keyOffset = readInteger("the key offset", pathOf(folder, "key_offset"));
  if (!keyOffset)
    return keyOffset.takeFailure();
  flags.keyOffset = *keyOffset;
  if (!exists(pathOf(folder, "query_offset")))
    return Success();
  Result<int64_t> queryOffset = readInteger("the query offset", pathOf(folder, "query_offset"));
  if (!queryOffset)
    return queryOffset.takeFailure();
  flags.queryOffset = *queryOffset;
  return Success();
}

/// Reads an array of that shape and of T's type into `values`.
template <typename T>
static Outcome readValues(const std::string &path, const attn_tensor &like, std::vector<T> &values) {
  const NpyType type = sizeof(T) == 8 ? NpyType::F64 : NpyType::F32;
  Result<NpyArray> array = readNpy(path);
  if (!array)
    return array.takeFailure();
  if (array->type != type || array->shape != shapeOf(like))
    return Failure{"'" + path + "' holds " + nameOf(array->type) + " of shape " + describeShape(array->shape) +
                   ", the call needs " + nameOf(type) + " of shape " + describeShape(shapeOf(like)) +
                   "; write the folder again"};
  values.assign(array->data<T>(), array->data<T>() + array->elementCount());
  return Success();
}

Result<Verdict> judgeOutputs(const std::string &folder, const CallArguments &arguments) {
  const attn_tensor &output = arguments.tensors[ATTN_OUTPUT], &lse = arguments.tensors[ATTN_LSE];
  Expected expected;
  Outcome outcome = readValues(pathOf(folder, "expected"), output, expected.output);
  if (outcome)
    outcome = readValues(pathOf(folder, "expected_lse"), lse, expected.lse);
  if (outcome)
    outcome = readValues(pathOf(folder, "eager"), output, expected.eagerOutput);
  if (outcome)
    outcome = readValues(pathOf(folder, "eager_lse"), lse, expected.eagerLse);
  if (!outcome)
    return outcome.takeFailure();
  return judge(expected, referenceElementOf(arguments.info().element), floatsOf(output), floatsOf(lse));
}

} // namespace attn_tools
