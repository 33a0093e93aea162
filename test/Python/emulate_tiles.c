/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Carries out AMX's instructions for a program that it is loaded into (LD_PRELOAD), on processors that have none: they
 * are illegal there, and the signal's handler does what they would have done. It knows those that kernels use, and what
 * is wrong with their operands. Prints how many there were when the program ends.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

enum { TILES = 8, ROWS = 16, ROW_BYTES = 64 };

/* What ldtilecfg reads. */
typedef struct configuration {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} configuration;

static __thread configuration shape;
static __thread uint8_t tiles[TILES][ROWS][ROW_BYTES];
static long carried_out, multiply_adds;

static void fail(const char *what, const uint8_t *code) {
  fprintf(stderr, "%s:", what);
  for (int i = 0; i < 10; ++i)
    fprintf(stderr, " %02x", code[i]);
  fprintf(stderr, "\n");
  abort();
}

/*===---- Decoding ----------------------------------------------------------------------------------------------===*/

/* An instruction with a VEX prefix of three bytes, of the map 0f 38. */
typedef struct instruction {
  const uint8_t *code;
  int prefix; /* 0: none, 1: 66, 2: f3, 3: f2 */
  int opcode;
  int third;        /* the register in the prefix */
  int reg, rm;      /* registers of the ModRM byte */
  int is_in_memory; /* whether rm is memory, `base` + i * `stride` */
  uint8_t *base;
  int64_t stride;
  const uint8_t *end;
} instruction;

static int64_t register_of(const greg_t *registers, int number) {
  static const int places[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                 REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  return registers[places[number]];
}

static int64_t read_offset(instruction *i, int bytes) {
  int32_t offset = 0;
  if (bytes == 1)
    offset = (int8_t)*i->end;
  else
    memcpy(&offset, i->end, 4);
  i->end += bytes;
  return offset;
}

static void decode_memory(instruction *i, const greg_t *registers, int mod, int rm) {
  int index_high = (~i->code[1] >> 3 & 8), base_high = (~i->code[1] >> 2 & 8);
  int64_t address = 0;
  if (rm == 4) {
    int sib = *i->end++, index = (sib >> 3 & 7) | index_high;
    i->stride = index == 4 ? 0 : register_of(registers, index) << (sib >> 6);
    address = (sib & 7) == 5 && mod == 0 ? read_offset(i, 4) : register_of(registers, (sib & 7) | base_high);
  } else if (mod == 0 && rm == 5) {
    address = read_offset(i, 4);
    address += (int64_t)i->end;
  } else {
    address = register_of(registers, rm | base_high);
  }
  if (mod != 0)
    address += read_offset(i, mod == 1 ? 1 : 4);
  i->base = (uint8_t *)address;
}

static instruction decode(const greg_t *registers) {
  instruction i = {.code = (const uint8_t *)registers[REG_RIP]};
  if (i.code[0] != 0xc4 || (i.code[1] & 0x1f) != 2)
    fail("an illegal instruction that is none of AMX's", i.code);
  i.third = ~i.code[2] >> 3 & 15, i.prefix = i.code[2] & 3, i.opcode = i.code[3];
  int modrm = i.code[4], mod = modrm >> 6;
  i.reg = modrm >> 3 & 7, i.rm = modrm & 7, i.is_in_memory = mod != 3;
  i.end = i.code + 5;
  if (i.is_in_memory)
    decode_memory(&i, registers, mod, i.rm);
  return i;
}

/*===---- Instructions ------------------------------------------------------------------------------------------===*/

static void configure(const instruction *i) {
  memcpy(&shape, i->base, sizeof(shape));
  memset(tiles, 0, sizeof(tiles));
  for (int t = 0; t < TILES; ++t)
    if (shape.palette != 1 || shape.row_bytes[t] > ROW_BYTES || shape.rows[t] > ROWS)
      fail("a configuration that no processor takes", i->code);
}

static void load(const instruction *i) {
  memset(tiles[i->reg], 0, sizeof(tiles[i->reg]));
  for (int row = 0; row < shape.rows[i->reg]; ++row)
    memcpy(tiles[i->reg][row], i->base + row * i->stride, shape.row_bytes[i->reg]);
}

static void store(const instruction *i) {
  for (int row = 0; row < shape.rows[i->reg]; ++row)
    memcpy(i->base + row * i->stride, tiles[i->reg][row], shape.row_bytes[i->reg]);
}

static float widen(uint16_t half) {
  uint32_t bits = (uint32_t)half << 16;
  float number;
  memcpy(&number, &bits, sizeof(number));
  return number;
}

/* reg[m][n] += rm[m][2k] third[k][2n] + rm[m][2k + 1] third[k][2n + 1] */
static void multiply(const instruction *i) {
  int pairs = shape.row_bytes[i->rm] / 4;
  if (shape.rows[i->third] != pairs || shape.rows[i->rm] != shape.rows[i->reg] ||
      shape.row_bytes[i->third] != shape.row_bytes[i->reg])
    fail("tiles whose shapes do not fit", i->code);
  long columns = shape.row_bytes[i->reg] / 4;
  __atomic_fetch_add(&multiply_adds, shape.rows[i->reg] * columns * 2 * pairs, __ATOMIC_RELAXED);
  for (int m = 0; m < shape.rows[i->reg]; ++m)
    for (int k = 0; k < pairs; ++k)
      for (int n = 0; n < columns; ++n) {
        const uint16_t *left = (const uint16_t *)tiles[i->rm][m] + 2 * k;
        const uint16_t *right = (const uint16_t *)tiles[i->third][k] + 2 * n;
        float *sum = (float *)tiles[i->reg][m] + n;
        *sum += widen(left[0]) * widen(right[0]);
        *sum += widen(left[1]) * widen(right[1]);
      }
}

static void carry_out(const instruction *i) {
  int is_configuration = i->opcode == 0x49 && i->prefix == 0;
  if (is_configuration && i->is_in_memory)
    return configure(i);
  if (shape.palette != 1)
    fail("tiles that are not configured", i->code);
  if (is_configuration)
    memset(&shape, 0, sizeof(shape)); /* tilerelease */
  else if (i->opcode == 0x49 && i->prefix == 3)
    memset(tiles[i->reg], 0, sizeof(tiles[i->reg]));
  else if (i->opcode == 0x4b && (i->prefix == 3 || i->prefix == 1))
    load(i); /* tileloadd, tileloaddt1 */
  else if (i->opcode == 0x4b && i->prefix == 2)
    store(i);
  else if (i->opcode == 0x5c && i->prefix == 2)
    multiply(i);
  else
    fail("an instruction of AMX that is not known here", i->code);
}

static void handle(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)info;
  greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  instruction i = decode(registers);
  carry_out(&i);
  __atomic_fetch_add(&carried_out, 1, __ATOMIC_RELAXED);
  registers[REG_RIP] = (greg_t)i.end;
}

__attribute__((constructor)) static void begin(void) {
  struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGILL, &action, NULL);
}

__attribute__((destructor)) static void end(void) {
  fprintf(stderr, "tile instructions: %ld, multiply-adds: %ld\n", carried_out, multiply_adds);
}
