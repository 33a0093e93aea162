/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Encodes tensor maps. Their axes are {columns, rows, heads, batch}, {columns, rows of a class, classes, heads, batch}
 * or {columns, rows of a run, runs, heads, batch} or {columns, columns of a grid, rows of the grid, heads, batch}; a
 * box is as many columns as a 128-byte swizzle is wide, by the rows of a tile. What is past the end is read as zeros
 * and not written: so classes of different lengths take different maps, and runs and rows of a grid are whole.
 */
#include "maps.h"
#include "program.h"

enum { BOX_BYTES = 128, GRANULE = 16, MAX_AXES = 5 };

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

/*===---- Classes -----------------------------------------------------------------------------------------------===*/

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t greatest(int64_t a, int64_t b) { return a > b ? a : b; }

attn_classes attn_classes_of(const attn_problem *p, int32_t phase) {
  int64_t modulus = attn_evaluate(p, attn_queries_of(p, phase)->modulus, 0, 0);
  modulus = modulus > 1 ? modulus : 1;
  return (attn_classes){modulus, least(modulus, p->length), p->length / modulus + (p->length % modulus > 0)};
}

/*===---- Axes --------------------------------------------------------------------------------------------------===*/

/* An axis of a tensor as a map sees it; strides are in elements. */
typedef struct axis {
  int64_t extent, stride, box;
} axis;

/* What a map is of, from the innermost axis, the columns, on. */
typedef struct view {
  char *data;
  int32_t rank;
  axis axes[MAX_AXES];
} view;

static void add_axis(view *v, int64_t extent, int64_t stride, int64_t box) {
  v->axes[v->rank++] = (axis){extent, stride, box};
}

/* A stride that no map holds, where 64 bits do not hold it either. */
static int64_t multiple_of(int64_t stride, int64_t count) {
  int64_t product;
  return __builtin_mul_overflow(stride, count, &product) ? -1 : product;
}

/* The rows of the longer classes, or of the others. Where all have one length, both are all. */
static void add_classes(view *v, const attn_tensor *tensor, int64_t modulus, int is_long, int64_t box) {
  int64_t rows = tensor->shape[2], stride = tensor->strides[2], longer = is_long ? rows % modulus : 0;
  add_axis(v, rows / modulus + (longer > 0), multiple_of(stride, modulus), box);
  add_axis(v, longer > 0 ? longer : least(modulus, rows), stride, 1);
}

/* The rows of whole runs; 0 where a tile or the tensor ends inside of one. */
static int add_runs(view *v, const attn_problem *p, const attn_tensor *tensor, const attn_gpu_runs *runs, int64_t box) {
  int64_t modulus = attn_evaluate(p, runs->modulus, 0, 0), width = attn_evaluate(p, runs->width, 0, 0);
  int64_t first = attn_evaluate(p, runs->first, 0, 0), rows = tensor->shape[2], stride = tensor->strides[2];
  if (width < 1 || box % width != 0 || first < 0 || first > modulus - width)
    return 0;
  int64_t count = first < rows ? (rows - first - 1) / modulus + 1 : 0;
  if (count > 0 && rows - first - (count - 1) * modulus < width)
    return 0;
  v->data += count > 0 ? first * stride * element_type_of(p).bytes : 0;
  add_axis(v, width, stride, width);
  add_axis(v, count, multiple_of(stride, modulus), box / width);
  return 1;
}

/* The points of a grid; a box takes those of a patch, or as many of `columns` columns as a tile has rows. */
static void add_points(view *v, const attn_tensor *tensor, int64_t width, int64_t columns, int64_t box) {
  add_axis(v, width, tensor->strides[2], columns);
  add_axis(v, tensor->shape[2] / width, multiple_of(tensor->strides[2], width), box / columns);
}

/* The stride of an axis in bytes, or 0 where a map cannot hold it. An axis of one entry takes no steps: any will do. */
static uint64_t stride_of(const axis *a, int64_t row_bytes, int32_t element_bytes) {
  const int64_t limit = (int64_t)1 << 40;
  if (a->extent <= 1)
    return (uint64_t)attn_round_up(row_bytes, GRANULE);
  int is_right = a->stride > 0 && a->stride < limit / element_bytes && a->stride * element_bytes % GRANULE == 0;
  return is_right ? (uint64_t)(a->stride * element_bytes) : 0;
}

/*===---- Maps --------------------------------------------------------------------------------------------------===*/

/* A tensor without elements has an address that means nothing, and no tile of it is read: the query's stands in. */
static view begin_view(const attn_problem *p, int32_t tensor) {
  const attn_tensor *tensors = p->call->tensors;
  view v = {.data = attn_has_elements(&tensors[tensor]) ? tensors[tensor].data : tensors[ATTN_QUERY].data};
  add_axis(&v, tensors[tensor].shape[3], 1, BOX_BYTES / element_type_of(p).bytes);
  return v;
}

static int encode(const attn_problem *p, const attn_driver *driver, const view *v, attn_tensor_map *map) {
  const element_type element = element_type_of(p);
  const uint32_t steps[MAX_AXES] = {1, 1, 1, 1, 1};
  uint64_t extents[MAX_AXES], strides[MAX_AXES];
  uint32_t box[MAX_AXES];
  for (int32_t i = 0; i < v->rank; ++i) {
    int64_t extent = v->axes[i].extent;
    extents[i] = extent > 0 ? (uint64_t)extent : 1;
    strides[i] = stride_of(&v->axes[i], v->axes[0].extent * element.bytes, element.bytes);
    box[i] = (uint32_t)v->axes[i].box;
    if (extents[i] > UINT32_MAX || (i > 0 && strides[i] == 0))
      return 0;
  }
  return (uintptr_t)v->data % GRANULE == 0 &&
         driver->encode_tensor_map(map, element.name, (uint32_t)v->rank, v->data, extents, strides + 1, box, steps,
                                   CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                                   CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                                   CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

/* Heads and batch are the outer axes of every map. */
static int finish(const attn_problem *p, const attn_driver *driver, const attn_tensor *tensor, view *v,
                  attn_tensor_map *map) {
  add_axis(v, tensor->shape[1], tensor->strides[1], 1);
  add_axis(v, tensor->shape[0], tensor->strides[0], 1);
  return encode(p, driver, v, map);
}

static int64_t rows_of_box(const attn_gpu_function *function, int32_t tensor) {
  return tensor == ATTN_QUERY    ? function->tile_rows
         : tensor == ATTN_OUTPUT ? function->store_rows
                                 : function->tile_keys;
}

/* Of rows one after the other. */
static int encode_rows(const attn_problem *p, const attn_driver *driver, const attn_gpu_function *function,
                       attn_tensor_map *maps) {
  int is_right = 1;
  for (int32_t i = 0; i < ATTN_GPU_MAPS && is_right; ++i) {
    const attn_tensor *tensor = &p->call->tensors[i];
    view v = begin_view(p, i);
    add_axis(&v, tensor->shape[2], tensor->strides[2], rows_of_box(function, i));
    is_right = finish(p, driver, tensor, &v, &maps[i]);
  }
  return is_right;
}

static int encode_classes(const attn_problem *p, const attn_driver *driver, const attn_gpu_function *function,
                          int64_t modulus, int is_long, attn_tensor_map *maps) {
  int is_right = 1;
  for (int32_t i = 0; i < ATTN_GPU_MAPS && is_right; ++i) {
    const attn_tensor *tensor = &p->call->tensors[i];
    view v = begin_view(p, i);
    add_classes(&v, tensor, modulus, is_long, rows_of_box(function, i));
    is_right = finish(p, driver, tensor, &v, &maps[i]);
  }
  return is_right;
}

static int encode_runs(const attn_problem *p, const attn_driver *driver, const attn_gpu_function *function,
                       const attn_gpu_runs *runs, attn_tensor_map *maps) {
  int is_right = 1;
  for (int32_t i = ATTN_KEY; i <= ATTN_VALUE && is_right; ++i) {
    const attn_tensor *tensor = &p->call->tensors[i];
    view v = begin_view(p, i);
    is_right =
        add_runs(&v, p, tensor, runs, rows_of_box(function, i)) && finish(p, driver, tensor, &v, &maps[i - ATTN_KEY]);
  }
  return is_right;
}

/* 0 where rows of the grid are not whole, or do not begin where the sequence does. */
static int encode_grid(const attn_problem *p, const attn_driver *driver, const attn_gpu_function *function,
                       const attn_gpu_grid *grid, attn_tensor_map *maps) {
  int64_t width = attn_evaluate(p, grid->width, 0, 0), span = attn_evaluate(p, grid->span, 0, 0);
  int is_right = width > 0 && attn_evaluate(p, grid->shift, 0, 0) % width == 0;
  for (int32_t i = 0; i < ATTN_GPU_MAPS && is_right; ++i) {
    const attn_tensor *tensor = &p->call->tensors[i];
    int is_key = i == ATTN_KEY || i == ATTN_VALUE;
    int64_t columns = is_key ? greatest(1, least(span, least(width, function->tile_keys))) : grid->patch_columns;
    view v = begin_view(p, i);
    is_right = tensor->shape[2] % width == 0;
    if (is_right) {
      add_points(&v, tensor, width, columns, rows_of_box(function, i));
      is_right = finish(p, driver, tensor, &v, &maps[i]);
    }
  }
  return is_right;
}

int32_t attn_map_count(const attn_problem *p, int32_t phase) {
  int has_runs = p->kernel->gpu->phases[phase].runs != NULL;
  return attn_is_by_class(p, phase) ? 2 * ATTN_GPU_MAPS : has_runs ? ATTN_GPU_MAPS + 2 : ATTN_GPU_MAPS;
}

/* Rows of output are written in granules, of which the last may reach past the columns, into what lies behind a row. */
static int has_whole_granules(const attn_problem *p) {
  return p->call->tensors[ATTN_OUTPUT].shape[3] * element_type_of(p).bytes % GRANULE == 0;
}

int attn_encode_maps(const attn_problem *p, const attn_driver *driver, int32_t phase, const attn_gpu_function *function,
                     attn_tensor_map maps[ATTN_GPU_MAX_MAPS]) {
  const attn_gpu_runs *runs = p->kernel->gpu->phases[phase].runs;
  const attn_gpu_grid *grid = p->kernel->gpu->phases[phase].grid;
  if (!has_whole_granules(p))
    return 0;
  if (grid)
    return encode_grid(p, driver, function, grid, maps);
  if (attn_is_by_class(p, phase)) {
    int64_t modulus = attn_classes_of(p, phase).modulus;
    return encode_classes(p, driver, function, modulus, /*is_long=*/1, maps) &&
           encode_classes(p, driver, function, modulus, /*is_long=*/0, maps + ATTN_GPU_MAPS);
  }
  return encode_rows(p, driver, function, maps) &&
         (!runs || encode_runs(p, driver, function, runs, maps + ATTN_GPU_MAPS));
}
