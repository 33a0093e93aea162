/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * What the compiler tells the host about one GPU kernel, and what a launch hands to the GPU. A GPU object carries PTX
 * and, where ptxas was found, a cubin; the host part of a call is plain C (gpu.c and what it includes), the prologue
 * runs on the GPU (device/prologue.c).
 *
 * A call runs in three steps, all on the caller's stream and without waiting for it:
 *   check     everything that can be wrong with the call, before anything is launched
 *   prologue  one launch of jobs: one job for each order with tables (list tokens, sort segments), each table of
 *             offsets, and each tensor whose values are checked (lengths, per-head numbers, tables of blocks); then one
 *             launch for each match. A kernel without run-time data has none
 *   phases    for each phase one launch over its items (query tile, head, batch). Those of one stage may run side by
 *             side, and each stage waits for the one before
 *
 * A phase is compiled in versions that compute the same. The *tiled* one reads and writes through tensor maps and wants
 * bases and strides of query, key, value and output to be multiples of 16 bytes; the *compact* one does so, too, and
 * has smaller tiles for calls of few keys; the *strided* one takes any strides.
 *
 * Linear attention has no phases. Its keys are cut into *splits*, which gather states side by side; three launches
 * follow the check:
 *
 *   absorb    for each (batch, key head, split, ATTN_LINEAR_CHUNK rows of a state): state s is that of the keys of
 *             split s
 *   sum       for each (batch, key head, entries of a state): state_in and the states of all splits, in order. State s
 *             is then that of the keys before split s, and the one behind the last is state_out
 *   rows      for each (batch, head, ATTN_LINEAR_CHUNK query rows): output and lse, of a state and, but in the full
 *             form, of the keys between its own and the row's. Step by step is the causal form: a GPU takes keys
 *             together
 *
 * Kernel parameters of a phase: the tensor maps of query, key, value and output (128 bytes each, by value; zeros in the
 * strided version), of a phase over classes first those of the longer classes and then those of the others; then
 * those of the runs of keys and values, if there are runs; then `words`, an array of int64 by value:
 *
 *   [0, symbol_count)          the symbols. Counts of orders without tables are there; what differs from batch to batch
 *                              is 0: the GPU reads lengths through their view, which may hold anything, and the other
 *                              counts through ATTN_GPU_ORDERS
 *   symbol_count + 0 ..        attn_gpu_word
 *   symbol_count + ATTN_GPU_WORDS + ATTN_GPU_VIEW_WORDS * v + f
 *                              view v as kernel.h describes it, f being one of attn_gpu_view_word: its address on the
 *                              GPU, four strides in elements, four extents. The address is 0 for a missing lse or
 *                              state, and for packed keys and values, which a GPU kernel has none of. A view of flags
 *                              is a bitmap, bit row % 32 of uint32 row / 32, its strides counted in these words
 *   behind the views           of linear attention, attn_gpu_linear_word
 *
 * Kernels of linear attention have `words` alone.
 *
 * Run-time data may hold anything. What is out of range is never an address: tokens and blocks beside the sequence are
 * absent, and an entry of a per-head parameter below its minimum counts as the minimum.
 */
#ifndef ATTN_LIB_RUNTIME_GPU_H
#define ATTN_LIB_RUNTIME_GPU_H

#include "kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

enum attn_gpu_word {
  ATTN_GPU_BATCH = 0,
  ATTN_GPU_HEADS = 1,
  ATTN_GPU_KV_HEADS = 2,
  ATTN_GPU_TILES = 3,  /* query tiles of this phase, by the capacity of its query order; of classes as many for each */
  ATTN_GPU_ORDERS = 4, /* address of attn_gpu_order [batch][order_count]; only orders with tables are written */
  ATTN_GPU_STATUS = 5, /* address of the int32 that the GPU raises to an attn_status; 0 where there is no prologue */
  ATTN_GPU_TILE_MAJOR = 6,     /* 1: blocks go tile by tile, each through all heads; 0: head by head */
  ATTN_GPU_FIRST_BATCH = 7,    /* of this launch */
  ATTN_GPU_KV_HEAD_FACTOR = 8, /* of at most 65535 heads, head h shares key head h * factor >> 32; of phases */
  ATTN_GPU_TILES_OF_PART = 9,  /* tiles of each class, block or row of patches of the phase's queries, which are its
                                  parts; of other orders, all */
  ATTN_GPU_PART_FACTOR = 10,   /* (2^32 - 1) / ATTN_GPU_TILES_OF_PART: tile * factor >> 32 is its part or the one
                                  before */
  ATTN_GPU_WORDS = 11
};

/* The words of a view. */
enum attn_gpu_view_word {
  ATTN_GPU_VIEW_ADDRESS = 0,
  ATTN_GPU_VIEW_STRIDES = 1, /* of the axes 0 to 3, in elements */
  ATTN_GPU_VIEW_SHAPE = 5,   /* their extents */
  ATTN_GPU_VIEW_WORDS = 9
};

/* Split s takes those of the keys s * n - lead to (s + 1) * n - lead - 1 that there are. */
enum attn_gpu_linear_word {
  ATTN_GPU_STATES = 0, /* address of float [batch][kv_heads][splits + 1][state_rows][state_columns] */
  ATTN_GPU_SPLITS = 1,
  ATTN_GPU_SPLIT_KEYS = 2, /* n, a multiple of ATTN_LINEAR_CHUNK */
  ATTN_GPU_LEAD = 3,       /* less than ATTN_LINEAR_CHUNK: chunks of keys begin beside chunks of rows */
  ATTN_GPU_LINEAR_WORDS = 4
};

/* The tensor maps of a phase, those of query, key, value and output; of classes twice, and for runs of keys two more. A
 * kernel has at most so many words, and fewer where it has computed orders, that they and the maps fit into the 4 KB of
 * a launch's parameters. */
enum { ATTN_GPU_MAPS = 4, ATTN_GPU_MAX_MAPS = 8, ATTN_GPU_MAX_WORDS = 448, ATTN_GPU_MAX_WORDS_COMPUTED = 384 };

/* What the prologue finds out about one order with tables in one batch. */
typedef struct attn_gpu_order {
  int32_t count;       /* ranks */
  int32_t is_identity; /* rank r stands for row r; the table of rows is then not written */
} attn_gpu_order;

/* One version of a phase. */
typedef struct attn_gpu_function {
  const char *name; /* in the module; NULL where this version does not exist */
  int32_t threads;
  int32_t shared_bytes; /* dynamic shared memory */
  int32_t tile_rows;    /* query rows of an item; the box of the query's tensor map */
  int32_t tile_keys;    /* keys of a tile; the box of the key's and value's tensor maps */
  int32_t store_rows;   /* the box of the output's tensor map */
  int32_t persistent; /* 1: as many blocks as run at a time, in x, which take items in turns; 0: a block for each item,
                         in x, y, z (tile, head, batch) or, tile by tile, (head, batch, tile) */
} attn_gpu_function;

/* Keys by remainders lie in runs of `width` rows, `modulus` rows apart; `first` is the least row that begins one. All
 * are programs. The tiled and the compact version read whole runs and begin with the first: a call whose keys end or
 * begin inside of a run, or whose tiles do, takes the strided one. */
typedef struct attn_gpu_runs {
  const int64_t *modulus, *first, *width;
} attn_gpu_runs;

/* Of a phase over patches: rows are points of a grid `width` wide, keys those of positions, `shift` further on. A patch
 * of queries is `patch_columns` wide, and a box of keys `span`, or as wide as the grid or a tile of keys can be. All
 * but the last are programs. The tiled version wants whole rows of the grid: a call whose sequence or whose keys begin
 * or end inside of one takes the strided one. */
typedef struct attn_gpu_grid {
  const int64_t *width, *shift, *span;
  int64_t patch_columns;
} attn_gpu_grid;

typedef struct attn_gpu_phase {
  attn_gpu_function tiled;
  attn_gpu_function strided;
  attn_gpu_function compact; /* as tiled, with smaller tiles: for at most compact_keys keys */
  int64_t compact_keys;
  const attn_gpu_runs *runs; /* NULL where no keys are read run by run */
  const attn_gpu_grid *grid; /* NULL where queries do not come in patches */
} attn_gpu_phase;

/* The launches of linear attention, in x alone. A block's `tile_rows` are rows of a state, entries of one, query rows.
 */
typedef struct attn_gpu_linear {
  attn_gpu_function absorb, sum, rows;
} attn_gpu_linear;

typedef struct attn_gpu_code {
  const char *cubin;             /* an ELF image for sm_90a, or NULL */
  const char *ptx;               /* zero-terminated; the driver compiles it where there is no cubin */
  const attn_gpu_phase *phases;  /* [phase_count of the kernel] */
  const attn_gpu_linear *linear; /* of linear attention; else NULL */
} attn_gpu_code;

/* The entry points of a GPU kernel; the emitted NAME, NAME_workspace_bytes, NAME_isa, NAME_requirement, NAME_load and
 * NAME_unload pass their constant. */
int attn_gpu_run(const attn_kernel *kernel, const attn_call *call);
size_t attn_gpu_workspace_bytes(const attn_kernel *kernel, const attn_call *call); /* 0 for a call that is wrong */
int attn_gpu_isa(const attn_kernel *kernel, const attn_call *call);                /* 0 for a call that is wrong */
/* -1: all hold that do not depend on run-time data. */
int attn_gpu_requirement(const attn_kernel *kernel, const attn_call *call, int64_t numbers[2]);
int attn_gpu_load(const attn_kernel *kernel, void **handle, int ordinal);
int attn_gpu_unload(const attn_kernel *kernel, void *handle);

#ifdef __cplusplus
}
#endif
#endif /* ATTN_LIB_RUNTIME_GPU_H */
