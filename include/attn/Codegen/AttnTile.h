// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The attn_tile dialect in C++: its types and ops. The descriptions stand in AttnTile.td.

#ifndef ATTN_CODEGEN_ATTNTILE_H
#define ATTN_CODEGEN_ATTNTILE_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "attn/Codegen/AttnTileDialect.h.inc"
#include "attn/Codegen/AttnTileEnums.h.inc"
#define GET_TYPEDEF_CLASSES
#include "attn/Codegen/AttnTileTypes.h.inc"
#define GET_OP_CLASSES
#include "attn/Codegen/AttnTileOps.h.inc"

#endif // ATTN_CODEGEN_ATTNTILE_H
