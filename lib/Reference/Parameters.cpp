// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Evaluates parameters once for every batch and head, so that to ask for one is to look it up.

#include "Parameters.h"
#include "attn/Reference/RegionProgram.h"

using namespace mlir;
using namespace attn;
using namespace attn::reference;

static Number constant(int64_t number) {
  return [number](const Pair &) { return number; };
}

std::optional<Number> Parameters::find(Value value, IntegerAttr literal) {
  if (literal)
    return constant(literal.getInt());
  if (!value)
    return std::nullopt;
  RegionProgram program(value, call);
  complete &= program.isComplete();
  if (!program.isComplete())
    return constant(0);
  std::vector<int64_t> numbers; // [batch, heads]
  for (int64_t b = 0; b < call.batch; ++b)
    for (int64_t h = 0; h < call.heads; ++h)
      numbers.push_back(static_cast<int64_t>(program.run({double(b), double(h)})));
  return [numbers = std::move(numbers), heads = call.heads](const Pair &pair) {
    return numbers[pair.batch * heads + pair.head];
  };
}

Number Parameters::read(Operation *op, StringRef name, Value value, IntegerAttr literal, int64_t least) {
  bool wasComplete = areComplete();
  Number number = find(value, literal).value_or(constant(least));
  if (wasComplete && areComplete()) // else it has been reported, and says nothing
    require(op, name, number, constant(least));
  return number;
}

std::vector<Number> Parameters::read(Operation *op, StringRef name, OperandRange values, ArrayRef<int64_t> literals,
                                     int64_t least) {
  if (auto found = lists.find(op); found != lists.end())
    return found->second;
  Builder builder(op->getContext());
  std::vector<Number> numbers;
  auto next = values.begin();
  for (int64_t literal : literals) {
    bool isValue = ShapedType::isDynamic(literal);
    numbers.push_back(
        read(op, name, isValue ? *next : Value(), isValue ? IntegerAttr() : builder.getIndexAttr(literal), least));
    next += isValue;
  }
  return lists[op] = numbers;
}

void Parameters::require(Operation *op, StringRef name, const Number &number, const Number &least, StringRef cure) {
  for (int64_t b = 0; b < call.batch; ++b)
    for (int64_t h = 0; h < call.heads; ++h) {
      Pair place{b, h, 0, 0};
      if (number(place) < least(place))
        return refuse(op->getLoc(),
                      name + " is " + Twine(number(place)) + "; it has to be at least " + Twine(least(place)) + cure);
    }
}

void Parameters::refuse(Location where, const Twine &why) {
  emitError(where) << why;
  complete = false;
}

int64_t attn::reference::floorDivide(int64_t a, int64_t b) {
  int64_t quotient = a / b;
  return a % b < 0 ? quotient - 1 : quotient;
}

int64_t attn::reference::floorRest(int64_t a, int64_t b) { return a - floorDivide(a, b) * b; }

int64_t attn::reference::ceilDivide(int64_t a, int64_t b) { return floorDivide(a + b - 1, b); }
