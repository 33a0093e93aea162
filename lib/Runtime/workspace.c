/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Lays out the workspace of a CPU call; workspace.h lists its sections.
 */
#include "linear.h"
#include "parts.h"
#include "ring.h"

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

static void take_offsets(const attn_problem *p, attn_workspace *w, int32_t index) {
  const attn_offsets *offsets = &p->kernel->offsets[index];
  attn_values ids = attn_values_of(p, offsets->tensor);
  attn_table table = take_table(p, w, offsets->view, ids.batch_stride == 0, ids.size);
  if (w->base)
    w->offsets[index] = table;
}

/* Floats, or units as large, [batch, heads, rows, row_size]. */
static void take_floats(const attn_problem *p, attn_workspace *w, int32_t view, const int64_t shape[3]) {
  int64_t heads = shape[0], rows = shape[1], row_size = shape[2];
  void *data = take(w, p->batch * heads * rows, row_size * (int64_t)sizeof(float));
  set_view(w, view,
           (attn_view){.data = data,
                       .shape = {p->batch, heads, rows, row_size},
                       .strides = {heads * rows * row_size, rows * row_size, row_size, 1}});
}

static void take_order(const attn_problem *p, const attn_version *version, attn_workspace *w, int32_t index) {
  const attn_cpu_code *cpu = p->kernel->cpu;
  const attn_order *order = &p->kernel->orders[index];
  if (attn_is_tabled(order))
    take_order_tables(p, w, index);
  if (order->key_view < 0 || attn_has_few_queries(p, version))
    return;
  int64_t keys = attn_round_up(attn_capacity_of(p, order), cpu->key_granule), heads = attn_packed_heads(p, order);
  if (attn_is_fetched(p, version, order)) {
    set_view(w, order->key_view, (attn_view){.data = NULL});
    set_view(w, order->value_view, (attn_view){.data = NULL});
    return;
  }
  take_floats(p, w, order->key_view, (int64_t[]){heads, attn_ceil_div(keys, cpu->panel_keys), version->panel_stride});
  take_floats(p, w, order->value_view,
              (int64_t[]){heads, attn_ceil_div(keys, version->value_keys), version->value_stride});
}

/* What stages go on from, where the call does not ask for it. */
static void take_lse(const attn_problem *p, attn_workspace *w) {
  if (attn_stages_of(p->kernel) > 1 && !attn_is_given(p, ATTN_LSE))
    take_floats(p, w, ATTN_LSE, (int64_t[]){p->heads, p->length, 1});
}

static int64_t greatest(int64_t a, int64_t b) { return a > b ? a : b; }

static int64_t sorted_rows(const attn_problem *p) {
  int64_t rows = 0;
  for (int32_t o = 0; o < p->kernel->order_count; ++o)
    if (p->kernel->orders[o].kind == ATTN_ORDER_SORTED)
      rows = greatest(rows, attn_capacity_of(p, &p->kernel->orders[o]));
  for (int32_t o = 0; o < p->kernel->offsets_count; ++o)
    rows = greatest(rows, attn_values_of(p, p->kernel->offsets[o].tensor).size);
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
  w.offsets = take(&w, kernel->offsets_count, sizeof(attn_table));
  for (int32_t i = 0; i < p->info->tensor_count; ++i)
    set_view(&w, i, attn_view_of(p, i));
  take_lse(p, &w);
  for (int32_t i = 0; i < kernel->order_count; ++i)
    take_order(p, version, &w, i);
  for (int32_t i = 0; i < kernel->match_count; ++i)
    take_match_tables(p, &w, i);
  for (int32_t i = 0; i < kernel->offsets_count; ++i)
    take_offsets(p, &w, i);
  w.sort_scratch = take(&w, sorted_rows(p), sizeof(int32_t));
  w.ring_offset = attn_round_up(version->scratch_bytes, ATTN_SECTION_ALIGNMENT);
  w.worker_stride = w.ring_offset + (attn_has_few_queries(p, version) ? 0 : attn_ring_bytes(p, version));
  w.workers = workers_of(p->call->executor);
  w.worker_scratch = take(&w, w.workers, w.worker_stride);
  w.states = take(&w, attn_linear_state_count(p), attn_linear_state_size(kernel) * (int64_t)sizeof(float));
  w.parts = take(&w, attn_parts_size(p, version), sizeof(float));
  return w;
}
