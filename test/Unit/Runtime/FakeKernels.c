/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The kernels of FakeKernels.h: what an emitted object holds, in scalar C.
 */
#include "FakeKernels.h"

#include <math.h>
#include <string.h>

enum {
  PANEL_KEYS = 4,
  KEY_GRANULE = 8,
  PACK_KEYS = 16,
  PANEL_STRIDE = FAKE_HEAD_SIZE * PANEL_KEYS + 16,
  VALUE_STRIDE = 16
};

/* A tensor that the caller has to give, and the five that every kernel has. */
#define REQUIRED(text, what) .name = text, .role = what, .default_count = -1
#define PLAIN(text, what) {REQUIRED(text, what)}
#define ROWS                                                                                                           \
  PLAIN("query", ATTN_QUERY), PLAIN("key", ATTN_KEY), PLAIN("value", ATTN_VALUE), PLAIN("output", ATTN_OUTPUT),        \
      PLAIN("lse", ATTN_LSE)

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t greatest(int64_t a, int64_t b) { return a > b ? a : b; }

static int64_t offset_of(const attn_view *view, int64_t i, int64_t j, int64_t k) {
  return i * view->strides[0] + j * view->strides[1] + k * view->strides[2];
}

static float *floats_of(const attn_view *view, int64_t i, int64_t j, int64_t k) {
  return (float *)view->data + offset_of(view, i, j, k);
}

static const int32_t *table_of(const attn_view *view, int64_t batch) {
  return (const int32_t *)view->data + offset_of(view, batch, 0, 0);
}

/*===---- Packing -----------------------------------------------------------------------------------------------===*/

/* Packs one key: row `row` of the key tensor, or zeros for a row below 0, becomes rank `rank`. */
static void pack_key(const attn_view *views, int64_t batch, int64_t kv_head, int64_t row, int64_t rank,
                     const attn_view *keys, const attn_view *values) {
  float *panel = floats_of(keys, batch, kv_head, rank / PANEL_KEYS) + rank % PANEL_KEYS;
  float *value = floats_of(values, batch, kv_head, rank);
  for (int64_t c = 0; c < FAKE_HEAD_SIZE; ++c)
    panel[c * PANEL_KEYS] = row < 0 ? 0 : floats_of(&views[ATTN_KEY], batch, kv_head, row)[c];
  memset(value, 0, VALUE_STRIDE * sizeof(float));
  for (int64_t c = 0; row >= 0 && c < FAKE_VALUE_HEAD_SIZE; ++c)
    value[c] = floats_of(&views[ATTN_VALUE], batch, kv_head, row)[c];
}

/* Packs a block of the order whose rank r is row rows[r], or row r where there is no table. */
static void pack_block(const attn_view *views, int64_t batch, int64_t kv_head, int64_t block, const int32_t *rows,
                       int64_t count, const attn_view *keys, const attn_view *values) {
  int64_t end = least((block + 1) * PACK_KEYS, (count + KEY_GRANULE - 1) / KEY_GRANULE * KEY_GRANULE);
  for (int64_t rank = block * PACK_KEYS; rank < end; ++rank)
    pack_key(views, batch, kv_head, rank >= count ? -1 : rows ? rows[rank] : rank, rank, keys, values);
}

/*===---- One query row -----------------------------------------------------------------------------------------===*/

/* The state of a row: m, l and O of O = sum over keys of exp(s - m) v, l likewise of 1. Lives in the worker's scratch.
 */
typedef struct state {
  double most, sum, output[FAKE_VALUE_HEAD_SIZE];
} state;

typedef struct row {
  const attn_view *views;
  const int64_t *symbols;
  int64_t batch, head, row;
  state *state;
} row;

static void begin_row(row r) { *r.state = (state){.most = -INFINITY}; }

static void absorb(row r, const attn_view *keys, const attn_view *values, int64_t rank) {
  int64_t kv_head = r.head / r.symbols[ATTN_SYMBOL_HEADS_PER_KV_HEAD];
  const float *query = floats_of(&r.views[ATTN_QUERY], r.batch, r.head, r.row);
  const float *panel = floats_of(keys, r.batch, kv_head, rank / PANEL_KEYS) + rank % PANEL_KEYS;
  uint32_t bits = (uint32_t)r.symbols[ATTN_SYMBOL_SCALE];
  float scale;
  memcpy(&scale, &bits, sizeof(scale));

  double score = 0;
  for (int64_t c = 0; c < FAKE_HEAD_SIZE; ++c)
    score += (double)query[c] * panel[c * PANEL_KEYS];
  score *= scale;
  double most = fmax(r.state->most, score), alpha = exp(r.state->most - most), weight = exp(score - most);
  r.state->most = most;
  r.state->sum = r.state->sum * alpha + weight;
  for (int64_t c = 0; c < FAKE_VALUE_HEAD_SIZE; ++c)
    r.state->output[c] = r.state->output[c] * alpha + weight * floats_of(values, r.batch, kv_head, rank)[c];
}

static void finish_row(row r) {
  float *output = floats_of(&r.views[ATTN_OUTPUT], r.batch, r.head, r.row);
  for (int64_t c = 0; c < FAKE_VALUE_HEAD_SIZE; ++c)
    output[c] = r.state->sum > 0 ? (float)(r.state->output[c] / r.state->sum) : 0;
  if (r.views[ATTN_LSE].data)
    *floats_of(&r.views[ATTN_LSE], r.batch, r.head, r.row) =
        r.state->sum > 0 ? (float)(r.state->most + log(r.state->sum)) : -INFINITY;
}

/*===---- longformer --------------------------------------------------------------------------------------------===*/

enum { /* views */
       L_KEYS = LONGFORMER_TENSOR_COUNT,
       L_VALUES,
       L_HUB_ROWS,
       L_HUB_ROW_FLAGS,
       L_HUB_KEY_ROWS,
       L_HUB_KEY_FLAGS,
       L_HUB_KEYS,
       L_HUB_VALUES,
       L_VIEWS
};
enum { /* symbols */
       L_LEFT = ATTN_FIXED_SYMBOLS,
       L_RIGHT,
       L_QUERY_COUNT,
       L_KEY_COUNT,
       L_HUB_COUNT,
       L_HUB_KEY_COUNT,
       L_SYMBOLS
};
enum { NEAR_TILE_ROWS = 8, HUB_TILE_ROWS = 4 };

static void pack_all(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t kv_head, int64_t block) {
  pack_block(views, batch, kv_head, block, NULL, symbols[L_KEY_COUNT], &views[L_KEYS], &views[L_VALUES]);
}

static void pack_hub(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t kv_head, int64_t block) {
  pack_block(views, batch, kv_head, block, table_of(&views[L_HUB_KEY_ROWS], batch), symbols[L_HUB_KEY_COUNT],
             &views[L_HUB_KEYS], &views[L_HUB_VALUES]);
}

/* Two boxes: the window without the hub's keys, and the hub's keys. */
static void compute_near_row(row r) {
  const int64_t *symbols = r.symbols;
  int64_t beside = symbols[ATTN_SYMBOL_QUERY_OFFSET] + r.row - symbols[ATTN_SYMBOL_KEY_OFFSET];
  const int32_t *is_hub = table_of(&r.views[L_HUB_KEY_FLAGS], r.batch);
  begin_row(r);
  for (int64_t key = greatest(0, beside - symbols[L_LEFT]);
       key <= least(symbols[ATTN_SYMBOL_KV_LENGTH] - 1, beside + symbols[L_RIGHT]); ++key)
    if (!is_hub[key])
      absorb(r, &r.views[L_KEYS], &r.views[L_VALUES], key);
  for (int64_t rank = 0; rank < symbols[L_HUB_KEY_COUNT]; ++rank)
    absorb(r, &r.views[L_HUB_KEYS], &r.views[L_HUB_VALUES], rank);
  finish_row(r);
}

static void near_tile(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t head, int64_t tile,
                      void *scratch) {
  const int32_t *is_hub = table_of(&views[L_HUB_ROW_FLAGS], batch);
  int64_t end = least((tile + 1) * NEAR_TILE_ROWS, symbols[L_QUERY_COUNT]);
  for (int64_t i = tile * NEAR_TILE_ROWS; i < end; ++i)
    if (!is_hub[i])
      compute_near_row((row){views, symbols, batch, head, i, scratch});
}

static void hub_tile(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t head, int64_t tile,
                     void *scratch) {
  const int32_t *rows = table_of(&views[L_HUB_ROWS], batch);
  int64_t end = least((tile + 1) * HUB_TILE_ROWS, symbols[L_HUB_COUNT]);
  for (int64_t rank = tile * HUB_TILE_ROWS; rank < end; ++rank) {
    row r = {views, symbols, batch, head, rows[rank], scratch};
    begin_row(r);
    for (int64_t key = 0; key < symbols[L_KEY_COUNT]; ++key)
      absorb(r, &views[L_KEYS], &views[L_VALUES], key);
    finish_row(r);
  }
}

static const int32_t default_global[] = {0};
static const attn_tensor_info longformer_tensors[] = {
    ROWS, {.name = "global", .role = ATTN_TOKENS, .default_count = 1, .default_values = default_global}};
static const attn_scalar_info longformer_scalars[] = {{"left", 0, 0, {256}}, {"right", 0, 0, {256}}};
static const attn_symbol longformer_symbols[] = {{ATTN_SYMBOL_INDEX, LONGFORMER_LEFT},
                                                 {ATTN_SYMBOL_INDEX, LONGFORMER_RIGHT}};
static const attn_order longformer_orders[] = {
    {FAKE_ORDER(ATTN_ORDER_ALL, ATTN_QUERIES, L_QUERY_COUNT), FAKE_NO_TABLES, FAKE_NO_KEYS},
    {FAKE_ORDER(ATTN_ORDER_ALL, ATTN_KEYS, L_KEY_COUNT), FAKE_NO_TABLES, FAKE_KEYS(L_KEYS, L_VALUES)},
    {FAKE_ORDER(ATTN_ORDER_LISTED, ATTN_QUERIES, L_HUB_COUNT),
     FAKE_TABLES(LONGFORMER_GLOBAL, L_HUB_ROWS, L_HUB_ROW_FLAGS), FAKE_NO_KEYS},
    {FAKE_ORDER(ATTN_ORDER_LISTED, ATTN_KEYS, L_HUB_KEY_COUNT),
     FAKE_TABLES(LONGFORMER_GLOBAL, L_HUB_KEY_ROWS, L_HUB_KEY_FLAGS), FAKE_KEYS(L_HUB_KEYS, L_HUB_VALUES)}};
static const attn_phase longformer_phases[] = {{.query_order = 0, .tile_rows = NEAR_TILE_ROWS},
                                               {.query_order = 2, .tile_rows = HUB_TILE_ROWS}};
static const attn_pack_fn longformer_packs[] = {NULL, pack_all, NULL, pack_hub};
static const attn_tile_fn longformer_tiles[] = {near_tile, hub_tile};
static const attn_version longformer_versions[] = {{.isa = ATTN_ISA_AVX2,
                                                    .value_keys = 1,
                                                    .scratch_bytes = sizeof(state),
                                                    .packs = longformer_packs,
                                                    .tiles = longformer_tiles,
                                                    .panel_stride = PANEL_STRIDE,
                                                    .value_stride = VALUE_STRIDE},
                                                   {.isa = ATTN_ISA_GENERIC,
                                                    .value_keys = 1,
                                                    .scratch_bytes = sizeof(state),
                                                    .packs = longformer_packs,
                                                    .tiles = longformer_tiles,
                                                    .panel_stride = PANEL_STRIDE,
                                                    .value_stride = VALUE_STRIDE}};

static int run_longformer(const attn_call *call) { return attn_cpu_run(&fake_longformer, call); }
static size_t measure_longformer(const attn_call *call) { return attn_cpu_workspace_bytes(&fake_longformer, call); }
static int isa_of_longformer(const attn_call *call) { return attn_cpu_isa(&fake_longformer, call); }
static int ask_longformer(const attn_call *call, int64_t numbers[2]) {
  return attn_cpu_requirement(&fake_longformer, call, numbers);
}

const attn_kernel_info fake_longformer_info = {.version = ATTN_ABI_VERSION,
                                               .element = ATTN_F32,
                                               .head_size = FAKE_HEAD_SIZE,
                                               .value_head_size = FAKE_VALUE_HEAD_SIZE,
                                               .same_length = 0,
                                               .tensor_count = LONGFORMER_TENSOR_COUNT,
                                               .scalar_count = LONGFORMER_SCALAR_COUNT,
                                               .name = "longformer",
                                               .target = "cpu",
                                               .tensors = longformer_tensors,
                                               .scalars = longformer_scalars,
                                               .run = run_longformer,
                                               .workspace_bytes = measure_longformer,
                                               .isa = isa_of_longformer,
                                               .requirement = ask_longformer};

static const attn_cpu_code longformer_code = {.version_count = 2,
                                              .panel_keys = PANEL_KEYS,
                                              .key_granule = KEY_GRANULE,
                                              .pack_keys = PACK_KEYS,
                                              .versions = longformer_versions};

const attn_kernel fake_longformer = {.info = &fake_longformer_info,
                                     .view_count = L_VIEWS,
                                     .symbol_count = L_SYMBOLS,
                                     .named_symbol_count = 2,
                                     .order_count = 4,
                                     .match_count = 0,
                                     .phase_count = 2,
                                     .symbols = longformer_symbols,
                                     .orders = longformer_orders,
                                     .matches = NULL,
                                     .phases = longformer_phases,
                                     .cpu = &longformer_code};

/*===---- document ----------------------------------------------------------------------------------------------===*/

enum { /* views */
       D_QUERY_ROWS = DOCUMENT_TENSOR_COUNT,
       D_KEY_ROWS,
       D_KEYS,
       D_VALUES,
       D_BEGIN,
       D_END,
       D_VIEWS
};
enum { D_LENGTH = ATTN_FIXED_SYMBOLS, D_QUERY_COUNT, D_KEY_COUNT, D_SYMBOLS };
enum { DOCUMENT_TILE_ROWS = 5 };

static void pack_document(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t kv_head,
                          int64_t block) {
  pack_block(views, batch, kv_head, block, table_of(&views[D_KEY_ROWS], batch), symbols[D_KEY_COUNT], &views[D_KEYS],
             &views[D_VALUES]);
}

static void document_tile(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t head, int64_t tile,
                          void *scratch) {
  const int32_t *rows = table_of(&views[D_QUERY_ROWS], batch), *key_rows = table_of(&views[D_KEY_ROWS], batch);
  const int32_t *begin = table_of(&views[D_BEGIN], batch), *end = table_of(&views[D_END], batch);
  int64_t last = least((tile + 1) * DOCUMENT_TILE_ROWS, symbols[D_QUERY_COUNT]);
  for (int64_t rank = tile * DOCUMENT_TILE_ROWS; rank < last; ++rank) {
    row r = {views, symbols, batch, head, rows[rank], scratch};
    begin_row(r);
    for (int64_t key = begin[rank]; key < end[rank]; ++key)
      if (symbols[ATTN_SYMBOL_KEY_OFFSET] + key_rows[key] < symbols[D_LENGTH])
        absorb(r, &views[D_KEYS], &views[D_VALUES], key);
    finish_row(r);
  }
}

static const attn_tensor_info document_tensors[] = {ROWS, PLAIN("segments", ATTN_SEGMENTS),
                                                    PLAIN("lengths", ATTN_LENGTHS)};
static const attn_symbol document_symbols[] = {{ATTN_SYMBOL_ENTRY, DOCUMENT_LENGTHS}};
static const attn_order document_orders[] = {{FAKE_ORDER(ATTN_ORDER_SORTED, ATTN_QUERIES, D_QUERY_COUNT),
                                              FAKE_TABLES(DOCUMENT_SEGMENTS, D_QUERY_ROWS, -1), FAKE_NO_KEYS},
                                             {FAKE_ORDER(ATTN_ORDER_SORTED, ATTN_KEYS, D_KEY_COUNT),
                                              FAKE_TABLES(DOCUMENT_SEGMENTS, D_KEY_ROWS, -1),
                                              FAKE_KEYS(D_KEYS, D_VALUES)}};
static const attn_match document_matches[] = {{0, 1, D_BEGIN, D_END}};
static const attn_phase document_phases[] = {{.query_order = 0, .tile_rows = DOCUMENT_TILE_ROWS}};
static const attn_pack_fn document_packs[] = {NULL, pack_document};
static const attn_tile_fn document_tiles[] = {document_tile};
static const attn_version document_versions[] = {{.isa = ATTN_ISA_GENERIC,
                                                  .value_keys = 1,
                                                  .scratch_bytes = sizeof(state),
                                                  .packs = document_packs,
                                                  .tiles = document_tiles,
                                                  .panel_stride = PANEL_STRIDE,
                                                  .value_stride = VALUE_STRIDE}};

static int run_document(const attn_call *call) { return attn_cpu_run(&fake_document, call); }
static size_t measure_document(const attn_call *call) { return attn_cpu_workspace_bytes(&fake_document, call); }
static int isa_of_document(const attn_call *call) { return attn_cpu_isa(&fake_document, call); }
static int ask_document(const attn_call *call, int64_t numbers[2]) {
  return attn_cpu_requirement(&fake_document, call, numbers);
}

const attn_kernel_info fake_document_info = {.version = ATTN_ABI_VERSION,
                                             .element = ATTN_F32,
                                             .head_size = FAKE_HEAD_SIZE,
                                             .value_head_size = FAKE_VALUE_HEAD_SIZE,
                                             .same_length = 0,
                                             .tensor_count = DOCUMENT_TENSOR_COUNT,
                                             .scalar_count = 0,
                                             .name = "document",
                                             .target = "cpu",
                                             .tensors = document_tensors,
                                             .scalars = NULL,
                                             .run = run_document,
                                             .workspace_bytes = measure_document,
                                             .isa = isa_of_document,
                                             .requirement = ask_document};

static const attn_cpu_code document_code = {.version_count = 1,
                                            .panel_keys = PANEL_KEYS,
                                            .key_granule = KEY_GRANULE,
                                            .pack_keys = PACK_KEYS,
                                            .versions = document_versions};

const attn_kernel fake_document = {.info = &fake_document_info,
                                   .view_count = D_VIEWS,
                                   .symbol_count = D_SYMBOLS,
                                   .named_symbol_count = 1,
                                   .order_count = 2,
                                   .match_count = 1,
                                   .phase_count = 1,
                                   .symbols = document_symbols,
                                   .orders = document_orders,
                                   .matches = document_matches,
                                   .phases = document_phases,
                                   .cpu = &document_code};

/*===---- medley ------------------------------------------------------------------------------------------------===*/

enum { M_OFFSETS = MEDLEY_TENSOR_COUNT, M_KEYS, M_VALUES, M_VIEWS };
enum { M_BLOCK = ATTN_FIXED_SYMBOLS, M_WIDTH, M_STEP, M_QUERY_COUNT, M_KEY_COUNT, M_SYMBOLS };

static void pack_medley(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t kv_head, int64_t block) {
  pack_block(views, batch, kv_head, block, NULL, symbols[M_KEY_COUNT], &views[M_KEYS], &views[M_VALUES]);
}

/* Reads nothing and admits nothing. */
static void medley_tile(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t head, int64_t tile,
                        void *scratch) {
  int64_t end = least((tile + 1) * DOCUMENT_TILE_ROWS, symbols[M_QUERY_COUNT]);
  for (int64_t i = tile * DOCUMENT_TILE_ROWS; i < end; ++i) {
    row r = {views, symbols, batch, head, i, scratch};
    begin_row(r);
    finish_row(r);
  }
}

static const int32_t default_reach[] = {2};
static const attn_tensor_info medley_tensors[] = {
    ROWS,
    {.name = "reach", .role = ATTN_PER_HEAD, .minimum = 0, .default_count = 1, .default_values = default_reach},
    {REQUIRED("step", ATTN_PER_HEAD), .minimum = 1},
    {REQUIRED("random", ATTN_BLOCKS), .block = -1 - MEDLEY_BLOCK},
    PLAIN("ids", ATTN_SEGMENTS),
    {REQUIRED("bias", ATTN_ARRAY), .rank = 4,
     .extents = {ATTN_EXTENT_BATCH, ATTN_EXTENT_HEADS, ATTN_EXTENT_QUERIES, ATTN_EXTENT_KEYS}},
    {REQUIRED("labels", ATTN_ARRAY), .rank = 3,
     .extents = {ATTN_EXTENT_KV_HEADS, ATTN_EXTENT_ANY, ATTN_EXTENT_HEAD_SIZE}},
    {REQUIRED("slopes", ATTN_ARRAY), .rank = 1, .extents = {4}}};
static const attn_scalar_info medley_scalars[] = {{"block", 0, 1, {4}}, {"width", 0, 1, {8}}};
static const attn_symbol medley_symbols[] = {
    {ATTN_SYMBOL_INDEX, MEDLEY_BLOCK}, {ATTN_SYMBOL_INDEX, MEDLEY_WIDTH}, {ATTN_SYMBOL_HEAD_ENTRY, MEDLEY_STEP}};
static const attn_order medley_orders[] = {
    {FAKE_ORDER(ATTN_ORDER_ALL, ATTN_QUERIES, M_QUERY_COUNT), FAKE_NO_TABLES, FAKE_NO_KEYS},
    {FAKE_ORDER(ATTN_ORDER_ALL, ATTN_KEYS, M_KEY_COUNT), FAKE_NO_TABLES, FAKE_KEYS(M_KEYS, M_VALUES)},
};
static const attn_phase medley_phases[] = {{.query_order = 0, .tile_rows = DOCUMENT_TILE_ROWS}};
static const attn_offsets medley_offsets[] = {{MEDLEY_IDS, M_OFFSETS}};

static const int64_t block_program[] = {ATTN_SYMBOL, M_BLOCK};
static const attn_block_table medley_blocks[] = {{MEDLEY_RANDOM, 0, block_program}};

/* width >= 3, and floor((kv_length + width - 1) / width) >= the head's step */
static const int64_t width_program[] = {ATTN_SYMBOL, M_WIDTH}, three_program[] = {ATTN_CONSTANT, 3};
static const int64_t rows_program[] = {ATTN_DIVIDE, ATTN_ADD,    ATTN_SYMBOL, ATTN_SYMBOL_KV_LENGTH,
                                       ATTN_ADD,    ATTN_SYMBOL, M_WIDTH,     ATTN_CONSTANT,
                                       -1,          ATTN_SYMBOL, M_WIDTH};
static const int64_t step_program[] = {ATTN_SYMBOL, M_STEP};
static const attn_requirement medley_requirements[] = {{width_program, three_program}, {rows_program, step_program}};
static const attn_requirement_info medley_requirement_infos[] = {{"columns of the grid", "columns of the window"},
                                                                 {"rows of the grid", "the step of every head"}};

static const attn_pack_fn medley_packs[] = {NULL, pack_medley};
static const attn_tile_fn medley_tiles[] = {medley_tile};
static const attn_version medley_versions[] = {{.isa = ATTN_ISA_GENERIC,
                                                .value_keys = 1,
                                                .scratch_bytes = sizeof(state),
                                                .packs = medley_packs,
                                                .tiles = medley_tiles,
                                                .panel_stride = PANEL_STRIDE,
                                                .value_stride = VALUE_STRIDE}};

static int run_medley(const attn_call *call) { return attn_cpu_run(&fake_medley, call); }
static size_t measure_medley(const attn_call *call) { return attn_cpu_workspace_bytes(&fake_medley, call); }
static int isa_of_medley(const attn_call *call) { return attn_cpu_isa(&fake_medley, call); }
static int ask_medley(const attn_call *call, int64_t numbers[2]) {
  return attn_cpu_requirement(&fake_medley, call, numbers);
}

const attn_kernel_info fake_medley_info = {.version = ATTN_ABI_VERSION,
                                           .element = ATTN_F32,
                                           .head_size = FAKE_HEAD_SIZE,
                                           .value_head_size = FAKE_VALUE_HEAD_SIZE,
                                           .tensor_count = MEDLEY_TENSOR_COUNT,
                                           .scalar_count = MEDLEY_SCALAR_COUNT,
                                           .requirement_count = 2,
                                           .name = "medley",
                                           .target = "cpu",
                                           .tensors = medley_tensors,
                                           .scalars = medley_scalars,
                                           .requirements = medley_requirement_infos,
                                           .run = run_medley,
                                           .workspace_bytes = measure_medley,
                                           .isa = isa_of_medley,
                                           .requirement = ask_medley};

static const attn_cpu_code medley_code = {.version_count = 1,
                                          .panel_keys = PANEL_KEYS,
                                          .key_granule = KEY_GRANULE,
                                          .pack_keys = PACK_KEYS,
                                          .versions = medley_versions};

const attn_kernel fake_medley = {.info = &fake_medley_info,
                                 .view_count = M_VIEWS,
                                 .symbol_count = M_SYMBOLS,
                                 .named_symbol_count = 3,
                                 .order_count = 2,
                                 .phase_count = 1,
                                 .offsets_count = 1,
                                 .block_table_count = 1,
                                 .symbols = medley_symbols,
                                 .orders = medley_orders,
                                 .phases = medley_phases,
                                 .offsets = medley_offsets,
                                 .block_tables = medley_blocks,
                                 .requirements = medley_requirements,
                                 .cpu = &medley_code};
