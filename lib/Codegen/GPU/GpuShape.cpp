// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Deals out the shared memory and the registers of a multiprocessor.

#include "attn/Codegen/GpuShape.h"
#include "llvm/Support/FormatVariadic.h"

using namespace attn;

// What an sm_90 multiprocessor has.
static constexpr int64_t sharedMemory = 228 << 10, reservedPerBlock = 1 << 10, sharedMemoryOfBlock = 227 << 10;
static constexpr int64_t registers = 65536, mostRegistersAtLaunch = 168, mostRegisters = 240;

// What is multiplied at a time: consumers have 64 rows each, wgmma takes 256 keys, and a thread has 64 bits for
// answers.
static constexpr int64_t mostRowsOfTile = 192, mostKeysOfTile = 256, mostTestedKeys = 128;

static int64_t roundUp(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }
static int64_t roundDown(int64_t value, int64_t unit) { return value / unit * unit; }

/// Lays the parts out one after the other.
static void mapSharedMemory(GpuShape &s, int64_t elementBytes, bool outputOverQuery) {
  int64_t queryRow = s.queryColumns * elementBytes, valueRow = s.valueColumns * elementBytes;
  int64_t queryBytes = s.rows * queryRow, outputBytes = s.rows * valueRow;
  s.queryOffset = 0;
  s.keyOffset = outputOverQuery ? std::max(queryBytes, outputBytes) : s.queryStages * queryBytes;
  s.valueOffset = s.keyOffset + s.stages * s.keys * queryRow;
  int64_t end = s.valueOffset + s.stages * s.keys * valueRow;
  s.outputOffset = outputOverQuery ? s.queryOffset : end;
  s.barriersOffset = outputOverQuery ? end : end + outputBytes;
  s.sharedBytes = s.barriersOffset + (s.queryStages + 2 * s.stages) * GpuShape::bytesBesideStage;
}

/// The most stages that fit into `room` bytes; first without what can be done without.
static bool fitSharedMemory(GpuShape &s, int64_t elementBytes, int64_t room) {
  struct Choice {
    int64_t queryStages;
    bool outputOverQuery;
  };
  for (auto [queryStages, outputOverQuery] : {Choice{2, false}, Choice{1, false}, Choice{1, true}}) {
    if (queryStages > 1 && !s.persistent)
      continue;
    s.queryStages = queryStages;
    for (s.stages = 3; s.stages >= 2; --s.stages) {
      mapSharedMemory(s, elementBytes, outputOverQuery);
      if (s.sharedBytes <= room)
        return true;
    }
  }
  return false;
}

/// Whether a score region does so much for a pair that one copy of it for every place would be too much code: it
/// multiplies rows, or is long.
static bool takesLong(const KernelLayout &layout) {
  constexpr unsigned manyOps = 32;
  const TermLayout &terms = layout.terms;
  return terms.ofKey + terms.ofDistance + terms.bands + terms.ofPair > 0 || layout.scoreOps > manyOps;
}

/// The registers of a producer's thread: few where it only starts copies, more where it copies rows, finds parts of
/// keys, or computes long bounds and ranks. Consumers, too, have much to know of a grid: wide accumulators leave no
/// more.
static int64_t producerRegistersOf(const GpuShape &s, const PhaseLayout &phase, bool hasParts) {
  if (s.consumers() == 3)
    return s.copiesRows && s.hasManyBoxes ? 56 : 32;
  bool isTight = s.blocksPerSm > 2;
  if (!s.threadsMultiply && !phase.isTested && (isTight || (!s.copiesRows && !phase.isComputed && !hasParts)))
    return hasParts ? 40 : 24;
  if (!s.copiesRows || !hasParts)
    return 56;
  if (!phase.grid)
    return 64;
  return s.threadsMultiply || std::max(s.depth, s.columns) > 64 ? 48 : 56;
}

/// Consumers get the rest of what the launch gave.
static void dealRegisters(GpuShape &s, const PhaseLayout &phase, bool hasParts) {
  int64_t atLaunch = std::min(roundDown(registers / s.blocksPerSm / s.threads(), 8), mostRegistersAtLaunch);
  s.producerRegisters = producerRegistersOf(s, phase, hasParts);
  int64_t rest = atLaunch * s.threads() - 128 * s.producerRegisters;
  s.consumerRegisters = std::min(mostRegisters, roundDown(rest / (128 * s.consumers()), 8));
}

/// What is wrong with a tile whatever the head sizes are.
static std::optional<std::string> describeMistake(const TileShape &tile, const PhaseLayout &phase) {
  int64_t mostKeys = phase.isTested ? mostTestedKeys : mostKeysOfTile;
  if (tile.rows % 64 != 0 || tile.keys % 16 != 0)
    return llvm::formatv("a tile of {0} rows and {1} keys cannot be multiplied; use multiples of 64 rows and 16 keys",
                         tile.rows, tile.keys)
        .str();
  if (tile.granule % 16 != 0)
    return llvm::formatv("a tile of {0} listed keys cannot be multiplied; use sub-tiles of a multiple of 16 keys",
                         tile.granule)
        .str();
  if (tile.rows > mostRowsOfTile)
    return llvm::formatv("a tile of {0} rows takes too many warpgroups; use --tile-rows={1} or less", tile.rows,
                         mostRowsOfTile)
        .str();
  if (tile.keys > mostKeys)
    return llvm::formatv("a tile of {0} keys is wider than {1}; use --tile-keys={2} or less", tile.keys,
                         phase.isTested ? "a tile whose pairs are tested" : "an instruction takes", mostKeys)
        .str();
  return std::nullopt;
}

llvm::Expected<GpuShape> GpuShape::of(const KernelLayout &layout, unsigned phase, GpuVersion version) {
  const PhaseLayout &traits = layout.phases[phase];
  GpuShape s = {};
  if (version == GpuVersion::Compact && !layout.compact)
    return llvm::createStringError("the plan has no compact tiles");
  TileShape tile = version == GpuVersion::Compact ? *layout.compact : layout.tileShape();
  if (auto mistake = describeMistake(tile, traits))
    return llvm::createStringError(*mistake);
  s.rows = tile.rows, s.keys = tile.keys, s.listedKeys = tile.granule;
  s.depth = roundUp(layout.headSize, 16), s.columns = roundUp(layout.valueHeadSize, 16);
  int64_t elementBytes = layout.element.getIntOrFloatBitWidth() / 8, panelColumns = 128 / elementBytes;
  s.queryColumns = roundUp(layout.headSize, panelColumns);
  s.valueColumns = roundUp(layout.valueHeadSize, panelColumns);
  s.threadsMultiply = layout.element.isF32();
  s.copiesRows = version == GpuVersion::Strided || traits.isScattered;
  s.rollsScores = takesLong(layout);
  s.hasManyBoxes = traits.boxes > 4;
  // One warpgroup waits for itself: other blocks fill its pauses.
  bool isSmall = s.consumers() == 1;
  OrderKind queries = layout.orders[traits.queries].order.kind;
  bool hasParts = queries == OrderKind::Blocks || queries == OrderKind::Patches, hasScore = layout.scoreOps > 1;
  // Where parts of keys are found, and several boxes of a grid have bounds of rows and of columns.
  bool isCrowded = hasParts && (hasScore || (traits.grid && traits.boxes > 1));
  bool needsRegisters = s.threadsMultiply || s.rollsScores || traits.isTested || traits.hasCopiedRuns || isCrowded ||
                        version == GpuVersion::Strided;
  int64_t widest = std::max(s.queryColumns, s.valueColumns);
  s.blocksPerSm = !isSmall || widest > 128 ? 1 : widest <= 64 && !needsRegisters ? 3 : 2;
  // A patch has few keys, and which takes long to find: the next item's are found and copied meanwhile. Items that are
  // alike gain as well; not small ones that begin with what others wrote, for which they wait in any case.
  bool followsPatches = traits.grid && version != GpuVersion::Strided;
  s.persistent = followsPatches || (!traits.movesWithRows && !(isSmall && traits.continues));
  s.descending = traits.movesWithRows && !s.persistent;
  s.rescalesLazily = widest > 64 || !isSmall;
  // A copied stage is published after the next is acquired: nobody may wait for it while holding that one.
  s.awaitsKeysEarly = s.consumers() == 2 && !s.copiesRows && !s.threadsMultiply;

  auto room = [&] { return std::min(sharedMemory / s.blocksPerSm - reservedPerBlock, sharedMemoryOfBlock); };
  while (s.blocksPerSm > 0 && !fitSharedMemory(s, elementBytes, room()))
    --s.blocksPerSm;
  std::string tileText = llvm::formatv("a tile of {0} rows and {1} keys at head sizes {2} and {3}", s.rows, s.keys,
                                       layout.headSize, layout.valueHeadSize);
  if (s.blocksPerSm == 0)
    return llvm::createStringError(
        llvm::formatv("{0} takes {1} bytes of shared memory of {2}; use smaller --tile-rows or --tile-keys", tileText,
                      s.sharedBytes, sharedMemoryOfBlock)
            .str());
  dealRegisters(s, traits, hasParts);
  // The accumulator, the scores, the weights of the tile before, and what keeps track of them or is being multiplied.
  int64_t needed = s.columns / 2 + s.keys / 2 + s.keys * elementBytes / 8 + (s.threadsMultiply ? 40 : 24);
  if (needed > s.consumerRegisters)
    return llvm::createStringError(
        llvm::formatv("{0} takes {1} registers of {2} that a thread has; use smaller --tile-rows or --tile-keys",
                      tileText, needed, s.consumerRegisters)
            .str());
  return s;
}

std::string attn::gpuFunctionName(const KernelLayout &layout, unsigned phase, GpuVersion version) {
  static constexpr const char *suffixes[] = {"_tiled", "_strided", "_compact"};
  return layout.name + "_phase" + std::to_string(phase) + suffixes[static_cast<int>(version)];
}
