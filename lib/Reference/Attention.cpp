// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Evaluates attention row by row, twice: exactly, in double; and as a framework's eager attention does in the element
// type, whose error says how much error a kernel may have.
//
// Every row goes the same way. Over the keys j that query row i admits,
//   s_j = score(scale * q.k_j),  m = max s_j,  p_j = exp(s_j - m),  l = sum p_j,
//   output = sum p_j v_j / l,    lse = m + log l.

#include "FunctionArguments.h"
#include "Rounding.h"
#include "attn/Reference/RegionProgram.h"
#include <cmath>

using namespace mlir;
using namespace attn;
using namespace attn::reference;

namespace {

/// One query row: its rows of the tensors, and the key rows that it admits.
struct QueryRow {
  int64_t batch, head, row;
  const float *query;  // [head size]
  const float *keys;   // [kv length, head size]
  const float *values; // [kv length, value head size]
  std::vector<int64_t> admitted;
};

class Evaluator {
public:
  Evaluator(AttentionOp op, const Problem &problem, Mask mask);
  Result run();

private:
  void findAdmitted(QueryRow &row);
  double modify(RegionProgram &region, double score, const QueryRow &row, int64_t j) const;
  void computeExactScores(const QueryRow &row);
  void computeExactRow(const QueryRow &row, double *output, double &lse);
  void computeEagerScores(const QueryRow &row);
  void computeEagerRow(const QueryRow &row, MutableArrayRef<float> output, float &lse);

  const Problem &problem;
  Mask mask;
  double scale;                                          // the op's own, else the call's
  std::optional<RegionProgram> exactRegion, eagerRegion; // the score region, if there is one
  std::vector<double> exactScores;                       // of the current row's admitted keys
  std::vector<float> eagerScores;
  bool complete = true;
};

} // namespace

//===-- Sums ----------------------------------------------------------------------------------------------------===//

/// Adds up term(0), term(1), ... in `lanes` partial sums, as vector registers do.
template <typename Number, int lanes, typename Term> static Number sumOf(int64_t size, Term term) {
  Number sums[lanes] = {};
  int64_t begin = 0;
  for (; begin + lanes <= size; begin += lanes)
    for (int lane = 0; lane < lanes; ++lane)
      sums[lane] += term(begin + lane);
  for (int lane = 0; begin + lane < size; ++lane)
    sums[lane] += term(begin + lane);
  for (int half = lanes / 2; half > 0; half /= 2)
    for (int lane = 0; lane < half; ++lane)
      sums[lane] += sums[lane + half];
  return sums[0];
}

static double exactDot(const float *a, const float *b, int64_t size) {
  return sumOf<double, 8>(size, [=](int64_t c) { return double(a[c]) * double(b[c]); });
}

static float eagerDot(const float *a, const float *b, int64_t size) {
  return sumOf<float, 16>(size, [=](int64_t c) { return a[c] * b[c]; });
}

/// output <- output + weight * value
template <typename Number>
static void addWeighted(Number *__restrict output, Number weight, const float *__restrict value, int64_t size) {
  for (int64_t c = 0; c < size; ++c)
    output[c] += weight * value[c];
}

/// The largest number; NaN if there is one; -inf if there is none.
template <typename Number> static Number maximumOf(const std::vector<Number> &numbers) {
  Number maximum = -std::numeric_limits<Number>::infinity();
  for (Number number : numbers)
    if (number > maximum || std::isnan(number))
      maximum = number;
  return maximum;
}

//===-- Exact ---------------------------------------------------------------------------------------------------===//

/// The score region speaks of positions, as patterns do.
double Evaluator::modify(RegionProgram &region, double score, const QueryRow &row, int64_t j) const {
  return region.run({score, double(row.batch), double(row.head), double(problem.queryOffset + row.row),
                     double(problem.keyOffset + j)});
}

void Evaluator::computeExactScores(const QueryRow &row) {
  exactScores.clear();
  for (int64_t j : row.admitted) {
    double score = scale * exactDot(row.query, row.keys + j * problem.headSize, problem.headSize);
    exactScores.push_back(exactRegion ? modify(*exactRegion, score, row, j) : score);
  }
}

void Evaluator::computeExactRow(const QueryRow &row, double *output, double &lse) {
  computeExactScores(row);
  double maximum = maximumOf(exactScores), sum = 0;
  lse = maximum;
  if (maximum == -std::numeric_limits<double>::infinity())
    return; // no key: output 0
  for (auto [score, j] : llvm::zip_equal(exactScores, row.admitted)) {
    double weight = std::exp(score - maximum);
    sum += weight;
    addWeighted(output, weight, row.values + j * problem.valueHeadSize, problem.valueHeadSize);
  }
  for (int64_t c = 0; c < problem.valueHeadSize; ++c)
    output[c] /= sum;
  lse = maximum + std::log(sum);
}

//===-- Eager ---------------------------------------------------------------------------------------------------===//

/// Every step is a tensor of the element type: q.k, scale * q.k, and the modified score. Inside of the score region f32
/// is float.
void Evaluator::computeEagerScores(const QueryRow &row) {
  eagerScores.clear();
  for (int64_t j : row.admitted)
    eagerScores.push_back(eagerDot(row.query, row.keys + j * problem.headSize, problem.headSize));
  roundTo(problem.element, eagerScores);
  for (float &score : eagerScores)
    score *= static_cast<float>(scale);
  roundTo(problem.element, eagerScores);
  if (!eagerRegion)
    return;
  for (auto [score, j] : llvm::zip_equal(eagerScores, row.admitted))
    score = static_cast<float>(modify(*eagerRegion, score, row, j));
  roundTo(problem.element, eagerScores);
}

/// Softmax is computed in float and gives a tensor of the element type; P.V is summed in float and rounded once.
void Evaluator::computeEagerRow(const QueryRow &row, MutableArrayRef<float> output, float &lse) {
  computeEagerScores(row);
  float maximum = maximumOf(eagerScores);
  lse = maximum;
  if (maximum == -std::numeric_limits<float>::infinity())
    return;
  std::vector<float> &weights = eagerScores;
  for (float &weight : weights)
    weight = std::exp(weight - maximum);
  float sum = sumOf<float, 16>(weights.size(), [&](int64_t key) { return weights[key]; });
  for (float &weight : weights)
    weight /= sum;
  roundTo(problem.element, weights);
  for (auto [weight, j] : llvm::zip_equal(weights, row.admitted))
    addWeighted(output.data(), weight, row.values + j * problem.valueHeadSize, problem.valueHeadSize);
  roundTo(problem.element, output);
  lse = maximum + std::log(sum);
}

//===-- All rows ------------------------------------------------------------------------------------------------===//

Evaluator::Evaluator(AttentionOp op, const Problem &problem, Mask mask)
    : problem(problem), mask(std::move(mask)), scale(problem.scale) {
  FunctionArguments arguments(problem);
  auto lookup = [&](Value argument) { return arguments.number(argument); };
  if (op.getScale()) {
    RegionProgram program(op.getScale(), lookup);
    complete = program.isComplete() && arguments.areComplete();
    scale = complete ? program.run({}) : 0;
  }
  if (op.getScore().empty() || !complete)
    return;
  exactRegion.emplace(op.getScore(), lookup, /*roundToFloat=*/false);
  complete = exactRegion->isComplete() && arguments.areComplete();
  if (complete)
    eagerRegion.emplace(op.getScore(), lookup, /*roundToFloat=*/true);
}

void Evaluator::findAdmitted(QueryRow &row) {
  row.admitted.clear();
  for (int64_t j = 0; j < problem.kvLength; ++j)
    if (mask(row.batch, row.head, row.row, j))
      row.admitted.push_back(j);
}

/// Results in which nothing has been computed: all NaN if it never will be.
static Result emptyResult(const Problem &problem, bool complete) {
  int64_t rows = problem.batch * problem.heads * problem.length;
  double fill = complete ? 0 : std::numeric_limits<double>::quiet_NaN();
  Result result;
  result.output.assign(rows * problem.valueHeadSize, fill);
  result.lse.assign(rows, fill);
  result.eagerOutput.assign(rows * problem.valueHeadSize, static_cast<float>(fill));
  result.eagerLse.assign(rows, static_cast<float>(fill));
  result.complete = complete;
  return result;
}

Result Evaluator::run() {
  Result result = emptyResult(problem, complete);
  if (!complete)
    return result;
  int64_t numRows = problem.batch * problem.heads * problem.length, columns = problem.valueHeadSize;
  QueryRow row;
  for (int64_t index = 0; index < numRows; ++index) { // [batch, head, row]
    row.row = index % problem.length;
    row.head = index / problem.length % problem.heads;
    row.batch = index / problem.length / problem.heads;
    int64_t keyHead = row.batch * problem.kvHeads + row.head / (problem.heads / problem.kvHeads);
    row.query = problem.query.data() + index * problem.headSize;
    row.keys = problem.key.data() + keyHead * problem.kvLength * problem.headSize;
    row.values = problem.value.data() + keyHead * problem.kvLength * problem.valueHeadSize;
    findAdmitted(row);
    result.admittedPairs += row.admitted.size();
    computeExactRow(row, result.output.data() + index * columns, result.lse[index]);
    computeEagerRow(row, {result.eagerOutput.data() + index * columns, size_t(columns)}, result.eagerLse[index]);
  }
  return result;
}

/// Tensors have as many values as their shapes say, and query heads share key heads evenly.
static LogicalResult checkSizes(AttentionOp op, const Problem &problem) {
  if (problem.kvHeads < 1 || problem.heads % problem.kvHeads != 0)
    return op.emitError() << problem.kvHeads << " kv heads do not divide " << problem.heads << " heads";
  int64_t queries = problem.batch * problem.heads * problem.length;
  int64_t keys = problem.batch * problem.kvHeads * problem.kvLength;
  std::tuple<StringRef, size_t, int64_t> tensors[] = {{"query", problem.query.size(), queries * problem.headSize},
                                                      {"key", problem.key.size(), keys * problem.headSize},
                                                      {"value", problem.value.size(), keys * problem.valueHeadSize}};
  for (auto [name, given, expected] : tensors)
    if (static_cast<int64_t>(given) != expected)
      return op.emitError() << name << " has " << given << " values; its shape needs " << expected;
  return success();
}

Result attn::reference::evaluate(AttentionOp op, const Problem &problem) {
  if (failed(checkSizes(op, problem)))
    return emptyResult(problem, /*complete=*/false);
  FailureOr<Mask> mask = buildMask(op, problem);
  if (failed(mask))
    return emptyResult(problem, /*complete=*/false);
  return Evaluator(op, problem, *mask).run();
}

Verdict attn::reference::judge(const Result &expected, const Problem &problem, const std::vector<float> &output,
                               const std::vector<float> &lse) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (!expected.complete)
    return {false, infinity, infinity, infinity};
  return judge(expected, problem.element, output, lse);
}

void attn::reference::roundTo(Element element, MutableArrayRef<float> values) {
  if (element == Element::BF16)
    for (float &value : values)
      value = roundToBF16(value);
  if (element == Element::F16)
    for (float &value : values)
      value = roundToF16(value);
}
