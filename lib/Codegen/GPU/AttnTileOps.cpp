// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checks the ops of attn_tile: what the hardware refuses, and what ptxas would serialize.

#include "attn/Codegen/AttnTile.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace attn::tile;

//===-- Syntax ----------------------------------------------------------------------------------------------------===//

/// name(%argument) {...}
static ParseResult parseRole(OpAsmParser &parser, StringRef name, Region &region) {
  OpAsmParser::Argument warp;
  if (parser.parseKeyword(name) || parser.parseLParen() || parser.parseArgument(warp) || parser.parseRParen())
    return failure();
  warp.type = parser.getBuilder().getI32Type();
  return parser.parseRegion(region, warp);
}

static void printRole(OpAsmPrinter &printer, StringRef name, Region &region) {
  printer << " " << name << "(" << region.getArgument(0) << ") ";
  printer.printRegion(region, /*printEntryBlockArgs=*/false);
}

ParseResult RolesOp::parse(OpAsmParser &parser, OperationState &result) {
  Region *producer = result.addRegion(), *consumer = result.addRegion();
  Builder &b = parser.getBuilder();
  int32_t producerRegisters, consumerRegisters;
  if (parser.parseKeyword("registers") || parser.parseLParen() || parser.parseInteger(producerRegisters) ||
      parser.parseComma() || parser.parseInteger(consumerRegisters) || parser.parseRParen())
    return failure();
  result.addAttribute("producer_registers", b.getI32IntegerAttr(producerRegisters));
  result.addAttribute("consumer_registers", b.getI32IntegerAttr(consumerRegisters));
  return failure(parseRole(parser, "producer", *producer) || parseRole(parser, "consumer", *consumer) ||
                 parser.parseOptionalAttrDict(result.attributes));
}

void RolesOp::print(OpAsmPrinter &printer) {
  printer << " registers(" << getProducerRegisters() << ", " << getConsumerRegisters() << ")";
  printRole(printer, "producer", getProducer());
  printRole(printer, "consumer", getConsumer());
  printer.printOptionalAttrDict((*this)->getAttrs(), {"producer_registers", "consumer_registers"});
}

/// %a, %b (%x: f32, %column: i32) {...} : (type, type) -> type
static ParseResult parsePlaces(OpAsmParser &parser, OperationState &result) {
  SmallVector<OpAsmParser::UnresolvedOperand> operands;
  SmallVector<OpAsmParser::Argument> arguments;
  FunctionType type;
  SMLoc at = parser.getCurrentLocation();
  if (parser.parseOperandList(operands) ||
      parser.parseArgumentList(arguments, OpAsmParser::Delimiter::Paren, /*allowType=*/true) ||
      parser.parseRegion(*result.addRegion(), arguments) || parser.parseOptionalAttrDict(result.attributes) ||
      parser.parseColonType(type))
    return failure();
  result.addTypes(type.getResults());
  return parser.resolveOperands(operands, type.getInputs(), at, result.operands);
}

static void printPlaces(OpAsmPrinter &printer, Operation *op) {
  Region &body = op->getRegion(0);
  printer << " " << op->getOperands() << (op->getNumOperands() ? " (" : "(");
  llvm::interleaveComma(body.getArguments(), printer, [&](BlockArgument a) { printer.printRegionArgument(a); });
  printer << ") ";
  printer.printRegion(body, /*printEntryBlockArgs=*/false);
  printer.printOptionalAttrDict(op->getAttrs(), {"rolled"});
  printer << " : ";
  printer.printFunctionalType(op);
}

ParseResult MapOp::parse(OpAsmParser &parser, OperationState &result) {
  if (succeeded(parser.parseOptionalKeyword("rolled")))
    result.addAttribute(getRolledAttrName(result.name), parser.getBuilder().getUnitAttr());
  return parsePlaces(parser, result);
}
void MapOp::print(OpAsmPrinter &printer) {
  if (getRolled())
    printer << " rolled";
  printPlaces(printer, *this);
}
ParseResult AskOp::parse(OpAsmParser &parser, OperationState &result) { return parsePlaces(parser, result); }
void AskOp::print(OpAsmPrinter &printer) { printPlaces(printer, *this); }

//===-- Roles -----------------------------------------------------------------------------------------------------===//

/// The registers that ptxas gives a thread at launch; setmaxnreg deals out no more than these.
static int64_t registersAtLaunch(int64_t threads, int64_t blocks) {
  constexpr int64_t ofMultiprocessor = 65536, mostForThreads = 168;
  return std::min(ofMultiprocessor / blocks / threads / 8 * 8, mostForThreads);
}

static LogicalResult verifyRegisters(RolesOp op, int64_t threads, int64_t blocks) {
  int64_t producer = op.getProducerRegisters(), consumer = op.getConsumerRegisters();
  for (int64_t registers : {producer, consumer})
    if (registers % 8 || registers < 24 || registers > 240)
      return op.emitOpError() << "deals out " << registers << " registers; use a multiple of 8 from 24 to 240";
  int64_t atLaunch = registersAtLaunch(threads, blocks), consumers = threads - 128;
  if (producer > atLaunch || consumer < atLaunch)
    return op.emitOpError() << "a producer gives up registers and a consumer gets them; the " << atLaunch
                            << " at launch are not between " << producer << " and " << consumer;
  if (producer * 128 + consumer * consumers > atLaunch * threads)
    return op.emitOpError() << "deals out more registers than the " << atLaunch << " that each of " << threads
                            << " threads has at launch; give a consumer at most "
                            << (atLaunch * threads - producer * 128) / consumers / 8 * 8;
  return success();
}

LogicalResult RolesOp::verify() {
  for (Region *role : getRegions())
    if (role->getArgumentTypes() != ArrayRef<Type>{IntegerType::get(getContext(), 32)})
      return emitOpError("a role has one argument, an i32");
  auto kernel = (*this)->getParentOfType<LLVM::LLVMFuncOp>();
  auto threads = kernel ? kernel->getAttrOfType<DenseI32ArrayAttr>("nvvm.reqntid") : nullptr;
  auto blocks = kernel ? kernel->getAttrOfType<IntegerAttr>("nvvm.minctasm") : nullptr;
  if (!threads || threads.empty() || !blocks || blocks.getInt() < 1)
    return emitOpError("depends on the registers at launch; give the llvm.func nvvm.reqntid and nvvm.minctasm");
  int64_t count = threads[0];
  if (count < 256 || count % 128)
    return emitOpError() << "has " << count << " threads; use a producer's 128 and a multiple of 128 for consumers";
  return verifyRegisters(*this, count, blocks.getInt());
}

//===-- Products --------------------------------------------------------------------------------------------------===//

static LogicalResult verifyElements(Operation *op, Type first, Type second) {
  if (first == second)
    return success();
  return op->emitOpError() << "element types of operands differ: " << first << " != " << second;
}

static LogicalResult verify64Rows(Operation *op, SharedType tile) {
  if (tile.getRows() == 64)
    return success();
  return op->emitOpError() << "takes 64 rows, not a tile of " << tile.getRows() << "; use attn_tile.subtile";
}

LogicalResult TopOp::verify() {
  SharedType tile = getTile().getType(), part = getPart().getType();
  if (part.getRows() > tile.getRows())
    return emitOpError() << "takes " << part.getRows() << " rows of a tile of " << tile.getRows();
  if (part != tile.top(part.getRows()))
    return emitOpError() << "of " << tile << " is " << tile.top(part.getRows()) << ", not " << part;
  return success();
}

/// The wait for a product, if it is where it has to be.
static WaitOp waitFor(Operation *product) {
  Value pending = product->getResult(0);
  auto wait = pending.hasOneUse() ? dyn_cast<WaitOp>(*pending.user_begin()) : WaitOp();
  return wait && wait->getBlock() == product->getBlock() ? wait : WaitOp();
}

static LogicalResult verifyIsAwaited(Operation *op) {
  if (waitFor(op))
    return success();
  return op->emitOpError("its registers are written until they are waited for; use the product once, in an "
                         "attn_tile.wait of the same block");
}

LogicalResult MultiplyOp::verify() {
  SharedType query = getQuery().getType(), key = getKey().getType();
  int64_t depth = getDepth(), columns = std::min(query.getColumns(), key.getColumns());
  if (failed(verify64Rows(*this, query)) || failed(verifyElements(*this, query.getElement(), key.getElement())))
    return failure();
  if (key.getRows() > 256)
    return emitOpError() << "takes up to 256 key rows, not " << key.getRows();
  if (depth < 16 || depth % 16 || depth > columns)
    return emitOpError() << "of depth " << depth << "; use a multiple of 16 up to " << columns;
  return verifyIsAwaited(*this);
}

LogicalResult AccumulateOp::verify() {
  OperandType weights = getWeights().getType();
  SharedType value = getValue().getType();
  int64_t columns = getAccumulator().getType().getColumns();
  if (failed(verifyElements(*this, weights.getElement(), value.getElement())))
    return failure();
  if (weights.getColumns() != value.getRows())
    return emitOpError() << "keys of weights and values differ: " << weights.getColumns() << " != " << value.getRows();
  if (columns > value.getColumns())
    return emitOpError() << "accumulates " << columns << " columns of values that have " << value.getColumns();
  return verifyIsAwaited(*this);
}

/// What stands between a product and its wait.
static auto opsBetween(Operation *product, WaitOp wait) {
  return llvm::make_range(std::next(product->getIterator()), wait->getIterator());
}

/// The later products that are begun and not waited for at `wait`.
static int64_t countInFlight(Operation *product, WaitOp wait) {
  return llvm::count_if(opsBetween(product, wait), [&](Operation &op) {
    if (!isa<MultiplyOp, AccumulateOp>(op))
      return false;
    WaitOp other = waitFor(&op);
    return other && wait->isBeforeInBlock(other);
  });
}

LogicalResult WaitOp::verify() {
  Operation *product = getProduct().getDefiningOp();
  if (!product || waitFor(product) != *this)
    return emitOpError("waits for a product that is not begun in its block");
  int64_t count = countInFlight(product, *this);
  if (getInflight() != count)
    return emitOpError() << "says inflight(" << getInflight() << "), later products in flight are " << count
                         << "; use inflight(" << count << ")";
  if (!isa<AccumulateOp>(product))
    return success();
  for (Operation &op : opsBetween(product, *this))
    if (op.walk([](ConvertOp) { return WalkResult::interrupt(); }).wasInterrupted())
      return op.emitOpError(
                   "writes an operand while a product reads another: ptxas would serialize them; convert after "
                   "the wait")
                 .attachNote(getLoc())
             << "the wait";
  return success();
}

//===-- Registers -------------------------------------------------------------------------------------------------===//

LogicalResult WriteOp::verify() {
  int64_t columns = getValue().getType().getColumns(), room = getTile().getType().getColumns();
  if (columns > room)
    return emitOpError() << "writes " << columns << " columns to a tile of " << room;
  return verify64Rows(*this, getTile().getType());
}

LogicalResult LoadOp::verify() {
  int64_t columns = getColumns(), room = getResult().getType().getColumns();
  if (columns < 1 || columns > room)
    return emitOpError() << "reads " << columns << " columns into an accumulator of " << room;
  if (!getElement().isF32() && !getElement().isBF16() && !getElement().isF16())
    return emitOpError() << "reads elements of " << getElement() << "; use f32, bf16 or f16";
  return success();
}

LogicalResult SplatOp::verify() {
  Type result = getResult().getType(), needed = Float32Type::get(getContext());
  if (auto row = dyn_cast<RowType>(result))
    needed = row.getElement();
  else if (auto operand = dyn_cast<OperandType>(result); operand && !operand.getElement().isF32())
    needed = IntegerType::get(getContext(), 32);
  if (getValue().getType() == needed)
    return success();
  return emitOpError() << "of " << getValue().getType() << " to " << result << "; use " << needed;
}

LogicalResult ConvertOp::verify() {
  int64_t from = getValue().getType().getColumns(), to = getResult().getType().getColumns();
  if (from == to)
    return success();
  return emitOpError() << "columns of accumulator and operand differ: " << from << " != " << to;
}

LogicalResult AcrossOp::verify() {
  if (getValue().getType().getElement().isF32())
    return success();
  return emitOpError() << "folds f32, not " << getValue().getType().getElement();
}

LogicalResult AnyOp::verify() {
  if (getValue().getType().getElement().isInteger(1))
    return success();
  return emitOpError() << "asks for i1, not " << getValue().getType().getElement();
}

LogicalResult BetweenOp::verify() {
  for (Type bound : {getBegin().getType().getElement(), getEnd().getType().getElement()})
    if (!bound.isInteger(32))
      return emitOpError() << "compares columns with i32, not " << bound;
  return success();
}

//===-- Place by place --------------------------------------------------------------------------------------------===//

/// What a region sees of a value at one place; or has to yield for it.
static Type typeAtPlace(Type type) {
  if (auto row = dyn_cast<RowType>(type))
    return row.getElement();
  if (isa<BitsType>(type))
    return IntegerType::get(type.getContext(), 1);
  return Float32Type::get(type.getContext());
}

/// Columns of a value with places; 0 for a row.
static int64_t columnsOf(Type type) {
  if (auto acc = dyn_cast<AccType>(type))
    return acc.getColumns();
  if (auto bits = dyn_cast<BitsType>(type))
    return bits.getColumns();
  return 0;
}

static LogicalResult verifyPlaces(Operation *op, Region &body) {
  Type result = op->getResult(0).getType();
  SmallVector<Type> seen = llvm::map_to_vector(op->getOperandTypes(), typeAtPlace);
  if (columnsOf(result))
    seen.push_back(IntegerType::get(op->getContext(), 32));
  for (Type type : op->getOperandTypes())
    if (columnsOf(type) && columnsOf(type) != columnsOf(result))
      return op->emitOpError() << "columns of operand and result differ: " << type << ", " << result;
  if (body.getArgumentTypes() != ArrayRef(seen))
    return op->emitOpError() << "region takes (" << body.getArgumentTypes() << "), a place has (" << seen << ")";
  auto yield = dyn_cast<YieldOp>(body.front().getTerminator());
  if (!yield || yield.getValue().getType() != typeAtPlace(result))
    return op->emitOpError() << "region has to yield " << typeAtPlace(result);
  return success();
}

LogicalResult MapOp::verifyRegions() {
  SmallVector<Type> places;
  for (Value operand : getOperands())
    if (columnsOf(operand.getType()))
      places.push_back(operand.getType());
  if (getRolled() && (places.size() != 1 || places.front() != getResult().getType()))
    return emitOpError() << "a rolled map takes one accumulator and rows, and gives an accumulator; there are "
                         << places.size() << " operands with columns";
  return verifyPlaces(*this, getBody());
}
LogicalResult AskOp::verifyRegions() { return verifyPlaces(*this, getBody()); }

#define GET_OP_CLASSES
#include "attn/Codegen/AttnTileOps.cpp.inc"
