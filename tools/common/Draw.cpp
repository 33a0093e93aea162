// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Draws run-time data.
#include "common/Draw.h"

#include <algorithm>
#include <cstdlib>

namespace attn_tools {

std::vector<int32_t> drawSegments(Random &random, int64_t batch, int64_t positions) {
  std::vector<int32_t> ids;
  for (int64_t b = 0; b < batch; ++b) {
    int64_t cuts[3];
    for (int64_t &cut : cuts)
      cut = random.uniform(0, positions);
    std::sort(std::begin(cuts), std::end(cuts));
    for (int64_t position = 0; position < positions; ++position)
      ids.push_back(
          static_cast<int32_t>(std::upper_bound(std::begin(cuts), std::end(cuts), position) - std::begin(cuts)));
  }
  return ids;
}

std::vector<int32_t> drawIntegers(Random &random, int64_t count, int64_t least, int64_t most) {
  std::vector<int32_t> values(count);
  for (int32_t &value : values)
    value = static_cast<int32_t>(random.uniform(least, most));
  return values;
}

/// The blocks of one row that may be drawn lie in [1, keyBlocks - 2], and not within 1 of the row.
static int64_t countCandidates(int64_t row, int64_t keyBlocks) {
  int64_t first = std::max<int64_t>(row - 1, 1), last = std::min(row + 1, keyBlocks - 2);
  return std::max<int64_t>(keyBlocks - 2, 0) - std::max<int64_t>(last - first + 1, 0);
}

static void drawBlockRow(Random &random, int64_t row, int64_t keyBlocks, int32_t *drawn) {
  int64_t wanted = std::min(kDrawnBlocks, countCandidates(row, keyBlocks));
  for (int64_t count = 0; count < wanted;) {
    int64_t block = random.uniform(1, keyBlocks - 2);
    if (std::abs(block - row) > 1 && std::find(drawn, drawn + count, block) == drawn + count)
      drawn[count++] = static_cast<int32_t>(block);
  }
}

std::vector<int32_t> drawBlocks(Random &random, int64_t heads, int64_t queryBlocks, int64_t keyBlocks) {
  std::vector<int32_t> blocks(heads * queryBlocks * kDrawnBlocks, -1);
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t row = 1; row < queryBlocks - 1; ++row)
      drawBlockRow(random, row, keyBlocks, &blocks[(h * queryBlocks + row) * kDrawnBlocks]);
  return blocks;
}

std::vector<float> drawNumbers(Random &random, int64_t count) {
  std::vector<float> numbers(count);
  for (float &number : numbers)
    number = random.normal();
  return numbers;
}

} // namespace attn_tools
