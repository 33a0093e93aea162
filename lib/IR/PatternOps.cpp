// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers, folders and syntax of patterns.

#include "attn/IR/Syntax.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace attn;

//===-- attn.pattern and attn.score -------------------------------------------------------------------------------===//

static bool isRunTimeData(Type type) { return isa<TokensType, SegmentsType, LengthsType>(type); }

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

/// `@name(%parameter: type = default, ...)`; the parameters are the first arguments of the region.
static ParseResult parseSignature(OpAsmParser &parser, OperationState &state,
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

static void printSignature(OpAsmPrinter &printer, StringRef name, ArrayRef<BlockArgument> arguments,
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

static LogicalResult verifySignature(Operation *op, ArrayRef<BlockArgument> arguments, ArrayAttr names,
                                     ArrayAttr defaults) {
  if (names.size() != arguments.size() || defaults.size() != arguments.size())
    return op->emitOpError() << "has " << arguments.size() << " parameters, but " << names.size() << " names and "
                             << defaults.size() << " defaults";
  for (auto [argument, nameAttr, value] : llvm::zip_equal(arguments, names, defaults)) {
    Type type = argument.getType();
    StringRef name = cast<StringAttr>(nameAttr).getValue();
    if (!type.isIndex() && !type.isF32() && !isRunTimeData(type))
      return op->emitOpError() << "parameter '" << name << "' has type " << type
                               << "; use index, f32, !attn.tokens, !attn.segments or !attn.lengths";
    if (isa<UnitAttr>(value) && (type.isIndex() || type.isF32()))
      return op->emitOpError() << "parameter '" << name << "' has no default; write one, as in %" << name << ": "
                               << type << (type.isIndex() ? " = 1" : " = 1.0");
    if (!isDefaultOf(type, value))
      return op->emitOpError() << "default of parameter '" << name << "' is " << value << "; it has to be "
                               << (type.isIndex() ? "a whole number"
                                   : type.isF32() ? "a number"
                                                  : "a list of integers");
  }
  return success();
}

/// Parameters keep their names when an op is printed: they are what callers say.
static void nameParameters(Region &body, ArrayAttr names, OpAsmSetValueNameFn setName) {
  for (auto [argument, name] : llvm::zip(body.getArguments(), names.getAsRange<StringAttr>()))
    setName(argument, name);
}

void PatternOp::getAsmBlockArgumentNames(Region &body, OpAsmSetValueNameFn setName) {
  nameParameters(body, getArgumentNames(), setName);
}

void ScoreOp::getAsmBlockArgumentNames(Region &body, OpAsmSetValueNameFn setName) {
  nameParameters(body, getArgumentNames(), setName);
}

ParseResult PatternOp::parse(OpAsmParser &parser, OperationState &state) {
  SmallVector<OpAsmParser::Argument> arguments;
  if (parseSignature(parser, state, arguments))
    return failure();
  return parser.parseRegion(*state.addRegion(), arguments);
}

void PatternOp::print(OpAsmPrinter &printer) {
  printSignature(printer, getSymName(), getBody().getArguments(), getDefaults());
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

LogicalResult PatternOp::verifyRegions() {
  if (failed(verifySignature(*this, getBody().getArguments(), getArgumentNames(), getDefaults())))
    return failure();
  auto yield = dyn_cast<YieldOp>(getBody().front().getTerminator());
  if (!yield || yield.getNumOperands() != 1 || !isa<PatternType>(yield.getOperand(0).getType()))
    return emitOpError("has to yield one !attn.pattern");
  return success();
}

ParseResult ScoreOp::parse(OpAsmParser &parser, OperationState &state) {
  SmallVector<OpAsmParser::Argument> arguments;
  if (parseSignature(parser, state, arguments))
    return failure();
  Builder &builder = parser.getBuilder();
  SmallVector<Type> types(5, builder.getIndexType());
  types[0] = builder.getF32Type();
  return parseRegionWithArguments(parser, *state.addRegion(), types, arguments);
}

void ScoreOp::print(OpAsmPrinter &printer) {
  printSignature(printer, getSymName(), getBody().getArguments(), getDefaults());
  printRegionWithArguments(printer, getBody(), getDefaults().size());
}

LogicalResult ScoreOp::verifyRegions() {
  unsigned parameters = getBody().getNumArguments() < 5 ? 0 : getBody().getNumArguments() - 5;
  if (failed(
          verifySignature(*this, getBody().getArguments().take_front(parameters), getArgumentNames(), getDefaults())))
    return failure();
  Builder builder(getContext());
  SmallVector<Type> types(getBody().getArgumentTypes());
  types.truncate(parameters);
  types.push_back(builder.getF32Type());
  types.append(4, builder.getIndexType());
  return verifyPureRegion(*this, getBody(), "a score region", types, builder.getF32Type());
}

//===-- attn.yield ------------------------------------------------------------------------------------------------===//

ParseResult attn::YieldOp::parse(OpAsmParser &parser, OperationState &state) {
  SmallVector<OpAsmParser::UnresolvedOperand> values;
  SmallVector<Type> types;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseOperandList(values) || parser.parseOptionalAttrDict(state.attributes) ||
      parser.parseOptionalColonTypeList(types))
    return failure();
  if (types.empty())
    types.assign(values.size(), PatternType::get(parser.getContext()));
  return parser.resolveOperands(values, types, loc, state.operands);
}

void attn::YieldOp::print(OpAsmPrinter &printer) {
  if (getNumOperands())
    printer << ' ' << getOperands();
  printer.printOptionalAttrDict((*this)->getAttrs());
  if (!llvm::all_of(getOperandTypes(), [](Type type) { return isa<PatternType>(type); }))
    printer << " : " << getOperandTypes();
}

//===-- Atoms -----------------------------------------------------------------------------------------------------===//

static LogicalResult verifyBound(Operation *op, StringRef name, Value value, IntegerAttr literal, int64_t minimum) {
  IntegerAttr constant = literal;
  if (value && !literal)
    matchPattern(value, m_Constant(&constant));
  if (value && literal)
    return op->emitOpError() << name << " is given twice, as a value and as " << literal.getInt();
  if (constant && constant.getInt() < minimum)
    return op->emitOpError() << name << " is " << constant.getInt() << "; it has to be at least " << minimum;
  return success();
}

/// Turns a constant operand into a literal.
static LogicalResult makeLiteral(PatternRewriter &rewriter, Operation *op, MutableOperandRange value,
                                 llvm::function_ref<void(IntegerAttr)> setLiteral) {
  IntegerAttr constant;
  if (value.empty() || !matchPattern(OperandRange(value).front(), m_Constant(&constant)))
    return failure();
  rewriter.modifyOpInPlace(op, [&] {
    value.clear();
    setLiteral(constant);
  });
  return success();
}

LogicalResult WindowOp::verify() {
  if (failed(verifyBound(*this, "left", getLeft(), getStaticLeftAttr(), 0)))
    return failure();
  return verifyBound(*this, "right", getRight(), getStaticRightAttr(), 0);
}

LogicalResult WindowOp::canonicalize(WindowOp op, PatternRewriter &rewriter) {
  bool left = succeeded(makeLiteral(rewriter, op, op.getLeftMutable(), [&](auto c) { op.setStaticLeftAttr(c); }));
  bool right = succeeded(makeLiteral(rewriter, op, op.getRightMutable(), [&](auto c) { op.setStaticRightAttr(c); }));
  return success(left || right);
}

LogicalResult BlockLocalOp::verify() {
  if (!getBlock() && !getStaticBlockAttr())
    return emitOpError("needs a block size");
  return verifyBound(*this, "block", getBlock(), getStaticBlockAttr(), 1);
}

LogicalResult BlockLocalOp::canonicalize(BlockLocalOp op, PatternRewriter &rewriter) {
  return makeLiteral(rewriter, op, op.getBlockMutable(), [&](auto c) { op.setStaticBlockAttr(c); });
}

LogicalResult WhereOp::verifyRegions() {
  Type index = IndexType::get(getContext());
  return verifyPureRegion(*this, getBody(), "a where region", {index, index, index, index},
                          IntegerType::get(getContext(), 1));
}

//===-- Operators -------------------------------------------------------------------------------------------------===//

static LogicalResult verifyMembers(Operation *op) {
  if (op->getNumOperands() == 0)
    return op->emitOpError("has no members; name at least one pattern");
  return success();
}

LogicalResult UnionOp::verify() { return verifyMembers(*this); }
LogicalResult IntersectOp::verify() { return verifyMembers(*this); }

/// A member that changes nothing (`Neutral`) or a repeated one is dropped; one member alone is the result, and one that
/// decides everything (`Absorbing`) too.
template <typename Neutral, typename Absorbing, typename SetOp> static OpFoldResult foldMembers(SetOp op) {
  for (Value member : op.getMembers())
    if (member.getDefiningOp<Absorbing>())
      return member;
  llvm::SmallSetVector<Value, 4> kept;
  for (Value member : op.getMembers())
    if (!member.getDefiningOp<Neutral>())
      kept.insert(member);
  if (kept.empty())
    return op.getMembers().front();
  if (kept.size() == 1)
    return kept.front();
  if (kept.size() == op.getMembers().size())
    return {};
  op.getMembersMutable().assign(kept.getArrayRef());
  return op.getResult();
}

OpFoldResult UnionOp::fold(FoldAdaptor) { return foldMembers<EmptyOp, FullOp>(*this); }
OpFoldResult IntersectOp::fold(FoldAdaptor) { return foldMembers<FullOp, EmptyOp>(*this); }

OpFoldResult MinusOp::fold(FoldAdaptor) {
  if (getWithout().getDefiningOp<EmptyOp>() || getFrom().getDefiningOp<EmptyOp>())
    return getFrom();
  return {};
}
