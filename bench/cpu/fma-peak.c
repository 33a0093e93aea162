/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The FMA peak of one core: 14 independent chains of fused multiply-adds on whole registers, so that neither latency
 * nor loads stand in the way. Prints the best of some runs in GFLOP/s: "avx512 256.0".
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { chains = 14, rounds = 2000000 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#define CHAINS(STEP)                                                                                                   \
  STEP(0) STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7) STEP(8) STEP(9) STEP(10) STEP(11) STEP(12) STEP(13)
#define ZMM(i) "vfmadd231ps %%zmm14, %%zmm15, %%zmm" #i "\n\t"
#define YMM(i) "vfmadd231ps %%ymm14, %%ymm15, %%ymm" #i "\n\t"
#define CLEAR(i) "vpxor %%xmm" #i ", %%xmm" #i ", %%xmm" #i "\n\t"
#define CLOBBERS                                                                                                       \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",  \
      "xmm14", "xmm15"

static void run_avx512(void) {
  __asm__ volatile(CHAINS(CLEAR) CLEAR(14) CLEAR(15)::: CLOBBERS);
  for (long i = 0; i < rounds; ++i)
    __asm__ volatile(CHAINS(ZMM)::: CLOBBERS);
}

static void run_avx2(void) {
  __asm__ volatile(CHAINS(CLEAR) CLEAR(14) CLEAR(15)::: CLOBBERS);
  for (long i = 0; i < rounds; ++i)
    __asm__ volatile(CHAINS(YMM)::: CLOBBERS);
}

static double peak(void (*run)(void), int lanes) {
  double best = 0;
  for (int repeat = 0; repeat < 5; ++repeat) {
    double start = now();
    run();
    double rate = 2.0 * lanes * chains * rounds / (now() - start) * 1e-9;
    best = rate > best ? rate : best;
  }
  return best;
}

int main(void) {
  if (__builtin_cpu_supports("avx512f"))
    printf("avx512 %.1f\n", peak(run_avx512, 16));
  if (__builtin_cpu_supports("fma"))
    printf("avx2 %.1f\n", peak(run_avx2, 8));
  return 0;
}
