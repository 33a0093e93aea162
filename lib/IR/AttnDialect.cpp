// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Registers the dialect's types, attributes and ops.

#include "attn/IR/Attn.h"
#include "attn/IR/Syntax.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace attn;

#include "attn/IR/AttnDialect.cpp.inc"
#include "attn/IR/AttnEnums.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "attn/IR/AttnTypes.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "attn/IR/AttnAttributes.cpp.inc"

void AttnDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "attn/IR/AttnTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "attn/IR/AttnAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "attn/IR/AttnOps.cpp.inc"
      >();
}

#define GET_OP_CLASSES
#include "attn/IR/AttnOps.cpp.inc"
