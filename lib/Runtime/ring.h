/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Which keys workers pack for themselves (attn_key_ring), and where.
 */
#ifndef ATTN_LIB_RUNTIME_RING_H
#define ATTN_LIB_RUNTIME_RING_H

#include "workspace.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether a key order's keys are packed when a tile asks for them: few tiles look at each, and those that one of them
 * looks at take little memory. */
int attn_is_fetched(const attn_problem *problem, const attn_version *version, const attn_order *order);

/* Bytes of a worker's ring; 0 where nothing is fetched. */
int64_t attn_ring_bytes(const attn_problem *problem, const attn_version *version);

/* Empties the rings of all workers. */
void attn_clear_rings(const attn_problem *problem, const attn_version *version, const attn_workspace *workspace);

#ifdef __cplusplus
}
#endif
#endif /* ATTN_LIB_RUNTIME_RING_H */
