// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A .npy file is a magic string, a version, the length of a header, the header, and the elements. The header is a
// Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
#include "common/Npy.h"

#include <cctype>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace attn_tools {

namespace {

struct TypeInfo {
  const char *name;
  NpyType type;
  int64_t size;
};

struct CloseFile {
  void operator()(std::FILE *file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

} // namespace

static constexpr TypeInfo types[] = {{"<f2", NpyType::F16, 2}, {"<f4", NpyType::F32, 4}, {"<f8", NpyType::F64, 8},
                                     {"<u2", NpyType::U16, 2}, {"<i4", NpyType::I32, 4}, {"<i8", NpyType::I64, 8}};

static const TypeInfo &infoOf(NpyType type) {
  for (const TypeInfo &info : types)
    if (info.type == type)
      return info;
  std::abort();
}

/// At most 80 characters on one line, whatever bytes a file holds.
static std::string printable(std::string_view text) {
  std::string line;
  for (char c : text.substr(0, 80))
    line += std::isprint(static_cast<unsigned char>(c)) ? c : ' ';
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

static Failure failAt(const std::string &path, const std::string &what) { return {"'" + path + "': " + what}; }

/// With the system's words for errno.
static Failure failToOpen(const std::string &path, const char *verb) {
  return {std::string("cannot ") + verb + " '" + path + "': " + std::strerror(errno)};
}

const char *nameOf(NpyType type) { return infoOf(type).name; }
int64_t sizeOf(NpyType type) { return infoOf(type).size; }

void FreeBytes::operator()(unsigned char *bytes) const { std::free(bytes); }

Bytes allocateBytes(int64_t count) {
  if (count < 0 || count > INT64_MAX - 64)
    return nullptr;
  return Bytes(static_cast<unsigned char *>(std::aligned_alloc(64, (count / 64 + 1) * 64)));
}

int64_t countElements(const std::vector<int64_t> &shape, int64_t elementSize) {
  int64_t count = 1, bytes = 0;
  for (int64_t extent : shape)
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count))
      return -1;
  return __builtin_mul_overflow(count, elementSize, &bytes) ? -1 : count;
}

int64_t NpyArray::elementCount() const { return countElements(shape); }

std::string describeShape(const std::vector<int64_t> &shape) {
  std::string text = "[";
  for (size_t axis = 0; axis < shape.size(); ++axis)
    text += (axis ? ", " : "") + std::to_string(shape[axis]);
  return text + "]";
}

//===----------------------------------------------------------------------------------------------------------===//
// The header
//===----------------------------------------------------------------------------------------------------------===//

namespace {

/// Reads a header from left to right; a parse function that fails leaves the rest as it is.
class HeaderParser {
public:
  HeaderParser(std::string_view text) : rest(text) {}

  bool consume(char wanted) {
    skipSpaces();
    if (rest.empty() || rest.front() != wanted)
      return false;
    rest.remove_prefix(1);
    return true;
  }

  bool consumeWord(std::string_view word) {
    skipSpaces();
    if (rest.substr(0, word.size()) != word)
      return false;
    rest.remove_prefix(word.size());
    return true;
  }

  bool parseString(std::string &value) {
    char quote = consume('\'') ? '\'' : consume('"') ? '"' : 0;
    size_t end = quote ? rest.find(quote) : std::string_view::npos;
    if (end == std::string_view::npos)
      return false;
    value = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    return true;
  }

  bool parseNumber(int64_t &value) {
    skipSpaces();
    size_t digits = 0;
    for (value = 0; digits < rest.size() && std::isdigit(static_cast<unsigned char>(rest[digits])); ++digits)
      if (__builtin_mul_overflow(value, int64_t(10), &value) ||
          __builtin_add_overflow(value, rest[digits] - '0', &value))
        return false;
    rest.remove_prefix(digits);
    return digits > 0;
  }

  // (), (3,), (3, 4) or (3, 4,)
  bool parseShape(std::vector<int64_t> &shape) {
    if (!consume('('))
      return false;
    while (!consume(')')) {
      if (!parseNumber(shape.emplace_back()))
        return false;
      consume(',');
    }
    return true;
  }

private:
  void skipSpaces() {
    while (!rest.empty() && std::isspace(static_cast<unsigned char>(rest.front())))
      rest.remove_prefix(1);
  }

  std::string_view rest;
};

struct Header {
  std::string descr;
  bool isFortran = false;
  std::vector<int64_t> shape;
  bool hasDescr = false, hasOrder = false, hasShape = false;
};

} // namespace

static bool parseEntry(HeaderParser &parser, Header &header) {
  std::string key;
  if (!parser.parseString(key) || !parser.consume(':'))
    return false;
  if (key == "descr")
    return header.hasDescr = parser.parseString(header.descr);
  if (key == "fortran_order") {
    header.isFortran = parser.consumeWord("True");
    return header.hasOrder = header.isFortran || parser.consumeWord("False");
  }
  return key == "shape" && (header.hasShape = parser.parseShape(header.shape));
}

static bool parseHeader(std::string_view text, Header &header) {
  HeaderParser parser(text);
  if (!parser.consume('{'))
    return false;
  while (!parser.consume('}')) {
    if (!parseEntry(parser, header))
      return false;
    parser.consume(',');
  }
  return header.hasDescr && header.hasOrder && header.hasShape;
}

static Result<NpyType> findType(const std::string &path, const std::string &descr) {
  for (const TypeInfo &info : types)
    if (descr == info.name)
      return info.type;
  return failAt(path, "element type '" + printable(descr) +
                          "' is not supported; save the array as <f4, <f2, <f8, <i4, <i8, or " +
                          "bf16 bits as <u2, for example with x.astype('<f4')");
}

//===----------------------------------------------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------------------------------------------===//

/// How long the file is, or -1 for what has no length (a pipe, a folder).
static int64_t sizeOfFile(std::FILE *file) {
  if (std::fseek(file, 0, SEEK_END) != 0)
    return -1;
  long size = std::ftell(file);
  std::rewind(file);
  return size == LONG_MAX ? -1 : size;
}

static bool readExactly(std::FILE *file, void *bytes, int64_t count) {
  return std::fread(bytes, 1, count, file) == static_cast<size_t>(count);
}

/// Reads what stands before the elements: magic, version, the header's length and the header.
static Result<std::string> readHeaderText(const std::string &path, std::FILE *file, int64_t fileSize) {
  unsigned char start[8], length[4] = {};
  if (!readExactly(file, start, sizeof(start)) || std::memcmp(start, "\x93NUMPY", 6) != 0)
    return failAt(path, "not a .npy file; write one with numpy.save");
  int major = start[6];
  if (major < 1 || major > 3)
    return failAt(path, "format version " + std::to_string(major) + "." + std::to_string(start[7]) +
                            " is not known; write version 1.0, 2.0 or 3.0");
  int lengthBytes = major == 1 ? 2 : 4;
  if (!readExactly(file, length, lengthBytes))
    return failAt(path, "the file ends inside its header; write it again");
  int64_t size = length[0] | length[1] << 8 | length[2] << 16 | int64_t(length[3]) << 24;
  if (size > fileSize)
    return failAt(path, "the file ends inside its header; write it again");
  std::string text(size, ' ');
  if (!readExactly(file, text.data(), size))
    return failAt(path, "the file ends inside its header; write it again");
  return text;
}

Result<NpyArray> readNpy(const std::string &path) {
  File file(std::fopen(path.c_str(), "rb"));
  if (!file)
    return failToOpen(path, "read");
  int64_t fileSize = sizeOfFile(file.get());
  if (fileSize < 0)
    return failAt(path, "not a regular file; name a .npy file");
  Result<std::string> text = readHeaderText(path, file.get(), fileSize);
  if (!text)
    return text.takeFailure();
  Header header;
  if (!parseHeader(*text, header))
    return failAt(path, "cannot read the header '" + printable(*text) + "'; write plain arrays with numpy.save");
  Result<NpyType> type = findType(path, header.descr);
  if (!type)
    return type.takeFailure();
  if (header.isFortran && header.shape.size() > 1)
    return failAt(path, "the array is in Fortran order; save numpy.ascontiguousarray(x)");

  NpyArray array = {*type, header.shape, nullptr};
  int64_t count = countElements(array.shape, sizeOf(*type));
  int64_t held = fileSize - std::ftell(file.get());
  if (count < 0 || count * sizeOf(*type) != held)
    return failAt(path, "shape " + describeShape(array.shape) + " of " + header.descr + " does not fit the " +
                            std::to_string(held) + " bytes that follow the header; write the file again");
  array.bytes = allocateBytes(held);
  if (!array.bytes)
    return failAt(path, "no memory for " + std::to_string(held) + " bytes; use a smaller array");
  if (!readExactly(file.get(), array.bytes.get(), held))
    return failToOpen(path, "read");
  return array;
}

//===----------------------------------------------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------------------------------------------===//

/// Magic, version 1.0, length and header; a multiple of 64 bytes, as NumPy writes it.
static std::string makeHeader(NpyType type, const std::vector<int64_t> &shape) {
  std::string tuple;
  for (int64_t extent : shape)
    tuple += std::to_string(extent) + ", ";
  if (shape.size() > 1)
    tuple.resize(tuple.size() - 2);
  else if (shape.size() == 1)
    tuple.pop_back();
  std::string header =
      std::string("{'descr': '") + nameOf(type) + "', 'fortran_order': False, 'shape': (" + tuple + "), }";
  const size_t before = 10;
  header.append(63 - (before + header.size()) % 64, ' ');
  header += '\n';
  std::string start = "\x93NUMPY";
  start += '\x01';
  start += '\x00';
  start += static_cast<char>(header.size() & 0xff);
  start += static_cast<char>(header.size() >> 8);
  return start + header;
}

static bool writeAll(std::FILE *file, const void *bytes, size_t count) {
  return count == 0 || std::fwrite(bytes, 1, count, file) == count;
}

Outcome writeNpy(const std::string &path, NpyType type, const std::vector<int64_t> &shape, const void *data) {
  File file(std::fopen(path.c_str(), "wb"));
  if (!file)
    return failToOpen(path, "write");
  std::string header = makeHeader(type, shape);
  bool isWritten = writeAll(file.get(), header.data(), header.size()) &&
                   writeAll(file.get(), data, countElements(shape) * sizeOf(type)) && std::fflush(file.get()) == 0;
  return isWritten ? Outcome(Success()) : failToOpen(path, "write");
}

//===----------------------------------------------------------------------------------------------------------===//
// Converting
//===----------------------------------------------------------------------------------------------------------===//

Result<std::vector<int32_t>> toInt32(const NpyArray &array, const std::string &path) {
  int64_t count = array.elementCount();
  if (array.type == NpyType::I32)
    return std::vector<int32_t>(array.data<int32_t>(), array.data<int32_t>() + count);
  if (array.type != NpyType::I64)
    return failAt(path, std::string("element type '") + nameOf(array.type) +
                            "' where whole numbers belong; save x.astype('<i4')");
  std::vector<int32_t> values(count);
  for (int64_t i = 0; i < count; ++i) {
    int64_t value = array.data<int64_t>()[i];
    if (value < INT32_MIN || value > INT32_MAX)
      return failAt(path, "value " + std::to_string(value) + " does not fit into 32 bits; use smaller numbers");
    values[i] = static_cast<int32_t>(value);
  }
  return values;
}

} // namespace attn_tools
