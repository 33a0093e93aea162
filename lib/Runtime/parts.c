/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Query heads that share a key head take a part of its keys one after another, so all but the first find it in the
 * cache.
 */
#include "parts.h"
#include "items.h"

typedef struct work {
  const attn_problem *problem;
  const attn_version *version;
  const attn_workspace *workspace;
  int32_t stage; /* whose phases run */
  int64_t parts; /* of the keys */
} work;

static int64_t parts_of(const attn_problem *p) {
  return p->kv_length > 0 ? attn_ceil_div(p->kv_length, ATTN_PART_KEYS) : 1;
}

static int64_t tiles_of(const attn_problem *p, int32_t phase) { return attn_tiles_of(p, phase, ATTN_FEW_ROWS); }

/* Floats of all parts of a phase: [batch][head][tile][part][part_floats]. */
static int64_t size_of(const attn_problem *p, const attn_version *version, int32_t phase) {
  return p->batch * p->heads * tiles_of(p, phase) * parts_of(p) * version->part_floats;
}

int64_t attn_parts_size(const attn_problem *p, const attn_version *version) {
  int64_t size = 0;
  for (int32_t phase = 0; attn_has_few_queries(p, version) && phase < p->kernel->phase_count; ++phase)
    size += size_of(p, version, phase);
  return size;
}

/* The states of a tile's first part. */
static float *states_of(const work *all, int32_t phase, int64_t batch, int64_t head, int64_t tile) {
  const attn_problem *p = all->problem;
  float *states = all->workspace->parts;
  for (int32_t before = 0; before < phase; ++before)
    states += size_of(p, all->version, before);
  return states + ((batch * p->heads + head) * tiles_of(p, phase) + tile) * all->parts * all->version->part_floats;
}

/* Finds the phase of an item, `heads` * tiles * `parts` of which each batch has, and makes the item one of it. */
static int32_t find_phase(const work *all, int64_t heads, int64_t parts, int64_t *item) {
  const attn_problem *p = all->problem;
  for (int32_t phase = 0;; ++phase) {
    if (p->kernel->phases[phase].stage != all->stage)
      continue;
    int64_t items = p->batch * heads * tiles_of(p, phase) * parts;
    if (*item < items)
      return phase;
    *item -= items;
  }
}

static int64_t count_items(const work *all, int64_t heads, int64_t parts) {
  const attn_problem *p = all->problem;
  int64_t count = 0;
  for (int32_t phase = 0; phase < p->kernel->phase_count; ++phase)
    if (p->kernel->phases[phase].stage == all->stage)
      count += p->batch * heads * tiles_of(p, phase) * parts;
  return count;
}

static char *scratch_of(const work *all, int32_t worker) {
  return all->workspace->worker_scratch + worker * all->workspace->worker_stride;
}

/* (phase, batch, key head, tile, part), the last runs fastest. */
static void part_item(void *argument, int64_t item, int32_t worker) {
  const work *all = argument;
  const attn_problem *p = all->problem;
  int32_t phase = find_phase(all, p->kv_heads, all->parts, &item);
  int64_t part = item % all->parts, tiles = tiles_of(p, phase), tile = item / all->parts % tiles;
  int64_t kv_head = item / all->parts / tiles % p->kv_heads, batch = item / all->parts / tiles / p->kv_heads;
  int64_t heads = p->heads / p->kv_heads;
  for (int64_t head = kv_head * heads; head < (kv_head + 1) * heads; ++head)
    all->version->parts[phase](all->workspace->views, attn_symbols_of(p, all->workspace, batch), batch, head, tile,
                               scratch_of(all, worker), part,
                               states_of(all, phase, batch, head, tile) + part * all->version->part_floats);
}

/* (phase, batch, head, tile) */
static void merge_item(void *argument, int64_t item, int32_t worker) {
  const work *all = argument;
  const attn_problem *p = all->problem;
  int32_t phase = find_phase(all, p->heads, 1, &item);
  int64_t tiles = tiles_of(p, phase), tile = item % tiles;
  int64_t head = item / tiles % p->heads, batch = item / tiles / p->heads;
  all->version->merges[phase](all->workspace->views, attn_symbols_of(p, all->workspace, batch), batch, head, tile,
                              scratch_of(all, worker), all->parts, states_of(all, phase, batch, head, tile));
}

void attn_run_parts(const attn_problem *p, const attn_version *version, const attn_workspace *workspace) {
  work all = {p, version, workspace, 0, parts_of(p)};
  for (all.stage = 0; all.stage < attn_stages_of(p->kernel); ++all.stage) {
    int64_t parts = count_items(&all, p->kv_heads, all.parts), merges = count_items(&all, p->heads, 1);
    if (parts == 0)
      continue;
    attn_for_each(p->call->executor, parts, part_item, &all);
    attn_for_each(p->call->executor, merges, merge_item, &all);
  }
}
