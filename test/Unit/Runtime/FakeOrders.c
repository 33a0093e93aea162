/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The kernel of FakeOrders.h.
 */
#include "FakeOrders.h"

enum { PANEL_KEYS = 4, KEY_GRANULE = 8, PANEL_STRIDE = 16, VALUE_STRIDE = 16 };
enum { /* views */
       KEYS = ORDERS_TENSOR_COUNT,
       VALUES,
       KEYS_OF_HEAD,
       VALUES_OF_HEAD,
       SOME_KEYS,
       SOME_VALUES,
       VIEWS
};
enum { WIDTH = ATTN_FIXED_SYMBOLS, STRIDE, FIRST_COUNT, SYMBOLS = FIRST_COUNT + ORDERS_ORDER_COUNT };

static float *row_of(const attn_view *view, int64_t batch, int64_t head, int64_t row) {
  return (float *)view->data + batch * view->strides[0] + head * view->strides[1] + row * view->strides[2];
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/*===---- Packing -----------------------------------------------------------------------------------------------===*/

/* Writes down for whom a rank was packed. */
static void pack(const attn_view *values, int64_t batch, int64_t head, int64_t block) {
  int64_t end = least((block + 1) * ORDERS_PACK_KEYS, values->shape[2]);
  for (int64_t rank = block * ORDERS_PACK_KEYS; rank < end; ++rank) {
    float *row = row_of(values, batch, head, rank);
    row[0] = (float)rank, row[1] = (float)head, row[2] = (float)batch;
  }
}

static int is_packed(const attn_view *values, int64_t batch, int64_t head, int64_t count) {
  for (int64_t rank = 0; rank < count; ++rank) {
    const float *row = row_of(values, batch, head, rank);
    if (row[0] != (float)rank || row[1] != (float)head || row[2] != (float)batch)
      return 0;
  }
  return values->shape[2] == (count + KEY_GRANULE - 1) / KEY_GRANULE * KEY_GRANULE;
}

static void pack_keys(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t head, int64_t block) {
  (void)symbols;
  pack(&views[VALUES], batch, head, block);
}

static void pack_of_head(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t head, int64_t block) {
  (void)symbols;
  pack(&views[VALUES_OF_HEAD], batch, head, block);
}

static void pack_some(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t head, int64_t block) {
  (void)symbols;
  pack(&views[SOME_VALUES], batch, head, block);
}

static int all_is_packed(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t head) {
  int64_t kv_head = head / symbols[ATTN_SYMBOL_HEADS_PER_KV_HEAD], keys = symbols[ATTN_SYMBOL_KV_LENGTH];
  return is_packed(&views[VALUES], batch, kv_head, keys) && is_packed(&views[VALUES_OF_HEAD], batch, head, keys) &&
         is_packed(&views[SOME_VALUES], batch, kv_head, (keys + symbols[WIDTH] - 1) / symbols[WIDTH]);
}

/*===---- Stages ------------------------------------------------------------------------------------------------===*/

/* What a stage leaves of a row: output stage + 1, and an lse that says which row of which stage it is. */
static float lse_after(int64_t row, int stage) { return (float)(1000 * (stage + 1) + row); }

static void take_row(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t head, int64_t row,
                     int stage) {
  float *output = row_of(&views[ATTN_OUTPUT], batch, head, row);
  int has_lse = views[ATTN_LSE].data != NULL;
  float *lse = has_lse ? row_of(&views[ATTN_LSE], batch, head, row) : NULL;
  int is_right = has_lse && all_is_packed(views, symbols, batch, head) &&
                 (stage == 0 || (*lse == lse_after(row, stage - 1) && output[0] == (float)stage));
  for (int64_t c = 0; c < FAKE_VALUE_HEAD_SIZE; ++c)
    output[c] = is_right ? (float)(stage + 1) : -1;
  if (has_lse)
    *lse = lse_after(row, stage);
}

static void own_tile(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t head, int64_t tile,
                     void *scratch) {
  (void)scratch;
  int64_t width = symbols[WIDTH], count = (symbols[ATTN_SYMBOL_LENGTH] + width - 1) / width;
  int64_t end = least((tile + 1) * ORDERS_OWN_TILE_ROWS, count);
  for (int64_t rank = tile * ORDERS_OWN_TILE_ROWS; rank < end; ++rank)
    take_row(views, symbols, batch, head, rank * width, 0);
}

static void take_tile(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t head, int64_t tile,
                      int stage) {
  int64_t end = least((tile + 1) * ORDERS_TILE_ROWS, symbols[ATTN_SYMBOL_LENGTH]);
  for (int64_t row = tile * ORDERS_TILE_ROWS; row < end; ++row)
    if (row % symbols[WIDTH] != 0)
      take_row(views, symbols, batch, head, row, stage);
}

static void first_tile(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t head, int64_t tile,
                       void *scratch) {
  (void)scratch;
  take_tile(views, symbols, batch, head, tile, 0);
}

static void second_tile(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t head, int64_t tile,
                        void *scratch) {
  (void)scratch;
  take_tile(views, symbols, batch, head, tile, 1);
}

static void third_tile(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t head, int64_t tile,
                       void *scratch) {
  (void)scratch;
  take_tile(views, symbols, batch, head, tile, 2);
}

/*===---- The kernel --------------------------------------------------------------------------------------------===*/

/* ceil(rows / width) */
#define EVERY(rows)                                                                                                    \
  {ATTN_DIVIDE, ATTN_ADD, ATTN_SYMBOL, rows, ATTN_ADD, ATTN_SYMBOL, WIDTH, ATTN_CONSTANT, -1, ATTN_SYMBOL, WIDTH}
static const int64_t own_queries[] = EVERY(ATTN_SYMBOL_LENGTH), some_keys[] = EVERY(ATTN_SYMBOL_KV_LENGTH);
static const int64_t stride[] = {ATTN_SYMBOL, STRIDE};

static const attn_order orders[ORDERS_ORDER_COUNT] = {
    {FAKE_ORDER(ATTN_ORDER_ALL, ATTN_QUERIES, FIRST_COUNT), FAKE_NO_TABLES, FAKE_NO_KEYS},
    {FAKE_ORDER(ATTN_ORDER_ALL, ATTN_KEYS, FIRST_COUNT + 1), FAKE_NO_TABLES, FAKE_KEYS(KEYS, VALUES)},
    {FAKE_ORDER(ATTN_ORDER_REMAINDERS, ATTN_QUERIES, FIRST_COUNT + 2), FAKE_NO_TABLES, FAKE_NO_KEYS,
     .count = own_queries},
    {FAKE_ORDER(ATTN_ORDER_CLASSES, ATTN_KEYS, FIRST_COUNT + 3), FAKE_NO_TABLES,
     FAKE_KEYS(KEYS_OF_HEAD, VALUES_OF_HEAD), .of_head = 1, .modulus = stride},
    {FAKE_ORDER(ATTN_ORDER_REMAINDERS, ATTN_KEYS, FIRST_COUNT + 4), FAKE_NO_TABLES, FAKE_KEYS(SOME_KEYS, SOME_VALUES),
     .count = some_keys}};

static const attn_phase phases[] = {{.query_order = ORDERS_OWN_QUERIES, .tile_rows = ORDERS_OWN_TILE_ROWS},
                                    {.query_order = ORDERS_QUERIES, .tile_rows = ORDERS_TILE_ROWS},
                                    {.query_order = ORDERS_QUERIES, .tile_rows = ORDERS_TILE_ROWS, .stage = 1},
                                    {.query_order = ORDERS_QUERIES, .tile_rows = ORDERS_TILE_ROWS, .stage = 2}};

static const attn_pack_fn packs[] = {NULL, pack_keys, NULL, pack_of_head, pack_some};
static const attn_tile_fn tiles[] = {own_tile, first_tile, second_tile, third_tile};
static const attn_version versions[] = {{.isa = ATTN_ISA_GENERIC,
                                         .value_keys = 1,
                                         .scratch_bytes = 0,
                                         .packs = packs,
                                         .tiles = tiles,
                                         .panel_stride = PANEL_STRIDE,
                                         .value_stride = VALUE_STRIDE}};
static const attn_cpu_code code = {.version_count = 1,
                                   .panel_keys = PANEL_KEYS,
                                   .key_granule = KEY_GRANULE,
                                   .pack_keys = ORDERS_PACK_KEYS,
                                   .versions = versions};

#define REQUIRED(text, what) {.name = text, .role = what, .default_count = -1}
static const attn_tensor_info tensors[] = {
    REQUIRED("query", ATTN_QUERY), REQUIRED("key", ATTN_KEY),
    REQUIRED("value", ATTN_VALUE), REQUIRED("output", ATTN_OUTPUT),
    REQUIRED("lse", ATTN_LSE),     {.name = "stride", .role = ATTN_PER_HEAD, .minimum = 1, .default_count = -1}};
static const attn_scalar_info scalars[] = {{.name = "width", .minimum = 1, .default_value = {.index = 3}}};
static const attn_symbol symbols[] = {{ATTN_SYMBOL_INDEX, ORDERS_WIDTH}, {ATTN_SYMBOL_HEAD_ENTRY, ORDERS_STRIDE}};
static const attn_kernel_info info = {.version = ATTN_ABI_VERSION,
                                      .element = ATTN_F32,
                                      .head_size = FAKE_HEAD_SIZE,
                                      .value_head_size = FAKE_VALUE_HEAD_SIZE,
                                      .tensor_count = ORDERS_TENSOR_COUNT,
                                      .scalar_count = ORDERS_SCALAR_COUNT,
                                      .name = "orders",
                                      .target = "cpu",
                                      .tensors = tensors,
                                      .scalars = scalars};

const attn_kernel fake_orders = {.info = &info,
                                 .view_count = VIEWS,
                                 .symbol_count = SYMBOLS,
                                 .named_symbol_count = 2,
                                 .order_count = ORDERS_ORDER_COUNT,
                                 .phase_count = 4,
                                 .symbols = symbols,
                                 .orders = orders,
                                 .phases = phases,
                                 .cpu = &code};
