/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * A libcuda.so.1 whose GPUs are this process: as much of the driver as the tools call. A test sets what it should say
 * and reads what was left behind.
 */
#ifndef ATTN_TEST_UNIT_TOOLS_FAKECUDA_H
#define ATTN_TEST_UNIT_TOOLS_FAKECUDA_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fake_cuda {
  int init_code, synchronize_code; /* what cuInit and cuStreamSynchronize return */
  int device_count;
  size_t memory;                         /* bytes that may be allocated */
  double clock;                          /* milliseconds; kernels move it */
  int contexts, streams, events, blocks; /* that are alive */
} fake_cuda;

fake_cuda *fake_cuda_state(void);

#ifdef __cplusplus
}
#endif
#endif /* ATTN_TEST_UNIT_TOOLS_FAKECUDA_H */
