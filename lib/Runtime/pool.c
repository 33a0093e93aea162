/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The thread pool of pool.h. A loop is announced under the mutex by raising `round`; each helper thread joins every
 * round once and reports when it finds no item left; the caller waits for all of them, so a loop never outlives its
 * call and the next one starts with every helper at rest.
 *
 * Who waits looks for a while before it sleeps: a call is several loops, one right behind the other, and to be woken up
 * takes as long as many items do.
 */
#include "attn/Runtime/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

typedef void (*item_body)(void *argument, int64_t item, int32_t worker);

enum { most_looks = 2000, cache_line = 64 }; /* 20 to 100 microseconds on x86 */

typedef struct helper {
  attn_pool *pool;
  pthread_t thread;
  int32_t worker;
} helper;

struct attn_pool {
  attn_executor executor;
  pthread_mutex_t loops; /* held by the thread whose loop runs */
  pthread_mutex_t mutex; /* held to announce, to stop, and to sleep; `body` .. `count` change only while helpers rest */
  pthread_cond_t started;
  pthread_cond_t finished;
  atomic_uint_least64_t round;
  atomic_int_least32_t busy; /* helpers that have not finished this round */
  atomic_int stopping;
  int32_t looks; /* before one sleeps; 0 if there are more workers than processors */
  item_body body;
  void *argument;
  int64_t count;
  char apart[cache_line]; /* waiters look at what is above, and `next` changes with each item */
  atomic_int_least64_t next;
  int32_t helper_count;
  helper helpers[];
};

static void work_off(attn_pool *pool, int32_t worker) {
  for (;;) {
    int64_t item = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
    if (item >= pool->count)
      return;
    pool->body(pool->argument, item, worker);
  }
}

static void pause_briefly(void) {
#ifdef __x86_64__
  __builtin_ia32_pause();
#endif
}

static int has_begun(attn_pool *pool, uint64_t seen) { return pool->round != seen || pool->stopping; }

/* Waits for a round after `seen`. Returns whether there is one; otherwise the pool stops. */
static int await_round(attn_pool *pool, uint64_t *seen) {
  for (int look = 0; look < pool->looks && !has_begun(pool, *seen); ++look)
    pause_briefly();
  if (!has_begun(pool, *seen)) {
    pthread_mutex_lock(&pool->mutex);
    while (!has_begun(pool, *seen))
      pthread_cond_wait(&pool->started, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
  }
  uint64_t round = pool->round;
  int is_round = round != *seen;
  *seen = round;
  return is_round;
}

/* The last one signals under the mutex, so that no one falls asleep in between. */
static void report_finished(attn_pool *pool) {
  if (atomic_fetch_sub(&pool->busy, 1) != 1)
    return;
  pthread_mutex_lock(&pool->mutex);
  pthread_cond_signal(&pool->finished);
  pthread_mutex_unlock(&pool->mutex);
}

static void *run_helper(void *argument) {
  helper *self = argument;
  uint64_t seen = 0;
  while (await_round(self->pool, &seen)) {
    work_off(self->pool, self->worker);
    report_finished(self->pool);
  }
  return NULL;
}

static void announce(attn_pool *pool, int64_t count, item_body body, void *argument) {
  pthread_mutex_lock(&pool->mutex);
  pool->body = body;
  pool->argument = argument;
  pool->count = count;
  atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
  pool->busy = pool->helper_count;
  ++pool->round;
  pthread_cond_broadcast(&pool->started);
  pthread_mutex_unlock(&pool->mutex);
}

static void await_helpers(attn_pool *pool) {
  for (int look = 0; look < pool->looks && pool->busy > 0; ++look)
    pause_briefly();
  if (pool->busy == 0)
    return;
  pthread_mutex_lock(&pool->mutex);
  while (pool->busy > 0)
    pthread_cond_wait(&pool->finished, &pool->mutex);
  pthread_mutex_unlock(&pool->mutex);
}

static void parallel_for(void *context, int64_t count, item_body body, void *argument) {
  attn_pool *pool = context;
  pthread_mutex_lock(&pool->loops);
  announce(pool, count, body, argument);
  work_off(pool, 0);
  await_helpers(pool);
  pthread_mutex_unlock(&pool->loops);
}

/* Starts one more helper; returns whether that went well. */
static int add_helper(attn_pool *pool) {
  helper *added = &pool->helpers[pool->helper_count];
  *added = (helper){.pool = pool, .worker = pool->helper_count + 1};
  if (pthread_create(&added->thread, NULL, run_helper, added) != 0)
    return 0;
  ++pool->helper_count;
  return 1;
}

attn_pool *attn_pool_create(int32_t workers) {
  if (workers < 1)
    return NULL;
  attn_pool *pool = calloc(1, sizeof(attn_pool) + (size_t)(workers - 1) * sizeof(helper));
  if (!pool)
    return NULL;
  pool->looks = workers <= sysconf(_SC_NPROCESSORS_ONLN) ? most_looks : 0;
  pool->executor = (attn_executor){.context = pool, .workers = workers, .parallel_for = parallel_for};
  pthread_mutex_init(&pool->loops, NULL);
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->started, NULL);
  pthread_cond_init(&pool->finished, NULL);
  while (pool->helper_count < workers - 1)
    if (!add_helper(pool)) {
      attn_pool_destroy(pool);
      return NULL;
    }
  return pool;
}

const attn_executor *attn_pool_executor(const attn_pool *pool) { return &pool->executor; }

void attn_pool_destroy(attn_pool *pool) {
  if (!pool)
    return;
  pthread_mutex_lock(&pool->mutex);
  pool->stopping = 1;
  pthread_cond_broadcast(&pool->started);
  pthread_mutex_unlock(&pool->mutex);
  for (int32_t i = 0; i < pool->helper_count; ++i)
    pthread_join(pool->helpers[i].thread, NULL);
  pthread_cond_destroy(&pool->finished);
  pthread_cond_destroy(&pool->started);
  pthread_mutex_destroy(&pool->mutex);
  pthread_mutex_destroy(&pool->loops);
  free(pool);
}
