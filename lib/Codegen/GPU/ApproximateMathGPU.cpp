// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Leaves no math function on the GPU that would call a library: what the special function units compute becomes their
// instruction, the rest a polynomial. Division and square roots stay: what IEEE rounds exactly, a pattern may compare.

#include "attn/Codegen/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace attn {
#define GEN_PASS_DEF_ATTNAPPROXIMATEMATHGPU
#include "attn/Codegen/Passes.h.inc"
} // namespace attn

namespace {

Value constant(OpBuilder &b, Location loc, double number) {
  return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(static_cast<float>(number)));
}

/// ex2, lg2, rcp or rsqrt of an f32.
Value approximate(OpBuilder &b, Location loc, StringRef instruction, Value x) {
  auto name = b.getStringAttr("llvm.nvvm." + instruction + ".approx.ftz.f");
  return LLVM::CallIntrinsicOp::create(b, loc, x.getType(), name, x).getResult(0);
}

Value scale(OpBuilder &b, Location loc, Value x, double by) {
  return by == 1 ? x : arith::MulFOp::create(b, loc, x, constant(b, loc, by)).getResult();
}

/// What the kernels of a module compute with; null where it does not say.
Type elementOf(gpu::GPUModuleOp module) {
  auto element = module->getAttrOfType<TypeAttr>("attn.element");
  return element ? element.getValue() : Type();
}

//===-- Functions of f32 ------------------------------------------------------------------------------------------===//

/// f(x) = instruction(x * before) * after.
template <typename F> struct ByInstruction : OpRewritePattern<F> {
  ByInstruction(MLIRContext *context, StringRef instruction, double before = 1, double after = 1)
      : OpRewritePattern<F>(context), instruction(instruction), before(before), after(after) {}

  LogicalResult matchAndRewrite(F op, PatternRewriter &b) const override {
    if (!op.getType().isF32())
      return b.notifyMatchFailure(op, "instructions take f32");
    Location loc = op.getLoc();
    Value y = approximate(b, loc, instruction, scale(b, loc, op.getOperand(), before));
    b.replaceOp(op, scale(b, loc, y, after));
    return success();
  }

  StringRef instruction;
  double before, after;
};

/// tanh(x) = 1 - 2 / (1 + e^2x), or the instruction where its 11 bits are enough.
struct TanhByInstruction : OpRewritePattern<math::TanhOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::TanhOp op, PatternRewriter &b) const override {
    if (!op.getType().isF32())
      return b.notifyMatchFailure(op, "instructions take f32");
    Type element = elementOf(op->getParentOfType<gpu::GPUModuleOp>());
    if (element && element.isBF16())
      return allowInstruction(op, b);
    Location loc = op.getLoc();
    Value exp = approximate(b, loc, "ex2", scale(b, loc, op.getOperand(), 2 * 1.4426950408889634));
    Value one = constant(b, loc, 1);
    Value inverse = approximate(b, loc, "rcp", arith::AddFOp::create(b, loc, exp, one));
    b.replaceOpWithNewOp<math::FmaOp>(op, inverse, constant(b, loc, -2), one);
    return success();
  }

private:
  /// LLVM chooses it where the op may be approximated.
  static LogicalResult allowInstruction(math::TanhOp op, PatternRewriter &b) {
    auto approximate = arith::FastMathFlags::afn;
    if (bitEnumContainsAll(op.getFastmath(), approximate))
      return b.notifyMatchFailure(op, "LLVM chooses the instruction");
    b.modifyOpInPlace(op, [&] { op.setFastmath(op.getFastmath() | approximate); });
    return success();
  }
};

/// x^n = x^(float) n.
struct FPowIByPowF : OpRewritePattern<math::FPowIOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::FPowIOp op, PatternRewriter &b) const override {
    Value exponent = arith::SIToFPOp::create(b, op.getLoc(), op.getType(), op.getRhs());
    b.replaceOpWithNewOp<math::PowFOp>(op, op.getLhs(), exponent);
    return success();
  }
};

//===-- Other types -----------------------------------------------------------------------------------------------===//

/// Whether LLVM selects instructions for an op of any float type.
bool isExact(Operation *op) {
  return isa<math::AbsFOp, math::CeilOp, math::ClampFOp, math::CopySignOp, math::FloorOp, math::FmaOp, math::RoundOp,
             math::RoundEvenOp, math::SqrtOp, math::TruncOp>(op);
}

Value castTo(OpBuilder &b, Location loc, Value x, Type type) {
  if (!isa<FloatType>(x.getType()) || x.getType() == type)
    return x;
  if (x.getType().getIntOrFloatBitWidth() < type.getIntOrFloatBitWidth())
    return arith::ExtFOp::create(b, loc, type, x);
  return arith::TruncFOp::create(b, loc, type, x);
}

/// Functions of f16, bf16 and f64 are computed in f32.
struct ThroughF32 : RewritePattern {
  explicit ThroughF32(MLIRContext *context) : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/2, context) {}

  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &b) const override {
    if (!isa_and_nonnull<math::MathDialect>(op->getDialect()) || isExact(op))
      return b.notifyMatchFailure(op, "no function that instructions approximate");
    Type type = op->getResult(0).getType(), f32 = b.getF32Type();
    if (!isa<FloatType>(type) || type == f32)
      return b.notifyMatchFailure(op, "f32, or no float");
    OperationState state(op->getLoc(), op->getName());
    for (Value operand : op->getOperands())
      state.operands.push_back(castTo(b, op->getLoc(), operand, f32));
    state.addTypes(f32);
    state.addAttributes(op->getAttrs());
    b.replaceOp(op, castTo(b, op->getLoc(), b.create(state)->getResult(0), type));
    return success();
  }
};

/// Infinite: |x| = inf.
struct IsInfByComparison : OpRewritePattern<math::IsInfOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::IsInfOp op, PatternRewriter &b) const override {
    auto type = cast<FloatType>(op.getOperand().getType());
    Value magnitude = math::AbsFOp::create(b, op.getLoc(), op.getOperand());
    auto infinity = b.getFloatAttr(type, llvm::APFloat::getInf(type.getFloatSemantics()));
    Value limit = arith::ConstantOp::create(b, op.getLoc(), infinity);
    b.replaceOpWithNewOp<arith::CmpFOp>(op, arith::CmpFPredicate::OEQ, magnitude, limit);
    return success();
  }
};

/// Normal: smallest normal number <= |x| < inf.
struct IsNormalByComparison : OpRewritePattern<math::IsNormalOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::IsNormalOp op, PatternRewriter &b) const override {
    auto type = cast<FloatType>(op.getOperand().getType());
    Value magnitude = math::AbsFOp::create(b, op.getLoc(), op.getOperand());
    auto smallest = b.getFloatAttr(type, llvm::APFloat::getSmallestNormalized(type.getFloatSemantics()));
    Value limit = arith::ConstantOp::create(b, op.getLoc(), smallest);
    Value isFinite = math::IsFiniteOp::create(b, op.getLoc(), op.getOperand());
    Value isLarge = arith::CmpFOp::create(b, op.getLoc(), arith::CmpFPredicate::OGE, magnitude, limit);
    b.replaceOpWithNewOp<arith::AndIOp>(op, isLarge, isFinite);
    return success();
  }
};

/// base^exponent by squaring, one bit of the exponent at a time. Of negative powers only those of 1 and -1 are whole.
struct IPowIByLoop : OpRewritePattern<math::IPowIOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::IPowIOp op, PatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Type type = op.getType();
    auto whole = [&](int64_t n) -> Value { return arith::ConstantOp::create(b, b.getIntegerAttr(type, n)); };
    auto equals = [&](Value x, int64_t n) -> Value {
      return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, x, whole(n));
    };
    Value base = op.getLhs(), exponent = op.getRhs(), one = whole(1), zero = whole(0);
    int64_t bits = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
    auto index = [&](int64_t n) -> Value { return arith::ConstantIndexOp::create(b, n); };
    auto loop = scf::ForOp::create(
        b, index(0), index(bits), index(1), ValueRange{one, base, exponent},
        [&](OpBuilder &, Location, Value, ValueRange state) {
          Value isOdd =
              arith::CmpIOp::create(b, arith::CmpIPredicate::ne, arith::AndIOp::create(b, state[2], one), zero);
          Value power = arith::SelectOp::create(b, isOdd, arith::MulIOp::create(b, state[0], state[1]), state[0]);
          Value square = arith::MulIOp::create(b, state[1], state[1]);
          scf::YieldOp::create(b, ValueRange{power, square, arith::ShRUIOp::create(b, state[2], one)});
        });
    Value isUnit = arith::OrIOp::create(b, equals(base, 1), equals(base, -1));
    Value isNegative = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, exponent, zero);
    Value otherwise = arith::SelectOp::create(b, isNegative, zero, loop.getResult(0));
    rewriter.replaceOpWithNewOp<arith::SelectOp>(op, isUnit, loop.getResult(0), otherwise);
    return success();
  }
};

//===-- The pass --------------------------------------------------------------------------------------------------===//

bool isComputedWith(Type type) {
  if (auto integer = dyn_cast<IntegerType>(type))
    return integer.getWidth() <= 64;
  return type.isIndex() || type.isF16() || type.isBF16() || type.isF32() || type.isF64();
}

struct ApproximateMathGPUPass : attn::impl::AttnApproximateMathGPUBase<ApproximateMathGPUPass> {
  void runOnOperation() override {
    for (auto module : getOperation().getOps<gpu::GPUModuleOp>())
      if (failed(checkTypes(module)) || failed(useInstructions(module)) || failed(usePolynomials(module)))
        return signalPassFailure();
  }

private:
  static LogicalResult checkTypes(gpu::GPUModuleOp module) {
    WalkResult walked = module.walk([](Operation *op) -> WalkResult {
      if (!isa_and_nonnull<arith::ArithDialect, math::MathDialect>(op->getDialect()))
        return WalkResult::advance();
      for (Type type : op->getResultTypes())
        if (!isComputedWith(getElementTypeOrSelf(type)))
          return op->emitError() << "the GPU does not compute with " << type
                                 << "; use index, integers of up to 64 bits, f16, bf16, f32 or f64";
      return WalkResult::advance();
    });
    return failure(walked.wasInterrupted());
  }

  /// f32 elements show what instructions are off by.
  static bool isOfF32(gpu::GPUModuleOp module) {
    Type element = elementOf(module);
    return element && element.isF32();
  }

  /// What the pattern file itself says. It goes first: polynomials of other functions are made of exp and log, too, and
  /// need them at full accuracy.
  LogicalResult useInstructions(gpu::GPUModuleOp module) {
    RewritePatternSet patterns(&getContext());
    patterns.add<ThroughF32, FPowIByPowF, IPowIByLoop, IsInfByComparison, IsNormalByComparison>(&getContext());
    patterns.add<ByInstruction<math::Log2Op>>(&getContext(), "lg2");
    patterns.add<ByInstruction<math::Log10Op>>(&getContext(), "lg2", 1, 0.3010299956639812);
    if (!isOfF32(module)) {
      patterns.add<TanhByInstruction>(&getContext());
      patterns.add<ByInstruction<math::ExpOp>>(&getContext(), "ex2", 1.4426950408889634);
      patterns.add<ByInstruction<math::LogOp>>(&getContext(), "lg2", 1, 0.6931471805599453);
    }
    addCommonPatterns(patterns);
    return rewrite(module, std::move(patterns));
  }

  LogicalResult usePolynomials(gpu::GPUModuleOp module) {
    RewritePatternSet patterns(&getContext());
    bool takesTanh = isOfF32(module);
    populateMathPolynomialApproximationPatterns(
        patterns, [&](StringRef name) { return takesTanh || name != math::TanhOp::getOperationName(); });
    math::populateExpansionPatterns(patterns, {"tan", "sinh", "cosh", "asinh", "acosh", "atanh", "powf", "clampf"});
    arith::populateCeilFloorDivExpandOpsPatterns(patterns);
    addCommonPatterns(patterns);
    return rewrite(module, std::move(patterns));
  }

  /// Applies patterns to what they are for: most ops of a kernel are none of them.
  static LogicalResult rewrite(gpu::GPUModuleOp module, RewritePatternSet patterns) {
    SmallVector<Operation *> ops;
    module.walk([&](Operation *op) {
      if (isa<math::MathDialect>(op->getDialect()) ||
          isa<arith::CeilDivSIOp, arith::CeilDivUIOp, arith::FloorDivSIOp>(op))
        ops.push_back(op);
    });
    GreedyRewriteConfig config;
    config.setStrictness(GreedyRewriteStrictness::ExistingAndNewOps);
    return ops.empty() ? success() : applyOpPatternsGreedily(ops, std::move(patterns), config);
  }

  void addCommonPatterns(RewritePatternSet &patterns) {
    patterns.add<ByInstruction<math::Exp2Op>>(&getContext(), "ex2");
    patterns.add<ByInstruction<math::RsqrtOp>>(&getContext(), "rsqrt");
  }
};

} // namespace
