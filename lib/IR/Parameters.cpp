// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The parameters of a symbol and their defaults: syntax and checks that attn.pattern and attn.score share.

#include "attn/IR/Syntax.h"

using namespace mlir;
using namespace attn;

static bool isRunTimeData(Type type) {
  return isa<TokensType, SegmentsType, LengthsType, PerHeadType, BlocksType, ArrayType>(type);
}

/// Whether a list of integers can stand for the data of every call.
static bool takesList(Type type) { return isa<TokensType, LengthsType, PerHeadType>(type); }

/// Reads what follows `=`: a list of integers for run-time data, else a number of the parameter's type.
static ParseResult parseDefault(OpAsmParser &parser, Type type, Attribute &value) {
  SMLoc loc = parser.getCurrentLocation();
  if (!isRunTimeData(type))
    return parser.parseAttribute(value, type);
  if (parser.parseOptionalLSquare())
    return parser.emitError(loc, "the default of run-time data is a list of integers, as in [0, 1]");
  SmallVector<int32_t> entries;
  auto parseEntry = [&] { return parser.parseInteger(entries.emplace_back()); };
  if (parser.parseOptionalRSquare() && (parser.parseCommaSeparatedList(parseEntry) || parser.parseRSquare()))
    return failure();
  value = parser.getBuilder().getDenseI32ArrayAttr(entries);
  return success();
}

ParseResult attn::parseSignature(OpAsmParser &parser, OperationState &state,
                                 SmallVectorImpl<OpAsmParser::Argument> &arguments) {
  StringAttr name;
  if (parser.parseSymbolName(name, SymbolTable::getSymbolAttrName(), state.attributes))
    return failure();
  SmallVector<Attribute> names, defaults;
  Builder &builder = parser.getBuilder();
  auto parseParameter = [&]() -> ParseResult {
    OpAsmParser::Argument &argument = arguments.emplace_back();
    if (parser.parseArgument(argument) || parser.parseColonType(argument.type))
      return failure();
    names.push_back(builder.getStringAttr(argument.ssaName.name.drop_front()));
    Attribute value = builder.getUnitAttr();
    if (succeeded(parser.parseOptionalEqual()) && parseDefault(parser, argument.type, value))
      return failure();
    defaults.push_back(value);
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, parseParameter))
    return failure();
  state.addAttribute("argument_names", builder.getArrayAttr(names));
  state.addAttribute("defaults", builder.getArrayAttr(defaults));
  return success();
}

void attn::printSignature(OpAsmPrinter &printer, StringRef name, ArrayRef<BlockArgument> arguments,
                          ArrayAttr defaults) {
  printer << ' ';
  printer.printSymbolName(name);
  printer << '(';
  llvm::interleaveComma(llvm::zip(arguments, defaults), printer, [&](auto parameter) {
    auto [argument, value] = parameter;
    printer << argument << ": " << argument.getType();
    if (auto list = dyn_cast<DenseI32ArrayAttr>(value)) {
      printer << " = [";
      llvm::interleaveComma(list.asArrayRef(), printer);
      printer << ']';
    } else if (!isa<UnitAttr>(value)) {
      printer << " = ";
      printer.printAttributeWithoutType(value);
    }
  });
  printer << ") ";
}

/// Whether a default has the form that parameters of this type take.
static bool isDefaultOf(Type type, Attribute value) {
  if (isRunTimeData(type))
    return isa<UnitAttr, DenseI32ArrayAttr>(value);
  auto number = dyn_cast<TypedAttr>(value);
  return number && isa<IntegerAttr, FloatAttr>(value) && number.getType() == type;
}

static LogicalResult verifyParameter(Operation *op, StringRef name, Type type, Attribute value) {
  if (!type.isIndex() && !type.isF32() && !isRunTimeData(type))
    return op->emitOpError() << "parameter '" << name << "' has type " << type
                             << "; use index, f32, !attn.tokens, !attn.segments, !attn.lengths, !attn.per_head, "
                                "!attn.blocks or !attn.array";
  if (isa<UnitAttr>(value) && (type.isIndex() || type.isF32()))
    return op->emitOpError() << "parameter '" << name << "' has no default; write one, as in %" << name << ": " << type
                             << (type.isIndex() ? " = 1" : " = 1.0");
  if (!isDefaultOf(type, value))
    return op->emitOpError() << "default of parameter '" << name << "' is " << value << "; it has to be "
                             << (type.isIndex() ? "a whole number"
                                 : type.isF32() ? "a number"
                                                : "a list of integers");
  auto list = dyn_cast<DenseI32ArrayAttr>(value);
  if (list && !takesList(type))
    return op->emitOpError() << "parameter '" << name << "' of type " << type
                             << " has a default; leave it out, the caller provides such data";
  if (list && list.empty() && isa<PerHeadType>(type))
    return op->emitOpError() << "default of parameter '" << name
                             << "' is empty; write one number for all heads, or one for each of them";
  return success();
}

LogicalResult attn::verifySignature(Operation *op, ArrayRef<BlockArgument> arguments, ArrayAttr names,
                                    ArrayAttr defaults) {
  if (names.size() != arguments.size() || defaults.size() != arguments.size())
    return op->emitOpError() << "has " << arguments.size() << " parameters, but " << names.size() << " names and "
                             << defaults.size() << " defaults";
  for (auto [argument, name, value] : llvm::zip_equal(arguments, names.getAsRange<StringAttr>(), defaults))
    if (failed(verifyParameter(op, name.getValue(), argument.getType(), value)))
      return failure();
  return success();
}

void attn::nameParameters(Region &body, ArrayAttr names, OpAsmSetValueNameFn setName) {
  for (auto [argument, name] : llvm::zip(body.getArguments(), names.getAsRange<StringAttr>()))
    setName(argument, name);
}
