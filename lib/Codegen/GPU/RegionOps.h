// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What attn's own ops in a plan's regions (scores, sinks, tests) are on a GPU: reads of run-time data, and products of
// whole rows. Whatever the data hold and wherever a tile's columns end, no address is outside of its tensor.

#ifndef ATTN_LIB_CODEGEN_GPU_REGIONOPS_H
#define ATTN_LIB_CODEGEN_GPU_REGIONOPS_H

#include "Frame.h"

namespace attn::hopper {

/// Where a region is asked. Its arguments may be positions; these are the rows that stand there.
struct RegionPlace {
  Value queryRow; // index; one of the call's
  Value keyRow;   // index; may lie beside the call's, where a tile's columns do. Null in a sink region
  Value scale;    // f32; null in a test
};

/// Writes one of attn's ops of a region; `operands` are those of the op, data as the kernel's arguments.
Value writeRegionOp(Frame &f, const RegionPlace &place, mlir::Operation *op, ValueRange operands);

/// Whether a tabled order has a row, an index; none has a row beside those of its side.
Value isMember(Frame &f, OrderAttr order, Side side, Value row);

} // namespace attn::hopper

#endif // ATTN_LIB_CODEGEN_GPU_REGIONOPS_H
