// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Syntax and checks of types.

#include "attn/IR/Syntax.h"

using namespace mlir;
using namespace attn;

namespace {
struct NamedExtent {
  StringLiteral name;
  Extent extent;
};
} // namespace

static constexpr NamedExtent namedExtents[] = {{"batch", BatchExtent},      {"heads", HeadsExtent},
                                               {"kv_heads", KvHeadsExtent}, {"queries", QueriesExtent},
                                               {"keys", KeysExtent},        {"head_size", HeadSizeExtent}};

void attn::printExtent(llvm::raw_ostream &os, int64_t extent) {
  if (extent >= 0)
    os << extent;
  else if (extent == AnyExtent)
    os << '?';
  else
    os << llvm::find_if(namedExtents, [&](const NamedExtent &named) { return named.extent == extent; })->name;
}

static ParseResult parseExtent(AsmParser &parser, int64_t &extent) {
  OptionalParseResult isInteger = parser.parseOptionalInteger(extent);
  if (isInteger.has_value())
    return *isInteger;
  if (succeeded(parser.parseOptionalQuestion())) {
    extent = AnyExtent;
    return success();
  }
  StringRef name;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseKeyword(&name))
    return failure();
  const auto *known = llvm::find_if(namedExtents, [&](const NamedExtent &named) { return named.name == name; });
  if (known == std::end(namedExtents))
    return parser.emitError(loc, "unknown extent '")
           << name << "'; known are numbers, ?, batch, heads, kv_heads, queries, keys and head_size";
  extent = known->extent;
  return success();
}

Type ArrayType::parse(AsmParser &parser) {
  SmallVector<int64_t> extents;
  auto parseOne = [&] { return parseExtent(parser, extents.emplace_back()); };
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseOne) ||
      parser.parseGreater())
    return {};
  return parser.getChecked<ArrayType>(loc, parser.getContext(), ArrayRef<int64_t>(extents));
}

void ArrayType::print(AsmPrinter &printer) const {
  printer << "<[";
  llvm::interleaveComma(getExtents(), printer, [&](int64_t extent) { printExtent(printer.getStream(), extent); });
  printer << "]>";
}

LogicalResult ArrayType::verify(llvm::function_ref<InFlightDiagnostic()> emitError, ArrayRef<int64_t> extents) {
  constexpr size_t mostExtents = 4; // ATTN_MAX_RANK of attn.h
  if (extents.empty() || extents.size() > mostExtents)
    return emitError() << "array has " << extents.size() << " extents; it has to have 1 to " << mostExtents;
  for (auto [axis, extent] : llvm::enumerate(extents))
    if (extent == 0 || extent < HeadSizeExtent)
      return emitError() << "extent " << axis << " of the array is " << extent << "; it has to be at least 1";
  return success();
}
