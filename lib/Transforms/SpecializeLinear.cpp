// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Makes kernels of attn.linear: one for each form.

#include "Specialize.h"
#include "attn/Transforms/Passes.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;
using namespace attn;

//===-- Functions -------------------------------------------------------------------------------------------------===//

static RankedTensorType openTensor(int64_t rank, Type element) {
  return RankedTensorType::get(SmallVector<int64_t>(rank, ShapedType::kDynamic), element);
}

/// The attributes of an argument: its name, and a parameter's default.
static DictionaryAttr attributesOf(StringRef name, MLIRContext *context, Attribute value = {}) {
  NamedAttrList attributes;
  attributes.append(argumentName, StringAttr::get(context, name));
  if (value)
    attributes.append(argumentDefault, value);
  return attributes.getDictionary(context);
}

/// func.func @NAME(query, key, value, state, parameters...): linear attention in one form.
static void makeKernel(LinearOp linear, LinearForm form, StringRef name) {
  OpBuilder builder(linear);
  MLIRContext *context = linear.getContext();
  Location loc = linear.getLoc();
  RankedTensorType rows = openTensor(4, ElementType::get(context));
  RankedTensorType lse = openTensor(3, builder.getF32Type()), state = openTensor(4, builder.getF32Type());
  SmallVector<Type> inputs{rows, rows, rows, state};
  ArrayRef<BlockArgument> parameters = linear.getFeature().getArguments().drop_back();
  llvm::append_range(inputs, TypeRange(parameters));
  auto function = func::FuncOp::create(builder, loc, name, builder.getFunctionType(inputs, {rows, lse, state}));
  function.setArgAttrs(3, attributesOf("state_in", context));
  for (auto [index, nameAttr, value] : llvm::enumerate(linear.getArgumentNames(), linear.getDefaults()))
    function.setArgAttrs(4 + index, attributesOf(cast<StringAttr>(nameAttr), context, value));

  Block *entry = function.addEntryBlock();
  builder.setInsertionPointToStart(entry);
  auto arguments = entry->getArguments();
  auto attention = LinearAttentionOp::create(builder, loc, rows, lse, state, arguments[0], arguments[1], arguments[2],
                                             form, /*epsilon=*/arguments[4], /*state=*/arguments[3]);
  func::ReturnOp::create(builder, loc, attention.getResults());

  IRMapping mapping;
  mapping.map(parameters, arguments.drop_front(4));
  Block &source = linear.getFeature().front();
  Block *feature = builder.createBlock(&attention.getFeature());
  mapping.map(source.getArguments().back(), feature->addArgument(builder.getF32Type(), loc));
  for (Operation &inner : source)
    builder.clone(inner, mapping);
}

void attn::makeLinearKernels(ModuleOp module) {
  for (auto linear : llvm::make_early_inc_range(module.getOps<LinearOp>())) {
    std::string name = linear.getSymName().str();
    makeKernel(linear, LinearForm::Full, name);
    makeKernel(linear, LinearForm::Causal, name + "_causal");
    makeKernel(linear, LinearForm::Step, name + "_step");
    linear.erase();
  }
}

//===-- Types -----------------------------------------------------------------------------------------------------===//

/// A state's type with the two sizes that the heads of key and value give it.
static RankedTensorType stateType(LinearAttentionOp op, Value state) {
  auto type = cast<RankedTensorType>(state.getType());
  SmallVector<int64_t> shape(type.getShape());
  if (shape.size() == 4 && ShapedType::isDynamic(shape[2]))
    shape[2] = op.getKey().getType().getDimSize(3);
  if (shape.size() == 4 && ShapedType::isDynamic(shape[3]))
    shape[3] = op.getValue().getType().getDimSize(3) + 1;
  return RankedTensorType::get(shape, type.getElementType());
}

FailureOr<unsigned> attn::specializeLinearAttention(func::FuncOp function, Type element, int64_t headSize,
                                                    int64_t valueHeadSize) {
  SmallVector<LinearAttentionOp> ops;
  function.walk([&](LinearAttentionOp op) { ops.push_back(op); });
  for (LinearAttentionOp op : ops) {
    for (Value tensor : {Value(op.getQuery()), Value(op.getKey())})
      tensor.setType(specializedType(tensor, element, headSize));
    for (Value tensor : {Value(op.getValue()), Value(op.getOutput())})
      tensor.setType(specializedType(tensor, element, valueHeadSize));
    for (Value state : {Value(op.getState()), Value(op.getNextState())})
      if (state)
        state.setType(stateType(op, state));
    if (failed(mlir::verify(op)))
      return failure();
  }
  return ops.size();
}
