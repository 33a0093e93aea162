// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Evaluates attention row by row, twice: exactly, in double; and as a framework's eager attention does in the element
// type, whose error says how much error a kernel may have.
//
// Every row goes the same way. Over the keys j that query row i admits, and of which the score is not -inf,
//   s_j = score(scale * q.k_j),  m = max(s_j, sink),  p_j = exp(s_j - m),  l = sum p_j + exp(sink - m),
//   output = sum p_j v_j / l,    lse = m + log l,
// where without a sink the sink is -inf.

#include "Products.h"
#include "Results.h"
#include "attn/Reference/RegionProgram.h"
#include <cmath>

using namespace mlir;
using namespace attn;
using namespace attn::reference;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// The regions and the scale of an attention, as programs.
struct Programs {
  std::optional<RegionProgram> scale, score, sink;

  Programs(AttentionOp op, const Problem &problem, bool isEager);
  bool areComplete() const;
};

/// One query row, and the key rows that it admits.
struct QueryRow {
  int64_t batch, head, row;
  std::vector<int64_t> admitted;
};

/// A key row that takes part in the softmax.
template <typename Real> struct Scored {
  int64_t key;
  Real score;
};

class Evaluator {
public:
  Evaluator(AttentionOp op, const Problem &problem, Mask mask);
  Result run();

private:
  void findAdmitted(QueryRow &row);
  double scaleOf(Programs &programs, const QueryRow &row) const;
  double modify(Programs &programs, double score, const QueryRow &row, int64_t j) const;
  double sinkOf(Programs &programs, const QueryRow &row) const;
  void computeExactRow(const QueryRow &row, double *output, double &lse);
  void computeEagerRow(const QueryRow &row, MutableArrayRef<float> output, float &lse);

  const Problem &problem;
  Mask mask;
  Programs exact, eager;
};

} // namespace

/// output <- output + weight * value
template <typename Number>
static void addWeighted(Number *__restrict output, Number weight, const float *__restrict value, int64_t size) {
  for (int64_t c = 0; c < size; ++c)
    output[c] += weight * value[c];
}

/// The largest score, counting from one that no key has; NaN if there is one.
template <typename Real> static Real maximumOf(Real first, const std::vector<Scored<Real>> &keys) {
  Real maximum = first;
  for (const Scored<Real> &key : keys)
    if (key.score > maximum || std::isnan(key.score))
      maximum = key.score;
  return maximum;
}

//===-- Regions -------------------------------------------------------------------------------------------------===//

Programs::Programs(AttentionOp op, const Problem &problem, bool isEager) {
  if (op.getScale())
    scale.emplace(op.getScale(), problem);
  if (!op.getScore().empty())
    score.emplace(op.getScore(), problem, /*roundToFloat=*/isEager);
  if (!op.getSink().empty())
    sink.emplace(op.getSink(), problem, /*roundToFloat=*/isEager);
}

bool Programs::areComplete() const {
  return llvm::all_of(std::array{&scale, &score, &sink},
                      [](auto *program) { return !*program || (*program)->isComplete(); });
}

/// The op's own scale, or else the call's.
double Evaluator::scaleOf(Programs &programs, const QueryRow &row) const {
  return programs.scale ? programs.scale->run({double(row.batch), double(row.head)}) : problem.scale;
}

/// The score region speaks of positions, as patterns do.
double Evaluator::modify(Programs &programs, double score, const QueryRow &row, int64_t j) const {
  if (!programs.score)
    return score;
  return programs.score->run({score, double(row.batch), double(row.head), double(problem.queryOffset + row.row),
                              double(problem.keyOffset + j)});
}

double Evaluator::sinkOf(Programs &programs, const QueryRow &row) const {
  if (!programs.sink)
    return -infinity;
  return programs.sink->run({double(row.batch), double(row.head), double(problem.queryOffset + row.row)});
}

//===-- Exact ---------------------------------------------------------------------------------------------------===//

void Evaluator::computeExactRow(const QueryRow &row, double *output, double &lse) {
  const float *query = problem.queryRow(row.batch, row.head, row.row);
  double scale = scaleOf(exact, row), sink = sinkOf(exact, row);
  std::vector<Scored<double>> keys;
  for (int64_t j : row.admitted) {
    const float *key = problem.keyRow(row.batch, row.head, j);
    double score = modify(exact, exactProduct(query, key, problem.headSize, scale), row, j);
    if (score != -infinity)
      keys.push_back({j, score});
  }
  double maximum = maximumOf(sink, keys);
  lse = maximum;
  if (maximum == -infinity)
    return; // no key: output 0
  double sum = std::exp(sink - maximum);
  for (auto [j, score] : keys) {
    double weight = std::exp(score - maximum);
    sum += weight;
    addWeighted(output, weight, problem.valueRow(row.batch, row.head, j), problem.valueHeadSize);
  }
  for (int64_t c = 0; c < problem.valueHeadSize; ++c)
    output[c] /= sum;
  lse = maximum + std::log(sum);
}

//===-- Eager ---------------------------------------------------------------------------------------------------===//

/// Every score is a tensor of the element type: q.k, scale * q.k, the modified one, and the sink. Softmax is computed
/// in float and gives a tensor of the element type; P.V is summed in float and rounded once.
void Evaluator::computeEagerRow(const QueryRow &row, MutableArrayRef<float> output, float &lse) {
  Element element = problem.element;
  const float *query = problem.queryRow(row.batch, row.head, row.row);
  double scale = scaleOf(eager, row);
  float sink = rounded(element, static_cast<float>(sinkOf(eager, row)));
  std::vector<Scored<float>> keys;
  for (int64_t j : row.admitted) {
    const float *key = problem.keyRow(row.batch, row.head, j);
    float product = eagerProduct(query, key, problem.headSize, scale, element);
    float score = rounded(element, static_cast<float>(modify(eager, product, row, j)));
    if (score != -infinity)
      keys.push_back({j, score});
  }
  float maximum = maximumOf(sink, keys);
  lse = maximum;
  if (maximum == -infinity)
    return;
  std::vector<float> weights;
  for (auto [j, score] : keys)
    weights.push_back(std::exp(score - maximum));
  float sum = sumOf<float, 16>(weights.size(), [&](int64_t key) { return weights[key]; }) + std::exp(sink - maximum);
  for (auto [key, weight] : llvm::zip_equal(keys, weights))
    addWeighted(output.data(), rounded(element, weight / sum), problem.valueRow(row.batch, row.head, key.key),
                problem.valueHeadSize);
  roundTo(element, output);
  lse = maximum + std::log(sum);
}

//===-- All rows ------------------------------------------------------------------------------------------------===//

Evaluator::Evaluator(AttentionOp op, const Problem &problem, Mask mask)
    : problem(problem), mask(std::move(mask)), exact(op, problem, /*isEager=*/false),
      eager(op, problem, /*isEager=*/true) {}

void Evaluator::findAdmitted(QueryRow &row) {
  row.admitted.clear();
  for (int64_t j = 0; j < problem.kvLength; ++j)
    if (mask(row.batch, row.head, row.row, j))
      row.admitted.push_back(j);
}

Result attn::reference::emptyResult(const Problem &problem, bool complete) {
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
  bool complete = exact.areComplete() && eager.areComplete();
  Result result = emptyResult(problem, complete);
  if (!complete)
    return result;
  int64_t numRows = problem.batch * problem.heads * problem.length, columns = problem.valueHeadSize;
  QueryRow row;
  for (int64_t index = 0; index < numRows; ++index) { // [batch, head, row]
    row.row = index % problem.length;
    row.head = index / problem.length % problem.heads;
    row.batch = index / problem.length / problem.heads;
    findAdmitted(row);
    result.admittedPairs += row.admitted.size();
    computeExactRow(row, result.output.data() + index * columns, result.lse[index]);
    computeEagerRow(row, {result.eagerOutput.data() + index * columns, size_t(columns)}, result.eagerLse[index]);
  }
  return result;
}

LogicalResult attn::reference::checkSizes(Operation *op, const Problem &problem) {
  if (problem.kvHeads < 1 || problem.heads % problem.kvHeads != 0)
    return op->emitError() << problem.kvHeads << " kv heads do not divide " << problem.heads << " heads";
  int64_t queries = problem.batch * problem.heads * problem.length;
  int64_t keys = problem.batch * problem.kvHeads * problem.kvLength;
  std::tuple<StringRef, size_t, int64_t> tensors[] = {{"query", problem.query.size(), queries * problem.headSize},
                                                      {"key", problem.key.size(), keys * problem.headSize},
                                                      {"value", problem.value.size(), keys * problem.valueHeadSize}};
  for (auto [name, given, expected] : tensors)
    if (static_cast<int64_t>(given) != expected)
      return op->emitError() << name << " has " << given << " values; its shape needs " << expected;
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
  if (!expected.complete)
    return {false, infinity, infinity, infinity};
  return judge(expected, problem.element, output, lse);
}

void attn::reference::roundTo(Element element, MutableArrayRef<float> values) {
  for (float &value : values)
    value = rounded(element, value);
}
