// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decides what is right: evaluates `attn.attention` in double precision, one query row after the other, and judges a
// kernel's output by the tolerance rule. It is written to be read and is slow. It looks at the same ops as the planner
// but shares nothing with it: every atom is evaluated here on its own terms.

#ifndef ATTN_REFERENCE_REFERENCE_H
#define ATTN_REFERENCE_REFERENCE_H

#include "attn/IR/Attn.h"
#include "attn/Reference/Judge.h"
#include "llvm/ADT/ArrayRef.h"
#include <cstdint>
#include <functional>
#include <variant>
#include <vector>

namespace attn::reference {

/// Rounds values to what the element type can hold: to nearest, halves to even. f32 stays as it is.
void roundTo(Element element, llvm::MutableArrayRef<float> values);

/// Run-time data (tokens, segment ids, lengths): one row for each batch. A row that all batches share is given once.
/// Lengths are rows of one entry.
using Table = std::vector<std::vector<int32_t>>;

/// The value of one argument of the kernel's function, in the order of its block arguments. The tensors query, key and
/// value are given in Problem and are `std::monostate` here. A double for an argument of type f32 is rounded to float.
using Argument = std::variant<std::monostate, int64_t, double, Table>;

/// The sizes and values of one call. Tensors are dense, [batch, heads, rows, columns], and hold what the element type
/// can hold exactly; for 16-bit element types they are already rounded.
struct Problem {
  int64_t batch = 1, heads = 1, kvHeads = 1, length = 0, kvLength = 0, headSize = 0, valueHeadSize = 0;
  int64_t queryOffset = 0, keyOffset = 0;
  int64_t topLeftOffset = 0; // the given query offset, or 0: what causal's top-left form counts from
  double scale = 0;          // what q.k is multiplied by, unless the op says it
  Element element = Element::F32;
  std::vector<float> query, key, value;
  std::vector<Argument> arguments;
};

struct Result : Expected {
  int64_t admittedPairs = 0; // over batch and query heads
  bool complete = true;      // false if something could not be evaluated: an error said what, and no output is right
};

/// Whether a pattern admits the pair of batch b, head h, query row i and key row j. Needs neither the op nor the
/// problem any more, but is for one thread at a time.
using Mask = std::function<bool(int64_t b, int64_t h, int64_t i, int64_t j)>;

/// The mask of the pattern region of `op` (after attn-specialize); an error at the op that cannot be evaluated.
mlir::FailureOr<Mask> buildMask(AttentionOp op, const Problem &problem);

/// The mask at one pair; false for a pattern that cannot be evaluated. For many pairs, build the mask.
bool admits(AttentionOp op, const Problem &problem, int64_t b, int64_t h, int64_t i, int64_t j);

/// Evaluates attention and its eager twin. Both are sums over the admitted pairs only, and follow IEEE rules for NaN
/// and infinities in them. A row whose scores are all -inf has output 0 and lse -inf, as has a row without keys: a pair
/// that is not admitted is one whose score is -inf.
Result evaluate(AttentionOp op, const Problem &problem);

/// Evaluates a pure region of arith and math ops over scalars (where and score regions). Integers wrap at their width,
/// index at 64 bits; f32 values are kept in double, and rounded to float after every op if `roundToFloat`. `lookup`
/// gives the values of function arguments; ops outside of the region that it uses are evaluated too. Returns the
/// yielded value; i1 is 0 or 1. An op that is not known is an error there and gives NaN.
double evaluateRegion(mlir::Region &region, llvm::ArrayRef<double> arguments,
                      llvm::function_ref<double(mlir::Value)> lookup, bool roundToFloat);

/// Judges by the tolerance rule; wrong, whatever the output is, if the reference is incomplete.
Verdict judge(const Result &expected, const Problem &problem, const std::vector<float> &output,
              const std::vector<float> &lse);

} // namespace attn::reference

#endif // ATTN_REFERENCE_REFERENCE_H
