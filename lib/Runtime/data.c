/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Checks tokens and lengths value by value.
 */
#include "data.h"

/* Whether all values of a tensor lie in [low, high]. */
static int holds_within(const attn_problem *p, int32_t tensor, int64_t low, int64_t high) {
  attn_values values = attn_values_of(p, tensor);
  for (int64_t b = 0; b < (values.batch_stride ? p->batch : 1); ++b)
    for (int64_t i = 0; i < values.size; ++i)
      if (attn_row_of(values, b)[i] < low || attn_row_of(values, b)[i] > high)
        return 0;
  return 1;
}

static int check_tensor(const attn_problem *p, int32_t tensor) {
  switch (p->info->tensors[tensor].role) {
  case ATTN_TOKENS:
    return holds_within(p, tensor, -1, attn_last_token(p, tensor)) ? ATTN_OK : ATTN_ERROR_TOKEN;
  case ATTN_LENGTHS:
    return holds_within(p, tensor, 0, attn_most_keys(p)) ? ATTN_OK : ATTN_ERROR_LENGTH;
  default:
    return ATTN_OK;
  }
}

int attn_check_data(const attn_problem *p) {
  for (int32_t i = ATTN_LSE + 1; i < p->info->tensor_count; ++i) {
    int status = check_tensor(p, i);
    if (status != ATTN_OK)
      return status;
  }
  return ATTN_OK;
}
