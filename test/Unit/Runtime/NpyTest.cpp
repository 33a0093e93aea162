// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// .npy files: what is written is read back, NumPy's own bytes are understood, and files that lie are refused.
#include "common/Npy.h"

#include "gtest/gtest.h"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <unistd.h>

using namespace attn_tools;

namespace {

class Npy : public ::testing::Test {
protected:
  Npy() : path(::testing::TempDir() + "npy-" + std::to_string(getpid()) + ".npy") {}
  ~Npy() override { std::remove(path.c_str()); }

  void writeFile(const std::string &bytes) { std::ofstream(path, std::ios::binary) << bytes; }

  std::string readFile() {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  /// A file with this header, in the given format version, and these elements.
  void writeNpyFile(const std::string &header, const std::string &elements, int major = 1) {
    std::string bytes = "\x93NUMPY";
    bytes += static_cast<char>(major);
    bytes += '\0';
    for (int i = 0; i < (major == 1 ? 2 : 4); ++i)
      bytes += static_cast<char>(header.size() >> 8 * i);
    writeFile(bytes + header + elements);
  }

  void expectRefused(const std::string &words) {
    Result<NpyArray> array = readNpy(path);
    ASSERT_FALSE(array);
    EXPECT_NE(array.message().find(words), std::string::npos) << array.message();
    EXPECT_NE(array.message().find(path), std::string::npos) << array.message();
    EXPECT_EQ(array.message().find('\n'), std::string::npos) << array.message();
  }

  std::string path;
};

TEST_F(Npy, ReadsWhatItWrites) {
  const NpyType types[] = {NpyType::F16, NpyType::F32, NpyType::F64, NpyType::U16, NpyType::I32, NpyType::I64};
  const std::vector<int64_t> shapes[] = {{}, {0}, {5}, {2, 3}, {1, 2, 3, 4}, {2, 0, 3}};
  for (NpyType type : types)
    for (const std::vector<int64_t> &shape : shapes) {
      std::string bytes(countElements(shape) * sizeOf(type), '\0');
      for (size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<char>(i * 7);
      ASSERT_TRUE(writeNpy(path, type, shape, bytes.data()));
      Result<NpyArray> array = readNpy(path);
      ASSERT_TRUE(array) << array.message();
      EXPECT_EQ(array->type, type);
      EXPECT_EQ(array->shape, shape);
      EXPECT_EQ(std::memcmp(array->bytes.get(), bytes.data(), bytes.size()), 0);
    }
}

// The bytes of numpy.save(..., numpy.array([[1, 2]], '<i4')).
TEST_F(Npy, WritesNumPysBytes) {
  const int32_t elements[] = {1, 2};
  ASSERT_TRUE(writeNpy(path, NpyType::I32, {1, 2}, elements));
  std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': (1, 2), }";
  header.append(117 - header.size(), ' ');
  std::string start("\x93NUMPY\x01\x00\x76\x00", 10);
  EXPECT_EQ(readFile(), start + header + "\n" + std::string("\1\0\0\0\2\0\0\0", 8));

  ASSERT_TRUE(writeNpy(path, NpyType::I32, {2}, elements));
  EXPECT_NE(readFile().find("'shape': (2,), }"), std::string::npos);
  ASSERT_TRUE(writeNpy(path, NpyType::I32, {}, elements));
  EXPECT_NE(readFile().find("'shape': (), }"), std::string::npos);
}

TEST_F(Npy, ReadsAllFormatVersions) {
  for (int major : {1, 2, 3}) {
    writeNpyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", std::string(8, '\0'), major);
    Result<NpyArray> array = readNpy(path);
    ASSERT_TRUE(array) << array.message();
    EXPECT_EQ(array->shape, std::vector<int64_t>{2});
  }
}

TEST_F(Npy, ReadsHeadersInOtherSpellings) {
  writeNpyFile("{\"shape\":(2,2),\"descr\":\"<f2\",\"fortran_order\":False}", std::string(8, '\0'));
  EXPECT_TRUE(readNpy(path));
  // One axis is in both orders at a time.
  writeNpyFile("{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }", std::string(8, '\0'));
  EXPECT_TRUE(readNpy(path));
}

TEST_F(Npy, RefusesFilesThatAreNot) {
  expectRefused("No such file");
  writeFile("");
  expectRefused("not a .npy file");
  writeFile("plain text, and some more of it");
  expectRefused("not a .npy file; write one with numpy.save");
  writeNpyFile("{}", "", 9);
  expectRefused("format version 9.0 is not known");
  EXPECT_FALSE(readNpy(::testing::TempDir()));
}

TEST_F(Npy, RefusesHeadersThatAreCut) {
  writeNpyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "");
  std::string bytes = readFile();
  for (size_t size = 0; size < bytes.size(); ++size) {
    writeFile(bytes.substr(0, size));
    EXPECT_FALSE(readNpy(path)) << size;
  }
}

TEST_F(Npy, RefusesHeadersItCannotRead) {
  for (const char *header :
       {"", "nonsense", "{", "{}", "{'descr': '<f4', 'shape': (2,)}", "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2,)}", "{'descr': '<f4, 'fortran_order': False}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2}", "{'descr': '<f4', 'fortran_order': False, 'shape': 2}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (2,)}", "\x01\x02\n\n\x03"}) {
    writeNpyFile(header, std::string(8, '\0'));
    expectRefused("cannot read the header");
  }
}

TEST_F(Npy, RefusesElementTypesItDoesNotKnow) {
  for (std::string descr : {">f4", "<c8", "|b1", "|V2", "<U3", "", "<f4\\n"}) {
    writeNpyFile("{'descr': '" + descr + "', 'fortran_order': False, 'shape': (2,), }", std::string(8, '\0'));
    expectRefused("element type '" + descr + "' is not supported");
  }
}

TEST_F(Npy, RefusesFortranOrder) {
  writeNpyFile("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 1), }", std::string(8, '\0'));
  expectRefused("Fortran order; save numpy.ascontiguousarray(x)");
}

TEST_F(Npy, RefusesSizesThatDoNotFitTheFile) {
  for (const char *shape : {"(3,)", "(1,)", "(0,)", "(4294967296, 4294967296)", "(4611686018427387904,)",
                            "(0, 9223372036854775807, 9223372036854775807)"}) {
    writeNpyFile(std::string("{'descr': '<f4', 'fortran_order': False, 'shape': ") + shape + ", }",
                 std::string(8, '\0'));
    expectRefused("does not fit the 8 bytes that follow the header");
  }
}

TEST_F(Npy, SaysWhyItCannotWrite) {
  float element = 1;
  Outcome outcome = writeNpy("/nonexistent/x.npy", NpyType::F32, {1}, &element);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.message(), "cannot write '/nonexistent/x.npy': No such file or directory");
  outcome = writeNpy("/dev/full", NpyType::F32, {1}, &element);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.message(), "cannot write '/dev/full': No space left on device");
}

TEST_F(Npy, NarrowsWholeNumbers) {
  auto convert = [&](NpyType type, const void *elements) {
    EXPECT_TRUE(writeNpy(path, type, {2}, elements));
    Result<NpyArray> array = readNpy(path);
    EXPECT_TRUE(array);
    return toInt32(*array, "x.npy");
  };
  const int32_t narrow[] = {-1, INT32_MAX};
  EXPECT_EQ(*convert(NpyType::I32, narrow), (std::vector<int32_t>{-1, INT32_MAX}));
  const int64_t wide[] = {INT32_MIN, INT32_MAX};
  EXPECT_EQ(*convert(NpyType::I64, wide), (std::vector<int32_t>{INT32_MIN, INT32_MAX}));
  const int64_t tooWide[] = {0, int64_t(INT32_MAX) + 1};
  EXPECT_EQ(convert(NpyType::I64, tooWide).message(),
            "'x.npy': value 2147483648 does not fit into 32 bits; use smaller numbers");
  const float fractions[] = {1, 2};
  EXPECT_EQ(convert(NpyType::F32, fractions).message(),
            "'x.npy': element type '<f4' where whole numbers belong; save x.astype('<i4')");
}

} // namespace
