/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * What the compiler tells the entry point about one kernel. The entry points (cpu.c, gpu.c) and what they stand on are
 * compiled to bitcode once, when the compiler is built; every emitted object carries those of its target with internal
 * linkage beside its own code and one constant attn_kernel. So all checking and set-up of a call is plain C that can be
 * read and tested by itself, and the emitters write loops only.
 *
 * attn_kernel says what is true of a kernel on every target; one of its two last fields says the rest. gpu.h tells how
 * a GPU call runs. A CPU call runs in four steps:
 *
 *   check     everything that can be wrong with the call, before anything is written
 *   prologue  for each batch: sort tokens and segments into orders (lists of rows), count offsets in segments
 *   pack      for each (key order, batch, key head, block of keys): copy K and V into panels, unless tiles do it
 *   tiles     for each (phase, batch, head, query tile): the fused loop over the phase's boxes
 *
 * Emitted CPU functions see memory through *views* (descriptors of rank 4, laid out as an MLIR memref descriptor) and
 * whole numbers through *symbols*. The indices of both are chosen by the compiler and written here.
 */
#ifndef ATTN_LIB_RUNTIME_KERNEL_H
#define ATTN_LIB_RUNTIME_KERNEL_H

#include "attn/Runtime/attn.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct attn_view {
  void *allocated; /* always equal to data */
  void *data;
  int64_t offset; /* always 0 */
  int64_t shape[4];
  int64_t strides[4]; /* in elements */
} attn_view;

/* Symbols 0 to ATTN_FIXED_SYMBOLS - 1 exist in every kernel. They are held once per batch. */
enum {
  ATTN_SYMBOL_LENGTH = 0,
  ATTN_SYMBOL_KV_LENGTH = 1,
  ATTN_SYMBOL_QUERY_OFFSET = 2,
  ATTN_SYMBOL_KEY_OFFSET = 3,
  ATTN_SYMBOL_TOP_LEFT_OFFSET = 4, /* the given query offset, or 0 */
  ATTN_SYMBOL_SCALE = 5,           /* the bits of a float */
  ATTN_SYMBOL_HEADS_PER_KV_HEAD = 6,
  ATTN_SYMBOL_HEADS = 7,
  ATTN_SYMBOL_HEAD = 8, /* the query head at hand: emitted code knows it, in memory it is 0 */
  ATTN_FIXED_SYMBOLS = 9
};

typedef enum attn_symbol_kind {
  ATTN_SYMBOL_INDEX = 0,      /* scalar argument `source`, as it is */
  ATTN_SYMBOL_NUMBER = 1,     /* scalar argument `source`, as the bits of a float */
  ATTN_SYMBOL_ENTRY = 2,      /* entry [batch] of tensor argument `source` (lengths) */
  ATTN_SYMBOL_HEAD_ENTRY = 3, /* entry [batch, head] of tensor argument `source`: emitted code reads its view */
  ATTN_SYMBOL_FORMULA = 4     /* formula `source`, of earlier symbols that read no data */
} attn_symbol_kind;

typedef struct attn_symbol {
  int32_t kind;
  int32_t source;
} attn_symbol;

/* A *program* is an expression over a call's symbols in prefix notation: ATTN_CONSTANT c, ATTN_SYMBOL s, or an
 * operation followed by its two operands. Sums and products stay at the ends of 64 bits, division rounds down, and a
 * divisor below 1 counts as 1. */
typedef enum attn_operation {
  ATTN_CONSTANT = 0, /* the number follows */
  ATTN_SYMBOL = 1,   /* the symbol's index follows */
  ATTN_ADD = 2,
  ATTN_MULTIPLY = 3,
  ATTN_DIVIDE = 4,
  ATTN_REMAINDER = 5,
  ATTN_LEAST = 6,
  ATTN_GREATEST = 7
} attn_operation;

typedef enum attn_side { ATTN_QUERIES = 0, ATTN_KEYS = 1 } attn_side;

typedef enum attn_order_kind {
  ATTN_ORDER_ALL = 0,     /* rows 0, 1, 2, ...: no table */
  ATTN_ORDER_LISTED = 1,  /* the rows of tokens `tensor`, ascending, without duplicates */
  ATTN_ORDER_SORTED = 2,  /* rows that have a segment id, by (id of `tensor`, row); then the queries that have none */
  ATTN_ORDER_CLASSES = 3, /* rows by (row % modulus, row): no table, emitted code computes the row of a rank */
  ATTN_ORDER_REMAINDERS = 4, /* rows with some remainders, ascending: no table either */
  ATTN_ORDER_BLOCKS = 5,     /* rows 0, 1, 2, ..., in tiles that end where blocks of `modulus` positions do */
  ATTN_ORDER_PATCHES = 6     /* rows as points of a grid, patch by patch; some ranks stand for no row */
} attn_order_kind;

/* A renumbering of rows: rank r stands for row rows[r]. View indices are -1 where nothing asks for the table. The
 * capacity of an order is the most ranks it can have in this call: the rows of its side, and for a listed order no more
 * than its tensor has tokens. Entries at and past an order's count are undefined. Where all batches share the tensor,
 * they share the table too and the view's batch stride is 0. */
typedef struct attn_order {
  int32_t kind;
  int32_t side;
  int32_t tensor;       /* the call's tensor that it is made of, or -1 */
  int32_t rows_view;    /* int32 [batch, 1, 1, capacity]: the order itself */
  int32_t flags_view;   /* int32 [batch, 1, 1, rows of its side]: 1 where the row is in the order */
  int32_t count_symbol; /* how many ranks it has in this batch, unless it is computed; every order has this symbol */
  int32_t key_view;     /* packed keys of this order, see attn_version; -1: none, as of query orders */
  int32_t value_view;
  int32_t of_head; /* 1: query heads differ in it, and keys are packed for each of them, not for each key head */
  int32_t reserved;
  const int64_t *modulus; /* program, of classes and blocks; NULL for others */
  const int64_t *count;   /* program: its ranks, where they are not as many as rows; NULL for others */
  const int64_t *span;    /* program, of keys: about how many ranks a query row looks at; NULL: not known */
} attn_order;

/* How many earlier positions are in a position's segment. int32 [batch, 1, 1, positions the tensor has]. */
typedef struct attn_offsets {
  int32_t tensor; /* of segments */
  int32_t view;
} attn_offsets;

/* What has to hold in a call, for every batch and head: value >= least. */
typedef struct attn_requirement {
  const int64_t *value, *least; /* programs */
} attn_requirement;

/* How many positions a block of a table of blocks stands for. */
typedef struct attn_block_table {
  int32_t tensor;
  int32_t reserved;
  const int64_t *block; /* program */
} attn_block_table;

/* For a query order and a key order that are sorted by the same segments: where the keys of a query's segment lie.
 * int32 [batch, 1, 1, length]: query rank r looks at key ranks [begin[r], end[r]) only, at none if it has no id. */
typedef struct attn_match {
  int32_t query_order;
  int32_t key_order;
  int32_t begin_view;
  int32_t end_view;
} attn_match;

/* Packs keys [block * pack_keys, ...) of one key order: one function per key order. `symbols` is the batch's row.
 * Blocks cover the order's capacity, so one may lie past the batch's count. */
typedef void (*attn_pack_fn)(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t kv_head,
                             int64_t block);
/* Where a worker packs keys when a tile asks for them, if few tiles look at each of them. Views of packed keys of such
 * an order have no data. A slot holds key_granule keys and is used again for others. The keys of a tile lie side by
 * side, so pack_keys / key_granule - 1 slots follow those that are taken in turn. (Those of AMX pipelines go round.) */
typedef struct attn_key_ring {
  int64_t *tags; /* which keys each slot holds; -1: none */
  void *keys;
  void *values;
  int64_t slots; /* that are taken in turn */
} attn_key_ring;

/* Computes one query tile: one function per phase. `symbols` is the batch's row; `scratch` is 64-byte aligned, and
 * begins with an attn_key_ring where an order has a span. Tiles cover the order's capacity; one that lies past the
 * batch's count returns at once. */
typedef void (*attn_tile_fn)(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t head, int64_t tile,
                             void *scratch);

/* Calls with few queries, as in decoding, pack nothing: keys are read where they lie. They are cut into parts of
 * ATTN_PART_KEYS ranks, whatever order they are in and however many workers there are, so that results do not depend on
 * these. One function per phase computes a tile's states for one part, another puts the parts together. */
enum { ATTN_FEW_ROWS = 4, ATTN_PART_KEYS = 1024 };

/* Computes the states of a tile of ATTN_FEW_ROWS rows for part `part`. */
typedef void (*attn_part_fn)(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t head, int64_t tile,
                             void *scratch, int64_t part, float *states);
/* Merges `parts` states that lie one behind the other, and writes the tile's rows. */
typedef void (*attn_merge_fn)(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t head, int64_t tile,
                              void *scratch, int64_t parts, const float *states);

/* The kernel as it is written for one instruction set. Packed keys and values consist of *units* of four bytes: what
 * one lane of a product takes at a time, a float or two numbers of 16 bits. */
typedef struct attn_version {
  int32_t isa;
  int32_t value_keys;        /* keys that share a unit of packed values: 1, or 2 where products take pairs of them */
  int64_t scratch_bytes;     /* for each worker */
  const attn_pack_fn *packs; /* [order_count], NULL where nothing is packed */
  const attn_tile_fn *tiles; /* [phase_count] */
  int64_t panel_stride; /* in units: K is packed [panels][panel_stride] with [units of a key][panel_keys] in a panel,
                           and a little more, so that panels do not alias */
  int64_t value_stride; /* in units: V is packed [keys / value_keys][value_stride], zero beyond value_head_size */
  const attn_part_fn *parts;   /* [phase_count]; NULL where such calls take tiles, too */
  const attn_merge_fn *merges; /* [phase_count] */
  int64_t part_floats;         /* of the states of a tile for one part */
} attn_version;

typedef struct attn_phase {
  int32_t query_order;
  int32_t tile_rows; /* on the CPU; a GPU phase has its own */
  int32_t stage;     /* phases of one stage run side by side, after all of the stages before: they go on from their
                        output and lse, for which the workspace has a place where the call has none */
  int32_t reserved;
  const int64_t *when; /* program: calls in which it is positive run the phase; NULL: all calls */
} attn_phase;

/* How a kernel runs on the CPU. */
typedef struct attn_cpu_code {
  int32_t version_count;
  int32_t panel_keys;  /* keys of a panel of packed keys */
  int32_t key_granule; /* the number of packed keys is rounded up to this; keys past the order's count are zeros */
  int32_t pack_keys;   /* keys a pack item handles; a multiple of key_granule */
  const attn_version *versions; /* best first */
} attn_cpu_code;

/* Linear attention has no orders and no tiles. It keeps a *state*: float [state_rows][state_columns], entry (c, e) the
 * sum over keys of f(k)[c] v[e], column value_head_size the sum of f(k) itself, and zeros elsewhere. On the CPU
 * linear.c walks over the keys, chunk by chunk, with the three parts below; what a chunk's keys become lies in
 * `scratch`. */
typedef enum attn_linear_form { ATTN_LINEAR_FULL = 0, ATTN_LINEAR_CAUSAL = 1, ATTN_LINEAR_STEP = 2 } attn_linear_form;

enum { ATTN_LINEAR_CHUNK = 64 }; /* the most keys, or rows, that a part takes */

/* Works on `count` keys or rows from `first` on. `head` is that of the key in `keys` and `absorb`, the query's in
 * `rows`. */
typedef void (*attn_linear_fn)(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t head,
                               int64_t first, int64_t count, float *state, void *scratch);

typedef struct attn_linear_parts {
  attn_linear_fn keys;   /* makes a chunk of keys, in which those before the first and past the last are zeros */
  attn_linear_fn absorb; /* adds the chunk to the state */
  attn_linear_fn rows;   /* output and lse: of the state, and, if causal, of keys 0 .. r of the chunk for its row r */
} attn_linear_parts;

typedef struct attn_linear_code {
  int32_t form;     /* attn_linear_form */
  int32_t state_in; /* the call's tensors, or -1 */
  int32_t state_out;
  int32_t state_rows;    /* head_size, rounded up */
  int32_t state_columns; /* value_head_size + 1, rounded up to a multiple of 64 bytes */
  int32_t reserved;
  const attn_linear_parts *parts; /* [version_count] of the CPU's code, whose packs and tiles are NULL; no GPU's */
} attn_linear_code;

struct attn_gpu_code; /* gpu.h */

typedef struct attn_kernel {
  const attn_kernel_info *info;
  /* Views 0 .. info->tensor_count - 1 are the call's tensors: query, key, value, output as they are, lse as [batch,
   * heads, length, 1] (data NULL where the call leaves it out), run-time data as [batch, 1, 1, size] with batch
   * stride 0 where every batch shares them, lengths as [batch, 1, 1, 1], per-head numbers as [batch, 1, 1, heads] with
   * last stride 0 where every head shares one, blocks as [batch, heads, query blocks, size], arrays behind axes of
   * extent 1 and stride 0 that make up four. The others are made by the prologue in the workspace. */
  int32_t view_count;
  int32_t symbol_count; /* fixed ones, `symbols`, then the orders' counts */
  int32_t named_symbol_count;
  int32_t order_count;
  int32_t match_count;
  int32_t phase_count;
  int32_t offsets_count;
  int32_t block_table_count;
  int32_t reserved;
  const attn_symbol *symbols;     /* [named_symbol_count]: symbols ATTN_FIXED_SYMBOLS + i */
  const int64_t *const *formulas; /* programs */
  const attn_order *orders;
  const attn_match *matches;
  const attn_phase *phases;
  const attn_offsets *offsets;
  const attn_block_table *block_tables;
  const attn_requirement *requirements; /* [info->requirement_count] */
  const attn_cpu_code *cpu;             /* exactly one of the two is set */
  const struct attn_gpu_code *gpu;
  const attn_linear_code *linear; /* of linear attention, beside `cpu` or `gpu`; else NULL */
} attn_kernel;

/* The entry points of a CPU kernel; the emitted NAME, NAME_workspace_bytes, NAME_isa and NAME_requirement pass their
 * constant. Packed views are units [batch, kv_heads, panels, panel_stride] and [batch, kv_heads, keys / value_keys,
 * value_stride], both rounded up and held in the workspace at multiples of 64 bytes. */
int attn_cpu_run(const attn_kernel *kernel, const attn_call *call);
size_t attn_cpu_workspace_bytes(const attn_kernel *kernel, const attn_call *call); /* 0 for a call that is wrong */
int attn_cpu_isa(const attn_kernel *kernel, const attn_call *call);                /* 0 where no version runs */
int attn_cpu_requirement(const attn_kernel *kernel, const attn_call *call, int64_t numbers[2]); /* -1: all hold */

#ifdef __cplusplus
}
#endif

#endif /* ATTN_LIB_RUNTIME_KERNEL_H */
