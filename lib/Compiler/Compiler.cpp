// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a file to a lowered module, with every diagnostic turned into an error of one line.

#include "attn/Compiler/Compiler.h"
#include "../Codegen/CPU/Parts.h"
#include "attn/Codegen/Isa.h"
#include "attn/Pipelines/Pipelines.h"
#include "attn/Pipelines/Register.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
using namespace attn;
using llvm::Error;
using llvm::Expected;

static Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

namespace {

/// Collects diagnostics as "FILE:LINE:COL: error: message" lines.
class DiagnosticLines {
public:
  explicit DiagnosticLines(MLIRContext *context)
      : handler(context, [this](Diagnostic &diagnostic) {
          if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
            add(diagnostic);
          return success();
        }) {}

  bool isEmpty() const { return text.empty(); }

  Error take(const llvm::Twine &otherwise) { return makeError(text.empty() ? ("error: " + otherwise).str() : text); }

private:
  void add(Diagnostic &diagnostic) {
    auto addLine = [&](Location loc, StringRef severity, const llvm::Twine &message) {
      llvm::raw_string_ostream os(text);
      if (!text.empty())
        os << '\n';
      // Line 0 is the file as a whole: what is wrong is then a flag.
      if (auto place = dyn_cast<FileLineColLoc>(loc); place && place.getLine())
        os << place.getFilename().getValue() << ':' << place.getLine() << ':' << place.getColumn() << ": ";
      os << severity << ": " << message;
    };
    addLine(diagnostic.getLocation(), "error", diagnostic.str());
    for (Diagnostic &note : diagnostic.getNotes())
      addLine(note.getLocation(), "note", note.str());
  }

  std::string text;
  ScopedDiagnosticHandler handler;
};

} // namespace

Compilation::Compilation() = default;
Compilation::~Compilation() = default;

/// Targets, and the machine that each is described by.
static const std::pair<StringRef, StringRef> machines[] = {{"cpu", "host"}, {"sm_90a", "h200"}};

static Error checkTarget(const CompileOptions &options) {
  if (options.target == "sm_80")
    return makeError("error: target sm_80 is not there yet; use sm_90a");
  for (auto [target, machine] : machines) {
    if (options.target != target)
      continue;
    if (!options.machine.empty() && options.machine != machine)
      return makeError("error: unknown machine '" + options.machine + "' for target " + target + "; use " + machine);
    return Error::success();
  }
  return makeError("error: unknown target '" + options.target + "'; use cpu or sm_90a");
}

static Expected<std::unique_ptr<llvm::MemoryBuffer>> readFile(StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer)
    return makeError("error: cannot read '" + path + "': " + buffer.getError().message());
  return std::move(*buffer);
}

Expected<std::unique_ptr<Compilation>> Compilation::create(StringRef path, const CompileOptions &options) {
  auto text = readFile(path);
  if (!text)
    return text.takeError();
  return create(std::move(*text), options);
}

Expected<std::unique_ptr<Compilation>> Compilation::create(std::unique_ptr<llvm::MemoryBuffer> text,
                                                           const CompileOptions &options) {
  if (Error error = checkTarget(options))
    return error;
  std::unique_ptr<Compilation> compilation(new Compilation());
  compilation->opts = options;
  DialectRegistry registry;
  registerDialects(registry);
  compilation->context = std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
  compilation->context->loadAllAvailableDialects();
  compilation->context->printOpOnDiagnostic(false); // a line of a file says more than its lowered form
  if (Error error = compilation->parse(std::move(text)))
    return error;
  if (Error error = compilation->specialize())
    return error;
  if (compilation->isForGpu())
    if (Error error = compilation->checkForGpu())
      return error;
  if (Error error = compilation->describeKernels())
    return error;
  return compilation;
}

static Expected<OwningOpRef<ModuleOp>> parseText(std::unique_ptr<llvm::MemoryBuffer> text, MLIRContext *context) {
  const std::string name = text->getBufferIdentifier().str();
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(text), {});
  DiagnosticLines diagnostics(context);
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(sources, context);
  if (!module)
    return diagnostics.take("'" + name + "' is no pattern file");
  return module;
}

/// A score by name: in this file, else NAME.mlir in `scores` beside the pattern file; or by the path of a file.
static std::string findScoreFile(StringRef score, StringRef patternPath) {
  if (llvm::sys::fs::exists(score) && !llvm::sys::fs::is_directory(score))
    return score.str();
  llvm::SmallString<128> path(llvm::sys::path::parent_path(patternPath));
  llvm::sys::path::append(path, "scores", score + ".mlir");
  return llvm::sys::fs::exists(path) ? path.str().str() : std::string();
}

Error Compilation::parse(std::unique_ptr<llvm::MemoryBuffer> text) {
  const std::string path = text->getBufferIdentifier().str();
  Expected<OwningOpRef<ModuleOp>> module = parseText(std::move(text), context.get());
  if (!module)
    return module.takeError();
  source = std::move(*module);
  if (opts.score.empty() || source->lookupSymbol<ScoreOp>(opts.score))
    return Error::success();
  std::string scorePath = findScoreFile(opts.score, path);
  if (scorePath.empty())
    return makeError("error: unknown score '" + opts.score + "'; name one of patterns/scores or a file");
  auto scoreText = readFile(scorePath);
  if (!scoreText)
    return scoreText.takeError();
  Expected<OwningOpRef<ModuleOp>> scores = parseText(std::move(*scoreText), context.get());
  if (!scores)
    return scores.takeError();
  auto symbols = (*scores)->getOps<ScoreOp>();
  if (symbols.empty())
    return makeError("error: '" + scorePath + "' holds no attn.score");
  ScoreOp score = *symbols.begin();
  opts.score = score.getSymName().str();
  score->remove();
  source->getBody()->push_back(score);
  return Error::success();
}

Error Compilation::collectErrors(llvm::function_ref<void()> work) {
  DiagnosticLines diagnostics(context.get());
  work();
  return diagnostics.isEmpty() ? Error::success() : diagnostics.take("");
}

Error Compilation::runStage(llvm::function_ref<void(OpPassManager &)> build, ModuleOp module) {
  DiagnosticLines diagnostics(context.get());
  PassManager pm(context.get());
  pm.enableVerifier(false); // once, below, and not after every pass: kernels for GPUs are long
  build(pm);
  if (failed(pm.run(module)) || failed(verify(module)))
    return diagnostics.take("a pass failed");
  return Error::success();
}

Error Compilation::specialize() {
  AttnSpecializeOptions options;
  options.kernel = opts.kernel, options.element = opts.element, options.score = opts.score;
  options.headSize = opts.headSize, options.valueHeadSize = opts.valueHeadSize;
  if (Error error = runStage([&](OpPassManager &pm) { buildSpecialize(pm, options); }, *source))
    return error;
  auto hasAttention = [](func::FuncOp function) {
    return !function.getOps<AttentionOp>().empty() || !function.getOps<LinearAttentionOp>().empty();
  };
  if (llvm::none_of(source->getOps<func::FuncOp>(), hasAttention))
    return makeError("error: the file holds no kernel; write an attn.pattern or a function with attn.attention");
  return Error::success();
}

func::FuncOp KernelSource::function() const {
  Operation *op = layout.linear ? LinearAttentionOp(linear).getOperation() : AttentionOp(attention).getOperation();
  return op->getParentOfType<func::FuncOp>();
}

/// Refuses what no GPU kernel is written for.
Error Compilation::checkForGpu() {
  const int64_t largest = 256;
  SmallVector<int64_t> sizes;
  for (auto function : source->getOps<func::FuncOp>()) {
    for (AttentionOp attention : function.getOps<AttentionOp>())
      sizes.append({attention.getQuery().getType().getDimSize(3), attention.getValue().getType().getDimSize(3)});
    for (LinearAttentionOp linear : function.getOps<LinearAttentionOp>())
      sizes.append({linear.getQuery().getType().getDimSize(3), linear.getValue().getType().getDimSize(3)});
  }
  for (int64_t size : sizes)
    if (size > largest)
      return makeError("error: head size " + llvm::Twine(size) + " is too large for target " + opts.target +
                       "; use at most " + llvm::Twine(largest));
  return Error::success();
}

static bool isIdentifier(StringRef name) {
  return !name.empty() && !llvm::isDigit(name.front()) &&
         llvm::all_of(name, [](char c) { return llvm::isAlnum(c) || c == '_'; });
}

/// Argument names stand in the C header's enums.
static Error checkArgumentNames(const KernelLayout &layout) {
  llvm::StringSet<> seen;
  auto check = [&](StringRef name) -> Error {
    if (!isIdentifier(name))
      return makeError("error: argument '" + name + "' of kernel '" + layout.name + "' is no C identifier; rename it");
    if (!seen.insert(name.upper()).second)
      return makeError("error: kernel '" + layout.name + "' has two arguments named '" + name + "'; rename one");
    return Error::success();
  };
  for (const TensorArgument &tensor : layout.tensors)
    if (Error error = check(tensor.name))
      return error;
  for (const ScalarArgument &scalar : layout.scalars)
    if (Error error = check(scalar.name))
      return error;
  return Error::success();
}

/// How large the blocks of the pattern's tables are; plans do not say.
static void addBlocks(KernelLayout &layout, const PatternReading &reading) {
  reading.pairs.forEachLeaf([&](const PairSet &leaf) {
    if (leaf.kind() != PairSet::Kind::BlockTable)
      return;
    auto table = cast<BlockArgument>(reading.tables[leaf.index()]);
    BlocksLayout blocks{layout.tensorOfArgument(table.getArgNumber()), leaf.block()};
    if (llvm::none_of(layout.blocks,
                      [&](const BlocksLayout &b) { return b.tensor == blocks.tensor && b.block == blocks.block; }))
      layout.blocks.push_back(std::move(blocks));
  });
}

Error Compilation::describeKernels() {
  work = source->clone();
  if (Error error = lowerTo(Stage::Plan))
    return error;
  DiagnosticLines diagnostics(context.get());
  for (auto function : source->getOps<func::FuncOp>()) {
    auto attentions = function.getOps<AttentionOp>();
    auto linear = function.getOps<LinearAttentionOp>();
    if (attentions.empty() && linear.empty())
      continue;
    if (!isIdentifier(function.getSymName()))
      return makeError("error: kernel name '" + function.getSymName() + "' is no C identifier; rename it");
    auto planned = work->lookupSymbol<func::FuncOp>(function.getSymName());
    FailureOr<KernelLayout> layout = KernelLayout::of(planned);
    if (failed(layout))
      return diagnostics.take("kernel '" + function.getSymName() + "' cannot be compiled");
    if (Error error = checkArgumentNames(*layout))
      return error;
    if (layout->linear) {
      sources.push_back({AttentionOp(), {}, {}, std::move(*layout), *linear.begin()});
      continue;
    }
    Target target = *findTarget(opts.target, *attentions.begin());
    target.tile = layout->tileShape();
    target.locals.clear();
    auto plan = planAttention(*attentions.begin(), target);
    if (failed(plan))
      return diagnostics.take("kernel '" + function.getSymName() + "' cannot be planned");
    plan->second.compact = layout->compact, plan->second.compactKeys = layout->compactKeys;
    plan->second.few = layout->tileForFewQueries();
    if (!isForGpu() && opts.isas.size() == 1) // AMX's sub-tiles are higher
      plan->second.tile = cpu::layoutFor(*layout, *Isa::versionsOf(*layout, opts.isas).front()).tileShape();
    addBlocks(*layout, plan->first);
    sources.push_back({*attentions.begin(), std::move(plan->first), std::move(plan->second), std::move(*layout),
                       LinearAttentionOp()});
  }
  return Error::success();
}

/// Adds the passes that lead to a stage from the one before.
void Compilation::buildStage(Stage stage, OpPassManager &pm) const {
  switch (stage) {
  case Stage::Attn:
    return;
  case Stage::Plan: {
    AttnPlanOptions options;
    options.target = opts.target, options.tileRows = opts.tileRows, options.tileKeys = opts.tileKeys;
    return buildPlan(pm, options);
  }
  case Stage::Loops: {
    AttnEmitCPUOptions options;
    options.isas.assign(opts.isas.begin(), opts.isas.end());
    return buildEmitCPU(pm, options);
  }
  case Stage::Tiles:
    return buildEmitGPU(pm);
  case Stage::LLVMDialect:
    return isForGpu() ? buildLowerGPU(pm) : buildLowerCPU(pm);
  }
}

Error Compilation::lowerTo(Stage stage) {
  const Stage path[] = {Stage::Attn, Stage::Plan, isForGpu() ? Stage::Tiles : Stage::Loops, Stage::LLVMDialect};
  if (!llvm::is_contained(path, stage))
    return makeError("error: target " + opts.target + " has no " + (isForGpu() ? "loops" : "tiles") + "; it has " +
                     (isForGpu() ? "tiles" : "loops"));
  for (Stage next : path) {
    if (next <= reached || next > stage)
      continue;
    if (Error error = runStage([&](OpPassManager &pm) { buildStage(next, pm); }, *work))
      return error;
    reached = next;
  }
  return Error::success();
}

Expected<ModuleOp> Compilation::lower(Stage stage) {
  if (Error error = lowerTo(stage))
    return error;
  return *work;
}

Expected<std::string> Compilation::print(Stage stage) {
  if (Error error = lowerTo(stage))
    return error;
  std::string text;
  llvm::raw_string_ostream os(text);
  (stage == Stage::Attn ? *source : *work).print(os);
  os << '\n';
  return text;
}
