// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes the functions of every kernel in the module for a Hopper GPU: the versions of each phase, or the parts of
// linear attention.

#include "../../Runtime/device/prologue.h"
#include "../../Runtime/gpu.h"
#include "Linear.h"
#include "PhaseKernel.h"
#include "attn/Codegen/Passes.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"

using namespace mlir;
using namespace attn;
using namespace attn::hopper;

namespace attn {
#define GEN_PASS_DEF_ATTNEMITGPU
#include "attn/Codegen/Passes.h.inc"
} // namespace attn

//===-- Functions -------------------------------------------------------------------------------------------------===//

namespace {

/// Writes one function: its parameters, barriers and roles.
class FunctionWriter {
public:
  FunctionWriter(PhaseKernel &phase, StringRef name) : p(phase), f(phase.f), b(phase.f.b), name(name.str()) {}

  void write() {
    LLVM::LLVMFuncOp function = declare();
    Block *entry = function.addEntryBlock(b);
    b.setInsertionPointToStart(entry);
    p.maps = llvm::to_vector_of<Value>(entry->getArguments().drop_back());
    f.words = entry->getArguments().back();
    if (overlapsOthers())
      NVVM::GriddepcontrolOp::create(b, NVVM::GridDepActionKind::launch_dependents);
    writeRings();
    writeRoles();
    LLVM::ReturnOp::create(b, ValueRange());
  }

private:
  /// Where queries come by class, there are maps of the longer and of the other classes; where keys come in runs, maps
  /// of these.
  unsigned mapCount() const {
    return ATTN_GPU_MAPS + (p.isByClass() ? ATTN_GPU_MAPS : p.layout.phases[p.number].runs >= 0 ? 2 : 0);
  }

  LLVM::LLVMFuncOp declare() {
    LLVM::LLVMFuncOp function =
        declareKernel(b, name, mapCount(), Frame::wordCount(p.layout), p.shape.threads(), p.shape.blocksPerSm);
    // .ftz everywhere: exponentials of very low scores are 0 either way.
    function.setPassthroughAttr(
        b.getArrayAttr({b.getStrArrayAttr({"denormal-fp-math-f32", "preserve-sign,preserve-sign"})}));
    return function;
  }

  void writeRings() {
    const GpuShape &s = p.shape;
    int64_t barriers = s.barriersOffset;
    auto ring = [&](int64_t stages, int64_t rows, int64_t columns, int64_t offset) -> Value {
      auto tileType = tile::SharedType::get(b.getContext(), rows, columns, p.element(), 0);
      Value result = tile::RingOp::create(b, tile::RingType::get(b.getContext(), stages, tileType),
                                          b.getI32IntegerAttr(offset), b.getI32IntegerAttr(barriers));
      barriers += GpuShape::bytesBesideStage * stages;
      return result;
    };
    p.queryRing = ring(s.queryStages, s.rows, s.queryColumns, s.queryOffset);
    p.keyRing = ring(s.stages, s.keys, s.queryColumns, s.keyOffset);
    p.valueRing = ring(s.stages, s.keys, s.valueColumns, s.valueOffset);
    f.when(f.isZero(f.threadInBlock()), [&] {
      IntegerAttr warps = b.getI32IntegerAttr(4 * s.consumers());
      for (Value each : {p.queryRing, p.keyRing, p.valueRing})
        tile::InitializeOp::create(b, each, warps);
      NVVM::FenceMbarrierInitOp::create(b);
      if (p.isTiled)
        for (Value map : p.maps)
          NVVM::PrefetchOp::create(b, /*cacheLevel=*/nullptr, /*evictPriority=*/nullptr, map, /*predicate=*/Value(),
                                   /*tensormap=*/b.getUnitAttr());
    });
    if (p.isTiled && p.layout.phases[p.number].grid)
      clearValueTails();
    NVVM::BarrierOp::create(b);
  }

  /// A box of a grid may be smaller than a tile: no copy reaches the values behind it. Their weights are 0, which times
  /// what memory holds need not be 0.
  void clearValueTails() {
    auto tileType = cast<tile::RingType>(p.valueRing.getType()).getTile();
    auto boxes = p.boxes();
    GridPart part = p.boxOfGrid(boxes.front());
    Value points = f.mul(part.rows, part.columns);
    int64_t chunks = tileType.getColumns() / tileType.chunkColumns();
    Type shared = LLVM::LLVMPointerType::get(b.getContext(), 3), four = VectorType::get({4}, b.getI32Type());
    Value zeros = arith::ConstantOp::create(b, DenseElementsAttr::get(cast<ShapedType>(four), int32_t(0)));
    for (int64_t stage = 0; stage < p.shape.stages; ++stage) {
      int64_t offset = p.shape.valueOffset + stage * tileType.bytes();
      Value whole = tile::SharedOp::create(b, tileType, b.getI32IntegerAttr(offset));
      f.loop(f.add(f.mul(points, chunks), f.threadInBlock()), f.i32(tileType.getRows() * chunks),
             f.i32(p.shape.threads()), [&](Value i) {
               Value to = tile::ChunkOp::create(b, shared, whole, f.divide(i, chunks), f.remainder(i, chunks));
               LLVM::StoreOp::create(b, zeros, to, /*alignment=*/16);
             });
    }
    f.fenceAsync();
  }

  /// The phases of a call run side by side: the next may begin as soon as this one has begun, and this one's first
  /// block ends after the one before. (A wait for nothing is over at once.)
  bool overlapsOthers() const { return p.layout.phases.size() > 1; }

  void awaitOthers() {
    Value first = arith::OrIOp::create(b, NVVM::BlockIdXOp::create(b, b.getI32Type()),
                                       NVVM::BlockIdYOp::create(b, b.getI32Type()));
    first = arith::OrIOp::create(b, first, NVVM::BlockIdZOp::create(b, b.getI32Type()));
    f.when(f.isZero(first), [&] { NVVM::GriddepcontrolOp::create(b, NVVM::GridDepActionKind::wait); });
  }

  void writeRoles() {
    auto roles = tile::RolesOp::create(b, b.getI32IntegerAttr(p.shape.producerRegisters),
                                       b.getI32IntegerAttr(p.shape.consumerRegisters));
    auto blockOf = [&](Region &region) {
      return region.empty() ? b.createBlock(&region, {}, b.getI32Type(), b.getLoc()) : &region.front();
    };
    OpBuilder::InsertionGuard guard(b);
    Block *producer = blockOf(roles.getProducer());
    b.setInsertionPointToStart(producer);
    if (p.shape.copiesRows)
      emitProducer(p);
    else
      f.when(f.isZero(producer->getArgument(0)), [&] { emitProducer(p); });
    if (overlapsOthers())
      awaitOthers();
    Block *consumer = blockOf(roles.getConsumer());
    b.setInsertionPointToStart(consumer);
    emitConsumer(p, consumer->getArgument(0));
  }

  PhaseKernel &p;
  Frame &f;
  ImplicitLocOpBuilder &b;
  std::string name;
};

} // namespace

//===-- Pass ------------------------------------------------------------------------------------------------------===//

namespace {

struct EmitGPUPass : attn::impl::AttnEmitGPUBase<EmitGPUPass> {
  using AttnEmitGPUBase::AttnEmitGPUBase;

  void runOnOperation() override {
    for (auto function : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      if (function.getOps<PlanOp>().empty() && function.getOps<LinearAttentionOp>().empty())
        continue;
      FailureOr<KernelLayout> layout = KernelLayout::of(function);
      if (failed(layout) || failed(check(function, *layout)) || failed(emitKernel(function, *layout)))
        return signalPassFailure();
      function.erase();
    }
  }

private:
  /// What the prologue has to do, see attn_fits_launch.
  static int64_t countJobs(const KernelLayout &layout) {
    auto isTabled = [](const OrderLayout &order) { return order.rowsView >= 0; };
    auto isChecked = [](const TensorArgument &tensor) {
      return tensor.role == ATTN_LENGTHS || tensor.role == ATTN_PER_HEAD || tensor.role == ATTN_BLOCKS;
    };
    return llvm::count_if(layout.orders, isTabled) + llvm::count_if(layout.tensors, isChecked) + layout.offsets.size();
  }

  static LogicalResult check(func::FuncOp function, const KernelLayout &layout) {
    if (isa<ElementType>(layout.element))
      return function.emitError() << "kernel '" << layout.name << "' has no element type; run attn-specialize first";
    for (int64_t size : {layout.headSize, layout.valueHeadSize})
      if (ShapedType::isDynamic(size))
        return function.emitError() << "kernel '" << layout.name << "' has no head size; run attn-specialize first";
      else if (size < 1 || size > 256)
        return function.emitError() << "kernel '" << layout.name << "' has head size " << size
                                    << "; sm_90a kernels are written for 1 to 256";
    bool isComputed = llvm::any_of(layout.orders, [](const OrderLayout &o) { return o.order.isComputed(); });
    int64_t mostWords = isComputed ? ATTN_GPU_MAX_WORDS_COMPUTED : ATTN_GPU_MAX_WORDS;
    if (int64_t jobs = countJobs(layout); jobs > ATTN_MAX_JOBS || Frame::wordCount(layout) > mostWords)
      return function.emitError() << "kernel '" << layout.name << "' has " << jobs
                                  << " lists, sorted sides, tables and checked arguments, and "
                                  << layout.tensors.size() + layout.scalars.size() << " arguments; a launch takes "
                                  << int(ATTN_MAX_JOBS) << " of the former, and " << mostWords
                                  << " words in all: use fewer";
    auto isByData = [](const OrderLayout &o) { return o.order.kind == OrderKind::Classes && !o.classes; };
    if (llvm::any_of(layout.orders, isByData))
      return function.emitError() << "kernel '" << layout.name
                                  << "' has classes by numbers that only run-time data tell, and tensor maps are made "
                                     "before those are read; plan it with target=sm_90a";
    if (!layout.linear && !layout.anchored)
      return function.emitError() << "kernel '" << layout.name
                                  << "' is planned for another target; plan it with target=sm_90a";
    return success();
  }

  LogicalResult emitKernel(func::FuncOp function, const KernelLayout &layout) {
    ImplicitLocOpBuilder b(function.getLoc(), &getContext());
    b.setInsertionPoint(function);
    auto module = mlir::gpu::GPUModuleOp::create(b, layout.name);
    module->setAttr("attn.element", TypeAttr::get(layout.element));
    if (!layout.linear)
      return emitPhases(function, layout, b, module);
    b.setInsertionPointToEnd(module.getBody());
    numFunctions += emitLinear(b, *function.getOps<LinearAttentionOp>().begin(), layout);
    return success();
  }

  LogicalResult emitPhases(func::FuncOp function, const KernelLayout &layout, ImplicitLocOpBuilder &b,
                           mlir::gpu::GPUModuleOp module) {
    PlanOp plan = *function.getOps<PlanOp>().begin();
    for (auto [number, phase] : llvm::enumerate(plan.getPhases().getOps<PhaseOp>()))
      for (GpuVersion version : allGpuVersions) {
        if (version == GpuVersion::Compact && !layout.compact)
          continue;
        llvm::Expected<GpuShape> shape = GpuShape::of(layout, number, version);
        if (!shape)
          return function.emitError() << "kernel '" << layout.name << "': " << llvm::toString(shape.takeError());
        b.setInsertionPointToEnd(module.getBody());
        PhaseKernel writing(b, layout, plan, phase, number, *shape, version);
        FunctionWriter(writing, gpuFunctionName(layout, number, version)).write();
        ++numFunctions;
      }
    return success();
  }
};

} // namespace
