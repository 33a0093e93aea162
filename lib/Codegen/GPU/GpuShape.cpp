// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Deals out the shared memory and the registers of a multiprocessor.

#include "attn/Codegen/GpuShape.h"
#include "llvm/Support/FormatVariadic.h"

using namespace attn;

// What an sm_90 multiprocessor has.
static constexpr int64_t sharedMemory = 228 << 10, reservedPerBlock = 1 << 10, sharedMemoryOfBlock = 227 << 10;
static constexpr int64_t registers = 65536, mostRegistersAtLaunch = 168, mostRegisters = 240;

static int64_t roundUp(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }
static int64_t roundDown(int64_t value, int64_t unit) { return value / unit * unit; }

/// Lays the parts out one after the other.
static void mapSharedMemory(GpuShape &s, bool outputOverQuery) {
  int64_t queryBytes = s.rows * s.queryColumns * 2, outputBytes = s.rows * s.valueColumns * 2;
  s.queryOffset = 0;
  s.keyOffset = outputOverQuery ? std::max(queryBytes, outputBytes) : queryBytes;
  s.valueOffset = s.keyOffset + s.stages * s.keys * s.queryColumns * 2;
  int64_t end = s.valueOffset + s.stages * s.keys * s.valueColumns * 2;
  s.outputOffset = outputOverQuery ? s.queryOffset : end;
  s.keyRowsOffset = outputOverQuery ? end : end + outputBytes;
  s.barriersOffset = s.keyRowsOffset + (s.copiesRows ? s.stages * s.keys * 4 : 0);
  // A query ring of one stage and two of `stages`, two barriers a stage.
  s.sharedBytes = s.barriersOffset + (1 + 2 * s.stages) * 16;
}

/// A warpgroup that only starts copies needs few registers; the consumers get the rest of what the launch gave.
static void dealRegisters(GpuShape &s) {
  int64_t atLaunch = std::min(roundDown(registers / s.blocksPerSm / s.threads(), 8), mostRegistersAtLaunch);
  bool isTight = s.blocksPerSm > 2;
  s.producerRegisters = s.consumers() == 3 ? 32 : s.copiesRows && !isTight ? 48 : 24;
  int64_t rest = atLaunch * s.threads() - 128 * s.producerRegisters;
  s.consumerRegisters = std::min(mostRegisters, roundDown(rest / (128 * s.consumers()), 8));
}

llvm::Expected<GpuShape> GpuShape::of(const KernelLayout &layout, unsigned phase, GpuVersion version) {
  const PhaseLayout &traits = layout.phases[phase];
  GpuShape s = {};
  s.rows = layout.tile[0], s.keys = layout.tile[1];
  s.depth = roundUp(layout.headSize, 16), s.columns = roundUp(layout.valueHeadSize, 16);
  s.queryColumns = roundUp(layout.headSize, 64), s.valueColumns = roundUp(layout.valueHeadSize, 64);
  s.copiesRows = version == GpuVersion::Strided || traits.hasTables;
  // One warpgroup waits for itself: other blocks fill its pauses.
  bool isSmall = s.consumers() == 1;
  int64_t widest = std::max(s.queryColumns, s.valueColumns);
  s.blocksPerSm = !isSmall || widest > 128 ? 1 : widest <= 64 && version == GpuVersion::Tiled ? 3 : 2;
  s.loopsOverItems = !isSmall;
  s.persistent = s.loopsOverItems && !traits.movesWithRows;
  s.descending = traits.movesWithRows;
  s.rescalesLazily = widest > 64 || s.persistent;
  // A copied stage is published after the next is acquired: nobody may wait for it while holding that one.
  s.awaitsKeysEarly = s.consumers() == 2 && !s.copiesRows;

  int64_t room = std::min(sharedMemory / s.blocksPerSm - reservedPerBlock, sharedMemoryOfBlock);
  for (bool outputOverQuery : {false, true})
    for (s.stages = 3; s.stages >= 2; --s.stages) {
      mapSharedMemory(s, outputOverQuery);
      if (s.sharedBytes <= room) {
        dealRegisters(s);
        return s;
      }
    }
  return llvm::createStringError(
      llvm::formatv(
          "a tile of {0} rows and {1} keys at head sizes {2} and {3} takes {4} bytes of shared memory of {5}; "
          "use smaller --tile-rows or --tile-keys",
          s.rows, s.keys, layout.headSize, layout.valueHeadSize, s.sharedBytes, room)
          .str());
}

std::string attn::gpuFunctionName(const KernelLayout &layout, unsigned phase, GpuVersion version) {
  return layout.name + "_phase" + std::to_string(phase) + (version == GpuVersion::Tiled ? "_tiled" : "_strided");
}
