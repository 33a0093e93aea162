// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pieces of assembly syntax that several ops share.

#ifndef ATTN_IR_SYNTAX_H
#define ATTN_IR_SYNTAX_H

#include "attn/IR/Attn.h"

namespace attn {

/// Reads an expression as `#attn.expr` describes it; the row is `i`.
mlir::FailureOr<Expr> parseExpr(mlir::AsmParser &parser);
void printExpr(llvm::raw_ostream &os, const Expr &expr);
/// The largest number of a symbol in an expression; 0 if there is none.
unsigned lastSymbol(const Expr &expr);

/// A region whose entry arguments are named on the line: `(%b, %h, %i, %j) { ... }`. Arguments in `leading` were read
/// before and come first.
mlir::ParseResult parseRegionWithArguments(mlir::OpAsmParser &parser, mlir::Region &region,
                                           llvm::ArrayRef<mlir::Type> types,
                                           llvm::ArrayRef<mlir::OpAsmParser::Argument> leading = {});
void printRegionWithArguments(mlir::OpAsmPrinter &printer, mlir::Region &region, unsigned leading = 0);

/// Reports the first op of a pure region that is neither arith nor math nor one of attn's own pure ops.
/// `what` names the region, as in "a score region".
llvm::LogicalResult verifyPureRegion(mlir::Operation *op, mlir::Region &region, llvm::StringRef what,
                                     llvm::ArrayRef<mlir::Type> arguments, mlir::Type result);

/// Shapes and types that attention and its plan share.
llvm::LogicalResult verifyAttentionTypes(mlir::Operation *op, mlir::RankedTensorType query, mlir::RankedTensorType key,
                                         mlir::RankedTensorType value, mlir::RankedTensorType output,
                                         mlir::RankedTensorType lse);
llvm::LogicalResult verifyScoreRegion(mlir::Operation *op, mlir::Region &region);

// Directives of the ops' assembly formats.
mlir::ParseResult parseIndexOrLiteral(mlir::OpAsmParser &parser,
                                      std::optional<mlir::OpAsmParser::UnresolvedOperand> &value,
                                      mlir::IntegerAttr &literal);
void printIndexOrLiteral(mlir::OpAsmPrinter &printer, mlir::Operation *op, mlir::Value value,
                         mlir::IntegerAttr literal);
mlir::ParseResult parsePairRegion(mlir::OpAsmParser &parser, mlir::Region &region);
void printPairRegion(mlir::OpAsmPrinter &printer, mlir::Operation *op, mlir::Region &region);
mlir::ParseResult parseScoreRegion(mlir::OpAsmParser &parser, mlir::Region &region);
void printScoreRegion(mlir::OpAsmPrinter &printer, mlir::Operation *op, mlir::Region &region);
mlir::ParseResult parseTestRegion(mlir::OpAsmParser &parser, mlir::Region &region);
void printTestRegion(mlir::OpAsmPrinter &printer, mlir::Operation *op, mlir::Region &region);
mlir::ParseResult parsePatternUse(mlir::OpAsmParser &parser, mlir::FlatSymbolRefAttr &pattern,
                                  llvm::SmallVectorImpl<mlir::OpAsmParser::UnresolvedOperand> &arguments,
                                  llvm::SmallVectorImpl<mlir::Type> &types, mlir::Region &pairs);
void printPatternUse(mlir::OpAsmPrinter &printer, mlir::Operation *op, mlir::FlatSymbolRefAttr pattern,
                     mlir::OperandRange arguments, mlir::TypeRange types, mlir::Region &pairs);
mlir::ParseResult parseOrderRef(mlir::AsmParser &parser, OrderAttr &order);
void printOrderRef(mlir::AsmPrinter &printer, mlir::Operation *op, OrderAttr order);
mlir::ParseResult parseOrderRefs(mlir::OpAsmParser &parser, mlir::ArrayAttr &orders);
void printOrderRefs(mlir::OpAsmPrinter &printer, mlir::Operation *op, mlir::ArrayAttr orders);
mlir::ParseResult parseBounds(mlir::OpAsmParser &parser, ExprAttr &lower, ExprAttr &upper);
void printBounds(mlir::OpAsmPrinter &printer, mlir::Operation *op, ExprAttr lower, ExprAttr upper);
mlir::ParseResult parseBareExpr(mlir::OpAsmParser &parser, ExprAttr &expr);
void printBareExpr(mlir::OpAsmPrinter &printer, mlir::Operation *op, ExprAttr expr);

} // namespace attn

#endif // ATTN_IR_SYNTAX_H
