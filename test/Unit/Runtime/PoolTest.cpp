// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The thread pool: each item once, each worker id in use once at a time, loops from several threads one after another.
#include "attn/Runtime/pool.h"

#include "gtest/gtest.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace {

struct DestroyPool {
  void operator()(attn_pool *pool) const { attn_pool_destroy(pool); }
};
using Pool = std::unique_ptr<attn_pool, DestroyPool>;

/// What a loop did: how often each item ran, and whether a worker id was ever in use twice at a time.
struct Log {
  Log(int64_t items, int32_t workers) : runs(items), inUse(workers) {}

  static void body(void *argument, int64_t item, int32_t worker) {
    Log &log = *static_cast<Log *>(argument);
    if (worker < 0 || worker >= int32_t(log.inUse.size()) || log.inUse[worker].exchange(true)) {
      log.isBroken = true;
      return;
    }
    ++log.runs[item];
    std::this_thread::yield();
    log.inUse[worker] = false;
  }

  void expectEachItemOnce() const {
    EXPECT_FALSE(isBroken);
    for (const std::atomic<int> &count : runs)
      EXPECT_EQ(count, 1);
  }

  std::vector<std::atomic<int>> runs;
  std::vector<std::atomic<bool>> inUse;
  std::atomic<bool> isBroken{false};
};

void runLoop(const attn_executor *executor, int64_t items) {
  Log log(items, executor->workers);
  executor->parallel_for(executor->context, items, Log::body, &log);
  log.expectEachItemOnce();
}

TEST(Pool, RunsEachItemOnce) {
  for (int32_t workers : {1, 2, 3, 8}) {
    Pool pool(attn_pool_create(workers));
    ASSERT_TRUE(pool);
    const attn_executor *executor = attn_pool_executor(pool.get());
    EXPECT_EQ(executor->workers, workers);
    for (int64_t items : {0, 1, 2, 7, 1000})
      runLoop(executor, items);
  }
}

TEST(Pool, RunsManyShortLoops) {
  Pool pool(attn_pool_create(4));
  for (int loop = 0; loop < 2000; ++loop)
    runLoop(attn_pool_executor(pool.get()), loop % 5);
}

TEST(Pool, SeveralThreadsTakeTurns) {
  Pool pool(attn_pool_create(3));
  // One log for all: a worker id that two loops use at a time is found.
  Log log(4 * 50 * 20, 3);
  std::atomic<int> next{0};
  struct Part {
    Log *log;
    int64_t first;
  };
  auto work = [&] {
    for (int loop = 0; loop < 50; ++loop) {
      Part part = {&log, 20 * next++};
      const attn_executor *executor = attn_pool_executor(pool.get());
      executor->parallel_for(
          executor->context, 20,
          [](void *argument, int64_t item, int32_t worker) {
            Part *part = static_cast<Part *>(argument);
            Log::body(part->log, part->first + item, worker);
          },
          &part);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back(work);
  for (std::thread &thread : threads)
    thread.join();
  log.expectEachItemOnce();
}

TEST(Pool, AllWorkersTakePart) {
  Pool pool(attn_pool_create(2));
  // Item 0 waits for item 1, so that one worker cannot do both.
  std::atomic<bool> isSecondDone{false};
  const attn_executor *executor = attn_pool_executor(pool.get());
  executor->parallel_for(
      executor->context, 2,
      [](void *argument, int64_t item, int32_t) {
        std::atomic<bool> &done = *static_cast<std::atomic<bool> *>(argument);
        if (item == 1)
          done = true;
        while (!done)
          std::this_thread::yield();
      },
      &isSecondDone);
  EXPECT_TRUE(isSecondDone);
}

TEST(Pool, RefusesFewerThanOneWorker) {
  EXPECT_EQ(attn_pool_create(0), nullptr);
  EXPECT_EQ(attn_pool_create(-4), nullptr);
  attn_pool_destroy(nullptr);
}

} // namespace
