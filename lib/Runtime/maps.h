/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Tensor maps of query, key, value and output: how the GPU's copy engine finds a tile of rows.
 */
#ifndef ATTN_LIB_RUNTIME_MAPS_H
#define ATTN_LIB_RUNTIME_MAPS_H

#include "handle.h"
#include "problem.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The maps that one function of the kernel wants, indexed by ATTN_QUERY to ATTN_OUTPUT. Returns 0 where the call's
 * bases and strides are such that there are none. */
int attn_encode_maps(const attn_problem *problem, const attn_driver *driver, const attn_gpu_function *function,
                     attn_tensor_map maps[4]);

#ifdef __cplusplus
}
#endif
#endif /* ATTN_LIB_RUNTIME_MAPS_H */
