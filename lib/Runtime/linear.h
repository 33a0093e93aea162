/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Runs linear attention on the CPU: what a call's states are, and the walk over its keys.
 *
 * The full form needs all keys before the first row: the keys are split, each split is summed up into a state of its
 * own, and the states are added in order. The two others take keys and rows side by side, a row's keys before the row.
 *
 *   full     for each (batch, key head, split): its keys into its state
 *            for each (batch, key head): state_in and the splits' states into one, in order; state_out
 *            for each (batch, head, chunk of rows): rows
 *   others   for each (batch, key head): for each chunk of rows, of one row where keys come step by step: the keys
 *            before them into the state, then the rows of every query head; then the keys that are left; state_out
 *
 * How many splits there are depends on kv_length alone, so a call's bits do not depend on the number of workers.
 */
#ifndef ATTN_LIB_RUNTIME_LINEAR_H
#define ATTN_LIB_RUNTIME_LINEAR_H

#include "workspace.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How many states the workspace holds; none where the kernel is not linear attention. */
int64_t attn_linear_state_count(const attn_problem *problem);

/* Runs a call whose workspace has been laid out. */
void attn_run_linear(const attn_problem *problem, const attn_version *version, const attn_workspace *workspace);

#ifdef __cplusplus
}
#endif
#endif /* ATTN_LIB_RUNTIME_LINEAR_H */
