// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Keys that few tiles of queries look at are packed when one of them asks for them, into memory of the worker that its
// cache holds (attn_key_ring in lib/Runtime/kernel.h). Tiles that a worker computes one after another look at the same
// keys for the most part, and find those of the tiles before:
//
//     tile of queries     its keys         slots of 16 keys (6 of them)
//     0                     0 .. 63         0  1  2  3
//     1                    32 .. 95               2  3  4  5       packs 64 .. 95
//     2                    64 .. 127        0  1        4  5       packs 96 .. 127
//
// The keys of one tile have to lie side by side: one that begins in the last slot goes on behind it, not in the first.
// Pipelines alone, whose tiles may be as long as the ring, go on in the first.

#ifndef ATTN_LIB_CODEGEN_CPU_KEYRING_H
#define ATTN_LIB_CODEGEN_CPU_KEYRING_H

#include "Packing.h"

namespace attn::cpu {

class KeyRing {
public:
  explicit KeyRing(Frame &frame);

  /// Whether keys of an order are in rings in this call: they have no memory of their own.
  static Value serves(Frame &frame, const OrderLayout &order);

  /// The slot of the keys that begin a tile.
  Value slotOf(Value tile);
  /// Pointers by which the keys from rank `rank` on, those of slot `slot`, are found like others that are packed.
  Value keysAt(Value slot, Value rank);
  Value valuesAt(Value slot, Value rank);
  /// How many slots are taken in turn.
  Value slots();
  /// The rank of a tile that goes round from which on it lies in the first slots.
  Value wrapOf(Value tile);
  /// Keys that all slots hold, and bytes of their keys and of their values.
  Value ranks();
  Value keyBytes();
  Value valueBytes();
  /// memref<?xindex>
  Value tags();

private:
  Value field(int64_t number) { return f.load(ring, {f.index(number)}); }
  Value pointer(Value address);
  Value pointerBefore(int64_t number, Value slot, Value rank, int64_t bytes);
  int64_t keyBytesOfSlot() const;
  int64_t valueBytesOfSlot() const;

  Frame &f;
  const Packing sizes;
  Value ring;
};

} // namespace attn::cpu

#endif // ATTN_LIB_CODEGEN_CPU_KEYRING_H
