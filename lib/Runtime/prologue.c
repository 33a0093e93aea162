/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Builds orders out of tokens and segment ids; prologue.h says what they are.
 */
#include "prologue.h"

#include <string.h>

int64_t attn_order_listed(const int32_t *tokens, int64_t token_count, attn_rows side, int32_t *rows, int32_t *flags) {
  memset(flags, 0, (size_t)side.count * sizeof(int32_t));
  for (int64_t t = 0; t < token_count; ++t) {
    int64_t row = tokens[t] - side.offset;
    if (tokens[t] >= 0 && row >= 0 && row < side.count)
      flags[row] = 1;
  }
  int64_t count = 0;
  for (int64_t row = 0; row < side.count; ++row)
    if (flags[row])
      rows[count++] = (int32_t)row;
  return count;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
  return value < low ? low : value > high ? high : value;
}

static int ascends(const int32_t *ids, int64_t begin, int64_t end) {
  for (int64_t position = begin + 1; position < end; ++position)
    if (ids[position - 1] > ids[position])
      return 0;
  return 1;
}

/* A radix sort takes ids byte by byte, the lowest first; flipping the sign bit puts negative ids in front. */
enum { DIGIT_BITS = 8, DIGITS = 32 / DIGIT_BITS, DIGIT_VALUES = 1 << DIGIT_BITS };

static uint32_t digit_of(int32_t id, int digit) {
  return ((uint32_t)id ^ 0x80000000u) >> (digit * DIGIT_BITS) & (DIGIT_VALUES - 1);
}

/* Turns how often each value occurs into where its first row goes. Returns whether one value is everybody's: then the
 * rows stay as they are. Ids are few and small as a rule, so most digits end here. */
static int sum_up(uint32_t *places, int64_t count) {
  uint32_t before = 0;
  for (int value = 0; value < DIGIT_VALUES; ++value) {
    uint32_t occurrences = places[value];
    if (occurrences == count)
      return 1;
    places[value] = before;
    before += occurrences;
  }
  return 0;
}

/* Sorts rows by id, keeping rows of one id in their order. Row r has the id ids[offset + r]. */
static void sort_by_id(const int32_t *ids, int64_t offset, int32_t *rows, int64_t count, int32_t *scratch) {
  uint32_t places[DIGITS][DIGIT_VALUES];
  memset(places, 0, sizeof(places));
  for (int64_t rank = 0; rank < count; ++rank)
    for (int digit = 0; digit < DIGITS; ++digit)
      ++places[digit][digit_of(ids[offset + rows[rank]], digit)];

  int32_t *from = rows, *to = scratch;
  for (int digit = 0; digit < DIGITS; ++digit) {
    if (sum_up(places[digit], count))
      continue;
    for (int64_t rank = 0; rank < count; ++rank)
      to[places[digit][digit_of(ids[offset + from[rank]], digit)]++] = from[rank];
    int32_t *swap = from;
    from = to;
    to = swap;
  }
  if (from != rows)
    memcpy(rows, from, (size_t)count * sizeof(int32_t));
}

static void write_range(int32_t *rows, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row)
    *rows++ = (int32_t)row;
}

int64_t attn_order_sorted(attn_segments segments, attn_rows side, int32_t *rows, int32_t *flags, int32_t *scratch) {
  int64_t begin = clamp(-side.offset, 0, side.count);
  int64_t end = clamp(segments.count - side.offset, begin, side.count);
  int64_t count = end - begin;
  write_range(rows, begin, end);
  write_range(rows + count, 0, begin);
  write_range(rows + end, end, side.count);
  for (int64_t row = 0; row < side.count; ++row)
    flags[row] = row >= begin && row < end;
  if (!ascends(segments.ids, side.offset + begin, side.offset + end))
    sort_by_id(segments.ids, side.offset, rows, count, scratch);
  return count;
}

static int64_t position_of(attn_ranks order, int64_t rank) { return order.offset + order.rows[rank]; }

/* Both sides ascend, so two pointers pass over the keys once: `low` and `high` enclose the keys of the last id seen.
 * Queries without an id come last; the range past all keys is theirs. */
void attn_match_segments(attn_segments segments, attn_ranks queries, attn_ranks keys, int32_t *begin, int32_t *end) {
  const int32_t *ids = segments.ids;
  int64_t low = 0, high = 0;
  for (int64_t rank = 0; rank < queries.count; ++rank) {
    int64_t position = position_of(queries, rank);
    if (position < 0 || position >= segments.count) {
      low = high = keys.count;
    } else if (rank == 0 || ids[position] != ids[position_of(queries, rank - 1)]) {
      for (low = high; low < keys.count && ids[position_of(keys, low)] < ids[position];)
        ++low;
      for (high = low; high < keys.count && ids[position_of(keys, high)] == ids[position];)
        ++high;
    }
    begin[rank] = (int32_t)low;
    end[rank] = (int32_t)high;
  }
}

/* Sorted, each segment is a run. The offsets' own memory serves the sort until they are known. */
void attn_segment_offsets(attn_segments segments, int32_t *offsets, int32_t *scratch) {
  const int32_t *ids = segments.ids;
  int32_t *positions = scratch;
  write_range(positions, 0, segments.count);
  if (!ascends(ids, 0, segments.count))
    sort_by_id(ids, 0, positions, segments.count, offsets);
  for (int64_t rank = 0, begin = 0; rank < segments.count; ++rank) {
    if (ids[positions[rank]] != ids[positions[begin]])
      begin = rank;
    offsets[positions[rank]] = (int32_t)(rank - begin);
  }
}
