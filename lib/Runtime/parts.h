/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Runs calls with few queries: keys in parts, each read once where it lies, then the merge of their states.
 */
#ifndef ATTN_LIB_RUNTIME_PARTS_H
#define ATTN_LIB_RUNTIME_PARTS_H

#include "workspace.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether a call goes this way. Packing a key costs as much as multiplying it with about eight query rows. */
static inline int attn_has_few_queries(const attn_problem *problem, const attn_version *version) {
  return version->parts != NULL && problem->length <= ATTN_FEW_ROWS;
}

/* How many floats the states of all parts take; 0 for other calls. */
int64_t attn_parts_size(const attn_problem *problem, const attn_version *version);

/* Runs a call whose workspace has been laid out and whose prologue has run. */
void attn_run_parts(const attn_problem *problem, const attn_version *version, const attn_workspace *workspace);

#ifdef __cplusplus
}
#endif
#endif /* ATTN_LIB_RUNTIME_PARTS_H */
