// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The façade: a pattern file in, kernels out. The tools are thin over it. Errors are one complete line each,
// "FILE:LINE: COL: error: ..." where a place is known and "error: ..." otherwise; notes may follow.
//
//   auto compilation = Compilation::create("patterns/longformer.mlir", options);
//   auto object = (*compilation)->emitObject();                // an ELF object with the C ABI of attn/Runtime/attn.h
//   auto loaded = LoadedKernels::load(std::move(*object));     // or: run it here

#ifndef ATTN_COMPILER_COMPILER_H
#define ATTN_COMPILER_COMPILER_H

#include "attn/Codegen/GpuKernel.h"
#include "attn/Pattern/Walk.h"
#include "attn/Runtime/attn.h"
#include "attn/Transforms/PatternReader.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace llvm {
class GlobalVariable;
class LLVMContext;
class Module;
} // namespace llvm

namespace attn {

/// Whether this library was built with AddressSanitizer; kernels that are loaded beside it should be, too.
bool isBuiltWithAddressSanitizer();

struct CompileOptions {
  std::string kernel;          // of a file that holds several; empty: all
  std::string target = "cpu";  // or sm_90a
  std::string machine;         // target description; empty: the target's own, host or h200
  std::string element = "f32"; // f32, bf16 or f16
  std::string score;           // a name in the file or in patterns/scores beside it, or a file; empty: none
  int64_t headSize = 64;
  int64_t valueHeadSize = 0;          // 0: as headSize
  int64_t tileRows = 0, tileKeys = 0; // 0: the planner's choice
  std::vector<std::string> isas;      // amx, avx512bf16, avx512, avx2, generic; empty: all
  /// Instruments the kernels with AddressSanitizer, for processes that are instrumented themselves.
  bool sanitizeAddress = false;
};

/// One kernel of a compilation.
struct KernelSource {
  AttentionOp attention; // after attn-specialize; what the reference evaluates; null for linear attention
  PatternReading reading;
  Plan plan;
  KernelLayout layout;
  LinearAttentionOp linear; // the same for linear attention, which has neither reading nor plan; null otherwise

  mlir::func::FuncOp function() const;
};

/// What attn.h's attn_kernel_info says, for callers that have no object: `run` and the like are null.
class KernelInfo {
public:
  KernelInfo(const KernelLayout &layout, llvm::StringRef target);
  KernelInfo(const KernelInfo &) = delete;
  const attn_kernel_info &get() const { return info; }

private:
  std::string name, target;
  std::vector<std::string> names, requirementNames;
  std::vector<std::vector<int32_t>> defaults;
  std::vector<attn_tensor_info> tensors;
  std::vector<attn_scalar_info> scalars;
  std::vector<attn_requirement_info> requirements;
  attn_kernel_info info;
};

/// What ptxas, NVIDIA's assembler, says of what it assembled.
struct PtxasReport {
  struct Function {
    std::string name;
    unsigned registers = 0;    // of a thread
    unsigned spilledBytes = 0; // stored and loaded
  };
  std::vector<Function> functions;
  std::vector<std::string> remarks; // warnings and losses of performance, "(C7510) ...", in its own words
};
void printText(const PtxasReport &report, llvm::raw_ostream &os);

class Compilation {
public:
  /// Parses, specializes and plans a file.
  static llvm::Expected<std::unique_ptr<Compilation>> create(llvm::StringRef path, const CompileOptions &options);
  /// The same for text that need not be a file; the buffer's name stands for the path.
  static llvm::Expected<std::unique_ptr<Compilation>> create(std::unique_ptr<llvm::MemoryBuffer> text,
                                                             const CompileOptions &options);
  ~Compilation();

  const CompileOptions &options() const { return opts; }
  llvm::ArrayRef<KernelSource> kernels() const { return sources; }

  /// Loops are the CPU's, tiles the GPU's.
  enum class Stage { Attn, Plan, Loops, Tiles, LLVMDialect };
  /// Lowers up to a stage, not back, and returns the module; it may be changed before the next stage is asked for.
  llvm::Expected<mlir::ModuleOp> lower(Stage stage);
  /// The module after a stage, as text.
  llvm::Expected<std::string> print(Stage stage);
  /// An object for the host; kernels, their descriptions and the entry point are in it. Of GPU kernels it holds the
  /// PTX, and, where there is ptxas, a cubin.
  llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> emitObject();
  /// The same without the kernels' own code: what says how much workspace a call needs, and nothing that can run.
  llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> emitDescription();
  /// LLVM IR as text, or assembly: for the CPU, of the whole object; for a GPU, of its one kernel.
  llvm::Expected<std::string> emitLLVM();
  llvm::Expected<std::string> emitAssembly();
  /// Of a GPU target's one kernel.
  llvm::Expected<std::string> emitPtx();
  llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> emitCubin();
  /// On every cubin that was made so far.
  const PtxasReport &ptxasReport() const { return ptxas; }
  /// The C header of all kernels.
  std::string emitHeader() const;
  /// Calls `work`; what it reports of this compilation's ops becomes the error.
  llvm::Error collectErrors(llvm::function_ref<void()> work);

private:
  Compilation();
  llvm::Error parse(std::unique_ptr<llvm::MemoryBuffer> text);
  llvm::Error specialize();
  llvm::Error checkForGpu();
  llvm::Error describeKernels();
  bool isForGpu() const { return opts.target != "cpu"; }
  llvm::Error lowerTo(Stage stage);
  void buildStage(Stage stage, mlir::OpPassManager &pm) const;
  // Modules for the host, with a description of each kernel.
  using Infos = llvm::SmallVector<llvm::GlobalVariable *>;
  llvm::Expected<std::unique_ptr<llvm::Module>> translateKernels(llvm::LLVMContext &context, Infos &infos);
  llvm::Expected<std::unique_ptr<llvm::Module>> embedKernels(llvm::LLVMContext &context, Infos &infos);
  std::unique_ptr<llvm::Module> describeWithoutCode(llvm::LLVMContext &context, Infos &infos) const;
  llvm::Error finishForHost(llvm::Module &module, const Infos &infos) const;
  llvm::Expected<std::unique_ptr<llvm::Module>> translateForHost(llvm::LLVMContext &context);
  // One kernel for the GPU.
  llvm::Expected<const KernelSource *> onlyKernel(llvm::StringRef what) const;
  llvm::Expected<std::unique_ptr<llvm::Module>> translateForGpu(llvm::LLVMContext &context, const KernelSource &kernel);
  llvm::Expected<std::string> compileToPtx(const KernelSource &kernel);
  llvm::Expected<GpuCode> compileForGpu(const KernelSource &kernel);
  llvm::Error runStage(llvm::function_ref<void(mlir::OpPassManager &)> build, mlir::ModuleOp module);

  CompileOptions opts;
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> source; // specialized; stays
  mlir::OwningOpRef<mlir::ModuleOp> work;   // is lowered stage by stage
  Stage reached = Stage::Attn;
  std::vector<KernelSource> sources;
  PtxasReport ptxas;
};

/// Kernels of an object, loaded into this process.
class LoadedKernels {
public:
  static llvm::Expected<LoadedKernels> load(std::unique_ptr<llvm::MemoryBuffer> object);
  LoadedKernels(LoadedKernels &&);
  ~LoadedKernels();
  /// By name; null if there is none.
  const attn_kernel_info *find(llvm::StringRef name) const;
  llvm::ArrayRef<const attn_kernel_info *> all() const { return infos; }

private:
  LoadedKernels();
  struct Engine;
  std::unique_ptr<Engine> engine;
  std::vector<const attn_kernel_info *> infos;
};

/// Links an object into a shared library with the machine's own linker.
llvm::Error linkSharedLibrary(const llvm::MemoryBuffer &object, llvm::StringRef path);

} // namespace attn

#endif // ATTN_COMPILER_COMPILER_H
