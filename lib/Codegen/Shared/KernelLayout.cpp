// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Numbers a kernel's arguments, symbols, orders and views.

#include "attn/Codegen/KernelLayout.h"
#include "../../Runtime/kernel.h"
#include "attn/Codegen/ScoreTerms.h"
#include "attn/Pattern/Shift.h"
#include "attn/Transforms/Passes.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace attn;

static_assert(static_cast<int>(FirstNamed) == ATTN_FIXED_SYMBOLS && static_cast<int>(Length) == ATTN_SYMBOL_LENGTH &&
                  static_cast<int>(KvLength) == ATTN_SYMBOL_KV_LENGTH &&
                  static_cast<int>(QueryOffset) == ATTN_SYMBOL_QUERY_OFFSET &&
                  static_cast<int>(KeyOffset) == ATTN_SYMBOL_KEY_OFFSET &&
                  static_cast<int>(TopLeftOffset) == ATTN_SYMBOL_TOP_LEFT_OFFSET &&
                  static_cast<int>(ScaleSymbol) == ATTN_SYMBOL_SCALE &&
                  static_cast<int>(HeadsPerKvHeadSymbol) == ATTN_SYMBOL_HEADS_PER_KV_HEAD &&
                  static_cast<int>(Heads) == ATTN_SYMBOL_HEADS && static_cast<int>(Head) == ATTN_SYMBOL_HEAD,
              "the planner, the emitters and the runtime number symbols alike");

FailureOr<KernelLayout> KernelLayout::of(func::FuncOp function) {
  auto plans = llvm::to_vector(function.getOps<PlanOp>());
  for (Operation &op : function.getOps())
    if (!isa<func::ReturnOp>(op) && !isMemoryEffectFree(&op))
      return op.emitOpError() << "cannot be part of kernel '" << function.getSymName()
                              << "'; a kernel is one attention, arithmetic on its arguments, and its return";
  auto linear = llvm::to_vector(function.getOps<LinearAttentionOp>());
  KernelLayout layout;
  layout.name = function.getSymName().str();
  if (plans.empty() && linear.size() == 1) {
    if (failed(layout.addLinear(function, linear.front())))
      return failure();
    return layout;
  }
  if (plans.size() != 1 || !linear.empty())
    return function.emitError() << "kernel '" << function.getSymName() << "' holds " << plans.size() + linear.size()
                                << " plans; a kernel is one attention and its return";
  PlanOp plan = plans.front();
  layout.element = plan.getQuery().getType().getElementType();
  layout.headSize = plan.getQuery().getType().getDimSize(3);
  layout.valueHeadSize = plan.getValue().getType().getDimSize(3);
  layout.tile.assign(plan.getTile().begin(), plan.getTile().end());
  layout.anchored = plan.getAnchored();
  if (auto compact = plan.getCompact())
    layout.compact = TileShape{(*compact)[0], (*compact)[1], (*compact)[2], (*compact)[3], layout.anchored};
  layout.compactKeys = plan.getCompactKeys().value_or(0);
  layout.isOneSequence = plan.getOneSequence();
  if (ArrayAttr requirements = plan.getRequirementsAttr())
    llvm::append_range(layout.requirements, requirements.getAsRange<RequirementAttr>());
  ScoreTerms terms(plan.getScore());
  layout.terms = {terms.count(TermKind::OfRow), terms.count(TermKind::OfKey), terms.count(TermKind::OfDistance),
                  terms.count(TermKind::Band), terms.count(TermKind::OfPair)};
  if (!plan.getScore().empty())
    layout.scoreOps = llvm::range_size(plan.getScore().getOps());
  if (failed(layout.addArguments(function, {plan.getQuery(), plan.getKey(), plan.getValue()})))
    return failure();
  layout.addSymbols(function, plan.getSymbols());
  layout.addOrders(plan);
  return layout;
}

/// The attn_role of run-time data; nothing for other types.
static std::optional<int> roleOf(Type type) {
  return llvm::TypeSwitch<Type, std::optional<int>>(type)
      .Case([](TokensType) { return ATTN_TOKENS; })
      .Case([](SegmentsType) { return ATTN_SEGMENTS; })
      .Case([](LengthsType) { return ATTN_LENGTHS; })
      .Case([](PerHeadType) { return ATTN_PER_HEAD; })
      .Case([](BlocksType) { return ATTN_BLOCKS; })
      .Case([](ArrayType) { return ATTN_ARRAY; })
      .Default(std::nullopt);
}

LogicalResult KernelLayout::addArguments(func::FuncOp function, ArrayRef<Value> rows, Value state) {
  if (function.getNumArguments() < 3 || !llvm::equal(rows, function.getArguments().take_front(3)))
    return function.emitError() << "the first arguments of kernel '" << name << "' have to be query, key and value";
  for (StringRef tensor : {"query", "key", "value", "output", "lse"})
    tensors.push_back({tensor.str(), static_cast<int>(tensors.size()), std::nullopt, std::nullopt, {}});
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
    } else if (std::optional<int> role = argument == state ? ATTN_STATE_IN : roleOf(type)) {
      TensorArgument tensor{argName, *role, std::nullopt, std::nullopt, {}};
      if (auto list = dyn_cast_or_null<DenseI32ArrayAttr>(value))
        tensor.defaultValues = SmallVector<int32_t>(list.asArrayRef());
      if (auto minimum = function.getArgAttrOfType<IntegerAttr>(index, argumentMinimum))
        tensor.minimum = minimum.getInt();
      if (auto array = dyn_cast<ArrayType>(type))
        tensor.extents.assign(array.getExtents().begin(), array.getExtents().end());
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

void KernelLayout::addSymbols(func::FuncOp function, ValueRange first) {
  auto add = [&](Value value) {
    unsigned number = numberOf(value);
    if (symbolsByArgument.count(number))
      return;
    symbolsByArgument[number] = FirstNamed + symbols.size();
    Type type = value.getType();
    if (isa<LengthsType, PerHeadType>(type))
      symbols.push_back(
          {isa<LengthsType>(type) ? NamedSymbol::Entry : NamedSymbol::HeadEntry, tensorsByArgument.lookup(number)});
    else
      symbols.push_back({type.isF32() ? NamedSymbol::Number : NamedSymbol::Index, scalarsByArgument.lookup(number)});
  };
  // The plan's own come first: expressions number them by their place there.
  for (Value symbol : first)
    add(symbol);
  for (BlockArgument argument : function.getArguments())
    if (scalarsByArgument.count(argument.getArgNumber()))
      add(argument);
}

/// Formulas read no data. Returns the symbol.
unsigned KernelLayout::addFormula(const Expr &formula) {
  Expr same = known(formula);
  if (const Expr::Term *term = same.asTerm(); term && term->kind == Expr::TermKind::Symbol)
    return term->symbol;
  formulas.push_back(formula);
  symbols.push_back({NamedSymbol::Formula, static_cast<unsigned>(formulas.size() - 1)});
  return FirstNamed + symbols.size() - 1;
}

Expr KernelLayout::known(const Expr &formula) const {
  for (auto [s, symbol] : llvm::enumerate(symbols))
    if (symbol.kind == NamedSymbol::Formula && formulas[symbol.source] == formula)
      return Expr::symbol(FirstNamed + s);
  return formula;
}

ClassSizes KernelLayout::addClassSizes(const Order &order) {
  Expr most = Expr::max({1, Expr::symbol(Length), Expr::symbol(KvLength)}), rows = rowsOf(order.side);
  unsigned count = addFormula(Expr::max({1, Expr::min({order.modulus, most})}));
  return {count, addFormula(Expr::floorDiv(rows, Expr::symbol(count))),
          addFormula(Expr::mod(rows, Expr::symbol(count)))};
}

/// What a bound that moves with the rows of a class needs to know of the call, in classes and what is left over.
void KernelLayout::addMovingFormulas(const Expr &bound, const Expr &period) {
  if (const Expr::Term *term = bound.asTerm(); term && !asMoving(bound, period))
    for (const Expr &operand : term->operands)
      addMovingFormulas(operand, period);
  std::optional<MovingBound> moving = asMoving(bound, period);
  if (!moving)
    return;
  SmallVector<Expr, 2> parts{moving->rest};
  if (moving->isInSteps)
    parts.push_back(moving->shift);
  for (const Expr &part : parts) {
    addFormula(Expr::floorDiv(part, period));
    addFormula(Expr::mod(part, period));
  }
}

/// Of a box between classes.
void KernelLayout::addClassFormulas(BoxOp box, const Order &order) {
  for (ExprAttr bound : {box.getLowerAttr(), box.getUpperAttr(), box.getHoleLowerAttr(), box.getHoleUpperAttr()})
    if (bound && !readsData(bound.getExpr()))
      addMovingFormulas(bound.getExpr(), order.modulus);
  if (std::optional<Expr> shift = shiftOfClass(box.getKeyClassAttr().getExpr(), order.modulus))
    addFormula(Expr::mod(*shift, order.modulus));
}

bool KernelLayout::differsByHead(const Expr &expr) const {
  return expr.anySymbol([&](unsigned symbol) {
    return symbol == Head || (symbol >= FirstNamed && symbols[symbol - FirstNamed].kind == NamedSymbol::HeadEntry);
  });
}

bool KernelLayout::readsData(const Expr &expr) const {
  return expr.anySymbol([&](unsigned symbol) { return isData(symbol); });
}

bool KernelLayout::isData(unsigned symbol) const {
  bool isNamed = symbol >= FirstNamed && symbol < FirstNamed + symbols.size();
  return symbol == Head || (isNamed && (symbols[symbol - FirstNamed].kind == NamedSymbol::Entry ||
                                        symbols[symbol - FirstNamed].kind == NamedSymbol::HeadEntry));
}

unsigned KernelLayout::addOrder(PlanOp plan, OrderAttr order, Side side) {
  for (unsigned i = 0; i < orders.size(); ++i)
    if (orderAttrs[i] == order && orders[i].order.side == side)
      return i;
  OrderLayout layout{order.of(side)};
  layout.ofHead =
      llvm::any_of(ArrayRef{layout.order.modulus, layout.order.shift, layout.order.from, layout.order.below},
                   [&](const Expr &expr) { return differsByHead(expr); });
  if (layout.order.isTabled()) {
    layout.tensor = tensorOf(plan.getTables()[order.getTable()]);
    layout.rowsView = viewCount++;
  }
  bool isByData = readsData(layout.order.modulus);
  if (layout.order.kind == OrderKind::Classes && !isByData)
    layout.classes = addClassSizes(layout.order);
  orders.push_back(layout);
  orderAttrs.push_back(order);
  return orders.size() - 1;
}

void KernelLayout::addOffsets(unsigned tensor) {
  if (llvm::none_of(offsets, [&](const OffsetsLayout &layout) { return layout.tensor == tensor; }))
    offsets.push_back({tensor, viewCount++});
}

bool KernelLayout::isReadInRuns(BoxOp box) const {
  const OrderLayout &keys = orders[orderIndex(box.getKeys(), Side::Keys)];
  bool isKnown = llvm::none_of(ArrayRef{keys.order.modulus, keys.order.shift, keys.order.from, keys.order.below},
                               [&](const Expr &expr) { return readsData(expr); });
  return keys.order.kind == OrderKind::Remainders && isKnown && box.getLower().getExpr() == Expr(0) &&
         !box.getHoleLowerAttr();
}

/// How the keys of one more box are read.
void KernelLayout::addKeysTo(PhaseLayout &phase, BoxOp box, unsigned keys) const {
  const Order &order = orders[keys].order;
  bool mayRun = isReadInRuns(box) && (phase.runs < 0 || phase.runs == static_cast<int>(keys));
  if (mayRun)
    phase.runs = keys;
  bool isCopied = order.kind == OrderKind::Remainders && !mayRun;
  phase.isScattered |= order.isTabled() || isCopied;
  phase.hasCopiedRuns |= isCopied;
  phase.isComputed |= order.isComputed();
}

/// All boxes between columns share the grid's width, and the position of the first key.
void KernelLayout::addGridTo(PhaseLayout &phase, BoxOp box) const {
  if (!box.getColumnWidthAttr())
    return;
  Columns columns{box.getColumnWidthAttr().getExpr(), box.getColumnShiftAttr().getExpr(),
                  box.getColumnLowerAttr().getExpr(), box.getColumnUpperAttr().getExpr()};
  int64_t patchColumns = orders[phase.queries].order.patchColumns;
  Expr span = columns.span(patchColumns);
  // The host makes tensor maps of it before it knows what is in memory.
  if (readsData(span))
    span = columns.width;
  phase.grid = {columns.width, columns.shift, phase.grid ? Expr::max({phase.grid->span, span}) : span, patchColumns};
}

/// A bound without the limit that the side sets.
static Expr withoutLimit(const Expr &bound, Expr::TermKind extremum, const Expr &limit) {
  const Expr::Term *term = bound.asTerm();
  if (!term || term->kind != extremum || term->operands.size() != 2 || !llvm::is_contained(term->operands, limit))
    return bound;
  return term->operands[term->operands[0] == limit ? 1 : 0];
}

/// Whether rows, or blocks of them, look at as many keys of a box as each other, but at the ends.
static bool looksAlike(BoxOp box, const Order &queries) {
  if (box.getBlockTable())
    return false;
  Expr lower = withoutLimit(box.getLower().getExpr(), Expr::TermKind::Max, 0);
  Expr upper = withoutLimit(box.getUpper().getExpr(), Expr::TermKind::Min, Expr::symbol(KvLength));
  if (!lower.dependsOnRow() && !upper.dependsOnRow())
    return true;
  auto begin = asMoving(lower, queries.modulus), end = asMoving(upper, queries.modulus);
  auto isOfBlock = [&](const std::optional<MovingBound> &bound) {
    return bound && bound->isInSteps && bound->shift == queries.shift;
  };
  return queries.kind == OrderKind::Blocks && isOfBlock(begin) && isOfBlock(end);
}

void KernelLayout::addOrders(PlanOp plan) {
  auto addFlags = [&](unsigned index) {
    if (orders[index].order.isTabled() && orders[index].flagsView < 0)
      orders[index].flagsView = viewCount++;
  };
  for (PhaseOp phase : plan.getPhases().getOps<PhaseOp>()) {
    unsigned queries = addOrder(plan, phase.getQueries(), Side::Queries);
    unsigned stage = phases.empty() ? 0 : phases.back().stage;
    const Order &order = orders[queries].order;
    PhaseLayout &added = phases.emplace_back();
    added.queries = queries, added.continues = phase.getContinues();
    added.stage = added.continues ? stage + 1 : stage;
    added.hasCopiedRuns = order.kind == OrderKind::Remainders;
    added.isScattered = order.isTabled() || added.hasCopiedRuns;
    added.isComputed = order.isComputed();
    if (order.kind == OrderKind::Blocks && !readsData(order.firstBlock()))
      addFormula(order.firstBlock());
    if (ExprAttr when = phase.getWhenAttr())
      added.when = when.getExpr();
    if (ArrayAttr except = phase.getExceptAttr())
      for (Attribute order : except)
        addFlags(addOrder(plan, cast<OrderAttr>(order), Side::Queries));
    for (BoxOp box : phase.getBoxes().getOps<BoxOp>()) {
      unsigned keys = addOrder(plan, box.getKeys(), Side::Keys);
      // Anchored tiles are multiplied where keys and values lie, rectangles of a grid are copied by the tiles that look
      // at them; others are packed first.
      if (!anchored && !box.getColumnWidthAttr() && orders[keys].keyView < 0) {
        orders[keys].keyView = viewCount++;
        orders[keys].valueView = viewCount++;
      }
      if (orders[keys].classes && box.getKeyClassAttr())
        addClassFormulas(box, orders[keys].order);
      ++phases.back().boxes;
      phases.back().isTested |= !box.getTest().empty();
      addKeysTo(phases.back(), box, keys);
      addGridTo(phases.back(), box);
      phases.back().movesWithRows |= box.getSameSegment() || !looksAlike(box, orders[queries].order);
      if (box.getSameSegment() && !matchOf(queries)) {
        matches.push_back({queries, keys, viewCount, viewCount + 1});
        viewCount += 2;
      }
      if (ArrayAttr except = box.getExceptAttr())
        for (auto order : except.getAsRange<OrderAttr>())
          addFlags(addOrder(plan, order, Side::Keys));
      box.getTest().walk([&](Operation *op) {
        if (auto member = dyn_cast<MemberOp>(op))
          addFlags(addOrder(plan, member.getOrder(), member.getKeys() ? Side::Keys : Side::Queries));
        if (auto lookup = dyn_cast<LookupOp>(op); lookup && lookup.getOffset())
          addOffsets(tensorOf(lookup.getTable()));
      });
    }
  }
  for (auto [i, order] : llvm::enumerate(orders))
    order.countSymbol = FirstNamed + symbols.size() + i;
  addSpans(plan);
}

/// How many ranks a row looks at: the most of the first row, the one in the middle, and the last one. A tile whose rows
/// are of two classes looks at both.
std::optional<Expr> KernelLayout::spanOf(BoxOp box, const Order &keys) const {
  bool isSpread = keys.kind != OrderKind::All && keys.kind != OrderKind::Classes;
  if (isSpread || box.getSameSegment() || box.getBlockTable())
    return std::nullopt;
  Expr last = Expr::symbol(Length) - 1, begin = box.getLower().getExpr(), end = box.getUpper().getExpr();
  auto rowsAt = [&](const Expr &row) { return end.at(row) - begin.at(row); };
  Expr rows = Expr::max({0, rowsAt(0), rowsAt(Expr::floorDiv(last, 2)), rowsAt(last)});
  Expr span = keys.kind == OrderKind::All ? rows : (Expr::floorDiv(rows, keys.modulus) + 1) * 2;
  return readsData(span) ? std::nullopt : std::optional(span);
}

/// Where all boxes of an order's packed keys say it.
void KernelLayout::addSpans(PlanOp plan) {
  llvm::DenseSet<unsigned> isUnknown;
  plan.walk([&](BoxOp box) {
    unsigned keys = orderIndex(box.getKeys(), Side::Keys);
    if (box.getColumnWidthAttr() || isUnknown.contains(keys))
      return;
    OrderLayout &order = orders[keys];
    std::optional<Expr> span = spanOf(box, order.order);
    if (!span || order.keyView < 0 || tile[1] > packKeys())
      isUnknown.insert(keys), order.span.reset();
    else
      order.span = order.span ? Expr::max({*order.span, *span}) : *span;
  });
}

unsigned KernelLayout::orderIndex(OrderAttr order, Side side) const {
  for (unsigned i = 0; i < orders.size(); ++i)
    if (orderAttrs[i] == order && orders[i].order.side == side)
      return i;
  llvm_unreachable("every order of the plan was added");
}

std::optional<TileShape> KernelLayout::tileForFewQueries() const {
  if (anchored || linear || hasGrids())
    return std::nullopt;
  return TileShape{ATTN_FEW_ROWS, ATTN_PART_KEYS, /*groupRows=*/1, /*granule=*/32};
}

const MatchLayout *KernelLayout::matchOf(unsigned queryOrder) const {
  const auto *match = llvm::find_if(matches, [&](const MatchLayout &m) { return m.queryOrder == queryOrder; });
  return match == matches.end() ? nullptr : match;
}

unsigned KernelLayout::offsetsViewOf(unsigned tensor) const {
  const auto *found = llvm::find_if(offsets, [&](const OffsetsLayout &layout) { return layout.tensor == tensor; });
  assert(found != offsets.end() && "the offsets of every lookup in the plan were added");
  return found->view;
}
