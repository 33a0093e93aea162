/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Loads a kernel onto a GPU and unloads it. Every step is one function that takes the handle as the steps before it
 * left it; what fails is undone by `release`, which gives back what is there.
 */
#include "frame.h"

#include <stdlib.h>

int64_t attn_defaults_before(const attn_kernel_info *info, int32_t tensor) {
  int64_t count = 0;
  for (int32_t i = 0; i < tensor; ++i)
    if (info->tensors[i].default_count > 0)
      count += info->tensors[i].default_count;
  return count;
}

static int status_of(int result) { return result == CUDA_SUCCESS ? ATTN_OK : ATTN_ERROR_LAUNCH; }

/*===---- The device --------------------------------------------------------------------------------------------===*/

/* Without a GPU cuInit itself may fail. */
static int start_driver(const attn_driver **driver) {
  const int needed_version = 12000;
  int version = 0;
  *driver = attn_find_driver();
  if (!*driver || (*driver)->get_version(&version) != CUDA_SUCCESS || version < needed_version)
    return ATTN_ERROR_DRIVER;
  int result = (*driver)->init(0);
  return result == CUDA_SUCCESS ? ATTN_OK : result == CUDA_ERROR_NO_DEVICE ? ATTN_ERROR_DEVICE : ATTN_ERROR_DRIVER;
}

static int attribute_of(const attn_driver *driver, int attribute, int device) {
  int value = 0;
  return driver->get_device_attribute(&value, attribute, device) == CUDA_SUCCESS ? value : 0;
}

/* Instructions of sm_90a run on compute capability 9.0 and on no other. */
static int check_device(const attn_driver *driver, int ordinal, int *device) {
  if (ordinal < 0 || driver->get_device(device, ordinal) != CUDA_SUCCESS)
    return ATTN_ERROR_DEVICE;
  int major = attribute_of(driver, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, *device);
  int minor = attribute_of(driver, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, *device);
  return major == 9 && minor == 0 ? ATTN_OK : ATTN_ERROR_ARCHITECTURE;
}

/*===---- The code ----------------------------------------------------------------------------------------------===*/

/* ATTN_GPU_FORCE_PTX=1 passes the cubin over, so that the two can be compared. */
static int prefers_ptx(void) {
  const char *value = getenv("ATTN_GPU_FORCE_PTX");
  return value && value[0] == '1' && value[1] == 0;
}

static int load_module(attn_handle *h) {
  const attn_gpu_code *code = h->kernel->gpu;
  if (code->cubin && !prefers_ptx() && h->driver->load_module(&h->module, code->cubin, 0, NULL, NULL) == CUDA_SUCCESS)
    return ATTN_OK;
  return status_of(h->driver->load_module(&h->module, code->ptx, 0, NULL, NULL));
}

static int load_function(const attn_handle *h, const char *name, int32_t shared_bytes, void **function) {
  int result = h->driver->get_function(function, h->module, name);
  if (result == CUDA_SUCCESS)
    result =
        h->driver->set_function_attribute(*function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, shared_bytes);
  return status_of(result);
}

static int load_version(const attn_handle *h, const attn_gpu_function *version, attn_loaded_function *loaded) {
  int blocks = 0;
  if (!version->name)
    return ATTN_OK;
  int status = load_function(h, version->name, version->shared_bytes, &loaded->function);
  if (status != ATTN_OK)
    return status;
  int result = h->driver->count_blocks(&blocks, loaded->function, version->threads, (size_t)version->shared_bytes);
  loaded->resident_blocks = blocks * attribute_of(h->driver, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, h->device);
  return result == CUDA_SUCCESS && loaded->resident_blocks > 0 ? ATTN_OK : ATTN_ERROR_LAUNCH;
}

static int load_phases(attn_handle *h) {
  int status = ATTN_OK;
  for (int32_t i = 0; i < h->kernel->phase_count && status == ATTN_OK; ++i) {
    status = load_version(h, &h->kernel->gpu->phases[i].tiled, &h->phases[i].tiled);
    if (status == ATTN_OK)
      status = load_version(h, &h->kernel->gpu->phases[i].strided, &h->phases[i].strided);
    if (status == ATTN_OK)
      status = load_version(h, &h->kernel->gpu->phases[i].compact, &h->phases[i].compact);
  }
  return status;
}

static int load_linear(attn_handle *h) {
  const attn_gpu_linear *linear = h->kernel->gpu->linear;
  int status = linear ? load_version(h, &linear->absorb, &h->linear.absorb) : ATTN_OK;
  if (linear && status == ATTN_OK)
    status = load_version(h, &linear->sum, &h->linear.sum);
  if (linear && status == ATTN_OK)
    status = load_version(h, &linear->rows, &h->linear.rows);
  return status;
}

static int load_prologue(attn_handle *h) {
  int status = ATTN_OK;
  if (attn_has_run_time_data(h->kernel))
    status = load_function(h, ATTN_PROLOGUE_RUN_JOBS, ATTN_PROLOGUE_SHARED_BYTES, &h->run_jobs);
  if (status == ATTN_OK && h->kernel->match_count > 0)
    status = load_function(h, ATTN_PROLOGUE_MATCH, 0, &h->match);
  return status;
}

/*===---- Default values of run-time data -----------------------------------------------------------------------===*/

static int load_defaults(attn_handle *h) {
  const attn_kernel_info *info = h->kernel->info;
  int64_t count = attn_defaults_before(info, info->tensor_count);
  int result = count > 0 ? h->driver->allocate(&h->defaults, (size_t)count * sizeof(int32_t)) : CUDA_SUCCESS;
  for (int32_t i = 0; i < info->tensor_count && result == CUDA_SUCCESS; ++i)
    if (info->tensors[i].default_count > 0)
      result = h->driver->copy_to_device(h->defaults + (size_t)attn_defaults_before(info, i) * sizeof(int32_t),
                                         info->tensors[i].default_values,
                                         (size_t)info->tensors[i].default_count * sizeof(int32_t));
  return status_of(result);
}

/*===---- Handles -----------------------------------------------------------------------------------------------===*/

/* In the handle's context, which is current. */
static int load_all(attn_handle *h) {
  int status = load_module(h);
  if (status == ATTN_OK)
    status = load_phases(h);
  if (status == ATTN_OK)
    status = load_linear(h);
  if (status == ATTN_OK)
    status = load_prologue(h);
  return status == ATTN_OK ? load_defaults(h) : status;
}

static void release(attn_handle *h) {
  void *context;
  if (h->context && h->driver->push_context(h->context) == CUDA_SUCCESS) {
    if (h->defaults)
      h->driver->release(h->defaults);
    if (h->module)
      h->driver->unload_module(h->module);
    h->driver->pop_context(&context);
  }
  if (h->context)
    h->driver->release_context(h->device);
  free(h);
}

static int load_in_context(attn_handle *h) {
  void *context;
  int result = h->driver->retain_context(&h->context, h->device);
  if (result == CUDA_SUCCESS)
    result = h->driver->push_context(h->context);
  if (result != CUDA_SUCCESS)
    return ATTN_ERROR_LAUNCH;
  int status = load_all(h);
  h->driver->pop_context(&context);
  return status;
}

static attn_handle *create_handle(const attn_kernel *kernel, const attn_driver *driver, int device) {
  attn_handle *h = calloc(1, sizeof(attn_handle) + (size_t)kernel->phase_count * sizeof(attn_loaded_phase));
  if (h) {
    h->kernel = kernel;
    h->driver = driver;
    h->device = device;
    h->cache_bytes = attribute_of(driver, CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, device);
  }
  return h;
}

int attn_gpu_load(const attn_kernel *kernel, void **handle, int ordinal) {
  const attn_driver *driver;
  int device;
  if (!handle)
    return ATTN_ERROR_HANDLE;
  *handle = NULL;
  int status = start_driver(&driver);
  if (status == ATTN_OK)
    status = check_device(driver, ordinal, &device);
  if (status != ATTN_OK)
    return status;
  attn_handle *h = create_handle(kernel, driver, device);
  status = h && attn_fits_launch(kernel) ? load_in_context(h) : ATTN_ERROR_LAUNCH;
  if (status == ATTN_OK)
    *handle = h;
  else if (h)
    release(h);
  return status;
}

int attn_gpu_unload(const attn_kernel *kernel, void *handle) {
  attn_handle *h = handle;
  if (!h || h->kernel != kernel)
    return ATTN_ERROR_HANDLE;
  release(h);
  return ATTN_OK;
}
