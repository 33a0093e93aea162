// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowers roles, rings and the tiles in shared memory: mbarriers, tensor-map copies, addresses.

#include "LowerTile.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace attn::tile;

//===-- Roles -----------------------------------------------------------------------------------------------------===//

/// Fills a branch: the registers dealt out anew, then what the role does.
static void writeRole(Code &code, Block *branch, NVVM::SetMaxRegisterAction action, int64_t registers, Region &role,
                      Value number) {
  OpBuilder::InsertionGuard guard(code.b);
  code.b.setInsertionPointToStart(branch);
  NVVM::SetMaxRegisterOp::create(code.b, code.loc, registers, action);
  code.b.inlineBlockBefore(&role.front(), branch, branch->getTerminator()->getIterator(), number);
}

static Registers lowerRoles(RolesOp op, Operands<RolesOp>, Code &code) {
  // The shuffle tells ptxas that the number is the same in a warp.
  Value warp = code.shuffle(NVVM::ShflKind::idx, code.shiftRight(code.thread(), 5), 0);
  Value warpgroup = code.shiftRight(warp, 2), consumer = code.add(warpgroup, -1);
  auto roles = scf::IfOp::create(code.b, code.loc, code.isEqual(warpgroup, 0), /*withElseRegion=*/true);
  writeRole(code, roles.thenBlock(), NVVM::SetMaxRegisterAction::decrease, op.getProducerRegisters(), op.getProducer(),
            warp);
  writeRole(code, roles.elseBlock(), NVVM::SetMaxRegisterAction::increase, op.getConsumerRegisters(), op.getConsumer(),
            consumer);
  return {};
}

//===-- Rings -----------------------------------------------------------------------------------------------------===//

namespace {

/// A ring at a slot.
struct Stage {
  Stage(Code &code, RingType type, ValueRange ring, ValueRange slot)
      : code(code), type(type), tiles(ring[0]), barriers(ring[1]), stage(slot[0]), parity(slot[1]) {}

  Value tile() { return code.add(tiles, code.mul(stage, type.getTile().bytes())); }
  Value full() { return code.add(barriers, code.mul(stage, 8)); }
  Value empty() { return code.add(full(), 8 * type.getStages()); }
  Value note() { return code.add(full(), 16 * type.getStages()); }

  Code &code;
  RingType type;
  Value tiles, barriers, stage, parity;
};

} // namespace

template <typename Op> static Stage stageOf(Op op, Operands<Op> in, Code &code) {
  return Stage(code, op.getRing().getType(), in.getRing(), in.getSlot());
}

static Registers lowerRing(RingOp op, Operands<RingOp>, Code &code) {
  return {code.sharedAddress(op.getTiles()), code.sharedAddress(op.getBarriers())};
}

static Registers lowerInitialize(InitializeOp op, Operands<InitializeOp> in, Code &code) {
  int64_t stages = op.getRing().getType().getStages();
  for (int64_t i = 0; i < 2 * stages; ++i) {
    Value barrier = code.pointer(code.add(in.getRing()[1], 8 * i));
    NVVM::MBarrierInitOp::create(code.b, code.loc, barrier, code.i32(i < stages ? 1 : op.getReaders()), Value());
  }
  return {};
}

static Registers lowerStart(StartOp, Operands<StartOp>, Code &code) { return {code.i32(0), code.i32(0)}; }

static Registers lowerAdvance(AdvanceOp op, Operands<AdvanceOp> in, Code &code) {
  Value stage = in.getSlot()[0], parity = in.getSlot()[1], turned = code.xorBits(parity, 1);
  if (op.getStages() == 1)
    return {stage, turned};
  Value next = code.add(stage, 1), isAround = code.isEqual(next, op.getStages());
  return {code.select(isAround, code.i32(0), next), code.select(isAround, turned, parity)};
}

/// Waits until the barrier's phase of this parity is over.
static void waitFor(Code &code, Value barrier, Value parity) {
  constexpr int64_t ticks = 10000000; // as CUTLASS has it: a hint how long to sleep
  NVVM::MBarrierTryWaitParityOp::create(code.b, code.loc, code.pointer(barrier), parity, code.i32(ticks));
}

static Registers lowerAcquire(AcquireOp op, Operands<AcquireOp> in, Code &code) {
  Stage stage = stageOf(op, in, code);
  // The first time around nobody has to release the stage: the phase before the first counts as over.
  waitFor(code, stage.empty(), code.xorBits(stage.parity, 1));
  return {};
}

static Registers lowerAwait(AwaitOp op, Operands<AwaitOp> in, Code &code) {
  Stage stage = stageOf(op, in, code);
  waitFor(code, stage.full(), stage.parity);
  return {};
}

static Registers lowerPublish(PublishOp op, Operands<PublishOp> in, Code &code) {
  code.assembly("mbarrier.arrive.shared::cta.b64 _, [$0];", "r,~{memory}", stageOf(op, in, code).full());
  return {};
}

// In assembly, which stays where it is: loads and stores would not know of the waits.
static Registers lowerNote(NoteOp op, Operands<NoteOp> in, Code &code) {
  code.assembly("st.shared.v2.b32 [$0], {$1, $2};", "r,r,r,~{memory}",
                {stageOf(op, in, code).note(), in.getFirst().front(), in.getSecond().front()});
  return {};
}

static Registers lowerRead(ReadOp op, Operands<ReadOp> in, Code &code) {
  Type i32 = code.b.getI32Type();
  return code.assembly("ld.shared.v2.b32 {$0, $1}, [$2];", "=r,=r,r,~{memory}", stageOf(op, in, code).note(),
                       {i32, i32});
}

static Registers lowerRelease(ReleaseOp op, Operands<ReleaseOp> in, Code &code) {
  Value isFirst = code.isEqual(code.lane(), 0);
  code.assembly("@$1 mbarrier.arrive.shared::cta.b64 _, [$0];", "r,b,~{memory}",
                {stageOf(op, in, code).empty(), isFirst});
  return {};
}

/// Where panel `index` of a tile begins in shared memory.
static Value panelPointer(Code &code, SharedType tile, Value address, int64_t index) {
  return code.pointer(code.add(address, index * tile.panelRows() * 128));
}

/// And in the tensor that a copy's operands name.
template <typename Op> static Registers panelCoordinates(Operands<Op> in, Code &code, SharedType tile, int64_t index) {
  Registers coordinates{code.i32(tile.panelColumns() * index), in.getRow().front()};
  llvm::append_range(coordinates, in.getPart());
  coordinates.append({in.getHead().front(), in.getBatch().front()});
  return coordinates;
}

static Registers lowerFill(FillOp op, Operands<FillOp> in, Code &code) {
  Stage stage = stageOf(op, in, code);
  SharedType tile = stage.type.getTile();
  Value barrier = code.pointer(stage.full()), address = stage.tile();
  Value bytes = code.i32(tile.bytes());
  if (op.getRows())
    bytes = code.mul(in.getRows().front(), tile.panels() * 128);
  NVVM::MBarrierArriveExpectTxOp::create(code.b, code.loc, Type(), barrier, bytes, NVVM::MemScopeKind::CTA,
                                         /*relaxed=*/false, Value());
  auto cluster = LLVM::LLVMPointerType::get(code.b.getContext(), 7);
  for (int64_t i = 0; i < tile.panels(); ++i) {
    Value to = LLVM::AddrSpaceCastOp::create(code.b, code.loc, cluster, panelPointer(code, tile, address, i));
    NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp::create(
        code.b, code.loc, to, in.getMap().front(), panelCoordinates<FillOp>(in, code, tile, i), barrier,
        /*im2colOffsets=*/ValueRange(), /*multicastMask=*/Value(), /*l2CacheHint=*/Value(), NVVM::TMALoadMode::TILE,
        /*isCTAOnly=*/false, NVVM::CTAGroupKindAttr(), /*predicate=*/Value());
  }
  return {};
}

static Registers lowerStore(StoreOp op, Operands<StoreOp> in, Code &code) {
  SharedType tile = op.getTile().getType();
  for (int64_t i = 0; i < tile.panels(); ++i)
    NVVM::CpAsyncBulkTensorSharedCTAToGlobalOp::create(
        code.b, code.loc, in.getMap().front(), panelPointer(code, tile, in.getTile().front(), i),
        panelCoordinates<StoreOp>(in, code, tile, i), /*l2CacheHint=*/Value(), NVVM::TMAStoreMode::TILE,
        /*predicate=*/Value());
  return {};
}

//===-- Tiles -----------------------------------------------------------------------------------------------------===//

static Registers lowerShared(SharedOp op, Operands<SharedOp>, Code &code) {
  return {code.sharedAddress(op.getOffset())};
}

static Registers lowerStage(StageOp op, Operands<StageOp> in, Code &code) { return {stageOf(op, in, code).tile()}; }

static Registers lowerSubtile(SubtileOp, Operands<SubtileOp> in, Code &code) {
  return {code.add(in.getTile().front(), code.mul(in.getIndex().front(), 64 * 128))};
}

static Registers lowerTop(TopOp, Operands<TopOp> in, Code &) { return {in.getTile().front()}; }

static Registers lowerChunk(ChunkOp op, Operands<ChunkOp> in, Code &code) {
  SharedType tile = op.getTile().getType();
  return {code.pointer(code.chunkAddress(tile, in.getTile().front(), in.getRow().front(), in.getChunk().front()))};
}

void attn::tile::addRingRules(const TypeConverter &types, RewritePatternSet &rules) {
  rules.add<Lower<RolesOp, lowerRoles>, Lower<RingOp, lowerRing>, Lower<InitializeOp, lowerInitialize>,
            Lower<StartOp, lowerStart>, Lower<AdvanceOp, lowerAdvance>, Lower<AcquireOp, lowerAcquire>,
            Lower<AwaitOp, lowerAwait>, Lower<PublishOp, lowerPublish>, Lower<ReleaseOp, lowerRelease>,
            Lower<NoteOp, lowerNote>, Lower<ReadOp, lowerRead>, Lower<FillOp, lowerFill>, Lower<StoreOp, lowerStore>,
            Lower<SharedOp, lowerShared>, Lower<StageOp, lowerStage>, Lower<SubtileOp, lowerSubtile>,
            Lower<TopOp, lowerTop>, Lower<ChunkOp, lowerChunk>>(types, rules.getContext());
}
