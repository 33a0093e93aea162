/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Runs one call of a compiled kernel: check, prologue, pack, tiles. kernel.h says what the compiler promises and attn.h
 * what the caller does. This file and those it calls (problem.c, workspace.c, prologue.c, processor.c) become part of
 * every emitted object; they need memset and memcpy of their surroundings, nothing else.
 */
#include "workspace.h"

#include <string.h>

/*===---- Prologue ----------------------------------------------------------------------------------------------===*/

static int64_t bits_of(double number) {
  float narrow = (float)number;
  uint32_t bits;
  memcpy(&bits, &narrow, sizeof(bits));
  return bits;
}

static int64_t named_symbol(const attn_problem *p, attn_symbol symbol, int64_t batch) {
  switch (symbol.kind) {
  case ATTN_SYMBOL_NUMBER:
    return bits_of(attn_scalar_of(p, symbol.source).number);
  case ATTN_SYMBOL_ENTRY:
    return *attn_row_of(attn_values_of(p, symbol.source), batch);
  default:
    return attn_scalar_of(p, symbol.source).index;
  }
}

static void write_symbols(const attn_problem *p, int64_t batch, int64_t *symbols) {
  const attn_call *call = p->call;
  double scale = call->flags & ATTN_HAS_SCALE ? call->scale : 1.0 / __builtin_sqrt(p->info->head_size);
  symbols[ATTN_SYMBOL_LENGTH] = p->length;
  symbols[ATTN_SYMBOL_KV_LENGTH] = p->kv_length;
  symbols[ATTN_SYMBOL_QUERY_OFFSET] = p->query_offset;
  symbols[ATTN_SYMBOL_KEY_OFFSET] = p->key_offset;
  symbols[ATTN_SYMBOL_TOP_LEFT_OFFSET] = call->flags & ATTN_HAS_QUERY_OFFSET ? call->query_offset : 0;
  symbols[ATTN_SYMBOL_SCALE] = bits_of(scale);
  symbols[ATTN_SYMBOL_HEADS_PER_KV_HEAD] = p->heads / p->kv_heads;
  for (int32_t i = 0; i < p->kernel->named_symbol_count; ++i)
    symbols[ATTN_FIXED_SYMBOLS + i] = named_symbol(p, p->kernel->symbols[i], batch);
}

/* Fills the tables of one order for one batch and returns its count. Shared tables are filled for batch 0 alone. */
static int64_t build_order(const attn_problem *p, const attn_workspace *w, int32_t index, int64_t batch) {
  const attn_order *order = &p->kernel->orders[index];
  attn_rows side = attn_side_of(p, order->side);
  if (!attn_is_tabled(order))
    return side.count;
  if (batch > 0 && attn_is_shared(p, order))
    return attn_symbols_of(p, w, 0)[order->count_symbol];
  attn_values values = attn_values_of(p, order->tensor);
  const int32_t *data = attn_row_of(values, batch);
  int32_t *rows = attn_table_row(w->orders[index].rows, batch);
  int32_t *flags = attn_table_row(w->orders[index].flags, batch);
  if (order->kind == ATTN_ORDER_LISTED)
    return attn_order_listed(data, values.size, side, rows, flags);
  int64_t with_id = attn_order_sorted((attn_segments){data, values.size}, side, rows, flags, w->sort_scratch);
  return order->side == ATTN_QUERIES ? side.count : with_id;
}

static attn_ranks ranks_of(const attn_problem *p, const attn_workspace *w, int32_t index, int64_t batch) {
  const attn_order *order = &p->kernel->orders[index];
  return (attn_ranks){attn_table_row(w->orders[index].rows, batch), attn_symbols_of(p, w, batch)[order->count_symbol],
                      attn_side_of(p, order->side).offset};
}

static void build_match(const attn_problem *p, const attn_workspace *w, int32_t index, int64_t batch) {
  const attn_match *match = &p->kernel->matches[index];
  const attn_order *queries = &p->kernel->orders[match->query_order];
  if (batch > 0 && attn_is_shared(p, queries))
    return;
  attn_values values = attn_values_of(p, queries->tensor);
  attn_match_segments((attn_segments){attn_row_of(values, batch), values.size},
                      ranks_of(p, w, match->query_order, batch), ranks_of(p, w, match->key_order, batch),
                      attn_table_row(w->matches[index].begin, batch), attn_table_row(w->matches[index].end, batch));
}

static void run_prologue(const attn_problem *p, const attn_workspace *w) {
  for (int64_t batch = 0; batch < p->batch; ++batch) {
    int64_t *symbols = attn_symbols_of(p, w, batch);
    write_symbols(p, batch, symbols);
    for (int32_t o = 0; o < p->kernel->order_count; ++o)
      symbols[p->kernel->orders[o].count_symbol] = build_order(p, w, o, batch);
    for (int32_t m = 0; m < p->kernel->match_count; ++m)
      build_match(p, w, m, batch);
  }
}

/*===---- Work items --------------------------------------------------------------------------------------------===*/

typedef struct work {
  const attn_problem *problem;
  const attn_workspace *workspace;
} work;

typedef void (*work_body)(void *argument, int64_t item, int32_t worker);

static void for_each(work *all, int64_t count, work_body body) {
  const attn_executor *executor = all->problem->call->executor;
  if (executor && executor->parallel_for) {
    executor->parallel_for(executor->context, count, body, all);
    return;
  }
  for (int64_t item = 0; item < count; ++item)
    body(all, item, 0);
}

/* Pack items: (key order, batch, key head, block), the last runs fastest. */
static int64_t blocks_of(const attn_problem *p, int32_t index) {
  const attn_order *order = &p->kernel->orders[index];
  return order->key_view < 0 ? 0 : attn_ceil_div(attn_capacity_of(p, order), p->kernel->pack_keys);
}

static int64_t pack_items(const attn_problem *p, int32_t order) { return p->batch * p->kv_heads * blocks_of(p, order); }

static void pack_item(void *argument, int64_t item, int32_t worker) {
  (void)worker;
  const work *all = argument;
  const attn_problem *p = all->problem;
  int32_t order = 0;
  for (; item >= pack_items(p, order); ++order)
    item -= pack_items(p, order);
  int64_t blocks = blocks_of(p, order);
  int64_t head = item / blocks % p->kv_heads, batch = item / blocks / p->kv_heads;
  p->version->packs[order](all->workspace->views, attn_symbols_of(p, all->workspace, batch), batch, head,
                           item % blocks);
}

static void run_packs(work *all) {
  int64_t count = 0;
  for (int32_t order = 0; order < all->problem->kernel->order_count; ++order)
    count += pack_items(all->problem, order);
  if (count > 0)
    for_each(all, count, pack_item);
}

/* Tile items: (phase, batch, head, tile), the last runs fastest. Phases over listed queries come first: each of their
 * few tiles looks at many keys, and a long item handed out last would leave the other workers idle. */
static int is_listed(const attn_problem *p, int32_t phase) {
  return p->kernel->orders[p->kernel->phases[phase].query_order].kind == ATTN_ORDER_LISTED;
}

static int64_t tiles_of(const attn_problem *p, int32_t index) {
  const attn_phase *phase = &p->kernel->phases[index];
  return attn_ceil_div(attn_capacity_of(p, &p->kernel->orders[phase->query_order]), phase->tile_rows);
}

static int64_t tile_items(const attn_problem *p, int32_t phase) { return p->batch * p->heads * tiles_of(p, phase); }

/* Finds the phase of an item and makes the item one of that phase. */
static int32_t find_phase(const attn_problem *p, int64_t *item) {
  for (int32_t listed = 1; listed >= 0; --listed)
    for (int32_t phase = 0; phase < p->kernel->phase_count; ++phase) {
      if (is_listed(p, phase) != listed)
        continue;
      if (*item < tile_items(p, phase))
        return phase;
      *item -= tile_items(p, phase);
    }
  __builtin_unreachable();
}

static void tile_item(void *argument, int64_t item, int32_t worker) {
  const work *all = argument;
  const attn_problem *p = all->problem;
  const attn_workspace *w = all->workspace;
  int32_t phase = find_phase(p, &item);
  int64_t tiles = tiles_of(p, phase);
  int64_t head = item / tiles % p->heads, batch = item / tiles / p->heads;
  p->version->tiles[phase](w->views, attn_symbols_of(p, w, batch), batch, head, item % tiles,
                           w->worker_scratch + worker * w->worker_stride);
}

static void run_tiles(work *all) {
  int64_t count = 0;
  for (int32_t phase = 0; phase < all->problem->kernel->phase_count; ++phase)
    count += tile_items(all->problem, phase);
  if (count > 0)
    for_each(all, count, tile_item);
}

/*===---- Entry points ------------------------------------------------------------------------------------------===*/

static int has_workspace(const attn_problem *p) {
  const attn_call *call = p->call;
  return call->workspace && (uintptr_t)call->workspace % ATTN_SECTION_ALIGNMENT == 0 &&
         call->workspace_bytes >= attn_lay_out(p, NULL).used;
}

int attn_kernel_run(const attn_kernel *kernel, const attn_call *call) {
  attn_problem problem;
  int status = attn_check_call(kernel, call, &problem);
  if (status != ATTN_OK || !attn_has_rows(&problem))
    return status;
  if (!has_workspace(&problem))
    return ATTN_ERROR_WORKSPACE;

  attn_workspace workspace = attn_lay_out(&problem, call->workspace);
  run_prologue(&problem, &workspace);
  work all = {&problem, &workspace};
  run_packs(&all);
  run_tiles(&all);
  return ATTN_OK;
}

size_t attn_kernel_workspace_bytes(const attn_kernel *kernel, const attn_call *call) {
  attn_problem problem;
  int is_right = attn_check_layout(kernel, call, &problem) == ATTN_OK && attn_has_rows(&problem);
  return is_right ? attn_lay_out(&problem, NULL).used : 0;
}

int attn_kernel_isa(const attn_kernel *kernel, const attn_call *call) {
  if (!call || call->size != sizeof(attn_call) || call->version != ATTN_ABI_VERSION)
    return 0;
  const attn_version *version = attn_choose_version(kernel, call->max_isa);
  return version ? version->isa : 0;
}
