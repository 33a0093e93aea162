// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The attn dialect in C++: its types, attributes and ops. The descriptions stand in the .td files beside this one.

#ifndef ATTN_IR_ATTN_H
#define ATTN_IR_ATTN_H

#include "attn/Pattern/Expr.h"
#include "attn/Pattern/Plan.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "attn/IR/AttnDialect.h.inc"
#include "attn/IR/AttnEnums.h.inc"
#define GET_TYPEDEF_CLASSES
#include "attn/IR/AttnTypes.h.inc"
#define GET_ATTRDEF_CLASSES
#include "attn/IR/AttnAttributes.h.inc"
#define GET_OP_CLASSES
#include "attn/IR/AttnOps.h.inc"

#endif // ATTN_IR_ATTN_H
