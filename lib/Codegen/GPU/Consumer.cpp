// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A consumer warpgroup: 64 query rows against the key tiles of each box, with online softmax.
//
//   S_t = Q K_t^T            64 x keys
//   m' = max(m, rows of S)   a = 2^(c m - c m')   P = 2^(c S - c m')   c: scale and log2(e)
//   l = a l + sum P          O = a O + P V_t
//
// Q K_t is begun before P V_(t-1), so that the softmax of one tile runs while the other multiplies; warpgroups take
// turns to begin products. Tiles go from the last to the first, and only those that are not full are masked:
//
//   tile 0, always masked | tiles at the upper bound | full tiles | tiles at the lower bound

#include "Scores.h"
#include <cmath>

using namespace mlir;
using namespace attn;
using namespace attn::hopper;

namespace {

constexpr double log2e = 1.4426950408889634, ln2 = 0.6931471805599453;

/// The state of 64 query rows.
struct State {
  Value output, maximum, sum; // acc, row<f32>, row<f32>: the sum is each thread's part

  SmallVector<Value> values() const { return {output, maximum, sum}; }
  static State of(ValueRange v) { return {v[0], v[1], v[2]}; }
};

/// What a warpgroup knows of a box of one item.
struct BoundBox {
  mutable BoxOp op; // a handle
  bool isTested;    // pair by pair
  bool lowerMoves;  // tiles other than tile 0 may lie across lower bounds
  bool upperMoves;  // or across upper bounds
  OrderInBatch keys;
  KeyTiles tiles;
  Value begin, end;         // row<i32>: the rows' intervals
  Value holeBegin, holeEnd; // the same of their holes; null where the box has none. Of a grid, in rows
  Value columns;            // bits: the places of a tile whose keys lie between the rows' columns; null without a grid
};

/// Whether a bound has to be looked at: never, where a tile lies across it, or for all tiles of a loop.
enum class Need { No, Maybe, Yes };
struct Masks {
  Need upper, lower, hole = Need::No;
};

class Consumer {
public:
  Consumer(PhaseKernel &phase, Value warpgroup)
      : p(phase), f(phase.f), shape(phase.shape), warpgroup(warpgroup), f32(f.b.getF32Type()),
        scores(tile::AccType::get(f.b.getContext(), shape.keys)),
        outputs(tile::AccType::get(f.b.getContext(), shape.columns)),
        weights(tile::OperandType::get(f.b.getContext(), shape.keys, phase.element())) {}

  void emit() {
    readScale();
    beginTurns();
    SmallVector<Value> slots{tile::StartOp::create(f.b), tile::StartOp::create(f.b)};
    p.forEachItem(slots, [&](const Item &item, ValueRange carried) -> SmallVector<Value> {
      Value slot = runItem(item, carried[0], carried[1]);
      return {tile::AdvanceOp::create(f.b, carried[0], shape.queryStages), slot};
    });
    awaitStored(); // shared memory has to stay until then
  }

private:
  //===-- Items -------------------------------------------------------------------------------------------------===//

  Value runItem(const Item &item, Value querySlot, Value slot) {
    OrderInBatch queries = p.bindQueries(item);
    bindRows(item, queries);
    State state = start();
    tile::AwaitOp::create(f.b, p.queryRing, querySlot);
    Value whole = tile::StageOp::create(f.b, p.queryRing, querySlot);
    auto wholeType = cast<tile::SharedType>(whole.getType());
    query = tile::SubtileOp::create(f.b, wholeType.subtile(), whole, warpgroup);
    if (!p.hasScore())
      f.when(isNegative, [&] { negateQueries(); });
    SmallVector<Value> carried = state.values();
    carried.push_back(slot);
    for (BoxOp box : p.boxes()) {
      // What was seen before the first part, was not before the next ones.
      isEmpty &= !PhaseKernel::hasParts(box);
      carried = p.forEachPart(box, queries, item, carried,
                              [&](const OrderInBatch &keys, const KeyTiles &tiles, ValueRange inner) {
                                return runTilesOf(bindBox(box, queries, keys, tiles), inner);
                              });
      isEmpty = false;
    }
    state = State::of(carried), slot = carried[3];
    if (!shape.outputOverQuery())
      tile::ReleaseOp::create(f.b, p.queryRing, querySlot);
    writeOutput(item, queries, state, querySlot);
    return slot;
  }

  /// What is carried from box to box is the state and the next slot.
  SmallVector<Value> runTilesOf(const BoundBox &box, ValueRange carried) {
    return f.choose(
        f.less(f.i32(0), box.tiles.count),
        [&] {
          State before = State::of(carried);
          auto [state, slot] = goesSingly(box) ? runSingly(box, before, carried[3]) : runBox(box, before, carried[3]);
          SmallVector<Value> next = state.values();
          next.push_back(slot);
          return next;
        },
        [&] { return llvm::to_vector(carried); });
  }

  /// No key has been seen, but a sink may have: one of value 0. Or other phases have seen some.
  State start() {
    isEmpty = !p.hasSink() && !p.op.getContinues();
    if (p.op.getContinues())
      return stateOf(lseBefore(), outputBefore());
    Value output = splat(f.f32(0), outputs);
    if (p.hasSink())
      return stateOf(regions->sinks(), output);
    return {output, splat(f.f32(-INFINITY), f.rowOf(f32)), splat(f.f32(0), f.rowOf(f32))};
  }

  /// That of rows whose weights add up to exp(lse). One of a row's four threads counts them.
  State stateOf(Value lse, Value output) {
    Value maximum = f.map(f.rowOf(f32), lse,
                          [&](ValueRange row) -> Value { return arith::DivFOp::create(f.b, row[0], magnitude); });
    Value one = f.select(isFirstOfRow(), f.f32(1), f.f32(0));
    Value sum = f.map(f.rowOf(f32), lse, [&](ValueRange row) -> Value {
      Value isNone = arith::CmpFOp::create(f.b, CmpFPredicate::OEQ, row[0], f.f32(-INFINITY));
      return f.select(isNone, f.f32(0), one);
    });
    return {output, maximum, sum};
  }

  // What the phases before have written. Ranks without a row read another row's, which changes nothing: rows of a tile
  // know nothing of each other, and these are not written.
  Value lseBefore() {
    auto ofRow = [&](Value row) { return LLVM::LoadOp::create(f.b, f32, f.rowPointer(LseTensor, f.head, row, f32)); };
    Value first = ofRow(rows[0]), second = ofRow(rows[1]);
    return pack(first, second);
  }
  Value outputBefore() {
    auto ofRow = [&](Value row) { return f.rowPointer(OutputTensor, f.head, row, p.element()); };
    Value first = ofRow(rows[0]), second = ofRow(rows[1]);
    return tile::LoadOp::create(f.b, outputs, first, second, f.b.getI32IntegerAttr(p.layout.valueHeadSize),
                                TypeAttr::get(p.element()), p.isTiled ? f.b.getUnitAttr() : UnitAttr());
  }

  Value isFirstOfRow() { return f.isZero(f.remainder(f.lane(), 4)); }

  Value splat(Value value, Type type) { return tile::SplatOp::create(f.b, type, value); }

  /// The thread's two rows, as ranks and as rows.
  void bindRows(const Item &item, const OrderInBatch &queries) {
    Value first = f.add(f.add(item.firstRank, f.mul(warpgroup, 64)), tile::FirstRowOp::create(f.b, f.b.getI32Type()));
    ranks[0] = first, ranks[1] = f.add(first, 8);
    for (int h : {0, 1})
      rows[h] = queries.rowOr(ranks[h], f.i32(0));
    regions->turnTo(rows[0], rows[1]);
  }

  BoundBox bindBox(BoxOp box, const OrderInBatch &queries, const OrderInBatch &keys, const KeyTiles &tiles) {
    BoundBox bound;
    bound.op = box, bound.isTested = !box.getTest().empty();
    // A hole at the first keys makes rows begin behind them.
    bound.lowerMoves = box.getHoleLowerAttr() || !startsAtFirstKey(box.getSameSegment(), box.getLower().getExpr());
    bound.upperMoves = upperMoves(box);
    bound.keys = keys, bound.tiles = tiles;
    const Hull &hull = tiles.hull;
    Interval first{Value(), {hull.begin, hull.end}, hull.holes}, second = first;
    if (!p.isShared(box)) {
      first = p.intervalOf(box, queries, bound.keys, ranks[0]);
      second = p.intervalOf(box, queries, bound.keys, ranks[1]);
    }
    bound.begin = pack(first.keys.begin, second.keys.begin), bound.end = pack(first.keys.end, second.keys.end);
    if (first.hole) {
      bound.holeBegin = pack(first.hole->begin, second.hole->begin);
      bound.holeEnd = pack(first.hole->end, second.hole->end);
    }
    if (keys.grid())
      bindGrid(bound);
    return bound;
  }

  /// The columns of a strip are those of each of its tiles.
  void bindGrid(BoundBox &box) {
    const GridPart &part = *box.keys.grid();
    Ranks first = p.columnsOf(box.op, part, rows[0]), second = p.columnsOf(box.op, part, rows[1]);
    auto inStrip = [&](Value a, Value b) { return pack(f.sub(a, part.left), f.sub(b, part.left)); };
    Value points = f.mul(part.rows, part.columns), start = tile::FirstColumnOp::create(f.b, f.b.getI32Type());
    Value begins = inStrip(first.begin, second.begin), ends = inStrip(first.end, second.end);
    // Below 256, a product and a shift divide exactly.
    Value inverse = f.add(f.divide(f.i32(1 << 16), part.columns), 1);
    box.columns = f.ask(shape.keys, {begins, ends}, [&](ValueRange place) -> Value {
      Value key = f.add(place[2], start), row = f.divide(f.mul(key, inverse), 1 << 16);
      Value column = f.sub(key, f.mul(row, part.columns));
      Value isBetween = f.both(f.compare(CmpIPredicate::sge, column, place[0]), f.less(column, place[1]));
      return f.both(isBetween, f.less(key, points));
    });
    if (!box.op.getHoleLowerAttr())
      return;
    auto holeBound = [&](ExprAttr bound) {
      auto ofRow = [&](Value row) {
        return f.toI32(f.clamp(f.evaluate(bound.getExpr(), row), f.index(0), f.symbol(KvLength)));
      };
      return pack(ofRow(rows[0]), ofRow(rows[1]));
    };
    box.holeBegin = holeBound(box.op.getHoleLowerAttr()), box.holeEnd = holeBound(box.op.getHoleUpperAttr());
  }

  Value pack(Value first, Value second) { return tile::PackOp::create(f.b, f.rowOf(first.getType()), first, second); }

  //===-- Scale -------------------------------------------------------------------------------------------------===//

  /// c, by which scores are multiplied in the exponent. A maximum of c S is c times that of S only where c > 0: for a
  /// negative scale the query rows are negated instead.
  void readScale() {
    Value scale = p.plan.getScale() ? f.argument(p.plan.getScale()) : f.numberSymbol(ScaleSymbol);
    regions.emplace(p, scale);
    unit = f.f32(1);
    if (p.hasScore()) {
      magnitude = f.f32(1), factor = f.f32(log2e);
      return;
    }
    isNegative = arith::CmpFOp::create(f.b, CmpFPredicate::OLT, scale, f.f32(0));
    // Masked scores are -inf; times 0 or NaN they would not be. What is NaN becomes so in the end.
    Value isNumber = arith::CmpFOp::create(f.b, CmpFPredicate::ORD, scale, scale);
    unit = f.select(isNumber, f.f32(1), scale);
    magnitude = arith::MaxNumFOp::create(f.b, math::AbsFOp::create(f.b, scale), f.f32(0x1p-100));
    factor = arith::MulFOp::create(f.b, magnitude, f.f32(log2e));
  }

  void negateQueries() {
    auto type = cast<tile::SharedType>(query.getType());
    int64_t chunks = type.getColumns() / type.chunkColumns();
    Type shared = LLVM::LLVMPointerType::get(f.b.getContext(), 3), four = VectorType::get({4}, f.b.getI32Type());
    int32_t sign = type.elementBytes() == 4 ? 0x80000000 : 0x80008000;
    Value signs = arith::ConstantOp::create(f.b, DenseElementsAttr::get(cast<ShapedType>(four), sign));
    f.loop(f.threadInGroup(), f.i32(64 * chunks), f.i32(128), [&](Value i) {
      Value address = tile::ChunkOp::create(f.b, shared, query, f.divide(i, chunks), f.remainder(i, chunks));
      Value bits = LLVM::LoadOp::create(f.b, four, address, /*alignment=*/16);
      LLVM::StoreOp::create(f.b, arith::XOrIOp::create(f.b, bits, signs), address, /*alignment=*/16);
    });
    f.fenceAsync();
    meetGroup();
  }

  //===-- Turns -------------------------------------------------------------------------------------------------===//

  // Barriers 1 .. consumers are the warpgroups' turns, those after them let the threads of one warpgroup meet.
  bool takesTurns() const { return shape.consumers() > 1 && !shape.threadsMultiply; }
  Value turnOf(Value group) { return f.add(group, 1); }
  Value nextGroup() { return f.remainder(f.add(warpgroup, 1), shape.consumers()); }

  /// The last warpgroup lets the first begin.
  void beginTurns() {
    if (takesTurns())
      f.when(f.compare(CmpIPredicate::eq, warpgroup, f.i32(shape.consumers() - 1)),
             [&] { f.arrive(turnOf(nextGroup()), 256); });
  }
  void takeTurn() {
    if (takesTurns())
      f.meet(turnOf(warpgroup), 256);
  }
  void passTurn() {
    if (takesTurns())
      f.arrive(turnOf(nextGroup()), 256);
  }
  void meetGroup() { f.meet(f.add(warpgroup, 1 + shape.consumers()), 128); }
  Value isFirstThread() { return f.isZero(f.threadInGroup()); }

  //===-- Boxes -------------------------------------------------------------------------------------------------===//

  /// What goes from tile to tile: the state, the weights whose product with the values is still to come, and the slot
  /// of these values.
  struct Step {
    State state;
    Value weights, slot;

    SmallVector<Value> values() const { return {state.output, state.maximum, state.sum, weights, slot}; }
    static Step of(ValueRange v) { return {State::of(v), v[3], v[4]}; }
  };

  /// Runs all tiles of a box; returns the slot after the last, too.
  std::pair<State, Value> runBox(const BoundBox &box, const State &state, Value slot) {
    Step step = runFirstTile(box, state, slot);
    Value one = f.i32(1);
    if (!p.isTiled || isTight() || box.holeBegin || box.columns) {
      // Where other things cost more, registers are few, or masks may be anywhere, one loop is enough.
      step = runTiles(box, step, one, box.tiles.count, anyMasks(box));
    } else {
      Value full = one, low = box.tiles.count;
      if (box.upperMoves) {
        full = firstFullTile(box.tiles);
        step = runTiles(box, step, one, full, {Need::Yes, box.lowerMoves ? Need::Maybe : Need::No});
      }
      if (box.lowerMoves)
        low = f.greatest(firstLowerTile(box.tiles), full);
      step = runTiles(box, step, full, low, {Need::No, Need::No});
      if (box.lowerMoves)
        step = runTiles(box, step, low, box.tiles.count, {box.upperMoves ? Need::Maybe : Need::No, Need::Yes});
    }
    step.state.output = finish(step);
    return {step.state, advance(step.slot)};
  }

  /// What the tiles of a box may need, wherever they are.
  static Masks anyMasks(const BoundBox &box) {
    if (box.columns)
      return {Need::Yes, Need::Yes};
    return {Need::Maybe, box.lowerMoves ? Need::Maybe : Need::No, box.holeBegin ? Need::Maybe : Need::No};
  }

  /// Whether little is gained where a tile is multiplied while another one's scores are computed: there are few tiles,
  /// scores and tests take so long that nothing else matters, or so many boxes share the time and the registers. They
  /// get those of the weights that would wait.
  bool goesSingly(const BoundBox &box) {
    bool isListed = p.keys(box.op).kind == OrderKind::Listed;
    return isListed || box.isTested || shape.rollsScores || shape.hasManyBoxes;
  }

  /// Whether what is known of several boxes crowds the registers.
  bool isTight() { return shape.consumers() == 3 && p.boxes().size() > 1; }

  /// One tile after the other.
  std::pair<State, Value> runSingly(const BoundBox &box, const State &state, Value slot) {
    isEmpty = false;
    SmallVector<Value> start{state.output, state.maximum, state.sum, slot};
    SmallVector<Value> results =
        f.loop(f.i32(0), box.tiles.count, f.i32(1), start, [&](Value t, ValueRange carried) -> SmallVector<Value> {
          State before = State::of(carried);
          Value now = carried[3];
          Value first = f.sub(box.tiles.last, f.mul(f.add(t, 1), shape.keys));
          Softmax softmax = weigh(maskAndScore(box, multiplyAlone(now), first, anyMasks(box)), before);
          Step step{{rescale(before.output, softmax), softmax.maximum, softmax.sum},
                    tile::ConvertOp::create(f.b, weights, softmax.weights),
                    now};
          return {finish(step), step.state.maximum, step.state.sum, advance(now)};
        });
    return {State::of(results), results[3]};
  }

  /// S of a tile, waited for.
  Value multiplyAlone(Value slot) {
    tile::AwaitOp::create(f.b, p.keyRing, slot);
    takeTurn();
    Value product = multiply(slot);
    passTurn();
    Value s = wait(product, 0);
    tile::ReleaseOp::create(f.b, p.keyRing, slot);
    return s;
  }

  /// The accumulator with the weights that are still to come.
  Value finish(const Step &step) {
    tile::AwaitOp::create(f.b, p.valueRing, step.slot);
    Value output = wait(accumulate(step), 0);
    tile::ReleaseOp::create(f.b, p.valueRing, step.slot);
    return output;
  }

  Value advance(Value slot) { return tile::AdvanceOp::create(f.b, slot, shape.stages); }

  /// Whether other tiles than tile 0 may lie across upper bounds. Where rows follow each other and tile 0 ends at the
  /// highest bound, it holds all that lie within its width; where tiles start at the first key, it may hold a single
  /// key. From rank to rank, bounds in ranks rise in an order by classes as those in rows do elsewhere.
  bool upperMoves(BoxOp box) {
    std::optional<int64_t> rise = box.getUpper().getExpr().rise(shape.rows - 1);
    bool mayLeap = p.queries().isTabled() || p.queries().kind == OrderKind::Remainders;
    bool leaps = mayLeap && box.getUpper().getExpr().dependsOnRow();
    if (box.getSameSegment() || p.keys(box).isTabled() || leaps || !rise)
      return true;
    bool fromFirst = startsAtFirstKey(box.getSameSegment(), box.getLower().getExpr());
    return *rise > (fromFirst ? 0 : shape.keys);
  }

  /// The first tile past tile 0 that ends below all upper bounds.
  Value firstFullTile(const KeyTiles &tiles) {
    Value above = f.greatest(f.sub(tiles.last, tiles.hull.fullEnd), f.i32(0));
    return f.clamp(f.ceilDivide(above, shape.keys), f.i32(1), tiles.count);
  }

  /// The first tile that begins below some lower bound.
  Value firstLowerTile(const KeyTiles &tiles) {
    Value above = f.greatest(f.sub(tiles.last, tiles.hull.fullBegin), f.i32(0));
    return f.least(f.divide(above, shape.keys), tiles.count);
  }

  Step runFirstTile(const BoundBox &box, State state, Value slot) {
    Value s = multiplyAlone(slot);
    Value first = f.sub(box.tiles.last, shape.keys);
    Softmax softmax = weigh(maskAndScore(box, s, first, anyMasks(box)), state);
    State next{isEmpty ? state.output : rescale(state.output, softmax), softmax.maximum, softmax.sum};
    isEmpty = false;
    Value operand = tile::ConvertOp::create(f.b, weights, softmax.weights);
    if (shape.awaitsKeysEarly)
      awaitNextKeys(box, f.i32(1), advance(slot));
    return {next, operand, slot};
  }

  /// Tiles [begin, end).
  Step runTiles(const BoundBox &box, const Step &step, Value begin, Value end, Masks masks) {
    SmallVector<Value> results =
        f.loop(begin, end, f.i32(1), step.values(), [&](Value t, ValueRange carried) -> SmallVector<Value> {
          return runTile(box, Step::of(carried), t, masks).values();
        });
    return Step::of(results);
  }

  Step runTile(const BoundBox &box, const Step &before, Value t, Masks masks) {
    Value slot = advance(before.slot);
    if (!shape.awaitsKeysEarly)
      tile::AwaitOp::create(f.b, p.keyRing, slot);
    takeTurn();
    Value product = multiply(slot);
    tile::AwaitOp::create(f.b, p.valueRing, before.slot);
    Value sum = accumulate(before);
    passTurn();
    Value s = wait(product, 1);
    tile::ReleaseOp::create(f.b, p.keyRing, slot);
    Value first = f.sub(box.tiles.last, f.mul(f.add(t, 1), shape.keys));
    Softmax softmax = weigh(maskAndScore(box, s, first, masks), before.state);
    // A wait between two blocks keeps ptxas from moving the softmax behind it.
    if (shape.awaitsKeysEarly)
      awaitNextKeys(box, f.add(t, 1), advance(slot));
    Value output = wait(sum, 0);
    tile::ReleaseOp::create(f.b, p.valueRing, before.slot);
    State next{rescale(output, softmax), softmax.maximum, softmax.sum};
    return {next, tile::ConvertOp::create(f.b, weights, softmax.weights), slot};
  }

  void awaitNextKeys(const BoundBox &box, Value next, Value slot) {
    f.when(f.less(next, box.tiles.count), [&] { tile::AwaitOp::create(f.b, p.keyRing, slot); });
  }

  Value multiply(Value slot) {
    Value keys = tile::StageOp::create(f.b, p.keyRing, slot);
    return tile::MultiplyOp::create(f.b, tile::PendingType::get(f.b.getContext(), shape.keys), query, keys,
                                    f.b.getI32IntegerAttr(shape.depth));
  }
  Value accumulate(const Step &step) {
    Value values = tile::StageOp::create(f.b, p.valueRing, step.slot);
    return tile::AccumulateOp::create(f.b, tile::PendingType::get(f.b.getContext(), shape.columns), step.state.output,
                                      step.weights, values);
  }
  Value wait(Value pending, int64_t inflight) {
    Type type = tile::AccType::get(f.b.getContext(), cast<tile::PendingType>(pending.getType()).getColumns());
    return tile::WaitOp::create(f.b, type, pending, f.b.getI32IntegerAttr(inflight));
  }

  //===-- Scores ------------------------------------------------------------------------------------------------===//

  /// S with the score region applied, and -inf where a pair is not admitted.
  Value maskAndScore(const BoundBox &box, Value s, Value first, Masks masks) {
    TileColumns columns{f, box.keys, first};
    if (p.hasScore())
      s = regions->apply(s, columns);
    if (box.isTested)
      s = regions->test(box.op, s, columns);
    if (box.columns)
      s = keepColumns(box, s, first);
    const Hull &hull = box.tiles.hull;
    Value last = f.add(first, shape.keys);
    s = maskWhere(
        masks.upper, [&] { return f.less(hull.fullEnd, last); }, s,
        [&] { return keep(s, first, box.end, CmpIPredicate::slt); });
    s = maskWhere(
        masks.lower, [&] { return f.less(first, hull.fullBegin); }, s,
        [&] { return keep(s, first, box.begin, CmpIPredicate::sge); });
    return maskWhere(
        masks.hole, [&] { return f.both(f.less(first, hull.holes->end), f.less(hull.holes->begin, last)); }, s,
        [&] { return leaveOut(s, first, box.holeBegin, box.holeEnd); });
  }

  /// Keeps the places between the rows' columns. Bounds inside of a grid's row, and holes, are asked key by key.
  Value keepColumns(const BoundBox &box, Value s, Value first) {
    s = f.map(scores, {s, box.columns},
              [&](ValueRange place) -> Value { return f.select(place[1], place[0], f.f32(-INFINITY)); });
    Value isCut = box.keys.grid()->isCut;
    s = maskWhere(
        isCut ? Need::Maybe : Need::No, [&] { return isCut; }, s,
        [&] {
          Ranks ofFirst = p.keyRowsOf(box.op, f.toIndex(rows[0])), ofSecond = p.keyRowsOf(box.op, f.toIndex(rows[1]));
          Value begins = pack(f.toI32(ofFirst.begin), f.toI32(ofSecond.begin));
          Value ends = pack(f.toI32(ofFirst.end), f.toI32(ofSecond.end));
          return keepKeys(box, s, first, begins, ends, /*isInside=*/true);
        });
    return box.holeBegin ? keepKeys(box, s, first, box.holeBegin, box.holeEnd, /*isInside=*/false) : s;
  }

  /// Keeps keys whose row lies between two bounds, or beside these.
  Value keepKeys(const BoundBox &box, Value s, Value first, Value begins, Value ends, bool isInside) {
    return f.map(scores, {s, begins, ends}, [&](ValueRange place) -> Value {
      Value rank = f.add(first, f.add(tile::FirstColumnOp::create(f.b, f.b.getI32Type()), place[3]));
      Value key = box.keys.rowOf(rank);
      Value isBetween = f.both(f.compare(CmpIPredicate::sge, key, place[1]), f.less(key, place[2]));
      Value isKept = isInside ? isBetween : f.negate(isBetween);
      return f.select(isKept, place[0], f.f32(-INFINITY));
    });
  }

  Value maskWhere(Need need, llvm::function_ref<Value()> condition, Value s, llvm::function_ref<Value()> mask) {
    if (need != Need::Maybe)
      return need == Need::Yes ? mask() : s;
    return f.choose(condition(), mask, [&] { return s; });
  }

  /// Ranks of rows as columns that count from the thread's first one.
  Value asColumns(Value ranks, Value first) {
    Value start = f.add(first, tile::FirstColumnOp::create(f.b, f.b.getI32Type()));
    return f.map(ranks.getType(), ranks, [&](ValueRange row) { return f.sub(row[0], start); });
  }

  /// Keeps the columns that compare so with the rows' bounds.
  Value keep(Value s, Value first, Value bounds, CmpIPredicate predicate) {
    return f.map(scores, {s, asColumns(bounds, first)}, [&](ValueRange place) -> Value {
      return f.select(f.compare(predicate, place[2], place[1]), place[0], f.f32(-INFINITY));
    });
  }

  /// Keeps those outside of the rows' holes.
  Value leaveOut(Value s, Value first, Value begin, Value end) {
    return f.map(scores, {s, asColumns(begin, first), asColumns(end, first)}, [&](ValueRange place) -> Value {
      Value isBeside = f.either(f.less(place[3], place[1]), f.compare(CmpIPredicate::sge, place[3], place[2]));
      return f.select(isBeside, place[0], f.f32(-INFINITY));
    });
  }

  //===-- Softmax -----------------------------------------------------------------------------------------------===//

  struct Softmax {
    Value weights;      // acc
    Value maximum, sum; // row<f32>
    Value alpha;        // row<f32>: what the state is multiplied by
    Value needed;       // i1: whether some row of the warp needs it; null: take it so
  };

  Softmax weigh(Value s, const State &state) {
    Softmax result;
    Type row = f.rowOf(f32);
    Value top =
        tile::AcrossOp::create(f.b, row, tile::FoldKind::Max, tile::FoldOp::create(f.b, row, tile::FoldKind::Max, s));
    if (!isEmpty)
      top = f.map(row, {top, state.maximum},
                  [&](ValueRange r) -> Value { return arith::MaxNumFOp::create(f.b, r[0], r[1]); });
    if (!isEmpty && shape.rescalesLazily)
      top = keepMaximum(top, state.maximum, result.needed);
    result.maximum = top;
    // A row without a key so far subtracts nothing: -inf - -inf is not a number.
    Value finite = f.map(row, top, [&](ValueRange r) -> Value {
      Value isNone = arith::CmpFOp::create(f.b, CmpFPredicate::OEQ, r[0], f.f32(-INFINITY));
      return f.select(isNone, f.f32(0), r[0]);
    });
    // Exactly 1 where the maximum stays: else the sum would drift away from the accumulator, tile by tile.
    result.alpha = f.map(row, {state.maximum, finite}, [&](ValueRange r) -> Value {
      Value fall = arith::SubFOp::create(f.b, r[0], r[1]);
      return math::Exp2Op::create(f.b, arith::MulFOp::create(f.b, fall, factor));
    });
    Value shift = f.map(row, finite, [&](ValueRange r) -> Value {
      return arith::NegFOp::create(f.b, arith::MulFOp::create(f.b, r[0], factor));
    });
    result.weights = f.map(scores, {s, shift}, [&](ValueRange place) -> Value {
      return math::Exp2Op::create(f.b, math::FmaOp::create(f.b, place[0], factor, place[1]));
    });
    Value added = tile::FoldOp::create(f.b, row, tile::FoldKind::Add, result.weights);
    result.sum = isEmpty ? added : f.map(row, {state.sum, result.alpha, added}, [&](ValueRange r) -> Value {
      return math::FmaOp::create(f.b, r[0], r[1], r[2]);
    });
    return result;
  }

  /// Keeps the old maximum unless the new one is more than 2^8 times as large: weights may grow that far.
  Value keepMaximum(Value top, Value old, Value &needed) {
    Type row = f.rowOf(f32), flags = f.rowOf(f.b.getI1Type());
    Value rises = f.map(flags, {top, old}, [&](ValueRange r) -> Value {
      Value rise = arith::MulFOp::create(f.b, arith::SubFOp::create(f.b, r[0], r[1]), factor);
      return arith::CmpFOp::create(f.b, CmpFPredicate::OGT, rise, f.f32(8));
    });
    needed = tile::AnyOp::create(f.b, f.b.getI1Type(), rises);
    return f.map(row, {rises, top, old}, [&](ValueRange r) { return f.select(r[0], r[1], r[2]); });
  }

  Value rescale(Value output, const Softmax &softmax) {
    auto scaled = [&] {
      return f.map(outputs, {output, softmax.alpha},
                   [&](ValueRange place) -> Value { return arith::MulFOp::create(f.b, place[0], place[1]); });
    };
    if (!softmax.needed)
      return scaled();
    return f.choose(softmax.needed, scaled, [&] { return output; });
  }

  //===-- Output ------------------------------------------------------------------------------------------------===//

  /// output = O / l, lse = ln(l) + m; 0 and -inf for a row without keys.
  void writeOutput(const Item &item, const OrderInBatch &queries, const State &state, Value querySlot) {
    Value total = tile::AcrossOp::create(f.b, f.rowOf(f32), tile::FoldKind::Add, state.sum);
    Value inverse = f.map(f.rowOf(f32), total, [&](ValueRange r) -> Value {
      return arith::DivFOp::create(f.b, unit, r[0], arith::FastMathFlags::afn | arith::FastMathFlags::arcp);
    });
    Value output = f.map(outputs, {state.output, total, inverse}, [&](ValueRange place) -> Value {
      Value isNone = arith::CmpFOp::create(f.b, CmpFPredicate::OEQ, place[1], f.f32(0));
      return f.select(isNone, f.f32(0), arith::MulFOp::create(f.b, place[0], place[2]));
    });
    writeLse(queries, total, state.maximum);
    auto type = tile::SharedType::get(f.b.getContext(), shape.rows, shape.valueColumns, p.element(), 0);
    Value whole = tile::SharedOp::create(f.b, type, f.b.getI32IntegerAttr(shape.outputOffset));
    Value part = tile::SubtileOp::create(f.b, type.subtile(), whole, warpgroup);
    // The tile may still be read: by the copy of the item before, or as query by another warp.
    if (shape.persistent || shape.outputOverQuery())
      awaitStored();
    tile::WriteOp::create(f.b, output, part);
    f.fenceAsync();
    meetGroup();
    storeTile(item, queries, part);
    if (shape.outputOverQuery()) {
      awaitStored();
      tile::ReleaseOp::create(f.b, p.queryRing, querySlot);
    }
  }

  /// Until what this warpgroup stored before has been read out of shared memory.
  void awaitStored() {
    f.when(isFirstThread(),
           [&] { NVVM::CpAsyncBulkWaitGroupOp::create(f.b, f.b.getI32IntegerAttr(0), f.b.getUnitAttr()); });
    meetGroup();
  }

  /// Through the tensor map, which drops rows past the last; row by row where not every row is this phase's, or where
  /// rows do not follow each other.
  void storeTile(const Item &item, const OrderInBatch &queries, Value part) {
    Value firstRank = f.add(item.firstRank, f.mul(warpgroup, 64));
    auto store = [&] {
      f.when(isFirstThread(), [&] {
        auto [row, number] = queries.placeInMap(firstRank);
        tile::StoreOp::create(f.b, part, p.mapOf(OutputTensor, queries), row, number, f.head, f.batch);
        NVVM::CpAsyncBulkCommitGroupOp::create(f.b);
      });
      return SmallVector<Value>();
    };
    auto storeByRow = [&] {
      storeRows(queries, firstRank, part);
      return SmallVector<Value>();
    };
    Value asTile = queries.isIdentity;
    auto require = [&](Value condition) { asTile = asTile ? f.both(asTile, condition) : condition; };
    if (Value isWhole = queries.holdsTile(firstRank))
      require(isWhole);
    if (p.op.getExceptAttr())
      require(f.negate(f.anyOfWarp(someRowIsForeign(queries, firstRank))));
    if (!p.isTiled || queries.isScattered())
      storeByRow();
    else if (asTile)
      f.choose(asTile, store, storeByRow);
    else
      store();
  }

  /// Whether one of the two rows of 64 that this lane looks at belongs to another phase.
  Value someRowIsForeign(const OrderInBatch &queries, Value firstRank) {
    Value some = f.truth(false);
    for (int64_t half : {0, 32}) {
      Value rank = f.add(f.add(firstRank, f.lane()), half);
      Value foreign = f.choose(
          queries.hasRow(rank), [&] { return f.negate(p.isOwned(queries.rowOf(rank))); },
          [&] { return f.truth(false); });
      some = arith::OrIOp::create(f.b, some, foreign);
    }
    return some;
  }

  void storeRows(const OrderInBatch &queries, Value firstRank, Value part) {
    int64_t width = cast<tile::SharedType>(part.getType()).chunkColumns();
    int64_t chunks = (p.layout.valueHeadSize + width - 1) / width;
    Type shared = LLVM::LLVMPointerType::get(f.b.getContext(), 3);
    f.loop(f.threadInGroup(), f.i32(64 * chunks), f.i32(128), [&](Value i) {
      Value r = f.divide(i, chunks), chunk = f.remainder(i, chunks), rank = f.add(firstRank, r);
      f.when(queries.hasRow(rank), [&] {
        Value row = queries.rowOf(rank);
        f.when(p.isOwned(row), [&] {
          Value from = tile::ChunkOp::create(f.b, shared, part, r, chunk);
          Value to = f.rowPointer(OutputTensor, f.head, row, p.element());
          to = LLVM::GEPOp::create(f.b, to.getType(), p.element(), to, ArrayRef<LLVM::GEPArg>{f.mul(chunk, width)});
          storeChunk(from, to, f.sub(f.i32(p.layout.valueHeadSize), f.mul(chunk, width)), width);
        });
      });
    });
  }

  /// A chunk of `width` elements, or as many as there are columns.
  void storeChunk(Value from, Value to, Value columns, int64_t width) {
    Type bits = f.b.getIntegerType(128 / width);
    Value elements = LLVM::LoadOp::create(f.b, VectorType::get(width, bits), from, /*alignment=*/16);
    auto one = [&](int64_t e) {
      Value at = LLVM::GEPOp::create(f.b, to.getType(), bits, to, ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(e)});
      LLVM::StoreOp::create(f.b, LLVM::ExtractElementOp::create(f.b, elements, f.i32(e)), at);
    };
    auto all = [&] {
      if (p.isTiled)
        LLVM::StoreOp::create(f.b, elements, to, /*alignment=*/16);
      else
        for (int64_t e = 0; e < width; ++e)
          one(e);
      return SmallVector<Value>();
    };
    if (p.layout.valueHeadSize % width == 0)
      return (void)all();
    f.choose(f.compare(CmpIPredicate::sge, columns, f.i32(width)), all, [&] {
      for (int64_t e = 0; e < p.layout.valueHeadSize % width; ++e)
        one(e);
      return SmallVector<Value>();
    });
  }

  void writeLse(const OrderInBatch &queries, Value total, Value maximum) {
    Value lse = f.map(f.rowOf(f32), {total, maximum}, [&](ValueRange r) -> Value {
      Value log2 = math::FmaOp::create(f.b, r[1], factor, math::Log2Op::create(f.b, r[0]));
      Value isNone = arith::CmpFOp::create(f.b, CmpFPredicate::OEQ, r[0], f.f32(0));
      Value natural = arith::MulFOp::create(f.b, arith::MulFOp::create(f.b, log2, f.f32(ln2)), unit);
      return f.select(isNone, f.f32(-INFINITY), natural);
    });
    auto halves = tile::UnpackOp::create(f.b, f32, f32, lse);
    Value wanted = arith::CmpIOp::create(f.b, CmpIPredicate::ne, f.viewAddress(LseTensor),
                                         arith::ConstantOp::create(f.b, f.b.getI64IntegerAttr(0)));
    f.when(f.both(wanted, isFirstOfRow()), [&] {
      for (int h : {0, 1})
        f.when(queries.hasRow(ranks[h]), [&] {
          f.when(p.isOwned(rows[h]), [&] {
            LLVM::StoreOp::create(f.b, h ? halves.getSecond() : halves.getFirst(),
                                  f.rowPointer(LseTensor, f.head, rows[h], f32));
          });
        });
    });
  }

  PhaseKernel &p;
  Frame &f;
  const GpuShape &shape;
  Value warpgroup;
  Type f32, scores, outputs, weights;
  std::optional<Scores> regions;
  Value magnitude, factor, isNegative; // what a product counts as a score, without its sign; c
  Value unit;                          // 1, or NaN where the scale is
  Value query;                         // the warpgroup's 64 rows
  Value ranks[2], rows[2];
  bool isEmpty = true; // the state: no tile has been seen
};

} // namespace

void attn::hopper::emitConsumer(PhaseKernel &phase, Value warpgroup) { Consumer(phase, warpgroup).emit(); }
