/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Runs linear attention on a GPU: how a call's keys are split, and its launches; gpu.h says what each of them does.
 *
 * How keys are split depends on lengths and positions alone, so a call's bits do not depend on the GPU. In the full
 * form there are few splits, since every row sees all of them. Elsewhere a split is as many keys as a head has columns:
 * its state then takes about as much memory as its values, and a row meets few keys one by one.
 */
#ifndef ATTN_LIB_RUNTIME_GPU_LINEAR_H
#define ATTN_LIB_RUNTIME_GPU_LINEAR_H

#include "frame.h"

#ifdef __cplusplus
extern "C" {
#endif

/* attn_gpu_linear_word says which keys a split takes. */
typedef struct attn_key_splits {
  int64_t count, keys, lead;
} attn_key_splits;

attn_key_splits attn_split_keys(const attn_problem *problem);

/* Whether a grid holds as many blocks as each launch has: ATTN_OK, or ATTN_ERROR_SHAPE. */
int attn_check_linear_blocks(const attn_problem *problem);

/* Launches a call whose frame has been filled in; returns an attn_status. */
int attn_launch_linear(const attn_problem *problem, const attn_handle *handle, const attn_frame *frame);

#ifdef __cplusplus
}
#endif
#endif /* ATTN_LIB_RUNTIME_GPU_LINEAR_H */
