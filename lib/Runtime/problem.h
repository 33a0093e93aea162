/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * A *problem* is a call by the names of its sizes. The checks fill it in; everything after them reads the call through
 * it and need not think again about defaults, missing tensors or shared rows.
 */
#ifndef ATTN_LIB_RUNTIME_PROBLEM_H
#define ATTN_LIB_RUNTIME_PROBLEM_H

#include "kernel.h"
#include "prologue.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct attn_problem {
  const attn_kernel *kernel;
  const attn_kernel_info *info;
  const attn_call *call;
  int64_t batch, heads, kv_heads, length, kv_length;
  int64_t query_offset, key_offset;
  int64_t positions; /* no row stands at or past this position */
} attn_problem;

/* Checks what the workspace's layout depends on: everything but pointers, scalars and the data behind pointers. Fills
 * in the problem; returns an attn_status. */
int attn_check_layout(const attn_kernel *kernel, const attn_call *call, attn_problem *problem);

/* Checks everything that is the same on every target: version, counts, missing data; of each tensor the element, rank,
 * stride and extents; alignment, head sizes, heads, shapes, offsets, scalars, kv_length and, where there are rows to
 * compute, requirements of sizes and scalars and the number of segment ids. Reads nothing behind the tensors' pointers.
 * The first that is wrong decides. Fills in the problem; returns an attn_status. */
int attn_check_call(const attn_kernel *kernel, const attn_call *call, attn_problem *problem);

/* Whether the call was built against this attn.h. */
static inline int attn_is_of_this_version(const attn_call *call) {
  return call && call->size == sizeof(attn_call) && call->version == ATTN_ABI_VERSION;
}

/* Whether there is any row of output. */
static inline int attn_has_rows(const attn_problem *p) { return p->batch > 0 && p->heads > 0 && p->length > 0; }

static inline int attn_is_run_time_data(const attn_problem *p, int32_t tensor) {
  return p->info->tensors[tensor].role > ATTN_LSE;
}

/* Whether the call brings this tensor: the first four always, lse unless its data is NULL, run-time data of a rank. */
int attn_is_given(const attn_problem *p, int32_t tensor);

/* Whether the caller asks for the state after the last key, which exists without rows, too. */
static inline int attn_wants_state(const attn_problem *p) {
  const attn_linear_code *linear = p->kernel->linear;
  return linear && linear->state_out >= 0 && attn_is_given(p, linear->state_out) && p->batch > 0 && p->kv_heads > 0;
}

/* Whether there is anything to write. A call that writes nothing reads no data and runs nothing. */
static inline int attn_has_work(const attn_problem *p) { return attn_has_rows(p) || attn_wants_state(p); }

/* The floats of a state; none where the kernel is not linear attention. */
static inline int64_t attn_linear_state_size(const attn_kernel *kernel) {
  return kernel->linear ? (int64_t)kernel->linear->state_rows * kernel->linear->state_columns : 0;
}

/* Whether the tensor is f32 of the extents that its info says: an array, or a state, which may be left out. */
static inline int attn_is_array(const attn_tensor_info *info) { return info->role >= ATTN_ARRAY; }

/* Whether there is anything behind the tensor's pointer. */
int attn_has_elements(const attn_tensor *tensor);

/* Tokens, segments, lengths or per-head numbers as a matrix: batch b has data[b * batch_stride + 0 .. size - 1], and
 * stride 0 where all batches share one row. Lengths are a column: size is 1. */
typedef struct attn_values {
  const int32_t *data;
  int64_t size;
  int64_t batch_stride;
} attn_values;

/* The call's values, or their default. */
attn_values attn_values_of(const attn_problem *p, int32_t tensor);

static inline const int32_t *attn_row_of(attn_values values, int64_t batch) {
  return values.data + batch * values.batch_stride;
}

/* Any of the call's tensors, or its default, as attn_kernel.views says; of an lse or a state that is left out the data
 * is NULL. */
attn_view attn_view_of(const attn_problem *p, int32_t tensor);

/* The call's scalar, or its default. */
attn_scalar attn_scalar_of(const attn_problem *p, int32_t scalar);

/* The rows of attn_side `side`. */
attn_rows attn_side_of(const attn_problem *p, int32_t side);

/* A call over a whole sequence has every token's row; a shard meets tokens and blocks of other shards and passes them
 * over. */
static inline int attn_is_whole(const attn_problem *p) {
  return !(p->call->flags & ATTN_HAS_QUERY_OFFSET) && p->key_offset == 0;
}

/* The largest token that the tensor may hold in this call. Defaults may stand anywhere: no caller chose them. */
static inline int64_t attn_last_token(const attn_problem *p, int32_t tensor) {
  return attn_is_whole(p) && attn_is_given(p, tensor) ? p->positions - 1 : INT32_MAX;
}

/* The largest length that a batch may have: the position after the last key. */
static inline int64_t attn_most_keys(const attn_problem *p) {
  int64_t end = p->key_offset + p->kv_length;
  return end > 0 ? end : 0;
}

/* The largest block of `block` positions that a table may name in this call. */
static inline int64_t attn_last_block(const attn_problem *p, int64_t block) {
  return attn_is_whole(p) ? (attn_most_keys(p) + block - 1) / block - 1 : INT32_MAX;
}

/* Writes the symbols of every batch at once. Entries of run-time data, the head and the counts of orders are left 0. */
void attn_write_symbols(const attn_problem *p, int64_t *symbols);

/* A fixed or named symbol for one batch and head; those of run-time data are read. */
int64_t attn_symbol_at(const attn_problem *p, int64_t symbol, int64_t batch, int64_t head);

/* Whether all batches share the order's run-time data, and so its tables. */
static inline int attn_is_shared(const attn_problem *p, const attn_order *order) {
  return attn_values_of(p, order->tensor).batch_stride == 0;
}

/* Whether the order is held in tables. */
static inline int attn_is_tabled(const attn_order *order) {
  return order->kind == ATTN_ORDER_LISTED || order->kind == ATTN_ORDER_SORTED;
}

/* How many stages the phases run in. */
static inline int32_t attn_stages_of(const attn_kernel *kernel) {
  return kernel->phase_count > 0 ? kernel->phases[kernel->phase_count - 1].stage + 1 : 1;
}

/* The most ranks that the order can have in this call. */
int64_t attn_capacity_of(const attn_problem *p, const attn_order *order);

/* For how many heads keys are packed in this order. */
static inline int64_t attn_packed_heads(const attn_problem *p, const attn_order *order) {
  return order->of_head ? p->heads : p->kv_heads;
}

static inline int64_t attn_ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
static inline int64_t attn_round_up(int64_t a, int64_t b) { return attn_ceil_div(a, b) * b; }

/* The order of a phase's query rows. */
static inline const attn_order *attn_queries_of(const attn_problem *p, int32_t phase) {
  return &p->kernel->orders[p->kernel->phases[phase].query_order];
}

static inline int attn_is_listed_phase(const attn_problem *p, int32_t phase) {
  return attn_queries_of(p, phase)->kind == ATTN_ORDER_LISTED;
}

/* How many tiles of so many query rows a phase has at most. */
int64_t attn_tiles_of(const attn_problem *p, int32_t phase, int32_t tile_rows);

/* How many each block of a phase over blocks has: as many as the longest. */
int64_t attn_tiles_of_block(const attn_problem *p, int32_t phase, int32_t tile_rows);

#ifdef __cplusplus
}
#endif
#endif /* ATTN_LIB_RUNTIME_PROBLEM_H */
