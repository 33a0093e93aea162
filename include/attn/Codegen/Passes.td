// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes from plans to loops and instructions.

#ifndef ATTN_CODEGEN_PASSES_TD
#define ATTN_CODEGEN_PASSES_TD

include "mlir/Pass/PassBase.td"

def AttnEmitCPU : Pass<"attn-emit-cpu", "::mlir::ModuleOp"> {
  let summary = "write a plan as loops over vectors";
  let description = [{
    Replaces every function that holds an `attn.plan` by its parts, one set for each instruction set:

    - `NAME.pack.ORDER.ISA` copies a block of keys and values of one order into panels,
    - `NAME.tile.PHASE.ISA` computes one query tile: row bounds, tiles, state, output,
    - `NAME.group.KIND.ISA` is its innermost part, the rows of one sub-tile against the keys of one tile:
      scores, online softmax, accumulator.

    The parts call nothing but each other and allocate nothing; all memory is the caller's (lib/Runtime/kernel.h).
  }];
  let options = [
    ListOption<"isas", "isas", "std::string", "Instruction sets to write: avx512, avx2, generic; all of them if empty">
  ];
  let statistics = [
    Statistic<"numFunctions", "functions", "Functions written">
  ];
  let dependentDialects = ["::mlir::func::FuncDialect", "::mlir::scf::SCFDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::vector::VectorDialect", "::mlir::math::MathDialect", "::mlir::LLVM::LLVMDialect"];
}

def AttnApproximateMath : Pass<"attn-approximate-math", "::mlir::ModuleOp"> {
  let summary = "replace math functions over vectors by polynomials";
  let description = [{
    exp, log, tanh and the like over vectors become polynomials of float accuracy; the C library is not called in loops.
  }];
  let dependentDialects = ["::mlir::math::MathDialect", "::mlir::vector::VectorDialect"];
}

#endif // ATTN_CODEGEN_PASSES_TD
