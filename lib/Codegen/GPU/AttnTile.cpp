// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Registers the attn_tile dialect, and reads, prints and checks its types.

#include "attn/Codegen/AttnTile.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace attn::tile;

#include "attn/Codegen/AttnTileDialect.cpp.inc"
#include "attn/Codegen/AttnTileEnums.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "attn/Codegen/AttnTileTypes.cpp.inc"

void AttnTileDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "attn/Codegen/AttnTileTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "attn/Codegen/AttnTileOps.cpp.inc"
      >();
}

//===-- Syntax ----------------------------------------------------------------------------------------------------===//

/// rowsxcolumnsxelement, as "64x128xbf16".
static ParseResult parseRowsAndColumns(AsmParser &parser, SmallVectorImpl<int64_t> &shape, Type &element) {
  SMLoc at = parser.getCurrentLocation();
  if (parser.parseDimensionList(shape, /*allowDynamic=*/false) || parser.parseType(element))
    return failure();
  if (shape.size() != 2)
    return parser.emitError(at, "expected rows and columns");
  return success();
}

/// <64xcolumnsxf32>
static FailureOr<int64_t> parseColumnsOfF32(AsmParser &parser) {
  SmallVector<int64_t> shape;
  Type element;
  SMLoc at = parser.getCurrentLocation();
  if (parser.parseLess() || parseRowsAndColumns(parser, shape, element) || parser.parseGreater())
    return failure();
  if (shape[0] != 64 || !element.isF32())
    return parser.emitError(at, "expected 64 rows of f32");
  return shape[1];
}

static auto errorsAt(AsmParser &parser, SMLoc at) {
  return [&parser, at] { return parser.emitError(at); };
}

/// 128x64xbf16, panel = 256
static SharedType parseTile(AsmParser &parser) {
  SmallVector<int64_t> shape;
  Type element;
  int64_t panel = 0;
  SMLoc at = parser.getCurrentLocation();
  if (parseRowsAndColumns(parser, shape, element))
    return {};
  if (succeeded(parser.parseOptionalComma()) &&
      (parser.parseKeyword("panel") || parser.parseEqual() || parser.parseInteger(panel)))
    return {};
  return SharedType::getChecked(errorsAt(parser, at), parser.getContext(), shape[0], shape[1], element, panel);
}

static void printTile(AsmPrinter &printer, SharedType tile) {
  printer << tile.getRows() << "x" << tile.getColumns() << "x" << tile.getElement();
  if (tile.getPanel())
    printer << ", panel = " << tile.getPanel();
}

Type SharedType::parse(AsmParser &parser) {
  if (parser.parseLess())
    return {};
  SharedType tile = parseTile(parser);
  return tile && succeeded(parser.parseGreater()) ? tile : SharedType();
}

void SharedType::print(AsmPrinter &printer) const {
  printer << "<";
  printTile(printer, *this);
  printer << ">";
}

Type RingType::parse(AsmParser &parser) {
  int64_t stages;
  SMLoc at = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseInteger(stages) || parser.parseKeyword("x"))
    return {};
  SharedType tile = parseTile(parser);
  if (!tile || parser.parseGreater())
    return {};
  return getChecked(errorsAt(parser, at), parser.getContext(), stages, tile);
}

void RingType::print(AsmPrinter &printer) const {
  printer << "<" << getStages() << " x ";
  printTile(printer, getTile());
  printer << ">";
}

Type AccType::parse(AsmParser &parser) {
  SMLoc at = parser.getCurrentLocation();
  FailureOr<int64_t> columns = parseColumnsOfF32(parser);
  return failed(columns) ? Type() : getChecked(errorsAt(parser, at), parser.getContext(), *columns);
}

void AccType::print(AsmPrinter &printer) const { printer << "<64x" << getColumns() << "xf32>"; }

Type PendingType::parse(AsmParser &parser) {
  SMLoc at = parser.getCurrentLocation();
  FailureOr<int64_t> columns = parseColumnsOfF32(parser);
  return failed(columns) ? Type() : getChecked(errorsAt(parser, at), parser.getContext(), *columns);
}

void PendingType::print(AsmPrinter &printer) const { printer << "<64x" << getColumns() << "xf32>"; }

Type OperandType::parse(AsmParser &parser) {
  SmallVector<int64_t> shape;
  Type element;
  SMLoc at = parser.getCurrentLocation();
  if (parser.parseLess() || parseRowsAndColumns(parser, shape, element) || parser.parseGreater())
    return {};
  if (shape[0] != 64)
    return parser.emitError(at, "expected 64 rows"), Type();
  return getChecked(errorsAt(parser, at), parser.getContext(), shape[1], element);
}

void OperandType::print(AsmPrinter &printer) const { printer << "<64x" << getColumns() << "x" << getElement() << ">"; }

Type BitsType::parse(AsmParser &parser) {
  SmallVector<int64_t> shape;
  SMLoc at = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseDimensionList(shape, /*allowDynamic=*/false, /*withTrailingX=*/false) ||
      parser.parseGreater())
    return {};
  if (shape.size() != 2 || shape[0] != 64)
    return parser.emitError(at, "expected 64 rows"), Type();
  return getChecked(errorsAt(parser, at), parser.getContext(), shape[1]);
}

void BitsType::print(AsmPrinter &printer) const { printer << "<64x" << getColumns() << ">"; }

//===-- Checks ----------------------------------------------------------------------------------------------------===//

using EmitError = function_ref<InFlightDiagnostic()>;

static LogicalResult verifyElement(EmitError emitError, Type element) {
  if (element.isF32() || element.isBF16() || element.isF16())
    return success();
  return emitError() << "element type is " << element << "; use f32, bf16 or f16";
}

static LogicalResult verifyMultiple(EmitError emitError, StringRef what, int64_t value, int64_t unit, int64_t most) {
  if (value > 0 && value % unit == 0 && value <= most)
    return success();
  InFlightDiagnostic error = emitError() << value << " " << what << "; use a multiple of " << unit;
  if (most != INT64_MAX)
    error << " up to " << most;
  return error;
}

LogicalResult SharedType::verify(EmitError emitError, int64_t rows, int64_t columns, Type element, int64_t panel) {
  if (failed(verifyElement(emitError, element)) || failed(verifyMultiple(emitError, "rows", rows, 8, INT64_MAX)) ||
      failed(verifyMultiple(emitError, "columns", columns, element.isF32() ? 32 : 64, INT64_MAX)))
    return failure();
  if (panel && (panel < rows || panel % 8))
    return emitError() << "panels of " << panel << " rows; use a multiple of 8 from " << rows << " on";
  return success();
}

LogicalResult AccType::verify(EmitError emitError, int64_t columns) {
  return verifyMultiple(emitError, "columns", columns, 8, 256);
}

LogicalResult PendingType::verify(EmitError emitError, int64_t columns) {
  return verifyMultiple(emitError, "columns", columns, 8, 256);
}

LogicalResult OperandType::verify(EmitError emitError, int64_t columns, Type element) {
  if (failed(verifyElement(emitError, element)))
    return failure();
  return verifyMultiple(emitError, "columns", columns, 16, 256);
}

LogicalResult BitsType::verify(EmitError emitError, int64_t columns) {
  return verifyMultiple(emitError, "columns", columns, 8, 128);
}

LogicalResult RingType::verify(EmitError emitError, int64_t stages, SharedType tile) {
  if (stages < 1)
    return emitError() << "ring of " << stages << " stages; use at least one";
  if (tile.getPanel() || tile.bytes() % 1024)
    return emitError() << "stages of " << tile.bytes()
                       << " bytes; use whole tiles of a multiple of 1024 bytes, without panel";
  return success();
}
