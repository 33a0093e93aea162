// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The numbers by which a kernel's parts know each other: which argument is which tensor or scalar of the C ABI, which
// symbol holds which value, which view shows which memory. The emitter writes code with them, the object writer writes
// them down as the kernel's description (lib/Runtime/kernel.h), and the entry point in C fills them in for each call.

#ifndef ATTN_CODEGEN_KERNELLAYOUT_H
#define ATTN_CODEGEN_KERNELLAYOUT_H

#include "attn/IR/Attn.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace attn {

/// A tensor of the call, in the order of the generated enum: query, key, value, output, lse, then run-time data.
struct TensorArgument {
  std::string name;
  int role; // attn_role
  std::optional<llvm::SmallVector<int32_t>> defaultValues;
  std::optional<int64_t> minimum;        // of a per-head parameter's entries
  llvm::SmallVector<int64_t, 4> extents; // of an array; negative ones are of enum Extent
};

struct ScalarArgument {
  std::string name;
  bool isNumber = false; // a float; else an index
  std::optional<int64_t> minimum;
  int64_t defaultIndex = 0;
  double defaultNumber = 0;
};

/// What a named symbol is filled with; the kinds are attn_symbol_kind's.
struct NamedSymbol {
  enum Kind { Index = 0, Number = 1, Entry = 2, HeadEntry = 3, Formula = 4 };
  Kind kind;
  unsigned source; // scalar, tensor for entries, or formula
};

/// Symbols that say how rows fall into classes.
struct ClassSizes {
  unsigned count;    // of classes: at least 1, and no more than either side has rows, where more change nothing
  unsigned shortest; // rows of a class
  unsigned longer;   // so many classes, the first ones, have a row more
};

struct OrderLayout {
  Order order;         // its expressions are over the layout's symbols
  int tensor = -1;     // of the call
  bool ofHead = false; // query heads differ in it, also those that share a key head
  int rowsView = -1, flagsView = -1, keyView = -1, valueView = -1;
  unsigned countSymbol = 0;      // of orders that are not computed
  std::optional<Expr> span = {}; // of packed keys: about how many ranks a query row looks at, where that is known
  std::optional<ClassSizes> classes = {}; // of an order by classes, where no data decides about them
};

struct MatchLayout {
  unsigned queryOrder, keyOrder;
  unsigned beginView, endView;
};

/// Offsets in segments that some test asks for.
struct OffsetsLayout {
  unsigned tensor; // of segments
  unsigned view;
};

/// How many positions a block of a table of blocks stands for.
struct BlocksLayout {
  unsigned tensor; // of blocks
  Expr block;      // over the layout's symbols
};

/// How many terms of each kind the score region has (ScoreTerms.h).
struct TermLayout {
  unsigned ofRow = 0, ofKey = 0, ofDistance = 0, bands = 0, ofPair = 0;
};

/// The grid whose columns the boxes of a phase over patches look between.
struct GridLayout {
  Expr width, shift; // of keys
  Expr span;         // the most columns that a patch of queries is expected to look at
  int64_t patchColumns;
};

/// What is known of a phase before any call.
struct PhaseLayout {
  unsigned queries = 0;       // order
  unsigned stage = 0;         // phases of a stage run side by side, after those of the stages before
  bool isScattered = false;   // rows come from a table, or are remainders that are not read run by run
  bool hasCopiedRuns = false; // of which there are some of the latter
  bool isComputed = false;    // it has orders that closed forms say
  int runs = -1;              // the key order of remainders that is read run by run, if there is one
  bool continues = false;     // rows begin with what the stages before have written
  bool movesWithRows = false; // rows, or blocks of them, differ in how many keys they look at
  bool isTested = false;      // pairs of some box are asked for one by one
  unsigned boxes = 0;
  std::optional<Expr> when = {};       // calls in which this is positive run it
  std::optional<GridLayout> grid = {}; // of phases over patches
};

/// What linear attention has in place of orders and phases; see attn_linear_code.
struct LinearLayout {
  LinearForm form;
  int stateIn = -1, stateOut = -1; // tensors of the call
  int64_t stateRows, stateColumns; // of a state in the workspace
};

/// Fixed symbols of lib/Runtime/kernel.h that the emitters use besides those of CallSymbol.
enum : unsigned { ScaleSymbol = 5, HeadsPerKvHeadSymbol = 6 };
/// The call's tensors that every kernel has.
enum : unsigned { QueryTensor, KeyTensor, ValueTensor, OutputTensor, LseTensor, FirstDataTensor };

class KernelLayout {
public:
  /// The layout of a function that holds one plan or linear attention and nothing else; an error otherwise.
  static mlir::FailureOr<KernelLayout> of(mlir::func::FuncOp function);

  std::string name;
  mlir::Type element;
  int64_t headSize, valueHeadSize;
  llvm::SmallVector<TensorArgument> tensors;
  llvm::SmallVector<ScalarArgument> scalars;
  llvm::SmallVector<NamedSymbol> symbols;
  std::vector<Expr> formulas; // what is the same for all of a call is computed once, not by each item
  std::vector<OrderLayout> orders;
  llvm::SmallVector<MatchLayout> matches;
  std::vector<PhaseLayout> phases;
  llvm::SmallVector<OffsetsLayout> offsets;
  TermLayout terms;
  unsigned scoreOps = 0;                  // of the score region
  llvm::SmallVector<BlocksLayout> blocks; // filled in from the pattern, where it is at hand
  llvm::SmallVector<RequirementAttr> requirements;
  bool isOneSequence = false;      // kv_length has to equal length
  llvm::SmallVector<int64_t> tile; // rows, keys, group rows, granule
  bool anchored = false;           // see TileShape
  unsigned viewCount = 0;

  std::optional<LinearLayout> linear; // of linear attention, which has no tiles

  std::optional<TileShape> compact; // tiles for calls of at most compactKeys keys
  int64_t compactKeys = 0;

  TileShape tileShape() const { return {tile[0], tile[1], tile[2], tile[3], anchored}; }
  /// Tiles of the CPU's version for calls with few queries, which reads keys where they lie, part by part (kernel.h).
  /// There is none where keys are those of a rectangle, which has more ranks than there are keys.
  std::optional<TileShape> tileForFewQueries() const;
  unsigned symbolCount() const { return FirstNamed + symbols.size() + orders.size(); }
  /// Whether queries of some phase come in patches of a grid.
  bool hasGrids() const {
    return llvm::any_of(orders, [](const OrderLayout &order) { return order.order.kind == OrderKind::Patches; });
  }
  /// Whether some phase starts from what another has written.
  bool hasStages() const { return !phases.empty() && phases.back().stage > 0; }
  unsigned orderIndex(OrderAttr order, Side side) const;
  /// The expression, or the symbol of a formula that is equal to it.
  Expr known(const Expr &formula) const;
  /// The symbol that holds a scalar argument or a batch's length.
  unsigned symbolOf(mlir::Value argument) const { return symbolsByArgument.lookup(numberOf(argument)); }
  /// The call's tensor that a run-time data argument is.
  unsigned tensorOf(mlir::Value argument) const { return tensorsByArgument.lookup(numberOf(argument)); }
  /// The same by the argument's number in the kernel's function.
  unsigned symbolOfArgument(unsigned number) const { return symbolsByArgument.lookup(number); }
  unsigned tensorOfArgument(unsigned number) const { return tensorsByArgument.lookup(number); }
  unsigned scalarOfArgument(unsigned number) const { return scalarsByArgument.lookup(number); }
  const MatchLayout *matchOf(unsigned queryOrder) const;
  /// Whether the keys of a box are remainders whose runs the host of a GPU can tell tensor maps, from the first run on.
  bool isReadInRuns(BoxOp box) const;
  /// The view of the offsets in a tensor's segments.
  unsigned offsetsViewOf(unsigned tensor) const;

  // How keys and values are packed; see attn_kernel.
  static constexpr int64_t panelKeys = 16;
  int64_t panelStride() const { return headSize * panelKeys + panelKeys; }
  int64_t valueStride() const { return (valueHeadSize + 15) / 16 * 16; }
  int64_t packKeys() const { return std::max<int64_t>(128, tile[3]); }

private:
  /// Lays out a function that holds linear attention (LinearLayout.cpp).
  mlir::LogicalResult addLinear(mlir::func::FuncOp function, LinearAttentionOp op);
  /// `rows` are query, key and value; `state` is that of linear attention, if there is one.
  mlir::LogicalResult addArguments(mlir::func::FuncOp function, llvm::ArrayRef<mlir::Value> rows,
                                   mlir::Value state = {});
  /// Those of `first`, then the function's scalars.
  void addSymbols(mlir::func::FuncOp function, mlir::ValueRange first = {});
  void addOrders(PlanOp plan);
  unsigned addOrder(PlanOp plan, OrderAttr order, Side side);
  void addOffsets(unsigned tensor);
  ClassSizes addClassSizes(const Order &order);
  void addClassFormulas(BoxOp box, const Order &order);
  void addMovingFormulas(const Expr &bound, const Expr &period);
  unsigned addFormula(const Expr &formula);
  bool differsByHead(const Expr &expr) const;
  /// Whether a symbol's value is known only where the call's memory is read, or the head is.
  bool isData(unsigned symbol) const;
  bool readsData(const Expr &expr) const;
  void addKeysTo(PhaseLayout &phase, BoxOp box, unsigned keys) const;
  std::optional<Expr> spanOf(BoxOp box, const Order &keys) const;
  void addSpans(PlanOp plan);
  void addGridTo(PhaseLayout &phase, BoxOp box) const;

  llvm::SmallVector<OrderAttr> orderAttrs; // beside `orders`
  static unsigned numberOf(mlir::Value argument) { return mlir::cast<mlir::BlockArgument>(argument).getArgNumber(); }
  llvm::DenseMap<unsigned, unsigned> symbolsByArgument, tensorsByArgument, scalarsByArgument;
};

} // namespace attn

#endif // ATTN_CODEGEN_KERNELLAYOUT_H
