// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What targets offer: tiles and rates.

#include "attn/Pattern/Plan.h"
#include <algorithm>
#include <numeric>

using namespace attn;

// A register of AVX-512 holds the scores of 16 keys; of bf16, one of weights is rounded from two of scores.
Target Target::cpu(Element element) {
  Target target;
  target.name = "cpu";
  target.tile = {/*rows=*/64, /*keys=*/64, /*groupRows=*/8, /*granule=*/element == Element::BF16 ? 32 : 16};
  target.flopsPerSecond = 245e9;
  target.gridPairTime = 1.55;
  target.secondsPerRow = 45e-9;
  target.bytesPerSecond = 12e9;
  return target;
}

/// Listed keys come in tiles of up to 32: they are few, and none of them is next to another.
static TileShape tileOfGpu(int64_t rows, int64_t keys) {
  return {rows, keys, /*groupRows=*/rows, /*granule=*/std::gcd(keys, int64_t(32)), /*anchored=*/true};
}

// A warpgroup holds 64 rows of the accumulator and of the scores in its registers. Up to 64 columns leave room for
// three warpgroups of 160 registers, more only for two of 240; past 128, scores shrink to 64 keys. Local patterns take
// 64 rows, so that a tile of rows sees little more than a row does, and several blocks on a multiprocessor hide each
// other's waits; 96 keys divide the 64 + 512 that a tile sees of a window of 256 to each side. Fewer keys at a time
// keep the products less busy.
Target Target::sm90a(int64_t headSize, int64_t valueHeadSize, bool hasScore) {
  int64_t columns = std::max(headSize, valueHeadSize);
  Target target;
  target.name = "sm_90a";
  target.tile = columns <= 64    ? tileOfGpu(192, hasScore ? 112 : 128)
                : columns <= 128 ? tileOfGpu(128, 128)
                                 : tileOfGpu(128, 64);
  if (columns <= 64)
    target.locals = {{tileOfGpu(64, 96), 1}, {tileOfGpu(64, 64), 1.12}};
  else
    target.locals = {{tileOfGpu(64, columns <= 192 ? 64 : 48), 1}};
  target.compactKeys = columns <= 64 ? 3072 : 0; // measured: docs/performance.md
  target.flopsPerSecond = columns <= 64 ? 560e12 : 700e12;
  target.gridPairTime = 1.9;
  target.secondsPerRow = 0.1e-9;
  target.bytesPerSecond = 4.2e12;
  target.readsModuli = false; // tensor maps of classes are made before the call's memory is read
  return target;
}

// Rows take twice the shared memory, and threads multiply by themselves: they need the registers that wgmma leaves to
// the softmax. Blocks of 64 rows share a multiprocessor and fill each other's pauses.
Target Target::sm90aF32(int64_t headSize, int64_t valueHeadSize) {
  int64_t keys = std::max(headSize, valueHeadSize) <= 64 ? 64 : 32;
  Target target;
  target.name = "sm_90a";
  target.tile = tileOfGpu(64, keys);
  target.flopsPerSecond = 30e12;
  target.gridPairTime = 1;
  target.secondsPerRow = 0.1e-9;
  target.bytesPerSecond = 4.2e12;
  target.readsModuli = false; // tensor maps of classes are made before the call's memory is read
  return target;
}

std::optional<Target> Target::find(llvm::StringRef name, int64_t headSize, int64_t valueHeadSize, bool hasScore,
                                   Element element) {
  if (name == "cpu")
    return cpu(element);
  if (name == "sm_90a")
    return element == Element::F32 ? sm90aF32(headSize, valueHeadSize) : sm90a(headSize, valueHeadSize, hasScore);
  return std::nullopt;
}
