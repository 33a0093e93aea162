// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Phases that go on from one another, and orders in closed form: stages run one after another with the state of the one
// before, keys are packed for each head where heads differ in their order, and no order takes more room than it needs.
#include "FakeOrders.h"
#include "TestCall.h"
#include "problem.h"

#include "attn/Runtime/pool.h"

namespace {

/// A call whose rows of every `width`-th position are one phase's.
class OrdersCall : public TestCall {
public:
  OrdersCall(Sizes sizes, int64_t width) : TestCall(fake_orders, sizes), width(width) {
    addShared(std::vector<int32_t>(sizes.heads, 2));
    addIndex(width);
  }

  /// Whether every row has gone through all of its stages.
  void expectRight() const {
    for (size_t at = 0; at < output.size(); ++at) {
      int64_t row = static_cast<int64_t>(at) / FAKE_VALUE_HEAD_SIZE % sizes.length;
      ASSERT_EQ(output[at], row % width == 0 ? 1 : ORDERS_STAGES) << "row " << row;
    }
  }

  const int64_t width;
};

TEST(EntryOrders, EachStageGoesOnFromTheOneBefore) {
  for (int64_t length : {1, 4, 5, 23, 64})
    for (int64_t kvLength : {0, 1, 17, 70})
      for (int64_t width : {1, 3, 100}) {
        OrdersCall call({2, 4, 2, length, kvLength}, width);
        call.prepare();
        ASSERT_EQ(call.run(), ATTN_OK);
        call.expectRight();
      }
}

TEST(EntryOrders, WorkersEndAStageBeforeTheNext) {
  std::unique_ptr<attn_pool, void (*)(attn_pool *)> pool(attn_pool_create(4), attn_pool_destroy);
  ASSERT_TRUE(pool);
  for (int repetition = 0; repetition < 20; ++repetition) {
    OrdersCall call({2, 4, 2, 97, 50}, 3);
    call.call.executor = attn_pool_executor(pool.get());
    call.prepare();
    ASSERT_EQ(call.run(), ATTN_OK);
    call.expectRight();
  }
}

/// Writes down how many items a loop has, and runs them last first.
void recordLoop(void *context, int64_t count, void (*body)(void *argument, int64_t item, int32_t worker),
                void *argument) {
  static_cast<std::vector<int64_t> *>(context)->push_back(count);
  for (int64_t item = count; item-- > 0;)
    body(argument, item, 0);
}

TEST(EntryOrders, ALoopForPackingAndOneForEachStage) {
  std::vector<int64_t> loops;
  attn_executor executor = {&loops, 2, recordLoop};
  OrdersCall call({3, 4, 2, 10, 40}, 4);
  call.call.executor = &executor;
  call.prepare();
  ASSERT_EQ(call.run(), ATTN_OK);
  call.expectRight();
  // 40 keys are 3 blocks, for each of 2 key heads or of 4 heads; 10 keys of every fourth position are one. 10 rows are
  // 3 tiles of 4, and 3 rows of every fourth position are 2 of 2.
  EXPECT_EQ(loops, (std::vector<int64_t>{3 * (2 * 3 + 4 * 3 + 2 * 1), 3 * 4 * (2 + 3), 3 * 4 * 3, 3 * 4 * 3}));
}

TEST(EntryOrders, LseIsInTheWorkspaceWhereTheCallHasNone) {
  OrdersCall with({2, 4, 2, 40, 40}, 3), without({2, 4, 2, 40, 40}, 3);
  with.prepare();
  without.tensors[ATTN_LSE].data = nullptr;
  without.prepare();
  EXPECT_EQ(without.workspace.size(), with.workspace.size() + 2 * 4 * 40 * sizeof(float));
  ASSERT_EQ(without.run(), ATTN_OK);
  without.expectRight();
  EXPECT_TRUE(std::all_of(without.lse.begin(), without.lse.end(), [](float x) { return x == TestCall::kPoison; }));
}

TEST(EntryOrders, CapacitiesAreWhatProgramsSay) {
  OrdersCall call({1, 2, 1, 50, 41}, 4);
  call.prepare();
  attn_problem problem;
  ASSERT_EQ(attn_check_call(&fake_orders, &call.call, &problem), ATTN_OK);
  auto capacityOf = [&](int order) { return attn_capacity_of(&problem, &fake_orders.orders[order]); };
  EXPECT_EQ(capacityOf(ORDERS_QUERIES), 50);
  EXPECT_EQ(capacityOf(ORDERS_KEYS), 41);
  EXPECT_EQ(capacityOf(ORDERS_OWN_QUERIES), 13);
  EXPECT_EQ(capacityOf(ORDERS_KEYS_OF_HEAD), 41);
  EXPECT_EQ(capacityOf(ORDERS_SOME_KEYS), 11);
  EXPECT_EQ(attn_stages_of(&fake_orders), ORDERS_STAGES);
}

TEST(EntryOrders, CapacitiesThatDataDecideAreAllRows) {
  // Before run-time data are read, or where each head has its own number, an order has room for every row.
  const int64_t ofHead[] = {ATTN_SYMBOL, ATTN_FIXED_SYMBOLS + 1};
  attn_order order = fake_orders.orders[ORDERS_SOME_KEYS];
  OrdersCall call({1, 2, 1, 50, 41}, 4);
  call.prepare();
  attn_problem problem;
  ASSERT_EQ(attn_check_call(&fake_orders, &call.call, &problem), ATTN_OK);
  order.of_head = 1;
  EXPECT_EQ(attn_capacity_of(&problem, &order), 41);
  order.of_head = 0, order.count = ofHead;
  EXPECT_EQ(attn_capacity_of(&problem, &order), 41);
}

} // namespace
