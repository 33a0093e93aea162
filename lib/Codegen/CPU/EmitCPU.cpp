// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes the parts of every kernel in the module, for each instruction set.

#include "Linear.h"
#include "Parts.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

namespace attn {
#define GEN_PASS_DEF_ATTNEMITCPU
#include "attn/Codegen/Passes.h.inc"
} // namespace attn

namespace {

struct EmitCPUPass : attn::impl::AttnEmitCPUBase<EmitCPUPass> {
  using AttnEmitCPUBase::AttnEmitCPUBase;

  void runOnOperation() override {
    if (failed(checkIsas()))
      return signalPassFailure();
    for (auto function : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      if (function.getOps<PlanOp>().empty() && function.getOps<LinearAttentionOp>().empty())
        continue;
      FailureOr<KernelLayout> layout = KernelLayout::of(function);
      if (failed(layout) || failed(checkElement(function, *layout)) || failed(checkGranule(function, *layout)))
        return signalPassFailure();
      for (const Isa *isa : Isa::versionsOf(*layout, isas))
        emitKernel(function, *layout, *isa);
      if (layout->tileForFewQueries())
        for (const Isa *isa : isasForFewQueries(*layout))
          emitForFewQueries(function, *layout, *isa);
      function.erase();
    }
    numFunctions +=
        std::distance(getOperation().getOps<func::FuncOp>().begin(), getOperation().getOps<func::FuncOp>().end());
  }

private:
  LogicalResult checkIsas() {
    for (const std::string &name : isas)
      if (!Isa::find(name))
        return emitError(getOperation().getLoc())
               << "unknown instruction set '" << name << "'; known are amx, avx512bf16, avx512, avx2 and generic";
    return success();
  }

  static LogicalResult checkElement(func::FuncOp function, const KernelLayout &layout) {
    if (isa<ElementType>(layout.element))
      return function.emitError() << "kernel '" << layout.name
                                  << "' has no element type yet; run attn-specialize first";
    return success();
  }

  /// Keys are packed by panels; weights of bf16 are rounded for two panels at a time.
  static LogicalResult checkGranule(func::FuncOp function, const KernelLayout &layout) {
    int64_t unit = layout.element.isBF16() ? 2 * KernelLayout::panelKeys : KernelLayout::panelKeys;
    if (!layout.linear && layout.tile[3] % unit != 0)
      return function.emitError() << "sub-tiles of kernel '" << layout.name << "' have " << layout.tile[3]
                                  << " keys; use a multiple of " << unit;
    return success();
  }

  llvm::SetVector<const Isa *> isasForFewQueries(const KernelLayout &layout) {
    llvm::SetVector<const Isa *> few;
    for (const Isa *isa : Isa::versionsOf(layout, isas))
      few.insert(&isa->forFewQueries());
    return few;
  }

  void emitForFewQueries(func::FuncOp function, const KernelLayout &layout, const Isa &isa) {
    PlanOp plan = *function.getOps<PlanOp>().begin();
    KernelLayout few = layoutForFewQueries(layout);
    Kernel kernel{getOperation(), plan, few, isa};
    GroupEmitter groups(kernel);
    for (auto [index, phase] : llvm::enumerate(plan.getPhases().getOps<PhaseOp>())) {
      emitPart(kernel, groups, index, phase);
      emitMerge(kernel, index, phase);
    }
  }

  void emitKernel(func::FuncOp function, const KernelLayout &layout, const Isa &isa) {
    if (layout.linear)
      return emitLinear(getOperation(), *function.getOps<LinearAttentionOp>().begin(), layout, isa);
    PlanOp plan = *function.getOps<PlanOp>().begin();
    KernelLayout ownLayout = layoutFor(layout, isa);
    Kernel kernel{getOperation(), plan, ownLayout, isa};
    for (auto [index, order] : llvm::enumerate(layout.orders))
      if (order.keyView >= 0)
        emitPack(kernel, index);
    GroupEmitter groups(kernel);
    for (auto [index, phase] : llvm::enumerate(plan.getPhases().getOps<PhaseOp>()))
      emitTile(kernel, groups, index, phase);
  }
};

} // namespace
