// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every coordinate is one function here, from a position to its value.

#include "Coordinates.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace attn;
using namespace attn::reference;

/// Which of its op's coordinates this is.
static unsigned numberOf(Value coordinate) { return cast<OpResult>(coordinate).getResultNumber(); }

//===-- Grids ---------------------------------------------------------------------------------------------------===//

static std::vector<Number> readSizes(Parameters &parameters, GridOp op) {
  return parameters.read(op, "size of the grid", op.getSizes(), op.getStaticSizes(), 1);
}

/// The points of axes; more than 2^40 of them hold every position, and count as 2^40.
static int64_t productOf(ArrayRef<Number> numbers, const Pair &pair) {
  int64_t product = 1;
  for (const Number &number : numbers)
    if (llvm::MulOverflow(product, number(pair), product) || product > maxNumber)
      return maxNumber;
  return product;
}

// p = (... (x0 * size1 + x1) * size2 + ...) + xn: an axis steps after as many positions as the inner ones have points,
// and all but the outermost begin anew after their size.
static CoordinateFunction readGrid(Parameters &parameters, GridOp op, unsigned axis) {
  std::vector<Number> sizes = readSizes(parameters, op);
  std::vector<Number> inner(sizes.begin() + axis, sizes.end());
  std::optional<Number> size = axis > 0 ? std::optional(sizes[axis - 1]) : std::nullopt;
  return [=](const Pair &pair, int64_t position) -> std::optional<int64_t> {
    int64_t value = floorDivide(position, productOf(inner, pair));
    return size ? floorRest(value, (*size)(pair)) : value;
  };
}

/// The outermost axis is as long as the keys need.
Number attn::reference::readExtent(Parameters &parameters, Value axis) {
  std::vector<Number> sizes = readSizes(parameters, axis.getDefiningOp<GridOp>());
  if (unsigned number = numberOf(axis))
    return sizes[number - 1];
  int64_t keys = parameters.problem().keyOffset + parameters.problem().kvLength;
  return [=](const Pair &pair) { return ceilDivide(keys, productOf(sizes, pair)); };
}

//===-- Raster --------------------------------------------------------------------------------------------------===//

namespace {
/// An axis of a grid that is cut into blocks.
struct CutAxis {
  CoordinateFunction value;
  Number extent, block;
};
} // namespace

// Blocks are numbered in row-major order, and so are the points in a block. A block that the grid's edge cuts has as
// many places as a whole one.
static CoordinateFunction readRaster(Parameters &parameters, RasterOp op) {
  std::vector<CutAxis> axes;
  std::vector<Number> blocks = parameters.read(op, "block", op.getBlocks(), op.getStaticBlocks(), 1);
  for (auto [axis, block] : llvm::zip_equal(op.getAxes(), blocks))
    axes.push_back(
        {readGrid(parameters, axis.getDefiningOp<GridOp>(), numberOf(axis)), readExtent(parameters, axis), block});
  return [axes = std::move(axes)](const Pair &pair, int64_t position) -> std::optional<int64_t> {
    int64_t blockNumber = 0, place = 0, placesPerBlock = 1;
    for (const CutAxis &axis : axes) {
      int64_t block = axis.block(pair), value = axis.value(pair, position).value();
      blockNumber = blockNumber * ceilDivide(axis.extent(pair), block) + floorDivide(value, block);
      place = place * block + floorRest(value, block);
      placesPerBlock *= block;
    }
    return blockNumber * placesPerBlock + place;
  };
}

//===-- Streams and segments ------------------------------------------------------------------------------------===//

// A stream begins where the streams before it end, and the last one has no end.
static CoordinateFunction readStream(Parameters &parameters, StreamOp op, unsigned stream) {
  std::vector<Number> sizes = parameters.read(op, "size of the stream", op.getSizes(), op.getStaticSizes(), 0);
  return [=](const Pair &pair, int64_t position) -> std::optional<int64_t> {
    int64_t begin = 0;
    for (unsigned earlier = 0; earlier < stream; ++earlier)
      begin += sizes[earlier](pair);
    bool isBehind = stream < sizes.size() && position >= begin + sizes[stream](pair);
    if (position < begin || isBehind)
      return std::nullopt;
    return position - begin;
  };
}

// How many earlier positions have the same id.
static CoordinateFunction readOffset(Parameters &parameters, OffsetOp op) {
  std::vector<std::vector<int64_t>> offsets;
  for (const std::vector<int32_t> &ids : parameters.data().table(op.getIds())) {
    llvm::DenseMap<int64_t, int64_t> counts;
    offsets.emplace_back();
    for (int32_t id : ids)
      offsets.back().push_back(counts[id]++);
  }
  return [offsets = std::move(offsets)](const Pair &pair, int64_t position) -> std::optional<int64_t> {
    const std::vector<int64_t> &row = rowOf(offsets, pair.batch);
    if (position < 0 || position >= static_cast<int64_t>(row.size()))
      return std::nullopt;
    return row[position];
  };
}

//===-- Any coordinate ------------------------------------------------------------------------------------------===//

/// Remembers the values for the batch and head that were asked about last: every row of pairs needs them again.
static CoordinateFunction remember(CoordinateFunction valueOf) {
  llvm::DenseMap<int64_t, std::optional<int64_t>> values;
  return [valueOf = std::move(valueOf), values = std::move(values), batch = int64_t(-1),
          head = int64_t(-1)](const Pair &pair, int64_t position) mutable {
    if (batch != pair.batch || head != pair.head)
      values.clear();
    batch = pair.batch, head = pair.head;
    auto [found, isNew] = values.try_emplace(position);
    if (isNew)
      found->second = valueOf(pair, position);
    return found->second;
  };
}

CoordinateFunction attn::reference::readCoordinate(Parameters &parameters, Value coordinate) {
  return llvm::TypeSwitch<Operation *, CoordinateFunction>(coordinate.getDefiningOp())
      .Case([&](GridOp op) { return remember(readGrid(parameters, op, numberOf(coordinate))); })
      .Case([&](RasterOp op) { return remember(readRaster(parameters, op)); })
      .Case([&](StreamOp op) { return remember(readStream(parameters, op, numberOf(coordinate))); })
      .Case([&](OffsetOp op) { return readOffset(parameters, op); })
      .Default([&](Operation *) {
        parameters.refuse(coordinate.getLoc(), "the reference does not know this coordinate; add it to "
                                               "lib/Reference/Coordinates.cpp");
        return CoordinateFunction();
      });
}
