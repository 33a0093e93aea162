/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Encodes tensor maps. Their axes are {columns, rows, heads, batch}; a box is as many columns as a 128-byte swizzle is
 * wide, by the rows of a tile. Columns and rows past the end are read as zeros and not written.
 */
#include "maps.h"

enum { BOX_BYTES = 128, GRANULE = 16 };

/* How a map names an element type, and how many bytes that is. */
typedef struct element_type {
  int32_t name, bytes;
} element_type;

static element_type element_type_of(const attn_problem *p) {
  switch (p->info->element) {
  case ATTN_BF16:
    return (element_type){CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2};
  case ATTN_F16:
    return (element_type){CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 2};
  default:
    return (element_type){CU_TENSOR_MAP_DATA_TYPE_FLOAT32, 4};
  }
}

/* The stride of an axis in bytes, or 0 where a map cannot hold it. An axis of one entry takes no steps: any will do. */
static uint64_t stride_of(const attn_tensor *tensor, int32_t element_bytes, int32_t axis) {
  const int64_t limit = (int64_t)1 << 40;
  int64_t stride = tensor->strides[axis];
  if (tensor->shape[axis] <= 1)
    return (uint64_t)attn_round_up(tensor->shape[3] * element_bytes, GRANULE);
  int is_right = stride > 0 && stride < limit / element_bytes && stride * element_bytes % GRANULE == 0;
  return is_right ? (uint64_t)(stride * element_bytes) : 0;
}

/* A tensor without elements has an address that means nothing, and no tile of it is read: the query's stands in. */
static void *address_of(const attn_problem *p, int32_t tensor) {
  const attn_tensor *tensors = p->call->tensors;
  return attn_has_elements(&tensors[tensor]) ? tensors[tensor].data : tensors[ATTN_QUERY].data;
}

static int encode(const attn_problem *p, const attn_driver *driver, int32_t index, int32_t box_rows,
                  attn_tensor_map *map) {
  const attn_tensor *tensor = &p->call->tensors[index];
  const element_type element = element_type_of(p);
  const uint32_t box[4] = {(uint32_t)(BOX_BYTES / element.bytes), (uint32_t)box_rows, 1, 1}, steps[4] = {1, 1, 1, 1};
  uint64_t extents[4], strides[3];
  void *address = address_of(p, index);
  for (int32_t i = 0; i < 4; ++i) {
    int64_t extent = tensor->shape[3 - i];
    extents[i] = extent > 0 ? (uint64_t)extent : 1;
    if (extents[i] > UINT32_MAX)
      return 0;
  }
  for (int32_t i = 0; i < 3; ++i) {
    strides[i] = stride_of(tensor, element.bytes, 2 - i);
    if (strides[i] == 0)
      return 0;
  }
  return (uintptr_t)address % GRANULE == 0 &&
         driver->encode_tensor_map(map, element.name, 4, address, extents, strides, box, steps,
                                   CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                                   CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                                   CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

int attn_encode_maps(const attn_problem *p, const attn_driver *driver, const attn_gpu_function *function,
                     attn_tensor_map maps[4]) {
  return encode(p, driver, ATTN_QUERY, function->tile_rows, &maps[ATTN_QUERY]) &&
         encode(p, driver, ATTN_KEY, function->tile_keys, &maps[ATTN_KEY]) &&
         encode(p, driver, ATTN_VALUE, function->tile_keys, &maps[ATTN_VALUE]) &&
         encode(p, driver, ATTN_OUTPUT, function->store_rows, &maps[ATTN_OUTPUT]);
}
