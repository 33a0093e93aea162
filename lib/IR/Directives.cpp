// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Assembly directives that several ops share.

#include "attn/IR/Syntax.h"

using namespace mlir;
using namespace attn;

//===-- Literals, dividends and orders
//-----------------------------------------------------------------------------===//

ParseResult attn::parseIndexOrLiteral(OpAsmParser &parser, std::optional<OpAsmParser::UnresolvedOperand> &value,
                                      IntegerAttr &literal) {
  OpAsmParser::UnresolvedOperand operand;
  OptionalParseResult isOperand = parser.parseOptionalOperand(operand);
  if (isOperand.has_value()) {
    value = operand;
    return *isOperand;
  }
  return parser.parseAttribute(literal, parser.getBuilder().getIndexType());
}

void attn::printIndexOrLiteral(OpAsmPrinter &printer, Operation *, Value value, IntegerAttr literal) {
  if (value)
    printer << value;
  else if (literal)
    printer << literal.getInt();
}

// A difference is written as one: `(query - key)`.
ParseResult attn::parseCongruentWhich(OpAsmParser &parser, CongruentWhichAttr &which) {
  MLIRContext *context = parser.getContext();
  if (succeeded(parser.parseOptionalLParen())) {
    which = CongruentWhichAttr::get(context, CongruentWhich::Difference);
    return failure(parser.parseKeyword("query") || parser.parseMinus() || parser.parseKeyword("key") ||
                   parser.parseRParen());
  }
  StringRef keyword;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseKeyword(&keyword))
    return failure();
  std::optional<CongruentWhich> known = symbolizeCongruentWhich(keyword);
  if (!known || *known == CongruentWhich::Difference)
    return parser.emitError(loc, "unknown dividend '") << keyword << "'; known are (query - key), query, key and head";
  which = CongruentWhichAttr::get(context, *known);
  return success();
}

void attn::printCongruentWhich(OpAsmPrinter &printer, Operation *, CongruentWhichAttr which) {
  if (which.getValue() == CongruentWhich::Difference)
    printer << "(query - key)";
  else
    printer << stringifyCongruentWhich(which.getValue());
}

/// The expressions of a computed order, as they are written.
template <typename AnyOrder> static auto operandsOf(AnyOrder &order) {
  SmallVector<decltype(&order.modulus), 4> operands{&order.modulus};
  if (order.kind == OrderKind::Remainders || order.kind == OrderKind::Blocks)
    operands.push_back(&order.shift);
  if (order.kind == OrderKind::Remainders)
    operands.append({&order.from, &order.below});
  return operands;
}

static ParseResult parseOrderOperands(AsmParser &parser, Order &order) {
  if (order.isTabled())
    return parser.parseInteger(order.table);
  for (Expr *operand : operandsOf(order)) {
    if (operand != &order.modulus && parser.parseComma())
      return failure();
    FailureOr<Expr> expr = parseExpr(parser);
    if (failed(expr))
      return failure();
    *operand = *expr;
  }
  if (order.kind == OrderKind::Patches)
    return failure(parser.parseComma() || parser.parseInteger(order.patchRows) || parser.parseComma() ||
                   parser.parseInteger(order.patchColumns));
  return success();
}

ParseResult attn::parseOrderRef(AsmParser &parser, OrderAttr &order) {
  StringRef keyword;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseKeyword(&keyword))
    return failure();
  std::optional<OrderKindAttrValue> kind = symbolizeOrderKindAttrValue(keyword);
  if (!kind)
    return parser.emitError(loc, "unknown order '")
           << keyword << "'; known are all, listed, sorted, classes, remainders, blocks and patches";
  Order parsed{static_cast<OrderKind>(*kind)};
  if (parsed.kind != OrderKind::All &&
      (parser.parseLParen() || parseOrderOperands(parser, parsed) || parser.parseRParen()))
    return failure();
  order = OrderAttr::get(parser.getContext(), parsed);
  return success();
}

void attn::printOrderRef(AsmPrinter &printer, Operation *, OrderAttr attr) {
  printer << stringifyOrderKindAttrValue(attr.getKind());
  Order order = attr.of(Side::Queries);
  if (order.kind == OrderKind::All)
    return;
  printer << '(';
  if (order.isTabled())
    printer << order.table;
  else
    llvm::interleaveComma(operandsOf(order), printer, [&](const Expr *expr) { printExpr(printer.getStream(), *expr); });
  if (order.kind == OrderKind::Patches)
    printer << ", " << order.patchRows << ", " << order.patchColumns;
  printer << ')';
}

ParseResult attn::parseOrderRefs(OpAsmParser &parser, ArrayAttr &orders) {
  SmallVector<Attribute> list;
  auto parseOne = [&]() -> ParseResult {
    OrderAttr order;
    if (parseOrderRef(parser, order))
      return failure();
    list.push_back(order);
    return success();
  };
  if (parser.parseCommaSeparatedList(parseOne))
    return failure();
  orders = parser.getBuilder().getArrayAttr(list);
  return success();
}

void attn::printOrderRefs(OpAsmPrinter &printer, Operation *op, ArrayAttr orders) {
  llvm::interleaveComma(orders, printer, [&](Attribute order) { printOrderRef(printer, op, cast<OrderAttr>(order)); });
}

Attribute OrderAttr::parse(AsmParser &parser, Type) {
  OrderAttr order;
  if (parser.parseLess() || parseOrderRef(parser, order) || parser.parseGreater())
    return {};
  return order;
}

void OrderAttr::print(AsmPrinter &printer) const {
  printer << '<';
  printOrderRef(printer, nullptr, *this);
  printer << '>';
}

//===-- Regions ---------------------------------------------------------------------------------------------------===//

ParseResult attn::parseRegionWithArguments(OpAsmParser &parser, Region &region, ArrayRef<Type> types,
                                           ArrayRef<OpAsmParser::Argument> leading) {
  SmallVector<OpAsmParser::Argument> arguments;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseArgumentList(arguments, OpAsmParser::Delimiter::Paren))
    return failure();
  if (arguments.size() != types.size())
    return parser.emitError(loc, "region takes ") << types.size() << " arguments, not " << arguments.size();
  for (auto [argument, type] : llvm::zip_equal(arguments, types))
    argument.type = type;
  arguments.insert(arguments.begin(), leading.begin(), leading.end());
  return parser.parseRegion(region, arguments);
}

void attn::printRegionWithArguments(OpAsmPrinter &printer, Region &region, unsigned leading) {
  printer << '(';
  llvm::interleaveComma(region.getArguments().drop_front(leading), printer,
                        [&](BlockArgument argument) { printer << argument; });
  printer << ") ";
  printer.printRegion(region, /*printEntryBlockArgs=*/false);
}

static SmallVector<Type> pairTypes(MLIRContext *context) { return SmallVector<Type>(4, IndexType::get(context)); }

ParseResult attn::parsePairRegion(OpAsmParser &parser, Region &region) {
  return parseRegionWithArguments(parser, region, pairTypes(parser.getContext()));
}

void attn::printPairRegion(OpAsmPrinter &printer, Operation *, Region &region) {
  printRegionWithArguments(printer, region);
}

static ParseResult parseOptionalRegion(OpAsmParser &parser, StringRef keyword, Region &region, ArrayRef<Type> types) {
  if (failed(parser.parseOptionalKeyword(keyword)))
    return success();
  return parseRegionWithArguments(parser, region, types);
}

static void printOptionalRegion(OpAsmPrinter &printer, StringRef keyword, Region &region) {
  if (region.empty())
    return;
  printer << ' ' << keyword << ' ';
  printRegionWithArguments(printer, region);
}

ParseResult attn::parseScoreRegion(OpAsmParser &parser, Region &region) {
  return parseOptionalRegion(parser, "score", region, scoreTypes(parser.getContext()));
}

void attn::printScoreRegion(OpAsmPrinter &printer, Operation *, Region &region) {
  printOptionalRegion(printer, "score", region);
}

ParseResult attn::parseSinkRegion(OpAsmParser &parser, Region &region) {
  return parseOptionalRegion(parser, "sink", region, sinkTypes(parser.getContext()));
}

void attn::printSinkRegion(OpAsmPrinter &printer, Operation *, Region &region) {
  printOptionalRegion(printer, "sink", region);
}

ParseResult attn::parseTestRegion(OpAsmParser &parser, Region &region) {
  return parseOptionalRegion(parser, "test", region, pairTypes(parser.getContext()));
}

void attn::printTestRegion(OpAsmPrinter &printer, Operation *, Region &region) {
  printOptionalRegion(printer, "test", region);
}

//===-- Use of a pattern ------------------------------------------------------------------------------------------===//

// `(@symbol(%a, %b : types))`, `(@symbol)`, or `{ ... }` after attn-specialize.
ParseResult attn::parsePatternUse(OpAsmParser &parser, FlatSymbolRefAttr &pattern,
                                  SmallVectorImpl<OpAsmParser::UnresolvedOperand> &arguments,
                                  SmallVectorImpl<Type> &types, Region &pairs) {
  if (failed(parser.parseOptionalLParen()))
    return parser.parseRegion(pairs);
  if (parser.parseAttribute(pattern))
    return failure();
  if (succeeded(parser.parseOptionalLParen()))
    if (parser.parseOperandList(arguments) || parser.parseColonTypeList(types) || parser.parseRParen())
      return failure();
  return parser.parseRParen();
}

void attn::printPatternUse(OpAsmPrinter &printer, Operation *, FlatSymbolRefAttr pattern, OperandRange arguments,
                           TypeRange types, Region &pairs) {
  if (!pattern) {
    printer << ' ';
    printer.printRegion(pairs, /*printEntryBlockArgs=*/false);
    return;
  }
  printer << '(' << pattern;
  if (!arguments.empty())
    printer << '(' << arguments << " : " << types << ')';
  printer << ')';
}
