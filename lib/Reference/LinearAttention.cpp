// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Evaluates linear attention key by key and row by row, twice: in double, and as a framework's eager code does.
//
//   S <- S + f(k) [v 1]^T        for the keys that row i sees and no row before it
//   [o l] = f(q_i)^T S,          output = o / (l + epsilon),    lse = log(l + epsilon)

#include "Products.h"
#include "Results.h"
#include "attn/Reference/RegionProgram.h"
#include <cmath>

using namespace mlir;
using namespace attn;
using namespace attn::reference;

namespace {

using Row = std::vector<double>;

/// One of the two evaluations.
struct Arithmetic {
  RegionProgram feature, epsilon;
  std::optional<Element> element; // that every step is rounded to; nothing where all is double

  Arithmetic(LinearAttentionOp op, const Problem &problem, bool isEager)
      : feature(op.getFeature(), problem, isEager), epsilon(op.getEpsilon(), problem),
        element(isEager ? std::optional(problem.element) : std::nullopt) {}

  bool isComplete() const { return feature.isComplete() && epsilon.isComplete(); }
  /// What a step gives, and a step of a sum.
  double fit(double value) const { return element ? rounded(*element, static_cast<float>(value)) : value; }
  double add(double sum, double term) const { return element ? float(sum) + float(term) : sum + term; }
  Row features(const float *row, int64_t size);
  double product(const Row &features, const Row &state, int64_t column, int64_t columns) const;
};

/// A walk over the keys of one key head, and over the rows that see them.
class Walk {
public:
  Walk(Arithmetic &arithmetic, const Problem &problem, int64_t batch, int64_t keyHead, Row state)
      : arithmetic(arithmetic), problem(problem), batch(batch), head(keyHead * (problem.heads / problem.kvHeads)),
        columns(problem.valueHeadSize + 1), state(std::move(state)) {}

  /// Takes keys up to `end`.
  void absorb(int64_t end);
  /// The output of a query row, and its lse.
  double computeRow(int64_t queryHead, int64_t row, llvm::function_ref<void(int64_t, double)> store);
  Row takeState();

private:
  Arithmetic &arithmetic;
  const Problem &problem;
  int64_t batch, head; // a query head that reads the key head
  int64_t columns, next = 0;
  Row state; // [head size, columns]
};

} // namespace

//===-- One evaluation ------------------------------------------------------------------------------------------===//

Row Arithmetic::features(const float *row, int64_t size) {
  Row result;
  for (int64_t c = 0; c < size; ++c)
    result.push_back(fit(feature.run({row[c]})));
  return result;
}

/// f(q)^T of a column of the state.
double Arithmetic::product(const Row &features, const Row &state, int64_t column, int64_t columns) const {
  auto term = [&](int64_t c) { return features[c] * fit(state[c * columns + column]); };
  auto size = static_cast<int64_t>(features.size());
  if (!element)
    return sumOf<double, 8>(size, term);
  return fit(sumOf<float, 16>(size, [&](int64_t c) { return static_cast<float>(term(c)); }));
}

void Walk::absorb(int64_t end) {
  for (; next < end; ++next) {
    Row key = arithmetic.features(problem.keyRow(batch, head, next), problem.headSize);
    const float *value = problem.valueRow(batch, head, next);
    for (int64_t c = 0; c < problem.headSize; ++c)
      for (int64_t e = 0; e < columns; ++e) {
        double &sum = state[c * columns + e];
        sum = arithmetic.add(sum, e < problem.valueHeadSize ? key[c] * value[e] : key[c]);
      }
  }
}

double Walk::computeRow(int64_t queryHead, int64_t row, llvm::function_ref<void(int64_t, double)> store) {
  Row query = arithmetic.features(problem.queryRow(batch, queryHead, row), problem.headSize);
  double normaliser = arithmetic.product(query, state, problem.valueHeadSize, columns);
  normaliser = arithmetic.fit(normaliser + arithmetic.epsilon.run({double(batch), double(queryHead)}));
  for (int64_t e = 0; e < problem.valueHeadSize; ++e) {
    double sum = arithmetic.product(query, state, e, columns);
    store(e, normaliser == 0 ? 0 : arithmetic.fit(sum / normaliser));
  }
  return std::log(normaliser);
}

Row Walk::takeState() {
  for (double &entry : state)
    entry = arithmetic.fit(entry);
  return std::move(state);
}

//===-- All of them ---------------------------------------------------------------------------------------------===//

/// What the call gives as the state of one batch and key head; zeros if it gives none.
static FailureOr<Row> stateBefore(LinearAttentionOp op, const Problem &problem, int64_t batch, int64_t keyHead) {
  int64_t columns = problem.valueHeadSize + 1;
  Row state(problem.headSize * columns);
  auto argument = dyn_cast_or_null<BlockArgument>(op.getState());
  if (!argument || argument.getArgNumber() >= problem.arguments.size())
    return state;
  const auto *given = std::get_if<Array>(&problem.arguments[argument.getArgNumber()]);
  if (!given)
    return state;
  const int64_t extents[] = {problem.batch, problem.kvHeads, problem.headSize, columns};
  bool fits = given->shape.size() == 4 && llvm::product_of(given->shape) == static_cast<int64_t>(given->entries.size());
  for (unsigned axis = 0; fits && axis < 4; ++axis)
    fits = given->shape[axis] == extents[axis] || (axis < 3 && given->shape[axis] == 1); // one for all indices
  if (!fits)
    return op.emitError() << "state has " << given->entries.size() << " values that do not fit its shape";
  auto at = [&](int64_t axis, int64_t index) { return given->shape[axis] == 1 ? 0 : index; };
  for (int64_t c = 0; c < problem.headSize; ++c)
    for (int64_t e = 0; e < columns; ++e) {
      int64_t row = (at(0, batch) * given->shape[1] + at(1, keyHead)) * given->shape[2] + at(2, c);
      state[c * columns + e] = given->entries[row * columns + e];
    }
  return state;
}

/// How many keys a row sees.
static int64_t keysOf(LinearForm form, const Problem &problem, int64_t row) {
  if (form == LinearForm::Full)
    return problem.kvLength;
  return std::clamp<int64_t>(row + problem.queryOffset - problem.keyOffset + 1, 0, problem.kvLength);
}

/// Walks over all keys and rows, and writes what the arithmetic gives. Returns the pairs that rows and keys make.
template <typename Number>
static int64_t evaluateAll(LinearAttentionOp op, const Problem &problem, Arithmetic arithmetic, ArrayRef<Row> states,
                           std::vector<Number> &output, std::vector<Number> &lse, std::vector<Number> &state) {
  int64_t pairs = 0, group = problem.heads / problem.kvHeads;
  for (auto [pair, before] : llvm::enumerate(states)) {
    int64_t batch = pair / problem.kvHeads, keyHead = pair % problem.kvHeads;
    Walk walk(arithmetic, problem, batch, keyHead, before);
    for (int64_t row = 0; row < problem.length; ++row) {
      walk.absorb(keysOf(op.getForm(), problem, row));
      pairs += group * keysOf(op.getForm(), problem, row);
      for (int64_t head = keyHead * group; head < (keyHead + 1) * group; ++head) {
        int64_t index = (batch * problem.heads + head) * problem.length + row;
        auto store = [&](int64_t e, double x) { output[index * problem.valueHeadSize + e] = static_cast<Number>(x); };
        lse[index] = static_cast<Number>(walk.computeRow(head, row, store));
      }
    }
    walk.absorb(problem.kvLength);
    llvm::append_range(state, walk.takeState());
  }
  return pairs;
}

LinearResult attn::reference::evaluate(LinearAttentionOp op, const Problem &problem) {
  LinearResult result;
  static_cast<Result &>(result) = emptyResult(problem, /*complete=*/false);
  if (failed(checkSizes(op, problem)))
    return result;
  Arithmetic exact(op, problem, /*isEager=*/false), eager(op, problem, /*isEager=*/true);
  std::vector<Row> states;
  for (int64_t pair = 0; pair < problem.batch * problem.kvHeads; ++pair) {
    FailureOr<Row> state = stateBefore(op, problem, pair / problem.kvHeads, pair % problem.kvHeads);
    if (failed(state))
      return result;
    states.push_back(std::move(*state));
  }
  result.complete = exact.isComplete() && eager.isComplete();
  if (!result.complete)
    return result;
  result.admittedPairs = evaluateAll(op, problem, exact, states, result.output, result.lse, result.state);
  evaluateAll(op, problem, eager, states, result.eagerOutput, result.eagerLse, result.eagerState);
  return result;
}

Verdict attn::reference::judge(const LinearResult &expected, const Problem &problem, const std::vector<float> &output,
                               const std::vector<float> &lse, const std::vector<float> &state) {
  Verdict verdict = judge(expected, problem, output, lse);
  if (state.empty() || !expected.complete)
    return verdict;
  Verdict ofState = judge(Expected{expected.state, {}, expected.eagerState, {}}, problem.element, state, {});
  verdict.errorRatio = std::max(verdict.errorRatio, ofState.errorRatio);
  verdict.ok = verdict.ok && ofState.ok;
  return verdict;
}
