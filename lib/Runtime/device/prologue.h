/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The prologue of a GPU call: ../prologue.h's orders, matches and offsets, built by the GPU, and the checks of run-time
 * data that a CPU call makes on the host. The host describes the work in *jobs*, which are parameters of the launch.
 *
 * One block of ATTN_PROLOGUE_THREADS threads does one job for one batch. prologue.c is written in steps that all
 * threads of a block take before any takes the next; on the host a step is a loop, so the same text is tested there,
 * against the CPU's prologue.
 */
#ifndef ATTN_LIB_RUNTIME_DEVICE_PROLOGUE_H
#define ATTN_LIB_RUNTIME_DEVICE_PROLOGUE_H

#include "../gpu.h"
#include "../prologue.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The names of the functions in a GPU module, and how they are launched; CMakeLists.txt tells the compiler the numbers
 * of threads. */
#define ATTN_PROLOGUE_RUN_JOBS "attn_run_jobs" /* (attn_jobs): grid [batch, job_count] */
#define ATTN_PROLOGUE_MATCH "attn_match_ranks" /* (attn_match_job): grid [blocks_per_batch * batches] */
enum { ATTN_PROLOGUE_THREADS = 1024, ATTN_PROLOGUE_SHARED_BYTES = 76 << 10, ATTN_MATCH_THREADS = 256 };

/* Run-time data as attn_values, and a table of the workspace as attn_table: stride 0 where all batches share one row.
 */
typedef struct attn_device_values {
  const int32_t *data;
  int64_t size;
  int64_t stride;
} attn_device_values;

typedef struct attn_device_table {
  int32_t *data;
  int64_t stride;
} attn_device_table;

typedef enum attn_job_kind {
  ATTN_JOB_LIST = 0,   /* an order of kind listed; checks the tokens too */
  ATTN_JOB_SORT = 1,   /* an order of kind sorted */
  ATTN_JOB_CHECK = 2,  /* checks values, and that is all */
  ATTN_JOB_OFFSETS = 3 /* offsets in segments */
} attn_job_kind;

typedef struct attn_job {
  int32_t kind;
  int32_t order_stride;      /* from batch to batch */
  attn_gpu_order *order;     /* that of batch 0 */
  attn_device_values values; /* tokens or ids, or a line of values to check */
  int64_t least, most;       /* the values that are no mistake */
  attn_rows side;            /* of offsets: all positions */
  int32_t counts_all;        /* 1: a sorted order of queries, whose rows without an id count too */
  int32_t reason;            /* of a check: the attn_status that it raises */
  attn_device_table rows;    /* [side.count], of a listed order no longer than values.size */
  attn_device_table flags;   /* a bitmap, [(side.count + 31) / 32]; a sorted order may have none */
  attn_device_table scratch; /* [side.count], of a sorted order; of offsets it is what is made */
  int64_t lines[2];          /* of a check: how many lines of values a batch has, as a matrix */
  int64_t line_strides[2];
} attn_job;

enum { ATTN_MAX_JOBS = 25 };

typedef struct attn_jobs {
  int32_t *status; /* 0 before; raised to an attn_status where a value is out of range */
  int64_t batch;
  attn_job jobs[ATTN_MAX_JOBS];
} attn_jobs;

/* A sorted order as the match reads it. */
typedef struct attn_device_ranks {
  const attn_gpu_order *order; /* that of batch 0 */
  attn_device_table rows;
  int64_t offset;
} attn_device_ranks;

typedef struct attn_match_job {
  attn_device_values ids;
  attn_device_ranks queries, keys;
  int64_t query_count;
  attn_device_table begin, end; /* [query_count] */
  int32_t order_stride;
  int32_t blocks_per_batch; /* of ATTN_MATCH_THREADS queries each */
} attn_match_job;

/* What one block does; the kernels call it. */
void attn_run_job(const attn_job *job, int32_t *status, int64_t b, int64_t batch);
/* What one thread does. */
void attn_match_rank(const attn_match_job *job, int64_t b, int64_t rank);

#ifdef __cplusplus
}
#endif
#endif /* ATTN_LIB_RUNTIME_DEVICE_PROLOGUE_H */
