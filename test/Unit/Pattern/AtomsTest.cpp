// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Atoms against their definitions.

#include "Laws.h"

using namespace attn;
using Kind = PairSet::Kind;

//===-- On positions ----------------------------------------------------------------------------------------------===//

TEST(Atoms, Window) {
  const int64_t far = 1000;
  for (int64_t left : {int64_t(0), int64_t(1), int64_t(5), far})
    for (int64_t right : {int64_t(0), int64_t(2), far})
      forEachCall([&](CallValues values) {
        expectLaw(PairSet::window(Expr(left), Expr(right)), values,
                  [=](int64_t p, int64_t k) { return p - left <= k && k <= p + right; });
        expectLaw(PairSet::window(Expr(left), std::nullopt), values,
                  [=](int64_t p, int64_t k) { return p - left <= k; });
        expectLaw(PairSet::window(std::nullopt, Expr(right)), values,
                  [=](int64_t p, int64_t k) { return k <= p + right; });
        values.symbols[LeftSymbol] = left;
        expectLaw(PairSet::window(Expr::symbol(LeftSymbol), Expr(right)), values,
                  [=](int64_t p, int64_t k) { return p - left <= k && k <= p + right; });
      });
  EXPECT_EQ(PairSet::window(std::nullopt, std::nullopt), PairSet::full());
}

TEST(Atoms, Causal) {
  forEachCall([](CallValues values) {
    expectLaw(PairSet::causal(), values, [](int64_t p, int64_t k) { return k <= p; });
    int64_t shift = values.offset(Side::Queries); // top left counts query positions from 0 where no offset is given
    expectLaw(PairSet::causal(true), values, [=](int64_t p, int64_t k) { return k <= p - shift; });
    values.symbols[TopLeftOffset] = values.symbols[QueryOffset];
    expectLaw(PairSet::causal(true), values, [](int64_t p, int64_t k) { return k <= p; });
  });
}

TEST(Atoms, BlockLocal) {
  auto block = [](int64_t position, int64_t size) {
    int64_t number = 0;
    while (position >= (number + 1) * size)
      ++number;
    while (position < number * size)
      --number;
    return number;
  };
  for (int64_t size : {1, 2, 5, 13, 64})
    forEachCall([&](CallValues values) {
      Law law = [&](int64_t p, int64_t k) { return block(p, size) == block(k, size); };
      expectLaw(PairSet::blockLocal(Expr(size)), values, law);
      values.symbols[BlockSymbol] = size;
      expectLaw(PairSet::blockLocal(Expr::symbol(BlockSymbol)), values, law);
    });
}

TEST(Atoms, Padded) {
  for (int64_t length : {0, 1, 6, 100})
    forEachCall([&](CallValues values) {
      values.symbols[PaddingSymbol] = length;
      expectLaw(PairSet::padded(Expr::symbol(PaddingSymbol)), values, [=](int64_t, int64_t k) { return k < length; });
    });
}

TEST(Atoms, Listed) {
  std::vector<int32_t> tokens{3, -1, 0, 17, 3, -1};
  auto isListed = [](int64_t position) { return position == 0 || position == 3 || position == 17; };
  forEachCall([&](CallValues values) {
    values.tables[1] = tokens;
    expectLaw(PairSet::listed(Side::Queries, 1), values, [&](int64_t p, int64_t) { return isListed(p); });
    expectLaw(PairSet::listed(Side::Keys, 1), values, [&](int64_t, int64_t k) { return isListed(k); });
    expectLaw(PairSet::listed(Side::Keys, 0), values, [](int64_t, int64_t) { return false; });
  });
}

TEST(Atoms, SameSegment) {
  std::vector<int32_t> ids{4, 4, -1, 2, 4, -1, 2, 2};
  forEachCall([&](CallValues values) {
    values.tables[2] = ids;
    expectLaw(PairSet::sameSegment(2), values,
              [&](int64_t p, int64_t k) { return p >= 0 && p < 8 && k >= 0 && k < 8 && ids[p] == ids[k]; });
  });
}

TEST(Atoms, Where) {
  forEachCall([](CallValues values) {
    values.where = [](unsigned region, int64_t p, int64_t k) { return (p + 2 * k + region) % 3 == 0; };
    expectLaw(PairSet::where(5), values, [](int64_t p, int64_t k) { return (p + 2 * k + 5) % 3 == 0; });
  });
}

//===-- On coordinates --------------------------------------------------------------------------------------------===//

/// Row and column of a position in a grid of `width` columns.
static std::pair<int64_t, int64_t> cellOf(int64_t position, int64_t width) {
  return {floorOf(position, width), restOf(position, width)};
}

TEST(Atoms, DilatedWindow) {
  auto isTap = [](int64_t distance, int64_t left, int64_t right, int64_t dilation) {
    for (int64_t t = -left; t <= right; ++t)
      if (distance == t * dilation)
        return true;
    return false;
  };
  for (int64_t dilation : {1, 2, 3, 7})
    forEachCall([&](CallValues values) {
      Law law = [&](int64_t p, int64_t k) { return isTap(k - p, 2, 4, dilation); };
      expectLaw(PairSet::window(Expr(2), Expr(4), dilation), values, law);
      values.symbols[BlockSymbol] = dilation;
      expectLaw(PairSet::window(Expr(2), Expr(4), Expr::symbol(BlockSymbol)), values, law);
    });
  EXPECT_EQ(PairSet::window(Expr(2), Expr(4), 1), PairSet::window(Expr(2), Expr(4)));
}

TEST(Atoms, WindowOnAGrid) {
  for (int64_t width : {1, 4, 5})
    forEachCall([&](CallValues values) {
      std::vector<Coordinate> axes = Coordinate::grid({Expr(width)});
      expectLaw(PairSet::window(Expr(1), Expr(2), 1, axes[0]), values, [&](int64_t p, int64_t k) {
        int64_t down = cellOf(k, width).first - cellOf(p, width).first;
        return -1 <= down && down <= 2;
      });
      expectLaw(PairSet::window(Expr(1), Expr(2), 1, axes[1]), values, [&](int64_t p, int64_t k) {
        int64_t across = cellOf(k, width).second - cellOf(p, width).second;
        return -1 <= across && across <= 2;
      });
    });
}

TEST(Atoms, WindowOnAGridOfThreeAxes) {
  forEachCall([](CallValues values) {
    std::vector<Coordinate> axes = Coordinate::grid({Expr(2), Expr(3)});
    ASSERT_EQ(axes.size(), 3u);
    // Positions 6 f + 3 r + c: frame, row, column.
    auto rowOf = [](int64_t position) { return cellOf(cellOf(position, 6).second, 3).first; };
    expectLaw(PairSet::window(Expr(0), Expr(0), 1, axes[0]), values,
              [](int64_t p, int64_t k) { return cellOf(p, 6).first == cellOf(k, 6).first; });
    expectLaw(PairSet::window(Expr(0), Expr(0), 1, axes[1]), values,
              [&](int64_t p, int64_t k) { return rowOf(p) == rowOf(k); });
    expectLaw(PairSet::window(Expr(0), Expr(0), 1, axes[2]), values,
              [](int64_t p, int64_t k) { return cellOf(p, 3).second == cellOf(k, 3).second; });
  });
}

TEST(Atoms, BlockLocalWithMargins) {
  forEachCall([](CallValues values) {
    expectLaw(PairSet::blockLocal(4, 3, 1), values, [](int64_t p, int64_t k) {
      int64_t begin = floorOf(p, 4) * 4;
      return begin - 3 <= k && k < begin + 5;
    });
    // Two rows of a grid of three columns, and the row before them.
    expectLaw(PairSet::blockLocal(2, 1, 0, Coordinate::grid({Expr(3)})[0]), values, [](int64_t p, int64_t k) {
      int64_t begin = floorOf(p, 6) * 6;
      return begin - 3 <= k && k < begin + 6;
    });
  });
}

TEST(Atoms, Neighborhood) {
  // 13 positions in rows of 4: the fourth row is partial. Every window has three rows and three columns.
  CallValues values = callOf(13, 13, 0, 0);
  std::vector<Coordinate> axes = Coordinate::grid({Expr(4)});
  const int64_t firstRow[] = {0, 0, 1, 1}, firstColumn[] = {0, 0, 1, 1};
  expectLaw(PairSet::neighborhood(3, axes[0]), values, [&](int64_t p, int64_t k) {
    int64_t begin = firstRow[p / 4];
    return begin <= k / 4 && k / 4 < begin + 3;
  });
  expectLaw(PairSet::neighborhood(3, axes[1]), values, [&](int64_t p, int64_t k) {
    int64_t begin = firstColumn[p % 4];
    return begin <= k % 4 && k % 4 < begin + 3;
  });
}

TEST(Atoms, CausalInRasterOrder) {
  // Blocks of 2 x 2 of a grid of 4 columns: positions in the order in which they are generated.
  const std::vector<int64_t> order{0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15};
  auto place = [&](int64_t position) { return std::find(order.begin(), order.end(), position) - order.begin(); };
  expectLaw(PairSet::causal(Coordinate::raster(Coordinate::grid({Expr(4)}), {Expr(2), Expr(2)})), callOf(16, 16, 0, 0),
            [&](int64_t p, int64_t k) { return place(k) <= place(p); });
}

TEST(Atoms, Streams) {
  // Positions 0 to 2, then 3 to 6, then the rest; no position below 0 has a place.
  forEachCall([](CallValues values) {
    std::vector<Coordinate> streams = Coordinate::streams({Expr(3), Expr(4)});
    ASSERT_EQ(streams.size(), 3u);
    const int64_t begins[] = {0, 3, 7}, ends[] = {3, 7, 1000};
    for (int stream = 0; stream < 3; ++stream)
      expectLaw(PairSet::window(Expr(1), Expr(0), 1, streams[stream]), values, [&](int64_t p, int64_t k) {
        auto has = [&](int64_t position) { return begins[stream] <= position && position < ends[stream]; };
        return has(p) && has(k) && (k == p || k == p - 1);
      });
  });
}

TEST(Atoms, OffsetsInSegments) {
  const std::vector<int32_t> ids{4, 4, -1, 2, 4, -1, 2, 2}, offsets{0, 1, 0, 0, 2, 1, 1, 2};
  forEachCall([&](CallValues values) {
    PairSet set = PairSet::causal(Coordinate::offset(2));
    values.tables[2] = ids;
    bindOffsets(set, values);
    expectLaw(set, values,
              [&](int64_t p, int64_t k) { return isInTable(ids, p) && isInTable(ids, k) && offsets[k] <= offsets[p]; });
    // Whatever the remainder: both positions have to have an offset.
    PairSet any = PairSet::congruent(Dividend::Key, 1, 0, 0, Coordinate::offset(2));
    expectLaw(any, values, [&](int64_t p, int64_t k) { return isInTable(ids, p) && isInTable(ids, k); });
  });
}

//===-- Of one number ---------------------------------------------------------------------------------------------===//

TEST(Atoms, Congruent) {
  for (int64_t modulus : {1, 2, 5})
    for (int64_t first : {-2, 0, 1, 3, 6})
      for (int64_t last : {-1, 0, 2, 4, 9})
        for (bool isLiteral : {true, false}) {
          auto number = [&](int64_t literal, unsigned symbol) {
            return isLiteral ? Expr(literal) : Expr::symbol(symbol);
          };
          auto setOf = [&](Dividend dividend) {
            return PairSet::congruent(dividend, number(modulus, BlockSymbol), number(first, LeftSymbol),
                                      number(last, RightSymbol));
          };
          CallValues values = callOf(12, 11, -3, 2);
          values.symbols[BlockSymbol] = modulus, values.symbols[LeftSymbol] = first, values.symbols[RightSymbol] = last;
          auto holds = [&](int64_t x) { return first <= restOf(x, modulus) && restOf(x, modulus) <= last; };
          SCOPED_TRACE(std::to_string(first) + " <= x mod " + std::to_string(modulus) + " <= " + std::to_string(last));
          expectLaw(setOf(Dividend::Difference), values, [&](int64_t p, int64_t k) { return holds(p - k); });
          expectLaw(setOf(Dividend::Query), values, [&](int64_t p, int64_t) { return holds(p); });
          expectLaw(setOf(Dividend::Key), values, [&](int64_t, int64_t k) { return holds(k); });
          for (values.symbols[Head] = 0; values.symbols[Head] < 6; ++values.symbols[Head])
            expectLaw(setOf(Dividend::Head), values, [&](int64_t, int64_t) { return holds(values.symbols[Head]); });
        }
}

TEST(Atoms, CongruenceThatSaysNothingIsNoLeaf) {
  Expr modulus = Expr::symbol(BlockSymbol);
  EXPECT_EQ(PairSet::congruent(Dividend::Key, modulus, 0, modulus - 1), PairSet::full());
  EXPECT_EQ(PairSet::congruent(Dividend::Difference, 1, 0, 0), PairSet::full());
  EXPECT_EQ(PairSet::congruent(Dividend::Query, modulus, modulus, modulus), PairSet::empty());
  EXPECT_EQ(PairSet::congruent(Dividend::Head, modulus, 3, 2), PairSet::empty());
  EXPECT_EQ(PairSet::congruent(Dividend::Difference, modulus, -2, -1), PairSet::empty());
  // One remainder is one relation; of more, the range may go past the modulus.
  EXPECT_EQ(PairSet::congruent(Dividend::Difference, modulus, 0, 0).kind(), Kind::Relation);
  EXPECT_EQ(PairSet::congruent(Dividend::Difference, modulus, 0, 1).members().size(), 2u);
}

TEST(Atoms, Range) {
  for (int64_t from : {-20, 0, 3, 30})
    for (int64_t below : {-20, 2, 9, 40})
      forEachCall([&](CallValues values) {
        auto isIn = [&](int64_t x) { return from <= x && x < below; };
        expectLaw(PairSet::range(Side::Queries, Expr(from), Expr(below)), values,
                  [&](int64_t p, int64_t) { return isIn(p); });
        expectLaw(PairSet::range(Side::Keys, Expr(from), Expr(below)), values,
                  [&](int64_t, int64_t k) { return isIn(k); });
        expectLaw(PairSet::range(Side::Queries, Expr(from), std::nullopt), values,
                  [&](int64_t p, int64_t) { return from <= p; });
      });
  EXPECT_EQ(PairSet::range(Side::Keys, std::nullopt, Expr(5)), PairSet::padded(5));
}

TEST(Atoms, Conditions) {
  CallValues values = callOf(2, 2, 0, 0);
  Expr head = Expr::symbol(Head);
  for (int64_t h = 0; h < 6; ++h) {
    values.symbols[Head] = h;
    expectLaw(PairSet::condition(head, Expr(2), Expr(4)), values, [&](int64_t, int64_t) { return 2 <= h && h < 4; });
    expectLaw(PairSet::condition(head, Expr(2), Expr(4)).complement(), values,
              [&](int64_t, int64_t) { return h < 2 || 4 <= h; });
    EXPECT_EQ(PairSet::condition(head, Expr(2), Expr(4)).related().indicator().evaluate(0, values.symbols),
              2 <= h && h < 4);
  }
  EXPECT_TRUE(PairSet::condition(head, Expr(2), Expr(4)).related().isCondition());
  EXPECT_FALSE(PairSet::congruent(Dividend::Key, 3, 1, 1).related().isCondition());
  // With one bound, the complement has one, too.
  EXPECT_EQ(PairSet::condition(head, Expr(2), {}).complement(), PairSet::condition(head, {}, Expr(2)));
}

TEST(Atoms, BlockTable) {
  // Block row 0 looks at blocks 2 and 0, block row 1 at block 1; there is no other row.
  CallValues values = callOf(11, 13, -2, -3);
  values.tables[FirstBlockTable] = {2, 0, 1, -1}, values.tableColumns[FirstBlockTable] = 2;
  expectLaw(PairSet::blockTable(FirstBlockTable, 3), values, [](int64_t p, int64_t k) {
    int64_t row = floorOf(p, 3), block = floorOf(k, 3);
    return (row == 0 && (block == 2 || block == 0)) || (row == 1 && block == 1);
  });
}

TEST(Atoms, KnowsWhetherHeadsDiffer) {
  auto isPerHead = [](unsigned symbol) { return symbol == LeftSymbol; };
  auto depends = [&](const PairSet &set) { return set.dependsOnHead(isPerHead); };
  EXPECT_FALSE(depends(PairSet::window(Expr::symbol(RightSymbol), Expr(2), Expr::symbol(BlockSymbol))));
  EXPECT_FALSE(depends(PairSet::unite({PairSet::sameSegment(2), PairSet::listed(Side::Keys, 0)})));
  EXPECT_TRUE(depends(PairSet::window(Expr::symbol(LeftSymbol), Expr(2))));
  EXPECT_TRUE(depends(PairSet::congruent(Dividend::Key, Expr::symbol(LeftSymbol), 0, 0)));
  EXPECT_TRUE(depends(PairSet::minus(PairSet::causal(), PairSet::congruent(Dividend::Head, 2, 0, 0))));
  EXPECT_TRUE(depends(PairSet::condition(Expr::symbol(LeftSymbol), Expr(1), {})));
  EXPECT_TRUE(depends(PairSet::blockTable(FirstBlockTable, 3)));
  EXPECT_TRUE(depends(PairSet::where(0)));
}
