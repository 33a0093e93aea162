// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Spells the structs of lib/Runtime/kernel.h and gpu.h as LLVM constants, field by field in their order there.

#include "Describe.h"
#include "../Codegen/CPU/Linear.h"
#include "../Codegen/CPU/Packing.h"
#include "../Codegen/CPU/Parts.h"
#include "../Runtime/device/prologue.h"
#include "../Runtime/gpu.h"
#include "attn/Codegen/Isa.h"
#include "llvm/IR/IRBuilder.h"

using namespace attn;
using llvm::ArrayRef;
using llvm::Constant;
using llvm::StringRef;

//===-- Programs --------------------------------------------------------------------------------------------------===//

static void writeProgram(const Expr &expr, std::vector<int64_t> &code);

/// a, b, c, ... by an operation of two: op a op b c.
static void writeProgram(int64_t operation, ArrayRef<Expr> operands, std::vector<int64_t> &code) {
  for (auto [i, operand] : llvm::enumerate(operands)) {
    if (i + 1 < operands.size())
      code.push_back(operation);
    writeProgram(operand, code);
  }
}

static void writeProgram(const Expr::Term &term, std::vector<int64_t> &code) {
  switch (term.kind) {
  case Expr::TermKind::Row:
    llvm_unreachable("what is described belongs to no row");
  case Expr::TermKind::Symbol:
    code.insert(code.end(), {ATTN_SYMBOL, static_cast<int64_t>(term.symbol)});
    return;
  case Expr::TermKind::FloorDiv:
    return writeProgram(ATTN_DIVIDE, term.operands, code);
  case Expr::TermKind::Mod:
    return writeProgram(ATTN_REMAINDER, term.operands, code);
  case Expr::TermKind::Min:
    return writeProgram(ATTN_LEAST, term.operands, code);
  case Expr::TermKind::Max:
    return writeProgram(ATTN_GREATEST, term.operands, code);
  case Expr::TermKind::Product:
    return writeProgram(ATTN_MULTIPLY, term.operands, code);
  }
}

/// The sum as a program of lib/Runtime/kernel.h.
static void writeProgram(const Expr &expr, std::vector<int64_t> &code) {
  for (const Expr::Summand &summand : expr.summands()) {
    code.push_back(ATTN_ADD);
    if (summand.factor != 1)
      code.insert(code.end(), {ATTN_MULTIPLY, ATTN_CONSTANT, summand.factor});
    writeProgram(*summand.term, code);
  }
  code.insert(code.end(), {ATTN_CONSTANT, expr.constantSummand()});
}

namespace {

class Describer {
public:
  Describer(llvm::Module &module, const KernelLayout &layout)
      : module(module), layout(layout), context(module.getContext()) {}

  llvm::GlobalVariable *describeForCpu(StringRef target, ArrayRef<const Isa *> isas) {
    llvm::GlobalVariable *info = declareInfo();
    llvm::GlobalVariable *kernel = global("kernel", kernelConstant(info, cpuCode(isas), null(), linearCode(isas)));
    return defineInfo(info, infoConstant(target, "attn_cpu", kernel, null(), null()));
  }

  llvm::GlobalVariable *describeForGpu(StringRef target, const GpuCode &code) {
    llvm::GlobalVariable *info = declareInfo();
    llvm::GlobalVariable *kernel = global("kernel", kernelConstant(info, null(), gpuCode(code), linearCode({})));
    llvm::Type *i32 = llvm::Type::getInt32Ty(context), *pointer = llvm::PointerType::get(context, 0);
    llvm::Function *load = entry("_load", "attn_gpu_load", i32, {pointer, i32}, kernel);
    llvm::Function *unload = entry("_unload", "attn_gpu_unload", i32, {pointer}, kernel);
    return defineInfo(info, infoConstant(target, "attn_gpu", kernel, load, unload));
  }

private:
  //===-- Constants ---------------------------------------------------------------------------------------------===//
  Constant *int32(int64_t value) { return llvm::ConstantInt::getSigned(llvm::Type::getInt32Ty(context), value); }
  Constant *int64(int64_t value) { return llvm::ConstantInt::getSigned(llvm::Type::getInt64Ty(context), value); }
  Constant *null() { return llvm::ConstantPointerNull::get(llvm::PointerType::get(context, 0)); }
  Constant *structOf(ArrayRef<Constant *> fields) { return llvm::ConstantStruct::getAnon(context, fields); }

  llvm::GlobalVariable *global(const llvm::Twine &part, Constant *content) {
    return new llvm::GlobalVariable(module, content->getType(), /*isConstant=*/true, llvm::GlobalValue::InternalLinkage,
                                    content, layout.name + "." + part);
  }
  Constant *text(StringRef string) { return global("text", llvm::ConstantDataArray::getString(context, string)); }

  /// A pointer to an array; null if it is empty.
  Constant *arrayOf(const llvm::Twine &part, ArrayRef<Constant *> elements) {
    if (elements.empty())
      return null();
    auto *type = llvm::ArrayType::get(elements.front()->getType(), elements.size());
    return global(part, llvm::ConstantArray::get(type, elements));
  }

  //===-- attn_kernel_info --------------------------------------------------------------------------------------===//
  int elementNumber() const {
    return layout.element.isBF16() ? ATTN_BF16 : layout.element.isF16() ? ATTN_F16 : ATTN_F32;
  }

  llvm::GlobalVariable *declareInfo() {
    return new llvm::GlobalVariable(module, llvm::Type::getInt8Ty(context), true, llvm::GlobalValue::ExternalLinkage,
                                    nullptr, layout.name + "_info");
  }

  /// The info, with the entry points that every target has.
  Constant *infoConstant(StringRef target, StringRef entries, Constant *kernel, Constant *load, Constant *unload) {
    llvm::Type *i32 = llvm::Type::getInt32Ty(context), *i64 = llvm::Type::getInt64Ty(context);
    llvm::Type *pointer = llvm::PointerType::get(context, 0);
    llvm::Function *run = entry("", (entries + "_run").str(), i32, {pointer}, kernel);
    llvm::Function *workspace = entry("_workspace_bytes", (entries + "_workspace_bytes").str(), i64, {pointer}, kernel);
    llvm::Function *isa = entry("_isa", (entries + "_isa").str(), i32, {pointer}, kernel);
    llvm::Function *requirement =
        entry("_requirement", (entries + "_requirement").str(), i32, {pointer, pointer}, kernel);
    return structOf({int32(ATTN_ABI_VERSION), int32(elementNumber()), int32(layout.headSize),
                     int32(layout.valueHeadSize), int32(layout.isOneSequence), int32(layout.tensors.size()),
                     int32(layout.scalars.size()), int32(layout.requirements.size()), text(layout.name), text(target),
                     tensors(), scalars(), requirementInfos(), run, workspace, isa, requirement, load, unload});
  }

  /// Puts the content in the place of a declared info.
  llvm::GlobalVariable *defineInfo(llvm::GlobalVariable *info, Constant *content) {
    auto *defined = new llvm::GlobalVariable(module, content->getType(), /*isConstant=*/true,
                                             llvm::GlobalValue::ExternalLinkage, content);
    defined->takeName(info);
    info->replaceAllUsesWith(defined);
    info->eraseFromParent();
    return defined;
  }

  Constant *extents(const TensorArgument &tensor) {
    std::array<int64_t, ATTN_MAX_RANK> all = {};
    llvm::copy(tensor.extents, all.begin());
    return llvm::ConstantDataArray::get(context, all);
  }

  Constant *tensors() {
    std::vector<Constant *> all;
    for (auto [i, tensor] : llvm::enumerate(layout.tensors)) {
      Constant *values = null();
      if (tensor.defaultValues && !tensor.defaultValues->empty())
        values = global("default", llvm::ConstantDataArray::get(context, ArrayRef<int32_t>(*tensor.defaultValues)));
      int64_t count = tensor.defaultValues ? tensor.defaultValues->size() : -1;
      all.push_back(structOf({text(tensor.name), int32(tensor.role), int32(tensor.extents.size()), extents(tensor),
                              int64(tensor.minimum.value_or(std::numeric_limits<int64_t>::min())),
                              int64(blockOf(layout, i)), int32(count), values}));
    }
    return arrayOf("tensors", all);
  }

  Constant *requirementInfos() {
    std::vector<Constant *> all;
    for (RequirementAttr requirement : layout.requirements)
      all.push_back(structOf({text(requirement.getName()), text(requirement.getLeastName())}));
    return arrayOf("requirement_infos", all);
  }

  Constant *scalars() {
    std::vector<Constant *> all;
    for (const ScalarArgument &scalar : layout.scalars) {
      int64_t value = scalar.isNumber ? llvm::bit_cast<int64_t>(scalar.defaultNumber) : scalar.defaultIndex;
      int64_t minimum = scalar.minimum.value_or(std::numeric_limits<int64_t>::min());
      all.push_back(structOf({text(scalar.name), int32(scalar.isNumber), int64(minimum), int64(value)}));
    }
    return arrayOf("scalars", all);
  }

  //===-- attn_kernel -------------------------------------------------------------------------------------------===//
  Constant *symbols() {
    std::vector<Constant *> all;
    for (const NamedSymbol &symbol : layout.symbols)
      all.push_back(structOf({int32(static_cast<int>(symbol.kind)), int32(symbol.source)}));
    return arrayOf("symbols", all);
  }

  Constant *formulas() {
    std::vector<Constant *> all;
    for (const Expr &formula : layout.formulas)
      all.push_back(program(formula));
    return arrayOf("formulas", all);
  }

  static bool hasModulus(const Order &order) {
    return order.kind == OrderKind::Classes || order.kind == OrderKind::Blocks;
  }

  static bool hasCount(const Order &order) {
    return order.kind == OrderKind::Remainders || order.kind == OrderKind::Patches;
  }

  Constant *orders() {
    std::vector<Constant *> all;
    for (const OrderLayout &order : layout.orders)
      all.push_back(structOf(
          {int32(static_cast<int>(order.order.kind)), int32(static_cast<int>(order.order.side)), int32(order.tensor),
           int32(order.rowsView), int32(order.flagsView), int32(order.countSymbol), int32(order.keyView),
           int32(order.valueView), int32(order.ofHead), int32(0),
           hasModulus(order.order) ? program(order.order.modulus) : null(),
           hasCount(order.order) ? program(order.order.count()) : null(), order.span ? program(*order.span) : null()}));
    return arrayOf("orders", all);
  }

  Constant *matches() {
    std::vector<Constant *> all;
    for (const MatchLayout &match : layout.matches)
      all.push_back(
          structOf({int32(match.queryOrder), int32(match.keyOrder), int32(match.beginView), int32(match.endView)}));
    return arrayOf("matches", all);
  }

  Constant *phases() {
    std::vector<Constant *> all;
    for (const PhaseLayout &phase : layout.phases)
      all.push_back(structOf({int32(phase.queries), int32(layout.tile[0]), int32(phase.stage), int32(0),
                              phase.when ? program(*phase.when) : null()}));
    return arrayOf("phases", all);
  }

  Constant *offsets() {
    std::vector<Constant *> all;
    for (const OffsetsLayout &offsets : layout.offsets)
      all.push_back(structOf({int32(offsets.tensor), int32(offsets.view)}));
    return arrayOf("offsets", all);
  }

  Constant *program(const Expr &expr) {
    std::vector<int64_t> code;
    writeProgram(expr, code);
    return global("program", llvm::ConstantDataArray::get(context, code));
  }

  Constant *blockTables() {
    std::vector<Constant *> all;
    for (const BlocksLayout &blocks : layout.blocks)
      all.push_back(structOf({int32(blocks.tensor), int32(0), program(blocks.block)}));
    return arrayOf("block_tables", all);
  }

  Constant *requirements() {
    std::vector<Constant *> all;
    for (RequirementAttr requirement : layout.requirements)
      all.push_back(structOf({program(requirement.getValue()), program(requirement.getLeast())}));
    return arrayOf("requirements", all);
  }

  Constant *function(const llvm::Twine &name) {
    llvm::Function *function = module.getFunction(name.str());
    return function ? function : null();
  }

  int64_t scratchBytes(const Isa &isa) const {
    if (layout.linear)
      return cpu::linearScratchBytes(layout, isa);
    int64_t bytes = cpu::Frame::scratchBytes(cpu::layoutFor(layout, isa), isa);
    if (!layout.tileForFewQueries())
      return bytes;
    return std::max(bytes, cpu::Frame::scratchBytes(cpu::layoutForFewQueries(layout), isa.forFewQueries()));
  }

  /// One function per phase.
  Constant *functionsForFewQueries(StringRef part, const Isa &isa) {
    std::vector<Constant *> functions;
    for (unsigned phase = 0; phase < layout.phases.size(); ++phase)
      functions.push_back(
          function(layout.name + "." + part + "." + llvm::Twine(phase) + "." + isa.forFewQueries().name));
    return arrayOf(part, functions);
  }

  Constant *versions(ArrayRef<const Isa *> isas) {
    std::vector<Constant *> all;
    for (const Isa *version : isas) {
      const Isa &isa = *version;
      StringRef name = isa.name;
      std::vector<Constant *> packs, tiles;
      for (unsigned i = 0; i < layout.orders.size(); ++i)
        packs.push_back(layout.orders[i].keyView < 0 ? null()
                                                     : function(layout.name + ".pack." + llvm::Twine(i) + "." + name));
      for (unsigned i = 0; i < layout.phases.size(); ++i)
        tiles.push_back(function(layout.name + ".tile." + llvm::Twine(i) + "." + name));
      cpu::Packing packing = layout.linear ? cpu::Packing() : cpu::Packing(layout, isa);
      bool servesFew = layout.tileForFewQueries().has_value();
      all.push_back(structOf({int32(isa.number), int32(packing.valueKeys), int64(scratchBytes(isa)),
                              arrayOf("packs", packs), arrayOf("tiles", tiles), int64(packing.panelStride),
                              int64(packing.valueStride), servesFew ? functionsForFewQueries("part", isa) : null(),
                              servesFew ? functionsForFewQueries("merge", isa) : null(),
                              int64(servesFew ? cpu::partSize(layout) : 0)}));
    }
    return arrayOf("versions", all);
  }

  Constant *cpuCode(ArrayRef<const Isa *> isas) {
    // Linear attention packs nothing.
    int64_t granule = layout.linear ? 0 : layout.tile[3], packKeys = layout.linear ? 0 : layout.packKeys();
    return global("cpu", structOf({int32(isas.size()), int32(KernelLayout::panelKeys), int32(granule), int32(packKeys),
                                   versions(isas)}));
  }

  Constant *linearCode(ArrayRef<const Isa *> isas) {
    if (!layout.linear)
      return null();
    const LinearLayout &linear = *layout.linear;
    std::vector<Constant *> parts;
    for (const Isa *isa : isas) {
      auto part = [&](StringRef part) { return function(layout.name + "." + part + "." + isa->name); };
      parts.push_back(structOf({part("keys"), part("absorb"), part("rows")}));
    }
    return global("linear",
                  structOf({int32(static_cast<int>(linear.form)), int32(linear.stateIn), int32(linear.stateOut),
                            int32(linear.stateRows), int32(linear.stateColumns), int32(0), arrayOf("parts", parts)}));
  }

  Constant *gpuFunction(const GpuFunctionInfo &function) {
    return structOf({function.name.empty() ? null() : text(function.name), int32(function.threads),
                     int32(function.sharedBytes), int32(function.tileRows), int32(function.tileKeys),
                     int32(function.storeRows), int32(function.isPersistent)});
  }

  Constant *gpuRuns(const GpuPhaseInfo &phase) {
    if (!phase.runs)
      return null();
    const GpuRuns &runs = *phase.runs;
    return global("gpu_runs", structOf({program(runs.modulus), program(runs.first), program(runs.width)}));
  }

  Constant *gpuGrid(const GpuPhaseInfo &phase) {
    if (!phase.grid)
      return null();
    const GridLayout &grid = *phase.grid;
    return global("gpu_grid",
                  structOf({program(grid.width), program(grid.shift), program(grid.span), int64(grid.patchColumns)}));
  }

  Constant *gpuLinear(const GpuCode &code) {
    if (!code.linear)
      return null();
    const GpuLinearInfo &linear = *code.linear;
    return global("gpu_linear",
                  structOf({gpuFunction(linear.absorb), gpuFunction(linear.sum), gpuFunction(linear.rows)}));
  }

  Constant *gpuCode(const GpuCode &code) {
    std::vector<Constant *> all;
    for (const GpuPhaseInfo &phase : code.phases)
      all.push_back(structOf({gpuFunction(phase.tiled), gpuFunction(phase.strided), gpuFunction(phase.compact),
                              int64(phase.compactKeys), gpuRuns(phase), gpuGrid(phase)}));
    return global("gpu", structOf({code.cubin.empty() ? null() : image(code.cubin), text(code.ptx),
                                   arrayOf("gpu_phases", all), gpuLinear(code)}));
  }

  /// The bytes of an ELF file, aligned as such.
  Constant *image(StringRef bytes) {
    llvm::GlobalVariable *cubin =
        global("cubin", llvm::ConstantDataArray::getString(context, bytes, /*AddNull=*/false));
    cubin->setAlignment(llvm::Align(64));
    return cubin;
  }

  Constant *kernelConstant(Constant *info, Constant *cpu, Constant *gpu, Constant *linear) {
    return structOf({info,
                     int32(layout.viewCount),
                     int32(layout.symbolCount()),
                     int32(layout.symbols.size()),
                     int32(layout.orders.size()),
                     int32(layout.matches.size()),
                     int32(layout.phases.size()),
                     int32(layout.offsets.size()),
                     int32(layout.blocks.size()),
                     int32(0),
                     symbols(),
                     formulas(),
                     orders(),
                     matches(),
                     phases(),
                     offsets(),
                     blockTables(),
                     requirements(),
                     cpu,
                     gpu,
                     linear});
  }

  /// NAME<suffix>(arguments) { return callee(&kernel, arguments); }
  llvm::Function *entry(StringRef suffix, StringRef callee, llvm::Type *result, ArrayRef<llvm::Type *> parameters,
                        Constant *kernel) {
    llvm::SmallVector<llvm::Type *> withKernel{kernel->getType()};
    withKernel.append(parameters.begin(), parameters.end());
    auto target = module.getOrInsertFunction(callee, llvm::FunctionType::get(result, withKernel, false));
    auto *function = llvm::Function::Create(llvm::FunctionType::get(result, parameters, false),
                                            llvm::GlobalValue::ExternalLinkage, layout.name + suffix, module);
    llvm::IRBuilder<> builder(llvm::BasicBlock::Create(context, "", function));
    llvm::SmallVector<llvm::Value *> arguments{kernel};
    for (llvm::Argument &argument : function->args())
      arguments.push_back(&argument);
    builder.CreateRet(builder.CreateCall(target, arguments));
    return function;
  }

  llvm::Module &module;
  const KernelLayout &layout;
  llvm::LLVMContext &context;
};

} // namespace

int64_t attn::blockOf(const KernelLayout &layout, unsigned tensor) {
  std::optional<int64_t> said;
  for (const BlocksLayout &blocks : layout.blocks) {
    if (blocks.tensor != tensor)
      continue;
    int64_t block = blocks.block.asConstant().value_or(0);
    for (auto [s, symbol] : llvm::enumerate(layout.symbols))
      if (symbol.kind == NamedSymbol::Index && blocks.block == Expr::symbol(FirstNamed + s))
        block = -1 - static_cast<int64_t>(symbol.source);
    said = said.value_or(block) == block ? block : 0;
  }
  return said.value_or(0);
}

llvm::GlobalVariable *attn::describeKernel(llvm::Module &module, const KernelLayout &layout, StringRef target,
                                           ArrayRef<const Isa *> isas) {
  return Describer(module, layout).describeForCpu(target, isas);
}

llvm::GlobalVariable *attn::describeGpuKernel(llvm::Module &module, const KernelLayout &layout, StringRef target,
                                              const GpuCode &code) {
  return Describer(module, layout).describeForGpu(target, code);
}

llvm::SmallVector<StringRef> attn::prologueFunctions(const KernelLayout &layout) {
  llvm::SmallVector<StringRef> names;
  if (layout.tensors.size() > FirstDataTensor && !layout.linear)
    names.push_back(ATTN_PROLOGUE_RUN_JOBS);
  if (!layout.matches.empty())
    names.push_back(ATTN_PROLOGUE_MATCH);
  return names;
}

void attn::listKernels(llvm::Module &module, ArrayRef<llvm::GlobalVariable *> infos) {
  auto *pointer = llvm::PointerType::get(module.getContext(), 0);
  std::vector<Constant *> entries(infos.begin(), infos.end());
  entries.push_back(llvm::ConstantPointerNull::get(pointer));
  auto *type = llvm::ArrayType::get(pointer, entries.size());
  new llvm::GlobalVariable(module, type, /*isConstant=*/true, llvm::GlobalValue::WeakAnyLinkage,
                           llvm::ConstantArray::get(type, entries), "attn_kernels");
}
