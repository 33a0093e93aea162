/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The CUDA driver, found when it is first needed: objects load on machines that have none. Its functions are declared
 * here, for no CUDA header is needed to build this.
 */
#ifndef ATTN_LIB_RUNTIME_DRIVER_H
#define ATTN_LIB_RUNTIME_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Names and numbers are those of cuda.h. */
enum { CUDA_SUCCESS = 0, CUDA_ERROR_NO_DEVICE = 100, CUDA_ERROR_INVALID_DEVICE = 101 };
enum {
  CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
  CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE = 38,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
  CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8,
  CU_POINTER_ATTRIBUTE_MEMORY_TYPE = 2,
  CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL = 9,
  CU_MEMORYTYPE_DEVICE = 2,
  CU_TENSOR_MAP_DATA_TYPE_FLOAT16 = 6,
  CU_TENSOR_MAP_DATA_TYPE_FLOAT32 = 7,
  CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 = 9,
  CU_TENSOR_MAP_INTERLEAVE_NONE = 0,
  CU_TENSOR_MAP_SWIZZLE_128B = 3,
  CU_TENSOR_MAP_L2_PROMOTION_L2_256B = 3,
  CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE = 0 /* zeros */
};

typedef uint64_t attn_device_address; /* CUdeviceptr */

typedef struct attn_tensor_map { /* CUtensorMap */
  _Alignas(64) uint64_t opaque[16];
} attn_tensor_map;

/* CUlaunchAttribute, for values of one word. */
enum { CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION = 6 };
typedef struct attn_launch_attribute {
  int32_t id, padding;
  int32_t value, rest[15];
} attn_launch_attribute;

/* CUlaunchConfig */
typedef struct attn_launch {
  unsigned grid[3], block[3], shared_bytes;
  void *stream;
  const attn_launch_attribute *attributes;
  unsigned attribute_count;
} attn_launch;

/* The functions of the driver, each with its name there: ATTN_DRIVER(function, name, parameters). All return a
 * CUresult. CUdevice is an int; contexts, modules, functions and streams are opaque pointers. */
#define ATTN_DRIVER_FUNCTIONS                                                                                          \
  ATTN_DRIVER(init, "cuInit", (unsigned flags))                                                                        \
  ATTN_DRIVER(get_version, "cuDriverGetVersion", (int *version))                                                       \
  ATTN_DRIVER(get_device, "cuDeviceGet", (int *device, int ordinal))                                                   \
  ATTN_DRIVER(get_device_attribute, "cuDeviceGetAttribute", (int *value, int attribute, int device))                   \
  ATTN_DRIVER(retain_context, "cuDevicePrimaryCtxRetain", (void **context, int device))                                \
  ATTN_DRIVER(release_context, "cuDevicePrimaryCtxRelease_v2", (int device))                                           \
  ATTN_DRIVER(push_context, "cuCtxPushCurrent_v2", (void *context))                                                    \
  ATTN_DRIVER(pop_context, "cuCtxPopCurrent_v2", (void **context))                                                     \
  ATTN_DRIVER(load_module, "cuModuleLoadDataEx",                                                                       \
              (void **module, const void *image, unsigned count, int *options, void **values))                         \
  ATTN_DRIVER(unload_module, "cuModuleUnload", (void *module))                                                         \
  ATTN_DRIVER(get_function, "cuModuleGetFunction", (void **function, void *module, const char *name))                  \
  ATTN_DRIVER(set_function_attribute, "cuFuncSetAttribute", (void *function, int attribute, int value))                \
  ATTN_DRIVER(count_blocks, "cuOccupancyMaxActiveBlocksPerMultiprocessor",                                             \
              (int *blocks, void *function, int threads, size_t shared_bytes))                                         \
  ATTN_DRIVER(allocate, "cuMemAlloc_v2", (attn_device_address * address, size_t bytes))                                \
  ATTN_DRIVER(release, "cuMemFree_v2", (attn_device_address address))                                                  \
  ATTN_DRIVER(copy_to_device, "cuMemcpyHtoD_v2", (attn_device_address to, const void *from, size_t bytes))             \
  ATTN_DRIVER(set_words, "cuMemsetD32Async",                                                                           \
              (attn_device_address address, unsigned value, size_t count, void *stream))                               \
  ATTN_DRIVER(get_pointer_attributes, "cuPointerGetAttributes",                                                        \
              (unsigned count, int *attributes, void **values, attn_device_address address))                           \
  ATTN_DRIVER(encode_tensor_map, "cuTensorMapEncodeTiled",                                                             \
              (attn_tensor_map * map, int element, uint32_t rank, void *address, const uint64_t *extents,              \
               const uint64_t *strides, const uint32_t *box, const uint32_t *steps, int interleave, int swizzle,       \
               int promotion, int fill))                                                                               \
  ATTN_DRIVER(launch, "cuLaunchKernelEx", (const attn_launch *config, void *function, void **parameters, void **extra))

typedef struct attn_driver {
#define ATTN_DRIVER(function, name, parameters) int(*function) parameters;
  ATTN_DRIVER_FUNCTIONS
#undef ATTN_DRIVER
} attn_driver;

/* The driver, not yet initialized; NULL where there is none, or one that lacks a function. Looks for it until it is
 * found, then keeps it. */
const attn_driver *attn_find_driver(void);

#ifdef __cplusplus
}
#endif
#endif /* ATTN_LIB_RUNTIME_DRIVER_H */
