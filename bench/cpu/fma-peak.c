/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The peaks of one core's multiplications: 14 independent chains of fused multiply-adds on whole registers, or of dot
 * products of bf16 pairs, so that neither latency nor loads stand in the way; for AMX six tiles that two others are
 * multiplied into. Prints the best of some runs in GFLOP/s, f32 before bf16: "f32 avx512 256.0".
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { chains = 14, rounds = 2000000, tile_rounds = 10 };

/* The thread's own time, which other programs do not lengthen. */
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#define CHAINS(STEP)                                                                                                   \
  STEP(0) STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7) STEP(8) STEP(9) STEP(10) STEP(11) STEP(12) STEP(13)
#define ZMM(i) "vfmadd231ps %%zmm14, %%zmm15, %%zmm" #i "\n\t"
#define YMM(i) "vfmadd231ps %%ymm14, %%ymm15, %%ymm" #i "\n\t"
#define PAIR(i) "vdpbf16ps %%zmm14, %%zmm15, %%zmm" #i "\n\t"
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

static void run_pairs(void) {
  __asm__ volatile(CHAINS(CLEAR) CLEAR(14) CLEAR(15)::: CLOBBERS);
  for (long i = 0; i < rounds; ++i)
    __asm__ volatile(CHAINS(PAIR)::: CLOBBERS);
}

#define TILE(i) "tdpbf16ps %%tmm7, %%tmm6, %%tmm" #i "\n\t"
__attribute__((target("amx-tile,amx-bf16"))) static void run_tiles(void) {
  struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
  } configuration = {.palette = 1};
  for (int tile = 0; tile < 8; ++tile)
    configuration.row_bytes[tile] = 64, configuration.rows[tile] = 16;
  __asm__ volatile("ldtilecfg %0" ::"m"(configuration));
  for (long i = 0; i < rounds / tile_rounds; ++i)
    __asm__ volatile(TILE(0) TILE(1) TILE(2) TILE(3) TILE(4) TILE(5)::: "memory");
  __asm__ volatile("tilerelease");
}

/* Whether the processor has tiles and the operating system lets this process use them. */
static int may_use_tiles(void) {
  enum { request_permission = 0x1023, tile_data = 18 };
  return __builtin_cpu_supports("amx-bf16") && syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

/* `operations` are those of one run. */
static double peak(void (*run)(void), double operations) {
  double best = 0;
  for (int repeat = 0; repeat < 5; ++repeat) {
    double start = now();
    run();
    double rate = operations / (now() - start) * 1e-9;
    best = rate > best ? rate : best;
  }
  return best;
}

int main(void) {
  const double chained = 2.0 * chains * rounds;
  if (__builtin_cpu_supports("avx512f"))
    printf("f32 avx512 %.1f\n", peak(run_avx512, 16 * chained));
  if (__builtin_cpu_supports("fma"))
    printf("f32 avx2 %.1f\n", peak(run_avx2, 8 * chained));
  if (may_use_tiles())
    printf("bf16 amx %.1f\n", peak(run_tiles, 2.0 * 16 * 16 * 32 * 6 * (rounds / tile_rounds)));
  if (__builtin_cpu_supports("avx512bf16"))
    printf("bf16 avx512bf16 %.1f\n", peak(run_pairs, 32 * chained));
  return 0;
}
