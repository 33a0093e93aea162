// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes from attn to attn: attn-specialize and attn-plan.

#ifndef ATTN_TRANSFORMS_PASSES_H
#define ATTN_TRANSFORMS_PASSES_H

#include "attn/IR/Attn.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace attn {

#define GEN_PASS_DECL
#include "attn/Transforms/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "attn/Transforms/Passes.h.inc"

/// Argument attributes of a kernel's function: what a caller sees of an argument.
inline constexpr llvm::StringLiteral argumentName = "attn.name";
inline constexpr llvm::StringLiteral argumentDefault = "attn.default";
inline constexpr llvm::StringLiteral argumentMinimum = "attn.minimum";

} // namespace attn

#endif // ATTN_TRANSFORMS_PASSES_H
