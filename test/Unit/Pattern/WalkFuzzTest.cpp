// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Plans and walks of random compositions against brute force: every admitted pair is covered once, in both directions,
// and nothing else is; no tile is visited in vain, unless it is anchored, and full tiles are full.

#include "RandomPatterns.h"
#include "attn/Pattern/BoundSet.h"
#include "attn/Pattern/Walk.h"
#include "llvm/ADT/STLExtras.h"
#include "gtest/gtest.h"
#include <cstdio>
#include <optional>
#include <tuple>

using namespace attn;

/// Whether a row is in an order, straight from its definition.
static bool isIn(const Order &order, const CallValues &values, int64_t row) {
  auto number = [&](const Expr &expr) { return expr.evaluate(0, values.symbols); };
  if (order.kind == OrderKind::Listed)
    return isAmong(values.tables[order.table], row + values.offset(order.side));
  int64_t remainder = restOf(row + number(order.shift), number(order.modulus));
  return order.kind != OrderKind::Remainders || (number(order.from) <= remainder && remainder < number(order.below));
}

/// The rows of a grid's points, patch by patch; -1 past its edges.
static std::vector<int64_t> patchesOf(const Order &order, const CallValues &values) {
  std::vector<int64_t> rows;
  int64_t width = order.modulus.evaluate(0, values.symbols), count = values.rows(order.side);
  for (int64_t top = 0; top * width < count; top += order.patchRows)
    for (int64_t left = 0; left < std::min(width, count); left += order.patchColumns)
      for (int64_t y = top; y < top + order.patchRows; ++y)
        for (int64_t x = left; x < left + order.patchColumns; ++x)
          rows.push_back(x < width && y * width + x < count ? y * width + x : -1);
  return rows;
}

/// Rows of an order by rank, straight from its definition. Queries without a segment come last; they have an output.
static std::vector<int64_t> rowsOf(const Order &order, const CallValues &values) {
  std::vector<int64_t> rows;
  int64_t offset = values.offset(order.side), count = values.rows(order.side);
  for (int64_t row = 0; row < count; ++row)
    if (isIn(order, values, row))
      rows.push_back(row);
  if (order.kind == OrderKind::Classes) {
    int64_t modulus = order.modulus.evaluate(0, values.symbols);
    llvm::stable_sort(rows, [&](int64_t a, int64_t b) { return a % modulus < b % modulus; });
  }
  if (order.kind == OrderKind::Patches)
    return patchesOf(order, values);
  if (order.kind != OrderKind::SegmentSorted)
    return rows;
  const std::vector<int32_t> &ids = values.tables[order.table];
  auto hasId = [&](int64_t row) { return shareId(ids, row + offset, row + offset); };
  if (order.side == Side::Keys)
    llvm::erase_if(rows, [&](int64_t row) { return !hasId(row); });
  llvm::sort(rows, [&](int64_t a, int64_t b) {
    auto place = [&](int64_t row) { return std::make_tuple(!hasId(row), hasId(row) ? ids[row + offset] : 0, row); };
    return place(a) < place(b);
  });
  return rows;
}

namespace {

/// Query rows times key rows.
struct Matrix {
  Matrix(const CallValues &values) : columns(values.kvLength()), entries(values.length() * columns, 0) {}
  int &at(int64_t i, int64_t j) { return entries[i * columns + j]; }

  int64_t columns;
  std::vector<int> entries;
};

/// What bounds are for each query row and for each key row.
struct Ranges {
  Ranges(const Bounds &bounds, const CallValues &values)
      : lower(evaluate(bounds.lower, values.length(), values)), upper(evaluate(bounds.upper, values.length(), values)),
        queryLower(evaluate(bounds.queryLower, values.kvLength(), values)),
        queryUpper(evaluate(bounds.queryUpper, values.kvLength(), values)) {}

  static std::vector<int64_t> evaluate(const Expr &bound, int64_t rows, const CallValues &values) {
    std::vector<int64_t> numbers(rows);
    for (int64_t row = 0; row < rows; ++row)
      numbers[row] = bound.evaluate(row, values.symbols);
    return numbers;
  }

  bool hasKey(int64_t i, int64_t j) const { return lower[i] <= j && j < upper[i]; }
  bool hasQuery(int64_t i, int64_t j) const { return queryLower[j] <= i && i < queryUpper[j]; }

  std::vector<int64_t> lower, upper, queryLower, queryUpper;
};

/// A composition, and one of the calls and tile shapes that it is tried with.
class Case {
public:
  static constexpr int calls = 2;

  explicit Case(uint64_t seed)
      : seed(seed), dice(seed), tree(randomTree(dice, dice.in(3, 4), dice.chance(70) ? Atoms::All : Atoms::Plain)) {}

  void drawCall() {
    drawValues();
    target.tile.rows = dice.in(1, 16), target.tile.keys = dice.in(1, 16);
    target.tile.groupRows = dice.divisorOf(target.tile.rows), target.tile.granule = dice.divisorOf(target.tile.keys);
  }

  /// Tiles of a GPU, and others for local patterns and for calls of few keys.
  void drawCallOfAnchoredTiles() {
    drawValues();
    target.tile = randomAnchoredTile(), target.locals = {{randomAnchoredTile()}};
    target.compactKeys = dice.in(0, 40);
  }

  /// What runs this case again, in one line.
  std::string text() const {
    const TileShape &tile = target.tile;
    std::string local = !target.locals.empty() ? ", anchored, local " + std::to_string(target.locals[0].shape.rows) +
                                                     "x" + std::to_string(target.locals[0].shape.keys) + " of " +
                                                     std::to_string(target.locals[0].shape.granule) + " to " +
                                                     std::to_string(target.compactKeys)
                                               : "";
    return "ATTN_FUZZ_SEED=" + std::to_string(seed) + " ATTN_FUZZ_COUNT=1: " + tree.text() + " with " + textOf(values) +
           "tile " + std::to_string(tile.rows) + "x" + std::to_string(tile.keys) + " of " +
           std::to_string(tile.groupRows) + "x" + std::to_string(tile.granule) + local;
  }

  /// As large as a GPU's, or small by the same rule, so that a call needs many.
  TileShape randomAnchoredTile() {
    bool isSmall = dice.chance(50);
    int64_t rows = isSmall ? dice.in(1, 16) : 64 * dice.in(1, 3), keys = isSmall ? dice.in(1, 16) : 16 * dice.in(1, 8);
    return {rows, keys, rows, dice.divisorOf(keys), /*anchored=*/true};
  }

  void drawValues() {
    values = randomCall(dice);
    bindOffsets(tree.build(), values);
  }

  uint64_t seed;
  Dice dice;
  Tree tree;
  CallValues values;
  Target target = Target::cpu();
};

/// Checks one case; the first thing that is wrong stays in `fault`.
class Checker {
public:
  explicit Checker(const Case &test)
      : values(test.values), set(test.tree.build()), plan(planPattern(set, test.target)), tile(plan.tileFor(values)),
        wanted(values) {
    for (int64_t i = 0; i < values.length(); ++i)
      for (int64_t j = 0; j < values.kvLength(); ++j)
        wanted.at(i, j) = test.tree.admits(values, i + values.offset(Side::Queries), j + values.offset(Side::Keys));
    for (const Order &order : plan.orders)
      orders.push_back(rowsOf(order, values));
  }

  std::string run() {
    checkContains();
    checkOwners();
    checkBoundsRise();
    readBoxes();
    checkWalk("by query", [&](VisitFn visit) { walkByQuery(plan, values, visit); });
    checkWalk("by key", [&](VisitFn visit) { walkByKey(plan, values, visit); });
    checkCounts();
    return fault;
  }

  const Plan &madePlan() const { return plan; }

private:
  void fail(const std::string &what) {
    if (fault.empty())
      fault = what;
  }
  static std::string pairText(int64_t i, int64_t j) { return "(" + std::to_string(i) + ", " + std::to_string(j) + ")"; }

  void checkContains() {
    BoundSet bound(set, values);
    for (int64_t i = 0; i < values.length(); ++i) {
      bound.moveTo(i);
      for (int64_t j = 0; j < values.kvLength(); ++j)
        if (set.contains(values, i, j) != (wanted.at(i, j) != 0) || bound.contains(j) != (wanted.at(i, j) != 0))
          return fail("contains" + pairText(i, j) + " is wrong");
    }
  }

  bool owns(const Phase &phase, int64_t row) const {
    return llvm::none_of(phase.except, [&](unsigned order) { return isIn(plan.orders[order], values, row); });
  }

  /// Each row is begun by one phase, and gone on with by all that continue it.
  void checkOwners() {
    std::vector<int> owners(values.length(), 0), begun;
    for (const Phase &phase : plan.phases) {
      if (!Plan::runs(phase, values))
        continue;
      std::vector<int> written(values.length(), 0);
      for (int64_t row : orders[phase.queries])
        if (row >= 0)
          written[row] += owns(phase, row);
      if (phase.continues && written != begun)
        fail("a phase continues other rows than were begun");
      if (phase.continues)
        continue;
      begun = written;
      for (int64_t i = 0; i < values.length(); ++i)
        owners[i] += written[i];
    }
    for (int64_t i = 0; i < values.length(); ++i)
      if (owners[i] != 1)
        fail("query row " + std::to_string(i) + " has " + std::to_string(owners[i]) + " owners");
  }

  /// Bounds never fall: those of a tile's first and last row enclose those of all rows between.
  void checkBoundsRise() {
    for (const Phase &phase : plan.phases)
      for (const Box &box : phase.boxes) {
        checkBoundsRise(box.bounds);
        if (box.hole)
          checkBoundsRise(*box.hole);
      }
  }

  void checkBoundsRise(const Bounds &bounds) {
    for (const Expr *bound : {&bounds.lower, &bounds.upper, &bounds.queryLower, &bounds.queryUpper})
      for (int64_t row = 1; row < std::max(values.length(), values.kvLength()); ++row)
        if (bound->evaluate(row, values.symbols) < bound->evaluate(row - 1, values.symbols))
          return fail("a bound falls from row " + std::to_string(row - 1) + " to the next");
  }

  /// The pairs of each box, by its own words; both directions have to say the same.
  void readBoxes() {
    for (const Phase &phase : plan.phases) {
      boxes.emplace_back();
      for (const Box &box : phase.boxes) {
        boxes.back().emplace_back(values);
        readBox(phase, box, boxes.back().back());
      }
    }
  }

  void readBox(const Phase &phase, const Box &box, Matrix &pairs) {
    const Ranges inside(box.bounds, values);
    const std::optional<Ranges> hole = box.hole ? std::optional(Ranges(*box.hole, values)) : std::nullopt;
    BoundSet set(plan.pairsOf(box), values), test(box.test ? *box.test : PairSet::full(), values);
    for (int64_t i : orders[phase.queries]) {
      if (i < 0)
        continue;
      set.moveTo(i), test.moveTo(i);
      for (int64_t j : orders[box.keys]) {
        pairs.at(i, j) = isInBox(box, inside, hole, i, j) && test.contains(j);
        if (pairs.at(i, j) != set.contains(j))
          fail("a box's set is wrong about " + pairText(i, j));
      }
    }
  }

  /// Whether a box has a pair, but for its test.
  bool isInBox(const Box &box, const Ranges &inside, const std::optional<Ranges> &hole, int64_t i, int64_t j) {
    bool byRow = inside.hasKey(i, j) && !(hole && hole->hasKey(i, j));
    bool byColumn = inside.hasQuery(i, j) && !(hole && hole->hasQuery(i, j));
    if (box.keyClass) {
      int64_t modulus = plan.orders[box.keys].modulus.evaluate(0, values.symbols);
      byRow &= box.keyClass->evaluate(i, values.symbols) == j % modulus;
      byColumn &= box.queryClass->evaluate(j, values.symbols) == i % modulus;
    }
    if (box.columns) {
      int64_t width = box.columns->width.evaluate(0, values.symbols);
      int64_t column = restOf(j + box.columns->shift.evaluate(0, values.symbols), width);
      bool isBetween = box.columns->lower.evaluate(i, values.symbols) <= column &&
                       column < box.columns->upper.evaluate(i, values.symbols);
      byRow &= isBetween, byColumn &= isBetween;
    }
    if (box.blocks) {
      bool isListed = PairSet::blockTable(box.blocks->table, box.blocks->size).contains(values, i, j);
      byRow &= isListed, byColumn &= isListed;
    }
    if (byRow != byColumn)
      fail("a box's rows and columns disagree about " + pairText(i, j));
    bool inSegment = !box.sameSegment || shareId(values.tables[plan.orders[box.keys].table],
                                                 i + values.offset(Side::Queries), j + values.offset(Side::Keys));
    return byRow && inSegment && llvm::none_of(box.except, [&](unsigned order) {
             return PairSet::listed(Side::Keys, plan.orders[order].table).contains(values, i, j);
           });
  }

  void checkWalk(const char *name, llvm::function_ref<void(VisitFn)> walk) {
    Matrix covered(values);
    walk([&](const Visit &visit) {
      std::string problem = cover(visit, covered);
      if (!problem.empty())
        fail(std::string(name) + ": " + problem);
    });
    for (int64_t i = 0; i < values.length(); ++i)
      for (int64_t j = 0; j < values.kvLength(); ++j)
        if (covered.at(i, j) != wanted.at(i, j))
          return fail(std::string(name) + ": " + pairText(i, j) + " is covered " + std::to_string(covered.at(i, j)) +
                      " times, wanted " + std::to_string(wanted.at(i, j)));
  }

  /// Adds a visit's pairs.
  std::string cover(const Visit &visit, Matrix &covered) {
    const Phase &phase = plan.phases[visit.phase];
    const std::vector<int64_t> &queries = orders[phase.queries], &keys = orders[phase.boxes[visit.box].keys];
    int64_t keyCount = visit.grid ? visit.grid->size() : keys.size();
    if (!isTile(visit.queryBegin, visit.queryEnd, tile.rows, queries.size()) ||
        !isTile(visit.keyBegin, visit.keyEnd, keysOfTile(visit), keyCount))
      return "a visit is no tile";
    int64_t found = 0;
    for (int64_t q = visit.queryBegin; q < visit.queryEnd; ++q)
      for (int64_t k = visit.keyBegin; k < visit.keyEnd; ++k) {
        int64_t i = queries[q], j = visit.grid ? visit.grid->row(k) : keys[k];
        if (i < 0 || !owns(phase, i))
          continue;
        bool admits = 0 <= j && j < values.kvLength() && boxes[visit.phase][visit.box].at(i, j) &&
                      isInSlot(phase.boxes[visit.box], visit.slot, i, j);
        if (visit.full && !admits)
          return "a full tile lacks " + pairText(i, j);
        if (admits)
          ++covered.at(i, j);
        found += admits;
      }
    return found || tile.anchored ? "" : "a visited tile is empty";
  }

  /// Whether this slot of the list for the query's block is the first that holds the key's block.
  bool isInSlot(const Box &box, int64_t slot, int64_t i, int64_t j) const {
    if (!box.blocks)
      return true;
    int64_t size = box.blocks->size.evaluate(0, values.symbols), columns = values.tableColumns[box.blocks->table];
    int64_t row = floorOf(i + values.offset(Side::Queries), size), key = floorOf(j + values.offset(Side::Keys), size);
    const auto list = values.tables[box.blocks->table].begin() + row * columns;
    return std::find(list, list + columns, key) == list + slot;
  }

  int64_t keysOfTile(const Visit &visit) const {
    return tile.keysOf(plan.orders[plan.phases[visit.phase].boxes[visit.box].keys]);
  }

  static bool isTile(int64_t begin, int64_t end, int64_t most, int64_t size) {
    return 0 <= begin && begin < end && end <= size && end - begin <= most;
  }

  void checkCounts() {
    int64_t admitted = llvm::count(wanted.entries, 1);
    PairCounts total;
    for (const PairCounts &counts : countPairs(plan, values))
      total += counts;
    if (total.admitted != admitted || total.estimated)
      fail("counts " + std::to_string(total.admitted) + " admitted pairs, wanted " + std::to_string(admitted));
    if (total.computed < admitted)
      fail("counts " + std::to_string(total.computed) + " computed pairs of " + std::to_string(admitted));
    if (tile.anchored && total.computed != countInWholeTiles())
      fail("counts " + std::to_string(total.computed) + " computed pairs, whole tiles have " +
           std::to_string(countInWholeTiles()));
  }

  int64_t countInWholeTiles() const {
    int64_t pairs = 0;
    walkByQuery(plan, values, [&](const Visit &visit) { pairs += tile.rows * keysOfTile(visit); });
    return pairs;
  }

  const CallValues &values;
  PairSet set;
  Plan plan;
  const TileShape &tile;
  Matrix wanted;
  std::vector<std::vector<int64_t>> orders; // rows by rank
  std::vector<std::vector<Matrix>> boxes;   // [phase][box]
  std::string fault;
};

} // namespace

static bool fellBack(const Plan &plan) {
  return llvm::any_of(plan.tested,
                      [](const std::string &clause) { return clause.find("every pair tested") != std::string::npos; });
}

namespace {

/// One part of the cases: processes that run at a time take some of them each.
class WalkFuzz : public testing::TestWithParam<uint64_t> {
public:
  static constexpr uint64_t parts = 8;

protected:
  /// Calls `run(seed)` for this part of `count` cases, until it returns false five times.
  template <typename Run> void forEachSeed(uint64_t count, Run run) {
    uint64_t failures = 0;
    for (uint64_t n = GetParam(); n < count && failures < 5; n += parts)
      failures += !run(firstFuzzSeed() + n);
  }
};

} // namespace

INSTANTIATE_TEST_SUITE_P(Parts, WalkFuzz, testing::Range(uint64_t(0), WalkFuzz::parts));

TEST_P(WalkFuzz, CoversEveryAdmittedPairOnce) {
  uint64_t count = 0, fallbacks = 0, tested = 0;
  forEachSeed((fuzzCount() * 7 + 9) / 10, [&](uint64_t seed) {
    Case test(seed);
    ++count;
    for (int call = 0; call < Case::calls; ++call) {
      test.drawCall();
      Checker checker(test);
      if (std::string fault = checker.run(); !fault.empty()) {
        ADD_FAILURE() << fault << "; " << test.text();
        return false;
      }
      fallbacks += call == 0 && fellBack(checker.madePlan());
      tested += call == 0 && !checker.madePlan().tested.empty();
    }
    return true;
  });
  std::printf(
      "WalkFuzz: of %llu compositions %llu test some pairs, and %llu of these have too many boxes and test all\n",
      static_cast<unsigned long long>(count), static_cast<unsigned long long>(tested),
      static_cast<unsigned long long>(fallbacks));
}

TEST_P(WalkFuzz, CoversEveryAdmittedPairOnceWithAnchoredTiles) {
  forEachSeed((fuzzCount() * 3 + 9) / 10, [&](uint64_t seed) {
    Case test(seed);
    for (int call = 0; call < Case::calls; ++call) {
      test.drawCallOfAnchoredTiles();
      if (std::string fault = Checker(test).run(); !fault.empty()) {
        ADD_FAILURE() << fault << "; " << test.text();
        return false;
      }
    }
    return true;
  });
}
