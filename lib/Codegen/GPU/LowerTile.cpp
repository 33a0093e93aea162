// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Turns attn_tile into the instructions of sm_90a: tiles become registers and addresses, wgmma inline assembly.

#include "LowerTile.h"
#include "attn/Codegen/Passes.h"
#include "mlir/Dialect/SCF/Transforms/Patterns.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace attn::tile;

namespace attn {
#define GEN_PASS_DEF_ATTNLOWERTILE
#include "attn/Codegen/Passes.h.inc"
} // namespace attn

//===-- Code ------------------------------------------------------------------------------------------------------===//

Value Code::shuffle(NVVM::ShflKind kind, Value value, int64_t from) {
  return NVVM::ShflOp::create(b, loc, value.getType(), i32(-1), value, i32(from), i32(31), kind, UnitAttr());
}

Value Code::ofRow(Value value, int64_t from) {
  constexpr int64_t amongFour = 28 << 8 | 31; // lanes whose numbers agree in all bits but the lowest two
  return NVVM::ShflOp::create(b, loc, value.getType(), i32(-1), value, i32(from), i32(amongFour), NVVM::ShflKind::idx,
                              UnitAttr());
}

Value Code::firstRow() {
  Value inWarp = andBits(shiftRight(thread(), 2), 7), ofWarp = andBits(shiftRight(thread(), 1), 48);
  return orBits(ofWarp, inWarp);
}

Value Code::sharedAddress(int64_t byte) {
  Value memory = LLVM::AddressOfOp::create(b, loc, LLVM::LLVMPointerType::get(b.getContext(), 3), sharedMemoryName);
  return add(LLVM::PtrToIntOp::create(b, loc, b.getI32Type(), memory), byte);
}

Value Code::chunkAddress(SharedType tile, Value address, Value row, Value chunk) {
  Value panel = mul(shiftRight(chunk, 3), tile.panelRows() * 128);
  Value swizzled = xorBits(andBits(chunk, 7), andBits(row, 7));
  Value inPanel = add(mul(row, 128), mul(swizzled, 16));
  return add(add(address, panel), inPanel);
}

Value Code::pointer(Value address) {
  return LLVM::IntToPtrOp::create(b, loc, LLVM::LLVMPointerType::get(b.getContext(), 3), address);
}

Value Code::roundPair(Value first, Value second, Type element) {
  auto pair = VectorType::get(2, element);
  Value rounded;
  if (element.isBF16())
    rounded = NVVM::ConvertF32x2ToBF16x2Op::create(b, loc, pair, second, first, Value(), NVVM::FPRoundingMode::RN);
  else
    rounded = NVVM::ConvertF32x2ToF16x2Op::create(b, loc, pair, second, first, Value(), NVVM::FPRoundingMode::RN);
  return LLVM::BitcastOp::create(b, loc, b.getI32Type(), rounded);
}

Registers Code::assembly(const Twine &text, StringRef constraints, ValueRange inputs, TypeRange results) {
  Type type;
  if (results.size() == 1)
    type = results.front();
  else if (results.size() > 1)
    type = LLVM::LLVMStructType::getLiteral(b.getContext(), llvm::to_vector(results));
  auto op = LLVM::InlineAsmOp::create(b, loc, type, inputs, text.str(), constraints, /*has_side_effects=*/true,
                                      /*is_align_stack=*/false, LLVM::TailCallKind::None,
                                      LLVM::AsmDialectAttr::get(b.getContext(), LLVM::AsmDialect::AD_ATT), ArrayAttr());
  if (results.size() < 2)
    return Registers(op->getResults());
  Registers registers;
  for (unsigned i = 0; i < results.size(); ++i)
    registers.push_back(LLVM::ExtractValueOp::create(b, loc, op.getRes(), i));
  return registers;
}

Value Code::body(Region &region, ValueRange values) {
  IRMapping mapping;
  mapping.map(region.getArguments(), values);
  for (Operation &op : region.front().without_terminator())
    b.clone(op, mapping);
  return mapping.lookupOrDefault(region.front().getTerminator()->getOperand(0));
}

//===-- The pass --------------------------------------------------------------------------------------------------===//

namespace {

/// What each type becomes in a thread.
struct ThreadTypes : TypeConverter {
  ThreadTypes() {
    addConversion([](Type type) { return type; });
    addConversion([](AccType type, SmallVectorImpl<Type> &to) {
      return repeat(Float32Type::get(type.getContext()), type.getColumns() / 2, to);
    });
    addConversion([](PendingType type, SmallVectorImpl<Type> &to) {
      return repeat(Float32Type::get(type.getContext()), type.getColumns() / 2, to);
    });
    addConversion([](OperandType type, SmallVectorImpl<Type> &to) {
      if (type.getElement().isF32())
        return repeat(type.getElement(), type.getColumns() / 2, to);
      return repeat(i32(type), type.getColumns() / 4, to);
    });
    addConversion([](RowType type, SmallVectorImpl<Type> &to) { return repeat(type.getElement(), 2, to); });
    addConversion([](RingType type, SmallVectorImpl<Type> &to) { return repeat(i32(type), 2, to); });
    addConversion([](SlotType type, SmallVectorImpl<Type> &to) { return repeat(i32(type), 2, to); });
    addConversion([](SharedType type) { return i32(type); });
    addConversion([](BitsType type) -> Type { return IntegerType::get(type.getContext(), 64); });
  }

  static LogicalResult repeat(Type type, unsigned count, SmallVectorImpl<Type> &to) {
    to.append(count, type);
    return success();
  }
  static Type i32(Type type) { return IntegerType::get(type.getContext(), 32); }
};

struct LowerTilePass : attn::impl::AttnLowerTileBase<LowerTilePass> {
  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet set(context);
    addRingRules(types, set);
    addProductRules(types, set);
    addRegisterRules(types, set);
    scf::populateSCFStructuralTypeConversions(types, set);
    rules = std::move(set);
    return success();
  }

  void runOnOperation() override {
    SmallVector<LLVM::LLVMFuncOp> kernels;
    getOperation().walk([&](LLVM::LLVMFuncOp function) { kernels.push_back(function); });
    for (LLVM::LLVMFuncOp kernel : kernels) {
      declareSharedMemory(kernel);
      if (failed(lower(kernel)))
        return signalPassFailure();
    }
  }

private:
  static bool usesSharedMemory(LLVM::LLVMFuncOp kernel) {
    auto isPlace = [](Operation *op) {
      return isa<RingOp, SharedOp>(op) ? WalkResult::interrupt() : WalkResult::advance();
    };
    return kernel.walk(isPlace).wasInterrupted();
  }

  /// The dynamic shared memory of the kernels of a module, where one of them uses it.
  void declareSharedMemory(LLVM::LLVMFuncOp kernel) {
    Operation *module = SymbolTable::getNearestSymbolTable(kernel->getParentOp());
    if (!usesSharedMemory(kernel) || SymbolTable::lookupSymbolIn(module, sharedMemoryName))
      return;
    auto b = OpBuilder::atBlockBegin(&module->getRegion(0).front());
    LLVM::GlobalOp::create(b, kernel.getLoc(), LLVM::LLVMArrayType::get(b.getI8Type(), 0), /*isConstant=*/false,
                           LLVM::Linkage::External, sharedMemoryName, Attribute(), /*alignment=*/1024,
                           /*addrSpace=*/3);
  }

  LogicalResult lower(LLVM::LLVMFuncOp kernel) {
    ConversionTarget target(getContext());
    target.addIllegalDialect<AttnTileDialect>();
    target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
    scf::populateSCFStructuralTypeConversionTarget(types, target);
    target.addDynamicallyLegalOp<scf::IndexSwitchOp>([&](Operation *op) { return types.isLegal(op); });
    return applyPartialConversion(kernel, target, rules);
  }

  ThreadTypes types;
  FrozenRewritePatternSet rules;
};

} // namespace
