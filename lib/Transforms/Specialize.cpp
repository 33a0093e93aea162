// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Makes typed kernels of patterns: functions, element types, head sizes; patterns and scores are inlined.

#include "Specialize.h"
#include "attn/Transforms/Passes.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace attn;

namespace attn {
#define GEN_PASS_DEF_ATTNSPECIALIZE
#include "attn/Transforms/Passes.h.inc"
} // namespace attn

namespace {

bool isDivisor(Operation *op, Value value) {
  return isa<arith::DivSIOp, arith::DivUIOp, arith::FloorDivSIOp, arith::CeilDivSIOp, arith::CeilDivUIOp,
             arith::RemSIOp, arith::RemUIOp>(op) &&
         op->getOperand(1) == value;
}

/// The least value that the uses of a number allow, be it an index or a per-head parameter.
std::optional<int64_t> minimumOf(Value number) {
  std::optional<int64_t> minimum;
  auto raise = [&](std::optional<int64_t> least) {
    if (least)
      minimum = std::max(minimum.value_or(*least), *least);
  };
  for (Operation *user : number.getUsers()) {
    for (const AtomBound &bound : boundsOf(user))
      if (bound.value == number)
        raise(bound.minimum);
    if (isDivisor(user, number))
      raise(1);
    if (auto entry = dyn_cast<OfHeadOp>(user))
      raise(minimumOf(entry));
  }
  return minimum;
}

/// The least of a default's numbers; nothing for other defaults.
std::optional<int64_t> leastOfDefault(Attribute value) {
  if (auto number = dyn_cast_or_null<IntegerAttr>(value))
    return number.getInt();
  auto list = dyn_cast_or_null<DenseI32ArrayAttr>(value);
  return list && !list.empty() ? std::optional<int64_t>(*llvm::min_element(list.asArrayRef())) : std::nullopt;
}

/// Attributes of an argument that stands for a parameter.
DictionaryAttr argumentAttributes(StringAttr name, Attribute value) {
  NamedAttrList attributes;
  attributes.append(argumentName, name);
  if (!isa<UnitAttr>(value))
    attributes.append(argumentDefault, value);
  return attributes.getDictionary(name.getContext());
}

} // namespace

RankedTensorType attn::specializedType(Value tensor, Type element, int64_t columns) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<int64_t> shape(type.getShape());
  if (shape.size() == 4 && ShapedType::isDynamic(shape[3]))
    shape[3] = columns;
  bool open = isa<ElementType>(type.getElementType());
  return RankedTensorType::get(shape, open ? element : type.getElementType());
}

namespace {

struct SpecializePass : attn::impl::AttnSpecializeBase<SpecializePass> {
  using AttnSpecializeBase::AttnSpecializeBase;

  void runOnOperation() override {
    FailureOr<Type> type = elementType();
    if (failed(type) || failed(checkSizes()) || failed(makeFunctions()) || failed(keepKernel()))
      return signalPassFailure();
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      SmallVector<AttentionOp> ops;
      function.walk([&](AttentionOp op) { ops.push_back(op); });
      for (AttentionOp op : ops)
        if (failed(inlinePattern(function, op)) || failed(inlineScore(function, op)))
          return signalPassFailure();
      if (failed(setMinimums(function)))
        return signalPassFailure();
      FailureOr<unsigned> linear = specializeLinearAttention(function, *type, headSize, valueSize());
      if (succeeded(linear) && *linear > 0 && !score.empty()) {
        function.emitError() << "kernel '" << function.getSymName()
                             << "' is linear attention, which has no scores; name no score";
        return signalPassFailure();
      }
      if (failed(linear) || failed(setTypes(function, ops, *type)))
        return signalPassFailure();
      numKernels += !ops.empty() || *linear > 0;
    }
    for (Operation &op : llvm::make_early_inc_range(getOperation().getOps()))
      if (isa<PatternOp, ScoreOp>(op))
        op.erase();
  }

private:
  FailureOr<Type> elementType() {
    Builder builder(&getContext());
    Type type = llvm::StringSwitch<Type>(element)
                    .Case("f32", builder.getF32Type())
                    .Case("bf16", builder.getBF16Type())
                    .Case("f16", builder.getF16Type())
                    .Default({});
    if (!type)
      return emitError(getOperation().getLoc()) << "unknown element type '" << element << "'; use f32, bf16 or f16";
    return type;
  }

  LogicalResult checkSizes() {
    for (auto [name, size] : {std::pair<StringRef, int64_t>{"head size", headSize}, {"value head size", valueSize()}})
      if (size < 1 || size > 256)
        return emitError(getOperation().getLoc()) << name << " is " << size << "; it has to lie in 1 to 256";
    return success();
  }

  int64_t valueSize() const { return valueHeadSize ? valueHeadSize : headSize; }

  //===-- Kernels -----------------------------------------------------------------------------------------------===//

  /// A pattern that no attention names is a kernel: gives it a function of the same name.
  LogicalResult makeFunctions() {
    ModuleOp module = getOperation();
    llvm::StringSet<> used;
    module.walk([&](AttentionOp op) {
      if (op.getPattern())
        used.insert(*op.getPattern());
    });
    for (auto pattern : llvm::make_early_inc_range(module.getOps<PatternOp>())) {
      if (used.contains(pattern.getSymName()))
        continue;
      makeFunction(pattern);
    }
    makeLinearKernels(module);
    return success();
  }

  void makeFunction(PatternOp pattern) {
    OpBuilder builder(pattern);
    Location loc = pattern.getLoc();
    auto rows = RankedTensorType::get(SmallVector<int64_t>(4, ShapedType::kDynamic), ElementType::get(&getContext()));
    auto lse = RankedTensorType::get(SmallVector<int64_t>(3, ShapedType::kDynamic), builder.getF32Type());
    std::string name = pattern.getSymName().str();
    // The function takes the pattern's name; the pattern is erased at the end.
    std::string renamed = name + "_pairs";
    while (getOperation().lookupSymbol(renamed))
      renamed += "_";
    pattern.setSymName(renamed);
    SmallVector<Type> inputs(3, rows);
    auto function = func::FuncOp::create(builder, loc, name, builder.getFunctionType(inputs, {rows, lse}));
    Block *entry = function.addEntryBlock();
    builder.setInsertionPointToStart(entry);
    auto attention = AttentionOp::create(builder, loc, rows, lse, entry->getArgument(0), entry->getArgument(1),
                                         entry->getArgument(2), Value(), ValueRange(),
                                         FlatSymbolRefAttr::get(&getContext(), pattern.getSymName()));
    func::ReturnOp::create(builder, loc, attention.getResults());
  }

  /// Erases the functions of other kernels.
  LogicalResult keepKernel() {
    if (kernel.empty())
      return success();
    auto functions = llvm::to_vector(getOperation().getOps<func::FuncOp>());
    if (llvm::none_of(functions, [&](func::FuncOp f) { return f.getSymName() == kernel; })) {
      InFlightDiagnostic diag = emitError(getOperation().getLoc());
      diag << "no kernel '" << kernel << "' in this file; it has " << (functions.empty() ? "none" : "");
      llvm::interleaveComma(functions, diag, [&](func::FuncOp f) { diag << "'" << f.getSymName() << "'"; });
      return diag;
    }
    for (func::FuncOp function : functions)
      if (function.getSymName() != kernel)
        function.erase();
    return success();
  }

  //===-- Inlining ----------------------------------------------------------------------------------------------===//

  /// Maps the parameters that no argument is given for to new arguments of the function.
  static LogicalResult addParameters(func::FuncOp function, ArrayRef<BlockArgument> parameters, ArrayAttr names,
                                     ArrayAttr defaults, IRMapping &mapping) {
    for (auto [parameter, name, value] : llvm::zip_equal(parameters, names.getAsRange<StringAttr>(), defaults)) {
      if (mapping.contains(parameter))
        continue;
      unsigned index = function.getNumArguments();
      if (failed(
              function.insertArgument(index, parameter.getType(), argumentAttributes(name, value), parameter.getLoc())))
        return failure();
      mapping.map(parameter, function.getArgument(index));
    }
    return success();
  }

  /// A parameter of a score that the pattern has, too, is the same argument.
  static LogicalResult shareParameters(func::FuncOp function, ScoreOp symbol, IRMapping &mapping) {
    for (auto [name, parameter] :
         llvm::zip(symbol.getArgumentNames().getAsRange<StringAttr>(), symbol.getBody().getArguments())) {
      for (BlockArgument argument : function.getArguments()) {
        if (function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), argumentName) != name)
          continue;
        if (argument.getType() != parameter.getType())
          return symbol.emitOpError() << "parameter '" << name.getValue() << "' has type " << parameter.getType()
                                      << ", but " << argument.getType() << " in kernel '" << function.getSymName()
                                      << "'; rename one of them";
        mapping.map(parameter, argument);
      }
    }
    return success();
  }

  /// Writes down what an argument's uses require of it, once they are inlined.
  static LogicalResult setMinimums(func::FuncOp function) {
    for (BlockArgument argument : function.getArguments()) {
      std::optional<int64_t> minimum = minimumOf(argument);
      if (!minimum)
        continue;
      unsigned index = argument.getArgNumber();
      auto name = function.getArgAttrOfType<StringAttr>(index, argumentName);
      std::optional<int64_t> least = leastOfDefault(function.getArgAttr(index, argumentDefault));
      if (name && least && *least < *minimum)
        return emitError(argument.getLoc()) << "default of parameter '" << name.getValue() << "' is " << *least
                                            << "; it has to be at least " << *minimum;
      auto known = function.getArgAttrOfType<IntegerAttr>(index, argumentMinimum);
      if (!known || known.getInt() < *minimum)
        function.setArgAttr(index, argumentMinimum, Builder(function.getContext()).getIndexAttr(*minimum));
    }
    return success();
  }

  LogicalResult inlinePattern(func::FuncOp function, AttentionOp op) {
    if (!op.getPattern())
      return success();
    auto pattern = getOperation().lookupSymbol<PatternOp>(*op.getPattern()); // the verifier saw it
    IRMapping mapping;
    for (auto [parameter, argument] : llvm::zip(pattern.getBody().getArguments(), op.getPatternArguments()))
      mapping.map(parameter, argument);
    if (failed(addParameters(function, pattern.getBody().getArguments(), pattern.getArgumentNames(),
                             pattern.getDefaults(), mapping)))
      return failure();
    OpBuilder builder(&getContext());
    builder.createBlock(&op.getPairs());
    for (Operation &inner : pattern.getBody().front())
      builder.clone(inner, mapping);
    op.setOneSequence(op.getOneSequence() || pattern.getOneSequence());
    op.removePatternAttr();
    op.getPatternArgumentsMutable().clear();
    return success();
  }

  /// Copies a score's or a sink's body; its parameters are mapped already.
  static void inlineRegion(Region &from, Region &to, unsigned parameters, IRMapping &mapping) {
    if (from.empty())
      return;
    OpBuilder builder(from.getContext());
    Block *block = builder.createBlock(&to);
    for (BlockArgument argument : from.getArguments().drop_front(parameters))
      mapping.map(argument, block->addArgument(argument.getType(), argument.getLoc()));
    for (Operation &inner : from.front())
      builder.clone(inner, mapping);
  }

  LogicalResult inlineScore(func::FuncOp function, AttentionOp op) {
    if (score.empty() || !op.getScore().empty() || !op.getSink().empty())
      return success();
    auto symbol = getOperation().lookupSymbol<ScoreOp>(score);
    if (!symbol)
      return op.emitOpError() << "unknown score '@" << score << "'; define it with attn.score";
    IRMapping mapping;
    unsigned count = symbol.getDefaults().size();
    auto parameters = symbol.getBody().getArguments().take_front(count);
    if (failed(shareParameters(function, symbol, mapping)) ||
        failed(addParameters(function, parameters, symbol.getArgumentNames(), symbol.getDefaults(), mapping)))
      return failure();
    for (auto [ofSink, ofScore] : llvm::zip(symbol.getSink().getArguments(), parameters))
      mapping.map(ofSink, mapping.lookup<Value>(ofScore));
    inlineRegion(symbol.getBody(), op.getScore(), count, mapping);
    inlineRegion(symbol.getSink(), op.getSink(), count, mapping);
    return success();
  }

  //===-- Types -------------------------------------------------------------------------------------------------===//

  LogicalResult setTypes(func::FuncOp function, ArrayRef<AttentionOp> ops, Type element) {
    for (AttentionOp op : ops) {
      op.getQuery().setType(specializedType(op.getQuery(), element, headSize));
      op.getKey().setType(specializedType(op.getKey(), element, headSize));
      op.getValue().setType(specializedType(op.getValue(), element, valueSize()));
      op.getOutput().setType(specializedType(op.getOutput(), element, valueSize()));
    }
    if (function.isExternal())
      return success();
    Operation *terminator = function.getBody().front().getTerminator();
    function.setType(
        FunctionType::get(&getContext(), function.getBody().getArgumentTypes(), terminator->getOperandTypes()));
    for (AttentionOp op : ops)
      if (failed(mlir::verify(op)))
        return failure();
    return success();
  }
};

} // namespace
