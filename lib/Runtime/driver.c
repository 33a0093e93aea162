/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Looks the CUDA driver's functions up.
 */
#include "driver.h"

#include <dlfcn.h>

#define ATTN_DRIVER(function, name, parameters) name,
static const char *const names[] = {ATTN_DRIVER_FUNCTIONS};
#undef ATTN_DRIVER

enum { FUNCTION_COUNT = sizeof(names) / sizeof(names[0]) };

/* The struct as the words that it consists of. */
typedef union table {
  attn_driver driver;
  void *words[FUNCTION_COUNT];
} table;

_Static_assert(sizeof(attn_driver) == sizeof(void *) * FUNCTION_COUNT, "a driver is its functions and nothing else");

static int look_up(table *found) {
  void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return 0;
  for (int i = 0; i < FUNCTION_COUNT; ++i) {
    found->words[i] = dlsym(library, names[i]);
    if (!found->words[i])
      return 0;
  }
  return 1;
}

/* Threads that race here store the same words, and say so after the last of them. */
const attn_driver *attn_find_driver(void) {
  static table known;
  static int is_known;
  table found;
  if (__atomic_load_n(&is_known, __ATOMIC_ACQUIRE))
    return &known.driver;
  if (!look_up(&found))
    return NULL;
  for (int i = 0; i < FUNCTION_COUNT; ++i)
    __atomic_store_n(&known.words[i], found.words[i], __ATOMIC_RELAXED);
  __atomic_store_n(&is_known, 1, __ATOMIC_RELEASE);
  return &known.driver;
}
