/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Checks run-time data value by value.
 */
#include "data.h"
#include "program.h"

/* Whether all values of a row lie in [low, high]. */
static int row_holds_within(const int32_t *row, int64_t size, int64_t low, int64_t high) {
  for (int64_t i = 0; i < size; ++i)
    if (row[i] < low || row[i] > high)
      return 0;
  return 1;
}

/* Whether all values of a tensor do. */
static int holds_within(const attn_problem *p, int32_t tensor, int64_t low, int64_t high) {
  attn_values values = attn_values_of(p, tensor);
  for (int64_t b = 0; b < (values.batch_stride ? p->batch : 1); ++b)
    if (!row_holds_within(attn_row_of(values, b), values.size, low, high))
      return 0;
  return 1;
}

static int check_values(const attn_problem *p, int32_t tensor) {
  const attn_tensor_info *info = &p->info->tensors[tensor];
  switch (info->role) {
  case ATTN_TOKENS:
    return holds_within(p, tensor, -1, attn_last_token(p, tensor)) ? ATTN_OK : ATTN_ERROR_TOKEN;
  case ATTN_LENGTHS:
    return holds_within(p, tensor, 0, attn_most_keys(p)) ? ATTN_OK : ATTN_ERROR_LENGTH;
  case ATTN_PER_HEAD:
    return holds_within(p, tensor, info->minimum, INT32_MAX) ? ATTN_OK : ATTN_ERROR_PER_HEAD;
  default:
    return ATTN_OK;
  }
}

/*===---- Blocks ------------------------------------------------------------------------------------------------===*/

static int head_holds_blocks(const attn_view *table, int64_t batch, int64_t head, int64_t last) {
  const int32_t *rows = (const int32_t *)table->data + batch * table->strides[0] + head * table->strides[1];
  for (int64_t row = 0; row < table->shape[2]; ++row)
    if (!row_holds_within(rows + row * table->strides[2], table->shape[3], -1, last))
      return 0;
  return 1;
}

static int check_blocks(const attn_problem *p, const attn_block_table *blocks) {
  attn_view table = attn_view_of(p, blocks->tensor);
  for (int64_t b = 0; b < p->batch; ++b)
    for (int64_t h = 0; h < p->heads; ++h) {
      int64_t block = attn_evaluate(p, blocks->block, b, h);
      if (!head_holds_blocks(&table, b, h, attn_last_block(p, block < 1 ? 1 : block)))
        return ATTN_ERROR_BLOCKS;
    }
  return ATTN_OK;
}

/*===---- All of it ---------------------------------------------------------------------------------------------===*/

int attn_check_data(const attn_problem *p) {
  int64_t numbers[2];
  int status = ATTN_OK;
  for (int32_t i = ATTN_LSE + 1; i < p->info->tensor_count && status == ATTN_OK; ++i)
    status = check_values(p, i);
  for (int32_t i = 0; i < p->kernel->block_table_count && status == ATTN_OK; ++i)
    status = check_blocks(p, &p->kernel->block_tables[i]);
  if (status != ATTN_OK)
    return status;
  return attn_broken_requirement(p, /*with_data=*/1, numbers) < 0 ? ATTN_OK : ATTN_ERROR_REQUIREMENT;
}
