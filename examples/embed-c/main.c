/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Calls a compiled kernel from C: longformer on small random data, compared with a naive loop in double precision.
 * Everything this program needs of the compiler are longformer.o, longformer.h and attn.h.
 */
#include "longformer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 2, HEADS = 4, KV_HEADS = 2, LENGTH = 200, TOKENS = 2 };
static const int64_t left = 16, right = 8;
static int32_t global_tokens[TOKENS] = {0, 77};

/* Numbers between -1 and 1 from a linear congruential generator, the same everywhere. */
static float next_random(void) {
  static uint64_t state = 1;
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (float)(state >> 40) / (1 << 23) - 1;
}

/*===---- Setting up a call -------------------------------------------------------------------------------------===*/

/* A float array [batch, heads, rows, columns] in C order, filled with random numbers. Stays allocated. */
static attn_tensor make_tensor(int64_t heads, int64_t rows, int64_t columns) {
  int64_t count = BATCH * heads * rows * columns;
  float *data = malloc((size_t)count * sizeof(float));
  if (!data)
    abort();
  for (int64_t i = 0; i < count; ++i)
    data[i] = next_random();
  return (attn_tensor){.data = data,
                       .element = ATTN_F32,
                       .rank = 4,
                       .shape = {BATCH, heads, rows, columns},
                       .strides = {heads * rows * columns, rows * columns, columns, 1}};
}

/* The logarithm of the sum of exp has no columns: [batch, heads, rows]. */
static attn_tensor make_lse(void) {
  attn_tensor lse = make_tensor(HEADS, LENGTH, 1);
  lse.rank = 3;
  return lse;
}

static attn_tensor make_tokens(void) {
  return (attn_tensor){.data = global_tokens, .element = ATTN_I32, .rank = 1, .shape = {TOKENS}, .strides = {1}};
}

/* Gives the call the workspace it asks for, 64-byte aligned, and runs it. */
static int run(attn_call *call) {
  call->workspace_bytes = (longformer_workspace_bytes(call) + 63) / 64 * 64;
  call->workspace = aligned_alloc(64, call->workspace_bytes);
  int status = longformer(call);
  free(call->workspace);
  return status;
}

/*===---- What the kernel should compute ------------------------------------------------------------------------===*/

static int is_global(int64_t position) {
  for (int t = 0; t < TOKENS; ++t)
    if (global_tokens[t] == position)
      return 1;
  return 0;
}

static int admits(int64_t query, int64_t key) {
  return (query - left <= key && key <= query + right) || is_global(query) || is_global(key);
}

static const float *row_of(const attn_tensor *tensor, int64_t batch, int64_t head, int64_t row) {
  const float *data = tensor->data;
  return data + batch * tensor->strides[0] + head * tensor->strides[1] + row * tensor->strides[2];
}

/* The weight exp(q . k / sqrt(d)) of one pair. */
static double weigh(const float *query, const float *key, int64_t head_size) {
  double score = 0;
  for (int64_t c = 0; c < head_size; ++c)
    score += (double)query[c] * key[c];
  return exp(score / sqrt((double)head_size));
}

/* The larger error; one that is not a number stays. */
static double worse(double a, double b) { return isnan(a) || b <= a ? a : b; }

/* The largest error of one output row and its lse. Row i attends the admitted keys j:
 * o_i = sum_j w_ij v_j / sum_j w_ij, lse_i = log sum_j w_ij. */
static double error_of_row(const attn_tensor *t, int64_t batch, int64_t head, int64_t i) {
  int64_t kv_head = head / (HEADS / KV_HEADS), columns = t[LONGFORMER_VALUE].shape[3];
  const float *query = row_of(&t[LONGFORMER_QUERY], batch, head, i);
  double sum = 0, error = 0;
  double *expected = calloc((size_t)columns, sizeof(double));
  for (int64_t j = 0; j < LENGTH; ++j) {
    if (!admits(i, j))
      continue;
    const float *value = row_of(&t[LONGFORMER_VALUE], batch, kv_head, j);
    double weight = weigh(query, row_of(&t[LONGFORMER_KEY], batch, kv_head, j), t[LONGFORMER_KEY].shape[3]);
    sum += weight;
    for (int64_t c = 0; c < columns; ++c)
      expected[c] += weight * value[c];
  }
  for (int64_t c = 0; c < columns; ++c)
    error = worse(error, fabs(row_of(&t[LONGFORMER_OUTPUT], batch, head, i)[c] - expected[c] / sum));
  free(expected);
  return worse(error, fabs(*row_of(&t[LONGFORMER_LSE], batch, head, i) - log(sum)));
}

static double max_error(const attn_tensor *tensors) {
  double error = 0;
  for (int64_t b = 0; b < BATCH; ++b)
    for (int64_t h = 0; h < HEADS; ++h)
      for (int64_t i = 0; i < LENGTH; ++i)
        error = worse(error, error_of_row(tensors, b, h, i));
  return error;
}

/*===------------------------------------------------------------------------------------------------------------===*/

int main(void) {
  int64_t head_size = longformer_info.head_size, value_head_size = longformer_info.value_head_size;
  attn_tensor tensors[LONGFORMER_TENSOR_COUNT] = {[LONGFORMER_QUERY] = make_tensor(HEADS, LENGTH, head_size),
                                                  [LONGFORMER_KEY] = make_tensor(KV_HEADS, LENGTH, head_size),
                                                  [LONGFORMER_VALUE] = make_tensor(KV_HEADS, LENGTH, value_head_size),
                                                  [LONGFORMER_OUTPUT] = make_tensor(HEADS, LENGTH, value_head_size),
                                                  [LONGFORMER_LSE] = make_lse(),
                                                  [LONGFORMER_GLOBAL] = make_tokens()};
  attn_scalar scalars[LONGFORMER_SCALAR_COUNT] = {[LONGFORMER_LEFT] = {.index = left},
                                                  [LONGFORMER_RIGHT] = {.index = right}};
  attn_call call = ATTN_CALL_INIT;
  call.tensors = tensors;
  call.tensor_count = LONGFORMER_TENSOR_COUNT;
  call.scalars = scalars;
  call.scalar_count = LONGFORMER_SCALAR_COUNT;

  int status = run(&call);
  if (status != ATTN_OK) {
    fprintf(stderr, "error: longformer: %s\n", attn_error_string(status));
    return 1;
  }
  double error = max_error(tensors);
  int is_right = error < 1e-5;
  printf("longformer: %d x %d rows, max error %.2g: %s\n", BATCH * HEADS, LENGTH, error, is_right ? "ok" : "WRONG");
  for (int i = LONGFORMER_QUERY; i <= LONGFORMER_LSE; ++i)
    free(tensors[i].data);
  return is_right ? 0 : 1;
}
