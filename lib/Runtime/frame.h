/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The frame of one GPU call: what its launches are handed, made from the call and from the layout of its workspace.
 *
 *   status                   an int32
 *   lse                      of a kernel of several stages, where the call has none
 *   orders                   attn_gpu_order [batch][order_count]
 *   tables of each order     rows, flags (a bitmap), and scratch for sorting
 *   tables of offsets        and scratch for sorting
 *   tables of each match     begin and end
 *   states                   of linear attention
 *
 * Every section is 64-byte aligned. A call that needs none of them has no workspace. The frame lies on the
 * host's stack; nothing here touches the GPU's memory.
 */
#ifndef ATTN_LIB_RUNTIME_FRAME_H
#define ATTN_LIB_RUNTIME_FRAME_H

#include "device/prologue.h"
#include "handle.h"
#include "problem.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ATTN_FRAME_ALIGNMENT = 64 };

typedef struct attn_frame {
  int64_t words[ATTN_GPU_MAX_WORDS]; /* as gpu.h says; tiles and their order are the phase's to fill in */
  attn_jobs jobs;
  int32_t job_count;
  uintptr_t base;
  size_t used; /* bytes that the workspace has to have; SIZE_MAX where no memory is large enough */
} attn_frame;

/* Whether the kernel has a prologue. */
static inline int attn_has_run_time_data(const attn_kernel *kernel) {
  return kernel->info->tensor_count > ATTN_LSE + 1 && !kernel->linear;
}

/* Whether the workspace has to hold what stages go on from: the call does not ask for it. */
static inline int attn_keeps_lse(const attn_problem *p) {
  return attn_stages_of(p->kernel) > 1 && !attn_is_given(p, ATTN_LSE);
}

/* Whether the call has a workspace. Each begins with the status. */
static inline int attn_has_workspace(const attn_problem *p) {
  return attn_has_run_time_data(p->kernel) || p->kernel->linear || attn_keeps_lse(p);
}

/* Whether the kernel's words and jobs fit into a launch's parameters. */
int attn_fits_launch(const attn_kernel *kernel);

/* Fills in the frame, for a kernel that fits and a workspace at `base`. `defaults` is where the GPU holds the default
 * values of run-time data. To count bytes alone, both may be 0. */
void attn_fill_frame(const attn_problem *problem, uintptr_t base, attn_device_address defaults, attn_frame *frame);

/* What a match's launch is handed. */
attn_match_job attn_match_job_of(const attn_problem *problem, const attn_frame *frame, const attn_match *match);

#ifdef __cplusplus
}
#endif
#endif /* ATTN_LIB_RUNTIME_FRAME_H */
