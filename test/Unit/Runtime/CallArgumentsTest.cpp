// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What attn-run and attn-call share: flags, files and the seed become a call, and what is wrong is said with its value.
#include "common/Element.h"
#include "common/Random.h"

#include "TestArguments.h"

#include <algorithm>
#include <cmath>

using namespace attn_tools;

namespace {

//===----------------------------------------------------------------------------------------------------------===//
// Elements and random numbers
//===----------------------------------------------------------------------------------------------------------===//

TEST(Element, RoundsToBf16) {
  EXPECT_EQ(roundToBf16(1.0f), 0x3f80);
  EXPECT_EQ(roundToBf16(-2.0f), 0xc000);
  EXPECT_EQ(roundToBf16(1.00390625f), 0x3f80); // halfway, to even
  EXPECT_EQ(roundToBf16(1.01171875f), 0x3f82); // halfway, to even
  EXPECT_EQ(roundToBf16(3.4e38f), 0x7f80);
  EXPECT_EQ(roundToBf16(INFINITY), 0x7f80);
  EXPECT_EQ(roundToBf16(NAN) & 0x7fff, 0x7fc0);
}

/// The value of a half by its definition.
float halfValue(uint16_t bits) {
  int exponent = bits >> 10 & 31, fraction = bits & 1023;
  float magnitude = exponent ? std::ldexp(1024.0f + fraction, exponent - 25) : std::ldexp(float(fraction), -24);
  return bits & 0x8000 ? -magnitude : magnitude;
}

TEST(Element, RoundsToF16) {
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    float value = halfValue(bits);
    ASSERT_EQ(roundToF16(value), bits);
    ASSERT_EQ(roundToF16(-value), bits | 0x8000);
    float next = bits + 1 < 0x7c00 ? halfValue(bits + 1) : 65536;
    float middle = value + (next - value) / 2;
    ASSERT_EQ(roundToF16(middle), bits + (bits & 1));
    ASSERT_EQ(roundToF16(std::nextafter(middle, 0.0f)), bits);
    ASSERT_EQ(roundToF16(std::nextafter(middle, 1e9f)), bits + 1);
  }
  EXPECT_EQ(roundToF16(INFINITY), 0x7c00);
  EXPECT_EQ(roundToF16(-1e30f), 0xfc00);
  EXPECT_EQ(roundToF16(NAN), 0x7e00);
}

TEST(Element, Widens) {
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    ASSERT_EQ(widenF16(bits), halfValue(bits));
    ASSERT_EQ(widenF16(bits | 0x8000), -halfValue(bits));
  }
  EXPECT_EQ(widenF16(0xfc00), -INFINITY);
  EXPECT_TRUE(std::isnan(widenF16(0xffff)) && std::isnan(widenBf16(0xffff)));
  for (uint32_t bits = 0; bits <= 0x7f80; ++bits)
    ASSERT_EQ(roundToBf16(widenBf16(bits)), bits);
  EXPECT_EQ(widenBf16(0xc040), -3.0f);
}

TEST(Element, NamesInstructionSets) {
  for (int32_t isa = ATTN_ISA_GENERIC; isa <= ATTN_ISA_AMX; ++isa)
    EXPECT_EQ(*parseIsa(nameOfIsa(isa)), isa);
  EXPECT_STREQ(nameOfIsa(0), "none");
  EXPECT_STREQ(nameOfIsa(99), "none");
  EXPECT_STREQ(nameOfIsa(ATTN_ISA_SM_90A), "sm_90a");
  EXPECT_EQ(parseIsa("sse").message(),
            "unknown instruction set 'sse'; use amx, avx512fp16, avx512bf16, avx512, avx2 or generic");
}

TEST(RandomNumbers, AreTheSameEverywhere) {
  Random random(0, 0);
  EXPECT_EQ(random.next(), Random(0, 0).next());
  EXPECT_NE(Random(0, 0).next(), Random(0, 1).next());
  EXPECT_NE(Random(0, 0).next(), Random(1, 0).next());
}

TEST(RandomNumbers, AreNormal) {
  Random random(7, 0);
  const int count = 100000;
  double sum = 0, squares = 0;
  for (int i = 0; i < count; ++i) {
    double value = random.normal();
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / count, 0, 0.02);
  EXPECT_NEAR(squares / count, 1, 0.02);
}

//===----------------------------------------------------------------------------------------------------------===//
// Defaults and what is drawn
//===----------------------------------------------------------------------------------------------------------===//

TEST(CallArguments, Defaults) {
  Result<CallArguments> a = CallArguments::create(fake_longformer_info, CallFlags());
  ASSERT_TRUE(a) << a.message();
  EXPECT_EQ(shapeOf(a->tensors[ATTN_QUERY]), (std::vector<int64_t>{1, 1, 1024, FAKE_HEAD_SIZE}));
  EXPECT_EQ(shapeOf(a->tensors[ATTN_VALUE]), (std::vector<int64_t>{1, 1, 1024, FAKE_VALUE_HEAD_SIZE}));
  EXPECT_EQ(shapeOf(a->tensors[ATTN_LSE]), (std::vector<int64_t>{1, 1, 1024}));
  EXPECT_EQ(a->tensors[LONGFORMER_GLOBAL].rank, 0);
  EXPECT_EQ(a->valuesOf(LONGFORMER_GLOBAL, 0), std::vector<int32_t>{0});
  EXPECT_EQ(a->scalars[LONGFORMER_LEFT].index, 256);
  EXPECT_EQ(a->queryOffset, 0);
  for (float value : floatsOf(a->tensors[ATTN_OUTPUT]))
    ASSERT_TRUE(std::isnan(value));
}

TEST(CallArguments, SizesAndOffsets) {
  CallFlags flags;
  flags.batch = 2;
  flags.heads = 4;
  flags.kvHeads = 2;
  flags.length = 10;
  flags.kvLength = 15;
  flags.keyOffset = 3;
  Result<CallArguments> a = CallArguments::create(fake_longformer_info, flags);
  ASSERT_TRUE(a);
  EXPECT_EQ(shapeOf(a->tensors[ATTN_QUERY]), (std::vector<int64_t>{2, 4, 10, FAKE_HEAD_SIZE}));
  EXPECT_EQ(shapeOf(a->tensors[ATTN_KEY]), (std::vector<int64_t>{2, 2, 15, FAKE_HEAD_SIZE}));
  EXPECT_EQ(a->queryOffset, 8);
  EXPECT_EQ(a->makeCall().flags, 0u);
  flags.queryOffset = -4;
  a = CallArguments::create(fake_longformer_info, flags);
  EXPECT_EQ(a->queryOffset, -4);
  EXPECT_EQ(a->makeCall().flags, uint32_t(ATTN_HAS_QUERY_OFFSET));
  EXPECT_EQ(a->makeCall().query_offset, -4);
  EXPECT_EQ(a->makeCall().key_offset, 3);
}

TEST(CallArguments, DrawsFromTheSeed) {
  CallFlags flags;
  flags.length = 100;
  auto queryOf = [&](std::vector<std::string> arguments) {
    flags.arguments = std::move(arguments);
    return floatsOf(CallArguments::create(fake_longformer_info, flags)->tensors[ATTN_QUERY]);
  };
  std::vector<float> query = queryOf({});
  EXPECT_EQ(query, queryOf({"left=3", "global=1,2"}));
  flags.seed = 1;
  EXPECT_NE(query, queryOf({}));
}

/// What is drawn for a 16-bit kernel is what is drawn for f32, rounded.
TEST(CallArguments, DrawsWhatTheElementHolds) {
  CallFlags flags;
  flags.length = 100;
  std::vector<float> drawn = floatsOf(CallArguments::create(fake_longformer_info, flags)->tensors[ATTN_QUERY]);
  attn_kernel_info info = fake_longformer_info;
  for (int32_t element : {ATTN_BF16, ATTN_F16}) {
    info.element = element;
    std::vector<float> rounded = floatsOf(CallArguments::create(info, flags)->tensors[ATTN_QUERY]);
    for (size_t i = 0; i < drawn.size(); ++i)
      ASSERT_EQ(rounded[i], element == ATTN_BF16 ? widenBf16(roundToBf16(drawn[i])) : widenF16(roundToF16(drawn[i])));
  }
}

TEST(CallArguments, DrawsSegmentsAndLengths) {
  std::vector<size_t> idCounts;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    CallFlags flags;
    flags.seed = seed;
    flags.batch = 3;
    flags.length = 50;
    Result<CallArguments> a = CallArguments::create(fake_document_info, flags);
    ASSERT_TRUE(a) << a.message();
    EXPECT_EQ(shapeOf(a->tensors[DOCUMENT_SEGMENTS]), (std::vector<int64_t>{3, 50}));
    EXPECT_EQ(shapeOf(a->tensors[DOCUMENT_LENGTHS]), (std::vector<int64_t>{3}));
    for (int64_t b = 0; b < 3; ++b) {
      std::vector<int32_t> ids = a->valuesOf(DOCUMENT_SEGMENTS, b);
      EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
      idCounts.push_back(std::unique(ids.begin(), ids.end()) - ids.begin());
      std::vector<int32_t> lengths = a->valuesOf(DOCUMENT_LENGTHS, b);
      ASSERT_EQ(lengths.size(), 1u);
      EXPECT_TRUE(0 <= lengths[0] && lengths[0] <= 50);
    }
    EXPECT_EQ(messageOf(fake_document_info, flags), "");
  }
  EXPECT_LE(*std::max_element(idCounts.begin(), idCounts.end()), 4u);
  EXPECT_GE(std::count(idCounts.begin(), idCounts.end(), 4u), 40);
}

//===----------------------------------------------------------------------------------------------------------===//
// Arguments and files
//===----------------------------------------------------------------------------------------------------------===//

TEST_F(Files, ArgumentsOfEveryForm) {
  const int64_t tokens[] = {4, 5, 6, -1};
  CallFlags flags = flagsOf({"global=3,1,-1", "left=7"});
  Result<CallArguments> a = CallArguments::create(fake_longformer_info, flags);
  ASSERT_TRUE(a) << a.message();
  EXPECT_EQ(a->valuesOf(LONGFORMER_GLOBAL, 0), (std::vector<int32_t>{3, 1, -1}));
  EXPECT_EQ(a->scalars[LONGFORMER_LEFT].index, 7);
  EXPECT_EQ(a->scalars[LONGFORMER_RIGHT].index, 256);

  flags = flagsOf({"global=" + write(NpyType::I64, {2, 2}, tokens)});
  flags.batch = 2;
  a = CallArguments::create(fake_longformer_info, flags);
  ASSERT_TRUE(a) << a.message();
  EXPECT_EQ(a->valuesOf(LONGFORMER_GLOBAL, 1), (std::vector<int32_t>{6, -1}));
  EXPECT_EQ(messageOf(fake_longformer_info, flags), "");
  EXPECT_EQ(messageOf(fake_longformer_info, flagsOf({"global="})), "");
}

TEST_F(Files, NumbersComeFromFiles) {
  const int64_t seven = 7;
  const std::string one = write(NpyType::I64, {}, &seven), several = write(NpyType::I64, {2}),
                    real = write(NpyType::F64, {});
  Result<CallArguments> a = CallArguments::create(fake_longformer_info, flagsOf({"left=" + one}));
  ASSERT_TRUE(a) << a.message();
  EXPECT_EQ(a->scalars[LONGFORMER_LEFT].index, 7);
  EXPECT_EQ(messageOf(fake_longformer_info, flagsOf({"left=" + several})),
            "'" + several + "' has shape [2], argument 'left' is one number; save it alone");
  EXPECT_EQ(messageOf(fake_longformer_info, flagsOf({"left=" + real})),
            "'" + real + "' holds <f8, argument 'left' is a whole number; save it as <i8");
  EXPECT_EQ(*readNumber("argument 'cap'", real), 0);
  EXPECT_EQ(readNumber("argument 'cap'", one).message(),
            "'" + one + "' holds <i8, argument 'cap' is a number; save it as <f8");
}

TEST_F(Files, SizesComeFromTheFiles) {
  CallFlags flags;
  flags.queryFile = write(NpyType::F32, {2, 4, 30, FAKE_HEAD_SIZE});
  flags.keyFile = write(NpyType::F64, {2, 2, 40, FAKE_HEAD_SIZE});
  Result<CallArguments> a = CallArguments::create(fake_longformer_info, flags);
  ASSERT_TRUE(a) << a.message();
  EXPECT_EQ(shapeOf(a->tensors[ATTN_VALUE]), (std::vector<int64_t>{2, 2, 40, FAKE_VALUE_HEAD_SIZE}));
  EXPECT_EQ(shapeOf(a->tensors[ATTN_OUTPUT]), (std::vector<int64_t>{2, 4, 30, FAKE_VALUE_HEAD_SIZE}));
  flags.length = 30; // says the same
  EXPECT_EQ(messageOf(fake_longformer_info, flags), "");
  flags.length = 31;
  EXPECT_EQ(messageOf(fake_longformer_info, flags), "--length is 31, '" + paths[0] + "' has 30; drop the flag");
  flags.length.reset();
  flags.valueFile = write(NpyType::F32, {2, 2, 41, FAKE_VALUE_HEAD_SIZE});
  EXPECT_EQ(messageOf(fake_longformer_info, flags),
            "'" + paths[1] + "' has 40 and '" + paths[2] + "' has 41 (--kv-length); give files of equal sizes");
}

TEST_F(Files, ZerosGiveTheLogarithmOfTheCount) {
  CallFlags flags = flagsOf({"global=", "left=1", "right=0"});
  flags.queryFile = write(NpyType::F64, {1, 1, 3, FAKE_HEAD_SIZE});
  flags.outputFile = newPath();
  paths.push_back(flags.outputFile);
  flags.lseFile = newPath();
  paths.push_back(flags.lseFile);
  flags.threads = 2;
  flags.repeat = 3;
  Result<CallArguments> a = CallArguments::create(fake_longformer_info, flags);
  ASSERT_TRUE(a) << a.message();
  Result<RunReport> report = runCall(*a, flags);
  ASSERT_TRUE(report) << report.message();
  EXPECT_GT(report->workspaceBytes, 0u);
  EXPECT_GE(report->isa, ATTN_ISA_GENERIC);
  ASSERT_TRUE(writeOutputs(*a, flags));

  Result<NpyArray> lse = readNpy(flags.lseFile), output = readNpy(flags.outputFile);
  ASSERT_TRUE(lse && output);
  EXPECT_EQ(lse->shape, (std::vector<int64_t>{1, 1, 3}));
  EXPECT_EQ(output->shape, (std::vector<int64_t>{1, 1, 3, FAKE_VALUE_HEAD_SIZE}));
  EXPECT_EQ(lse->data<float>()[0], 0);
  EXPECT_FLOAT_EQ(lse->data<float>()[1], std::log(2.0f));
  const float *value = static_cast<const float *>(a->tensors[ATTN_VALUE].data);
  EXPECT_EQ(output->data<float>()[0], value[0]);
}

TEST_F(Files, KernelsOf16BitsTakeFloatsRounded) {
  attn_kernel_info info = fake_longformer_info;
  std::vector<float> ones(2 * FAKE_HEAD_SIZE, 1.0f);
  CallFlags flags;
  flags.queryFile = write(NpyType::F32, {1, 1, 2, FAKE_HEAD_SIZE}, ones.data());
  for (auto [element, one] : {std::pair(ATTN_BF16, 0x3f80), std::pair(ATTN_F16, 0x3c00)}) {
    info.element = element;
    Result<CallArguments> a = CallArguments::create(info, flags);
    ASSERT_TRUE(a) << a.message();
    EXPECT_EQ(a->tensors[ATTN_QUERY].element, element);
    EXPECT_EQ(static_cast<const uint16_t *>(a->tensors[ATTN_QUERY].data)[11], one);
    EXPECT_EQ(floatsOf(a->tensors[ATTN_QUERY]), ones);
    for (float value : floatsOf(a->tensors[ATTN_OUTPUT]))
      ASSERT_TRUE(std::isnan(value));
  }
  flags.keepElements = true;
  EXPECT_EQ(CallArguments::create(info, flags).message(),
            "'" + flags.queryFile +
                "' holds <f4, the kernel takes f16; write the folder with attn-run --expect --element=f16");
  flags.keepElements = false;
  info.element = ATTN_F16;
  flags.queryFile = write(NpyType::U16, {1, 1, 2, FAKE_HEAD_SIZE});
  EXPECT_EQ(CallArguments::create(info, flags).message(),
            "'" + flags.queryFile + "' holds <u2, the kernel takes f16; save it as <f4 or <f2");
}

TEST_F(Files, RefusesFilesThatDoNotFit) {
  CallFlags flags;
  flags.queryFile = write(NpyType::F32, {2, 30, FAKE_HEAD_SIZE});
  EXPECT_EQ(messageOf(fake_longformer_info, flags),
            "'" + flags.queryFile + "' has shape [2, 30, 6]; give [batch, head, row, column]");
  flags.queryFile = write(NpyType::F32, {1, 1, 30, 8});
  EXPECT_EQ(messageOf(fake_longformer_info, flags),
            "'" + flags.queryFile +
                "' has head size 8, the kernel was compiled for 6; compile it with the sizes of the "
                "files (--head-size, --value-head-size)");
  flags.queryFile = write(NpyType::I32, {1, 1, 30, FAKE_HEAD_SIZE});
  EXPECT_EQ(messageOf(fake_longformer_info, flags),
            "'" + flags.queryFile + "' holds <i4, the kernel takes f32; save it as <f4");
  flags.queryFile = "none.npy";
  EXPECT_EQ(messageOf(fake_longformer_info, flags), "cannot read 'none.npy': No such file or directory");
  std::string cube = write(NpyType::I32, {1, 1, 1});
  EXPECT_EQ(messageOf(fake_longformer_info, flagsOf({"global=" + cube})),
            "'" + cube + "' has shape [1, 1, 1]; give [tokens] or [batch, tokens]");
}

TEST(CallArguments, RefusesArgumentsByNameAndValue) {
  struct {
    const char *argument;
    const char *message;
  } mistakes[] = {
      {"left", "--arg 'left' is no assignment; write --arg name=value, name=v1,v2,... or name=file.npy"},
      {"=3", "--arg '=3' is no assignment; write --arg name=value, name=v1,v2,... or name=file.npy"},
      {"width=3", "unknown argument 'width'; longformer takes global, left, right"},
      {"left=", "argument 'left' is ''; give a whole number of at most 64 bits"},
      {"left=2.5", "argument 'left' is '2.5'; give a whole number of at most 64 bits"},
      {"left= 2", "argument 'left' is ' 2'; give a whole number of at most 64 bits"},
      {"left=99999999999999999999",
       "argument 'left' is '99999999999999999999'; give a whole number of at most 64 bits"},
      {"left=-1", "argument 'left' is -1; it is at least 0 and at most 2^40"},
      {"global=1,,2", "a value of argument 'global' is ''; give a whole number of at most 64 bits"},
      {"global=x", "a value of argument 'global' is 'x'; give a whole number of at most 64 bits"},
      {"global=4294967296", "a value of argument 'global' is 4294967296; give whole numbers of 32 bits"},
      {"global=0,1024",
       "value 1024 of argument 'global' stands outside the sequence; tokens lie in [0, 1024), -1 pads"},
      {"global=-2", "value -2 of argument 'global' stands outside the sequence; tokens lie in [0, 1024), -1 pads"},
  };
  for (const auto &mistake : mistakes)
    EXPECT_EQ(messageOf(fake_longformer_info, flagsOf({mistake.argument})), mistake.message);
  EXPECT_EQ(messageOf(fake_longformer_info, flagsOf({"left=1", "left=2"})),
            "argument 'left' is given twice; give it once");
  EXPECT_EQ(messageOf(fake_document_info, flagsOf({"lengths=1025"})),
            "value 1025 of argument 'lengths' is no length of this sequence; lengths lie in [0, 1024]");
  EXPECT_EQ(messageOf(fake_document_info, flagsOf({"lengths=1,2"})),
            "argument 'lengths' has 2 rows for a batch of 1; give one for each batch");
  EXPECT_EQ(messageOf(fake_document_info, flagsOf({"segments=1,2"})),
            "argument 'segments' has 2 ids for 1024 positions; give one id for each position from 0");
}

TEST(CallArguments, RefusesFlagsByNameAndValue) {
  auto expect = [](void (*set)(CallFlags &), const char *message) {
    CallFlags flags;
    set(flags);
    EXPECT_EQ(messageOf(fake_longformer_info, flags), message);
  };
  expect([](CallFlags &f) { f.length = -1; }, "--length is -1; sizes lie between 0 and 2^40");
  expect([](CallFlags &f) { f.batch = INT64_MAX; }, "--batch is 9223372036854775807; sizes lie between 0 and 2^40");
  expect([](CallFlags &f) { f.keyOffset = INT64_MIN; },
         "an offset is -9223372036854775808; offsets lie between -2^40 and 2^40");
  expect([](CallFlags &f) { f.batch = f.heads = int64_t(1) << 40; },
         "no memory for query of shape [1099511627776, 1099511627776, 1024, 6]; use smaller sizes");
  expect([](CallFlags &f) { f.heads = 4, f.kvHeads = 3; },
         "3 key heads do not divide 4 query heads; give a --kv-heads that divides --heads");
  expect([](CallFlags &f) { f.threads = 0; }, "--threads is 0; give 1 to 1024");
  expect([](CallFlags &f) { f.repeat = 0; }, "--repeat is 0; give 1 to 1000000");

  attn_kernel_info sameLength = fake_longformer_info;
  sameLength.same_length = 1;
  sameLength.run = [](const attn_call *) -> int { return ATTN_ERROR_KV_LENGTH; };
  CallFlags flags;
  flags.kvLength = 7;
  EXPECT_EQ(messageOf(sameLength, flags),
            "longformer is over one sequence: kv length 7 has to equal length 1024; drop --kv-length");
  sameLength.run = [](const attn_call *) -> int { return ATTN_ERROR_ISA; };
  EXPECT_EQ(messageOf(sameLength, flags),
            "no version of longformer runs on this processor; compile it for this machine");
  flags.maxIsa = ATTN_ISA_GENERIC;
  EXPECT_EQ(messageOf(sameLength, flags),
            "no version of longformer runs on this processor within --max-isa=generic; raise --max-isa");
  sameLength.run = [](const attn_call *) -> int { return ATTN_ERROR_VERSION; };
  EXPECT_EQ(messageOf(sameLength, flags), std::string("longformer: ") + attn_error_string(ATTN_ERROR_VERSION));
}

} // namespace
