// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How keys and values lie once they are packed. They consist of *units* of four bytes, what one lane of a product takes
// at a time; which ones follows from how an instruction set makes the products (Isa.h):
//
//               K: [panels][units][16 keys]              V: [keys / value keys][value stride]
//     Floats    K[key][u], as f32                        V[key][column], as f32
//     Pairs     K[key][2u] and K[key][2u + 1]            V[2t][column] and V[2t + 1][column]
//     Tiles     the same; units are filled up to 16
//
// Products that read rows where they lie pack nothing; units are then what they take of a query row.
//
// A panel lies a little apart from the next, so that they do not alias in the cache. What is past the last column or
// key is zeros: what a product reads there never reaches an output, and is no NaN either.

#ifndef ATTN_LIB_CODEGEN_CPU_PACKING_H
#define ATTN_LIB_CODEGEN_CPU_PACKING_H

#include "Frame.h"

namespace attn::cpu {

/// The sizes, in units.
struct Packing {
  Packing() = default;
  Packing(const KernelLayout &layout, const Isa &isa);

  int64_t unitColumns = 1; // of a query or key row that are one unit
  int64_t units = 0;       // of a row
  int64_t panelStride = 0;
  int64_t valueKeys = 1; // keys whose values are one unit
  int64_t valueStride = 0;

  bool isPaired() const { return unitColumns == 2; }
  /// f32, or i32 for pairs.
  mlir::Type unitType(mlir::MLIRContext *context) const;
};

/// Writes and reads packed rows. What is called memory is packed, and ends in the panels' units or the values' columns;
/// `panel` and `row` are the indices before.
class Packer {
public:
  explicit Packer(Frame &frame) : sizes(frame.layout, frame.isa), f(frame) {}

  const Packing sizes;
  mlir::Type unitType() { return sizes.unitType(f.b.getContext()); }

  /// Whether panels can be copied whole.
  bool copiesPanels() const { return sizes.isPaired() || f.layout.headSize >= f.isa.lanes; }
  /// Copies 16 keys of a batch and head, by squares of lanes x lanes units that are transposed in registers.
  void copyPanel(ValueRange batchAndHead, llvm::ArrayRef<Value> rows, Value memory, ValueRange panel);
  /// Copies one key to a lane of a panel, unit by unit.
  void copyKey(ValueRange batchAndHead, Value row, Value memory, ValueRange panel, Value lane);
  void clearKey(Value memory, ValueRange panel, Value lane);
  /// Copies the values of as many keys as share a unit; null stands for one that is not there.
  void copyValues(ValueRange batchAndHead, llvm::ArrayRef<Value> rows, Value memory, ValueRange row);
  void clearValues(Value memory, ValueRange row, int64_t firstColumn = 0);

  /// Column `column`, a number, of the keys from `key` on, one for each lane, as f32; memory is [panels][units].
  Value keyColumn(Value memory, Value key, Value column);

private:
  using Indices = mlir::SmallVector<Value>;
  static Indices join(ValueRange first, Value last) {
    Indices all(first);
    all.push_back(last);
    return all;
  }
  Value placeOf(Value unit, Value lane) { return f.add(f.mul(unit, KernelLayout::panelKeys), lane); }
  /// A square of units: columns of `rows` from `column` on, at most as many as there are.
  void copySquare(ValueRange batchAndHead, llvm::ArrayRef<Value> rows, Value column, int64_t columns, Value memory,
                  ValueRange panel, int64_t lane);
  void copyFloats(ValueRange batchAndHead, llvm::ArrayRef<Value> rows, Value memory, ValueRange panel);
  void copyPairs(ValueRange batchAndHead, llvm::ArrayRef<Value> rows, Value memory, ValueRange panel);
  Value unitOf(Value view, ValueRange batchAndHead, Value row, Value unit);

  Frame &f;
};

} // namespace attn::cpu

#endif // ATTN_LIB_CODEGEN_CPU_PACKING_H
