/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Builds orders, matches and offsets on the GPU; prologue.h says how it is launched and ../prologue.h what they are.
 */
#include "prologue.h"
#include "block.h"

enum { THREADS = ATTN_PROLOGUE_THREADS };

/* A radix sort takes ids digit by digit, the lowest first, and each thread a run of ranks; a thread counts the values
 * of its run apart from the others. Digits of four bits are as wide as shared memory lets these counters be. */
enum { DIGIT_BITS = 4, DIGIT_VALUES = 1 << DIGIT_BITS };

/* One word of 32 is left out, so that threads that step through counters one after another meet in no memory bank. */
enum { COUNTERS = DIGIT_VALUES * THREADS };
#define COUNTER(i) ((i) + ((i) >> 5))

typedef struct block_memory {
  uint32_t sums[2][THREADS]; /* for scans */
  uint32_t is_unsorted;
  uint32_t differing; /* the bits in which ids differ */
  uint32_t counters[COUNTER(COUNTERS)];
} block_memory;

_Static_assert(sizeof(block_memory) <= ATTN_PROLOGUE_SHARED_BYTES, "the launch asks for what the block needs");

SHARED_MEMORY(block_memory, attn_prologue_memory);
#define shared attn_prologue_memory

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t clamp(int64_t value, int64_t low, int64_t high) {
  return value < low ? low : value > high ? high : value;
}

static int32_t *row_of(attn_device_table table, int64_t b) { return table.data + b * table.stride; }
static const int32_t *values_of(attn_device_values values, int64_t b) { return values.data + b * values.stride; }

static void raise_status(int32_t *status, int32_t reason) { __atomic_store_n(status, reason, __ATOMIC_RELAXED); }

/* The items [begin, end) of `count` that thread t takes when each takes a run. */
typedef struct run {
  int64_t begin, end;
} run;

static run run_of(uint32_t t, int64_t count) {
  int64_t length = (count + THREADS - 1) / THREADS;
  return (run){least(t * length, count), least((t + 1) * length, count)};
}

/* Turns each thread's sums[0] into the sum of those of all threads up to it. Returns the whole. */
DEVICE uint32_t scan(void) {
  int from = 0;
  for (uint32_t distance = 1; distance < THREADS; distance *= 2, from ^= 1)
    EACH_THREAD(t)
  shared->sums[from ^ 1][t] = shared->sums[from][t] + (t >= distance ? shared->sums[from][t - distance] : 0);
  _Static_assert(THREADS == 1 << 10, "an even number of steps ends where it began");
  return shared->sums[0][THREADS - 1];
}

/* After a scan: what stands before thread t. */
static uint32_t before(uint32_t t) { return t == 0 ? 0 : shared->sums[0][t - 1]; }

/* Shared tables are built by the block of batch 0, which writes the outcome for all. */
DEVICE void write_order(const attn_job *job, int64_t b, int64_t batch, attn_gpu_order order) {
  int64_t end = job->values.stride ? b + 1 : batch;
  EACH_THREAD(t)
  for (int64_t i = b + t; i < end; i += THREADS)
    job->order[i * job->order_stride] = order;
}

/*===---- Listed orders -----------------------------------------------------------------------------------------===*/

/* Several tokens may set bits of one word at a time. */
static void set_flag(const attn_job *job, uint32_t *flags, int64_t token, int32_t *status) {
  int64_t row = token - job->side.offset;
  if (token < -1 || token > job->most)
    raise_status(status, ATTN_ERROR_TOKEN);
  if (token >= 0 && row >= 0 && row < job->side.count)
    __atomic_fetch_or(&flags[row / 32], 1u << row % 32, __ATOMIC_RELAXED);
}

static int32_t *write_rows(int32_t *rows, uint32_t bits, int64_t first) {
  for (; bits; bits &= bits - 1)
    *rows++ = (int32_t)(first + __builtin_ctz(bits));
  return rows;
}

DEVICE void list_tokens(const attn_job *job, int32_t *status, int64_t b, int64_t batch) {
  uint32_t *flags = (uint32_t *)row_of(job->flags, b);
  int64_t words = (job->side.count + 31) / 32;
  EACH_THREAD(t)
  for (int64_t w = t; w < words; w += THREADS)
    flags[w] = 0;
  EACH_THREAD(t)
  for (int64_t i = t; i < job->values.size; i += THREADS)
    set_flag(job, flags, values_of(job->values, b)[i], status);
  EACH_THREAD(t) {
    uint32_t count = 0;
    for (int64_t w = run_of(t, words).begin; w < run_of(t, words).end; ++w)
      count += __builtin_popcount(flags[w]);
    shared->sums[0][t] = count;
  }
  uint32_t count = scan();
  EACH_THREAD(t) {
    int32_t *rows = row_of(job->rows, b) + before(t);
    for (int64_t w = run_of(t, words).begin; w < run_of(t, words).end; ++w)
      rows = write_rows(rows, flags[w], w * 32);
  }
  write_order(job, b, batch, (attn_gpu_order){(int32_t)count, 0});
}

/*===---- Sorted orders -----------------------------------------------------------------------------------------===*/

/* The rows of a side that have an id. */
typedef struct covered {
  int64_t begin, end;
  const int32_t *ids; /* by position */
  int64_t offset;
} covered;

static int32_t id_of(covered rows, int64_t row) { return rows.ids[rows.offset + row]; }

static covered covered_rows(const attn_job *job, int64_t b) {
  int64_t begin = clamp(-job->side.offset, 0, job->side.count);
  int64_t end = clamp(job->values.size - job->side.offset, begin, job->side.count);
  return (covered){begin, end, values_of(job->values, b), job->side.offset};
}

/* Finds out whether the ids ascend, and in which bits they differ. */
DEVICE void look_at_ids(covered rows) {
  EACH_THREAD(t)
  if (t == 0)
    shared->is_unsorted = shared->differing = 0;
  EACH_THREAD(t) {
    uint32_t differing = 0, is_unsorted = 0;
#pragma clang loop unroll_count(8)
    for (int64_t row = rows.begin + 1 + t; row < rows.end; row += THREADS) {
      int32_t id = id_of(rows, row), last = id_of(rows, row - 1);
      differing |= (uint32_t)(id ^ last);
      is_unsorted |= id < last;
    }
    __atomic_fetch_or(&shared->differing, differing, __ATOMIC_RELAXED);
    __atomic_fetch_or(&shared->is_unsorted, is_unsorted, __ATOMIC_RELAXED);
  }
}

DEVICE void write_range(int32_t *rows, int64_t begin, int64_t end) {
  EACH_THREAD(t)
  for (int64_t row = begin + t; row < end; row += THREADS)
    rows[row - begin] = (int32_t)row;
}

/* Flipping the sign bit puts negative ids in front. */
static uint32_t digit_of(int32_t id, uint32_t shift) {
  return ((uint32_t)id ^ 0x80000000u) >> shift & (DIGIT_VALUES - 1);
}

/* Rows before the first pass are in their order, and in no table. */
static int64_t row_at(covered rows, const int32_t *from, int64_t rank) { return from ? from[rank] : rows.begin + rank; }

/* Some ranks of thread t's run, each with the counter of its digit. Memory is far from a thread, so it asks for several
 * rows at a time. */
enum { BATCH = 8 };

typedef struct ranked {
  int32_t rows[BATCH];
  uint32_t counters[BATCH];
} ranked;

static ranked load_ranks(covered rows, const int32_t *from, uint32_t shift, uint32_t t, run some) {
  ranked loaded;
  for (int i = 0; i < BATCH; ++i)
    loaded.rows[i] = (int32_t)(some.begin + i < some.end ? row_at(rows, from, some.begin + i) : rows.begin);
  for (int i = 0; i < BATCH; ++i)
    loaded.counters[i] = COUNTER(digit_of(id_of(rows, loaded.rows[i]), shift) * THREADS + t);
  return loaded;
}

DEVICE void count_digits(covered rows, const int32_t *from, uint32_t shift) {
  EACH_THREAD(t) {
    for (uint32_t value = 0; value < DIGIT_VALUES; ++value)
      shared->counters[COUNTER(value * THREADS + t)] = 0;
    for (run mine = run_of(t, rows.end - rows.begin); mine.begin < mine.end; mine.begin += BATCH) {
      ranked loaded = load_ranks(rows, from, shift, t, mine);
      for (int i = 0; i < BATCH; ++i)
        shared->counters[loaded.counters[i]] += mine.begin + i < mine.end;
    }
  }
}

/* Turns counters into the places where the next row goes: first by digit, then by thread. */
DEVICE void sum_up_counters(void) {
  EACH_THREAD(t) {
    uint32_t sum = 0;
    for (uint32_t i = t * DIGIT_VALUES; i < (t + 1) * DIGIT_VALUES; ++i)
      sum += shared->counters[COUNTER(i)];
    shared->sums[0][t] = sum;
  }
  scan();
  EACH_THREAD(t) {
    uint32_t place = before(t);
    for (uint32_t i = t * DIGIT_VALUES; i < (t + 1) * DIGIT_VALUES; ++i) {
      uint32_t count = shared->counters[COUNTER(i)];
      shared->counters[COUNTER(i)] = place;
      place += count;
    }
  }
}

DEVICE void move_rows(covered rows, const int32_t *from, int32_t *to, uint32_t shift) {
  EACH_THREAD(t)
  for (run mine = run_of(t, rows.end - rows.begin); mine.begin < mine.end; mine.begin += BATCH) {
    ranked loaded = load_ranks(rows, from, shift, t, mine);
    for (int i = 0; i < BATCH; ++i)
      if (mine.begin + i < mine.end)
        to[shared->counters[loaded.counters[i]]++] = loaded.rows[i];
  }
}

/* How many digits the ids differ in: each takes a pass. */
static int count_passes(uint32_t differing) {
  int passes = 0;
  for (uint32_t shift = 0; shift < 32; shift += DIGIT_BITS)
    passes += (differing >> shift & (DIGIT_VALUES - 1)) != 0;
  return passes;
}

/* Sorts by id, keeping rows of one id in their order. Passes write to the two tables in turns, the last one to `to`. */
DEVICE void sort_by_id(covered rows, int32_t *to, int32_t *scratch) {
  uint32_t differing = shared->differing;
  int32_t *from = NULL, *next = count_passes(differing) % 2 ? to : scratch;
  for (uint32_t shift = 0; shift < 32; shift += DIGIT_BITS) {
    if (!(differing >> shift & (DIGIT_VALUES - 1)))
      continue;
    count_digits(rows, from, shift);
    sum_up_counters();
    move_rows(rows, from, next, shift);
    from = next;
    next = next == to ? scratch : to;
  }
}

DEVICE void flag_rows(uint32_t *flags, covered rows, int64_t row_count) {
  EACH_THREAD(t)
  for (int64_t w = t; w * 32 < row_count; w += THREADS) {
    int64_t begin = clamp(rows.begin - w * 32, 0, 32), end = clamp(rows.end - w * 32, 0, 32);
    flags[w] = (uint32_t)((1ull << end) - (1ull << begin));
  }
}

/* Rows that come sorted, as packed documents do, need no table. Those without an id follow the others. */
DEVICE void sort_segments(const attn_job *job, int64_t b, int64_t batch) {
  covered rows = covered_rows(job, b);
  int64_t with_id = rows.end - rows.begin;
  int32_t *to = row_of(job->rows, b);
  look_at_ids(rows);
  int is_unsorted = (int)shared->is_unsorted, is_identity = !is_unsorted && (rows.begin == 0 || with_id == 0);
  if (is_unsorted)
    sort_by_id(rows, to, row_of(job->scratch, b));
  else if (!is_identity)
    write_range(to, rows.begin, rows.end);
  if (!is_identity) {
    write_range(to + with_id, 0, rows.begin);
    write_range(to + rows.end, rows.end, job->side.count);
  }
  if (job->flags.data)
    flag_rows((uint32_t *)row_of(job->flags, b), rows, job->side.count);
  write_order(job, b, batch, (attn_gpu_order){(int32_t)(job->counts_all ? job->side.count : with_id), is_identity});
}

/*===---- Ranks of ids ------------------------------------------------------------------------------------------===*/

/* The order of one batch. */
typedef struct ranks {
  const int32_t *rows; /* NULL: rank r is row r */
  int64_t count, offset;
} ranks;

static int64_t position_of(ranks order, int64_t rank) { return order.offset + (order.rows ? order.rows[rank] : rank); }

/* The first rank from `low` on whose id is at least `id`; ids of ranks ascend. */
static int64_t find_id(const int32_t *ids, ranks keys, int64_t low, int64_t id) {
  for (int64_t high = keys.count; low < high;) {
    int64_t middle = low + (high - low) / 2;
    if (ids[position_of(keys, middle)] < id)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/*===---- Offsets in segments -----------------------------------------------------------------------------------===*/

/* Sorted, each segment is a run of ranks. The offsets' own memory serves the sort until they are known. */
DEVICE void count_offsets(const attn_job *job, int64_t b) {
  covered positions = covered_rows(job, b);
  int32_t *sorted = row_of(job->rows, b), *offsets = row_of(job->scratch, b);
  look_at_ids(positions);
  int is_unsorted = (int)shared->is_unsorted;
  if (is_unsorted)
    sort_by_id(positions, sorted, offsets);
  ranks all = {is_unsorted ? sorted : NULL, positions.end, 0};
  EACH_THREAD(t)
  for (int64_t rank = t; rank < all.count; rank += THREADS) {
    int64_t position = position_of(all, rank);
    offsets[position] = (int32_t)(rank - find_id(positions.ids, all, 0, positions.ids[position]));
  }
}

/*===---- Jobs --------------------------------------------------------------------------------------------------===*/

DEVICE void check_values(const attn_job *job, int32_t *status, int64_t b) {
  const int32_t *values = values_of(job->values, b);
  int64_t size = job->values.size, count = job->lines[0] * job->lines[1] * size;
  EACH_THREAD(t)
  for (int64_t i = t; i < count; i += THREADS) {
    int64_t line = i / size;
    int32_t value =
        values[line / job->lines[1] * job->line_strides[0] + line % job->lines[1] * job->line_strides[1] + i % size];
    if (value < job->least || value > job->most)
      raise_status(status, job->reason);
  }
}

DEVICE void run_job(const attn_job *job, int32_t *status, int64_t b, int64_t batch) {
  if (b > 0 && job->values.stride == 0)
    return;
  if (job->kind == ATTN_JOB_LIST)
    list_tokens(job, status, b, batch);
  else if (job->kind == ATTN_JOB_SORT)
    sort_segments(job, b, batch);
  else if (job->kind == ATTN_JOB_OFFSETS)
    count_offsets(job, b);
  else
    check_values(job, status, b);
}

/*===---- Matches -----------------------------------------------------------------------------------------------===*/

static ranks ranks_of(const attn_device_ranks *all, int64_t b, int32_t order_stride) {
  const attn_gpu_order *order = &all->order[b * order_stride];
  return (ranks){order->is_identity ? NULL : row_of(all->rows, b), order->count, all->offset};
}

DEVICE void match_rank(const attn_match_job *job, int64_t b, int64_t rank) {
  const int32_t *ids = values_of(job->ids, b);
  ranks queries = ranks_of(&job->queries, b, job->order_stride), keys = ranks_of(&job->keys, b, job->order_stride);
  int64_t position = position_of(queries, rank), begin = keys.count, end = keys.count;
  if (position >= 0 && position < job->ids.size) {
    begin = find_id(ids, keys, 0, ids[position]);
    end = find_id(ids, keys, begin, (int64_t)ids[position] + 1);
  }
  row_of(job->begin, b)[rank] = (int32_t)begin;
  row_of(job->end, b)[rank] = (int32_t)end;
}

/*===---- Kernels -----------------------------------------------------------------------------------------------===*/

#ifdef __NVPTX__

__attribute__((device_kernel)) void attn_run_jobs(attn_jobs all) {
  attn_job job = all.jobs[__nvvm_read_ptx_sreg_ctaid_y()];
  run_job(&job, all.status, __nvvm_read_ptx_sreg_ctaid_x(), all.batch);
}

__attribute__((device_kernel)) void attn_match_ranks(attn_match_job job) {
  int64_t block = __nvvm_read_ptx_sreg_ctaid_x(), first = block % job.blocks_per_batch * ATTN_MATCH_THREADS;
  int64_t rank = first + __nvvm_read_ptx_sreg_tid_x();
  if (rank < job.query_count)
    match_rank(&job, block / job.blocks_per_batch, rank);
}

#else

void attn_run_job(const attn_job *job, int32_t *status, int64_t b, int64_t batch) { run_job(job, status, b, batch); }
void attn_match_rank(const attn_match_job *job, int64_t b, int64_t rank) { match_rank(job, b, rank); }

#endif
