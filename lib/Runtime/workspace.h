/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The workspace of one CPU call: its sections, and the views that emitted functions read them through.
 *
 *   views, symbols           what emitted functions are handed
 *   lse                      of a kernel of several stages, where the call has none
 *   orders, matches, offsets where the prologue finds its tables
 *   tables of each order     rows and flags; then packed keys and values
 *   tables of each match     begin and end
 *   tables of offsets        in segments
 *   scratch                  for sorting, and for each worker, with its ring of keys
 *   states                   of linear attention
 *
 * Every section is 64-byte aligned. One routine counts the bytes and hands out the sections, so the two cannot
 * disagree.
 */
#ifndef ATTN_LIB_RUNTIME_WORKSPACE_H
#define ATTN_LIB_RUNTIME_WORKSPACE_H

#include "problem.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ATTN_SECTION_ALIGNMENT = 64 };

/* A row for each batch, or one that all share: then the stride is 0. */
typedef struct attn_table {
  int32_t *data;
  int64_t stride; /* from batch to batch */
} attn_table;

typedef struct attn_order_tables {
  attn_table rows;
  attn_table flags;
} attn_order_tables;

typedef struct attn_match_tables {
  attn_table begin;
  attn_table end;
} attn_match_tables;

typedef struct attn_workspace {
  char *base; /* NULL: count only; then all sections are NULL */
  size_t used;
  attn_view *views;           /* [view_count] */
  int64_t *symbols;           /* [batch][symbol_count] */
  attn_order_tables *orders;  /* [order_count]; unused for orders without tables */
  attn_match_tables *matches; /* [match_count] */
  attn_table *offsets;        /* [offsets_count] */
  int32_t *sort_scratch;      /* [the most rows or positions that are sorted] */
  char *worker_scratch;       /* [workers][worker_stride] */
  int64_t worker_stride;
  int64_t ring_offset; /* of a worker's ring of keys in its scratch memory; see ring.h */
  int32_t workers;
  float *states; /* of linear attention; see linear.h */
  float *parts;  /* states of parts of the keys; see parts.h */
} attn_workspace;

/* Lays out the workspace from its base on and writes all views; without a base, counts. `used` is then how many bytes
 * the workspace has to have; SIZE_MAX where no memory is large enough. */
attn_workspace attn_lay_out(const attn_problem *problem, const attn_version *version, void *base);

static inline int64_t *attn_symbols_of(const attn_problem *p, const attn_workspace *w, int64_t batch) {
  return w->symbols + batch * p->kernel->symbol_count;
}

static inline int32_t *attn_table_row(attn_table table, int64_t batch) { return table.data + batch * table.stride; }

#ifdef __cplusplus
}
#endif
#endif /* ATTN_LIB_RUNTIME_WORKSPACE_H */
