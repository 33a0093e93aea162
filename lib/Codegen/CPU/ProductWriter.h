// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes the two products of a group function, for the rows of one micro-tile against the keys of one tile:
//
//     S = Q K^T          O <- O + P V
//
// create() is the one place that decides how: by vectors of f32 or of pairs of bf16, which differ in a single operation
// and in what a unit holds (Packing.h), by tiles, or by rows that are not packed. What lies between the two products,
// masks, score regions, softmax, is the same for all of them.

#ifndef ATTN_LIB_CODEGEN_CPU_PRODUCTWRITER_H
#define ATTN_LIB_CODEGEN_CPU_PRODUCTWRITER_H

#include "Packing.h"
#include "Parts.h"

namespace attn::cpu {

class ProductWriter {
public:
  /// For the keys and values of a group function, of which it takes those ranks.
  static std::unique_ptr<ProductWriter> create(Frame &frame, const GroupCall &call, Ranks keys, bool areKeysListed);
  virtual ~ProductWriter() = default;

  /// [panels][panel stride]
  Value packedKeys() const { return keys; }
  /// Whether products have the scale, as Q has it already; else they are q.k.
  bool isScaled() const { return !f.isa.takesQueryAsItIs(); }

  /// What is done with a vector of products: those of row m of the micro-tile with the keys from `key` on.
  using UseProducts = llvm::function_ref<void(int64_t m, Value key, Value products, mlir::SmallVector<Value> &carried)>;
  /// Calls `use` for all products of the micro-tile at `row`, from left to right in each row, carrying values along.
  virtual mlir::SmallVector<Value> forEachProduct(Value row, mlir::ArrayRef<Value> carried, UseProducts use) = 0;

  /// How many vectors of P are written at a time, for storePowers().
  int64_t powerVectors() const { return sizes.valueKeys; }
  /// Keeps P of row m for keys that follow one another from place `at` of the tile on.
  void storePowers(int64_t m, Value at, mlir::ArrayRef<Value> powers);
  /// Writes P of all rows of the micro-tile for powerVectors() vectors of keys from `key` on.
  using WritePowers = llvm::function_ref<void(Value key, mlir::SmallVector<Value> &carried)>;
  /// O[micro-tile at `row`] += P V. `write` is called for all keys from left to right, carrying values along.
  virtual mlir::SmallVector<Value> accumulate(Value row, mlir::ArrayRef<Value> carried, WritePowers write) = 0;

protected:
  ProductWriter(Frame &frame, const GroupCall &call, Ranks keys);

  /// Writes all powers.
  mlir::SmallVector<Value> writePowers(mlir::ArrayRef<Value> carried, WritePowers write);

  Frame &f;
  const Packing sizes;
  Value tile, begin, end;
  Value keys, values; // packed
  Value query;        // units of the tile's rows
  Value powers, output;
};

std::unique_ptr<ProductWriter> createVectorProducts(Frame &frame, const GroupCall &call, Ranks keys);
std::unique_ptr<ProductWriter> createTileProducts(Frame &frame, const GroupCall &call, Ranks keys);
std::unique_ptr<ProductWriter> createRowProducts(Frame &frame, const GroupCall &call, Ranks keys, bool areKeysListed);

/// What a micro-tile of vectors multiplies: rows of `query` with packed rows, all of the same kind of units.
struct VectorOperands {
  Value query, packed;
  int64_t firstPanel, units;
};

/// The numbers of two vectors, one behind the other, as units of two bf16.
Value roundToUnits(Frame &frame, Value first, Value second);
/// x y + sum in every lane: of a float, or of the two bf16 of a pair.
Value multiplyAdd(Frame &frame, Value x, Value y, Value sum);
/// A micro-tile of query rows times packed ones, `vectors` of them: [rows][vectors] sums over the units.
mlir::SmallVector<Value> writeVectorProducts(Frame &frame, const VectorOperands &operands, Value row, Value key,
                                             int64_t vectors);
/// Calls `use(m, key, product)` for the vectors of such a micro-tile.
void forEachVector(Frame &frame, Value key, mlir::ArrayRef<Value> products,
                   llvm::function_ref<void(int64_t, Value, Value)> use);

/// What is done with `vectors` vectors of keys from `key` on, carrying values along.
using MicroTileBody = llvm::function_ref<mlir::SmallVector<Value>(Value key, int64_t vectors, ValueRange carried)>;
/// Runs over the keys of a group function, as many at a time as a micro-tile has. A granule may be less than that: then
/// the last of them may be a granule alone.
mlir::SmallVector<Value> forEachMicroTile(Frame &frame, Ranks keys, ValueRange carried, MicroTileBody body);

} // namespace attn::cpu

#endif // ATTN_LIB_CODEGEN_CPU_PRODUCTWRITER_H
