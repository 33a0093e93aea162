// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Proves that pure regions read inside of their arrays: from the ops that make an index follows the interval of the
// values that it can take, and that has to lie in the extent. An operation that may leave 64 bits wraps around there,
// so nothing is known of its result; the numbers of a pattern must not.

#include "attn/IR/Syntax.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"
#include <limits>

using namespace mlir;
using namespace attn;

namespace {

/// What is counted has a row of its own in memory, so there is less of it than there are addresses.
constexpr int64_t mostCounted = int64_t(1) << 48;

/// The values from `low` to `high`, both included.
struct Interval {
  int64_t low, high;

  bool contains(const Interval &other) const { return low <= other.low && other.high <= high; }
  Interval hull(const Interval &other) const { return {std::min(low, other.low), std::max(high, other.high)}; }
};

/// All values of a type; index has 64 bits, and i1 holds 0 and -1.
Interval valuesOf(Type type) {
  unsigned width = type.isInteger() ? type.getIntOrFloatBitWidth() : 64;
  return width >= 64 ? Interval{std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()}
                     : Interval{llvm::minIntN(width), llvm::maxIntN(width)};
}

bool fitsInWord(Type type) { return type.isIndex() || (type.isInteger() && type.getIntOrFloatBitWidth() <= 64); }

class Intervals {
public:
  explicit Intervals(const CountingArguments &counting) {
    for (Value counted : {counting.batch, counting.head})
      if (counted)
        known.try_emplace(counted, Interval{0, mostCounted});
  }

  void assume(Value value, Interval interval) { known[value] = interval; }
  /// Whether nothing is known of an op's result, or it may wrap around.
  bool isUnknown(Operation *op) { return !compute(op); }

  Interval of(Value value) {
    auto [place, isNew] = known.try_emplace(value, valuesOf(value.getType()));
    Operation *op = value.getDefiningOp();
    if (!isNew || !op)
      return place->second;
    std::optional<Interval> result = compute(op);
    if (!result || !valuesOf(value.getType()).contains(*result))
      return valuesOf(value.getType());
    return known[value] = *result;
  }

private:
  using Result = std::optional<Interval>;

  /// The interval of an op's result, before it wraps around; nothing where that is not known.
  Result compute(Operation *op) {
    if (!fitsInWord(op->getResult(0).getType()) ||
        !llvm::all_of(op->getOperandTypes(), [](Type type) { return fitsInWord(type); }))
      return std::nullopt;
    IntegerAttr constant;
    if (matchPattern(op, m_Constant(&constant)))
      return Interval{constant.getInt(), constant.getInt()};
    auto operand = [&](unsigned i) { return of(op->getOperand(i)); };
    return llvm::TypeSwitch<Operation *, Result>(op)
        .Case([&](arith::AddIOp) { return corners(operand(0), operand(1), llvm::AddOverflow<int64_t>); })
        .Case([&](arith::SubIOp) { return corners(operand(0), operand(1), llvm::SubOverflow<int64_t>); })
        .Case([&](arith::MulIOp) { return corners(operand(0), operand(1), llvm::MulOverflow<int64_t>); })
        .Case([&](arith::MinSIOp) {
          Interval a = operand(0), b = operand(1);
          return Interval{std::min(a.low, b.low), std::min(a.high, b.high)};
        })
        .Case([&](arith::MaxSIOp) {
          Interval a = operand(0), b = operand(1);
          return Interval{std::max(a.low, b.low), std::max(a.high, b.high)};
        })
        .Case([&](arith::DivSIOp) {
          return quotient(operand(0), operand(1), [](int64_t a, int64_t b) { return a / b; });
        })
        .Case([&](arith::FloorDivSIOp) {
          return quotient(operand(0), operand(1), [](int64_t a, int64_t b) { return llvm::divideFloorSigned(a, b); });
        })
        .Case([&](arith::RemSIOp) { return remainder(operand(0), operand(1)); })
        .Case([&](arith::RemUIOp) {
          Interval divisor = operand(1);
          return divisor.low >= 1 ? Result({0, divisor.high - 1}) : std::nullopt;
        })
        .Case([&](arith::AndIOp) { return conjunction(operand(0), operand(1)); })
        .Case([&](arith::SelectOp) { return operand(1).hull(operand(2)); })
        .Case<arith::IndexCastOp, arith::ExtSIOp, arith::TruncIOp>([&](auto) { return operand(0); })
        .Case<arith::IndexCastUIOp, arith::ExtUIOp>([&](Operation *) { return withoutSign(op->getOperand(0)); })
        .Case([](ExtentOp extent) -> Result {
          return extent.getKind() == ExtentKind::Heads ? Result({0, mostCounted}) : std::nullopt;
        })
        .Default([](Operation *) { return std::nullopt; });
  }

  /// The hull of an operation at the corners, between which it is monotone in each operand; nothing if it overflows.
  static Result corners(Interval a, Interval b, int64_t (*operation)(int64_t, int64_t, int64_t &)) {
    Result hull;
    for (int64_t x : {a.low, a.high})
      for (int64_t y : {b.low, b.high}) {
        int64_t value;
        if (operation(x, y, value))
          return std::nullopt;
        hull = hull ? hull->hull({value, value}) : Interval{value, value};
      }
    return hull;
  }

  static Result quotient(Interval a, Interval b, int64_t (*divide)(int64_t, int64_t)) {
    if (b.low < 1)
      return std::nullopt;
    Interval hull{divide(a.low, b.low), divide(a.high, b.low)};
    return hull.hull({divide(a.low, b.high), divide(a.high, b.high)});
  }

  /// The rest has the sign of the dividend, and is no larger than that and smaller than the divisor.
  static Result remainder(Interval a, Interval b) {
    Interval rest{std::min<int64_t>(a.low, 0), std::max<int64_t>(a.high, 0)};
    if (b.low < 1)
      return rest;
    return Interval{std::max(rest.low, 1 - b.high), std::min(rest.high, b.high - 1)};
  }

  /// A bit that one operand lacks the result lacks, too.
  static Result conjunction(Interval a, Interval b) {
    if (a.low < 0 && b.low < 0)
      return std::nullopt;
    return Interval{0, std::min(a.low < 0 ? b.high : a.high, b.low < 0 ? a.high : b.high)};
  }

  /// What an integer is when its sign is read as one more bit.
  Result withoutSign(Value value) {
    Interval interval = of(value);
    if (interval.low >= 0)
      return interval;
    if (value.getType().isIndex() || value.getType().getIntOrFloatBitWidth() == 64)
      return std::nullopt;
    return Interval{0, static_cast<int64_t>(llvm::maxUIntN(value.getType().getIntOrFloatBitWidth()))};
  }

  llvm::DenseMap<Value, Interval> known;
};

/// Checks the indices of one read.
class ReadVerifier {
public:
  ReadVerifier(Operation *op, const CountingArguments &counting, Intervals &intervals)
      : op(op), counting(counting), intervals(intervals) {}

  LogicalResult verify(ArrayType array, ValueRange indices, StringRef what = "array") {
    for (auto [axis, index] : llvm::enumerate(indices)) {
      int64_t extent = array.getExtents()[axis];
      if (failed(extent < 0 ? verifyCounted(what, axis, index, extent) : verifyNumber(what, axis, index, extent)))
        return failure();
    }
    return success();
  }

private:
  InFlightDiagnostic error(StringRef what, unsigned axis, int64_t extent) {
    std::string text;
    llvm::raw_string_ostream os(text);
    printExtent(os, extent);
    return op->emitOpError() << "extent " << axis << " of the " << what << " is " << text << ", ";
  }

  /// An extent of the call: the index has to be what counts it.
  LogicalResult verifyCounted(StringRef what, unsigned axis, Value index, int64_t extent) {
    Value argument;
    StringRef name;
    if (extent == BatchExtent)
      argument = counting.batch, name = "batch";
    else if (extent == HeadsExtent)
      argument = counting.head, name = "query head";
    else if (extent == QueriesExtent)
      argument = counting.query, name = "query position";
    else if (extent == KeysExtent)
      argument = counting.key, name = "key position";
    if (!argument)
      return error(what, axis, extent) << "which nothing in this region counts; write clamped";
    if (index != argument)
      return error(what, axis, extent) << "and index " << axis << " is not the region's " << name
                                       << "; use that, or write clamped";
    return success();
  }

  LogicalResult verifyNumber(StringRef what, unsigned axis, Value index, int64_t extent) {
    Interval values = intervals.of(index);
    if (values.high >= extent) {
      InFlightDiagnostic diagnostic = error(what, axis, extent);
      if (values.high >= mostCounted)
        diagnostic << "and index " << axis << " has no upper bound";
      else
        diagnostic << "and index " << axis << " may be as large as " << values.high;
      return diagnostic << "; bound it with minsi, or write clamped";
    }
    if (values.low < 0) {
      InFlightDiagnostic diagnostic = error(what, axis, extent);
      if (values.low <= -mostCounted)
        diagnostic << "and index " << axis << " has no lower bound";
      else
        diagnostic << "and index " << axis << " may be as small as " << values.low;
      return diagnostic << "; bound it with maxsi, or write clamped";
    }
    return success();
  }

  Operation *op;
  const CountingArguments &counting;
  Intervals &intervals;
};

} // namespace

LogicalResult attn::verifyReads(Region &region, const CountingArguments &counting) {
  if (region.empty())
    return success();
  Intervals intervals(counting);
  for (Operation &op : region.front()) {
    ReadVerifier verifier(&op, counting, intervals);
    LogicalResult result =
        llvm::TypeSwitch<Operation *, LogicalResult>(&op)
            .Case<LoadOp, QueryDotOp, KeyDotOp, MixedDotOp>([&](auto read) {
              return success(read.getClamped() ||
                             succeeded(verifier.verify(read.getArray().getType(), read.getIndices())));
            })
            .Case([&](RowDotOp dot) {
              return success(
                  dot.getClamped() ||
                  (succeeded(verifier.verify(dot.getLeft().getType(), dot.getLeftIndices(), "left array")) &&
                   succeeded(verifier.verify(dot.getRight().getType(), dot.getRightIndices(), "right array"))));
            })
            .Default([](Operation *) { return success(); });
    if (failed(result))
      return failure();
  }
  return success();
}

LogicalResult attn::verifyNumbers(Region &body) {
  constexpr Interval small{-4096, 4096};
  Intervals intervals(CountingArguments{});
  for (BlockArgument argument : body.getArguments())
    intervals.assume(argument, small);
  for (Operation &op : body.front()) {
    if (op.getNumResults() != 1 || !intervals.isUnknown(&op))
      continue;
    if (isa<arith::AddIOp, arith::SubIOp, arith::MulIOp>(op))
      return op.emitOpError("leaves 64 bits, however small the pattern's parameters are; write smaller numbers");
    intervals.assume(op.getResult(0), small);
  }
  return success();
}
