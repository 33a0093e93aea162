// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Makes typed kernels of patterns: functions, element types, head sizes; patterns and scores are inlined.

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

/// The least value that a pattern's uses of an index parameter allow.
std::optional<int64_t> minimumOf(BlockArgument parameter) {
  std::optional<int64_t> minimum;
  for (Operation *user : parameter.getUsers()) {
    if (isa<WindowOp>(user))
      minimum = std::max<int64_t>(minimum.value_or(0), 0);
    if (isa<BlockLocalOp>(user) || isDivisor(user, parameter))
      return 1;
  }
  return minimum;
}

/// Attributes of an argument that stands for a parameter.
DictionaryAttr argumentAttributes(StringAttr name, Attribute value, BlockArgument parameter) {
  Builder builder(name.getContext());
  NamedAttrList attributes;
  attributes.append(argumentName, name);
  if (!isa<UnitAttr>(value))
    attributes.append(argumentDefault, value);
  if (std::optional<int64_t> minimum = minimumOf(parameter))
    attributes.append(argumentMinimum, builder.getIndexAttr(*minimum));
  return attributes.getDictionary(name.getContext());
}

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
      if (failed(setTypes(function, ops, *type)))
        return signalPassFailure();
      numKernels += !ops.empty();
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

  /// An argument of the function that is passed on as a parameter is bound by what the parameter is.
  static void keepMinimum(func::FuncOp function, BlockArgument parameter, Value passed) {
    auto argument = dyn_cast<BlockArgument>(passed);
    std::optional<int64_t> minimum = minimumOf(parameter);
    if (!argument || argument.getOwner() != &function.front() || !minimum)
      return;
    auto known = function.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), argumentMinimum);
    if (!known || known.getInt() < *minimum)
      function.setArgAttr(argument.getArgNumber(), argumentMinimum,
                          Builder(passed.getContext()).getIndexAttr(*minimum));
  }

  /// Maps the parameters that no argument is given for to new arguments of the function.
  static LogicalResult addParameters(func::FuncOp function, ArrayRef<BlockArgument> parameters, ArrayAttr names,
                                     ArrayAttr defaults, IRMapping &mapping) {
    for (auto [parameter, name, value] : llvm::zip_equal(parameters, names, defaults)) {
      if (mapping.contains(parameter)) {
        keepMinimum(function, parameter, mapping.lookup(parameter));
        continue;
      }
      std::optional<int64_t> minimum = minimumOf(parameter);
      if (auto number = dyn_cast<IntegerAttr>(value); number && minimum && number.getInt() < *minimum)
        return emitError(parameter.getLoc()) << "default of parameter '" << cast<StringAttr>(name).getValue() << "' is "
                                             << number.getInt() << "; it has to be at least " << *minimum;
      unsigned index = function.getNumArguments();
      DictionaryAttr attributes = argumentAttributes(cast<StringAttr>(name), value, parameter);
      if (failed(function.insertArgument(index, parameter.getType(), attributes, parameter.getLoc())))
        return failure();
      mapping.map(parameter, function.getArgument(index));
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
    op.removePatternAttr();
    op.getPatternArgumentsMutable().clear();
    return success();
  }

  LogicalResult inlineScore(func::FuncOp function, AttentionOp op) {
    if (score.empty() || !op.getScore().empty())
      return success();
    auto symbol = getOperation().lookupSymbol<ScoreOp>(score);
    if (!symbol)
      return op.emitOpError() << "unknown score '@" << score << "'; define it with attn.score";
    IRMapping mapping;
    Region &body = symbol.getBody();
    unsigned parameters = symbol.getDefaults().size();
    if (failed(addParameters(function, body.getArguments().take_front(parameters), symbol.getArgumentNames(),
                             symbol.getDefaults(), mapping)))
      return failure();
    OpBuilder builder(&getContext());
    Block *block = builder.createBlock(&op.getScore());
    for (BlockArgument argument : body.getArguments().drop_front(parameters))
      mapping.map(argument, block->addArgument(argument.getType(), argument.getLoc()));
    for (Operation &inner : body.front())
      builder.clone(inner, mapping);
    return success();
  }

  //===-- Types -------------------------------------------------------------------------------------------------===//

  /// The element type for !attn.element, and `columns` where the number of columns is open.
  static Type specialized(Type type, Type element, int64_t columns) {
    auto tensor = cast<RankedTensorType>(type);
    SmallVector<int64_t> shape(tensor.getShape());
    if (shape.size() == 4 && ShapedType::isDynamic(shape[3]))
      shape[3] = columns;
    bool open = isa<ElementType>(tensor.getElementType());
    return RankedTensorType::get(shape, open ? element : tensor.getElementType());
  }

  LogicalResult setTypes(func::FuncOp function, ArrayRef<AttentionOp> ops, Type element) {
    for (AttentionOp op : ops) {
      op.getQuery().setType(cast<RankedTensorType>(specialized(op.getQuery().getType(), element, headSize)));
      op.getKey().setType(cast<RankedTensorType>(specialized(op.getKey().getType(), element, headSize)));
      op.getValue().setType(cast<RankedTensorType>(specialized(op.getValue().getType(), element, valueSize())));
      op.getOutput().setType(cast<RankedTensorType>(specialized(op.getOutput().getType(), element, valueSize())));
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
