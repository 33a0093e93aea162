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

/// Run-time data (tokens, segment ids, lengths, per-head numbers): one row for each batch. A row that all batches share
/// is given once. Lengths are rows of one entry; per-head numbers are rows of an entry for each query head, or of one
/// that all heads share.
using Table = std::vector<std::vector<int32_t>>;

/// Data of several axes, dense and in C order. An axis of the call (batch, heads, ...) may have the extent 1: then all
/// its indices share an entry. Any other axis, and the block rows of Blocks, is as long as the shape says.
template <typename Entry> struct Dense {
  std::vector<int64_t> shape;
  std::vector<Entry> entries;
};
/// Of !attn.blocks: [heads, block rows, size] or [batch, heads, block rows, size]; -1 pads.
using Blocks = Dense<int32_t>;
/// Of !attn.array: the extents of its type.
using Array = Dense<float>;

/// The value of one argument of the kernel's function, in the order of its block arguments: int64_t for index and
/// integers, a double for floats (one for an f32 is rounded to float), a Table, Blocks or an Array for run-time data.
/// The tensors query, key and value are given in Problem and are `std::monostate` here.
using Argument = std::variant<std::monostate, int64_t, double, Table, Blocks, Array>;

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

  /// The key and value head that a query head reads.
  int64_t keyHead(int64_t h) const { return h / (heads / kvHeads); }
  const float *queryRow(int64_t b, int64_t h, int64_t i) const {
    return query.data() + ((b * heads + h) * length + i) * headSize;
  }
  const float *keyRow(int64_t b, int64_t h, int64_t j) const {
    return key.data() + ((b * kvHeads + keyHead(h)) * kvLength + j) * headSize;
  }
  const float *valueRow(int64_t b, int64_t h, int64_t j) const {
    return value.data() + ((b * kvHeads + keyHead(h)) * kvLength + j) * valueHeadSize;
  }
};

struct Result : Expected {
  int64_t admittedPairs = 0; // by the pattern, over batch and query heads
  bool complete = true;      // false if something could not be evaluated: an error said what, and no output is right
};

/// Whether a pattern admits the pair of batch b, head h, query row i and key row j. Needs the op no more, but refers to
/// the problem, and is for one thread at a time.
using Mask = std::function<bool(int64_t b, int64_t h, int64_t i, int64_t j)>;

/// The mask of the pattern region of `op` (after attn-specialize); an error at the op that cannot be evaluated.
mlir::FailureOr<Mask> buildMask(AttentionOp op, const Problem &problem);

/// The mask at one pair; false for a pattern that cannot be evaluated. For many pairs, build the mask.
bool admits(AttentionOp op, const Problem &problem, int64_t b, int64_t h, int64_t i, int64_t j);

/// Evaluates attention and its eager twin, both in this order: the scale, the score region, the mask, the softmax with
/// the sink. Both are sums over the admitted pairs only, and follow IEEE rules for NaN and infinities in them. A pair
/// whose score is -inf counts as not admitted. A row without keys has output 0 and lse -inf, or that of its sink.
///
/// The eager twin is attention as written in PyTorch, where each step gives a tensor of the element type: q.k, scale *
/// q.k, every dot of the score region (the array's entries are rounded first; then the sum is, and once more when it
/// has been scaled, as q.k is), the modified score, the sink (one more column of scores), the weights, and the output.
/// Sums, the softmax and the score region's other ops are computed in float, and entries that a region loads are as
/// they are given.
Result evaluate(AttentionOp op, const Problem &problem);

/// The state is dense, [batch, kv heads, head size, value head size + 1].
struct LinearResult : Result {
  std::vector<double> state; // after the last key
  std::vector<float> eagerState;
};

/// Evaluates linear attention and its eager twin. The state before the first key is the op's argument, an Array, or 0
/// where that is std::monostate.
///
/// The eager twin is what PyTorch does with tensors of the element type: the features are one, and so are the sums of
/// f(k) v^T and f(k) up to each row, their products with f(q), the normaliser with epsilon, and the output. All sums
/// are computed in float and rounded once, those over keys key after key.
LinearResult evaluate(LinearAttentionOp op, const Problem &problem);

/// Judges by the tolerance rule; wrong, whatever the output is, if the reference is incomplete.
Verdict judge(const Result &expected, const Problem &problem, const std::vector<float> &output,
              const std::vector<float> &lse);
/// The same for linear attention. The state that the kernel wrote is judged as the output is; one that has no values is
/// not.
Verdict judge(const LinearResult &expected, const Problem &problem, const std::vector<float> &output,
              const std::vector<float> &lse, const std::vector<float> &state);

} // namespace attn::reference

#endif // ATTN_REFERENCE_REFERENCE_H
