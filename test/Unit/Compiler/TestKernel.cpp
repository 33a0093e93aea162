// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles kernels from text and calls them in guarded memory.

#include "TestKernel.h"
#include "attn/Codegen/Isa.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/ToolOutputFile.h"
#include "gtest/gtest.h"
#include <cmath>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

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

//===-- Memory ----------------------------------------------------------------------------------------------------===//

GuardedMemory::GuardedMemory(size_t bytes) : bytes(bytes) {
  const size_t page = sysconf(_SC_PAGESIZE), inside = (bytes + page - 1) / page * page;
  mapped = inside + 2 * page;
  mapping = static_cast<unsigned char *>(
      mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  if (mapping == MAP_FAILED || (inside && mprotect(mapping + page, inside, PROT_READ | PROT_WRITE)))
    std::abort();
  begin = mapping + page + inside - bytes;
  // Memory that is reserved for far strides only stays unfilled.
  if (bytes < size_t(1) << 30)
    std::memset(mapping + page, 0xff, inside);
}

GuardedMemory::~GuardedMemory() { munmap(mapping, mapped); }

bool GuardedMemory::isIntactBefore() const {
  const size_t page = sysconf(_SC_PAGESIZE);
  for (const unsigned char *byte = mapping + page; byte < begin; ++byte)
    if (*byte != 0xff && bytes < size_t(1) << 30)
      return false;
  return true;
}

static std::vector<int64_t> stridesOf(const std::vector<int64_t> &shape, Layout layout) {
  if (shape.size() == 3) { // lse has no columns
    int64_t gap = layout == Layout::Gaps ? 3 : 0;
    if (layout == Layout::RowsFirst)
      return {shape[2] * shape[1], 1, shape[1]};
    return {shape[1] * (shape[2] + gap), shape[2] + gap, 1};
  }
  int64_t row = shape[3] + (layout == Layout::Gaps ? 5 : 0);
  if (layout == Layout::RowsFirst)
    return {shape[2] * shape[1] * row, row, shape[1] * row, 1};
  int64_t head = shape[2] * row + (layout == Layout::Gaps ? 7 : 0);
  return {shape[1] * head, head, row, 1};
}

GuardedTensor::GuardedTensor(std::vector<int64_t> shape, Layout layout)
    : GuardedTensor(shape, stridesOf(shape, layout)) {}

GuardedTensor::GuardedTensor(std::vector<int64_t> shape, const std::vector<int64_t> &strides) {
  tensor.element = ATTN_F32, tensor.rank = static_cast<int32_t>(shape.size());
  int64_t extent = 1;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    tensor.shape[axis] = shape[axis], tensor.strides[axis] = strides[axis];
    extent = shape[axis] == 0 || extent == 0 ? 0 : extent + (shape[axis] - 1) * strides[axis];
  }
  memory = std::make_unique<GuardedMemory>(extent * sizeof(float));
  tensor.data = memory->data();
}

/// Calls `visit(offset)` for every element, the last axis fastest.
template <typename Visit> void GuardedTensor::forEachElement(Visit visit) const {
  const int64_t *shape = tensor.shape, *strides = tensor.strides;
  int64_t columns = tensor.rank == 4 ? shape[3] : 1;
  for (int64_t b = 0; b < shape[0]; ++b)
    for (int64_t h = 0; h < shape[1]; ++h)
      for (int64_t r = 0; r < shape[2]; ++r)
        for (int64_t c = 0; c < columns; ++c)
          visit(b * strides[0] + h * strides[1] + r * strides[2] + c);
}

void GuardedTensor::set(const std::vector<float> &dense) {
  size_t next = 0;
  forEachElement([&](int64_t offset) { floats()[offset] = dense[next++]; });
}

std::vector<float> GuardedTensor::dense() const {
  std::vector<float> result;
  forEachElement([&](int64_t offset) { result.push_back(floats()[offset]); });
  return result;
}

static bool isFilling(const float *number) {
  uint32_t bits;
  std::memcpy(&bits, number, sizeof(bits));
  return bits == 0xffffffffu;
}

bool GuardedTensor::areGapsIntact() const {
  std::vector<bool> isElement(memory->size() / sizeof(float), false);
  forEachElement([&](int64_t offset) { isElement[offset] = true; });
  for (size_t offset = 0; offset < isElement.size(); ++offset)
    if (!isElement[offset] && !isFilling(floats() + offset))
      return false;
  return memory->isIntactBefore();
}

bool GuardedTensor::isUntouched() const {
  bool untouched = true;
  forEachElement([&](int64_t offset) { untouched &= isFilling(floats() + offset); });
  return untouched;
}

//===-- Calls -----------------------------------------------------------------------------------------------------===//

TestCall::TestCall(const TestKernel &kernel, const CallShape &shape, uint64_t seed) : kernel(kernel), shape(shape) {
  Dice dice(seed);
  drawRows(dice);
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

void TestCall::drawRows(Dice &dice) {
  const attn_kernel_info &info = kernel.info();
  const std::vector<int64_t> shapes[] = {{shape.batch, shape.heads, shape.length, info.head_size},
                                         {shape.batch, shape.kvHeads, shape.kvLength, info.head_size},
                                         {shape.batch, shape.kvHeads, shape.kvLength, info.value_head_size},
                                         {shape.batch, shape.heads, shape.length, info.value_head_size},
                                         {shape.batch, shape.heads, shape.length}};
  for (int32_t tensor = ATTN_QUERY; tensor <= ATTN_LSE; ++tensor) {
    rows.push_back(std::make_unique<GuardedTensor>(shapes[tensor], shape.layout));
    if (tensor > ATTN_VALUE)
      continue;
    inputs.push_back(rows.back()->dense());
    for (float &number : inputs.back())
      number = normal(dice);
    rows.back()->set(inputs.back());
  }
}

int64_t TestCall::positions() const {
  return std::max<int64_t>({0, queryOffset() + shape.length, shape.keyOffset + shape.kvLength});
}

void TestCall::drawData(Dice &dice) {
  const attn_kernel_info &info = kernel.info();
  for (int32_t tensor = FirstDataTensor; tensor < info.tensor_count; ++tensor) {
    bool isDefault = info.tensors[tensor].default_count >= 0 && dice.chance(30);
    data.push_back(isDefault ? std::vector<std::vector<int32_t>>() : drawTable(dice, info.tensors[tensor].role));
  }
}

std::vector<std::vector<int32_t>> TestCall::drawTable(Dice &dice, int32_t role) const {
  std::vector<std::vector<int32_t>> table(role == ATTN_LENGTHS || dice.chance(60) ? shape.batch : 1);
  int64_t size = role == ATTN_LENGTHS ? 1 : role == ATTN_TOKENS ? dice.in(0, 8) : positions() + dice.in(0, 3);
  int64_t ids = dice.in(1, 5);
  bool isSorted = dice.chance(50);
  for (std::vector<int32_t> &row : table) {
    for (int64_t entry = 0; entry < size; ++entry)
      row.push_back(role == ATTN_TOKENS     ? dice.in(-1, positions() - 1)
                    : role == ATTN_SEGMENTS ? dice.in(-1, ids)
                                            : dice.in(0, std::max<int64_t>(0, shape.keyOffset + shape.kvLength)));
    if (isSorted && role == ATTN_SEGMENTS)
      std::sort(row.begin(), row.end());
  }
  return table;
}

void TestCall::drawScalars(Dice &dice) {
  const attn_kernel_info &info = kernel.info();
  for (int32_t s = 0; s < info.scalar_count; ++s) {
    scalars.push_back(info.scalars[s].default_value);
    if (!info.scalars[s].is_number)
      scalars.back().index = dice.in(std::max<int64_t>(info.scalars[s].minimum, 0), dice.pick({2, 20, 200}));
  }
}

void TestCall::setData(const std::string &name, std::vector<std::vector<int32_t>> table) {
  const attn_kernel_info &info = kernel.info();
  for (int32_t tensor = FirstDataTensor; tensor < info.tensor_count; ++tensor)
    if (name == info.tensors[tensor].name)
      data[tensor - FirstDataTensor] = std::move(table);
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

namespace {

/// Run-time data in guarded memory.
struct GuardedTable {
  explicit GuardedTable(const std::vector<std::vector<int32_t>> &table, int32_t role)
      : memory(table.size() * table.front().size() * sizeof(int32_t)) {
    int64_t size = table.front().size(), batches = table.size();
    tensor.data = memory.data(), tensor.element = ATTN_I32;
    bool isFlat = role == ATTN_LENGTHS || batches == 1;
    tensor.rank = isFlat ? 1 : 2;
    tensor.shape[0] = role == ATTN_LENGTHS ? batches : isFlat ? size : batches;
    tensor.shape[1] = size;
    tensor.strides[0] = isFlat ? 1 : size, tensor.strides[1] = 1;
    for (size_t b = 0; b < table.size(); ++b)
      std::copy(table[b].begin(), table[b].end(), reinterpret_cast<int32_t *>(memory.data()) + b * size);
  }

  GuardedMemory memory;
  attn_tensor tensor = {};
};

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
  std::vector<std::unique_ptr<GuardedTable>> tables;
  for (size_t t = 0; t < data.size(); ++t) {
    tensors.emplace_back();
    if (data[t].empty())
      continue;
    tables.push_back(std::make_unique<GuardedTable>(data[t], info.tensors[FirstDataTensor + t].role));
    tensors.back() = tables.back()->tensor;
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
  workspace = std::make_unique<GuardedMemory>(bytes);
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
  if (workspace && !workspace->isIntactBefore())
    return "memory before the workspace was changed";
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
  if (!data[tensor - FirstDataTensor].empty())
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

reference::Verdict TestCall::judge() const { return judgeRows().first; }

std::string TestCall::text() const {
  std::string text = "batch " + std::to_string(shape.batch) + ", heads " + std::to_string(shape.heads) + "/" +
                     std::to_string(shape.kvHeads) + ", length " + std::to_string(shape.length) + " x " +
                     std::to_string(shape.kvLength) + ", offsets " + std::to_string(queryOffset()) +
                     (shape.queryOffset ? " (given)" : "") + " and " + std::to_string(shape.keyOffset);
  for (int32_t s = 0; s < kernel.info().scalar_count; ++s)
    text += std::string(", ") + kernel.info().scalars[s].name + "=" + std::to_string(scalars[s].index);
  for (size_t t = 0; t < data.size(); ++t) {
    text += std::string(", ") + kernel.info().tensors[FirstDataTensor + t].name + "=";
    for (const std::vector<int32_t> &row : data[t]) {
      text += "[";
      for (int32_t entry : row)
        text += std::to_string(entry) + " ";
      text += "]";
    }
  }
  return text;
}
