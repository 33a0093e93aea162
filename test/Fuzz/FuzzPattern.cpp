// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arbitrary text as a pattern file: it is parsed, specialized and planned for both targets, up to the layout of its
// kernels, or refused. An input may hold several files, parted as for --split-input-file.

#include "attn/Codegen/KernelLayout.h"
#include "attn/Pipelines/Pipelines.h"
#include "attn/Pipelines/Register.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;
using namespace attn;

/// A context, made anew from time to time since it keeps every type and attribute that it has seen.
static MLIRContext &context() {
  static std::unique_ptr<MLIRContext> context;
  static unsigned uses = 0;
  if (uses++ % 256 == 0) {
    DialectRegistry registry;
    registerDialects(registry);
    context = std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
    context->loadAllAvailableDialects();
    context->printOpOnDiagnostic(false);
  }
  return *context;
}

/// Whether the passes take the module; what they leave has to be valid.
static bool runPasses(ModuleOp module, llvm::function_ref<void(OpPassManager &)> build) {
  PassManager pm(module.getContext());
  pm.enableVerifier(false);
  build(pm);
  return succeeded(pm.run(module)) && succeeded(verify(module));
}

static void compile(ModuleOp source, StringRef target, int64_t headSize, StringRef element) {
  OwningOpRef<ModuleOp> module = source.clone();
  auto specialize = [&](OpPassManager &pm) {
    AttnSpecializeOptions options;
    options.element = element.str(), options.headSize = headSize;
    auto scores = module->getOps<ScoreOp>();
    if (!scores.empty())
      options.score = (*scores.begin()).getSymName().str();
    buildSpecialize(pm, options);
  };
  auto plan = [&](OpPassManager &pm) {
    AttnPlanOptions options;
    options.target = target.str();
    buildPlan(pm, options);
  };
  if (runPasses(*module, specialize) && runPasses(*module, plan))
    for (auto function : module->getOps<func::FuncOp>())
      (void)KernelLayout::of(function);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  MLIRContext *used = &context();
  ScopedDiagnosticHandler silence(used, [](Diagnostic &) { return success(); });
  StringRef rest(reinterpret_cast<const char *>(data), size), text;
  while (!rest.empty()) {
    std::tie(text, rest) = rest.split("// -----");
    ParserConfig config(used);
    // MLIR's lexer may look at the character behind the last one, a zero where a file is read.
    OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text.str(), config);
    if (!module)
      continue;
    compile(*module, "cpu", 16, "f32");
    compile(*module, "sm_90a", 64, "bf16");
  }
  return 0;
}
