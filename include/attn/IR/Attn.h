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
#include "mlir/Interfaces/ViewLikeInterface.h"

namespace attn {

/// Extents of arrays that no number says; the numbers are those of attn.h.
enum Extent : int64_t {
  AnyExtent = -1,
  BatchExtent = -2,
  HeadsExtent = -3,
  KvHeadsExtent = -4,
  QueriesExtent = -5,
  KeysExtent = -6,
  HeadSizeExtent = -7
};

} // namespace attn

#include "attn/IR/AttnDialect.h.inc"
#include "attn/IR/AttnEnums.h.inc"
#define GET_TYPEDEF_CLASSES
#include "attn/IR/AttnTypes.h.inc"
#define GET_ATTRDEF_CLASSES
#include "attn/IR/AttnAttributes.h.inc"
#define GET_OP_CLASSES
#include "attn/IR/AttnOps.h.inc"

namespace attn {

/// The largest magnitude of a pattern's numbers, as of a call's (attn.h): sums and a product of them stay in 64 bits.
inline constexpr int64_t maxNumber = int64_t(1) << 40;

/// A bound of an atom or a coordinate: a value or a literal, or neither where it is left out.
struct AtomBound {
  std::string name;
  mlir::Value value;
  std::optional<int64_t> literal;
  std::optional<int64_t> minimum;
  bool isRequired = false;
};

/// The bounds of an atom or a coordinate, in the order in which they are written; none for other ops.
llvm::SmallVector<AtomBound> boundsOf(mlir::Operation *op);

} // namespace attn

#endif // ATTN_IR_ATTN_H
