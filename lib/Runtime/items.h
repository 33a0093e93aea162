/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Runs the items of a CPU call, on the caller's executor where it has one.
 */
#ifndef ATTN_LIB_RUNTIME_ITEMS_H
#define ATTN_LIB_RUNTIME_ITEMS_H

#include "attn/Runtime/attn.h"

typedef void (*attn_item_body)(void *argument, int64_t item, int32_t worker);

static inline void attn_for_each(const attn_executor *executor, int64_t count, attn_item_body body, void *argument) {
  if (executor && executor->parallel_for) {
    executor->parallel_for(executor->context, count, body, argument);
    return;
  }
  for (int64_t item = 0; item < count; ++item)
    body(argument, item, 0);
}

#endif /* ATTN_LIB_RUNTIME_ITEMS_H */
