// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes from plans to loops and instructions.

#ifndef ATTN_CODEGEN_PASSES_TD
#define ATTN_CODEGEN_PASSES_TD

include "mlir/Pass/PassBase.td"

def AttnEmitCPU : Pass<"attn-emit-cpu", "::mlir::ModuleOp"> {
  let summary = "write a plan, or linear attention, as loops over vectors";
  let description = [{
    Replaces every function that holds an `attn.plan` by its parts, one set for each instruction set:

    - `NAME.pack.ORDER.ISA` copies a block of keys and values of one order into panels,
    - `NAME.tile.PHASE.ISA` computes one query tile: row bounds, tiles, state, output,
    - `NAME.group.KIND.ISA` is its innermost part, the tile's rows against the keys of one key tile, sub-tile by
      sub-tile: scores, online softmax, accumulator,
    - `NAME.terms.KIND.ISA` prepares the terms of the score that a tile's pairs share, where there are such,
    - `NAME.part.PHASE.few.ISA` computes the states of a few query rows for one part of the keys, which it reads where
      they lie, and `NAME.merge.PHASE.few.ISA` puts the parts together: what calls with few queries take in place of
      packs and tiles.

    How products are made depends on the element and the instruction set: in f32, or for bf16 by dot products of pairs
    (avx512bf16) and by tiles (amx). An instruction set that adds nothing to a kernel stands for the next one.

    A function that holds `attn.linear_attention` has other parts, which lib/Runtime/linear.h puts in order:

    - `NAME.keys.ISA` makes a chunk of keys: their features, and their values with a 1 behind them,
    - `NAME.absorb.ISA` adds the chunk to the state,
    - `NAME.rows.ISA` computes rows of the output, of the state and, in the causal form, of the chunk.

    The parts call nothing but each other and allocate nothing; all memory is the caller's (lib/Runtime/kernel.h).
  }];
  let options = [
    ListOption<"isas", "isas", "std::string", "Instruction sets to write: amx, avx512bf16, avx512, avx2, generic; all of them if empty">
  ];
  let statistics = [
    Statistic<"numFunctions", "functions", "Functions written">
  ];
  let dependentDialects = ["::mlir::func::FuncDialect", "::mlir::scf::SCFDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::vector::VectorDialect", "::mlir::math::MathDialect", "::mlir::LLVM::LLVMDialect"];
}

def AttnEmitGPU : Pass<"attn-emit-gpu", "::mlir::ModuleOp"> {
  let summary = "write a plan as tiles of a Hopper GPU, or linear attention as loops of its threads";
  let description = [{
    Replaces every function that holds an `attn.plan` by a `gpu.module` of its name with functions for each phase:

    - `NAME_phaseN_tiled` reads and writes through tensor maps,
    - `NAME_phaseN_strided` takes any strides,
    - `NAME_phaseN_compact` has smaller tiles for few keys, where the plan has such.

    Their bodies are attn_tile, scf and arith: a producer warpgroup that brings tiles, consumer warpgroups that multiply
    them. lib/Runtime/gpu.h says what they are handed.

    A function that holds `attn.linear_attention` has other functions, which follow each other:

    - `NAME_absorb` makes a state of the keys of each split,
    - `NAME_sum` adds the states up, one split after the other,
    - `NAME_rows` computes rows of the output, of the state before their split and, but in the full form, of its keys.
  }];
  let statistics = [
    Statistic<"numFunctions", "functions", "Functions written">
  ];
  let dependentDialects = ["::mlir::gpu::GPUDialect", "::mlir::scf::SCFDialect", "::mlir::math::MathDialect",
                           "::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect", "::attn::tile::AttnTileDialect"];
}

def AttnApproximateMath : Pass<"attn-approximate-math", "::mlir::ModuleOp"> {
  let summary = "replace math functions over vectors by polynomials";
  let description = [{
    exp, log, tanh and the like over vectors become polynomials of float accuracy; the C library is not called in loops.
  }];
  let dependentDialects = ["::mlir::math::MathDialect", "::mlir::vector::VectorDialect"];
}

def AttnApproximateMathGPU : Pass<"attn-approximate-math-gpu", "::mlir::ModuleOp"> {
  let summary = "replace math functions on the GPU by instructions and polynomials";
  let description = [{
    In every `gpu.module`, scalar f32 functions become what the GPU has an instruction for (2^x, log2, 1/sqrt, tanh) or a
    polynomial of float accuracy, and functions of other types go through f32; no library is called. Division and square
    roots are left to LLVM, which rounds them exactly unless the op carries the fastmath flag `afn`.

    `math.tanh` becomes one instruction, good to 11 bits, where the module says `attn.element = bf16`; elsewhere it is
    made of 2^x, good to 1e-6. Where the module says f32, it becomes a polynomial, and so do exp and log.

    ```mlir
    %y = math.exp %x : f32
    ```
    ==>
    ```mlir
    %log2e = arith.constant 1.442695 : f32
    %scaled = arith.mulf %x, %log2e : f32
    %y = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"(%scaled) : (f32) -> f32
    ```
  }];
  let dependentDialects = ["::mlir::scf::SCFDialect", "::mlir::math::MathDialect", "::mlir::LLVM::LLVMDialect"];
}

def AttnLowerTile : Pass<"attn-lower-tile", "::mlir::ModuleOp"> {
  let summary = "turn tiles into registers, addresses and instructions of sm_90a";
  let description = [{
    In every `llvm.func`, values of attn_tile become what one thread has of them: an accumulator its f32 registers, a tile
    in shared memory an address, a slot two numbers. The ops become nvvm ops and inline PTX; regions of `map` are written
    once for every place. Dynamic shared memory is the global `@attn_shared`.

    ```mlir
    %o = attn_tile.wait %product inflight(0) : !attn_tile.pending<64x8xf32>
    ```
    ==>
    ```mlir
    %0 = llvm.inline_asm has_side_effects "wgmma.wait_group.sync.aligned 0;", "=f,=f,=f,=f,0,1,2,3" %a, %b, %c, %d : ...
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::LLVM::LLVMDialect",
                           "::mlir::NVVM::NVVMDialect", "::mlir::scf::SCFDialect"];
}

#endif // ATTN_CODEGEN_PASSES_TD
