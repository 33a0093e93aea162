// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Run-time data out of a seed, where neither the call nor the kernel says any.
#ifndef ATTN_TOOLS_COMMON_DRAW_H
#define ATTN_TOOLS_COMMON_DRAW_H

#include "common/ArgumentText.h"
#include "common/Random.h"

namespace attn_tools {

/// [batch, positions]: up to 4 runs of ids 0, 1, ... between cuts that are drawn.
std::vector<int32_t> drawSegments(Random &random, int64_t batch, int64_t positions);

/// Each in [least, most].
std::vector<int32_t> drawIntegers(Random &random, int64_t count, int64_t least, int64_t most);

/// BigBird's random blocks: how many a block row has by default (Zaheer et al., 2020).
constexpr int64_t kDrawnBlocks = 3;

/// [heads, query blocks, kDrawnBlocks]: for each block of queries, distinct key blocks that are none of its own, that
/// one's two neighbours, the first and the last; -1 where there are too few, and in the first and last block of
/// queries, which look at everything.
std::vector<int32_t> drawBlocks(Random &random, int64_t heads, int64_t queryBlocks, int64_t keyBlocks);

/// Normally distributed, mean 0, variance 1.
std::vector<float> drawNumbers(Random &random, int64_t count);

} // namespace attn_tools

#endif // ATTN_TOOLS_COMMON_DRAW_H
