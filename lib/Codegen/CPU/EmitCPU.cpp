// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes the parts of every kernel in the module, for each instruction set.

#include "Linear.h"
#include "Parts.h"

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
    FailureOr<SmallVector<const Isa *>> wanted = wantedIsas();
    if (failed(wanted))
      return signalPassFailure();
    for (auto function : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      if (function.getOps<PlanOp>().empty() && function.getOps<LinearAttentionOp>().empty())
        continue;
      FailureOr<KernelLayout> layout = KernelLayout::of(function);
      if (failed(layout) || failed(checkElement(function, *layout)))
        return signalPassFailure();
      for (const Isa *isa : *wanted)
        emitKernel(function, *layout, *isa);
      function.erase();
    }
    numFunctions +=
        std::distance(getOperation().getOps<func::FuncOp>().begin(), getOperation().getOps<func::FuncOp>().end());
  }

private:
  FailureOr<SmallVector<const Isa *>> wantedIsas() {
    SmallVector<const Isa *> wanted;
    for (const std::string &name : isas) {
      wanted.push_back(Isa::find(name));
      if (!wanted.back())
        return emitError(getOperation().getLoc())
               << "unknown instruction set '" << name << "'; known are avx512, avx2 and generic";
    }
    if (wanted.empty())
      for (const Isa &isa : Isa::all())
        wanted.push_back(&isa);
    return wanted;
  }

  static LogicalResult checkElement(func::FuncOp function, const KernelLayout &layout) {
    if (isa<ElementType>(layout.element))
      return function.emitError() << "kernel '" << layout.name
                                  << "' has no element type yet; run attn-specialize first";
    return success();
  }

  void emitKernel(func::FuncOp function, const KernelLayout &layout, const Isa &isa) {
    if (layout.linear)
      return emitLinear(getOperation(), *function.getOps<LinearAttentionOp>().begin(), layout, isa);
    PlanOp plan = *function.getOps<PlanOp>().begin();
    Kernel kernel{getOperation(), plan, layout, isa};
    for (auto [index, order] : llvm::enumerate(layout.orders))
      if (order.keyView >= 0)
        emitPack(kernel, index);
    GroupEmitter groups(kernel);
    for (auto [index, phase] : llvm::enumerate(plan.getPhases().getOps<PhaseOp>()))
      emitTile(kernel, groups, index, phase);
  }
};

} // namespace
