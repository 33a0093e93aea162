// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// All that a program of MLIR's, a language server or an optimizer driver, has to know of the compiler. It includes
// nothing, so that such programs compile quickly.

#ifndef ATTN_PIPELINES_REGISTER_H
#define ATTN_PIPELINES_REGISTER_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace attn {

/// Registers the project's dialects, and what the stages need of MLIR's own dialects and translations to LLVM IR.
void registerDialects(mlir::DialectRegistry &registry);

/// Registers the passes, and the pipelines --attn-lower-cpu and --attn-lower-gpu. Once in a process: MLIR refuses a
/// second pass of the same name.
void registerPasses();

} // namespace attn

#endif // ATTN_PIPELINES_REGISTER_H
