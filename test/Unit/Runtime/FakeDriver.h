/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * A CUDA driver without a GPU, in a library that is called libcuda.so.1: it keeps count of what it is asked for, fails
 * where a test wants it to, and takes the host's memory for the GPU's. A test runs what is launched by `on_launch`.
 */
#ifndef ATTN_TEST_UNIT_RUNTIME_FAKEDRIVER_H
#define ATTN_TEST_UNIT_RUNTIME_FAKEDRIVER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fake_launch {
  const char *function;
  unsigned grid[3], block[3], shared_bytes;
  void *stream;
  void **parameters;
  int overlaps; /* the launch before it */
} fake_launch;

/* What a tensor map says, held in its 128 bytes. */
typedef struct fake_map {
  uint64_t extents[5], strides[4]; /* strides in bytes */
  uint64_t address;
  uint32_t rank, box[5];
  int32_t element, swizzle, promotion, fill;
} fake_map;

typedef struct fake_driver {
  /* What it is. */
  int version, device_count, major, minor, multiprocessors, cache_bytes, blocks_per_multiprocessor;
  /* What it does wrong. */
  const char *failing;       /* the name of a function that fails, or NULL */
  int error;                 /* and how */
  const void *refused_image; /* does not load */
  const void *foreign;       /* memory that belongs elsewhere, and where */
  unsigned foreign_type;
  int foreign_device;
  void (*on_launch)(const fake_launch *launch);
  /* What it holds; all 0 again where everything was given back. */
  int contexts, pushed, modules, allocations;
  /* What it was asked for. */
  const void *image; /* the one that was loaded last */
  int launches, encodings, fills;
} fake_driver;

/* The one there is, as tests find it: one H200. */
fake_driver *fake_driver_reset(void);

#ifdef __cplusplus
}
#endif
#endif /* ATTN_TEST_UNIT_RUNTIME_FAKEDRIVER_H */
