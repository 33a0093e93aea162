// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Builds the arguments of a call out of flags, files and a seed; CallArguments.h says how. Run-time data and scalars
// are CallData.cpp's.
#include "common/CallArguments.h"

#include "common/Element.h"
#include "common/Random.h"

#include <algorithm>
#include <cstring>

namespace attn_tools {

static std::string quoted(const std::string &text) { return "'" + text + "'"; }

static std::string number(int64_t value) { return std::to_string(value); }

//===----------------------------------------------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------------------------------------------===//

namespace {

/// What the C ABI takes for sizes and offsets.
constexpr int64_t kFarthest = int64_t(1) << 40;

/// A size that a flag and several files may speak of; they have to agree.
class Size {
public:
  Size(const char *flag, std::optional<int64_t> given) : flag(flag), value(given), source(flag) {}

  Outcome checkFlag() const {
    if (value && (*value < 0 || *value > kFarthest))
      return Failure{std::string(flag) + " is " + number(*value) + "; sizes lie between 0 and 2^40"};
    return Success();
  }

  Outcome agree(int64_t extent, const std::string &path) {
    if (value && *value != extent && source == flag)
      return Failure{source + " is " + number(*value) + ", " + quoted(path) + " has " + number(extent) +
                     "; drop the flag"};
    if (value && *value != extent)
      return Failure{source + " has " + number(*value) + " and " + quoted(path) + " has " + number(extent) + " (" +
                     flag + "); give files of equal sizes"};
    value = extent;
    source = quoted(path);
    return Success();
  }

  int64_t valueOr(int64_t otherwise) const { return value.value_or(otherwise); }

private:
  const char *flag;
  std::optional<int64_t> value;
  std::string source;
};

} // namespace

static constexpr const char *tensorNames[] = {"query", "key", "value", "output", "lse"};

static Failure failForMemory(const std::string &name, const std::vector<int64_t> &shape) {
  return {"no memory for " + name + " of shape " + describeShape(shape) + "; use smaller sizes"};
}

Outcome CallArguments::resolveSizes(const CallFlags &flags, const std::optional<NpyArray> *files) {
  Size batches("--batch", flags.batch), queryHeads("--heads", flags.heads), keyHeads("--kv-heads", flags.kvHeads),
      queryRows("--length", flags.length), keyRows("--kv-length", flags.kvLength);
  for (const Size &size : {batches, queryHeads, keyHeads, queryRows, keyRows})
    if (Outcome outcome = size.checkFlag(); !outcome)
      return outcome;
  for (int64_t offset : {flags.keyOffset, flags.queryOffset.value_or(0)})
    if (offset < -kFarthest || offset > kFarthest)
      return Failure{"an offset is " + number(offset) + "; offsets lie between -2^40 and 2^40"};

  const std::string *paths[] = {&flags.queryFile, &flags.keyFile, &flags.valueFile};
  for (int32_t i = ATTN_QUERY; i <= ATTN_VALUE; ++i) {
    if (!files[i])
      continue;
    Size *sizes[] = {&batches, i == ATTN_QUERY ? &queryHeads : &keyHeads, i == ATTN_QUERY ? &queryRows : &keyRows};
    for (int axis = 0; axis < 3; ++axis)
      if (Outcome outcome = sizes[axis]->agree(files[i]->shape[axis], *paths[i]); !outcome)
        return outcome;
  }
  batch = batches.valueOr(1);
  heads = queryHeads.valueOr(keyHeads.valueOr(1));
  kvHeads = keyHeads.valueOr(heads);
  length = queryRows.valueOr(1024);
  kvLength = keyRows.valueOr(length);
  keyOffset = flags.keyOffset;
  givenQueryOffset = flags.queryOffset;
  queryOffset = givenQueryOffset.value_or(keyOffset + kvLength - length);
  return Success();
}

int64_t CallArguments::queryPositions() const { return std::max<int64_t>(queryOffset + length, 0); }

int64_t CallArguments::keyPositions() const { return std::max<int64_t>(keyOffset + kvLength, 0); }

//===----------------------------------------------------------------------------------------------------------===//
// Query, key, value and output
//===----------------------------------------------------------------------------------------------------------===//

static Result<NpyArray> readRows(const std::string &path, int64_t headSize) {
  Result<NpyArray> array = readNpy(path);
  if (!array)
    return array;
  if (array->shape.size() != 4)
    return Failure{quoted(path) + " has shape " + describeShape(array->shape) + "; give [batch, head, row, column]"};
  if (array->shape[3] != headSize)
    return Failure{quoted(path) + " has head size " + number(array->shape[3]) + ", the kernel was compiled for " +
                   number(headSize) + "; compile it with the sizes of the files (--head-size, --value-head-size)"};
  return array;
}

static Bytes allocateRows(const std::vector<int64_t> &shape, int32_t element) {
  const int64_t size = sizeOf(npyTypeOf(element)), count = countElements(shape, size);
  return count < 0 ? nullptr : allocateBytes(count * size);
}

/// The elements of a file as the kernel takes them: its own type as it is, f32 and f64 rounded.
static Result<Bytes> takeElements(NpyArray &array, int32_t element, const std::string &path, bool keepElements) {
  if (array.type == npyTypeOf(element))
    return std::move(array.bytes);
  if (keepElements)
    return Failure{quoted(path) + " holds " + nameOf(array.type) + ", the kernel takes " + nameOfElement(element) +
                   "; write the folder with attn-run --expect --element=" + nameOfElement(element)};
  if (array.type != NpyType::F32 && array.type != NpyType::F64)
    return Failure{quoted(path) + " holds " + nameOf(array.type) + ", the kernel takes " + nameOfElement(element) +
                   "; save it as <f4" + (element == ATTN_F32 ? "" : std::string(" or ") + nameOf(npyTypeOf(element)))};
  Bytes bytes = allocateRows(array.shape, element);
  if (!bytes)
    return failForMemory(quoted(path), array.shape);
  for (int64_t i = 0, count = array.elementCount(); i < count; ++i)
    storeElement(bytes.get(), element, i,
                 array.type == NpyType::F32 ? array.data<float>()[i] : static_cast<float>(array.data<double>()[i]));
  return bytes;
}

void CallArguments::addTensor(int32_t tensor, int32_t element, const std::vector<int64_t> &shape, Bytes bytes) {
  attn_tensor &added = tensors[tensor];
  added.data = bytes.get();
  added.element = element;
  added.rank = static_cast<int32_t>(shape.size());
  int64_t stride = 1;
  for (size_t axis = shape.size(); axis-- > 0; stride *= shape[axis]) {
    added.shape[axis] = shape[axis];
    added.strides[axis] = stride;
  }
  storage.push_back(std::move(bytes));
}

Outcome CallArguments::addRows(int32_t tensor, int64_t headCount, int64_t rows, int64_t columns,
                               std::optional<NpyArray> &file, const CallFlags &flags) {
  const int32_t element = kernelInfo->element;
  const std::vector<int64_t> shape = {batch, headCount, rows, columns};
  if (flags.dataOnly) {
    addTensor(tensor, element, shape, nullptr);
    return Success();
  }
  if (file) {
    const std::string *paths[] = {&flags.queryFile, &flags.keyFile, &flags.valueFile};
    Result<Bytes> bytes = takeElements(*file, element, *paths[tensor], flags.keepElements);
    if (!bytes)
      return bytes.takeFailure();
    addTensor(tensor, element, shape, std::move(*bytes));
    return Success();
  }
  Bytes bytes = allocateRows(shape, element);
  if (!bytes)
    return failForMemory(tensorNames[tensor], shape);
  Random random(flags.seed, tensor);
  for (int64_t i = 0, count = countElements(shape); i < count; ++i)
    storeElement(bytes.get(), element, i, random.normal());
  addTensor(tensor, element, shape, std::move(bytes));
  return Success();
}

Outcome CallArguments::addOutput(int32_t tensor, int32_t element, const std::vector<int64_t> &shape,
                                 const CallFlags &flags) {
  if (flags.dataOnly) {
    addTensor(tensor, element, shape, nullptr);
    return Success();
  }
  Bytes bytes = allocateRows(shape, element);
  if (!bytes)
    return failForMemory(kernelInfo->tensors[tensor].name, shape);
  std::memset(bytes.get(), 0xff, countElements(shape) * sizeOf(npyTypeOf(element)));
  addTensor(tensor, element, shape, std::move(bytes));
  return Success();
}

//===----------------------------------------------------------------------------------------------------------===//
// All of it
//===----------------------------------------------------------------------------------------------------------===//

Outcome CallArguments::addAllRows(const CallFlags &flags) {
  const std::string *paths[] = {&flags.queryFile, &flags.keyFile, &flags.valueFile};
  const int64_t headSize = kernelInfo->head_size, valueHeadSize = kernelInfo->value_head_size;
  std::optional<NpyArray> files[3];
  for (int32_t i = ATTN_QUERY; i <= ATTN_VALUE; ++i) {
    if (paths[i]->empty())
      continue;
    Result<NpyArray> array = readRows(*paths[i], i == ATTN_VALUE ? valueHeadSize : headSize);
    if (!array)
      return array.takeFailure();
    files[i] = std::move(*array);
  }
  Outcome outcome = resolveSizes(flags, files);
  if (outcome)
    outcome = addRows(ATTN_QUERY, heads, length, headSize, files[ATTN_QUERY], flags);
  if (outcome)
    outcome = addRows(ATTN_KEY, kvHeads, kvLength, headSize, files[ATTN_KEY], flags);
  if (outcome)
    outcome = addRows(ATTN_VALUE, kvHeads, kvLength, valueHeadSize, files[ATTN_VALUE], flags);
  if (outcome)
    outcome = addOutput(ATTN_OUTPUT, kernelInfo->element, {batch, heads, length, valueHeadSize}, flags);
  if (outcome)
    outcome = addOutput(ATTN_LSE, ATTN_F32, {batch, heads, length}, flags);
  if (outcome && stateOut() >= 0)
    outcome = addOutput(stateOut(), ATTN_F32, {batch, kvHeads, headSize, valueHeadSize + 1}, flags);
  return outcome;
}

int32_t CallArguments::stateOut() const {
  for (int32_t i = ATTN_LSE + 1; i < kernelInfo->tensor_count; ++i)
    if (kernelInfo->tensors[i].role == ATTN_STATE_OUT)
      return i;
  return -1;
}

Result<CallArguments> CallArguments::create(const attn_kernel_info &info, const CallFlags &flags) {
  CallArguments arguments;
  arguments.kernelInfo = &info;
  arguments.tensors.resize(info.tensor_count);
  if (!flags.stateFile.empty() && arguments.stateOut() < 0)
    return Failure{std::string(info.name) + " gives no state; drop --state-out"};
  Outcome outcome = arguments.addAllRows(flags);
  if (outcome)
    outcome = arguments.addArguments(flags);
  if (outcome)
    outcome = arguments.drawData(flags);
  if (!outcome)
    return outcome.takeFailure();
  return arguments;
}

attn_call CallArguments::makeCall() const {
  attn_call call = ATTN_CALL_INIT;
  call.tensors = tensors.data();
  call.tensor_count = static_cast<int32_t>(tensors.size());
  call.scalars = scalars.data();
  call.scalar_count = static_cast<int32_t>(scalars.size());
  call.key_offset = keyOffset;
  if (givenQueryOffset) {
    call.flags = ATTN_HAS_QUERY_OFFSET;
    call.query_offset = *givenQueryOffset;
  }
  return call;
}

} // namespace attn_tools
