// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Spells lib/Runtime/kernel.h's structs as LLVM constants, field by field in their order there.

#include "Describe.h"
#include "../Codegen/CPU/Frame.h"
#include "../Runtime/kernel.h"
#include "attn/Codegen/Isa.h"
#include "llvm/IR/IRBuilder.h"

using namespace attn;
using llvm::ArrayRef;
using llvm::Constant;
using llvm::StringRef;

namespace {

class Describer {
public:
  Describer(llvm::Module &module, const KernelLayout &layout)
      : module(module), layout(layout), context(module.getContext()) {}

  llvm::GlobalVariable *describe(StringRef target, ArrayRef<StringRef> isas) {
    llvm::GlobalVariable *info = declareInfo();
    llvm::GlobalVariable *kernel = global("kernel", kernelConstant(info, isas));
    llvm::Type *i32 = llvm::Type::getInt32Ty(context);
    llvm::Function *run = entry("", "attn_kernel_run", i32, kernel);
    llvm::Function *workspace =
        entry("_workspace_bytes", "attn_kernel_workspace_bytes", llvm::Type::getInt64Ty(context), kernel);
    llvm::Function *isa = entry("_isa", "attn_kernel_isa", i32, kernel);
    const int sameLength = 0; // no pattern of today asks for kv_length = length
    Constant *content =
        structOf({int32(ATTN_ABI_VERSION), int32(elementNumber()), int32(layout.headSize), int32(layout.valueHeadSize),
                  int32(sameLength), int32(layout.tensors.size()), int32(layout.scalars.size()), text(layout.name),
                  text(target), tensors(), scalars(), run, workspace, isa});
    auto *defined = new llvm::GlobalVariable(module, content->getType(), /*isConstant=*/true,
                                             llvm::GlobalValue::ExternalLinkage, content);
    defined->takeName(info);
    info->replaceAllUsesWith(defined);
    info->eraseFromParent();
    return defined;
  }

private:
  //===-- Constants
  //-------------------------------------------------------------------------------------------------===//
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

  //===-- attn_kernel_info
  //------------------------------------------------------------------------------------------===//
  int elementNumber() const {
    return layout.element.isBF16() ? ATTN_BF16 : layout.element.isF16() ? ATTN_F16 : ATTN_F32;
  }

  llvm::GlobalVariable *declareInfo() {
    return new llvm::GlobalVariable(module, llvm::Type::getInt8Ty(context), true, llvm::GlobalValue::ExternalLinkage,
                                    nullptr, layout.name + "_info");
  }

  Constant *tensors() {
    std::vector<Constant *> all;
    for (const TensorArgument &tensor : layout.tensors) {
      Constant *values = null();
      if (tensor.defaultValues && !tensor.defaultValues->empty())
        values = global("default", llvm::ConstantDataArray::get(context, ArrayRef<int32_t>(*tensor.defaultValues)));
      int64_t count = tensor.defaultValues ? tensor.defaultValues->size() : -1;
      all.push_back(structOf({text(tensor.name), int32(tensor.role), int32(count), values}));
    }
    return arrayOf("tensors", all);
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

  //===-- attn_kernel
  //-----------------------------------------------------------------------------------------------===//
  Constant *symbols() {
    std::vector<Constant *> all;
    for (const NamedSymbol &symbol : layout.symbols)
      all.push_back(structOf({int32(static_cast<int>(symbol.kind)), int32(symbol.source)}));
    return arrayOf("symbols", all);
  }

  Constant *orders() {
    std::vector<Constant *> all;
    for (const OrderLayout &order : layout.orders)
      all.push_back(structOf({int32(static_cast<int>(order.kind)), int32(static_cast<int>(order.side)),
                              int32(order.tensor), int32(order.rowsView), int32(order.flagsView),
                              int32(order.countSymbol), int32(order.keyView), int32(order.valueView)}));
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
    for (unsigned queries : layout.phaseQueries)
      all.push_back(structOf({int32(queries), int32(layout.tile[0])}));
    return arrayOf("phases", all);
  }

  Constant *function(const llvm::Twine &name) { return module.getFunction(name.str()); }

  Constant *versions(ArrayRef<StringRef> isas) {
    std::vector<Constant *> all;
    for (StringRef name : isas) {
      const Isa &isa = *Isa::find(name);
      std::vector<Constant *> packs, tiles;
      for (unsigned i = 0; i < layout.orders.size(); ++i)
        packs.push_back(layout.orders[i].keyView < 0 ? null()
                                                     : function(layout.name + ".pack." + llvm::Twine(i) + "." + name));
      for (unsigned i = 0; i < layout.phaseQueries.size(); ++i)
        tiles.push_back(function(layout.name + ".tile." + llvm::Twine(i) + "." + name));
      all.push_back(structOf({int32(isa.number), int32(0), int64(cpu::Frame::scratchBytes(layout, isa)),
                              arrayOf("packs", packs), arrayOf("tiles", tiles)}));
    }
    return arrayOf("versions", all);
  }

  Constant *kernelConstant(Constant *info, ArrayRef<StringRef> isas) {
    return structOf({info, int32(layout.viewCount), int32(layout.symbolCount()), int32(layout.symbols.size()),
                     int32(layout.orders.size()), int32(layout.matches.size()), int32(layout.phaseQueries.size()),
                     int32(isas.size()), int32(KernelLayout::panelKeys), int64(layout.panelStride()),
                     int64(layout.valueStride()), int32(layout.tile[3]), int32(layout.packKeys()), symbols(), orders(),
                     matches(), phases(), versions(isas)});
  }

  /// NAME<suffix>(call) { return function(&kernel, call); }
  llvm::Function *entry(StringRef suffix, StringRef callee, llvm::Type *result, Constant *kernel) {
    llvm::Type *pointer = llvm::PointerType::get(context, 0);
    auto target = module.getOrInsertFunction(callee, llvm::FunctionType::get(result, {pointer, pointer}, false));
    auto *function = llvm::Function::Create(llvm::FunctionType::get(result, {pointer}, false),
                                            llvm::GlobalValue::ExternalLinkage, layout.name + suffix, module);
    llvm::IRBuilder<> builder(llvm::BasicBlock::Create(context, "", function));
    builder.CreateRet(builder.CreateCall(target, {kernel, function->getArg(0)}));
    return function;
  }

  llvm::Module &module;
  const KernelLayout &layout;
  llvm::LLVMContext &context;
};

} // namespace

llvm::GlobalVariable *attn::describeKernel(llvm::Module &module, const KernelLayout &layout, StringRef target,
                                           ArrayRef<StringRef> isas) {
  return Describer(module, layout).describe(target, isas);
}

void attn::listKernels(llvm::Module &module, ArrayRef<llvm::GlobalVariable *> infos) {
  auto *pointer = llvm::PointerType::get(module.getContext(), 0);
  std::vector<Constant *> entries(infos.begin(), infos.end());
  entries.push_back(llvm::ConstantPointerNull::get(pointer));
  auto *type = llvm::ArrayType::get(pointer, entries.size());
  new llvm::GlobalVariable(module, type, /*isConstant=*/true, llvm::GlobalValue::WeakAnyLinkage,
                           llvm::ConstantArray::get(type, entries), "attn_kernels");
}
