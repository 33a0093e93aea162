// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The report counts the pairs that a kernel multiplies: here compiled kernels count their multiply-adds as they run. A
// pair takes one for each column of the query; what else a kernel does with them does not depend on that number, so two
// kernels that differ in it alone say how many pairs there were.

#include "TestKernel.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/MapVector.h"
#include "gtest/gtest.h"

using namespace attn;

/// What counting kernels have made so far.
static int64_t multiplyAdds;

static int64_t multiplyAddsOf(mlir::Operation *op) {
  if (auto fma = mlir::dyn_cast<mlir::vector::FMAOp>(op))
    return fma.getVectorType().getNumElements();
  if (auto call = mlir::dyn_cast<mlir::LLVM::CallIntrinsicOp>(op); call && call.getIntrin().contains("dpbf16ps"))
    return 2 * mlir::cast<mlir::VectorType>(call.getResult(0).getType()).getNumElements();
  return 0;
}

/// Makes each block of the loops add what it has to the count.
static void countMultiplyAdds(mlir::ModuleOp module) {
  llvm::MapVector<mlir::Block *, std::pair<mlir::Operation *, int64_t>> blocks; // first op, and number
  module.walk([&](mlir::Operation *op) {
    if (int64_t number = multiplyAddsOf(op)) {
      auto &[first, sum] = blocks[op->getBlock()];
      first = first ? first : op, sum += number;
    }
  });
  for (auto [block, found] : blocks) {
    mlir::OpBuilder b(found.first);
    mlir::Location loc = found.first->getLoc();
    auto number = [&](int64_t value) -> mlir::Value {
      return mlir::LLVM::ConstantOp::create(b, loc, b.getI64Type(), b.getI64IntegerAttr(value));
    };
    mlir::Value place = mlir::LLVM::IntToPtrOp::create(b, loc, mlir::LLVM::LLVMPointerType::get(b.getContext()),
                                                       number(reinterpret_cast<intptr_t>(&multiplyAdds)));
    mlir::Value before = mlir::LLVM::LoadOp::create(b, loc, b.getI64Type(), place);
    mlir::Value after = mlir::LLVM::AddOp::create(b, loc, before, number(found.second));
    mlir::LLVM::StoreOp::create(b, loc, after, place);
  }
}

static std::unique_ptr<TestKernel> makeCountingKernel(const ShippedFile &file, const std::string &element,
                                                      const std::string &isa, int64_t headSize) {
  CompileOptions options = TestKernel::optionsFor(headSize, 16);
  options.element = element, options.isas = {isa};
  const Mutation counting{Compilation::Stage::Loops, countMultiplyAdds};
  return std::make_unique<TestKernel>(file.text, options, &counting);
}

/// How many multiply-adds a call makes whose scores are all alike, so that nothing depends on them.
static int64_t countIn(TestCall &call, int64_t queryNumbers) {
  call.setInput(ATTN_QUERY, std::vector<float>(queryNumbers, 0));
  multiplyAdds = 0;
  int status = call.run();
  if (status == ATTN_ERROR_REQUIREMENT || status == ATTN_ERROR_BLOCKS)
    return -1; // a grid narrower than a neighborhood, or a block past the last one: the dice know no better
  EXPECT_EQ(status, ATTN_OK) << attn_error_string(status);
  return multiplyAdds;
}

/// Long and short calls, of one sequence and of others, and of few queries, which have kernels of their own.
static std::vector<CallShape> shapes(bool isOneSequence) {
  std::vector<CallShape> all;
  for (auto [length, kvLength] : std::initializer_list<std::pair<int64_t, int64_t>>{
           {200, 333}, {257, 257}, {130, 40}, {3, 2500}, {1, 1111}, {4, 4}}) {
    CallShape &shape = all.emplace_back();
    shape.batch = 2, shape.heads = 2, shape.length = length, shape.kvLength = isOneSequence ? length : kvLength;
  }
  all.front().queryOffset = 20, all.front().keyOffset = isOneSequence ? 20 : 7;
  return all;
}

static void expectReportedCounts(const ShippedFile &file, const std::string &element, const std::string &isa) {
  const int64_t narrow = 32, wide = 64;
  auto first = makeCountingKernel(file, element, isa, narrow), second = makeCountingKernel(file, element, isa, wide);
  ASSERT_EQ(first->error + second->error, "");
  for (size_t n = 0; n < first->count(); ++n) {
    first->choose(n), second->choose(n);
    if (first->source().layout.linear)
      continue;
    for (const CallShape &shape : shapes(first->info().same_length)) {
      TestCall a(*first, shape, /*seed=*/shape.length), b(*second, shape, /*seed=*/shape.length);
      int64_t rows = shape.batch * shape.heads * shape.length;
      int64_t fewer = countIn(a, rows * narrow), more = countIn(b, rows * wide);
      if (fewer < 0)
        continue;
      EXPECT_EQ(more - fewer, a.reportedPairs().computed * (wide - narrow)) << a.text();
      EXPECT_EQ(a.reportedPairs().computed, b.reportedPairs().computed);
    }
  }
}

TEST(Count, KernelsMultiplyThePairsThatTheReportSays) {
  // Plain x86-64 multiplies and adds by two instructions, and tiles of AMX have more rows than a sub-tile of the plan.
  std::vector<std::string> isas = TestKernel::isasOfHost();
  llvm::erase_if(isas, [](const std::string &isa) { return isa == "generic" || isa == "amx"; });
  if (isas.empty())
    GTEST_SKIP() << "this machine has no fused multiply-add";
  size_t number = 0;
  for (const ShippedFile &file : shippedFiles("")) {
    const std::string element = number % 2 ? "bf16" : "f32", &isa = isas[number / 2 % isas.size()];
    ++number;
    SCOPED_TRACE(file.name + " of " + element + " on " + isa);
    expectReportedCounts(file, element, isa);
  }
}
