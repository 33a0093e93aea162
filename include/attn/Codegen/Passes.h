// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes from plans to loops: attn-emit-cpu.

#ifndef ATTN_CODEGEN_PASSES_H
#define ATTN_CODEGEN_PASSES_H

#include "attn/Codegen/AttnTile.h"
#include "attn/IR/Attn.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace attn {

#define GEN_PASS_DECL
#include "attn/Codegen/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "attn/Codegen/Passes.h.inc"

} // namespace attn

#endif // ATTN_CODEGEN_PASSES_H
