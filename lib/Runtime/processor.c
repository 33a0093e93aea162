/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Asks the processor for its features and the operating system, through XCR0, for the registers it saves. attn_isa
 * (attn.h) lists what each instruction set needs of both.
 */
#include "processor.h"

#include "attn/Runtime/attn.h"

#include <cpuid.h>

static int has_all(uint64_t word, uint64_t bits) { return (word & bits) == bits; }

/* The register files that are saved when threads are switched: XCR0, readable where OSXSAVE is set. */
static uint64_t saved_registers(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

/* What the levels below look at: leaf 1, leaf 7 with its subleaf 1, and XCR0. Missing leaves read as 0. */
typedef struct features {
  uint32_t leaf1_ecx, leaf7_ebx, leaf7_edx, leaf7_1_eax;
  uint64_t saved;
} features;

static features read_features(void) {
  features f = {0};
  uint32_t eax, ebx, ecx, edx;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx))
    f.leaf1_ecx = ecx;
  if (has_all(f.leaf1_ecx, bit_OSXSAVE))
    f.saved = saved_registers();
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
    return f;
  f.leaf7_ebx = ebx;
  f.leaf7_edx = edx;
  if (eax >= 1 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx))
    f.leaf7_1_eax = eax;
  return f;
}

/* Whether the operating system lets this process use tiles, whose registers are large: it wants to be asked. The call
 * is written out, since an object needs nothing of libc for it. */
static int may_use_tiles(void) {
  enum { ARCH_PRCTL = 158, REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
  long status;
  __asm__ volatile("syscall"
                   : "=a"(status)
                   : "a"((long)ARCH_PRCTL), "D"((long)REQUEST_PERMISSION), "S"((long)TILE_DATA)
                   : "rcx", "r11", "memory");
  return status == 0;
}

static uint32_t detect_isas(void) {
  enum { YMM_STATE = 0x6, ZMM_STATE = 0xe6, TILE_STATE = 0x60000 };
  features f = read_features();
  uint32_t isas = 1u << ATTN_ISA_GENERIC;
  if (!has_all(f.saved, YMM_STATE) || !has_all(f.leaf1_ecx, bit_AVX | bit_FMA | bit_F16C) ||
      !has_all(f.leaf7_ebx, bit_AVX2))
    return isas;
  isas |= 1u << ATTN_ISA_AVX2;
  if (!has_all(f.saved, ZMM_STATE) || !has_all(f.leaf7_ebx, bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL))
    return isas;
  isas |= 1u << ATTN_ISA_AVX512;
  if (!has_all(f.leaf7_1_eax, bit_AVX512BF16))
    return isas;
  isas |= 1u << ATTN_ISA_AVX512BF16;
  if (has_all(f.leaf7_edx, bit_AVX512FP16))
    isas |= 1u << ATTN_ISA_AVX512FP16;
  int has_tiles = has_all(f.saved, TILE_STATE) && has_all(f.leaf7_edx, bit_AMXTILE | bit_AMXBF16 | bit_AMXINT8);
  return has_tiles && may_use_tiles() ? isas | 1u << ATTN_ISA_AMX : isas;
}

/* Threads that race here store the same word. */
uint32_t attn_processor_isas(void) {
  static uint32_t known;
  uint32_t isas = __atomic_load_n(&known, __ATOMIC_RELAXED);
  if (!isas) {
    isas = detect_isas();
    __atomic_store_n(&known, isas, __ATOMIC_RELAXED);
  }
  return isas;
}
