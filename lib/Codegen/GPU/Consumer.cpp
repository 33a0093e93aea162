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
//
// Where the producer leads, it notes which keys each tile holds. All boxes then make one sequence of tiles, in which no
// product waits for the last of the box before.

#include "Masks.h"
#include "OutputWriter.h"
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

class Consumer {
public:
  Consumer(PhaseKernel &phase, Value warpgroup)
      : p(phase), f(phase.f), shape(phase.shape), warpgroup(warpgroup), f32(f.b.getF32Type()),
        outputs(tile::AccType::get(f.b.getContext(), shape.columns)), masks(phase), writer(phase, warpgroup) {}

  void emit() {
    readScale();
    beginTurns();
    SmallVector<Value> slots{tile::StartOp::create(f.b), tile::StartOp::create(f.b)};
    p.forEachItem(slots, [&](const Item &item, ValueRange carried) -> SmallVector<Value> {
      Value slot = runItem(item, carried[0], carried[1]);
      return {tile::AdvanceOp::create(f.b, carried[0], shape.queryStages), slot};
    });
    writer.awaitStored(); // shared memory has to stay until then
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
    if (p.isLed())
      carried = runLed(carried);
    for (BoxOp box : p.isLed() ? SmallVector<BoxOp>() : p.boxes()) {
      // What was seen before the first part, was not before the next ones.
      isEmpty &= !PhaseKernel::hasParts(box);
      carried = p.forEachPart(box, queries, item, carried,
                              [&](const OrderInBatch &keys, const KeyTiles &tiles, ValueRange inner) {
                                return runTilesOf(masks.bind(box, queries, keys, tiles), inner);
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
    Value one = f.select(f.isFirstOfRow(), f.f32(1), f.f32(0));
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
    return f.pack([&](unsigned half) { return ofRow(own.rows[half]); });
  }
  Value outputBefore() {
    auto ofRow = [&](Value row) { return f.rowPointer(OutputTensor, f.head, row, p.element()); };
    Value first = ofRow(own.rows[0]), second = ofRow(own.rows[1]);
    return tile::LoadOp::create(f.b, outputs, first, second, f.b.getI32IntegerAttr(p.layout.valueHeadSize),
                                TypeAttr::get(p.element()), p.isTiled ? f.b.getUnitAttr() : UnitAttr());
  }

  Value splat(Value value, Type type) { return tile::SplatOp::create(f.b, type, value); }

  /// The thread's two rows, as ranks and as rows.
  void bindRows(const Item &item, const OrderInBatch &queries) {
    Value first = f.add(f.add(item.firstRank, f.mul(warpgroup, 64)), tile::FirstRowOp::create(f.b, f.b.getI32Type()));
    own.ranks[0] = first, own.ranks[1] = f.add(first, 8);
    for (int h : {0, 1})
      own.rows[h] = queries.rowOr(own.ranks[h], f.i32(0));
    regions->turnTo(own.rows[0], own.rows[1]);
    masks.turnTo(own);
  }

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
    writer.meetGroup();
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
    if (!p.isTiled || isTight() || box.holeBegin || box.grid) {
      // Where other things cost more, registers are few, or masks may be anywhere, one loop is enough.
      step = runTiles(box, step, one, box.tiles.count, Masks::needsOf(box));
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
          Value first = f.sub(box.tiles.last, f.mul(f.add(t, 1), box.tiles.keys));
          tile::AwaitOp::create(f.b, p.keyRing, now);
          Softmax softmax =
              weigh(maskAndScore(box, multiplyAlone(now, box.tiles.keys), first, Masks::needsOf(box)), before);
          Step step{{rescale(before.output, softmax), softmax.maximum, softmax.sum}, asOperand(softmax.weights), now};
          return {finish(step), step.state.maximum, step.state.sum, advance(now)};
        });
    return {State::of(results), results[3]};
  }

  /// S of a tile that is there, waited for.
  Value multiplyAlone(Value slot, int64_t keys) {
    takeTurn();
    Value product = multiply(slot, keys);
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

  Step runFirstTile(const BoundBox &box, const State &state, Value slot) {
    tile::AwaitOp::create(f.b, p.keyRing, slot);
    Value first = f.sub(box.tiles.last, shape.keys);
    Step step = beginWith(state, slot, [&](Value s) { return maskAndScore(box, s, first, Masks::needsOf(box)); });
    if (shape.awaitsKeysEarly)
      awaitNextKeys(box, f.i32(1), advance(slot));
    return step;
  }

  /// The step of a first tile, whose keys are there.
  Step beginWith(const State &state, Value slot, llvm::function_ref<Value(Value)> score) {
    Softmax softmax = weigh(score(multiplyAlone(slot, shape.keys)), state);
    State next{isEmpty ? state.output : rescale(state.output, softmax), softmax.maximum, softmax.sum};
    isEmpty = false;
    return {next, asOperand(softmax.weights), slot};
  }

  /// Tiles [begin, end).
  Step runTiles(const BoundBox &box, const Step &step, Value begin, Value end, Needs needs) {
    SmallVector<Value> results =
        f.loop(begin, end, f.i32(1), step.values(), [&](Value t, ValueRange carried) -> SmallVector<Value> {
          return runTile(box, Step::of(carried), t, needs).values();
        });
    return Step::of(results);
  }

  Step runTile(const BoundBox &box, const Step &before, Value t, Needs needs) {
    Value slot = advance(before.slot), first = f.sub(box.tiles.last, f.mul(f.add(t, 1), shape.keys));
    if (!shape.awaitsKeysEarly)
      tile::AwaitOp::create(f.b, p.keyRing, slot);
    auto score = [&](Value s) { return maskAndScore(box, s, first, needs); };
    // A wait between two blocks keeps ptxas from moving the softmax behind it.
    auto awaitNext = [&] {
      if (shape.awaitsKeysEarly)
        awaitNextKeys(box, f.add(t, 1), advance(slot));
    };
    return goOnWith(before, slot, score, awaitNext);
  }

  /// The step of a tile, whose keys are there, while the values of the one before are multiplied; `between` comes
  /// before these are waited for.
  Step goOnWith(
      const Step &before, Value slot, llvm::function_ref<Value(Value)> score,
      llvm::function_ref<void()> between = [] {}) {
    takeTurn();
    Value product = multiply(slot, shape.keys);
    tile::AwaitOp::create(f.b, p.valueRing, before.slot);
    Value sum = accumulate(before);
    passTurn();
    Value s = wait(product, 1);
    tile::ReleaseOp::create(f.b, p.keyRing, slot);
    Softmax softmax = weigh(score(s), before.state);
    between();
    Value output = wait(sum, 0);
    tile::ReleaseOp::create(f.b, p.valueRing, before.slot);
    State next{rescale(output, softmax), softmax.maximum, softmax.sum};
    return {next, asOperand(softmax.weights), slot};
  }

  void awaitNextKeys(const BoundBox &box, Value next, Value slot) {
    f.when(f.less(next, box.tiles.count), [&] { tile::AwaitOp::create(f.b, p.keyRing, slot); });
  }

  /// The first rows of a stage, or all.
  Value rowsOf(Value ring, Value slot, int64_t rows) {
    Value stage = tile::StageOp::create(f.b, ring, slot);
    auto whole = cast<tile::SharedType>(stage.getType());
    return rows == whole.getRows() ? stage : tile::TopOp::create(f.b, whole.top(rows), stage).getResult();
  }
  Value multiply(Value slot, int64_t keys) {
    return tile::MultiplyOp::create(f.b, tile::PendingType::get(f.b.getContext(), keys), query,
                                    rowsOf(p.keyRing, slot, keys), f.b.getI32IntegerAttr(shape.depth));
  }
  /// Weights as a product takes them.
  Value asOperand(Value weights) {
    int64_t keys = cast<tile::AccType>(weights.getType()).getColumns();
    return tile::ConvertOp::create(f.b, tile::OperandType::get(f.b.getContext(), keys, p.element()), weights);
  }
  Value accumulate(const Step &step) {
    int64_t keys = cast<tile::OperandType>(step.weights.getType()).getColumns();
    Value values = rowsOf(p.valueRing, step.slot, keys);
    return tile::AccumulateOp::create(f.b, tile::PendingType::get(f.b.getContext(), shape.columns), step.state.output,
                                      step.weights, values);
  }
  Value wait(Value pending, int64_t inflight) {
    Type type = tile::AccType::get(f.b.getContext(), cast<tile::PendingType>(pending.getType()).getColumns());
    return tile::WaitOp::create(f.b, type, pending, f.b.getI32IntegerAttr(inflight));
  }

  //===-- Led ---------------------------------------------------------------------------------------------------===//

  /// What the producer notes of a tile.
  struct Note {
    Value firstRank, firstColumn;
  };

  Note awaitNote(Value slot) {
    tile::AwaitOp::create(f.b, p.keyRing, slot);
    auto note = tile::ReadOp::create(f.b, f.b.getI32Type(), f.b.getI32Type(), p.keyRing, slot);
    return {note.getFirst(), note.getSecond()};
  }
  Value isTile(const Note &note) { return f.less(note.firstColumn, f.i32(shape.keys)); }

  /// One tile after the other, whatever box it belongs to, until a note says that there are no more. What is carried is
  /// the state and the next slot.
  SmallVector<Value> runLed(ValueRange carried) {
    Note note = awaitNote(carried[3]);
    SmallVector<Value> results = f.choose(
        isTile(note), [&] { return runNoted(State::of(carried), carried[3], note); },
        [&] { return llvm::to_vector(carried); });
    isEmpty = false;
    Value end = results[3];
    tile::ReleaseOp::create(f.b, p.keyRing, end);
    tile::AwaitOp::create(f.b, p.valueRing, end);
    tile::ReleaseOp::create(f.b, p.valueRing, end);
    results[3] = advance(end);
    return results;
  }

  SmallVector<Value> runNoted(const State &state, Value slot, const Note &note) {
    SmallVector<Value> start = beginWith(state, slot, [&](Value s) { return scoreNoted(s, note); }).values();
    SmallVector<Type> types(ValueRange(start).getTypes());
    types.append({slot.getType(), f.b.getI32Type(), f.b.getI32Type()});
    auto loop = scf::WhileOp::create(
        f.b, types, start,
        [&](OpBuilder &, Location, ValueRange step) {
          Value next = advance(Step::of(step).slot);
          Note nextNote = awaitNote(next);
          SmallVector<Value> values(step);
          values.append({next, nextNote.firstRank, nextNote.firstColumn});
          scf::ConditionOp::create(f.b, isTile(nextNote), values);
        },
        [&](OpBuilder &, Location, ValueRange values) {
          auto score = [&](Value s) { return scoreNoted(s, {values[6], values[7]}); };
          Step step = goOnWith(Step::of(values), values[5], score);
          scf::YieldOp::create(f.b, step.values());
        });
    f.b.setInsertionPointAfter(loop);
    Step last = Step::of(loop.getResults());
    return {finish(last), last.state.maximum, last.state.sum, loop.getResult(5)};
  }

  Value scoreNoted(Value s, const Note &note) {
    if (p.hasScore()) {
      OrderInBatch keys(f, p.keyOrder(p.boxes().front()));
      s = regions->apply(s, TileColumns{f, keys, note.firstRank});
    }
    return masks.keepFrom(s, note.firstColumn);
  }

  //===-- Scores ------------------------------------------------------------------------------------------------===//

  /// S with the score region applied, and -inf where a pair is not admitted.
  Value maskAndScore(const BoundBox &box, Value s, Value first, Needs needs) {
    TileColumns columns{f, box.keys, first};
    if (p.hasScore())
      s = regions->apply(s, columns);
    if (box.isTested)
      s = regions->test(box.op, s, columns);
    return masks.apply(box, s, first, needs);
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
    result.weights = f.map(s.getType(), {s, shift}, [&](ValueRange place) -> Value {
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
    Value lse = f.map(f.rowOf(f32), {total, state.maximum}, [&](ValueRange r) -> Value {
      Value log2 = math::FmaOp::create(f.b, r[1], factor, math::Log2Op::create(f.b, r[0]));
      Value isNone = arith::CmpFOp::create(f.b, CmpFPredicate::OEQ, r[0], f.f32(0));
      Value natural = arith::MulFOp::create(f.b, arith::MulFOp::create(f.b, log2, f.f32(ln2)), unit);
      return f.select(isNone, f.f32(-INFINITY), natural);
    });
    writer.writeLse(queries, own, lse);
    writer.writeTile(item, queries, output);
    if (shape.outputOverQuery()) {
      writer.awaitStored();
      tile::ReleaseOp::create(f.b, p.queryRing, querySlot);
    }
  }

  PhaseKernel &p;
  Frame &f;
  const GpuShape &shape;
  Value warpgroup;
  Type f32, outputs;
  std::optional<Scores> regions;
  Value magnitude, factor, isNegative; // what a product counts as a score, without its sign; c
  Value unit;                          // 1, or NaN where the scale is
  Value query;                         // the warpgroup's 64 rows
  TwoRows own;
  Masks masks;
  OutputWriter writer;
  bool isEmpty = true; // the state: no tile has been seen
};

} // namespace

void attn::hopper::emitConsumer(PhaseKernel &phase, Value warpgroup) { Consumer(phase, warpgroup).emit(); }
