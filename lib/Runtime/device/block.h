/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * A block of threads, on the GPU and on the host. EACH_THREAD(t) takes a step: what follows it is done by every thread
 * t of the block, between two barriers. On the host a step is a loop over the threads. What a thread keeps from step to
 * step lies in shared memory, which SHARED_MEMORY declares as a pointer to a `type`; between steps all threads compute
 * alike.
 */
#ifndef ATTN_LIB_RUNTIME_DEVICE_BLOCK_H
#define ATTN_LIB_RUNTIME_DEVICE_BLOCK_H

#include "prologue.h"

#ifdef __NVPTX__

#define DEVICE static inline __attribute__((always_inline))
#define EACH_THREAD(t)                                                                                                 \
  for (uint32_t t = (__nvvm_bar_sync(0), __nvvm_read_ptx_sreg_tid_x()), is_done = 0; !is_done;                         \
       __nvvm_bar_sync(0), is_done = 1)
#define SHARED_MEMORY(type, name) extern __attribute__((address_space(3))) type name[]

#else

#define DEVICE
#define EACH_THREAD(t) for (uint32_t t = 0; t < ATTN_PROLOGUE_THREADS; ++t)
#define SHARED_MEMORY(type, name) static _Thread_local type name[1]

#endif
#endif /* ATTN_LIB_RUNTIME_DEVICE_BLOCK_H */
