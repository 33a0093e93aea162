/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Lays out the workspace of a CPU call; workspace.h lists its sections.
 */
#include "workspace.h"

#include <string.h>

/* Hands out a section of count elements. A total that size_t cannot hold stays at SIZE_MAX, which no workspace has. */
static void *take(attn_workspace *w, int64_t count, int64_t element_size) {
  const size_t mask = ATTN_SECTION_ALIGNMENT - 1;
  void *section = w->base ? w->base + w->used : NULL;
  size_t bytes;
  if (__builtin_mul_overflow((size_t)count, (size_t)element_size, &bytes) || bytes > SIZE_MAX - mask ||
      __builtin_add_overflow(w->used, (bytes + mask) & ~mask, &w->used))
    w->used = SIZE_MAX;
  return section;
}

static void set_view(attn_workspace *w, int32_t index, attn_view view) {
  if (!w->base || index < 0)
    return;
  view.allocated = view.data;
  w->views[index] = view;
}

/*===---- The call's tensors ------------------------------------------------------------------------------------===*/

static attn_view view_of_values(const attn_problem *p, int32_t index) {
  attn_values v = attn_values_of(p, index);
  return (attn_view){.data = (void *)v.data, .shape = {p->batch, 1, 1, v.size}, .strides = {v.batch_stride, 0, 0, 1}};
}

static attn_view view_of_lse(const attn_problem *p) {
  attn_view view = {.shape = {p->batch, p->heads, p->length, 1}, .strides = {0, 0, 0, 1}};
  if (attn_is_given(p, ATTN_LSE)) {
    const attn_tensor *lse = &p->call->tensors[ATTN_LSE];
    view.data = lse->data;
    memcpy(view.strides, lse->strides, 3 * sizeof(int64_t));
  }
  return view;
}

static attn_view view_of_rows(const attn_problem *p, int32_t index) {
  const attn_tensor *tensor = &p->call->tensors[index];
  attn_view view = {.data = tensor->data};
  memcpy(view.shape, tensor->shape, sizeof(view.shape));
  memcpy(view.strides, tensor->strides, sizeof(view.strides));
  view.strides[3] = 1; /* that of a single column may have been anything */
  return view;
}

static attn_view view_of_tensor(const attn_problem *p, int32_t index) {
  if (index == ATTN_LSE)
    return view_of_lse(p);
  return attn_is_run_time_data(p, index) ? view_of_values(p, index) : view_of_rows(p, index);
}

/*===---- What the call makes for itself ------------------------------------------------------------------------===*/

/* A table with a row of `size` entries for each batch, or one row for all of them. */
static attn_table take_table(const attn_problem *p, attn_workspace *w, int32_t view, int is_shared, int64_t size) {
  int64_t stride = is_shared ? 0 : size;
  attn_table table = {take(w, (is_shared ? 1 : p->batch) * size, sizeof(int32_t)), stride};
  set_view(w, view, (attn_view){.data = table.data, .shape = {p->batch, 1, 1, size}, .strides = {stride, 0, 0, 1}});
  return table;
}

static void take_order_tables(const attn_problem *p, attn_workspace *w, int32_t index) {
  const attn_order *order = &p->kernel->orders[index];
  int is_shared = attn_is_shared(p, order);
  attn_table rows = take_table(p, w, order->rows_view, is_shared, attn_capacity_of(p, order));
  attn_table flags = take_table(p, w, order->flags_view, is_shared, attn_side_of(p, order->side).count);
  if (w->base)
    w->orders[index] = (attn_order_tables){rows, flags};
}

static void take_match_tables(const attn_problem *p, attn_workspace *w, int32_t index) {
  const attn_match *match = &p->kernel->matches[index];
  int is_shared = attn_is_shared(p, &p->kernel->orders[match->query_order]);
  attn_table begin = take_table(p, w, match->begin_view, is_shared, p->length);
  attn_table end = take_table(p, w, match->end_view, is_shared, p->length);
  if (w->base)
    w->matches[index] = (attn_match_tables){begin, end};
}

/* float [batch, kv_heads, rows, row_size] */
static void take_packed(const attn_problem *p, attn_workspace *w, int32_t view, int64_t rows, int64_t row_size) {
  void *data = take(w, p->batch * p->kv_heads * rows, row_size * (int64_t)sizeof(float));
  set_view(w, view,
           (attn_view){.data = data,
                       .shape = {p->batch, p->kv_heads, rows, row_size},
                       .strides = {p->kv_heads * rows * row_size, rows * row_size, row_size, 1}});
}

static void take_order(const attn_problem *p, attn_workspace *w, int32_t index) {
  const attn_cpu_code *cpu = p->kernel->cpu;
  const attn_order *order = &p->kernel->orders[index];
  if (attn_is_tabled(order))
    take_order_tables(p, w, index);
  if (order->key_view < 0)
    return;
  int64_t keys = attn_round_up(attn_capacity_of(p, order), cpu->key_granule);
  take_packed(p, w, order->key_view, attn_ceil_div(keys, cpu->panel_keys), cpu->panel_stride);
  take_packed(p, w, order->value_view, keys, cpu->value_stride);
}

static int64_t sorted_rows(const attn_problem *p) {
  int64_t rows = 0;
  for (int32_t o = 0; o < p->kernel->order_count; ++o) {
    const attn_order *order = &p->kernel->orders[o];
    if (order->kind == ATTN_ORDER_SORTED && attn_capacity_of(p, order) > rows)
      rows = attn_capacity_of(p, order);
  }
  return rows;
}

static int32_t workers_of(const attn_executor *executor) {
  return executor && executor->parallel_for && executor->workers > 1 ? executor->workers : 1;
}

attn_workspace attn_lay_out(const attn_problem *p, const attn_version *version, void *base) {
  const attn_kernel *kernel = p->kernel;
  attn_workspace w = {.base = base};
  w.views = take(&w, kernel->view_count, sizeof(attn_view));
  w.symbols = take(&w, p->batch * kernel->symbol_count, sizeof(int64_t));
  w.orders = take(&w, kernel->order_count, sizeof(attn_order_tables));
  w.matches = take(&w, kernel->match_count, sizeof(attn_match_tables));
  for (int32_t i = 0; i < p->info->tensor_count; ++i)
    set_view(&w, i, view_of_tensor(p, i));
  for (int32_t i = 0; i < kernel->order_count; ++i)
    take_order(p, &w, i);
  for (int32_t i = 0; i < kernel->match_count; ++i)
    take_match_tables(p, &w, i);
  w.sort_scratch = take(&w, sorted_rows(p), sizeof(int32_t));
  w.worker_stride = attn_round_up(version->scratch_bytes, ATTN_SECTION_ALIGNMENT);
  w.worker_scratch = take(&w, workers_of(p->call->executor), w.worker_stride);
  return w;
}
