// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The part of CallArguments that is run-time data and scalars: given with --arg, drawn, or by default.
#include "common/CallArguments.h"
#include "common/Draw.h"

#include <algorithm>

namespace attn_tools {

static std::string quoted(const std::string &text) { return "'" + text + "'"; }

//===----------------------------------------------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------------------------------------------===//

/// The axes of a role, without that of batches.
static std::vector<std::string> axesOf(int32_t role) {
  switch (role) {
  case ATTN_TOKENS:
    return {"tokens"};
  case ATTN_SEGMENTS:
    return {"positions"};
  case ATTN_PER_HEAD:
    return {"heads"};
  case ATTN_BLOCKS:
    return {"heads", "query blocks", "size"};
  default:
    return {};
  }
}

/// "[batch, heads]"
static std::string describeAxes(const std::vector<std::string> &axes) {
  std::string text;
  for (const std::string &axis : axes)
    text += (text.empty() ? "" : ", ") + axis;
  return "[" + text + "]";
}

static const char *nameOfExtent(int64_t extent) {
  const char *names[] = {"any", "batch", "heads", "kv heads", "length", "kv length", "head size"};
  return names[-1 - extent];
}

int64_t CallArguments::extentOf(int64_t extent) const {
  switch (extent) {
  case ATTN_EXTENT_BATCH:
    return batch;
  case ATTN_EXTENT_HEADS:
    return heads;
  case ATTN_EXTENT_KV_HEADS:
    return kvHeads;
  case ATTN_EXTENT_QUERIES:
    return length;
  case ATTN_EXTENT_KEYS:
    return kvLength;
  case ATTN_EXTENT_HEAD_SIZE:
    return kernelInfo->head_size;
  default:
    return extent;
  }
}

/// "[tokens] or [batch, tokens]", "[heads = 4, 32, any]": what may be given for a tensor.
std::string CallArguments::describeShapesOf(int32_t tensor) const {
  const attn_tensor_info &info = kernelInfo->tensors[tensor];
  std::vector<std::string> axes = axesOf(info.role);
  if (info.role == ATTN_ARRAY || info.role == ATTN_STATE_IN) {
    for (int32_t axis = 0; axis < info.rank; ++axis) {
      int64_t extent = info.extents[axis], size = extentOf(extent);
      axes.push_back(extent >= 0 ? std::to_string(extent) : nameOfExtent(extent));
      if (extent < 0 && size >= 0)
        axes.back() += " = " + std::to_string(size);
    }
    return describeAxes(axes);
  }
  const std::string shared = axes.empty() ? "" : describeAxes(axes) + " or ";
  axes.insert(axes.begin(), "batch");
  return shared + describeAxes(axes);
}

//===----------------------------------------------------------------------------------------------------------===//
// What is given
//===----------------------------------------------------------------------------------------------------------===//

static int32_t findTensor(const attn_kernel_info &info, const std::string &name) {
  for (int32_t i = ATTN_LSE + 1; i < info.tensor_count; ++i)
    if (name == info.tensors[i].name)
      return i;
  return -1;
}

static int32_t findScalar(const attn_kernel_info &info, const std::string &name) {
  for (int32_t i = 0; i < info.scalar_count; ++i)
    if (name == info.scalars[i].name)
      return i;
  return -1;
}

/// "global, left, right", or "no arguments".
static std::string listArguments(const attn_kernel_info &info) {
  std::string list;
  for (int32_t i = ATTN_LSE + 1; i < info.tensor_count; ++i)
    if (info.tensors[i].role != ATTN_STATE_OUT)
      list += (list.empty() ? "" : ", ") + std::string(info.tensors[i].name);
  for (int32_t i = 0; i < info.scalar_count; ++i)
    list += (list.empty() ? "" : ", ") + std::string(info.scalars[i].name);
  return list.empty() ? "no arguments" : list;
}

static Outcome setScalar(const attn_scalar_info &info, const NamedText &argument, attn_scalar &scalar) {
  const bool isFile = isNpy(argument.text);
  if (info.is_number) {
    Result<double> value = (isFile ? readNumber : parseNumber)(nameOf(argument), argument.text);
    if (!value)
      return value.takeFailure();
    scalar.number = *value;
    return Success();
  }
  Result<int64_t> value = (isFile ? readInteger : parseInteger)(nameOf(argument), argument.text);
  if (!value)
    return value.takeFailure();
  scalar.index = *value;
  return Success();
}

template <typename T>
Outcome CallArguments::addValues(int32_t tensor, int32_t element, const std::vector<int64_t> &shape,
                                 const std::vector<T> &values) {
  Bytes bytes = allocateBytes(values.size() * sizeof(T));
  if (!bytes)
    return Failure{std::string("no memory for ") + kernelInfo->tensors[tensor].name + " of shape " +
                   describeShape(shape) + "; use smaller sizes"};
  std::copy(values.begin(), values.end(), reinterpret_cast<T *>(bytes.get()));
  addTensor(tensor, element, shape, std::move(bytes));
  return Success();
}

Failure CallArguments::failForShape(int32_t tensor, const NamedText &argument,
                                    const std::vector<int64_t> &shape) const {
  return {(isNpy(argument.text) ? quoted(argument.text) : nameOf(argument)) + " has shape " + describeShape(shape) +
          "; give " + describeShapesOf(tensor)};
}

Outcome CallArguments::addIntegers(int32_t tensor, const NamedText &argument) {
  Result<Integers> integers = parseIntegers(argument);
  if (!integers)
    return integers.takeFailure();
  const int32_t role = kernelInfo->tensors[tensor].role;
  const size_t rank = integers->shape.size(), shared = axesOf(role).size();
  if (rank != shared + 1 && (rank != shared || shared == 0))
    return failForShape(tensor, argument, integers->shape);
  if (role == ATTN_PER_HEAD && integers->values.size() == 1) // one number for all heads
    *integers = {{heads}, std::vector<int32_t>(heads, integers->values.front())};
  return addValues(tensor, ATTN_I32, integers->shape, integers->values);
}

Outcome CallArguments::addNumbers(int32_t tensor, const NamedText &argument) {
  Result<Numbers> numbers = parseNumbers(argument);
  if (!numbers)
    return numbers.takeFailure();
  const attn_tensor_info &info = kernelInfo->tensors[tensor];
  const std::vector<int64_t> &given = numbers->shape;
  bool fits = int32_t(given.size()) == info.rank;
  for (int32_t axis = 0; fits && axis < info.rank; ++axis) {
    int64_t wanted = info.extents[axis];
    bool isShared = wanted < ATTN_EXTENT_ANY && given[axis] == 1;
    fits = isShared || (wanted == ATTN_EXTENT_ANY ? given[axis] >= 1 : given[axis] == extentOf(wanted));
  }
  if (!fits)
    return failForShape(tensor, argument, given);
  if (Outcome added = addValues(tensor, ATTN_F32, given, numbers->values); !added)
    return added;
  attn_tensor &array = tensors[tensor];
  for (int32_t axis = 0; axis < info.rank; ++axis)
    if (info.extents[axis] < ATTN_EXTENT_ANY && given[axis] == 1) {
      array.shape[axis] = extentOf(info.extents[axis]);
      array.strides[axis] = 0;
    }
  return Success();
}

Outcome CallArguments::addArgument(const NamedText &argument, std::vector<std::string> &seen) {
  if (std::find(seen.begin(), seen.end(), argument.name) != seen.end())
    return Failure{nameOf(argument) + " is given twice; give it once"};
  seen.push_back(argument.name);
  if (int32_t scalar = findScalar(*kernelInfo, argument.name); scalar >= 0)
    return setScalar(kernelInfo->scalars[scalar], argument, scalars[scalar]);
  int32_t tensor = findTensor(*kernelInfo, argument.name);
  if (tensor < 0)
    return Failure{"unknown " + nameOf(argument) + "; " + kernelInfo->name + " takes " + listArguments(*kernelInfo)};
  const int32_t role = kernelInfo->tensors[tensor].role;
  if (role == ATTN_STATE_OUT)
    return Failure{nameOf(argument) + " is what " + kernelInfo->name + " writes; name a file for it with --state-out"};
  return role == ATTN_ARRAY || role == ATTN_STATE_IN ? addNumbers(tensor, argument) : addIntegers(tensor, argument);
}

Outcome CallArguments::addArguments(const CallFlags &flags) {
  for (int32_t i = 0; i < kernelInfo->scalar_count; ++i)
    scalars.push_back(kernelInfo->scalars[i].default_value);
  std::vector<std::string> seen;
  for (const std::string &text : flags.arguments) {
    Result<NamedText> argument = parseNamedText(text);
    if (!argument)
      return argument.takeFailure();
    if (Outcome outcome = addArgument(*argument, seen); !outcome)
      return outcome;
  }
  return Success();
}

//===----------------------------------------------------------------------------------------------------------===//
// What is drawn
//===----------------------------------------------------------------------------------------------------------===//

/// The most numbers that are drawn for one argument: 2 GiB of them.
static constexpr int64_t kMostDrawn = int64_t(1) << 29;

/// Tokens, and numbers for a head, are at most so many.
static constexpr int64_t kDrawnTokens = 4, kDrawnPerHead = 64;

/// How long an open extent of an array is drawn.
static constexpr int64_t kDrawnExtent = 64;

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

std::optional<int64_t> CallArguments::blockOf(int32_t tensor) const {
  int64_t block = kernelInfo->tensors[tensor].block;
  if (block < 0)
    block = std::max<int64_t>(scalars[-1 - block].index, 1);
  return block > 0 ? std::optional(block) : std::nullopt;
}

std::vector<int64_t> CallArguments::drawnShape(int32_t tensor) const {
  const attn_tensor_info &info = kernelInfo->tensors[tensor];
  const int64_t positions = std::max(queryPositions(), keyPositions());
  switch (info.role) {
  case ATTN_TOKENS:
    return {std::min(positions, kDrawnTokens)};
  case ATTN_SEGMENTS:
    return {batch, positions};
  case ATTN_LENGTHS:
    return {batch};
  case ATTN_PER_HEAD:
    return {heads};
  case ATTN_BLOCKS:
    return {heads, ceilDiv(queryPositions(), blockOf(tensor).value_or(1)), kDrawnBlocks};
  default:
    std::vector<int64_t> shape;
    for (int32_t axis = 0; axis < info.rank; ++axis)
      shape.push_back(info.extents[axis] == ATTN_EXTENT_ANY ? kDrawnExtent : extentOf(info.extents[axis]));
    return shape;
  }
}

std::vector<int32_t> CallArguments::drawIntegersFor(int32_t tensor, const std::vector<int64_t> &shape,
                                                    Random &random) const {
  const attn_tensor_info &info = kernelInfo->tensors[tensor];
  const int64_t most = INT32_MAX, positions = std::max(queryPositions(), keyPositions());
  const int64_t least = std::clamp<int64_t>(info.minimum, 1, most);
  switch (info.role) {
  case ATTN_SEGMENTS:
    return drawSegments(random, batch, positions);
  case ATTN_LENGTHS:
    return drawIntegers(random, batch, 0, std::min(keyPositions(), most));
  case ATTN_PER_HEAD:
    return drawIntegers(random, heads, least, std::max(least, kDrawnPerHead));
  case ATTN_BLOCKS:
    return drawBlocks(random, heads, shape[1], ceilDiv(keyPositions(), *blockOf(tensor)));
  default:
    return drawIntegers(random, shape[0], 0, std::min(positions - 1, most));
  }
}

Outcome CallArguments::draw(int32_t tensor, uint64_t seed) {
  const attn_tensor_info &info = kernelInfo->tensors[tensor];
  if (info.role == ATTN_BLOCKS && !blockOf(tensor))
    return Failure{std::string("cannot draw ") + info.name +
                   ": the size of its blocks is no argument and no number; give it with --arg"};
  const std::vector<int64_t> shape = drawnShape(tensor);
  const int64_t count = countElements(shape);
  if (count < 0 || count > kMostDrawn)
    return Failure{std::string("cannot draw ") + info.name + " of shape " + describeShape(shape) +
                   "; give it with --arg or use smaller sizes"};
  Random random(seed, tensor);
  return info.role == ATTN_ARRAY ? addValues(tensor, ATTN_F32, shape, drawNumbers(random, count))
                                 : addValues(tensor, ATTN_I32, shape, drawIntegersFor(tensor, shape, random));
}

Outcome CallArguments::drawData(const CallFlags &flags) {
  for (int32_t i = ATTN_LSE + 1; i < kernelInfo->tensor_count; ++i)
    if (tensors[i].rank == 0 && kernelInfo->tensors[i].default_count < 0)
      if (Outcome outcome = draw(i, flags.seed); !outcome)
        return outcome;
  return Success();
}

//===----------------------------------------------------------------------------------------------------------===//
// What was given, drawn or by default
//===----------------------------------------------------------------------------------------------------------===//

/// A default for all batches, or, of lengths, one that may be each batch's own.
static std::vector<int32_t> defaultOf(const attn_tensor_info &info, int64_t batchIndex, int64_t heads) {
  const int32_t *values = info.default_values;
  if (info.role == ATTN_LENGTHS)
    return {values[info.default_count > 1 ? batchIndex : 0]};
  if (info.role == ATTN_PER_HEAD && info.default_count == 1)
    return std::vector<int32_t>(heads, *values);
  return std::vector<int32_t>(values, values + info.default_count);
}

std::vector<int32_t> CallArguments::valuesOf(int32_t tensor, int64_t batchIndex) const {
  const attn_tensor &given = tensors[tensor];
  const attn_tensor_info &info = kernelInfo->tensors[tensor];
  if (given.rank == 0)
    return defaultOf(info, batchIndex, heads);
  const int32_t *data = static_cast<const int32_t *>(given.data);
  if (info.role == ATTN_LENGTHS)
    return {data[batchIndex]};
  data += given.rank == 2 ? batchIndex * given.strides[0] : 0;
  return std::vector<int32_t>(data, data + given.shape[given.rank - 1]);
}

/// The extents that the tensor's memory has: 1 where an axis shares an entry.
static std::vector<int64_t> storedShape(const attn_tensor &tensor) {
  std::vector<int64_t> shape(tensor.shape, tensor.shape + tensor.rank);
  int64_t count = 1;
  for (size_t axis = shape.size(); axis-- > 0; count *= shape[axis])
    if (tensor.strides[axis] == 0 && count > 0)
      shape[axis] = 1;
  return shape;
}

template <typename T> static Values<T> copyOf(const attn_tensor &tensor) {
  std::vector<int64_t> shape = storedShape(tensor);
  const T *data = static_cast<const T *>(tensor.data);
  return {shape, std::vector<T>(data, data + countElements(shape))};
}

Integers CallArguments::blocksOf(int32_t tensor) const { return copyOf<int32_t>(tensors[tensor]); }
Numbers CallArguments::arrayOf(int32_t tensor) const { return copyOf<float>(tensors[tensor]); }

} // namespace attn_tools
