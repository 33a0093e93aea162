/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * A small thread pool that serves as a call's executor. Kernels know no threads: they hand loops to an attn_executor,
 * and a program that has a pool of its own passes that one. This pool is for programs that have none.
 *
 *   attn_pool *pool = attn_pool_create(8);
 *   call.executor = attn_pool_executor(pool);
 *   ... any number of calls ...
 *   attn_pool_destroy(pool);
 *
 * The thread that calls parallel_for is worker 0 and works along; the pool adds the other workers - 1 threads, which
 * look for the next loop for a moment and then sleep. Items are handed out one at a time by an atomic counter, in
 * ascending order, so that long and short items even out. A loop ends when its last item has; what the items wrote is
 * then visible to the caller.
 *
 * Several threads may share a pool: their loops run one after another, so a worker id is in use once at a time. A loop
 * may not start another loop on its own pool from inside an item.
 */
#ifndef ATTN_RUNTIME_POOL_H
#define ATTN_RUNTIME_POOL_H

#include "attn/Runtime/attn.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct attn_pool attn_pool;

/* A pool of `workers` workers, the calling thread among them. NULL where workers is below 1, or where memory or threads
 * are not to be had. */
attn_pool *attn_pool_create(int32_t workers);

/* What to put into attn_call.executor; lives as long as the pool. */
const attn_executor *attn_pool_executor(const attn_pool *pool);

/* Ends the pool's threads; no loop may be running. NULL is allowed. */
void attn_pool_destroy(attn_pool *pool);

#ifdef __cplusplus
}
#endif
#endif /* ATTN_RUNTIME_POOL_H */
