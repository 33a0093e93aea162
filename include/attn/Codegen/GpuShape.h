// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a phase is laid out on a Hopper multiprocessor: warpgroups, registers, stages, and the map of the shared memory.
// It follows from the kernel's layout alone, so the emitter, which writes code for it, and the description, which tells
// the host how to launch it, cannot disagree.
//
//   shared memory   queries, keys and values, stage by stage | output | barriers
//
// The output tile lies over the query where head sizes are large: the next query tile then waits for the output.

#ifndef ATTN_CODEGEN_GPUSHAPE_H
#define ATTN_CODEGEN_GPUSHAPE_H

#include "attn/Codegen/KernelLayout.h"
#include "llvm/Support/Error.h"

namespace attn {

/// The versions of a phase, see lib/Runtime/gpu.h.
enum class GpuVersion { Tiled, Strided, Compact };
constexpr GpuVersion allGpuVersions[] = {GpuVersion::Tiled, GpuVersion::Strided, GpuVersion::Compact};

struct GpuShape {
  int64_t rows, keys;     // of a tile; a consumer warpgroup takes 64 rows
  int64_t listedKeys;     // of a tile of listed keys, the first ones of a stage
  int64_t depth, columns; // of a product: head sizes, rounded up to 16
  int64_t queryColumns;   // of a tile in shared memory: head sizes, rounded up to panels of 128 bytes
  int64_t valueColumns;
  int64_t stages;                               // of the rings of keys and values
  int64_t queryStages;                          // 2: the next item's queries come while this one is computed
  int64_t blocksPerSm;                          // that run at a time
  int64_t producerRegisters, consumerRegisters; // of a thread
  bool threadsMultiply;                         // themselves: wgmma knows no product of f32
  bool copiesRows;                              // the producer copies rows that no tensor map can name
  bool persistent;                              // blocks take items in turns; otherwise each takes one
  bool descending;                              // tiles of many keys come first
  bool rescalesLazily;                          // the accumulator is rescaled only where a maximum rose much
  bool rollsScores;                             // the score region takes long: it is written once, in a loop
  bool hasManyBoxes;                            // that share the time and the registers
  bool awaitsKeysEarly;                         // before the product of values is waited for
  // Bytes in the shared memory.
  int64_t queryOffset, keyOffset, valueOffset, outputOffset, barriersOffset, sharedBytes;

  static constexpr int64_t bytesBesideStage = 24; // two barriers and a note

  int64_t consumers() const { return rows / 64; }
  int64_t threads() const { return 128 * (consumers() + 1); }
  bool outputOverQuery() const { return outputOffset == queryOffset; }

  /// The shape of a version of phase `phase`, or in words why there is none. Compact ones exist where the plan has such
  /// tiles.
  static llvm::Expected<GpuShape> of(const KernelLayout &layout, unsigned phase, GpuVersion version);
};

/// The name of a phase's function in the GPU module.
std::string gpuFunctionName(const KernelLayout &layout, unsigned phase, GpuVersion version);

} // namespace attn

#endif // ATTN_CODEGEN_GPUSHAPE_H
