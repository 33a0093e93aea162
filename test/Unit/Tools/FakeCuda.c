/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The driver of FakeCuda.h. Memory of the GPU is malloc's, an event is the clock's time when it was recorded.
 */
#include "FakeCuda.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static fake_cuda state;

fake_cuda *fake_cuda_state(void) { return &state; }

int cuInit(unsigned flags) { return state.init_code; }

int cuGetErrorString(int code, const char **text) {
  *text = code == 700 ? "an illegal memory access was encountered" : NULL;
  return code == 700 ? 0 : 1;
}

int cuDeviceGetCount(int *count) {
  *count = state.device_count;
  return 0;
}

int cuDeviceGet(int *device, int number) {
  *device = number;
  return 0;
}

int cuDevicePrimaryCtxRetain(void **context, int device) {
  *context = &state;
  ++state.contexts;
  return 0;
}

int cuDevicePrimaryCtxRelease_v2(int device) {
  --state.contexts;
  return 0;
}

int cuCtxSetCurrent(void *context) { return context == &state ? 0 : 201; }

int cuMemAlloc_v2(uint64_t *pointer, size_t bytes) {
  if (bytes == 0)
    return 1;
  if (bytes > state.memory)
    return 2;
  *pointer = (uint64_t)aligned_alloc(256, (bytes + 255) / 256 * 256);
  ++state.blocks;
  return 0;
}

int cuMemFree_v2(uint64_t pointer) {
  free((void *)pointer);
  --state.blocks;
  return 0;
}

int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t bytes) {
  memcpy((void *)to, from, bytes);
  return 0;
}

int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t bytes) {
  memcpy(to, (const void *)from, bytes);
  return 0;
}

int cuStreamCreate(void **stream, unsigned flags) {
  *stream = &state.streams;
  ++state.streams;
  return 0;
}

int cuStreamDestroy_v2(void *stream) {
  --state.streams;
  return 0;
}

int cuStreamSynchronize(void *stream) { return state.synchronize_code; }

int cuEventCreate(void **event, unsigned flags) {
  *event = calloc(1, sizeof(double));
  ++state.events;
  return 0;
}

int cuEventDestroy_v2(void *event) {
  free(event);
  --state.events;
  return 0;
}

int cuEventRecord(void *event, void *stream) {
  *(double *)event = state.clock;
  return stream == &state.streams ? 0 : 400;
}

int cuEventElapsedTime(float *milliseconds, void *begin, void *end) {
  *milliseconds = (float)(*(double *)end - *(double *)begin);
  return 0;
}
