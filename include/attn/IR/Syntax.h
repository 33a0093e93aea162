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

/// Reports the first op of a pure region that is neither arith nor math nor one of `others`, which are names of ops.
/// `what` names the region, as in "a score region".
llvm::LogicalResult verifyPureRegion(mlir::Operation *op, mlir::Region &region, llvm::StringRef what,
                                     llvm::ArrayRef<mlir::Type> arguments, mlir::Type result,
                                     llvm::ArrayRef<llvm::StringLiteral> others = {});

/// The arguments of a region that count extents of the call; null where the region has none.
struct CountingArguments {
  mlir::Value batch, head, query, key;
};
/// Reports the first read of an array in a pure region that may be outside of the array (Bounds.cpp).
llvm::LogicalResult verifyReads(mlir::Region &region, const CountingArguments &counting);
/// Reports the first sum or product in a pattern's body that leaves 64 bits however small its parameters are
/// (Bounds.cpp): it would wrap around, and mean another pattern.
llvm::LogicalResult verifyNumbers(mlir::Region &body);

/// Shapes and types that attention and its plan share.
llvm::LogicalResult verifyAttentionTypes(mlir::Operation *op, mlir::RankedTensorType query, mlir::RankedTensorType key,
                                         mlir::RankedTensorType value, mlir::RankedTensorType output,
                                         mlir::RankedTensorType lse);
/// The regions of attn.where, of a box, and of scores, which may be absent. The first `parameters` arguments of a
/// score's regions are its own.
llvm::LogicalResult verifyWhereRegion(mlir::Operation *op, mlir::Region &region);
llvm::LogicalResult verifyTestRegion(mlir::Operation *op, mlir::Region &region);
llvm::LogicalResult verifyScoreRegion(mlir::Operation *op, mlir::Region &region, unsigned parameters = 0);
llvm::LogicalResult verifySinkRegion(mlir::Operation *op, mlir::Region &region, unsigned parameters = 0);
/// The types of the arguments that all score and sink regions have.
llvm::SmallVector<mlir::Type> scoreTypes(mlir::MLIRContext *context);
llvm::SmallVector<mlir::Type> sinkTypes(mlir::MLIRContext *context);
/// An extent of an array as it is written: `32`, `heads`, `?`.
void printExtent(llvm::raw_ostream &os, int64_t extent);

// The head of a symbol with parameters, `@name(%parameter: type = default, ...)`; the parameters are the first
// arguments of its regions (Parameters.cpp).
mlir::ParseResult parseSignature(mlir::OpAsmParser &parser, mlir::OperationState &state,
                                 llvm::SmallVectorImpl<mlir::OpAsmParser::Argument> &arguments);
void printSignature(mlir::OpAsmPrinter &printer, llvm::StringRef name, llvm::ArrayRef<mlir::BlockArgument> arguments,
                    mlir::ArrayAttr defaults);
llvm::LogicalResult verifySignature(mlir::Operation *op, llvm::ArrayRef<mlir::BlockArgument> arguments,
                                    mlir::ArrayAttr names, mlir::ArrayAttr defaults);
/// Parameters keep their names when an op is printed: they are what callers say.
void nameParameters(mlir::Region &body, mlir::ArrayAttr names, mlir::OpAsmSetValueNameFn setName);

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
mlir::ParseResult parseSinkRegion(mlir::OpAsmParser &parser, mlir::Region &region);
void printSinkRegion(mlir::OpAsmPrinter &printer, mlir::Operation *op, mlir::Region &region);
mlir::ParseResult parseFeatureRegion(mlir::OpAsmParser &parser, mlir::Region &region);
void printFeatureRegion(mlir::OpAsmPrinter &printer, mlir::Operation *op, mlir::Region &region);
mlir::ParseResult parseCongruentWhich(mlir::OpAsmParser &parser, CongruentWhichAttr &which);
void printCongruentWhich(mlir::OpAsmPrinter &printer, mlir::Operation *op, CongruentWhichAttr which);
mlir::ParseResult parseRequirements(mlir::OpAsmParser &parser, mlir::ArrayAttr &requirements);
void printRequirements(mlir::OpAsmPrinter &printer, mlir::Operation *op, mlir::ArrayAttr requirements);
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
/// `(key class, query class)`
mlir::ParseResult parseClassPair(mlir::OpAsmParser &parser, ExprAttr &key, ExprAttr &query);
void printClassPair(mlir::OpAsmPrinter &printer, mlir::Operation *op, ExprAttr key, ExprAttr query);
/// `rows [lower, upper) columns [queryLower, queryUpper)`
mlir::ParseResult parseHole(mlir::OpAsmParser &parser, ExprAttr &lower, ExprAttr &upper, ExprAttr &queryLower,
                            ExprAttr &queryUpper);
void printHole(mlir::OpAsmPrinter &printer, mlir::Operation *op, ExprAttr lower, ExprAttr upper, ExprAttr queryLower,
               ExprAttr queryUpper);
mlir::ParseResult parseBareExpr(mlir::OpAsmParser &parser, ExprAttr &expr);
void printBareExpr(mlir::OpAsmPrinter &printer, mlir::Operation *op, ExprAttr expr);

} // namespace attn

#endif // ATTN_IR_SYNTAX_H
