/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * A kernel of three stages over computed orders, written by hand. It multiplies nothing: each tile function looks
 * whether the stage before has left its rows as a stage leaves them, and whether keys were packed as their orders say.
 * Rows that are right have the output `ORDERS_STAGES`; those of every `width`-th position are one phase's alone and
 * have the output 1. What is wrong has the output -1.
 */
#ifndef ATTN_TEST_UNIT_RUNTIME_FAKEORDERS_H
#define ATTN_TEST_UNIT_RUNTIME_FAKEORDERS_H

#include "FakeKernels.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ORDERS_STRIDE = ATTN_LSE + 1, ORDERS_TENSOR_COUNT }; /* a number of each head, which classes are made of */
enum { ORDERS_WIDTH, ORDERS_SCALAR_COUNT };
enum { ORDERS_STAGES = 3, ORDERS_TILE_ROWS = 4, ORDERS_OWN_TILE_ROWS = 2, ORDERS_PACK_KEYS = 16 };
/* Its orders: all queries, all keys, every width-th query, keys in classes of the head, every width-th key. */
enum { ORDERS_QUERIES, ORDERS_KEYS, ORDERS_OWN_QUERIES, ORDERS_KEYS_OF_HEAD, ORDERS_SOME_KEYS, ORDERS_ORDER_COUNT };
extern const attn_kernel fake_orders;

#ifdef __cplusplus
}
#endif
#endif /* ATTN_TEST_UNIT_RUNTIME_FAKEORDERS_H */
