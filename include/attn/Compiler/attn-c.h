/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The compiler as a C library, libattn-c.so: a pattern file or its text in; objects, text, reports and pictures out.
 * What it makes is called through attn/Runtime/attn.h and does not need this library any more.
 *
 *   attn_compilation *compilation;
 *   attn_compile_options options = ATTN_COMPILE_OPTIONS_INIT;
 *   char *error = attn_compile_file("patterns/longformer.mlir", &options, &compilation);
 *   if (!error)
 *     error = attn_compilation_link(compilation, "longformer.so");
 *   attn_compilation_destroy(compilation);
 *
 * Errors. A function that can fail returns NULL, or a text that belongs to the caller (attn_release). Its first line is
 * complete by itself, "FILE:LINE:COL: error: ..." where a place is known and "error: ..." otherwise; notes may follow.
 * Results are then left as they were. Nothing is printed, no exception leaves, and what LLVM calls a fatal error ends
 * the call, not the process; it may leave memory behind.
 *
 * Ownership. Compilations are the caller's (attn_compilation_destroy), and so are the bytes of results (attn_release).
 * Texts that are given are read before a function returns.
 *
 * Threads. Any number of threads may compile at a time, each a compilation of its own; one compilation is for one
 * thread at a time. The library keeps no state between calls. It exports these functions alone and declares no
 * command-line option, so it can be loaded (RTLD_LOCAL) beside whatever else a process has loaded, another LLVM as
 * well.
 */
#ifndef ATTN_COMPILER_ATTN_C_H
#define ATTN_COMPILER_ATTN_C_H

#include "attn/Runtime/attn.h"

#if defined(__GNUC__)
#define ATTN_C_EXPORT __attribute__((visibility("default")))
#else
#define ATTN_C_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* A source that was read, checked and planned. */
typedef struct attn_compilation attn_compilation;

/* Bytes of a result. Text ends with a 0 that `size` does not count. */
typedef struct attn_bytes {
  char *data;
  size_t size;
} attn_bytes;

/* Set it to ATTN_COMPILE_OPTIONS_INIT, then fill in what differs: 0 and NULL stand for the defaults. */
typedef struct attn_compile_options {
  size_t size;             /* sizeof(attn_compile_options) */
  const char *kernel;      /* of a source that holds several; all of them */
  const char *target;      /* cpu (the default) or sm_90a */
  const char *element;     /* f32 (the default), bf16 or f16 */
  const char *score;       /* a name in the source or in `scores` beside the file, or a file's path; none */
  int64_t head_size;       /* 64 */
  int64_t value_head_size; /* head_size */
  int64_t tile_rows;       /* the planner's choice */
  int64_t tile_keys;
  /* CPU: the instruction sets to write versions for, a bit 1 << x for each attn_isa x except AVX512FP16. The
   * bit of ATTN_ISA_BEST stands for the best one that this processor has. 0: all. */
  uint32_t isas;
} attn_compile_options;

#define ATTN_COMPILE_OPTIONS_INIT {sizeof(attn_compile_options), NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0}

/* A pattern file. */
ATTN_C_EXPORT char *attn_compile_file(const char *path, const attn_compile_options *options, attn_compilation **result);
/* The text of one, `size` bytes long. In errors `name` stands for its path, and scores are looked for beside it. */
ATTN_C_EXPORT char *attn_compile_text(const char *text, size_t size, const char *name,
                                      const attn_compile_options *options, attn_compilation **result);
/* NULL is allowed. */
ATTN_C_EXPORT void attn_compilation_destroy(attn_compilation *compilation);

/* The kernels of a compilation, at least one. What an info says is true of the compiled kernel as well, but its
 * functions are NULL here. It lives as long as the compilation. */
ATTN_C_EXPORT int32_t attn_compilation_kernel_count(const attn_compilation *compilation);
ATTN_C_EXPORT const attn_kernel_info *attn_compilation_kernel(const attn_compilation *compilation, int32_t kernel);

/* What a source is turned into. */
typedef enum attn_artifact {
  ATTN_ARTIFACT_ATTN = 0, /* the typed kernels, in MLIR */
  ATTN_ARTIFACT_PLAN,     /* the order of tiles, in MLIR */
  ATTN_ARTIFACT_LOOPS,    /* CPU: scf, memref and vector */
  ATTN_ARTIFACT_TILES,    /* GPU: attn_tile */
  ATTN_ARTIFACT_LLVM,     /* LLVM IR, as text */
  ATTN_ARTIFACT_ASSEMBLY, /* of the GPU: PTX */
  ATTN_ARTIFACT_OBJECT,   /* an ELF object */
  ATTN_ARTIFACT_HEADER,   /* the kernels' C header */
  ATTN_ARTIFACT_CUBIN     /* GPU, where there is ptxas: its one kernel */
} attn_artifact;

/* In any order, as often as wanted. */
ATTN_C_EXPORT char *attn_compilation_emit(attn_compilation *compilation, int32_t artifact, attn_bytes *result);

/* Writes a shared library, with the machine's own linker (cc, clang or gcc). */
ATTN_C_EXPORT char *attn_compilation_link(attn_compilation *compilation, const char *path);

/* What is known of a kernel before it runs. */
typedef enum attn_description {
  ATTN_REPORT_TEXT = 0, /* pairs, waste, tables, time: attn-compile --emit=report */
  ATTN_REPORT_JSON,     /* the same, with --json */
  ATTN_VISITS_TEXT,     /* the tiles in order: --emit=visits */
  ATTN_VISITS_JSON,
  ATTN_MASK_TEXT, /* the picture: '#' all pairs of a cell, '+' some, '.' none */
  ATTN_MASK_SVG,
  ATTN_MASK_PNG
} attn_description;

/* Describes a call of a kernel. The call is as one that runs (attn.h), with its run-time data in the host's memory, for
 * GPU kernels as well, and is checked as such; query, key, value, output and lse need shapes and strides, but no data,
 * and there is no workspace. Visits and pictures are those of the first batch and head. */
ATTN_C_EXPORT char *attn_compilation_describe(attn_compilation *compilation, int32_t kernel, int32_t description,
                                              const attn_call *call, attn_bytes *result);

/* "attn-mlir 0.1.0, LLVM 22.1.8" */
ATTN_C_EXPORT const char *attn_compiler_version(void);

/* Frees an error or the bytes of a result; NULL is allowed. */
ATTN_C_EXPORT void attn_release(void *memory);

#ifdef __cplusplus
}
#endif
#endif /* ATTN_COMPILER_ATTN_C_H */
