/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Lays out the workspace of a GPU call and writes down, section by section, who is to find it.
 */
#include "frame.h"
#include "gpu_linear.h"
#include "program.h"

#include <string.h>

static int64_t greatest(int64_t a, int64_t b) { return a > b ? a : b; }

/* Hands out a section. A total that size_t cannot hold stays at SIZE_MAX, which no workspace has. */
static void *take(attn_frame *f, int64_t count, int64_t element_size) {
  const size_t mask = ATTN_FRAME_ALIGNMENT - 1;
  void *section = (void *)(f->base + f->used);
  size_t bytes;
  if (__builtin_mul_overflow((size_t)count, (size_t)element_size, &bytes) || bytes > SIZE_MAX - mask ||
      __builtin_add_overflow(f->used, (bytes + mask) & ~mask, &f->used))
    f->used = SIZE_MAX;
  return section;
}

/*===---- Words -------------------------------------------------------------------------------------------------===*/

/* Behind all views. */
static int64_t linear_words(const attn_kernel *kernel) {
  return (int64_t)kernel->symbol_count + ATTN_GPU_WORDS + ATTN_GPU_VIEW_WORDS * (int64_t)kernel->view_count;
}

static int64_t word_count(const attn_kernel *kernel) {
  return linear_words(kernel) + (kernel->linear ? ATTN_GPU_LINEAR_WORDS : 0);
}

static int64_t *word(const attn_problem *p, attn_frame *f, enum attn_gpu_word index) {
  return &f->words[p->kernel->symbol_count + index];
}

static const int64_t *view_of(const attn_problem *p, const attn_frame *f, int32_t view) {
  return &f->words[p->kernel->symbol_count + ATTN_GPU_WORDS + ATTN_GPU_VIEW_WORDS * view];
}

static void set_view(const attn_problem *p, attn_frame *f, int32_t index, attn_view view) {
  if (index < 0)
    return;
  int64_t *words = (int64_t *)view_of(p, f, index);
  words[ATTN_GPU_VIEW_ADDRESS] = (int64_t)(intptr_t)view.data;
  memcpy(words + ATTN_GPU_VIEW_STRIDES, view.strides, sizeof(view.strides));
  memcpy(words + ATTN_GPU_VIEW_SHAPE, view.shape, sizeof(view.shape));
}

static void write_symbols(const attn_problem *p, attn_frame *f) {
  attn_write_symbols(p, f->words);
  for (int32_t o = 0; o < p->kernel->order_count; ++o) {
    const attn_order *order = &p->kernel->orders[o];
    if (!attn_is_tabled(order))
      f->words[order->count_symbol] = attn_side_of(p, order->side).count;
  }
}

/*===---- The call's tensors ------------------------------------------------------------------------------------===*/

static attn_device_values values_of(const attn_problem *p, attn_device_address defaults, int32_t tensor) {
  attn_values values = attn_values_of(p, tensor);
  if (!attn_is_given(p, tensor))
    values.data = (const int32_t *)(uintptr_t)(defaults + attn_defaults_before(p->info, tensor) * sizeof(int32_t));
  return (attn_device_values){values.data, values.size, values.batch_stride};
}

static void write_views(const attn_problem *p, attn_device_address defaults, attn_frame *f) {
  for (int32_t i = 0; i < p->info->tensor_count; ++i) {
    attn_view view = attn_view_of(p, i);
    if (attn_is_run_time_data(p, i) && !attn_is_given(p, i))
      view.data = (void *)values_of(p, defaults, i).data;
    set_view(p, f, i, view);
  }
}

/*===---- What the prologue makes -------------------------------------------------------------------------------===*/

/* A table with a row of `size` entries for each batch, or one row for all of them. */
static attn_device_table take_table(const attn_problem *p, attn_frame *f, int32_t view, int is_shared, int64_t size) {
  attn_device_table table = {take(f, (is_shared ? 1 : p->batch) * size, sizeof(int32_t)), is_shared ? 0 : size};
  set_view(p, f, view,
           (attn_view){.data = table.data, .shape = {p->batch, 1, 1, size}, .strides = {table.stride, 0, 0, 1}});
  return table;
}

static attn_device_table table_of(const attn_problem *p, const attn_frame *f, int32_t view) {
  const int64_t *words = view_of(p, f, view);
  return (attn_device_table){(int32_t *)(intptr_t)words[ATTN_GPU_VIEW_ADDRESS], words[ATTN_GPU_VIEW_STRIDES]};
}

static attn_gpu_order *order_of(const attn_problem *p, const attn_frame *f, int32_t index) {
  return (attn_gpu_order *)(intptr_t)f->words[p->kernel->symbol_count + ATTN_GPU_ORDERS] + index;
}

/* Lists are made out of their flags; the flags of a sorted order are made where something asks for them. */
static void add_order_job(const attn_problem *p, attn_device_address defaults, attn_frame *f, int32_t index) {
  const attn_order *order = &p->kernel->orders[index];
  int is_list = order->kind == ATTN_ORDER_LISTED, is_shared = attn_is_shared(p, order);
  attn_job *job = &f->jobs.jobs[f->job_count++];
  *job = (attn_job){.kind = is_list ? ATTN_JOB_LIST : ATTN_JOB_SORT,
                    .order_stride = p->kernel->order_count,
                    .order = order_of(p, f, index),
                    .values = values_of(p, defaults, order->tensor),
                    .most = attn_last_token(p, order->tensor),
                    .side = attn_side_of(p, order->side),
                    .counts_all = order->side == ATTN_QUERIES};
  job->rows = take_table(p, f, order->rows_view, is_shared, attn_capacity_of(p, order));
  if (is_list || order->flags_view >= 0)
    job->flags = take_table(p, f, order->flags_view, is_shared, attn_ceil_div(job->side.count, 32));
  if (!is_list)
    job->scratch = take_table(p, f, -1, is_shared, job->side.count);
}

static int has_check(const attn_tensor_info *info) {
  return info->role == ATTN_LENGTHS || info->role == ATTN_PER_HEAD || info->role == ATTN_BLOCKS;
}

/* Lengths, and numbers for each head. */
static void add_values_check(const attn_problem *p, attn_device_address defaults, attn_frame *f, int32_t tensor) {
  const attn_tensor_info *info = &p->info->tensors[tensor];
  int is_per_head = info->role == ATTN_PER_HEAD;
  f->jobs.jobs[f->job_count++] = (attn_job){.kind = ATTN_JOB_CHECK,
                                            .values = values_of(p, defaults, tensor),
                                            .least = is_per_head ? info->minimum : 0,
                                            .most = is_per_head ? INT32_MAX : attn_most_keys(p),
                                            .reason = is_per_head ? ATTN_ERROR_PER_HEAD : ATTN_ERROR_LENGTH,
                                            .lines = {1, 1}};
}

/* The largest block that any head may name, by one way to read the table; any at all where run-time data say how large
 * blocks are. */
static int64_t last_block_read_by(const attn_problem *p, const attn_block_table *reading) {
  int64_t last = -1;
  if (attn_reads_data(p->kernel, reading->block))
    return INT32_MAX;
  for (int64_t h = 0; h < p->heads; ++h) {
    int64_t size = attn_evaluate(p, reading->block, 0, h);
    last = greatest(last, attn_last_block(p, greatest(size, 1)));
  }
  return last;
}

static int64_t last_block(const attn_problem *p, int32_t tensor) {
  int64_t last = -1;
  for (int32_t i = 0; i < p->kernel->block_table_count; ++i)
    if (p->kernel->block_tables[i].tensor == tensor)
      last = greatest(last, last_block_read_by(p, &p->kernel->block_tables[i]));
  return last;
}

static void add_blocks_check(const attn_problem *p, attn_frame *f, int32_t tensor) {
  attn_view table = attn_view_of(p, tensor);
  f->jobs.jobs[f->job_count++] = (attn_job){.kind = ATTN_JOB_CHECK,
                                            .values = {table.data, table.shape[3], table.strides[0]},
                                            .least = -1,
                                            .most = last_block(p, tensor),
                                            .reason = ATTN_ERROR_BLOCKS,
                                            .lines = {table.shape[1], table.shape[2]},
                                            .line_strides = {table.strides[1], table.strides[2]}};
}

static void add_check(const attn_problem *p, attn_device_address defaults, attn_frame *f, int32_t tensor) {
  if (p->info->tensors[tensor].role == ATTN_BLOCKS)
    add_blocks_check(p, f, tensor);
  else
    add_values_check(p, defaults, f, tensor);
}

static void add_offsets_job(const attn_problem *p, attn_device_address defaults, attn_frame *f,
                            const attn_offsets *offsets) {
  attn_device_values ids = values_of(p, defaults, offsets->tensor);
  attn_job *job = &f->jobs.jobs[f->job_count++];
  *job = (attn_job){.kind = ATTN_JOB_OFFSETS, .values = ids, .side = {0, ids.size}};
  job->rows = take_table(p, f, -1, ids.stride == 0, ids.size);
  job->scratch = take_table(p, f, offsets->view, ids.stride == 0, ids.size);
}

static void take_match(const attn_problem *p, attn_frame *f, const attn_match *match) {
  int is_shared = attn_is_shared(p, &p->kernel->orders[match->query_order]);
  take_table(p, f, match->begin_view, is_shared, p->length);
  take_table(p, f, match->end_view, is_shared, p->length);
}

static void take_states(const attn_problem *p, attn_frame *f) {
  int64_t *words = f->words + linear_words(p->kernel);
  attn_key_splits splits = attn_split_keys(p);
  words[ATTN_GPU_STATES] = (int64_t)(intptr_t)take(f, p->batch * p->kv_heads * (splits.count + 1),
                                                   attn_linear_state_size(p->kernel) * (int64_t)sizeof(float));
  words[ATTN_GPU_SPLITS] = splits.count;
  words[ATTN_GPU_SPLIT_KEYS] = splits.keys;
  words[ATTN_GPU_LEAD] = splits.lead;
}

static void take_lse(const attn_problem *p, attn_frame *f) {
  int64_t rows = p->heads * p->length;
  set_view(p, f, ATTN_LSE,
           (attn_view){.data = take(f, p->batch * rows, sizeof(float)),
                       .shape = {p->batch, p->heads, p->length, 1},
                       .strides = {rows, p->length, 1, 1}});
}

static void take_status(const attn_problem *p, attn_frame *f) {
  f->jobs.status = take(f, 1, sizeof(int32_t));
  *word(p, f, ATTN_GPU_STATUS) = (int64_t)(intptr_t)f->jobs.status;
}

static void take_sections(const attn_problem *p, attn_device_address defaults, attn_frame *f) {
  const attn_kernel *kernel = p->kernel;
  f->jobs.batch = p->batch;
  *word(p, f, ATTN_GPU_ORDERS) = (int64_t)(intptr_t)take(f, p->batch * kernel->order_count, sizeof(attn_gpu_order));
  for (int32_t i = 0; i < kernel->order_count; ++i)
    if (attn_is_tabled(&kernel->orders[i]))
      add_order_job(p, defaults, f, i);
  for (int32_t i = 0; i < kernel->offsets_count; ++i)
    add_offsets_job(p, defaults, f, &kernel->offsets[i]);
  for (int32_t i = 0; i < p->info->tensor_count; ++i)
    if (has_check(&p->info->tensors[i]))
      add_check(p, defaults, f, i);
  for (int32_t i = 0; i < kernel->match_count; ++i)
    take_match(p, f, &kernel->matches[i]);
}

static attn_device_ranks ranks_of(const attn_problem *p, const attn_frame *f, int32_t index) {
  const attn_order *order = &p->kernel->orders[index];
  return (attn_device_ranks){order_of(p, f, index), table_of(p, f, order->rows_view),
                             attn_side_of(p, order->side).offset};
}

attn_match_job attn_match_job_of(const attn_problem *p, const attn_frame *f, const attn_match *match) {
  int32_t tensor = p->kernel->orders[match->query_order].tensor;
  const int64_t *ids = view_of(p, f, tensor);
  return (attn_match_job){.ids = {(const int32_t *)(intptr_t)ids[0], attn_values_of(p, tensor).size, ids[1]},
                          .queries = ranks_of(p, f, match->query_order),
                          .keys = ranks_of(p, f, match->key_order),
                          .query_count = p->length,
                          .begin = table_of(p, f, match->begin_view),
                          .end = table_of(p, f, match->end_view),
                          .order_stride = p->kernel->order_count,
                          .blocks_per_batch = (int32_t)attn_ceil_div(p->length, ATTN_MATCH_THREADS)};
}

/*===---- The frame ---------------------------------------------------------------------------------------------===*/

static int has_computed_orders(const attn_kernel *kernel) {
  int has = 0;
  for (int32_t i = 0; i < kernel->order_count; ++i)
    has |= kernel->orders[i].kind == ATTN_ORDER_CLASSES || kernel->orders[i].kind == ATTN_ORDER_REMAINDERS;
  return has;
}

int attn_fits_launch(const attn_kernel *kernel) {
  int64_t most_words = has_computed_orders(kernel) ? ATTN_GPU_MAX_WORDS_COMPUTED : ATTN_GPU_MAX_WORDS;
  int32_t jobs = kernel->offsets_count;
  for (int32_t i = 0; i < kernel->order_count; ++i)
    jobs += attn_is_tabled(&kernel->orders[i]);
  for (int32_t i = 0; i < kernel->info->tensor_count; ++i)
    jobs += has_check(&kernel->info->tensors[i]);
  return jobs <= ATTN_MAX_JOBS && word_count(kernel) <= most_words;
}

void attn_fill_frame(const attn_problem *p, uintptr_t base, attn_device_address defaults, attn_frame *f) {
  memset(f->words, 0, (size_t)word_count(p->kernel) * sizeof(int64_t));
  f->base = base;
  f->used = 0;
  f->job_count = 0;
  write_symbols(p, f);
  write_views(p, defaults, f);
  *word(p, f, ATTN_GPU_BATCH) = p->batch;
  *word(p, f, ATTN_GPU_HEADS) = p->heads;
  *word(p, f, ATTN_GPU_KV_HEADS) = p->kv_heads;
  *word(p, f, ATTN_GPU_KV_HEAD_FACTOR) = attn_ceil_div((int64_t)1 << 32, p->heads / p->kv_heads);
  if (attn_has_workspace(p))
    take_status(p, f);
  if (attn_keeps_lse(p))
    take_lse(p, f);
  if (attn_has_run_time_data(p->kernel))
    take_sections(p, defaults, f);
  if (p->kernel->linear)
    take_states(p, f);
}
