/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The launches of linear attention on a GPU; gpu_linear.h says how its keys are split.
 */
#include "gpu_linear.h"

static int64_t greatest(int64_t a, int64_t b) { return a > b ? a : b; }

/*===---- Splits ------------------------------------------------------------------------------------------------===*/

/* Of so many keys at least, and not so many splits that adding them up counts. */
static attn_key_splits split_evenly(const attn_problem *p) {
  enum { LEAST_KEYS = 256, MOST_SPLITS = 256 };
  int64_t keys = attn_round_up(greatest(attn_ceil_div(p->kv_length, MOST_SPLITS), LEAST_KEYS), ATTN_LINEAR_CHUNK);
  return (attn_key_splits){attn_ceil_div(p->kv_length, keys), keys, 0};
}

/* Chunks of keys begin where a chunk of rows does: beside row 0, or whole chunks away from there. */
static attn_key_splits split_beside_rows(const attn_problem *p) {
  const int64_t chunk = ATTN_LINEAR_CHUNK;
  int64_t past = (p->query_offset - p->key_offset) % chunk, lead = past > 0 ? chunk - past : -past;
  int64_t keys = attn_round_up(p->info->head_size, chunk);
  return (attn_key_splits){p->kv_length > 0 ? attn_ceil_div(p->kv_length + lead, keys) : 0, keys, lead};
}

attn_key_splits attn_split_keys(const attn_problem *p) {
  return p->kernel->linear->form == ATTN_LINEAR_FULL ? split_evenly(p) : split_beside_rows(p);
}

/*===---- Launches ----------------------------------------------------------------------------------------------===*/

/* Items, of which each has `size` of what a block takes `tile` of; -1 where no grid holds the blocks. */
static int64_t blocks_for(int64_t batch, int64_t heads, int64_t parts, int64_t size, int64_t tile) {
  int64_t blocks = attn_ceil_div(size, tile);
  int is_right = !__builtin_mul_overflow(blocks, parts, &blocks) && !__builtin_mul_overflow(blocks, heads, &blocks) &&
                 !__builtin_mul_overflow(blocks, batch, &blocks) && blocks <= INT32_MAX;
  return is_right ? blocks : -1;
}

typedef struct linear_blocks {
  int64_t absorb, sum, rows;
} linear_blocks;

static linear_blocks blocks_of(const attn_problem *p) {
  const attn_gpu_linear *code = p->kernel->gpu->linear;
  const int64_t state_rows = p->kernel->linear->state_rows, state_size = attn_linear_state_size(p->kernel);
  return (linear_blocks){
      blocks_for(p->batch, p->kv_heads, attn_split_keys(p).count, state_rows, code->absorb.tile_rows),
      blocks_for(p->batch, p->kv_heads, 1, state_size, code->sum.tile_rows),
      blocks_for(p->batch, p->heads, 1, p->length, code->rows.tile_rows)};
}

int attn_check_linear_blocks(const attn_problem *p) {
  linear_blocks blocks = blocks_of(p);
  return blocks.absorb >= 0 && blocks.sum >= 0 && blocks.rows >= 0 ? ATTN_OK : ATTN_ERROR_SHAPE;
}

static int launch(const attn_problem *p, const attn_handle *handle, const attn_frame *frame,
                  const attn_gpu_function *function, const attn_loaded_function *loaded, int64_t blocks) {
  void *parameters[] = {(void *)frame->words};
  attn_launch config = {.grid = {(unsigned)blocks, 1, 1},
                        .block = {(unsigned)function->threads, 1, 1},
                        .shared_bytes = (unsigned)function->shared_bytes,
                        .stream = p->call->stream};
  if (blocks == 0)
    return ATTN_OK;
  return handle->driver->launch(&config, loaded->function, parameters, NULL) == CUDA_SUCCESS ? ATTN_OK
                                                                                             : ATTN_ERROR_LAUNCH;
}

int attn_launch_linear(const attn_problem *p, const attn_handle *handle, const attn_frame *frame) {
  const attn_gpu_linear *code = p->kernel->gpu->linear;
  const attn_loaded_linear *loaded = &handle->linear;
  const linear_blocks blocks = blocks_of(p);
  int status = launch(p, handle, frame, &code->absorb, &loaded->absorb, blocks.absorb);
  if (status == ATTN_OK)
    status = launch(p, handle, frame, &code->sum, &loaded->sum, blocks.sum);
  return status == ATTN_OK ? launch(p, handle, frame, &code->rows, &loaded->rows, blocks.rows) : status;
}
