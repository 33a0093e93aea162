// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Counts and predicts what linear attention does. It admits as many pairs as softmax attention would and multiplies
// none of them; what it multiplies is counted in pairs all the same, so that the two can be compared.

#include "../Runtime/kernel.h"
#include "attn/Compiler/Report.h"
#include <cmath>

using namespace attn;

/// How many keys the rows see together, where row i sees those before i + shift + 1.
static int64_t coveredPairs(LinearForm form, const reference::Problem &call) {
  if (form == LinearForm::Full)
    return call.length * call.kvLength;
  int64_t pairs = 0, shift = call.queryOffset - call.keyOffset;
  for (int64_t row = 0; row < call.length; ++row)
    pairs += std::clamp<int64_t>(row + shift + 1, 0, call.kvLength);
  return pairs;
}

/// Pairs that are multiplied as such: a row of a chunk with the keys of the chunk up to its own. On a GPU chunks have a
/// state of their own only where a split begins (lib/Runtime/gpu_linear.h), and keys come no other way.
static int64_t chunkPairs(const KernelLayout &layout, bool isForGpu, int64_t length) {
  LinearForm form = layout.linear->form;
  if (form == LinearForm::Full || (form == LinearForm::Step && !isForGpu))
    return 0;
  int64_t chunk = isForGpu ? llvm::alignTo(layout.headSize, ATTN_LINEAR_CHUNK) : ATTN_LINEAR_CHUNK;
  int64_t whole = length / chunk, rest = length % chunk;
  return whole * chunk * (chunk + 1) / 2 + rest * (rest + 1) / 2;
}

PairCounts attn::countLinearPairs(const KernelSource &kernel, llvm::StringRef target, const reference::Problem &call) {
  const KernelLayout &layout = kernel.layout;
  auto state = static_cast<double>(layout.headSize * (layout.valueHeadSize + 1));
  auto pair = static_cast<double>(layout.headSize + layout.valueHeadSize);
  double keys = static_cast<double>(call.kvLength) / static_cast<double>(call.heads / call.kvHeads);
  double rowsAndKeys = static_cast<double>(call.length) + keys;
  PairCounts counts;
  counts.admitted = coveredPairs(layout.linear->form, call);
  counts.computed = std::llround(rowsAndKeys * state / pair) + chunkPairs(layout, target != "cpu", call.length);
  return counts;
}

Report attn::makeLinearReport(const KernelSource &kernel, llvm::StringRef target, const reference::Problem &call) {
  const KernelLayout &layout = kernel.layout;
  // A GPU's threads multiply by themselves, whatever the element is.
  const Target machine = target == "cpu" ? Target::cpu() : Target::sm90aF32(layout.headSize, layout.valueHeadSize);
  PairCounts pairs = countLinearPairs(kernel, target, call);
  double columns = static_cast<double>(layout.headSize + layout.valueHeadSize);
  double elementBytes = layout.element.getIntOrFloatBitWidth() / 8.0;
  Report report;
  report.kernel = layout.name, report.target = target.str(), report.length = call.length;
  report.cost.admittedPairs = static_cast<double>(pairs.admitted);
  report.cost.computedPairs = static_cast<double>(pairs.computed);
  report.cost.flops = 2 * columns * report.cost.computedPairs;
  report.cost.bytes = elementBytes * columns * static_cast<double>(call.length + call.kvLength);
  report.cost.predictedMs =
      1e3 * std::max(report.cost.flops / machine.flopsPerSecond, report.cost.bytes / machine.bytesPerSecond);
  report.phases.push_back({"all", "all", "its rows", report.cost});
  return report;
}
