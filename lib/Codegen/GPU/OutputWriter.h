// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a consumer warpgroup hands over what it has computed: its output through shared memory, lse thread by thread.

#ifndef ATTN_LIB_CODEGEN_GPU_OUTPUTWRITER_H
#define ATTN_LIB_CODEGEN_GPU_OUTPUTWRITER_H

#include "PhaseKernel.h"

namespace attn::hopper {

class OutputWriter {
public:
  OutputWriter(PhaseKernel &phase, Value warpgroup) : p(phase), f(phase.f), shape(phase.shape), warpgroup(warpgroup) {}

  /// The lse (row<f32>) of the thread's rows, where the call asks for it.
  void writeLse(const OrderInBatch &queries, const TwoRows &own, Value lse);
  /// The output (acc) of the warpgroup's rows; the copy is begun, and awaited later.
  void writeTile(const Item &item, const OrderInBatch &queries, Value output);
  /// Waits until what this warpgroup stored before has been read out of shared memory.
  void awaitStored();
  /// Waits for the other threads of the warpgroup.
  void meetGroup();

private:
  void storeTile(const Item &item, const OrderInBatch &queries, Value part);
  Value someRowIsForeign(const OrderInBatch &queries, Value firstRank);
  void storeRows(const OrderInBatch &queries, Value firstRank, Value part);
  void storeChunk(Value from, Value to, Value columns, int64_t width);
  Value isFirstThread() { return f.isZero(f.threadInGroup()); }

  PhaseKernel &p;
  Frame &f;
  const GpuShape &shape;
  Value warpgroup;
};

} // namespace attn::hopper

#endif // ATTN_LIB_CODEGEN_GPU_OUTPUTWRITER_H
