// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The closed forms of orders, against what the orders are: rows sorted by class, or picked by remainder, one by one.

#include "attn/Pattern/Order.h"
#include "PatternTree.h"
#include "llvm/ADT/STLExtras.h"
#include "gtest/gtest.h"
#include <optional>

using namespace attn;

namespace {

/// Rows of either side by rank, straight from the definition, and closed forms with a number put in for the row.
struct Ranked {
  Order order;
  CallValues values;
  std::vector<int64_t> rows;

  int64_t at(const Expr &expr, int64_t row = 0) const { return expr.evaluate(row, values.symbols); }
};

CallValues callOf(Side side, int64_t count) {
  CallValues values;
  values.symbols.assign(SymbolCount, 0);
  values.symbols[side == Side::Queries ? Length : KvLength] = count;
  return values;
}

/// Classes of a modulus that the call brings.
Ranked classesOf(Side side, int64_t count, int64_t modulus) {
  Ranked ranked{Order::classes(side, Expr::symbol(BlockSymbol)), callOf(side, count), {}};
  ranked.values.symbols[BlockSymbol] = modulus;
  for (int64_t row = 0; row < count; ++row)
    ranked.rows.push_back(row);
  llvm::stable_sort(ranked.rows, [&](int64_t a, int64_t b) { return a % modulus < b % modulus; });
  return ranked;
}

struct Picked {
  int64_t modulus, shift, from, below;
};

/// Some remainders, whose numbers the call brings.
Ranked remaindersOf(Side side, int64_t count, const Picked &picked) {
  auto symbol = [](unsigned index) { return Expr::symbol(index); };
  Ranked ranked{
      Order::remainders(side, symbol(BlockSymbol), symbol(PaddingSymbol), symbol(LeftSymbol), symbol(RightSymbol)),
      callOf(side, count),
      {}};
  std::vector<int64_t> &symbols = ranked.values.symbols;
  symbols[BlockSymbol] = picked.modulus, symbols[PaddingSymbol] = picked.shift;
  symbols[LeftSymbol] = picked.from, symbols[RightSymbol] = picked.below;
  for (int64_t row = 0; row < count; ++row)
    if (int64_t rest = restOf(row + picked.shift, picked.modulus); picked.from <= rest && rest < picked.below)
      ranked.rows.push_back(row);
  return ranked;
}

} // namespace

//===-- Classes ---------------------------------------------------------------------------------------------------===//

static void expectRows(const Ranked &ranked) {
  ASSERT_EQ(ranked.at(ranked.order.count()), static_cast<int64_t>(ranked.rows.size()));
  Expr rowOfRank = ranked.order.rowOfRank();
  for (auto [rank, row] : llvm::enumerate(ranked.rows))
    ASSERT_EQ(ranked.at(rowOfRank, rank), row) << "rank " << rank;
}

/// Where each class begins, and where its first row from `row` on is, however far beside the class.
static void expectClasses(const Ranked &ranked, int64_t modulus) {
  int64_t count = ranked.rows.size();
  Expr firstRank = ranked.order.firstRankOfClass(Expr::row());
  for (int64_t number = 0; number <= modulus; ++number) {
    auto isBefore = [&](int64_t row) { return row % modulus < number; };
    int64_t first = llvm::count_if(ranked.rows, isBefore);
    ASSERT_EQ(ranked.at(firstRank, number), first) << "class " << number;
    Expr rankInClass = ranked.order.rankInClass(number, Expr::row());
    for (int64_t row = 0; row <= count; ++row) {
      auto comesFirst = [&](int64_t other) { return other % modulus == number && other < row; };
      if (number < modulus)
        ASSERT_EQ(ranked.at(rankInClass, row), first + llvm::count_if(ranked.rows, comesFirst))
            << "row " << row << " of class " << number;
    }
  }
}

TEST(Order, ClassesAreInClosedForm) {
  for (Side side : {Side::Queries, Side::Keys})
    for (int64_t count = 0; count <= 40; ++count)
      for (int64_t modulus = 1; modulus <= 45; ++modulus) {
        SCOPED_TRACE(std::to_string(count) + " rows, modulus " + std::to_string(modulus));
        Ranked ranked = classesOf(side, count, modulus);
        expectRows(ranked);
        if (side == Side::Keys)
          expectClasses(ranked, modulus);
        if (HasFatalFailure())
          return;
      }
}

TEST(Order, RanksInAClassGoOnBesideIt) {
  // 10 rows, modulus 4: class 1 is rows 1, 5 and 9, at ranks 3 to 5. Row -3 would be one before, row 13 one behind.
  Order order = Order::classes(Side::Keys, 4);
  CallValues values = callOf(Side::Keys, 10);
  auto rankOf = [&](int64_t row) { return order.rankInClass(1, Expr::row()).evaluate(row, values.symbols); };
  EXPECT_EQ(rankOf(1), 3);
  EXPECT_EQ(rankOf(2), 4);
  EXPECT_EQ(rankOf(9), 5);
  EXPECT_EQ(rankOf(10), 6);
  EXPECT_EQ(rankOf(13), 6);
  EXPECT_EQ(rankOf(14), 7);
  EXPECT_EQ(rankOf(-3), 2);
  EXPECT_EQ(rankOf(-7), 1);
}

TEST(Order, ClassesOfTheLargestModulus) {
  // Every row is a class of its own, and classes past the last row have none.
  Ranked ranked = classesOf(Side::Keys, 10, INT64_MAX);
  expectRows(ranked);
  EXPECT_EQ(ranked.at(ranked.order.firstRankOfClass(Expr::row()), 7), 7);
  EXPECT_EQ(ranked.at(ranked.order.firstRankOfClass(Expr::row()), INT64_MAX), 10);
}

//===-- Remainders ------------------------------------------------------------------------------------------------===//

static void expectRemainders(Side side, int64_t count, const Picked &picked) {
  SCOPED_TRACE(std::to_string(count) + " rows, (row + " + std::to_string(picked.shift) + ") mod " +
               std::to_string(picked.modulus) + " in [" + std::to_string(picked.from) + ", " +
               std::to_string(picked.below) + ")");
  Ranked ranked = remaindersOf(side, count, picked);
  expectRows(ranked);
  Expr rankOfRow = ranked.order.rankOfRow(), holdsRow = ranked.order.holdsRow();
  for (int64_t row = 0; row <= count; ++row) {
    ASSERT_EQ(ranked.at(rankOfRow, row), llvm::count_if(ranked.rows, [&](int64_t other) { return other < row; }))
        << "row " << row;
    if (row < count)
      ASSERT_EQ(ranked.at(holdsRow, row), llvm::is_contained(ranked.rows, row)) << "row " << row;
  }
  // Beside the rows, ranks are beside those that there are, so that a search in [0, count) ends at one of its ends.
  ASSERT_LE(ranked.at(rankOfRow, -1), 0);
  ASSERT_LE(ranked.at(rankOfRow, -50), ranked.at(rankOfRow, -1));
  ASSERT_GE(ranked.at(rankOfRow, count + 50), ranked.at(rankOfRow, count));
}

TEST(Order, RemaindersAreInClosedForm) {
  for (int64_t count = 0; count <= 40; ++count)
    for (int64_t modulus = 1; modulus <= 45; ++modulus)
      for (int64_t shift : {-47, -1, 0, 3, 46}) {
        // A remainder alone, the last ones, all, and none: what is outside of [0, modulus) never gets here.
        const Picked picks[] = {{modulus, shift, modulus / 2, modulus / 2 + 1},
                                {modulus, shift, modulus - modulus / 3, modulus},
                                {modulus, shift, 0, modulus},
                                {modulus, shift, modulus / 2, modulus / 2},
                                {modulus, shift, modulus, modulus - 1}};
        for (const Picked &picked : picks) {
          expectRemainders(count % 2 ? Side::Keys : Side::Queries, count, picked);
          if (HasFatalFailure())
            return;
        }
      }
}

//===-- Blocks ----------------------------------------------------------------------------------------------------===//

/// Whether the expression has one value for the rows of each block, which its number gives as well; for several sizes
/// and offsets.
static bool hasOneValueInBlocks(const Order &blocks, const Expr &expr) {
  for (int64_t size : {1, 2, 3, 5, 8})
    for (int64_t offset = -7; offset < 8; ++offset) {
      CallValues values = callOf(Side::Queries, 20);
      values.symbols[KvLength] = 17, values.symbols[QueryOffset] = offset, values.symbols[BlockSymbol] = size;
      Expr number = Expr::floorDiv(Expr::row() + blocks.shift, blocks.modulus);
      for (int64_t row = 0; row < 20; ++row) {
        int64_t block = number.evaluate(row, values.symbols), value = expr.evaluate(row, values.symbols);
        bool isSame = number.evaluate(row + 1, values.symbols) != block || row == 19 ||
                      expr.evaluate(row + 1, values.symbols) == value;
        if (!isSame || blocks.ofBlock(expr).evaluate(block, values.symbols) != value)
          return false;
      }
    }
  return true;
}

TEST(Order, SomeExpressionsHaveOneValueInABlock) {
  Expr i = Expr::row(), size = Expr::symbol(BlockSymbol), shift = Expr::symbol(QueryOffset),
       kvLength = Expr::symbol(KvLength);
  Expr number = Expr::floorDiv(i + shift, size), last = size * Expr::floorDiv(kvLength - 1, size);
  auto isFrom = [&](const Expr &row) { return Expr::isPositive(i - row + 1); };
  Order blocks = Order::blocks(Side::Queries, size, shift);
  for (const Expr &same :
       {Expr(3), kvLength, number, size * number + size, Expr::max({0, size * (number - 1)}), isFrom(size - shift),
        kvLength * isFrom(last - shift), Expr::min({kvLength, kvLength * isFrom(size * 2 - shift), size * number}),
        Expr::mod(number, 3), isFrom(-shift)}) {
    EXPECT_TRUE(blocks.isSameInBlock(same));
    EXPECT_TRUE(hasOneValueInBlocks(blocks, same));
  }
  for (const Expr &other :
       {i, Expr::max({0, i}), Expr::floorDiv(i, size), Expr::floorDiv(i + shift, size + 1), isFrom(size - shift + 1),
        isFrom(size), isFrom(Expr(4) - shift), number + i, Expr::mod(i + shift, size)}) {
    EXPECT_FALSE(blocks.isSameInBlock(other));
    EXPECT_FALSE(hasOneValueInBlocks(blocks, other));
  }
  Order fixed = Order::blocks(Side::Queries, 4, shift);
  for (const Expr &same : {isFrom(Expr(8) - shift), isFrom(kvLength * 4 - shift), Expr::floorDiv(i + shift, 4)}) {
    EXPECT_TRUE(fixed.isSameInBlock(same));
    EXPECT_TRUE(hasOneValueInBlocks(fixed, same));
  }
  EXPECT_FALSE(fixed.isSameInBlock(isFrom(Expr(6) - shift)));
}

TEST(Order, BlocksAreInClosedForm) {
  Order blocks = Order::blocks(Side::Queries, Expr::symbol(BlockSymbol), Expr::symbol(QueryOffset));
  for (int64_t count = 1; count <= 20; ++count)
    for (int64_t size : {1, 2, 3, 7, 20, 50})
      for (int64_t offset : {-23, -7, -1, 0, 2, 5, 40}) {
        SCOPED_TRACE(std::to_string(count) + " rows from position " + std::to_string(offset) + " on in blocks of " +
                     std::to_string(size));
        Ranked ranked{blocks, callOf(Side::Queries, count), {}};
        ranked.values.symbols[BlockSymbol] = size, ranked.values.symbols[QueryOffset] = offset;
        int64_t first = ranked.at(blocks.firstBlock()), number = 0;
        Expr firstRow = blocks.firstRowOfBlock(Expr::row());
        ASSERT_EQ(ranked.at(firstRow, first), 0);
        for (int64_t row = 1; row < count; ++row)
          if (restOf(row + offset, size) == 0)
            ASSERT_EQ(ranked.at(firstRow, first + ++number), row);
        ASSERT_EQ(ranked.at(blocks.blockCount()), number + 1);
        ASSERT_EQ(ranked.at(firstRow, first + number + 1), count);
      }
}

//===-- Patches ---------------------------------------------------------------------------------------------------===//

/// Ranks run through patches from left to right and from above, and through the points of one row by row.
static void expectPatches(int64_t count, int64_t width, int64_t patchRows, int64_t patchColumns) {
  SCOPED_TRACE(std::to_string(count) + " rows, " + std::to_string(width) + " wide, patches of " +
               std::to_string(patchRows) + " x " + std::to_string(patchColumns));
  Ranked ranked{Order::patches(Side::Queries, Expr::symbol(BlockSymbol)), callOf(Side::Queries, count), {}};
  ranked.order.patchRows = patchRows, ranked.order.patchColumns = patchColumns;
  ranked.values.symbols[BlockSymbol] = width;
  Expr rowOfRank = ranked.order.rowOfRank(), hasRow = ranked.order.rankHasRow();
  int64_t rank = 0;
  for (int64_t top = 0; top * width < count; top += patchRows)
    for (int64_t left = 0; left < std::min(width, count); left += patchColumns)
      for (int64_t y = top; y < top + patchRows; ++y)
        for (int64_t x = left; x < left + patchColumns; ++x, ++rank) {
          bool isPoint = x < width && y * width + x < count;
          ASSERT_EQ(ranked.at(hasRow, rank), isPoint) << "rank " << rank;
          if (isPoint)
            ASSERT_EQ(ranked.at(rowOfRank, rank), y * width + x) << "rank " << rank;
        }
  ASSERT_EQ(ranked.at(ranked.order.count()), rank);
  if (count > 0)
    ASSERT_EQ(ranked.at(ranked.order.patchesAcross()), (std::min(width, count) + patchColumns - 1) / patchColumns);
}

TEST(Order, PatchesAreInClosedForm) {
  for (int64_t count : {0, 1, 7, 16, 30, 65})
    for (int64_t width : {1, 3, 4, 8, 11, 64, 1000})
      for (auto [rows, columns] : {std::pair{1, 1}, {2, 4}, {8, 8}, {3, 5}}) {
        expectPatches(count, width, rows, columns);
        if (HasFatalFailure())
          return;
      }
}

//===-- Which orders are the same ---------------------------------------------------------------------------------===//

TEST(Order, OrdersOfOneModulusAreEqual) {
  Expr stride = Expr::symbol(BlockSymbol);
  EXPECT_EQ(Order::classes(Side::Keys, stride + 1), Order::classes(Side::Keys, Expr(1) + stride));
  EXPECT_FALSE(Order::classes(Side::Keys, stride) == Order::classes(Side::Queries, stride));
  EXPECT_FALSE(Order::classes(Side::Keys, stride) == Order::classes(Side::Keys, 4));
  Order last = Order::remainders(Side::Keys, 8, 0, 6, 8);
  EXPECT_EQ(last, Order::remainders(Side::Keys, 8, 0, 6, 8));
  EXPECT_FALSE(last == Order::remainders(Side::Keys, 8, 1, 6, 8));
  EXPECT_FALSE(last == Order::remainders(Side::Keys, 8, 0, 5, 8));
  EXPECT_FALSE(last == Order::remainders(Side::Keys, 8, 0, 6, 7));
  EXPECT_FALSE(last == Order::remainders(Side::Keys, 9, 0, 6, 8));
  EXPECT_FALSE(Order::listed(Side::Keys, 0) == Order::listed(Side::Keys, 1));
  EXPECT_FALSE(Order::listed(Side::Keys, 0) == Order::all(Side::Keys));
}

TEST(Order, KindsSayWhatTheyAreMadeOf) {
  Order all = Order::all(Side::Keys), listed = Order::listed(Side::Keys, 0),
        sorted = Order::segmentSorted(Side::Keys, 0), classes = Order::classes(Side::Keys, 3),
        remainders = Order::remainders(Side::Keys, 3, 0, 0, 1);
  for (const Order &order : {listed, sorted})
    EXPECT_TRUE(order.isTabled() && !order.isComputed());
  for (const Order &order : {classes, remainders})
    EXPECT_TRUE(order.isComputed() && !order.isTabled());
  EXPECT_TRUE(!all.isComputed() && !all.isTabled());
}
