// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Finds the places of a worker's keys.

#include "KeyRing.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

/// The fields of attn_key_ring.
enum Field : int64_t { Tags, Keys, Values, Slots };

KeyRing::KeyRing(Frame &frame)
    : f(frame), sizes(frame.layout, frame.isa), ring(frame.scratchArray(ScratchArray::Ring)) {}

Value KeyRing::serves(Frame &f, const OrderLayout &order) {
  return LLVM::ICmpOp::create(f.b, LLVM::ICmpPredicate::eq, f.viewData(order.keyView),
                              LLVM::ZeroOp::create(f.b, LLVM::LLVMPointerType::get(f.b.getContext())));
}

Value KeyRing::slots() { return field(Slots); }

Value KeyRing::slotOf(Value tile) {
  Value granule = arith::DivUIOp::create(f.b, tile, f.index(f.layout.tile[3]));
  return arith::RemUIOp::create(f.b, granule, slots());
}

Value KeyRing::wrapOf(Value tile) { return f.add(tile, f.mul(f.sub(slots(), slotOf(tile)), f.layout.tile[3])); }

Value KeyRing::pointer(Value address) {
  Value bits = arith::IndexCastOp::create(f.b, f.b.getI64Type(), address);
  return LLVM::IntToPtrOp::create(f.b, LLVM::LLVMPointerType::get(f.b.getContext()), bits);
}

/// `bytes` are those of a granule.
Value KeyRing::pointerBefore(int64_t number, Value slot, Value rank, int64_t bytes) {
  Value granule = arith::DivUIOp::create(f.b, rank, f.index(f.layout.tile[3]));
  return pointer(f.add(field(number), f.mul(f.sub(slot, granule), bytes)));
}

int64_t KeyRing::keyBytesOfSlot() const { return f.layout.tile[3] / KernelLayout::panelKeys * sizes.panelStride * 4; }

int64_t KeyRing::valueBytesOfSlot() const { return f.layout.tile[3] / sizes.valueKeys * sizes.valueStride * 4; }

Value KeyRing::keysAt(Value slot, Value rank) { return pointerBefore(Keys, slot, rank, keyBytesOfSlot()); }

Value KeyRing::valuesAt(Value slot, Value rank) { return pointerBefore(Values, slot, rank, valueBytesOfSlot()); }

Value KeyRing::ranks() { return f.mul(slots(), f.layout.tile[3]); }

Value KeyRing::keyBytes() { return f.mul(slots(), keyBytesOfSlot()); }

Value KeyRing::valueBytes() { return f.mul(slots(), valueBytesOfSlot()); }

Value KeyRing::tags() {
  return f.memrefAt(pointer(field(Tags)), MemRefType::get({ShapedType::kDynamic}, f.b.getIndexType()));
}
