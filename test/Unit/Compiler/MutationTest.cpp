// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Errors put in on purpose: each change of a plan or of the loops that are made of it has to be seen by the judge, so
// that a passing check says something. Unchanged kernels pass.

#include "TestKernel.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "gtest/gtest.h"

using namespace attn;
using Stage = Compilation::Stage;

const char *const window = R"(
attn.pattern @window(%left: index = 20, %right: index = 10) {
  %near = attn.window left(%left) right(%right)
  attn.yield %near
})";
const char *const longformer = R"(
attn.pattern @longformer(%global: !attn.tokens = [0, 70, 71, 140], %left: index = 20, %right: index = 10) {
  %near = attn.window left(%left) right(%right)
  %hub = attn.global %global
  %pairs = attn.union %near, %hub
  attn.yield %pairs
})";
const char *const document = R"(
attn.pattern @document(%segments: !attn.segments) {
  %own = attn.segments %segments
  attn.yield %own
})";
const char *const padded = R"(
attn.pattern @padded(%lengths: !attn.lengths = [100]) {
  %present = attn.padded %lengths
  attn.yield %present
})";
const char *const tested = R"(
attn.pattern @tested() {
  %even = attn.where (%b, %h, %i, %j) {
    %sum = arith.addi %i, %j : index
    %two = arith.constant 2 : index
    %zero = arith.constant 0 : index
    %rest = arith.remsi %sum, %two : index
    %is = arith.cmpi eq, %rest, %zero : index
    attn.yield %is : i1
  }
  attn.yield %even
})";

const char *const dilated = R"(
attn.pattern @dilated(%dilation: !attn.per_head = [3]) {
  %step = attn.of_head %dilation
  %taps = attn.window left(10) right(5) dilation(%step)
  attn.yield %taps
})";
const char *const strided = R"(
attn.pattern @strided() {
  %local = attn.window left(11) right(0)
  %column = attn.congruent (query - key) mod(12)
  %past = attn.causal
  %before = attn.intersect %column, %past
  %pairs = attn.union %local, %before
  attn.yield %pairs
})";
const char *const summaries = R"(
attn.pattern @summaries() {
  %hub = attn.congruent query mod(9) from(4) to(4)
  %seen = attn.congruent key mod(9) from(4) to(5)
  %near = attn.window left(6) right(3)
  %pairs = attn.union %hub, %seen, %near
  attn.yield %pairs
})";
const char *const scored = R"(
attn.pattern @scored() {
  %past = attn.causal
  attn.yield %past
}
attn.score @relative(%vectors: !attn.array<[heads, ?, head_size]>, %logits: !attn.array<[heads]>) (%s, %b, %h, %i, %j) {
  %distance = arith.subi %i, %j : index
  %term = attn.query_dot %vectors[%h, %distance] clamped : !attn.array<[heads, ?, head_size]>
  %moved = arith.addf %s, %term : f32
  attn.yield %moved : f32
} sink (%b, %h, %i) {
  %logit = attn.load %logits[%h] : !attn.array<[heads]>
  attn.yield %logit : f32
})";

/// The name of the score that a text defines; empty if there is none.
static std::string scoreOf(llvm::StringRef text) {
  return text.split("attn.score @").second.take_until([](char c) { return c == '('; }).str();
}

/// Compiles a pattern, runs it with its defaults, and judges.
static reference::Verdict verdictOn(const char *text, const Mutation *mutation = nullptr) {
  CompileOptions options = TestKernel::optionsFor(16);
  options.score = scoreOf(text);
  TestKernel kernel(text, options, mutation);
  EXPECT_EQ(kernel.error, "");
  if (!kernel.error.empty())
    return {};
  CallShape shape;
  shape.length = shape.kvLength = 150;
  shape.heads = 2;
  TestCall call(kernel, shape, /*seed=*/7);
  for (const char *list : {"global", "lengths", "dilation"})
    call.setData(list, {}); // the defaults
  call.setIndex("left", 20), call.setIndex("right", 10);
  std::vector<int32_t> segments(150, 1);
  std::fill(segments.begin() + 37, segments.begin() + 101, 0);
  call.setData("segments", {segments});
  EXPECT_EQ(call.run(), ATTN_OK);
  EXPECT_EQ(call.memoryFault(), "");
  return call.judge();
}

/// Expects the judge to see a change, which says how many places it changed.
static void expectCaught(const char *text, Stage stage, const std::function<int(mlir::ModuleOp)> &change) {
  int changed = 0;
  Mutation mutation{stage, [&](mlir::ModuleOp module) { changed = change(module); }};
  reference::Verdict verdict = verdictOn(text, &mutation);
  EXPECT_GT(changed, 0) << "nothing to change was found";
  EXPECT_FALSE(verdict.ok) << "the error ratio is " << verdict.errorRatio;
}

//===-- Changes of plans ------------------------------------------------------------------------------------------===//

/// Changes box number `which`, counted over all phases.
static int changeBox(mlir::ModuleOp module, int which, llvm::function_ref<void(BoxOp)> change) {
  int number = 0, changed = 0;
  module.walk([&](BoxOp box) {
    if (number++ != which)
      return;
    change(box);
    ++changed;
  });
  return changed;
}

static ExprAttr shifted(ExprAttr bound, int64_t by) {
  return ExprAttr::get(bound.getContext(), bound.getExpr() + Expr(by));
}

static void expectShiftCaught(const char *text, int box, int64_t lowerBy, int64_t upperBy) {
  SCOPED_TRACE("box " + std::to_string(box) + ", bounds moved by " + std::to_string(lowerBy) + " and " +
               std::to_string(upperBy));
  expectCaught(text, Stage::Plan, [&](mlir::ModuleOp module) {
    return changeBox(module, box, [&](BoxOp op) {
      op.setLowerAttr(shifted(op.getLowerAttr(), lowerBy));
      op.setUpperAttr(shifted(op.getUpperAttr(), upperBy));
    });
  });
}

//===-- Changes of loops ------------------------------------------------------------------------------------------===//

/// Makes calls of one kind of group function calls of another.
static int redirectCalls(mlir::ModuleOp module, const std::string &from, const std::string &to) {
  int changed = 0;
  module.walk([&](mlir::func::CallOp call) {
    std::string name = call.getCallee().str();
    size_t place = name.find(from);
    if (place == std::string::npos)
      return;
    name.replace(place, from.size(), to);
    if (!module.lookupSymbol(name))
      return; // versions that this test does not run may have no such function
    call.setCallee(name);
    ++changed;
  });
  return changed;
}

/// Multiplies the constants of tile functions that are near `value`.
static int scaleConstants(mlir::ModuleOp module, double value, double factor) {
  int changed = 0;
  module.walk([&](mlir::arith::ConstantOp op) {
    auto function = op->getParentOfType<mlir::func::FuncOp>();
    llvm::APFloat number(0.0f);
    if (!function.getSymName().contains(".tile.") ||
        !mlir::matchPattern(op.getResult(), mlir::m_ConstantFloat(&number)))
      return;
    if (std::abs(number.convertToFloat() - value) > 1e-6)
      return;
    mlir::Builder builder(op.getContext());
    mlir::TypedAttr scaled = builder.getF32FloatAttr(static_cast<float>(value * factor));
    if (auto type = llvm::dyn_cast<mlir::VectorType>(op.getType()))
      scaled = mlir::DenseElementsAttr::get(type, mlir::Attribute(scaled));
    op.setValueAttr(scaled);
    ++changed;
  });
  return changed;
}

/// A row's `owned` is 1 - min(1, flag of an earlier phase's row): makes the minimum 0.
static int dropExcept(mlir::ModuleOp module) {
  int changed = 0;
  module.walk([&](mlir::arith::MinSIOp op) {
    auto isOne = [](mlir::Value value) { return mlir::matchPattern(value, mlir::m_One()); };
    if (!op.getType().isInteger(32) || !(isOne(op.getLhs()) || isOne(op.getRhs())))
      return;
    mlir::OpBuilder builder(op);
    auto zero = mlir::arith::ConstantOp::create(builder, op.getLoc(), builder.getI32IntegerAttr(0));
    op.replaceAllUsesWith(zero.getResult());
    ++changed;
  });
  return changed;
}

/// Takes the state that a phase goes on from for none: what earlier phases have summed counts 0.
static int dropState(mlir::ModuleOp module) {
  int changed = 0;
  module.walk([&](mlir::arith::CmpFOp op) {
    auto function = op->getParentOfType<mlir::func::FuncOp>();
    llvm::APFloat number(0.0f);
    if (!function.getSymName().contains(".tile.1.") || op.getPredicate() != mlir::arith::CmpFPredicate::OEQ ||
        !mlir::matchPattern(op.getRhs(), mlir::m_ConstantFloat(&number)) || !number.isInfinity())
      return;
    mlir::OpBuilder builder(op);
    auto isNone = mlir::arith::ConstantOp::create(builder, op.getLoc(), builder.getBoolAttr(true));
    op.replaceAllUsesWith(isNone.getResult());
    ++changed;
  });
  return changed;
}

TEST(Mutation, UnchangedKernelsPass) {
  for (const char *text : {window, longformer, document, padded, tested, dilated, strided, summaries, scored}) {
    reference::Verdict verdict = verdictOn(text);
    EXPECT_TRUE(verdict.ok) << text << "\nthe error ratio is " << verdict.errorRatio;
  }
}

TEST(Mutation, WindowOffByOne) {
  expectShiftCaught(window, 0, 1, 0);
  expectShiftCaught(window, 0, -1, 0);
  expectShiftCaught(window, 0, 0, 1);
  expectShiftCaught(window, 0, 0, -1);
}

TEST(Mutation, PaddingOffByOne) { expectShiftCaught(padded, 0, 0, -1); }

TEST(Mutation, HoleOffByOne) {
  // The second box of longformer's other rows are the global keys outside of the window, that of strided's columns ends
  // where the window begins, and summaries' are keys of some remainders outside of the window.
  for (auto [text, box] : {std::pair(longformer, 2), {summaries, 2}})
    for (int64_t by : {-1, 1}) {
      SCOPED_TRACE(std::string(text) + ", by " + std::to_string(by));
      expectCaught(text, Stage::Plan, [&, box = box](mlir::ModuleOp module) {
        return changeBox(module, box, [&](BoxOp op) { op.setHoleLowerAttr(shifted(op.getHoleLowerAttr(), by)); });
      });
      expectCaught(text, Stage::Plan, [&, box = box](mlir::ModuleOp module) {
        return changeBox(module, box, [&](BoxOp op) { op.setHoleUpperAttr(shifted(op.getHoleUpperAttr(), by)); });
      });
    }
}

TEST(Mutation, DroppedBox) {
  for (auto [text, boxes] : {std::pair(longformer, 3), {strided, 2}, {summaries, 3}})
    for (int box = 0; box < boxes; ++box) {
      SCOPED_TRACE(std::string(text) + ", box " + std::to_string(box));
      expectCaught(text, Stage::Plan, [box = box](mlir::ModuleOp module) {
        return changeBox(module, box, [](BoxOp op) { op.setUpperAttr(op.getLowerAttr()); });
      });
    }
}

TEST(Mutation, DroppedSegments) {
  expectCaught(document, Stage::Plan,
               [](mlir::ModuleOp module) { return changeBox(module, 0, [](BoxOp op) { op.setSameSegment(false); }); });
}

TEST(Mutation, DroppedBoundaryTest) {
  for (const char *text : {window, longformer, document, padded})
    expectCaught(text, Stage::Loops,
                 [](mlir::ModuleOp module) { return redirectCalls(module, ".group.bounds.", ".group.full."); });
}

TEST(Mutation, DroppedHole) {
  for (const char *text : {longformer, summaries})
    expectCaught(text, Stage::Loops,
                 [](mlir::ModuleOp module) { return redirectCalls(module, ".group.holes.", ".group.bounds."); });
}

TEST(Mutation, DroppedResidualTest) {
  expectCaught(tested, Stage::Plan, [](mlir::ModuleOp module) {
    return changeBox(module, 0, [](BoxOp op) {
      mlir::Operation *yield = op.getTest().front().getTerminator();
      mlir::OpBuilder builder(yield);
      yield->setOperand(0, mlir::arith::ConstantOp::create(builder, op.getLoc(), builder.getBoolAttr(true)));
    });
  });
}

TEST(Mutation, ClassOffByOne) {
  for (auto [text, box] : {std::pair(dilated, 0), {strided, 1}})
    expectCaught(text, Stage::Plan, [box = box](mlir::ModuleOp module) {
      return changeBox(module, box, [](BoxOp op) {
        Expr modulus = op.getKeys().getModulus();
        op.setKeyClassAttr(ExprAttr::get(op.getContext(), Expr::mod(op.getKeyClassAttr().getExpr() + 1, modulus)));
      });
    });
}

/// An order of remainders with its ends moved.
static OrderAttr moved(OrderAttr attr, int64_t fromBy, int64_t belowBy) {
  Order order = attr.of(Side::Keys);
  order.from = order.from + fromBy, order.below = order.below + belowBy;
  return OrderAttr::get(attr.getContext(), order);
}

TEST(Mutation, RemaindersOffByOne) {
  for (auto [fromBy, belowBy] : {std::pair(-1, 0), {1, 0}, {0, -1}, {0, 1}}) {
    SCOPED_TRACE("ends moved by " + std::to_string(fromBy) + " and " + std::to_string(belowBy));
    expectCaught(summaries, Stage::Plan, [fromBy = fromBy, belowBy = belowBy](mlir::ModuleOp module) {
      return changeBox(module, 2, [&](BoxOp op) { op.setKeysAttr(moved(op.getKeysAttr(), fromBy, belowBy)); });
    });
    // Of queries, for the phase that owns them and for the one that does not.
    expectCaught(summaries, Stage::Plan, [fromBy = fromBy, belowBy = belowBy](mlir::ModuleOp module) {
      int changed = 0;
      module.walk([&](PhaseOp phase) {
        OrderAttr owned = phase.getExceptAttr() ? llvm::cast<OrderAttr>(phase.getExceptAttr()[0]) : phase.getQueries();
        OrderAttr wrong = moved(owned, fromBy, belowBy);
        if (phase.getExceptAttr())
          phase.setExceptAttr(mlir::ArrayAttr::get(module.getContext(), wrong));
        else
          phase.setQueriesAttr(wrong);
        ++changed;
      });
      return changed;
    });
  }
}

TEST(Mutation, StateIsNotGoneOnFrom) {
  expectCaught(strided, Stage::Loops, dropState);
  expectCaught(strided, Stage::Plan, [](mlir::ModuleOp module) {
    int changed = 0;
    module.walk([&](PhaseOp phase) {
      changed += phase.getContinues();
      phase.setContinues(false);
    });
    return changed;
  });
}

TEST(Mutation, DistanceOffByOne) {
  expectCaught(scored, Stage::Plan, [](mlir::ModuleOp module) {
    int changed = 0;
    module.walk([&](QueryDotOp op) {
      mlir::OpBuilder builder(op);
      auto one = mlir::arith::ConstantIndexOp::create(builder, op.getLoc(), 1);
      mlir::Value distance = op.getIndices()[1];
      op.getIndicesMutable()[1].set(mlir::arith::AddIOp::create(builder, op.getLoc(), distance, one));
      ++changed;
    });
    return changed;
  });
}

TEST(Mutation, DroppedSink) {
  expectCaught(scored, Stage::Plan, [](mlir::ModuleOp module) {
    int changed = 0;
    module.walk([&](PlanOp op) {
      op.getSink().getBlocks().clear();
      ++changed;
    });
    return changed;
  });
}

TEST(Mutation, DroppedExcept) {
  for (const char *text : {longformer, summaries})
    expectCaught(text, Stage::Loops, dropExcept);
}

TEST(Mutation, WrongLse) {
  const double ln2 = 0.6931471805599453;
  expectCaught(window, Stage::Loops, [&](mlir::ModuleOp module) { return scaleConstants(module, ln2, 1.0001); });
}

TEST(Mutation, WrongScale) {
  const double log2e = 1.4426950408889634;
  expectCaught(window, Stage::Loops, [&](mlir::ModuleOp module) { return scaleConstants(module, log2e, 1.0001); });
}
