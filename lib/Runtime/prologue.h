/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Builds the orders of one batch out of run-time data: lists of rows, sorted and free of duplicates, in time linear in
 * the number of rows. An order is *listed* (the rows of some tokens) or *sorted* (all rows, by segment); two orders
 * that are sorted by the same segments are *matched*: each query learns where the keys of its segment lie. Besides
 * orders there are *offsets*: where in its segment a position stands.
 *
 * Rows and positions. A side (queries or keys) has rows 0 .. row_count - 1, and row r stands at position offset + r.
 * Tokens are positions and segment ids are indexed by position, so both sides read the same data. As an example, three
 * segments on positions 0 .. 7, queries on all of them, and keys that begin at position 2:
 *
 *   ids            5 5 1 1 5 1 9 9         by position
 *   query rows     2 3 5   0 1 4   6 7     by (id, row): ids 1, 5, 9
 *   key rows       0 1 3   2       4 5     by (id, row): ids 1, 5, 9
 *   begin, end     [0, 3)  [3, 4)  [4, 6)  the ranks of the keys for the queries above them
 *   offsets        0 1 0 1 2 2 0 1         by position
 *
 * Nothing here allocates; every table comes from the caller. None of the functions checks its arguments: the entry
 * point has done so (problem.c), and what lies outside a side is passed over, never dereferenced.
 */
#ifndef ATTN_LIB_RUNTIME_PROLOGUE_H
#define ATTN_LIB_RUNTIME_PROLOGUE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One side of a call. */
typedef struct attn_rows {
  int64_t offset; /* the position of row 0 */
  int64_t count;
} attn_rows;

/* Lists the rows of `tokens`, ascending and once each; returns how many there are. Tokens below 0 are padding, tokens
 * beside the side are absent.
 *   rows   [min(side.count, token_count)]: written up to the returned count
 *   flags  [side.count]: 1 where the row is listed, otherwise 0 */
int64_t attn_order_listed(const int32_t *tokens, int64_t token_count, attn_rows side, int32_t *rows, int32_t *flags);

/* A segment id for each of the positions 0 .. count - 1. Positions below 0 or at and past count have none. */
typedef struct attn_segments {
  const int32_t *ids;
  int64_t count;
} attn_segments;

/* Sorts the rows that have a segment id by (id, row); returns how many there are. The rows without one follow them,
 * ascending. Rows that come sorted, as packed documents do, cost one pass.
 *   rows     [side.count]: each row once
 *   flags    [side.count]: 1 where the row has an id, otherwise 0
 *   scratch  [side.count]: its content is lost */
int64_t attn_order_sorted(attn_segments segments, attn_rows side, int32_t *rows, int32_t *flags, int32_t *scratch);

/* A sorted order: rank r stands for row rows[r], at position offset + rows[r]. */
typedef struct attn_ranks {
  const int32_t *rows;
  int64_t count;
  int64_t offset;
} attn_ranks;

/* Finds the keys of each query's segment: query rank r looks at key ranks [begin[r], end[r]), an empty range where no
 * key has its id or it has none itself. Both orders are sorted by `segments`; the keys are those that have an id.
 *   begin, end  [queries.count] */
void attn_match_segments(attn_segments segments, attn_ranks queries, attn_ranks keys, int32_t *begin, int32_t *end);

/* Counts for each position how many earlier ones have its id: its offset in its segment.
 *   offsets  [segments.count]
 *   scratch  [segments.count]: its content is lost */
void attn_segment_offsets(attn_segments segments, int32_t *offsets, int32_t *scratch);

#ifdef __cplusplus
}
#endif
#endif /* ATTN_LIB_RUNTIME_PROLOGUE_H */
