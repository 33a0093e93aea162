// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Numbers a kernel's arguments, symbols, orders and views.

#include "attn/Codegen/KernelLayout.h"
#include "../../Runtime/kernel.h"
#include "attn/Transforms/Passes.h"

using namespace mlir;
using namespace attn;

static_assert(static_cast<int>(FirstNamed) == ATTN_FIXED_SYMBOLS && static_cast<int>(Length) == ATTN_SYMBOL_LENGTH &&
                  static_cast<int>(KvLength) == ATTN_SYMBOL_KV_LENGTH &&
                  static_cast<int>(QueryOffset) == ATTN_SYMBOL_QUERY_OFFSET &&
                  static_cast<int>(KeyOffset) == ATTN_SYMBOL_KEY_OFFSET &&
                  static_cast<int>(TopLeftOffset) == ATTN_SYMBOL_TOP_LEFT_OFFSET &&
                  static_cast<int>(ScaleSymbol) == ATTN_SYMBOL_SCALE &&
                  static_cast<int>(HeadsPerKvHeadSymbol) == ATTN_SYMBOL_HEADS_PER_KV_HEAD,
              "the planner, the emitters and the runtime number symbols alike");

FailureOr<KernelLayout> KernelLayout::of(func::FuncOp function) {
  auto plans = llvm::to_vector(function.getOps<PlanOp>());
  for (Operation &op : function.getOps())
    if (!isa<func::ReturnOp>(op) && !isMemoryEffectFree(&op))
      return op.emitOpError() << "cannot be part of kernel '" << function.getSymName()
                              << "'; a kernel is one attention, arithmetic on its arguments, and its return";
  if (plans.size() != 1)
    return function.emitError() << "kernel '" << function.getSymName() << "' holds " << plans.size()
                                << " plans; a kernel is one attention and its return";
  PlanOp plan = plans.front();
  KernelLayout layout;
  layout.name = function.getSymName().str();
  layout.element = plan.getQuery().getType().getElementType();
  layout.headSize = plan.getQuery().getType().getDimSize(3);
  layout.valueHeadSize = plan.getValue().getType().getDimSize(3);
  layout.tile.assign(plan.getTile().begin(), plan.getTile().end());
  layout.anchored = plan.getAnchored();
  if (auto compact = plan.getCompact())
    layout.compact = TileShape{(*compact)[0], (*compact)[1], (*compact)[2], (*compact)[3], layout.anchored};
  layout.compactKeys = plan.getCompactKeys().value_or(0);
  if (failed(layout.addArguments(function, plan)))
    return failure();
  layout.addSymbols(plan, function);
  layout.addOrders(plan);
  return layout;
}

LogicalResult KernelLayout::addArguments(func::FuncOp function, PlanOp plan) {
  if (function.getNumArguments() < 3 || plan.getQuery() != function.getArgument(0) ||
      plan.getKey() != function.getArgument(1) || plan.getValue() != function.getArgument(2))
    return function.emitError() << "the first arguments of kernel '" << name << "' have to be query, key and value";
  for (StringRef tensor : {"query", "key", "value", "output", "lse"})
    tensors.push_back({tensor.str(), static_cast<int>(tensors.size()), std::nullopt});
  for (BlockArgument argument : function.getArguments().drop_front(3)) {
    unsigned index = argument.getArgNumber();
    auto nameAttr = function.getArgAttrOfType<StringAttr>(index, argumentName);
    std::string argName = nameAttr ? nameAttr.str() : "argument" + std::to_string(index);
    Attribute value = function.getArgAttr(index, argumentDefault);
    Type type = argument.getType();
    if (type.isIndex() || type.isF32()) {
      ScalarArgument scalar{argName, type.isF32(), std::nullopt, 0, 0};
      if (auto minimum = function.getArgAttrOfType<IntegerAttr>(index, argumentMinimum))
        scalar.minimum = minimum.getInt();
      if (auto integer = dyn_cast_or_null<IntegerAttr>(value))
        scalar.defaultIndex = integer.getInt();
      if (auto number = dyn_cast_or_null<FloatAttr>(value))
        scalar.defaultNumber = number.getValueAsDouble();
      scalarsByArgument[index] = scalars.size();
      scalars.push_back(scalar);
    } else if (isa<TokensType, SegmentsType, LengthsType>(type)) {
      int role = isa<TokensType>(type) ? ATTN_TOKENS : isa<SegmentsType>(type) ? ATTN_SEGMENTS : ATTN_LENGTHS;
      TensorArgument tensor{argName, role, std::nullopt};
      if (auto list = dyn_cast_or_null<DenseI32ArrayAttr>(value))
        tensor.defaultValues = SmallVector<int32_t>(list.asArrayRef());
      tensorsByArgument[index] = tensors.size();
      tensors.push_back(tensor);
    } else {
      return function.emitError() << "argument '" << argName << "' of kernel '" << name << "' has type " << type
                                  << "; use index, f32 or run-time data";
    }
  }
  viewCount = tensors.size();
  return success();
}

void KernelLayout::addSymbols(PlanOp plan, func::FuncOp function) {
  auto add = [&](Value value) {
    unsigned number = numberOf(value);
    if (symbolsByArgument.count(number))
      return;
    symbolsByArgument[number] = FirstNamed + symbols.size();
    if (isa<LengthsType>(value.getType()))
      symbols.push_back({NamedSymbol::Entry, tensorsByArgument.lookup(number)});
    else
      symbols.push_back(
          {value.getType().isF32() ? NamedSymbol::Number : NamedSymbol::Index, scalarsByArgument.lookup(number)});
  };
  // The plan's own come first: expressions number them by their place there.
  for (Value symbol : plan.getSymbols())
    add(symbol);
  for (BlockArgument argument : function.getArguments())
    if (scalarsByArgument.count(argument.getArgNumber()))
      add(argument);
}

unsigned KernelLayout::addOrder(PlanOp plan, OrderAttr order, Side side) {
  for (unsigned i = 0; i < orders.size(); ++i)
    if (orderAttrs[i] == order && orders[i].side == side)
      return i;
  OrderLayout layout{order.getKind(), side};
  if (order.getKind() != OrderKindAttrValue::All) {
    layout.tensor = tensorOf(plan.getTables()[order.getTable()]);
    layout.rowsView = viewCount++;
  }
  orders.push_back(layout);
  orderAttrs.push_back(order);
  return orders.size() - 1;
}

void KernelLayout::addOrders(PlanOp plan) {
  auto addFlags = [&](unsigned index) {
    if (orders[index].flagsView < 0)
      orders[index].flagsView = viewCount++;
  };
  for (PhaseOp phase : plan.getPhases().getOps<PhaseOp>()) {
    unsigned queries = addOrder(plan, phase.getQueries(), Side::Queries);
    phases.push_back({queries, orders[queries].rowsView >= 0});
    if (ArrayAttr except = phase.getExceptAttr())
      for (Attribute order : except)
        addFlags(addOrder(plan, cast<OrderAttr>(order), Side::Queries));
    for (BoxOp box : phase.getBoxes().getOps<BoxOp>()) {
      unsigned keys = addOrder(plan, box.getKeys(), Side::Keys);
      // Anchored tiles are multiplied where keys and values lie; others are packed first.
      if (!anchored && orders[keys].keyView < 0) {
        orders[keys].keyView = viewCount++;
        orders[keys].valueView = viewCount++;
      }
      phases.back().isTested |= !box.getTest().empty();
      phases.back().hasTables |= orders[keys].rowsView >= 0;
      phases.back().movesWithRows |=
          box.getSameSegment() || box.getLower().getExpr().dependsOnRow() || box.getUpper().getExpr().dependsOnRow();
      if (box.getSameSegment() && !matchOf(queries)) {
        matches.push_back({queries, keys, viewCount, viewCount + 1});
        viewCount += 2;
      }
      box.getTest().walk([&](MemberOp member) {
        addFlags(addOrder(plan, member.getOrder(), member.getKeys() ? Side::Keys : Side::Queries));
      });
    }
  }
  for (auto [i, order] : llvm::enumerate(orders))
    order.countSymbol = FirstNamed + symbols.size() + i;
}

unsigned KernelLayout::orderIndex(OrderAttr order, Side side) const {
  for (unsigned i = 0; i < orders.size(); ++i)
    if (orderAttrs[i] == order && orders[i].side == side)
      return i;
  llvm_unreachable("every order of the plan was added");
}

const MatchLayout *KernelLayout::matchOf(unsigned queryOrder) const {
  const auto *match = llvm::find_if(matches, [&](const MatchLayout &m) { return m.queryOrder == queryOrder; });
  return match == matches.end() ? nullptr : match;
}
