/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Runs one call of a CPU kernel: check, prologue, pack, tiles. kernel.h says what the compiler promises and attn.h what
 * the caller does. This file and those it calls (problem.c, views.c, program.c, data.c, workspace.c, prologue.c,
 * processor.c, linear.c, parts.c) become part of every emitted CPU object; they need memset and memcpy of their
 * surroundings, nothing else.
 */
#include "data.h"
#include "items.h"
#include "linear.h"
#include "parts.h"
#include "processor.h"
#include "program.h"
#include "ring.h"
#include "workspace.h"

/*===---- Versions ------------------------------------------------------------------------------------------------===*/

/* The best version that the processor runs and max_isa allows, or NULL. */
static const attn_version *choose_version(const attn_kernel *kernel, int32_t max_isa) {
  for (int32_t i = 0; i < kernel->cpu->version_count; ++i) {
    const attn_version *version = &kernel->cpu->versions[i];
    int is_allowed = max_isa == ATTN_ISA_BEST || version->isa <= max_isa;
    if (is_allowed && (attn_processor_isas() >> version->isa & 1))
      return version;
  }
  return NULL;
}

/*===---- Prologue ----------------------------------------------------------------------------------------------===*/

static void write_symbols(const attn_problem *p, int64_t batch, int64_t *symbols) {
  attn_write_symbols(p, symbols);
  for (int32_t i = 0; i < p->kernel->named_symbol_count; ++i) {
    attn_symbol symbol = p->kernel->symbols[i];
    if (symbol.kind == ATTN_SYMBOL_ENTRY)
      symbols[ATTN_FIXED_SYMBOLS + i] = *attn_row_of(attn_values_of(p, symbol.source), batch);
  }
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

static void build_offsets(const attn_problem *p, const attn_workspace *w, int32_t index, int64_t batch) {
  attn_values values = attn_values_of(p, p->kernel->offsets[index].tensor);
  if (batch == 0 || values.batch_stride != 0)
    attn_segment_offsets((attn_segments){attn_row_of(values, batch), values.size},
                         attn_table_row(w->offsets[index], batch), w->sort_scratch);
}

static void run_prologue(const attn_problem *p, const attn_workspace *w) {
  for (int64_t batch = 0; batch < p->batch; ++batch) {
    int64_t *symbols = attn_symbols_of(p, w, batch);
    write_symbols(p, batch, symbols);
    for (int32_t o = 0; o < p->kernel->order_count; ++o)
      symbols[p->kernel->orders[o].count_symbol] = build_order(p, w, o, batch);
    for (int32_t m = 0; m < p->kernel->match_count; ++m)
      build_match(p, w, m, batch);
    for (int32_t o = 0; o < p->kernel->offsets_count; ++o)
      build_offsets(p, w, o, batch);
  }
}

/*===---- Work items --------------------------------------------------------------------------------------------===*/

typedef struct work {
  const attn_problem *problem;
  const attn_version *version;
  const attn_workspace *workspace;
  int32_t stage; /* whose phases run */
  int64_t run;   /* how many tiles an item has */
} work;

/* Pack items: (key order, batch, head, block), the last runs fastest. Keys that tiles fetch have no memory here. */
static int64_t blocks_of(const work *all, int32_t index) {
  const attn_order *order = &all->problem->kernel->orders[index];
  if (order->key_view < 0 || !all->workspace->views[order->key_view].data)
    return 0;
  return attn_ceil_div(attn_capacity_of(all->problem, order), all->problem->kernel->cpu->pack_keys);
}

static int64_t pack_items(const work *all, int32_t order) {
  const attn_problem *p = all->problem;
  return p->batch * attn_packed_heads(p, &p->kernel->orders[order]) * blocks_of(all, order);
}

static void pack_item(void *argument, int64_t item, int32_t worker) {
  (void)worker;
  const work *all = argument;
  const attn_problem *p = all->problem;
  int32_t order = 0;
  for (; item >= pack_items(all, order); ++order)
    item -= pack_items(all, order);
  int64_t blocks = blocks_of(all, order), heads = attn_packed_heads(p, &p->kernel->orders[order]);
  int64_t head = item / blocks % heads, batch = item / blocks / heads;
  all->version->packs[order](all->workspace->views, attn_symbols_of(p, all->workspace, batch), batch, head,
                             item % blocks);
}

static void run_packs(work *all) {
  int64_t count = 0;
  for (int32_t order = 0; order < all->problem->kernel->order_count; ++order)
    count += pack_items(all, order);
  if (count > 0)
    attn_for_each(all->problem->call->executor, count, pack_item, all);
}

/* Tile items of a stage: (phase, batch, head, run of tiles), the last runs fastest. A long item handed out last would
 * leave the other workers idle. So phases over listed queries come first, of whose few tiles each looks at many keys;
 * and where there are several workers, the last tiles of a head, which look at the most keys if a pattern is causal. */
static int64_t tiles_of(const attn_problem *p, int32_t phase) {
  return attn_tiles_of(p, phase, p->kernel->phases[phase].tile_rows);
}

static int64_t runs_of(const work *all, int32_t phase) {
  return attn_ceil_div(tiles_of(all->problem, phase), all->run);
}

static int is_of_stage(const work *all, int32_t phase) {
  return all->problem->kernel->phases[phase].stage == all->stage;
}

static int64_t tile_items(const work *all, int32_t phase) {
  return all->problem->batch * all->problem->heads * runs_of(all, phase);
}

static int64_t count_items(const work *all) {
  int64_t count = 0;
  for (int32_t phase = 0; phase < all->problem->kernel->phase_count; ++phase)
    count += is_of_stage(all, phase) ? tile_items(all, phase) : 0;
  return count;
}

/* Tiles that follow one another find keys in the ring of the worker that has them all. */
static int64_t longest_run(const work *all) {
  enum { items_of_worker = 16, most = 8 };
  const attn_workspace *w = all->workspace;
  if (w->workers == 1 || w->worker_stride == w->ring_offset)
    return 1;
  int64_t run = count_items(all) / (w->workers * items_of_worker);
  return run < 1 ? 1 : run > most ? most : run;
}

/* Finds the phase of an item and makes the item one of that phase. */
static int32_t find_phase(const work *all, int64_t *item) {
  const attn_problem *p = all->problem;
  for (int32_t listed = 1; listed >= 0; --listed)
    for (int32_t phase = 0; phase < p->kernel->phase_count; ++phase) {
      if (!is_of_stage(all, phase) || attn_is_listed_phase(p, phase) != listed)
        continue;
      if (*item < tile_items(all, phase))
        return phase;
      *item -= tile_items(all, phase);
    }
  __builtin_unreachable();
}

static void tile_item(void *argument, int64_t item, int32_t worker) {
  const work *all = argument;
  const attn_problem *p = all->problem;
  const attn_workspace *w = all->workspace;
  int32_t phase = find_phase(all, &item);
  int64_t runs = runs_of(all, phase), tiles = tiles_of(p, phase);
  int64_t head = item / runs % p->heads, batch = item / runs / p->heads, first = item % runs * all->run;
  for (int64_t tile = first; tile < first + all->run && tile < tiles; ++tile)
    all->version->tiles[phase](w->views, attn_symbols_of(p, w, batch), batch, head,
                               w->workers > 1 ? tiles - 1 - tile : tile, w->worker_scratch + worker * w->worker_stride);
}

static void run_tiles(work *all) {
  for (all->stage = 0; all->stage < attn_stages_of(all->problem->kernel); ++all->stage) {
    all->run = 1;
    all->run = longest_run(all);
    int64_t count = count_items(all);
    if (count > 0)
      attn_for_each(all->problem->call->executor, count, tile_item, all);
  }
}

/*===---- Entry points ------------------------------------------------------------------------------------------===*/

static int has_workspace(const attn_problem *p, const attn_version *version) {
  const attn_call *call = p->call;
  return call->workspace && (uintptr_t)call->workspace % ATTN_SECTION_ALIGNMENT == 0 &&
         call->workspace_bytes >= attn_lay_out(p, version, NULL).used;
}

static int check_rest(const attn_problem *p, const attn_version *version) {
  int status = attn_check_data(p);
  if (status != ATTN_OK)
    return status;
  if (!version)
    return ATTN_ERROR_ISA;
  return has_workspace(p, version) ? ATTN_OK : ATTN_ERROR_WORKSPACE;
}

int attn_cpu_run(const attn_kernel *kernel, const attn_call *call) {
  attn_problem problem;
  int status = attn_check_call(kernel, call, &problem);
  if (status != ATTN_OK || !attn_has_work(&problem))
    return status;
  const attn_version *version = choose_version(kernel, call->max_isa);
  status = check_rest(&problem, version);
  if (status != ATTN_OK)
    return status;

  attn_workspace workspace = attn_lay_out(&problem, version, call->workspace);
  run_prologue(&problem, &workspace);
  work all = {&problem, version, &workspace, 0, 1};
  if (kernel->linear) {
    attn_run_linear(&problem, version, &workspace);
    return ATTN_OK;
  }
  if (attn_has_few_queries(&problem, version)) {
    attn_run_parts(&problem, version, &workspace);
    return ATTN_OK;
  }
  run_packs(&all);
  attn_clear_rings(&problem, version, &workspace);
  run_tiles(&all);
  return ATTN_OK;
}

size_t attn_cpu_workspace_bytes(const attn_kernel *kernel, const attn_call *call) {
  attn_problem problem;
  if (attn_check_layout(kernel, call, &problem) != ATTN_OK || !attn_has_work(&problem))
    return 0;
  const attn_version *version = choose_version(kernel, call->max_isa);
  return version ? attn_lay_out(&problem, version, NULL).used : 0;
}

int attn_cpu_isa(const attn_kernel *kernel, const attn_call *call) {
  if (!attn_is_of_this_version(call))
    return 0;
  const attn_version *version = choose_version(kernel, call->max_isa);
  return version ? version->isa : 0;
}

int attn_cpu_requirement(const attn_kernel *kernel, const attn_call *call, int64_t numbers[2]) {
  attn_problem problem;
  int status = attn_check_call(kernel, call, &problem);
  if (status == ATTN_OK)
    status = attn_has_rows(&problem) ? attn_check_data(&problem) : ATTN_OK;
  return status == ATTN_ERROR_REQUIREMENT ? attn_broken_requirement(&problem, /*with_data=*/1, numbers) : -1;
}
