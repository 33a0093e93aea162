/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The rate at which one core reads an array of so many bytes again and again, in GB/s: the best of some rounds, each
 * line read once a round.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* The thread's own time, which other programs do not lengthen. */
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Eight sums of vectors of 64 bytes, so that loads do not wait for one another. */
typedef int64_t vector __attribute__((vector_size(64)));
enum { sums = 8 };

__attribute__((target_clones("avx512f", "avx2", "default"))) static int64_t read_all(const vector *data, size_t count) {
  vector sum[sums] = {0};
  for (size_t i = 0; i + sums <= count; i += sums)
    for (int k = 0; k < sums; ++k)
      sum[k] ^= data[i + k];
  for (int k = 1; k < sums; ++k)
    sum[0] ^= sum[k];
  return sum[0][0];
}

int main(int argc, char **argv) {
  size_t bytes = argc == 2 ? strtoull(argv[1], NULL, 10) / sizeof(vector) * sizeof(vector) : 0;
  vector *data = bytes ? aligned_alloc(sizeof(vector), bytes) : NULL;
  if (!data) {
    fprintf(stderr, "usage: read-bandwidth BYTES\n");
    return 2;
  }
  for (size_t i = 0; i < bytes / sizeof(vector); ++i)
    data[i] = (vector){(int64_t)i};
  double best = 0;
  int64_t seen = 0;
  for (int round = 0; round < 20; ++round) {
    double start = now();
    seen ^= read_all(data, bytes / sizeof(vector));
    double rate = (double)bytes / (now() - start) * 1e-9;
    best = rate > best ? rate : best;
  }
  printf("%.1f\n", best);
  free(data);
  return seen == -1;
}
