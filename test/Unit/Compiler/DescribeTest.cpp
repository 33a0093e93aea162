// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The description of a GPU kernel, read back through the structs of the runtime: its fields have to lie where C looks
// for them.
#include "../../../lib/Compiler/Describe.h"
#include "../../../lib/Runtime/gpu.h"
#include "../../../lib/Runtime/program.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/TargetSelect.h"

#include "gtest/gtest.h"

using namespace attn;

namespace {

/// What the entry points were called with.
const attn_kernel *calledKernel;
const void *calledArgument;
int calledDevice;

int fakeRun(const attn_kernel *kernel, const attn_call *call) {
  calledKernel = kernel, calledArgument = call;
  return ATTN_ERROR_LAUNCH;
}
size_t fakeWorkspaceBytes(const attn_kernel *, const attn_call *) { return size_t(1) << 40; }
int fakeIsa(const attn_kernel *, const attn_call *) { return ATTN_ISA_SM_90A; }
int fakeRequirement(const attn_kernel *kernel, const attn_call *call, int64_t numbers[2]) {
  calledKernel = kernel, calledArgument = call;
  numbers[0] = 5, numbers[1] = 7;
  return 1;
}
int fakeLoad(const attn_kernel *kernel, void **handle, int device) {
  calledKernel = kernel, calledArgument = handle, calledDevice = device;
  return ATTN_ERROR_DEVICE;
}
int fakeUnload(const attn_kernel *kernel, void *handle) {
  calledKernel = kernel, calledArgument = handle;
  return ATTN_ERROR_HANDLE;
}

/// Expressions of every kind over a symbol of the call and two of the layout.
const Expr n = Expr::symbol(KvLength), left = Expr::symbol(FirstNamed), width = Expr::symbol(FirstNamed + 2);
const Expr exprs[] = {7,
                      n,
                      n * -3 + left * 2 - 5,
                      Expr::floorDiv(n + width - 1, width),
                      Expr::mod(left - n, width),
                      Expr::min({n, left, width * 2}),
                      Expr::max({n - 100, left, width}),
                      n * width * left + Expr::floorDiv(Expr::mod(n, 7) - left, 3)};

/// Run-time data of every kind and a window; nothing of it means anything.
KernelLayout layoutOf(mlir::MLIRContext &context) {
  context.loadDialect<AttnDialect>();
  KernelLayout layout;
  layout.name = "k";
  layout.element = mlir::BFloat16Type::get(&context);
  layout.headSize = 128;
  layout.valueHeadSize = 64;
  auto tensor = [](const char *name, int role) { return TensorArgument{name, role, {}, {}, {}}; };
  layout.tensors = {tensor("query", ATTN_QUERY),    tensor("key", ATTN_KEY),       tensor("value", ATTN_VALUE),
                    tensor("output", ATTN_OUTPUT),  tensor("lse", ATTN_LSE),       tensor("global", ATTN_TOKENS),
                    tensor("reach", ATTN_PER_HEAD), tensor("random", ATTN_BLOCKS), tensor("bias", ATTN_ARRAY)};
  layout.tensors[5].defaultValues = {{3, 4}};
  layout.tensors[6].minimum = 1;
  layout.tensors[8].extents = {HeadsExtent, 32};
  layout.scalars = {{"left", false, 0, 256, 0}, {"cap", true, {}, 0, 0.5}, {"width", false, 1, 8, 0}};
  layout.symbols = {
      {NamedSymbol::Index, 0}, {NamedSymbol::Number, 1}, {NamedSymbol::Index, 2}, {NamedSymbol::Formula, 0}};
  layout.formulas = {Expr::floorDiv(Expr::symbol(KvLength) + left, width)};
  Order every = Order::remainders(Side::Keys, width, 0, 1, Expr::min({left, width}));
  layout.orders = {{Order::all(Side::Queries), -1, false, -1, -1, -1, -1, 9},
                   {Order::listed(Side::Keys, 0), 5, false, 6, 7, -1, -1, 10},
                   {Order::classes(Side::Keys, width + 1), -1, true, -1, -1, 4, 5, 11},
                   {every, -1, false, -1, -1, -1, -1, 12}};
  layout.matches = {{0, 1, 8, 9}};
  layout.offsets = {{5, 3}};
  layout.blocks = {{7, Expr::symbol(FirstNamed + 2)}};
  for (const Expr &expr : exprs)
    layout.requirements.push_back(RequirementAttr::get(&context, "rows", expr, "least rows", -expr));
  layout.phases = {{0}, {1, /*stage=*/1}};
  layout.tile = {128, 64, 64, 64};
  layout.viewCount = 10;
  return layout;
}

KernelLayout linearLayoutOf(mlir::MLIRContext &context) {
  KernelLayout layout = layoutOf(context);
  layout.name = "l";
  layout.linear = LinearLayout{LinearForm::Causal, /*stateIn=*/5, /*stateOut=*/6, /*stateRows=*/128,
                               /*stateColumns=*/80};
  layout.phases.clear();
  return layout;
}

const GpuCode linearCode = {
    "", "PTX", {}, GpuLinearInfo{{"a", 128, 1000, 64}, {"s", 96, 0, 100}, {"r", 160, 2000, 32}}};

class Describe : public ::testing::Test {
protected:
  void SetUp() override {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    jit = llvm::cantFail(llvm::orc::LLJITBuilder().create());
    auto context = std::make_unique<llvm::LLVMContext>();
    auto module = std::make_unique<llvm::Module>("test", *context);
    GpuCode code;
    code.cubin = std::string("\0ELF", 4), code.ptx = "PTX";
    code.phases.resize(2);
    code.phases[0].tiled = {"a", 384, 1000, 128, 96, 64, true};
    code.phases[1].strided = {"b", 128};
    describeGpuKernel(*module, layoutOf(mlirContext), "sm_90a", code);
    describeGpuKernel(*module, linearLayoutOf(mlirContext), "sm_90a", linearCode);
    llvm::orc::SymbolMap entries;
    auto add = [&](llvm::StringRef name, auto *function) {
      entries[jit->mangleAndIntern(name)] = {llvm::orc::ExecutorAddr::fromPtr(function),
                                             llvm::JITSymbolFlags::Exported};
    };
    add("attn_gpu_run", fakeRun);
    add("attn_gpu_workspace_bytes", fakeWorkspaceBytes);
    add("attn_gpu_isa", fakeIsa);
    add("attn_gpu_requirement", fakeRequirement);
    add("attn_gpu_load", fakeLoad);
    add("attn_gpu_unload", fakeUnload);
    llvm::cantFail(jit->getMainJITDylib().define(llvm::orc::absoluteSymbols(std::move(entries))));
    llvm::cantFail(jit->addIRModule({std::move(module), std::move(context)}));
  }

  template <typename T> T *find(llvm::StringRef name) { return llvm::cantFail(jit->lookup(name)).toPtr<T *>(); }

  mlir::MLIRContext mlirContext;
  std::unique_ptr<llvm::orc::LLJIT> jit;
};

TEST_F(Describe, InfoOfAGpuKernel) {
  const auto &info = *find<const attn_kernel_info>("k_info");
  EXPECT_EQ(info.version, ATTN_ABI_VERSION);
  EXPECT_EQ(info.element, ATTN_BF16);
  EXPECT_EQ(info.head_size, 128);
  EXPECT_EQ(info.value_head_size, 64);
  EXPECT_STREQ(info.target, "sm_90a");
  ASSERT_EQ(info.tensor_count, 9);
  EXPECT_EQ(info.tensors[5].default_values[1], 4);
  EXPECT_EQ(info.tensors[6].minimum, 1);
  EXPECT_EQ(info.tensors[6].default_count, -1);
  EXPECT_EQ(info.tensors[6].rank, 0);
  EXPECT_EQ(info.tensors[7].block, -1 - 2); // scalar 2
  EXPECT_EQ(info.tensors[8].block, 0);
  ASSERT_EQ(info.tensors[8].rank, 2);
  EXPECT_EQ(info.tensors[8].extents[0], ATTN_EXTENT_HEADS);
  EXPECT_EQ(info.tensors[8].extents[1], 32);
  ASSERT_EQ(info.scalar_count, 3);
  EXPECT_EQ(info.scalars[1].default_value.number, 0.5);
  ASSERT_EQ(info.requirement_count, int32_t(std::size(exprs)));
  EXPECT_STREQ(info.requirements[1].name, "rows");
  EXPECT_STREQ(info.requirements[1].least_name, "least rows");
}

TEST_F(Describe, EntryPointsPassTheKernelOn) {
  const auto &info = *find<const attn_kernel_info>("k_info");
  attn_call call = ATTN_CALL_INIT;
  void *handle = &call;
  EXPECT_EQ(info.run(&call), ATTN_ERROR_LAUNCH);
  EXPECT_EQ(calledArgument, &call);
  EXPECT_EQ(calledKernel->info, &info);
  EXPECT_EQ(info.workspace_bytes(&call), size_t(1) << 40);
  EXPECT_EQ(info.isa(&call), ATTN_ISA_SM_90A);
  int64_t numbers[2];
  calledArgument = nullptr;
  EXPECT_EQ(info.requirement(&call, numbers), 1);
  EXPECT_EQ(calledArgument, &call);
  EXPECT_EQ(numbers[1], 7);
  EXPECT_EQ(info.requirement, find<int(const attn_call *, int64_t *)>("k_requirement"));
  EXPECT_EQ(info.load(&handle, 3), ATTN_ERROR_DEVICE);
  EXPECT_EQ(calledArgument, &handle);
  EXPECT_EQ(calledDevice, 3);
  EXPECT_EQ(info.unload(handle), ATTN_ERROR_HANDLE);
  EXPECT_EQ(calledArgument, handle);
  EXPECT_EQ(info.load, find<int(void **, int)>("k_load"));
  EXPECT_EQ(info.unload, find<int(void *)>("k_unload"));
}

TEST_F(Describe, CodeOfAGpuKernel) {
  find<const attn_kernel_info>("k_info")->run(nullptr);
  const attn_kernel &kernel = *calledKernel;
  EXPECT_EQ(kernel.view_count, 10);
  EXPECT_EQ(kernel.symbol_count, ATTN_FIXED_SYMBOLS + 8);
  EXPECT_EQ(kernel.symbols[1].kind, ATTN_SYMBOL_NUMBER);
  ASSERT_EQ(kernel.order_count, 4);
  EXPECT_EQ(kernel.orders[1].kind, ATTN_ORDER_LISTED);
  EXPECT_EQ(kernel.orders[1].flags_view, 7);
  EXPECT_EQ(kernel.orders[1].count_symbol, 10);
  EXPECT_EQ(kernel.orders[1].of_head, 0);
  EXPECT_EQ(kernel.orders[2].kind, ATTN_ORDER_CLASSES);
  EXPECT_EQ(kernel.orders[2].side, ATTN_KEYS);
  EXPECT_EQ(kernel.orders[2].value_view, 5);
  EXPECT_EQ(kernel.orders[2].of_head, 1);
  EXPECT_EQ(kernel.orders[3].kind, ATTN_ORDER_REMAINDERS);
  EXPECT_EQ(kernel.matches[0].end_view, 9);
  ASSERT_EQ(kernel.offsets_count, 1);
  EXPECT_EQ(kernel.offsets[0].tensor, 5);
  EXPECT_EQ(kernel.offsets[0].view, 3);
  ASSERT_EQ(kernel.block_table_count, 1);
  EXPECT_EQ(kernel.block_tables[0].tensor, 7);
  ASSERT_EQ(kernel.phase_count, 2);
  EXPECT_EQ(kernel.phases[0].stage, 0);
  EXPECT_EQ(kernel.phases[1].query_order, 1);
  EXPECT_EQ(kernel.phases[1].stage, 1);
  EXPECT_EQ(kernel.cpu, nullptr);
  const attn_gpu_code &code = *kernel.gpu;
  EXPECT_EQ(std::memcmp(code.cubin, "\0ELF", 4), 0);
  EXPECT_STREQ(code.ptx, "PTX");
  const attn_gpu_function &tiled = code.phases[0].tiled;
  EXPECT_STREQ(tiled.name, "a");
  EXPECT_EQ(tiled.threads, 384);
  EXPECT_EQ(tiled.shared_bytes, 1000);
  EXPECT_EQ(tiled.tile_rows, 128);
  EXPECT_EQ(tiled.tile_keys, 96);
  EXPECT_EQ(tiled.store_rows, 64);
  EXPECT_EQ(tiled.persistent, 1);
  EXPECT_EQ(code.phases[0].strided.name, nullptr);
  EXPECT_EQ(code.phases[1].tiled.name, nullptr);
  EXPECT_STREQ(code.phases[1].strided.name, "b");
}

TEST_F(Describe, CodeOfLinearAttentionOnAGpu) {
  find<const attn_kernel_info>("k_info")->run(nullptr);
  EXPECT_EQ(calledKernel->linear, nullptr);
  EXPECT_EQ(calledKernel->gpu->linear, nullptr);
  find<const attn_kernel_info>("l_info")->run(nullptr);
  const attn_linear_code &linear = *calledKernel->linear;
  EXPECT_EQ(linear.form, ATTN_LINEAR_CAUSAL);
  EXPECT_EQ(linear.state_in, 5);
  EXPECT_EQ(linear.state_out, 6);
  EXPECT_EQ(linear.state_rows, 128);
  EXPECT_EQ(linear.state_columns, 80);
  EXPECT_EQ(linear.parts, nullptr);
  EXPECT_EQ(calledKernel->phase_count, 0);
  const attn_gpu_linear &launches = *calledKernel->gpu->linear;
  EXPECT_STREQ(launches.absorb.name, "a");
  EXPECT_EQ(launches.absorb.threads, 128);
  EXPECT_EQ(launches.sum.tile_rows, 100);
  EXPECT_STREQ(launches.rows.name, "r");
  EXPECT_EQ(launches.rows.shared_bytes, 2000);
}

/// What the runtime makes of a program is what the expression is.
TEST_F(Describe, ProgramsAreTheExpressions) {
  find<const attn_kernel_info>("k_info")->run(nullptr);
  attn_call call = ATTN_CALL_INIT;
  attn_scalar scalars[3] = {};
  call.scalars = scalars;
  call.scalar_count = 3;
  attn_problem problem = {};
  problem.kernel = calledKernel, problem.info = calledKernel->info, problem.call = &call;
  std::vector<int64_t> symbols(FirstNamed + 3);
  const attn_order *orders = calledKernel->orders;
  for (int32_t plain : {0, 1})
    EXPECT_TRUE(!orders[plain].modulus && !orders[plain].count);
  EXPECT_FALSE(orders[2].count);   // every row is in a class
  EXPECT_FALSE(orders[3].modulus); // how many they are is enough
  for (int64_t length : {0, 1, 30, 1000})
    for (int64_t left : {0, 3, 256})
      for (int64_t width : {1, 8, 13}) {
        problem.kv_length = symbols[KvLength] = length;
        scalars[0].index = symbols[FirstNamed] = left;
        scalars[2].index = symbols[FirstNamed + 2] = width;
        for (auto [i, expr] : llvm::enumerate(exprs)) {
          const attn_requirement &requirement = calledKernel->requirements[i];
          EXPECT_EQ(attn_evaluate(&problem, requirement.value, 0, 0), expr.evaluate(0, symbols)) << i;
          EXPECT_EQ(attn_evaluate(&problem, requirement.least, 0, 0), -expr.evaluate(0, symbols)) << i;
        }
        EXPECT_EQ(attn_symbol_at(&problem, FirstNamed + 3, 0, 0), (length + left) / width);
        EXPECT_EQ(attn_evaluate(&problem, calledKernel->block_tables[0].block, 0, 0), width);
        EXPECT_EQ(attn_evaluate(&problem, orders[2].modulus, 0, 0), width + 1);
        int64_t count = 0; // of the keys with a remainder in [1, left)
        for (int64_t row = 0; row < length; ++row)
          count += row % width >= 1 && row % width < left;
        EXPECT_EQ(attn_evaluate(&problem, orders[3].count, 0, 0), count) << length << " " << left << " " << width;
      }
}

TEST(Blocks, AreSaidByANumberOrAScalar) {
  mlir::MLIRContext context;
  KernelLayout layout = layoutOf(context);
  EXPECT_EQ(blockOf(layout, 6), 0);
  EXPECT_EQ(blockOf(layout, 7), -1 - 2);
  layout.blocks.push_back({7, Expr::symbol(FirstNamed + 2)});
  EXPECT_EQ(blockOf(layout, 7), -1 - 2);
  layout.blocks.push_back({7, 64});
  EXPECT_EQ(blockOf(layout, 7), 0); // two sizes
  layout.blocks = {{7, 64}};
  EXPECT_EQ(blockOf(layout, 7), 64);
  layout.blocks = {{7, Expr::symbol(FirstNamed) * 2}};
  EXPECT_EQ(blockOf(layout, 7), 0);
}

TEST(PrologueFunctions, AreThoseThatTheKernelLaunches) {
  mlir::MLIRContext context;
  KernelLayout layout = layoutOf(context);
  EXPECT_EQ(prologueFunctions(layout).size(), 2u);
  layout.matches.clear();
  EXPECT_EQ(prologueFunctions(layout), llvm::SmallVector<llvm::StringRef>{"attn_run_jobs"});
  layout.tensors.truncate(FirstDataTensor);
  EXPECT_TRUE(prologueFunctions(layout).empty());
  layout = linearLayoutOf(context);
  layout.matches.clear();
  EXPECT_TRUE(prologueFunctions(layout).empty()); // states are no data to look through
}

} // namespace
