/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * A kernel made ready on one GPU. NAME_load makes a handle, calls only read it.
 */
#ifndef ATTN_LIB_RUNTIME_HANDLE_H
#define ATTN_LIB_RUNTIME_HANDLE_H

#include "driver.h"
#include "gpu.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct attn_loaded_function {
  void *function;          /* NULL where the phase has no such version */
  int32_t resident_blocks; /* that run on the GPU at a time */
} attn_loaded_function;

typedef struct attn_loaded_phase {
  attn_loaded_function tiled, strided, compact;
} attn_loaded_phase;

typedef struct attn_loaded_linear {
  attn_loaded_function absorb, sum, rows;
} attn_loaded_linear;

typedef struct attn_handle {
  const attn_kernel *kernel; /* that this is a handle of */
  const attn_driver *driver;
  int device;
  int64_t cache_bytes; /* of the device's L2 */
  void *context;       /* the device's primary one */
  void *module;
  void *run_jobs, *match;       /* the prologue; NULL where nothing needs it */
  attn_loaded_linear linear;    /* of linear attention */
  attn_device_address defaults; /* the default values of all run-time data, one after the other */
  attn_loaded_phase phases[];   /* [phase_count] */
} attn_handle;

/* Where the default values of a tensor begin among those of all. */
int64_t attn_defaults_before(const attn_kernel_info *info, int32_t tensor);

#ifdef __cplusplus
}
#endif
#endif /* ATTN_LIB_RUNTIME_HANDLE_H */
