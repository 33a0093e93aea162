// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles kernels from text and calls them in guarded memory.

#include "TestKernel.h"
#include "attn/Codegen/Isa.h"
#include "attn/Compiler/Report.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/ToolOutputFile.h"
#include "gtest/gtest.h"
#include <cmath>
#include <cstring>

using namespace attn;

//===-- Kernels ---------------------------------------------------------------------------------------------------===//

TestKernel::TestKernel(const std::string &text, CompileOptions options, const Mutation *mutation) {
  if (llvm::Error failure = compile(text, options, mutation))
    error = llvm::toString(std::move(failure));
}

llvm::Error TestKernel::compile(const std::string &text, const CompileOptions &options, const Mutation *mutation) {
  llvm::SmallString<128> path;
  int descriptor;
  if (std::error_code code = llvm::sys::fs::createTemporaryFile("attn-test", "mlir", descriptor, path))
    return llvm::createStringError(code, "cannot create a temporary file");
  llvm::ToolOutputFile file(path, descriptor); // removed at the end
  file.os() << text;
  file.os().flush();
  auto made = Compilation::create(path, options);
  if (!made)
    return made.takeError();
  compilation = std::move(*made);
  if (mutation) {
    auto module = compilation->lower(mutation->stage);
    if (!module)
      return module.takeError();
    mutation->apply(*module);
  }
  auto object = compilation->emitObject();
  if (!object)
    return object.takeError();
  auto loaded = LoadedKernels::load(std::move(*object));
  if (!loaded)
    return loaded.takeError();
  kernels.emplace(std::move(*loaded));
  return llvm::Error::success();
}

CompileOptions TestKernel::optionsFor(int64_t headSize, int64_t valueHeadSize) {
  CompileOptions options;
  options.headSize = headSize, options.valueHeadSize = valueHeadSize;
  options.isas = {isasOfHost().front()};
  return options;
}

std::vector<std::string> TestKernel::isasOfHost() {
  std::vector<std::string> names;
  for (const Isa &isa : Isa::all())
    if (Isa::bestOfHost(isa.number).number == isa.number)
      names.push_back(isa.name.str());
  return names;
}

std::vector<ShippedFile> attn::shippedFiles(llvm::StringRef folder) {
  std::vector<ShippedFile> files;
  std::error_code code;
  llvm::SmallString<128> path(ATTN_PATTERNS);
  llvm::sys::path::append(path, folder);
  for (llvm::sys::fs::directory_iterator file(path, code), end; file != end && !code; file.increment(code))
    if (auto buffer = llvm::MemoryBuffer::getFile(file->path());
        buffer && llvm::sys::path::extension(file->path()) == ".mlir")
      files.push_back({llvm::sys::path::stem(file->path()).str(), (*buffer)->getBuffer().str()});
  llvm::sort(files, [](const ShippedFile &a, const ShippedFile &b) { return a.name < b.name; });
  return files;
}

//===-- Calls -----------------------------------------------------------------------------------------------------===//

TestCall::TestCall(const TestKernel &kernel, const CallShape &shape, uint64_t seed) : kernel(kernel), shape(shape) {
  Dice rows(seed), dice(~seed); // so that the data do not depend on head sizes
  drawRows(rows);
  drawData(dice);
  drawScalars(dice);
}

/// About normally distributed: the sum of twelve numbers in [0, 1), less 6.
static float normal(Dice &dice) {
  double sum = -6;
  for (int i = 0; i < 12; ++i)
    sum += static_cast<double>(dice.bits() >> 11) * 0x1p-53;
  return static_cast<float>(sum);
}

static reference::Element referenceElement(attn_element element) {
  return element == ATTN_BF16  ? reference::Element::BF16
         : element == ATTN_F16 ? reference::Element::F16
                               : reference::Element::F32;
}

void TestCall::drawRows(Dice &dice) {
  const attn_kernel_info &info = kernel.info();
  const std::vector<int64_t> shapes[] = {{shape.batch, shape.heads, shape.length, info.head_size},
                                         {shape.batch, shape.kvHeads, shape.kvLength, info.head_size},
                                         {shape.batch, shape.kvHeads, shape.kvLength, info.value_head_size},
                                         {shape.batch, shape.heads, shape.length, info.value_head_size},
                                         {shape.batch, shape.heads, shape.length}};
  for (int32_t tensor = ATTN_QUERY; tensor <= ATTN_LSE; ++tensor) {
    attn_element type = tensor == ATTN_LSE ? ATTN_F32 : element();
    rows.push_back(std::make_unique<GuardedTensor>(shapes[tensor], shape.layout, type, shape.guard));
    if (tensor > ATTN_VALUE)
      continue;
    inputs.push_back(rows.back()->dense());
    for (float &number : inputs.back())
      number = normal(dice);
    reference::roundTo(referenceElement(element()), inputs.back());
    rows.back()->set(inputs.back());
  }
}

int64_t TestCall::positions() const {
  return std::max<int64_t>({0, queryOffset() + shape.length, shape.keyOffset + shape.kvLength});
}

void TestCall::drawData(Dice &dice) {
  const attn_kernel_info &info = kernel.info();
  for (int32_t tensor = FirstDataTensor; tensor < info.tensor_count; ++tensor) {
    int32_t role = info.tensors[tensor].role;
    bool isState = role == ATTN_STATE_IN || role == ATTN_STATE_OUT; // may be left out
    bool isDefault = isState || (info.tensors[tensor].default_count >= 0 && dice.chance(30));
    data.push_back(isDefault ? reference::Argument() : drawArgument(dice, info.tensors[tensor]));
  }
  if (dice.chance(40))
    arrayColumnStride = 2;
}

reference::Argument TestCall::drawArgument(Dice &dice, const attn_tensor_info &info) const {
  if (info.role == ATTN_ARRAY)
    return drawArray(dice, info);
  if (info.role == ATTN_BLOCKS)
    return drawBlocks(dice);
  return drawTable(dice, info);
}

reference::Table TestCall::drawTable(Dice &dice, const attn_tensor_info &info) const {
  reference::Table table(info.role == ATTN_LENGTHS || dice.chance(60) ? shape.batch : 1);
  int64_t ids = dice.in(1, 5), keys = std::max<int64_t>(0, shape.keyOffset + shape.kvLength);
  int64_t least = std::max<int64_t>(info.minimum, -2), most = dice.pick({2, 5, 30});
  bool isSorted = dice.chance(50);
  auto size = [&]() -> int64_t {
    switch (info.role) {
    case ATTN_LENGTHS:
      return 1;
    case ATTN_TOKENS:
      return dice.in(0, 8);
    case ATTN_PER_HEAD:
      return shape.heads;
    default:
      return positions() + dice.in(0, 3);
    }
  };
  auto entry = [&]() -> int64_t {
    switch (info.role) {
    case ATTN_LENGTHS:
      return dice.in(0, keys);
    case ATTN_TOKENS:
      return dice.in(-1, positions() - 1);
    case ATTN_PER_HEAD:
      return dice.in(least, most);
    default:
      return dice.in(-1, ids);
    }
  };
  const int64_t columns = size();
  for (std::vector<int32_t> &row : table) {
    for (int64_t column = 0; column < columns; ++column)
      row.push_back(static_cast<int32_t>(entry()));
    if (isSorted && info.role == ATTN_SEGMENTS)
      std::sort(row.begin(), row.end());
  }
  return table;
}

/// Few of the blocks, so that they lie in the sequence whatever their size is.
reference::Blocks TestCall::drawBlocks(Dice &dice) const {
  reference::Blocks blocks{{shape.heads, dice.in(0, 30), dice.in(0, 4)}, {}};
  if (dice.chance(50))
    blocks.shape.insert(blocks.shape.begin(), shape.batch);
  int64_t last = std::max<int64_t>(-1, (positions() - 1) / 12);
  blocks.entries.resize(llvm::product_of(blocks.shape));
  for (int32_t &entry : blocks.entries)
    entry = static_cast<int32_t>(dice.in(-1, last));
  return blocks;
}

int64_t TestCall::extentOf(int64_t extent) const {
  switch (extent) {
  case ATTN_EXTENT_BATCH:
    return shape.batch;
  case ATTN_EXTENT_HEADS:
    return shape.heads;
  case ATTN_EXTENT_KV_HEADS:
    return shape.kvHeads;
  case ATTN_EXTENT_QUERIES:
    return shape.length;
  case ATTN_EXTENT_KEYS:
    return shape.kvLength;
  case ATTN_EXTENT_HEAD_SIZE:
    return kernel.info().head_size;
  default:
    return extent;
  }
}

reference::Array TestCall::drawArray(Dice &dice, const attn_tensor_info &info) const {
  reference::Array array;
  for (int32_t axis = 0; axis < info.rank; ++axis) {
    int64_t extent = info.extents[axis];
    bool isShared = extent < ATTN_EXTENT_ANY && extent != ATTN_EXTENT_HEAD_SIZE && dice.chance(20);
    array.shape.push_back(extent == ATTN_EXTENT_ANY ? dice.in(1, 40) : isShared ? 1 : extentOf(extent));
  }
  array.entries.resize(llvm::product_of(array.shape));
  for (float &number : array.entries)
    number = normal(dice);
  return array;
}

void TestCall::drawScalars(Dice &dice) {
  const attn_kernel_info &info = kernel.info();
  for (int32_t s = 0; s < info.scalar_count; ++s) {
    scalars.push_back(info.scalars[s].default_value);
    if (!info.scalars[s].is_number)
      scalars.back().index = dice.in(std::max<int64_t>(info.scalars[s].minimum, 0), dice.pick({2, 20, 200}));
  }
}

void TestCall::setData(const std::string &name, reference::Table table) {
  const attn_kernel_info &info = kernel.info();
  for (int32_t tensor = FirstDataTensor; tensor < info.tensor_count; ++tensor)
    if (name == info.tensors[tensor].name)
      data[tensor - FirstDataTensor] = table.empty() ? reference::Argument() : std::move(table);
}

void TestCall::setIndex(const std::string &name, int64_t value) {
  const attn_kernel_info &info = kernel.info();
  for (int32_t s = 0; s < info.scalar_count; ++s)
    if (name == info.scalars[s].name)
      scalars[s].index = value;
}

void TestCall::setTensor(int32_t which, GuardedTensor tensor) {
  if (which <= ATTN_VALUE)
    tensor.set(inputs[which]);
  *rows[which] = std::move(tensor);
}

void TestCall::setInput(int32_t which, std::vector<float> numbers) {
  rows[which]->set(numbers);
  inputs[which] = std::move(numbers);
}

namespace {

struct DestroyPool {
  void operator()(attn_pool *pool) const { attn_pool_destroy(pool); }
};

} // namespace

int TestCall::run(int32_t threads, size_t missing) {
  const attn_kernel_info &info = kernel.info();
  std::vector<attn_tensor> tensors;
  tensors.reserve(rows.size() + data.size());
  for (const auto &tensor : rows)
    tensors.push_back(tensor->get());
  if (!withLse)
    tensors[ATTN_LSE].data = nullptr;
  std::vector<GuardedData> given;
  for (size_t t = 0; t < data.size(); ++t) {
    tensors.emplace_back();
    const attn_tensor_info &described = info.tensors[FirstDataTensor + t];
    if (auto *table = std::get_if<reference::Table>(&data[t]))
      tensors.back() = given.emplace_back(*table, described.role, shape.guard).get();
    if (auto *blocks = std::get_if<reference::Blocks>(&data[t]))
      tensors.back() = given.emplace_back(*blocks, shape.guard).get();
    if (auto *array = std::get_if<reference::Array>(&data[t])) {
      std::vector<int64_t> extents;
      for (int32_t axis = 0; axis < described.rank; ++axis)
        extents.push_back(described.extents[axis] == ATTN_EXTENT_ANY ? array->shape[axis]
                                                                     : extentOf(described.extents[axis]));
      tensors.back() = given.emplace_back(*array, extents, arrayColumnStride, shape.guard).get();
    }
  }
  std::unique_ptr<attn_pool, DestroyPool> pool(attn_pool_create(threads));
  attn_call call = ATTN_CALL_INIT;
  call.tensors = tensors.data(), call.tensor_count = static_cast<int32_t>(tensors.size());
  call.scalars = scalars.data(), call.scalar_count = static_cast<int32_t>(scalars.size());
  call.key_offset = shape.keyOffset;
  if (shape.queryOffset)
    call.query_offset = *shape.queryOffset, call.flags |= ATTN_HAS_QUERY_OFFSET;
  call.executor = attn_pool_executor(pool.get());
  size_t bytes = info.workspace_bytes(&call);
  workspace = std::make_unique<GuardedMemory>(bytes, shape.guard);
  call.workspace = workspace->data(), call.workspace_bytes = bytes - missing;
  return info.run(&call);
}

std::string TestCall::memoryFault() const {
  const char *names[] = {"query", "key", "value", "output", "lse"};
  for (size_t tensor = 0; tensor < rows.size(); ++tensor) {
    if (!rows[tensor]->areGapsIntact())
      return std::string("memory around ") + names[tensor] + " was changed";
    if (tensor > ATTN_VALUE)
      continue;
    std::vector<float> now = rows[tensor]->dense();
    if (!now.empty() && std::memcmp(now.data(), inputs[tensor].data(), now.size() * sizeof(float)))
      return std::string(names[tensor]) + " was changed";
  }
  if (workspace && !workspace->isIntactAround())
    return "memory around the workspace was changed";
  return "";
}

//===-- Judgement -------------------------------------------------------------------------------------------------===//

reference::Argument TestCall::argumentOf(mlir::BlockArgument argument) const {
  const KernelLayout &layout = kernel.source().layout;
  unsigned number = argument.getArgNumber();
  if (argument.getType().isF32())
    return scalars[layout.scalarOfArgument(number)].number;
  if (argument.getType().isIndex())
    return scalars[layout.scalarOfArgument(number)].index;
  unsigned tensor = layout.tensorOfArgument(number);
  if (data[tensor - FirstDataTensor].index() != 0)
    return data[tensor - FirstDataTensor];
  const attn_tensor_info &info = kernel.info().tensors[tensor];
  return reference::Table{std::vector<int32_t>(info.default_values, info.default_values + info.default_count)};
}

reference::Problem TestCall::problem() const {
  reference::Problem problem;
  problem.batch = shape.batch, problem.heads = shape.heads, problem.kvHeads = shape.kvHeads;
  problem.length = shape.length, problem.kvLength = shape.kvLength;
  problem.headSize = kernel.info().head_size, problem.valueHeadSize = kernel.info().value_head_size;
  problem.queryOffset = queryOffset(), problem.keyOffset = shape.keyOffset;
  problem.topLeftOffset = shape.queryOffset.value_or(0);
  problem.element = referenceElement(element());
  problem.scale = 1 / std::sqrt(static_cast<double>(problem.headSize));
  problem.query = inputs[ATTN_QUERY], problem.key = inputs[ATTN_KEY], problem.value = inputs[ATTN_VALUE];
  AttentionOp attention = kernel.source().attention;
  auto function = attention->getParentOfType<mlir::func::FuncOp>();
  problem.arguments.assign(3, std::monostate());
  for (mlir::BlockArgument argument : function.getArguments().drop_front(3))
    problem.arguments.push_back(argumentOf(argument));
  return problem;
}

std::pair<reference::Verdict, int64_t> TestCall::judgeRows() const {
  reference::Problem given = problem();
  reference::Result expected = reference::evaluate(kernel.source().attention, given);
  int64_t count = llvm::count_if(expected.lse, [](double lse) { return std::isfinite(lse); });
  return {reference::judge(expected, given, output(), lse()), count};
}

PairCounts TestCall::reportedPairs() const {
  const reference::Problem call = problem();
  PairCounts pairs;
  for (int64_t batch = 0; batch < shape.batch; ++batch)
    for (int64_t head = 0; head < shape.heads; ++head)
      for (const PairCounts &phase : countPairs(kernel.source().plan, bindCall(kernel.source(), call, batch, head)))
        pairs += phase;
  return pairs;
}

reference::Verdict TestCall::judge() const { return judgeRows().first; }

std::string TestCall::text() const {
  std::string text = "batch " + std::to_string(shape.batch) + ", heads " + std::to_string(shape.heads) + "/" +
                     std::to_string(shape.kvHeads) + ", length " + std::to_string(shape.length) + " x " +
                     std::to_string(shape.kvLength) + ", offsets " + std::to_string(queryOffset()) +
                     (shape.queryOffset ? " (given)" : "") + " and " + std::to_string(shape.keyOffset);
  for (int32_t s = 0; s < kernel.info().scalar_count; ++s)
    text += std::string(", ") + kernel.info().scalars[s].name + "=" + std::to_string(scalars[s].index);
  auto list = [&](const auto &entries) {
    text += "[";
    for (auto entry : entries)
      text += std::to_string(entry) + " ";
    text += "]";
  };
  for (size_t t = 0; t < data.size(); ++t) {
    text += std::string(", ") + kernel.info().tensors[FirstDataTensor + t].name + "=";
    if (auto *table = std::get_if<reference::Table>(&data[t]))
      llvm::for_each(*table, list);
    if (auto *blocks = std::get_if<reference::Blocks>(&data[t]))
      list(blocks->shape), list(blocks->entries);
    if (auto *array = std::get_if<reference::Array>(&data[t]))
      list(array->shape);
  }
  return text;
}
