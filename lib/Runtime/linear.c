/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The walk of linear attention over keys and rows; linear.h says in which order.
 */
#include "linear.h"
#include "items.h"

#include <string.h>

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t clamp(int64_t x, int64_t low, int64_t high) { return x < low ? low : least(x, high); }

/*===---- States --------------------------------------------------------------------------------------------------===*/

/* Of 4096 keys at least, and not so many that adding them up, or their memory, counts. */
static int64_t split_count(const attn_problem *p) {
  enum { SPLIT_KEYS = 4096, MOST_SPLITS = 16 };
  int is_full = p->kernel->linear->form == ATTN_LINEAR_FULL;
  return is_full ? clamp(p->kv_length / SPLIT_KEYS, 1, MOST_SPLITS) : 1;
}

int64_t attn_linear_state_count(const attn_problem *p) {
  return p->kernel->linear ? p->batch * p->kv_heads * split_count(p) : 0;
}

/* What one worker needs to know of its batch and key head. */
typedef struct walk {
  const attn_problem *problem;
  const attn_workspace *workspace;
  const attn_linear_parts *parts;
  int64_t batch, head; /* of the key */
  float *state;
  void *scratch;
} walk;

/* A state of the caller's, of whatever strides, beside this walk's: entry (c, e) is at base[c * rows + e * columns]. */
typedef struct caller_state {
  float *base;
  int64_t rows, columns;
} caller_state;

static caller_state caller_state_of(const walk *w, int32_t tensor) {
  if (tensor < 0 || !attn_is_given(w->problem, tensor))
    return (caller_state){.base = NULL};
  attn_view view = attn_view_of(w->problem, tensor);
  return (caller_state){(float *)view.data + w->batch * view.strides[0] + w->head * view.strides[1], view.strides[2],
                        view.strides[3]};
}

static void clear(const walk *w) {
  memset(w->state, 0, (size_t)attn_linear_state_size(w->problem->kernel) * sizeof(float));
}

/* state += state_in */
static void add_given_state(const walk *w) {
  const attn_kernel_info *info = w->problem->info;
  caller_state from = caller_state_of(w, w->problem->kernel->linear->state_in);
  for (int64_t c = 0; from.base && c < info->head_size; ++c)
    for (int64_t e = 0; e <= info->value_head_size; ++e)
      w->state[c * w->problem->kernel->linear->state_columns + e] += from.base[c * from.rows + e * from.columns];
}

static void write_state(const walk *w) {
  const attn_kernel_info *info = w->problem->info;
  caller_state to = caller_state_of(w, w->problem->kernel->linear->state_out);
  for (int64_t c = 0; to.base && c < info->head_size; ++c)
    for (int64_t e = 0; e <= info->value_head_size; ++e)
      to.base[c * to.rows + e * to.columns] = w->state[c * w->problem->kernel->linear->state_columns + e];
}

/*===---- Parts ---------------------------------------------------------------------------------------------------===*/

static void call_part(const walk *w, attn_linear_fn part, int64_t head, int64_t first, int64_t count) {
  part(w->workspace->views, attn_symbols_of(w->problem, w->workspace, w->batch), w->batch, head, first, count, w->state,
       w->scratch);
}

/* Keys [begin, end) into the state. */
static void absorb(const walk *w, int64_t begin, int64_t end) {
  for (; begin < end; begin += ATTN_LINEAR_CHUNK) {
    int64_t count = least(ATTN_LINEAR_CHUNK, end - begin);
    call_part(w, w->parts->keys, w->head, begin, count);
    call_part(w, w->parts->absorb, w->head, begin, count);
  }
}

/* Rows [row, row + count) of the query heads that read this key head. */
static void compute_rows(const walk *w, int64_t row, int64_t count) {
  int64_t group = w->problem->heads / w->problem->kv_heads;
  for (int64_t head = w->head * group; head < (w->head + 1) * group; ++head)
    call_part(w, w->parts->rows, head, row, count);
}

/*===---- Keys and rows side by side ------------------------------------------------------------------------------===*/

/* Row i stands beside key i + shift, which is the last that it sees. */
static int64_t shift_of(const attn_problem *p) { return p->query_offset - p->key_offset; }

static void walk_chunks(const walk *w) {
  const attn_problem *p = w->problem;
  int64_t next = 0; /* the keys before it are in the state */
  for (int64_t row = 0; row < p->length; row += ATTN_LINEAR_CHUNK) {
    int64_t count = least(ATTN_LINEAR_CHUNK, p->length - row), first = row + shift_of(p);
    int64_t before = clamp(first, next, p->kv_length);
    absorb(w, next, before);
    call_part(w, w->parts->keys, w->head, first, count);
    compute_rows(w, row, count);
    call_part(w, w->parts->absorb, w->head, first, count);
    next = clamp(first + count, before, p->kv_length);
  }
  absorb(w, next, p->kv_length);
}

static void walk_steps(const walk *w) {
  const attn_problem *p = w->problem;
  int64_t next = 0;
  for (int64_t row = 0; row < p->length; ++row) {
    int64_t seen = clamp(row + shift_of(p) + 1, next, p->kv_length);
    absorb(w, next, seen);
    compute_rows(w, row, 1);
    next = seen;
  }
  absorb(w, next, p->kv_length);
}

/*===---- Items ---------------------------------------------------------------------------------------------------===*/

typedef struct work {
  const attn_problem *problem;
  const attn_workspace *workspace;
  const attn_linear_parts *parts;
} work;

/* The walk of (batch, key head) number `pair`, and its state of this split. */
static walk walk_of(const work *all, int64_t pair, int64_t split, int32_t worker) {
  const attn_problem *p = all->problem;
  const attn_workspace *w = all->workspace;
  return (walk){.problem = p,
                .workspace = w,
                .parts = all->parts,
                .batch = pair / p->kv_heads,
                .head = pair % p->kv_heads,
                .state = w->states + (pair * split_count(p) + split) * attn_linear_state_size(p->kernel),
                .scratch = w->worker_scratch + worker * w->worker_stride};
}

static void walk_item(void *argument, int64_t item, int32_t worker) {
  const work *all = argument;
  walk w = walk_of(all, item, 0, worker);
  clear(&w);
  add_given_state(&w);
  if (all->problem->kernel->linear->form == ATTN_LINEAR_STEP)
    walk_steps(&w);
  else
    walk_chunks(&w);
  write_state(&w);
}

static void split_item(void *argument, int64_t item, int32_t worker) {
  const work *all = argument;
  const attn_problem *p = all->problem;
  int64_t splits = split_count(p), split = item % splits;
  int64_t keys = attn_round_up(attn_ceil_div(p->kv_length, splits), ATTN_LINEAR_CHUNK);
  walk w = walk_of(all, item / splits, split, worker);
  clear(&w);
  absorb(&w, least(split * keys, p->kv_length), least((split + 1) * keys, p->kv_length));
}

/* The sum stands in the first split's state afterwards. */
static void sum_item(void *argument, int64_t item, int32_t worker) {
  const work *all = argument;
  walk w = walk_of(all, item, 0, worker);
  int64_t splits = split_count(all->problem), size = attn_linear_state_size(all->problem->kernel);
  for (int64_t split = 1; split < splits; ++split)
    for (int64_t i = 0; i < size; ++i)
      w.state[i] += w.state[split * size + i];
  add_given_state(&w);
  write_state(&w);
}

/* (batch, head, chunk of rows), the last runs fastest. */
static void rows_item(void *argument, int64_t item, int32_t worker) {
  const work *all = argument;
  const attn_problem *p = all->problem;
  int64_t chunks = attn_ceil_div(p->length, ATTN_LINEAR_CHUNK), row = item % chunks * ATTN_LINEAR_CHUNK;
  int64_t head = item / chunks % p->heads, batch = item / chunks / p->heads;
  walk w = walk_of(all, batch * p->kv_heads + head / (p->heads / p->kv_heads), 0, worker);
  call_part(&w, w.parts->rows, head, row, least(ATTN_LINEAR_CHUNK, p->length - row));
}

void attn_run_linear(const attn_problem *p, const attn_version *version, const attn_workspace *workspace) {
  work all = {p, workspace, &p->kernel->linear->parts[version - p->kernel->cpu->versions]};
  const attn_executor *executor = p->call->executor;
  int64_t pairs = p->batch * p->kv_heads;
  if (p->kernel->linear->form != ATTN_LINEAR_FULL) {
    attn_for_each(executor, pairs, walk_item, &all);
    return;
  }
  attn_for_each(executor, pairs * split_count(p), split_item, &all);
  attn_for_each(executor, pairs, sum_item, &all);
  int64_t rows = p->batch * p->heads * attn_ceil_div(p->length, ATTN_LINEAR_CHUNK);
  if (rows > 0)
    attn_for_each(executor, rows, rows_item, &all);
}
