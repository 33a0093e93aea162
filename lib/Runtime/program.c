/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Evaluates programs and checks requirements.
 */
#include "program.h"

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t greatest(int64_t a, int64_t b) { return a > b ? a : b; }

static int64_t add(int64_t a, int64_t b) {
  int64_t sum;
  return __builtin_add_overflow(a, b, &sum) ? (a < 0 ? INT64_MIN : INT64_MAX) : sum;
}

static int64_t multiply(int64_t a, int64_t b) {
  int64_t product;
  return __builtin_mul_overflow(a, b, &product) ? ((a < 0) != (b < 0) ? INT64_MIN : INT64_MAX) : product;
}

static int64_t divide_down(int64_t a, int64_t b) { return a / b - (a % b < 0); }

static int64_t apply(int64_t operation, int64_t a, int64_t b) {
  int64_t divisor = greatest(b, 1);
  switch (operation) {
  case ATTN_ADD:
    return add(a, b);
  case ATTN_MULTIPLY:
    return multiply(a, b);
  case ATTN_DIVIDE:
    return divide_down(a, divisor);
  case ATTN_REMAINDER:
    return a - divide_down(a, divisor) * divisor;
  case ATTN_LEAST:
    return least(a, b);
  default:
    return greatest(a, b);
  }
}

/* Where a program is read. */
typedef struct reader {
  const attn_problem *problem;
  int64_t batch, head;
  const int64_t *next;
} reader;

static int64_t read_value(reader *r) {
  int64_t operation = *r->next++;
  if (operation == ATTN_CONSTANT)
    return *r->next++;
  if (operation == ATTN_SYMBOL)
    return attn_symbol_at(r->problem, *r->next++, r->batch, r->head);
  int64_t a = read_value(r), b = read_value(r);
  return apply(operation, a, b);
}

int64_t attn_evaluate(const attn_problem *p, const int64_t *program, int64_t batch, int64_t head) {
  return read_value(&(reader){p, batch, head, program});
}

static int is_data(const attn_kernel *kernel, int64_t symbol) {
  if (symbol < ATTN_FIXED_SYMBOLS)
    return 0;
  int32_t kind = kernel->symbols[symbol - ATTN_FIXED_SYMBOLS].kind;
  return kind == ATTN_SYMBOL_ENTRY || kind == ATTN_SYMBOL_HEAD_ENTRY;
}

int attn_reads_data(const attn_kernel *kernel, const int64_t *program) {
  for (int64_t missing = 1; missing > 0; --missing) { /* values that are still to be read */
    int64_t operation = *program++;
    if (operation == ATTN_SYMBOL && is_data(kernel, *program))
      return 1;
    if (operation == ATTN_CONSTANT || operation == ATTN_SYMBOL)
      ++program;
    else
      missing += 2;
  }
  return 0;
}

/*===---- Requirements ------------------------------------------------------------------------------------------===*/

static int is_broken(const attn_problem *p, const attn_requirement *r, int64_t batches, int64_t numbers[2]) {
  for (int64_t b = 0; b < batches; ++b)
    for (int64_t h = 0; h < p->heads; ++h) {
      numbers[0] = attn_evaluate(p, r->value, b, h);
      numbers[1] = attn_evaluate(p, r->least, b, h);
      if (numbers[0] < numbers[1])
        return 1;
    }
  return 0;
}

int attn_broken_requirement(const attn_problem *p, int with_data, int64_t numbers[2]) {
  if (!attn_has_rows(p))
    return -1;
  for (int32_t i = 0; i < p->info->requirement_count; ++i) {
    const attn_requirement *r = &p->kernel->requirements[i];
    int reads_data = attn_reads_data(p->kernel, r->value) || attn_reads_data(p->kernel, r->least);
    if ((with_data || !reads_data) && is_broken(p, r, reads_data ? p->batch : 1, numbers))
      return i;
  }
  return -1;
}
