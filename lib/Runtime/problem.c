/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Checks a call. All checks come before the first write, so a call that is refused has changed nothing.
 */
#include "program.h"

/* Sizes and offsets up to 2^40 and at most 2^48 elements a tensor keep every sum and product of them inside 64 bits. */
static const int64_t max_extent = (int64_t)1 << 40;
static const int64_t max_elements = (int64_t)1 << 48;

static int64_t greatest(int64_t a, int64_t b) { return a > b ? a : b; }
static int is_within(int64_t value, int64_t low, int64_t high) { return low <= value && value <= high; }

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
  const attn_tensor_info *info = &p->info->tensors[tensor];
  if (info->role < ATTN_LSE)
    return p->info->element;
  return info->role == ATTN_LSE || attn_is_array(info) ? ATTN_F32 : ATTN_I32;
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

/* With an axis of batches. */
static int32_t full_rank(const attn_tensor_info *info) {
  switch (info->role) {
  case ATTN_LSE:
    return 3;
  case ATTN_TOKENS:
  case ATTN_SEGMENTS:
  case ATTN_PER_HEAD:
    return 2;
  case ATTN_LENGTHS:
    return 1;
  case ATTN_ARRAY:
  case ATTN_STATE_IN:
  case ATTN_STATE_OUT:
    return info->rank;
  default:
    return 4;
  }
}

/* Whether the axis of batches may be left out. */
static int is_shareable(int32_t role) {
  return role == ATTN_TOKENS || role == ATTN_SEGMENTS || role == ATTN_PER_HEAD || role == ATTN_BLOCKS;
}

static int has_right_rank(const attn_tensor_info *info, int32_t rank) {
  return rank == full_rank(info) || (is_shareable(info->role) && rank == full_rank(info) - 1);
}

/* lse and lengths have no columns: one number for each row or batch, at any stride. Arrays may lie anyhow. */
static int has_contiguous_columns(const attn_tensor_info *info, const attn_tensor *tensor) {
  int32_t last = tensor->rank - 1;
  int is_free = info->role == ATTN_LSE || info->role == ATTN_LENGTHS || attn_is_array(info);
  return is_free || tensor->shape[last] <= 1 || tensor->strides[last] == 1;
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
  const attn_tensor_info *info = &p->info->tensors[index];
  if (tensor->element != element_of(p, index))
    return ATTN_ERROR_ELEMENT;
  if (!has_right_rank(info, tensor->rank))
    return ATTN_ERROR_RANK;
  if (!has_contiguous_columns(info, tensor))
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
  if (attn_is_array(info))
    return -1;
  if (attn_is_given(p, index))
    return tensor->rank == full_rank(info) ? tensor->shape[0] : -1;
  return info->role == ATTN_LENGTHS && info->default_count != 1 ? info->default_count : -1;
}

static int check_batches(attn_problem *p) {
  for (int32_t i = ATTN_LSE + 1; i < p->info->tensor_count; ++i)
    if (batches_of(p, i) >= 0 && batches_of(p, i) != p->batch)
      return ATTN_ERROR_SHAPE;
  return ATTN_OK;
}

/* How many heads some run-time data is for, or -1 where all heads share it. */
static int64_t heads_of(const attn_problem *p, int32_t index) {
  const attn_tensor_info *info = &p->info->tensors[index];
  const attn_tensor *tensor = &p->call->tensors[index];
  if (info->role == ATTN_BLOCKS)
    return tensor->shape[tensor->rank - 3];
  if (info->role != ATTN_PER_HEAD)
    return -1;
  if (attn_is_given(p, index))
    return tensor->shape[tensor->rank - 1];
  return info->default_count == 1 ? -1 : info->default_count;
}

static int check_heads_of_data(attn_problem *p) {
  for (int32_t i = ATTN_LSE + 1; i < p->info->tensor_count; ++i)
    if (heads_of(p, i) >= 0 && heads_of(p, i) != p->heads)
      return ATTN_ERROR_SHAPE;
  return ATTN_OK;
}

static int64_t named_extent(const attn_problem *p, int64_t extent) {
  switch (extent) {
  case ATTN_EXTENT_BATCH:
    return p->batch;
  case ATTN_EXTENT_HEADS:
    return p->heads;
  case ATTN_EXTENT_KV_HEADS:
    return p->kv_heads;
  case ATTN_EXTENT_QUERIES:
    return p->length;
  case ATTN_EXTENT_KEYS:
    return p->kv_length;
  case ATTN_EXTENT_HEAD_SIZE:
    return p->info->head_size;
  default:
    return extent;
  }
}

/* An open extent has an entry at least: indices are held inside, and there has to be an inside. */
static int has_right_extents(const attn_problem *p, int32_t index) {
  const attn_tensor_info *info = &p->info->tensors[index];
  const int64_t *shape = p->call->tensors[index].shape;
  for (int32_t axis = 0; axis < info->rank; ++axis) {
    int64_t extent = info->extents[axis];
    if (extent == ATTN_EXTENT_ANY ? shape[axis] < 1 : shape[axis] != named_extent(p, extent))
      return 0;
  }
  return 1;
}

static int check_arrays(attn_problem *p) {
  for (int32_t i = ATTN_LSE + 1; i < p->info->tensor_count; ++i)
    if (attn_is_array(&p->info->tensors[i]) && attn_is_given(p, i) && !has_right_extents(p, i))
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

/* Kernels count rows, and the padding behind them, in int32; so are offsets in segments. */
static int check_rows(attn_problem *p) {
  const int64_t max_rows = INT32_MAX - 4096;
  int is_right = p->length <= max_rows && p->kv_length <= max_rows;
  for (int32_t i = 0; i < p->kernel->offsets_count; ++i)
    is_right = is_right && attn_values_of(p, p->kernel->offsets[i].tensor).size <= max_rows;
  return is_right ? ATTN_OK : ATTN_ERROR_SHAPE;
}

/*===---- Scalars, requirements and segments
 * -----------------------------------------------------------------------===*/

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

static int check_requirements(attn_problem *p) {
  int64_t numbers[2];
  return attn_broken_requirement(p, /*with_data=*/0, numbers) < 0 ? ATTN_OK : ATTN_ERROR_REQUIREMENT;
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

static const check layout_checks[] = {check_version,       check_counts, check_forms,   check_head_sizes,
                                      check_heads,         check_shapes, check_batches, check_offsets,
                                      check_heads_of_data, check_arrays, check_rows,    NULL};

static const check call_checks[] = {
    check_version, check_counts,  check_data_is_there, check_forms,        check_alignment,     check_head_sizes,
    check_heads,   check_shapes,  check_batches,       check_offsets,      check_heads_of_data, check_arrays,
    check_rows,    check_scalars, check_kv_length,     check_requirements, check_segments,      NULL};

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
