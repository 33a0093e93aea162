/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * FakeDriver.h's functions, under their names in cuda.h.
 */
#include "FakeDriver.h"

#include "driver.h"

#include <stdlib.h>
#include <string.h>

static fake_driver driver;

fake_driver *fake_driver_reset(void) {
  driver = (fake_driver){.version = 12080,
                         .device_count = 1,
                         .major = 9,
                         .minor = 0,
                         .multiprocessors = 132,
                         .cache_bytes = 50 << 20,
                         .blocks_per_multiprocessor = 1,
                         .error = 1};
  return &driver;
}

static int result_of(const char *function) {
  return driver.failing && strcmp(driver.failing, function) == 0 ? driver.error : CUDA_SUCCESS;
}

/* Every function fails by its name where it is to fail. */
#define MAY_FAIL()                                                                                                     \
  do {                                                                                                                 \
    if (result_of(__func__) != CUDA_SUCCESS)                                                                           \
      return result_of(__func__);                                                                                      \
  } while (0)

/*===---- Devices -----------------------------------------------------------------------------------------------===*/

int cuInit(unsigned flags) {
  (void)flags;
  MAY_FAIL();
  return CUDA_SUCCESS;
}

int cuDriverGetVersion(int *version) {
  MAY_FAIL();
  *version = driver.version;
  return CUDA_SUCCESS;
}

int cuDeviceGet(int *device, int ordinal) {
  MAY_FAIL();
  *device = ordinal;
  return ordinal < driver.device_count ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

int cuDeviceGetAttribute(int *value, int attribute, int device) {
  (void)device;
  MAY_FAIL();
  *value = attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR   ? driver.major
           : attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR ? driver.minor
           : attribute == CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE            ? driver.cache_bytes
                                                                       : driver.multiprocessors;
  return CUDA_SUCCESS;
}

/*===---- Contexts ----------------------------------------------------------------------------------------------===*/

int cuDevicePrimaryCtxRetain(void **context, int device) {
  (void)device;
  MAY_FAIL();
  ++driver.contexts;
  *context = &driver;
  return CUDA_SUCCESS;
}

int cuDevicePrimaryCtxRelease_v2(int device) {
  (void)device;
  --driver.contexts;
  return CUDA_SUCCESS;
}

int cuCtxPushCurrent_v2(void *context) {
  (void)context;
  MAY_FAIL();
  ++driver.pushed;
  return CUDA_SUCCESS;
}

int cuCtxPopCurrent_v2(void **context) {
  --driver.pushed;
  *context = &driver;
  return CUDA_SUCCESS;
}

/*===---- Modules -----------------------------------------------------------------------------------------------===*/

int cuModuleLoadDataEx(void **module, const void *image, unsigned count, int *options, void **values) {
  (void)count, (void)options, (void)values;
  MAY_FAIL();
  if (image == driver.refused_image)
    return driver.error;
  driver.image = *module = (void *)image;
  ++driver.modules;
  return CUDA_SUCCESS;
}

int cuModuleUnload(void *module) {
  (void)module;
  --driver.modules;
  return CUDA_SUCCESS;
}

/* A function is its name. */
int cuModuleGetFunction(void **function, void *module, const char *name) {
  (void)module;
  MAY_FAIL();
  *function = (void *)name;
  return CUDA_SUCCESS;
}

int cuFuncSetAttribute(void *function, int attribute, int value) {
  (void)function, (void)attribute, (void)value;
  MAY_FAIL();
  return CUDA_SUCCESS;
}

int cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, void *function, int threads, size_t shared_bytes) {
  (void)function, (void)threads, (void)shared_bytes;
  MAY_FAIL();
  *blocks = driver.blocks_per_multiprocessor;
  return CUDA_SUCCESS;
}

/*===---- Memory ------------------------------------------------------------------------------------------------===*/

int cuMemAlloc_v2(attn_device_address *address, size_t bytes) {
  MAY_FAIL();
  ++driver.allocations;
  *address = (uintptr_t)malloc(bytes);
  return CUDA_SUCCESS;
}

int cuMemFree_v2(attn_device_address address) {
  --driver.allocations;
  free((void *)(uintptr_t)address);
  return CUDA_SUCCESS;
}

int cuMemcpyHtoD_v2(attn_device_address to, const void *from, size_t bytes) {
  MAY_FAIL();
  memcpy((void *)(uintptr_t)to, from, bytes);
  return CUDA_SUCCESS;
}

int cuMemsetD32Async(attn_device_address address, unsigned value, size_t count, void *stream) {
  (void)stream;
  MAY_FAIL();
  ++driver.fills;
  for (size_t i = 0; i < count; ++i)
    ((unsigned *)(uintptr_t)address)[i] = value;
  return CUDA_SUCCESS;
}

int cuPointerGetAttributes(unsigned count, int *attributes, void **values, attn_device_address address) {
  MAY_FAIL();
  int is_foreign = (const void *)(uintptr_t)address == driver.foreign;
  for (unsigned i = 0; i < count; ++i)
    if (attributes[i] == CU_POINTER_ATTRIBUTE_MEMORY_TYPE)
      *(unsigned *)values[i] = is_foreign ? driver.foreign_type : CU_MEMORYTYPE_DEVICE;
    else
      *(int *)values[i] = is_foreign ? driver.foreign_device : 0;
  return CUDA_SUCCESS;
}

/*===---- Launches ----------------------------------------------------------------------------------------------===*/

int cuTensorMapEncodeTiled(attn_tensor_map *map, int element, uint32_t rank, void *address, const uint64_t *extents,
                           const uint64_t *strides, const uint32_t *box, const uint32_t *steps, int interleave,
                           int swizzle, int promotion, int fill) {
  (void)steps, (void)interleave;
  MAY_FAIL();
  ++driver.encodings;
  fake_map *fake = (fake_map *)map;
  fake->address = (uintptr_t)address;
  fake->rank = rank;
  memcpy(fake->extents, extents, rank * sizeof(*extents));
  memcpy(fake->strides, strides, (rank - 1) * sizeof(*strides));
  memcpy(fake->box, box, rank * sizeof(*box));
  fake->element = element;
  fake->swizzle = swizzle;
  fake->promotion = promotion;
  fake->fill = fill;
  return CUDA_SUCCESS;
}

static int has_overlap(const attn_launch *config) {
  for (unsigned i = 0; i < config->attribute_count; ++i)
    if (config->attributes[i].id == CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION)
      return config->attributes[i].value != 0;
  return 0;
}

int cuLaunchKernelEx(const attn_launch *config, void *function, void **parameters, void **extra) {
  (void)extra;
  MAY_FAIL();
  ++driver.launches;
  fake_launch launch = {.function = function,
                        .shared_bytes = config->shared_bytes,
                        .stream = config->stream,
                        .parameters = parameters,
                        .overlaps = has_overlap(config)};
  memcpy(launch.grid, config->grid, sizeof(launch.grid));
  memcpy(launch.block, config->block, sizeof(launch.block));
  if (driver.on_launch)
    driver.on_launch(&launch);
  return CUDA_SUCCESS;
}
