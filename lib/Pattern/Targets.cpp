// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What targets offer: tiles and rates.

#include "attn/Pattern/Plan.h"
#include <algorithm>

using namespace attn;

Target Target::cpu() {
  Target target;
  target.name = "cpu";
  target.tile = {/*rows=*/64, /*keys=*/64, /*groupRows=*/8, /*granule=*/32};
  target.flopsPerSecond = 245e9;
  target.gridPairTime = 1.55;
  target.secondsPerRow = 45e-9;
  target.bytesPerSecond = 12e9;
  return target;
}

// A warpgroup holds 64 rows of the accumulator and of the scores in its registers. Up to 64 columns leave room for
// three warpgroups of 160 registers, more only for two of 240; past 128, scores shrink to 64 keys. Local patterns take
// 64 rows, so that a tile of rows sees little more than a row does, and several blocks on a multiprocessor hide each
// other's waits; 96 keys divide the 64 + 512 that a tile sees of a window of 256 to each side. Fewer keys at a time
// keep the products less busy.
Target Target::sm90a(int64_t headSize, int64_t valueHeadSize, bool hasScore) {
  auto tileOf = [](int64_t rows, int64_t keys) { return TileShape{rows, keys, rows, keys, /*anchored=*/true}; };
  int64_t columns = std::max(headSize, valueHeadSize);
  Target target;
  target.name = "sm_90a";
  target.tile = columns <= 64 ? tileOf(192, hasScore ? 112 : 128) : columns <= 128 ? tileOf(128, 128) : tileOf(128, 64);
  if (columns <= 64)
    target.locals = {{tileOf(64, 96), 1}, {tileOf(64, 64), 1.12}};
  else
    target.locals = {{tileOf(64, columns <= 192 ? 64 : 48), 1}};
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
  target.tile = {/*rows=*/64, keys, /*groupRows=*/64, /*granule=*/keys, /*anchored=*/true};
  target.flopsPerSecond = 30e12;
  target.gridPairTime = 1;
  target.secondsPerRow = 0.1e-9;
  target.bytesPerSecond = 4.2e12;
  target.readsModuli = false; // tensor maps of classes are made before the call's memory is read
  return target;
}

std::optional<Target> Target::find(llvm::StringRef name, int64_t headSize, int64_t valueHeadSize, bool hasScore,
                                   int64_t elementBytes) {
  if (name == "cpu")
    return cpu();
  if (name == "sm_90a")
    return elementBytes == 4 ? sm90aF32(headSize, valueHeadSize) : sm90a(headSize, valueHeadSize, hasScore);
  return std::nullopt;
}
