// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Coordinates, and the sets that atoms stand for.

#include "attn/Pattern/PairSet.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>

using namespace attn;
using llvm::ArrayRef;

static Expr ceilDiv(const Expr &dividend, const Expr &divisor) {
  return Expr::floorDiv(dividend + divisor - 1, divisor);
}

Expr Relation::indicator() const {
  Expr isAbove = lower ? Expr::isPositive(place - *lower + 1) : Expr(1);
  Expr isBelow = upper ? Expr::isPositive(*upper - place) : Expr(1);
  return isAbove * isBelow;
}

//===-- Coordinates -----------------------------------------------------------------------------------------------===//

Coordinate Coordinate::position() {
  return {Expr::row() + Expr::symbol(QueryOffset), Expr::row() + Expr::symbol(KeyOffset), {}, {}, {}, {}};
}

std::vector<Coordinate> Coordinate::grid(ArrayRef<Expr> sizes) {
  Coordinate point = position();
  std::vector<Coordinate> axes;
  Expr stride(1); // how many points lie between two neighbours along the axis
  for (const Expr &size : llvm::reverse(sizes)) {
    auto along = [&](const Expr &p) { return Expr::mod(Expr::floorDiv(p, stride), size); };
    axes.push_back({along(point.ofQuery), along(point.ofKey), size, {}, {}, {}});
    stride = stride * size;
  }
  Expr end = Expr::symbol(KeyOffset) + Expr::symbol(KvLength);
  axes.push_back(
      {Expr::floorDiv(point.ofQuery, stride), Expr::floorDiv(point.ofKey, stride), ceilDiv(end, stride), {}, {}, {}});
  std::reverse(axes.begin(), axes.end());
  return axes;
}

std::vector<Coordinate> Coordinate::streams(ArrayRef<Expr> sizes) {
  Coordinate point = position();
  std::vector<Coordinate> streams;
  Expr begin(0);
  for (const Expr &size : sizes) {
    streams.push_back({point.ofQuery - begin, point.ofKey - begin, {}, {}, begin, begin + size});
    begin = begin + size;
  }
  streams.push_back({point.ofQuery - begin, point.ofKey - begin, {}, {}, begin, {}});
  return streams;
}

Coordinate Coordinate::offset(unsigned segments) { return {Expr::row(), Expr::row(), {}, segments, {}, {}}; }

Coordinate Coordinate::raster(ArrayRef<Coordinate> axes, ArrayRef<Expr> blocks) {
  auto place = [&](Expr Coordinate::*side) {
    Expr block(0), point(0), points(1); // points: of a block
    for (auto [axis, size] : llvm::zip_equal(axes, blocks)) {
      Expr count = axis.extent ? ceilDiv(*axis.extent, size) : Expr(1); // does not matter along the outermost axis
      block = block * count + Expr::floorDiv(axis.*side, size);
      point = point * size + Expr::mod(axis.*side, size);
      points = points * size;
    }
    return block * points + point;
  };
  Coordinate raster{place(&Coordinate::ofQuery), place(&Coordinate::ofKey), {}, {}, {}, {}};
  raster.axes = axes.vec(), raster.blocks = blocks.vec();
  return raster;
}

namespace {

/// Both sides of a coordinate as floor((row + shift) / width): values that never fall, so that a bound of theirs is one
/// of rows. Positions and streams are this with width 1, the outermost axis of a grid is.
struct Steps {
  Expr queryShift, keyShift, width;

  /// Nothing for other coordinates.
  static std::optional<Steps> of(const Coordinate &coordinate);

  /// The first row whose value is at least `value`.
  Expr firstQuery(const Expr &value) const { return value * width - queryShift; }
  Expr firstKey(const Expr &value) const { return value * width - keyShift; }
};

/// The shift and the width of floor((row + shift) / width).
std::optional<std::pair<Expr, Expr>> stepOf(const Expr &value) {
  Expr shift = value - Expr::row();
  if (!shift.dependsOnRow())
    return std::make_pair(shift, Expr(1));
  if (value.constantSummand() != 0 || value.summands().size() != 1 || value.summands()[0].factor != 1 ||
      value.summands()[0].term->kind != Expr::TermKind::FloorDiv)
    return std::nullopt;
  const std::vector<Expr> &operands = value.summands()[0].term->operands;
  shift = operands[0] - Expr::row();
  if (shift.dependsOnRow() || operands[1].dependsOnRow())
    return std::nullopt;
  return std::make_pair(shift, operands[1]);
}

std::optional<Steps> Steps::of(const Coordinate &coordinate) {
  auto query = stepOf(coordinate.ofQuery), key = stepOf(coordinate.ofKey);
  if (coordinate.offsets || !query || !key || query->second != key->second)
    return std::nullopt;
  return Steps{query->first, key->first, query->second};
}

/// A bound of key values that never falls as query values rise.
struct ValueBound {
  std::function<Expr(const Expr &queryValue)> at;
  /// Its adjoint: the first query row whose bound is above a key value.
  std::function<Expr(const Expr &keyValue, const Steps &steps)> firstQueryAbove;
};

HalfSpace halfSpaceOf(const Coordinate &coordinate, const Steps &steps, bool lower, const ValueBound &bound) {
  return {lower, steps.firstKey(bound.at(coordinate.ofQuery)), bound.firstQueryAbove(coordinate.ofKey, steps)};
}

/// The pairs of a set both of whose positions have a value. (Relations see to offsets themselves.)
PairSet wherePresent(const Coordinate &coordinate, const PairSet &set) {
  if (!coordinate.from && !coordinate.below)
    return set;
  return PairSet::intersect({PairSet::range(Side::Queries, coordinate.from, coordinate.below),
                             PairSet::range(Side::Keys, coordinate.from, coordinate.below), set});
}

/// {lower(query value) <= key value < upper(query value)}: half-spaces where the coordinate never falls.
PairSet between(const Coordinate &coordinate, const std::optional<ValueBound> &lower,
                const std::optional<ValueBound> &upper) {
  std::optional<Steps> steps = Steps::of(coordinate);
  if (!steps) {
    auto at = [&](const std::optional<ValueBound> &bound) {
      return bound ? std::optional<Expr>(bound->at(coordinate.ofQuery)) : std::nullopt;
    };
    return wherePresent(coordinate, PairSet::relation({coordinate.ofKey, at(lower), at(upper), coordinate.offsets}));
  }
  std::vector<PairSet> sides;
  if (lower)
    sides.push_back(PairSet::halfSpace(halfSpaceOf(coordinate, *steps, /*lower=*/true, *lower)));
  if (upper)
    sides.push_back(PairSet::halfSpace(halfSpaceOf(coordinate, *steps, /*lower=*/false, *upper)));
  return wherePresent(coordinate, PairSet::intersect(sides));
}

} // namespace

//===-- Atoms of nearness -----------------------------------------------------------------------------------------===//

PairSet PairSet::window(std::optional<Expr> left, std::optional<Expr> right, const Expr &dilation,
                        const Coordinate &coordinate) {
  if (dilation != Expr(1)) {
    auto dilated = [&](const std::optional<Expr> &taps) {
      return taps ? std::optional<Expr>(*taps * dilation) : std::nullopt;
    };
    return intersect({window(dilated(left), dilated(right), 1, coordinate),
                      congruent(Dividend::Difference, dilation, 0, 0, coordinate)});
  }
  std::optional<ValueBound> lower, upper;
  if (left)
    lower = {[&](const Expr &p) { return p - *left; },
             [&](const Expr &k, const Steps &steps) { return steps.firstQuery(k + *left + 1); }};
  if (right)
    upper = {[&](const Expr &p) { return p + *right + 1; },
             [&](const Expr &k, const Steps &steps) { return steps.firstQuery(k - *right); }};
  return between(coordinate, lower, upper);
}

PairSet PairSet::causal(bool topLeft) {
  Expr shift = Expr::symbol(topLeft ? TopLeftOffset : QueryOffset) - Expr::symbol(KeyOffset);
  return halfSpace({/*lower=*/false, Expr::row() + shift + 1, Expr::row() - shift});
}

/// The key's block along an axis lies before the query's.
static PairSet isInBlockBefore(const Coordinate &axis, const Expr &block) {
  auto begin = [&](const Expr &value) { return Expr::floorDiv(value, block) * block; };
  return between(axis, std::nullopt, ValueBound{begin, [&](const Expr &k, const Steps &steps) {
                                                  return steps.firstQuery(begin(k) + block);
                                                }});
}

/// In a raster blocks come one after the other, and so do the points of a block; both as in a grid, where the first
/// axis along which two points differ decides. Each case is made of bounds of axes.
static PairSet causalOnRaster(const Coordinate &raster) {
  std::vector<PairSet> cases, alike; // alike: the axes before agree
  for (auto [axis, block] : llvm::zip_equal(raster.axes, raster.blocks)) {
    alike.push_back(isInBlockBefore(axis, block));
    cases.push_back(PairSet::intersect(alike));
    alike.back() = PairSet::blockLocal(block, 0, 0, axis);
  }
  for (const Coordinate &axis : raster.axes) {
    bool isLast = &axis == &raster.axes.back();
    alike.push_back(PairSet::window(std::nullopt, Expr(isLast ? 0 : -1), 1, axis));
    cases.push_back(PairSet::intersect(alike));
    alike.back() = PairSet::window(Expr(0), Expr(0), 1, axis);
  }
  return PairSet::unite(cases);
}

PairSet PairSet::causal(const Coordinate &coordinate) {
  return coordinate.axes.empty() ? window(std::nullopt, Expr(0), 1, coordinate) : causalOnRaster(coordinate);
}

PairSet PairSet::blockLocal(const Expr &block, const Expr &before, const Expr &after, const Coordinate &coordinate) {
  auto begin = [&](const Expr &value) { return Expr::floorDiv(value, block) * block; };
  ValueBound lower{[&](const Expr &p) { return begin(p) - before; },
                   [&](const Expr &k, const Steps &steps) { return steps.firstQuery(begin(k + before) + block); }};
  ValueBound upper{[&](const Expr &p) { return begin(p) + block + after; },
                   [&](const Expr &k, const Steps &steps) { return steps.firstQuery(begin(k - after)); }};
  return between(coordinate, lower, upper);
}

PairSet PairSet::neighborhood(const Expr &size, const Coordinate &coordinate) {
  Expr half = Expr::floorDiv(size, 2), last = *coordinate.extent - size, length = Expr::symbol(Length);
  auto begin = [&](const Expr &p) { return Expr::min({Expr::max({p - half, 0}), last}); };
  // begin > k: for no query if k >= last, for every one if k < 0, and where p - half > k otherwise.
  auto firstBeginAbove = [&](const Expr &k, const Steps &steps) {
    Expr whereItMoves = Expr::min({steps.firstQuery(k + half + 1), Expr::isPositive(k + 1) * length});
    return Expr::max({whereItMoves, Expr::isPositive(k - last + 1) * length});
  };
  ValueBound lower{begin, firstBeginAbove};
  ValueBound upper{[&](const Expr &p) { return begin(p) + size; },
                   [&](const Expr &k, const Steps &steps) { return firstBeginAbove(k - size, steps); }};
  return between(coordinate, lower, upper);
}

//===-- Atoms of remainders ---------------------------------------------------------------------------------------===//

namespace {

/// Remainders [from, below) of a division; a bound that every remainder keeps is absent.
struct Remainders {
  Remainders(const Expr &modulus, const Expr &first, const Expr &last) {
    if (std::optional<int64_t> least = first.asConstant(); !least || *least > 0)
      from = first;
    if (std::optional<int64_t> missing = (modulus - 1 - last).asConstant(); !missing || *missing > 0)
      below = last + 1;
  }
  std::optional<Expr> from, below;
};

/// p - k leaves a remainder in [from, below) just where k mod m is among the below - from remainders from
/// (p - below + 1) mod m on. They may go past m and on from 0: hence the same range once more, m lower.
PairSet differsBy(const Expr &modulus, const Remainders &remainders, const Coordinate &coordinate) {
  Expr from = remainders.from ? Expr::max({0, *remainders.from}) : Expr(0), below = modulus;
  if (remainders.below) {
    std::optional<int64_t> literal = remainders.below->asConstant();
    below = literal && *literal <= 1 ? *remainders.below : Expr::min({*remainders.below, modulus});
  }
  Expr count = below - from, place = Expr::mod(coordinate.ofKey, modulus);
  Expr begin = Expr::mod(coordinate.ofQuery - below + 1, modulus);
  PairSet ahead = PairSet::relation({place, begin, begin + count, coordinate.offsets});
  bool isOne = remainders.from.value_or(0) + 1 == remainders.below.value_or(modulus);
  if (isOne)
    return ahead;
  return PairSet::unite(
      {ahead, PairSet::relation({place, begin - modulus, begin - modulus + count, coordinate.offsets})});
}

} // namespace

PairSet PairSet::congruent(Dividend dividend, const Expr &modulus, const Expr &first, const Expr &last,
                           const Coordinate &coordinate) {
  Remainders remainders(modulus, first, last);
  auto isConstantBelow = [](const Expr &a, const Expr &b) { return (b - a).asConstant().value_or(0) > 0; };
  if (isConstantBelow(last, first) || isConstantBelow(last, 0) || isConstantBelow(modulus - 1, first))
    return empty();
  if (dividend == Dividend::Head)
    return condition(Expr::mod(Expr::symbol(Head), modulus), remainders.from, remainders.below);
  if (!remainders.from && !remainders.below)
    return wherePresent(coordinate, relation({0, {}, {}, coordinate.offsets}));
  if (dividend == Dividend::Difference)
    return wherePresent(coordinate, differsBy(modulus, remainders, coordinate));
  if (dividend == Dividend::Key)
    return wherePresent(coordinate, relation({Expr::mod(coordinate.ofKey, modulus), remainders.from, remainders.below,
                                              coordinate.offsets}));
  auto minusRemainder = [&](const std::optional<Expr> &bound) {
    return bound ? std::optional<Expr>(*bound - Expr::mod(coordinate.ofQuery, modulus)) : std::nullopt;
  };
  return wherePresent(
      coordinate, relation({0, minusRemainder(remainders.from), minusRemainder(remainders.below), coordinate.offsets}));
}

//===-- Atoms of one side -----------------------------------------------------------------------------------------===//

/// The query rows before row `end`. Where bounds of keys are asked for, they jump from all keys to none at this row.
static PairSet queriesBelow(const Expr &end) {
  return PairSet::halfSpace({/*lower=*/true, Expr::isPositive(Expr::row() - end + 1) * Expr::symbol(KvLength), end});
}

/// The key rows before row `end`. The adjoint jumps from no query row to all of them at j = end.
static PairSet keysBelow(const Expr &end) {
  return PairSet::halfSpace({/*lower=*/false, end, Expr::isPositive(Expr::row() - end + 1) * Expr::symbol(Length)});
}

PairSet PairSet::range(Side side, std::optional<Expr> from, std::optional<Expr> below) {
  Expr offset = Expr::symbol(side == Side::Queries ? QueryOffset : KeyOffset);
  auto rowsBelow = side == Side::Queries ? queriesBelow : keysBelow;
  std::vector<PairSet> bounds;
  if (from)
    bounds.push_back(rowsBelow(*from - offset).complement());
  if (below)
    bounds.push_back(rowsBelow(*below - offset));
  return intersect(bounds);
}

PairSet PairSet::padded(const Expr &length) { return range(Side::Keys, std::nullopt, length); }

PairSet PairSet::condition(const Expr &value, std::optional<Expr> from, std::optional<Expr> below) {
  return relation({value, std::move(from), std::move(below), {}});
}
