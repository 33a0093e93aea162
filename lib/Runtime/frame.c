/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Lays out the workspace of a GPU call and writes down, section by section, who is to find it.
 */
#include "frame.h"

#include <string.h>

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

static int64_t word_count(const attn_kernel *kernel) {
  return (int64_t)kernel->symbol_count + ATTN_GPU_WORDS + 4 * (int64_t)kernel->view_count;
}

static int64_t *word(const attn_problem *p, attn_frame *f, enum attn_gpu_word index) {
  return &f->words[p->kernel->symbol_count + index];
}

static const int64_t *view_of(const attn_problem *p, const attn_frame *f, int32_t view) {
  return &f->words[p->kernel->symbol_count + ATTN_GPU_WORDS + 4 * view];
}

static void set_view(const attn_problem *p, attn_frame *f, int32_t view, const void *data, const int64_t strides[3]) {
  if (view < 0)
    return;
  int64_t *words = (int64_t *)view_of(p, f, view);
  words[0] = (int64_t)(intptr_t)data;
  memcpy(words + 1, strides, 3 * sizeof(int64_t));
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
    if (attn_is_run_time_data(p, i)) {
      attn_device_values values = values_of(p, defaults, i);
      set_view(p, f, i, values.data, (int64_t[]){values.stride, values.size, 0});
    } else if (attn_is_given(p, i)) {
      set_view(p, f, i, p->call->tensors[i].data, p->call->tensors[i].strides);
    }
  }
}

/*===---- What the prologue makes -------------------------------------------------------------------------------===*/

/* A table with a row of `size` entries for each batch, or one row for all of them. */
static attn_device_table take_table(const attn_problem *p, attn_frame *f, int32_t view, int is_shared, int64_t size) {
  attn_device_table table = {take(f, (is_shared ? 1 : p->batch) * size, sizeof(int32_t)), is_shared ? 0 : size};
  set_view(p, f, view, table.data, (int64_t[]){table.stride, 0, 0});
  return table;
}

static attn_device_table table_of(const attn_problem *p, const attn_frame *f, int32_t view) {
  const int64_t *words = view_of(p, f, view);
  return (attn_device_table){(int32_t *)(intptr_t)words[0], words[1]};
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

static void add_lengths_job(const attn_problem *p, attn_device_address defaults, attn_frame *f, int32_t tensor) {
  f->jobs.jobs[f->job_count++] =
      (attn_job){.kind = ATTN_JOB_LENGTHS, .values = values_of(p, defaults, tensor), .most = attn_most_keys(p)};
}

static void take_match(const attn_problem *p, attn_frame *f, const attn_match *match) {
  int is_shared = attn_is_shared(p, &p->kernel->orders[match->query_order]);
  take_table(p, f, match->begin_view, is_shared, p->length);
  take_table(p, f, match->end_view, is_shared, p->length);
}

static void take_sections(const attn_problem *p, attn_device_address defaults, attn_frame *f) {
  const attn_kernel *kernel = p->kernel;
  f->jobs.status = take(f, 1, sizeof(int32_t));
  f->jobs.batch = p->batch;
  *word(p, f, ATTN_GPU_STATUS) = (int64_t)(intptr_t)f->jobs.status;
  *word(p, f, ATTN_GPU_ORDERS) = (int64_t)(intptr_t)take(f, p->batch * kernel->order_count, sizeof(attn_gpu_order));
  for (int32_t i = 0; i < kernel->order_count; ++i)
    if (attn_is_tabled(&kernel->orders[i]))
      add_order_job(p, defaults, f, i);
  for (int32_t i = 0; i < p->info->tensor_count; ++i)
    if (p->info->tensors[i].role == ATTN_LENGTHS)
      add_lengths_job(p, defaults, f, i);
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

int attn_fits_launch(const attn_kernel *kernel) {
  int32_t jobs = 0;
  for (int32_t i = 0; i < kernel->order_count; ++i)
    jobs += attn_is_tabled(&kernel->orders[i]);
  for (int32_t i = 0; i < kernel->info->tensor_count; ++i)
    jobs += kernel->info->tensors[i].role == ATTN_LENGTHS;
  return jobs <= ATTN_MAX_JOBS && word_count(kernel) <= ATTN_GPU_MAX_WORDS;
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
  if (attn_has_run_time_data(p->kernel))
    take_sections(p, defaults, f);
}
