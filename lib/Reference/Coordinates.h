// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Coordinates: a whole number for each position, or for some of them.

#ifndef ATTN_LIB_REFERENCE_COORDINATES_H
#define ATTN_LIB_REFERENCE_COORDINATES_H

#include "Parameters.h"

namespace attn::reference {

/// The value of a position, for the pair's batch and head; nothing for a position that has none.
using CoordinateFunction = std::function<std::optional<int64_t>(const Pair &pair, int64_t position)>;

CoordinateFunction readCoordinate(Parameters &parameters, mlir::Value coordinate);

/// How many values an axis of a grid has.
Number readExtent(Parameters &parameters, mlir::Value axis);

} // namespace attn::reference

#endif // ATTN_LIB_REFERENCE_COORDINATES_H
