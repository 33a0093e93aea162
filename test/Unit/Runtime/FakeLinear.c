/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The kernels of FakeLinear.h: what an emitted object holds, in scalar C.
 */
#include "FakeLinear.h"

#include <math.h>
#include <string.h>

enum { STATE_ROWS = 8, STATE_COLUMNS = 16, EPSILON_SYMBOL = ATTN_FIXED_SYMBOLS };

/* A chunk of keys: features, and values with a 1 behind them. */
typedef struct chunk {
  float features[ATTN_LINEAR_CHUNK][FAKE_HEAD_SIZE];
  float values[ATTN_LINEAR_CHUNK][FAKE_VALUE_HEAD_SIZE + 1];
} chunk;

static float feature(float x) { return fabsf(x) + 0.25f; }

static float *row_of(const attn_view *view, int64_t batch, int64_t head, int64_t row) {
  return (float *)view->data + batch * view->strides[0] + head * view->strides[1] + row * view->strides[2];
}

static void take_keys(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t head, int64_t first,
                      int64_t count, float *state, void *scratch) {
  (void)state;
  chunk *keys = scratch;
  for (int64_t slot = 0; slot < count; ++slot) {
    int64_t key = first + slot;
    memset(keys->features[slot], 0, sizeof(keys->features[slot]));
    memset(keys->values[slot], 0, sizeof(keys->values[slot]));
    if (key < 0 || key >= symbols[ATTN_SYMBOL_KV_LENGTH])
      continue;
    for (int64_t c = 0; c < FAKE_HEAD_SIZE; ++c)
      keys->features[slot][c] = feature(row_of(&views[ATTN_KEY], batch, head, key)[c]);
    for (int64_t e = 0; e < FAKE_VALUE_HEAD_SIZE; ++e)
      keys->values[slot][e] = row_of(&views[ATTN_VALUE], batch, head, key)[e];
    keys->values[slot][FAKE_VALUE_HEAD_SIZE] = 1;
  }
}

static void absorb_keys(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t head, int64_t first,
                        int64_t count, float *state, void *scratch) {
  (void)views, (void)symbols, (void)batch, (void)head, (void)first;
  const chunk *keys = scratch;
  for (int64_t slot = 0; slot < count; ++slot)
    for (int64_t c = 0; c < FAKE_HEAD_SIZE; ++c)
      for (int64_t e = 0; e <= FAKE_VALUE_HEAD_SIZE; ++e)
        state[c * STATE_COLUMNS + e] += keys->features[slot][c] * keys->values[slot][e];
}

/* Column `column` of f(q)^T S, and of what the first `own` keys of the chunk add. */
static double product(const float *query, const float *state, const chunk *keys, int64_t own, int64_t column) {
  double sum = 0;
  for (int64_t c = 0; c < FAKE_HEAD_SIZE; ++c) {
    double entry = state[c * STATE_COLUMNS + column];
    for (int64_t slot = 0; slot < own; ++slot)
      entry += (double)keys->features[slot][c] * keys->values[slot][column];
    sum += feature(query[c]) * entry;
  }
  return sum;
}

static void compute_rows(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t head, int64_t first,
                         int64_t count, float *state, void *scratch, int is_causal) {
  float epsilon;
  uint32_t bits = (uint32_t)symbols[EPSILON_SYMBOL];
  memcpy(&epsilon, &bits, sizeof(epsilon));
  for (int64_t r = 0; r < count; ++r) {
    const float *query = row_of(&views[ATTN_QUERY], batch, head, first + r);
    int64_t own = is_causal ? r + 1 : 0;
    double normaliser = product(query, state, scratch, own, FAKE_VALUE_HEAD_SIZE) + epsilon;
    for (int64_t e = 0; e < FAKE_VALUE_HEAD_SIZE; ++e)
      row_of(&views[ATTN_OUTPUT], batch, head, first + r)[e] =
          (float)(product(query, state, scratch, own, e) / normaliser);
    if (views[ATTN_LSE].data)
      *row_of(&views[ATTN_LSE], batch, head, first + r) = (float)log(normaliser);
  }
}

static void rows_of_state(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t head, int64_t first,
                          int64_t count, float *state, void *scratch) {
  compute_rows(views, symbols, batch, head, first, count, state, scratch, 0);
}

static void rows_of_chunk(const attn_view *views, const int64_t *symbols, int64_t batch, int64_t head, int64_t first,
                          int64_t count, float *state, void *scratch) {
  compute_rows(views, symbols, batch, head, first, count, state, scratch, 1);
}

static const attn_version versions[] = {{.isa = ATTN_ISA_GENERIC, .scratch_bytes = sizeof(chunk)}};
static const attn_cpu_code cpu = {.version_count = 1, .versions = versions};

static const attn_linear_parts state_parts[] = {{take_keys, absorb_keys, rows_of_state}};
static const attn_linear_parts chunk_parts[] = {{take_keys, absorb_keys, rows_of_chunk}};

#define CODE(kind, its_parts)                                                                                          \
  {.form = (kind),                                                                                                     \
   .state_in = LINEAR_STATE_IN,                                                                                        \
   .state_out = LINEAR_STATE_OUT,                                                                                      \
   .state_rows = STATE_ROWS,                                                                                           \
   .state_columns = STATE_COLUMNS,                                                                                     \
   .parts = (its_parts)}
static const attn_linear_code codes[] = {CODE(ATTN_LINEAR_FULL, state_parts), CODE(ATTN_LINEAR_CAUSAL, chunk_parts),
                                         CODE(ATTN_LINEAR_STEP, state_parts)};

#define REQUIRED(text, what) {.name = text, .role = what, .default_count = -1}
#define STATE(text, what)                                                                                              \
  {.name = text,                                                                                                       \
   .role = what,                                                                                                       \
   .rank = 4,                                                                                                          \
   .extents = {ATTN_EXTENT_BATCH, ATTN_EXTENT_KV_HEADS, ATTN_EXTENT_HEAD_SIZE, FAKE_VALUE_HEAD_SIZE + 1}}
static const attn_tensor_info tensors[] = {REQUIRED("query", ATTN_QUERY),     REQUIRED("key", ATTN_KEY),
                                           REQUIRED("value", ATTN_VALUE),     REQUIRED("output", ATTN_OUTPUT),
                                           REQUIRED("lse", ATTN_LSE),         STATE("state_in", ATTN_STATE_IN),
                                           STATE("state_out", ATTN_STATE_OUT)};
static const attn_scalar_info scalars[] = {{.name = "epsilon", .is_number = 1, .default_value = {.number = 1e-6}}};
static const attn_symbol symbols[] = {{.kind = ATTN_SYMBOL_NUMBER, .source = LINEAR_EPSILON}};

static const attn_kernel_info info = {.version = ATTN_ABI_VERSION,
                                      .element = ATTN_F32,
                                      .head_size = FAKE_HEAD_SIZE,
                                      .value_head_size = FAKE_VALUE_HEAD_SIZE,
                                      .tensor_count = LINEAR_TENSOR_COUNT,
                                      .scalar_count = LINEAR_SCALAR_COUNT,
                                      .name = "linear",
                                      .target = "cpu",
                                      .tensors = tensors,
                                      .scalars = scalars};

#define KERNEL(kind)                                                                                                   \
  {.info = &info,                                                                                                      \
   .view_count = LINEAR_TENSOR_COUNT,                                                                                  \
   .symbol_count = ATTN_FIXED_SYMBOLS + 1,                                                                             \
   .named_symbol_count = 1,                                                                                            \
   .symbols = symbols,                                                                                                 \
   .cpu = &cpu,                                                                                                        \
   .linear = &codes[kind]}
const attn_kernel fake_linear[3] = {KERNEL(ATTN_LINEAR_FULL), KERNEL(ATTN_LINEAR_CAUSAL), KERNEL(ATTN_LINEAR_STEP)};
