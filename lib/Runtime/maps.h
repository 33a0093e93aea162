/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Tensor maps of query, key, value and output: how the GPU's copy engine finds a tile of rows. A phase over classes has
 * two of each: every class is a strided view, and some are longer by one row. Keys by remainders have their own: runs
 * of rows lie as far apart as the modulus says. In a phase over patches rows are points of a grid.
 */
#ifndef ATTN_LIB_RUNTIME_MAPS_H
#define ATTN_LIB_RUNTIME_MAPS_H

#include "handle.h"
#include "problem.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How the query rows of a phase fall into classes. Its keys have the same modulus. */
typedef struct attn_classes {
  int64_t modulus;
  int64_t count;   /* of classes that have rows */
  int64_t longest; /* rows of the first class; the others have as many, or one less */
} attn_classes;

attn_classes attn_classes_of(const attn_problem *problem, int32_t phase);

static inline int attn_is_by_class(const attn_problem *p, int32_t phase) {
  return attn_queries_of(p, phase)->kind == ATTN_ORDER_CLASSES;
}

int32_t attn_map_count(const attn_problem *problem, int32_t phase);

/* The maps that one function of a phase wants, indexed by ATTN_QUERY to ATTN_OUTPUT; of a phase over classes those of
 * the longer classes, and from ATTN_GPU_MAPS on those of the others; else there are those of the runs of keys and
 * values, if the phase has runs. Returns 0 where the call's sizes, bases and strides are such that there are none. */
int attn_encode_maps(const attn_problem *problem, const attn_driver *driver, int32_t phase,
                     const attn_gpu_function *function, attn_tensor_map maps[ATTN_GPU_MAX_MAPS]);

#ifdef __cplusplus
}
#endif
#endif /* ATTN_LIB_RUNTIME_MAPS_H */
