// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Replaces functions over vectors by polynomials, so that no loop calls the C library lane by lane. The polynomials
// themselves multiply and add, and round; where the instruction set cannot (plain x86-64), that is spelled out as well.

#include "attn/Codegen/Passes.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace attn {
#define GEN_PASS_DEF_ATTNAPPROXIMATEMATH
#include "attn/Codegen/Passes.h.inc"
} // namespace attn

namespace {

/// A number of the type of `like`, a float or a vector of floats.
Value constant(OpBuilder &b, Location loc, Type like, double number) {
  auto value = b.getFloatAttr(getElementTypeOrSelf(like), number);
  if (auto vector = dyn_cast<VectorType>(like))
    return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(vector, value));
  return arith::ConstantOp::create(b, loc, value);
}

bool isF32(Operation *op) { return getElementTypeOrSelf(op->getResult(0).getType()).isF32(); }

/// Whether the op's function is written for an instruction set with this feature, as "+fma".
bool hasFeature(Operation *op, StringRef feature) {
  auto function = op->getParentOfType<func::FuncOp>();
  auto features = function ? function->getAttrOfType<LLVM::TargetFeaturesAttr>("target_features") : nullptr;
  return features && features.contains(feature);
}

/// f(x) = g(x * before) * after.
template <typename F, typename G> struct Rescale : OpRewritePattern<F> {
  Rescale(MLIRContext *context, double before, double after)
      : OpRewritePattern<F>(context), before(before), after(after) {}

  LogicalResult matchAndRewrite(F op, PatternRewriter &b) const override {
    if (!isF32(op))
      return b.notifyMatchFailure(op, "only f32 has polynomials");
    Location loc = op.getLoc();
    Value x = arith::MulFOp::create(b, loc, op.getOperand(), constant(b, loc, op.getType(), before));
    Value y = G::create(b, loc, x);
    b.replaceOpWithNewOp<arith::MulFOp>(op, y, constant(b, loc, op.getType(), after));
    return success();
  }

  double before, after;
};

struct FmaWithoutInstruction : OpRewritePattern<math::FmaOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::FmaOp op, PatternRewriter &b) const override {
    if (hasFeature(op, "+fma"))
      return b.notifyMatchFailure(op, "there is an instruction");
    Value product = arith::MulFOp::create(b, op.getLoc(), op.getA(), op.getB());
    b.replaceOpWithNewOp<arith::AddFOp>(op, product, op.getC());
    return success();
  }
};

/// Floats of 2^23 and more are whole. Smaller ones go through i32, and keep their sign: -0 stays -0.
template <typename Op> struct RoundWithoutInstruction : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op, PatternRewriter &b) const override {
    if (hasFeature(op, "+avx2") || !isF32(op))
      return b.notifyMatchFailure(op, "there is an instruction, or the type is not f32");
    Location loc = op.getLoc();
    Value x = op.getOperand();
    Value magnitude = math::AbsFOp::create(b, loc, x), limit = constant(b, loc, x.getType(), 8388608.0);
    Value isSmall = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, magnitude, limit);
    Value rounded = math::CopySignOp::create(b, loc, round(b, loc, x, magnitude), x);
    b.replaceOpWithNewOp<arith::SelectOp>(op, isSmall, rounded, x);
    return success();
  }

private:
  static Value round(OpBuilder &b, Location loc, Value x, Value magnitude) {
    Type type = x.getType();
    if constexpr (std::is_same_v<Op, math::RoundEvenOp>) {
      // The sum has no room for a fraction.
      Value big = constant(b, loc, type, 8388608.0);
      return arith::SubFOp::create(b, loc, arith::AddFOp::create(b, loc, magnitude, big), big);
    }
    if constexpr (std::is_same_v<Op, math::RoundOp>) {
      Value whole = truncate(b, loc, magnitude);
      Value rest = arith::SubFOp::create(b, loc, magnitude, whole);
      return stepWhere(b, loc, arith::CmpFPredicate::OGE, rest, constant(b, loc, type, 0.5), whole, 1);
    }
    Value whole = truncate(b, loc, x);
    if constexpr (std::is_same_v<Op, math::FloorOp>)
      return stepWhere(b, loc, arith::CmpFPredicate::OGT, whole, x, whole, -1);
    if constexpr (std::is_same_v<Op, math::CeilOp>)
      return stepWhere(b, loc, arith::CmpFPredicate::OLT, whole, x, whole, 1);
    return whole;
  }

  static Value truncate(OpBuilder &b, Location loc, Value x) {
    Type type = b.getI32Type();
    if (auto vector = dyn_cast<VectorType>(x.getType()))
      type = vector.clone(type);
    return arith::SIToFPOp::create(b, loc, x.getType(), arith::FPToSIOp::create(b, loc, type, x));
  }

  /// `whole`, a step on where `x` and `y` compare so.
  static Value stepWhere(OpBuilder &b, Location loc, arith::CmpFPredicate predicate, Value x, Value y, Value whole,
                         double step) {
    Value is = arith::CmpFOp::create(b, loc, predicate, x, y);
    Value next = arith::AddFOp::create(b, loc, whole, constant(b, loc, whole.getType(), step));
    return arith::SelectOp::create(b, loc, is, next, whole);
  }
};

struct ApproximateMathPass : attn::impl::AttnApproximateMathBase<ApproximateMathPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateMathPolynomialApproximationPatterns(patterns);
    math::populateExpansionPatterns(patterns, {"tan", "sinh", "cosh", "asinh", "acosh", "atanh", "powf", "rsqrt"});
    patterns.add<Rescale<math::Exp2Op, math::ExpOp>>(&getContext(), 0.6931471805599453, 1.0);
    patterns.add<Rescale<math::Log10Op, math::LogOp>>(&getContext(), 1.0, 0.4342944819032518);
    patterns.add<FmaWithoutInstruction, RoundWithoutInstruction<math::FloorOp>, RoundWithoutInstruction<math::CeilOp>,
                 RoundWithoutInstruction<math::TruncOp>, RoundWithoutInstruction<math::RoundOp>,
                 RoundWithoutInstruction<math::RoundEvenOp>>(&getContext());
    SmallVector<Operation *> functions; // and nothing else: kernels are long
    getOperation()->walk([&](Operation *op) {
      if (isa<math::MathDialect>(op->getDialect()))
        functions.push_back(op);
    });
    auto config = GreedyRewriteConfig().setStrictness(GreedyRewriteStrictness::ExistingAndNewOps);
    if (failed(applyOpPatternsGreedily(functions, std::move(patterns), config)))
      signalPassFailure();
  }
};

} // namespace
