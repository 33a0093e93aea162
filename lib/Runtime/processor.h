/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Which instruction sets this processor runs under this operating system.
 */
#ifndef ATTN_LIB_RUNTIME_PROCESSOR_H
#define ATTN_LIB_RUNTIME_PROCESSOR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A set of attn_isa with one bit for each, 1 << isa. Asks the processor once and keeps the answer in one word. */
uint32_t attn_processor_isas(void);

#ifdef __cplusplus
}
#endif
#endif /* ATTN_LIB_RUNTIME_PROCESSOR_H */
