// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads and prints the expressions of plans, and what is made of them.
//
//   expr   ::= [`-`] factor ((`+` | `-`) factor)*
//   factor ::= unit (`*` unit)*
//   unit   ::= integer | `i` | symbol | function `(` expr (`,` expr)* `)` | `(` expr `)`

#include "attn/IR/Syntax.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace attn;

// By CallSymbol; the numbers between that have no name are the emitters' own.
static constexpr StringLiteral callSymbolNames[FirstNamed] = {
    "length", "kv_length", "query_offset", "key_offset", "top_left_offset", "", "", "heads", "head"};

static FailureOr<SmallVector<Expr>> parseArguments(AsmParser &parser) {
  SmallVector<Expr> arguments;
  auto parseOne = [&]() -> ParseResult {
    FailureOr<Expr> argument = parseExpr(parser);
    if (failed(argument))
      return failure();
    arguments.push_back(*argument);
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, parseOne))
    return failure();
  return arguments;
}

static FailureOr<Expr> parseFunction(AsmParser &parser, SMLoc loc, StringRef name) {
  FailureOr<SmallVector<Expr>> arguments = parseArguments(parser);
  if (failed(arguments))
    return failure();
  bool isExtremum = name == "min" || name == "max";
  if (isExtremum ? arguments->empty() : arguments->size() != 2)
    return parser.emitError(loc, "'") << name << "' takes " << (isExtremum ? "at least one argument" : "two arguments")
                                      << ", not " << arguments->size();
  if (isExtremum)
    return name == "min" ? Expr::min(*arguments) : Expr::max(*arguments);
  if (std::optional<int64_t> divisor = (*arguments)[1].asConstant(); divisor && *divisor <= 0)
    return parser.emitError(loc, "'") << name << "' by " << *divisor << "; divide by a positive number";
  return name == "mod" ? Expr::mod((*arguments)[0], (*arguments)[1]) : Expr::floorDiv((*arguments)[0], (*arguments)[1]);
}

static FailureOr<Expr> parseUnit(AsmParser &parser) {
  SMLoc loc = parser.getCurrentLocation();
  int64_t integer;
  OptionalParseResult isInteger = parser.parseOptionalInteger(integer);
  if (isInteger.has_value())
    return failed(*isInteger) ? FailureOr<Expr>(failure()) : Expr(integer);
  if (succeeded(parser.parseOptionalLParen())) {
    FailureOr<Expr> inner = parseExpr(parser);
    if (failed(inner) || parser.parseRParen())
      return failure();
    return inner;
  }
  StringRef name;
  if (parser.parseKeyword(&name))
    return failure();
  if (name == "i")
    return Expr::row();
  if (name == "min" || name == "max" || name == "floordiv" || name == "mod")
    return parseFunction(parser, loc, name);
  if (const auto *known = llvm::find(callSymbolNames, name); known != std::end(callSymbolNames))
    return Expr::symbol(known - std::begin(callSymbolNames));
  unsigned index;
  if (name.consume_front("s") && !name.getAsInteger(10, index))
    return Expr::symbol(FirstNamed + index);
  return parser.emitError(loc, "unknown name '")
         << name << "' in an expression; known are i, length, kv_length, query_offset, key_offset, top_left_offset, "
         << "heads, head, s0, s1, ...";
}

static FailureOr<Expr> parseFactor(AsmParser &parser) {
  FailureOr<Expr> product = parseUnit(parser);
  while (succeeded(product) && succeeded(parser.parseOptionalStar())) {
    FailureOr<Expr> unit = parseUnit(parser);
    if (failed(unit))
      return failure();
    product = *product * *unit;
  }
  return product;
}

FailureOr<Expr> attn::parseExpr(AsmParser &parser) {
  bool negative = succeeded(parser.parseOptionalMinus());
  FailureOr<Expr> sum = parseFactor(parser);
  if (failed(sum))
    return failure();
  if (negative)
    sum = -*sum;
  while (true) {
    bool plus = succeeded(parser.parseOptionalPlus());
    if (!plus && failed(parser.parseOptionalMinus()))
      return sum;
    FailureOr<Expr> next = parseFactor(parser);
    if (failed(next))
      return failure();
    sum = plus ? *sum + *next : *sum - *next;
  }
}

unsigned attn::lastSymbol(const Expr &expr) {
  unsigned last = 0;
  for (const Expr::Summand &s : expr.summands()) {
    last = std::max(last, s.term->symbol);
    for (const Expr &operand : s.term->operands)
      last = std::max(last, lastSymbol(operand));
  }
  return last;
}

void attn::printExpr(llvm::raw_ostream &os, const Expr &expr) {
  SmallVector<std::string> named;
  for (unsigned i = FirstNamed; i <= lastSymbol(expr); ++i)
    named.push_back("s" + std::to_string(i - FirstNamed));
  SmallVector<StringRef> names(std::begin(callSymbolNames), std::end(callSymbolNames));
  names.append(named.begin(), named.end());
  expr.print(os, "i", names);
}

//===-- Attributes and directives ---------------------------------------------------------------------------------===//

Attribute ExprAttr::parse(AsmParser &parser, Type) {
  if (parser.parseLess())
    return {};
  FailureOr<Expr> expr = parseExpr(parser);
  if (failed(expr) || parser.parseGreater())
    return {};
  return ExprAttr::get(parser.getContext(), *expr);
}

void ExprAttr::print(AsmPrinter &printer) const {
  printer << '<';
  printExpr(printer.getStream(), getExpr());
  printer << '>';
}

ParseResult attn::parseBareExpr(OpAsmParser &parser, ExprAttr &expr) {
  FailureOr<Expr> parsed = parseExpr(parser);
  if (failed(parsed))
    return failure();
  expr = ExprAttr::get(parser.getContext(), *parsed);
  return success();
}

void attn::printBareExpr(OpAsmPrinter &printer, Operation *, ExprAttr expr) {
  printExpr(printer.getStream(), expr.getExpr());
}

// `[lower, upper)`: the upper end is not included.
ParseResult attn::parseBounds(OpAsmParser &parser, ExprAttr &lower, ExprAttr &upper) {
  return failure(parser.parseLSquare() || parseBareExpr(parser, lower) || parser.parseComma() ||
                 parseBareExpr(parser, upper) || parser.parseRParen());
}

void attn::printBounds(OpAsmPrinter &printer, Operation *op, ExprAttr lower, ExprAttr upper) {
  printer << '[';
  printBareExpr(printer, op, lower);
  printer << ", ";
  printBareExpr(printer, op, upper);
  printer << ')';
}

// `(key, query)`
ParseResult attn::parseClassPair(OpAsmParser &parser, ExprAttr &key, ExprAttr &query) {
  return failure(parser.parseLParen() || parseBareExpr(parser, key) || parser.parseComma() ||
                 parseBareExpr(parser, query) || parser.parseRParen());
}

void attn::printClassPair(OpAsmPrinter &printer, Operation *op, ExprAttr key, ExprAttr query) {
  printer << '(';
  printBareExpr(printer, op, key);
  printer << ", ";
  printBareExpr(printer, op, query);
  printer << ')';
}

ParseResult attn::parseHole(OpAsmParser &parser, ExprAttr &lower, ExprAttr &upper, ExprAttr &queryLower,
                            ExprAttr &queryUpper) {
  return failure(parser.parseKeyword("rows") || parseBounds(parser, lower, upper) || parser.parseKeyword("columns") ||
                 parseBounds(parser, queryLower, queryUpper));
}

void attn::printHole(OpAsmPrinter &printer, Operation *op, ExprAttr lower, ExprAttr upper, ExprAttr queryLower,
                     ExprAttr queryUpper) {
  printer << "rows ";
  printBounds(printer, op, lower, upper);
  printer << " columns ";
  printBounds(printer, op, queryLower, queryUpper);
}

//===-- Requirements ----------------------------------------------------------------------------------------------===//

// `"rows of the grid" expr >= "rows of the neighborhood" expr`. A `>` would end an attribute that stands alone: there
// the words `at_least` are in its place.
static FailureOr<RequirementAttr> parseRequirement(AsmParser &parser, bool standsAlone) {
  auto parseAtLeast = [&]() -> ParseResult {
    if (standsAlone)
      return parser.parseKeyword("at_least");
    return failure(parser.parseGreater() || parser.parseEqual());
  };
  std::string name, leastName;
  if (parser.parseString(&name))
    return failure();
  FailureOr<Expr> value = parseExpr(parser);
  if (failed(value) || parseAtLeast() || parser.parseString(&leastName))
    return failure();
  FailureOr<Expr> least = parseExpr(parser);
  if (failed(least))
    return failure();
  return RequirementAttr::get(parser.getContext(), name, *value, leastName, *least);
}

static void printRequirement(AsmPrinter &printer, RequirementAttr requirement, bool standsAlone) {
  printer.printString(requirement.getName());
  printer << ' ';
  printExpr(printer.getStream(), requirement.getValue());
  printer << (standsAlone ? " at_least " : " >= ");
  printer.printString(requirement.getLeastName());
  printer << ' ';
  printExpr(printer.getStream(), requirement.getLeast());
}

Attribute RequirementAttr::parse(AsmParser &parser, Type) {
  if (parser.parseLess())
    return {};
  FailureOr<RequirementAttr> requirement = parseRequirement(parser, /*standsAlone=*/true);
  if (failed(requirement) || parser.parseGreater())
    return {};
  return *requirement;
}

void RequirementAttr::print(AsmPrinter &printer) const {
  printer << '<';
  printRequirement(printer, *this, /*standsAlone=*/true);
  printer << '>';
}

ParseResult attn::parseRequirements(OpAsmParser &parser, ArrayAttr &requirements) {
  SmallVector<Attribute> list;
  auto parseOne = [&]() -> ParseResult {
    FailureOr<RequirementAttr> requirement = parseRequirement(parser, /*standsAlone=*/false);
    if (failed(requirement))
      return failure();
    list.push_back(*requirement);
    return success();
  };
  if (parser.parseCommaSeparatedList(parseOne))
    return failure();
  requirements = parser.getBuilder().getArrayAttr(list);
  return success();
}

void attn::printRequirements(OpAsmPrinter &printer, Operation *, ArrayAttr requirements) {
  llvm::interleaveComma(requirements.getAsRange<RequirementAttr>(), printer, [&](RequirementAttr requirement) {
    printRequirement(printer, requirement, /*standsAlone=*/false);
  });
}
