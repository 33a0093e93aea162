/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * A ring is no larger than a core's own cache, beside which packing keys more than once costs little.
 */
#include "ring.h"
#include "program.h"

#include <string.h>

enum { most_bytes = 768 << 10 };

static int64_t greatest(int64_t a, int64_t b) { return a > b ? a : b; }

static int64_t key_bytes(const attn_problem *p, const attn_version *version) {
  return p->kernel->cpu->key_granule / p->kernel->cpu->panel_keys * version->panel_stride * (int64_t)sizeof(float);
}

static int64_t value_bytes(const attn_problem *p, const attn_version *version) {
  return p->kernel->cpu->key_granule / version->value_keys * version->value_stride * (int64_t)sizeof(float);
}

/* Those behind the ones that are taken in turn. */
static int64_t more_slots(const attn_problem *p) { return p->kernel->cpu->pack_keys / p->kernel->cpu->key_granule - 1; }

/* Slots that hold the keys of a tile, of which neither end is a granule's; 0 if the order's keys are not fetched. */
static int64_t slots_of(const attn_problem *p, const attn_version *version, const attn_order *order) {
  if (!order->span || order->key_view < 0)
    return 0;
  int64_t keys = attn_capacity_of(p, order), span = attn_evaluate(p, order->span, 0, 0);
  if (span > keys / 2)
    return 0;
  int64_t slots = attn_ceil_div(greatest(span, 0) + p->kernel->phases[0].tile_rows, p->kernel->cpu->key_granule) + 2;
  int64_t bytes = (slots + more_slots(p)) * (key_bytes(p, version) + value_bytes(p, version));
  return bytes <= most_bytes ? slots : 0;
}

int attn_is_fetched(const attn_problem *p, const attn_version *version, const attn_order *order) {
  return slots_of(p, version, order) > 0;
}

/* Of the orders that share the ring, the most. */
static int64_t most_slots(const attn_problem *p, const attn_version *version) {
  int64_t most = 0;
  for (int32_t order = 0; order < p->kernel->order_count; ++order)
    most = greatest(most, slots_of(p, version, &p->kernel->orders[order]));
  return most;
}

static int64_t tag_bytes(int64_t slots) {
  return attn_round_up(slots * (int64_t)sizeof(int64_t), ATTN_SECTION_ALIGNMENT);
}

int64_t attn_ring_bytes(const attn_problem *p, const attn_version *version) {
  int64_t most = most_slots(p, version);
  if (!most)
    return 0;
  int64_t slots = most + more_slots(p);
  return tag_bytes(slots) + slots * (key_bytes(p, version) + value_bytes(p, version));
}

static int may_fetch(const attn_problem *p) {
  for (int32_t order = 0; order < p->kernel->order_count; ++order)
    if (p->kernel->orders[order].span)
      return 1;
  return 0;
}

/* Emitted code that fetches nothing divides by the number of slots all the same. */
void attn_clear_rings(const attn_problem *p, const attn_version *version, const attn_workspace *w) {
  if (!may_fetch(p))
    return;
  int64_t most = most_slots(p, version), slots = most + more_slots(p);
  for (int32_t worker = 0; worker < w->workers; ++worker) {
    char *scratch = w->worker_scratch + worker * w->worker_stride, *tags = scratch + w->ring_offset;
    char *keys = tags + tag_bytes(slots), *values = keys + slots * key_bytes(p, version);
    *(attn_key_ring *)scratch = (attn_key_ring){(int64_t *)tags, keys, values, greatest(most, 1)};
    if (most)
      memset(tags, -1, (size_t)slots * sizeof(int64_t));
  }
}
