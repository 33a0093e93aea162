// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Builds the arguments of a call out of flags, files and a seed; CallArguments.h says how.
#include "common/CallArguments.h"

#include "common/Element.h"
#include "common/Random.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace attn_tools {

static std::string quoted(const std::string &text) { return "'" + text + "'"; }

static std::string number(int64_t value) { return std::to_string(value); }

//===----------------------------------------------------------------------------------------------------------===//
// Text of arguments
//===----------------------------------------------------------------------------------------------------------===//

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

static std::string nameOf(const NamedText &argument) { return "argument " + quoted(argument.name); }

static bool isNpy(const std::string &text) {
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
  if (array->shape.size() != 1 && array->shape.size() != 2)
    return Failure{quoted(path) + " has shape " + describeShape(array->shape) +
                   "; run-time data are [size] or [batch, size]"};
  Result<std::vector<int32_t>> values = toInt32(*array, path);
  if (!values)
    return values.takeFailure();
  return Integers{array->shape, std::move(*values)};
}

Result<Integers> parseIntegers(const NamedText &argument) {
  if (isNpy(argument.text))
    return readIntegers(argument.text);
  Integers integers;
  for (size_t begin = 0; begin < argument.text.size();) {
    size_t end = std::min(argument.text.find(',', begin), argument.text.size());
    Result<int64_t> value = parseInteger("a value of " + nameOf(argument), argument.text.substr(begin, end - begin));
    if (!value)
      return value.takeFailure();
    if (*value < INT32_MIN || *value > INT32_MAX)
      return Failure{"a value of " + nameOf(argument) + " is " + number(*value) + "; give whole numbers of 32 bits"};
    integers.values.push_back(static_cast<int32_t>(*value));
    begin = end + 1;
  }
  integers.shape = {static_cast<int64_t>(integers.values.size())};
  return integers;
}

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

int64_t CallArguments::positionCount() const {
  return std::max<int64_t>({queryOffset + length, keyOffset + kvLength, 0});
}

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

Outcome CallArguments::addTensor(int32_t tensor, int32_t element, const std::vector<int64_t> &shape, Bytes bytes) {
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
  return Success();
}

Outcome CallArguments::addRows(int32_t tensor, int64_t headCount, int64_t rows, int64_t columns,
                               std::optional<NpyArray> &file, const CallFlags &flags) {
  const int32_t element = kernelInfo->element;
  const std::vector<int64_t> shape = {batch, headCount, rows, columns};
  if (flags.dataOnly)
    return addTensor(tensor, element, shape, nullptr);
  if (file) {
    const std::string *paths[] = {&flags.queryFile, &flags.keyFile, &flags.valueFile};
    Result<Bytes> bytes = takeElements(*file, element, *paths[tensor], flags.keepElements);
    return bytes ? addTensor(tensor, element, shape, std::move(*bytes)) : bytes.takeFailure();
  }
  Bytes bytes = allocateRows(shape, element);
  if (!bytes)
    return failForMemory(tensorNames[tensor], shape);
  Random random(flags.seed, tensor);
  for (int64_t i = 0, count = countElements(shape); i < count; ++i)
    storeElement(bytes.get(), element, i, random.normal());
  return addTensor(tensor, element, shape, std::move(bytes));
}

Outcome CallArguments::addOutput(int32_t tensor, int32_t element, const std::vector<int64_t> &shape,
                                 const CallFlags &flags) {
  if (flags.dataOnly)
    return addTensor(tensor, element, shape, nullptr);
  Bytes bytes = allocateRows(shape, element);
  if (!bytes)
    return failForMemory(tensorNames[tensor], shape);
  std::memset(bytes.get(), 0xff, countElements(shape) * sizeOf(npyTypeOf(element)));
  return addTensor(tensor, element, shape, std::move(bytes));
}

//===----------------------------------------------------------------------------------------------------------===//
// Run-time data and scalars
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
    list += (list.empty() ? "" : ", ") + std::string(info.tensors[i].name);
  for (int32_t i = 0; i < info.scalar_count; ++i)
    list += (list.empty() ? "" : ", ") + std::string(info.scalars[i].name);
  return list.empty() ? "no arguments" : list;
}

Outcome CallArguments::addIntegers(int32_t tensor, const Integers &integers) {
  int64_t size = integers.values.size() * sizeof(int32_t);
  Bytes bytes = allocateBytes(size);
  if (!bytes)
    return failForMemory(kernelInfo->tensors[tensor].name, integers.shape);
  std::copy(integers.values.begin(), integers.values.end(), reinterpret_cast<int32_t *>(bytes.get()));
  return addTensor(tensor, ATTN_I32, integers.shape, std::move(bytes));
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

Outcome CallArguments::addArgument(const NamedText &argument, std::vector<std::string> &seen) {
  if (std::find(seen.begin(), seen.end(), argument.name) != seen.end())
    return Failure{nameOf(argument) + " is given twice; give it once"};
  seen.push_back(argument.name);
  if (int32_t scalar = findScalar(*kernelInfo, argument.name); scalar >= 0)
    return setScalar(kernelInfo->scalars[scalar], argument, scalars[scalar]);
  int32_t tensor = findTensor(*kernelInfo, argument.name);
  if (tensor < 0)
    return Failure{"unknown " + nameOf(argument) + "; " + kernelInfo->name + " takes " + listArguments(*kernelInfo)};
  Result<Integers> integers = parseIntegers(argument);
  return integers ? addIntegers(tensor, *integers) : integers.takeFailure();
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

/// [batch, positions]: up to 4 runs of ids 0, 1, ... between cuts that are drawn.
static Integers drawSegments(Random &random, int64_t batch, int64_t positions) {
  Integers integers = {{batch, positions}, {}};
  for (int64_t b = 0; b < batch; ++b) {
    int64_t cuts[3];
    for (int64_t &cut : cuts)
      cut = random.uniform(0, positions);
    std::sort(std::begin(cuts), std::end(cuts));
    for (int64_t position = 0; position < positions; ++position)
      integers.values.push_back(
          static_cast<int32_t>(std::upper_bound(std::begin(cuts), std::end(cuts), position) - std::begin(cuts)));
  }
  return integers;
}

static Integers drawNumbers(Random &random, int64_t count, int64_t least, int64_t most) {
  Integers integers = {{count}, {}};
  for (int64_t i = 0; i < count; ++i)
    integers.values.push_back(static_cast<int32_t>(random.uniform(least, most)));
  return integers;
}

/// The most numbers that are drawn for one argument: 2 GiB of them.
static constexpr int64_t kMostDrawn = int64_t(1) << 29;

Outcome CallArguments::drawData(const CallFlags &flags) {
  int64_t positions = positionCount();
  for (int32_t i = ATTN_LSE + 1; i < kernelInfo->tensor_count; ++i) {
    const attn_tensor_info &info = kernelInfo->tensors[i];
    if (tensors[i].rank > 0 || info.default_count >= 0)
      continue;
    if (positions > INT32_MAX)
      return Failure{std::string("cannot draw ") + info.name + " for " + number(positions) +
                     " positions; use a smaller --length"};
    if (batch > kMostDrawn / (info.role == ATTN_SEGMENTS ? std::max<int64_t>(positions, 1) : 1))
      return Failure{std::string("cannot draw ") + info.name + " for " + number(batch) +
                     " batches; give them with --arg or use a smaller --batch"};
    Random random(flags.seed, i);
    Integers drawn = info.role == ATTN_SEGMENTS ? drawSegments(random, batch, positions)
                     : info.role == ATTN_LENGTHS
                         ? drawNumbers(random, batch, 0, std::max<int64_t>(keyOffset + kvLength, 0))
                         : drawNumbers(random, std::min<int64_t>(positions, 4), 0, positions - 1);
    if (Outcome outcome = addIntegers(i, drawn); !outcome)
      return outcome;
  }
  return Success();
}

std::vector<int32_t> CallArguments::valuesOf(int32_t tensor, int64_t batchIndex) const {
  const attn_tensor &given = tensors[tensor];
  const attn_tensor_info &info = kernelInfo->tensors[tensor];
  const bool isPerBatch = info.role == ATTN_LENGTHS;
  if (given.rank == 0) {
    int64_t begin = isPerBatch && info.default_count > 1 ? batchIndex : 0;
    return std::vector<int32_t>(info.default_values + begin,
                                info.default_values + (isPerBatch ? begin + 1 : info.default_count));
  }
  const int32_t *data = static_cast<const int32_t *>(given.data);
  if (isPerBatch)
    return {data[batchIndex]};
  data += given.rank == 2 ? batchIndex * given.strides[0] : 0;
  return std::vector<int32_t>(data, data + given.shape[given.rank - 1]);
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
  return outcome;
}

Result<CallArguments> CallArguments::create(const attn_kernel_info &info, const CallFlags &flags) {
  CallArguments arguments;
  arguments.kernelInfo = &info;
  arguments.tensors.resize(info.tensor_count);
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
