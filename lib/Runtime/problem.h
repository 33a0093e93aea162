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
  const attn_version *version; /* the one that runs; NULL where none does */
  int64_t batch, heads, kv_heads, length, kv_length;
  int64_t query_offset, key_offset;
  int64_t positions; /* no row stands at or past this position */
} attn_problem;

/* Checks what the workspace's layout depends on: everything but pointers, scalars and the data behind pointers. Fills
 * in the problem; returns an attn_status. */
int attn_check_layout(const attn_kernel *kernel, const attn_call *call, attn_problem *problem);

/* Checks everything but the workspace: version, counts, missing data; of each tensor the element, rank, stride and
 * extents; alignment, head sizes, heads, shapes, offsets, scalars, kv_length; and, where there are rows to compute,
 * run-time data and instruction set. The first that is wrong decides. Fills in the problem; returns an attn_status. */
int attn_check_call(const attn_kernel *kernel, const attn_call *call, attn_problem *problem);

/* The best version that the processor runs and max_isa allows, or NULL. */
const attn_version *attn_choose_version(const attn_kernel *kernel, int32_t max_isa);

/* Whether there is any output. */
static inline int attn_has_rows(const attn_problem *p) { return p->batch > 0 && p->heads > 0 && p->length > 0; }

static inline int attn_is_run_time_data(const attn_problem *p, int32_t tensor) {
  return p->info->tensors[tensor].role > ATTN_LSE;
}

/* Whether the call brings this tensor: the first four always, lse unless its data is NULL, run-time data of a rank. */
int attn_is_given(const attn_problem *p, int32_t tensor);

/* Run-time data as a matrix: batch b has data[b * batch_stride + 0 .. size - 1], and stride 0 where all batches share
 * one row. Lengths are a column: size is 1. */
typedef struct attn_values {
  const int32_t *data;
  int64_t size;
  int64_t batch_stride;
} attn_values;

/* The call's run-time data, or its default. */
attn_values attn_values_of(const attn_problem *p, int32_t tensor);

static inline const int32_t *attn_row_of(attn_values values, int64_t batch) {
  return values.data + batch * values.batch_stride;
}

/* The call's scalar, or its default. */
attn_scalar attn_scalar_of(const attn_problem *p, int32_t scalar);

/* The rows of attn_side `side`. */
attn_rows attn_side_of(const attn_problem *p, int32_t side);

/* Whether the order is held in tables; otherwise rank r is row r. */
static inline int attn_is_tabled(const attn_order *order) { return order->kind != ATTN_ORDER_ALL; }

/* The most ranks that the order can have in this call. */
int64_t attn_capacity_of(const attn_problem *p, const attn_order *order);

static inline int64_t attn_ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
static inline int64_t attn_round_up(int64_t a, int64_t b) { return attn_ceil_div(a, b) * b; }

#ifdef __cplusplus
}
#endif
#endif /* ATTN_LIB_RUNTIME_PROBLEM_H */
