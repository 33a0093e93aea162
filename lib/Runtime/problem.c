/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Checks a call. All checks come before the first write, so a call that is refused has changed nothing.
 */
#include "problem.h"

#include <string.h>

/* Sizes and offsets up to 2^40 and at most 2^48 elements a tensor keep every sum and product of them inside 64 bits. */
static const int64_t max_extent = (int64_t)1 << 40;
static const int64_t max_elements = (int64_t)1 << 48;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t greatest(int64_t a, int64_t b) { return a > b ? a : b; }
static int is_within(int64_t value, int64_t low, int64_t high) { return low <= value && value <= high; }

/*===---- What a call says, defaults filled in ------------------------------------------------------------------===*/

int attn_is_given(const attn_problem *p, int32_t tensor) {
  if (tensor >= p->call->tensor_count)
    return 0;
  if (attn_is_run_time_data(p, tensor))
    return p->call->tensors[tensor].rank != 0;
  return tensor != ATTN_LSE || p->call->tensors[tensor].data;
}

static attn_values default_values(const attn_tensor_info *info) {
  if (info->role == ATTN_LENGTHS)
    return (attn_values){info->default_values, 1, info->default_count > 1};
  return (attn_values){info->default_values, info->default_count, 0};
}

attn_values attn_values_of(const attn_problem *p, int32_t tensor) {
  const attn_tensor_info *info = &p->info->tensors[tensor];
  if (!attn_is_given(p, tensor))
    return default_values(info);
  const attn_tensor *given = &p->call->tensors[tensor];
  if (info->role == ATTN_LENGTHS)
    return (attn_values){given->data, 1, given->strides[0]};
  return (attn_values){given->data, given->shape[given->rank - 1], given->rank == 1 ? 0 : given->strides[0]};
}

attn_scalar attn_scalar_of(const attn_problem *p, int32_t scalar) {
  return scalar < p->call->scalar_count ? p->call->scalars[scalar] : p->info->scalars[scalar].default_value;
}

attn_rows attn_side_of(const attn_problem *p, int32_t side) {
  return side == ATTN_QUERIES ? (attn_rows){p->query_offset, p->length} : (attn_rows){p->key_offset, p->kv_length};
}

int64_t attn_capacity_of(const attn_problem *p, const attn_order *order) {
  int64_t rows = attn_side_of(p, order->side).count;
  return order->kind == ATTN_ORDER_LISTED ? least(rows, attn_values_of(p, order->tensor).size) : rows;
}

/*===---- Symbols -------------------------------------------------------------------------------------------------===*/

static int64_t bits_of(double number) {
  float narrow = (float)number;
  uint32_t bits;
  memcpy(&bits, &narrow, sizeof(bits));
  return bits;
}

static int64_t named_symbol(const attn_problem *p, attn_symbol symbol) {
  switch (symbol.kind) {
  case ATTN_SYMBOL_INDEX:
    return attn_scalar_of(p, symbol.source).index;
  case ATTN_SYMBOL_NUMBER:
    return bits_of(attn_scalar_of(p, symbol.source).number);
  default:
    return 0;
  }
}

void attn_write_symbols(const attn_problem *p, int64_t *symbols) {
  const attn_call *call = p->call;
  double scale = call->flags & ATTN_HAS_SCALE ? call->scale : 1.0 / __builtin_sqrt(p->info->head_size);
  memset(symbols, 0, (size_t)p->kernel->symbol_count * sizeof(int64_t));
  symbols[ATTN_SYMBOL_LENGTH] = p->length;
  symbols[ATTN_SYMBOL_KV_LENGTH] = p->kv_length;
  symbols[ATTN_SYMBOL_QUERY_OFFSET] = p->query_offset;
  symbols[ATTN_SYMBOL_KEY_OFFSET] = p->key_offset;
  symbols[ATTN_SYMBOL_TOP_LEFT_OFFSET] = call->flags & ATTN_HAS_QUERY_OFFSET ? call->query_offset : 0;
  symbols[ATTN_SYMBOL_SCALE] = bits_of(scale);
  symbols[ATTN_SYMBOL_HEADS_PER_KV_HEAD] = p->heads / p->kv_heads;
  for (int32_t i = 0; i < p->kernel->named_symbol_count; ++i)
    symbols[ATTN_FIXED_SYMBOLS + i] = named_symbol(p, p->kernel->symbols[i]);
}

/*===---- Versions and counts -----------------------------------------------------------------------------------===*/

static int check_version(attn_problem *p) {
  int is_right = attn_is_of_this_version(p->call) && p->info->version == ATTN_ABI_VERSION;
  return is_right ? ATTN_OK : ATTN_ERROR_VERSION;
}

static int check_counts(attn_problem *p) {
  const attn_call *call = p->call;
  if (call->tensor_count <= ATTN_OUTPUT || call->tensor_count > p->info->tensor_count)
    return ATTN_ERROR_TENSOR_COUNT;
  if (call->scalar_count < 0 || call->scalar_count > p->info->scalar_count)
    return ATTN_ERROR_SCALAR_COUNT;
  if (!call->tensors || (call->scalar_count > 0 && !call->scalars))
    return ATTN_ERROR_NULL_DATA;
  for (int32_t i = ATTN_LSE + 1; i < p->info->tensor_count; ++i)
    if (!attn_is_given(p, i) && p->info->tensors[i].default_count < 0)
      return ATTN_ERROR_TENSOR_COUNT;
  return ATTN_OK;
}

/*===---- Each tensor by itself ---------------------------------------------------------------------------------===*/

static int32_t element_of(const attn_problem *p, int32_t tensor) {
  return tensor < ATTN_LSE ? p->info->element : tensor == ATTN_LSE ? ATTN_F32 : ATTN_I32;
}

static int64_t element_bytes(int32_t element) { return element == ATTN_BF16 || element == ATTN_F16 ? 2 : 4; }

int attn_has_elements(const attn_tensor *tensor) {
  for (int32_t axis = 0; axis < tensor->rank && axis < ATTN_MAX_RANK; ++axis)
    if (tensor->shape[axis] <= 0)
      return 0;
  return tensor->rank > 0;
}

static int check_data_is_there(attn_problem *p) {
  for (int32_t i = 0; i < p->info->tensor_count; ++i)
    if (attn_is_given(p, i) && !p->call->tensors[i].data && attn_has_elements(&p->call->tensors[i]))
      return ATTN_ERROR_NULL_DATA;
  return ATTN_OK;
}

static int has_right_rank(int32_t role, int32_t rank) {
  switch (role) {
  case ATTN_LSE:
    return rank == 3;
  case ATTN_TOKENS:
  case ATTN_SEGMENTS:
    return rank == 1 || rank == 2;
  case ATTN_LENGTHS:
    return rank == 1;
  default:
    return rank == 4;
  }
}

/* lse and lengths have no columns: one number for each row or batch, at any stride. */
static int has_contiguous_columns(int32_t role, const attn_tensor *tensor) {
  int32_t last = tensor->rank - 1;
  return role == ATTN_LSE || role == ATTN_LENGTHS || tensor->shape[last] <= 1 || tensor->strides[last] == 1;
}

/* Empty axes count as one row, so that an empty tensor's other axes stay bounded too. */
static int has_sane_extents(const attn_tensor *tensor) {
  int64_t elements = 1;
  for (int32_t axis = 0; axis < tensor->rank; ++axis) {
    int64_t extent = tensor->shape[axis];
    if (!is_within(extent, 0, max_extent) || __builtin_mul_overflow(elements, greatest(extent, 1), &elements))
      return 0;
  }
  return elements <= max_elements;
}

static int check_form(const attn_problem *p, int32_t index) {
  const attn_tensor *tensor = &p->call->tensors[index];
  int32_t role = p->info->tensors[index].role;
  if (tensor->element != element_of(p, index))
    return ATTN_ERROR_ELEMENT;
  if (!has_right_rank(role, tensor->rank))
    return ATTN_ERROR_RANK;
  if (!has_contiguous_columns(role, tensor))
    return ATTN_ERROR_STRIDE;
  return has_sane_extents(tensor) ? ATTN_OK : ATTN_ERROR_SHAPE;
}

static int check_forms(attn_problem *p) {
  for (int32_t i = 0; i < p->info->tensor_count; ++i) {
    int status = attn_is_given(p, i) ? check_form(p, i) : ATTN_OK;
    if (status != ATTN_OK)
      return status;
  }
  return ATTN_OK;
}

static int check_alignment(attn_problem *p) {
  for (int32_t i = 0; i < p->info->tensor_count; ++i)
    if (attn_is_given(p, i) && (uintptr_t)p->call->tensors[i].data % element_bytes(element_of(p, i)))
      return ATTN_ERROR_ALIGNMENT;
  return ATTN_OK;
}

/*===---- The tensors together ----------------------------------------------------------------------------------===*/

static int check_head_sizes(attn_problem *p) {
  const attn_tensor *t = p->call->tensors;
  int is_right = t[ATTN_QUERY].shape[3] == p->info->head_size && t[ATTN_KEY].shape[3] == p->info->head_size &&
                 t[ATTN_VALUE].shape[3] == p->info->value_head_size &&
                 t[ATTN_OUTPUT].shape[3] == p->info->value_head_size;
  return is_right ? ATTN_OK : ATTN_ERROR_HEAD_SIZE;
}

static int check_heads(attn_problem *p) {
  p->heads = p->call->tensors[ATTN_QUERY].shape[1];
  p->kv_heads = p->call->tensors[ATTN_KEY].shape[1];
  int is_right = p->kv_heads > 0 ? p->heads % p->kv_heads == 0 : p->heads == 0;
  return is_right ? ATTN_OK : ATTN_ERROR_HEADS;
}

static int has_shape(const attn_tensor *tensor, int64_t batch, int64_t heads, int64_t rows) {
  return tensor->shape[0] == batch && tensor->shape[1] == heads && tensor->shape[2] == rows;
}

static int check_shapes(attn_problem *p) {
  const attn_tensor *t = p->call->tensors;
  p->batch = t[ATTN_QUERY].shape[0];
  p->length = t[ATTN_QUERY].shape[2];
  p->kv_length = t[ATTN_KEY].shape[2];
  int is_right = has_shape(&t[ATTN_KEY], p->batch, p->kv_heads, p->kv_length) &&
                 has_shape(&t[ATTN_VALUE], p->batch, p->kv_heads, p->kv_length) &&
                 has_shape(&t[ATTN_OUTPUT], p->batch, p->heads, p->length) &&
                 (!attn_is_given(p, ATTN_LSE) || has_shape(&t[ATTN_LSE], p->batch, p->heads, p->length));
  return is_right ? ATTN_OK : ATTN_ERROR_SHAPE;
}

/* How many batches some run-time data is for, or -1 where all batches share it. */
static int64_t batches_of(const attn_problem *p, int32_t index) {
  const attn_tensor_info *info = &p->info->tensors[index];
  const attn_tensor *tensor = &p->call->tensors[index];
  if (attn_is_given(p, index))
    return info->role == ATTN_LENGTHS || tensor->rank == 2 ? tensor->shape[0] : -1;
  return info->role == ATTN_LENGTHS && info->default_count != 1 ? info->default_count : -1;
}

static int check_batches(attn_problem *p) {
  for (int32_t i = ATTN_LSE + 1; i < p->info->tensor_count; ++i)
    if (batches_of(p, i) >= 0 && batches_of(p, i) != p->batch)
      return ATTN_ERROR_SHAPE;
  return ATTN_OK;
}

static int check_offsets(attn_problem *p) {
  const attn_call *call = p->call;
  int is_given = (call->flags & ATTN_HAS_QUERY_OFFSET) != 0;
  if (!is_within(call->key_offset, -max_extent, max_extent) ||
      (is_given && !is_within(call->query_offset, -max_extent, max_extent)))
    return ATTN_ERROR_SHAPE;
  p->key_offset = call->key_offset;
  p->query_offset = is_given ? call->query_offset : p->key_offset + p->kv_length - p->length;
  p->positions = greatest(p->query_offset + p->length, p->key_offset + p->kv_length);
  return ATTN_OK;
}

/* Kernels count rows, and the padding behind them, in int32. */
static int check_rows(attn_problem *p) {
  const int64_t max_rows = INT32_MAX - 4096;
  return p->length <= max_rows && p->kv_length <= max_rows ? ATTN_OK : ATTN_ERROR_SHAPE;
}

/*===---- Scalars and segments ------------------------------------------------------------------------------------===*/

static int check_scalars(attn_problem *p) {
  for (int32_t i = 0; i < p->call->scalar_count; ++i) {
    const attn_scalar_info *info = &p->info->scalars[i];
    if (!info->is_number && !is_within(p->call->scalars[i].index, info->minimum, max_extent))
      return ATTN_ERROR_SCALAR;
  }
  return ATTN_OK;
}

static int check_kv_length(attn_problem *p) {
  return p->info->same_length && p->kv_length != p->length ? ATTN_ERROR_KV_LENGTH : ATTN_OK;
}

static int check_segments(attn_problem *p) {
  if (!attn_has_rows(p))
    return ATTN_OK;
  for (int32_t i = ATTN_LSE + 1; i < p->info->tensor_count; ++i)
    if (p->info->tensors[i].role == ATTN_SEGMENTS && attn_values_of(p, i).size < p->positions)
      return ATTN_ERROR_SEGMENTS;
  return ATTN_OK;
}

/*===---- The lists of checks: the first that fails decides -----------------------------------------------------===*/

typedef int (*check)(attn_problem *p);

static const check layout_checks[] = {check_version, check_counts,  check_forms,   check_head_sizes, check_heads,
                                      check_shapes,  check_batches, check_offsets, check_rows,       NULL};

static const check call_checks[] = {
    check_version,    check_counts,  check_data_is_there, check_forms,    check_alignment,
    check_head_sizes, check_heads,   check_shapes,        check_batches,  check_offsets,
    check_rows,       check_scalars, check_kv_length,     check_segments, NULL};

static int pass(attn_problem *p, const check *checks) {
  for (; *checks; ++checks) {
    int status = (*checks)(p);
    if (status != ATTN_OK)
      return status;
  }
  return ATTN_OK;
}

int attn_check_layout(const attn_kernel *kernel, const attn_call *call, attn_problem *p) {
  *p = (attn_problem){.kernel = kernel, .info = kernel->info, .call = call};
  return pass(p, layout_checks);
}

int attn_check_call(const attn_kernel *kernel, const attn_call *call, attn_problem *p) {
  *p = (attn_problem){.kernel = kernel, .info = kernel->info, .call = call};
  return pass(p, call_checks);
}
