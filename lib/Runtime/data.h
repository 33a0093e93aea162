/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Checks what stands in a call's run-time data. Only a CPU call can: a GPU call's data may not be there yet.
 */
#ifndef ATTN_LIB_RUNTIME_DATA_H
#define ATTN_LIB_RUNTIME_DATA_H

#include "problem.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Tokens, lengths, per-head numbers, blocks, and then the requirements that depend on them, of a call that
 * attn_check_call let through. Returns an attn_status. */
int attn_check_data(const attn_problem *problem);

#ifdef __cplusplus
}
#endif
#endif /* ATTN_LIB_RUNTIME_DATA_H */
