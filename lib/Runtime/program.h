/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Programs, the expressions that a kernel's description holds (kernel.h), and the requirements made of them.
 */
#ifndef ATTN_LIB_RUNTIME_PROGRAM_H
#define ATTN_LIB_RUNTIME_PROGRAM_H

#include "problem.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The value for one batch and head. */
int64_t attn_evaluate(const attn_problem *problem, const int64_t *program, int64_t batch, int64_t head);

/* Whether the value depends on what stands in run-time data. */
int attn_reads_data(const attn_kernel *kernel, const int64_t *program);

/* The first requirement that the call breaks, -1 if there is none; `numbers` are its value and what that is less than.
 * Those that depend on run-time data are passed over unless `with_data`. A call without rows breaks none. */
int attn_broken_requirement(const attn_problem *problem, int with_data, int64_t numbers[2]);

#ifdef __cplusplus
}
#endif
#endif /* ATTN_LIB_RUNTIME_PROGRAM_H */
