/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Kernels written by hand, in the form in which the compiler emits them, so that the entry point, the tools and the
 * examples can be tested without a compiler. They are plain loops over the packed panels and the orders of the
 * prologue.
 *
 *   longformer   a window, and tokens that see and are seen by all; two phases, of which the one over the tokens' rows
 *                owns them (tensor `global`, scalars `left` and `right`)
 *   document     same segment, and keys before the batch's length; queries and keys sorted by segment and matched
 *                (tensors `segments` and `lengths`, both required)
 *   medley       takes run-time data of every other kind and computes nothing: numbers for each head (`reach`, by
 *                default 2, and `step`, at least 1), blocks (`random`, of `block` positions), offsets in segments
 *                (`ids`), and arrays (`bias` [batch, heads, queries, keys], `labels` [kv_heads, ?, head_size], `slopes`
 *                [4]). It requires `width` >= 3 and ceil(kv_length / width) >= step, for every head
 */
#ifndef ATTN_TEST_UNIT_RUNTIME_FAKEKERNELS_H
#define ATTN_TEST_UNIT_RUNTIME_FAKEKERNELS_H

#include "kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { FAKE_HEAD_SIZE = 6, FAKE_VALUE_HEAD_SIZE = 8 };

/* The parts of an attn_order. */
#define FAKE_ORDER(what, whose, count) .kind = what, .side = whose, .count_symbol = count
#define FAKE_TABLES(its_tensor, rows, flags) .tensor = its_tensor, .rows_view = rows, .flags_view = flags
#define FAKE_NO_TABLES FAKE_TABLES(-1, -1, -1)
#define FAKE_KEYS(keys, values) .key_view = keys, .value_view = values
#define FAKE_NO_KEYS FAKE_KEYS(-1, -1)

enum { LONGFORMER_GLOBAL = ATTN_LSE + 1, LONGFORMER_TENSOR_COUNT };
enum { LONGFORMER_LEFT, LONGFORMER_RIGHT, LONGFORMER_SCALAR_COUNT };
extern const attn_kernel fake_longformer;
extern const attn_kernel_info fake_longformer_info;

enum { DOCUMENT_SEGMENTS = ATTN_LSE + 1, DOCUMENT_LENGTHS, DOCUMENT_TENSOR_COUNT };
extern const attn_kernel fake_document;
extern const attn_kernel_info fake_document_info;

enum {
  MEDLEY_REACH = ATTN_LSE + 1,
  MEDLEY_STEP,
  MEDLEY_RANDOM,
  MEDLEY_IDS,
  MEDLEY_BIAS,
  MEDLEY_LABELS,
  MEDLEY_SLOPES,
  MEDLEY_TENSOR_COUNT
};
enum { MEDLEY_BLOCK, MEDLEY_WIDTH, MEDLEY_SCALAR_COUNT };
extern const attn_kernel fake_medley;
extern const attn_kernel_info fake_medley_info;

#ifdef __cplusplus
}
#endif
#endif /* ATTN_TEST_UNIT_RUNTIME_FAKEKERNELS_H */
