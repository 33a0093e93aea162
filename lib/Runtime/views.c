/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * What a call says, with defaults filled in: run-time data, scalars, sides, symbols, and each tensor as a view.
 */
#include "program.h"

#include <string.h>

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/*===---- Arguments ---------------------------------------------------------------------------------------------===*/

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
  if (order->kind == ATTN_ORDER_LISTED)
    return least(rows, attn_values_of(p, order->tensor).size);
  if (order->kind == ATTN_ORDER_PATCHES)
    return attn_evaluate(p, order->count, 0, 0);
  int is_known = order->count && !order->of_head && !attn_reads_data(p->kernel, order->count);
  return is_known ? least(rows, attn_evaluate(p, order->count, 0, 0)) : rows;
}

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

static int runs(const attn_problem *p, int32_t phase) {
  const int64_t *when = p->kernel->phases[phase].when;
  return !when || attn_evaluate(p, when, 0, 0) > 0;
}

int64_t attn_tiles_of_block(const attn_problem *p, int32_t phase, int32_t tile_rows) {
  const attn_order *order = attn_queries_of(p, phase);
  return attn_ceil_div(least(attn_evaluate(p, order->modulus, 0, 0), attn_capacity_of(p, order)), tile_rows);
}

int64_t attn_tiles_of(const attn_problem *p, int32_t phase, int32_t tile_rows) {
  const attn_order *order = attn_queries_of(p, phase);
  if (!runs(p, phase))
    return 0;
  int64_t rows = attn_capacity_of(p, order);
  if (order->kind != ATTN_ORDER_BLOCKS || rows == 0)
    return attn_ceil_div(rows, tile_rows);
  int64_t size = attn_evaluate(p, order->modulus, 0, 0), offset = attn_side_of(p, order->side).offset;
  return (floor_div(offset + rows - 1, size) - floor_div(offset, size) + 1) * attn_tiles_of_block(p, phase, tile_rows);
}

/*===---- Views -------------------------------------------------------------------------------------------------===*/

static attn_view view_of_lse(const attn_problem *p) {
  attn_view view = {.shape = {p->batch, p->heads, p->length, 1}, .strides = {0, 0, 0, 1}};
  if (attn_is_given(p, ATTN_LSE)) {
    const attn_tensor *lse = &p->call->tensors[ATTN_LSE];
    view.data = lse->data;
    memcpy(view.strides, lse->strides, 3 * sizeof(int64_t));
  }
  return view;
}

static attn_view view_of_values(const attn_problem *p, int32_t index) {
  attn_values v = attn_values_of(p, index);
  return (attn_view){.data = (void *)v.data, .shape = {p->batch, 1, 1, v.size}, .strides = {v.batch_stride, 0, 0, 1}};
}

static attn_view view_of_per_head(const attn_problem *p, int32_t index) {
  attn_view view = view_of_values(p, index);
  view.shape[3] = p->heads;
  view.strides[3] = attn_is_given(p, index) || p->info->tensors[index].default_count > 1;
  return view;
}

/* The axes that the tensor leaves out are in front. */
static attn_view view_of_axes(const attn_problem *p, int32_t index) {
  const attn_tensor *tensor = &p->call->tensors[index];
  attn_view view = {.data = tensor->data, .shape = {1, 1, 1, 1}};
  memcpy(view.shape + 4 - tensor->rank, tensor->shape, (size_t)tensor->rank * sizeof(int64_t));
  memcpy(view.strides + 4 - tensor->rank, tensor->strides, (size_t)tensor->rank * sizeof(int64_t));
  return view;
}

/* A last axis that has to be contiguous is, even where it is a single column of whatever stride. */
static attn_view view_of_rows(const attn_problem *p, int32_t index) {
  attn_view view = view_of_axes(p, index);
  view.strides[3] = 1;
  return view;
}

static attn_view view_of_blocks(const attn_problem *p, int32_t index) {
  attn_view view = view_of_rows(p, index);
  view.shape[0] = p->batch;
  return view;
}

attn_view attn_view_of(const attn_problem *p, int32_t tensor) {
  switch (p->info->tensors[tensor].role) {
  case ATTN_LSE:
    return view_of_lse(p);
  case ATTN_TOKENS:
  case ATTN_SEGMENTS:
  case ATTN_LENGTHS:
    return view_of_values(p, tensor);
  case ATTN_PER_HEAD:
    return view_of_per_head(p, tensor);
  case ATTN_BLOCKS:
    return view_of_blocks(p, tensor);
  case ATTN_ARRAY:
    return view_of_axes(p, tensor);
  case ATTN_STATE_IN:
  case ATTN_STATE_OUT:
    return attn_is_given(p, tensor) ? view_of_axes(p, tensor) : (attn_view){.data = NULL};
  default:
    return view_of_rows(p, tensor);
  }
}

/*===---- Symbols -----------------------------------------------------------------------------------------------===*/

static int64_t bits_of(double number) {
  float narrow = (float)number;
  uint32_t bits;
  memcpy(&bits, &narrow, sizeof(bits));
  return bits;
}

static int64_t fixed_symbol(const attn_problem *p, int64_t symbol) {
  const attn_call *call = p->call;
  switch (symbol) {
  case ATTN_SYMBOL_LENGTH:
    return p->length;
  case ATTN_SYMBOL_KV_LENGTH:
    return p->kv_length;
  case ATTN_SYMBOL_QUERY_OFFSET:
    return p->query_offset;
  case ATTN_SYMBOL_KEY_OFFSET:
    return p->key_offset;
  case ATTN_SYMBOL_TOP_LEFT_OFFSET:
    return call->flags & ATTN_HAS_QUERY_OFFSET ? call->query_offset : 0;
  case ATTN_SYMBOL_SCALE:
    return bits_of(call->flags & ATTN_HAS_SCALE ? call->scale : 1.0 / __builtin_sqrt(p->info->head_size));
  case ATTN_SYMBOL_HEADS_PER_KV_HEAD:
    return p->heads / p->kv_heads;
  case ATTN_SYMBOL_HEADS:
    return p->heads;
  default:
    return 0;
  }
}

static int64_t named_symbol(const attn_problem *p, attn_symbol symbol) {
  switch (symbol.kind) {
  case ATTN_SYMBOL_INDEX:
    return attn_scalar_of(p, symbol.source).index;
  case ATTN_SYMBOL_NUMBER:
    return bits_of(attn_scalar_of(p, symbol.source).number);
  case ATTN_SYMBOL_FORMULA:
    return attn_evaluate(p, p->kernel->formulas[symbol.source], 0, 0);
  default:
    return 0;
  }
}

void attn_write_symbols(const attn_problem *p, int64_t *symbols) {
  memset(symbols, 0, (size_t)p->kernel->symbol_count * sizeof(int64_t));
  for (int32_t i = 0; i < ATTN_FIXED_SYMBOLS; ++i)
    symbols[i] = fixed_symbol(p, i);
  for (int32_t i = 0; i < p->kernel->named_symbol_count; ++i)
    symbols[ATTN_FIXED_SYMBOLS + i] = named_symbol(p, p->kernel->symbols[i]);
}

static int32_t per_head_entry(const attn_problem *p, int32_t tensor, int64_t batch, int64_t head) {
  attn_view view = attn_view_of(p, tensor);
  return ((const int32_t *)view.data)[batch * view.strides[0] + head * view.strides[3]];
}

int64_t attn_symbol_at(const attn_problem *p, int64_t symbol, int64_t batch, int64_t head) {
  if (symbol == ATTN_SYMBOL_HEAD)
    return head;
  if (symbol < ATTN_FIXED_SYMBOLS)
    return fixed_symbol(p, symbol);
  attn_symbol named = p->kernel->symbols[symbol - ATTN_FIXED_SYMBOLS];
  switch (named.kind) {
  case ATTN_SYMBOL_ENTRY:
    return *attn_row_of(attn_values_of(p, named.source), batch);
  case ATTN_SYMBOL_HEAD_ENTRY:
    return per_head_entry(p, named.source, batch, head);
  default:
    return named_symbol(p, named);
  }
}
