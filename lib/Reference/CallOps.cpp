// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The ops of regions that read the call: its sizes, its per-head numbers, entries of arrays, and products of rows.
//
//   query_dot   scale * q_i . a       row_dot     scale * a . b
//   key_dot     scale * k_j . a       mixed_dot   scale * sum_g a[g] * (q_ig . k_jg)

#include "Products.h"
#include "ProgramBuilder.h"
#include <algorithm>
#include <memory>

using namespace mlir;
using namespace attn;
using namespace attn::reference;

using Step = std::function<Scalar(const Scalar *)>;

static Scalar whole(int64_t value) {
  Scalar scalar;
  scalar.whole = value;
  return scalar;
}

static Scalar real(double value) {
  Scalar scalar;
  scalar.real = value;
  return scalar;
}

/// Whether the region has batch, head and so on up to `last`; else an error.
bool ProgramBuilder::hasPlaces(Operation *op, Place last) {
  if (numPlaces > last)
    return true;
  const char *names[] = {"batch", "head", "query position", "key position"};
  op->emitError() << "the reference knows no " << names[last] << " here; use '" << op->getName()
                  << "' in a region that has one";
  return false;
}

//===-- Numbers of the call -------------------------------------------------------------------------------------===//

Step ProgramBuilder::step(ExtentOp op) {
  auto extent = [&] {
    switch (op.getKind()) {
    case ExtentKind::Queries:
      return problem.queryOffset + problem.length;
    case ExtentKind::Keys:
      return problem.keyOffset + problem.kvLength;
    case ExtentKind::Heads:
      return problem.heads;
    }
    llvm_unreachable("all kinds are listed");
  };
  return [result = whole(extent())](const Scalar *) { return result; };
}

/// The register of the scale: the attention's own, or else the call's.
unsigned ProgramBuilder::scaleSlot(Operation *op) {
  auto attention = op->getParentOfType<AttentionOp>();
  if (attention && attention.getScale())
    return slotOf(attention.getScale());
  return addRegister({Format::Real, 64}, problem.scale);
}

Step ProgramBuilder::step(ScaleOp op) {
  return [slot = scaleSlot(op)](const Scalar *registers) { return registers[slot]; };
}

/// The entry of the batch and head at hand.
Step ProgramBuilder::entryOf(Operation *op, Value values) {
  if (!hasPlaces(op, Head))
    return nullptr;
  return [numbers = arguments.numbers(values), heads = problem.heads, batch = slotOf(Batch),
          head = slotOf(Head)](const Scalar *registers) {
    return whole(numbers[registers[batch].whole * heads + registers[head].whole]);
  };
}

Step ProgramBuilder::step(OfHeadOp op) { return entryOf(op, op.getValues()); }
Step ProgramBuilder::step(OfBatchOp op) { return entryOf(op, op.getValues()); }

//===-- Arrays --------------------------------------------------------------------------------------------------===//

/// The region's own query and key positions stand for rows, along an axis of rows; else an index counts from 0. Nothing
/// is ever read outside of an array: `clamped` allows such an index, and of others it has been proved that there is
/// none.
ProgramBuilder::Axis ProgramBuilder::axisOf(int64_t kind, int64_t extent, int64_t stride, Value index) {
  unsigned slot = slotOf(index);
  int64_t first = 0;
  if (kind == QueriesExtent && numPlaces > Query && slot == slotOf(Query))
    first = problem.queryOffset;
  if (kind == KeysExtent && numPlaces > Key && slot == slotOf(Key))
    first = problem.keyOffset;
  return {slot, first, extent, stride};
}

/// Picks the row along an array's last axis that the indices of the others say. For an eager product its entries are
/// rounded to the element type. Of an array without entries it picks NaN.
ProgramBuilder::PickRow ProgramBuilder::arrayRow(Operation *op, Value value, OperandRange indices) {
  static const float none = std::numeric_limits<float>::quiet_NaN();
  const Array *array = arguments.array(value);
  if (!array)
    return nullptr;
  if (array->entries.empty())
    return [](const Scalar *) { return Row{&none, 0}; };

  ArrayRef<int64_t> extents = cast<ArrayType>(value.getType()).getExtents();
  llvm::SmallVector<Axis> axes;
  int64_t stride = 1;
  for (int64_t axis = array->shape.size() - 1; axis >= 0; --axis) {
    if (axis < static_cast<int64_t>(indices.size()))
      axes.push_back(axisOf(extents[axis], array->shape[axis], stride, indices[axis]));
    stride *= array->shape[axis];
  }
  std::shared_ptr<std::vector<float>> rounded;
  if (roundToFloat && !isa<LoadOp>(op)) {
    rounded = std::make_shared<std::vector<float>>(array->entries);
    roundTo(problem.element, *rounded);
  }
  int64_t step = array->shape.back() == 1 ? 0 : 1; // an extent of 1 is shared
  return [entries = rounded ? rounded->data() : array->entries.data(), rounded, axes = std::move(axes),
          step](const Scalar *registers) {
    int64_t begin = 0;
    for (const Axis &axis : axes)
      begin += std::clamp<int64_t>(registers[axis.slot].whole - axis.first, 0, axis.extent - 1) * axis.stride;
    return Row{entries + begin, step};
  };
}

Step ProgramBuilder::step(LoadOp op) {
  PickRow row = arrayRow(op, op.getArray(), op.getIndices());
  return [row = std::move(row)](const Scalar *registers) { return real(row(registers)[0]); };
}

//===-- Products ------------------------------------------------------------------------------------------------===//

ProgramBuilder::PickRow ProgramBuilder::queryRow() const {
  return [&call = problem, batch = slotOf(Batch), head = slotOf(Head), query = slotOf(Query)](const Scalar *registers) {
    int64_t row = registers[query].whole - call.queryOffset;
    return Row{call.queryRow(registers[batch].whole, registers[head].whole, row), 1};
  };
}

ProgramBuilder::PickRow ProgramBuilder::keyRow() const {
  return [&call = problem, batch = slotOf(Batch), head = slotOf(Head), key = slotOf(Key)](const Scalar *registers) {
    int64_t row = registers[key].whole - call.keyOffset;
    return Row{call.keyRow(registers[batch].whole, registers[head].whole, row), 1};
  };
}

Step ProgramBuilder::productOf(Operation *op, PickRow left, PickRow right) {
  if (!left || !right)
    return nullptr;
  return [left = std::move(left), right = std::move(right), size = problem.headSize, scale = scaleSlot(op),
          isEager = roundToFloat, element = problem.element](const Scalar *registers) {
    Row a = left(registers), b = right(registers);
    double factor = registers[scale].real;
    return real(isEager ? eagerProduct(a, b, size, factor, element) : exactProduct(a, b, size, factor));
  };
}

Step ProgramBuilder::step(QueryDotOp op) {
  if (!hasPlaces(op, Query))
    return nullptr;
  return productOf(op, queryRow(), arrayRow(op, op.getArray(), op.getIndices()));
}

Step ProgramBuilder::step(KeyDotOp op) {
  if (!hasPlaces(op, Key))
    return nullptr;
  return productOf(op, keyRow(), arrayRow(op, op.getArray(), op.getIndices()));
}

Step ProgramBuilder::step(RowDotOp op) {
  return productOf(op, arrayRow(op, op.getLeft(), op.getLeftIndices()),
                   arrayRow(op, op.getRight(), op.getRightIndices()));
}

/// The eager twin mixes the heads' scaled products by one more matrix multiplication.
Step ProgramBuilder::step(MixedDotOp op) {
  PickRow weights = arrayRow(op, op.getArray(), op.getIndices());
  if (!weights || !hasPlaces(op, Key))
    return nullptr;
  return [weights = std::move(weights), &call = problem, batch = slotOf(Batch), query = slotOf(Query),
          key = slotOf(Key), scale = scaleSlot(op), isEager = roundToFloat](const Scalar *registers) {
    Row weight = weights(registers);
    int64_t b = registers[batch].whole;
    int64_t i = registers[query].whole - call.queryOffset, j = registers[key].whole - call.keyOffset;
    double factor = registers[scale].real, sum = 0;
    float eagerSum = 0;
    for (int64_t g = 0; g < call.heads; ++g) {
      const float *q = call.queryRow(b, g, i), *k = call.keyRow(b, g, j);
      if (isEager)
        eagerSum += weight[g] * eagerProduct(q, k, call.headSize, factor, call.element);
      else
        sum += weight[g] * exactProduct(q, k, call.headSize, factor);
    }
    return real(isEager ? rounded(call.element, eagerSum) : sum);
  };
}
