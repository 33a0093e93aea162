// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The rows of a query tile: loads them, begins their states or goes on from those that earlier phases have left, and
// writes what the phase owns.
//
// A state is the maximum m in units of log2, the sum l, spread over lanes, and the output O, not normalised.

#ifndef ATTN_LIB_CODEGEN_CPU_TILEROWS_H
#define ATTN_LIB_CODEGEN_CPU_TILEROWS_H

#include "Packing.h"
#include "RegionOps.h"

namespace attn::cpu {

class TileRows {
public:
  TileRows(Frame &frame, const Kernel &kernel, unsigned queryOrder, PhaseOp phase);

  Value first;         // rank of the first row
  Value valid, padded; // rows that there are, and the same rounded up to whole sub-tiles

  /// Says which tile it is, in the function at hand; returns the rank that the tile's block or order ends at.
  Value bind(Value tile);
  /// Q times the scale, and which rows these are.
  void load();
  /// Begins states: empty, of the sink, or where an earlier phase has ended.
  void beginStates();
  /// Begins states of a part of the keys: all of them empty.
  void beginPart();
  /// Writes output and lse of the rows that the phase owns.
  void store();
  /// Writes the states to a part's memory.
  void storePart(Value pointer);
  /// Adds the states of parts, one behind the other, to those that are there:
  ///   M = max(m, m'),  l <- l 2^(m - M) + l' 2^(m' - M),  O <- O 2^(m - M) + O' 2^(m' - M)
  void addParts(Value pointer, Value count);

  Value rowAt(Value r) { return f.load(rows, {r}); }
  /// Whether the phase writes row r of the tile.
  Value isOwned(Value r) { return isOne(f.load(owned, {r})); }

private:
  void bindScratch();
  Value ownership(Value row, Value rank);
  void copyUnits(Value query, Value row, Value r);
  void clearUnits(Value r, int64_t firstColumn);
  void clearOutput(Value r);
  void beginEmpty(Value r);
  void beginState(Value r);
  void continueStates();
  void continueState(Value r, Value lse, Value written);
  Value sinkOf(Value r);
  void storeRow(Value r, Value total, Value out);
  Value partsAt(Value pointer);
  void addPart(Value parts, Value part, Value r);
  Value isOne(Value flag);
  Value none() { return f.number(-std::numeric_limits<double>::infinity()); }

  Frame &f;
  const Kernel &kernel;
  const KernelLayout &layout;
  const Packing packing;
  RegionOps ops;
  unsigned queryOrder;
  PhaseOp phase;
  Value rows, owned, output, sum, maximum;
};

} // namespace attn::cpu

#endif // ATTN_LIB_CODEGEN_CPU_TILEROWS_H
