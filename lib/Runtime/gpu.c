/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Runs one call of a GPU kernel: check, prologue, phases. gpu.h says what the compiler promises and what a launch is
 * handed, attn.h what the caller does. This file and those it calls (problem.c, views.c, program.c, driver.c, handle.c,
 * frame.c, maps.c, gpu_linear.c) become part of every emitted GPU object; they need libc of their surroundings, nothing
 * else.
 */
#include "frame.h"
#include "gpu_linear.h"
#include "maps.h"
#include "program.h"

#include <string.h>

/* A call that is right so far. */
typedef struct gpu_call {
  const attn_problem *problem;
  const attn_handle *handle;
  attn_frame *frame;
} gpu_call;

static int status_of(int result) { return result == CUDA_SUCCESS ? ATTN_OK : ATTN_ERROR_LAUNCH; }

/*===---- Check -------------------------------------------------------------------------------------------------===*/

static int check_handle(const attn_problem *p) {
  const attn_handle *handle = p->call->handle;
  return handle && handle->kernel == p->kernel ? ATTN_OK : ATTN_ERROR_HANDLE;
}

static int check_workspace(const gpu_call *c) {
  const attn_call *call = c->problem->call;
  if (c->frame->used == 0)
    return ATTN_OK;
  int is_right = call->workspace && (uintptr_t)call->workspace % ATTN_FRAME_ALIGNMENT == 0 &&
                 call->workspace_bytes >= c->frame->used;
  return is_right ? ATTN_OK : ATTN_ERROR_WORKSPACE;
}

/* What the driver knows nothing of, it calls memory of type 0. */
static int is_on_device(const gpu_call *c, const void *data) {
  const attn_handle *h = c->handle;
  int attributes[] = {CU_POINTER_ATTRIBUTE_MEMORY_TYPE, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL};
  unsigned type = 0;
  int device = -1;
  void *values[] = {&type, &device};
  return h->driver->get_pointer_attributes(2, attributes, values, (attn_device_address)(uintptr_t)data) ==
             CUDA_SUCCESS &&
         type == CU_MEMORYTYPE_DEVICE && device == h->device;
}

static int check_memory(const gpu_call *c) {
  const attn_problem *p = c->problem;
  for (int32_t i = 0; i < p->info->tensor_count; ++i)
    if (attn_is_given(p, i) && attn_has_elements(&p->call->tensors[i]) && !is_on_device(c, p->call->tensors[i].data))
      return ATTN_ERROR_MEMORY;
  return c->frame->used == 0 || is_on_device(c, p->call->workspace) ? ATTN_OK : ATTN_ERROR_MEMORY;
}

/* A grid has 65535 blocks at most in y and z; more batches than that take several launches. Kernels count items in 32
 * bits, and a step beyond the last. */
enum { MAX_BLOCKS_YZ = 65535, MAX_ITEMS = 1 << 30 };

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* The query tiles of a class, block or row of patches, of which all have as many as the longest; of other orders, all.
 */
static int64_t tiles_of_part(const attn_problem *p, int32_t phase, int32_t tile_rows) {
  const attn_gpu_grid *grid = p->kernel->gpu->phases[phase].grid;
  if (grid)
    return attn_ceil_div(least(attn_evaluate(p, grid->width, 0, 0), p->length), grid->patch_columns);
  if (attn_is_by_class(p, phase))
    return attn_ceil_div(attn_classes_of(p, phase).longest, tile_rows);
  return attn_queries_of(p, phase)->kind == ATTN_ORDER_BLOCKS ? attn_tiles_of_block(p, phase, tile_rows)
                                                              : attn_tiles_of(p, phase, tile_rows);
}

/* The query tiles of a phase. None spans classes. */
static int64_t tiles_of(const attn_problem *p, int32_t phase, int32_t tile_rows) {
  if (!attn_is_by_class(p, phase))
    return attn_tiles_of(p, phase, tile_rows);
  return attn_classes_of(p, phase).count * tiles_of_part(p, phase, tile_rows);
}

static int check_items(const attn_problem *p, int32_t phase, const attn_gpu_function *function) {
  if (!function->name)
    return ATTN_OK;
  int64_t tiles = tiles_of(p, phase, function->tile_rows), items;
  int is_right = p->heads <= MAX_BLOCKS_YZ && !__builtin_mul_overflow(p->batch, p->heads, &items) &&
                 !__builtin_mul_overflow(items, tiles > 0 ? tiles : 1, &items) && items <= MAX_ITEMS;
  return is_right ? ATTN_OK : ATTN_ERROR_SHAPE;
}

/* A phase that has a strided version runs whatever the strides are. */
static int check_strides(const gpu_call *c, int32_t index) {
  const attn_gpu_phase *phase = &c->problem->kernel->gpu->phases[index];
  attn_tensor_map maps[ATTN_GPU_MAX_MAPS];
  return phase->strided.name || attn_encode_maps(c->problem, c->handle->driver, index, &phase->tiled, maps)
             ? ATTN_OK
             : ATTN_ERROR_STRIDE;
}

static int check_phases(const gpu_call *c) {
  int status = ATTN_OK;
  for (int32_t i = 0; i < c->problem->kernel->phase_count && status == ATTN_OK; ++i) {
    const attn_gpu_phase *phase = &c->problem->kernel->gpu->phases[i];
    status = check_items(c->problem, i, &phase->tiled);
    if (status == ATTN_OK)
      status = check_items(c->problem, i, &phase->strided);
    if (status == ATTN_OK)
      status = check_items(c->problem, i, &phase->compact);
    if (status == ATTN_OK)
      status = check_strides(c, i);
  }
  return status;
}

/*===---- Prologue ----------------------------------------------------------------------------------------------===*/

static int clear_status(const gpu_call *c) {
  return status_of(c->handle->driver->set_words((attn_device_address)(uintptr_t)c->frame->jobs.status, ATTN_OK, 1,
                                                c->problem->call->stream));
}

static int launch(const gpu_call *c, void *function, attn_launch config, void **parameters) {
  config.stream = c->problem->call->stream;
  return status_of(c->handle->driver->launch(&config, function, parameters, NULL));
}

static int launch_jobs(const gpu_call *c) {
  const attn_frame *f = c->frame;
  void *parameters[] = {(void *)&f->jobs};
  return launch(c, c->handle->run_jobs,
                (attn_launch){.grid = {(unsigned)f->jobs.batch, (unsigned)f->job_count, 1},
                              .block = {ATTN_PROLOGUE_THREADS, 1, 1},
                              .shared_bytes = ATTN_PROLOGUE_SHARED_BYTES},
                parameters);
}

static int launch_match(const gpu_call *c, const attn_match *match) {
  const attn_problem *p = c->problem;
  attn_match_job job = attn_match_job_of(p, c->frame, match);
  void *parameters[] = {&job};
  unsigned batches = job.begin.stride ? (unsigned)p->batch : 1;
  return launch(
      c, c->handle->match,
      (attn_launch){.grid = {batches * (unsigned)job.blocks_per_batch, 1, 1}, .block = {ATTN_MATCH_THREADS, 1, 1}},
      parameters);
}

static int launch_prologue(const gpu_call *c) {
  int status = attn_has_workspace(c->problem) ? clear_status(c) : ATTN_OK;
  if (status == ATTN_OK && c->frame->job_count > 0)
    status = launch_jobs(c);
  for (int32_t i = 0; i < c->problem->kernel->match_count && status == ATTN_OK; ++i)
    status = launch_match(c, &c->problem->kernel->matches[i]);
  return status;
}

/*===---- Phases ------------------------------------------------------------------------------------------------===*/

/* Tile by tile the longest tiles of all heads come first, which evens out the end; but all heads' keys and values are
 * read at a time, and should then stay in the cache. Head by head only few heads' have to. */
static int goes_tile_by_tile(const gpu_call *c, int64_t tiles) {
  const attn_problem *p = c->problem;
  const int64_t element_bytes = 2, row_bytes = element_bytes * (p->info->head_size + p->info->value_head_size);
  return tiles <= MAX_BLOCKS_YZ &&
         p->batch * p->kv_heads <= c->handle->cache_bytes / (row_bytes * (p->kv_length > 0 ? p->kv_length : 1));
}

/* What a launch of a phase has besides its grid. */
typedef struct phase_launch {
  const attn_gpu_function *function;
  const attn_loaded_function *loaded;
  attn_tensor_map maps[ATTN_GPU_MAX_MAPS];
  int32_t map_count;
  int overlaps; /* the phase before this one */
} phase_launch;

/* Phases of a stage write different rows, and may run side by side. One that overlaps begins as soon as all blocks of
 * the one before have begun; its first block ends after that one, so that what follows in the stream finds all rows
 * written. */
static int launch_grid(const gpu_call *c, phase_launch *l, int64_t x, int64_t y, int64_t z) {
  void *parameters[ATTN_GPU_MAX_MAPS + 1];
  for (int32_t i = 0; i < l->map_count; ++i)
    parameters[i] = &l->maps[i];
  parameters[l->map_count] = c->frame->words;
  const attn_launch_attribute overlap = {.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION, .value = 1};
  return launch(c, l->loaded->function,
                (attn_launch){.grid = {(unsigned)x, (unsigned)y, (unsigned)z},
                              .block = {(unsigned)l->function->threads, 1, 1},
                              .shared_bytes = (unsigned)l->function->shared_bytes,
                              .attributes = &overlap,
                              .attribute_count = l->overlaps ? 1 : 0},
                parameters);
}

static int launch_items(const gpu_call *c, int32_t phase, phase_launch *l) {
  const attn_problem *p = c->problem;
  int64_t *words = c->frame->words + p->kernel->symbol_count;
  int64_t tiles = tiles_of(p, phase, l->function->tile_rows), items = p->batch * p->heads * tiles; /* some */
  int by_tile = !l->function->persistent && goes_tile_by_tile(c, tiles), status = ATTN_OK;
  int64_t of_part = tiles_of_part(p, phase, l->function->tile_rows);
  words[ATTN_GPU_TILES] = tiles;
  words[ATTN_GPU_TILES_OF_PART] = of_part;
  words[ATTN_GPU_PART_FACTOR] = (int64_t)UINT32_MAX / of_part;
  words[ATTN_GPU_TILE_MAJOR] = by_tile;
  words[ATTN_GPU_FIRST_BATCH] = 0;
  if (l->function->persistent)
    return launch_grid(c, l, least(items, l->loaded->resident_blocks), 1, 1);
  for (int64_t batch = 0; batch < p->batch && status == ATTN_OK; batch += MAX_BLOCKS_YZ) {
    int64_t batches = least(p->batch - batch, MAX_BLOCKS_YZ);
    words[ATTN_GPU_FIRST_BATCH] = batch;
    status = by_tile ? launch_grid(c, l, p->heads, batches, tiles) : launch_grid(c, l, tiles, p->heads, batches);
  }
  return status;
}

/* The first phase of a stage that is launched waits for all before it, the prologue or another stage. */
static int launch_phase(const gpu_call *c, int32_t index, int *is_first) {
  const attn_gpu_phase *phase = &c->problem->kernel->gpu->phases[index];
  const attn_loaded_phase *loaded = &c->handle->phases[index];
  int is_short = phase->compact.name && c->problem->kv_length <= phase->compact_keys;
  phase_launch l = {.overlaps = !*is_first};
  l.map_count = attn_map_count(c->problem, index);
  l.function = is_short ? &phase->compact : &phase->tiled;
  l.loaded = is_short ? &loaded->compact : &loaded->tiled;
  if (!l.function->name || !attn_encode_maps(c->problem, c->handle->driver, index, l.function, l.maps)) {
    memset(l.maps, 0, sizeof(l.maps));
    l.function = &phase->strided;
    l.loaded = &loaded->strided;
  }
  if (tiles_of(c->problem, index, l.function->tile_rows) == 0)
    return ATTN_OK;
  *is_first = 0;
  return launch_items(c, index, &l);
}

/* Phases over listed queries come first: each of their few tiles looks at many keys. */
static int launch_stage(const gpu_call *c, int32_t stage) {
  const attn_kernel *kernel = c->problem->kernel;
  int status = ATTN_OK, is_first = 1;
  for (int32_t listed = 1; listed >= 0; --listed)
    for (int32_t i = 0; i < kernel->phase_count && status == ATTN_OK; ++i)
      if (kernel->phases[i].stage == stage && attn_is_listed_phase(c->problem, i) == listed)
        status = launch_phase(c, i, &is_first);
  return status;
}

static int launch_phases(const gpu_call *c) {
  int status = ATTN_OK;
  for (int32_t stage = 0; stage < attn_stages_of(c->problem->kernel) && status == ATTN_OK; ++stage)
    status = launch_stage(c, stage);
  return status;
}

/*===---- Entry points ------------------------------------------------------------------------------------------===*/

/* In the handle's context, which is current. */
static int check_and_launch(const gpu_call *c) {
  int is_linear = c->problem->kernel->linear != NULL;
  int status = check_memory(c);
  if (status == ATTN_OK)
    status = is_linear ? attn_check_linear_blocks(c->problem) : check_phases(c);
  if (status == ATTN_OK)
    status = launch_prologue(c);
  if (status != ATTN_OK)
    return status;
  return is_linear ? attn_launch_linear(c->problem, c->handle, c->frame) : launch_phases(c);
}

static int run_in_context(const gpu_call *c) {
  const attn_handle *h = c->handle;
  void *context;
  if (h->driver->push_context(h->context) != CUDA_SUCCESS)
    return ATTN_ERROR_LAUNCH;
  int status = check_and_launch(c);
  h->driver->pop_context(&context);
  return status;
}

int attn_gpu_run(const attn_kernel *kernel, const attn_call *call) {
  attn_problem problem;
  attn_frame frame;
  int status = attn_check_call(kernel, call, &problem);
  if (status == ATTN_OK)
    status = check_handle(&problem);
  if (status != ATTN_OK || !attn_has_work(&problem))
    return status;
  gpu_call c = {&problem, call->handle, &frame};
  attn_fill_frame(&problem, (uintptr_t)call->workspace, c.handle->defaults, &frame);
  status = check_workspace(&c);
  return status == ATTN_OK ? run_in_context(&c) : status;
}

size_t attn_gpu_workspace_bytes(const attn_kernel *kernel, const attn_call *call) {
  attn_problem problem;
  attn_frame frame;
  if (!attn_fits_launch(kernel) || attn_check_layout(kernel, call, &problem) != ATTN_OK || !attn_has_work(&problem))
    return 0;
  attn_fill_frame(&problem, 0, 0, &frame);
  return frame.used;
}

int attn_gpu_isa(const attn_kernel *kernel, const attn_call *call) {
  (void)kernel;
  return attn_is_of_this_version(call) ? ATTN_ISA_SM_90A : 0;
}

int attn_gpu_requirement(const attn_kernel *kernel, const attn_call *call, int64_t numbers[2]) {
  attn_problem problem;
  int status = attn_check_call(kernel, call, &problem);
  return status == ATTN_ERROR_REQUIREMENT ? attn_broken_requirement(&problem, /*with_data=*/0, numbers) : -1;
}
